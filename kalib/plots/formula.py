"""Charts of the formula: what it is made of, and how far it can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, PercentFormatter

import kalib.plots.theme as house
from kalib.formula.fitting import Fit
from kalib.formula.linear import partial_residuals as residuals_by_column
from kalib.plots.theme import GRAY, INK, MARK, axes_for, money_axis, theme, tint

POINTS: dict[str, Any] = {"s": 22, "alpha": 0.6, "linewidth": 0}
DASHED: dict[str, Any] = {"color": INK, "linewidth": 1, "linestyle": "--"}
MOST_SHOWN = 20  # candidates in a chart of how often each is chosen
LEVELS, BINS = 8, 24  # of a distribution: a text's commonest words, bars of a figure
SKEWED = 2.0  # skewness from which a figure is shown in logs
NAMED = 3  # accounts named in a chart of influence


def pairs(known: pd.DataFrame, columns: Sequence[str], color: str | None = None) -> sns.PairGrid:
    """Every numeric column against every other, and its distribution on the diagonal.

    known: accounts whose potential is known, one a row; columns: those to draw, of which text
    columns are left out; color: a text column that colors the points.
    """
    shown = [name for name in columns if pd.api.types.is_numeric_dtype(known[name])]
    grid = sns.pairplot(
        known, vars=shown, hue=color, corner=True, height=1.7, plot_kws={"s": 12, "linewidth": 0}
    )
    for ax in grid.axes.flat:
        if ax is not None:
            ax.set(xlabel=_called(ax.get_xlabel()), ylabel=_called(ax.get_ylabel()))
    return grid


def correlation(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """A correlation matrix as a heat map, such as `known.corr("spearman", numeric_only=True)`."""
    ax = axes_for(ax)
    names = [_called(name) for name in frame.columns]
    sns.heatmap(frame, vmin=-1, vmax=1, cmap="vlag", annot=True, fmt=".2f", square=True, ax=ax,
                xticklabels=names, yticklabels=names, cbar=False)  # fmt: skip
    ax.set(xlabel="", ylabel="")
    ax.tick_params(axis="y", rotation=0)
    return ax


def coverage(values: pd.DataFrame, known: np.ndarray) -> np.ndarray:
    """Distribution of each column (N rows) over all accounts, and over those whose potential is
    known (N,) bool, a panel each; of a text, its commonest levels; skewed figures in logs."""
    values = values.dropna(axis="columns", how="all")
    words, panels = theme().words, _panels(values.shape[1])
    colors = {"all_accounts": GRAY, "accounts_whose_potential_is_known": theme().accent}
    both = pd.concat(dict(zip(colors, (values, values[known]), strict=True)), names=["who?"])
    both = both.reset_index("who?").reset_index(drop=True)
    for name, ax in zip(values, panels, strict=True):
        column, numeric = values[name], pd.api.types.is_numeric_dtype(values[name])
        skewed = bool(numeric and column.min() >= 0 and column.skew() > SKEWED)
        common = column.value_counts().index[:LEVELS]
        shown = both if numeric else both[both[name].isin(common)]
        shown = shown[shown[name] > 0] if skewed else shown
        kind = {"bins": BINS, "element": "step", "log_scale": skewed or None}
        sns.histplot(shown, x=name, hue="who?", palette=colors, stat="proportion",
                     common_norm=False, legend=False, ax=ax,
                     **(kind if numeric else {"multiple": "dodge", "shrink": 0.8}))  # fmt: skip
        ax.set(xlabel=_called(name), ylabel=words.say("ax_part") if ax is panels[0] else "")
        ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        if numeric:
            money_axis(ax.xaxis, log=skewed)
            ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words.figure(value)))
    marks = [Patch(color=color, label=words.say(who)) for who, color in colors.items()]
    panels[0].figure.legend(handles=marks, loc="outside upper left", ncols=2, frameon=False)
    return panels


def path(fit: Fit, ax: Axes | None = None) -> Axes:
    """The best formula of each size: its BIC, or its error out of sample where that chose."""
    ax, words, frame = axes_for(ax), theme().words, fit.path
    validated = bool(frame["error"].notna().any())
    column = "error" if validated else "bic"
    blue = theme().accent
    if validated:
        ax.errorbar(frame["size"], frame["error"], yerr=frame["error_se"], color=blue, capsize=3)
        ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.plot(frame["size"], frame[column], marker="o", color=blue)
    best = frame[frame["chosen"]]
    ax.plot(best["size"], best[column], marker="o", markersize=13, color=MARK)
    ax.set_xticks(frame["size"].to_list())
    ax.set(xlabel=words.say("ax_size"), ylabel=words.say("ax_error" if validated else "ax_bic"))
    return ax


def effects(fit: Fit, ax: Axes | None = None) -> Axes:
    """What each indicator adds: the share of the variance that is unexplained without it."""
    ax, gain = axes_for(ax), fit.contributions["gain"]
    sns.barplot(x=gain.to_numpy(), y=[_called(name) for name in gain.index], ax=ax,
                color=theme().accent, saturation=1)  # fmt: skip
    ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    ax.set_xlabel(theme().words.say("ax_gain"))
    return ax


def partial_effects(fit: Fit, ax: Axes | None = None) -> Axes:
    """Potential of a typical account as one indicator goes from its first decile to its last; of a
    text indicator, from the level with least potential to the one with most."""
    frame = fit.effects
    ax, words = axes_for(ax, house.by_rows(len(frame))), theme().words
    rows, blue = range(len(frame)), theme().accent
    ax.hlines(rows, frame["low"], frame["high"], color=tint(blue), linewidth=9)
    for end, color in (("low", "white"), ("high", blue)):
        ax.scatter(frame[end], rows, color=color, edgecolor=blue, linewidth=1.5, s=70, zorder=3)
        for row, (value, label) in enumerate(zip(frame[end], frame[f"{end}_at"], strict=True)):
            left = value < frame["low"].iloc[row] or value < frame["high"].iloc[row]
            ax.annotate(house.short_name(label), (value, row), xytext=(-9 if left else 9, 0),
                        textcoords="offset points", ha="right" if left else "left", va="center",
                        fontsize=10)  # fmt: skip
    ax.set_yticks(list(rows), [_called(name) for name in frame.index])
    ax.invert_yaxis()
    ax.margins(x=0.22, y=0.25)
    money_axis(ax.xaxis)
    ax.set_xlabel(words.say("ax_typical", unit=words.yearly()))
    return ax


def partial_residuals(fit: Fit) -> np.ndarray:
    """Residuals with what one column explains added back, against that column, a panel each: a
    straight cloud says that its form is right (Larsen & McCleary 1972, Technometrics 14)."""
    frame = residuals_by_column(fit.least_squares)
    parts = list(frame.groupby("column", sort=False))
    panels = _panels(len(parts))
    for (name, part), ax in zip(parts, panels, strict=True):
        ax.scatter(part["value"], part["residual"], color=theme().accent, **POINTS)
        ax.plot(part["value"], part["fitted"], color=MARK, linewidth=1.5)
        ax.set(xlabel=_called(name), ylabel=theme().words.say("ax_partial"))
    return panels


def _panels(count: int) -> np.ndarray:
    """Axes (count,), three in a row."""
    wide = min(count, 3) or 1
    high = -(-count // wide) or 1
    figure, panels = plt.subplots(high, wide, figsize=(3.6 * wide, 3.0 * high), squeeze=False,
                                  layout="constrained")  # fmt: skip
    for panel in panels.flat[count:]:
        figure.delaxes(panel)
    drawn: np.ndarray = panels.flat[:count]
    return drawn


def influence(fit: Fit, ax: Axes | None = None) -> Axes:
    """Leverage against studentized residual, marks as large as Cook's distance: accounts far to
    the right and far from zero move the formula."""
    ax, words, linear = axes_for(ax), theme().words, fit.least_squares
    sizes = 12 + 600 * np.asarray(linear.cook)
    ax.scatter(linear.leverage, linear.studentized, s=sizes, alpha=0.55, color=theme().accent,
               linewidth=0)  # fmt: skip
    ax.axhline(0, **DASHED)
    accounts = fit.oof.index[fit.used]
    for place in np.argsort(-np.asarray(linear.cook), kind="stable")[:NAMED]:
        at = (linear.leverage[place], linear.studentized[place])
        ax.annotate(house.short_name(accounts[place]), at, xytext=(7, 3), fontsize=9,
                    textcoords="offset points")  # fmt: skip
    ax.set(xlabel=words.say("ax_leverage"), ylabel=words.say("ax_studentized"))
    return ax


def stability(fit: Fit, ax: Axes | None = None) -> Axes:
    """How often each candidate is chosen over half samples; those in the formula are dark."""
    often = fit.stability.sort_values(ascending=False)[:MOST_SHOWN]
    ax = axes_for(ax, house.by_rows(len(often)))
    chosen = [name in fit.formula.indicators for name in often.index]
    ax.barh([_called(name) for name in often.index], often.to_numpy(),
            color=[theme().accent if c else GRAY for c in chosen])  # fmt: skip
    ax.invert_yaxis()
    ax.axvline(0.5, **DASHED)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    ax.set_xlim(0, 1)
    ax.set_xlabel(theme().words.say("ax_stability"))
    return ax


def observed_predicted(fit: Fit, ax: Axes | None = None) -> Axes:
    """Potential as known against a prediction that has not seen the account; suspected typing
    errors are crosses."""
    ax, words, known = axes_for(ax), theme().words, fit.oof
    good, bad = known[~known["suspect"]], known[known["suspect"]]
    ax.scatter(good["predicted"], good["observed"], color=theme().accent, **POINTS)
    if len(bad):
        ax.scatter(bad["predicted"], bad["observed"], marker="X", s=70, color=MARK,
                   label=words.say("suspected_entry"))  # fmt: skip
        ax.legend(loc="upper left")
    both = known[["observed", "predicted"]]
    ends = [both.min().min(), both.max().max()]
    ax.plot(ends, ends, **DASHED)
    ax.set(xscale="log", yscale="log")
    for axis in (ax.xaxis, ax.yaxis):
        money_axis(axis, log=True)
    unit = words.yearly()
    ax.set(xlabel=words.say("ax_unseen", unit=unit), ylabel=words.say("ax_observed", unit=unit))
    return ax


def residuals(fit: Fit, ax: Axes | None = None) -> Axes:
    """Known potential over its prediction out of fold, against that prediction."""
    ax, words, known = axes_for(ax), theme().words, fit.oof[~fit.oof["suspect"]]
    ax.scatter(known["predicted"], known["observed"] / known["predicted"], color=theme().accent,
               **POINTS)  # fmt: skip
    ax.axhline(1, **DASHED)
    ax.set(xscale="log", yscale="log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}×"))
    ax.yaxis.set_minor_formatter(FuncFormatter(lambda v, _: ""))
    money_axis(ax.xaxis, log=True)
    ax.set(xlabel=words.say("ax_predicted", unit=words.yearly()), ylabel=words.say("ax_ratio"))
    return ax


def leave_one_out(fit: Fit, ax: Axes | None = None) -> Axes:
    """Each account predicted by the formula fitted without it, on the working scale."""
    ax, words, linear = axes_for(ax), theme().words, fit.least_squares
    predicted = linear.response - linear.press_residual
    ax.scatter(predicted, linear.response, color=theme().accent, **POINTS)
    ends = [float(predicted.min()), float(predicted.max())]
    ax.plot(ends, ends, **DASHED)
    scale = "linear" if fit.formula.form == "linear" else "log"
    if scale == "linear":
        money_axis(ax.xaxis)
        money_axis(ax.yaxis)
    else:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel=words.say(f"ax_left_out_{scale}"), ylabel=words.say(f"ax_known_{scale}"))
    return ax


def _called(name: object) -> str:
    """A column as it is read, as short as a chart needs."""
    return house.short_name(theme().words.label(name)) if name else ""
