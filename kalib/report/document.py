"""report.pdf: the story, its charts and tables as a document to print and hand over."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from textwrap import wrap
from typing import Any

from kalib.analysis import Analysis
from kalib.files import beside
from kalib.plots.theme import accent, cut, font_files, letters_of
from kalib.report import tables
from kalib.report.story import Story, given
from kalib.tables.client import data_report
from kalib.words.catalogue import Words
from kalib.words.table import Table

TEMPLATES = Path(__file__).parent / "templates"
LAYOUT = beside(__file__)["chapters"]
HEAD_CELL = 9  # letters of a head on one line, however short its cells are
HEAD_LETTERS = 80  # of the title at the head of each page
LONG_WORD = 24  # letters of a word that may be broken: an address or an id fills no column
Item = dict[str, Any]


def write_document(
    analysis: Analysis, story: Story, figures: Path, version: str, path: Path
) -> None:
    """Write the PDF. figures: folder of the SVG files."""
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
        "verdict": words.say("verdict_is", verdict=analysis.verdict.verdict),
        "source": story.source,
        "logo": None,
        "colophon": f"kalib {version} · {study.title} · {study.period}",
        "parts": [
            {"title": story.say(story.claim(chapter)), "items": [
                item for about in chapter["items"] if story.holds(about.get("when", ""))
                for item in _items(about, analysis, story)
            ]}
            for chapter in LAYOUT if story.holds(chapter.get("when", ""))
        ],
    }  # fmt: skip
    shown = {file.name: file for file in figures.glob("*.svg")}
    if study.report.logo:
        logo = study.folder / study.report.logo
        content["logo"] = f"/logo{logo.suffix.lower()}"
        shown[f"logo{logo.suffix.lower()}"] = logo
    write_pdf("report.typ", content, path, shown)


def write_pdf(
    template: str, content: Mapping[str, Any], path: Path, shown: Mapping[str, Path]
) -> None:
    """Write the PDF of a template. shown: pictures by the names that content calls them."""
    import typst

    with tempfile.TemporaryDirectory(dir=path.parent) as root:
        own = {name: TEMPLATES / name for name in (template, "common.typ")}
        for name, file in {**own, **shown}.items():
            shutil.copy(file, Path(root) / name)
        pdf: bytes = typst.compile(  # type: ignore[misc]
            Path(root) / template, root=root,
            font_paths=sorted({str(file.parent) for file in font_files()}),
            sys_inputs={"report": json.dumps(content, ensure_ascii=False)},
        )  # fmt: skip
    path.write_bytes(pdf)


def _items(about: Mapping[str, Any], analysis: Analysis, story: Story) -> list[Item]:
    """One entry of document.toml as the template's items."""
    kind, what = next(iter(about.items()))
    words, facts = story.words, story.facts
    said = words.join(story.say(story.claim({"title": key})) for key in about.get("say", ()))
    if kind in ("heading", "text"):
        return [{"kind": kind, "text": words.say(what, **facts)}]
    if kind == "tiles":
        return [{"kind": kind, "items": story.tiles()}]
    if kind == "figure":
        alt = story.say(story.charts[what])
        return [{"kind": kind, "path": f"/{what}.svg", "alt": alt, "width": about["width"],
                 "said": said}]  # fmt: skip
    if kind == "claims":
        return [{"kind": kind, "texts": story.said(c for of in what for c in getattr(story, of))}]
    if kind == "table":
        shown = [tables.build(what, analysis, words, about.get("rows", 0))]
    elif kind == "waves":
        shown = tables.of_waves(story.waves, words) if story.waves else []
    else:
        shown = data_report(analysis.study, analysis.tables, words)
        shown = shown if analysis.tables.notes else shown[:-1]
    return [_table(one, said, words) for one in shown if len(one.frame)]


def _table(table: Table, said: str, words: Words) -> Item:
    """A table as the template sets it, each head wrapped to the width of its cells."""
    rows = [[_broken(cell) for cell in row] for row in table.rows()]
    widths = [max(HEAD_CELL, *map(letters_of, cells)) for cells in zip(*rows, strict=True)]
    columns = [
        {"name": "\n".join(wrap(_broken(head), wide, break_long_words=False)), "number": number}
        for wide, head, number in zip(widths, table.heads, table.numbers, strict=True)
    ]
    rule = words.join(filter(None, (table.rule, said)))
    return {"kind": "table", "title": table.title, "rule": rule, "columns": columns, "rows": rows}


def _broken(text: str) -> str:
    """Text whose very long words may be broken (by spaces of no width)."""
    return re.sub(
        rf"\S{{{LONG_WORD},}}",
        lambda found: re.sub(rf"([_\-/.@])|(\S{{{LONG_WORD}}})(?=\S)", "\\g<0>\u200b", found[0]),
        text,
    )
