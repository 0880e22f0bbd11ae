"""Typing errors of a factor of ten: how likely each entry is one, and what it would have been."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd

from kalib.indicators.imputation import dummies, fill_gaps, working_scale

# Robust z beyond which an entry with a typing error's size (a factor of ten) is suspected: a
# two-sided normal tail of 5e-4.
SUSPECT_Z = 3.5
LEAST_SHIFT = float(np.log(3))  # an entry off by less is taken for an unusual account
# A digit or a decimal mark too many; two; and a unit swapped for its thousand.
FACTORS = (10.0, 100.0, 1000.0)
FACTOR_WORDS = ("ten", "a hundred", "a thousand")
BISQUARE_C = 4.685  # 95 % efficient at the normal (Huber & Ronchetti 2009, section 7)
LINE_RIDGE = 1e-6
# Entries typed by hand are wrong in about one of a hundred (Barchard & Pace 2011, Computers in
# Human Behavior 27): the prior counts for 50 entries.
PRIOR_WRONG, PRIOR_ENTRIES = 0.5, 50.0
# Unless the share of one side of a column is surely below this, a factor of ten or a hundred is a
# feature of the accounts (hypermarkets among corner shops); no trade has a gap of a thousand.
MOST_ERRORS = np.array([0.13, 0.13, 0.5])
SET_ASIDE = 0.5  # an entry more likely wrong than this is treated as missing
LEAST_CHANCE = 0.01  # below which no error has a size
SUSPECT_COLUMNS = ["account", "entry", "value", "expected_low", "expected_high", "cause"]
EM_ROUNDS = 60
LARGEST_CODE = 100.0
PRECEDENT = 3  # accounts that have the very value: it is no slip
MOST_OTHERS = 30  # columns that one is expected from, those that go with it most
FEWEST = 20  # accounts below which no pattern of errors can be told
ENOUGH = 2000  # accounts that a line is laid through; of more, as many spread over the table


def judge_entries(values: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Set the entries aside that are likelier typing errors than not.

    values: N accounts x indicators. Returns them with those entries missing, and what they are:
    DataFrame (account, entry, value, expected_low, expected_high, cause). One entry an account and
    round, the worst first: a wrong entry spoils the expectation of the account's other entries too.
    Columns that end at a hundred are percentages, codes or counts and stand, and so does a 1, and
    what other accounts have, too.
    """
    scale, logged = working_scale(values)
    names = [n for n in scale.columns if n in logged
             and values[n].nunique() > 5 and values[n].max() > LARGEST_CODE]  # fmt: skip
    if len(names) < 2 or len(values) < FEWEST:
        return values, pd.DataFrame(columns=SUSPECT_COLUMNS)
    given, own = values, scale[names].to_numpy()
    stands = np.column_stack(
        [values[n].eq(1) | (values[n].map(values[n].value_counts()) >= PRECEDENT) for n in names]
    )
    removed = np.zeros(own.shape, dtype=bool)
    for _ in range(3):
        residual, spread = _residuals(values, names, own)
        chance, shift = np.zeros(own.shape), np.zeros(own.shape)
        for j in range(len(names)):
            known = np.isfinite(residual[:, j])
            chance[known, j], shift[known, j] = error_chances(residual[known, j])
        chance[stands | removed] = 0.0
        worst = chance.argmax(axis=1)
        new = np.flatnonzero(chance.max(axis=1) > SET_ASIDE)
        if len(new) == 0:
            break
        removed[new, worst[new]] = True
        values = given.mask(pd.DataFrame(removed, given.index, names).reindex(
            columns=given.columns, fill_value=False))  # fmt: skip
    suspects = [
        (given.index[i], names[j], *suspect(given[names[j]].iloc[i], residual[i, j],
                                            shift[i, j], spread[j]))
        for i, j in np.argwhere(removed)
    ]  # fmt: skip
    return values, pd.DataFrame(suspects, columns=SUSPECT_COLUMNS)


def suspect(
    value: float, residual: float, shift: float, spread: float
) -> tuple[float, float, float, str]:
    """An entry that misses its expectation by residual, in logs: what it is, what it would be
    within (90 %, spread) and why it is not."""
    middle, margin = value / np.exp(residual), np.exp(1.645 * spread)
    return float(value), middle / margin, middle * margin, factor_cause(shift)


def error_chances(
    residual: np.ndarray, most: np.ndarray = MOST_ERRORS
) -> tuple[np.ndarray, np.ndarray]:
    """How likely each entry is wrong by a factor of ten, a hundred or a thousand.

    residual: (n,) log entry less its expectation; most: (3,) share of one side that may be wrong by
    each factor, beyond which it is a feature, or several of them (v, 3). Returns the probability
    (n,) and the log shift (n,) of the likeliest error, 0 where there is none, or (v, n).

    Each side of the residuals is a mixture: right entries about nought, and wrong
    ones about the log factors, as scattered as the right ones. The shares are found by EM; the
    length of the tail is averaged over by likelihood. So a long tail explains itself, and only
    entries that stand apart, where errors would lie, are called so.
    """
    chance, shift = np.zeros((2, *most.shape[:-1], len(residual)))
    centered = residual - np.median(residual)
    for side in (1.0, -1.0):
        rows = np.flatnonzero(centered * side > 0)
        if len(rows) < FEWEST // 2:
            continue
        wrong = _mixture(centered[rows] * side, most)
        chance[..., rows] = wrong.sum(axis=-1)
        shift[..., rows] = side * np.log(FACTORS)[wrong.argmax(axis=-1)]
    return chance, np.where(chance > LEAST_CHANCE, shift, 0.0)


def _mixture(size: np.ndarray, most: np.ndarray) -> np.ndarray:
    """Probability (..., m, 3) of each factor for residuals of one side (m,), all above nought."""
    factors = np.log(FACTORS)
    scores, chances = [], []
    for density, quartile in _tails():
        spread = max(float(np.median(size)) / quartile, 1e-9)
        right = 2 * density(size / spread) / spread + 1e-300
        wrong = density((size[:, None] - factors) / spread) / spread
        near = wrong.max(axis=1) > 1e-9 * right  # the rest are right whatever the shares
        some, all_right = wrong[near], right[near]
        share = np.full(len(factors), PRIOR_WRONG / PRIOR_ENTRIES)
        for _ in range(EM_ROUNDS):
            total = (1 - share.sum()) * all_right + some @ share
            found = share * ((1 / total) @ some)
            used, share = share, (found + PRIOR_WRONG) / (len(size) + PRIOR_ENTRIES)
            if np.abs(share - used).max() < 1e-5:
                break
        prior = PRIOR_WRONG * np.log(share).sum() + PRIOR_ENTRIES * np.log1p(-share.sum())
        likelihood = np.log(total).sum() + np.log((1 - share.sum()) * right[~near]).sum()
        scores.append(float(likelihood + prior))
        crowd = found / len(size)
        few = crowd + np.sqrt(crowd * (1 - crowd) / len(size)) <= most
        chance = np.zeros((*most.shape[:-1], *wrong.shape))
        chance[..., near, :] = np.where(few[..., None, :], some * used / total[:, None], 0.0)
        chances.append(chance)
    weight = np.exp(np.array(scores) - max(scores))
    return np.tensordot(weight / weight.sum(), np.array(chances), axes=1)


@cache
def _tails() -> tuple[tuple[Callable[[np.ndarray], np.ndarray], float], ...]:
    """Shapes of right entries, averaged over, each as (density, upper quartile): t distributions,
    long tails to short, and two whose logs fall in a line or nearly."""
    from scipy.special import gamma, gammaincinv, stdtrit

    def student(freedom: float) -> Callable[[np.ndarray], np.ndarray]:
        size = gamma((freedom + 1) / 2) / gamma(freedom / 2) / np.sqrt(freedom * np.pi)
        return lambda x: size * (1 + x * x / freedom) ** (-(freedom + 1) / 2)

    def exponential(power: float) -> Callable[[np.ndarray], np.ndarray]:
        size = power / 2 / gamma(1 / power)
        return lambda x: size * np.exp(-(np.abs(x) ** power))

    return (
        *((student(f), float(stdtrit(f, 0.75))) for f in (3.0, 5.0, 9.0, 20.0, 200.0)),
        *((exponential(p), float(gammaincinv(1 / p, 0.5) ** (1 / p))) for p in (1.0, 1.4)),
    )


def _residuals(
    values: pd.DataFrame, names: list[str], own: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Log entries (N, k) as given less what the believed others say, NaN where none was given,
    and their robust spread (k,)."""
    filled = working_scale(fill_gaps(values)[0])[0][names].to_numpy()
    levels = dummies(values)
    residual = np.full(own.shape, np.nan)
    spread = np.zeros(len(names))
    for j, name in enumerate(names):
        others = np.column_stack([np.delete(filled, j, axis=1), levels])
        known = np.flatnonzero(values[name].notna())
        known = known[:: max(len(known) // ENOUGH, 1)]
        if others.shape[1] > MOST_OTHERS:
            related = np.corrcoef(others[known].T, own[known, j])[-1, :-1]
            others = others[:, np.sort(np.abs(related).argsort()[-MOST_OTHERS:])]
        line = robust_line(others[known], own[known, j], rounds=10)
        residual[:, j] = own[:, j] - line[0] - others @ line[1:]
        spread[j] = robust_scale(residual[known, j])
    return residual, spread


def robust_line(design: np.ndarray, response: np.ndarray, rounds: int = 20) -> np.ndarray:
    """Coefficients (p + 1,), intercept first, of a robust regression of response (n,) on design
    (n, p): least absolute deviations by reweighting, then Tukey's bisquare."""
    center, scale = design.mean(axis=0), design.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    rows = np.column_stack([np.ones(len(response)), (design - center) / scale])
    penalty = LINE_RIDGE * len(response) * np.eye(rows.shape[1])
    weight = np.ones(len(response))
    coef = np.zeros(rows.shape[1])
    for step in range(rounds):
        root = np.sqrt(weight)
        weighted = rows * root[:, None]  # a product with itself is summed up in half the time
        coef = np.linalg.solve(weighted.T @ weighted + penalty, weighted.T @ (root * response))
        residual = response - rows @ coef
        spread = robust_scale(residual, rows.shape[1])
        if spread < 1e-12:
            break
        if step < rounds // 2:
            weight = 1.0 / np.maximum(np.abs(residual) / spread, 0.1)
        else:
            weight = np.maximum(1 - (residual / (BISQUARE_C * spread)) ** 2, 0) ** 2 + 1e-9
    slopes = coef[1:] / scale
    return np.append(coef[0] - slopes @ center, slopes)


def robust_scale(residual: np.ndarray, parameters: int = 0) -> float:
    """Median absolute deviation of residuals (n,), as a normal standard deviation."""
    freedom = max(len(residual) - parameters, 1)
    return float(1.4826 * np.median(np.abs(residual)) * np.sqrt(len(residual) / freedom))


def factor_reach(spread: float) -> float:
    """How far from the log of a factor a shift is still put down to it: less than half of the way
    to the next."""
    return min(3 * spread, 0.45 * float(np.log(10)))


def factor_cause(shift: float) -> str:
    """The factor nearest to exp(shift) as a cause."""
    words = FACTOR_WORDS[int(np.abs(np.log(FACTORS) - abs(shift)).argmin())]
    return f"a factor of {words} too {'large' if shift > 0 else 'small'}"
