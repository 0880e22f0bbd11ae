"""accounts.xlsx: every account with live share of wallet and zone, and each list to work from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from kalib.analysis import Analysis
from kalib.report import exhibits, rosters
from kalib.report.accounts_sheet import cells, write_accounts, write_zones
from kalib.report.findings import Findings
from kalib.report.sheets import CHANCE, MONEY, SHARE, Sheets
from kalib.study.settings import Study
from kalib.words.catalogue import Words

if TYPE_CHECKING:
    import xlsxwriter

# A sentence of the summary runs over these columns, which hold so many letters a line.
SENTENCE_COLUMNS, SENTENCE_LETTERS = 6, 110
LARGE = 20_000  # accounts from which on rows go to the file as they come
Columns = list[tuple[str, list[Any], str]]


def write_workbook(analysis: Analysis, findings: Findings, path: Path) -> None:
    """Write the workbook. Client text stays text, whatever it begins with."""
    words, plan = Words.of(analysis.study), analysis.plan
    accounts = plan.accounts
    options = {"strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": True,
               "constant_memory": len(accounts) > LARGE}  # fmt: skip
    with _workbook(path, options) as book:
        book.set_properties({"title": analysis.study.title, "author": analysis.study.report.author})
        sheets = Sheets(book)
        _summary(sheets, analysis, findings)
        write_accounts(sheets, analysis, words.tell("Accounts"))
        for zone, name in (("attack", "Attack"), ("defense", "Defense")):
            chosen = accounts[accounts["zone"] == zone]
            _list(sheets, analysis, name, words.say(f"zone_{zone}"), chosen, "potential")
        moved = accounts[accounts["change"].isin(["promoted", "demoted"])]
        _list(sheets, analysis, "Moves", words.tell("Promoted and demoted"), moved, "potential")
        below = accounts[accounts["below_market"]]
        title = words.tell("Below market share beyond noise: sales lost to the gap")
        _list(sheets, analysis, "Visit list", title, below, "gap")
        for name, build in (
            ("Next survey", rosters.next_survey(analysis, len(accounts))),
            ("Hand-over", rosters.handover(analysis, len(accounts))),
            ("Formula", exhibits.terms(analysis)),
            ("Checks", exhibits.checks(analysis)),
            ("Suspect entries", exhibits.suspects(analysis)),
        ):
            sheets.exhibit(words.tell(name), build)
        if len(analysis.overrides.entries):
            sheets.exhibit(words.tell("Overrides"), rosters.overrides(analysis, len(accounts)))
        if analysis.codebook:
            sheets.text(words.tell("Codebook"), analysis.codebook.splitlines())


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


def _summary(sheets: Sheets, analysis: Analysis, findings: Findings) -> None:
    words, study = Words.of(analysis.study), analysis.study
    name, accounts = words.tell("Summary"), words.tell("Accounts")
    sheet = sheets.add(name)
    sheet.set_column(0, 0, 30)
    sheet.set_column(1, SENTENCE_COLUMNS, 17)
    sheet.write_string(0, 0, study.title, sheets.title)
    verdict = words.say(analysis.verdict.verdict)
    sheet.write_string(1, 0, f"{words.say('period', period=study.period)} · "
                             f"{words.say('verdict')}: {verdict}")  # fmt: skip
    last = len(analysis.plan.accounts) + 1
    potential, sales = (cells(accounts, column, last) for column in ("potential", "sales"))
    share = f'=IFERROR(SUMIF({potential},">0",{sales})/SUM({potential}),"")'
    market = study.matrix.share_cut == "market"
    cuts = (
        ("potential cut", analysis.matrix.potential_cut, MONEY, "potential_cut",
         _cut_rule(study, potential)),
        ("SOW cut", analysis.matrix.sow_cut, SHARE, "sow_cut", share if market else ""),
    )  # fmt: skip
    sheet.write_string(2, 1, words.tell("change me"), sheets.bold)
    sheet.write_string(2, 2, words.tell("by the study's rule, now"), sheets.bold)
    for row, (label, value, code, term, rule) in enumerate(cuts, start=3):
        sheet.write_string(row, 0, words.tell(label), sheets.bold)
        if pd.notna(value):
            sheet.write_number(row, 1, value, sheets.typed[code])
        if rule and pd.notna(value):
            sheet.write_formula(row, 2, rule, sheets.numbers[code], value)
        sheets.book.define_name(term, f"='{name}'!$B${row + 1}")
    same = ",".join(
        f"ABS({term}-{value!r})<=1E-9*{value!r}" for _, value, _, term, _ in cuts if pd.notna(value)
    )
    sheets.book.define_name("cuts_as_run", f"=AND({same})" if same else "=TRUE")
    sheet.data_validation(3, 1, 3, 1, {"validate": "decimal", "criteria": ">", "value": 0})
    sheet.data_validation(4, 1, 4, 1, {"validate": "decimal", "criteria": "between",
                                       "minimum": 0, "maximum": 1})  # fmt: skip
    write_zones(sheets, sheet, 6, analysis, accounts)
    row = 12
    for key, lines in (("found", findings.found), ("do", findings.do), ("sure", findings.sure),
                       ("how_to", (words.say("workbook_use"),))):  # fmt: skip
        sheet.write_string(row, 0, words.say(key), sheets.bold)
        for line in lines:
            row += 1
            letters = sum(2 if character > "\u2e80" else 1 for character in line)
            sheet.set_row(row, 15 * (1 + letters // SENTENCE_LETTERS))
            sheet.merge_range(row, 0, row, SENTENCE_COLUMNS - 1, line, sheets.wrap)
        row += 2


def _cut_rule(study: Study, potential: str) -> str:
    """The study's potential cut as a formula over the potentials; "" for a value or a Pareto
    share, which a cell can't find."""
    cut = study.matrix.potential_cut
    if cut.kind == "quantile":
        return f'=IFERROR(PERCENTILE({potential},{cut.value:g}),"")'
    if cut.kind == "top":
        return f'=IFERROR(LARGE({potential},MIN({cut.value:.0f},COUNT({potential}))),"")'
    return ""


def _list(
    sheets: Sheets, analysis: Analysis, name: str, title: str, chosen: pd.DataFrame, order: str
) -> None:
    """A list of accounts with numbers, as the run found them."""
    words = Words.of(analysis.study)
    gap = chosen["potential"] * analysis.matrix.market_share - chosen["sales"]
    listed = chosen.assign(gap=gap.clip(lower=0)).sort_values(order, ascending=False, kind="stable")
    columns: Columns = [(words.say("account"), listed.index.tolist(), "")]
    for term in ("name", "region", "segment", "zone", "change", "team", "rep"):
        texts = listed[term].astype(str)
        if term in ("zone", "change", "team"):
            texts = texts.map(words.tell)
        if (texts != "").any() and not (term == "name" and (texts == listed.index).all()):
            columns.append((words.say(term), texts.tolist(), ""))
    for term, code in (
        ("potential", MONEY), ("potential_low", MONEY), ("potential_high", MONEY),
        ("sales", MONEY), ("sow", SHARE), ("gap", MONEY), ("zone_probability", CHANCE),
        ("target_sales", MONEY), ("target_growth", MONEY),
    ):  # fmt: skip
        columns.append((words.say(term), listed[term].tolist(), code))
    unit = f" ({words.yearly()})"
    sheets.table(words.tell(name), title + unit, columns)
