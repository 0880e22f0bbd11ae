"""Charts: axes in, axes out, a title that says the finding, units on the axes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, PercentFormatter

from kalib.fitting import Fit
from kalib.formula import partial_effects
from kalib.matrix import Matrix
from kalib.study import ZONES, Study
from kalib.theme import INK, ZONE_COLORS, ZONE_MARKERS, money_axis, plain_text, short_number
from kalib.wallet import Wallet

LABELLED = 8
LABEL_PLACES = (((6, 4), "left"), ((-6, 4), "right"), ((6, -10), "left"), ((-6, -10), "right"))


def draw_effects(fit: Fit, ax: Axes) -> Axes:
    """What each indicator adds: R² lost without it."""
    gain = fit.contributions["gain"]
    sns.barplot(x=gain.to_numpy(), y=gain.index.astype(str), ax=ax, color="#0072B2")
    ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    ax.set(xlabel="explained variance lost without it (percentage points)", ylabel="")
    lead = gain.index[0] if len(gain) else "no indicator"
    ax.set_title(f"{lead} says most about potential" if len(gain) else "No indicator helps")
    return ax


def draw_partial_effects(fit: Fit, values: pd.DataFrame, study: Study, ax: Axes) -> Axes:
    """Potential of a typical account as one indicator goes from low to high.

    values: N accounts x kept indicators, complete. Low and high are the first and last decile;
    of a text indicator, the levels with the least and most potential.
    """
    effects = partial_effects(fit.formula, values)
    rows = range(len(effects))
    ax.hlines(rows, effects["low"], effects["high"], color="#9ec9e2", linewidth=9)
    ends = (("low", "#8A8A8A", "right", -9), ("high", "#0072B2", "left", 9))
    for end, color, side, shift in ends:
        ax.scatter(effects[end], rows, color=color, s=70, zorder=3)
        for row, (value, label) in enumerate(zip(effects[end], effects[f"{end}_at"], strict=True)):
            ax.annotate(label, (value, row), xytext=(shift, 0), textcoords="offset points",
                        ha=side, va="center", fontsize=9)  # fmt: skip
    ax.set_yticks(list(rows), effects.index.astype(str))
    ax.invert_yaxis()
    ax.margins(x=0.22, y=0.25)
    money_axis(ax.xaxis)
    ax.set_xlabel(f"potential of a typical account ({study.currency} a year)")
    lead = effects.index[0] if len(effects) else ""
    ax.set_title(f"{lead} moves potential most" if lead else "No indicator moves potential")
    return ax


def draw_stability(fit: Fit, ax: Axes) -> Axes:
    """How often each candidate is chosen over half samples."""
    often = fit.stability.sort_values(ascending=False)[:20]
    chosen = [name in fit.formula.indicators for name in often.index]
    colors = ["#0072B2" if c else "#c3c9d0" for c in chosen]
    ax.barh(often.index.astype(str), often.to_numpy(), color=colors)
    ax.invert_yaxis()
    ax.axvline(0.5, color=INK, linestyle="--", linewidth=1)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    ax.set(xlim=(0, 1), xlabel="chosen in this share of half samples", ylabel="")
    sure = sum(often[name] >= 0.5 for name in fit.formula.indicators)
    count = len(fit.formula.indicators)
    ax.set_title(
        f"{sure} of {count} chosen indicators are stable choices" if count
        else "No indicator is chosen with any constancy"
    )  # fmt: skip
    return ax


def draw_path(fit: Fit, ax: Axes) -> Axes:
    """BIC of the best formula of each size."""
    path = fit.path
    ax.plot(path["size"], path["bic"], marker="o", color="#0072B2")
    best = path.loc[path["bic"].idxmin()]
    ax.plot([best["size"]], [best["bic"]], marker="o", markersize=13, color="#D55E00")
    ax.set(xlabel="indicators in the formula (count)", ylabel="BIC (lower is better)")
    ax.set_xticks(path["size"].to_list())
    size = int(best["size"])
    ax.set_title(
        f"Beyond {size} indicators the formula only gets longer" if size
        else "No indicator earns its place in the formula"
    )  # fmt: skip
    return ax


def draw_observed_predicted(fit: Fit, study: Study, ax: Axes) -> Axes:
    """Out-of-fold prediction against observed potential."""
    known = fit.oof
    good, bad = known[~known["suspect"]], known[known["suspect"]]
    ax.scatter(good["predicted"], good["observed"], s=22, alpha=0.6, color="#0072B2", linewidth=0)
    if len(bad):
        ax.scatter(
            bad["predicted"], bad["observed"], marker="X", s=70, color="#D55E00",
            label="suspected entry",
        )  # fmt: skip
        ax.legend(loc="upper left")
    low = float(known[["observed", "predicted"]].min().min())
    high = float(known[["observed", "predicted"]].max().max())
    ax.plot([low, high], [low, high], color=INK, linewidth=1, linestyle="--")
    ax.set(xscale="log", yscale="log")
    money_axis(ax.xaxis, log=True)
    money_axis(ax.yaxis, log=True)
    unit = f"({study.currency} a year, log scale)"
    ax.set(xlabel=f"predicted by a formula that has not seen the account {unit}")
    ax.set_ylabel(f"observed potential {unit}")
    ax.set_title(f"Half of all estimates are within {fit.error_median:.0%} of the truth")
    return ax


def draw_residuals(fit: Fit, study: Study, ax: Axes) -> Axes:
    """Relative out-of-fold error against prediction."""
    known = fit.oof[~fit.oof["suspect"]]
    ratio = known["observed"] / known["predicted"]
    ax.scatter(known["predicted"], ratio, s=22, alpha=0.6, color="#0072B2", linewidth=0)
    ax.axhline(1, color=INK, linewidth=1, linestyle="--")
    ax.set(xscale="log", yscale="log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}×"))
    ax.yaxis.set_minor_formatter(FuncFormatter(lambda v, _: ""))
    money_axis(ax.xaxis, log=True)
    ax.set_xlabel(f"predicted potential ({study.currency} a year, log scale)")
    ax.set_ylabel("observed / predicted (ratio, log scale)")
    wide = float(ratio.quantile(0.95)) if len(ratio) else 1.0
    ax.set_title(f"One account in twenty holds more than {wide:.1f} times its estimate")
    return ax


def draw_leave_one_out(fit: Fit, ax: Axes) -> Axes:
    """Each account predicted by the formula fitted without it, on the working scale."""
    linear = fit.least_squares
    predicted = linear.response - linear.press_residual
    ax.scatter(predicted, linear.response, s=22, alpha=0.6, color="#0072B2", linewidth=0)
    ends = [float(predicted.min()), float(predicted.max())]
    ax.plot(ends, ends, color=INK, linewidth=1, linestyle="--")
    unit = "potential" if fit.formula.form == "linear" else "natural log of potential"
    ax.set(xlabel=f"{unit}, predicted without the account", ylabel=f"{unit}, observed")
    if fit.formula.form == "linear":
        money_axis(ax.xaxis)
        money_axis(ax.yaxis)
    ax.set_title(f"Left out one by one, accounts are explained to {linear.r2_predicted:.0%}")
    return ax


def draw_intervals(wallet: Wallet, study: Study, ax: Axes, count: int = 20) -> Axes:
    """Potential of the largest accounts with its interval, and what they buy from us."""
    top = wallet.accounts.nlargest(count, "potential")
    rows = range(len(top))
    ax.hlines(rows, top["potential_low"], top["potential_high"], color="#9ec9e2", linewidth=5)
    ax.scatter(top["potential"], rows, color="#0072B2", s=36, zorder=3, label="potential")
    ax.scatter(top["sales"], rows, color="#D55E00", marker="|", s=120, zorder=3, label="our sales")
    ax.set_yticks(list(rows), [plain_text(name)[:28] for name in top["name"]], fontsize=8.5)
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    money_axis(ax.xaxis)
    ax.set_xlabel(f"{study.currency} a year, bar: {study.formula.confidence:.0%} interval")
    if len(top):
        ax.legend(loc="lower right")
    held = top["potential"].sum() / wallet.accounts["potential"].sum() if len(top) else 0.0
    ax.set_title(f"The {len(top)} largest accounts hold {held:.0%} of all potential")
    return ax


def draw_sow(wallet: Wallet, ax: Axes) -> Axes:
    """Distribution of share of wallet against market share."""
    sow = wallet.accounts["sow"].dropna().clip(upper=1.2)
    sns.histplot(x=sow, bins=np.linspace(0, 1.2, 37), ax=ax, color="#9ec9e2", edgecolor="white")
    ax.axvline(wallet.market_share, color="#D55E00", linewidth=2)
    ax.annotate(
        f"market share {wallet.market_share:.0%}",
        (wallet.market_share, 0.96),
        xycoords=("data", "axes fraction"),
        xytext=(8, 0),
        textcoords="offset points",
        va="top",
        color="#a34700",
    )
    ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    ax.set(xlabel="share of wallet (sales / potential; above 120% shown at 120%)")
    ax.set_ylabel("accounts (count)")
    below = int(wallet.accounts["below_market"].sum())
    ax.set_title(f"{below:,} accounts lie below market share beyond noise")
    return ax


def draw_matrix(matrix: Matrix, study: Study, ax: Axes) -> Axes:
    """The attack-and-defense quadrant."""
    known = matrix.accounts[matrix.accounts["zone"] != ""]
    top = 1.25 * max(float(known["sow"].clip(upper=1.15).max()) if len(known) else 1.0, 0.2)
    for zone in ZONES:
        part = known[known["zone"] == zone]
        ax.scatter(
            part["potential"],
            part["sow"].clip(upper=1.15),
            marker=ZONE_MARKERS[zone],
            color=ZONE_COLORS[zone],
            s=30,
            alpha=0.75,
            linewidth=0.3,
            edgecolor="white",
        )
    ax.set(xscale="log", ylim=(-0.03 * top, top))
    if np.isfinite(matrix.potential_cut):
        ax.axvline(matrix.potential_cut, color=INK, linewidth=1.2)
        ax.axhline(matrix.sow_cut, color=INK, linewidth=1.2)
    corners = {"attack": (0.99, 0.015), "defense": (0.99, 0.985),
               "maintenance": (0.01, 0.985), "watch": (0.01, 0.015)}  # fmt: skip
    for zone, (x, y) in corners.items():
        ax.text(
            x, y, f"{zone.capitalize()}: {matrix.counts[zone]:,}", transform=ax.transAxes,
            ha="right" if x > 0.5 else "left", va="top" if y > 0.5 else "bottom",
            weight="bold", color=INK, zorder=5,
            bbox={"boxstyle": "round,pad=0.3", "fc": "white", "ec": ZONE_COLORS[zone], "lw": 1.5},
        )  # fmt: skip
    money_axis(ax.xaxis, log=True)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    ax.set_xlabel(f"purchasing potential ({study.currency} a year, log scale)")
    ax.set_ylabel("share of wallet (sales / potential)")
    ax.set_title(
        f"{matrix.counts['attack']:,} accounts to attack, {matrix.counts['defense']:,} to defend"
    )
    _label_accounts(known[known["zone"].isin(["attack", "defense"])], ax)
    return ax


def draw_ka_change(matrix: Matrix, study: Study, ax: Axes) -> Axes:
    """Potential of key accounts kept, promoted and demoted."""
    accounts = matrix.accounts
    names = ["kept", "promoted", "demoted"]
    counts = [int((accounts["change"] == name).sum()) for name in names]
    held = [float(accounts.loc[accounts["change"] == name, "potential"].sum()) for name in names]
    bars = ax.bar(names, held, color=["#0072B2", "#D55E00", "#b9bfc6"], hatch=None)
    for bar, count, value in zip(bars, counts, held, strict=True):
        ax.annotate(
            f"{count:,} accounts\n{short_number(value)} {study.currency}",
            (bar.get_x() + bar.get_width() / 2, bar.get_height()),
            xytext=(0, 4), textcoords="offset points", ha="center",
        )  # fmt: skip
    ax.set_ylim(0, max(max(held), 1.0) * 1.22)
    money_axis(ax.yaxis)
    ax.set(xlabel="", ylabel=f"potential ({study.currency} a year)")
    ax.set_title(f"{counts[1]:,} accounts become key, {counts[2]:,} no longer are")
    return ax


def all_figures(
    fit: Fit, values: pd.DataFrame, wallet: Wallet, matrix: Matrix, study: Study
) -> dict[str, Callable[[Axes], Axes]]:
    """Every chart of a study by the name of its file; values as for `draw_partial_effects`."""
    return {
        "sizes": lambda ax: draw_path(fit, ax),
        "indicators": lambda ax: draw_effects(fit, ax),
        "partial-effects": lambda ax: draw_partial_effects(fit, values, study, ax),
        "stability": lambda ax: draw_stability(fit, ax),
        "observed-predicted": lambda ax: draw_observed_predicted(fit, study, ax),
        "residuals": lambda ax: draw_residuals(fit, study, ax),
        "leave-one-out": lambda ax: draw_leave_one_out(fit, ax),
        "intervals": lambda ax: draw_intervals(wallet, study, ax),
        "share-of-wallet": lambda ax: draw_sow(wallet, ax),
        "matrix": lambda ax: draw_matrix(matrix, study, ax),
        "key-accounts": lambda ax: draw_ka_change(matrix, study, ax),
    }


def _label_accounts(accounts: pd.DataFrame, ax: Axes) -> None:
    """Names beside the largest accounts, where they don't cover one another."""
    figure = ax.get_figure()
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    taken: list[tuple[float, ...]] = [tuple(t.get_window_extent().extents) for t in ax.texts]
    shown = np.column_stack([accounts["potential"], accounts["sow"].clip(upper=1.15)])
    points = ax.transData.transform(shown) if len(shown) else shown
    frame = ax.get_window_extent().extents
    for account, row in accounts.nlargest(12 * LABELLED, "potential").iterrows():
        if len(ax.texts) >= 4 + LABELLED:
            return
        words = plain_text(row["name"] or account)[:28]
        for shift, side in LABEL_PLACES:
            label = ax.annotate(
                words, (row["potential"], min(row["sow"], 1.15)), xytext=shift,
                textcoords="offset points", ha=side, fontsize=8, color=INK,
            )  # fmt: skip
            box = label.get_window_extent().extents
            inside = box[0] > frame[0] and box[2] < frame[2] and box[1] > frame[1]
            covers = ((points > box[:2]) & (points < box[2:])).all(axis=1).any()
            if inside and not covers and not any(_overlap(box, other) for other in taken):
                taken.append(tuple(box))
                break
            label.remove()


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
