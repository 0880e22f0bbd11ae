"""report.pdf: the story, its charts and tables as a document to print and hand over."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kalib.analysis import Analysis
from kalib.plots.theme import accent, cut, font_files, letters_of
from kalib.report import tables, wave_tables
from kalib.report.story import Story, given
from kalib.report.tables import Table

TEMPLATE = Path(__file__).parent / "templates" / "report.typ"
LAYOUT = tomllib.loads(Path(__file__).with_name("document.toml").read_text("utf-8"))["chapters"]
LONG_CELL = 20  # letters from which on a column is wrapped rather than as wide as its longest cell
HEAD_LETTERS = 80  # of the title at the head of each page
LONG_WORD = 24  # letters of a word that may be broken: an address or an id fills no column
MANY_COLUMNS = 9  # of a table whose heads take three lines rather than two
WHOLE_ROWS = 24  # a table of at most so many rows stays on one page
Item = dict[str, Any]


def write_document(
    analysis: Analysis, story: Story, figures: Path, version: str, path: Path
) -> None:
    """Write the PDF. figures: folder of the SVG files."""
    import typst

    study, words = analysis.study, story.words
    content = {
        "language": words.language,
        "accent": accent(study),
        "title": study.title,
        "head": cut(study.title, HEAD_LETTERS),
        "client": given(study.report.client),
        "author": given(study.report.author),
        "kicker": words.say("report_of"),
        "prepared": story.byline,
        "period": story.period,
        "draft": story.draft,
        "headline": story.say(story.headline),
        "verdict": f"{words.say('verdict')}: {words.say(analysis.verdict.verdict)}",
        "colophon": f"kalib {version} · {study.name} · {study.period}",
        "logo": None,
        "parts": _chapters(analysis, story),
    }
    with tempfile.TemporaryDirectory() as root:
        for file in figures.glob("*.svg"):
            shutil.copy(file, root)
        if study.report.logo:
            logo = study.folder / study.report.logo
            content["logo"] = f"/logo{logo.suffix.lower()}"
            shutil.copy(logo, Path(root) / f"logo{logo.suffix.lower()}")
        pdf: bytes = typst.compile(  # type: ignore[misc]
            TEMPLATE.read_bytes(), root=root,
            font_paths=sorted({str(file.parent) for file in font_files()}),
            sys_inputs={"report": json.dumps(content, ensure_ascii=False)},
        )  # fmt: skip
    path.write_bytes(pdf)


def _chapters(analysis: Analysis, story: Story) -> list[Item]:
    """What document.toml lays out, as the template sets it."""
    f, words, formula = story.figures, story.words, analysis.fit.formula
    holds = {
        "": True,
        "placed": story.placed,
        **{part: getattr(story, part)
           for part in ("bridge", "waves", "actions", "steps", "risks", "unknown")},
        # A ranking of all accounts can't be compared with a matrix of the measured ones only.
        "compared": f["accounts_placed"] == f["accounts"],
        "formula": formula.terms,
    }  # fmt: skip
    says_nothing = not formula.indicators or f["verdict"] == "unusable"
    chapters = []
    for chapter in LAYOUT:
        if not holds[chapter.get("when", "")]:
            continue
        if "chart" in chapter:
            title = story.say(story.charts[chapter["chart"]])
        else:
            key = chapter.get("otherwise", chapter["title"]) if says_nothing else chapter["title"]
            period = story.waves.periods[0] if story.waves else ""
            title = words.say(key, **story.facts, period=period)
        items = [item for about in chapter["items"] if holds[about.get("when", "")]
                 for item in _items(about, analysis, story)]  # fmt: skip
        chapters.append({"title": title, "items": items})
    return chapters


def _items(about: Mapping[str, Any], analysis: Analysis, story: Story) -> list[Item]:
    """One entry of document.toml as the template's items."""
    kind, what = next(iter(about.items()))
    words = story.words
    if kind in ("heading", "text"):
        return [{"kind": kind, "text": words.say(what)}]
    if kind == "tiles":
        tiles = [{"figure": figure, "what": told} for figure, told in story.tiles]
        return [{"kind": kind, "items": tiles}]
    if kind == "figure":
        alt = story.say(story.charts[what])
        return [{"kind": kind, "path": f"/{what}.svg", "alt": alt, "width": about["width"]}]
    if kind in ("claims", "sentences", "terms"):
        formula = analysis.fit.formula
        said = {
            "claims": lambda: [line for part in what for line in story.said(getattr(story, part))],
            "sentences": lambda: [words.say(key) for key in what],
            "terms": lambda: [tables.in_words(term, formula, words) for term in formula.terms],
        }
        return [{"kind": "sentences", "texts": said[kind]()}]
    most = {"rows": about["rows"]} if "rows" in about else {}
    if kind == "table":
        shown = [getattr(tables, what)(analysis, words, **most)]
    elif kind == "list":
        shown = [tables.account_list(analysis, words, what, **most)]
    elif kind == "waves":
        shown = wave_tables.main_tables(story.waves, words) if story.waves else []
    else:
        shown = tables.data_report(analysis.study, analysis.tables, words)
    return [_table(one) for one in shown if len(one.frame)]


def _table(table: Table) -> Item:
    """A table as the template sets it."""
    rows = [[_broken(cell) for cell in row] for row in table.rows()]
    columns, lines = [], 2 if len(table.heads) < MANY_COLUMNS else 3  # of a head
    for cells, head, number in zip(
        zip(*rows, strict=True), table.heads, table.numbers, strict=True
    ):
        longest = max(map(letters_of, cells))
        # A head is wrapped between words; wrapped columns share the room by the root of their
        # letters: long ones get more lines.
        letters = max(longest, -(-letters_of(head) // lines), *map(letters_of, head.split())) + 1
        wide = round(longest**0.5, 2) if longest > LONG_CELL and not number else 0
        columns.append({"name": _broken(head), "number": number, "wide": wide, "letters": letters})
    if not any(column["wide"] for column in columns):  # the longest text fills the line
        widest = max(columns, key=lambda column: -1 if column["number"] else column["letters"])
        widest["wide"] = 1
    return {"kind": "table", "title": table.title, "columns": columns, "rows": rows,
            "whole": len(rows) <= WHOLE_ROWS}  # fmt: skip


def _broken(text: str) -> str:
    """Text whose very long words may be broken (by spaces of no width)."""
    return re.sub(
        rf"\S{{{LONG_WORD},}}",
        lambda found: re.sub(rf"([_\-/.@])|(\S{{{LONG_WORD}}})(?=\S)", "\\g<0>\u200b", found[0]),
        text,
    )
