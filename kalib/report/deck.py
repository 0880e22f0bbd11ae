"""deck.pptx: the story as slides of native text and tables, editable in PowerPoint."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pptx.chart.data import CategoryChartData
from pptx.dml.color import RGBColor
from pptx.enum.chart import XL_CHART_TYPE, XL_LABEL_POSITION
from pptx.enum.dml import MSO_THEME_COLOR

from kalib.analysis import Analysis
from kalib.plots.theme import ZONE_COLORS
from kalib.report import tables
from kalib.report.slides import POINT, Slides
from kalib.report.story import Story
from kalib.words.table import TABLES

LAYOUT = tomllib.loads(Path(__file__).with_name("deck.toml").read_text("utf-8"))["slides"]
ROWS = 10  # accounts of a list on a slide


def write_deck(analysis: Analysis, story: Story, figures: Path, path: Path) -> None:
    """Write the slides: each is headed by a claim of the story; notes tell the method. figures:
    folder of the PNG files."""
    deck, words = Slides(story), story.words
    verdict = f"{words.say('verdict')}: {words.say(analysis.verdict.verdict)}"
    lines = [story.say(story.headline), story.byline, story.period, verdict]
    deck.cover([line for line in lines if line], "n_method")
    for about in LAYOUT:
        if story.holds(about.get("when", "")):
            _add(deck, analysis, about, figures)
    deck.save(path)


def _add(deck: Slides, analysis: Analysis, about: Mapping[str, Any], figures: Path) -> None:
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
    elif "figure" in about:
        deck.picture(slide, figures / f"{about['figure']}.png", story.say(claim))
    elif "chart" in about:
        _bridge(deck, slide, analysis)


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
    chart = slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_STACKED, *deck.box, data).chart
    chart.has_title = chart.has_legend = False
    chart.font.size = 12 * POINT
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
