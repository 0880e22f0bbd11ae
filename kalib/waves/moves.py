"""Moves between zones from one wave to the next: how likely it is that an account truly moved."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kalib.matrix.matrix import cut_of_draws
from kalib.study.settings import MatrixSettings

ROUNDS = 500
DRAWS = 2000
BLOCK_CELLS = 2_000_000  # draws x accounts held at once: bounds memory to some 100 MB
FEWEST_TWICE = 20  # accounts known in both waves before the persistence of errors is learned
MOST_PERSISTENT = 0.98  # a correlation of 1 would leave the later error no freedom at all
SEED = 29
SHARED = "shared "  # before the number of a common factor of the errors
Two = tuple[pd.DataFrame, pd.DataFrame]  # of the waves before and after
Settings = tuple[MatrixSettings, MatrixSettings]


def persistence(first: np.ndarray, second: np.ndarray) -> float | None:
    """How far what the formula misses of an account stays with it from wave to wave: the
    correlation of its errors over accounts surveyed in both; None where they are too few.

    first, second: standardized out-of-fold errors (n,), NaN where not surveyed. By ranks
    (Spearman), turned into the correlation of the normal distribution: 2 sin(pi r / 6)
    (Pearson 1907).
    """
    from scipy.stats import spearmanr

    both = np.isfinite(first) & np.isfinite(second)
    if both.sum() < FEWEST_TWICE or np.ptp(first[both]) == 0 or np.ptp(second[both]) == 0:
        return None
    rank = float(spearmanr(first[both], second[both]).statistic)
    return float(np.clip(2 * np.sin(np.pi * rank / 6), 0.0, MOST_PERSISTENT))


def move_probability(known: Two, settings: Settings, rho: float) -> np.ndarray:
    """Probability (n,) that an account's true zone differs between the waves.

    known: what each wave knows of the n accounts, `Wave.learned` with their sales.
    The errors of the formula in the two waves are a pair of normal variables with correlation
    rho; what measurement and own sales add in each wave is a likelihood on its own error. The
    posterior of the pair is normal. Shares of wallet stay with an account too, so the growth of
    our sales tells of the growth of its potential, as exactly as it did for accounts known in
    both waves. The errors of the coefficients, which accounts share, are taken
    as independent between the waves. In each joint draw of it the cuts of both waves are computed
    anew, as in `kalib.matrix.matrix`: a border that moves takes accounts with it.
    """
    rng = np.random.Generator(np.random.SFC64(SEED))
    n = len(known[0])
    precision = np.tile(np.array([[1.0, -rho], [-rho, 1.0]]) / (1 - rho**2), (n, 1, 1))
    pull = np.empty((n, 2))
    for k, wave in enumerate(known):
        # What the wave adds to the formula's word on the error: a measurement is never exact to a
        # thousandth of it, and the posterior's mean is the center times weight / (weight + 1).
        sd = (wave["sd"] / wave["prior_sd"]).clip(lower=1e-3)
        weight = (1 / sd**2 - 1).clip(lower=0.0)
        center = (wave["mean"] - wave["prior_mean"]) / wave["prior_sd"]
        center *= (weight + 1) / weight.clip(lower=1e-9)
        precision[:, k, k] += weight
        pull[:, k] = weight * center
    told, center, gradient = _sales_growth(*known)
    precision += told[:, None, None] * gradient[:, :, None] * gradient[:, None, :]
    pull += (told * center)[:, None] * gradient
    cov = np.linalg.inv(precision)
    middle = np.einsum("nij,nj->ni", cov, pull)
    root = np.linalg.cholesky(cov)
    shared = [wave.filter(regex=f"^{SHARED}").to_numpy(float) for wave in known]
    alone = [np.sqrt(np.clip(1 - (part**2).sum(axis=1), 0, None)) for part in shared]
    told_of = [wave[["prior_mean", "prior_sd", "sd"]].to_numpy(float).T for wave in known]
    sales = [wave["sales"].to_numpy(float) for wave in known]
    moved = np.zeros(n)
    block = max(1, min(DRAWS, BLOCK_CELLS // max(n, 1)))
    for start in range(0, DRAWS, block):
        size = min(block, DRAWS - start)
        scores = rng.standard_normal((2, size, n))
        zones = []
        for k, (prior_mean, prior_sd, sd) in enumerate(told_of):
            own = root[:, k, 0] * scores[0] + root[:, k, 1] * scores[1]
            together = rng.standard_normal((size, shared[k].shape[1])) @ shared[k].T
            error = middle[:, k] + alone[k] * own
            logs = prior_mean + prior_sd * error + sd * together
            potential, share = np.exp(logs), settings[k].share_cut
            cut = cut_of_draws(potential, settings[k].potential_cut)[:, None]
            least = sales[k].sum() / potential.sum(axis=1) if share == "market" else share
            loyal = sales[k] >= np.reshape(least, (-1, 1)) * potential
            zones.append(2 * (potential >= cut).astype(np.int8) + loyal)
        moved += (zones[0] != zones[1]).sum(axis=0)
    return moved / DRAWS


def _sales_growth(before: pd.DataFrame, after: pd.DataFrame) -> tuple[np.ndarray, ...]:
    """What sales of both waves say of the two errors: precision (n,), value (n,) and gradient
    (n, 2) of the growth of potential in logs, learned from accounts known in both waves."""
    n = len(before)
    gradient = np.column_stack([-before["prior_sd"], after["prior_sd"]])
    buys = (before["sales"] > 0) & (after["sales"] > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        growth = np.log(after["sales"] / before["sales"])
        change = growth - np.log(after["observed"] / before["observed"])
    known = buys & np.isfinite(change)
    if known.sum() < FEWEST_TWICE:
        return np.zeros(n), np.zeros(n), gradient
    spread = max(float(np.std(change[known])), 0.01)
    expected = growth - change[known].mean() - (after["prior_mean"] - before["prior_mean"])
    return np.where(buys, spread**-2, 0.0), np.where(buys, expected, 0.0), gradient


def estimate_transitions(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How accounts truly moved, given their zone probabilities (n, 4) in two waves.

    Returns the joint distribution (4, 4) and each account's posterior over it (n, 4, 4). Noise
    sends many accounts over a border and back; the EM algorithm learns from all accounts how many
    moves there really were, so that an account's move is believed the less the rarer such moves
    are (regression to the mean). Where the persistence of errors is not known, this is what tells
    moves from noise.
    """
    floor = 1e-6
    marginals = [np.maximum(p.mean(axis=0), floor) for p in (first, second)]
    evidence = [np.maximum(p, floor) / m for p, m in zip((first, second), marginals, strict=True)]
    likelihood = evidence[0][:, :, None] * evidence[1][:, None, :]
    joint = 0.5 * np.diag((marginals[0] + marginals[1]) / 2)
    joint = joint + 0.5 * np.outer(*marginals)
    joint /= joint.sum()
    for _ in range(ROUNDS):
        posterior = joint * likelihood
        posterior /= posterior.sum(axis=(1, 2), keepdims=True)
        update = posterior.mean(axis=0)
        if np.abs(update - joint).max() < 1e-9:
            break
        joint = update
    return joint, posterior
