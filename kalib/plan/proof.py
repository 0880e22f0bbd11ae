"""Proof of what attacking brings: a part of the attack list, chosen by chance, is left as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

SEED = 29
CONFIDENCE = 0.9
POWER, LEVEL = 0.8, 0.05  # of the test that is fixed before it starts (Cohen 1988)
FEWEST_BLOCKS = 3  # below which no interval is worth stating


@dataclass(frozen=True)
class Design:
    """The test, fixed before it starts; proof.json.

    holdout: the fraction asked; blocks, held, attacked: numbers; sd: of a year's change of SOW
    among attack accounts, None where no earlier wave told it; detectable: the least difference of
    SOW found with POWER at LEVEL, None without sd; detectable_sd: the same in standard deviations.
    """

    holdout: float
    blocks: int
    held: int
    attacked: int
    sd: float | None
    detectable: float | None
    detectable_sd: float
    analysis: str = (
        "Difference of the change of SOW, sales over the potential of the earlier wave, between "
        "the accounts attacked and the one left in each block of attack_rank; mean over blocks, "
        "90 % t interval over blocks. An effect is claimed where the interval lies above 0."
    )

    def to_json(self) -> dict[str, Any]:
        """The content of proof.json."""
        return {**asdict(self), "power": POWER, "level": LEVEL, "confidence": CONFIDENCE}


@dataclass(frozen=True)
class Reading:
    """What the wave after says: the difference of SOW that attacking made, its interval, whether
    an effect is claimed, the blocks it rests on, and what it is worth on the accounts attacked,
    currency a year."""

    difference: float
    low: float
    high: float
    claimed: bool
    blocks: int
    worth: float

    def to_json(self) -> Mapping[str, Any]:
        """As part of waves.json."""
        return asdict(self)


def hold_out(rank: pd.Series, holdout: float) -> pd.Series:
    """Accounts (N,) bool left as they are: one by chance of each block of attack accounts that
    follow one another by rank.

    rank: attack_rank, missing for other accounts; holdout: the fraction to leave.
    """
    held = pd.Series(False, index=rank.index)
    if holdout > 0:
        order = rank.dropna().sort_values().index
        size = block_size(holdout)
        rng = np.random.default_rng(SEED)
        for start in range(0, len(order) - size + 1, size):  # an incomplete block holds nobody
            held[order[start + rng.integers(size)]] = True
    return held


def block_size(holdout: float) -> int:
    """Accounts of which one is left."""
    return max(2, round(1 / holdout))


def design_of(accounts: pd.DataFrame, holdout: float, sd: float | None = None) -> Design:
    """The test that the holdout makes; accounts: holdout and attack_rank; sd: of a year's change
    of SOW among attack accounts, from an earlier wave."""
    from scipy.stats import nct, t

    held, size = int(accounts["holdout"].sum()), block_size(holdout)
    free, alpha = max(held - 1, 1), LEVEL
    limit = float(t.ppf(1 - alpha / 2, free))
    # The difference within a block has the variance of one account and of the mean of the others.
    per_block = np.sqrt(1 + 1 / (size - 1))
    shifts = np.linspace(0.0, 60.0, 6001)
    found = float(shifts[np.argmax(nct.sf(limit, free, shifts) >= POWER)])
    detectable = found * per_block / np.sqrt(max(held, 1))
    return Design(
        holdout=holdout, blocks=held, held=held, attacked=held * (size - 1), sd=sd,
        detectable=None if sd is None else detectable * sd, detectable_sd=detectable,
    )  # fmt: skip


def read_proof(before: pd.DataFrame, sales: pd.Series, holdout: float) -> Reading | None:
    """What an earlier wave's holdout says; None where too few blocks are there still.

    before: accounts.csv of the earlier wave, by account: sales, potential, attack_rank, holdout;
    sales: today's, by account. Which account of a block was left was decided by chance, so that
    regression to the mean is the same in both groups (Fisher 1935).
    """
    from scipy.stats import t

    both = before.index.intersection(sales.index)
    frame = before.loc[both]
    frame = frame[frame["attack_rank"].notna() & (frame["potential"] > 0)]
    came = (sales.reindex(frame.index) - frame["sales"]) / frame["potential"]
    block = (frame["attack_rank"].astype(int) - 1) // block_size(holdout)
    held = frame["holdout"].astype(bool)
    left, attacked = (came[rows].groupby(block[rows]).mean() for rows in (held, ~held))
    difference = (attacked - left).dropna()
    count = len(difference)
    if count < FEWEST_BLOCKS:
        return None
    middle = float(difference.mean())
    reach = float(t.ppf((1 + CONFIDENCE) / 2, count - 1) * difference.std() / np.sqrt(count))
    worth = middle * float(frame.loc[~held & block.isin(difference.index), "potential"].sum())
    low, high = middle - reach, middle + reach
    return Reading(middle, low, high, low > 0, count, worth)
