"""Rows of Excel and Parquet files, measured before they are unpacked."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

from kalib.errors import Problem, StudyError

LARGEST = 1_000_000_000  # bytes; larger tables are scored where they lie, not read here
MOST_ROWS = 5_000_000
MOST_CELLS = 50_000_000  # of a sheet's used rectangle, blank ones too; they all take memory
CHUNK = 1 << 20
CELL = re.compile(rb'<(?:\w+:)?c [^<>]*?\br="([A-Z]{1,3})(\d{1,7})"')


def too_large(what: str, file: str) -> StudyError:
    """The refusal of a table by its size."""
    remedy = "Keep the columns and rows the study needs, or score it with kalib score"
    return StudyError(Problem(f"{what} more than is read into memory", file=file, remedy=remedy))


def sheet_rows(path: Path, wanted: Collection[str], notes: list[Problem]) -> list[list[str]]:
    """Rows of the sheet that holds the wanted columns, else of the first visible one."""
    from python_calamine import CalamineWorkbook, SheetVisibleEnum

    measure(path)
    with CalamineWorkbook.from_path(path) as book:
        visible = {s.name: s.visible == SheetVisibleEnum.Visible for s in book.sheets_metadata}
        first = ""
        for name in sorted(book.sheet_names, key=lambda sheet: not visible.get(sheet, True)):
            if not visible.get(name, True) and first:
                continue
            rows = _sheet(book.get_sheet_by_name(name), path.name)
            if not rows:
                continue
            if not first:
                first, chosen, best = name, name, rows
            if wanted and _has(rows, wanted):
                chosen, best = name, rows
                break
        if not first:
            raise StudyError(Problem("the file is empty", file=path.name, remedy="Export it again"))
        others = [name if visible.get(name, True) else f"{name} (hidden)"
                  for name in book.sheet_names if name != chosen]  # fmt: skip
    if others:
        notes.append(
            Problem("one sheet was read of several", file=path.name,
                    example=f"{chosen}, not {', '.join(others)}")
        )  # fmt: skip
    return best


def all_sheets(path: Path) -> dict[str, list[list[str]]]:
    """Name -> rows of every visible sheet that holds anything."""
    from python_calamine import CalamineWorkbook, SheetVisibleEnum

    measure(path)
    with CalamineWorkbook.from_path(path) as book:
        names = [s.name for s in book.sheets_metadata if s.visible == SheetVisibleEnum.Visible]
        sheets = {name: _sheet(book.get_sheet_by_name(name), path.name) for name in names}
    return {name: rows for name, rows in sheets.items() if rows}


def parquet_columns(
    path: Path, wanted: Collection[str], problems: list[Problem]
) -> tuple[tuple[str, ...], dict[str, list[str]]]:
    """All headers, and column -> cells as text of those wanted (all where wanted is empty).

    problems: columns of a type that is not one figure or text a row.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        headers = tuple(file.schema_arrow.names)
        asked = {" ".join(name.split()) for name in wanted}
        names = [name for name in headers if not wanted or " ".join(name.split()) in asked]
        rows = file.metadata.num_rows
        if rows > MOST_ROWS:
            raise too_large(f"its {rows:,} rows are", path.name)
        groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
        size = sum(
            group.column(j).total_uncompressed_size
            for group in groups
            for j in range(group.num_columns)
            if group.column(j).path_in_schema.split(".")[0] in names
        )
        if size > LARGEST:
            raise too_large(f"it unpacks to {size / 1e9:.1f} GB,", path.name)
        table = file.read(columns=names)
    cells = {}
    for name in names:
        column = table.column(name)
        try:
            text = pc.fill_null(pc.cast(column, pa.string()), "")
        except pa.ArrowException:
            problems.append(
                Problem(f"holds {column.type}, not one figure or text a row", file=path.name,
                        column=name, remedy="Store it as text or number")
            )  # fmt: skip
            text = pa.array([""] * rows)
        numeric = pa.types.is_floating(column.type)
        cells[name] = ["" if numeric and cell == "nan" else cell for cell in text.to_pylist()]
    return headers, cells


def measure(path: Path) -> None:
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
                        raise too_large("it unpacks to", path.name)
                    if not info.filename.startswith("xl/worksheets/"):
                        continue
                    for letters, digits in CELL.findall(rest + chunk):
                        last_row = max(last_row, int(digits))
                        column = sum(26**i * (c - 64) for i, c in enumerate(reversed(letters)))
                        last_column = max(last_column, column)
                    rest = chunk[-200:]
    if last_row * last_column > MOST_CELLS:
        raise StudyError(
            Problem(f"a sheet reaches to row {last_row:,} and column {last_column:,}",
                    file=path.name, remedy="Delete what stands far outside the table")
        )  # fmt: skip


def _sheet(sheet: Any, file: str) -> list[list[str]]:
    """A sheet's rows as text, from its row 1 on; merged cells are filled with their value."""
    if sheet.total_height * sheet.total_width > MOST_CELLS:
        raise too_large(f"the {sheet.total_height:,} rows of its sheet {sheet.name} are", file)
    rows = [[cell_text(value) for value in row] for row in sheet.to_python(skip_empty_area=False)]
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or []:
        for row in rows[top : bottom + 1]:
            row[left : right + 1] = [rows[top][left]] * len(row[left : right + 1])
    return rows


def cell_text(value: object) -> str:
    """A cell's value as it would stand in a CSV file."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _has(rows: list[list[str]], wanted: Collection[str]) -> bool:
    return any(set(wanted) <= {cell.strip() for cell in row} for row in rows[:20])
