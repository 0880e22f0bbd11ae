"""Data frames as they are read: headers in the study's language, each number by what it is."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pandas as pd

from kalib.files import beside
from kalib.plots.theme import theme
from kalib.words.catalogue import MISSING, Message
from kalib.words.table import Table

COLUMNS: dict[str, list[str]] = beside(__file__, "columns")
BOOL, NUMBER = bool | np.bool_, int | float | np.integer | np.floating
ROWS = 10


def table(frame: pd.DataFrame | pd.Series, rows: int = ROWS, percent: Sequence[str] = ()) -> Table:
    """The first rows of a data frame, written for a reader.

    Headers are in the study's language and carry its labels; fractions are percentages, other
    numbers have three to six significant digits, none behind the point where three stand before
    it. percent: columns that are fractions though their names don't say it.
    """
    frame = frame.rename(frame.name or "value").to_frame() if frame.ndim == 1 else frame
    bare = frame.index.name is None and pd.api.types.is_integer_dtype(frame.index)
    whole = frame if bare else _with_index(frame)
    shown, words = whole.head(rows), theme().words
    named, kinds = {}, {}
    for name, cells in shown.items():
        header = words.column(name)
        header = str(name) if header in named else header
        as_told = (k for k, of in COLUMNS.items() if any(fnmatchcase(str(name), n) for n in of))
        kind = "percent" if name in percent else next(as_told, "")  # "": by what each cell is
        named[header] = [_cell(cell, kind) for cell in cells]
        figures = any(isinstance(cell, NUMBER) and not isinstance(cell, BOOL) for cell in cells)
        kinds[header] = "written" if figures else "text"
    note = words.word("none") if whole.empty else ""
    if len(whole) > len(shown):
        note = words.say("rows_of", shown=len(shown), count=len(whole))
    return Table("", kinds, pd.DataFrame(named, dtype=object), words, list(named), note)


def _with_index(frame: pd.DataFrame) -> pd.DataFrame:
    """The index as first columns, whatever they are called."""
    index = frame.index.to_frame(index=False)
    index.columns = [str(name) if name is not None else "" for name in frame.index.names]
    return pd.concat([index, frame.reset_index(drop=True)], axis=1)


def _cell(value: Any, kind: str) -> str:
    """One cell as it is read."""
    words = theme().words
    if isinstance(value, BOOL):
        return words.word("yes" if value else "no")
    if isinstance(value, tuple | list):
        return ", ".join(words.label(part) for part in value)
    if isinstance(value, str):
        if kind == "code":
            said = words.column(value)
            return said if said != words.label(value) else words.word(value).replace("_", " ")
        return words.tell(value) if kind == "said" or isinstance(value, Message) else value
    if value is None or pd.isna(value):
        return MISSING
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    if not isinstance(value, NUMBER):
        return str(value)
    value = float(value)
    if kind == "points":
        return words.percent(value, 2)
    if kind == "percent":
        return words.percent(value, 0 if abs(value) >= 0.0995 or not value else 1)
    if kind == "p_value":
        return words.figure(max(value, 1e-300))
    rounded = round(value, 9)
    return words.whole(rounded) if rounded.is_integer() else words.figure(float(f"{rounded:.6g}"))
