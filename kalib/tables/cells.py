"""Cells of text as numbers, flags and dates, in the ways people write them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

MISSING = {
    "", "na", "n/a", "n.a.", "nan", "<na>", "nat", "null", "none", "-", "–", "—", "--", "#n/a",
    "缺失",
}  # fmt: skip
FLAGS = {
    **dict.fromkeys(("0", "0.0", "no", "n", "false", "f", "nein", "non", "否", "×"), False),
    **dict.fromkeys(("1", "1.0", "yes", "y", "true", "t", "x", "ja", "oui", "是", "√", "✓"), True),
}
# Signs and codes that say the same currency; a column holds one of them.
CURRENCIES = {
    "€": "€|EUR", "$": r"US\$|\$|USD", "£": "£|GBP", "¥": "¥|CNY|RMB|人民币|元", "円": "円|JPY",
    "₹": r"₹|INR|Rs\.?", "₩": "₩|KRW", "₽": "₽|RUB", "₺": "₺|TRY", "Fr.": r"CHF|Fr\.", "R$": "BRL",
    "zł": "zł|PLN", "kr": "SEK|NOK|DKK|kr", "A$": "AUD", "C$": "CAD", "HK$": "HKD", "S$": "SGD",
}  # fmt: skip
# "m" is left out: it is a thousand, a million or a meter, as the writer's country has it.
MULTIPLES = {
    "千": 1e3, "k": 1e3, "万": 1e4, "lakh": 1e5, "mio": 1e6, "mln": 1e6, "crore": 1e7, "亿": 1e8,
    "bn": 1e9,
}  # fmt: skip
# One writing for what East Asian keyboards, typesetters and accounting programs write otherwise.
PLAIN = str.maketrans("０１２３４５６７８９，．％－＋（）￥−’`\u00a0\u2007\u2009\u202f\u3000",
                      "0123456789,.%-+()¥-''     ")  # fmt: skip
EXCEL_DAY_0 = pd.Timestamp("1899-12-30")
EXCEL_ERROR = r"#(?:REF|VALUE|DIV/0|NAME|NUM|NULL)[!?]"
# Cells that only one of the two decimal marks explains, the signs and units taken off.
ONLY_COMMA = (
    r"[-+]?(?:\d*,\d{1,2}|\d*,\d{4,}|0,\d+|\d{4,},\d{3}|\d{1,3}(?:\.\d{3})+,\d+"
    r"|\d{1,3}(?:\.\d{3}){2,}|\d*,\d+[eE][-+]?\d+)"
)
ONLY_POINT = (
    r"[-+]?(?:\d*\.\d{1,2}|\d*\.\d{4,}|0\.\d+|\d{4,}\.\d{3}|\d{1,3}(?:,\d{2,3})*,\d{3}\.\d+"
    r"|\d{1,3}(?:,\d{2,3})+,\d{3}|\d*\.?\d+[eE][-+]?\d+)"
)
EITHER = r"[-+]?\d{1,3}[.,]\d{3}"
WITH_COMMA = r"[-+]?(?:\d+|\d{1,3}(?:[ .']\d{3})+)?(?:,\d+)?(?:[eE][-+]?\d+)?"
WITH_POINT = r"[-+]?(?:\d+|\d{1,3}(?:[ ,']\d{2,3})*[ ,']\d{3})?(?:\.\d*)?(?:[eE][-+]?\d+)?"


class Numbers(NamedTuple):
    """A column as numbers: values float, NaN where missing or faulty; faults: why a cell is not
    understood, "" elsewhere; doubt: what may be read another way, "" where nothing."""

    values: pd.Series
    faults: pd.Series
    doubt: str


class Dates(NamedTuple):
    """A column as dates: values datetime64, faults and doubt as in `Numbers`."""

    values: pd.Series
    faults: pd.Series
    doubt: str


def is_missing(cells: pd.Series) -> pd.Series:
    """Where a cell says that nothing is known."""
    return cells.str.strip().str.lower().isin(MISSING)


def to_numbers(cells: pd.Series, decimal: str = "") -> Numbers:
    """Text cells as numbers.

    Thousands separators, currency signs and codes, percent signs, units such as 万, accounting
    negatives and decimal commas are understood. decimal: the mark used elsewhere in the table,
    for columns that don't show theirs.
    """
    text = cells.str.strip()
    missing = is_missing(text)
    values = pd.to_numeric(text.where(~missing), errors="coerce").astype(float)
    values = values.where(np.isfinite(values))
    faults = pd.Series("", index=cells.index, dtype="str")
    either = text.str.fullmatch(EITHER)
    if not (values.isna() & ~missing).any() and not either.any():
        return Numbers(values, faults, "")
    if not text[~missing].str.contains(r"\d", regex=True).any():
        faults[~missing] = "is not a number"
        return Numbers(values, faults, "")
    bare, factor, currency = _undressed(text[~missing])
    mark, doubt = _decimal_mark(bare, decimal)
    found = _parsed(bare, mark) * factor
    most = currency[currency != ""].mode()
    foreign = (currency != "") & (currency != most.iloc[0]) if len(most) else currency != ""
    share = text[~missing].str.endswith(("%", "％"))
    unlike = share.any() & ~share & (found.abs() > 1)
    wrong = pd.Series("", index=found.index, dtype="str")
    wrong[unlike] = "has no percent sign while others of the column do"
    wrong[foreign] = f"is in another currency than most of the column ({', '.join(most[:1])})"
    wrong[found.isna()] = "is not a number"
    if mark == "mixed":
        wrong[bare.str.fullmatch(EITHER)] = "can be 1.5 or 1,500: the column writes both"
    faults[~missing] = wrong
    values[~missing] = found.where(wrong == "")
    return Numbers(values, faults, doubt)


def decimal_mark(frame: pd.DataFrame, rows: int = 1000) -> str:
    """The decimal mark that a table's first rows show: "," or ".", "" where they show none."""
    marks = set()
    for _, column in frame.head(rows).items():
        told = column[column.str.contains(r"\d[.,]\d", regex=True)]
        marks.add(_decimal_mark(_undressed(told)[0], "")[0] if len(told) else "")
    marks -= {""}
    return marks.pop() if len(marks) == 1 else ""


def to_flags(cells: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Text cells as flags: (values object True/False/None, faults as in `Numbers`)."""
    values = cells.str.strip().str.lower().map(FLAGS).astype(object)
    bad = values.isna() & ~is_missing(cells)
    faults = pd.Series(np.where(bad, "is neither yes nor no", ""), index=cells.index, dtype="str")
    return values.where(values.notna(), None), faults


def to_dates(cells: pd.Series) -> Dates:
    """Text cells as dates: ISO, day first or month first as the column shows, 年月日, and the
    serial numbers of Excel."""
    text = cells.str.strip().str.replace(r"\s*[年月]\s*", "-", regex=True)
    text = text.str.replace(r"日.*$", "", regex=True)
    text = text.str.replace(r"(:\d\d.*?)(?:Z|[+-]\d\d:?\d\d)$", r"\1", regex=True)
    serial = pd.to_numeric(text.where(text.str.fullmatch(r"\d{5}(?:\.\d+)?")), errors="coerce")
    parts = text.str.extract(r"^(\d{1,2})[./-](\d{1,2})[./-]\d{2,4}").astype(float)
    dotted = text.str.match(r"\d{1,2}\.\d{1,2}\.").any()
    first, second = (parts[0] > 12).any(), (parts[1] > 12).any()
    day_first = bool(first or (dotted and not second))
    values = pd.to_datetime(
        text.where(serial.isna()), errors="coerce", format="mixed", dayfirst=day_first
    )
    values = values.where(serial.isna(), EXCEL_DAY_0 + pd.to_timedelta(serial, unit="D"))
    wrong = values.isna() | (bool(first and second) & parts[0].notna())
    faults = pd.Series(np.where(wrong, "is not a date", ""), index=cells.index, dtype="str")
    faults[wrong & parts[0].notna() & values.notna()] = "has day and month in either order"
    open_ = parts[0].notna().any() and not (first or second or dotted)
    doubt = f"{text[parts[0].notna()].iloc[0]} was read as month, day, year" if open_ else ""
    return Dates(values, faults, doubt)


def _undressed(text: pd.Series) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Cells without currency, percent sign and unit, what these multiply by, and the currency."""
    rest = text if text.str.isascii().all() else text.str.translate(PLAIN)
    rest = rest.str.strip()
    if not rest.str.contains(r"[^-+\d.,' ]|-$", regex=True).any():
        return rest, pd.Series(1.0, index=text.index), pd.Series("", text.index, dtype="str")
    # Nothing that is taken off lies between the first and the last digit, and what stands around
    # them is one of few in a column: these are undressed, not the cells.
    which, dresses = pd.factorize(rest.str.replace(r"[0-9](?:.*[0-9])?", "0", n=1, regex=True))
    dressed = pd.Series(dresses, dtype="str")
    bare, factor, currency = _without_dress(dressed)
    cuts = [_cut(old, new) for old, new in zip(dressed, bare, strict=True)]
    cells = [
        head + cell[start : len(cell) - end] + tail
        for cell, (start, end, head, tail) in zip(rest, map(cuts.__getitem__, which), strict=True)
    ]
    return (
        pd.Series(cells, text.index, dtype="str"),
        factor.iloc[which].set_axis(text.index),
        currency.iloc[which].set_axis(text.index),
    )


def _cut(old: str, new: str) -> tuple[int, int, str, str]:
    """Where the digits, written 0, begin in old and how far from its end they end, and what stands
    around them in new; all of new where there are none."""
    start = old.find("0")
    if start < 0:
        return len(old), 0, new, ""
    head, _, tail = new.partition("0")
    return start, len(old) - start - 1, head, tail


def _without_dress(rest: pd.Series) -> tuple[pd.Series, pd.Series, pd.Series]:
    """As `_undressed`, for a few cells in `PLAIN` writing."""
    rest = rest.copy()
    currency = pd.Series("", index=rest.index, dtype="str")
    factor = pd.Series(1.0, index=rest.index)
    for name, marks in CURRENCIES.items():
        has = rest.str.contains(rf"^[-+(]?\s*(?:{marks})|(?:{marks})\s*\)?$", regex=True)
        if has.any():
            currency[has] = name
            rest[has] = rest[has].str.replace(rf"^([-+(]?)\s*(?:{marks})\s*", r"\1", regex=True)
            rest[has] = rest[has].str.replace(rf"\s*(?:{marks})\s*(\)?)$", r"\1", regex=True)
    rest = rest.str.replace(r"^\((.*)\)$", r"-\1", regex=True)
    rest = rest.str.replace(r"^([^-].*)-$", r"-\1", regex=True)
    share = rest.str.endswith("%")
    factor[share] = 0.01
    rest = rest.str.removesuffix("%").str.strip()
    for unit, size in MULTIPLES.items():
        has = rest.str.lower().str.fullmatch(rf".*\d\s*{unit}\.?")
        factor[has] *= size
        rest[has] = rest[has].str.replace(rf"\s*{unit}\.?$", "", case=False, regex=True)
    return rest.str.replace(r"^([-+])\s+", r"\1", regex=True), factor, currency


def _decimal_mark(bare: pd.Series, elsewhere: str) -> tuple[str, str]:
    """The column's decimal mark ("," or "." or "mixed", "" where it shows none), and the doubt."""
    comma = bare.str.fullmatch(ONLY_COMMA).any()
    point = bare.str.fullmatch(ONLY_POINT).any()
    if comma and point:
        return "mixed", ""
    if comma or point:
        return ("," if comma else "."), ""
    either = bare[bare.str.fullmatch(EITHER)]
    dotted = either.str.contains(".", regex=False)
    if not len(either) or (not dotted.any() and elsewhere != ","):
        return elsewhere, ""
    cell = either[dotted].iloc[0] if dotted.any() else either.iloc[0]
    decimal = ("." in cell) == (elsewhere != ",")
    read = cell.replace(",", ".") if decimal else cell.replace(".", "").replace(",", "")
    return elsewhere, f"{cell} was read as {float(read):g}"


def _parsed(bare: pd.Series, mark: str) -> pd.Series:
    """Numbers of undressed cells, NaN where a cell is none."""
    with_comma = bare.str.fullmatch(WITH_COMMA) & bare.str.contains(r"\d", regex=True)
    with_point = bare.str.fullmatch(WITH_POINT) & bare.str.contains(r"\d", regex=True)
    if mark == "mixed":
        with_comma &= bare.str.fullmatch(ONLY_COMMA)
        with_point &= ~with_comma
    elif mark == ",":
        with_point &= False
    else:
        with_comma &= False
    commas = bare.str.replace(r"[ .']", "", regex=True).str.replace(",", ".", regex=False)
    points = bare.str.replace(r"[ ,']", "", regex=True)
    chosen = points.where(with_point, commas.where(with_comma))
    values = pd.to_numeric(chosen, errors="coerce").astype(float)
    return values.where(np.isfinite(values))
