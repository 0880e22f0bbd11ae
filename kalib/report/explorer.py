"""The page's interactive part: the accounts as data, the quadrant, the scripts that show them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd

from kalib.analysis import Analysis
from kalib.plots.theme import ZONE_COLORS, ZONE_MARKERS
from kalib.study.settings import ZONES
from kalib.words.catalogue import MISSING, Words

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
LINE_SEPARATORS = {"\u2028": "\\u2028", "\u2029": "\\u2029"}


def embedded_json(content: object) -> str:
    """JSON that can stand in a script element: no character in it ends the element or begins
    markup, whatever a client's text holds."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    inert: dict[str, str | int | None] = {
        "<": "\\u003c",
        ">": "\\u003e",
        "&": "\\u0026",
        **LINE_SEPARATORS,
    }
    return text.translate(str.maketrans(inert))


def explorer_data(analysis: Analysis, words: Words) -> dict[str, Any]:
    """What the page's script shows: accounts by column, the formula's indicators, cuts, words.

    Amounts in the study's currency a year, shares as fractions, null where unknown.
    """
    matrix = analysis.matrix
    accounts = analysis.plan.accounts
    names = accounts["name"].astype(str)
    columns: dict[str, Any] = {
        "account": [str(account) for account in accounts.index],
        "name": np.where(names == accounts.index.astype(str), "", names).tolist(),
        **{name: _levels(accounts[name]) for name in LISTED},
        **{name: _numbers(accounts[name], 2) for name in AMOUNTS},
        **{f"p_{zone}": _numbers(accounts[f"p_{zone}"], 3) for zone in ZONES},
        "by_sales": accounts["key_account_by_sales"].astype(int).tolist(),
    }
    said = ("hunter", "farmer", "promoted", "demoted", "kept", *ZONES)
    return {
        "words": {**words.page(), **{key: words.say(key) for key in (*LABELS, *said)}},
        "zones": list(ZONES),
        "language": words.language,
        "missing": MISSING,
        "scale": words.scale / words.unit()[0],
        "counted": words.counted(),
        "top": TOP,
        "level": words.percent(analysis.study.formula.confidence),
        "potential_cut": _number(matrix.potential_cut),
        "sow_cut": _number(matrix.sow_cut),
        "market_share": _number(matrix.market_share),
        "columns": columns,
        "indicators": _indicators(analysis, words),
    }


def quadrant(analysis: Analysis, words: Words) -> dict[str, Any]:
    """The quadrant as Bokeh's JSON, without the accounts: the page's script hands it the columns
    x, y (SOW up to TOP), alpha, zone, account, and the texts of the tooltip."""
    from bokeh import models
    from bokeh.embed import json_item
    from bokeh.plotting import figure
    from bokeh.transform import factor_cmap, factor_mark

    matrix, said = analysis.matrix, words.page()
    potential, sow = _ranges(matrix.accounts[matrix.accounts["zone"] != ""])
    hover = models.HoverTool(limit=1, tooltips=_tooltip(words))
    drag = models.BoxZoomTool()
    plot: Any = figure(
        name="quadrant", height=520, sizing_mode="stretch_width", x_axis_type="log",
        x_range=models.Range1d(start=potential[0], end=potential[1]),
        y_range=models.Range1d(start=sow[0], end=sow[1]),
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
    colors = factor_cmap("zone", [ZONE_COLORS[zone] for zone in ZONES], ZONES)
    shapes = [MARKERS[ZONE_MARKERS[zone]] for zone in ZONES]
    marks = plot.scatter(
        "x", "y", source=source, marker=factor_mark("zone", shapes, ZONES),
        size=_mark_size(len(matrix.accounts)),
        fill_color=colors, line_color=colors, fill_alpha="alpha", line_alpha=0.9, line_width=1.2,
        view=models.CDSView(filter=models.BooleanFilter(name="shown")),
    )  # fmt: skip
    marks.nonselection_glyph = marks.selection_glyph = None
    hover.renderers = [marks]
    for line in _cuts_and_corners(analysis, words, potential, sow):
        plot.add_layout(line)
    return dict(json_item(plot))


def _mark_size(accounts: int) -> int:
    """Pixels of a mark: many accounts need small ones to be told apart."""
    return 8 if accounts <= 2000 else 6 if accounts <= 8000 else 4


def _moves() -> list[Any]:
    """Bokeh's tools that the page's buttons and keys act through, and the wheel."""
    from bokeh import models

    pans = [models.ClickPanTool(direction=way, name=way) for way in ("left", "right", "up", "down")]
    zooms = [models.ZoomInTool(name="zoom_in"), models.ZoomOutTool(name="zoom_out")]
    wheel = models.WheelZoomTool(modifiers="ctrl")  # without Ctrl the wheel scrolls the page
    return [*pans, *zooms, models.ResetTool(name="reset"), wheel]


def _cuts_and_corners(
    analysis: Analysis, words: Words, potential: tuple[float, float], sow: tuple[float, float]
) -> list[Any]:
    """The lines at the cuts and a label of each zone in its corner of the ranges."""
    from bokeh import models

    marks: Any = models
    matrix = analysis.matrix
    cuts = ((matrix.potential_cut, "height"), (matrix.sow_cut, "width"))
    drawn: list[Any] = [
        marks.Span(location=float(at), dimension=way, line_width=1.2)
        for at, way in cuts
        if np.isfinite(at)
    ]
    for zone in ZONES:
        high, loyal = zone in ("attack", "defense"), zone in ("defense", "maintenance")
        label = marks.Label(
            x=potential[high], y=sow[loyal], text_font_style="bold", padding=4,
            text=f"{words.say(zone)}: {words.whole(matrix.counts[zone])}",
            text_align="right" if high else "left", text_baseline="top" if loyal else "bottom",
            x_offset=-10 if high else 10, y_offset=-8 if loyal else 8,
            border_line_color=ZONE_COLORS[zone], border_line_width=1.5,
        )  # fmt: skip
        drawn.append(label)
    return drawn


def _tooltip(words: Words) -> str:
    """Bokeh's template of the tooltip; it escapes what it fills in."""
    style = "margin:-5px;padding:6px 10px;background:var(--paper);color:var(--ink)"
    rows = [f"{words.say('potential')}: @potential", f"{words.say('sow')}: @sow", "@zone_word"]
    return f'<div style="{style}"><b>@account</b><br>{"<br>".join(rows)}</div>'


def zone_shapes() -> dict[str, str]:
    """The zones' marks as SVG in a box of 12 by 12, for filters, table and card."""
    drawn = {
        "^": '<path d="M6 1 11.5 11H.5z" fill="{}"/>',
        "s": '<path d="M1.5 1.5h9v9h-9z" fill="{}"/>',
        "o": '<circle cx="6" cy="6" r="5" fill="{}"/>',
        "X": '<path d="M2 2l8 8M10 2l-8 8" stroke="{}" stroke-width="3"/>',
    }
    return {zone: drawn[ZONE_MARKERS[zone]].format(ZONE_COLORS[zone]) for zone in ZONES}


def library_scripts() -> dict[str, str]:
    """The scripts of the two libraries as they stand in the page: name -> text.

    "chart" is Bokeh, a classic script; "table" is DataTables as itables ships it, a module that
    here leaves its constructor in the window instead of exporting it.
    """
    from bokeh.resources import Resources

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


def _indicators(analysis: Analysis, words: Words) -> list[dict[str, Any]]:
    """The formula's indicators: name, a typical value, the value of each account."""
    values = analysis.screening.values
    shown: list[dict[str, Any]] = []
    for name in analysis.fit.formula.indicators:
        column = values[name]
        if pd.api.types.is_numeric_dtype(column):
            figures = [float(f"{v:.6g}") if np.isfinite(v) else None for v in column.astype(float)]
            typical: Any = float(f"{column.median():.6g}")
            shown.append({"name": words.label(name), "typical": typical, "values": figures})
        else:
            typical = str(column.mode().iloc[0])
            shown.append({"name": words.label(name), "typical": typical, "values": _levels(column)})
    return shown


def _levels(column: pd.Series) -> dict[str, Sequence[Any]]:
    """A text column as its distinct values in order and the place of each entry among them."""
    text = column.fillna("").astype(str)
    codes, levels = pd.factorize(text, sort=True)
    return {"levels": list(map(str, levels)), "codes": codes.tolist()}


def _numbers(column: pd.Series, digits: int) -> list[float | None]:
    values = column.to_numpy(float)
    rounded = np.round(values, digits).astype(object)
    rounded[~np.isfinite(values)] = None
    found: list[float | None] = rounded.tolist()
    return found


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
