"""The page's interactive part: the accounts as data, the quadrant, the scripts that show them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from importlib.resources import files
from typing import Any

import bokeh.models
import numpy as np
import pandas as pd
from bokeh.embed import json_item
from bokeh.plotting import figure
from bokeh.resources import Resources
from bokeh.transform import factor_cmap, factor_mark
from jinja2.utils import htmlsafe_json_dumps

from kalib.analysis import Analysis
from kalib.plots.theme import ZONE_COLORS, ZONE_MARKERS
from kalib.study.settings import ZONES
from kalib.words.catalogue import MISSING, Words

models: Any = bokeh.models  # whose types are not declared
TOP = 1.15  # a share of wallet above it is drawn there, as in the static figure
MARKERS = {"^": "triangle", "s": "square", "o": "circle", "X": "x"}  # matplotlib's -> Bokeh's
LABELS = (
    "account", "name", "region", "segment", "zone", "potential", "sales", "sow", "target_sales",
    "team", "rep", "change", "market_share", "growth_asked", "expected_gain",
)  # fmt: skip
LISTED = ("region", "segment", "zone", "team", "rep", "change", "flags", "potential_source",
          "override_by", "override_reason")  # fmt: skip
AMOUNTS = ("sales", "potential", "potential_low", "potential_high", "target_sales",
           "expected_gain")  # fmt: skip


def embedded_json(content: object) -> str:
    """JSON that can stand in a script element: no character in it ends the element or begins
    markup, whatever a client's text holds."""
    dumps = partial(json.dumps, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return str(htmlsafe_json_dumps(content, dumps))


def explorer_data(analysis: Analysis, words: Words) -> dict[str, Any]:
    """What the page's script shows: accounts by column, the formula's indicators, cuts, words.

    Amounts in the study's currency a year, shares as fractions, null where unknown.
    """
    matrix, accounts = analysis.matrix, analysis.plan.accounts
    names, said = accounts["name"].astype(str), ("hunter", "farmer", "promoted", "demoted", "kept")
    cuts = {name: getattr(matrix, name) for name in ("potential_cut", "sow_cut", "market_share")}
    return {
        "words": {**words.page(), **{key: words.say(key) for key in (*LABELS, *said, *ZONES)}},
        "zones": list(ZONES),
        "language": words.language,
        "missing": MISSING,
        "scale": words.scale / words.unit()[0],
        "counted": words.counted(),
        "top": TOP,
        "level": words.percent(analysis.study.formula.confidence),
        **{name: float(cut) if np.isfinite(cut) else None for name, cut in cuts.items()},
        "columns": {
            "account": accounts.index.astype(str).tolist(),
            "name": names.where(names != accounts.index.astype(str), "").tolist(),
            **{name: _levels(accounts[name]) for name in LISTED},
            **{name: _numbers(accounts[name].round(2)) for name in AMOUNTS},
            **{f"p_{zone}": _numbers(accounts[f"p_{zone}"].round(3)) for zone in ZONES},
            "by_sales": accounts["key_account_by_sales"].astype(int).tolist(),
        },
        "indicators": [
            {"name": words.label(name), **_indicator(analysis.screening.values[name])}
            for name in analysis.fit.formula.indicators
        ],
    }


def quadrant(analysis: Analysis, words: Words) -> dict[str, Any]:
    """The quadrant as Bokeh's JSON, without the accounts: the page's script hands it the columns
    x, y (SOW up to TOP), alpha, zone, account, and the texts of the tooltip."""
    matrix, said = analysis.matrix, words.page()
    potential, sow = _ranges(matrix.accounts[matrix.accounts["zone"] != ""])
    hover = models.HoverTool(limit=1, tooltips=_tooltip(words))
    drag = models.BoxZoomTool()
    plot: Any = figure(
        name="quadrant", height=520, sizing_mode="stretch_width", x_axis_type="log",
        x_range=models.Range1d(*potential), y_range=models.Range1d(*sow),
        tools=[drag, hover, models.TapTool(), *_moves()], active_drag=drag,
        toolbar_location=None, min_border_right=24,
        x_axis_label=said["axis_x"].format(unit=words.yearly()), y_axis_label=said["axis_y"],
    )  # fmt: skip
    plot.yaxis.formatter = models.NumeralTickFormatter(format="0%")
    # The page's script writes these numbers as the other documents do.
    plot.xaxis.formatter = models.NumeralTickFormatter(name="amounts")
    plot.xaxis.ticker = models.LogTicker(mantissas=[1, 2, 5])
    names = ("x", "y", "alpha", "zone", "zone_word", "account", "potential", "sow")
    source = models.ColumnDataSource({name: [] for name in names}, name="accounts")
    colors = factor_cmap("zone", list(ZONE_COLORS.values()), ZONES)
    shapes = factor_mark("zone", [MARKERS[mark] for mark in ZONE_MARKERS.values()], ZONES)
    count = len(matrix.accounts)  # many accounts need small marks to be told apart
    marks = plot.scatter(
        "x", "y", source=source, marker=shapes,
        size=8 if count <= 2000 else 6 if count <= 8000 else 4,
        fill_color=colors, line_color=colors, fill_alpha="alpha", line_alpha=0.9, line_width=1.2,
        view=models.CDSView(filter=models.BooleanFilter(name="shown")),
    )  # fmt: skip
    marks.nonselection_glyph = marks.selection_glyph = None
    hover.renderers = [marks]
    for at, way in ((matrix.potential_cut, "height"), (matrix.sow_cut, "width")):
        if np.isfinite(at):
            plot.add_layout(models.Span(location=float(at), dimension=way, line_width=1.2))
    for zone in ZONES:
        plot.add_layout(_corner(zone, matrix.counts[zone], words, potential, sow))
    return dict(json_item(plot))


def _moves() -> list[Any]:
    """Bokeh's tools that the page's buttons and keys act through, and the wheel."""
    pans = [models.ClickPanTool(direction=way, name=way) for way in ("left", "right", "up", "down")]
    zooms = [models.ZoomInTool(name="zoom_in"), models.ZoomOutTool(name="zoom_out")]
    wheel = models.WheelZoomTool(modifiers="ctrl")  # without Ctrl the wheel scrolls the page
    return [*pans, *zooms, models.ResetTool(name="reset"), wheel]


def _corner(
    zone: str, count: int, words: Words, potential: tuple[float, float], sow: tuple[float, float]
) -> Any:
    """The label of a zone in its corner of the ranges."""
    high, loyal = zone in ("attack", "defense"), zone in ("defense", "maintenance")
    return models.Label(
        x=potential[high], y=sow[loyal], text_font_style="bold", padding=4,
        text=f"{words.say(zone)}: {words.whole(count)}",
        text_align="right" if high else "left", text_baseline="top" if loyal else "bottom",
        x_offset=-10 if high else 10, y_offset=-8 if loyal else 8,
        border_line_color=ZONE_COLORS[zone], border_line_width=1.5,
    )  # fmt: skip


def _tooltip(words: Words) -> str:
    """Bokeh's template of the tooltip; it escapes what it fills in."""
    style = "margin:-5px;padding:6px 10px;background:var(--paper);color:var(--ink)"
    rows = [f"{words.say('potential')}: @potential", f"{words.say('sow')}: @sow", "@zone_word"]
    return f'<div style="{style}"><b>@account</b><br>{"<br>".join(rows)}</div>'


def library_scripts() -> dict[str, str]:
    """The scripts of the two libraries as they stand in the page: name -> text.

    "chart" is Bokeh, a classic script; "table" is DataTables as itables ships it, a module that
    here leaves its constructor in the window instead of exporting it.
    """
    chart = "\n".join(Resources(mode="inline", components=["bokeh"], log_level="warn").js_raw)
    bundle = (files("itables") / "html" / "dt_bundle.js").read_text(encoding="utf-8")
    start = bundle.rindex("export{")
    end = bundle.index("}", start)
    exported = dict(part.split(" as ")[::-1] for part in bundle[start + 7 : end].split(","))
    table = f"{bundle[:start]}window.DataTable={exported['default']}{bundle[end + 1 :]}"
    return {"chart": _script_text(chart), "table": _script_text(table)}


def _script_text(script: str) -> str:
    """A script that HTML's parser reads to its end: in strings and patterns the backslashes
    change nothing."""
    text = script.replace("\r\n", "\n").replace("</script", "<\\/script")
    return text.replace("<!--", "<\\!--")


def _ranges(known: pd.DataFrame) -> tuple[tuple[float, float], tuple[float, float]]:
    """Ranges of potential and SOW that hold all marks and the labels in the corners."""
    low, high = float(known["potential"].min()), float(known["potential"].max())
    room = max(high / low, 1.5) ** 0.06
    top = 1.25 * max(float(known["sow"].clip(upper=TOP).max()), 0.2)
    return (low / room, high * room), (-0.1 * top, top)


def _indicator(column: pd.Series) -> dict[str, Any]:
    """A typical value of an indicator, and the value of each account."""
    if not pd.api.types.is_numeric_dtype(column):
        return {"typical": str(column.mode().iloc[0]), "values": _levels(column)}
    short = column.astype(float).map(lambda value: float(f"{value:.6g}"))
    return {"typical": float(f"{column.median():.6g}"), "values": _numbers(short)}


def _levels(column: pd.Series) -> dict[str, Sequence[Any]]:
    """A text column as its distinct values in order and the place of each entry among them."""
    text = column.fillna("").astype(str)
    codes, levels = pd.factorize(text, sort=True)
    return {"levels": list(map(str, levels)), "codes": codes.tolist()}


def _numbers(column: pd.Series) -> list[float | None]:
    found: list[float | None] = column.astype(object).where(np.isfinite(column), None).tolist()
    return found
