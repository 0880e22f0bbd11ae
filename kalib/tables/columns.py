"""Columns of a table in our terms; every cell that is not understood is told with its row."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from kalib.errors import Problem
from kalib.study.settings import MOST_AMOUNT, Data
from kalib.tables.cells import EXCEL_ERROR, Parsed, is_missing, to_flags, to_numbers
from kalib.tables.reading import TextTable, listed
from kalib.tables.words import REFUSED, WORDS
from kalib.words.catalogue import Message

NUMERIC_SHARE = 0.8  # a column in which fewer cells are numbers is text
LONGEST_TEXT = 255  # characters: what a spreadsheet still shows in one cell
SINGLY = 3  # rows told one by one for one fault of one column; more are one line
TOTALS = set(WORDS["cells"]["totals"])


@dataclass(frozen=True)
class Findings:
    """What is wrong with the tables, and what was tolerated; filled as they are read."""

    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)

    def tell(
        self,
        key: str,
        table: TextTable,
        column: str,
        where: pd.Series | np.ndarray,
        each: pd.Series | None = None,
    ) -> None:
        """The fault of a key in the rows where it is: one by one where they are few, else in one
        line with count and examples. each: by row, what else makes it plain."""
        if key in REFUSED:
            self._cells(self.problems, table, column, where, REFUSED[key], each)
        elif np.any(where):
            said, remedy = WORDS["noted"][key]
            self._cells(self.notes, table, column, where, (Message(said), remedy), each)

    def faults(self, table: TextTable, column: str, faults: pd.Series, remedy: str) -> None:
        """Cells that are not understood: faults is why, "" where nothing is wrong."""
        for fault in faults[faults != ""].unique():
            self._cells(self.problems, table, column, faults == fault, (fault, remedy), None)

    def note(self, message: str, table: TextTable, column: str = "", example: str = "") -> None:
        """Something tolerated in a whole column."""
        self.notes.append(Problem(message, file=table.file, column=column, example=example))

    def _cells(
        self,
        to: list[Problem],
        table: TextTable,
        column: str,
        where: pd.Series | np.ndarray,
        said: tuple[str, str],
        each: pd.Series | None,
    ) -> None:
        rows = np.flatnonzero(where)
        cells = table.frame[column] if column else pd.Series("", index=table.frame.index)
        for i in rows[: len(rows) if len(rows) <= SINGLY else 1]:
            plain = "" if each is None else str(each.iloc[i])
            message, example = said[0], plain
            if "{}" in message:
                message, example = message.format(plain), ""
            if len(rows) > SINGLY:
                message = listed(message, table.rows[rows[1:]])
                more = cells.iloc[rows].drop_duplicates().iloc[1:SINGLY]
                example = "; ".join(filter(None, [example, ", ".join(map(repr, more))]))
            row, cell = int(table.rows[i]), str(cells.iloc[i])
            to.append(Problem(message, table.file, column, row, said[1], cell, example))


def without_dirt(
    table: TextTable, account: str, dirt: Data, found: Findings, figure: str = "", name: str = "",
    known: Collection[str] | None = None,
) -> TextTable:  # fmt: skip
    """The table as the settings of [data] clean it, without totals and without footnotes below.

    figure: a column that totals would sum; name: that of the accounts' names; known: the ids of
    the accounts, where the table is another. What is left out is said.
    """
    frame = table.frame
    if dirt.missing:
        words = {word.strip().casefold() for word in dirt.missing}
        frame = frame.mask(frame.apply(lambda cells: cells.str.casefold().isin(words)), "")
    if dirt.id_width:
        ids = frame[account]
        digits = ids.str.fullmatch(r"\d+")
        frame = frame.assign(**{account: ids.mask(digits, ids.str.zfill(dirt.id_width))})
    table = replace(table, frame=frame)
    totals, kept = _totals(table, account, figure, name, known)
    found.tell("total", table, "", totals)
    found.tell("total kept", table, account, kept)
    return table.keep(~totals)


def _totals(
    table: TextTable, account: str, figure: str, name: str, known: Collection[str] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n,) bool of totals or below the table, and accounts that are only called a total.

    A row is one of totals if it is called so and looks like one: it fills fewer cells than
    accounts do, has no id, sums the rows above, or is not among the accounts that are known.
    """
    frame = table.frame
    ids = frame[account].str.lower().str.rstrip(" :：")
    words = frame[name].str.lower().str.rstrip(" :：") if name and name != account else ids
    called = (ids.isin(TOTALS) | ((ids == "") & words.isin(TOTALS))).to_numpy()
    filled = (frame != "").sum(axis=1).to_numpy()
    sums = called & ((filled < 0.7 * np.median(filled)) | (ids == "").to_numpy())
    if known is not None and called.any():
        sums |= called & ~frame[account].isin(list(known)).to_numpy()
    if figure and called.any():
        values = to_numbers(frame[figure]).values.fillna(0.0).to_numpy()
        start = 0
        for i in np.flatnonzero(called):
            parts = values[:i][~called[:i]].sum(), values[start:i].sum(), values[~called].sum()
            sums[i] |= bool(np.isclose(values[i], parts, rtol=1e-4, atol=0).any() and values[i])
            start = int(i) + 1
    last, kept = len(sums) - 1, called & ~sums
    while last > 0 and (sums[last] or (filled[last] == 1 and frame.shape[1] > 2)):
        sums[last] = True
        last -= 1
    return sums, kept


def identify(
    table: TextTable, column: str, dirt: Data, found: Findings
) -> tuple[TextTable, pd.Index]:
    """The table with one row for each id, and the ids as text; blank, repeated and shortened ones
    are problems, those that only look different are told."""
    ids = table.frame[column]
    found.tell("id blank", table, column, ids == "")
    shortened = ids.str.fullmatch(r"\d\.\d+E\+\d+")
    found.tell("id short", table, column, shortened)
    first = pd.Series(table.rows[::-1], index=ids[::-1])
    first = "row " + ids.map(first[~first.index.duplicated(keep="last")]).astype(str)
    double = ids.duplicated() & (ids != "") & ~shortened
    found.tell("id double" if dirt.duplicates == "refuse" else "double left", table, column,
               double, first)  # fmt: skip
    if dirt.duplicates == "first":
        table = table.keep(~double.to_numpy())
    found.tell("long", table, column, table.frame[column].str.len() > LONGEST_TEXT)
    _tell_alike(table, column, found, Message("n_ids_alike"))
    return table, pd.Index(table.frame[column], name="account", dtype="str")


def refuse_unknown(
    table: TextTable, column: str, known: Collection[str], file: str, found: Findings
) -> None:
    """Ids that the accounts don't list are problems; the remedy names what they may have been."""
    ids = table.frame[column]
    strange = ~ids.isin(list(known)) & (ids != "") & ~ids.duplicated()
    if not strange.any():
        return
    alike: dict[str, str] = {}
    for account in known:
        alike.setdefault(_bare(account, zeros=False), account)
    near = ids[strange].map(lambda text: alike.get(_bare(text, zeros=False), ""))
    near = near[near != ""].reindex(ids.index, fill_value="")
    remedy = f"Write ids alike in {file} and {table.file}; as text, so that no zero is lost"
    pairs = [(text, near[i]) for i, text in ids[near != ""].items()]
    if pairs and all(text.isdigit() and other.isdigit() for text, other in pairs):
        remedy += f"; or set [data] id_width = {max(len(text) for pair in pairs for text in pair)}"
    message = "is not among the accounts as it is written"
    found._cells(found.problems, table, column, near != "", (message, remedy),
                 "'" + near + "' is")  # fmt: skip
    found.tell("id unknown", table, column, strange & (near == ""))


def amounts(
    table: TextTable, column: str, what: str, decimal: str, found: Findings, dirt: Data,
    *, blank: bool = False,
) -> pd.Series:  # fmt: skip
    """A column of sales or units, zero or more, or of potential, above zero."""
    remedy = f"Write {what} as a plain number"
    if blank:
        remedy += ", or name the word in [data] missing"
    values = _numbers(table, column, decimal, found, remedy).values
    percent = table.frame[column].str.endswith(("%", "％"))
    found.tell("percent", table, column, percent & values.notna())
    if not blank:
        faulty = ~is_missing(table.frame[column])
        found.tell("sales blank", table, column, values.isna() & ~faulty)
    returns = what == "sales" and dirt.negative_sales == "zero"
    below = values <= 0 if what == "potential" else values < 0
    found.tell("returns" if returns else f"{what} below", table, column, below)
    return values


def flags(table: TextTable, column: str | None, found: Findings) -> np.ndarray:
    """True, False or None (N,)."""
    if not column:
        return np.full(len(table.frame), None, dtype=object)
    values, faults = to_flags(table.frame[column])
    found.tell("flag", table, column, faults)
    return values.to_numpy(dtype=object)


def margins(table: TextTable, column: str | None, decimal: str, found: Findings) -> np.ndarray:
    """Fractions (N,), NaN where unknown."""
    if not column:
        return np.full(len(table.frame), np.nan)
    values = _numbers(table, column, decimal, found, "Write the margin as a fraction").values
    found.tell("margin", table, column, (values > 1) | (values < -1))
    return values.to_numpy()


def texts(table: TextTable, column: str | None, found: Findings) -> np.ndarray:
    """Text (N,), "" where there is none."""
    if not column:
        return np.full(len(table.frame), "", dtype=object)
    found.tell("long", table, column, table.frame[column].str.len() > LONGEST_TEXT)
    return table.frame[column].to_numpy(dtype=object)


def indicator(table: TextTable, name: str, decimal: str, found: Findings) -> np.ndarray:
    """A candidate (N,): numbers where NUMERIC_SHARE of its cells are, text with None elsewhere."""
    cells = table.frame[name]
    missing = is_missing(cells)
    filled = int((~missing).sum())
    if missing.any():
        lacking = int(missing.sum())
        found.note(Message("n_missing", n=lacking, count=len(cells)), table, name)
    truth = cells.str.lower().map({"true": 1.0, "false": 0.0})
    if filled and truth[~missing].notna().all():
        return truth.to_numpy(float)
    numbers = to_numbers(cells, decimal)
    good = filled - int((numbers.faults != "").sum())
    if filled and good / filled >= NUMERIC_SHARE:
        remedy = "Write a number, leave it blank, or name the word in [data] missing"
        return _told(table, name, numbers, found, remedy).values.to_numpy()
    if good:
        found.note(Message("n_as_text", n=int(good), count=int(filled)), table, name)
    elif filled and cells[~missing].str.match(r"\d{4}-\d\d-\d\d").all():
        found.note(Message("n_dates"), table, name)
    _tell_alike(table, name, found, Message("n_words_alike"))
    return pd.Series(texts(table, name, found)).where(~missing.to_numpy(), None).to_numpy(object)


def refuse_errors(table: TextTable, found: Findings) -> None:
    """Cells that hold an error of Excel's, such as #REF!."""
    for name, cells in table.frame.items():
        found.tell("excel", table, str(name), cells.str.fullmatch(EXCEL_ERROR))


def _numbers(table: TextTable, column: str, decimal: str, found: Findings, remedy: str) -> Parsed:
    return _told(table, column, to_numbers(table.frame[column], decimal), found, remedy)


def _told(table: TextTable, column: str, read: Parsed, found: Findings, remedy: str) -> Parsed:
    """What is wrong with a column of numbers, and what may be read another way."""
    found.faults(table, column, read.faults, remedy)
    found.tell("large", table, column, read.values.abs() >= MOST_AMOUNT)
    if read.doubt:
        found.note(Message("n_two_ways"), table, column, read.doubt)
    return read


def _tell_alike(table: TextTable, column: str, found: Findings, message: str) -> None:
    """Note words of a column that only look different."""
    kinds: dict[str, set[str]] = {}
    for word in table.frame[column].unique():
        kinds.setdefault(_bare(word), set()).add(word)
    for words in kinds.values():
        if len(words) > 1:
            found.note(message, table, column, " and ".join(sorted(words)))


def _bare(text: str, *, zeros: bool = True) -> str:
    """A word without what spreadsheets and keyboards change in it; zeros: leading ones count."""
    plain = text.casefold()
    if not plain.isascii():
        plain = unicodedata.normalize("NFKC", plain).casefold()
        plain = "".join(mark for mark in plain if unicodedata.category(mark) != "Cf")
    if zeros:
        return " ".join(plain.split())
    plain = "".join(plain.split()).removesuffix(".0")
    return plain.lstrip("0'") or "0"
