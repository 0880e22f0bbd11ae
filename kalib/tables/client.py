"""The client's tables, in our terms, with every problem listed at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from kalib.errors import Problem, StudyError
from kalib.study.settings import Indicators, Study
from kalib.tables import columns, units
from kalib.tables.cells import decimal_mark, to_dates
from kalib.tables.columns import Findings
from kalib.tables.overrides import Overrides, no_overrides
from kalib.tables.reading import LISTED, TextTable, read_text_table

FEWEST_SURVEYED = 8  # below this no formula of even one indicator can be judged
VISITOR = "visitor"  # a column of the visits table that is used where it is there


@dataclass(frozen=True)
class Tables:
    """The study's tables.

    accounts: DataFrame indexed by account (text), columns name, region, segment, sales (currency
    a year), current_ka (True, False or None), rep, margin (fraction). candidates: DataFrame of the
    same index, a column for each candidate: float with NaN, or text with None. survey: Series of
    potential (currency a year) by account, or None. visits: DataFrame (account, date, own,
    total[, visitor]) or None. notes: what was tolerated. All are in the order of the ids, so that
    the order of the client's rows, which `order` (N,) restores, changes no draw and no figure.
    rules: what the study says of the candidates. overrides: potentials that field experts put in
    place of estimates. anonymous: codes stand for names and ids.
    """

    accounts: pd.DataFrame
    candidates: pd.DataFrame
    survey: pd.Series | None
    visits: pd.DataFrame | None
    notes: tuple[Problem, ...]
    order: np.ndarray
    rules: Indicators
    overrides: Overrides = field(default_factory=no_overrides)
    anonymous: bool = False


@dataclass(frozen=True)
class _Known:
    """Potential as it was read: values (currency a year, NaN where blank) by account, the row of
    each in the file, and the file."""

    values: pd.Series
    rows: np.ndarray
    file: str


def read_files(study: Study) -> Tables:
    """Read all tables of a study, overrides aside. Raises StudyError with every problem."""
    found = Findings()
    read = _read_accounts(study, found)
    accounts, candidates, known = read or (None, None, None)
    ids = accounts.index if accounts is not None else None
    if study.data.survey:
        known = _read_survey(study, ids, found)
    visits = _read_visits(study, ids, found) if study.data.visits else None
    if known is not None and visits is None and not found.problems:
        _refuse_few(study, int(known.values.notna().sum()), found)
    if accounts is not None and candidates is not None and not found.problems:
        _compare(study, accounts, candidates, known, found)
    if found.problems or accounts is None or candidates is None:
        raise StudyError(found.problems)
    survey = known.values.dropna().sort_index() if known is not None else None
    if visits is not None:
        visits = visits.sort_values(["account", "date"], kind="stable", ignore_index=True)
    by_id = accounts.index.argsort(kind="stable")
    accounts, candidates = accounts.iloc[by_id], candidates.iloc[by_id]
    order = np.argsort(by_id)
    return Tables(accounts, candidates, survey, visits, tuple(found.notes), order, study.indicators)


def _read_accounts(
    study: Study, found: Findings
) -> tuple[pd.DataFrame, pd.DataFrame, _Known | None] | None:
    names = study.columns
    own_potential = names.potential if not study.data.survey else None
    needs_potential = own_potential if not study.data.visits else None
    wanted = [
        names.account, names.sales, names.name, names.region, names.segment, names.current_ka,
        names.rep, names.margin, needs_potential, *study.indicators.candidates,
    ]  # fmt: skip
    table = _open(study, study.data.accounts, wanted, [own_potential], found)
    if table is None:
        return None
    table = columns.without_totals(table, names.account, names.name, found)
    columns.refuse_errors(table, found)
    decimal = decimal_mark(table.frame)
    ids = columns.identify(table, names.account, found)
    frame = pd.DataFrame(index=ids)
    for term in ("name", "region", "segment"):
        frame[term] = columns.texts(table, getattr(names, term), found)
    frame["name"] = frame["name"].where(frame["name"] != "", ids.to_numpy())
    sales = columns.amounts(table, names.sales, "sales", decimal, found)
    frame["sales"] = sales.to_numpy()
    if len(sales) and (sales == 0).all():
        found.problems.append(Problem("all sales are zero", file=table.file, column=names.sales,
                                      remedy="Give what each account buys from us"))  # fmt: skip
    frame["current_ka"] = columns.flags(table, names.current_ka, found)
    frame["rep"] = columns.texts(table, names.rep, found)
    frame["margin"] = columns.margins(table, names.margin, decimal, found)
    candidates = pd.DataFrame(
        {n: columns.indicator(table, n, decimal, found) for n in study.indicators.candidates},
        index=ids,
    )
    known = None
    if own_potential and own_potential in table.frame:
        values = columns.amounts(table, own_potential, "potential", decimal, found, blank=True)
        known = _Known(pd.Series(values.to_numpy(), index=ids, name="potential"), table.rows,
                       table.file)  # fmt: skip
    return frame, candidates, known


def _read_survey(study: Study, ids: pd.Index | None, found: Findings) -> _Known | None:
    account, column = study.columns.account, str(study.columns.potential)
    table = _open(study, str(study.data.survey), [account, column], [], found)
    if table is None:
        return None
    table = columns.without_totals(table, account, None, found)
    columns.refuse_errors(table, found)
    own = columns.identify(table, account, found)
    decimal = decimal_mark(table.frame)
    values = columns.amounts(table, column, "potential", decimal, found, blank=True)
    if ids is not None:
        columns.refuse_unknown(table, account, ids, study.data.accounts, found)
    return _Known(pd.Series(values.to_numpy(), index=own, name="potential"), table.rows, table.file)


def _read_visits(study: Study, ids: pd.Index | None, found: Findings) -> pd.DataFrame | None:
    section = study.visits
    assert section is not None  # read_study refuses a visits table without its section
    wanted = [section.account, section.date, section.own, section.total]
    table = _open(study, str(study.data.visits), wanted, [VISITOR], found)
    if table is None:
        return None
    table = columns.without_totals(table, section.account, None, found)
    columns.refuse_errors(table, found)
    decimal = decimal_mark(table.frame[[section.own, section.total]])
    if ids is not None:
        columns.refuse_unknown(table, section.account, ids, study.data.accounts, found)
    blank = table.frame[section.account] == ""
    found.cells(table, section.account, blank, "Say which account was visited", "is blank")
    dates = to_dates(table.frame[section.date])
    found.cells(table, section.date, dates.faults, "Write 2026-03-31")
    if dates.doubt:
        found.note("holds dates that can be read in two ways", table, section.date,
                   example=dates.doubt)  # fmt: skip
    frame = pd.DataFrame({"account": table.frame[section.account], "date": dates.values})
    for term, column in (("own", section.own), ("total", section.total)):
        frame[term] = columns.amounts(table, column, "units", decimal, found, blank=True)
    if VISITOR in table.frame:
        frame[VISITOR] = table.frame[VISITOR]
    return frame.dropna(subset=["own", "total"]).reset_index(drop=True)


def _open(
    study: Study,
    file: str,
    wanted: Iterable[str | None],
    welcome: Iterable[str | None],
    found: Findings,
) -> TextTable | None:
    """The table with its wanted columns, and the welcome ones it has; None where it can't be read
    or lacks a wanted one (the problems say which)."""
    needed = list(dict.fromkeys(name for name in wanted if name))
    others = [name for name in welcome if name and name not in needed]
    try:
        table = read_text_table(study.folder / file, needed, others)
    except StudyError as error:
        found.problems.extend(error.problems)
        return None
    found.notes.extend(table.notes)
    lacking = [name for name in needed if name not in table.frame.columns]
    for name in lacking:
        has = ", ".join(table.headers[:12])
        found.problems.append(
            Problem("there is no such column", file=table.file, column=name, row=1,
                    remedy=f"The table has {has}"[:400])
        )  # fmt: skip
    if len(table.frame) == 0 and not lacking:
        found.problems.append(
            Problem("the table has no rows", file=table.file, remedy="Export it again")
        )
    return None if lacking or len(table.frame) == 0 else table


def _refuse_few(study: Study, count: int, found: Findings) -> None:
    if count < FEWEST_SURVEYED:
        found.problems.append(
            Problem(f"potential is known of {count} accounts only",
                    file=study.data.survey or study.data.accounts,
                    remedy=f"Survey at least {FEWEST_SURVEYED}, better 10 for each indicator")
        )  # fmt: skip


def _compare(
    study: Study,
    accounts: pd.DataFrame,
    candidates: pd.DataFrame,
    known: _Known | None,
    found: Findings,
) -> None:
    """What only shows when figures are set against each other: units, and the impossible."""
    groups = {
        str(column): accounts[term]
        for term in ("region", "segment")
        if (column := getattr(study.columns, term))
    }
    figures: dict[str, pd.Series] = {study.columns.sales: accounts["sales"]}
    if known is not None:
        figures[str(study.columns.potential)] = known.values.dropna()
        _below_sales(study, accounts["sales"], known, groups, found)
    shared = {**figures, **candidates.select_dtypes("number")}
    remedy = "Give the whole column in one unit"
    told = units.group_mix_ups(groups, shared)
    for column, sentence, group in told:
        file = _file_of(study, column, known)
        found.problems.append(
            Problem(sentence, file=file, column=column, remedy=remedy, example=group)
        )
    for column, sentence in units.gaps(figures):
        if column not in {name for name, *_ in told}:
            file = _file_of(study, column, known)
            found.notes.append(Problem(sentence, file=file, column=column, remedy=remedy))


def _below_sales(
    study: Study,
    sales: pd.Series,
    known: _Known,
    groups: Mapping[str, pd.Series],
    found: Findings,
) -> None:
    column = str(study.columns.potential)
    own = sales.reindex(known.values.index)
    told = units.impossible(known.values.dropna(), own[known.values.notna()], groups)
    if told:
        found.problems.append(
            Problem(told[0], file=known.file, column=column, example=told[1],
                    remedy="Give sales and potential in one unit and both for a year")
        )  # fmt: skip
        return
    below = (known.values < own).to_numpy()
    for i in np.flatnonzero(below)[:LISTED]:
        found.notes.append(
            Problem("is below our own sales", file=known.file, column=column,
                    row=int(known.rows[i]), value=f"{known.values.iloc[i]:,.0f}",
                    example=f"{own.iloc[i]:,.0f}",
                    remedy="Ask again: it buys at least what it buys from us")
        )  # fmt: skip


def _file_of(study: Study, column: str, known: _Known | None) -> str:
    of_survey = known is not None and column == study.columns.potential
    return known.file if known is not None and of_survey else study.data.accounts
