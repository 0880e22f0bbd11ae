"""Charts: axes in, axes out, a title that says the finding, units on the axes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from kalib.formula.fitting import Fit
from kalib.matrix.matrix import Matrix
from kalib.plots.fit_figures import (
    draw_effects,
    draw_leave_one_out,
    draw_observed_predicted,
    draw_partial_effects,
    draw_path,
    draw_residuals,
    draw_stability,
)  # fmt: skip
from kalib.plots.theme import (
    INK,
    MARK,
    ZONE_COLORS,
    ZONE_MARKERS,
    accent,
    entitle,
    money_axis,
    plain_text,
    short_name,
    tint,
)  # fmt: skip
from kalib.study.settings import ZONES, Study
from kalib.wallet.wallet import Wallet
from kalib.words.catalogue import Words

LABELLED = 8
MOST_POINTS = 6000  # more are put into the vector files as a picture, which opens at once
LABEL_PLACES = (((6, 4), "left"), ((-6, 4), "right"), ((6, -10), "left"), ((-6, -10), "right"))


def draw_intervals(wallet: Wallet, study: Study, ax: Axes, count: int = 20) -> Axes:
    """Potential of the largest accounts with its interval, and what they buy from us."""
    words, top = Words.of(study), wallet.accounts.nlargest(count, "potential")
    rows, blue = range(len(top)), accent(study)
    ax.hlines(rows, top["potential_low"], top["potential_high"], color=tint(blue), linewidth=5)
    ax.scatter(top["potential"], rows, color=blue, s=36, zorder=3, label=words.tell("potential"))
    ax.scatter(
        top["sales"], rows, color=MARK, marker="|", linewidth=2, s=130, zorder=3,
        label=words.tell("our sales"),
    )  # fmt: skip
    names = [short_name(name) for name in top["name"]]
    ax.set_yticks(list(rows), names, fontsize=9)
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    money_axis(ax.xaxis, words)
    sure = words.percent(study.formula.confidence)
    ax.set_xlabel(words.tell(f"{words.yearly()}, bar: {sure} interval"))
    if len(top):
        ax.legend(loc="lower right")
    held = top["potential"].sum() / wallet.accounts["potential"].sum() if len(top) else 0.0
    entitle(
        ax, words, f"The {len(top)} largest accounts hold {words.percent(held)} of all potential"
    )
    return ax


def draw_sow(wallet: Wallet, study: Study, ax: Axes) -> Axes:
    """Distribution of share of wallet against market share."""
    words, sow = Words.of(study), wallet.accounts["sow"].dropna().clip(upper=1.2)
    color = tint(accent(study), 0.45)
    sns.histplot(x=sow, bins=np.linspace(0, 1.2, 37), ax=ax, color=color, edgecolor="white")
    ax.axvline(wallet.market_share, color=MARK, linewidth=2)
    ax.annotate(
        words.tell(f"market share {words.percent(wallet.market_share)}"),
        (wallet.market_share, 0.96),
        xycoords=("data", "axes fraction"),
        xytext=(8, 0),
        textcoords="offset points",
        va="top",
        color="#a34700",
    )
    ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    ax.set_xlabel(words.tell("share of wallet (sales / potential; above 120% shown at 120%)"))
    ax.set_ylabel(words.tell("accounts (count)"))
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    below = int(wallet.accounts["below_market"].sum())
    entitle(ax, words, f"{below:,} accounts lie below market share beyond noise")
    return ax


def draw_matrix(matrix: Matrix, study: Study, ax: Axes) -> Axes:
    """The attack-and-defense quadrant."""
    words, known = Words.of(study), matrix.accounts[matrix.accounts["zone"] != ""]
    top = 1.25 * max(float(known["sow"].clip(upper=1.15).max()) if len(known) else 1.0, 0.2)
    for zone in ZONES:
        part = known[known["zone"] == zone]
        border = part["flags"].str.contains("border").to_numpy(bool)
        ax.scatter(
            part["potential"],
            part["sow"].clip(upper=1.15),
            marker=ZONE_MARKERS[zone],
            facecolor=np.where(border, "white", ZONE_COLORS[zone]),
            edgecolor=np.where(border, ZONE_COLORS[zone], "white"),
            linewidth=np.where(border, 1.0, 0.3),
            s=30,
            alpha=0.75,
            rasterized=len(known) > MOST_POINTS,
        )
    ax.set(xscale="log", ylim=(-0.03 * top, top))
    if np.isfinite(matrix.potential_cut):
        ax.axvline(matrix.potential_cut, color=INK, linewidth=1.2)
        ax.axhline(matrix.sow_cut, color=INK, linewidth=1.2)
    corners = {"attack": (0.99, 0.015), "defense": (0.99, 0.985),
               "maintenance": (0.01, 0.985), "watch": (0.01, 0.015)}  # fmt: skip
    for zone, (x, y) in corners.items():
        label = f"{words.say(zone).capitalize()}: {matrix.counts[zone]:,}"
        ax.text(
            x, y, label, transform=ax.transAxes,
            ha="right" if x > 0.5 else "left", va="top" if y > 0.5 else "bottom",
            weight="bold", color=INK, zorder=5,
            bbox={"boxstyle": "round,pad=0.3", "fc": "white", "ec": ZONE_COLORS[zone], "lw": 1.5},
        )  # fmt: skip
    money_axis(ax.xaxis, words, log=True)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    unit = words.tell(f"({words.yearly()}, log scale)")
    label = words.tell(f"purchasing potential {unit}")
    open_marks = known["flags"].str.contains("border").any()
    ax.set_xlabel(label + "\n" + words.tell("Open marks: border cases") if open_marks else label)
    ax.set_ylabel(words.tell("share of wallet (sales / potential)"))
    attack, defense = (f"{matrix.counts[zone]:,}" for zone in ("attack", "defense"))
    entitle(ax, words, f"{attack} accounts to attack, {defense} to defend")
    _label_accounts(known[known["zone"].isin(["attack", "defense"])], ax)
    return ax


def draw_ka_change(matrix: Matrix, study: Study, ax: Axes) -> Axes:
    """Potential of key accounts kept, promoted and demoted."""
    words, accounts = Words.of(study), matrix.accounts
    names = ["kept", "promoted", "demoted"]
    counts = [int((accounts["change"] == name).sum()) for name in names]
    held = [float(accounts.loc[accounts["change"] == name, "potential"].sum()) for name in names]
    shown = [words.say(name) for name in names]
    bars = ax.bar(shown, held, color=[accent(study), MARK, "#b9bfc6"])
    for bar, count, value in zip(bars, counts, held, strict=True):
        ax.annotate(
            words.tell(f"{count:,} accounts") + "\n" + plain_text(words.money(value)),
            (bar.get_x() + bar.get_width() / 2, bar.get_height()),
            xytext=(0, 4), textcoords="offset points", ha="center",
        )  # fmt: skip
    ax.set_ylim(0, max(max(held), 1.0) * 1.22)
    money_axis(ax.yaxis, words)
    ax.set(xlabel="", ylabel=words.tell(f"potential ({words.yearly()})"))
    entitle(ax, words, f"{counts[1]:,} accounts become key, {counts[2]:,} no longer are")
    return ax


def all_figures(
    fit: Fit, values: pd.DataFrame, wallet: Wallet, matrix: Matrix, study: Study
) -> dict[str, Callable[[Axes], Axes]]:
    """Every chart of a study by the name of its file; values as for `draw_partial_effects`."""
    return {
        "sizes": lambda ax: draw_path(fit, study, ax),
        "indicators": lambda ax: draw_effects(fit, study, ax),
        "partial-effects": lambda ax: draw_partial_effects(fit, values, study, ax),
        "stability": lambda ax: draw_stability(fit, study, ax),
        "observed-predicted": lambda ax: draw_observed_predicted(fit, study, ax),
        "residuals": lambda ax: draw_residuals(fit, study, ax),
        "leave-one-out": lambda ax: draw_leave_one_out(fit, study, ax),
        "intervals": lambda ax: draw_intervals(wallet, study, ax),
        "share-of-wallet": lambda ax: draw_sow(wallet, study, ax),
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
        words = short_name(row["name"] or account)
        for shift, side in LABEL_PLACES:
            label = ax.annotate(
                words, (row["potential"], min(row["sow"], 1.15)), xytext=shift,
                textcoords="offset points", ha=side, fontsize=9, color=INK,
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
