"""Columns of a table in our terms; every cell that is not understood is told with its row."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from kalib.errors import Problem
from kalib.study.settings import MOST_AMOUNT, Data
from kalib.tables.cells import EXCEL_ERROR, FLAGS, Parsed, decimal_mark, is_missing, to_numbers
from kalib.tables.reading import TextTable, listed
from kalib.tables.words import REFUSED, WORDS
from kalib.words.catalogue import Message

NUMERIC_SHARE = 0.8  # a column in which fewer cells are numbers is text
LONGEST_TEXT = 255  # characters: what a spreadsheet still shows in one cell
SINGLY = 3  # rows told one by one for one fault of one column; more are one line


@dataclass(frozen=True)
class Findings:
    """What is wrong with the tables read so far, what was tolerated, and their decimal marks."""

    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)


class Columns:
    """The columns of one table, cleaned as the study's [data], dirt, says; what is wrong with them,
    and what is left out, is told to found."""

    def __init__(self, table: TextTable, found: Findings, dirt: Data) -> None:
        self.table, self.found, self.dirt = table, found, dirt

    @property
    def frame(self) -> pd.DataFrame:
        """The cells as text."""
        return self.table.frame

    @cached_property
    def decimal(self) -> str:
        """The mark of columns that don't show theirs: that of the table, else of the first."""
        self.found.marks.extend(filter(None, [own := decimal_mark(self.frame)]))
        return own or "".join(self.found.marks[:1])

    def tell(
        self, what: str | tuple[str, str], column: str, where: pd.Series | np.ndarray,
        each: pd.Series | None = None,
    ) -> None:  # fmt: skip
        """A fault, or what is noted, in the rows where it is: one by one where they are few, else
        in one line with count and examples.

        what: its key, or message and remedy of a fault; each: by row, what else makes it plain.
        """
        noted = WORDS["noted"].get(what)
        to = self.found.notes if noted else self.found.problems
        message, remedy = noted or (REFUSED[what] if isinstance(what, str) else what)
        rows, cells = np.flatnonzero(where), self._of(column)
        for i in rows if len(rows) <= SINGLY else rows[:1]:
            example = "" if each is None else str(each.iloc[i])
            said = Message(message) if noted else message.replace("{}", example)
            example = "" if "{}" in message else example
            if len(rows) > SINGLY:
                said = listed(said, self.table.rows[rows[1:]])
                more = cells.iloc[rows].drop_duplicates().iloc[1:SINGLY]
                example = "; ".join(filter(None, [example, ", ".join(map(repr, more))]))
            place = self.table.file, column, int(self.table.rows[i])
            to.append(Problem(said, *place, remedy, str(cells.iloc[i]), example))

    def note(self, message: str, column: str, example: str = "") -> None:
        """Something tolerated in a whole column."""
        self.found.notes.append(Problem(message, self.table.file, column, example=example))

    def _of(self, column: str) -> pd.Series:
        """A column's cells, blank ones of a column that is not there."""
        return self.frame[column] if column else pd.Series("", self.frame.index, dtype="str")

    def clean(
        self, account: str, figure: str = "", name: str = "", known: Collection[str] | None = None
    ) -> None:
        """Clean the table as [data] says, without totals and footnotes below. figure: a column that
        totals would sum; name: that of the accounts' names; known: their ids, for another table."""
        frame, dirt = self.frame, self.dirt
        if dirt.missing:
            words = {word.strip().casefold() for word in dirt.missing}
            frame = frame.mask(frame.apply(lambda cells: cells.str.casefold().isin(words)), "")
        if dirt.id_width:
            ids = frame[account]
            digits = ids.str.fullmatch(r"\d+")
            frame = frame.assign(**{account: ids.mask(digits, ids.str.zfill(dirt.id_width))})
        self.table = replace(self.table, frame=frame)
        # A row is one of totals if it is called so and looks like one: it fills fewer cells than
        # accounts do, has no id, sums the rows above, or is not among the accounts that are known.
        names = WORDS["cells"]["totals"]
        ids = frame[account].str.lower().str.rstrip(" :：")
        words = frame[name].str.lower().str.rstrip(" :：") if name else ids
        called = (ids.isin(names) | ((ids == "") & words.isin(names))).to_numpy()
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
        last, kept = len(sums) - 1, called & ~sums  # kept: accounts that are only called so
        while last > 0 and (sums[last] or (filled[last] == 1 and frame.shape[1] > 2)):
            sums[last] = True
            last -= 1
        self.tell("total", "", sums)
        self.tell("total kept", account, kept)
        self.table = self.table.keep(~sums)
        self.refuse_errors()

    def refuse_errors(self) -> None:
        """Cells that hold an error of Excel's, such as #REF!."""
        for name, cells in self.frame.items():
            self.tell("excel", str(name), cells.str.fullmatch(EXCEL_ERROR))

    def identify(self, column: str) -> pd.Index:
        """The ids, a row each; blank, repeated, shortened ones are problems, look-alikes noted."""
        ids = self.frame[column]
        self.tell("id blank", column, ids == "")
        shortened = ids.str.fullmatch(r"\d\.\d+E\+\d+")
        self.tell("id short", column, shortened)
        double = ids.duplicated() & (ids != "") & ~shortened
        first = "row " + pd.Series(self.table.rows).groupby(ids).transform("first").astype(str)
        left_out = self.dirt.duplicates == "first"
        self.tell("double left" if left_out else "id double", column, double, first)
        if left_out:
            self.table = self.table.keep(~double.to_numpy())
        self.tell("long", column, self.frame[column].str.len() > LONGEST_TEXT)
        self._tell_alike(column, Message("n_ids_alike"))
        return pd.Index(self.frame[column], name="account", dtype="str")

    def refuse_unknown(self, column: str, known: Collection[str], file: str) -> None:
        """Ids that the accounts don't list are problems; the remedy names what they may be."""
        ids = self.frame[column]
        strange = ~ids.isin(list(known)) & (ids != "") & ~ids.duplicated()
        if not strange.any():
            return
        alike = {_bare(account, zeros=False): account for account in reversed(list(known))}
        near = ids[strange].map(lambda text: alike.get(_bare(text, zeros=False), ""))
        near = near[near != ""].reindex(ids.index, fill_value="")
        both = f"{file} and {self.table.file}"
        remedy = f"Write ids alike in {both}; as text, so that no zero is lost"
        pairs = [(text, near[i]) for i, text in ids[near != ""].items()]
        if pairs and all(text.isdigit() and other.isdigit() for text, other in pairs):
            remedy += f"; or set [data] id_width = {max(len(t) for pair in pairs for t in pair)}"
        message = "is not among the accounts as it is written"
        self.tell((message, remedy), column, near != "", "'" + near + "' is")
        self.tell("id unknown", column, strange & (near == ""))

    def amounts(self, column: str, what: str, *, blank: bool = False) -> pd.Series:
        """A column of sales, units or answers, zero or more, or of potential, above zero."""
        remedy = f"Write {what} as a plain number, or name the word in [data] missing"
        values = self.numbers(column, remedy)
        self.tell("percent", column, self.frame[column].str.endswith(("%", "％")) & values.notna())
        if not blank:
            empty = values.isna() & is_missing(self.frame[column])
            zero = what == "sales" and self.dirt.blank_sales == "zero"
            self.tell("blank zero" if zero else "sales blank", column, empty)
            values = values.mask(empty & zero, 0.0)
        returns = what == "sales" and self.dirt.negative_sales == "zero"
        below = values <= 0 if what == "potential" else values < 0
        self.tell("returns" if returns else f"{what} below", column, below)
        return values

    def flags(self, column: str) -> np.ndarray:
        """True, False or None (N,)."""
        cells = self._of(column)
        values = cells.str.lower().map(FLAGS).astype(object)
        self.tell("flag", column, values.isna() & ~is_missing(cells))
        return values.where(values.notna(), None).to_numpy()

    def texts(self, column: str) -> np.ndarray:
        """Text (N,), "" where there is none."""
        cells = self._of(column)
        self.tell("long", column, cells.str.len() > LONGEST_TEXT)
        return cells.to_numpy(dtype=object)

    def indicator(self, name: str) -> np.ndarray:
        """A candidate (N,): numbers where NUMERIC_SHARE of its cells are, text with None else."""
        cells = self.frame[name]
        missing = is_missing(cells)
        filled = int((~missing).sum())
        if missing.any() and filled:
            self.note(Message("n_missing", n=int(missing.sum()), count=len(cells)), name)
        distinct = cells[~missing].nunique()
        if distinct < min(len(cells), 2):
            self.note(Message("n_constant" if filled else "n_empty"), name)
        if 0 < distinct <= 48:  # as many writings have true and false, in large and small letters
            truth = cells.str.lower().map({"true": 1.0, "false": 0.0})
            if truth[~missing].notna().all():
                return truth.to_numpy(float)
        numbers = to_numbers(cells, self.decimal)
        good = filled - int((numbers.faults != "").sum())
        if filled and good / filled >= NUMERIC_SHARE:
            remedy = "Write a number, leave it blank, or name the word in [data] missing"
            return self.told(name, numbers, remedy).to_numpy()
        if good:
            self.note(Message("n_as_text", n=good, count=filled), name)
        elif filled and cells[~missing].str.match(r"\d{4}-\d\d-\d\d").all():
            self.note(Message("n_dates"), name)
        self._tell_alike(name, Message("n_words_alike"))
        return pd.Series(self.texts(name)).where(~missing.to_numpy(), None).to_numpy(object)

    def numbers(self, column: str, remedy: str) -> pd.Series:
        """Any numbers, NaN where there is none; remedy: for a cell that is not one."""
        return self.told(column, to_numbers(self._of(column), self.decimal), remedy)

    def told(self, column: str, read: Parsed, remedy: str) -> pd.Series:
        """A column as it was read, its faults and what may be read another way told."""
        faults = read.faults
        if (faults != "").any():
            faults = faults.mask(self._of(column).str.fullmatch(EXCEL_ERROR), "")  # told already
        for fault in faults[faults != ""].unique():
            self.tell((fault, remedy), column, faults == fault)
        if pd.api.types.is_numeric_dtype(read.values):
            self.tell("large", column, read.values.abs() >= MOST_AMOUNT)
        if read.doubt:
            self.note(Message("n_two_ways"), column, read.doubt)
        return read.values

    def _tell_alike(self, column: str, message: str) -> None:
        words = pd.Series(self.frame[column].unique(), dtype="str")
        for _, alike in words.groupby(words.map(_bare), sort=False):
            if len(alike) > 1:
                self.note(message, column, " and ".join(sorted(alike)))


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
