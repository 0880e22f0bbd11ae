"""accounts.xlsx: every account with live share of wallet and zone, and each list to work from.

Amounts are written in full, so that they can be added up; the documents count them in thousands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from kalib.analysis import Analysis
from kalib.plots.theme import letters_of
from kalib.report import tables
from kalib.report.story import Story, given
from kalib.report.tables import Table
from kalib.study.settings import ZONES
from kalib.words.catalogue import Words

if TYPE_CHECKING:
    import xlsxwriter

MONEY, SHARE, CHANCE = "#,##0", "0.0%", "0%"
# How a table's cells are written -> number format.
FORMATS = {
    "amount": MONEY,
    "money": MONEY,
    "whole": MONEY,
    "percent": CHANCE,
    "share": SHARE,
    "signed": "+0%;-0%;0%",
    "number1": "#,##0.0",
    "number2": "0.00",
    "points": "+0.00;-0.00",
}
ZONE_FILLS = dict(zip(ZONES, ("#F9D9C3", "#CFE3F2", "#E4E4E4", "#F4EDCB"), strict=True))
WIDEST = 60  # letters; longer cells are wrapped
LARGE = 20_000  # accounts from which on rows go to the file as they come
# A sentence of the summary runs over these columns, which hold so many letters a line.
SENTENCE_COLUMNS, SENTENCE_LETTERS = 6, 110
MOST_REPS = 60  # reps with a sheet of their own
# Column of the accounts sheet: key of its name -> (column of the plan, "" where it is typed or
# computed; number format).
COLUMNS = {
    "account": ("", ""), "name": ("name", ""), "region": ("region", ""),
    "segment": ("segment", ""), "sales": ("sales", MONEY),
    "estimated_potential": ("estimate", MONEY), "low": ("potential_low", MONEY),
    "high": ("potential_high", MONEY), "source_2": ("estimate_source", ""),
    "override_potential": ("", MONEY), "override_by": ("override_by", ""),
    "override_reason": ("override_reason", ""), "potential": ("", MONEY), "sow_2": ("", CHANCE),
    "zone": ("", ""), "gap": ("", MONEY), "zone_probability": ("zone_probability", CHANCE),
    "change": ("change", ""), "team": ("team", ""), "rep": ("rep", ""),
    "attack_rank": ("attack_rank", MONEY), "expected_gain": ("expected_gain", MONEY),
    "target_sales": ("target_sales", MONEY), "target_growth": ("target_growth", MONEY),
    "flags": ("flags", ""),
}  # fmt: skip
TYPED = {"override_potential": MONEY, "override_by": "@", "override_reason": "@"}
SAID = {"source_2": "source_", "change": "", "team": ""}  # columns whose words are ours: prefix
WIDTHS = {"account": 12, "name": 26, "override_by": 16, "override_reason": 30, "rep": 18,
          "flags": 26}  # fmt: skip
PLACE = {name: j for j, name in enumerate(COLUMNS)}
LIST = {
    "account": "text", "name": "text", "region": "text", "segment": "text", "zone": "word",
    "change": "word", "team": "word", "rep": "text", "potential": "amount", "range": "range",
    "sales": "amount", "sow": "percent", "gap": "amount", "zone_probability": "percent",
    "attack_rank": "whole", "expected_gain": "amount", "target_sales": "amount",
    "target_growth": "amount", "growth_part": "signed",
}  # fmt: skip


def write_workbook(analysis: Analysis, story: Story, path: Path) -> None:
    """Write the workbook. Client text stays text, whatever it begins with."""
    words = replace(story.words, scale=1.0)
    accounts = analysis.plan.accounts
    options = {"strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": True,
               "constant_memory": len(accounts) > LARGE}  # fmt: skip
    with _workbook(path, options) as book:
        report = analysis.study.report
        book.set_properties({"title": analysis.study.title, "author": given(report.author)})
        sheets = _Sheets(book, words, story.draft)
        _summary(sheets, analysis, story)
        _write_accounts(sheets, analysis)
        gap = accounts["sales_lost"].fillna(0.0)
        for name, title, chosen, order in (
            ("attack_2", "zone_attack", accounts["zone"] == "attack", "attack_rank"),
            ("defense_2", "zone_defense", accounts["zone"] == "defense", "potential"),
            ("moves", "promoted_and_demoted", accounts["change"].isin(["promoted", "demoted"]),
             "potential"),
            ("visit_list", "below_title", accounts["below_market"], "sales_lost"),
        ):  # fmt: skip
            sheets.list(analysis, words.say(name), words.say(title),
                        accounts.assign(sales_lost=gap)[chosen], order)  # fmt: skip
        for name, table in (
            ("next_survey", tables.next_survey(analysis, words, len(accounts))),
            ("hand_over", tables.handover(analysis, words, len(accounts))),
            ("reps", tables.reps(analysis, words)),
            ("formula", tables.terms(analysis, words)),
            ("checks", tables.checks(analysis, words)),
            ("suspect_entries", tables.suspects(analysis, words)),
        ):
            sheets.table(words.say(name), table)
        if len(analysis.overrides.entries):
            every = tables.overrides(analysis, words, len(accounts))
            sheets.table(words.say("overrides"), every)
        if analysis.codebook:
            sheets.markdown(words.say("codebook_2"), analysis.codebook)
        for rep in analysis.plan.reps["rep"].head(MOST_REPS):
            own = accounts[accounts["rep"] == rep]
            sheets.list(analysis, str(rep), str(rep), own[own["key_account"]], "expected_gain")


@contextmanager
def _workbook(path: Path, options: dict[str, Any]) -> Iterator[xlsxwriter.Workbook]:
    """A workbook that is written when the block ends. What the system refuses is raised as the
    OSError that it is: the library wraps it, and the user would read a name of the library's."""
    import xlsxwriter
    from xlsxwriter.exceptions import FileCreateError

    try:
        with xlsxwriter.Workbook(str(path), options) as book:
            yield book
    except FileCreateError as error:
        raise error.args[0] from error


class _Sheets:
    """A workbook being written: its formats, and tables as sheets."""

    def __init__(self, book: Any, words: Words, draft: str) -> None:
        def style(**how: Any) -> Any:
            return book.add_format(how)

        self.book, self.words, self.draft = book, words, draft
        self.head = style(bold=True, bg_color="#E6EDF3", bottom=1, text_wrap=True, valign="top")
        self.title = style(bold=True, font_size=14)
        self.bold = style(bold=True)
        self.wrap = style(text_wrap=True, valign="top")
        self.right = style(align="right")
        self.alarm = style(bg_color="#F8C9C9")
        typed = {"bg_color": "#FFF8DC", "border": 1, "border_color": "#E2D9B0"}
        self.typed = {code: style(num_format=code, **typed) for code in (MONEY, "@")}
        self.zones = {zone: style(bg_color=color) for zone, color in ZONE_FILLS.items()}
        self._numbers: dict[str, Any] = {}
        self._names: set[str] = set()

    def number(self, code: str) -> Any:
        """The format of numbers of a code."""
        if code not in self._numbers:
            self._numbers[code] = self.book.add_format({"num_format": code})
        return self._numbers[code]

    def add(self, name: str) -> Any:
        """A new sheet that prints across one landscape page, its header on each; a name that
        Excel does not take is cut and told apart."""
        plain = re.sub(r"[\[\]:*?/\\]", " ", name).strip(" '")[:28] or "–"
        shown, n = plain, 2
        while shown.lower() in self._names:
            shown, n = f"{plain[:25]} {n}", n + 1
        self._names.add(shown.lower())
        sheet = self.book.add_worksheet(shown, worksheet_class=_plain_sheet())
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(0)
        if self.draft:
            sheet.set_header(f"&R{self.draft}")
        return sheet

    def list(
        self, analysis: Analysis, name: str, title: str, chosen: pd.DataFrame, order: str
    ) -> None:
        """A list of accounts, best first, as the run found them."""
        ranked = chosen.sort_values(order, ascending=order == "attack_rank", kind="stable")
        frame = tables.listed(analysis, ranked)
        text = ("segment", "change", "team", "rep")
        kinds = {
            k: v for k, v in LIST.items() if k not in text or (frame[k].astype(str) != "").any()
        }
        unit = f"{title} ({self.words.yearly()})"
        self.table(name, tables.table(self.words, unit, kinds, frame))

    def table(self, name: str, table: Table) -> None:
        """A sheet of one table below its title, numbers as numbers; amounts are summed over what
        a filter leaves."""
        table = _ends_apart(table)
        sheet = self.add(name)
        title = f"{table.title} · {self.draft}" if self.draft else table.title
        sheet.write_string(0, 0, title, self.title)
        rows = len(table.frame)
        for j, (head, (column, kind)) in enumerate(
            zip(table.heads, table.kinds.items(), strict=True)
        ):
            cells = table.frame[column].tolist()
            texts = [table.written(cell, kind) for cell in cells] if kind in tables.TEXT else []
            width = max(
                [letters_of(word) for word in head.split()] + [letters_of(t) for t in texts] + [8]
            )
            sheet.set_column(j, j, min(width + 2, WIDEST), self.wrap if texts else None)
            sheet.write_string(2, j, head, self.head)
            if kind in ("amount", "money") and rows:
                cell = f"{_column(j)}4:{_column(j)}{rows + 3}"
                total = float(pd.Series(cells, dtype=float).sum())
                sheet.write_formula(1, j, f"=SUBTOTAL(109,{cell})", self.number(MONEY), total)
            for i, cell in enumerate(cells, start=3):
                self._write(sheet, i, j, cell, kind, table)
        if rows:
            sheet.autofilter(2, 0, 2 + rows, len(table.kinds) - 1)
        sheet.freeze_panes(3, 1)

    def markdown(self, name: str, text: str) -> None:
        """A sheet of a Markdown text: headings bold, tables as cells."""
        sheet = self.add(name)
        sheet.set_column(0, 0, 34, self.wrap)
        sheet.set_column(1, 6, 40, self.wrap)
        lines = [line.strip() for line in text.splitlines()]
        for i, line in enumerate(lines):
            cells = [cell.strip().strip("`") for cell in line.strip("|").split("|")]
            if line.startswith("|") and not set(line) <= set("|-: "):
                head = (
                    i + 1 < len(lines) and set(lines[i + 1]) <= set("|-: ") and bool(lines[i + 1])
                )
                for j, cell in enumerate(cells):
                    sheet.write_string(i, j, cell, self.head if head else self.wrap)
            elif line.startswith("#"):
                sheet.write_string(i, 0, line.lstrip("# "), self.bold)
            elif line and not line.startswith("|"):
                sheet.merge_range(i, 0, i, 3, line, self.wrap)
                sheet.set_row(i, 15 * (1 + letters_of(line) // 140))

    def _write(self, sheet: Any, i: int, j: int, cell: Any, kind: str, table: Table) -> None:
        if kind == "mixed":
            kind, cell = cell
        if kind in tables.TEXT:
            text = table.written(cell, kind)
            if text:
                sheet.write_string(i, j, text)
        elif cell is not None and not pd.isna(cell):
            code = FORMATS.get(kind, "0.000" if abs(float(cell)) < 100 else MONEY)
            sheet.write_number(i, j, float(cell), self.number(code))


def _ends_apart(table: Table) -> Table:
    """A table with the ends of an interval in two columns, as numbers."""
    if "range" not in table.kinds:
        return table
    kinds: dict[str, str] = {}
    for column, kind in table.kinds.items():
        kinds |= {"low": "amount", "high": "amount"} if kind == "range" else {column: kind}
    ends = table.frame["range"]
    frame = table.frame.assign(low=[end[0] for end in ends], high=[end[1] for end in ends])
    return replace(table, kinds=kinds, frame=frame)


def _summary(sheets: _Sheets, analysis: Analysis, story: Story) -> None:
    """The headline, the zones counted by formulas, the cuts, and what the story says."""
    words, study, matrix = sheets.words, analysis.study, analysis.matrix
    name, accounts = words.say("summary_2"), words.say("accounts_2")
    sheet = sheets.add(name)
    sheet.set_column(0, 0, 34)
    sheet.set_column(1, SENTENCE_COLUMNS, 17)
    sheet.write_string(0, 0, study.title, sheets.title)
    about = (story.draft, story.period, story.byline,
             f"{words.say('verdict')}: {words.say(analysis.verdict.verdict)}")  # fmt: skip
    sheet.write_string(1, 0, " · ".join(part for part in about if part))
    sheet.write_string(2, 0, story.say(story.headline), sheets.bold)
    cuts = (("potential_cut", matrix.potential_cut, MONEY), ("sow_cut", matrix.sow_cut, SHARE),
            ("market_share", matrix.market_share, SHARE))  # fmt: skip
    for row, (term, value, code) in enumerate(cuts, start=4):
        sheet.write_string(row, 0, words.say(term))
        if pd.notna(value):
            sheet.write_number(row, 1, value, sheets.number(code))
        sheets.book.define_name(term, f"='{name}'!$B${row + 1}")
    sheet.write_string(7, 0, words.say("amounts_in", unit=words.yearly()))
    _write_zones(sheets, sheet, 8, analysis, accounts)
    row = 15
    for key, lines in (
        ("found", story.said(story.findings + story.more)), ("do", story.said(story.actions)),
        ("steps", story.said(story.steps)), ("risks", story.said(story.risks)),
        ("unknown", story.said(story.unknown)), ("how_to", [words.say("workbook_use")]),
    ):  # fmt: skip
        sheet.write_string(row, 0, words.say(key), sheets.bold)
        for line in lines:
            row += 1
            sheet.set_row(row, 15 * (1 + letters_of(line) // SENTENCE_LETTERS))
            sheet.merge_range(row, 0, row, SENTENCE_COLUMNS - 1, line, sheets.wrap)
        row += 2


def _write_zones(sheets: _Sheets, sheet: Any, top: int, analysis: Analysis, name: str) -> None:
    """The four zones and their total, counted and summed by formulas, from row top on."""
    words, plan = sheets.words, analysis.plan
    last = len(plan.accounts) + 1
    columns = ("potential", "sales", "target_growth")
    for j, head in enumerate(("zone", "accounts", *columns, "sow_2")):
        sheet.write_string(top, j, words.say(head), sheets.head)
    sums = plan.accounts.groupby("zone")[list(columns)].sum().reindex(ZONES).fillna(0.0)
    zones = _cells(name, "zone", last)
    for i, zone in enumerate((*ZONES, "total"), start=top + 1):
        total = zone == "total"
        sheet.write_string(i, 0, words.say(zone), None if total else sheets.zones[zone])
        count = sum(analysis.matrix.counts.values()) if total else analysis.matrix.counts[zone]
        counted = f"SUM(B{top + 2}:B{i})" if total else f"COUNTIF({zones},A{i + 1})"
        sheet.write_formula(i, 1, f"={counted}", sheets.number(MONEY), count)
        held = sums.sum() if total else sums.loc[zone]
        for j, column in enumerate(columns, 2):
            letter = _column(j)
            summed = f"SUMIF({zones},A{i + 1},{_cells(name, column, last)})"
            formula = f"SUM({letter}{top + 2}:{letter}{i})" if total else summed
            sheet.write_formula(i, j, f"={formula}", sheets.number(MONEY), float(held[column]))
        share = held["sales"] / held["potential"] if held["potential"] else ""
        sheet.write_formula(
            i, 5, f'=IF(C{i + 1}>0,D{i + 1}/C{i + 1},"")', sheets.number(CHANCE), share
        )


def _write_accounts(sheets: _Sheets, analysis: Analysis) -> None:
    """One row an account, in the order of the client's table; a row at a time: what the file takes
    without holding the sheet in memory."""
    words, accounts = sheets.words, analysis.plan.accounts
    sheet, last = sheets.add(words.say("accounts_2")), max(len(accounts), 1)
    for column, j in PLACE.items():
        style = sheets.typed[TYPED[column]] if column in TYPED else None
        sheet.set_column(j, j, WIDTHS.get(column, 13), style)
        sheet.write_string(0, j, words.say(column), sheets.head)
    sheet.freeze_panes(1, 2)
    sheet.autofilter(0, 0, last, len(COLUMNS) - 1)
    columns: list[tuple[int, Callable[..., int], list[Any], Any]] = []
    for name, (source, code) in COLUMNS.items():
        if not source:
            continue
        values = accounts[source]
        if name in SAID:
            values = values.map(
                {v: words.word(SAID[name] + v if v else "") for v in values.unique()}
            )
        if code:
            filled = values.astype(object).where(values.notna(), None).tolist()
            columns.append((PLACE[name], sheet.write_number, filled, sheets.number(code)))
        else:
            style = sheets.typed[TYPED[name]] if name in TYPED else None
            texts = [str(value) if value else None for value in values]
            columns.append((PLACE[name], sheet.write_string, texts, style))
    overridden = accounts["override_reason"] != ""
    given = accounts["potential"].where(overridden).astype(object).where(overridden, None)
    columns.append((PLACE["override_potential"], sheet.write_number, given.tolist(),
                    sheets.typed[MONEY]))  # fmt: skip
    zone = accounts["zone"].map({zone: words.say(zone) for zone in ZONES}).fillna("")
    gap = (accounts["potential"] * analysis.matrix.market_share - accounts["sales"]).clip(lower=0)
    shown = (accounts["potential"], accounts["sow"], zone, gap)
    results = [values.astype(object).where(values.notna(), "").tolist() for values in shown]
    live, styles = (
        _live(words),
        [sheets.number(c) if c else None for c in (MONEY, CHANCE, "", MONEY)],
    )
    for i, account in enumerate(accounts.index):
        row = i + 1
        sheet.write_string(row, 0, str(account))
        for j, write, cells, style in columns:
            if cells[i] is not None:
                write(row, j, cells[i], style)
        for (j, formula), result, style in zip(live, results, styles, strict=True):
            text = formula.replace("#", str(row + 1)).replace("{zone}", results[2][i])
            sheet.write_formula(row, j, text, style, result[i])
    _guide(sheets, sheet, last)


def _live(words: Words) -> list[tuple[int, str]]:
    """Column and formula of potential, SOW, zone and gap; # stands for the row, {zone} for what
    the run found, which holds until an expert types a potential: that is taken as certain."""
    estimate, override = _letter("estimated_potential"), _letter("override_potential")
    used, share, sales = _letter("potential"), _letter("sow_2"), _letter("sales")
    attack, defense, maintenance, watch = (words.say(zone) for zone in ZONES)
    return [
        (PLACE["potential"],
         f'=IF({override}#<>"",{override}#,IF({estimate}#<>"",{estimate}#,""))'),
        (PLACE["sow_2"], f'=IF({used}#="","",{sales}#/{used}#)'),
        (PLACE["zone"],
         f'=IF({override}#="","{{zone}}",IF({used}#>=potential_cut,'
         f'IF({share}#>=sow_cut,"{defense}","{attack}"),'
         f'IF({share}#>=sow_cut,"{maintenance}","{watch}")))'),
        (PLACE["gap"], f'=IF({used}#="","",MAX(0,{used}#*market_share-{sales}#))'),
    ]  # fmt: skip


def _guide(sheets: _Sheets, sheet: Any, last: int) -> None:
    """What may be typed, and colors that follow the values."""
    words = sheets.words
    override, reason = PLACE["override_potential"], PLACE["override_reason"]
    sheet.data_validation(1, override, last, override, {
        "validate": "decimal", "criteria": ">", "value": 0, "ignore_blank": True,
        "input_title": words.say("override_potential"),
        "input_message": words.say("what_the_account_can_buy_a"),
        "error_title": words.say("potential"),
        "error_message": words.say("potential_is_above_zero"),
    })  # fmt: skip
    missing = f'=AND(${_letter("override_potential")}2<>"",${_letter("override_reason")}2="")'
    sheet.conditional_format(1, reason, last, reason, {
        "type": "formula", "format": sheets.alarm, "criteria": missing,
    })  # fmt: skip
    share = _letter("sow_2")
    sheet.conditional_format(1, PLACE["sow_2"], last, PLACE["sow_2"], {
        "type": "formula", "format": sheets.alarm,
        "criteria": f"=AND(ISNUMBER(${share}2),${share}2>1)",
    })  # fmt: skip
    for zone in ZONES:
        sheet.conditional_format(1, PLACE["zone"], last, PLACE["zone"], {
            "type": "cell", "criteria": "==", "value": f'"{words.say(zone)}"',
            "format": sheets.zones[zone],
        })  # fmt: skip


def _cells(sheet: str, column: str, last: int) -> str:
    """The reference of an accounts column, its rows 2 to last."""
    letter = _letter(column)
    return f"'{sheet}'!${letter}$2:${letter}${last}"


def _letter(column: str) -> str:
    """The sheet's letter of an accounts column."""
    return _column(PLACE[column])


def _column(place: int) -> str:
    from xlsxwriter.utility import xl_col_to_name

    return str(xl_col_to_name(place))


@cache
def _plain_sheet() -> type:
    """Worksheets whose formulas go to the file as they are: looking each one over for functions
    of newer programs, none of which we use, takes a third of the time."""
    from xlsxwriter.worksheet import Worksheet

    class PlainSheet(Worksheet):  # type: ignore[misc]
        def _prepare_formula(self, formula: str, expand_future_functions: bool = False) -> str:
            return formula.removeprefix("=")

    return PlainSheet
