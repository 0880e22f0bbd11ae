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


def draw_figures(analysis: Analysis, story: Story, folder: Path) -> None:
    """Write every chart as PNG and SVG."""
    set_theme(analysis.study, story.words)
    titles = {name: story.say(claim) for name, claim in story.charts.items()}
    save_figures(charts(analysis, story), titles, folder)


def charts(analysis: Analysis, story: Story) -> dict[str, Callable[[], Axes]]:
    """Every chart by the name of its file."""
    fit, wallet, matrix, plan = analysis.fit, analysis.wallet, analysis.matrix, analysis.plan
    steps = {story.words.say(key): amount for key, amount in story.bridge_steps.items()}
    return {
        "sizes": partial(plots.path, fit),
        "indicators": partial(plots.effects, fit),
        "partial-effects": partial(plots.partial_effects, fit),
        "stability": partial(plots.stability, fit),
        "observed-predicted": partial(plots.observed_predicted, fit),
        "residuals": partial(plots.residuals, fit),
        "leave-one-out": partial(plots.leave_one_out, fit),
        "intervals": partial(plots.intervals, wallet),
        "share-of-wallet": partial(plots.sow, wallet),
        "matrix": partial(plots.matrix, matrix),
        "zones": partial(plots.zones, matrix),
        "key-accounts": partial(plots.key_accounts, matrix),
        "bridge": partial(plots.waterfall, steps, story.words.say("target")),
        "targets": partial(plots.targets, plan),
    }
