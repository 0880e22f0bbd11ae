"""The charts of a study's documents, and what each claims."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from matplotlib.axes import Axes

from kalib import plots
from kalib.analysis import Analysis
from kalib.plots.theme import save_figures, set_theme
from kalib.report.exhibit import words_of


def draw_figures(analysis: Analysis, folder: Path) -> None:
    """Write every chart under its claim, in the words of the study's documents."""
    set_theme(analysis.study, words_of(analysis))
    save_figures(charts(analysis), figure_titles(analysis), folder)


def charts(analysis: Analysis) -> dict[str, Callable[[], Axes]]:
    """Every chart of a study by the name of its file."""
    fit, wallet, matrix, plan = analysis.fit, analysis.wallet, analysis.matrix, analysis.plan
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
        "bridge": partial(plots.bridge, plan),
        "targets": partial(plots.targets, plan),
    }


def figure_titles(analysis: Analysis) -> dict[str, str]:
    """What each chart claims, in the study's language."""
    words = words_of(analysis)
    return {name: words.say(key, **figures) for name, (key, figures) in _claims(analysis).items()}


def _claims(analysis: Analysis) -> dict[str, tuple[str, dict[str, object]]]:
    fit, accounts, counts = analysis.fit, analysis.plan.accounts, analysis.matrix.counts
    chosen, gain = fit.formula.indicators, fit.contributions["gain"]
    size = int(fit.path.loc[fit.path["chosen"], "size"].sum())
    known = fit.oof[~fit.oof["suspect"]]
    ratio = (known["observed"] / known["predicted"]).quantile(0.95) if len(known) else 1.0
    top = accounts.nlargest(20, "potential")["potential"].sum() / accounts["potential"].sum()
    stable = sum(fit.stability[name] >= 0.5 for name in chosen)
    change = accounts["change"].value_counts()
    below = int(accounts["below_market"].sum())
    placed = sum(counts.values())
    growth, sales = (float(accounts[name].sum()) for name in ("target_growth", "sales"))
    held = accounts.loc[accounts["key_account"], "potential"].sum() / accounts["potential"].sum()
    return {
        "sizes": ("c_path", {"n": size}) if size else ("c_path_none", {}),
        "indicators": ("c_first", {"name": gain.index[0]}) if len(gain) else ("c_first_none", {}),
        "partial-effects": ("c_moves", {"name": fit.effects.index[0]})
        if len(fit.effects) else ("c_moves_none", {}),
        "stability": ("c_stable", {"n": stable, "all": len(chosen)})
        if chosen else ("c_stable_none", {}),
        "observed-predicted": ("c_error", {"off": fit.error_median}),
        "residuals": ("c_tail", {"times": float(ratio)}),
        "leave-one-out": ("c_left_out", {"share": fit.least_squares.r2_predicted}),
        "intervals": ("c_largest", {"n": min(20, placed), "share": float(top) if placed else 0.0}),
        "share-of-wallet": ("c_below", {"n": below}) if below else ("c_below_none", {}),
        "matrix": ("c_matrix", {zone: counts[zone] for zone in ("attack", "defense")})
        if placed else ("c_matrix_none", {}),
        "zones": ("c_zones", {"held": float(held)}) if placed else ("c_matrix_none", {}),
        "bridge": ("c_bridge", {"growth": growth, "part": growth / sales})
        if growth else ("c_no_targets", {}),
        "targets": ("c_targets", {"reps": len(analysis.plan.reps), "growth": growth})
        if growth else ("c_no_targets", {}),
        "key-accounts": ("c_change", {n: int(change.get(n, 0)) for n in ("promoted", "demoted")}),
    }  # fmt: skip
