"""What the deliverables say, by key and language, and how each language writes numbers.

A sentence is a key with figures; its text in a language is a line of that language's file, where
each placeholder says how its figure is written: {sales:money}, {share:percent}, {n:whole},
{n:account|accounts} (by the language's plural), {zone:word} (a key said in turn).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from string import Formatter
from typing import Any

from babel import Locale
from babel.lists import format_list
from babel.numbers import format_decimal, format_percent, get_currency_name

from kalib.files import beside
from kalib.study.settings import SCALES, Study

LANGUAGES = {"en": "en_US", "zh": "zh_CN"}  # as a study names them -> as Babel does
# What amounts are counted in, by language: (size, key of its word, what its axis is called).
COUNTED = {"en": ((1e6, "million"), (1e3, "thousand")), "zh": ((1e8, "yi"), (1e4, "wan"))}
COUNT_WORDS = dict(pair for pairs in COUNTED.values() for pair in pairs)
# By what amounts are counted in: the sizes below which an amount has a digit more.
ENDS = {1e3: (9.95,), 1e4: (99.95,), 1e6: (999.5, 9.995), 1e8: (999.5, 9.995)}
BIG = 10.0  # a typical amount has at least so many units of what amounts are counted in
MISSING = "–"
# What a placeholder asks for -> the method of `Words` that writes it, where it is called otherwise.
WRITERS = {"said": "tell", "sentences": "join", "list": "names"}
# A paragraph of Markdown: the marks and number of a heading, and what it says.
PARAGRAPH = re.compile(r"(#+ (?:\d+\. )?)?(.*)", re.DOTALL)
# Seats as accounts.csv calls them, in whatever language the documents are.
SEAT = re.compile(r"(New|Territory) (hunter|farmer) (\d+)")
LABEL = re.compile(r"(.*?)(?:\s*[(（]([^()（）]*)[)）])?", re.DOTALL)  # label, unit in brackets


@cache
def phrases(language: str) -> dict[str, str]:
    """Every phrase of a language by key."""
    content = beside(__file__, language)
    return {**content["page"], **content["phrases"]}


@cache
def _keys() -> dict[str, str]:
    """English -> key, of the phrases without figures."""
    return {text: key for key, text in reversed(phrases("en").items()) if "{" not in text}


class Message(str):
    """A sentence of a result: English text that remembers the key and figures it was said from,
    so that a document in another language says it anew.

    >>> said = Message("r_explains", share=0.79, off=0.31)
    >>> said.key
    'r_explains'
    """

    key: str
    figures: dict[str, Any]

    def __new__(cls, key: str, **figures: Any) -> Message:
        """Say it in English."""
        said = super().__new__(cls, ENGLISH.say(key, **figures))
        said.key, said.figures = key, figures
        return said

    def __reduce__(self) -> tuple[Any, ...]:
        return (partial(Message, self.key, **self.figures), ())


@dataclass(frozen=True)
class Words:
    """Phrases and numbers in one language ("en" | "zh").

    currency: unit of the study's amounts; labels: column -> what people read in its place, "floor
    area (m²)"; scale: what the amounts of single accounts are counted in, 1000 for thousands, sums:
    what sums are: each one for all documents, so that an amount is written alike in all of them.
    """

    language: str
    currency: str
    labels: Mapping[str, str] = field(default_factory=dict)
    scale: float = 1e3
    sums: float = 0.0

    @classmethod
    def of(cls, study: Study, typical: float = math.nan, total: float = 0.0) -> Words:
        """The words of a study's deliverables; typical: an amount of the size that most accounts
        have, total: the largest sum, from which the scales follow."""
        labels: Mapping[str, str] = getattr(study.indicators, "labels", {})
        words = cls(study.report.language, study.currency, labels)
        return replace(words, scale=words._fitting(typical), sums=words._fitting(total))

    def _fitting(self, amount: float) -> float:
        """The largest unit of which an amount has BIG, else 1.0; the smallest of an unknown one."""
        units, size = [unit for unit, _ in COUNTED[self.language]], abs(amount) * self.unit()[0]
        return next((one for one in units if size >= BIG * one), 1.0 if size >= 0 else units[-1])

    def in_sums(self) -> Words:
        """The words of an exhibit of sums; where amounts are written in full, in full."""
        return replace(self, scale=self.sums) if self.sums > self.scale > 1 else self

    def say(self, key: str, **figures: Any) -> str:
        """The phrase of a key, its placeholders filled. Raises KeyError for an unknown key."""
        return _Filler(self).vformat(phrases(self.language)[key], (), figures)

    def tell(self, text: str) -> str:
        """A result's sentence in the language; other text, such as a client's, as it is."""
        if isinstance(text, Message):
            return self.say(text.key, **text.figures)
        key = _keys().get(text) if self.language != "en" else None
        return self.say(key) if key else text

    def word(self, key: object) -> str:
        """The word of a code, such as a zone; the code itself where it has none."""
        return phrases(self.language).get(str(key), str(key)) if key else ""

    def join(self, sentences: Iterable[str]) -> str:
        """Sentences one after the other."""
        return ("" if self.language == "zh" else " ").join(map(self.tell, sentences))

    def page(self) -> dict[str, str]:
        """The phrases of the page's interactive part, whose placeholders the page fills."""
        return beside(__file__, self.language)["page"]

    def label(self, column: object) -> str:
        """What people read for a column: its label, its unit in brackets, or the client's name
        for it without underscores."""
        return self.labels.get(str(column)) or str(column).replace("_", " ")

    def column(self, name: object) -> str:
        """The header of a column, or of a row that is called as one."""
        return self.labels.get(str(name)) or beside(__file__, self.language)["columns"].get(
            str(name), self.label(name)
        )

    def noun(self, column: object) -> str:
        """A column's label, or our term for it, without its unit: floor area."""
        return LABEL.fullmatch(self.column(column))[1]  # type: ignore[index]  # any text matches

    def measure(self, column: object) -> str:
        """The unit in a column's label: m²; "" without one."""
        return LABEL.fullmatch(self.label(column))[2] or ""  # type: ignore[index]

    def unit(self) -> tuple[float, str]:
        """What one of the study's amounts is: (1000, "GBP") where they are in "thousand GBP"."""
        for word, size in SCALES.items():
            if self.currency.lower().startswith(word + " "):
                return size, self.currency[len(word) + 1 :]
        return 1.0, self.currency

    def in_units(self, value: float) -> float:
        """An amount in what the document counts its amounts in."""
        return value * self.unit()[0] / self.scale

    def money(self, value: float) -> str:
        """An amount with its unit: 3.24 M EUR, 402 k EUR."""
        if not _finite(value):
            return MISSING
        words = sums = self.in_sums()
        if abs(sums.in_units(value)) < 1:  # less than a thousand is written out
            small = self.scale in (1e3, 1e4) and 0 < abs(self.in_units(value)) < 0.95
            words = replace(self, scale=self.unit()[0]) if small else self
        return f"{words.amount(value)}{words.counted()}".strip()

    def amount(self, value: float) -> str:
        """An amount in the document's units, for a column that names them: 402, of sums 3.24."""
        if not _finite(value):
            return MISSING
        shown = self.in_units(value)
        return self.number(shown, sum(0 < abs(shown) < end for end in self.ends))

    @property
    def ends(self) -> tuple[float, ...]:
        """Sizes in the document's units below which an amount has a digit more."""
        return ENDS.get(self.scale, ())

    def tick(self, value: float) -> str:
        """An amount at an axis, in the document's units, as short as it can be."""
        return format_decimal(self.in_units(value), "#,##0.###", locale=self._locale)

    def yearly(self) -> str:
        """The unit of a document's amounts: thousand EUR a year."""
        long = COUNT_WORDS.get(self.scale)
        counted = self.say(f"in_{long}") if long else ""
        return self.say("yearly", unit=f"{counted}{self._currency()}".strip())

    def whole(self, value: float) -> str:
        """A whole number with separators: 12,345."""
        return self.number(value, 0)

    def number(self, value: float, digits: int = 0) -> str:
        """A number with so many digits behind the point."""
        if not _finite(value):
            return MISSING
        shown = float(value) if round(value, digits) else 0.0  # not -0
        return str(format_decimal(shown, _pattern(digits), locale=self._locale))

    def figure(self, value: float) -> str:
        """A number to three significant digits without an exponent: 0.0123, 20,380."""
        if not _finite(value):
            return MISSING
        if value and abs(value) < 0.001:
            return "< 0.001" if value > 0 else "≈ 0"
        digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
        return self.number(value, min(digits, 4))

    def percent(self, value: float, digits: int = 0) -> str:
        """A fraction as a percentage: 28%."""
        if not _finite(value):
            return MISSING
        pattern = _pattern(digits) + "%"
        shown = round(float(value), 12) if round(value, digits + 2) else 0.0
        return str(format_percent(shown, pattern, locale=self._locale))

    def signed(self, value: float) -> str:
        """A fraction as a percentage with its sign: +4%."""
        return f"{'+' if value > 0 else ''}{self.percent(value)}"

    def points(self, value: float) -> str:
        """A difference of shares in percentage points with its sign: +0.42."""
        sign = "+" if _finite(value) and value >= 0 else ""
        return sign + self.number(100 * value, 2)

    def share(self, value: float) -> str:
        """A market share, to one digit wherever it is written: 30.5%."""
        return self.percent(value, 1)

    def rep(self, name: str) -> str:
        """Who works on an account: a representative's name, or a seat that nobody holds yet."""
        seat = SEAT.fullmatch(name)
        if not seat:
            return name
        return self.say(f"seat_{seat[1].lower()}", team=seat[2], n=int(seat[3]))

    def names(self, given: Iterable[object]) -> str:
        """A list in a sentence: a, b and c."""
        return str(format_list([str(one) for one in given], locale=self._locale))

    @property
    def _locale(self) -> str:
        return LANGUAGES[self.language]

    def _currency(self) -> str:
        """The currency as its language calls it: 欧元; the client's own word where none does."""
        code = self.unit()[1]
        if self.language == "en" or not re.fullmatch("[A-Z]{3}", code):
            return code
        return phrases(self.language).get(code) or str(get_currency_name(code, locale=self._locale))

    def counted(self) -> str:
        """What stands behind an amount: \" k EUR\"."""
        word = COUNT_WORDS.get(self.scale)
        currency = self._currency()
        if word:
            return self.say("counted", scale=self.say(word), currency=currency)
        return f"\u00a0{currency}" if currency else ""


ENGLISH = Words("en", "", scale=1.0)


class _Filler(Formatter):
    """Fills placeholders, each figure written as its placeholder asks."""

    def __init__(self, words: Words) -> None:
        self.words = words

    def format_field(self, value: Any, spec: str) -> str:
        words = self.words
        if not spec:
            spec = "said" if isinstance(value, str) else "whole"
        if "|" in spec:
            forms = spec.split("|")
            one = Locale.parse(words._locale).plural_form(value) == "one"
            return forms[0] if one else forms[-1]
        if spec.startswith("number"):
            return words.number(value, int(spec[6:] or not float(value).is_integer()))
        if spec == "str":
            return str(value)
        if spec in ("hunters", "farmers"):
            return words.say(f"n_{spec[:-1]}", n=value).strip()
        if spec == "counts":  # {what: how many}, of nothing none
            return words.names(words.say(f"n_{key}", n=n) for key, n in value.items() if n)
        if spec == "within":  # a share and its interval, where that can be read
            share, low, high = map(words.share, value)
            told = _finite(value[1]) and low != high
            return words.say("interval", value=share, low=low, high=high) if told else share
        if spec == "near":  # a count and its range, where there is one
            count, *ends = map(words.whole, value)
            both = words.say("interval", value=count, low=ends[0], high=ends[1])
            return both if ends[0] != ends[1] else count
        if spec == "weights":  # {name of a part: its weight}, the heaviest first
            order = sorted(value.items(), key=lambda item: -item[1])
            return words.names(f"{words.word(f'part_{n}')} {words.percent(w)}" for n, w in order)
        if spec == "title":
            said = words.word(value)
            return said[:1].upper() + said[1:]
        if spec == "labels":
            return words.names(map(words.noun, value))
        return str(getattr(words, WRITERS.get(spec, spec))(value))


def _pattern(digits: int) -> str:
    return "#,##0" + ("." + "0" * digits if digits else "")


def _finite(value: Any) -> bool:
    return value is not None and math.isfinite(float(value))


def in_language(source: str, language: str) -> str:
    """A notebook's Markdown in the language; paragraphs that are unknown here stay English."""
    if language != "zh":
        return source
    chinese: dict[str, str] = beside(__file__, "chapters")
    found = map(PARAGRAPH.fullmatch, source.split("\n\n"))
    return "\n\n".join((part[1] or "") + chinese.get(part[2], part[2]) for part in found if part)
