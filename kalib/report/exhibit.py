"""A table for the reader, in the study's language."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from kalib.analysis import Analysis
from kalib.words.catalogue import Words


@dataclass(frozen=True)
class Exhibit:
    """A table for the reader.

    title: what it shows; frame: cells as text, column headers as they are read; numbers: columns
    to be set flush right.
    """

    title: str
    frame: pd.DataFrame
    numbers: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        head = "".join(
            f'<th scope="col"{self._side(name)}>{html.escape(str(name))}</th>'
            for name in self.frame.columns
        )
        body = "".join(
            "<tr>"
            + "".join(
                f"<td{self._side(name)}>{html.escape(str(cell))}</td>"
                for name, cell in zip(self.frame.columns, row, strict=True)
            )
            + "</tr>"
            for row in self.frame.itertuples(index=False, name=None)
        )
        return (
            f'<table class="exhibit"><caption>{html.escape(self.title)}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )

    def __repr__(self) -> str:
        return f"{self.title}\n{self.frame.to_string(index=False)}"

    def _side(self, column: str) -> str:
        return ' class="number"' if column in self.numbers else ""


def words_of(analysis: Analysis) -> Words:
    """The words of a study's deliverables."""
    potential = analysis.plan.accounts["potential"]
    key = potential[analysis.plan.accounts["key_account"]]
    return Words.of(analysis.study, float(key.median() if len(key) else potential.median()))


def told(
    words: Words,
    title: str,
    frame: pd.DataFrame,
    numbers: Sequence[str] = (),
    said: Sequence[str] = (),
) -> Exhibit:
    """A table in the language; title, headers and the cells of the columns said are English."""
    cells = frame.assign(**{name: [words.tell(str(cell)) for cell in frame[name]] for name in said})
    headers = {name: words.tell(str(name)) for name in frame.columns}
    return Exhibit(
        words.tell(title), cells.rename(columns=headers), tuple(headers[name] for name in numbers)
    )
