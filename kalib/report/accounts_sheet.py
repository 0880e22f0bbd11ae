"""The live sheets of accounts.xlsx: potential, SOW and zone follow overrides and cuts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from kalib.analysis import Analysis
from kalib.report.sheets import CHANCE, MONEY, SHARE, Sheets
from kalib.study.settings import ZONES
from kalib.words.catalogue import Words

# Column of the accounts sheet -> (column of the plan or "" where it is typed or computed, format).
COLUMNS = {
    "account": ("", ""), "name": ("name", ""), "region": ("region", ""),
    "segment": ("segment", ""), "sales": ("sales", MONEY),
    "estimated potential": ("estimate", MONEY), "low": ("potential_low", MONEY),
    "high": ("potential_high", MONEY), "source": ("estimate_source", ""),
    "override potential": ("", MONEY), "override by": ("override_by", ""),
    "override reason": ("override_reason", ""), "potential": ("", MONEY), "SOW": ("", SHARE),
    "zone": ("", ""), "zone probability": ("zone_probability", CHANCE), "change": ("change", ""),
    "team": ("team", ""), "rep": ("rep", ""), "target sales": ("target_sales", MONEY),
    "target growth": ("target_growth", MONEY), "flags": ("flags", ""),
}  # fmt: skip
TYPED = {"override potential": MONEY, "override by": "@", "override reason": "@"}
SAID = ("source", "change", "team")  # columns whose words are ours
WIDTHS = {"account": 12, "name": 26, "override by": 16, "override reason": 30, "rep": 18,
          "flags": 26}  # fmt: skip
PLACE = {name: j for j, name in enumerate(COLUMNS)}


def write_accounts(sheets: Sheets, analysis: Analysis, name: str) -> None:
    """One row an account, in the order of the client's table."""
    words, accounts = Words.of(analysis.study), analysis.plan.accounts
    sheet = sheets.add(name)
    for column, j in PLACE.items():
        style = sheets.typed[TYPED[column]] if column in TYPED else None
        sheet.set_column(j, j, WIDTHS.get(column, 13), style)
        sheet.write_string(0, j, words.tell(column), sheets.head)
    sheet.freeze_panes(1, 2)
    last = max(len(accounts), 1)
    sheet.autofilter(0, 0, last, len(COLUMNS) - 1)
    _rows(sheets, sheet, accounts, words)
    _guide(sheets, sheet, words, last)


def write_zones(
    sheets: Sheets, sheet: Any, top: int, analysis: Analysis, accounts_sheet: str
) -> None:
    """The four zones counted and summed by formulas, from row top on."""
    words, plan = Words.of(analysis.study), analysis.plan
    last = len(plan.accounts) + 1
    for j, name in enumerate(("zone", "accounts", "potential", "sales", "SOW")):
        sheet.write_string(top, j, words.tell(name), sheets.head)
    potential = plan.accounts.groupby("zone")["potential"].sum()
    zones = cells(accounts_sheet, "zone", last)
    for i, name in enumerate(ZONES, start=top + 1):
        held, sold = float(potential.get(name, 0.0)), float(plan.targets.at[name, "sales"])
        sheet.write_string(i, 0, words.say(name), sheets.zones[name])
        sheet.write_formula(i, 1, f"=COUNTIF({zones},A{i + 1})", sheets.numbers[MONEY],
                            int(plan.targets.at[name, "accounts"]))  # fmt: skip
        for j, (column, value) in enumerate((("potential", held), ("sales", sold)), 2):
            summed = cells(accounts_sheet, column, last)
            sheet.write_formula(i, j, f"=SUMIF({zones},A{i + 1},{summed})",
                                sheets.numbers[MONEY], value)  # fmt: skip
        sheet.write_formula(i, 4, f'=IF(C{i + 1}>0,D{i + 1}/C{i + 1},"")', sheets.numbers[SHARE],
                            sold / held if held else "")  # fmt: skip


def cells(sheet: str, column: str, last: int) -> str:
    """The reference of an accounts column, its rows 2 to last."""
    letter = _letter(column)
    return f"'{sheet}'!${letter}$2:${letter}${last}"


def _rows(sheets: Sheets, sheet: Any, accounts: pd.DataFrame, words: Words) -> None:
    """All cells, a row at a time: what the file takes without holding the sheet in memory."""
    columns: list[tuple[int, Callable[..., int], list[Any], Any]] = []
    for name, (source, code) in COLUMNS.items():
        if not source:
            continue
        values = accounts[source]
        if name in SAID:
            values = values.map(words.tell)
        if pd.api.types.is_numeric_dtype(values):
            filled = values.astype(object).where(values.notna(), None).tolist()
            columns.append((PLACE[name], sheet.write_number, filled, sheets.numbers.get(code)))
        else:
            style = sheets.typed[TYPED[name]] if name in TYPED else None
            texts = [str(value) if value else None for value in values]
            columns.append((PLACE[name], sheet.write_string, texts, style))
    overridden = accounts["override_reason"] != ""
    given = accounts["potential"].where(overridden).astype(object).where(overridden, None)
    columns.append((PLACE["override potential"], sheet.write_number, given.tolist(),
                    sheets.typed[MONEY]))  # fmt: skip
    live = _live(words)
    names = accounts["zone"].map({zone: words.say(zone) for zone in ZONES}).fillna("")
    shown = accounts["potential"], accounts["sow"], names
    results = [values.astype(object).where(values.notna(), "").tolist() for values in shown]
    styles = (sheets.numbers[MONEY], sheets.numbers[SHARE], None)
    ids = [str(account) for account in accounts.index]
    for i in range(len(accounts)):
        row = i + 1
        sheet.write_string(row, 0, ids[i])
        for j, write, values, style in columns:
            if values[i] is not None:
                write(row, j, values[i], style)
        for (j, formula), result, style in zip(live, results, styles, strict=True):
            text = formula.replace("#", str(row + 1))
            text = text.replace("{zone}", results[2][i]).replace("{potential}", str(results[0][i]))
            sheet.write_formula(row, j, text, style, result[i])


def _live(words: Words) -> list[tuple[int, str]]:
    """Column and formula of potential, SOW and zone; # stands for the row, {zone} and
    {potential} for what the run found: its zone holds until potential or a cut is changed."""
    estimate, override = _letter("estimated potential"), _letter("override potential")
    used, share, sales = _letter("potential"), _letter("SOW"), _letter("sales")
    attack, defense, maintenance, watch = (words.say(zone) for zone in ZONES)
    return [
        (PLACE["potential"],
         f'=IF({override}#<>"",{override}#,IF({estimate}#<>"",{estimate}#,""))'),
        (PLACE["SOW"], f'=IF({used}#="","",{sales}#/{used}#)'),
        (PLACE["zone"],
         f'=IF({used}#="","",IF(AND(ABS({used}#/{{potential}}-1)<1E-9,cuts_as_run),"{{zone}}",'
         f'IF({used}#>=potential_cut,IF({share}#>=sow_cut,"{defense}","{attack}"),'
         f'IF({share}#>=sow_cut,"{maintenance}","{watch}"))))'),
    ]  # fmt: skip


def _guide(sheets: Sheets, sheet: Any, words: Words, last: int) -> None:
    """What may be typed, and colors that follow the values."""
    override, reason = PLACE["override potential"], PLACE["override reason"]
    sheet.data_validation(1, override, last, override, {
        "validate": "decimal", "criteria": ">", "value": 0, "ignore_blank": True,
        "input_title": words.tell("override potential"),
        "input_message": words.tell("What the account can buy a year; name and reason beside it."),
        "error_title": words.tell("potential"),
        "error_message": words.tell("Potential is above zero."),
    })  # fmt: skip
    missing = f'=AND(${_letter("override potential")}2<>"",${_letter("override reason")}2="")'
    sheet.conditional_format(1, reason, last, reason, {
        "type": "formula", "format": sheets.alarm, "criteria": missing,
    })  # fmt: skip
    sheet.conditional_format(1, PLACE["SOW"], last, PLACE["SOW"], {
        "type": "formula", "format": sheets.alarm,
        "criteria": f'=AND(ISNUMBER(${_letter("SOW")}2),${_letter("SOW")}2>1)',
    })  # fmt: skip
    for zone in ZONES:
        sheet.conditional_format(1, PLACE["zone"], last, PLACE["zone"], {
            "type": "cell", "criteria": "==", "value": f'"{words.say(zone)}"',
            "format": sheets.zones[zone],
        })  # fmt: skip


def _letter(column: str) -> str:
    """The sheet's letter of an accounts column."""
    from xlsxwriter.utility import xl_col_to_name

    return str(xl_col_to_name(PLACE[column]))
