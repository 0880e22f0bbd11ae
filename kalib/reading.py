"""Files read as text: CSV, XLSX and Parquet, every cell as the client wrote it."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from kalib.errors import Problem, StudyError

LARGEST = 2_000_000_000  # bytes; larger tables are scored where they lie, not read here
MISSING = {"", "na", "n/a", "nan", "null", "none", "-", "–", "#n/a"}
CURRENCY = "€$£¥￥"
FALSE_TRUE = {
    **dict.fromkeys(("0", "no", "n", "false", "否", "0.0"), False),
    **dict.fromkeys(("1", "yes", "y", "true", "是", "1.0", "x"), True),
}


@dataclass(frozen=True)
class TextTable:
    """A table of text: frame of str cells, file name, and the file row of each line."""

    frame: pd.DataFrame
    file: str
    rows: np.ndarray


def read_text_table(path: Path) -> TextTable:
    """Read one table as text. Raises StudyError where it can't be read."""
    if path.stat().st_size > LARGEST:
        raise StudyError(
            Problem(
                f"{path.stat().st_size / 1e9:.1f} GB is more than is read into memory",
                file=path.name,
                remedy="Give the columns the study needs only",
            )
        )
    try:
        kind = path.suffix.lower()
        if kind == ".parquet":
            frame = as_text(pd.read_parquet(path))
        elif kind in (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods"):
            frame = as_text(pd.read_excel(path, engine="calamine", dtype=object, na_filter=False))
        else:
            frame = _read_csv(path)
    except StudyError:
        raise
    except Exception as error:
        raise StudyError(
            Problem(
                f"can't be read ({type(error).__name__}: {str(error).splitlines()[0][:120]})",
                file=path.name,
                remedy="Save it again as CSV in UTF-8",
            )
        ) from error
    frame.columns = [str(name).strip() for name in frame.columns]
    double = sorted({name for name in frame.columns if list(frame.columns).count(name) > 1})
    if double:
        raise StudyError(
            [
                Problem(
                    "the header stands twice",
                    file=path.name,
                    column=name,
                    row=1,
                    remedy="Rename one of them",
                )
                for name in double
            ]
        )
    rows = np.arange(2, len(frame) + 2)
    blank = (frame == "").all(axis=1).to_numpy() if len(frame.columns) else np.zeros(0, bool)
    return TextTable(frame[~blank].reset_index(drop=True), path.name, rows[~blank])


def to_numbers(cells: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Text cells as numbers: (values float with NaN, bad bool: neither missing nor a number).

    Thousands separators, currency signs, percent signs and decimal commas are understood; a
    comma is decimal where the column shows it to be (1.001,50 or 3,5).
    """
    text = cells.str.strip()
    missing = text.str.lower().isin(MISSING)
    plain = pd.to_numeric(text.where(~missing), errors="coerce")
    hard = plain.isna() & ~missing
    if hard.any():
        rest = text[hard].str.replace(f"[{CURRENCY}\\s\u00a0\u202f']", "", regex=True)
        percent = rest.str.endswith("%")
        rest = rest.str.rstrip("%")
        rest = rest.str.replace(r"^\((.*)\)$", r"-\1", regex=True)
        if _decimal_comma(rest):
            rest = rest.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
        else:
            whole = rest.str.fullmatch(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?")
            rest = rest.where(~whole, rest.str.replace(",", "", regex=False))
        found = pd.to_numeric(rest, errors="coerce")
        plain.loc[hard] = np.where(percent, found / 100, found)
    plain = plain.where(np.isfinite(plain.astype(float)))
    return plain.astype(float), plain.isna() & ~missing


def to_flags(cells: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Text cells as flags: (values object True/False/None, bad bool)."""
    text = cells.str.strip().str.lower()
    missing = text.isin(MISSING)
    values = text.map(FALSE_TRUE).astype(object)
    bad = values.isna() & ~missing
    return values.where(values.notna(), None), bad


def _decimal_comma(text: pd.Series) -> bool:
    """Whether a comma in these cells is decimal: "1.001,50", or "3,5" and never "3,500"."""
    both = text.str.contains(r"\.\d{3},\d+$", regex=True).any()
    short = text.str.contains(r"^[-+]?\d+,(?:\d{1,2}|\d{4,})$", regex=True).any()
    english = text.str.contains(r",\d{3}\.", regex=True).any()
    return bool((both or short) and not english)


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Cells of any type as the text a person would have typed."""

    def text(value: object) -> str:
        if value is None or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
            return ""
        if isinstance(value, bool | np.bool_):
            return "1" if value else "0"
        if isinstance(value, float | np.floating) and float(value).is_integer():
            return str(int(value)) if abs(float(value)) < 1e15 else repr(float(value))
        return str(value)

    return pd.DataFrame({name: frame[name].map(text).astype("str") for name in frame.columns})


def _read_csv(path: Path) -> pd.DataFrame:
    raw = path.read_bytes()
    if not raw.strip():
        raise StudyError(Problem("the file is empty", file=path.name, remedy="Export it again"))
    coding = _encoding(raw, path.name)
    head = raw[:200_000].decode(coding, errors="ignore")
    first = head.splitlines()[0]
    separator = max((",", ";", "\t", "|"), key=first.count)
    _refuse_ragged(head, separator, path.name)
    frame = pd.read_csv(
        path,
        sep=separator,
        dtype=str,
        keep_default_na=False,
        encoding=coding,
        skip_blank_lines=False,
        index_col=False,
        encoding_errors="strict",
    )
    return frame.fillna("")


def _encoding(raw: bytes, file: str) -> str:
    """The encoding a file's bytes are written in.

    Latin text often is valid GB 18030 as well. In Chinese text the high bytes stand in pairs; in
    Latin text an accented letter stands among plain ones.
    """
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    high = re.findall(rb"[\x80-\xff]+", raw)
    paired = sum(len(run) for run in high if len(run) > 1)
    chinese = paired >= 0.5 * sum(map(len, high))
    order = ("utf-8-sig", "gb18030", "cp1252") if chinese else ("utf-8-sig", "cp1252", "gb18030")
    for coding in order:
        try:
            raw.decode(coding)
            return coding
        except UnicodeDecodeError:
            continue
    raise StudyError(Problem("its encoding is not known", file=file, remedy="Save it as UTF-8"))


def _refuse_ragged(head: str, separator: str, file: str) -> None:
    """Rows with more cells than the header hold a stray separator: say where."""
    lines = list(csv.reader(head.splitlines(keepends=True)[:-1], delimiter=separator))
    if not lines:
        return
    width = len(lines[0])
    problems = [
        Problem(
            f"{len(cells)} cells under {width} headers",
            file=file,
            row=number,
            remedy="Put quotes around a cell that holds the separator",
        )
        for number, cells in enumerate(lines, start=1)
        if len(cells) > width
    ]
    if problems:
        raise StudyError(problems[:20])
