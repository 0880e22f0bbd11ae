"""report.pdf: the findings, the charts and the tables as a document to print and hand over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kalib.analysis import Analysis
from kalib.report import exhibits, rosters
from kalib.report.exhibit import Exhibit
from kalib.report.findings import Findings

TEMPLATE = Path(__file__).parent / "templates" / "report.typ"
WIDE = {"what it means", "in words", "name", "which", "value", "kept", "flags", "figure"}
Item = dict[str, Any]


def write_document(
    analysis: Analysis, findings: Findings, figures: Path, version: str, path: Path
) -> None:
    """Write the PDF. figures: folder of the SVG files."""
    import typst

    words = exhibits.words_of(analysis)
    study = analysis.study
    content = {
        "language": study.report.language,
        "title": study.title,
        "kicker": words.say("report_of"),
        "prepared": words.say("prepared", client=study.report.client, author=study.report.author),
        "period": words.say("period", period=study.period),
        "verdict": f"{words.say('verdict')}: {words.say(analysis.verdict.verdict)}",
        "contents": words.say("contents"),
        "foot": f"kalib {version} · {study.name} · {study.period}",
        "parts": _parts(analysis, findings),
    }
    pdf: bytes = typst.compile(  # type: ignore[type-var]
        TEMPLATE.read_bytes(), root=str(figures),
        sys_inputs={"report": json.dumps(content, ensure_ascii=False)},
    )  # fmt: skip
    path.write_bytes(pdf)


def _parts(analysis: Analysis, findings: Findings) -> list[Item]:
    words = exhibits.words_of(analysis)
    summary: list[Item] = []
    for key, sentences in (("found", findings.found), ("do", findings.do), ("sure", findings.sure)):
        summary += [_heading(words.say(key)), {"kind": "sentences", "texts": list(sentences)}]
    parts = [(words.say("summary"), summary)]
    if findings.figures["ka_new"]:
        parts += [
            (words.say("quadrant"), [
                _figure("matrix", words.say("quadrant")), _table(rosters.zones(analysis)),
                _table(rosters.teams(analysis)),
            ]),
            (words.say("p_accounts"), [
                _table(rosters.top_attack(analysis)),
                _figure("intervals", words.say("potential"), 88),
            ]),
            (words.say("p_change"), [
                _figure("key-accounts", words.say("change"), 72),
                _table(rosters.missed(analysis, 10)), _table(rosters.wrongly_key(analysis, 10)),
            ]),
            (words.say("p_share"), [
                _figure("share-of-wallet", words.say("sow"), 82),
                _table(rosters.market(analysis)), _table(rosters.below_market(analysis, 12)),
            ]),
        ]  # fmt: skip
    parts += [
        (words.say("p_formula"), [
            {"kind": "text", "text": analysis.fit.formula.text},
            _table(exhibits.terms(analysis)), _figure("partial-effects", "", 76),
            _figure("stability", "", 76),
        ]),
        (words.say("p_accuracy"), [
            _figure("observed-predicted", "", 80), _table(exhibits.accuracy(analysis)),
            _table(exhibits.suspects(analysis)),
        ]),
        (words.say("p_checks"), [_table(exhibits.checks(analysis))]),
        (words.say("appendix"), [
            _table(exhibits.candidates(analysis)), _table(exhibits.best_of_size(analysis)),
            _table(exhibits.forms(analysis)),
        ]),
    ]  # fmt: skip
    return [{"title": title, "items": items} for title, items in parts]


def _heading(text: str) -> Item:
    return {"kind": "heading", "text": text}


def _figure(name: str, alt: str, width: int = 100) -> Item:
    return {"kind": "figure", "path": f"/{name}.svg", "alt": alt or name, "width": width}


def _table(table: Exhibit) -> Item:
    return {
        "kind": "table",
        "title": table.title,
        "columns": [
            {"name": str(name), "number": name in table.numbers, "wide": str(name) in WIDE}
            for name in table.frame.columns
        ],
        "rows": [[str(cell) for cell in row] for row in table.frame.to_numpy().tolist()],
    }
