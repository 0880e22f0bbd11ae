"""The house style of charts: fonts, colors, language, axes in money, files of charts."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import rc_params_from_file
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager
from matplotlib.ft2font import FT2Font
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator

from kalib.study.settings import Study
from kalib.words.catalogue import ENGLISH, Words

# After Okabe & Ito 2008, told apart with any color vision, each at least 3:1 against white
# (WCAG 2.2, 1.4.11); markers tell them apart without color.
ZONE_COLORS = {"attack": "#D55E00", "defense": "#0072B2", "maintenance": "#8A8A8A",
               "watch": "#A68B1B"}  # fmt: skip
ZONE_MARKERS = {"attack": "^", "defense": "s", "maintenance": "o", "watch": "X"}
INK = "#2b3440"
ACCENT, SOFT_INK, MARK, GRAY = "#0072B2", "#52606d", "#D55E00", "#b9bfc6"
LATIN, CHINESE = "Source Sans Pro", "Noto Sans SC"  # drawn by one house to stand together
OTHERS = (
    "DejaVu Sans", "Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", "WenQuanYi Zen Hei",
    "Malgun Gothic", "Arial Unicode MS",
)  # fmt: skip
STYLE = Path(__file__).with_name("house.mplstyle")
TITLE_LETTERS = 84  # of a chart's title on one line; Chinese ones are twice as wide
LETTERS = 28  # of a name on a chart
CONTRAST = 4.5  # of text on white: WCAG 2.2, success criterion 1.4.3


@dataclass(frozen=True)
class Theme:
    """What charts are drawn in: the words of their axes, and the color of what is not a zone."""

    words: Words = ENGLISH
    accent: str = ACCENT


_CHOSEN = [Theme()]  # one, as matplotlib's own settings are


def theme() -> Theme:
    """The theme that charts are drawn in now."""
    return _CHOSEN[0]


def set_theme(study: Study | None = None, words: Words | None = None) -> None:
    """Draw charts in the house style from here on; called once where a run or a notebook begins.

    study: charts speak its language, name its currency and indicators, and take its color;
    words: those of a document that counts all its amounts in one unit.
    """
    import seaborn as sns

    _register_fonts()
    house = rc_params_from_file(STYLE, use_default_template=False)
    sns.set_theme(style="whitegrid", rc={**house, "font.family": _families()})
    # The report says once that a font is missing (`lacks_font`); a line for each letter does not.
    warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
    chosen = Theme() if study is None else Theme(Words.of(study), accent(study))
    _CHOSEN[0] = chosen if words is None else replace(chosen, words=words)


def font_files() -> list[Path]:
    """Files of the fonts that came with the kit, and with its extra "zh"."""
    wanted = {
        "font_source_sans_pro": [f"files/SourceSansPro-{face}.ttf" for face in ("Regular", "Bold")],
        "pylopdf_fonts_zh_cn": ["NotoSansSC-Regular.otf"],
    }
    places = {name: spec.origin for name in wanted if (spec := find_spec(name)) and spec.origin}
    files = [Path(place).parent / file for name, place in places.items() for file in wanted[name]]
    return [file for file in files if file.is_file()]


def lacks_font(texts: Iterable[str]) -> bool:
    """Whether charts would show boxes for characters in texts."""
    _register_fonts()
    wanted = {character for text in texts for character in str(text) if character.isprintable()}
    return not wanted <= _letters()


def accent(study: Study) -> str:
    """The client's first color, or ours; darkened until text in it can be read on white."""
    color = np.array(to_rgb(study.report.colors[0] if study.report.colors else ACCENT))
    while _contrast(color) < CONTRAST:
        color *= 0.95
    return str(to_hex(tuple(color)))


def tint(color: str, share: float = 0.6) -> str:
    """A color mixed with so much white."""
    return str(to_hex(tuple(share + (1 - share) * np.array(to_rgb(color)))))


def axes_for(ax: Axes | None, size: tuple[float, float] | None = None) -> Axes:
    """The axes to draw on: those given, or a fresh figure's of a size in inches, a page's width."""
    return plt.subplots(layout="constrained", figsize=size)[1] if ax is None else ax


def by_rows(count: int) -> tuple[float, float]:
    """The size in inches of a chart with a bar a row."""
    return 9.0, min(1.8 + 0.45 * count, 5.4)


def entitle(ax: Axes, title: str) -> None:
    """A title over several lines; the Chinese font has one weight, so a thin line makes it bold."""
    chinese = theme().words.language == "zh"
    letters = TITLE_LETTERS // 2 if chinese else TITLE_LETTERS
    shown = ax.set_title("\n".join(textwrap.wrap(title, letters)) or title)
    if chinese:
        order = [CHINESE, *(name for name in _families() if name != CHINESE)]
        shown.set(fontfamily=order, fontweight="normal")
        shown.set_path_effects([withStroke(linewidth=0.7, foreground=INK)])


def save_figures(
    charts: Mapping[str, Callable[[], Axes]], titles: Mapping[str, str], folder: Path
) -> None:
    """Draw each under its title and write it as PNG and SVG."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in charts.items():
        ax = draw()
        entitle(ax, titles.get(name, ""))
        figure = ax.get_figure()
        assert isinstance(figure, Figure)
        figure.set_dpi(160)
        # Not by savefig, which draws each twice.
        FigureCanvasAgg(figure).print_png(folder / f"{name}.png", metadata={"Software": None})
        figure.set_layout_engine("none")  # laid out already, and that takes longest
        FigureCanvasSVG(figure).print_svg(folder / f"{name}.svg", metadata={"Date": None})
        plt.close(figure)


def money_axis(axis: Axis, log: bool = False, words: Words | None = None) -> None:
    """Short numbers on an axis, and ticks that don't crowd a logarithmic one; words: that count
    its amounts, the theme's where there are no others."""
    if log:
        axis.set_major_locator(log_ticks(*sorted(axis.get_view_interval())))
    tick = (words or theme().words).tick
    axis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    axis.set_minor_formatter(FuncFormatter(lambda value, _: ""))


def log_ticks(low: float, high: float) -> LogLocator:
    """Where a scale of logs has ticks: at 1, 2 and 5 of each power of ten where it is short."""
    wide = np.log10(max(high, 1e-300) / max(low, 1e-300)) > 2.5
    return LogLocator(subs=(1,) if wide else (1, 2, 5))


def letters_of(text: str) -> int:
    """Width of a text in Latin letters."""
    return len(text) if text.isascii() else sum(2 if letter >= "\u2e80" else 1 for letter in text)


def cut(text: str, letters: int) -> str:
    """A text of at most so many Latin letters, cut where it has more."""
    if letters_of(text) <= letters:
        return text
    while letters_of(text) > letters - 1 and len(text) > 1:
        text = text[:-1]
    return text.rstrip() + "…"


def short_name(name: object) -> str:
    """A client's name for a chart, cut where it is long."""
    return cut(str(name), LETTERS)


@cache
def _register_fonts() -> None:
    for file in font_files():
        fontManager.addfont(file)
    one = [font for font in fontManager.ttflist if font.name == CHINESE]
    # Its one weight serves as bold too: matplotlib would warn at each bold letter.
    fontManager.ttflist += [replace(font, weight=700) for font in one]


def _families() -> list[str]:
    installed = {font.name for font in fontManager.ttflist}
    return [name for name in (LATIN, CHINESE, *OTHERS) if name in installed]


@cache
def _letters() -> frozenset[str]:
    """Characters that some font of the charts has."""
    files = [findfont(FontProperties(family=[name])) for name in _families()]
    return frozenset(chr(code) for file in files for code in FT2Font(file).get_charmap())


def _contrast(color: np.ndarray) -> float:
    """Contrast of a color (3,) with white, 1 to 21 (WCAG 2.2)."""
    linear = np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
    return float(1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05))
