"""The charts of a study's documents, each under what it claims."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from matplotlib.axes import Axes

from kalib import plots
from kalib.analysis import Analysis
from kalib.plots.theme import save_figures, set_theme
from kalib.report.story import Story

# Name of a chart's file -> what draws it, and the result it is drawn from.
CHARTS: dict[str, tuple[Callable[..., Axes], str]] = {
    "partial-effects": (plots.partial_effects, "fit"),
    "stability": (plots.stability, "fit"),
    "observed-predicted": (plots.observed_predicted, "fit"),
    "intervals": (plots.intervals, "wallet"),
    "share-of-wallet": (plots.sow, "wallet"),
    "matrix": (plots.matrix, "matrix"),
    "key-accounts": (plots.key_accounts, "matrix"),
    "bridge": (plots.bridge, "plan"),
}


def draw_figures(analysis: Analysis, story: Story, folder: Path) -> None:
    """Write every chart of the documents as PNG and SVG."""
    set_theme(analysis.study, story.words)
    titles = {name: story.say(claim) for name, claim in story.charts.items()}
    drawn = charts(analysis)
    if story.waves and story.holds("share_after"):
        drawn["share-change"] = partial(plots.share_change, story.waves)
        titles["share-change"] = story.words.say("what_moved_market_share")  # below its claim
    save_figures(drawn, titles, folder)


def charts(analysis: Analysis) -> dict[str, Callable[[], Axes]]:
    """Every chart by the name of its file."""
    return {name: partial(draw, getattr(analysis, of)) for name, (draw, of) in CHARTS.items()}
