"""deck.pptx: the story as slides with native charts and tables, editable in PowerPoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pptx.chart.data import CategoryChartData, XyChartData
from pptx.dml.color import RGBColor
from pptx.enum.chart import XL_CHART_TYPE, XL_LABEL_POSITION, XL_LEGEND_POSITION, XL_MARKER_STYLE
from pptx.enum.dml import MSO_THEME_COLOR
from pptx.oxml.ns import qn

from kalib.analysis import Analysis
from kalib.plots.theme import MARK, ZONE_COLORS, cut
from kalib.report import tables
from kalib.report.slides import POINT, Slides
from kalib.report.story import Claim, Story
from kalib.study.settings import ZONES
from kalib.words.catalogue import Words

ROWS = 10  # rows of a table on a slide
POINTS = 400  # points of one series in a scatter: more is slow to edit, and no clearer
SOW_SHOWN = 1.15  # a share of wallet above is drawn here
NAMED = 5  # attack accounts named in the matrix
APART = 0.045  # of share of wallet between two names
MARKERS = {"attack": "TRIANGLE", "defense": "SQUARE", "maintenance": "CIRCLE", "watch": "X"}


def write_deck(analysis: Analysis, story: Story, path: Path) -> None:
    """Write the slides: each is headed by a claim of the story; notes tell the method."""
    deck, words = Slides(story), story.words
    verdict = f"{words.say('verdict')}: {words.say(analysis.verdict.verdict)}"
    lines = [story.say(story.headline), story.byline, story.period, verdict]
    deck.cover([line for line in lines if line], "n_method")
    deck.bullets(story.headline, story.findings + story.more, "n_method")
    (_plan_slides if story.placed else _doubt_slides)(deck, analysis)
    deck.bullets(Claim("t_sure"), story.risks, "n_accuracy")
    deck.bullets(story.steps_claim, story.steps, "n_plan")
    _appendix(deck, analysis)
    deck.save(path)


def _plan_slides(deck: Slides, analysis: Analysis) -> None:
    """Where, who, how much, by whom."""
    story, words, f = deck.story, deck.words, deck.story.figures
    _matrix(deck, analysis, story.charts["matrix"])
    if analysis.matrix.counts["attack"]:
        top = analysis.plan.accounts.query("zone == 'attack'").nsmallest(ROWS, "attack_rank")
        figures = {"n": len(top), "potential": top["potential"].sum(), "sales": top["sales"].sum()}
        deck.table_slide(
            Claim("t_top", figures),
            tables.account_list(analysis, words, "top_attack", ROWS),
            "n_plan",
        )
    if f["missed_by_sales"] and f["accounts_placed"] == f["accounts"]:
        deck.table_slide(
            Claim("t_missing"), tables.account_list(analysis, words, "missed", ROWS), "n_change"
        )
    if story.bridge:
        _bridge(deck, story.bridge)
        deck.table_slide(story.charts["targets"], tables.reps(analysis, words, 12), "n_plan")
    slide = deck.bullets(Claim("t_do"), story.actions, "n_plan", 0.6)
    deck.table(slide, tables.teams(analysis, words), 0.66)


def _doubt_slides(deck: Slides, analysis: Analysis) -> None:
    """Where nothing is placed: how often each indicator is chosen, and what the checks say."""
    words, claim = deck.words, deck.story.charts["stability"]
    often = analysis.fit.stability.sort_values(ascending=False)[:12]
    series = {words.say("chosen_in_this_share_of_half"): often.tolist()}
    _columns(deck, claim, [words.noun(name) for name in often.index], series, "n_accuracy", "0%")
    table = tables.checks(analysis, words)
    failed = table.frame[[not check.passed for check in analysis.verdict.checks]]
    columns = ("check", "statistic", "threshold", "what_it_means")
    shown = replace(table, frame=failed).part(ROWS, *columns)
    deck.table_slide(Claim("t_checks", {"n": len(failed)}), shown, "n_accuracy")


def _appendix(deck: Slides, analysis: Analysis) -> None:
    """What the claims rest on."""
    story, words, f = deck.story, deck.words, deck.story.figures
    if analysis.matrix.counts["attack"]:
        _zones(deck, analysis, story.charts["zones"])
    if f["below_market"]:
        deck.table_slide(
            Claim("t_below"), tables.account_list(analysis, words, "below_market", ROWS), "n_share"
        )
    _accuracy(deck, analysis, story.charts["observed-predicted"])
    if story.unknown:
        deck.bullets(story.unknown_claim, story.unknown, "n_accuracy")
    if analysis.fit.formula.terms:
        usable = analysis.verdict.verdict != "unusable"
        claim = Claim("t_formula" if usable else "p_formula")
        columns = ("term", "in_words", "chosen_in_half_samples")
        deck.table_slide(claim, tables.terms(analysis, words).part(ROWS, *columns), "n_method")


# Charts


def _columns(
    deck: Slides, claim: Claim, labels: Sequence[str], series: Mapping[str, Sequence[Any]],
    notes: str, number: str = "", stacked: bool = False,
) -> Any:  # fmt: skip
    """A slide of native columns in shades of the template's first color, each with its number;
    returns the chart. number: their format, in place of the document's amounts."""
    code = number or "#,##0"
    data = CategoryChartData(number_format=code)
    data.categories = list(labels)
    for name, values in series.items():
        data.add_series(name, values)
    kind = XL_CHART_TYPE.COLUMN_STACKED if stacked else XL_CHART_TYPE.COLUMN_CLUSTERED
    chart = deck.chart(deck.titled(claim, notes), kind, data)
    plot = chart.plots[0]
    plot.gap_width, plot.overlap, plot.has_data_labels = 60, -5, True
    for shown in (plot.data_labels, chart.value_axis.tick_labels):
        shown.number_format, shown.number_format_is_linked = code, False
    plot.data_labels.font.size = 12 * POINT
    for k, columns in enumerate(plot.series):
        _fill(columns.format.fill, None, 0.55 * min(k, 1))
    _name_axes(chart, "", "" if number else deck.words.yearly())
    return chart


def _zones(deck: Slides, analysis: Analysis, claim: Claim) -> None:
    """Potential and sales of each zone, in the zones' colors."""
    words, names = deck.words, ("potential", "sales")
    sums = analysis.plan.accounts.groupby("zone")[list(names)].sum().reindex(ZONES).fillna(0.0)
    series = {words.say(name): _counted(words, sums[name]) for name in names}
    chart = _columns(deck, claim, [words.say(zone) for zone in ZONES], series, "n_matrix")
    for columns, pale in zip(chart.plots[0].series, (0.55, 0.0), strict=True):
        for k, zone in enumerate(ZONES):
            _fill(columns.points[k].format.fill, ZONE_COLORS[zone], pale)


def _bridge(deck: Slides, claim: Claim) -> None:
    """From today's sales to the target: stacked columns, the lower ones unseen."""
    words, steps = deck.words, deck.story.bridge_steps
    first, *grown = _counted(words, list(steps.values()))
    ends = np.cumsum([first, *grown]).tolist()
    labels = [f"{words.say(key)}\n+{words.amount(amount)}" for key, amount in steps.items()]
    series = {
        " ": [0.0, *ends[:-1], 0.0],
        words.say("sales"): [first, *[None] * len(grown), ends[-1]],
        words.say("growth_asked"): [None, *grown, None],
    }
    names = [words.say("sales_today"), *labels[1:], words.say("target")]
    chart = _columns(deck, claim, names, series, "n_plan", stacked=True)
    chart.has_legend, plot = False, chart.plots[0]
    plot.overlap, plot.has_data_labels = 100, False
    unseen, sales, growth = plot.series
    unseen.format.fill.background()
    _fill(sales.format.fill, None, 0)
    _fill(growth.format.fill, ZONE_COLORS["attack"])
    labels = sales.data_labels
    labels.show_value, labels.number_format = True, "#,##0"
    labels.number_format_is_linked, labels.position = False, XL_LABEL_POSITION.INSIDE_END
    labels.font.size, labels.font.bold = 14 * POINT, True
    labels.font.color.rgb = _color("#FFFFFF")


def _matrix(deck: Slides, analysis: Analysis, claim: Claim) -> None:
    """The quadrant as a native scatter, the first attack accounts named."""
    matrix, words = analysis.matrix, deck.words
    accounts = matrix.accounts.assign(
        sow=matrix.accounts["sow"].clip(upper=SOW_SHOWN), rank=analysis.plan.accounts["attack_rank"]
    )
    # The longest series first: LibreOffice loses those that a longer one follows.
    order = sorted(ZONES, key=lambda zone: -min(matrix.counts[zone], POINTS))
    parts = {
        z: _spread_out(accounts[accounts["zone"] == z].sort_values("potential")) for z in order
    }
    series = [
        (words.say("zone_count", zone=zone, n=matrix.counts[zone]),
         _counted(words, part["potential"]), part["sow"])
        for zone, part in parts.items()
    ]  # fmt: skip
    potentials = _counted(words, accounts["potential"].dropna())
    (low, high), (cut_at,) = _decades(potentials), _counted(words, [matrix.potential_cut])
    share = matrix.sow_cut
    cuts = ([low, cut_at, cut_at, cut_at, high], [share, share, 0.0, SOW_SHOWN, SOW_SHOWN])
    series.append((words.say("cuts"), *cuts))
    axes = (words.say("ax_potential", unit=words.yearly()), words.say("sow"))
    chart = _scatter(deck, claim, series, axes, "n_matrix")
    drawn = dict(zip(order, chart.plots[0].series, strict=False))
    for zone, points in drawn.items():
        _mark_points(points, MARKERS[zone], ZONE_COLORS[zone])
    _name_points(drawn["attack"], parts["attack"])
    _make_logarithmic(chart.category_axis, (low, high))
    chart.value_axis.tick_labels.number_format = "0%"
    chart.value_axis.minimum_scale = 0
    top = float(accounts["sow"].max())
    chart.value_axis.maximum_scale = min(np.ceil(max(top, 0.1) * 11) / 10, SOW_SHOWN + 0.05)


def _accuracy(deck: Slides, analysis: Analysis, claim: Claim) -> None:
    """Known potential against a prediction that has not seen the account."""
    words, oof = deck.words, analysis.fit.oof
    known = _spread_out(oof[~oof["suspect"]].sort_values("observed"))
    x, y = (_counted(words, known[name]) for name in ("predicted", "observed"))
    ends = [min(x + y), max(x + y)]
    series = [(words.say("account"), x, y), (words.say("observed_predicted"), ends, ends)]
    axes = [words.say(key, unit=words.yearly()) for key in ("ax_unseen", "ax_observed")]
    chart = _scatter(deck, claim, series, axes, "n_accuracy")
    _mark_points(chart.plots[0].series[0], "CIRCLE", None)
    for axis in (chart.category_axis, chart.value_axis):
        _make_logarithmic(axis, _decades(ends))


def _scatter(
    deck: Slides, claim: Claim, series: Sequence[tuple[str, Any, Any]], axes: Sequence[str],
    notes: str,
) -> Any:  # fmt: skip
    """A slide of a scatter of the named series, the last of them a line; returns the chart."""
    data = XyChartData()
    for name, x, y in series:
        points = data.add_series(name)
        for pair in zip(x, y, strict=True):
            points.add_data_point(*map(float, pair))
    chart = deck.chart(deck.titled(claim, notes), XL_CHART_TYPE.XY_SCATTER, data)
    line = list(chart.plots[0].series)[-1]
    line.marker.style, line.smooth = XL_MARKER_STYLE.NONE, False
    line.format.line.color.rgb = _color(MARK)
    line.format.line.width = int(1.25 * POINT)
    _name_axes(chart, *axes)
    return chart


def _name_axes(chart: Any, x: str, y: str) -> None:
    """Titles of the axes, and a legend below where there is more than one series."""
    for axis, text in ((chart.category_axis, x), (chart.value_axis, y)):
        axis.tick_labels.font.size = 12 * POINT
        axis.major_gridlines.format.line.color.rgb = _color("#E6E9ED")
        axis.has_title = bool(text)
        if text:
            axis.axis_title.text_frame.text = text
            font = axis.axis_title.text_frame.paragraphs[0].font
            font.size, font.bold = 13 * POINT, False
    chart.has_legend = len(list(chart.plots[0].series)) > 1
    if chart.has_legend:
        chart.legend.include_in_layout = False
        chart.legend.position = XL_LEGEND_POSITION.BOTTOM
        chart.legend.font.size = 12 * POINT


def _make_logarithmic(axis: Any, ends: Sequence[float]) -> None:
    """A logarithmic axis over whole powers of ten, which python-pptx has no property for."""
    scaling = axis._element.find(qn("c:scaling"))
    scaling.insert(0, scaling.makeelement(qn("c:logBase"), {"val": "10"}))
    axis.minimum_scale, axis.maximum_scale = ends
    axis.tick_labels.number_format = "#,##0" if ends[0] >= 1 else "General"
    axis.tick_labels.number_format_is_linked = False


def _mark_points(series: Any, shape: str, color: str | None) -> None:
    """Points without a line between them."""
    series.format.line.fill.background()
    series.marker.style, series.marker.size = getattr(XL_MARKER_STYLE, shape), 6
    _fill(series.marker.format.fill, color)
    series.marker.format.line.fill.background()


def _name_points(series: Any, accounts: pd.DataFrame) -> None:
    """Names beside a series' points, the first in rank first, where they stand apart."""
    named: list[float] = []
    for place in accounts["rank"].argsort().to_numpy():
        row = accounts.iloc[place]
        if len(named) == NAMED or any(abs(row["sow"] - other) < APART for other in named):
            continue
        named.append(float(row["sow"]))
        label = series.points[int(place)].data_label
        label.text_frame.text = cut(str(row["name"]), 28)
        label.text_frame.paragraphs[0].runs[0].font.size = 10 * POINT
        label.position = XL_LABEL_POSITION.RIGHT


def _fill(fill: Any, color: str | None, brightness: float | None = None) -> None:
    """Fill with a color, or without one with the template's first."""
    fill.solid()
    if color is None:
        fill.fore_color.theme_color = MSO_THEME_COLOR.ACCENT_1
    else:
        fill.fore_color.rgb = _color(color)
    if brightness is not None:
        fill.fore_color.brightness = brightness


def _color(code: str) -> RGBColor:
    return RGBColor.from_string(code[1:])


def _counted(words: Words, amounts: Iterable[float]) -> list[float]:
    """Amounts in the units of the document."""
    return [words.in_units(float(amount)) for amount in amounts]


def _decades(values: Sequence[float]) -> tuple[float, float]:
    """The powers of ten around values."""
    low, high = max(min(values), 1e-6), max(max(values), 1e-5)
    return float(10 ** np.floor(np.log10(low))), float(10 ** np.ceil(np.log10(high)))


def _spread_out(frame: pd.DataFrame) -> pd.DataFrame:
    """At most POINTS rows, evenly spread."""
    count = len(frame)
    return frame.iloc[np.linspace(0, count - 1, min(count, POINTS)).round().astype(int)]
