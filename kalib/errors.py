"""Errors that name the file, the column, the row and the remedy."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any, TextIO

SHOWN = 200  # problems printed; a table of nothing but errors need not fill the screen
VALUE_LETTERS, EXAMPLE_LETTERS = 60, 120
# What a plain installation leaves out: the modules that each extra of pyproject.toml brings.
EXTRAS = {"scale": ("duckdb", "ibis", "sqlglot"), "spark": ("pyspark",), "postgres": ("psycopg",),
          "lab": ("ipywidgets", "jupyterlab"), "zh": ("pylopdf_fonts_zh_cn",)}  # fmt: skip
voice: TextIO | None = None  # what `say` says goes here, else to stderr
DIED = "died, perhaps for want of memory; close other programs and run again"
NO_ROOM = "failed to map segment"  # what the system's loader says where a library finds no memory


@dataclass(frozen=True)
class Problem:
    """One thing wrong with an input.

    row: the row of the file as a spreadsheet counts it; value: what the client wrote there;
    example: what else of the client's data makes the problem plain.
    """

    message: str
    file: str = ""
    column: str = ""
    row: int | None = None
    remedy: str = ""
    value: str = ""
    example: str = ""

    def __str__(self) -> str:
        column = f"column {self.column}" if self.column else ""
        row = f"row {self.row}" if self.row is not None else ""
        place = ", ".join(filter(None, (self.file, column, row)))
        message = f"{self.value[:VALUE_LETTERS]!r} {self.message}" if self.value else self.message
        message = f"{message} ({self.example[:EXAMPLE_LETTERS]})" if self.example else message
        text = f"{place}: {message}" if place else message
        return f"{text}. {self.remedy}" if self.remedy else text

    def without_value(self) -> Problem:
        """The problem as it may be shown to those who must not see the client's data."""
        return replace(self, value="", example="")


class KalibError(Exception):
    """A run that failed; exit status 1."""


class StudyError(KalibError):
    """Bad usage or bad data, every problem of it; exit status 2. study: of a study file that is
    refused, what can be read of it, None for nothing."""

    study: Any = None

    def __init__(
        self, problems: Problem | str | Iterable[Problem], file: str = "", column: str = "",
        row: int | None = None, remedy: str = "",
    ) -> None:  # fmt: skip
        """problems: or the message of the only one, of which the rest tells."""
        if isinstance(problems, str):
            problems = Problem(problems, file, column, row, remedy)
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[Any, ...]:
        return (StudyError, (self.problems,), self.__dict__)


def nearest(name: str, names: Iterable[str]) -> str:
    """A remedy that names the spelling near a name, "" where none is.

    >>> nearest("umsaz", ["Umsatz", "Name"])
    "Did you mean 'Umsatz'?"
    """
    plain = {known.casefold(): known for known in names}
    near = difflib.get_close_matches(name.casefold(), plain, n=1)
    return f"Did you mean {plain[near[0]]!r}?" if near else ""


def need(extra: str) -> None:
    """Raise StudyError, which names the remedy, where an extra of the kit is not installed."""
    if absent := [module for module in EXTRAS[extra] if find_spec(module) is None]:
        raise StudyError(f"{absent[0]} is not installed", remedy=install(extra))


def install(extra: str) -> str:
    """The command that installs an extra of the kit.

    >>> install("scale")
    "pip install 'kalib-kit[scale]'"
    """
    return f"pip install 'kalib-kit[{extra}]'"


def say(text: str) -> None:
    """Tell the user something that is no error."""
    print(text, file=voice or sys.stderr, flush=True)


def refusal(error: OSError) -> str:
    """Why the system refused, in its own words: libraries wrap them in theirs."""
    return os.strerror(error.errno) if error.errno else str(error) or type(error).__name__


def message_of(error: Exception) -> str:
    """What the user reads of an error."""
    if isinstance(error, StudyError):
        count = len(error.problems)
        alike: dict[tuple[str, str], list[Problem]] = {}
        for problem in error.problems:
            alike.setdefault((problem.file, problem.message), []).append(problem)
        lines = []
        for first, *more in alike.values():
            columns = list(dict.fromkeys(problem.column for problem in more))
            # One fault of many columns is one line; of many cells it is not.
            if first.column and len(more) > 2 and len({first.column, *columns}) > len(more):
                names = ", ".join(columns[:5]) + ", …" * (len(columns) > 5)
                said = f"{first.message}; the same in {len(more)} columns more: {names}"
                first, more = replace(first, message=said), []
            lines += [f"  {problem}" for problem in (first, *more)]
        rest = [f"  and {len(lines) - SHOWN} more"] * (len(lines) > SHOWN)
        head = "1 problem:" if count == 1 else f"{count} problems:"
        return "\n".join([head, *lines[:SHOWN], *rest])
    if isinstance(error, KalibError):
        return f"error: {error}"
    if isinstance(error, MemoryError) or NO_ROOM in str(error):
        return "error: not enough memory; close other programs and run again"
    if isinstance(error, OSError) and error.errno:
        place = f"{error.filename}: " if error.filename else ""
        return f"error: {place}{refusal(error)}"
    return f"error: {type(error).__name__}: {error} (--debug shows where)"
