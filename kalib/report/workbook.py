"""accounts.xlsx: every account with live share of wallet and zone, and each list to work from.

Amounts are written in full, in the unit of the tables, so that they can be added up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from textwrap import wrap
from typing import Any

import pandas as pd
import xlsxwriter
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.utility import xl_col_to_name

from kalib.analysis import Analysis
from kalib.files import beside
from kalib.plots.theme import letters_of
from kalib.report import tables
from kalib.report.explorer import MOST, SAMPLE, shown
from kalib.report.story import Story, given
from kalib.study.settings import ZONES
from kalib.words.catalogue import Words
from kalib.words.table import TABLES, TEXT, Table

MONEY = "#,##0"
LINE = 15  # points, of a row's height
HEADS = 3  # row of a table's heads: title, rule and sums stand above
WIDEST = 60  # letters; longer cells are wrapped
SENTENCE_COLUMNS, SENTENCE_LETTERS = 7, 135  # of the summary: a sentence's columns, their letters
MOST_REPS = 60  # reps with a sheet of their own
BOOK = beside(__file__)
NOT_BY_ACCOUNT = ("scenarios", "terms", "checks", "suspects")  # tables; others have a row each
COLUMNS: dict[str, str] = TABLES["accounts_sheet"]["columns"]
LETTER = {name: xl_col_to_name(j) for j, name in enumerate(COLUMNS)}  # of each in the sheet


def write_workbook(analysis: Analysis, story: Story, path: Path) -> None:
    """Write the workbook. Client text stays text, whatever it begins with."""
    # Lists and sums alike in the unit that each sheet names.
    words = replace(story.words, scale=story.words.unit()[0], sums=0.0)
    accounts, study = analysis.plan.accounts, analysis.study
    with _workbook(path, constant_memory=len(accounts) > MOST) as book:
        book.set_properties({"title": study.title, "author": given(study.report.author)})
        sheets = _Sheets(book, words, story.draft)
        _summary(sheets, analysis, story)
        _write_accounts(sheets, analysis, story.holds("planned"))
        for name, of in BOOK["sheets"].items():
            most = 0 if of in NOT_BY_ACCOUNT else min(len(accounts), SAMPLE)
            table = tables.build(of, analysis, words, most)
            if len(table.frame) and (story.holds("planned") or name not in BOOK["planned"]):
                sheets.table(words.say(name), table)
        if analysis.codebook:
            sheets.markdown(words.say("codebook_2"), analysis.codebook)
        sheets_of_reps = MOST_REPS if story.holds("planned") else 0
        for rep, table in tables.rep_lists(analysis, words, sheets_of_reps).items():
            sheets.table(words.rep(rep), table)


@contextmanager
def _workbook(path: Path, **options: Any) -> Iterator[xlsxwriter.Workbook]:
    """A workbook that is written when the block ends; what the system refuses stays its OSError."""
    options |= {"strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": True}
    options["in_memory"] = True  # nothing of the client's lies elsewhere where a run is killed
    try:
        with xlsxwriter.Workbook(str(path), options) as book:
            yield book
    except FileCreateError as error:
        raise error.args[0] from error


class _Sheets:
    """A workbook being written: its formats, and tables as sheets."""

    def __init__(self, book: Any, words: Words, draft: str) -> None:
        self.book, self.words, self.draft = book, words, draft
        self.look = {name: self.style(**how) for name, how in BOOK["looks"].items()}
        self.zones = {zone: self.style(bg_color=color) for zone, color in BOOK["zones"].items()}
        self.typed = {name: self.style(num_format=code, **BOOK["yellow"])
                      for name, code in BOOK["typed"].items()}  # fmt: skip
        self.number = cache(
            lambda code: self.style(num_format=code, valign="top") if code else None
        )
        self._names: set[str] = set()

    def style(self, **how: Any) -> Any:
        """A new format."""
        return self.book.add_format(how)

    def add(self, name: str, head: int = 0) -> Any:
        """A new sheet that prints across one landscape page, its row of heads on each, its name
        and page below; a name that Excel does not take is cut and told apart."""
        plain = re.sub(r"[\[\]:*?/\\]", " ", name).strip(" '")[:28] or "–"
        shown, n = plain, 2
        while shown.lower() in self._names:
            shown, n = f"{plain[:25]} {n}", n + 1
        self._names.add(shown.lower())
        sheet = self.book.add_worksheet(shown)
        # Looking each formula over for functions of newer programs takes a third of the time.
        sheet._prepare_formula = lambda formula, _=False: formula.removeprefix("=")
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.fit_to_pages(1, 0)
        sheet.set_margins(0.4, 0.4, 0.6, 0.6)
        sheet.repeat_rows(head)
        if self.draft:
            sheet.set_header(f"&R{self.draft}")
        sheet.set_footer("&L&A&R&P / &N")
        return sheet

    def table(self, name: str, table: Table) -> None:
        """A sheet of one table below its title and rule, numbers as numbers; amounts are summed
        over what a filter leaves."""
        table, sheet = _ends_apart(table), self.add(name, HEADS)
        title = f"{table.title} · {self.draft}" if self.draft else table.title
        sheet.write_string(0, 0, title, self.look["title"])
        widths = []
        for head, (column, kind) in zip(table.heads, table.kinds.items(), strict=True):
            text = kind in TEXT
            cells = [table.written(c, kind) for c in table.frame[column]] if text else []
            widths.append(min(max(8, *map(letters_of, [*head.split(), *cells])) + 2, WIDEST))
            sheet.set_column(len(widths) - 1, len(widths) - 1, widths[-1],
                             self.look["wrap"] if cells else None)  # fmt: skip
        if table.rule:
            sheet.set_row(1, LINE * (1 + letters_of(table.rule) // sum(widths)))
            sheet.merge_range(1, 0, 1, len(widths) - 1, table.rule, self.look["wrap"])
        rows = len(table.frame)
        last = HEADS + 1 + rows
        for j, (column, kind) in enumerate(table.kinds.items()):
            # Above the heads: rows are written in order.
            if kind in ("amount", "money") and rows and column not in BOOK["unsummed"]:
                letter = xl_col_to_name(j)
                summed = f"=SUBTOTAL(109,{letter}{HEADS + 2}:{letter}{last})"
                total = float(table.frame[column].astype(float).sum())
                sheet.write_formula(HEADS - 1, j, summed, self.number(MONEY), total)
                sheet.write_string(HEADS - 1, 0, self.words.say("total"), self.look["bold"])
        # Marks of the filter cover the end of a line.
        lines = map(len, map(wrap, table.heads, [width - 2 for width in widths]))
        sheet.set_row(HEADS, LINE * max(lines))
        for j, (head, number) in enumerate(zip(table.heads, table.numbers, strict=True)):
            sheet.write_string(HEADS, j, head, self.look["head_number" if number else "head"])
        self.fill(sheet, HEADS + 1, table, widths)
        if rows:
            sheet.autofilter(HEADS, 0, HEADS + rows, len(table.kinds) - 1)
        sheet.freeze_panes(HEADS + 1, 1)

    def fill(self, sheet: Any, top: int, table: Table, widths: Sequence[int] = ()) -> None:
        """The rows of a table from row top on, one at a time: what the file takes without holding
        the sheet in memory. "live" cells are pairs of formula and result."""
        kinds = list(table.kinds.items())
        styles = [self.typed.get(name) or self.number(BOOK["live_formats"].get(name, ""))
                  for name, _ in kinds]  # fmt: skip
        columns = [table.frame[name] for name, _ in kinds]
        for i, row in enumerate(zip(*columns, strict=True), start=top):
            long = [letters_of(str(cell)) for cell, width in zip(row, widths, strict=False)
                    if width == WIDEST]  # fmt: skip
            if max(long, default=0) > WIDEST - 2:
                sheet.set_row(i, LINE * (1 + max(long) // (WIDEST - 2)))
            for j, (cell, (name, kind)) in enumerate(zip(row, kinds, strict=True)):
                if kind == "mixed":
                    kind, cell = cell
                if kind == "live":
                    sheet.write_formula(i, j, cell[0], styles[j], cell[1])
                elif kind in TEXT:
                    if text := table.written(cell, kind):
                        sheet.write_string(i, j, text, styles[j])
                elif cell is not None and not pd.isna(cell):
                    size = abs(float(cell))
                    code = "0.000" if size < 1 else "0.0" if size < 100 else MONEY
                    code = BOOK["formats"].get(name, BOOK["formats"].get(kind, code))
                    sheet.write_number(i, j, float(cell), styles[j] or self.number(code))

    def markdown(self, name: str, text: str) -> None:
        """A sheet of a Markdown text: headings bold, tables as cells."""
        sheet = self.add(name)
        sheet.set_column(0, 0, 34, self.look["wrap"])
        sheet.set_column(1, 6, 40, self.look["wrap"])
        plain = re.sub(r"\*+(\S.*?)\*+|`(.+?)`", r"\1\2", text)
        lines = [line.strip() for line in plain.splitlines()]
        rules = {i for i, line in enumerate(lines) if line and set(line) <= set("|-: ")}
        for i, line in enumerate(lines):
            if line.startswith("|") and i not in rules:
                cells = [cell.strip() for cell in line.strip("|").split("|")]
                look = self.look["head" if i + 1 in rules else "wrap"]
                sheet.write_row(i, 0, cells, look)
                sheet.set_row(i, LINE * max(1 + letters_of(cell) // 40 for cell in cells))
            elif line.startswith("#"):
                sheet.write_string(i, 0, line.lstrip("# "), self.look["bold"])
            elif line and i not in rules:
                sheet.merge_range(i, 0, i, 3, line, self.look["wrap"])
                sheet.set_row(i, LINE * (1 + letters_of(line) // 140))


def _ends_apart(table: Table) -> Table:
    """A table with the ends of an interval in two columns, as numbers."""
    if "range" not in table.kinds:
        return table
    place, ends = list(table.kinds).index("range"), table.frame["range"]
    kinds, heads = list(table.kinds.items()), list(table.heads)
    kinds[place : place + 1] = [("low", "amount"), ("high", "amount")]
    heads[place : place + 1] = [table.words.say("low"), table.words.say("high")]
    frame = table.frame.assign(low=[end[0] for end in ends], high=[end[1] for end in ends])
    return replace(table, kinds=dict(kinds), heads=heads, frame=frame)


def _summary(sheets: _Sheets, analysis: Analysis, story: Story) -> None:
    """The headline, the cuts, the zones, and what the story says."""
    words, study, matrix = sheets.words, analysis.study, analysis.matrix
    name = words.say("summary_2")
    sheet = sheets.add(name)
    sheet.set_column(0, 0, 34)
    sheet.set_column(1, SENTENCE_COLUMNS, 17)
    sheet.set_portrait()
    sheet.fit_to_pages(1, 1)
    sheet.write_string(0, 0, study.title, sheets.look["title"])
    about = (story.draft, story.period, story.byline,
             words.say("verdict_is", verdict=analysis.verdict.verdict))  # fmt: skip
    sheet.write_string(1, 0, " · ".join(part for part in about if part))
    headline = story.say(story.headline)
    sheet.set_row(2, LINE * (1 + letters_of(headline) // SENTENCE_LETTERS))
    sheet.merge_range(2, 0, 2, SENTENCE_COLUMNS - 1, headline, sheets.look["bold_wrap"])
    for row, (term, code) in enumerate(BOOK["cuts"].items(), start=4):
        sheet.write_string(row, 0, words.say(term))
        if pd.notna(value := getattr(matrix, term)):
            sheet.write_number(row, 1, value, sheets.number(code))
        sheets.book.define_name(term, f"='{name}'!$B${row + 1}")
    sheet.write_string(7, 0, words.say("amounts_in", unit=words.yearly()))
    zones = tables.build("zones", analysis, words)
    for j, head in enumerate(zones.heads):
        sheet.write_string(8, j, head, sheets.look["head_number" if j else "head"])
    sheets.fill(sheet, 9, zones)
    row, use = 15, ["workbook_use", *["sampled"] * (len(analysis.plan.accounts) > MOST)]
    use += ["l_names"] * story.holds("names_cut")
    for key, parts in BOOK["summary"].items():
        told = [claim for part in parts for claim in getattr(story, part)]
        lines = story.said(told) if parts else [words.say(key, **story.facts) for key in use]
        if not lines:
            continue
        sheet.write_string(row, 0, words.say(key), sheets.look["bold"])
        for line in lines:
            row += 1
            sheet.set_row(row, LINE * (1 + letters_of(line) // SENTENCE_LETTERS))
            sheet.merge_range(row, 0, row, SENTENCE_COLUMNS - 1, line, sheets.look["wrap"])
        row += 2


def _write_accounts(sheets: _Sheets, analysis: Analysis, planned: bool) -> None:
    """One row an account that is shown, in the order of the client's table."""
    words, accounts = sheets.words, shown(analysis)
    sheet, last = sheets.add(words.say("accounts_2")), max(len(accounts), 1)
    heads = list(map(words.say, COLUMNS))
    numbers = [kind not in TEXT and name != "zone" for name, kind in COLUMNS.items()]
    for j, (column, number) in enumerate(zip(COLUMNS, numbers, strict=True)):
        style = sheets.typed.get(column) or (None if number else sheets.look["side"])
        sheet.set_column(j, j, BOOK["widths"].get(column, 11), style)
        sheet.write_string(0, j, heads[j], sheets.look["head_number" if number else "head"])
    sheet.set_row(0, 2 * LINE)
    sheet.fit_to_pages(2, 0)  # on the second page beside the name again
    sheet.repeat_columns(0, 1)
    sheet.freeze_panes(1, 2)
    sheet.autofilter(0, 0, last, len(COLUMNS) - 1)
    source, overridden = accounts["estimate_source"], accounts["override_reason"] != ""
    results = {"potential": accounts["potential"], "sow_2": accounts["sow"],
               "zone": accounts["zone"].map(words.word), "gap": accounts["gap"]}  # fmt: skip
    accounts = accounts if planned else accounts.assign(**BOOK["unplanned"])
    said = {code: words.say(f"flagged_{code}") for code in BOOK["flags"]}
    frame = accounts.rename(columns={
        "estimate": "estimated_potential", "potential_low": "low", "potential_high": "high"
    }).assign(
        flags=["; ".join(said.get(code, code) for code in codes.split(";"))
               for codes in accounts["flags"]],
        source_2=("source_" + source).where(source != "", ""),
        override_potential=accounts["potential"].where(overridden),
        **{name: _live(name, values, words) for name, values in results.items()},
    )  # fmt: skip
    sheets.fill(sheet, 1, Table("", COLUMNS, frame, words, heads))
    _guide(sheets, sheet, last)


def _live(name: str, results: pd.Series, words: Words) -> list[tuple[str, Any]]:
    """Each row's formula of a live column, and what the run found."""
    formula = BOOK["live"][name].format(**LETTER)
    for zone in ZONES:
        formula = formula.replace(f'"{zone}"', f'"{words.say(zone)}"')
    found = results.astype(object).where(results.notna(), "")
    return [
        (formula.replace("#", str(row)).replace('"found"', f'"{result}"'), result)
        for row, result in enumerate(found, start=2)
    ]


def _guide(sheets: _Sheets, sheet: Any, last: int) -> None:
    """What may be typed, and colors that follow the values."""
    words = sheets.words

    def rows(column: str) -> str:
        return f"{LETTER[column]}2:{LETTER[column]}{last + 1}"

    asked = {how: words.say(key) for how, key in BOOK["asked"].items()}
    sheet.data_validation(rows("override_potential"), BOOK["validation"] | asked)
    for column, formula in BOOK["alarms"].items():
        holds = formula.format(**LETTER)
        alarm = {"type": "formula", "format": sheets.look["alarm"], "criteria": holds}
        sheet.conditional_format(rows(column), alarm)
    for zone, style in sheets.zones.items():
        said = {"type": "cell", "criteria": "==", "value": f'"{words.say(zone)}"', "format": style}
        sheet.conditional_format(rows("zone"), said)
