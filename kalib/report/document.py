"""report.pdf: the findings, the charts and the tables as a document to print and hand over."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from kalib.analysis import Analysis
from kalib.plots.theme import accent, cut, font_files, letters_of
from kalib.report import exhibits, rosters, wave_tables
from kalib.report.exhibit import Exhibit
from kalib.report.findings import Findings, key_figures
from kalib.words.catalogue import Words

TEMPLATE = Path(__file__).parent / "templates" / "report.typ"
LONG_CELL = 20  # letters from which on a column is wrapped rather than as wide as its longest cell
HEAD_LETTERS = 80  # of the title at the head of each page
LONG_WORD = 10  # letters of a word that may be broken: an address or an id fills no column
Item = dict[str, Any]


def write_document(
    analysis: Analysis, findings: Findings, figures: Path, version: str, path: Path
) -> None:
    """Write the PDF. figures: folder of the SVG files."""
    import typst

    study, words = analysis.study, Words.of(analysis.study)
    content = {
        "language": words.language,
        "accent": accent(study),
        "title": study.title,
        "head": cut(study.title, HEAD_LETTERS),
        "client": study.report.client,
        "author": study.report.author,
        "kicker": words.say("report_of"),
        "prepared": words.say("prepared", client=study.report.client, author=study.report.author),
        "period": words.say("period", period=study.period),
        "verdict": f"{words.say('verdict')}: {words.say(analysis.verdict.verdict)}",
        "contents": words.say("contents"),
        "terms_title": words.say("terms"),
        "terms": [words.say(key) for key in ("n_method", "n_share", "n_matrix", "n_accuracy")],
        "foot": f"kalib {version} · {study.name} · {study.period}",
        "logo": None,
        "parts": _parts(analysis, findings, figures),
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


def _parts(analysis: Analysis, findings: Findings, figures: Path) -> list[Item]:
    words = Words.of(analysis.study)
    summary: list[Item] = []
    shown = [{"figure": figure, "what": what} for figure, what in key_figures(findings, words)]
    if shown:
        summary.append({"kind": "tiles", "items": shown})
    for key, sentences in (("found", findings.found), ("do", findings.do), ("sure", findings.sure)):
        summary += [_heading(words.say(key)), {"kind": "sentences", "texts": list(sentences)}]
    parts = [(words.say("summary"), summary)]
    if findings.figures["ka_new"]:
        parts += _plan_parts(analysis, words)
    if findings.waves:
        waves = [_table(table) for table in wave_tables.main_tables(findings.waves, words)]
        parts.append((words.say("p_waves", period=findings.waves.periods[0]), waves))
    parts += [
        (words.say("p_formula"), _formula(analysis)),
        (words.say("p_accuracy"), [
            _figure("observed-predicted", 80), _table(exhibits.accuracy(analysis)),
            _table(exhibits.suspects(analysis)),
        ]),
        (words.say("p_checks"), [_table(exhibits.checks(analysis))]),
        (words.say("appendix"), [
            _table(exhibits.candidates(analysis)), _table(exhibits.best_of_size(analysis)),
            _table(exhibits.forms(analysis)),
        ]),
        (words.say("p_limits"), _limits(analysis, words)),
    ]  # fmt: skip
    return [
        {"title": title, "items": [item for item in items if _has_content(item)]}
        for title, items in parts
    ]


def _plan_parts(analysis: Analysis, words: Words) -> list[tuple[str, list[Item]]]:
    """What the matrix says, and what follows from it."""
    below = rosters.below_market(analysis, 12)
    # A ranking of all accounts can't be compared with a matrix of the measured ones only.
    whole = analysis.wallet.accounts["potential"].notna().all()
    lists = (rosters.missed, rosters.wrongly_key) if whole else ()
    rankings = [_table(build(analysis, 10)) for build in lists]
    parts = [
        (words.say("quadrant"), [
            _figure("matrix"), _table(rosters.zones(analysis)), _table(rosters.teams(analysis)),
        ]),
        (words.say("p_accounts"), [
            _table(rosters.top_attack(analysis)), _figure("intervals", 90),
        ]),
        (words.say("p_change"), [_figure("key-accounts", 72), *rankings]),
        (words.say("p_share"), [
            _figure("share-of-wallet", 80), _table(rosters.market(analysis)), _table(below),
        ]),
    ]  # fmt: skip
    if len(analysis.overrides.entries):
        parts[-1][1].append(_table(rosters.overrides(analysis)))
    return parts


def _formula(analysis: Analysis) -> list[Item]:
    """The formula, what moves it, and how sure its indicators are."""
    shown = [{"kind": "text", "text": analysis.fit.formula.text}]
    if analysis.fit.formula.terms:
        shown += [_table(exhibits.terms(analysis)), _figure("partial-effects", 78)]
    return [*shown, _figure("stability", 78)]


def _limits(analysis: Analysis, words: Words) -> list[Item]:
    """What was read, what was tolerated in it, and what bounds the plan."""
    read, columns, notes = exhibits.data_report(analysis.study, analysis.tables)
    said = [*map(words.tell, analysis.plan.notes), words.say("l_survey"), words.say("l_selection")]
    return [{"kind": "sentences", "texts": said}, _table(read), _table(columns), _table(notes)]


def _heading(text: str) -> Item:
    return {"kind": "heading", "text": text}


def _figure(name: str, width: int = 100) -> Item:
    return {"kind": "figure", "path": f"/{name}.svg", "alt": name, "width": width}


def _has_content(item: Item) -> bool:
    return item["kind"] != "table" or bool(item["rows"])


def _table(table: Exhibit) -> Item:
    rows = [[_broken(str(cell)) for cell in row] for row in table.frame.to_numpy().tolist()]
    names = [str(name) for name in table.frame.columns]
    columns = []
    for j, name in enumerate(names):
        longest = max([letters_of(row[j]) for row in rows], default=0)
        # Wrapped columns share the room by the root of their letters: long ones get more lines.
        wide = round(longest**0.5, 2) if longest > LONG_CELL else 0
        number = table.frame.columns[j] in table.numbers
        columns.append({"name": _broken(name), "number": number, "wide": 0 if number else wide})
    return {"kind": "table", "title": table.title, "columns": columns, "rows": rows}


def _broken(text: str) -> str:
    """Text whose long words may be broken (by spaces of no width)."""
    return re.sub(
        rf"\S{{{LONG_WORD},}}",
        lambda found: re.sub(rf"([_\-/.@])|(\S{{{LONG_WORD}}})(?=\S)", "\\g<0>\u200b", found[0]),
        text,
    )
