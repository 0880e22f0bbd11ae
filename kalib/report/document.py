"""report.pdf: the story, its charts and tables as a document to print and hand over."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kalib.analysis import Analysis
from kalib.plots.theme import accent, cut, font_files, letters_of
from kalib.report import tables, wave_tables
from kalib.report.story import Story, given
from kalib.report.tables import Table

TEMPLATE = Path(__file__).parent / "templates" / "report.typ"
LONG_CELL = 20  # letters from which on a column is wrapped rather than as wide as its longest cell
HEAD_LETTERS = 80  # of the title at the head of each page
LONG_WORD = 24  # letters of a word that may be broken: an address or an id fills no column
LINE_LETTERS = 90  # of a table's line
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
        "parts": [
            {"title": title, "items": [item for item in items if item]}
            for title, items in _parts(analysis, story)
        ],
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


def _parts(analysis: Analysis, story: Story) -> list[tuple[str, list[Item]]]:
    """The chapters: (title, items). Titles of chapters that argue are claims."""
    words = story.words
    summary: list[Item] = [{"kind": "tiles", "items": [
        {"figure": figure, "what": what} for figure, what in story.tiles]}]  # fmt: skip
    for key, claims in (("found", story.findings + story.more), ("do", story.actions)):
        summary += [_heading(words.say(key)), _sentences(story.said(claims))]
    if story.bridge:
        summary += [_heading(words.say("bridge")), _figure("bridge", 78)]
    parts = [(words.say("summary"), summary)]
    if story.placed:
        parts += _plan_parts(analysis, story)
    if story.waves:
        told = [_table(one) for one in wave_tables.main_tables(story.waves, words)]
        parts.append((words.say("p_waves", period=story.waves.periods[0]), told))
    parts.append((words.say("p_next"), [
        _heading(words.say("steps")), _sentences(story.said(story.steps)),
        _heading(words.say("risks")), _sentences(story.said(story.risks)),
        _heading(words.say("unknown")), _sentences(story.said(story.unknown)),
        _table(tables.what_decides(analysis, words, 10)),
        _table(tables.next_survey(analysis, words, 10)),
    ]))  # fmt: skip
    parts.append((_formula_title(analysis, story), _formula(analysis, story)))
    parts.append((words.say("statistics"), [
        _table(tables.accuracy(analysis, words)), _table(tables.checks(analysis, words)),
        _table(tables.terms(analysis, words)), _table(tables.best_of_size(analysis, words)),
        _table(tables.forms(analysis, words)),
    ]))  # fmt: skip
    parts.append((words.say("p_limits"), _limits(analysis, story)))
    return parts


def _plan_parts(analysis: Analysis, story: Story) -> list[tuple[str, list[Item]]]:
    """What the matrix says, and what follows from it."""
    words, charts = story.words, {name: story.say(c) for name, c in story.charts.items()}
    # A ranking of all accounts can't be compared with a matrix of the measured ones only.
    whole = story.figures["accounts_placed"] == story.figures["accounts"]
    lists = (tables.missed, tables.wrongly_key) if whole else ()
    parts = [
        (charts["zones"], [
            _text(words.say("n_matrix")), _figure("matrix", 94),
            _table(tables.zones(analysis, words)),
        ]),
        (words.say("p_accounts"), [
            _table(tables.top_attack(analysis, words)), _figure("intervals", 84),
        ]),
        (charts["targets"], [
            _text(words.say("n_plan")), _table(tables.teams(analysis, words)),
            _table(tables.reps(analysis, words)),
        ]),
        (charts["key-accounts"], [
            _text(words.say("n_change")), _figure("key-accounts", 72),
            *(_table(build(analysis, words, 10)) for build in lists),
        ]),
        (charts["share-of-wallet"], [
            _text(words.say("n_share")), _figure("share-of-wallet", 78),
            _table(tables.market(analysis, words)),
            _table(tables.below_market(analysis, words, 12)),
        ]),
    ]  # fmt: skip
    if len(analysis.overrides.entries):
        parts[-1][1].append(_table(tables.overrides(analysis, words)))
    return parts


def _formula_title(analysis: Analysis, story: Story) -> str:
    formula, words = analysis.fit.formula, story.words
    if not formula.indicators or analysis.verdict.verdict == "unusable":
        return words.say("p_formula")
    return words.say("t_formula", indicators=formula.indicators)


def _formula(analysis: Analysis, story: Story) -> list[Item]:
    """What the formula says, in words and charts, and how sure its indicators are."""
    words, formula = story.words, analysis.fit.formula
    said = [tables.in_words(term, formula, words) for term in formula.terms]
    shown = [_text(words.say("n_method")), _sentences(said)]
    if formula.terms:
        shown += [_text(words.say("n_terms")), _figure("partial-effects", 74)]
    shown += [_figure("stability", 74), _text(words.say("n_accuracy"))]
    return [*shown, _figure("observed-predicted", 74), _table(tables.suspects(analysis, words))]


def _limits(analysis: Analysis, story: Story) -> list[Item]:
    """What was read, what was tolerated in it, and how what was measured looks."""
    words = story.words
    read = tables.data_report(analysis.study, analysis.tables, words)
    said = [words.say("l_survey"), words.say("l_selection")]
    shown = (*read, tables.candidates(analysis, words), tables.visitors(analysis, words))
    return [_sentences(said), *(_table(one) for one in shown)]


def _heading(text: str) -> Item:
    return {"kind": "heading", "text": text}


def _text(text: str) -> Item:
    return {"kind": "text", "text": text}


def _sentences(texts: Iterable[str]) -> Item:
    return {"kind": "sentences", "texts": list(texts)}


def _figure(name: str, width: int = 100) -> Item:
    return {"kind": "figure", "path": f"/{name}.svg", "alt": name, "width": width}


def _table(table: Table) -> Item:
    """A table as the template sets it; nothing of one without rows."""
    rows = [[_broken(cell) for cell in row] for row in table.rows()]
    if not rows:
        return {}
    longest = [max(letters_of(row[j]) for row in rows) for j in range(len(table.heads))]
    for lines in (2, 3, 4):  # of a head, which is wrapped between words: more where room is short
        heads = [_wrapped(name, lines) for name in table.heads]
        letters = [max(pair) for pair in zip(longest, heads, strict=True)]
        if sum(letters) <= LINE_LETTERS:
            break
    columns = []
    for j, (name, number) in enumerate(zip(table.heads, table.numbers, strict=True)):
        # Wrapped columns share the room by the root of their letters: long ones get more lines.
        wide = round(longest[j] ** 0.5, 2) if longest[j] > LONG_CELL and not number else 0
        columns.append({"name": _broken(name), "number": number, "wide": wide,
                        "letters": letters[j]})  # fmt: skip
    if not any(column["wide"] for column in columns):  # the longest text fills the line
        widest = max(columns, key=lambda column: -1 if column["number"] else column["letters"])
        widest["wide"] = 1
    return {"kind": "table", "title": table.title, "columns": columns, "rows": rows,
            "whole": len(rows) <= WHOLE_ROWS}  # fmt: skip


def _wrapped(name: str, lines: int) -> int:
    """Letters of the widest line of a head over so many lines."""
    return max([*map(letters_of, name.split()), -(-letters_of(name) // lines)]) + 1


def _broken(text: str) -> str:
    """Text whose very long words may be broken (by spaces of no width)."""
    return re.sub(
        rf"\S{{{LONG_WORD},}}",
        lambda found: re.sub(rf"([_\-/.@])|(\S{{{LONG_WORD}}})(?=\S)", "\\g<0>\u200b", found[0]),
        text,
    )
