"""Measured potential as a composite of visits, sales books and formula, each by its error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from kalib.formula.fitting import Fit
from kalib.tables.visits import Measured
from kalib.wallet.visit_list import FEWEST_COMPARED, FEWEST_UNITS, design_effect, visits_scale

FEWEST_STORES = 5  # below which the scatter of stores about what is expected can't be told


def with_books(measured: Measured, sales: pd.Series) -> Measured:
    """The measurement with what the sales books add to it.

    sales: all N accounts' sales, currency a year. Our sales over our share of the units counted
    are a second measurement of potential, a ratio estimate (Cochran 1977, chapter 6): its error is
    that of the share, which days of high or low trade leave alone, and of the books. Both are
    averaged by their variances, in logs. Stores of which few own units were seen keep what was
    counted; so do all where too few stores say how far the books may be off.
    """
    frame, scale = measured.frame, visits_scale(measured, sales)
    booked = sales.reindex(frame.index).fillna(0.0)
    told = (booked > 0) & (frame["own_units"] >= FEWEST_UNITS)
    if told.sum() < FEWEST_COMPARED:
        return measured
    own, total = frame["own_units"][told], frame["total_units"][told]
    effect = design_effect(measured.weeks, scale.correlation).reindex(own.index)
    # Half a unit more of both leaves the log of a share without bias (Gart & Zweifel 1967).
    ratio = np.log(booked[told] * scale.ratio * (total + 0.5) / (own + 0.5))
    error = (effect * (1 / own - 1 / total)).clip(lower=0) + scale.books_sd**2
    variance = frame.loc[told, "log_sd"] ** 2
    counted = np.log(frame.loc[told, "potential"]) + variance / 2
    both = 1 / (1 / variance + 1 / error)
    middle = both * (counted / variance + ratio / error)
    frame = frame.copy()
    frame.loc[told, "potential"] = np.exp(middle - both / 2)
    frame.loc[told, "log_sd"] = np.sqrt(both)
    return replace(measured, frame=frame)


def expected_without_own(fit: Fit) -> pd.Series:
    """Potential (n,), currency a year, that the formula expects of each surveyed account when its
    own answer is left out of it (the closed form of PRESS, Allen 1974)."""
    rows, linear = fit.working_rows, fit.least_squares
    working = fit.working[rows].copy()
    working[fit.used] = linear.response - linear.residual / np.maximum(1 - linear.leverage, 1e-3)
    expected = fit.formula.expected(working, fit.screening.values.iloc[rows])
    return pd.Series(expected, index=fit.oof.index, name="expected")


def composite(
    potential: pd.Series, log_sd: pd.Series, expected: pd.Series | None, counted: pd.Index
) -> pd.DataFrame:
    """Measured potential drawn to what is expected of each account (Fay & Herriot 1979).

    potential, log_sd: (n,) as measured, currency a year, and its standard error in logs; a survey's
    answer has none and stays; expected: (n,) potential expected without the account's own answer,
    currency a year; None: the mean of all, where no formula can be built on; counted: accounts that
    visits measured, which are right on average: an answer is as often too high as too low. Returns
    potential (its posterior mean), log_middle and log_sd, by account.

    How far accounts scatter about what is expected, beyond the errors of measuring, is the
    moment estimate of Fay and Herriot. No account is moved by more than its own standard error,
    so that one unlike all others stays what it is (limited translation, Efron & Morris 1972).
    """
    columns = {"potential": potential, "log_middle": np.log(potential), "log_sd": log_sd}
    stands = pd.DataFrame(columns)
    measured = log_sd > 0
    if measured.sum() < FEWEST_STORES:
        return stands
    potential, log_sd = potential[measured], log_sd[measured]
    variance = log_sd**2
    # What is right on average is too low in logs by half its variance.
    logs = np.log(potential) + variance / 2 * potential.index.isin(counted)
    center = np.log(potential.mean() if expected is None else expected.reindex(logs.index))
    between = _between(logs - center, variance)
    weight = 1 / (between + variance)
    center = center + np.average(logs - center, weights=weight)
    pull = (variance * weight * (center - logs)).clip(-log_sd, log_sd)
    left = between * variance * weight
    middle = logs + pull
    stands.loc[measured, "potential"] = np.exp(middle + left / 2)
    stands.loc[measured, "log_middle"] = middle
    stands.loc[measured, "log_sd"] = np.sqrt(left)
    return stands


def _between(residual: pd.Series, variance: pd.Series) -> float:
    """Variance of what was measured about what is expected, beyond the errors of measuring: where
    the squares over both variances sum to their degrees of freedom."""
    from scipy.optimize import brentq

    free = len(residual) - 1

    def excess(between: float) -> float:
        weight = 1 / (between + variance)
        miss = residual - np.average(residual, weights=weight)
        return float((miss**2 * weight).sum() - free)

    least, most = 1e-6, 2 * float(((residual - residual.mean()) ** 2).sum()) / free + 1e-6
    return float(brentq(excess, least, most)) if excess(least) > 0 else least
