"""deck.pptx: the story as slides with native charts and tables, editable in PowerPoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kalib.analysis import Analysis
from kalib.plots.theme import MARK, ZONE_COLORS, cut
from kalib.report import tables
from kalib.report.slides import POINT, Slides
from kalib.report.story import Claim, Story
from kalib.report.tables import Table
from kalib.study.settings import ZONES

ROWS = 10  # rows of a table on a slide
POINTS = 400  # points of one series in a scatter: more is slow to edit, and no clearer
SOW_SHOWN = 1.15  # a share of wallet above is drawn here
NAMED = 5  # attack accounts named in the matrix
APART = 0.045  # of share of wallet between two names
MARKERS = {"attack": "TRIANGLE", "defense": "SQUARE", "maintenance": "CIRCLE", "watch": "X"}


def write_deck(analysis: Analysis, story: Story, path: Path) -> None:
    """Write the slides: each is headed by a claim of the story; notes tell the method."""
    deck, words = _Deck(analysis, story), story.words
    verdict = f"{words.say('verdict')}: {words.say(analysis.verdict.verdict)}"
    lines = [story.say(story.headline), story.byline, story.period, verdict]
    deck.slides.cover(analysis.study.title, [line for line in lines if line], words.say("n_method"))
    deck.bullets(story.headline, story.findings + story.more, "n_method")
    if story.placed:
        _plan_slides(deck)
    else:
        _doubt_slides(deck)
    f = story.figures
    sure = Claim("t_sure", {"verdict": f["verdict"], "error": f["error_median"]})
    deck.bullets(sure, story.risks, "n_accuracy")
    deck.bullets(story.steps_claim, story.steps, "n_plan")
    _appendix(deck)
    deck.slides.save(path)


def _appendix(deck: _Deck) -> None:
    """What the claims rest on."""
    analysis, story, f = deck.analysis, deck.story, deck.story.figures
    if analysis.matrix.counts["attack"]:
        deck.zones(story.charts["zones"])
    if f["below_market"]:
        lost = float(analysis.plan.accounts["sales_lost"].sum())
        claim = Claim("t_below", {"share": f["market_share"], "below": f["below_market"],
                                  "lost": lost})  # fmt: skip
        deck.table(claim, tables.below_market(analysis, deck.words, ROWS), "n_share")
    deck.accuracy(story.charts["observed-predicted"])
    if story.unknown:
        deck.bullets(story.unknown_claim, story.unknown, "n_accuracy")
    if analysis.fit.formula.terms:
        deck.formula()


def _plan_slides(deck: _Deck) -> None:
    """Where, who, how much, by whom."""
    analysis, story, words = deck.analysis, deck.story, deck.story.words
    counts = analysis.matrix.counts
    deck.matrix(story.charts["matrix"])
    if counts["attack"]:
        top = analysis.plan.accounts.query("zone == 'attack'").nsmallest(ROWS, "attack_rank")
        claim = Claim("t_top", {"n": len(top), "potential": top["potential"].sum(),
                                "sales": top["sales"].sum()})  # fmt: skip
        deck.table(claim, tables.top_attack(analysis, words, ROWS), "n_plan")
    f = story.figures
    if f["missed_by_sales"] and f["accounts_placed"] == f["accounts"]:
        claim = Claim("t_missing", {"missed": f["missed_by_sales"],
                                    "potential": f["missed_by_sales_potential"]})  # fmt: skip
        deck.table(claim, tables.missed(analysis, words, ROWS), "n_change")
    if story.bridge:
        deck.bridge(story.bridge)
        deck.table(story.charts["targets"], tables.reps(analysis, words, 12), "n_plan")
    people = {"hunters": f["hunters"], "farmers": f["farmers"], "ka": f["ka_new"]}
    slide = deck.bullets(Claim("t_do", people), story.actions, "n_plan", 0.6)
    deck.slides.table(slide, tables.teams(analysis, words), 0.66)


def _doubt_slides(deck: _Deck) -> None:
    """Where nothing is placed: how often each indicator is chosen, and what the checks say."""
    analysis, story, words = deck.analysis, deck.story, deck.story.words
    often = analysis.fit.stability.sort_values(ascending=False)[:12]
    label = words.say("chosen_in_this_share_of_half")
    names = [words.noun(name) for name in often.index]
    deck.columns(story.charts["stability"], names, {label: often.tolist()}, "n_accuracy", "0%")
    table = tables.checks(analysis, words)
    failed = table.frame[[not check.passed for check in analysis.verdict.checks]]
    shown = tables.table(words, table.title, table.kinds, failed)
    shown = shown.only("check", "statistic", "threshold", "what_it_means").head(ROWS)
    deck.table(Claim("t_checks", {"n": len(failed)}), shown, "n_accuracy")


class _Deck:
    """Slides of a story, each under its claim."""

    def __init__(self, analysis: Analysis, story: Story) -> None:
        self.analysis, self.story, self.words = analysis, story, story.words
        self.slides = Slides(analysis.study, story.draft)

    def titled(self, claim: Claim, notes: str) -> Any:
        """A slide under a claim."""
        return self.slides.titled(self.story.say(claim), self.words.say(notes))

    def bullets(self, claim: Claim, said: Sequence[Claim], notes: str, share: float = 1.0) -> Any:
        """A slide of sentences."""
        lines = self.story.said(tuple(said))
        return self.slides.bullets(self.story.say(claim), lines, self.words.say(notes), share)

    def table(self, claim: Claim, table: Table, notes: str) -> None:
        """A slide of one table."""
        self.slides.table(self.titled(claim, notes), table)

    def columns(
        self, claim: Claim, labels: Sequence[str], series: Mapping[str, Sequence[float]],
        notes: str, number: str = "",
    ) -> Any:  # fmt: skip
        """A slide of native columns; returns the chart."""
        from pptx.chart.data import CategoryChartData
        from pptx.enum.chart import XL_CHART_TYPE

        data = CategoryChartData(number_format=number or "#,##0")
        data.categories = list(labels)
        for name, values in series.items():
            data.add_series(name, values)
        slide = self.titled(claim, notes)
        chart = self.slides.chart(slide, XL_CHART_TYPE.COLUMN_CLUSTERED, data)
        _style_columns(chart, number or "#,##0")
        _name_axes(chart, "", "" if number else self.words.yearly())
        return chart

    def zones(self, claim: Claim) -> None:
        """Potential and sales of each zone, in the zones' colors."""
        accounts, words = self.analysis.plan.accounts, self.words
        sums = accounts.groupby("zone")[["potential", "sales"]].sum().reindex(ZONES).fillna(0.0)
        series = {words.say(c): self.counted(sums[c]) for c in ("potential", "sales")}
        names = [words.say(zone) for zone in ZONES]
        chart = self.columns(claim, names, series, "n_matrix")
        for points, pale in zip(chart.plots[0].series, (0.55, 0.0), strict=True):
            for k, zone in enumerate(ZONES):
                fill = points.points[k].format.fill
                fill.solid()
                fill.fore_color.rgb = _color(ZONE_COLORS[zone])
                fill.fore_color.brightness = pale

    def bridge(self, claim: Claim) -> None:
        """From today's sales to the target: stacked columns, the lower ones unseen."""
        from pptx.chart.data import CategoryChartData
        from pptx.enum.chart import XL_CHART_TYPE, XL_LABEL_POSITION

        words, steps = self.words, self.story.bridge_steps
        amounts = self.counted(pd.Series(list(steps.values())))
        ends = np.cumsum(amounts)
        below = [0.0, *ends[:-1][: len(amounts) - 1], 0.0]
        data = CategoryChartData(number_format="#,##0")
        grown = [f"{words.say(key)}\n+{words.amount(amount)}" for key, amount in steps.items()]
        data.categories = [words.say("sales_today"), *grown[1:], words.say("target")]
        data.add_series(" ", below)
        data.add_series(words.say("sales"), [amounts[0], *[None] * (len(amounts) - 1), ends[-1]])
        data.add_series(words.say("growth_asked"), [None, *amounts[1:], None])
        slide = self.titled(claim, "n_plan")
        chart = self.slides.chart(slide, XL_CHART_TYPE.COLUMN_STACKED, data)
        _style_columns(chart, "#,##0")
        plot = chart.plots[0]
        plot.overlap, plot.has_data_labels = 100, False
        _name_axes(chart, "", words.yearly())
        chart.has_legend = False
        unseen, sales, growth = plot.series
        unseen.format.fill.background()
        labels = sales.data_labels
        labels.show_value, labels.number_format = True, "#,##0"
        labels.number_format_is_linked, labels.position = False, XL_LABEL_POSITION.INSIDE_END
        labels.font.size, labels.font.bold = 14 * POINT, True
        labels.font.color.rgb = _color("#FFFFFF")
        sales.format.fill.fore_color.brightness = 0
        growth.format.fill.solid()
        growth.format.fill.fore_color.rgb = _color(ZONE_COLORS["attack"])

    def matrix(self, claim: Claim) -> None:
        """The quadrant as a native scatter, the first attack accounts named."""
        matrix, words = self.analysis.matrix, self.words
        accounts = matrix.accounts.assign(sow=matrix.accounts["sow"].clip(upper=SOW_SHOWN))
        # The longest series first: LibreOffice loses those that a longer one follows.
        order = sorted(ZONES, key=lambda zone: -min(matrix.counts[zone], POINTS))
        ranked = self.analysis.plan.accounts["attack_rank"]
        parts: dict[str, pd.DataFrame] = {}
        for zone in order:
            part = accounts[accounts["zone"] == zone].sort_values("potential")
            parts[zone] = part.iloc[_spread_out(len(part))]
        series = [
            (
                words.say("zone_count", zone=zone, n=matrix.counts[zone]),
                self.counted(part["potential"]),
                part["sow"],
            )
            for zone, part in parts.items()
        ]
        ends = _decades(self.counted(accounts["potential"].dropna()))
        cut, share = self.counted(pd.Series([matrix.potential_cut]))[0], matrix.sow_cut
        series.append((words.say("cuts"), [ends[0], cut, cut, cut, ends[1]],
                       [share, share, 0.0, SOW_SHOWN, SOW_SHOWN]))  # fmt: skip
        chart = self._scatter(self.titled(claim, "n_matrix"), series)
        every = list(chart.plots[0].series)
        for zone, points in zip(order, every, strict=False):
            _mark_points(points, MARKERS[zone], ZONE_COLORS[zone])
        if matrix.counts["attack"]:
            part = parts["attack"].assign(rank=ranked)
            _name_points(every[order.index("attack")], part)
        unit = words.say("ax_potential", unit=words.yearly())
        _name_axes(chart, unit, words.say("sow"))
        _make_logarithmic(chart.category_axis, ends)
        chart.value_axis.tick_labels.number_format = "0%"
        chart.value_axis.minimum_scale = 0
        top = float(accounts["sow"].max())
        chart.value_axis.maximum_scale = min(np.ceil(max(top, 0.1) * 11) / 10, SOW_SHOWN + 0.05)

    def accuracy(self, claim: Claim) -> None:
        """Known potential against a prediction that has not seen the account."""
        fit, words = self.analysis.fit, self.words
        known = fit.oof[~fit.oof["suspect"]].sort_values("observed")
        known = known.iloc[_spread_out(len(known))]
        both = self.counted(pd.concat([known["predicted"], known["observed"]]))
        ends = [float(min(both)), float(max(both))]
        name = words.say("account")
        series = [(name, both[: len(known)], both[len(known) :]),
                  (words.say("observed_predicted"), ends, ends)]  # fmt: skip
        chart = self._scatter(self.titled(claim, "n_accuracy"), series)
        _mark_points(chart.plots[0].series[0], "CIRCLE", None)
        unit = words.yearly()
        _name_axes(chart, words.say("ax_unseen", unit=unit), words.say("ax_observed", unit=unit))
        for axis in (chart.category_axis, chart.value_axis):
            _make_logarithmic(axis, _decades(both))

    def formula(self) -> None:
        """The terms in words, in the appendix."""
        story, words = self.story, self.words
        usable = self.analysis.verdict.verdict != "unusable"
        figures = {"indicators": self.analysis.fit.formula.indicators}
        claim = Claim("t_formula", figures) if usable else Claim("p_formula")
        shown = tables.terms(self.analysis, words).only(
            "term", "in_words", "chosen_in_half_samples"
        )
        slide = self.slides.titled(story.say(claim), words.say("n_method"))
        self.slides.table(slide, shown.head(ROWS))

    def counted(self, amounts: pd.Series) -> list[float]:
        """Amounts in the units of the document."""
        size = self.words.unit()[0] / self.words.scale
        return [float(v) * size for v in amounts]

    def _scatter(self, slide: Any, series: Sequence[tuple[str, Any, Any]]) -> Any:
        """A scatter of the named series, the last of them a line."""
        from pptx.chart.data import XyChartData
        from pptx.enum.chart import XL_CHART_TYPE, XL_MARKER_STYLE

        data = XyChartData()
        for name, x, y in series:
            points = data.add_series(name)
            for one, other in zip(x, y, strict=True):
                points.add_data_point(float(one), float(other))
        chart = self.slides.chart(slide, XL_CHART_TYPE.XY_SCATTER, data)
        line = list(chart.plots[0].series)[-1]
        line.marker.style, line.smooth = XL_MARKER_STYLE.NONE, False
        line.format.line.color.rgb = _color(MARK)
        line.format.line.width = int(1.25 * POINT)
        return chart


def _style_columns(chart: Any, number: str) -> None:
    """Columns in shades of the template's first color, each with its number."""
    from pptx.enum.dml import MSO_THEME_COLOR

    plot = chart.plots[0]
    plot.gap_width, plot.overlap, plot.has_data_labels = 60, -5, True
    for shown in (plot.data_labels, chart.value_axis.tick_labels):
        shown.number_format, shown.number_format_is_linked = number, False
    plot.data_labels.font.size = 12 * POINT
    for k, series in enumerate(plot.series):
        series.format.fill.solid()
        series.format.fill.fore_color.theme_color = MSO_THEME_COLOR.ACCENT_1
        series.format.fill.fore_color.brightness = 0.55 * min(k, 1)


def _name_axes(chart: Any, x: str, y: str) -> None:
    """Titles of the axes, and a legend below where there is more than one series."""
    from pptx.enum.chart import XL_LEGEND_POSITION

    for axis, text in ((chart.category_axis, x), (chart.value_axis, y)):
        axis.tick_labels.font.size = 12 * POINT
        axis.major_gridlines.format.line.color.rgb = _color("#E6E9ED")
        axis.has_title = bool(text)
        if text:
            axis.axis_title.text_frame.text = text
            axis.axis_title.text_frame.paragraphs[0].font.size = 13 * POINT
            axis.axis_title.text_frame.paragraphs[0].font.bold = False
    chart.has_legend = len(list(chart.plots[0].series)) > 1
    if chart.has_legend:
        chart.legend.include_in_layout = False
        chart.legend.position = XL_LEGEND_POSITION.BOTTOM
        chart.legend.font.size = 12 * POINT


def _make_logarithmic(axis: Any, ends: Sequence[float]) -> None:
    """A logarithmic axis over whole powers of ten, which python-pptx has no property for."""
    from pptx.oxml.ns import qn

    scaling = axis._element.find(qn("c:scaling"))
    scaling.insert(0, scaling.makeelement(qn("c:logBase"), {"val": "10"}))
    axis.minimum_scale, axis.maximum_scale = ends
    axis.tick_labels.number_format = "#,##0" if ends[0] >= 1 else "General"
    axis.tick_labels.number_format_is_linked = False


def _decades(values: Sequence[float]) -> tuple[float, float]:
    """The powers of ten around values."""
    low, high = max(min(values), 1e-6), max(max(values), 1e-5)
    return float(10 ** np.floor(np.log10(low))), float(10 ** np.ceil(np.log10(high)))


def _spread_out(count: int) -> np.ndarray:
    """Row numbers of at most POINTS of count rows, evenly spread."""
    return np.linspace(0, count - 1, min(count, POINTS)).round().astype(int)


def _mark_points(series: Any, shape: str, color: str | None) -> None:
    """Points without a line between them; without a color, in the template's first."""
    from pptx.enum.chart import XL_MARKER_STYLE
    from pptx.enum.dml import MSO_THEME_COLOR

    series.format.line.fill.background()
    series.marker.style = getattr(XL_MARKER_STYLE, shape)
    series.marker.size = 6
    fill = series.marker.format.fill
    fill.solid()
    if color is None:
        fill.fore_color.theme_color = MSO_THEME_COLOR.ACCENT_1
    else:
        fill.fore_color.rgb = _color(color)
    series.marker.format.line.fill.background()


def _name_points(series: Any, accounts: pd.DataFrame) -> None:
    """Names beside a series' points, the first in rank first, where they stand apart."""
    from pptx.enum.chart import XL_LABEL_POSITION

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


def _color(code: str) -> Any:
    from pptx.dml.color import RGBColor

    return RGBColor(*bytes.fromhex(code[1:]))
