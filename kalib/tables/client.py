"""The client's tables, in our terms, with every problem listed at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from kalib.errors import Problem, StudyError, nearest
from kalib.study.settings import Indicators, Study
from kalib.tables.cells import decimal_mark, to_dates, to_numbers
from kalib.tables.columns import Columns, Findings
from kalib.tables.overrides import Overrides, no_overrides
from kalib.tables.reading import read_text_table
from kalib.words.catalogue import MISSING, Message, Words
from kalib.words.table import Table, table

VISITOR = "visitor"  # a column of the visits table that is used where it is there
FEWEST_REPEATED = 8  # accounts that answered twice, before their scatter is an error
TEXTS = ("name", "region", "segment", "rep", "parent")  # terms that are text
# A group's median is this many powers of ten from the rest's: thousands, 万, millions, with the
# room that medians of few accounts need.
SHIFT = (2.6, 6.4)
UNSHIFTED = 1.0  # while in its other figures it is less than one power of ten away
FEWEST = 8  # accounts whose median is worth comparing
GAP = 1.5  # powers of ten without a single value, inside one column
FEWEST_APART = 0.03  # share of the values beyond such a gap; fewer are single typing errors
MOSTLY = 0.5  # of the accounts, or of a group's


@dataclass(frozen=True)
class Tables:
    """The study's tables.

    accounts: DataFrame indexed by account (text), columns name, region, segment, sales (currency
    a year), current_ka (True, False or None), rep, margin (fraction), parent, returns (True where
    sales were negative and are read as 0). candidates: DataFrame of the same index, a column for
    each candidate: float with NaN, or text with None. survey: Series of potential (currency a
    year, 0 where an account buys from nobody) by account, or None. visits: DataFrame (account,
    date, own, total[, visitor]) or None. notes: what was tolerated. All are in the order of the
    ids, so that the order of the client's rows, which `order` (N,) restores, changes no draw
    and no figure. rules: what the study says of the candidates. answer_error: standard error of
    an answer in logs, by account where repeated answers tell it. totals: Series of potential by
    region, or of the whole market under "", None where it is not known; total_error: its standard
    error, a fraction. source: file that potentials come from. overrides: those that field experts
    put in place of estimates. anonymous: codes stand for names and ids.
    """

    accounts: pd.DataFrame
    candidates: pd.DataFrame
    survey: pd.Series | None
    visits: pd.DataFrame | None
    notes: tuple[Problem, ...]
    order: np.ndarray
    rules: Indicators
    answer_error: pd.Series | float = 0.0
    totals: pd.Series | None = None
    total_error: float = 0.0
    source: str = ""
    overrides: Overrides = field(default_factory=no_overrides)
    anonymous: bool = False


class _Known(NamedTuple):
    """Potential as it was read: values (currency a year, NaN where blank) by account, where, and
    the error of each in logs as repeated answers tell it."""

    values: pd.Series
    read: Columns
    column: str
    error: pd.Series | float = 0.0


def read_files(study: Study) -> Tables:
    """Read all tables of a study, overrides aside. Raises StudyError with every problem."""
    found = Findings()
    accounts, candidates, known = _read_accounts(study, found)
    ids = None if accounts is None else accounts.index
    if study.data.survey:
        known = _read_survey(study, ids, found)
    if known and accounts is not None:
        known = _without_contradictions(known, accounts["sales"], found)
    visits = _read_visits(study, ids, found)
    totals = _read_totals(study, accounts, found)
    if totals is not None and known and totals.sum() <= known.values.sum():
        said = Message("total_below", total=float(totals.sum()), asked=float(known.values.sum()))
        remedy = "Give the potential of all accounts together, in the study's unit"
        found.problems.append(Problem(said, study._file, "[market] total", remedy=remedy))
    if accounts is not None and candidates is not None and not found.problems:
        _compare(study, accounts, candidates, known, found)
    if found.problems or accounts is None or candidates is None:
        raise StudyError(found.problems)
    survey = known.values.dropna().sort_index() / (1 - study.survey.understated) if known else None
    by_id = accounts.index.argsort(kind="stable")
    error, learned = study.survey.error, known.error if known else 0.0
    return Tables(
        accounts.iloc[by_id], candidates.iloc[by_id], survey, visits, tuple(found.notes),
        np.argsort(by_id), study.indicators, answer_error=learned if error == "auto" else error,
        totals=totals, total_error=study.market.error,
        source=study.data.visits or study.data.survey or study.data.accounts,
    )  # fmt: skip


def _read_accounts(
    study: Study, found: Findings
) -> tuple[pd.DataFrame, pd.DataFrame, _Known | None] | tuple[None, None, None]:
    names, dirt = study.columns, study.data
    own_potential = names.potential if not dirt.survey else None
    own_sales = names.sales if not dirt.sales else None
    wanted = [
        names.account, own_sales, *(getattr(names, term) for term in TEXTS), names.current_ka,
        names.margin, own_potential if not dirt.visits else None, *study.indicators.candidates,
    ]  # fmt: skip
    read = _open(study, dirt.accounts, wanted, [own_potential], found)
    if read is None:
        return None, None, None
    read.clean(names.account, own_sales or "", names.name or "")
    if dirt.sales and not _with_sales(study, read, found):
        return None, None, None
    ids = read.identify(names.account)
    frame = pd.DataFrame(index=ids)
    for term in TEXTS:
        frame[term] = read.texts(getattr(names, term) or "")
    frame["name"] = frame["name"].where(frame["name"] != "", ids.to_numpy())
    sales = read.amounts(names.sales, "sales").to_numpy()
    frame["sales"], frame["returns"] = np.where(sales < 0, 0.0, sales), sales < 0
    if len(sales) and (sales == 0).all():
        place = read.table.file, names.sales, None, "Give what each account buys from us"
        found.problems.append(Problem("all sales are zero", *place))
    frame["current_ka"] = read.flags(names.current_ka or "")
    margin = read.numbers(names.margin or "", "Write the margin as a fraction")
    read.tell("margin", names.margin or "", (margin > 1) | (margin < -1))
    frame["margin"] = margin.to_numpy()
    candidates = {name: read.indicator(name) for name in study.indicators.candidates}
    known = _known(read, str(own_potential), ids) if own_potential in read.frame else None
    return frame, pd.DataFrame(candidates, index=ids), known


def _with_sales(study: Study, accounts: Columns, found: Findings) -> bool:
    """Give the accounts their sales, the sum of another table's rows; False if it can't be read."""
    names, ids = study.columns, accounts.frame[study.columns.account]
    account = names.sales_account or names.account
    read = _beside(study, str(study.data.sales), [account, names.sales], ids, found)
    if read is None:
        return False
    own = read.frame[account]
    read.tell("id blank", account, own == "")
    values = read.numbers(names.sales, "Write sales as a plain number")
    if again := own[own.duplicated()].nunique():
        read.note(Message("n_added", n=again), names.sales)
    accounts.decimal = decimal_mark(accounts.frame)  # other than that of the column added
    sums = values.groupby(own).sum(min_count=1).map("{:.4f}".format).replace("nan", "")
    cells = {names.sales: ids.map(sums).fillna("").astype("str")}
    accounts.table = replace(accounts.table, frame=accounts.frame.assign(**cells))
    return True


def _read_survey(study: Study, known: pd.Index | None, found: Findings) -> _Known | None:
    names = study.columns
    account, column = names.survey_account or names.account, str(names.potential)
    read = _beside(study, str(study.data.survey), [account, column], known, found)
    if not read:
        return None
    # Where answers repeat: an account's geometric mean, and its error in logs from their scatter.
    ids, cells = read.frame[account], to_numbers(read.frame[column], read.decimal).values
    logs = np.log(cells.where((cells > 0) & (ids != "")))
    groups = logs.groupby(ids)
    count = groups.transform("count")
    several = count > 1
    apart = ((logs - groups.transform("mean")) * np.sqrt(count / (count - 1)))[several]
    scatter, told = 1.4826 * float(apart.abs().median()), ids[several].nunique()
    learn = study.survey.error == "auto" and study.data.duplicates != "first"
    if not learn or told < FEWEST_REPEATED or not scatter > 0:
        return _known(read, column, read.identify(account))
    read.note(Message("n_repeated", n=told, error=scatter), column)
    values, first = read.amounts(column, "answer", blank=True), ~ids.duplicated().to_numpy()
    mean = np.exp(groups.transform("mean"))[first].to_numpy()
    error = scatter / np.sqrt(np.maximum(count[first].to_numpy(), 1))
    read.table = read.table.keep(first)
    index = read.identify(account)
    answers = np.where(np.isnan(mean), values[first], mean)
    potential = pd.Series(answers, index=index, name="potential")
    return _Known(potential, read, column, pd.Series(error, index=index))


def _known(read: Columns, column: str, ids: pd.Index) -> _Known:
    values = read.amounts(column, "answer", blank=True)
    return _Known(pd.Series(values.to_numpy(), index=ids, name="potential"), read, column)


def _without_contradictions(known: _Known, sales: pd.Series, found: Findings) -> _Known:
    """The answers without those of zero by accounts that buy from us; where most zeros are such,
    they are refused, since they stand for what is unknown."""
    zero = known.values == 0
    own = sales[~sales.index.duplicated()].reindex(known.values.index)
    wrong = zero & (own > 0)
    if wrong.sum() > zero.sum() / 2:
        known.read.tell("answer zero", known.column, wrong.to_numpy())
    elif zero.any():
        known.read.tell("zero left", known.column, wrong.to_numpy())
        known.read.note(Message("n_zero", n=int((zero & ~wrong).sum())), known.column)
    return known._replace(values=known.values.mask(wrong))


def _read_totals(study: Study, accounts: pd.DataFrame | None, found: Findings) -> pd.Series | None:
    """What is known of the whole market, by region or under ""."""
    total = study.market.total
    if not isinstance(total, str):
        return None if total is None else pd.Series({"": float(total)})
    read = _open(study, total, ["region", "total"], [], found)
    if read is None:
        return None
    read.refuse_errors()
    amounts, names = read.amounts("total", "potential").to_numpy(), read.frame["region"]
    if accounts is not None:
        sold = names.map(accounts.groupby("region")["sales"].sum())
        read.tell("region", "region", sold.isna() | names.duplicated())
        read.tell("total below", "total", amounts <= sold, sold.map("{:,.0f}".format))
    return pd.Series(amounts, index=names)


def _read_visits(study: Study, ids: pd.Index | None, found: Findings) -> pd.DataFrame | None:
    names = study.visits
    if names is None or not study.data.visits:
        return None
    wanted = [names.account, names.total, names.date, names.own]
    read = _beside(study, study.data.visits, wanted, ids, found, [VISITOR])
    if read is None:
        return None
    twice = read.frame.duplicated()
    read.tell("visit double", names.account, twice)
    read.table = read.table.keep(~twice.to_numpy())
    read.tell("visit blank", names.account, read.frame[names.account] == "")
    dates = read.told(names.date, to_dates(read.frame[names.date]), "Write all dates as 2026-03-31")
    read.decimal = decimal_mark(read.frame[[names.own, names.total]])  # days have points, too
    frame = pd.DataFrame({"account": read.frame[names.account], "date": dates,
                         "own": read.amounts(names.own, "units", blank=True),
                         "total": read.amounts(names.total, "units", blank=True)})  # fmt: skip
    above = (frame["own"] > frame["total"]).to_numpy()
    read.tell("own above most" if above.mean() > 0.5 else "own above", names.own, above)
    if VISITOR in read.frame:
        frame[VISITOR] = read.frame[VISITOR]
    frame = frame.dropna(subset=["own", "total"])
    return frame.sort_values(["account", "date"], kind="stable", ignore_index=True)


def _open(
    study: Study, file: str, wanted: Iterable[str | None], welcome: Iterable[str | None],
    found: Findings,
) -> Columns | None:  # fmt: skip
    """The table with its wanted columns, and the welcome ones it has; None where it can't be read
    or lacks a wanted one (the problems say which)."""
    needed = list(dict.fromkeys(filter(None, wanted)))
    others = [name for name in welcome if name and name not in needed]
    target = (study.folder / file).resolve()
    if not target.is_file() or not target.is_relative_to(study.folder):
        found.problems.append(Problem("no such file", file))  # the study file is refused for it
        return None
    try:
        table = read_text_table(study.folder / file, needed, others)
    except StudyError as error:
        found.problems.extend(error.problems)
        return None
    found.notes.extend(table.notes)
    has = f"The table has {', '.join(table.headers[:12])}"[:400]
    lacking = [name for name in needed if name not in table.frame.columns]
    told = [Problem("there is no such column", table.file, name, 1,
                    nearest(name, table.headers) or has) for name in lacking]  # fmt: skip
    if len(table.frame) == 0 and not lacking:
        told.append(Problem("the table has no rows", table.file, remedy="Export it again"))
    found.problems.extend(told)
    return None if told else Columns(table, found, study.data)


def _beside(
    study: Study, file: str, wanted: list[str], ids: Collection[str] | None, found: Findings,
    welcome: Iterable[str] = (),
) -> Columns | None:  # fmt: skip
    """As `_open`, a table beside the accounts, cleaned, whose ids (the first wanted column, the
    second is of figures) are theirs."""
    if read := _open(study, file, wanted, welcome, found):
        read.clean(wanted[0], wanted[1], known=ids)
        if ids is not None:
            read.refuse_unknown(wanted[0], ids, study.data.accounts)
    return read


def _compare(
    study: Study, accounts: pd.DataFrame, candidates: pd.DataFrame, known: _Known | None,
    found: Findings,
) -> None:  # fmt: skip
    """What only shows when figures are set against each other: units, and the impossible."""
    terms = {getattr(study.columns, term): term for term in ("region", "segment")}
    groups = {column: accounts[term] for column, term in terms.items() if column}
    files = {study.columns.sales: study.data.sales or study.data.accounts}
    figures: dict[str, pd.Series] = {study.columns.sales: accounts["sales"]}
    if known:
        files[known.column] = file = known.read.table.file
        figures[known.column] = known.values.dropna()
        own = accounts["sales"].reindex(known.values.index)
        if told := impossible(figures[known.column], own[known.values.notna()], groups):
            remedy = "Give sales and potential in one unit and both for a year"
            place = file, known.column
            found.problems.append(Problem(told[0], *place, remedy=remedy, example=told[1]))
        else:
            below = (known.values < own).to_numpy()
            known.read.tell("below sales", known.column, below, own.map("{:,.0f}".format))
    remedy = "Give the whole column in one unit"
    mixed = group_mix_ups(groups, {**figures, **candidates.select_dtypes("number")})
    for column, sentence, group in mixed:
        file = files.get(column, study.data.accounts)
        found.problems.append(Problem(sentence, file, column, remedy=remedy, example=group))
    for column, sentence in gaps(figures):
        if column not in {name for name, *_ in mixed}:
            found.notes.append(Problem(sentence, files[column], column, remedy=remedy))


def group_mix_ups(
    groups: Mapping[str, pd.Series], figures: Mapping[str, pd.Series]
) -> list[tuple[str, str, str]]:
    """Groups (column -> text by account) of which one figure alone (column -> numbers by account)
    is a thousand times or more from everyone else's: (figure, sentence, group)."""
    found = []
    logs = {name: np.log10(values[values > 0].astype(float)) for name, values in figures.items()}
    for column, labels in groups.items():
        shifts = pd.DataFrame({name: _shifts(values, labels) for name, values in logs.items()})
        size = shifts.abs().to_numpy()
        for i, j in np.argwhere((size >= SHIFT[0]) & (size <= SHIFT[1])):
            others = np.delete(size[i], j)
            if np.isfinite(others).any() and np.nanmedian(others) < UNSHIFTED:
                times, name = _times(shifts.iat[i, j]), str(shifts.columns[j])
                sentence = f"is {times} in one {column}, while no other figure is"
                found.append((name, sentence, str(shifts.index[i])))
    return found


def gaps(figures: Mapping[str, pd.Series]) -> list[tuple[str, str]]:
    """Figures whose values fall into two crowds a thousandfold apart: (figure, sentence)."""
    found = []
    for name, values in figures.items():
        ordered = np.sort(np.log10(values[values > 0].astype(float)).to_numpy())
        if len(ordered) < 2 * FEWEST:
            continue
        steps = np.diff(ordered)
        place = int(steps.argmax()) + 1
        few = min(place, len(ordered) - place)
        apart = np.median(ordered[place:]) - np.median(ordered[:place])
        if steps.max() > GAP and few >= max(3, FEWEST_APART * len(ordered)) and apart >= SHIFT[0]:
            size = _times(-apart if place == few else apart)
            found.append((name, f"{few} values are {size} than the others: is the unit the same?"))
    return found


def impossible(
    potential: pd.Series, sales: pd.Series, groups: Mapping[str, pd.Series]
) -> tuple[str, str] | None:
    """Where most surveyed accounts' potential lies below what they buy from us: sentence, group."""
    below = (potential < sales)[sales > 0]
    for column, labels in {"": pd.Series("all", below.index), **groups}.items():
        for group, wrong in below.groupby(labels.reindex(below.index)):
            if group and wrong.sum() >= FEWEST and wrong.mean() > MOSTLY:
                told = f"is below our own sales in {wrong.sum()} of {len(wrong)} accounts"
                return (f"{told} of one {column}", str(group)) if column else (told, "")
    return None


def _times(shift: float) -> str:
    return f"about {10 ** round(abs(shift)):,} times {'larger' if shift > 0 else 'smaller'}"


def _shifts(logs: pd.Series, labels: pd.Series) -> pd.Series:
    """Powers of ten between the median of each group and that of the rest, by group; NaN where
    they overlap too much, or are too few, to be told apart."""
    labels = labels.reindex(logs.index)
    whole, shifts = logs.median(), {}
    for group, own in logs.groupby(labels):
        if not group or min(len(own), len(logs) - len(own)) < FEWEST:
            continue
        # A group of a few moves the median of all by little: most need no closer look.
        shift = own.median() - whole
        if abs(shift) > UNSHIFTED / 2 or len(own) > len(logs) / 10:
            rest = logs[labels != group]
            shift = own.median() - rest.median()
            low, high = (own, rest) if shift < 0 else (rest, own)
            if abs(shift) >= SHIFT[0] and low.quantile(0.9) > high.quantile(0.1):
                continue
        shifts[group] = shift
    return pd.Series(shifts, dtype=float)


def data_report(study: Study, tables: Tables, words: Words) -> list[Table]:
    """What was read: rows, the range and gaps of each number, and what was tolerated."""
    data, survey = study.data, tables.survey
    read = [("read_accounts", data.accounts, len(tables.accounts))]
    columns = {"sales": tables.accounts["sales"]}
    if survey is not None:
        read.append(("survey_answers", data.survey or data.accounts, len(survey)))
        columns["potential"] = survey
    if tables.visits is not None:
        read.append(("visits_2", str(data.visits), len(tables.visits)))
    columns |= {str(name): tables.candidates[name] for name in tables.candidates}
    ranges = [_column_range(name, values, words) for name, values in columns.items()]
    notes = [(noted(words, note),) for note in tables.notes] or [(words.say("none"),)]
    return [table(words, "read", read), table(words, "columns", ranges),
            table(words, "notes", notes)]  # fmt: skip


def noted(words: Words, note: Problem) -> str:
    """What was tolerated, in the language."""
    column = words.say("column", name=words.label(note.column)) if note.column else ""
    row = words.say("row", n=note.row) if note.row is not None else ""
    place = ", ".join(filter(None, (note.file, column, row)))
    told, remedy = words.tell(note.message), words.tell(note.remedy)
    return str(replace(note, message=told, file=place, column="", row=None, remedy=remedy))


def _column_range(name: str, values: pd.Series, words: Words) -> tuple[Any, ...]:
    missing = int(values.isna().sum())
    if pd.api.types.is_numeric_dtype(values):
        kind = "whole" if float(values.abs().max()) >= 1000 else "figure"
        return (name, missing, *((kind, v) for v in (values.min(), values.median(), values.max())))
    counts = values.value_counts()
    common = f"{counts.index[0]} ({words.whole(counts.iloc[0])})" if len(counts) else MISSING
    said = words.say("n_values", n=len(counts))
    return name, missing, ("text", said), ("text", common), ("text", "")
