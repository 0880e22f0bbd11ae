"""Words that clients write in headers and cells, and what is said of a table: words.toml."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from typing import Any

from kalib.files import beside

WORDS: dict[str, Any] = beside(__file__)
REFUSED: dict[str, tuple[str, str]] = WORDS["refused"]  # key -> what is wrong, and what to do
MISSING = set(WORDS["cells"]["missing"])
CURRENCIES: dict[str, str] = WORDS["currencies"]
PAST = "|".join(WORDS["unlike"]["past"])
YEAR = r"(?:\bfy ?)?((?<!\d)(?:19|20)\d\d|(?<=fy)\d\d|(?<=fy )\d\d)(?!\d)年?"
NUMBERED = re.compile(r" \((\d+)\)$")  # a header that stands more than once
SHORTEST = 4  # letters of a word that is looked for among others


def plain(text: str) -> str:
    """A text in small letters without accents: "Verkaufsfläche" -> "verkaufsflache"."""
    parts = unicodedata.normalize("NFD", str(text)).casefold()
    return "".join(mark for mark in parts if unicodedata.category(mark) != "Mn")


def words_of_header(header: str) -> str:
    """A header as plain words: "Own_Sales (EUR)" -> "own sales"."""
    text = re.sub(r"[\(（\[].*?[\)）\]]", " ", str(header))
    text = re.sub(r"([a-z])([A-Z]|(?:19|20)\d\d\b)", r"\1 \2", text)
    return plain(re.sub(r"[\s_\-./:]+", " ", text)).strip()


def role_of(columns: Iterable[str], role: str, taken: Collection[str] = ()) -> str | None:
    """The column that fits a role best, or None; of several years, or of one name, the latest."""
    unlike = "|".join(WORDS["unlike"].get(role, ())) or "(?!)"
    free = {str(c): words_of_header(c) for c in columns
            if c not in taken and not re.search(unlike, plain(c))}  # fmt: skip
    wanted: list[str] = WORDS["roles"][role]
    exact = ([c for c in free if re.sub(YEAR, "", free[c]).strip() == word] for word in wanted)
    among = ([c for c in free if re.search(_pattern(word), free[c])] for word in wanted)
    fitting = next(filter(None, (*exact, *among)), [])
    return min(fitting, default=None, key=lambda c: (
        bool(re.search(PAST, plain(c))), -year_of(c), [-int(n) for n in NUMBERED.findall(c)]
    ))  # fmt: skip


def year_of(column: str) -> int:
    """The year that a header names, 9999 where it names none."""
    return max(map(int, re.findall(YEAR, words_of_header(column))), default=9999)


def _pattern(word: str) -> str:
    """A word among others: a short one at a header's end, one with a blank at its beginning."""
    if word.endswith(" "):
        return "^" + word
    end = r"\b" if len(word) >= SHORTEST else "$"
    return rf"\b{re.escape(word)}{end}" if word.isascii() else word


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
    return next(filter(None, named), said[0] if len(said) > 1 and not said[0].isdigit() else "")


def currency_of(column: str) -> str:
    """The currency that a header or an amount names, "" where it names none."""
    said = [*_said_of_unit(column), *re.split(r"[\d\s.,'_]+", column.casefold())]
    return next((CURRENCIES[word] for word in said if word in CURRENCIES), "")


def _said_of_unit(column: str) -> list[str]:
    """What stands in brackets, and the last word, in small letters."""
    inside = re.findall(r"[\(（\[](.+?)[\)）\]]", str(column))
    return [text.strip().lower() for text in inside] + words_of_header(column).split()[-1:]
