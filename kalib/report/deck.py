"""deck.pptx: the story as slides of native text and tables, editable in PowerPoint."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pptx.chart.data import CategoryChartData, XyChartData
from pptx.dml.color import RGBColor
from pptx.enum.chart import XL_CHART_TYPE, XL_LABEL_POSITION
from pptx.enum.dml import MSO_THEME_COLOR
from pptx.oxml import parse_xml

from kalib.analysis import Analysis
from kalib.plots.accounts import CORNERS
from kalib.plots.theme import INK, ZONE_COLORS, short_name
from kalib.report import tables
from kalib.report.explorer import TOP, shown
from kalib.report.page import render
from kalib.report.slides import POINT, Slides
from kalib.report.story import Story
from kalib.words.table import TABLES

LAYOUT = tomllib.loads(Path(__file__).with_name("deck.toml").read_text("utf-8"))["slides"]
ROWS = 10  # accounts of a list on a slide
POINTS, NAMED = 300, 4  # accounts in the matrix; the largest to attack that are named in it
MARKS = dict(zip(ZONE_COLORS, ("triangle", "square", "circle", "x"), strict=True))


def write_deck(analysis: Analysis, story: Story, path: Path) -> None:
    """Write the slides: each is headed by a claim of the story; notes tell the method."""
    deck, words = Slides(story), story.words
    verdict = words.say("verdict_is", verdict=analysis.verdict.verdict)
    lines = [story.say(story.headline), story.byline, story.period, verdict]
    deck.cover([line for line in lines if line], "n_method")
    for about in LAYOUT:
        if story.holds(about.get("when", "")):
            _add(deck, analysis, about)
    deck.save(path)


def _add(deck: Slides, analysis: Analysis, about: Mapping[str, Any]) -> None:
    """One slide of deck.toml."""
    story, notes, table = deck.story, about["notes"], None
    claim, of = story.claim(about), about.get("table", "")
    if of:
        most = ROWS if "where" in TABLES[of] else about.get("rows", 0)
        table = tables.build(of, analysis, deck.words, most)
        if not len(table.frame):
            return
    said = [line for part in about.get("claims", ()) for line in getattr(story, part)]
    slide = (
        deck.bullets(claim, said, notes, 0.5 if table else 1.0)
        if said else deck.titled(claim, notes)
    )  # fmt: skip
    if table:
        deck.table(slide, table, 0.56 if said else 0.0)
    elif "chart" in about:
        {"bridge": _bridge, "matrix": _matrix}[about["chart"]](deck, slide, analysis)


def _chart(deck: Slides, slide: Any, kind: Any, data: Any) -> Any:
    """A native chart in the content's box, its claim told to those who don't see it."""
    shape = slide.shapes.add_chart(kind, *deck.box, data)
    shape._element.nvGraphicFramePr.cNvPr.set("descr", slide.shapes.title.text_frame.text)
    shape.chart.font.size = 12 * POINT
    return shape.chart


def _matrix(deck: Slides, slide: Any, analysis: Analysis) -> None:
    """Accounts as native points by zone, the axes crossing at the cuts, the largest to attack
    named; of more than POINTS accounts a sample, which is said."""
    words, matrix, data = deck.words, analysis.matrix, XyChartData()
    drawn = (
        shown(analysis, POINTS, POINTS).query("zone != '' and potential > 0").reset_index(drop=True)
    )
    first = drawn[drawn["zone"] == "attack"].nlargest(NAMED, "potential")["name"].map(short_name)
    drawn = drawn[["zone"]].assign(
        across=drawn["potential"].map(words.in_units), up=drawn["sow"].clip(upper=TOP),
        place=drawn.index, label=first.reindex(drawn.index).fillna(""),
    )  # fmt: skip
    series, sampled = (
        data.add_series(words.say("accounts")),
        len(drawn) < sum(matrix.counts.values()),
    )
    for point in drawn.itertuples():
        series.add_data_point(point.across, point.up)
    across = words.say("ax_potential_log", unit=words.yearly())
    plot = render(
        "matrix.xml", points=drawn.to_dict("records"), series=words.say("accounts"), marks=MARKS,
        colors=ZONE_COLORS, ink=INK[1:], least=float(f"{drawn['across'].min() / 1.5:.0e}"),
        most=1.4 * drawn["across"].max(), up=words.say("ax_sow"), sow_cut=matrix.sow_cut,
        across=across + (f". {words.say('sampled')}" if sampled else ""),
        potential_cut=words.in_units(matrix.potential_cut),
    )  # fmt: skip
    space = _chart(deck, slide, XL_CHART_TYPE.XY_SCATTER, data)._chartSpace
    space.replace(space.chart, parse_xml(plot))
    left, top, width, height = deck.box
    for zone, (x, y) in CORNERS.items():
        place = (left + int((0.1 + 0.73 * x) * width), top + int(0.9 * (1 - y) * height))
        said = words.say("zone_count", zone=zone, n=matrix.counts[zone])
        font = deck.text(slide, (*place, width // 6, height // 10), said, 14)
        font.bold, font.color.rgb = True, RGBColor.from_string(ZONE_COLORS[zone][1:])


def _bridge(deck: Slides, slide: Any, analysis: Analysis) -> None:
    """From today's sales to the target: native stacked columns, the lower ones unseen."""
    words, bridge = deck.words, analysis.plan.bridge
    first, *grown = (words.in_units(float(amount)) for amount in bridge["amount"])
    ends = np.cumsum([first, *grown]).tolist()
    labels = [f"{words.say(step)}\n+{words.amount(amount)}" for step, amount in bridge.to_numpy()]
    data = CategoryChartData(number_format="#,##0")
    data.categories = [words.say("sales_today"), *labels[1:], words.say("target")]
    data.add_series(" ", [0.0, *ends[:-1], 0.0])
    data.add_series(words.say("sales"), [first, *[None] * len(grown), ends[-1]])
    data.add_series(words.say("growth_asked"), [None, *grown, None])
    chart = _chart(deck, slide, XL_CHART_TYPE.COLUMN_STACKED, data)
    chart.has_title = chart.has_legend = False
    plot, axis = chart.plots[0], chart.value_axis
    plot.gap_width, plot.overlap = 60, 100
    unseen, sales, growth = plot.series
    unseen.format.fill.background()
    sales.format.fill.solid()
    sales.format.fill.fore_color.theme_color = MSO_THEME_COLOR.ACCENT_1
    growth.format.fill.solid()
    growth.format.fill.fore_color.rgb = RGBColor.from_string(ZONE_COLORS["attack"][1:])
    shown = sales.data_labels
    shown.show_value, shown.number_format, shown.number_format_is_linked = True, "#,##0", False
    shown.position = XL_LABEL_POSITION.INSIDE_END
    shown.font.size, shown.font.bold = 14 * POINT, True
    shown.font.color.rgb = RGBColor(255, 255, 255)
    axis.major_gridlines.format.line.color.rgb = RGBColor.from_string("E6E9ED")
    axis.tick_labels.number_format, axis.tick_labels.number_format_is_linked = "#,##0", False
    axis.axis_title.text_frame.text = words.yearly()
    axis.axis_title.text_frame.paragraphs[0].font.bold = False
