"""The visit list: accounts below market share beyond noise, and what the gap costs us."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kalib.formula.distribution import SCORES, Distribution
from kalib.tables.visits import DAYS_A_YEAR, Measured

WINSORIZED = 0.1  # of the z-scores at either end (Spiegelhalter 2005, section 5)
WINSORIZED_SQUARE = 0.6787  # mean square of a standard normal winsorized so
CHUNK = 4000  # accounts at a time
FEWEST_UNITS = 10  # own units seen before a store says how visits and sales books agree
FEWEST_COMPARED = 2 / WINSORIZED  # stores that say so before it is known: two at either end
SHARE_POINTS = 16  # quantiles of market share that carry its uncertainty into the list


@dataclass(frozen=True)
class Scale:
    """How the visits' shares stand to the sales books'.

    ratio: our share in the visits over our share by the books; books_sd: standard deviation of
    the books' sales about the visits' in logs, beyond sampling (stock, season, errors);
    correlation: of two units sold in the same store and week, beyond the store's own share.
    """

    ratio: float
    books_sd: float
    correlation: float


def below_market(
    accounts: pd.DataFrame, distribution: Distribution, share: float, shares: np.ndarray,
    tail: float,
) -> dict[str, pd.Series | np.ndarray]:  # fmt: skip
    """Accounts below market share beyond noise: below_p, the p-value of SOW being at or above it
    (NaN where unknown), below_market, and sales_lost to the gap, currency a year, of those below.

    accounts: N rows of potential, potential_source and sales; distribution: of their potential,
    which for visited stores has heard our share of the units counted; share: market share, shares:
    draws of it; tail: one-sided.
    """
    p_value = pd.Series(np.nan, index=accounts.index)
    if len(shares):
        known = accounts["potential"].notna().to_numpy()
        points = np.quantile(shares, (np.arange(SHARE_POINTS) + 0.5) / SHARE_POINTS)
        sales = accounts["sales"].to_numpy(float)[known]
        p_value[known] = tail_from_potential(distribution[known], sales, points)
    below = below_beyond_noise(p_value, accounts["potential_source"] == "formula+sales", tail)
    lost = (share * accounts["potential"] - accounts["sales"]).clip(lower=0).where(below)
    return {"below_p": p_value, "below_market": below, "sales_lost": lost}


def below_beyond_noise(p_value: pd.Series, posterior: pd.Series, level: float) -> np.ndarray:
    """Accounts (N,) bool below market share beyond noise, at most level of them by chance.

    level is one-sided, as the ends of an interval are. P-values pass by Benjamini & Hochberg's
    rule. posterior: (N,) where own sales and the distribution of SOW went into the estimate; there
    p_value is the probability of being listed wrongly, and below level in each it is so in the
    mean (Efron 2007).
    """
    from scipy.stats import false_discovery_control

    told, values = posterior.to_numpy(bool), p_value.to_numpy(float).clip(0, 1)  # but for rounding
    below = told & (values < level)
    tested = ~told & np.isfinite(values)
    if tested.any():
        below[tested] = false_discovery_control(values[tested]) <= level
    return np.asarray(below)


def week_correlation(weeks: pd.DataFrame) -> float:
    """Correlation of units within a store's week, 0 where shares vary as by chance.

    weeks: (account, own, total). Overdispersion is that of weeks about their own store, not of
    stores about each other: how stores differ is what the list is to find. With correlation r the
    squared z-score of a week of m units has mean 1 + (m - 1) r, so that a store's variance is
    binomial plus an additive term; z-scores are winsorized (Spiegelhalter 2005).
    """
    stores = weeks.groupby("account")[["own", "total"]].transform("sum")
    share = stores["own"] / stores["total"].where(stores["total"] > 0)
    free = weeks["total"] * (1 - weeks["total"] / stores["total"])
    use = (share > 0) & (share < 1) & (free > 0) & (weeks["total"] > 1)
    if use.sum() < FEWEST_COMPARED:
        return 0.0
    residual = weeks["own"] - weeks["total"] * share
    square = _mean_square((residual / np.sqrt(free * share * (1 - share)))[use])
    size = float((weeks.loc[use, "total"] - 1).mean())
    return float(np.clip((square - 1) / size, 0.0, 1.0))


def design_effect(weeks: pd.DataFrame, correlation: float) -> pd.Series:
    """Variance of each store's share over the binomial one, 1 or more (Kish 1965)."""
    sums = weeks.assign(square=weeks["total"] ** 2).groupby("account")[["total", "square"]].sum()
    size = sums["square"] / sums["total"].where(sums["total"] > 0)
    return (1 + (size.fillna(1.0) - 1).clip(lower=0) * correlation).rename("design_effect")


def visits_scale(measured: Measured, sales: pd.Series) -> Scale:
    """Compare the visits with the sales books, over stores that say something in both."""
    frame = measured.frame
    booked = sales.reindex(frame.index).fillna(0.0)
    seen = frame["own"] * DAYS_A_YEAR * measured.unit_value
    correlation = week_correlation(measured.weeks)
    both = (booked > 0) & (seen > 0)
    ratio = float(seen[both].sum() / booked[both].sum()) if both.any() else 1.0
    enough = both & (frame["own_units"] >= FEWEST_UNITS)
    if enough.sum() < FEWEST_COMPARED:
        return Scale(ratio, 0.0, correlation)
    miss = np.log(seen[enough] / booked[enough])
    effect = design_effect(measured.weeks, correlation).reindex(frame.index)[enough]
    own, total = frame.loc[enough, "own_units"], frame.loc[enough, "total_units"]
    expected = frame.loc[enough, "counted_sd"] ** 2 + effect * (1 / own - 1 / total).clip(lower=0)
    excess = _mean_square((miss - miss.median()) / np.sqrt(expected)) - 1
    return Scale(ratio, float(np.sqrt(max(excess, 0.0) * expected.mean())), correlation)


def _mean_square(z: pd.Series) -> float:
    """Mean square of z-scores (n,), winsorized, that of a standard normal taken as 1."""
    low, high = z.quantile([WINSORIZED, 1 - WINSORIZED])
    return float((z.clip(low, high) ** 2).mean()) / WINSORIZED_SQUARE


def tail_from_potential(
    potential: Distribution, sales: np.ndarray, market_share: np.ndarray
) -> np.ndarray:
    """P-value (n,) of SOW at or above market share, from each account's potential.

    SOW is at or above market share where potential is at or below sales / market share. Errors
    that accounts share move market share with them; taking both as independent errs on the side
    of fewer accounts.
    """
    from scipy.special import ndtr

    share = market_share[market_share > 0]
    result = np.full(len(sales), np.nan)
    if len(share) == 0:
        return result
    table = potential.table
    with np.errstate(divide="ignore"):
        border = np.log(sales)[:, None] - np.log(share)[None, :]
    exact = table[:, 0] == table[:, -1]
    result[exact] = (np.exp(border[exact]) >= table[exact, :1]).mean(axis=1)
    rest = np.flatnonzero(~exact & np.isfinite(table).all(axis=1))
    for start in range(0, len(rest), CHUNK):
        part = rest[start : start + CHUNK]
        for i, row in zip(part, potential[part].logs_at(SCORES), strict=True):
            result[i] = ndtr(np.interp(border[i], row, SCORES)).mean()
    return result
