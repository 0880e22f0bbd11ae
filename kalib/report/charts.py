"""Native charts of slides: how their series, axes and numbers look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from kalib.plots.theme import MARK
from kalib.report.slides import POINT
from kalib.words.catalogue import Words

POINTS = 400  # points of one series in a scatter: more is slow to edit, and no clearer


def style_columns(chart: Any, words: Words, number: str = "") -> None:
    """Columns in shades of the template's first color, each with its number."""
    from pptx.enum.dml import MSO_THEME_COLOR

    plot = chart.plots[0]
    plot.gap_width, plot.overlap, plot.has_data_labels = 60, -5, True
    largest = max((v for series in plot.series for v in series.values if v), default=0)
    labels = (plot.data_labels, chart.value_axis.tick_labels)
    for shown in labels:
        shown.number_format = number or _scaled(float(largest), words)
        shown.number_format_is_linked = False
    plot.data_labels.font.size = 12 * POINT
    for k, series in enumerate(plot.series):
        series.format.fill.solid()
        series.format.fill.fore_color.theme_color = MSO_THEME_COLOR.ACCENT_1
        series.format.fill.fore_color.brightness = 0.55 * k


def _scaled(largest: float, words: Words) -> str:
    """A number format in the units of the language; a format divides by thousands only, so that
    the point of a number in 10,000s is set as a letter before its last digit."""
    if words.language == "zh":
        return '0\\.0,"万"' if largest >= 1e5 else "#,##0"
    if largest < 1e5:
        return "#,##0"
    return '#,##0.0,," M"' if largest >= 1e6 else '#,##0," k"'


def name_axes(chart: Any, x: str, y: str) -> None:
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


def make_logarithmic(axis: Any, values: pd.Series) -> None:
    """A logarithmic axis over whole powers of ten, which python-pptx has no property for."""
    from pptx.oxml.ns import qn

    scaling = axis._element.find(qn("c:scaling"))
    scaling.insert(0, scaling.makeelement(qn("c:logBase"), {"val": "10"}))
    axis.minimum_scale = 10 ** np.floor(np.log10(max(float(values.min()), 1e-6)))
    axis.maximum_scale = 10 ** np.ceil(np.log10(max(float(values.max()), 1e-5)))
    axis.tick_labels.number_format = "#,##0"
    axis.tick_labels.number_format_is_linked = False


def add_points(data: Any, name: str, x: Sequence[float], y: Sequence[float]) -> None:
    """A named series of points."""
    series = data.add_series(name)
    for one, other in zip(x, y, strict=True):
        series.add_data_point(float(one), float(other))


def spread_out(count: int) -> np.ndarray:
    """Row numbers of at most POINTS of count rows, evenly spread."""
    return np.linspace(0, count - 1, min(count, POINTS)).round().astype(int)


def mark_points(series: Any, shape: str, color: str | None) -> None:
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


def draw_line(series: Any) -> None:
    """A line without points."""
    from pptx.enum.chart import XL_MARKER_STYLE

    series.marker.style = XL_MARKER_STYLE.NONE
    series.smooth = False
    series.format.line.color.rgb = _color(MARK)
    series.format.line.width = int(1.25 * POINT)


def _color(code: str) -> Any:
    from pptx.dml.color import RGBColor

    return RGBColor(*bytes.fromhex(code[1:]))
