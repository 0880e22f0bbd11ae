"""deck.pptx: the story as slides of native text and tables, editable in PowerPoint."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pptx.chart.data import CategoryChartData, XyChartData
from pptx.dml.color import RGBColor
from pptx.enum.chart import XL_CHART_TYPE
from pptx.oxml import parse_xml

from kalib.analysis import Analysis
from kalib.plots.accounts import CORNERS, TOP, Steps, sales_steps, share_steps
from kalib.plots.theme import INK, ZONE_COLORS, short_name
from kalib.report import tables
from kalib.report.explorer import shown
from kalib.report.page import render
from kalib.report.slides import GAP, ROW, TILE, Slides
from kalib.report.story import Story

LAYOUT = tomllib.loads(Path(__file__).with_name("deck.toml").read_text("utf-8"))["slides"]
POINTS, NAMED = 300, 3  # accounts in the matrix; the largest to attack that are named in it
PLOT = (0.07, 0.02, 0.92, 0.8)  # of the matrix in its box: left, top, width, height
MARKS = dict(zip(ZONE_COLORS, ("triangle", "square", "circle", "x"), strict=True))


def write_deck(analysis: Analysis, story: Story, path: Path) -> None:
    """Write the slides: each is headed by a claim of the story; notes tell the method."""
    deck, words = Slides(story), story.words
    verdict = words.say("verdict_is", verdict=analysis.verdict.verdict)
    lines = [story.say(story.headline), story.byline, story.period, verdict, story.draft]
    deck.cover([line for line in lines if line], "n_method")
    for about in LAYOUT:
        if story.holds(about.get("when", "")):
            _add(deck, analysis, about)
    deck.save(path)


def _add(deck: Slides, analysis: Analysis, about: Mapping[str, Any]) -> None:
    """One slide of deck.toml."""
    story, chart, rows = deck.story, about.get("chart", ""), about.get("rows", 0)
    built = [tables.build(of, analysis, deck.words, rows) for of in about.get("tables", ())]
    built = [one for one in built if len(one.frame) >= about.get("least", 1)]
    said = [line for part in about.get("claims", ()) for line in getattr(story, part)]
    said = said[: about.get("most", len(said))]
    if "tables" in about and not (built or said):
        return
    tiles = story.tiles(about["tiles"]) if "tiles" in about else []
    layout = deck.written if said else deck.plain
    slide = deck.add(layout, story.say(story.claim(about)), about["notes"])
    deck.tiles(slide, tiles)
    top = (TILE + 2 * GAP) / deck.box[3] if tiles else 0.0
    rows = max((len(one.frame) for one in built), default=0) + 2
    below = max(0.5, 1 - rows * ROW / deck.box[3]) if said else top  # where tables begin
    if said:
        deck.bullets(slide, story.said(said), top, (below - 0.04 if built else 1.0) - top)
    if built:
        deck.tables(slide, built, below)
    if chart == "matrix":
        _matrix(deck, slide, analysis)
    elif chart == "bridge":
        steps = sales_steps(analysis.plan, deck.words)
        _waterfall(deck, slide, steps, deck.words.in_units(1.0), "#,##0", top)
    elif chart and story.waves:
        _waterfall(deck, slide, share_steps(story.waves, deck.words), 1.0, "0.0%", top)
    deck.finish(slide)


def _chart(deck: Slides, slide: Any, kind: Any, data: Any, plot: str, top: float = 0.0) -> None:
    """A native chart below the share top of the content's box, as a template draws it, its claim
    told to those who don't see it."""
    left, start, width, height = deck.box
    place = (left, start + int(top * height), width, int((1 - top) * height))
    shape = slide.shapes.add_chart(kind, *place, data)
    shape._element.nvGraphicFramePr.cNvPr.set("descr", slide.shapes.title.text_frame.text)
    space = shape.chart._chartSpace
    space.replace(space.chart, parse_xml(plot))


def _matrix(deck: Slides, slide: Any, analysis: Analysis) -> None:
    """Accounts as native points by zone, the axes crossing at the cuts, the largest to attack
    named; of more than POINTS accounts a sample, which is said."""
    words, matrix, data = deck.words, analysis.matrix, XyChartData()
    drawn = shown(analysis, POINTS, POINTS).query("zone != '' and potential > 0")
    first = drawn[drawn["zone"] == "attack"].nlargest(NAMED, "potential")["name"].map(short_name)
    drawn = drawn[["zone"]].assign(
        across=drawn["potential"].map(words.in_units), up=drawn["sow"].clip(upper=TOP),
        place=range(len(drawn)), label=first.reindex(drawn.index).fillna(""),
    )  # fmt: skip
    series = data.add_series(words.say("accounts"))
    sampled = len(drawn) < sum(matrix.counts.values())
    for point in drawn.itertuples():
        series.add_data_point(point.across, point.up)
    across = words.say("ax_potential_log", unit=words.yearly())
    unit = 0.2 if drawn["up"].max() > 0.5 else 0.1
    plot = render(
        "matrix.xml", plot=PLOT, unit=unit, highest=unit * np.ceil(1.1 * drawn["up"].max() / unit),
        points=drawn.to_dict("records"), series=words.say("accounts"), marks=MARKS,
        colors=ZONE_COLORS, ink=INK[1:], least=float(f"{drawn['across'].min() / 1.5:.0e}"),
        most=1.4 * drawn["across"].max(), up=words.say("ax_sow"), sow_cut=matrix.sow_cut,
        across=across + (f". {words.say('sampled')}" if sampled else ""),
        potential_cut=words.in_units(matrix.potential_cut),
    )  # fmt: skip
    _chart(deck, slide, XL_CHART_TYPE.XY_SCATTER, data, plot)
    left, top, width, height = deck.box
    wide, high = width // 5, height // 14
    for zone, (x, y) in CORNERS.items():
        right, low = x > 0.5, y < 0.5
        side, down = PLOT[0] + PLOT[2] * x, PLOT[1] + PLOT[3] * (1 - y)
        place = (left + int(side * width) - right * wide, top + int(down * height) - low * high)
        said = words.say("zone_count", zone=zone, n=matrix.counts[zone])
        font = deck.text(slide, (*place, wide, high), said, 14, right)
        font.bold, font.color.rgb = True, RGBColor.from_string(ZONE_COLORS[zone][1:])


def _waterfall(deck: Slides, slide: Any, steps: Steps, scale: float, code: str, top: float) -> None:
    """A waterfall of native stacked columns, the lower ones unseen; labels stand on a line that is
    not drawn. scale: of amounts; code: how the axis writes them; top: as in `_chart`."""
    amounts, starts = scale * steps.amounts, scale * steps.starts
    ends, unsaid = starts + amounts, [None] * (len(amounts) - 2)
    shown = {
        "unseen": [0.0, *np.minimum(starts, ends)[1:-1], 0.0],
        "whole": [amounts[0], *unsaid, amounts[-1]],
        "change": [None, *np.abs(amounts)[1:-1], None],
        "top": [*np.maximum(starts, ends)],
    }
    data = CategoryChartData(number_format=code)
    data.categories = steps.names
    for name, values in shown.items():
        data.add_series(name, values)
    plot = render(
        "waterfall.xml", names=steps.names, series=shown, said=steps.said, ink=INK[1:], code=code,
        colors=[color[1:] for color in steps.colors], floor=scale * steps.floor,
        axis=deck.words.say("ax_cut", axis=steps.axis) if steps.floor else steps.axis,
    )  # fmt: skip
    _chart(deck, slide, XL_CHART_TYPE.COLUMN_STACKED, data, plot, top)
