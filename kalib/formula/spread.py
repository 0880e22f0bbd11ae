"""Errors that scatter more at some levels of a text indicator: found, tested and shrunk."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from kalib.indicators.screening import RARE_LEVEL
from kalib.indicators.terms import LevelSpread

# Two-sided level of the test, over all text indicators together (Bonferroni).
SPREAD_LEVEL = 0.01
NORMAL_KURTOSIS = 3.0  # a log variance of n errors has variance (kurtosis - 1) / n
LEAST_RATIO = 0.01  # keeps a level that the sample fits without error off nought


def find_level_spread(
    texts: pd.DataFrame, residual: np.ndarray, weights: np.ndarray
) -> LevelSpread | None:
    """The text indicator whose levels tell the size of the errors best; None where none does.

    texts: n surveyed accounts x text indicators; residual: (n,) out of fold, of even spread
    otherwise; weights: (n,), 0 where the potential is not believed.
    """
    from scipy.stats import levene

    frame = pd.DataFrame({"residual": residual, "weight": weights})[weights > 0]
    found = []
    for name in texts.columns:
        level = texts[name].astype(str).to_numpy()[weights > 0]
        groups = {str(n): g for n, g in frame.groupby(level) if len(g) >= RARE_LEVEL}
        if len(groups) < 2:
            continue
        test = levene(*(g["residual"] for g in groups.values()), center="median")
        p_value = min(float(test.pvalue) * len(texts.columns), 1.0)
        if p_value < SPREAD_LEVEL:  # a p-value of no errors at all is no number
            found.append(LevelSpread(str(name), _ratios(frame, groups), p_value))
    return min(found, key=lambda spread: spread.p_value, default=None)


def smear(
    spread: LevelSpread, texts: pd.DataFrame, error: np.ndarray, mass: np.ndarray
) -> LevelSpread:
    """The spread with Duan's factor by level (Duan 1983).

    error (n,): of the fit, natural logs; mass (n,): weights that add up to 1. All errors tell the
    shape, a level its spread: each error is brought to the level's spread before it is smeared,
    so that few accounts of a level do not decide its factor alone.
    """
    standard = error / spread.ratios(texts)
    factor = {
        level: float(mass @ np.exp(np.minimum(standard * ratio, 50)))
        for level, ratio in spread.ratio.items()
    }
    return replace(spread, smearing=factor)


def _ratios(frame: pd.DataFrame, groups: dict[str, pd.DataFrame]) -> dict[str, float]:
    """Spread of each level over the common one, log variances drawn toward their mean as far as
    chance explains their differences (DerSimonian & Laird 1986)."""
    share = np.array([g["weight"].sum() for g in groups.values()])
    counts = share**2 / np.array([(g["weight"] ** 2).sum() for g in groups.values()])
    square = np.array([g["weight"] @ g["residual"] ** 2 for g in groups.values()]) / share
    least = LEAST_RATIO**2 * np.average(frame["residual"] ** 2, weights=frame["weight"])
    logs = np.log(np.maximum(square, least))
    fourth = sum(g["weight"] @ g["residual"] ** 4 / v**2
                 for g, v in zip(groups.values(), np.exp(logs), strict=True))  # fmt: skip
    chance = (max(fourth / share.sum(), NORMAL_KURTOSIS) - 1) / counts
    precision = 1 / chance
    middle = precision @ logs / precision.sum()
    excess = max(precision @ (logs - middle) ** 2 - (len(logs) - 1), 0.0)
    between = excess / (precision.sum() - (precision**2).sum() / precision.sum())
    variance = np.exp(middle + between / (between + chance) * (logs - middle))
    ratio = np.sqrt(variance / (share @ variance / share.sum()))
    return dict(zip(groups, ratio.tolist(), strict=True))
