"""The predictive distribution of an account's potential, from out-of-fold errors."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from kalib.formula.distribution import LEVELS, Distribution
from kalib.formula.linear import LeastSquares
from kalib.formula.validation import Validation
from kalib.formula.working import WorkingFit, spread_power
from kalib.indicators.screening import RARE_LEVEL, Design, Screening
from kalib.indicators.terms import LevelSpread

# Two-sided level of the test, over all text indicators together (Bonferroni).
SPREAD_LEVEL = 0.01
NORMAL_KURTOSIS = 3.0  # a log variance of n errors has variance (kurtosis - 1) / n
# From the middle, in distances of the 5 and 95 % points; of a t of three degrees 99.4 % lie within.
REACH = 3.0
LEAST_RATIO = 0.01  # keeps a level that the sample fits without error off nought


@dataclass(frozen=True)
class Predictive:
    """Errors on the working scale: scale(fitted) times a standardized error.

    levels: (Q,) probabilities; quantiles: (Q,) standardized errors at them; size, power: the
    scale is size times |fitted| ** power; shared_variance: mean variance of the surveyed accounts'
    fitted values (working scale squared), 0 where the scale depends on the fitted value; logged,
    floor: as in the fit; by_level: ratios that the scale is multiplied by, where errors scatter by
    the levels of a text indicator.
    """

    levels: np.ndarray
    quantiles: np.ndarray
    size: float
    power: float
    low_fitted: float
    shared_variance: float
    logged: bool
    floor: float
    by_level: LevelSpread | None = None

    def scale(self, working: np.ndarray) -> np.ndarray:
        """Scale (N,) of the error at fitted working values (N,)."""
        return self.size * np.maximum(working, self.low_fitted) ** self.power

    def to_json(self) -> dict[str, object]:
        """What gives the distribution of any fitted value, as in formula.json."""
        numbers = {name: float(getattr(self, name)) for name in ("size", "power", "low_fitted")}
        return {"levels": self.levels.tolist(), "quantiles": self.quantiles.tolist(), **numbers}

    def potential(self, working: np.ndarray, spread: np.ndarray) -> Distribution:
        """Potential of N accounts, currency a year, for working values and spreads (N,)."""
        values = working[:, None] + spread[:, None] * self.quantiles[None, :]
        table = np.exp(np.minimum(values, 700.0)) if self.logged else np.maximum(values, self.floor)
        return Distribution(self.levels, table)


def fit_predictive(
    checked: Validation, final: WorkingFit, matrix: np.ndarray, weights: np.ndarray,
    texts: pd.DataFrame, own_share: float = 1.0,
) -> Predictive:  # fmt: skip
    """Learn the error's distribution from out-of-fold residuals.

    matrix: (n, p) design rows of the surveyed accounts; weights: (n,), 0 where potential is not
    believed; texts: their text indicators; own_share: what is left of the size once the error of
    measuring is out of it. The quantiles are those of the weighted residuals at plotting positions
    i / (n + 1), as split and cross-conformal intervals take them (Barber et al. 2021).
    """
    residual = checked.residual[final.form]
    fitted = final.working(matrix)
    use = weights > 0
    low = float(np.quantile(fitted[use], 0.05))
    low = low if low > 0 else float(np.median(np.abs(fitted[use]))) or 1.0
    power = 0.0 if final.logged else spread_power(fitted, residual.mean(axis=0), use)
    standard = residual / np.maximum(fitted, low) ** power
    spread = find_level_spread(texts, standard.mean(axis=0), weights)
    standard = (standard / (spread.ratios(texts) if spread else 1.0))[:, use]
    mass = np.broadcast_to(weights[use], standard.shape)
    size = float(np.sqrt(np.average(standard**2, weights=mass)))
    unit = size = size if size > 0 else 1e-9
    effective = weights[use].sum() ** 2 / (weights[use] ** 2).sum()
    if checked.folds.disagree:  # errors are those of groups, as many as there are
        effective = min(effective, checked.folds.count)
        size *= np.sqrt((effective + 1) / max(effective - 1, 1))
    quantiles = weighted_quantiles((standard / unit).ravel(), mass.ravel(), LEVELS, effective)
    shared = 0.0  # where errors grow with the fitted value there is no one size to take a part of
    if not power:
        shared = float(np.average(final.leverage[use] * size**2, weights=weights[use]))
    if spread and final.logged:
        freedom = max(use.sum() - final.leverage.sum(), 1.0)
        widen = np.sqrt(use.sum() / freedom)  # as in the fit
        spread = smear(spread, texts, final.residual * widen, weights / weights.sum())
    return Predictive(LEVELS, quantiles, size * own_share, power, low, shared, final.logged,
                      final.floor, spread)  # fmt: skip


def account_spread(
    design: Design, final: WorkingFit, linear: LeastSquares, predictive: Predictive,
    screening: Screening,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Predictive scale (N,) of all accounts on the working scale, and the loadings (N, k) of the
    part they share, as fractions of it: an error in the coefficients moves accounts together."""
    full = np.column_stack([np.ones(len(design.matrix)), design.matrix[:, final.used]])
    own = predictive.scale(full @ linear.coef)
    own = own * predictive.by_level.ratios(screening.values) if predictive.by_level else own
    shared = full @ np.linalg.cholesky(linear.cov + 1e-300 * np.eye(len(linear.cov)))
    extra = np.zeros(len(full))  # variance of what was filled in
    for position, number in enumerate(final.used, start=1):
        column = design.columns[number]
        filled = screening.imputed[column.indicator].to_numpy()
        sd = screening.imputation_sd.get(column.indicator, 0.0)
        if column.transform == "identity" and (screening.values[column.indicator] > 0).all():
            sd = sd * screening.values[column.indicator].to_numpy()  # the fill's sd is in logs
        extra += np.where(filled, (linear.coef[position] * sd) ** 2, 0.0)
    # The out-of-fold scale already holds the surveyed accounts' mean estimation error.
    own_variance = np.maximum(own**2 - predictive.shared_variance, 0.25 * own**2)
    spread = np.sqrt(own_variance + (shared**2).sum(axis=1) + extra)
    return spread, (shared / spread[:, None]).astype(np.float32)


def weighted_quantiles(
    values: np.ndarray, mass: np.ndarray, levels: np.ndarray, count: float
) -> np.ndarray:
    """Quantiles (Q,) of weighted values, positions shrunk to count / (count + 1) with normal
    tails outside, none farther than REACH: one far value must not decide every account's tail."""
    from scipy.special import ndtri

    order = np.argsort(values)
    values, mass = values[order], mass[order]
    position = (np.cumsum(mass) - 0.5 * mass) / mass.sum()
    position = 0.5 + count / (count + 1) * (position - 0.5)
    result = np.interp(levels, position, values)
    low, high = levels < position[0], levels > position[-1]
    middle = np.interp(0.5, position, values)
    result[low] = middle + (values[0] - middle) * ndtri(levels[low]) / ndtri(position[0])
    result[high] = middle + (values[-1] - middle) * ndtri(levels[high]) / ndtri(position[-1])
    left, right = np.interp([0.05, 0.95], position, values) - middle
    return np.clip(result, middle + (REACH * left or -np.inf), middle + (REACH * right or np.inf))


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
