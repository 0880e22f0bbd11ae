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
    "sizes": (plots.path, "fit"),
    "indicators": (plots.effects, "fit"),
    "partial-effects": (plots.partial_effects, "fit"),
    "stability": (plots.stability, "fit"),
    "observed-predicted": (plots.observed_predicted, "fit"),
    "residuals": (plots.residuals, "fit"),
    "leave-one-out": (plots.leave_one_out, "fit"),
    "intervals": (plots.intervals, "wallet"),
    "share-of-wallet": (plots.sow, "wallet"),
    "matrix": (plots.matrix, "matrix"),
    "zones": (plots.zones, "matrix"),
    "key-accounts": (plots.key_accounts, "matrix"),
    "targets": (plots.targets, "plan"),
}


def draw_figures(analysis: Analysis, story: Story, folder: Path) -> None:
    """Write every chart as PNG and SVG."""
    set_theme(analysis.study, story.words)
    titles = {name: story.say(claim) for name, claim in story.charts.items()}
    save_figures(charts(analysis, story), titles, folder)


def charts(analysis: Analysis, story: Story) -> dict[str, Callable[[], Axes]]:
    """Every chart by the name of its file."""
    words = story.words
    steps = {words.say(key): amount for key, amount in story.bridge_steps.items()}
    drawn = {name: partial(draw, getattr(analysis, of)) for name, (draw, of) in CHARTS.items()}
    return {**drawn, "bridge": partial(plots.waterfall, steps, words.say("target"))}
