"""Unit mix-ups: figures of some accounts in thousands while the others are in units."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

# A group's median is this many powers of ten from the rest's: thousands, 万, millions, with the
# room that medians of few accounts need.
SHIFT = (2.6, 6.4)
UNSHIFTED = 1.0  # while in its other figures it is less than one power of ten away
FEWEST = 8  # accounts whose median is worth comparing
GAP = 1.5  # powers of ten without a single value, inside one column
FEWEST_APART = 0.03  # share of the values beyond such a gap; fewer are single typing errors
MOSTLY = 0.5  # of the accounts, or of a group's


def group_mix_ups(
    groups: Mapping[str, pd.Series], figures: Mapping[str, pd.Series]
) -> list[tuple[str, str, str]]:
    """Groups of which one figure alone is a thousand times or more from everyone else's.

    groups: column -> text by account; figures: column -> numbers by account. Returns (figure,
    sentence, group).
    """
    found = []
    logs = {name: np.log10(values[values > 0].astype(float)) for name, values in figures.items()}
    for column, labels in groups.items():
        shifts = pd.DataFrame({name: _shifts(values, labels) for name, values in logs.items()})
        size = shifts.abs().to_numpy()
        for i, j in np.argwhere((size >= SHIFT[0]) & (size <= SHIFT[1])):
            others = np.delete(size[i], j)
            if np.isfinite(others).any() and np.nanmedian(others) < UNSHIFTED:
                times, name = _times(shifts.iat[i, j]), str(shifts.columns[j])
                sentence = f"is {times} in one {column}, while no other figure is"
                found.append((name, sentence, str(shifts.index[i])))
    return found


def gaps(figures: Mapping[str, pd.Series]) -> list[tuple[str, str]]:
    """Figures whose values fall into two crowds a thousandfold apart: (figure, sentence)."""
    found = []
    for name, values in figures.items():
        ordered = np.sort(np.log10(values[values > 0].astype(float)).to_numpy())
        if len(ordered) < 2 * FEWEST:
            continue
        steps = np.diff(ordered)
        place = int(steps.argmax()) + 1
        few = min(place, len(ordered) - place)
        apart = np.median(ordered[place:]) - np.median(ordered[:place])
        if steps.max() > GAP and few >= max(3, FEWEST_APART * len(ordered)) and apart >= SHIFT[0]:
            size = _times(-apart if place == few else apart)
            found.append((name, f"{few} values are {size} than the others: is the unit the same?"))
    return found


def impossible(
    potential: pd.Series, sales: pd.Series, groups: Mapping[str, pd.Series]
) -> tuple[str, str] | None:
    """Where most accounts' potential lies below what they buy from us: sentence and group.

    potential, sales: currency a year, by account, the surveyed ones.
    """
    below = (potential < sales)[sales > 0]
    for column, labels in {"": pd.Series("all", below.index), **groups}.items():
        for group, wrong in below.groupby(labels.reindex(below.index)):
            if group and wrong.sum() >= FEWEST and wrong.mean() > MOSTLY:
                told = f"is below our own sales in {wrong.sum()} of {len(wrong)} accounts"
                return (f"{told} of one {column}", str(group)) if column else (told, "")
    return None


def _times(shift: float) -> str:
    """A shift of powers of ten in words."""
    return f"about {10 ** round(abs(shift)):,} times {'larger' if shift > 0 else 'smaller'}"


def _shifts(logs: pd.Series, labels: pd.Series) -> pd.Series:
    """Powers of ten between the median of each group and that of the rest, by group; NaN where
    they overlap too much, or are too few, to be told apart."""
    labels = labels.reindex(logs.index)
    whole, shifts = logs.median(), {}
    for group, own in logs.groupby(labels):
        if not group or min(len(own), len(logs) - len(own)) < FEWEST:
            continue
        # A group of a few moves the median of all by little: most need no closer look.
        shift = own.median() - whole
        if abs(shift) > UNSHIFTED / 2 or len(own) > len(logs) / 10:
            rest = logs[labels != group]
            shift = own.median() - rest.median()
            low, high = (own, rest) if shift < 0 else (rest, own)
            if abs(shift) >= SHIFT[0] and low.quantile(0.9) > high.quantile(0.1):
                continue
        shifts[group] = shift
    return pd.Series(shifts, dtype=float)
