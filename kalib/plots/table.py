"""Data frames as they are read: headers in the study's language, each number by what it is."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kalib.plots.theme import theme
from kalib.words.catalogue import Message

# Columns that hold fractions, by their name, its beginning or its end.
FRACTIONS = (
    "sow", "share", "missing", "gain", "utilization", "off_mean", "attained", "stability",
    "probability",
)  # fmt: skip
POINTS = ("points",)  # fractions of which small parts count
BEGIN = ("sow_", "p_attack", "p_defense", "p_maintenance", "p_watch", "share_", "r2")
END = ("_sow", "_rate", "_probability", "_share", "_chance")
# Columns whose entries are words of ours, not the client's.
CODES = {
    "", "verdict", "zone", "before", "after", "team", "change", "action", "potential_source",
    "kind", "entry", "step", "key accounts", "test",
}  # fmt: skip
SAID = ("check", "meaning", "reason", "cause", "problem")  # sentences of ours
BOOL, NUMBER = bool | np.bool_, int | float | np.integer | np.floating
P_VALUES = ("p_value", "below_p")
ROWS = 10


@dataclass(frozen=True)
class Table:
    """A data frame, and how its cells are written; of: rows there are in all."""

    frame: pd.DataFrame
    numbers: tuple[str, ...]
    of: int

    def __repr__(self) -> str:
        return "\n".join(filter(None, [self.frame.to_string(index=False), self._rest()]))

    def _repr_html_(self) -> str:
        side = dict.fromkeys(self.numbers, ' class="number"')
        head = "".join(
            f'<th scope="col"{side.get(name, "")}>{html.escape(name)}</th>' for name in self.frame
        )
        body = "".join(
            "<tr>"
            + "".join(
                f"<td{side.get(name, '')}>{html.escape(cell)}</td>"
                for name, cell in zip(self.frame.columns, row, strict=True)
            )
            + "</tr>"
            for row in self.frame.itertuples(index=False, name=None)
        )
        table = (
            f'<table class="exhibit"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        )
        return table + (f"<p>{html.escape(self._rest())}</p>" if self._rest() else "")

    def _rest(self) -> str:
        if not self.of:
            return theme().words.word("none")
        if self.of <= len(self.frame):
            return ""
        return theme().words.say("rows_of", shown=len(self.frame), count=self.of)


def table(frame: pd.DataFrame | pd.Series, rows: int = ROWS, percent: Sequence[str] = ()) -> Table:
    """The first rows of a data frame, written for a reader.

    Headers are in the study's language and carry its labels; fractions are percentages, other
    numbers have three significant digits, or none behind the point. percent: columns that are
    fractions though their names don't say it.
    """
    frame = (
        frame.rename(frame.name or "value").to_frame() if isinstance(frame, pd.Series) else frame
    )
    bare = frame.index.name is None and pd.api.types.is_integer_dtype(frame.index)
    whole = frame if bare else _with_index(frame)
    shown, words = whole.head(rows), theme().words
    named, numbers = {}, []
    for name, cells in shown.items():
        header = words.column(name)
        header = str(name) if header in named else header
        named[header] = [_cell(cell, str(name), name in percent) for cell in cells]
        if any(isinstance(cell, NUMBER) and not isinstance(cell, BOOL) for cell in cells):
            numbers.append(header)
    return Table(pd.DataFrame(named, dtype=object), tuple(numbers), len(whole))


def _with_index(frame: pd.DataFrame) -> pd.DataFrame:
    """The index as first columns, whatever they are called."""
    index = frame.index.to_frame(index=False)
    index.columns = [str(name) if name is not None else "" for name in frame.index.names]
    return pd.concat([index, frame.reset_index(drop=True)], axis=1)


def _cell(value: Any, column: str, percent: bool) -> str:
    """One cell as it is read."""
    words = theme().words
    if isinstance(value, BOOL):
        return words.word("yes" if value else "no")
    if isinstance(value, tuple | list):
        return ", ".join(words.label(part) for part in value)
    if isinstance(value, str):
        if column in CODES:
            said = words.column(value)
            return said if said != words.label(value) else words.word(value).replace("_", " ")
        return words.tell(value) if column in SAID or isinstance(value, Message) else value
    if value is None or pd.isna(value):
        return "–"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    if not isinstance(value, NUMBER):
        return str(value)
    value = float(value)
    if column in POINTS:
        return words.percent(value, 2)
    if percent or column in FRACTIONS or column.startswith(BEGIN) or column.endswith(END):
        return words.percent(value, 0 if abs(value) >= 0.0995 or not value else 1)
    if column in P_VALUES:
        return words.figure(max(value, 1e-300))
    rounded = round(value, 9)
    return words.whole(rounded) if rounded.is_integer() else words.figure(rounded)
