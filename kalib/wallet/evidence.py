"""What own sales say about potential: an account that buys 90 from us cannot need 60."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kalib.formula.distribution import Distribution
from kalib.words.catalogue import Message

FEWEST = 15  # surveyed buyers needed before a distribution of SOW is learned
# A share that goes with potential unnoticed moves the total; one refused in vain costs little.
DEPENDENCE_LEVEL = 0.05


@dataclass(frozen=True)
class SalesEvidence:
    """The distribution of SOW among surveyed buyers, and whether it is used.

    a, b: beta parameters of SOW given a purchase; zero: share of accounts that buy nothing;
    correlation, p_value: Spearman test that SOW does not go with the formula's potential;
    score_formula, score_sales: mean pinball loss of log potential out of fold, without and with
    own sales (lower is better); used; reason: one sentence.
    """

    a: float
    b: float
    zero: float
    correlation: float
    p_value: float
    score_formula: float
    score_sales: float
    used: bool
    reason: str


def weigh_evidence(
    sales: np.ndarray,
    potential: np.ndarray,
    predicted: Distribution,
    weights: np.ndarray,
    *,
    mode: str,
) -> SalesEvidence:
    """Decide whether own sales sharpen the formula.

    sales, potential: (n,) of surveyed accounts, currency a year; predicted: their potential out of
    fold; weights: (n,) survey weights, 0 where the potential is
    not believed; mode: "formula", "formula+sales" or "auto".
    """
    from scipy.stats import spearmanr

    buys = (sales > 0) & (sales < potential) & (weights > 0)
    zero = float(np.average(sales == 0, weights=weights)) if weights.sum() > 0 else 0.0
    if mode == "formula" or buys.sum() < FEWEST:
        reason: str = (
            "the study asks for the formula alone"
            if mode == "formula"
            else Message("e_few", n=int(buys.sum()), needed=FEWEST)
        )
        return SalesEvidence(np.nan, np.nan, zero, np.nan, np.nan, np.nan, np.nan, False, reason)
    share = sales[buys] / potential[buys]
    a, b = _fit_beta(share, weights[buys])
    middle = predicted.quantile(0.5)
    alike = np.ptp(share) == 0 or np.ptp(middle[buys]) == 0  # then nothing goes with anything
    correlation, p_value = (0.0, 1.0) if alike else map(float, spearmanr(share, middle[buys]))
    before, after = (
        _pinball(potential[buys], told, weights[buys])
        for told in (predicted[buys], heard(predicted[buys], sales[buys], a, b))
    )
    depends = p_value < DEPENDENCE_LEVEL
    # A formula without any error leaves nothing to sharpen.
    used = not depends and before > 0 and (mode == "formula+sales" or after < before)
    if depends:
        reason = Message("e_depends", r=correlation)
    elif used:
        reason = Message("e_sharpens", change=after / before - 1)
    else:
        reason = "out of fold, own sales do not sharpen the formula"
    return SalesEvidence(a, b, zero, correlation, p_value, before, after, used, reason)


def heard(potential: Distribution, sales: np.ndarray, a: float, b: float) -> Distribution:
    """Potential of n accounts given their sales (n,) > 0.

    Bayes on a grid of log P: p(log P | S) is proportional to p(log P) f(S / P) S / P for P >= S,
    f the beta density of SOW.
    """

    def likelihood(logs: np.ndarray, rows: slice) -> np.ndarray:
        share = np.log(sales[rows])[:, None] - logs
        inside = share < 0
        share = np.where(inside, share, -1.0)
        return np.where(inside, a * share + (b - 1) * np.log(-np.expm1(share)), -np.inf)

    found = potential.reweighted(likelihood)
    # Sales above anything the formula allows: only the SOW distribution is left.
    lost = np.isnan(found.table[:, 0])
    return (
        found.replaced(lost, _from_share(sales[lost], found.levels, a, b)) if lost.any() else found
    )


def _from_share(sales: np.ndarray, levels: np.ndarray, a: float, b: float) -> Distribution:
    """Potential of n accounts as sales over SOW drawn from its own distribution."""
    from scipy.stats import beta

    return Distribution(levels, sales[:, None] / beta.ppf(1 - levels, a, b)[None, :])


def _fit_beta(share: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Weighted maximum likelihood of a beta distribution for shares in (0, 1)."""
    from scipy.optimize import minimize
    from scipy.special import betaln

    share = np.clip(share, 1e-6, 1 - 1e-6)
    mean = np.average(share, weights=weights)
    variance = max(float(np.average((share - mean) ** 2, weights=weights)), 1e-6)
    size = max(mean * (1 - mean) / variance - 1, 0.5)
    left = np.average(np.log(share), weights=weights)
    right = np.average(np.log1p(-share), weights=weights)

    def loss(point: np.ndarray) -> float:
        a, b = np.exp(point)
        return float(betaln(a, b) - (a - 1) * left - (b - 1) * right)

    start = np.log([mean * size, (1 - mean) * size])
    best = minimize(loss, start, method="Nelder-Mead").x
    a, b = np.exp(np.clip(best, -3, 8))
    return float(a), float(b)


def _pinball(potential: np.ndarray, predicted: Distribution, weights: np.ndarray) -> float:
    """Mean pinball loss of log potential over levels and accounts: a proper score."""
    miss, levels = np.log(potential)[:, None] - np.log(predicted.table), predicted.levels
    loss = np.maximum(levels * miss, (levels - 1) * miss).mean(axis=1)
    return float(np.average(loss, weights=weights))
