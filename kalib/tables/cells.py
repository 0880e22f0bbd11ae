"""Cells of text as numbers, flags and dates, in the ways people write them."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import pandas as pd

from kalib.tables.words import MISSING, WORDS

# One writing for what East Asian keyboards, typesetters and accounting programs write otherwise.
PLAIN = str.maketrans("０１２３４５６７８９，．％－＋（）￥−’`\u00a0\u2007\u2009\u202f\u3000",
                      "0123456789,.%-+()¥-''     ")  # fmt: skip
WORD = WORDS["cells"]
FLAGS = dict.fromkeys(WORD["no"], False) | dict.fromkeys(WORD["yes"], True)
FIRST_DAY, LAST_DAY = pd.Timestamp("1990-01-01"), pd.Timestamp("2100-01-01")  # of visits
DATE_PARTS = {
    "%Y": r"\d{4}", "%y": r"\d\d", "%m": r"\d{1,2}", "%d": r"\d{1,2}", "%b": "[A-Za-z]{3}",
    "%B": "[A-Za-z]{3,9}",
}  # fmt: skip
EXCEL_ERROR = r"#(?:REF|VALUE|DIV/0|NAME|NUM|NULL)[!?]"
# Cells without signs and units that only decimal mark D and thousands mark T explain, or may.
NUMBER = (
    r"[-+]?(?:\d*D\d{1,2}|\d*D\d{4,}|0D\d+|\d{4,}D\d{3}|\d{1,3}(?:[T ']\d{2,3})*[T ']\d{3}D\d+"
    r"|\d{1,3}(?:T\d{2,3})+T\d{3}|\d*D\d+[eE][-+]?\d+)",
    r"[-+]?(?:\d+|\d{1,3}(?:[T ']\d{2,3})*[T ']\d{3})?(?:D\d*)?(?:[eE][-+]?\d+)?",
)
ONLY_COMMA, WITH_COMMA = (shape.replace("D", ",").replace("T", r"\.") for shape in NUMBER)
ONLY_POINT, WITH_POINT = (shape.replace("D", r"\.").replace("T", ",") for shape in NUMBER)
DIGITS = r"([0-9](?:.*[0-9])?)"
FEWEST_THOUSANDS = 3  # cells that may be 1,234 or 1.234 before a column tells which
EITHER = r"[-+]?\d{1,3}[.,]\d{3}"


class Parsed(NamedTuple):
    """A column as numbers or dates: values, NaN or NaT where missing or faulty; faults: why a cell
    is not understood, "" elsewhere; doubt: what may be read another way, "" where nothing."""

    values: pd.Series
    faults: pd.Series
    doubt: str = ""


def is_missing(cells: pd.Series) -> pd.Series:
    """Where a cell says that nothing is known."""
    return cells.str.strip().str.lower().isin(MISSING)


def to_numbers(cells: pd.Series, decimal: str = "") -> Parsed:
    """Text cells as numbers.

    Thousands separators, currency signs and codes, percent signs, units such as 万, accounting
    negatives and decimal commas are understood. decimal: the mark used elsewhere in the table,
    for columns that don't show theirs.
    """
    text = cells.str.strip()
    missing = is_missing(text)
    values = _finite(text.where(~missing))
    faults = pd.Series("", index=cells.index, dtype="str")
    if not (values.isna() & ~missing).any() and not text.str.fullmatch(EITHER).any():
        return Parsed(values, faults)
    # Words, each of its own, need no closer look.
    if values.isna().all() and not text[~missing].str.contains(r"\d").any():
        return Parsed(values, faults.mask(~missing, "is not a number"))
    bare, factor, currency = _undressed(text[~missing])
    mark, doubt = _decimal_mark(bare, decimal)
    if mark != ",":
        plain = bare.str.replace(r"[ ,']", "", regex=True).where(bare.str.fullmatch(WITH_POINT))
    if mark in (",", "mixed"):
        pattern = ONLY_COMMA if mark == "mixed" else WITH_COMMA
        commas = bare.str.replace(r"[ .']", "", regex=True).str.replace(",", ".", regex=False)
        commas = commas.where(bare.str.fullmatch(pattern))
        plain = commas.fillna(plain) if mark == "mixed" else commas
    found = _finite(plain) * factor
    most = currency[currency != ""].mode()[:1]
    foreign = (currency != "") & ~currency.isin(most)
    share = text[~missing].str.endswith(("%", "％"))
    unlike = share.any() & ~share & (found.abs() > 1)
    wrong = pd.Series("", index=found.index, dtype="str")
    wrong[unlike] = "has no percent sign while others of the column do"
    wrong[foreign] = f"is in another currency than most of the column ({', '.join(most)})"
    wrong[found.isna()] = "is not a number"
    if mark == "mixed":
        wrong[bare.str.fullmatch(EITHER)] = "can be 1.5 or 1,500: the column writes both"
    faults[~missing] = wrong
    values[~missing] = found.where(wrong == "")
    return Parsed(values, faults, doubt)


def decimal_mark(frame: pd.DataFrame) -> str:
    """The decimal mark that a table's first rows show: "," or ".", "" where they show none."""
    columns = (cells[cells.str.contains(r"\d")] for _, cells in frame.head(1000).items())
    marked = (told for told in columns if told.str.contains(r"\d[.,]\d").any())
    marks = {_decimal_mark(_undressed(told)[0], "")[0] for told in marked} - {""}
    return marks.pop() if len(marks) == 1 else ""


def to_dates(cells: pd.Series) -> Parsed:
    """Text cells as days, all in the one format that explains most of the column.

    ISO, day or month first, month names, 年月日, eight digits, and the serial numbers of Excel; a
    time of day is left off. Cells in another format are faulty, and all that are open where two
    formats explain as many and differ.
    """
    codes, names = pd.factorize(cells)
    counts = np.bincount(codes, minlength=len(names))
    words = pd.Series(names, dtype="str").str.strip()
    words = words.str.replace(r"\s*[年月]\s*", "-", regex=True)
    words = words.str.replace(r"日.*$|[T ]\s*\d{1,2}:\d\d.*$", "", regex=True)
    read = {form: _days(words, form) for form in WORD["dates"]}
    fits = {form: int(counts[days.notna()].sum()) for form, days in read.items()}
    best = max(fits, key=lambda form: fits[form])  # the first of equals
    days, open_ = read[best], pd.Series(False, index=words.index)
    for form, others in read.items():
        if fits[form] == fits[best] > 0:
            open_ |= others.notna() & (others != days)
    none = "is not a date as the others of the column are" if fits[best] else "is not a date"
    unclear = "may have day or month first: the column does not tell"
    faults = np.select([words == "", open_, days.isna()], ["is blank", unclear, none], "")
    values = days.where(faults == "").iloc[codes].set_axis(cells.index)
    return Parsed(values, pd.Series(faults[codes], cells.index, dtype="str"))


def _days(words: pd.Series, form: str) -> pd.Series:
    """Words as days in one format, NaT where they are none or no visit's."""
    if form == "serial":
        serial = pd.to_numeric(words.where(words.str.fullmatch(r"\d{5}(?:\.\d+)?")))
        days = pd.to_datetime(serial // 1, unit="D", origin="1899-12-30")
    else:
        # Two digits of a year would also be taken from four, and one of a day from none.
        shape = "".join(DATE_PARTS.get(part, re.escape(part)) for part in re.split(r"(%.)", form))
        fits = words.str.fullmatch(shape)
        if not fits.any():
            return pd.Series(pd.NaT, words.index, dtype="datetime64[us]")
        days = pd.to_datetime(words.where(fits), format=form, errors="coerce")
    return days.where((days >= FIRST_DAY) & (days < LAST_DAY)).astype("datetime64[us]")


def _undressed(text: pd.Series) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Cells without currency, percent sign and unit, what these multiply by, and the currency."""
    rest = text if text.str.isascii().all() else text.str.translate(PLAIN)
    rest = rest.str.strip()
    if not rest.str.contains(r"[^-+\d.,' ]|-$", regex=True).any():
        return rest, pd.Series(1.0, index=text.index), pd.Series("", text.index, dtype="str")
    # Nothing that is taken off lies between the first and the last digit, and what stands around
    # them is one of few in a column: these are undressed, not the cells.
    which, dresses = pd.factorize(rest.str.replace(DIGITS, "0", n=1, regex=True))
    names = ["bare", "factor", "currency"]
    undressed = pd.DataFrame(map(_without_dress, dresses), columns=names).iloc[which]
    undressed = undressed.set_axis(text.index)
    around = undressed["bare"].str.partition("0")
    bare = around[0] + rest.str.extract(DIGITS, expand=False).fillna("") + around[2]
    return bare, undressed["factor"], undressed["currency"]


def _without_dress(cell: str) -> tuple[str, float, str]:
    """As `_undressed`, for one cell in `PLAIN` writing."""
    currency, factor = "", 1.0
    for name, marks in WORD["currencies"].items():
        bare = re.sub(rf"^([-+(]?)\s*(?:{marks})\s*|\s*(?:{marks})\s*(\)?)$", r"\1\2", cell)
        currency, cell = (currency, cell) if bare == cell else (name, bare)
    cell = re.sub(r"^\((.*)\)$", r"-\1", cell)
    cell = re.sub(r"^([^-].*)-$", r"-\1", cell)
    if cell.endswith("%"):
        cell, factor = cell.removesuffix("%").strip(), 0.01
    for unit, size in WORD["multiples"].items():
        if re.fullmatch(rf".*\d\s*{unit}\.?", cell, re.IGNORECASE):
            cell = re.sub(rf"\s*{unit}\.?$", "", cell, flags=re.IGNORECASE)
            factor *= size
    return re.sub(r"^([-+])\s+", r"\1", cell), factor, currency


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
    if not elsewhere and len(either) >= FEWEST_THOUSANDS and dotted.all():
        # Whole numbers below a thousand beside them, and no others: the point parts thousands.
        rest = bare[~bare.str.fullmatch(EITHER)]
        small = rest.str.fullmatch(r"[-+]?\d{1,3}").all() and rest.str.contains("[1-9]").any()
        if small and not either.str.match("[-+]?0").any():
            return ",", ""
    if not len(either) or (not dotted.any() and elsewhere != ","):
        return elsewhere, ""
    cell = either[dotted].iloc[0] if dotted.any() else either.iloc[0]
    decimal = ("." in cell) == (elsewhere != ",")
    read = cell.replace(",", ".") if decimal else cell.replace(".", "").replace(",", "")
    return elsewhere, f"{cell} was read as {float(read):g}"


def _finite(text: pd.Series) -> pd.Series:
    values = pd.to_numeric(text, errors="coerce").astype(float)
    return values.where(np.isfinite(values))
