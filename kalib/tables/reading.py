"""Files read as text: CSV, Excel and Parquet, every cell as the client wrote it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from kalib.errors import Problem, StudyError
from kalib.tables.delimited import csv_rows
from kalib.tables.packed import (
    LARGEST,
    MOST_ROWS,
    all_sheets,
    parquet_columns,
    sheet_rows,
    too_large,
)
from kalib.words.catalogue import Message

TOP = 20  # rows in which the header is looked for
BLOCK = 50_000  # rows held as Python text at a time
LISTED = 50  # cells listed one by one for one fault of one column; the rest are counted
# What no cell needs and no deliverable can show: control characters become blanks, invisible
# marks and changes of writing direction vanish.
CONTROL = "[\x00-\x1f\x7f-\x9f\u2028\u2029]+"
INVISIBLE = "[\u200b\u200e\u200f\u2060\ufeff\u202a-\u202e\u2066-\u2069]"
HEAD = 200  # bytes in which a web page shows that it is one
MAGIC = {b"PK\x03\x04": "Excel", b"\xd0\xcf\x11\xe0": "Excel", b"PAR1": "Parquet"}
SUFFIX = {"Excel": (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"), "Parquet": (".parquet",)}


@dataclass(frozen=True)
class TextTable:
    """A table of text: frame of str cells, file name, the file row of each line, all headers, what
    was tolerated, and the sheet where the file has several tables."""

    frame: pd.DataFrame
    file: str
    rows: np.ndarray
    headers: tuple[str, ...]
    notes: tuple[Problem, ...] = ()
    sheet: str = ""

    @property
    def label(self) -> str:
        """The file, and the sheet of it."""
        return f"{self.file}, sheet {self.sheet}" if self.sheet else self.file

    def keep(self, where: np.ndarray, *notes: Problem) -> TextTable:
        """The lines where a (rows,) bool array is True, with further notes."""
        frame = self.frame[where].reset_index(drop=True)
        notes = (*self.notes, *notes)
        return replace(self, frame=frame, rows=self.rows[where], notes=notes)


@dataclass(frozen=True)
class _Asked:
    """Columns that are asked for, and those that are welcome; all, where none is asked for."""

    wanted: tuple[str, ...]
    welcome: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.wanted, *self.welcome) if self.wanted else ()


def read_text_table(
    path: Path, wanted: Sequence[str] = (), welcome: Sequence[str] = ()
) -> TextTable:
    """Read one table as text.

    wanted: the columns to find and keep (all of them where it is empty); welcome: those to keep
    where they are there. The content decides what kind of file it is. Raises StudyError where it
    can't be read, with every problem found.
    """
    with _readable(path):
        return _read(path, _Asked(tuple(wanted), tuple(welcome)))


def read_every_table(path: Path) -> list[TextTable]:
    """A file's one table, or one for each visible sheet of a workbook that can be read as a table.

    Raises StudyError where there is none.
    """
    if _kind(path) != "Excel":
        return [read_text_table(path)]
    tables: list[TextTable] = []
    problems: list[Problem] = []
    with _readable(path):
        sheets = all_sheets(path)
    for name, rows in sheets.items():
        try:
            table = _from_rows(iter(rows), path.name, _Asked((), ()), [])
            tables.append(replace(table, sheet=name if len(sheets) > 1 else ""))
        except StudyError as error:
            problems += error.problems
    if not tables:
        empty = Problem("the file is empty", file=path.name, remedy="Export it again")
        raise StudyError(problems or empty)
    return tables


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Refuse a file that is too large, and tell what keeps another from being read."""
    if path.stat().st_size > LARGEST:
        raise too_large(f"its {path.stat().st_size / 1e9:.1f} GB are", path.name)
    try:
        yield
    except (StudyError, MemoryError):
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0][:120]
        raise StudyError(
            Problem(
                f"can't be read ({type(error).__name__}: {reason})",
                file=path.name,
                remedy="Open it and save it again as .xlsx, or as CSV in UTF-8",
            )
        ) from error


def _kind(path: Path) -> str:
    """Excel, Parquet or CSV, by content."""
    with path.open("rb") as file:
        return MAGIC.get(file.read(4), "CSV")


def _read(path: Path, asked: _Asked) -> TextTable:
    notes: list[Problem] = []
    kind = _kind(path)
    if kind != "CSV" and path.suffix.lower() not in SUFFIX[kind]:
        notes.append(Problem(Message("n_kind", kind=kind), file=path.name))
    if kind == "Parquet":
        return _from_parquet(path, asked, notes)
    if kind == "Excel":
        return _from_rows(iter(sheet_rows(path, asked.wanted, notes)), path.name, asked, notes)
    if path.suffix.lower() in SUFFIX["Parquet"]:
        raise StudyError(Problem("is no Parquet file, though its name says so", file=path.name,
                                 remedy="Export it again"))  # fmt: skip
    raw = path.read_bytes()
    if not raw.strip(b"\xef\xbb\xbf \r\n\t\0"):
        raise StudyError(Problem("the file is empty", file=path.name, remedy="Export it again"))
    if raw[:HEAD].lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
        raise StudyError(
            Problem("is a web page or XML, no table", file=path.name,
                    remedy="Open it in a spreadsheet program and save it as .xlsx")
        )  # fmt: skip
    if path.suffix.lower() in SUFFIX["Excel"]:
        notes.append(Problem("is a text file, whatever its name says", file=path.name))
    return _from_rows(csv_rows(raw, path.name, notes), path.name, asked, notes)


def _from_rows(
    rows: Iterator[list[str]], file: str, asked: _Asked, notes: list[Problem]
) -> TextTable:
    """A table from rows whose header stands in one of the first."""
    top = list(islice(rows, TOP))
    start = _header_row(top, asked.wanted)
    names = [_plain(cell) for cell in top[start]] if top else []
    width = max((i + 1 for i, name in enumerate(names) if name), default=0)
    if width == 0:
        raise StudyError(Problem("the file is empty", file=file, remedy="Export it again"))
    if start and any(map(_filled, top[:start])):
        notes.append(Problem(Message("n_header", n=start + 1), file=file))
    places = _places(names, file, asked, start + 1)
    problems: list[Problem] = []
    parts: list[pd.DataFrame] = []
    numbers: list[int] = []
    number, short = start + 1, 0
    for block in _blocks(top[start + 1 :], rows):
        kept = []
        for row in block:
            number += 1
            if len(row) != width:
                if any(cell.strip() for cell in row[width:]) and len(problems) < LISTED:
                    problems.append(_ragged(row, width, file, number))
                short += 0 < len(row) < width and _filled(row)
                row = row + [""] * (width - len(row))
            if _filled(row):
                kept.append([row[place] for place in places.values()])
                numbers.append(number)
        if number > MOST_ROWS:
            raise too_large(f"its more than {MOST_ROWS:,} rows are", file)
        parts.append(pd.DataFrame(kept, columns=list(places), dtype="str"))
    if problems:
        raise StudyError(problems)
    if short:
        notes.append(Problem(Message("n_short", n=short), file=file))
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(places))
    headers = tuple(name for name in names if name)
    return TextTable(_inert(frame), file, np.array(numbers, dtype=int), headers, tuple(notes))


def _from_parquet(path: Path, asked: _Asked, notes: list[Problem]) -> TextTable:
    problems: list[Problem] = []
    headers, columns = parquet_columns(path, asked.names, problems)
    places = _places([_plain(name) for name in columns], path.name, asked, 1)
    if problems:
        raise StudyError(problems)
    cells = list(columns.values())
    frame = pd.DataFrame({name: pd.Series(cells[i], dtype="str") for name, i in places.items()})
    rows = np.arange(2, len(frame) + 2)
    table = TextTable(_inert(frame), path.name, rows, headers, tuple(notes))
    return table.keep((table.frame != "").any(axis=1).to_numpy())


def _header_row(top: list[list[str]], wanted: Collection[str]) -> int:
    """The row of the header: the one with all wanted names, or the first that is no title."""
    names = {_plain(name) for name in wanted}
    for i, row in enumerate(top):
        if names and names <= {_plain(cell) for cell in row}:
            return i
    # A title, alone in its row or merged across it, says one thing.
    said = [len({cell.strip() for cell in row} - {""}) for row in top]
    usual = max(said, default=0)
    return next((i for i, count in enumerate(said) if count > min(1, usual - 1)), 0)


def _places(names: list[str], file: str, asked: _Asked, row: int) -> dict[str, int]:
    """Column -> its place, of the columns wanted or of all that have a name."""
    spelling = {_plain(name): name for name in asked.names}
    found = [name for name in names if name and (not spelling or name in spelling)]
    double = sorted({name for name in found if found.count(name) > 1})
    if double:
        raise StudyError(
            [
                Problem("the header stands twice", file=file, column=name, row=row,
                        remedy="Rename one of them")
                for name in double
            ]
        )  # fmt: skip
    return {spelling.get(name, name): names.index(name) for name in found}


def _blocks(first: list[list[str]], rows: Iterator[list[str]]) -> Iterator[list[list[str]]]:
    """All rows, some at a time."""
    yield first
    while block := list(islice(rows, BLOCK)):
        yield block


def _ragged(row: list[str], width: int, file: str, number: int) -> Problem:
    return Problem(
        f"{len(row)} cells under {width} headers",
        file=file,
        row=number,
        remedy="Put quotes around a cell that holds the separator",
    )


def _filled(row: list[str]) -> bool:
    return any(cell and not cell.isspace() for cell in row)


def _plain(name: str) -> str:
    """A header as it is compared: blanks and line breaks in it count alike."""
    return " ".join(str(name).split())


def _inert(frame: pd.DataFrame) -> pd.DataFrame:
    """Cells without characters that no deliverable can show, and without blanks around them."""
    return frame.apply(
        lambda cells: (
            cells.str.replace(CONTROL, " ", regex=True)
            .str.replace(INVISIBLE, "", regex=True)
            .str.strip()
        )
    )
