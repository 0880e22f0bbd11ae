"""Charts of accounts: potential, share of wallet, the matrix and the plan."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import fill

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from kalib.matrix.matrix import Matrix
from kalib.plan.plan import Plan
from kalib.plots.theme import (
    GRAY,
    INK,
    LETTERS,
    MARK,
    ZONE_COLORS,
    ZONE_MARKERS,
    axes_for,
    money_axis,
    short_name,
    theme,
    tint,
)
from kalib.study.settings import ZONES
from kalib.wallet.wallet import Wallet
from kalib.waves.waves import Waves
from kalib.words.catalogue import Words

LABELLED = 8  # accounts named in the matrix
MOST_POINTS = 6000  # more are put into the vector files as a picture, which opens at once
SLIVER = 0.4  # of the first amount: where changes are smaller, the axis is cut
TOP = 1.15  # a share of wallet above it is drawn there
CORNERS = {"attack": (0.99, 0.015), "defense": (0.99, 0.985), "maintenance": (0.01, 0.985),
           "watch": (0.01, 0.015)}  # fmt: skip
LABEL_PLACES = (((6, 4), "left"), ((-6, 4), "right"), ((6, -10), "left"), ((-6, -10), "right"))


def intervals(wallet: Wallet, count: int = 20, ax: Axes | None = None) -> Axes:
    """Potential of the largest accounts with its interval, and what they buy from us."""
    ax, words, blue = axes_for(ax), theme().words, theme().accent
    top = wallet.accounts.nlargest(count, "potential")
    rows = range(len(top))
    ax.hlines(rows, top["potential_low"], top["potential_high"], color=tint(blue), linewidth=5)
    ax.scatter(top["potential"], rows, color=blue, s=36, zorder=3, label=words.say("potential"))
    ax.scatter(top["sales"], rows, color=MARK, marker="|", linewidth=2, s=130, zorder=3,
               label=words.say("our_sales"))  # fmt: skip
    ax.set_yticks(list(rows), [short_name(name) for name in top["name"]], fontsize=9)
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    money_axis(ax.xaxis)
    ax.set_xlabel(words.say("ax_interval", unit=words.yearly()))
    if len(top):
        ax.legend(loc="lower right")
    return ax


def sow(wallet: Wallet, ax: Axes | None = None) -> Axes:
    """Distribution of share of wallet, with market share marked."""
    ax, words = axes_for(ax), theme().words
    shown = wallet.accounts["sow"].dropna().clip(upper=1.2)
    sns.histplot(x=shown, bins=np.linspace(0, 1.2, 37), ax=ax, color=tint(theme().accent, 0.45),
                 edgecolor="white")  # fmt: skip
    ax.axvline(wallet.market_share, color=MARK, linewidth=2)
    ax.annotate(
        words.say("market_share_is", share=wallet.market_share), (wallet.market_share, 0.96),
        xycoords=("data", "axes fraction"), xytext=(8, 0), textcoords="offset points", va="top",
        color="#a34700",
    )  # fmt: skip
    ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    highest = float(np.nanmax([0.0, wallet.market_share, *shown]))
    ax.set_xlim(0, highest + 0.05)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel=words.say("ax_sow_clipped"), ylabel=words.say("ax_accounts"))
    return ax


def matrix(matrix: Matrix, ax: Axes | None = None) -> Axes:
    """The attack-and-defense quadrant: one mark an account, open for a border case, and
    the largest key accounts named."""
    ax, words = axes_for(ax), theme().words
    # Who buys from nobody has no place on a scale of logs.
    known = matrix.accounts[(matrix.accounts["zone"] != "") & (matrix.accounts["potential"] > 0)]
    known = known.assign(sow=known["sow"].clip(upper=TOP))
    for zone in ZONES:
        part = known[known["zone"] == zone]
        border = part["flags"].str.contains("border").to_numpy(bool)
        ax.scatter(
            part["potential"], part["sow"], marker=ZONE_MARKERS[zone], s=30, alpha=0.75,
            facecolor=np.where(border, "white", ZONE_COLORS[zone]),
            edgecolor=np.where(border, ZONE_COLORS[zone], "white"),
            linewidth=np.where(border, 1.0, 0.3), rasterized=len(known) > MOST_POINTS,
        )  # fmt: skip
    top = 1.25 * max(float(known["sow"].max()) if len(known) else 1.0, 0.2)
    ax.set(xscale="log", ylim=(-0.03 * top, top))
    if np.isfinite(matrix.potential_cut):
        ax.axvline(matrix.potential_cut, color=INK, linewidth=1.2)
        ax.axhline(matrix.sow_cut, color=INK, linewidth=1.2)
    for zone, (x, y) in CORNERS.items():
        ax.text(
            x, y, words.say("zone_count", zone=zone, n=matrix.counts[zone]), transform=ax.transAxes,
            ha="right" if x > 0.5 else "left", va="top" if y > 0.5 else "bottom", weight="bold",
            color=INK, zorder=5,
            bbox={"boxstyle": "round,pad=0.3", "fc": "white", "ec": ZONE_COLORS[zone], "lw": 1.5},
        )  # fmt: skip
    money_axis(ax.xaxis, log=True)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    across = words.say("ax_potential_log", unit=words.yearly())
    if known["flags"].str.contains("border").any():
        across += "\n" + words.say("open_marks")
    ax.set(xlabel=across, ylabel=words.say("ax_sow"))
    _name_largest(known[known["zone"].isin(["attack", "defense"])], ax)
    return ax


def zones(matrix: Matrix, ax: Axes | None = None) -> Axes:
    """Potential of each zone, and how much of it is ours."""
    return _held(matrix.accounts, "zone", ZONES, [ZONE_COLORS[zone] for zone in ZONES], ax)


def key_accounts(matrix: Matrix, ax: Axes | None = None) -> Axes:
    """Potential of the key accounts kept, promoted and demoted, and how much of it is ours."""
    names = ("kept", "promoted", "demoted")
    return _held(matrix.accounts, "change", names, [theme().accent, MARK, GRAY], ax)


def gain(plan: Plan, count: int = 20, ax: Axes | None = None) -> Axes:
    """The accounts of which most growth is asked: today's sales, and the growth on top."""
    top = plan.accounts.nlargest(count, "target_growth")
    top = top[top["target_growth"] > 0]
    return _growth(top, "name", [ZONE_COLORS[zone] for zone in top["zone"]], ax)


def targets(plan: Plan, ax: Axes | None = None) -> Axes:
    """Today's sales of each rep's accounts, and the growth asked on top."""
    return _growth(plan.reps, "rep", [ZONE_COLORS["attack"]] * len(plan.reps), ax)


@dataclass(frozen=True)
class Steps:
    """A waterfall: the first amount, what changes it, and the last; each with its name and how it
    is written; axis: what amounts are."""

    names: list[str]
    amounts: np.ndarray
    said: list[str]
    axis: str

    @property
    def colors(self) -> list[str]:
        """Of the theme; what takes away is gray."""
        blue, changes = theme().accent, self.amounts[1:-1]
        return [blue, *[ZONE_COLORS["attack"] if one >= 0 else GRAY for one in changes], blue]

    @property
    def starts(self) -> np.ndarray:
        """Where each bar begins."""
        return np.array([0.0, *np.cumsum(self.amounts[:-2]), 0.0])

    @property
    def floor(self) -> float:
        """Where the axis begins: at zero, unless changes would be slivers then."""
        levels = np.cumsum(self.amounts[:-1])
        span = float(np.ptp(levels))
        if not 0 < span < SLIVER * levels[0]:
            return 0.0
        unit = 10.0 ** np.floor(np.log10(span))
        return max(float(np.floor(levels.min() / unit - 1.5 * span / unit) * unit), 0.0)


def sales_steps(plan: Plan, words: Words) -> Steps:
    """From today's sales to the target: what each group of accounts adds."""
    amounts = plan.bridge["amount"].to_numpy()
    names = [*map(words.say, plan.bridge["step"]), words.say("target")]
    said = [f"{'+' if k else ''}{words.money(amount)}" for k, amount in enumerate(amounts)]
    amounts = np.append(amounts, amounts.sum())
    axis = words.say("ax_sales", unit=words.yearly())
    return Steps(names, amounts, [*said, words.money(amounts[-1])], axis)


def share_steps(waves: Waves, words: Words) -> Steps:
    """From market share in the wave before to today's: what moved it, in percentage points."""
    amounts, steps = waves.share_points["points"].to_numpy(), waves.share_points["step"][1:-1]
    ends = [words.say("market_share_in", period=period) for period in waves.periods]
    names = [ends[0], *map(words.column, steps), ends[1]]
    said = [words.share(amounts[0]), *map(words.points, amounts[1:-1]), words.share(amounts[-1])]
    return Steps(names, amounts, said, words.say("market_share"))


def bridge(plan: Plan, ax: Axes | None = None) -> Axes:
    """From today's sales to the target, a bar a step: what each adds, and where it ends."""
    ax = _waterfall(sales_steps(plan, theme().words), ax)
    money_axis(ax.yaxis)
    return ax


def share_change(waves: Waves, ax: Axes | None = None) -> Axes:
    """What moved market share between two waves, a bar a step; what lowered it is gray."""
    ax = _waterfall(share_steps(waves, theme().words), ax)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
    return ax


def _waterfall(steps: Steps, ax: Axes | None) -> Axes:
    ax = axes_for(ax)
    narrow = LETTERS if len(steps.names) < 6 else LETTERS // 2
    bars = ax.bar([fill(name, narrow) for name in steps.names], steps.amounts,
                  bottom=steps.starts, color=steps.colors, width=0.6)  # fmt: skip
    ax.bar_label(bars, steps.said, padding=4)
    top = float(max(steps.starts + steps.amounts))
    ax.set_ylim(steps.floor, top + 0.15 * (top - steps.floor) or 1.0)
    ax.grid(axis="x", visible=False)
    ax.set_ylabel(theme().words.say("ax_cut", axis=steps.axis) if steps.floor else steps.axis)
    return ax


def _held(
    accounts: pd.DataFrame, by: str, order: tuple[str, ...], colors: list[str], ax: Axes | None
) -> Axes:
    """Potential by group as pale bars, our sales as full bars in them."""
    ax, words = axes_for(ax), theme().words
    names = [words.word(name).capitalize() for name in order]
    for column, shades in (("potential", [tint(color) for color in colors]), ("sales", colors)):
        sums = accounts.groupby(by)[column].sum().reindex(order).fillna(0.0)
        bars = ax.bar(names, sums, color=shades, width=0.62)
        if column == "potential":
            counts = accounts[by].value_counts().reindex(order).fillna(0)
            said = [words.say("n_accounts", n=int(n)) + "\n" + words.money(held)
                    for n, held in zip(counts, sums, strict=True)]  # fmt: skip
            ax.bar_label(bars, said, padding=4)
    ax.margins(y=0.2)
    ax.grid(axis="x", visible=False)
    money_axis(ax.yaxis)
    ax.set_ylabel(words.say("ax_held", unit=words.yearly()))
    return ax


def _growth(frame: pd.DataFrame, by: str, colors: list[str], ax: Axes | None) -> Axes:
    """Today's sales as pale bars, the growth asked on top."""
    ax, words = axes_for(ax), theme().words
    names = [short_name(words.rep(name)) for name in frame[by]]
    ax.barh(names, frame["sales"], color=tint(theme().accent), label=words.say("sales_today"))
    ax.barh(names, frame["target_growth"], left=frame["sales"], color=colors,
            label=words.say("growth_asked"))  # fmt: skip
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", labelsize=9)
    money_axis(ax.xaxis)
    ax.set_xlabel(words.say("ax_sales", unit=words.yearly()))
    ax.legend(loc="lower right")
    return ax


def _name_largest(accounts: pd.DataFrame, ax: Axes) -> None:
    """Names beside the largest accounts, where they don't cover one another."""
    figure = ax.get_figure()
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    taken = [text.get_window_extent() for text in ax.texts]
    shown = np.column_stack([accounts["potential"], accounts["sow"]])
    points = ax.transData.transform(shown) if len(shown) else shown
    frame = ax.get_window_extent()
    for account, row in accounts.nlargest(12 * LABELLED, "potential").iterrows():
        if len(ax.texts) >= len(CORNERS) + LABELLED:
            return
        for shift, side in LABEL_PLACES:
            label = ax.annotate(
                short_name(row["name"] or account), (row["potential"], row["sow"]), xytext=shift,
                textcoords="offset points", ha=side, fontsize=9, color=INK,
            )  # fmt: skip
            box = label.get_window_extent()
            inside = box.x0 > frame.x0 and box.x1 < frame.x1 and box.y0 > frame.y0
            covers = ((points > box.min) & (points < box.max)).all(axis=1).any()
            if inside and not covers and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                break
            label.remove()
