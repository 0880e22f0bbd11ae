"""The words of the deliverables in English and Chinese, and numbers as each language reads them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from kalib.study.settings import Study

_WORDS = tomllib.loads((Path(__file__).parent / "catalogue.toml").read_text(encoding="utf-8"))
# Chinese is typed with the keyboard's marks and read with its own.
_MARKS = str.maketrans(",;:()!?", "，；：（）！？")


def _both(section: str) -> dict[str, tuple[str, str]]:
    return {key: (en, zh.translate(_MARKS)) for key, (en, zh) in _WORDS[section].items()}


CATALOGUE, PAGE = _both("phrases"), _both("page")
SENTENCES: dict[str, str] = {  # English -> Chinese
    english: chinese.translate(_MARKS) for english, chinese in _WORDS["sentences"].items()
}
UNITS = {
    "en": ((1e9, " bn"), (1e6, " M"), (1e3, " k")),
    "zh": ((1e8, "亿"), (1e4, "万")),
}
SCALES = {"thousand": 1e3, "million": 1e6}  # units a currency may begin with
MISSING = "–"


@dataclass(frozen=True)
class Words:
    """Phrases and numbers in one language ("en" | "zh"), amounts in one currency."""

    language: str
    currency: str

    @classmethod
    def of(cls, study: Study) -> Words:
        """The words of a study's deliverables."""
        return cls(study.report.language, study.currency)

    def say(self, key: str, **values: object) -> str:
        """The phrase of a key, its placeholders filled. Raises KeyError for an unknown key."""
        return CATALOGUE[key][1 if self.language == "zh" else 0].format(**values)

    def page(self) -> dict[str, str]:
        """The phrases of the page's interactive part, whose placeholders the page fills."""
        return {key: both[1 if self.language == "zh" else 0] for key, both in PAGE.items()}

    def tell(self, text: str) -> str:
        """English of a result, a table or a chart in the language; as it is where the catalogue
        does not have it."""
        return _in_chinese(text) if self.language == "zh" else text

    def join(self, sentences: Iterable[str]) -> str:
        """English sentences one after the other in the language."""
        return ("" if self.language == "zh" else " ").join(map(self.tell, sentences))

    def yearly(self) -> str:
        """The unit of potential and sales: EUR a year."""
        return self.tell(f"{self.currency} a year") if self.currency else self.tell("a year")

    def people(self, team: str, n: int) -> str:
        """So many hunters or farmers."""
        return self.say(f"n_{team}_one" if n == 1 else f"n_{team}", n=n)

    def unit(self) -> tuple[float, str]:
        """What one of the study's amounts is: (1000, "GBP") where they are in "thousand GBP"."""
        for word, size in SCALES.items():
            if self.currency.lower().startswith(word + " "):
                return size, self.currency[len(word) + 1 :]
        return 1.0, self.currency

    def money(self, value: float) -> str:
        """An amount to three digits with its currency: 1.23 M EUR; "thousand GBP" is scaled."""
        size, currency = self.unit()
        return f"{self.short(value * size)} {currency}".strip()

    def short(self, value: float) -> str:
        """A number to three digits: 1.23 M, 340 k, in Chinese 123万."""
        if value is None or not np.isfinite(value):
            return MISSING
        for size, mark in UNITS[self.language]:
            if abs(value) >= 0.9995 * size:
                return f"{_three_digits(value / size)}{mark}"
        return _three_digits(value)

    def tick(self, value: float) -> str:
        """A number at an axis, without zeros at its end: 2.5 M."""
        return re.sub(r"\.(\d*?)0+(?!\d)", lambda m: f".{m[1]}" if m[1] else "", self.short(value))

    def whole(self, value: float) -> str:
        """A whole number with separators: 12,345."""
        return MISSING if value is None or not np.isfinite(value) else f"{value:,.0f}"

    def percent(self, value: float, digits: int = 0) -> str:
        """A fraction as a percentage: 28%."""
        if value is None or not np.isfinite(value):
            return MISSING
        return f"{100 * value:,.{digits}f}%"

    def percent_within(self, value: float, low: float, high: float) -> str:
        """A fraction with its interval: 31% (28% to 33%); with a digit more where two of the three
        would read the same, and without an interval too narrow to be read even so."""
        for digits, distinct in ((0, 3), (1, 2)):
            said, least, most = (self.percent(v, digits) for v in (value, low, high))
            if len({said, least, most}) >= distinct:
                return self.page()["interval"].format(value=said, low=least, high=most)
        return self.percent(value)


def _three_digits(value: float) -> str:
    """Three significant digits without an exponent; whole numbers stay whole."""
    size = abs(value)
    if size >= 99.95 or value == round(value):
        return f"{value:,.0f}"
    return f"{value:,.1f}" if size >= 9.995 else f"{value:,.2f}"


@lru_cache(4096)
def _in_chinese(text: str) -> str:
    if text in SENTENCES:
        return SENTENCES[text]
    for pattern, chinese in _patterns():
        found = pattern.fullmatch(text)
        if found:
            return chinese.format(**{k: _in_chinese(v) for k, v in found.groupdict().items()})
    return text


# What a placeholder stands for, where it is less than any text.
_HOLES = {"n": r"[\d.,]+", "count": r"[\d.,]+", "share": r"-?[\d.,]+%"}


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """The sentences with placeholders as patterns, those with most words of their own first."""
    found = []
    for english, chinese in SENTENCES.items():
        parts = re.split(r"\{(\w+)\}", english)
        if len(parts) > 1:
            text = "".join(
                f"(?P<{part}>{_HOLES.get(part, '.+?')})" if i % 2 else re.escape(part)
                for i, part in enumerate(parts)
            )
            found.append((re.compile(text, re.DOTALL), chinese, sum(map(len, parts[::2]))))
    return tuple((p, zh) for p, zh, _ in sorted(found, key=lambda item: -item[2]))
