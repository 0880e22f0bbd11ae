"""The client's tables, in our terms, with every problem listed at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kalib.errors import Problem, StudyError
from kalib.reading import MISSING, TextTable, read_text_table, to_flags, to_numbers
from kalib.study import Study

FEWEST_SURVEYED = 8  # below this no formula of even one indicator can be judged
LISTED = 50  # cells listed one by one for one fault of one column; the rest are counted
NUMERIC_SHARE = 0.8  # a column in which fewer cells are numbers is text
TOTALS = {"total", "totals", "sum", "grand total", "合计", "总计", "小计", "gesamt", "summe"}


@dataclass(frozen=True)
class Tables:
    """The study's tables.

    accounts: DataFrame indexed by account (text), columns name, region, segment, sales (currency
    a year), current_ka (True, False or None), rep, margin (fraction), and the candidates: float
    with NaN, or text with None. survey: Series of potential (currency a year) by account, or
    None. visits: DataFrame (account, date, own, total[, visitor]) or None. notes: what was
    tolerated.
    """

    accounts: pd.DataFrame
    survey: pd.Series | None
    visits: pd.DataFrame | None
    notes: tuple[Problem, ...]


def read_tables(study: Study) -> Tables:
    """Read all tables of a study. Raises StudyError with every problem of every file."""
    problems: list[Problem] = []
    notes: list[Problem] = []
    accounts, survey = _read_accounts(study, problems, notes)
    known = set(accounts.index) if accounts is not None else None
    if study.data.survey:
        survey = _read_survey(study, known, problems, notes)
    visits = _read_visits(study, known, problems) if study.data.visits else None
    if survey is not None and visits is None and len(survey) < FEWEST_SURVEYED and not problems:
        problems.append(
            Problem(
                f"potential is known of {len(survey)} accounts only",
                file=study.data.survey or study.data.accounts,
                remedy=f"Survey at least {FEWEST_SURVEYED}, better 10 for each indicator",
            )
        )
    if problems or accounts is None:
        raise StudyError(problems)
    if survey is not None:
        below = survey < accounts["sales"].reindex(survey.index)
        for account in survey.index[below][:LISTED]:
            notes.append(
                Problem(
                    f"account {account}: potential {survey[account]:,.0f} is below our own sales "
                    f"of {accounts.at[account, 'sales']:,.0f}",
                    file=study.data.survey or study.data.accounts,
                    remedy="Ask again: it buys at least what it buys from us",
                )
            )
    return Tables(accounts, survey, visits, tuple(notes))


def _read_accounts(
    study: Study, problems: list[Problem], notes: list[Problem]
) -> tuple[pd.DataFrame | None, pd.Series | None]:
    columns = study.columns
    own_potential = columns.potential if not study.data.survey else None
    wanted = [
        columns.account, columns.sales, columns.name, columns.region, columns.segment,
        columns.current_ka, columns.rep, columns.margin, *study.indicators.candidates,
    ]  # fmt: skip
    if not study.data.survey and not study.data.visits:
        wanted.append(own_potential)
    table = _open(study, study.data.accounts, [name for name in wanted if name], problems)
    if table is None:
        return None, None
    table = _without_totals(table, [columns.account, columns.name], notes)
    table, ids = _identified(table, columns.account, problems)
    frame = pd.DataFrame(index=ids)
    for term in ("name", "region", "segment"):
        source = getattr(columns, term)
        frame[term] = table.frame[source].str.strip().to_numpy() if source else ""
    if not columns.name:
        frame["name"] = ids.to_numpy()
    frame["sales"] = _amounts(table, columns.sales, problems, "sales").to_numpy()
    frame["current_ka"] = _flags(table, columns.current_ka, problems)
    frame["rep"] = table.frame[columns.rep].str.strip().to_numpy() if columns.rep else ""
    frame["margin"] = _margins(table, columns.margin, problems)
    for name in study.indicators.candidates:
        frame[name] = _indicator(table, name, problems, notes)
    survey = None
    if own_potential and own_potential in table.frame:
        values = _amounts(table, own_potential, problems, "potential", blank=True)
        survey = pd.Series(values.to_numpy(), index=ids, name="potential").dropna()
    return frame, survey


def _read_survey(
    study: Study, known: set[str] | None, problems: list[Problem], notes: list[Problem]
) -> pd.Series | None:
    file, column = str(study.data.survey), str(study.columns.potential)
    table = _open(study, file, [study.columns.account, column], problems)
    if table is None:
        return None
    table = _without_totals(table, [study.columns.account], notes)
    table, ids = _identified(table, study.columns.account, problems)
    values = _amounts(table, column, problems, "potential", blank=True)
    _unknown_accounts(table, ids, known, study.columns.account, problems)
    return pd.Series(values.to_numpy(), index=ids, name="potential").dropna()


def _read_visits(
    study: Study, known: set[str] | None, problems: list[Problem]
) -> pd.DataFrame | None:
    section = study.visits
    assert section is not None  # load_study refuses a visits table without its section
    wanted = [section.account, section.date, section.own, section.total]
    table = _open(study, str(study.data.visits), wanted, problems)
    if table is None:
        return None
    ids = pd.Index(table.frame[section.account].str.strip(), name="account")
    _unknown_accounts(table, ids, known, section.account, problems)
    dates = pd.to_datetime(table.frame[section.date].str.strip(), errors="coerce", format="mixed")
    _list(problems, table, section.date, dates.isna(), "is not a date", "Write 2026-03-31")
    frame = pd.DataFrame({"account": ids.to_numpy(), "date": dates.to_numpy()})
    frame["own"] = _amounts(table, section.own, problems, "units", blank=True).to_numpy()
    frame["total"] = _amounts(table, section.total, problems, "units", blank=True).to_numpy()
    if "visitor" in table.frame:
        frame["visitor"] = table.frame["visitor"].to_numpy()
    return frame.dropna(subset=["own", "total"]).reset_index(drop=True)


def _open(
    study: Study, file: str, wanted: Iterable[str], problems: list[Problem]
) -> TextTable | None:
    """The table, or None where it can't be read or lacks columns (the problems say which)."""
    try:
        table = read_text_table(study.folder / file)
    except StudyError as error:
        problems.extend(error.problems)
        return None
    lacking = [name for name in dict.fromkeys(wanted) if name not in table.frame.columns]
    for name in lacking:
        has = ", ".join(map(str, list(table.frame.columns)[:12]))
        problems.append(
            Problem(
                "there is no such column",
                file=table.file,
                column=name,
                row=1,
                remedy=f"The table has {has}",
            )
        )
    if len(table.frame) == 0 and not lacking:
        problems.append(Problem("the table has no rows", file=table.file, remedy="Export it again"))
    return None if lacking or len(table.frame) == 0 else table


def _keep(table: TextTable, keep: np.ndarray) -> TextTable:
    return TextTable(table.frame[keep].reset_index(drop=True), table.file, table.rows[keep])


def _without_totals(
    table: TextTable, columns: Iterable[str | None], notes: list[Problem]
) -> TextTable:
    """Totals rows at the foot of a table are dropped, and said."""
    last = len(table.frame) - 1
    cells = [
        str(table.frame.at[last, name]).strip().lower().rstrip(":") for name in columns if name
    ]
    if not any(cell in TOTALS for cell in cells):
        return table
    notes.append(Problem("a totals row was left out", file=table.file, row=int(table.rows[last])))
    return _keep(table, np.arange(len(table.frame)) < last)


def _identified(
    table: TextTable, column: str, problems: list[Problem]
) -> tuple[TextTable, pd.Index]:
    """The accounts' ids as text; blank and repeated ones are problems."""
    ids = table.frame[column].str.strip()
    _list(problems, table, column, ids == "", "is blank", "Give every account an id")
    first = dict(zip(ids[::-1], table.rows[::-1], strict=True))
    double = ids.duplicated() & (ids != "")
    for i in np.flatnonzero(double)[:LISTED]:
        problems.append(
            Problem(
                f"{ids[i]!r} stands in row {first[ids[i]]} already",
                file=table.file,
                column=column,
                row=int(table.rows[i]),
                remedy="Keep one row for each account",
            )
        )
    return table, pd.Index(ids, name="account", dtype="str")


def _unknown_accounts(
    table: TextTable, ids: pd.Index, known: set[str] | None, column: str, problems: list[Problem]
) -> None:
    if known is None:
        return
    strange = pd.Series(~ids.isin(known) & ~ids.duplicated())
    remedy = "Add it to the accounts, or correct the id"
    _list(problems, table, column, strange, "is not among the accounts", remedy)


def _list(
    problems: list[Problem],
    table: TextTable,
    column: str,
    bad: pd.Series | np.ndarray,
    message: str,
    remedy: str,
) -> None:
    """One problem for each bad cell, the first LISTED of them, and a count of the rest."""
    places = np.flatnonzero(np.asarray(bad))
    for i in places[:LISTED]:
        cell = str(table.frame[column].iloc[i])[:60]
        problems.append(
            Problem(
                f"{cell!r} {message}" if cell.strip() else "is blank",
                file=table.file,
                column=column,
                row=int(table.rows[i]),
                remedy=remedy,
            )
        )
    if len(places) > LISTED:
        problems.append(
            Problem(f"and {len(places) - LISTED} cells more {message}", file=table.file,
                    column=column, remedy=remedy)
        )  # fmt: skip


def _amounts(
    table: TextTable, column: str, problems: list[Problem], what: str, *, blank: bool = False
) -> pd.Series:
    """A column of amounts that are zero or more (potential: above zero)."""
    values, bad = to_numbers(table.frame[column])
    _list(problems, table, column, bad, "is not a number", f"Write {what} as a plain number")
    if not blank:
        empty = values.isna() & ~bad
        _list(problems, table, column, empty, "is blank", "Write 0 if it buys nothing from us")
    if what == "potential":
        low, rule = values <= 0, "Potential is above zero; leave it blank where unknown"
        _list(problems, table, column, low, "is not above zero", rule)
    else:
        low = values < 0
        _list(problems, table, column, low, "is negative", f"{what.capitalize()} are zero or more")
    return values


def _flags(table: TextTable, column: str | None, problems: list[Problem]) -> np.ndarray:
    if not column:
        return np.full(len(table.frame), None, dtype=object)
    values, bad = to_flags(table.frame[column])
    _list(problems, table, column, bad, "is neither yes nor no", "Write 1 or 0")
    return values.to_numpy(dtype=object)


def _margins(table: TextTable, column: str | None, problems: list[Problem]) -> np.ndarray:
    if not column:
        return np.full(len(table.frame), np.nan)
    values, bad = to_numbers(table.frame[column])
    _list(problems, table, column, bad, "is not a number", "Write the margin as a fraction")
    beyond = (values > 1) | (values < -1)
    _list(problems, table, column, beyond, "is not a fraction", "Write 0.25 or 25%")
    return values.to_numpy()


def _indicator(
    table: TextTable, name: str, problems: list[Problem], notes: list[Problem]
) -> np.ndarray:
    """A candidate: numbers where at least NUMERIC_SHARE of its cells are, text elsewhere."""
    cells = table.frame[name].str.strip()
    values, bad = to_numbers(cells)
    missing = cells.str.lower().isin(MISSING)
    filled = int((~missing).sum())
    if missing.any():
        notes.append(
            Problem(
                f"{int(missing.sum())} of {len(cells)} values are missing and will be filled",
                file=table.file,
                column=name,
            )
        )
    if filled and (filled - int(bad.sum())) / filled >= NUMERIC_SHARE:
        remedy = "Write a number, or leave it blank"
        _list(problems, table, name, bad, "is not a number", remedy)
        return values.to_numpy()
    return cells.astype(object).where(~missing, None).to_numpy(dtype=object)
