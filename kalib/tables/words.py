"""Words that clients write in headers and cells, and what is said of a table: words.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

WORDS: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
REFUSED: dict[str, tuple[str, str]] = WORDS["refused"]  # key -> what is wrong, and what to do
MISSING = set(WORDS["cells"]["missing"])
CURRENCIES: dict[str, str] = WORDS["currencies"]
SHORTEST = 4  # letters of a word that is looked for among others


def words_of_header(header: str) -> str:
    """A header as plain words: "Own_Sales (EUR)" -> "own sales"."""
    text = re.sub(r"[\(（\[].*?[\)）\]]", " ", str(header))
    text = re.sub(r"([a-z])([A-Z])", r"\1 \2", text)
    return re.sub(r"[\s_\-./:]+", " ", text).strip().lower()


def role_of(columns: Iterable[str], role: str, taken: Collection[str] = ()) -> str | None:
    """The column that fits a role best, or None."""
    free = {words_of_header(column): str(column) for column in columns if column not in taken}
    wanted: list[str] = WORDS["roles"][role]
    exact = (free[word] for word in wanted if word in free)
    among = (
        column
        for word in wanted
        if len(word) >= SHORTEST or not word.isascii()
        for words, column in free.items()
        if re.search(rf"\b{re.escape(word)}\b" if word.isascii() else word, words)
    )
    return next(exact, None) or next(among, None)


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
