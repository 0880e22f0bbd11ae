"""Rows of a CSV file: its encoding and separator found out, its quotes checked."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from kalib.errors import Problem, StudyError
from kalib.words.catalogue import Message

SEPARATORS = (",", ";", "\t", "|")
HEAD = 65_536  # bytes and characters in which encoding and separator show
LONGEST = 1_000_000  # characters of a cell; more is a quotation mark that was never closed


def csv_rows(raw: bytes, file: str, notes: list[Problem]) -> Iterator[list[str]]:
    """Rows of text, one for each row that a spreadsheet would show, blank ones too.

    Raises StudyError, also while it is read, where the file is none or a quote is not closed.
    """
    coding = _encoding(raw, file)
    if coding in ("gb18030", "cp1252", "latin-1"):
        notes.append(
            Problem(Message("n_coding", coding=coding), file=file,
                    remedy="Save it as UTF-8 if names look wrong")
        )  # fmt: skip
    text = io.TextIOWrapper(io.BytesIO(raw), encoding=coding, newline="")
    separator = _separator(text.read(HEAD))
    text.seek(0)
    return _rows(text, separator, file)


def _rows(text: io.TextIOWrapper, separator: str, file: str) -> Iterator[list[str]]:
    csv.field_size_limit(LONGEST)
    number = 1
    try:
        for row in csv.reader(text, delimiter=separator, strict=True):
            if any("\n" in cell for cell in row) and _swallowed(row, separator):
                raise csv.Error
            yield row
            number += 1
    except csv.Error as error:
        raise StudyError(
            Problem("a quotation mark is not closed, or stands inside a quoted cell", file=file,
                    row=number,
                    remedy='Write "" for a quotation mark inside a quoted cell')
        ) from error  # fmt: skip


def _swallowed(row: list[str], separator: str) -> bool:
    """Whether a cell holds what looks like whole rows: its quotes are two stray ones."""
    width = len(row)
    return any(
        line.count(separator) >= max(width - 1, 2)
        for cell in row
        if "\n" in cell
        for line in cell.splitlines()[1:]
    )


def _separator(head: str) -> str:
    """The separator that stands equally often in most of the first lines; the commonest of them."""
    lines = [line for line in re.sub(r'"[^"]*"', "", head).splitlines()[:50] if line.strip()]

    def agreement(separator: str) -> tuple[int, int]:
        counts = [line.count(separator) for line in lines]
        usual = max(set(counts), key=lambda count: (count > 0, counts.count(count), count))
        return (counts.count(usual) if usual else 0, usual)

    return max(SEPARATORS, key=agreement) if lines else ","


def _encoding(raw: bytes, file: str) -> str:
    """The encoding a file's bytes are written in.

    Latin text often is valid GB 18030 as well. In Chinese text the high bytes stand in pairs; in
    Latin text an accented letter stands among plain ones.
    """
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    head = raw[:HEAD]
    for coding, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if zeros.count(0) > 0.1 * len(zeros):
            return coding
    if b"\0" in raw:
        row = raw[: raw.index(b"\0")].count(b"\n") + 1
        raise StudyError(
            Problem("holds NUL bytes: it is damaged, or no table", file=file, row=row,
                    remedy="Export it again")
        )  # fmt: skip
    high = re.findall(rb"[\x80-\xff]+", raw)
    paired = sum(len(run) for run in high if len(run) > 1)
    chinese = paired >= 0.5 * sum(map(len, high))
    order = ["utf-8-sig", "gb18030", "cp1252"] if chinese else ["utf-8-sig", "cp1252", "gb18030"]
    for coding in order:
        try:
            raw.decode(coding)
            return coding
        except UnicodeDecodeError:
            continue
    return "latin-1"
