"""The notebooks' prose in the study's language."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path

# A paragraph of Markdown: the marks and number of a heading, and what it says.
PARAGRAPH = re.compile(r"(#+ (?:\d+\. )?)?(.*)", re.DOTALL)


def in_language(source: str, language: str) -> str:
    """A Markdown cell in the language ("en" | "zh"); paragraphs unknown here stay English."""
    if language != "zh":
        return source
    found = map(PARAGRAPH.fullmatch, source.split("\n\n"))
    return "\n\n".join((part[1] or "") + _chinese().get(part[2], part[2]) for part in found if part)


@cache
def _chinese() -> dict[str, str]:
    """Heading or paragraph -> its Chinese."""
    file = Path(__file__).parent / "chapters.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))
