"""What the header of a column says of its role in a study."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kalib.tables.reading import TextTable
from kalib.tables.words import WORDS

CURRENCIES: dict[str, str] = WORDS["currencies"]


def words_of_header(header: str) -> str:
    """A header as plain words: "Own_Sales (EUR)" -> "own sales"."""
    text = re.sub(r"[\(（\[].*?[\)）\]]", " ", str(header))
    text = re.sub(r"([a-z])([A-Z])", r"\1 \2", text)
    return re.sub(r"[\s_\-./:]+", " ", text).strip().lower()


def role_of(table: TextTable, role: str, taken: Sequence[str] = ()) -> str | None:
    """The column that fits a role best, or None."""
    free = {
        words_of_header(column): column for column in table.frame.columns if column not in taken
    }
    for wanted in WORDS["roles"][role]:
        if wanted in free:
            return str(free[wanted])
    for wanted in WORDS["roles"][role]:
        if len(wanted) < 4 and wanted.isascii():
            continue
        for words, column in free.items():
            if re.search(rf"\b{re.escape(wanted)}\b", words) or (
                not wanted.isascii() and wanted in words
            ):
                return str(column)
    return None


def expected_sign(column: str) -> str:
    """ "+" or "-" where more of it should mean more or less potential, "" where that is open."""
    words = words_of_header(column)
    for sign, known in WORDS["signs"].items():
        if any(word in (words.split() if word.isascii() else words) for word in known):
            return str(sign)
    return ""


def unit_of(column: str) -> str:
    """The unit that a header names, "" where it names none."""
    said = _said_of_unit(column)
    named = (WORDS["units"].get(word) or CURRENCIES.get(word) for word in said)
    return next(filter(None, named), said[0] if len(said) > 1 else "")


def currency_of(column: str) -> str:
    """The currency that a header names, "" where it names none."""
    return next((CURRENCIES[word] for word in _said_of_unit(column) if word in CURRENCIES), "")


def _said_of_unit(column: str) -> list[str]:
    """What stands in brackets, and the last word, in small letters."""
    inside = re.findall(r"[\(（\[](.+?)[\)）\]]", str(column))
    return [text.strip().lower() for text in inside] + words_of_header(column).split()[-1:]
