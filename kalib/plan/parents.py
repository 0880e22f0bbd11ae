"""Chains as they buy: potential, share, zone and target of parents, from their accounts' draws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from kalib.formula.distribution import Distribution
from kalib.matrix.matrix import place
from kalib.study.settings import Study
from kalib.wallet.wallet import Wallet, with_intervals

DRAWS, SEED = 4000, 23
TOGETHER = 64  # parents drawn at once
CELLS = 16_000_000  # draws x accounts held at once: 64 MB of 32-bit numbers
SUMMED = (
    "sales", "expected_gain", "target_sales", "target_growth", "target_floor", "target_stretch",
    "target_profit",
)  # fmt: skip
TOTALS = ("potential", "winnable", "at_risk", "visits_per_year", *SUMMED)


def plan_parents(accounts: pd.DataFrame, wallet: Wallet, study: Study) -> pd.DataFrame:
    """One row per parent, with the columns of the accounts.

    accounts: of the plan (N rows), in the wallet's order, with `parent`, "" where there is none.

    Sales, potential, gains and targets are the sums of the parent's accounts, exactly; intervals
    and zones come from joint draws of their potentials, so that what accounts' errors share is in
    them. Parents are placed among parents by the study's cuts. Empty without parents.
    """
    known = accounts[(accounts["parent"] != "") & accounts["potential"].notna()]
    if known.empty:
        return accounts.iloc[:0].rename_axis("parent").assign(accounts=0)
    code, names = pd.factorize(known["parent"], sort=True)
    rows = accounts.index.get_indexer(known.index)
    cents = known[list(TOTALS)].round(study.digits)  # as accounts.csv has them
    sums = cents.groupby(known["parent"]).sum()
    frame = sums.join(_described(known)).assign(accounts=known.groupby("parent").size())
    potential, loadings = _together(wallet, rows, code, len(names))
    tail = (1 - study.formula.confidence) / 2
    point = frame["potential"].to_numpy()
    frame = frame.assign(**with_intervals(point, potential, tail, frame["sales"]))
    frame["below_market"] = (frame["sow_high"] < wallet.market_share).to_numpy()
    whole = replace(wallet, accounts=frame, distribution=potential, loadings=loadings)
    placed = place(whole, study.matrix).accounts
    placed["target_sow"] = placed["target_sales"] / placed["potential"]
    placed["growth_rate"] = placed["target_growth"] / placed["sales"].where(placed["sales"] > 0)
    return placed


def _described(known: pd.DataFrame) -> pd.DataFrame:
    """What is said of a parent: the source of most of its potential, and whether any account of it
    is extrapolated or a key account today."""
    groups = known.groupby("parent")
    by_source = (
        known.groupby(["parent", "potential_source"])["potential"].sum().unstack(fill_value=0)
    )
    return pd.DataFrame(
        {
            "name": list(groups.groups),
            "region": "", "segment": "", "rep": "", "flags": "",
            "potential_source": by_source.idxmax(axis=1),
            "extrapolated": groups["extrapolated"].any(),
            "current_ka": groups["current_ka"].max(),
        }
    )  # fmt: skip


def _together(
    wallet: Wallet, rows: np.ndarray, code: np.ndarray, count: int
) -> tuple[Distribution, np.ndarray]:
    """The distribution of each parent's potential, and the loadings of what parents share.

    rows: accounts (n,); code: (n,) the parent of each, below count. Some parents are drawn at a
    time: a column of loadings for each is what its accounts alone have in common.
    """
    from scipy.sparse import csr_array

    levels, table, loadings = wallet.distribution.levels, [], []
    for chains in np.array_split(np.arange(count), -(-count // TOGETHER)):
        of = np.flatnonzero((code >= chains[0]) & (code <= chains[-1]))
        each, shared = wallet.distribution[rows[of]], wallet.loadings[rows[of]]
        kin = wallet.kin[rows[of], None] * (code[of, None] == chains)
        both = np.hstack([shared, kin]).astype(np.float32)
        places = np.arange(len(of)), code[of] - chains[0]
        member = csr_array((np.ones(len(of), np.float32), places))
        size = max(1, min(DRAWS, CELLS // len(of)))
        drawn = np.concatenate(
            [each.draws(size, both, SEED + k) @ member for k in range(-(-DRAWS // size))]
        )
        table.append(np.quantile(drawn, levels, axis=0).T.astype(np.float32))
        parts = member.T @ (shared * each.sd()[:, None])
        loadings.append(parts / np.maximum(drawn.std(axis=0), 1e-12)[:, None])
    return Distribution(levels, np.vstack(table)), np.vstack(loadings).astype(np.float32)
