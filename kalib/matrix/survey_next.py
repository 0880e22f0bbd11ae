"""Which accounts to visit next: where measuring potential would put most accounts right."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kalib.matrix.matrix import Matrix
from kalib.study.kept import kept
from kalib.wallet.wallet import Wallet

CHUNK = 500  # accounts whose effect on others is computed at once
OTHERS = 500  # others on whom an effect is computed; of more, a sample stands for all
# Beyond this many standard deviations of what a visit can move, a border is not crossed.
REACH = 4.0


@kept
def rank_next_survey(wallet: Wallet, matrix: Matrix) -> pd.DataFrame:
    """Accounts whose potential is estimated, by what measuring each would put right.

    Parameters
    ----------
    wallet : Wallet
        Of `estimate_wallets`.
    matrix : Matrix
        Of `place`.

    Returns
    -------
    DataFrame
        By account, best first: own, learned (potential expected no longer to lie in the wrong zone,
        currency a year), benefit (both), rank (1 is best). Empty where nothing is estimated.

    Notes
    -----
    own: the account's zone becomes known, so its potential times the probability that its zone is
    wrong is put right. learned: the visit also sharpens the formula, which moves other accounts
    near a border to their side. The expected value of information (Raiffa & Schlaifer 1961) of
    one observation, for a loss of the potential misplaced.
    """
    accounts = matrix.accounts
    told = accounts["potential_source"].isin(["formula", "formula+sales", "sales"]).to_numpy()
    index = accounts.index[told]
    potential = accounts["potential"].to_numpy(float)
    wrong = 1 - accounts["zone_probability"].to_numpy(float)[told]
    own = potential[told] * np.clip(wrong, 0.0, 1.0)
    learned = np.zeros(len(index))
    if len(index):
        sales = accounts["sales"].to_numpy(float)
        borders = [np.full(len(accounts), matrix.potential_cut)]
        if matrix.sow_cut > 0:
            borders.append(np.where(sales > 0, sales / matrix.sow_cut, np.nan))
        for border in borders:
            scores = _border_scores(wallet, border)[told]
            learned += _learned(wallet.loadings[told], scores, potential[told])
    frame = pd.DataFrame({"own": own, "learned": learned}, index=index)
    frame["benefit"] = frame["own"] + frame["learned"]
    frame = frame.sort_values("benefit", ascending=False, kind="stable")
    frame["rank"] = np.arange(1, len(frame) + 1)
    return frame


def _border_scores(wallet: Wallet, border: np.ndarray) -> np.ndarray:
    """Normal score (N,) of a border (N,) of potential in each account's own distribution, NaN
    where there is no border."""
    from scipy.special import ndtri

    edge = 0.5 / len(wallet.distribution.levels)
    chance = wallet.distribution.below(border)
    scores = ndtri(np.clip(chance, edge, 1 - edge))
    return np.where(np.isfinite(border) & (chance > 0) & (chance < 1), scores, np.nan)


def _learned(loadings: np.ndarray, scores: np.ndarray, potential: np.ndarray) -> np.ndarray:
    """Potential (m,) of other accounts that measuring each account puts right.

    Measuring one account moves another's expected score by a normal amount of standard deviation
    c, the product of their loadings. The other changes sides where that reaches its border, at
    score t; to first order the probability put right is 2 phi(0) c (phi(u) - u Phi(-u)), u = t / c.
    """
    lengths = np.sqrt((loadings**2).sum(axis=1))
    near = np.flatnonzero(np.isfinite(scores) & (np.abs(scores) < REACH * lengths * lengths.max()))
    weight = potential[near]
    if len(near) > OTHERS:
        # As many as their effect is large, each standing for as much of it (Hansen & Hurwitz 1943).
        effect = _put_right(lengths[near] * lengths.max(), np.abs(scores[near])) * weight
        steps = np.cumsum(effect) / effect.sum() * OTHERS
        times = np.diff(np.floor(steps), prepend=0.0)
        drawn = times > 0
        weight = (weight * times)[drawn] / effect[drawn] * effect.sum() / OTHERS
        near = near[drawn]
    others, distance = loadings[near], np.abs(scores[near])
    total = np.zeros(len(loadings))
    for start in range(0, len(loadings), CHUNK):
        part = slice(start, start + CHUNK)
        total[part] = _put_right(np.abs(loadings[part] @ others.T), distance) @ weight
    total[near] -= _put_right(lengths[near] ** 2, distance) * weight  # itself is no other
    return np.maximum(total, 0.0)


def _put_right(move: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """2 phi(0) c (phi(u) - u Phi(-u)) for moves c and distances t of one shape."""
    from scipy.special import ndtr

    density = 1 / np.sqrt(2 * np.pi)
    move = np.maximum(move, 1e-9)
    ratio = distance / move
    crossed = density * np.exp(-0.5 * ratio**2) - ratio * ndtr(-ratio)
    return 2 * density * move * np.maximum(crossed, 0.0)
