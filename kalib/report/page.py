"""The client's page: one file, readable offline, findings first, the notebooks as appendix."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kalib.analysis import Analysis
from kalib.plots.accounts import TOP, sales_steps
from kalib.plots.theme import ZONE_COLORS, accent, lacks_font
from kalib.report import tables
from kalib.report.document import TEMPLATES
from kalib.report.explorer import embedded_json, explorer_data, library_script
from kalib.report.story import Story
from kalib.study.settings import Study
from kalib.tables.client import noted
from kalib.words.table import Table

LISTS = ("go_now", "measure_first", "defend_list", "visit_once", "ask_again", "no_sales", "parents")
BRIEF = ("go_short", "measure_short", "defend_short", "ask_largest", "ask_guessed")
SHORT = 5  # accounts of a list on the first screen
SVG_MOST = 400_000  # bytes: a quadrant of some 2,000 accounts; beyond it the PNG is smaller


def build_page(
    analysis: Analysis, story: Story, notebooks: Mapping[str, Mapping[str, Any]], figures: Path,
    version: str,
) -> str:  # fmt: skip
    """The page as text. notebooks: name -> executed notebook; figures: folder of the SVG files."""
    words, placed = story.words, story.holds("ka_new")
    glue = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    scripts = {"table": library_script(), "page": glue} if placed else {}

    def shown(*names: str, rows: int = 0) -> list[Table]:
        """Tables that have something to show."""
        built = [tables.build(name, analysis, words, rows) for name in names if placed]
        return [one for one in built if len(one.frame)]

    return render(
        "page.html", policy=content_policy(scripts.values()), scripts=scripts, page=words.page(),
        **(_explorer(analysis, story, figures) if placed else {}), study=analysis.study,
        accent=accent(analysis.study), logo=_logo(analysis.study), words=words, story=story,
        verdict=analysis.verdict, placed=placed,
        bridge=sales_steps(analysis.plan, words) if story.holds("grows") else None,
        change=_static_figure(figures / "share-change.svg") if story.holds("share_after") else "",
        short=shown(*BRIEF, rows=SHORT), lists=shown(*LISTS), zones=shown("zones"),
        plans=shown("scenarios", "teams", "reps", "other_reps") if story.holds("planned") else [],
        waves=tables.of_waves(story.waves, words) if story.waves else [], notebooks=notebooks,
        codebook=analysis.codebook, notes=_notes(analysis, story), version=version,
    )  # fmt: skip


def render(template: str, **content: Any) -> str:
    """A template of this folder, filled; text is escaped, and a name it lacks is an error."""
    import mistune
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    markdown = mistune.create_markdown(escape=True, plugins=["table"])  # raw HTML stays text
    environment.filters["markdown"] = markdown
    return environment.get_template(template).render(content)


def content_policy(scripts: Iterable[str]) -> str:
    """The page's content security policy: nothing is loaded, only these inline scripts run."""
    digests = (hashlib.sha256(text.encode()).digest() for text in scripts)
    sources = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {sources or chr(39) + 'none' + chr(39)}; "
        "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    )


def _explorer(analysis: Analysis, story: Story, figures: Path) -> dict[str, Any]:
    """What the interactive part of the template shows."""
    data = explorer_data(analysis, story.words, story.holds("planned"))
    return {
        "data": embedded_json(data),
        "static": _static_figure(figures / "matrix.svg"),
        "levels": {name: column["levels"] for name, column in data["columns"].items()
                   if isinstance(column, dict)},
        "sampled": len(data["columns"]["account"]) < len(analysis.plan.accounts),
        "colors": ZONE_COLORS, "counts": analysis.matrix.counts, "top": TOP,
        "bordered": analysis.plan.accounts["flags"].str.contains("border").any(),
        "clipped": bool((analysis.plan.accounts["sow"] > TOP).any()),
    }  # fmt: skip


def _notes(analysis: Analysis, story: Story) -> list[str]:
    """What was tolerated in the data, and what limits the plan and the charts."""
    words = story.words
    boxes = lacks_font([*analysis.screening.kept, *analysis.plan.accounts["name"]])
    notes = [noted(words, note) for note in analysis.tables.notes]
    notes += [words.say("l_names", **story.facts)] if story.holds("names_cut") else []
    return [*notes, words.say("l_font")] if boxes else notes


def _logo(study: Study) -> str:
    """The client's logo as a data address; "" without one."""
    if not study.report.logo:
        return ""
    file = study.folder / study.report.logo
    kind = "png" if file.suffix.lower() == ".png" else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"


def _static_figure(path: Path) -> str:
    """The figure for print: the SVG's root, or the PNG where there are too many points."""
    if path.stat().st_size > SVG_MOST:
        picture = base64.b64encode(path.with_suffix(".png").read_bytes()).decode()
        return f'<img alt="" src="data:image/png;base64,{picture}">'
    text = path.read_text(encoding="utf-8")
    return text[text.index("<svg") :]
