"""accounts.xlsx: every account, with live formulas for share of wallet and zone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from kalib.analysis import Analysis
from kalib.report import exhibits, rosters
from kalib.report.exhibits import Exhibit
from kalib.report.findings import Findings

MONEY, SHARE, CHANCE = "#,##0", "0.0%", "0%"
# A sentence of the summary runs over these columns, which hold so many letters a line.
SENTENCE_COLUMNS, SENTENCE_LETTERS = 6, 100
ZONE_FILLS = {
    "attack": "#F9D9C3", "defense": "#CFE3F2", "maintenance": "#E4E4E4", "watch": "#F4EDCB",
}  # fmt: skip
# Column of the accounts sheet -> (source column or "" where it is typed or computed, format).
COLUMNS = {
    "account": ("", ""), "name": ("name", ""), "region": ("region", ""),
    "segment": ("segment", ""), "sales": ("sales", MONEY),
    "estimated potential": ("potential", MONEY), "low": ("potential_low", MONEY),
    "high": ("potential_high", MONEY), "source": ("potential_source", ""),
    "override potential": ("", MONEY), "override by": ("", ""), "override reason": ("", ""),
    "potential": ("", MONEY), "SOW": ("", SHARE), "zone": ("", ""),
    "zone probability": ("zone_probability", CHANCE), "change": ("change", ""),
    "team": ("team", ""), "rep": ("rep", ""), "target sales": ("target_sales", MONEY),
    "target growth": ("target_growth", MONEY), "flags": ("flags", ""),
}  # fmt: skip
WIDTHS = {"account": 12, "name": 26, "override reason": 26, "rep": 18, "flags": 24}


def write_workbook(analysis: Analysis, findings: Findings, path: Path) -> None:
    """Write the workbook: summary, accounts, attack, defense, moves, visit list, formula,
    codebook. Client text stays text, whatever it begins with."""
    import xlsxwriter

    options = {"strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": True}
    with xlsxwriter.Workbook(str(path), options) as book:
        book.set_properties({"title": analysis.study.title, "author": analysis.study.report.author})
        writer = _Writer(book)
        _summary(writer, analysis, findings)
        _accounts(writer, analysis)
        everyone = len(analysis.plan.accounts)
        for name, build in (
            ("Attack", _zone_list(analysis, "attack")),
            ("Defense", _zone_list(analysis, "defense")),
            ("Moves", _moves(analysis)),
            ("Visit list", rosters.below_market(analysis, everyone)),
            ("Hand-over", rosters.handover(analysis, everyone)),
            ("Formula", exhibits.terms(analysis)),
            ("Checks", exhibits.checks(analysis)),
            ("Suspect entries", exhibits.suspects(analysis)),
        ):
            writer.exhibit(name, build)
        codebook = analysis.study.folder / "codebook.md"
        if codebook.exists():
            writer.text("Codebook", codebook.read_text(encoding="utf-8").splitlines())


class _Writer:
    """An open workbook and its formats."""

    def __init__(self, book: Any) -> None:
        self.book = book
        self.head = book.add_format(
            {"bold": True, "bg_color": "#E6EDF3", "bottom": 1, "text_wrap": True, "valign": "top"}
        )
        self.title = book.add_format({"bold": True, "font_size": 14})
        self.bold = book.add_format({"bold": True})
        self.wrap = book.add_format({"text_wrap": True, "valign": "top"})
        self.typed = {
            code: book.add_format({"bg_color": "#FFF8DC", "locked": False, "num_format": code})
            for code in (MONEY, SHARE, "@")
        }
        self.numbers = {
            code: book.add_format({"num_format": code}) for code in (MONEY, SHARE, CHANCE)
        }

    def sheet(self, name: str) -> Any:
        """A new sheet that prints across one landscape page."""
        sheet = self.book.add_worksheet(name)
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.fit_to_pages(1, 0)
        return sheet

    def exhibit(self, name: str, table: Exhibit) -> None:
        """A sheet with one table of text."""
        sheet = self.sheet(name)
        sheet.write_string(0, 0, table.title, self.title)
        self.rows(sheet, 2, table)
        sheet.freeze_panes(3, 1)

    def rows(self, sheet: Any, top: int, table: Exhibit) -> int:
        """A table from row top on; returns the row after it."""
        for j, column in enumerate(table.frame.columns):
            cells = table.frame[column].astype(str)
            widest = max([len(str(column)), *cells.str.len()], default=8)
            sheet.set_column(j, j, min(max(widest + 2, 9), 60))
            sheet.write_string(top, j, str(column), self.head)
            for i, cell in enumerate(cells, start=top + 1):
                sheet.write_string(i, j, cell)
        if len(table.frame):
            sheet.autofilter(top, 0, top + len(table.frame), len(table.frame.columns) - 1)
        return top + len(table.frame) + 2

    def text(self, name: str, lines: Sequence[str]) -> None:
        """A sheet of lines."""
        sheet = self.sheet(name)
        sheet.set_column(0, 0, 110, self.wrap)
        for i, line in enumerate(lines):
            sheet.write_string(i, 0, line.strip())


def _summary(writer: _Writer, analysis: Analysis, findings: Findings) -> None:
    words = exhibits.words_of(analysis)
    sheet = writer.sheet("Summary")
    sheet.set_column(0, 0, 30)
    sheet.set_column(1, 6, 16)
    sheet.write_string(0, 0, analysis.study.title, writer.title)
    sheet.write_string(1, 0, words.say("period", period=analysis.study.period))
    cuts = (
        ("potential cut (change me)", analysis.matrix.potential_cut, MONEY, "potential_cut"),
        ("SOW cut (change me)", analysis.matrix.sow_cut, SHARE, "sow_cut"),
    )
    for row, (label, value, code, name) in enumerate(cuts, start=3):
        sheet.write_string(row, 0, label, writer.bold)
        if pd.notna(value):
            sheet.write_number(row, 1, value, writer.typed[code])
        writer.book.define_name(name, f"=Summary!$B${row + 1}")
    sheet.data_validation(4, 1, 4, 1, {"validate": "decimal", "criteria": "between",
                                       "minimum": 0, "maximum": 1})  # fmt: skip
    last = len(analysis.plan.accounts) + 1
    zone = _letter("zone")
    amounts = {"potential": _letter("potential"), "sales": "E"}
    for j, name in enumerate(("zone", "accounts", "potential", "sales", "SOW")):
        sheet.write_string(6, j, name, writer.head)
    targets = analysis.plan.targets
    potential = analysis.plan.accounts.groupby("zone")["potential"].sum()
    for i, name in enumerate(ZONE_FILLS, start=7):
        zones = f"Accounts!${zone}$2:${zone}${last}"
        held = float(potential.get(name, 0.0))
        sold = float(targets.at[name, "sales"])
        sheet.write_string(i, 0, name, writer.bold)
        sheet.write_formula(i, 1, f'=COUNTIF({zones},A{i + 1})', writer.numbers[MONEY],
                            int(targets.at[name, "accounts"]))  # fmt: skip
        for j, (column, value) in enumerate(zip(amounts.values(), (held, sold), strict=True), 2):
            cells = f"Accounts!${column}$2:${column}${last}"
            sheet.write_formula(i, j, f"=SUMIF({zones},A{i + 1},{cells})",
                                writer.numbers[MONEY], value)  # fmt: skip
        sheet.write_formula(i, 4, f'=IF(C{i + 1}>0,D{i + 1}/C{i + 1},"")', writer.numbers[SHARE],
                            sold / held if held else "")  # fmt: skip
    row = 12
    for key, lines in (("found", findings.found), ("do", findings.do), ("sure", findings.sure)):
        sheet.write_string(row, 0, words.say(key), writer.bold)
        for line in lines:
            row += 1
            sheet.merge_range(row, 0, row, SENTENCE_COLUMNS - 1, "", writer.wrap)
            sheet.write_string(row, 0, line, writer.wrap)
            sheet.set_row(row, 15 * (1 + len(line) // SENTENCE_LETTERS))
        row += 2


def _accounts(writer: _Writer, analysis: Analysis) -> None:
    """The accounts, one a row; potential, SOW and zone follow the override and the cuts."""
    sheet = writer.sheet("Accounts")
    accounts = analysis.plan.accounts
    for j, column in enumerate(COLUMNS):
        sheet.set_column(j, j, WIDTHS.get(column, 13))
        sheet.write_string(0, j, column, writer.head)
    sheet.freeze_panes(1, 2)
    sheet.autofilter(0, 0, max(len(accounts), 1), len(COLUMNS) - 1)
    place = {name: j for j, name in enumerate(COLUMNS)}
    for name, (source, code) in COLUMNS.items():
        if source:
            _column(sheet, place[name], accounts[source], writer.numbers.get(code))
    for i, account in enumerate(accounts.index, start=1):
        sheet.write_string(i, 0, str(account))
    _formulas(writer, sheet, accounts, place)
    last = max(len(accounts), 1)
    override = place["override potential"]
    sheet.data_validation(1, override, last, override, {
        "validate": "decimal", "criteria": ">", "value": 0, "ignore_blank": True,
        "error_title": "Potential", "error_message": "Potential is above zero.",
    })  # fmt: skip
    for zone, color in ZONE_FILLS.items():
        sheet.conditional_format(1, place["zone"], last, place["zone"], {
            "type": "cell", "criteria": "==", "value": f'"{zone}"',
            "format": writer.book.add_format({"bg_color": color}),
        })  # fmt: skip


def _formulas(writer: _Writer, sheet: Any, accounts: pd.DataFrame, place: dict[str, int]) -> None:
    """Override cells to type in, and the live columns with their present values."""
    estimate, override = _letter("estimated potential"), _letter("override potential")
    used, share = _letter("potential"), _letter("SOW")
    values = accounts[["potential", "sow", "zone"]].itertuples(index=False, name=None)
    for i, (potential, sow, zone) in enumerate(values, start=1):
        r = i + 1
        known = pd.notna(potential)
        sheet.write_blank(i, place["override potential"], None, writer.typed[MONEY])
        sheet.write_blank(i, place["override by"], None, writer.typed["@"])
        sheet.write_blank(i, place["override reason"], None, writer.typed["@"])
        sheet.write_formula(
            i, place["potential"],
            f'=IF({override}{r}<>"",{override}{r},IF({estimate}{r}<>"",{estimate}{r},""))',
            writer.numbers[MONEY], potential if known else "",
        )  # fmt: skip
        sheet.write_formula(
            i, place["SOW"], f'=IF({used}{r}="","",E{r}/{used}{r})', writer.numbers[SHARE],
            sow if known else "",
        )  # fmt: skip
        sheet.write_formula(
            i, place["zone"],
            f'=IF({used}{r}="","",IF({used}{r}>=potential_cut,'
            f'IF({share}{r}>=sow_cut,"defense","attack"),'
            f'IF({share}{r}>=sow_cut,"maintenance","watch")))',
            None, zone,
        )  # fmt: skip


def _column(sheet: Any, j: int, values: pd.Series, number: Any) -> None:
    """One column: numbers as numbers, the rest as text, blanks left blank."""
    numeric = pd.api.types.is_numeric_dtype(values)
    for i, value in enumerate(values, start=1):
        if pd.isna(value) or value == "":
            continue
        if numeric:
            sheet.write_number(i, j, float(value), number)
        else:
            sheet.write_string(i, j, str(value))


def _letter(column: str) -> str:
    """The sheet's letter of an accounts column."""
    from xlsxwriter.utility import xl_col_to_name

    return str(xl_col_to_name(list(COLUMNS).index(column)))


def _zone_list(analysis: Analysis, zone: str) -> Exhibit:
    accounts = analysis.plan.accounts
    chosen = accounts[accounts["zone"] == zone]
    title = f"Accounts of the {zone} zone"
    return rosters.account_list(analysis, chosen, title, "potential", len(accounts))


def _moves(analysis: Analysis) -> Exhibit:
    accounts = analysis.plan.accounts
    chosen = accounts[accounts["change"].isin(["promoted", "demoted"])]
    table = rosters.account_list(analysis, chosen, "Promoted and demoted", "potential",
                                  len(accounts))  # fmt: skip
    order = chosen["change"].to_dict()
    words = exhibits.words_of(analysis)
    ids = table.frame[words.say("account")]
    frame = table.frame.assign(**{words.say("change"): [words.say(order[a]) for a in ids]})
    return Exhibit(table.title, frame, table.numbers)
