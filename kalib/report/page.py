"""The client's page: one file, readable offline, findings first, the notebooks as appendix."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from kalib.analysis import Analysis
from kalib.plots.accounts import TOP
from kalib.plots.theme import ZONE_COLORS, accent, lacks_font
from kalib.report import tables
from kalib.report.story import Story, given
from kalib.study.settings import Study
from kalib.tables.client import noted
from kalib.words.catalogue import Words

TEMPLATES = Path(__file__).parent / "templates"
SVG_MOST = 400_000  # bytes: a quadrant of some 2,000 accounts; beyond it the PNG is smaller


def build_page(
    analysis: Analysis,
    story: Story,
    notebooks: Mapping[str, Mapping[str, Any]],
    figures: Path,
    version: str,
) -> str:
    """The page as text. notebooks: name -> executed notebook; figures: folder of the SVG files."""
    words, placed = story.words, story.holds("ka_new")
    scripts = _scripts() if placed else {}

    def shown(*names: str) -> list[str]:
        """Tables that have something to show, as HTML."""
        built = [tables.build(name, analysis, words) for name in names if placed]
        return [one._repr_html_() for one in built if len(one.frame)]

    return render(
        "page.html",
        policy=content_policy(scripts.values()),
        scripts=scripts,
        page=words.page(),
        **(_explorer(analysis, story, figures) if placed else {}),
        study=analysis.study,
        accent=accent(analysis.study),
        logo=_logo(analysis.study),
        words=words,
        story=story,
        client=given(analysis.study.report.client),
        verdict=analysis.verdict,
        placed=placed,
        bridge=_static_figure(figures / "bridge.svg") if story.holds("grows") else "",
        change=_static_figure(figures / "share-change.svg") if story.holds("share_after") else "",
        lists=shown("go_now", "measure_first", "defend_list", "no_sales", "parents"),
        zones=shown("zones"),
        plans=shown("scenarios", "teams", "reps") if story.holds("planned") else [],
        waves=tables.of_waves(story.waves, words) if story.waves else [],
        chapters=[read_chapter(name, notebook) for name, notebook in notebooks.items()],
        codebook=_markdown(analysis.codebook),
        notes=_notes(analysis, words),
        version=version,
    )


def visit_page(analysis: Analysis, story: Story) -> str:
    """The page as text: one sheet for each rep, or each region where the study names no reps.

    Listed are the accounts to visit now or to measure first, and others below market share beyond
    noise of which growth is asked, largest expected gain first; beside each its share of wallet,
    what the gap costs, what measuring is to tell, and boxes for what to check: display, promotion
    and sales staff where visits count units in stores, else offer, promotion and contact.
    """
    return render(
        "visits.html",
        story=story,
        study=analysis.study,
        words=story.words,
        sheets=visit_sheets(analysis),
        checked="store" if analysis.measured is not None else "other",
    )


def visit_sheets(analysis: Analysis) -> list[tuple[str, pd.DataFrame]]:
    """Listed accounts by rep or region, the sheet with most to win first."""
    accounts = tables.accounts_of(analysis)
    below = accounts["below_market"] & (accounts["target_growth"] > 0)
    listed = accounts[below | accounts["action"].isin(["go now", "measure first"])]
    listed = listed.sort_values("expected_gain", ascending=False, kind="stable")
    named = (accounts["rep_before"] != "").any()
    keys = listed["rep"].where(listed["rep"] != "", listed["region"]) if named else listed["region"]
    order = listed["expected_gain"].groupby(keys).sum().sort_values(ascending=False, kind="stable")
    return [(str(name), listed[keys == name]) for name in order.index]


def render(template: str, **content: Any) -> str:
    """A template of this folder, filled; text is escaped, and a name it lacks is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template(template).render(content)


def content_policy(scripts: Iterable[str]) -> str:
    """The page's content security policy: nothing is loaded, only these inline scripts run."""
    digests = (hashlib.sha256(text.encode()).digest() for text in scripts)
    sources = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {sources or chr(39) + 'none' + chr(39)}; "
        "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    )


def _scripts() -> dict[str, str]:
    """The page's scripts by name: the table's library and ours."""
    from kalib.report import explorer

    glue = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    return {"table": explorer.library_script(), "page": glue}


def _explorer(analysis: Analysis, story: Story, figures: Path) -> dict[str, Any]:
    """What the interactive part of the template shows."""
    from kalib.report import explorer

    words = story.words
    data, chart = explorer.explorer_data(analysis, words), explorer.quadrant(analysis, words)
    data["columns"] |= {"x": chart.pop("x"), "y": chart.pop("y")}
    filters = ("region", "segment", "parent", "team", "rep", "action", "zone")
    levels = {name: data["columns"][name]["levels"] for name in filters}
    return {
        "data": explorer.embedded_json(data),
        "chart": chart,
        "static": _static_figure(figures / "matrix.svg"),
        "levels": levels,
        "sampled": len(data["columns"]["account"]) < len(analysis.plan.accounts),
        "colors": ZONE_COLORS,
        "counts": analysis.matrix.counts,
        "top": TOP,
        "clipped": bool((analysis.plan.accounts["sow"] > TOP).any()),
    }


def read_chapter(name: str, notebook: Mapping[str, Any]) -> dict[str, str]:
    """An executed notebook as a chapter (anchor, title, body): prose and outputs; no code, and no
    links to the documents of which the page is one."""
    parts: list[str] = []
    title = topic = name
    for cell in notebook["cells"]:
        if "documents" in cell.get("metadata", {}).get("tags", []):
            continue
        if cell["cell_type"] == "markdown":
            source = _joined(cell["source"])
            heading = re.match(r"# (.+)\n?", source)
            if heading and title == name:
                title = topic = heading.group(1)
                source = source[heading.end() :]
            topic = (re.findall(r"^#+ (.+)$", source, flags=re.M) or [topic])[-1]
            parts.append(_markdown(source))
        elif cell["cell_type"] == "code":
            parts += [_output(output, topic) for output in cell["outputs"]]
    body = "\n".join(part for part in parts if part)
    return {"anchor": re.sub(r"[^a-z0-9-]", "", name.lower()), "title": title, "body": body}


def _output(output: Mapping[str, Any], topic: str) -> str:
    """One output of a cell: figures and tables; plain text and warnings are for the analyst."""
    data = output.get("data", {})
    if "image/png" in data:
        picture = _joined(data["image/png"]).strip()
        source = f"data:image/png;base64,{picture}"
        return f'<figure><img alt="{html.escape(topic)}" src="{source}"></figure>'
    if "text/html" in data:
        return f'<div class="scroll" tabindex="0">{_joined(data["text/html"])}</div>'
    return ""


def _notes(analysis: Analysis, words: Words) -> list[str]:
    """What was tolerated in the data, and what limits the plan and the charts."""
    notes = [noted(words, note) for note in analysis.tables.notes]
    if lacks_font([*analysis.screening.kept, *analysis.plan.accounts["name"]]):
        notes.append(words.say("l_font"))
    return notes


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
    text = text[text.index("<svg") :]
    return re.sub(r'<svg ([^>]*?)(?:width|height)="[^"]*" ?([^>]*?)(?:width|height)="[^"]*"',
                  r"<svg \1\2", text, count=1)  # fmt: skip


def _markdown(source: str) -> str:
    """Markdown as HTML, raw HTML in it shown as text."""
    import mistune

    return str(mistune.create_markdown(escape=True, plugins=["table"])(source))


def _joined(text: str | Sequence[str]) -> str:
    return text if isinstance(text, str) else "".join(text)
