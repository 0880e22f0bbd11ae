"""The client's tables, in our terms, with every problem listed at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from kalib.errors import Problem, StudyError
from kalib.study.settings import Indicators, Study
from kalib.tables import columns, units
from kalib.tables.cells import decimal_mark, to_dates
from kalib.tables.columns import Findings
from kalib.tables.overrides import Overrides, no_overrides
from kalib.tables.reading import TextTable, read_text_table

FEWEST_SURVEYED = 8  # below this no formula of even one indicator can be judged
VISITOR = "visitor"  # a column of the visits table that is used where it is there
TEXTS = ("name", "region", "segment", "rep", "parent")  # terms that are text


@dataclass(frozen=True)
class Tables:
    """The study's tables.

    accounts: DataFrame indexed by account (text), columns name, region, segment, sales (currency
    a year), current_ka (True, False or None), rep, margin (fraction), parent, returns (True where
    sales were negative and are read as 0). candidates: DataFrame of the same index, a column for
    each candidate: float with NaN, or text with None. survey: Series of potential (currency a
    year) by account, or None. visits: DataFrame (account, date, own, total[, visitor]) or None.
    notes: what was tolerated. All are in the order of the ids, so that the order of the client's
    rows, which `order` (N,) restores, changes no draw and no figure. rules: what the study says of
    the candidates. answer_error: standard error of an answer in logs. totals: Series of potential
    by region, or of the whole market under "", None where it is not known; total_error: its
    standard error, a fraction. source: file that potentials come from. overrides: those that field
    experts put in place of estimates. anonymous: codes stand for names and ids.
    """

    accounts: pd.DataFrame
    candidates: pd.DataFrame
    survey: pd.Series | None
    visits: pd.DataFrame | None
    notes: tuple[Problem, ...]
    order: np.ndarray
    rules: Indicators
    answer_error: float = 0.0
    totals: pd.Series | None = None
    total_error: float = 0.0
    source: str = ""
    overrides: Overrides = field(default_factory=no_overrides)
    anonymous: bool = False


@dataclass(frozen=True)
class _Known:
    """Potential as it was read: values (currency a year, NaN where blank) by account, and the
    table and column that they stand in."""

    values: pd.Series
    table: TextTable
    column: str


def read_files(study: Study) -> Tables:
    """Read all tables of a study, overrides aside. Raises StudyError with every problem."""
    found = Findings()
    read = _read_accounts(study, found)
    accounts, candidates, known = read or (None, None, None)
    ids = accounts.index if accounts is not None else None
    if study.data.survey:
        known = _read_survey(study, ids, found)
    visits = _read_visits(study, ids, found) if study.data.visits else None
    regions = accounts["region"] if accounts is not None else None
    totals = _read_totals(study, regions, found)
    if known is not None and visits is None and not found.problems:
        count = int(known.values.notna().sum())
        if count < FEWEST_SURVEYED:
            remedy = f"Survey at least {FEWEST_SURVEYED}, better 10 for each indicator"
            found.problems.append(
                Problem(f"potential is known of {count} accounts only", known.table.file,
                        remedy=remedy)
            )  # fmt: skip
    if accounts is not None and candidates is not None and not found.problems:
        _compare(study, accounts, candidates, known, found)
    if found.problems or accounts is None or candidates is None:
        raise StudyError(found.problems)
    survey = known.values.dropna().sort_index() if known is not None else None
    if survey is not None:
        survey = survey / (1 - study.survey.understated)
    by_id = accounts.index.argsort(kind="stable")
    accounts, candidates = accounts.iloc[by_id], candidates.iloc[by_id]
    order, rules = np.argsort(by_id), study.indicators
    error = study.survey.error
    return Tables(
        accounts, candidates, survey, visits, tuple(found.notes), order, rules,
        answer_error=0.0 if error == "auto" else float(error),
        totals=totals, total_error=study.market.error,
        source=study.data.visits or study.data.survey or study.data.accounts,
    )  # fmt: skip


def _read_accounts(
    study: Study, found: Findings
) -> tuple[pd.DataFrame, pd.DataFrame, _Known | None] | None:
    names, dirt = study.columns, study.data
    own_potential = names.potential if not dirt.survey else None
    wanted = [
        names.account, names.sales, *(getattr(names, term) for term in TEXTS), names.current_ka,
        names.margin, own_potential if not dirt.visits else None, *study.indicators.candidates,
    ]  # fmt: skip
    table = _open(study, dirt.accounts, wanted, [own_potential], found)
    if table is None:
        return None
    table = columns.without_dirt(
        table, names.account, dirt, found, figure=names.sales, name=names.name or ""
    )
    columns.refuse_errors(table, found)
    decimal = decimal_mark(table.frame)
    table, ids = columns.identify(table, names.account, dirt, found)
    frame = pd.DataFrame(index=ids)
    for term in TEXTS:
        frame[term] = columns.texts(table, getattr(names, term), found)
    frame["name"] = frame["name"].where(frame["name"] != "", ids.to_numpy())
    sales = columns.amounts(table, names.sales, "sales", decimal, found, dirt).to_numpy()
    frame["sales"], frame["returns"] = np.where(sales < 0, 0.0, sales), sales < 0
    if len(sales) and (sales == 0).all():
        remedy = "Give what each account buys from us"
        found.problems.append(Problem("all sales are zero", table.file, names.sales, remedy=remedy))
    frame["current_ka"] = columns.flags(table, names.current_ka, found)
    frame["margin"] = columns.margins(table, names.margin, decimal, found)
    candidates = pd.DataFrame(
        {n: columns.indicator(table, n, decimal, found) for n in study.indicators.candidates},
        index=ids,
    )
    known = None
    if own_potential and own_potential in table.frame:
        known = _known(table, own_potential, ids, study, found)
    return frame, candidates, known


def _read_survey(study: Study, ids: pd.Index | None, found: Findings) -> _Known | None:
    account, column = study.columns.account, str(study.columns.potential)
    table = _open(study, str(study.data.survey), [account, column], [], found)
    if table is None:
        return None
    table = columns.without_dirt(table, account, study.data, found, figure=column, known=ids)
    columns.refuse_errors(table, found)
    table, own = columns.identify(table, account, study.data, found)
    if ids is not None:
        columns.refuse_unknown(table, account, ids, study.data.accounts, found)
    return _known(table, column, own, study, found)


def _known(table: TextTable, column: str, ids: pd.Index, study: Study, found: Findings) -> _Known:
    decimal = decimal_mark(table.frame)
    values = columns.amounts(table, column, "potential", decimal, found, study.data, blank=True)
    return _Known(pd.Series(values.to_numpy(), index=ids, name="potential"), table, column)


def _read_totals(study: Study, regions: pd.Series | None, found: Findings) -> pd.Series | None:
    """What is known of the whole market, by region or under ""."""
    total = study.market.total
    if not isinstance(total, str):
        return None if total is None else pd.Series({"": float(total)})
    table = _open(study, total, ["region", "total"], [], found)
    if table is None:
        return None
    columns.refuse_errors(table, found)
    amounts = columns.amounts(
        table, "total", "potential", decimal_mark(table.frame), found, study.data
    ).to_numpy()
    names = table.frame["region"].str.strip()
    if regions is not None:
        strange = ~names.isin(set(regions)) | names.duplicated()
        said = pd.Series(np.where(strange, "is no region of the accounts, or stands twice", ""))
        found.faults(table, "region", said, "Give each region of the accounts table once")
    return pd.Series(amounts, index=names)


def _read_visits(study: Study, ids: pd.Index | None, found: Findings) -> pd.DataFrame | None:
    section = study.visits
    assert section is not None  # read_study refuses a visits table without its section
    wanted = [section.account, section.date, section.own, section.total]
    table = _open(study, str(study.data.visits), wanted, [VISITOR], found)
    if table is None:
        return None
    table = columns.without_dirt(table, section.account, study.data, found, known=ids)
    columns.refuse_errors(table, found)
    twice = table.frame.duplicated()
    found.tell("visit double", table, section.account, twice)
    table = table.keep(~twice.to_numpy())
    if ids is not None:
        columns.refuse_unknown(table, section.account, ids, study.data.accounts, found)
    found.tell("visit blank", table, section.account, table.frame[section.account] == "")
    dates = to_dates(table.frame[section.date])
    found.faults(table, section.date, dates.faults, "Write all dates as 2026-03-31")
    decimal = decimal_mark(table.frame[[section.own, section.total]])
    frame = pd.DataFrame({"account": table.frame[section.account], "date": dates.values})
    for term, column in (("own", section.own), ("total", section.total)):
        frame[term] = columns.amounts(
            table, column, "units", decimal, found, study.data, blank=True
        )
    if VISITOR in table.frame:
        frame[VISITOR] = table.frame[VISITOR]
    frame = frame.dropna(subset=["own", "total"])
    return frame.sort_values(["account", "date"], kind="stable", ignore_index=True)


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
    remedy = f"The table has {', '.join(table.headers[:12])}"[:400]
    lacking = [name for name in needed if name not in table.frame.columns]
    told = [Problem("there is no such column", table.file, n, 1, remedy) for n in lacking]
    if len(table.frame) == 0 and not lacking:
        told.append(Problem("the table has no rows", table.file, remedy="Export it again"))
    found.problems.extend(told)
    return None if told else table


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
    files = {study.columns.sales: study.data.accounts}
    figures: dict[str, pd.Series] = {study.columns.sales: accounts["sales"]}
    if known is not None:
        files[known.column] = known.table.file
        figures[known.column] = known.values.dropna()
        own = accounts["sales"].reindex(known.values.index)
        told = units.impossible(figures[known.column], own[known.values.notna()], groups)
        if told:
            remedy = "Give sales and potential in one unit and both for a year"
            found.problems.append(
                Problem(told[0], known.table.file, known.column, remedy=remedy, example=told[1])
            )
        else:
            below = (known.values < own).to_numpy()
            found.tell("below sales", known.table, known.column, below, own.map("{:,.0f}".format))
    remedy = "Give the whole column in one unit"
    mixed = units.group_mix_ups(groups, {**figures, **candidates.select_dtypes("number")})
    for column, sentence, group in mixed:
        file = files.get(column, study.data.accounts)
        found.problems.append(Problem(sentence, file, column, remedy=remedy, example=group))
    for column, sentence in units.gaps(figures):
        if column not in {name for name, *_ in mixed}:
            found.notes.append(Problem(sentence, files[column], column, remedy=remedy))
