"""The charts of a study's documents, each under what it claims."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from kalib import plots
from kalib.analysis import Analysis
from kalib.plots.theme import save_figures, set_theme
from kalib.report.story import Story


def draw_figures(analysis: Analysis, story: Story, folder: Path) -> None:
    """Write every chart as PNG and SVG."""
    fit, wallet, matrix, plan = analysis.fit, analysis.wallet, analysis.matrix, analysis.plan
    set_theme(analysis.study, story.words)
    steps = {story.words.say(key): amount for key, amount in story.bridge_steps.items()}
    charts = {
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
    titles = {name: story.say(claim) for name, claim in story.charts.items()}
    save_figures(charts, titles, folder)
