"""The estimates of potential that are stacked: the formula, and what own sales say besides it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kalib.formula.distribution import LEVELS, Distribution
from kalib.formula.fitting import Fit
from kalib.formula.predictive import weighted_quantiles
from kalib.indicators.screening import Design, build_design
from kalib.wallet.regression import REACH, fit_regression
from kalib.wallet.share import FEWEST, fit_share
from kalib.wallet.stack import Answered
from kalib.wallet.surface import Ground, Surface, fit_surface

FORMULA, MEAN = "formula", "mean"
# A surface is laid through so many answers; of more, through a sample of them.
MOST_ANSWERS, SAMPLE_SEED = 300, 20260701
MOST_MOVED = 24  # combinations of the answers' errors that move a surface


@dataclass(frozen=True)
class Part:
    """One estimate of potential.

    every: of all N accounts; unseen: of the n surveyed ones, each left out of its fit; loadings
    (N, k): the error that accounts share, in normal scores, on k combinations of the answers'
    errors; basis (k, n): these combinations.
    """

    every: Distribution
    unseen: Distribution
    loadings: np.ndarray
    basis: np.ndarray


def formula_part(fit: Fit) -> Part:
    """What the formula says."""
    predictive, linear = fit.predictive, fit.least_squares
    every = predictive.potential(fit.working, fit.spread)
    unseen = predictive.potential(fit.oof_working, fit.spread[fit.working_rows])
    root = np.sqrt(np.ones(len(linear.response)) if linear.weights is None else linear.weights)
    cholesky = np.linalg.cholesky(linear.cov + 1e-300 * np.eye(len(linear.cov)))
    basis = np.zeros((len(cholesky), len(fit.working_rows)))
    basis[:, fit.used] = np.linalg.pinv(linear.design * root[:, None]) * root
    basis = np.linalg.solve(cholesky, basis) * linear.sigma
    return Part(every, unseen, fit.loadings, basis)


def sales_parts(
    fit: Fit, sales: np.ndarray, known: Answered, formula: Part | None
) -> dict[str, Part]:
    """What own sales (N,) say besides the formula; none where too few surveyed accounts buy."""
    buys = (known.sales > 0) & (known.weights > 0)
    if buys.sum() < FEWEST:
        return {}
    surveyed = np.isin(np.arange(len(sales)), fit.working_rows)
    own = _sales_columns(sales, known.sales)
    found: dict[str, Part] = {}
    logged, plain = (build_design(fit.screening, surveyed, logged=how) for how in (True, False))
    priors = {"share": formula, "surface": _surface_part(fit, logged, known)}
    for name, prior in priors.items():
        if prior and (part := _share_part(prior, sales, known)):
            found[name] = part
    for name, design in (("sales_logged", logged), ("sales_plain", plain)):
        columns = np.column_stack([design.matrix, own])
        found[name] = regression_part(columns, fit.working_rows, known, own.shape[1])
    found["sales"] = regression_part(own, fit.working_rows, known, own.shape[1])
    return found


def _sales_columns(sales: np.ndarray, surveyed: np.ndarray) -> np.ndarray:
    """Log sales, at half the least surveyed ones where there are none, and a mark for none."""
    least = surveyed[surveyed > 0].min() / 2
    logs = np.log(np.where(sales > 0, np.maximum(sales, least / 50), least))
    return np.column_stack([logs, sales <= 0]) if (surveyed <= 0).any() else logs[:, None]


def _share_part(prior: Part, sales: np.ndarray, known: Answered) -> Part | None:
    """The formula's distribution as prior, SOW given potential as likelihood."""
    expected = prior.unseen.quantile(0.5)
    model = fit_share(known.sales, known.potential, known.weights, expected)
    if model is None:
        return None

    def by_fold(test: np.ndarray) -> np.ndarray:
        mass = known.weights * ~test
        without = fit_share(known.sales, known.potential, mass, expected) or model
        return without.posterior(prior.unseen[test], known.sales[test]).table

    unseen = _out_of_fold(known, prior.unseen.table.shape[1], by_fold)
    every = model.posterior(prior.every, sales)
    narrower = np.minimum(every.log_spread() / prior.every.log_spread(), 1.0)
    loadings = prior.loadings * narrower[:, None]
    return Part(every, Distribution(prior.unseen.levels, unseen), loadings, prior.basis)


def regression_part(columns: np.ndarray, rows: np.ndarray, known: Answered, free: int) -> Part:
    """Log potential by ridge regression on columns (N, p), the last free ones not shrunk."""
    matrix, response = columns[rows], np.log(known.potential)

    def by_fold(test: np.ndarray) -> np.ndarray:
        line = fit_regression(matrix[~test], response[~test], known.weights[~test], free)
        return line.predict(matrix[test])[:, None]

    middle = _out_of_fold(known, 1, by_fold)[:, 0]
    line, miss = fit_regression(matrix, response, known.weights, free), response - middle
    square = float(known.mass @ miss**2)
    size = np.sqrt(max(square - float(known.mass @ known.variance), square / 4, 1e-12))
    # The answers' influence in as many columns as there are coefficients.
    basis, upper = np.linalg.qr(line.influence.T)
    shared = line.with_intercept(columns) @ upper.T
    moved = (shared**2).sum(axis=1)
    # Errors out of fold hold what accounts like the surveyed ones share already.
    spread = size * np.sqrt(np.maximum(1 - float(known.mass @ moved[rows]), 0.25) + moved)
    shape = _shape(miss / np.sqrt(square), known)
    every, unseen = line.predict(columns), _about(middle, spread[rows], shape)
    loadings = size * shared / spread[:, None]
    return Part(_about(every, spread, shape), unseen, loadings, basis.T)


def _surface_part(fit: Fit, design: Design, known: Answered) -> Part | None:
    """Log potential as a smooth surface over the indicators, laid anew for each fold: its lengths
    are chosen on answers, too. None where no indicator can be used."""
    ground, rows = _ground(fit, design, known), fit.working_rows
    if not (ground.numbers.size or ground.levels.size):
        return None
    at, response, chosen = ground[rows], np.log(known.potential), np.flatnonzero(known.weights)
    chosen = np.sort(np.random.default_rng(SAMPLE_SEED).permutation(chosen)[:MOST_ANSWERS])

    def through(answers: np.ndarray) -> Surface:
        return fit_surface(at[answers], response[answers], known.variance[answers])

    def by_fold(test: np.ndarray) -> np.ndarray:
        return np.column_stack(through(chosen[~test[chosen]]).predict(at[test]))

    middle, variance = _out_of_fold(known, 2, by_fold).T
    miss = (response - middle) / np.sqrt(variance + known.variance)
    size = max(float(np.sqrt(known.mass @ miss**2)), 1e-6)
    surface, shape = through(chosen), _shape(miss / size, known)
    expected, spread = surface.predict(ground)
    spread = size * np.sqrt(spread)
    moved, along = surface.moved_by(ground, MOST_MOVED)
    basis = np.zeros((len(along), len(rows)))
    basis[:, chosen] = along
    loadings = np.sqrt(surface.rest) * moved / spread[:, None]
    every, unseen = _about(expected, spread, shape), _about(middle, size * np.sqrt(variance), shape)
    return Part(every, unseen, loadings, basis)


def _ground(fit: Fit, design: Design, known: Answered) -> Ground:
    """The indicators of all N accounts, numbers in logs and held to where they were surveyed."""
    numbers = design.matrix[:, [column.transform != "level" for column in design.columns]]
    believed = numbers[fit.working_rows[known.weights > 0]]
    low, high, unit = believed.min(axis=0), believed.max(axis=0), believed.std(axis=0)
    reach, used = REACH * (high - low), unit > 0
    held = (np.clip(numbers, low - reach, high + reach) - believed.mean(axis=0))[:, used]
    texts = fit.screening.values.select_dtypes(exclude="number")
    levels = [pd.factorize(texts[name].astype(str))[0] for name in texts]
    return Ground(held / unit[used], np.array(levels, dtype=int).reshape(len(levels), len(texts)).T)


def _shape(standard: np.ndarray, known: Answered) -> np.ndarray:
    """Quantiles (Q,) of standardized errors (n,), those of answers that are believed."""
    use, effective = known.weights > 0, 1 / float(known.mass @ known.mass)
    return weighted_quantiles(standard[use], known.mass[use], LEVELS, effective)


def _about(middle: np.ndarray, spread: np.ndarray, shape: np.ndarray) -> Distribution:
    """Potential of N accounts whose logs lie about middle (N,), errors of one shape (Q,)."""
    logs = np.clip(middle[:, None] + spread[:, None] * shape, -700, 700)
    return Distribution(LEVELS, np.exp(logs))


def _out_of_fold(
    known: Answered, width: int, by_fold: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Rows (n, width), those of each fold by what is fitted without it."""
    found = np.empty((len(known.fold), width))
    for k in np.unique(known.fold):
        found[known.fold == k] = by_fold(known.fold == k)
    return found
