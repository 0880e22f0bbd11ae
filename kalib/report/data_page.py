"""The page on a client's data: what was read, whom the survey covers, and what to ask."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from kalib import __version__, plots
from kalib.errors import StudyError
from kalib.formula.survey import survey_reach
from kalib.formula.verdict import BEYOND_MOST
from kalib.indicators.screening import Screening, build_design, screen
from kalib.report.page import render
from kalib.study.settings import Study
from kalib.tables.client import Tables, data_report, noted
from kalib.tables.visits import Potential
from kalib.words.catalogue import Words
from kalib.words.table import table

ENTRIES = 30  # suspected entries asked of; the run lists all
CORRELATED = 10  # columns of the heat map, those that go best with potential
WELCOME = ("name", "region", "segment", "current_ka", "rep", "margin", "parent")


def data_page(study: Study, tables: Tables, known: Potential) -> str:
    """The page on tables that can be read: questions, what was read, distributions, coverage."""
    words, potential = replace(Words.of(study), scale=1.0), known.frame["potential"]
    plots.set_theme(study, words)
    screening = screen(tables, known)
    asked = table(words, "questions", _questions(study, tables, known, screening, words))
    values = tables.candidates.assign(**{words.say("sales"): tables.accounts["sales"]})
    ranks = tables.candidates.assign(potential=potential).corr("spearman", numeric_only=True)
    best = ranks["potential"].abs().nlargest(CORRELATED).index
    panels = plots.coverage(values, tables.accounts.index.isin(potential.index))
    charts = {"coverage": _svg(panels[0]), "ranks": _svg(plots.correlation(ranks.loc[best, best]))}
    read = data_report(study, tables, words)[:2]  # notes are among the questions
    said = words.say("data_found", n=len(tables.accounts), count=len(potential))
    return render("data.html", study=study, words=words, said=said, shown=[asked, *read],
                  charts=charts, version=__version__)  # fmt: skip


def refused_page(study: Study, error: StudyError) -> str:
    """The page on tables that can't be used as they are: what is to be mended."""
    words = Words.of(study)
    rows = [
        (p.file, words.label(p.column), p.row or "",
         str(replace(p, file="", column="", row=None, remedy="")), p.remedy)
        for p in error.problems
    ]  # fmt: skip
    said = words.say("data_refused", n=len(rows))
    return render("data.html", study=study, words=words, said=said, charts={},
                  shown=[table(words, "problems", rows)], version=__version__)  # fmt: skip


def _questions(
    study: Study, tables: Tables, known: Potential, screening: Screening, words: Words
) -> Iterator[tuple[str, str]]:
    """What to ask the client, and why it matters, the gravest first."""

    def ask(kind: str, **figures: object) -> tuple[str, str]:
        return words.say(f"ask_{kind}", **figures), words.say(f"why_{kind}")

    surveyed = screening.values.index.isin(known.frame.index)
    design = build_design(screening, surveyed, logged=True)
    reach = survey_reach(screening, design, surveyed, np.ones(len(surveyed)))
    if reach.beyond > BEYOND_MOST:
        yield ask("reach", share=reach.beyond, by=reach.by)
    left = screening.frame[~screening.frame["kept"]].sort_values("copy", ascending=False)
    for name, row in left.iterrows():
        yield ask("copy" if row["copy"] else "unused", column=name, reason=row["reason"])
    for note in tables.notes:
        yield noted(words, note), words.say("why_note")
    for row in screening.suspects.head(ENTRIES).itertuples():
        yield ask("entry", column=row.entry, account=str(row.account), value=row.value,
                  low=row.expected_low, high=row.expected_high)  # fmt: skip
    if (more := len(screening.suspects) - ENTRIES) > 0:
        yield ask("entries", n=more)
    if absent := [words.column(term) for term in WELCOME if not getattr(study.columns, term)]:
        yield ask("absent", list=absent)


def _svg(ax: Axes) -> str:
    """The chart of axes as it stands in the page."""
    drawn, figure = io.StringIO(), ax.get_figure(root=True)
    figure.savefig(drawn, format="svg", bbox_inches="tight")  # type: ignore[union-attr]
    plt.close(figure)
    return drawn.getvalue()[drawn.getvalue().index("<svg") :]
