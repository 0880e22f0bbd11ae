"""deck.pptx: the findings as slides with native charts and tables, editable in PowerPoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kalib.analysis import Analysis
from kalib.report import exhibits, rosters
from kalib.report.exhibit import Exhibit
from kalib.report.findings import Findings
from kalib.study import ZONES
from kalib.theme import ZONE_COLORS

POINTS = 400  # points of one zone in the scatter: more is slow to edit, and no clearer
ROWS = 10  # rows of a table on a slide
INK, ACCENT, SOFT = "1F2933", "005A8F", "52606D"
MARKERS = {"attack": "TRIANGLE", "defense": "SQUARE", "maintenance": "CIRCLE", "watch": "X"}


def write_deck(analysis: Analysis, findings: Findings, path: Path) -> None:
    """Write the slides; titles are the findings, notes tell the method."""
    deck = _Deck(analysis)
    words, study = exhibits.words_of(analysis), analysis.study
    deck.cover(
        study.title,
        words.say("prepared", client=study.report.client, author=study.report.author),
        words.say("period", period=study.period),
    )
    deck.bullets(words.say("found"), findings.found, words.say("n_method"))
    if findings.figures["ka_new"]:
        _plan_slides(deck, analysis, findings)
    deck.bullets(words.say("do"), findings.do, words.say("n_plan"))
    terms = exhibits.terms(analysis)
    short = Exhibit(terms.title, terms.frame.drop(columns=["p-value", "interval"]), terms.numbers)
    title = findings.sure[0] if findings.sure else words.say("p_formula")
    deck.table(title, short, analysis.fit.formula.text)
    deck.bullets(words.say("sure"), findings.sure, words.say("n_accuracy"))
    deck.save(path)


def _plan_slides(deck: _Deck, analysis: Analysis, findings: Findings) -> None:
    words, matrix = exhibits.words_of(analysis), analysis.matrix
    key = next((s for s in findings.found if str(findings.figures["ka_new"]) in s), "")
    deck.matrix(key, analysis, words.say("n_matrix"))
    zones = rosters.zones(analysis)
    deck.table(words.say("quadrant"), zones, words.say("n_matrix"))
    sow = matrix.accounts["sow"].dropna().clip(upper=1.0)
    counts, _ = np.histogram(sow, bins=np.linspace(0, 1, 11))
    labels = [f"{k * 10}–{k * 10 + 10}%" for k in range(10)]
    share = words.percent(matrix.market_share)
    below = words.whole(float(findings.figures["below_market"]))
    deck.columns(
        words.say("t_below", share=share, below=below), labels,
        {words.say("accounts"): counts.tolist()}, words.say("n_share"),
    )  # fmt: skip
    change = matrix.accounts.groupby("change")["potential"].sum()
    names = ["kept", "promoted", "demoted"]
    deck.columns(
        words.say("p_change"), [words.say(name) for name in names],
        {words.say("potential"): [float(change.get(name, 0.0)) for name in names]},
        words.say("n_change"),
    )  # fmt: skip
    deck.table(words.say("top_attack"), rosters.top_attack(analysis, ROWS), words.say("n_plan"))
    deck.table(words.say("teams"), rosters.teams(analysis), words.say("n_plan"))


class _Deck:
    """An open presentation, 16:9."""

    def __init__(self, analysis: Analysis) -> None:
        from pptx import Presentation
        from pptx.util import Inches

        self.study = analysis.study
        self.inches = Inches
        self.deck = Presentation()
        self.deck.slide_width, self.deck.slide_height = Inches(13.333), Inches(7.5)

    def save(self, path: Path) -> None:
        self.deck.core_properties.title = self.study.title
        self.deck.core_properties.author = self.study.report.author
        self.deck.save(str(path))

    def cover(self, title: str, *lines: str) -> None:
        slide = self._blank()
        self._text(slide, (0.9, 2.3, 11.5, 1.6), [title], 40, bold=True, color=ACCENT)
        self._text(slide, (0.9, 4.1, 11.5, 1.2), lines, 20, color=SOFT)

    def bullets(self, title: str, lines: Sequence[str], notes: str) -> None:
        slide = self._titled(title, notes)
        size = 20 if sum(map(len, lines)) < 700 else 16
        box = self._text(slide, (0.6, 1.5, 12.1, 5.4), [f"• {line}" for line in lines], size)
        for paragraph in box.paragraphs:
            paragraph.space_after = self._points(9)

    def table(self, title: str, table: Exhibit, notes: str) -> None:
        from pptx.enum.text import PP_ALIGN

        slide = self._titled(title, notes)
        frame = table.frame.head(ROWS)
        rows, columns = len(frame) + 1, len(frame.columns)
        size = 14 if columns <= 6 else 11
        box = tuple(map(self.inches, (0.6, 1.6, 12.1, 0.42 * rows)))
        grid = slide.shapes.add_table(rows, columns, *box).table
        longest = [
            max([len(str(name)) * 0.8, *frame[name].astype(str).str.len()]) + 2
            for name in frame.columns
        ]
        for j, name in enumerate(frame.columns):
            grid.columns[j].width = self.inches(12.1 * longest[j] / sum(longest))
            for i, text in enumerate([str(name), *frame[name].astype(str)]):
                cell = grid.cell(i, j)
                cell.text = text
                run = cell.text_frame.paragraphs[0]
                run.font.size = self._points(size)
                if name in table.numbers:
                    run.alignment = PP_ALIGN.RIGHT

    def matrix(self, title: str, analysis: Analysis, notes: str) -> None:
        from pptx.chart.data import XyChartData
        from pptx.enum.chart import XL_CHART_TYPE, XL_LEGEND_POSITION, XL_MARKER_STYLE

        words, data = exhibits.words_of(analysis), XyChartData()
        accounts = analysis.matrix.accounts
        # The longest series first: LibreOffice loses those that a longer one follows.
        order = sorted(ZONES, key=lambda zone: -min(analysis.matrix.counts[zone], POINTS))
        for zone in order:
            part = accounts[accounts["zone"] == zone].sort_values("potential")
            even = np.linspace(0, len(part) - 1, min(len(part), POINTS)).round().astype(int)
            part = part.iloc[even]
            name = f"{words.say(zone)}: {analysis.matrix.counts[zone]:,}"
            series = data.add_series(name)
            for x, y in zip(part["potential"], part["sow"], strict=True):
                series.add_data_point(float(x), float(min(y, 1.15)))
        frame = self._chart(self._titled(title, notes), XL_CHART_TYPE.XY_SCATTER, data)
        chart = frame.chart
        chart.has_legend, chart.legend.include_in_layout = True, False
        chart.legend.position = XL_LEGEND_POSITION.BOTTOM
        for zone, series in zip(order, chart.plots[0].series, strict=True):
            series.format.line.fill.background()
            series.marker.style = getattr(XL_MARKER_STYLE, MARKERS[zone])
            series.marker.size = 6
            series.marker.format.fill.solid()
            series.marker.format.fill.fore_color.rgb = self._color(ZONE_COLORS[zone][1:])
            series.marker.format.line.fill.background()
        self._axes(chart, f"{words.say('potential')} ({self.study.currency})", words.say("sow"))
        chart.value_axis.tick_labels.number_format = "0%"
        chart.value_axis.tick_labels.number_format_is_linked = False
        chart.category_axis.tick_labels.number_format = "#,##0"
        chart.category_axis.tick_labels.number_format_is_linked = False
        self._logarithmic(chart.category_axis, accounts["potential"].dropna())

    def columns(
        self, title: str, labels: Sequence[str], series: dict[str, list[float]], notes: str
    ) -> None:
        from pptx.chart.data import CategoryChartData
        from pptx.enum.chart import XL_CHART_TYPE

        data = CategoryChartData(number_format="#,##0")
        data.categories = list(labels)
        for name, values in series.items():
            data.add_series(name, values)
        frame = self._chart(self._titled(title, notes), XL_CHART_TYPE.COLUMN_CLUSTERED, data)
        chart = frame.chart
        chart.has_legend = False
        chart.has_title = False
        plot = chart.plots[0]
        plot.gap_width, plot.has_data_labels = 60, True
        chart.value_axis.tick_labels.number_format = "#,##0"
        chart.value_axis.tick_labels.number_format_is_linked = False
        plot.data_labels.number_format = "#,##0"
        plot.data_labels.number_format_is_linked = False
        plot.data_labels.font.size = self._points(12)
        plot.series[0].format.fill.solid()
        plot.series[0].format.fill.fore_color.rgb = self._color(ACCENT)
        self._axes(chart, "", next(iter(series)))

    def _axes(self, chart: Any, x: str, y: str) -> None:
        for axis, text in ((chart.category_axis, x), (chart.value_axis, y)):
            axis.tick_labels.font.size = self._points(12)
            axis.major_gridlines.format.line.color.rgb = self._color("E6E9ED")
            if text:
                axis.has_title = True
                axis.axis_title.text_frame.text = text
                axis.axis_title.text_frame.paragraphs[0].font.size = self._points(13)

    def _logarithmic(self, axis: Any, values: pd.Series) -> None:
        """A logarithmic axis, which python-pptx has no property for."""
        from pptx.oxml.ns import qn

        scaling = axis._element.find(qn("c:scaling"))
        base = scaling.makeelement(qn("c:logBase"), {"val": "10"})
        scaling.insert(0, base)
        low, high = float(values.min()), float(values.max())
        axis.minimum_scale = 10 ** np.floor(np.log10(max(low, 1e-6)))
        axis.maximum_scale = 10 ** np.ceil(np.log10(max(high, 1e-5)))

    def _chart(self, slide: Any, kind: Any, data: Any) -> Any:
        box = tuple(map(self.inches, (0.6, 1.45, 12.1, 5.6)))
        return slide.shapes.add_chart(kind, *box, data)

    def _blank(self) -> Any:
        return self.deck.slides.add_slide(self.deck.slide_layouts[6])

    def _titled(self, title: str, notes: str) -> Any:
        slide = self.deck.slides.add_slide(self.deck.slide_layouts[5])
        shape = slide.shapes.title
        box = tuple(map(self.inches, (0.6, 0.35, 12.1, 1.05)))
        shape.left, shape.top, shape.width, shape.height = box
        frame = shape.text_frame
        frame.word_wrap = True
        frame.text = title
        self._style(frame, 26 if len(title) < 90 else 20, bold=True, color=ACCENT)
        slide.notes_slide.notes_text_frame.text = notes
        return slide

    def _text(
        self, slide: Any, box: tuple[float, ...], lines: Sequence[str], size: int,
        *, bold: bool = False, color: str = INK,
    ) -> Any:  # fmt: skip
        frame = slide.shapes.add_textbox(*map(self.inches, box)).text_frame
        frame.word_wrap = True
        frame.text = lines[0] if lines else ""
        for line in lines[1:]:
            frame.add_paragraph().text = line
        self._style(frame, size, bold=bold, color=color)
        return frame

    def _style(self, frame: Any, size: int, *, bold: bool, color: str) -> None:
        from pptx.enum.text import PP_ALIGN

        for paragraph in frame.paragraphs:
            paragraph.alignment = PP_ALIGN.LEFT
            paragraph.font.size = self._points(size)
            paragraph.font.bold = bold
            paragraph.font.color.rgb = self._color(color)

    def _points(self, size: int) -> Any:
        from pptx.util import Pt

        return Pt(size)

    def _color(self, code: str) -> Any:
        from pptx.dml.color import RGBColor

        return RGBColor.from_string(code.upper())
