"""Errors that name the file, the column, the row and the remedy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing wrong with an input; row is the row of the file, the header being row 1."""

    message: str
    file: str = ""
    column: str = ""
    row: int | None = None
    remedy: str = ""

    def __str__(self) -> str:
        place = ", ".join(
            part
            for part in (
                self.file,
                f"column {self.column}" if self.column else "",
                f"row {self.row}" if self.row is not None else "",
            )
            if part
        )
        text = f"{place}: {self.message}" if place else self.message
        return f"{text}. {self.remedy}" if self.remedy else text


class KalibError(Exception):
    """A run that failed; exit status 1."""


class StudyError(KalibError):
    """Bad usage or bad data, every problem of it; exit status 2."""

    def __init__(self, problems: Problem | str | Iterable[Problem]) -> None:
        if isinstance(problems, str):
            problems = Problem(problems)
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
