"""Charts of accounts: potential, share of wallet, the matrix and the plan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

import kalib.plots.theme as house
from kalib.formula.fitting import Fit
from kalib.matrix.matrix import Matrix
from kalib.plan.plan import Plan
from kalib.plots.theme import LETTERS, ZONE_COLORS, ZONE_MARKERS, axes_for, money_axis, theme, tint
from kalib.study.settings import ZONES
from kalib.wallet.wallet import Wallet
from kalib.waves.waves import Waves
from kalib.words.catalogue import Words

FLAT = (9.0, 3.8)  # inches of a waterfall, that leaves room on a page
LABELLED = 8  # accounts named in the matrix
MOST_POINTS = 6000  # more are put into the vector files as a picture, which opens at once
SLIVER = 0.4  # of the first amount: where changes are smaller, the axis is cut
TOP = 1.15  # a share of wallet above it is drawn there
CORNERS = {"attack": (0.99, 0.015), "defense": (0.99, 0.985), "maintenance": (0.01, 0.985),
           "watch": (0.01, 0.015)}  # fmt: skip
# Where the lower left corner of a name lies, seen from its point, in widths and heights of it.
SIDES = {"r": (0.0, -0.5), "l": (-1.0, -0.5), "t": (-0.5, 0.0), "b": (-0.5, -1.0)}
WITHIN = (0.1, 0.2, 0.3, 0.5)  # errors, fractions of what is known


def intervals(wallet: Wallet, count: int = 20, ax: Axes | None = None) -> Axes:
    """Potential of the largest accounts with its interval, and what they buy from us."""
    ax, words, blue = axes_for(ax), theme().words, theme().accent
    top = wallet.accounts.nlargest(count, "potential")
    rows = range(len(top))
    ax.hlines(rows, top["potential_low"], top["potential_high"], color=tint(blue), linewidth=5)
    ax.scatter(top["potential"], rows, color=blue, s=36, zorder=3, label=words.say("potential"))
    ax.scatter(top["sales"], rows, color=house.MARK, marker="|", linewidth=2, s=130, zorder=3,
               label=words.say("our_sales"))  # fmt: skip
    names = names_apart(wallet.accounts)[top.index]
    ax.set_yticks(list(rows), [house.short_name(name) for name in names], fontsize=9)
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    money_axis(ax.xaxis)
    ax.set_xlabel(words.say("ax_interval", unit=words.yearly()))
    if len(top):
        ax.legend(loc="lower right")
    return ax


def sow(wallet: Wallet, ax: Axes | None = None) -> Axes:
    """Distribution of share of wallet, with market share marked."""
    ax, words = axes_for(ax, FLAT), theme().words
    shown = wallet.accounts["sow"].dropna().clip(upper=1.2)
    sns.histplot(x=shown, bins=np.linspace(0, 1.2, 37), ax=ax, color=tint(theme().accent, 0.45),
                 edgecolor="white")  # fmt: skip
    ax.axvline(wallet.market_share, color=house.MARK, linewidth=2)
    ax.annotate(
        words.say("market_share_is", share=wallet.market_share), (wallet.market_share, 0.96),
        xycoords=("data", "axes fraction"), xytext=(8, 0), textcoords="offset points", va="top",
        color="#a34700",
    )  # fmt: skip
    ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    highest = float(np.nanmax([0.0, wallet.market_share, *shown]))
    ax.set_xlim(0, highest + 0.05)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    above = (wallet.accounts["sow"] > 1.2).any()
    ax.set(
        xlabel=words.say("ax_sow_clipped" if above else "ax_sow"), ylabel=words.say("ax_accounts")
    )
    return ax


def matrix(matrix: Matrix, ax: Axes | None = None) -> Axes:
    """The attack-and-defense quadrant: one mark an account, open for a border case, and
    accounts to attack with most to win named, then the largest."""
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
    ax.set_xlim(right=np.exp(np.dot([-0.13, 1.13], np.log(ax.get_xlim()))))  # room for names
    if np.isfinite(matrix.potential_cut):
        ax.axvline(matrix.potential_cut, color=house.INK, linewidth=1.2)
        ax.axhline(matrix.sow_cut, color=house.INK, linewidth=1.2)
    for zone, (x, y) in CORNERS.items():
        ax.text(
            x, y, words.say("zone_count", zone=zone, n=matrix.counts[zone]), transform=ax.transAxes,
            ha="right" if x > 0.5 else "left", va="top" if y > 0.5 else "bottom", weight="bold",
            color=house.INK, zorder=5,
            bbox={"boxstyle": "round,pad=0.3", "fc": "white", "ec": ZONE_COLORS[zone], "lw": 1.5},
        )  # fmt: skip
    money_axis(ax.xaxis, log=True)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    across = words.say("ax_potential_log", unit=words.yearly())
    if known["flags"].str.contains("border").any():
        across += "\n" + words.say("open_marks")
    ax.set(xlabel=across, ylabel=words.say("ax_sow"))
    _name_first(known[known["zone"].isin(["attack", "defense"])], ax)
    return ax


def zones(matrix: Matrix, ax: Axes | None = None) -> Axes:
    """Potential of each zone, and how much of it is ours."""
    return _held(matrix.accounts, "zone", ZONES, [ZONE_COLORS[zone] for zone in ZONES], ax)


def key_accounts(matrix: Matrix, ax: Axes | None = None) -> Axes:
    """Potential of the key accounts kept, promoted and demoted, and how much of it is ours."""
    names = ("kept", "promoted", "demoted")
    return _held(matrix.accounts, "change", names, [theme().accent, house.MARK, house.GRAY], ax)


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
    """A waterfall: amounts with their names and as they are written; whole: those that stand by
    themselves, the others change what comes before them; axis: what amounts are, scale and code:
    how it writes them."""

    names: list[str]
    amounts: np.ndarray
    said: list[str]
    whole: np.ndarray
    axis: str
    scale: float = 1.0
    code: str = "0.0%"

    @property
    def colors(self) -> list[str]:
        """Of the theme; what takes away is gray."""
        change = np.where(self.amounts >= 0, ZONE_COLORS["attack"], house.GRAY)
        return list(map(str, np.where(self.whole, theme().accent, change)))

    @property
    def starts(self) -> np.ndarray:
        """Where each bar begins."""
        return np.where(self.whole, 0.0, np.cumsum(self.amounts) - self.amounts)

    @property
    def floor(self) -> float:
        """Where the axis begins: at zero, unless changes of the first amount would be slivers."""
        if not self.whole[0] or self.whole.all():
            return 0.0
        levels = (self.starts + self.amounts)[:-1]
        span = float(np.ptp(levels))
        if not 0 < span < SLIVER * levels[0]:
            return 0.0
        unit = 10.0 ** np.floor(np.log10(span))
        return max(float(np.floor(levels.min() / unit - 1.5 * span / unit) * unit), 0.0)


def sales_steps(plan: Plan, words: Words) -> Steps:
    """The growth planned: what each group of accounts adds to it, and what is expected to come."""
    words, steps = words.in_sums(), plan.bridge.iloc[1:]
    amounts = [*steps["amount"], steps["amount"].sum()]
    names = [*map(words.say, steps["step"]), words.say("target_growth")]
    likely = plan.accounts.loc[plan.accounts["team"] == "hunter", "expected_gain"].sum()
    if abs(likely - amounts[-1]) > 0.01 * amounts[-1]:
        amounts, names = [*amounts, likely], [*names, words.say("bridge_likely")]
    whole = np.arange(len(names)) >= len(steps)
    said = [words.amount(one) if alone else f"+{words.amount(one)}"
            for one, alone in zip(amounts, whole, strict=True)]  # fmt: skip
    scale, axis = words.in_units(1.0), words.say("ax_growth", unit=words.yearly())
    code = "#,##0.0" if scale * max(amounts) < 20 else "#,##0"
    return Steps(names, np.array(amounts), said, whole, axis, scale, code)


def share_steps(waves: Waves, words: Words) -> Steps:
    """From market share in the wave before to today's: what moved it, in percentage points."""
    amounts, steps = waves.share_points["points"].to_numpy(), waves.share_points["step"][1:-1]
    ends = [words.say("market_share_in", period=period) for period in waves.periods]
    names = [ends[0], *map(words.column, steps), ends[1]]
    said = [words.share(amounts[0]), *map(words.points, amounts[1:-1]), words.share(amounts[-1])]
    whole = np.isin(np.arange(len(names)), [0, len(names) - 1])
    return Steps(names, amounts, said, whole, words.say("market_share"))


def error_steps(fit: Fit, words: Words) -> Steps:
    """How many known potentials a formula that had not seen them comes near to."""
    amounts = np.array([(fit.errors <= most).mean() for most in WITHIN])
    names = [words.say("within", most=most) for most in WITHIN]
    said, axis = [*map(words.percent, amounts)], words.say("ax_within", n=fit.errors.shape[1])
    return Steps(names, amounts, said, np.ones(len(amounts), bool), axis, code="0%")


def bridge(plan: Plan, ax: Axes | None = None) -> Axes:
    """The growth planned, a bar a step, and what is expected to come."""
    ax = _waterfall(sales_steps(plan, theme().words), ax)
    money_axis(ax.yaxis, words=theme().words.in_sums())
    return ax


def share_change(waves: Waves, ax: Axes | None = None) -> Axes:
    """What moved market share between two waves, a bar a step; what lowered it is gray."""
    ax = _waterfall(share_steps(waves, theme().words), ax)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
    return ax


def _waterfall(steps: Steps, ax: Axes | None) -> Axes:
    ax = axes_for(ax, FLAT)
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
    ax, words = axes_for(ax, FLAT), theme().words.in_sums()
    order = tuple(name for name in order if (accounts[by] == name).any())
    names = [words.word(name).capitalize() for name in order]
    for column, shades in (("potential", [tint(color) for color in colors]), ("sales", colors)):
        sums = accounts.groupby(by)[column].sum().reindex(order).fillna(0.0)
        bars = ax.bar(names, sums, color=shades, width=0.62)
        if column == "potential":
            counts = accounts[by].value_counts().reindex(order).fillna(0)
            said = [words.say("n_accounts", n=int(n)) + "\n" + words.amount(held)
                    for n, held in zip(counts, sums, strict=True)]  # fmt: skip
            ax.bar_label(bars, said, padding=4)
    ax.margins(y=0.2)
    ax.grid(axis="x", visible=False)
    money_axis(ax.yaxis, words=words)
    ax.set_ylabel(words.say("ax_held", unit=words.yearly()))
    return ax


def _growth(frame: pd.DataFrame, by: str, colors: list[str], ax: Axes | None) -> Axes:
    """Today's sales as pale bars, the growth asked on top."""
    ax, words = axes_for(ax), theme().words
    names = [house.short_name(words.rep(name)) for name in frame[by]]
    ax.barh(names, frame["sales"], color=tint(theme().accent), label=words.say("sales_today"))
    ax.barh(names, frame["target_growth"], left=frame["sales"], color=colors,
            label=words.say("target_growth"))  # fmt: skip
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", labelsize=9)
    money_axis(ax.xaxis)
    ax.set_xlabel(words.say("ax_sales", unit=words.yearly()))
    ax.legend(loc="lower right")
    return ax


def name_places(
    points: np.ndarray, names: Sequence[str], order: Iterable[int], frame: np.ndarray,
    taken: Iterable[tuple[Any, Any]], size: float,
) -> dict[int, str]:  # fmt: skip
    """Which points (n, 2) are named, LABELLED at most, and on which of SIDES: where a name in
    letters of a size stays in the frame (2,) and covers no point, no other name and no box that is
    taken (two corners). order: numbers of points, the first to be named first."""
    found: dict[int, str] = {}
    taken, gap = list(taken), 0.35 * size
    for k in order:
        wide = size * np.array([0.53 * (house.letters_of(names[k]) + 1), 1.25])
        for side, shift in SIDES.items():
            low = points[k] + wide * shift + gap * (2 * np.array(shift) + 1)
            high = low + wide
            covers = ((points > low - gap / 2) & (points < high + gap / 2)).all(axis=1)
            covers[k] = (low < 0).any() or (high > frame).any()
            apart = all(np.any(high < a) or np.any(low > b) for a, b in taken)
            if len(found) < LABELLED and apart and not covers.any():
                found[int(k)] = side
                taken.append((low, high))
                break
    return found


def common_ends(names: pd.Series) -> tuple[str, str]:
    """The words that all names (N,) begin and end with, where they would fill a chart's label."""
    ends = []
    for side in (names, names.str[::-1]):
        first, last = side.min(), side.max()
        alike = next((k for k, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), 0)
        ends.append(first[:alike].rpartition(" ")[0])
    begin, end = ends[0], ends[1][::-1]
    return (begin, end) if len(begin) + len(end) >= LETTERS else ("", "")


def short_names(accounts: pd.DataFrame) -> pd.Series:
    """Names (N,) without their `common_ends`, a mark in place of the first."""
    begin, end = common_ends(accounts["name"])
    names = accounts["name"].str.removeprefix(begin).str.removesuffix(end).str.strip()
    short = names.mask(names != "", "…" * bool(begin) + names)
    return short if begin or end else accounts["name"]


def names_apart(accounts: pd.DataFrame) -> pd.Series:
    """What accounts (N,) are called: by name, with the id where others have the same, or by id."""
    name, ids = short_names(accounts), accounts.index.to_series()
    several = name.duplicated(keep=False) & (name != ids)
    return name.where(~several, name + " (" + ids + ")").where(name != "", ids)


def _name_first(accounts: pd.DataFrame, ax: Axes) -> None:
    """Names where they cover nothing: of attack accounts by what others supply, then by size."""
    figure = ax.get_figure()
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()  # lays it out
    names = [house.short_name(name) for name in names_apart(accounts)]
    box, dot, accounts = ax.get_window_extent(), figure.dpi / 72, accounts.reset_index()
    places = accounts[["potential", "sow"]].to_numpy(float)
    points = ax.transData.transform(places) - box.min if len(places) else places
    rest = (accounts["potential"] - accounts["sales"])[accounts["zone"] == "attack"]
    largest = accounts["potential"].nlargest(12 * LABELLED)
    order = dict.fromkeys([*rest.nlargest(LABELLED).index, *largest.index])
    drawn = [one.get_window_extent() for one in (*ax.texts, *ax.lines)]
    taken = [(np.subtract(one.min, box.min), np.subtract(one.max, box.min)) for one in drawn]
    for k, side in name_places(points, names, order, np.array(box.size), taken, 9 * dot).items():
        x, y = SIDES[side]
        ax.annotate(names[k], places[k], (12 * x + 6, 12 * y + 6), textcoords="offset points",
                    fontsize=9, color=house.INK, ha={0.0: "left", -1.0: "right"}.get(x, "center"),
                    va={0.0: "bottom", -1.0: "top"}.get(y, "center"))  # fmt: skip
