"""Tables as they are read: tables.toml says how each is titled and its columns are written. Every
document and notebook lays out the same `Table`."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from kalib.files import beside
from kalib.words.catalogue import MISSING, Words

TABLES = beside(__file__, "tables")
# The kinds of cells that are no numbers.
TEXT = ("text", "word", "phase", "team", "between", "said", "label", "column", "rep", "range",
        "mark")  # fmt: skip
# Columns left out where every row is blank or zero.
LEFT_OUT = (
    "name", "region", "rep", "team", "target_growth", "growth_rate", "taken_over", "sales_taken",
    "unfirm", "asked_now", "if_confirmed", "unlike", "gap",
)  # fmt: skip
ALIKE = ("expected_gain", "asked_now")  # where they are equal, the second is shown
LONG = 24  # letters of a cell from which on its column may be broken into lines
MEASURED = 1.005  # an interval this narrow, upper over lower end, is a measurement


@dataclass(frozen=True)
class Table:
    """A table for the reader.

    title: what it shows, with its unit; kinds: column's key -> how its cells are written, as
    tables.toml says, "written" for numbers as they stand; frame: the values, columns as in kinds;
    heads: what each column is called; rule: which rows it lists and in what order, in a sentence,
    "" where the title says it.
    """

    title: str
    kinds: Mapping[str, str]
    frame: pd.DataFrame
    words: Words
    heads: Sequence[str]
    rule: str = ""

    @property
    def numbers(self) -> list[bool]:
        """Which columns are set flush right."""
        return [kind not in TEXT for kind in self.kinds.values()]

    @property
    def long(self) -> list[bool]:
        """Which columns have cells so long that they may be broken into lines."""
        columns = zip(*self.rows(), strict=True)
        return [max(map(len, column)) > LONG for column in columns] or [False] * len(self.kinds)

    def rows(self) -> list[list[str]]:
        """Every cell as it is read."""
        columns = [
            [self.written(cell, kind) for cell in self.frame[name]]
            for name, kind in self.kinds.items()
        ]
        return [list(row) for row in zip(*columns, strict=True)]

    def written(self, value: Any, kind: str) -> str:
        """A cell as it is read."""
        words = self.words
        if kind == "mixed":
            kind, value = value
        if value is pd.NA:
            value = None
        if kind in ("text", "written"):
            return "" if value is None else str(value)
        if kind == "said":
            return words.tell(value)
        if kind == "phase":
            return words.word(f"phase_{value}")
        if kind == "mark":
            return words.word("yes") if value else ""
        if kind == "team":
            return words.word(f"{value}s")
        if kind == "between":
            low, high = map(words.whole, value)
            return words.say("between", low=low, high=high)
        if kind == "range":
            low, high = value
            if not np.isfinite(low):
                return MISSING
            measured = high <= MEASURED * low
            ends = f"{words.amount(low)} – {words.amount(high)}"
            return words.say("measured") if measured else ends
        if kind.startswith("number"):
            return words.number(value, int(kind[6:]))
        written: str = getattr(words, kind)(value)
        return written

    def part(self, rows: int, *columns: str) -> Table:
        """The first rows of some columns."""
        called = dict(zip(self.kinds, self.heads, strict=True))
        kinds = {name: self.kinds[name] for name in columns if name in self.kinds}
        return replace(self, kinds=kinds, heads=[called[name] for name in kinds],
                       frame=self.frame.head(rows))  # fmt: skip

    def _repr_html_(self) -> str:
        sides = [' class="number"' if number else "" for number in self.numbers]

        def row(cells: Iterable[str], tag: str, more: str = "") -> str:
            pairs = zip(cells, sides, strict=True)
            return "".join(f"<{tag}{more}{s}>{html.escape(cell)}</{tag}>" for cell, s in pairs)

        title = f"<caption>{html.escape(self.title)}</caption>" if self.title else ""
        head = row(self.heads, "th", ' scope="col"')
        body = "".join(f"<tr>{row(cells, 'td')}</tr>" for cells in self.rows())
        shown = f"{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
        rule = f"<p>{html.escape(self.rule)}</p>" if self.rule else ""
        return f'<table class="exhibit">{shown}</table>{rule}'

    def __repr__(self) -> str:
        frame = pd.DataFrame(self.rows(), columns=list(self.heads))
        return "\n".join(filter(None, [self.title, frame.to_string(index=False), self.rule]))


def table(
    words: Words, name: str, rows: Iterable[Sequence[Any]] | pd.DataFrame, of: int = 0,
    **figures: Any,
) -> Table:  # fmt: skip
    """The table that tables.toml describes under a name.

    rows: its rows, or a frame that has its columns; one of LEFT_OUT that nobody has is left out;
    of: rows there are in all; figures: of its title, rule and heads.
    """
    about = TABLES[name]
    words = words.in_sums() if about.get("sums") else words
    unit = words.yearly()
    kinds: dict[str, str] = about["columns"]
    if not isinstance(rows, pd.DataFrame):
        rows = pd.DataFrame(list(rows), columns=list(kinds), dtype=object)
    empty = {c for c in LEFT_OUT if c in kinds and (rows[c].isin(["", 0]) | rows[c].isna()).all()}
    if kinds.keys() - empty >= set(ALIKE):
        one, other = rows[list(ALIKE)].to_numpy(float).T
        empty |= {ALIKE[0]} if np.allclose(one, other, rtol=0.005, equal_nan=True) else set()
    kinds = {column: kind for column, kind in kinds.items() if column not in empty}
    said = words.say(about.get("title", name), unit=unit, **figures)
    if about.get("unit"):
        shown = len(rows)
        part = words.say("part", shown=shown, all=of) if shown < of else ""
        said = words.say("titled", said=said, unit=unit, part=part)
    heads = [words.say(column, **figures) for column in kinds]
    rule = words.say(about["rule"], **figures) if "rule" in about else ""
    return Table(said, kinds, rows, words, heads, rule)
