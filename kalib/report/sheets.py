"""An open workbook: its formats, and tables as sheets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import pandas as pd

from kalib.plots.theme import letters_of
from kalib.report.exhibit import Exhibit
from kalib.study.settings import ZONES

MONEY, SHARE, CHANCE = "#,##0", "0.0%", "0%"
ZONE_FILLS = dict(zip(ZONES, ("#F9D9C3", "#CFE3F2", "#E4E4E4", "#F4EDCB"), strict=True))
WIDEST = 60  # letters; longer cells are wrapped
PLAIN = re.compile(r"[-+]?[\d,]*\.?(\d*)(%?)")


class Sheets:
    """A workbook being written. head, title, bold, wrap, alarm: formats; typed: cells to type in,
    by number format; numbers: by number format; zones: fills by zone."""

    def __init__(self, book: Any) -> None:
        def style(**how: Any) -> Any:
            return book.add_format(how)

        self.book = book
        self.head = style(bold=True, bg_color="#E6EDF3", bottom=1, text_wrap=True, valign="top")
        self.title = style(bold=True, font_size=14)
        self.bold = style(bold=True)
        self.wrap = style(text_wrap=True, valign="top")
        self.alarm = style(bg_color="#F8C9C9")
        typed = {"bg_color": "#FFF8DC", "border": 1, "border_color": "#E2D9B0"}
        self.typed = {code: style(num_format=code, **typed) for code in (MONEY, SHARE, "@")}
        self.numbers = {code: style(num_format=code) for code in (MONEY, SHARE, CHANCE)}
        self.zones = {zone: style(bg_color=color) for zone, color in ZONE_FILLS.items()}

    def add(self, name: str) -> Any:
        """A new sheet that prints across one landscape page, its header on each."""
        sheet = self.book.add_worksheet(name, worksheet_class=_plain_sheet())
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(0)
        return sheet

    def exhibit(self, name: str, table: Exhibit) -> None:
        """A sheet with a table made for reading; its plain numbers become numbers."""
        columns = []
        for column in table.frame.columns:
            cells = table.frame[column].astype(str).tolist()
            columns.append((str(column), cells, "plain" if column in table.numbers else ""))
        self.table(name, table.title, columns)

    def table(
        self, name: str, title: str, columns: Sequence[tuple[str, Sequence[Any], str]]
    ) -> None:
        """A sheet of one table below its title; columns: (header, cells, number format, "" for
        text or "plain" for numbers written as text)."""
        sheet = self.add(name)
        for j, (header, cells, code) in enumerate(columns):
            letters = (9 if code else letters_of(str(cell)) for cell in cells)
            width = max([letters_of(header), *letters])
            sheet.set_column(j, j, min(max(width + 2, 10), WIDEST), None if code else self.wrap)
        sheet.write_string(0, 0, title, self.title)
        for j, (header, _, _) in enumerate(columns):
            sheet.write_string(2, j, header, self.head)
        rows = list(zip(*(cells for _, cells, _ in columns), strict=True))
        codes = [code for _, _, code in columns]
        for i, row in enumerate(rows, start=3):
            for j, (cell, code) in enumerate(zip(row, codes, strict=True)):
                self._cell(sheet, i, j, cell, code)
        if rows:
            sheet.autofilter(2, 0, 2 + len(rows), len(columns) - 1)
        sheet.freeze_panes(3, 1)

    def text(self, name: str, lines: Sequence[str]) -> None:
        """A sheet of lines."""
        sheet = self.add(name)
        sheet.set_column(0, 0, 110, self.wrap)
        for i, line in enumerate(lines):
            sheet.write_string(i, 0, line.strip())

    def _cell(self, sheet: Any, i: int, j: int, cell: Any, code: str) -> None:
        if cell is None or cell == "" or (isinstance(cell, float) and pd.isna(cell)):
            return
        if code == "plain":
            found = PLAIN.fullmatch(cell)
            if found is None or not re.search(r"\d", cell):
                sheet.write_string(i, j, cell, self._right())
                return
            digits, percent = len(found[1] or "") if "." in cell else 0, bool(found[2])
            code = "#,##0" + ("." + "0" * digits if digits else "") + found[2]
            cell = float(cell.replace(",", "").rstrip("%")) / (100 if percent else 1)
        if code:
            sheet.write_number(i, j, float(cell), self._number(code))
        else:
            sheet.write_string(i, j, str(cell))

    def _number(self, code: str) -> Any:
        if code not in self.numbers:
            self.numbers[code] = self.book.add_format({"num_format": code})
        return self.numbers[code]

    def _right(self) -> Any:
        if "right" not in self.numbers:
            self.numbers["right"] = self.book.add_format({"align": "right"})
        return self.numbers["right"]


@cache
def _plain_sheet() -> type:
    """Worksheets whose formulas go to the file as they are: looking each one over for functions
    of newer programs, none of which we use, takes a third of the time."""
    from xlsxwriter.worksheet import Worksheet

    class PlainSheet(Worksheet):  # type: ignore[misc]
        def _prepare_formula(self, formula: str, expand_future_functions: bool = False) -> str:
            return formula.removeprefix("=")

    return PlainSheet
