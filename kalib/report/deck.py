"""deck.pptx: the story as slides of native text and tables, editable in PowerPoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pptx.chart.data import CategoryChartData, XyChartData
from pptx.dml.color import RGBColor
from pptx.enum.chart import XL_CHART_TYPE
from pptx.oxml import parse_xml

from kalib.analysis import Analysis
from kalib.files import beside
from kalib.matrix.matrix import Matrix
from kalib.plots import accounts as charts
from kalib.plots.theme import INK, ZONE_COLORS, log_ticks, short_name, tint
from kalib.report import tables
from kalib.report.explorer import shown
from kalib.report.page import render
from kalib.report.slides import CAPTION, GAP, POINT, TILE, Box, Slides
from kalib.report.story import Story

LAYOUT = beside(__file__)["slides"]
POINTS = 300  # accounts in the matrix
PLOT = (0.12, 0.02, 0.87, 0.8)  # of the matrix in its box: left, top, width, height
MARKS = dict(zip(ZONE_COLORS, ("triangle", "square", "circle", "x"), strict=True))
SMALL = 11  # points: of names and ticks in the matrix
# Of zones in the matrix, pale where its claim is not about them.
SHADES = {zone: tint(color, 0.35 * (zone != "attack")) for zone, color in ZONE_COLORS.items()}


def write_deck(analysis: Analysis, story: Story, path: Path) -> None:
    """Write the slides: each is headed by a claim of the story; notes say how to argue it."""
    deck, verdict = Slides(story), story.notes("verdict")
    lines = (story.say(story.headline), story.byline, story.period, verdict, story.draft)
    deck.cover([line for line in lines if line])
    for about in LAYOUT:
        if part := _filled(deck, analysis, about):
            title, notes = story.say(story.claim(about)), story.notes(about.get("notes", ""))
            slide = deck.add(deck.written if part["said"] else deck.plain, title, notes)
            left, top, wide, high = deck.box
            if tiles := story.tiles(about["tiles"]) if "tiles" in about else []:
                deck.tiles(slide, tiles)
                top, high = top + TILE + 2 * GAP, high - TILE - 2 * GAP
            _draw(deck, slide, analysis, part, (left, top, wide, high))
            deck.finish(slide, about.get("mark", ""))
    deck.save(path)


def _filled(deck: Slides, analysis: Analysis, about: Mapping[str, Any]) -> dict[str, Any]:
    """A slide of deck.toml or a part of one, with what it shows; {} where there is nothing."""
    story, rows, least = deck.story, about.get("rows", 0), about.get("least", 1)
    if not all(map(story.holds, about.get("when", ()))):
        return {}
    parts = [part for one in about.get("parts", ()) if (part := _filled(deck, analysis, one))]
    claims = [claim for of in about.get("claims", ()) for claim in getattr(story, of)]
    lines = story.said(claim for claim in claims if claim.key not in about.get("without", ()))
    built = [tables.build(of, analysis, deck.words, rows) for of in about.get("tables", ())]
    built = [one for one in built if len(one.frame) >= least]
    if not (parts or lines or built or "chart" in about):
        return {}
    said = bool(lines) or any(part["said"] for part in parts)
    return {**about, "parts": parts, "lines": lines, "built": built, "said": said}


def _draw(deck: Slides, slide: Any, analysis: Analysis, part: Mapping[str, Any], box: Box) -> None:
    """A part of a slide in its box: its parts side by side or one below the other, else its
    sentences, its tables below them, or its chart."""
    (left, top, wide, high), down, parts = box, part.get("down", False), part["parts"]
    shares = np.array([one.get("share", 1.0) for one in parts])
    sizes = ((high if down else wide) - GAP * (len(parts) - 1)) * shares / shares.sum()
    for k, one in enumerate(parts):
        start, size = int(sizes[:k].sum() + k * GAP), int(sizes[k])
        place = (left, top + start, wide, size) if down else (left + start, top, size, high)
        _draw(deck, slide, analysis, one, place)
    if part["lines"]:
        below = deck.height_of(part["built"], part["lines"], box) if part["built"] else 0
        head = deck.words.say(part["head"]) if "head" in part else ""
        deck.bullets(slide, part["lines"], (left, top, wide, high - below), head)
        top, high = top + high - below, below
    if part["built"]:
        deck.tables(slide, part["built"], (left, top, wide, high))
    if part.get("chart") == "matrix":
        _matrix(deck, slide, analysis, box)
    elif "chart" in part:
        results = {"sales": analysis.plan, "share": deck.story.waves, "error": analysis.fit}
        steps = getattr(charts, f"{part['chart']}_steps")(results[part["chart"]], deck.words)
        _waterfall(deck, slide, steps, box)


def _chart(deck: Slides, slide: Any, kind: Any, data: Any, plot: str, box: Box) -> None:
    """A native chart as a template draws it, its claim told to those who don't see it."""
    shape = slide.shapes.add_chart(kind, *box, data)
    shape._element.nvGraphicFramePr.cNvPr.set("descr", slide.shapes.title.text_frame.text)
    space = shape.chart._chartSpace
    space.replace(space.chart, parse_xml(plot))


@dataclass(frozen=True)
class _Plot:
    """The matrix's plot in its box, its size; least, most: potential and SOW at its corners."""

    box: Box
    size: np.ndarray
    least: np.ndarray
    most: np.ndarray

    def places(self, amounts: Any, shares: Any) -> np.ndarray:
        """Points (n, 2) on the slide, from the lower left corner."""
        across = np.log(np.divide(amounts, self.least[0])) / np.log(self.most[0] / self.least[0])
        up = np.subtract(shares, self.least[1]) / (self.most[1] - self.least[1])
        return self.size * np.column_stack([across, up])

    def around(self, low: Any, size: Any) -> Box:
        """A box of a size on the slide, its lower left corner at a point."""
        corner = np.array(self.box[:2]) + np.array([PLOT[0], PLOT[1] + PLOT[3]]) * self.box[2:]
        left, bottom, wide, high = map(int, (*(corner + np.array([1, -1]) * low), *size))
        return left, bottom - high, wide, high


def _matrix(deck: Slides, slide: Any, analysis: Analysis, box: Box) -> None:
    """Accounts as native points by zone, the axes crossing at the cuts, the attack zone in full
    color and its largest accounts named."""
    words, matrix, data = deck.words, analysis.matrix, XyChartData()
    placed = "zone != '' and potential > 0"
    drawn = tables.accounts_of(analysis).query(placed)
    drawn = drawn if len(drawn) <= POINTS else shown(analysis, POINTS, POINTS).query(placed)
    drawn = drawn.sort_values("potential", ascending=False, kind="stable")
    amounts, shares = drawn["potential"].map(words.in_units), drawn["sow"].clip(upper=charts.TOP)
    cuts = np.array([words.in_units(matrix.potential_cut), matrix.sow_cut])
    unit = 0.2 if shares.max() > 0.5 else 0.1
    least = np.array([min(amounts.min(), cuts[0]) / 1.3, -unit])
    top = unit * np.ceil(1.1 * max(shares.max(), cuts[1]) / unit)
    most = np.array([2.5 * max(amounts.max(), cuts[0]), top])
    plot = _Plot(box, np.array(PLOT[2:]) * box[2:], least, most)
    _names(deck, slide, matrix, plot, len(drawn))
    (cross,), names = plot.places(*cuts), drawn["called"].map(short_name).to_numpy()
    taken = [(cross * one, cross * one + plot.size * (1 - one)) for one in np.eye(2)]  # the axes
    taken.append((plot.size * (0.6, 0), plot.size * (1, 0.09)))  # the zone's name
    attack = np.argsort(drawn["attack_rank"].to_numpy(float))[: drawn["attack_rank"].count()]
    points = plot.places(amounts, shares)
    sides = charts.name_places(points, names, attack, plot.size, taken, SMALL * POINT)
    series = data.add_series(words.say("accounts"))
    for x, y in zip(amounts, shares, strict=True):
        series.add_data_point(x, y)
    chart = render(
        "matrix.xml", plot=PLOT, unit=unit, low=least, high=most, series=words.say("accounts"),
        points=list(zip(amounts, shares, drawn["zone"], names, strict=True)), sides=sides,
        marks=MARKS, colors=SHADES, ink=INK[1:], up=words.say("ax_sow"), cuts=cuts,
        across=words.say("ax_potential_log", unit=words.yearly()),
    )  # fmt: skip
    _chart(deck, slide, XL_CHART_TYPE.XY_SCATTER, data, chart, box)


def _names(deck: Slides, slide: Any, matrix: Matrix, plot: _Plot, drawn: int) -> None:
    """Zones with their accounts, potentials below the axis, and that points are a sample."""
    words, size = deck.words, plot.size
    (cross,) = plot.places(words.in_units(matrix.potential_cut), matrix.sow_cut)
    for zone, corner in charts.CORNERS.items():
        far = np.array(corner) > 0.5
        box = plot.around(far * cross, np.where(far, size - cross, cross))
        said = words.say("zone_count", zone=zone, n=matrix.counts[zone])
        fill = tint(ZONE_COLORS[zone], 0.9) if zone == "attack" else ""
        font = deck.text(slide, box, said, 14, "LR"[int(far[0])] + "BT"[int(far[1])], fill)
        font.color.rgb, font.bold = RGBColor.from_string(ZONE_COLORS[zone][1:]), True
    (low, top), high = (plot.least[0], plot.most[0]), CAPTION
    ticks = np.array([t for t in log_ticks(low, top).tick_values(low, top) if low < t < top])
    for tick, (x, _) in zip(ticks, plot.places(ticks, 0 * ticks), strict=True):
        box = plot.around((x - size[0] / 8, -high), (size[0] / 4, high))
        deck.text(slide, box, words.number(tick, int(tick < 1)), SMALL, "CT")
    if drawn < sum(matrix.counts.values()):
        box = plot.around((0, size[1] - plot.box[3]), (size[0], high))
        deck.text(slide, box, words.say("sampled"), SMALL - 1)


def _waterfall(deck: Slides, slide: Any, steps: charts.Steps, box: Box) -> None:
    """A waterfall of native stacked columns, the lower ones unseen; labels stand on a line that is
    not drawn."""
    amounts, starts = steps.scale * steps.amounts, steps.scale * steps.starts
    ends, whole = starts + amounts, steps.whole
    axis = deck.words.say("ax_cut", axis=steps.axis) if steps.floor else steps.axis
    shown = {
        "unseen": [*np.where(whole, 0.0, np.minimum(starts, ends))],
        "whole": [one if alone else None for one, alone in zip(amounts, whole, strict=True)],
        "change": [None if alone else abs(one) for one, alone in zip(amounts, whole, strict=True)],
        "top": [*np.maximum(starts, ends)],
    }
    data = CategoryChartData(number_format=steps.code)
    data.categories = steps.names
    for name, values in shown.items():
        data.add_series(name, values)
    colors, floor = [color[1:] for color in steps.colors], steps.scale * steps.floor
    plot = render(
        "waterfall.xml", names=steps.names, series=shown, said=steps.said, ink=INK[1:],
        code=steps.code, colors=colors, floor=floor, most=float(whole.all()), axis=axis,
    )  # fmt: skip
    _chart(deck, slide, XL_CHART_TYPE.COLUMN_STACKED, data, plot, box)
