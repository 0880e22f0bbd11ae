"""Accounts that buy from nobody: answers of zero, and the chance of it elsewhere."""

from __future__ import annotations

import numpy as np

from kalib.formula.distribution import Distribution
from kalib.wallet.share import fit_chance

SMALLEST = 1e-6  # of the least potential that was answered: nothing, on a scale of logs
SLOPE_SD = 2.0  # prior, in logits a standard deviation of log size: wide
MOST = 0.98  # of the chance that an account buys from nobody


def hear_nothing(
    found: Distribution, nothing: np.ndarray, asked: np.ndarray, sales: np.ndarray, least: float
) -> Distribution:
    """Potential of N accounts where some answered that they buy from nobody.

    found: as if every account bought; nothing: (N,) bool, who answered zero; asked: (N,) bool, the
    other answers that are believed; sales: (N,) currency a year; least: of the answers above zero.
    An account that buys from us buys; any other that was not asked has a point mass at nothing (a
    hurdle, Cragg 1971), whose chance is learned from the accounts asked that don't buy from us,
    by the size that is expected of them.
    """
    silent = sales <= 0
    size = np.log(found.quantile(0.5))
    told = (nothing | asked) & silent & np.isfinite(size)
    open_ = silent & ~nothing & ~asked & np.isfinite(size)
    tiny = least * SMALLEST
    if told.any() and open_.any():
        center, unit = size[told].mean(), size[told].std() or 1.0
        # Half an account of each kind more, so that no chance is none and none is certain.
        event = np.append(nothing[told], [True, False])
        x = np.append((size[told] - center) / unit, [0.0, 0.0])
        level, slope = fit_chance(event, x, np.append(np.ones(told.sum()), [0.5, 0.5]), SLOPE_SD)
        chance = 1 / (1 + np.exp(-(level + slope * (size[open_] - center) / unit)))
        found = found.replaced(open_, found[open_].with_nothing(np.minimum(chance, MOST), tiny))
    return found.replaced(nothing, Distribution.certain(np.full(nothing.sum(), tiny)))
