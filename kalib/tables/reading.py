"""Files read as text: CSV, Excel and Parquet, every cell as the client wrote it."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kalib.errors import Problem, StudyError
from kalib.tables.words import NUMBERED, REFUSED
from kalib.words.catalogue import Message

LARGEST = 1_000_000_000  # bytes; larger tables are scored where they lie, not read here
MOST_ROWS = 5_000_000
MOST_CELLS = 50_000_000  # of a sheet's used rectangle, blank ones too; they all take memory
LONGEST = 1_000_000  # characters of a cell; more is a quotation mark that was never closed
TOP = 20  # rows in which the header is looked for
BLOCK = 50_000  # rows held as Python text at a time
CHUNK = 1 << 20
HEAD = 65_536  # bytes and characters in which encoding and separator show
SEPARATORS = (",", ";", "\t", "|")
# What no cell needs and no deliverable can show: control characters become blanks, invisible
# marks, soft hyphens and changes of writing direction vanish.
CONTROL = "[\x00-\x1f\x7f-\x9f\u2028\u2029]+"
INVISIBLE = "[\u00ad\u200b\u200e\u200f\u2060\ufeff\u202a-\u202e\u2066-\u2069]"
MAGIC = {b"PK\x03\x04": "Excel", b"\xd0\xcf\x11\xe0": "Excel", b"PAR1": "Parquet"}
SUFFIX = {"Excel": (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"), "Parquet": (".parquet",)}
AMOUNT = re.compile(r"(?!(?:19|20)\d\d$)[-\d.,]+")  # a cell that is no header, not even a year
CELL = re.compile(rb'<(?:\w+:)?c [^<>]*?\br="([A-Z]{1,3})(\d{1,7})"')


def refusal(
    key: str, file: str, *said: object, column: str = "", row: int | None = None
) -> Problem:
    """The problem of a key, said in its gaps."""
    message, remedy = REFUSED[key]
    return Problem(message.format(*said), file, column, row, remedy.format(*said))


def listed(message: str, rows: Sequence[int] | np.ndarray) -> Message:
    """What is wrong, and in which more rows: "...; the same in 40 rows more: 2, 5, 9, ..."."""
    shown = ", ".join(map(str, rows[:5])) + (", …" if len(rows) > 5 else "")
    return Message("n_more", message=message, n=len(rows), rows=shown)


@dataclass(frozen=True, eq=False)
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

    def keep(self, where: np.ndarray) -> TextTable:
        """The lines where a (rows,) bool array is True."""
        return replace(self, frame=self.frame[where].reset_index(drop=True), rows=self.rows[where])


def read_text_table(
    path: Path, wanted: Sequence[str] = (), welcome: Sequence[str] = ()
) -> TextTable:
    """Read one table as text.

    wanted: the columns to find and keep (all of them where it is empty); welcome: those to keep
    where they are there. The content decides what kind of file it is. Raises StudyError where it
    can't be read, with every problem found.
    """
    notes: list[Problem] = []
    names = (*wanted, *welcome) if wanted else ()
    with _readable(path) as kind:
        if kind != "CSV" and path.suffix.lower() not in SUFFIX[kind]:
            notes.append(Problem(Message("n_kind", kind=kind), path.name))
        if kind == "Parquet":
            table = _from_parquet(path, names)
        else:
            rows = _csv_rows(path, notes) if kind == "CSV" else _one_sheet(path, wanted, notes)
            table = _from_rows(rows, path.name, wanted, names)
    return replace(table, notes=(*notes, *table.notes))


def read_every_table(path: Path) -> list[TextTable]:
    """A file's one table, or each visible sheet of a workbook that can be read as a table."""
    tables: list[TextTable] = []
    problems: list[Problem] = []
    with _readable(path) as kind:
        if kind != "Excel":
            return [read_text_table(path)]
        filled = {name: rows for name, seen, read in _sheets(path) if seen and (rows := read())}
    for name, rows in filled.items():
        try:
            table = _from_rows(iter(rows), path.name)
            tables.append(replace(table, sheet=name if len(filled) > 1 else ""))
        except StudyError as error:
            problems += error.problems
    if not tables:
        raise StudyError(problems or refusal("empty", path.name))
    return tables


@contextmanager
def _readable(path: Path) -> Iterator[str]:
    """The kind of a file by its content; refuses one that is too large or can't be read."""
    size = path.stat().st_size
    if size > LARGEST:
        raise StudyError(refusal("too large", path.name, f"its {size / 1e9:.1f} GB are"))
    try:
        with path.open("rb") as file:
            yield MAGIC.get(file.read(4), "CSV")
    except (StudyError, MemoryError):
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:120]}"
        raise StudyError(refusal("unreadable", path.name, reason)) from error


def _from_rows(
    rows: Iterator[list[str]], file: str, wanted: Sequence[str] = (), names: Sequence[str] = ()
) -> TextTable:
    top = list(islice(rows, TOP))
    start, headers = _header(top, wanted) if top else (0, [])
    width = max((i + 1 for i, name in enumerate(headers) if name), default=0)
    if width == 0:
        raise StudyError(refusal("empty", file))
    notes = []
    if start and any(map(str.strip, chain(*top[:start]))):
        notes.append(Problem(Message("n_header", n=start + 1), file))
    places = _places(headers, file, names, start + 1)
    for name in places:
        if NUMBERED.search(name) and name not in map(_plain, top[start]):
            notes.append(Problem(Message("n_numbered"), file, name))
    rows = chain(top[start + 1 :], rows)
    parts, numbers, ragged, number, short = [], [], [], start + 1, 0
    while block := list(islice(rows, BLOCK)):
        kept = []
        for row in block:
            number += 1
            if len(row) != width:
                if any(cell.strip() for cell in row[width:]):
                    ragged.append((number, len(row)))
                short += 0 < len(row) < width and any(map(str.strip, row))
                row = row + [""] * (width - len(row))
            if any(map(str.strip, row)):
                kept.append([row[place] for place in places.values()])
                numbers.append(number)
        if number > MOST_ROWS:
            raise StudyError(refusal("too large", file, f"its more than {MOST_ROWS:,} rows are"))
        parts.append(pd.DataFrame(kept, columns=list(places), dtype="str"))
    if ragged:
        wrong, cells = zip(*ragged, strict=True)
        told = refusal("ragged", file, cells[0], width, row=wrong[0])
        message = listed(told.message, wrong[1:]) if wrong[1:] else told.message
        raise StudyError(replace(told, message=message))
    if short:
        notes.append(Problem(Message("n_short", n=short), file))
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(places))
    given = tuple(filter(None, headers))
    return TextTable(_inert(frame), file, np.array(numbers, dtype=int), given, tuple(notes))


def _header(top: list[list[str]], wanted: Collection[str]) -> tuple[int, list[str]]:
    """The row of the header and the names in it: those with all wanted ones; else the first row
    that is no title or note, or the one below where names go over two rows."""
    for i in range(len(top) if wanted else 0):
        for names in (_named(top, i), _named(top, i, grouped=False)):
            if set(map(_plain, wanted)) <= set(names):
                return i, names
    # A title, alone in its row or merged across it, says one thing; a note says a few.
    said = [len({cell.strip() for cell in row} - {""}) for row in top]
    usual = max(said)
    figures = [any(map(AMOUNT.fullmatch, row)) for row in top] + [False] * 2
    some = [i for i, count in enumerate(said) if count > min(1, usual - 1)] or [0]
    start = next((i for i in some if said[i] >= usual / 2 and not figures[i]), some[0])
    if figures[start + 2] and not figures[start + 1] and said[start] < said[start + 1]:
        start += 1
    return start, _named(top, start)


def _named(top: list[list[str]], row: int, *, grouped: bool = True) -> list[str]:
    """What a row calls the columns. A year alone, and what is said twice, take the name of their
    group, which stands in the row above; what is still said twice is numbered from the left."""
    names = [_plain(cell) for cell in top[row]]
    above = [_plain(cell) for cell in top[row - 1]] if row and grouped else []
    if len({*above} - {""}) > 1:
        groups: Iterator[str] = accumulate(above, lambda last, name: name or last)
        names = [
            f"{group} {name}" if group not in ("", name) and name
            and (name.isdigit() or names.count(name) > 1) else name or own
            for name, group, own in zip(names, groups, above, strict=False)
        ] + names[len(above) :]  # fmt: skip
    twice, seen = Counter(names), Counter[str]()
    for place, name in enumerate(names):
        if name and twice[name] > 1:
            seen[name] += 1
            names[place] = f"{name} ({seen[name]})"
    return names


def _places(headers: list[str], file: str, names: Sequence[str], row: int) -> dict[str, int]:
    """Column -> its place, of the columns named, or of all that have a header."""
    spelling = {_plain(name): name for name in names}
    found = [header for header in headers if header and (not names or header in spelling)]
    double = {header for header in found if found.count(header) > 1}
    double |= {name for name in spelling if name not in headers and f"{name} (1)" in headers}
    if double:
        told = [refusal("twice", file, name, column=name, row=row) for name in sorted(double)]
        raise StudyError(told)
    return {spelling.get(header, header): headers.index(header) for header in found}


def _plain(name: str) -> str:
    """A header as it is compared: blanks, line breaks and normal forms of it count alike."""
    return unicodedata.normalize("NFC", " ".join(str(name).split()))


def _inert(frame: pd.DataFrame) -> pd.DataFrame:
    """Cells without characters that no deliverable can show, and without blanks around them."""

    def cleaned(cells: pd.Series) -> pd.Series:
        cells = cells.str.replace(CONTROL, " ", regex=True).str.replace(INVISIBLE, "", regex=True)
        return (cells if cells.str.isascii().all() else cells.str.normalize("NFC")).str.strip()

    return frame.apply(cleaned)


def _csv_rows(path: Path, notes: list[Problem]) -> Iterator[list[str]]:
    """Rows of text, one for each row that a spreadsheet would show, blank ones too."""
    file, raw = path.name, path.read_bytes()
    if path.suffix.lower() in SUFFIX["Parquet"]:
        raise StudyError(refusal("no Parquet", file))
    head = raw.lstrip(b"\xef\xbb\xbf \r\n\t\0")[:1]
    if head in (b"", b"<"):
        raise StudyError(refusal("web page" if head else "empty", file))
    if path.suffix.lower() in SUFFIX["Excel"]:
        notes.append(Problem("is a text file, whatever its name says", file))
    coding = encoding_of(raw, file)
    if coding in ("gb18030", "cp1252", "latin-1"):
        remedy = "Save it as UTF-8 if names look wrong"
        notes.append(Problem(Message("n_coding", coding=coding), file, remedy=remedy))
    text = io.TextIOWrapper(io.BytesIO(raw), encoding=coding, newline="")
    separator = _separator(text.read(HEAD))
    text.seek(0)
    csv.field_size_limit(LONGEST)
    number = 1
    try:
        for row in csv.reader(text, delimiter=separator, strict=True):
            # A cell that holds what looks like whole rows stands between two stray quotes.
            lines = [line for cell in row if "\n" in cell for line in cell.splitlines()[1:]]
            if any(line.count(separator) >= max(len(row) - 1, 2) for line in lines):
                raise csv.Error
            yield row
            number += 1
    except csv.Error as error:
        raise StudyError(refusal("quote", file, row=number)) from error


def _separator(head: str) -> str:
    """The separator that stands equally often in most of the first lines; the commonest of them."""
    lines = [line for line in re.sub(r'"[^"]*"', "", head).splitlines()[:50] if line.strip()]

    def agreement(separator: str) -> tuple[int, int]:
        counts = [line.count(separator) for line in lines]
        usual = max(set(counts), key=lambda count: (count > 0, counts.count(count), count))
        return (counts.count(usual) if usual else 0, usual)

    return max(SEPARATORS, key=agreement) if lines else ","


def encoding_of(raw: bytes, file: str) -> str:
    """The encoding a file's bytes are written in.

    Latin text often is valid GB 18030 as well. In Chinese text the high bytes stand in pairs; in
    Latin text an accented letter stands among plain ones.
    """
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    head = raw[:HEAD]
    for coding, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if zeros.count(0) > 0.1 * len(zeros):
            return coding
    if b"\0" in raw:
        raise StudyError(refusal("NUL", file, row=raw[: raw.index(b"\0")].count(b"\n") + 1))
    high = re.findall(rb"[\x80-\xff]+", raw)
    chinese = sum(len(run) for run in high if len(run) > 1) >= 0.5 * sum(map(len, high))
    order = ["gb18030", "cp1252"] if chinese else ["cp1252", "gb18030"]
    for coding in ("utf-8-sig", *order):
        with suppress(UnicodeDecodeError):
            raw.decode(coding)
            return coding
    return "latin-1"


def _sheets(path: Path) -> list[tuple[str, bool, Callable[[], list[list[str]]]]]:
    """Name of each sheet, whether it is visible, and what reads it; the visible ones first."""
    from python_calamine import CalamineWorkbook, SheetVisibleEnum

    _measure(path)
    book = CalamineWorkbook.from_path(path)
    sheets = [
        (sheet.name, sheet.visible == SheetVisibleEnum.Visible,
         partial(_cells, book, sheet.name, path.name))
        for sheet in book.sheets_metadata
    ]  # fmt: skip
    return sorted(sheets, key=lambda sheet: not sheet[1])


def _one_sheet(path: Path, wanted: Sequence[str], notes: list[Problem]) -> Iterator[list[str]]:
    """Rows of the sheet that holds the wanted columns, else of the first visible one."""
    sheets = _sheets(path)
    chosen, best = "", []
    for name, visible, read in sheets:
        if chosen and not visible:
            break
        rows = read()
        names = _header(rows[:TOP], wanted)[1] if rows else []
        fits = bool(wanted) and set(map(_plain, wanted)) <= set(names)
        if rows and (fits or not chosen):
            chosen, best = name, rows
        if fits:
            break
    if not chosen:
        raise StudyError(refusal("empty", path.name))
    others = [name if seen else f"{name} (hidden)" for name, seen, _ in sheets if name != chosen]
    if others:
        said = Message("one_sheet_was_read_of_several", sheet=chosen)
        notes.append(Problem(said, path.name, example=f"{chosen}, not {', '.join(others)}"))
    return iter(best)


def _cells(book: Any, name: str, file: str) -> list[list[str]]:
    """A sheet's rows as text, from its row 1 on; merged cells are filled with their value."""
    sheet = book.get_sheet_by_name(name)
    if sheet.total_height * sheet.total_width > MOST_CELLS:
        said = f"the {sheet.total_height:,} rows of its sheet {name} are"
        raise StudyError(refusal("too large", file, said))
    rows = [[str(int(v)) if isinstance(v, float) and v.is_integer() and abs(v) < 1e15 else str(v)
             for v in row] for row in sheet.to_python(skip_empty_area=False)]  # fmt: skip
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or []:
        for row in rows[top : bottom + 1]:
            row[left : right + 1] = [rows[top][left]] * len(row[left : right + 1])
    return rows


def _measure(path: Path) -> None:
    """Unpack a zip file into nothing, counting: its own word on its sizes may be false."""
    if not zipfile.is_zipfile(path):
        return
    unpacked, last_row, last_column = 0, 0, 0
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            info.file_size, info.CRC = LARGEST + 1, None  # type: ignore[assignment]
            rest = b""
            with archive.open(info) as part:
                while chunk := part.read(CHUNK):
                    unpacked += len(chunk)
                    if unpacked > LARGEST:
                        raise StudyError(refusal("too large", path.name, "it unpacks to"))
                    if not info.filename.startswith("xl/worksheets/"):
                        continue
                    for letters, digits in CELL.findall(rest + chunk):
                        last_row = max(last_row, int(digits))
                        column = sum(26**i * (c - 64) for i, c in enumerate(reversed(letters)))
                        last_column = max(last_column, column)
                    rest = chunk[-200:]
    if last_row * last_column > MOST_CELLS:
        raise StudyError(refusal("far", path.name, last_row, last_column))


def _from_parquet(path: Path, names: Sequence[str]) -> TextTable:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        headers = tuple(file.schema_arrow.names)
        wanted = {_plain(name) for name in names}
        chosen = [name for name in headers if not wanted or _plain(name) in wanted]
        rows = file.metadata.num_rows
        if rows > MOST_ROWS:
            raise StudyError(refusal("too large", path.name, f"its {rows:,} rows are"))
        groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
        parts = [group.column(j) for group in groups for j in range(group.num_columns)]
        size = sum(part.total_uncompressed_size for part in parts
                   if part.path_in_schema.split(".")[0] in chosen)  # fmt: skip
        if size > LARGEST:
            raise StudyError(refusal("too large", path.name, f"it unpacks to {size / 1e9:.1f} GB,"))
        table = file.read(columns=chosen)
    problems: list[Problem] = []
    cells: dict[str, pd.Series] = {}
    for name, place in _places([_plain(name) for name in chosen], path.name, names, 1).items():
        column = table.column(place)
        try:
            text = pc.fill_null(pc.cast(column, pa.string()), "").to_pandas().astype("str")
            cells[name] = text.mask((text == "nan") & pa.types.is_floating(column.type), "")
        except pa.ArrowException:
            problems.append(refusal("nested", path.name, column.type, column=name))
    if problems:
        raise StudyError(problems)
    frame = _inert(pd.DataFrame(cells))
    read = TextTable(frame, path.name, np.arange(2, len(frame) + 2), headers)
    return read.keep((frame != "").any(axis=1).to_numpy())
