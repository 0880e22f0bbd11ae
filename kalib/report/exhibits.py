"""Tables by the names that the notebooks still call them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kalib.analysis import Analysis
from kalib.report import tables
from kalib.report.story import words_of


def __getattr__(name: str) -> Callable[..., Any]:
    build = getattr(tables, name, None)
    if build is None:
        raise AttributeError(name)
    if name == "data_report":
        return lambda a: tables.data_report(a.study, a.tables, words_of(a))
    return lambda analysis, *rows: build(analysis, words_of(analysis), *rows)


def _nothing(analysis: Analysis, *_: int) -> tables.Table:
    return tables.figures_of(words_of(analysis), "", [])


known_potential = influence = sources = above_one = undecided = key_account_moves = _nothing
