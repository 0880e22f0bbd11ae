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
    use, found = weights > 0, []
    for name in texts.columns:
        level = texts[name].astype(str).to_numpy()[use]
        p_value = min(_brown_forsythe(level, residual[use]) * len(texts.columns), 1.0)
        if p_value < SPREAD_LEVEL:  # a p-value of no errors at all is no number
            ratios = _ratios(level, residual[use], weights[use])
            found.append(LevelSpread(str(name), ratios, p_value))
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


def _brown_forsythe(level: np.ndarray, residual: np.ndarray) -> float:
    """p-value of the test that residuals scatter alike in every level of enough accounts."""
    from scipy.stats import levene

    groups = [residual[level == name] for name in _frequent(level)]
    if len(groups) < 2:
        return 1.0
    return float(levene(*groups, center="median").pvalue)


def _ratios(level: np.ndarray, residual: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    """Spread of each level over the common one, shrunk."""
    names = _frequent(level)
    squares = residual**2
    part = [level == name for name in names]
    least = LEAST_RATIO**2 * np.average(squares, weights=weights)
    logs = np.log([max(np.average(squares[p], weights=weights[p]), least) for p in part])
    counts = np.array([weights[p].sum() ** 2 / (weights[p] ** 2).sum() for p in part])
    unit = squares / np.exp(logs[[names.index(v) if v in names else 0 for v in level]])
    kurtosis = max(float(np.average(unit**2, weights=weights)), NORMAL_KURTOSIS)
    variance = np.exp(_shrunk(logs, (kurtosis - 1) / counts))
    share = np.array([weights[p].sum() for p in part])
    variance /= float(share @ variance) / share.sum()
    return dict(zip(names, np.sqrt(variance).tolist(), strict=True))


def _shrunk(logs: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Log variances (G,) with sampling variances chance (G,), drawn toward their mean as far as
    chance explains their differences (DerSimonian & Laird 1986)."""
    precision = 1 / chance
    middle = float(precision @ logs) / precision.sum()
    excess = float(precision @ (logs - middle) ** 2) - (len(logs) - 1)
    between = max(excess, 0.0) / (precision.sum() - (precision**2).sum() / precision.sum())
    found: np.ndarray = middle + between / (between + chance) * (logs - middle)
    return found


def _frequent(level: np.ndarray) -> list[str]:
    """Levels of enough surveyed accounts, in alphabetical order."""
    names, counts = np.unique(level, return_counts=True)
    return [str(name) for name in names[counts >= RARE_LEVEL]]
