"""Charts of the formula: what it is made of, and how far it can be trusted."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, PercentFormatter

from kalib.formula.fitting import Fit
from kalib.formula.formula import partial_effects
from kalib.plots.theme import INK, MARK, accent, entitle, money_axis, plain_text, short_name, tint
from kalib.study.settings import Study
from kalib.words.catalogue import Words


def draw_effects(fit: Fit, study: Study, ax: Axes) -> Axes:
    """What each indicator adds: R² lost without it."""
    words, gain = Words.of(study), fit.contributions["gain"]
    names = [short_name(name) for name in gain.index]
    sns.barplot(x=gain.to_numpy(), y=names, ax=ax, color=accent(study), saturation=1)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    label = words.tell("explained variance lost without it (percentage points)")
    ax.set(xlabel=label, ylabel="")
    says = f"{names[0]} says most about potential" if names else "No indicator helps"
    entitle(ax, words, says)
    return ax


def draw_partial_effects(fit: Fit, values: pd.DataFrame, study: Study, ax: Axes) -> Axes:
    """Potential of a typical account as one indicator goes from low to high.

    values: N accounts x kept indicators, complete. Low and high are the first and last decile;
    of a text indicator, the levels with the least and most potential.
    """
    words, effects = Words.of(study), partial_effects(fit.formula, values)
    rows, blue = range(len(effects)), accent(study)
    ax.hlines(rows, effects["low"], effects["high"], color=tint(blue), linewidth=9)
    for end, color in (("low", "white"), ("high", blue)):
        ax.scatter(effects[end], rows, color=color, edgecolor=blue, linewidth=1.5, s=70, zorder=3)
        for row, (value, label) in enumerate(zip(effects[end], effects[f"{end}_at"], strict=True)):
            left = value < effects["low"].iloc[row] or value < effects["high"].iloc[row]
            ax.annotate(plain_text(label), (value, row), xytext=(-9 if left else 9, 0),
                        textcoords="offset points", ha="right" if left else "left", va="center",
                        fontsize=10)  # fmt: skip
    ax.set_yticks(list(rows), [short_name(name) for name in effects.index])
    ax.invert_yaxis()
    ax.margins(x=0.22, y=0.25)
    money_axis(ax.xaxis, words)
    ax.set_xlabel(words.tell(f"potential of a typical account ({words.yearly()})"))
    lead = plain_text(effects.index[0]) if len(effects) else ""
    entitle(ax, words, f"{lead} moves potential most" if lead else "No indicator moves potential")
    return ax


def draw_stability(fit: Fit, study: Study, ax: Axes) -> Axes:
    """How often each candidate is chosen over half samples."""
    words, often = Words.of(study), fit.stability.sort_values(ascending=False)[:20]
    chosen = [name in fit.formula.indicators for name in often.index]
    colors = [accent(study) if c else "#c3c9d0" for c in chosen]
    ax.barh(
        [short_name(name) for name in often.index],
        often.to_numpy(),
        color=colors,
    )
    ax.invert_yaxis()
    ax.axvline(0.5, color=INK, linestyle="--", linewidth=1)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    label = words.tell("chosen in this share of half samples (dark: in the formula)")
    ax.set(xlim=(0, 1), xlabel=label, ylabel="")
    sure = sum(fit.stability[name] >= 0.5 for name in fit.formula.indicators)
    count = len(fit.formula.indicators)
    entitle(
        ax, words, f"{sure} of {count} chosen indicators are stable choices" if count
        else "No indicator is chosen with any constancy"
    )  # fmt: skip
    return ax


def draw_path(fit: Fit, study: Study, ax: Axes) -> Axes:
    """What the criterion says of the best formula of each size."""
    words, path, blue = Words.of(study), fit.path, accent(study)
    column = "bic" if study.formula.criterion == "bic" else "error"
    ax.plot(path["size"], path[column], marker="o", color=blue)
    best = path[path["chosen"]]
    ax.plot(best["size"], best[column], marker="o", markersize=13, color=MARK)
    ax.set_xlabel(words.tell("indicators in the formula (count)"))
    if column == "bic":
        ax.set_ylabel(words.tell("BIC (lower is better)"))
    else:
        ax.errorbar(path["size"], path["error"], yerr=path["error_se"], color=blue, capsize=3)
        ax.set_ylabel(words.tell("variance unexplained out of sample, ± standard error"))
        ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.set_xticks(path["size"].to_list())
    size = int(best["size"].sum())
    beyond = f"{size} indicators" if size > 1 else "one indicator"
    entitle(
        ax, words, f"Beyond {beyond} the formula only gets longer" if size
        else "No indicator earns its place in the formula"
    )  # fmt: skip
    return ax


def draw_observed_predicted(fit: Fit, study: Study, ax: Axes) -> Axes:
    """Out-of-fold prediction against observed potential."""
    words, known = Words.of(study), fit.oof
    good, bad = known[~known["suspect"]], known[known["suspect"]]
    ax.scatter(
        good["predicted"], good["observed"], s=22, alpha=0.6, color=accent(study), linewidth=0
    )
    if len(bad):
        ax.scatter(
            bad["predicted"], bad["observed"], marker="X", s=70, color=MARK,
            label=words.tell("suspected entry"),
        )  # fmt: skip
        ax.legend(loc="upper left")
    low = float(known[["observed", "predicted"]].min().min())
    high = float(known[["observed", "predicted"]].max().max())
    ax.plot([low, high], [low, high], color=INK, linewidth=1, linestyle="--")
    ax.set(xscale="log", yscale="log")
    money_axis(ax.xaxis, words, log=True)
    money_axis(ax.yaxis, words, log=True)
    unit = words.tell(f"({words.yearly()}, log scale)")
    ax.set_xlabel(words.tell(f"predicted by a formula that has not seen the account {unit}"))
    ax.set_ylabel(words.tell(f"observed potential {unit}"))
    off = words.percent(fit.error_median)
    entitle(ax, words, f"Half of all estimates are within {off} of the truth")
    return ax


def draw_residuals(fit: Fit, study: Study, ax: Axes) -> Axes:
    """Relative out-of-fold error against prediction."""
    words, known = Words.of(study), fit.oof[~fit.oof["suspect"]]
    ratio = known["observed"] / known["predicted"]
    ax.scatter(known["predicted"], ratio, s=22, alpha=0.6, color=accent(study), linewidth=0)
    ax.axhline(1, color=INK, linewidth=1, linestyle="--")
    ax.set(xscale="log", yscale="log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}×"))
    ax.yaxis.set_minor_formatter(FuncFormatter(lambda v, _: ""))
    money_axis(ax.xaxis, words, log=True)
    unit = words.tell(f"({words.yearly()}, log scale)")
    ax.set_xlabel(words.tell(f"predicted potential {unit}"))
    ax.set_ylabel(words.tell("observed / predicted (ratio, log scale)"))
    wide = float(ratio.quantile(0.95)) if len(ratio) else 1.0
    entitle(ax, words, f"One account in twenty holds more than {wide:.1f} times its estimate")
    return ax


def draw_leave_one_out(fit: Fit, study: Study, ax: Axes) -> Axes:
    """Each account predicted by the formula fitted without it, on the working scale."""
    words, linear = Words.of(study), fit.least_squares
    predicted = linear.response - linear.press_residual
    ax.scatter(predicted, linear.response, s=22, alpha=0.6, color=accent(study), linewidth=0)
    ends = [float(predicted.min()), float(predicted.max())]
    ax.plot(ends, ends, color=INK, linewidth=1, linestyle="--")
    unit = "potential" if fit.formula.form == "linear" else "natural log of potential"
    ax.set_xlabel(words.tell(f"{unit}, predicted without the account"))
    ax.set_ylabel(words.tell(f"{unit}, observed"))
    if fit.formula.form == "linear":
        money_axis(ax.xaxis, words)
        money_axis(ax.yaxis, words)
    explained = words.percent(linear.r2_predicted)
    entitle(ax, words, f"Left out one by one, accounts are explained to {explained}")
    return ax
