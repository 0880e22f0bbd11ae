"""The house style of charts: theme, colors, axes in money, files."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

# Okabe & Ito 2008: told apart with any color vision; markers tell them apart without color.
ZONE_COLORS = {
    "attack": "#D55E00",
    "defense": "#0072B2",
    "maintenance": "#8A8A8A",
    "watch": "#C9B458",
}
ZONE_MARKERS = {"attack": "^", "defense": "s", "maintenance": "o", "watch": "X"}
INK = "#2b3440"
CHINESE_FONTS = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Microsoft YaHei", "PingFang SC",
    "Hiragino Sans GB", "WenQuanYi Zen Hei", "SimHei",
)  # fmt: skip


def apply_theme() -> None:
    """The house style; called once where a run or a notebook begins."""
    sns.set_theme(
        style="whitegrid",
        rc={
            "figure.figsize": (9, 5.4),
            "figure.dpi": 110,
            "savefig.bbox": "tight",
            "axes.titlelocation": "left",
            "axes.titleweight": "bold",
            "axes.titlesize": 13,
            "axes.labelcolor": INK,
            "text.color": INK,
            "axes.edgecolor": "#9aa3ad",
            "grid.color": "#e6e9ed",
            "font.family": ["DejaVu Sans", *installed_chinese_fonts()],
            "svg.hashsalt": "kalib",
            "svg.fonttype": "path",
        },
    )
    # The report says once that a font is missing (`lacks_font`); a line for each letter does not.
    warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)


def installed_chinese_fonts() -> list[str]:
    """Fonts of this machine that have Chinese characters, for names DejaVu Sans can't write."""
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    return [name for name in CHINESE_FONTS if name in installed]


def lacks_font(texts: Iterable[str]) -> bool:
    """Whether charts would show boxes for Chinese, Japanese or Korean characters in texts."""
    wanted = any(character >= "\u2e80" for text in texts for character in text)
    return wanted and not installed_chinese_fonts()


def new_axes() -> Axes:
    """Axes of a fresh figure at page size."""
    return plt.subplots(layout="constrained")[1]


def short_number(value: float, _: object = None) -> str:
    """A number for reading: 1.2 M, 340 k."""
    if not np.isfinite(value):
        return "–"
    for size, mark in ((1e9, " bn"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= 0.9995 * size:
            return f"{value / size:,.3g}{mark}"
    return f"{value:,.3g}"


def save_figures(drawings: Mapping[str, Callable[[Axes], Axes]], folder: Path) -> list[str]:
    """Draw each and write it as PNG and SVG; returns the names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in drawings.items():
        figure = draw(new_axes()).get_figure()
        assert isinstance(figure, Figure)
        figure.savefig(folder / f"{name}.png", dpi=160, metadata={"Software": None})
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        plt.close(figure)
    return list(drawings)


def money_axis(axis: Axis, log: bool = False) -> None:
    """Short numbers on an axis, and ticks that don't crowd a logarithmic one."""
    if log:
        low, high = sorted(axis.get_view_interval())
        wide = np.log10(max(high, 1e-300) / max(low, 1e-300)) > 2.5
        axis.set_major_locator(LogLocator(subs=(1,) if wide else (1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(short_number))
    axis.set_minor_formatter(FuncFormatter(lambda v, _: ""))


def plain_text(text: object) -> str:
    """Client text that the chart does not read as mathematics."""
    return str(text).replace("$", r"\$")
