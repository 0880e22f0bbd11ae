"""Columns of a table in our terms; every cell that is not understood is listed with its row."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from kalib.errors import Problem
from kalib.tables.cells import EXCEL_ERROR, Numbers, is_missing, to_flags, to_numbers
from kalib.tables.reading import LISTED, TextTable
from kalib.words.catalogue import Message

NUMERIC_SHARE = 0.8  # a column in which fewer cells are numbers is text
MOST_AMOUNT = 1e15  # a float holds no cents beyond it, and no account buys so much
LONGEST_TEXT = 255  # characters: what a spreadsheet still shows in one cell
TOTALS = {
    "total", "totals", "sum", "grand total", "subtotal", "sub total", "合计", "总计", "小计",
    "总和", "gesamt", "summe", "gesamtsumme", "zwischensumme", "somme", "totale", "suma", "итого",
}  # fmt: skip


@dataclass(frozen=True)
class Findings:
    """What is wrong with the tables, and what was tolerated; filled as they are read."""

    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)

    def cells(
        self,
        table: TextTable,
        column: str,
        faults: pd.Series | np.ndarray,
        remedy: str,
        message: str = "",
    ) -> None:
        """A problem for each faulty cell: faults is text, "" where nothing is wrong, or bool with
        the message. The first LISTED are told one by one, the rest counted."""
        faults = np.asarray(faults)
        bad = np.flatnonzero(faults if faults.dtype == bool else faults != "")
        for i in bad[:LISTED]:
            cell = table.frame[column].iloc[i]
            self.problems.append(
                Problem(message or str(faults[i]), file=table.file, column=column,
                        row=int(table.rows[i]), remedy=remedy, value=str(cell))
            )  # fmt: skip
        if len(bad) > LISTED:
            more = f"{len(bad) - LISTED} more cells: {message or faults[bad[-1]]}"
            self.problems.append(Problem(more, file=table.file, column=column, remedy=remedy))

    def note(
        self,
        message: str,
        table: TextTable,
        column: str = "",
        row: int | None = None,
        example: str = "",
    ) -> None:
        """Something tolerated."""
        self.notes.append(
            Problem(message, file=table.file, column=column, row=row, example=example)
        )


def without_totals(table: TextTable, account: str, name: str | None, found: Findings) -> TextTable:
    """The table without its totals rows and the footnotes below it; what was left out is said.

    An account may be called Total: a row is one of totals only if its id says so, or is blank.
    """
    ids = table.frame[account].str.lower().str.rstrip(" :：")
    sums = ids.isin(TOTALS).to_numpy(copy=True)
    if name and name != account:
        words = table.frame[name].str.lower().str.rstrip(" :：")
        sums |= ((ids == "") & words.isin(TOTALS)).to_numpy()
    filled = (table.frame != "").sum(axis=1).to_numpy()
    last = len(sums) - 1
    while last > 0 and (sums[last] or (filled[last] == 1 and table.frame.shape[1] > 2)):
        sums[last] = True
        last -= 1
    for i in np.flatnonzero(sums)[:LISTED]:
        found.note("a totals row or footnote was left out", table, row=int(table.rows[i]))
    return table.keep(~sums)


def identify(table: TextTable, column: str, found: Findings) -> pd.Index:
    """The ids, as text; blank, repeated and shortened ones are problems."""
    ids = table.frame[column]
    found.cells(table, column, ids == "", "Give every account an id", "is blank")
    shortened = ids.str.fullmatch(r"\d\.\d+E\+\d+")
    found.cells(table, column, shortened, "Format the column as text and enter the ids again",
                "is an id that Excel has shortened")  # fmt: skip
    first = dict(zip(ids[::-1], table.rows[::-1], strict=True))
    double = ids.duplicated() & (ids != "") & ~shortened
    faults = np.where(double, "stands in row " + ids.map(first).astype(str) + " already", "")
    found.cells(table, column, faults, "Keep one row for each account")
    _length(table, column, found)
    return pd.Index(ids, name="account", dtype="str")


def refuse_unknown(
    table: TextTable, column: str, known: Collection[str], file: str, found: Findings
) -> None:
    """Ids that the accounts don't list are problems; the remedy names what they may have been."""
    ids = table.frame[column]
    strange = ~ids.isin(set(known)) & (ids != "") & ~ids.duplicated()
    if not strange.any():
        return
    alike: dict[str, str] = {}
    for account in known:
        alike.setdefault(_core(account), account)
    near = {account: alike[_core(account)] for account in ids[strange] if _core(account) in alike}
    remedy = f"Write ids alike in {file} and {table.file}; as text, so that no zero is lost"
    for i in np.flatnonzero(ids.isin(near))[:LISTED]:
        found.problems.append(
            Problem("is not among the accounts as it is written", file=table.file, column=column,
                    row=int(table.rows[i]), remedy=remedy, value=ids[i],
                    example=f"{near[ids[i]]!r} is")
        )  # fmt: skip
    remedy = "Add it to the accounts, or correct the id"
    found.cells(table, column, strange & ~ids.isin(near), remedy, "is not among the accounts")


def amounts(
    table: TextTable,
    column: str,
    what: str,
    decimal: str,
    found: Findings,
    *,
    blank: bool = False,
) -> pd.Series:
    """A column of sales or units, zero or more, or of potential, above zero."""
    numbers = _numbers(table, column, decimal, found, f"Write {what} as a plain number")
    values = numbers.values
    if not blank:
        empty = values.isna() & (numbers.faults == "")
        found.cells(table, column, empty, "Write 0 if it buys nothing from us", "is blank")
    if what == "potential":
        rule = "Potential is above zero; leave it blank where unknown"
        found.cells(table, column, values <= 0, rule, "is not above zero")
    else:
        found.cells(table, column, values < 0, f"{what.capitalize()} are zero or more",
                    "is negative")  # fmt: skip
    return values


def flags(table: TextTable, column: str | None, found: Findings) -> np.ndarray:
    """True, False or None (N,)."""
    if not column:
        return np.full(len(table.frame), None, dtype=object)
    values, faults = to_flags(table.frame[column])
    found.cells(table, column, faults, "Write 1 or 0")
    return values.to_numpy(dtype=object)


def margins(table: TextTable, column: str | None, decimal: str, found: Findings) -> np.ndarray:
    """Fractions (N,), NaN where unknown."""
    if not column:
        return np.full(len(table.frame), np.nan)
    numbers = _numbers(table, column, decimal, found, "Write the margin as a fraction")
    beyond = (numbers.values > 1) | (numbers.values < -1)
    found.cells(table, column, beyond, "Write 0.25 or 25%", "is not a fraction")
    return numbers.values.to_numpy()


def texts(table: TextTable, column: str | None, found: Findings) -> np.ndarray:
    """Text (N,), "" where there is none."""
    if not column:
        return np.full(len(table.frame), "", dtype=object)
    _length(table, column, found)
    return table.frame[column].to_numpy(dtype=object)


def indicator(table: TextTable, name: str, decimal: str, found: Findings) -> np.ndarray:
    """A candidate (N,): numbers where NUMERIC_SHARE of its cells are, text with None elsewhere."""
    cells = table.frame[name]
    missing = is_missing(cells)
    filled = int((~missing).sum())
    if missing.any():
        found.note(
            Message("n_missing", n=int(missing.sum()), count=len(cells)),
            table,
            name,
        )
    truth = cells.str.lower().map({"true": 1.0, "false": 0.0})
    if filled and truth[~missing].notna().all():
        return truth.to_numpy(float)
    numbers = to_numbers(cells, decimal)
    good = filled - int((numbers.faults != "").sum())
    if filled and good / filled >= NUMERIC_SHARE:
        _tell(table, name, numbers, found, "Write a number, or leave it blank")
        return numbers.values.to_numpy()
    if good:
        found.note(Message("n_as_text", n=int(good), count=int(filled)), table, name)
    elif filled and cells[~missing].str.match(r"\d{4}-\d\d-\d\d").all():
        found.note("holds dates, read as text; as a number, write the years since", table, name)
    _length(table, name, found)
    _variants(table, name, found)
    return cells.astype(object).where(~missing, None).to_numpy(dtype=object)


def refuse_errors(table: TextTable, found: Findings) -> None:
    """Cells that hold an error of Excel's, such as #REF!."""
    for name, cells in table.frame.items():
        broken = cells.str.fullmatch(EXCEL_ERROR)
        if broken.any():
            found.cells(table, str(name), broken, "Mend the formula in the spreadsheet",
                        "is an error of Excel's")  # fmt: skip


def _numbers(table: TextTable, column: str, decimal: str, found: Findings, remedy: str) -> Numbers:
    numbers = to_numbers(table.frame[column], decimal)
    _tell(table, column, numbers, found, remedy)
    return numbers


def _tell(table: TextTable, column: str, numbers: Numbers, found: Findings, remedy: str) -> None:
    """What is wrong with a column of numbers, and what may be read another way."""
    found.cells(table, column, numbers.faults, remedy)
    found.cells(table, column, numbers.values.abs() >= MOST_AMOUNT, "Check its unit",
                "is too large to be true")  # fmt: skip
    if numbers.doubt:
        found.note("holds numbers that can be read in two ways", table, column,
                   example=numbers.doubt)  # fmt: skip


def _length(table: TextTable, column: str, found: Findings) -> None:
    long = table.frame[column].str.len() > LONGEST_TEXT
    found.cells(table, column, long, f"Shorten it to {LONGEST_TEXT}", "is too long a text")


def _variants(table: TextTable, column: str, found: Findings) -> None:
    """Note words that differ in capitals or blanks only."""
    kinds: Mapping[str, set[str]] = {}
    for word in table.frame[column].unique():
        kinds.setdefault(" ".join(word.casefold().split()), set()).add(word)  # type: ignore[attr-defined]
    for words in kinds.values():
        if len(words) > 1:
            found.note("holds words that differ in capitals or blanks only", table, column,
                       example=" and ".join(sorted(words)))  # fmt: skip


def _core(text: str) -> str:
    """An id without what spreadsheets and keyboards change in it."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    plain = "".join(plain.split()).removesuffix(".0")
    return plain.lstrip("0'") or "0"
