"""Two waves of one market whose true moves are known: a shipped pair, and worlds of pairs.

`python -m generators.waves data` writes the shipped earlier wave anew, byte for byte.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from generators.simulate import Simulated, simulate_supermarkets, simulate_world, write_tables
from kalib.matrix.matrix import assign_zones

MARKET_GROWTH = 0.04  # of the shipped pair, in a year
MOVED = 0.08  # share of its stores that were rebuilt, larger or smaller
REBUILT = 2.2


@dataclass(frozen=True)
class Pair:
    """Two waves, and whether each account's true zone changed (bool Series by account)."""

    before: Simulated
    after: Simulated
    moved: pd.Series


def simulate_pair(
    seed: int,
    *,
    n: int = 400,
    surveyed: int = 200,
    persistence: float = 0.9,
    visible: float = 1.0,
    resurveyed: float = 1.0,
    sow_drift: float = 0.25,
) -> Pair:
    """A world in which one account in eight grew or shrank threefold between two waves.

    persistence: correlation between the waves of what the indicators do not say of an account;
    visible: part of a move (in logs) that the indicators follow; resurveyed: share of the first
    survey's accounts that are asked again, others taking the place of the rest; sow_drift:
    standard deviation of the change of shares of wallet in log odds.
    """
    world = simulate_world("multiplicative", seed, n=n, surveyed=surveyed)
    rng = np.random.default_rng([seed, 77])
    truth = world.truth["potential"].to_numpy()
    sow = world.truth["sow"].to_numpy()
    sow_later = drifted(sow, sow_drift * rng.standard_normal(n))
    factor = np.where(rng.random(n) < 0.125, rng.choice([3.0, 1 / 3], n), 1.0)
    logs = np.log(world.accounts[list(world.relevant)].to_numpy())
    known = np.column_stack([np.ones(n), logs])
    line = known @ np.linalg.lstsq(known, np.log(truth))[0]
    rest = np.log(truth) - line
    new = rng.standard_normal(n) * rest.std()
    rest = persistence * rest + np.sqrt(1 - persistence**2) * new
    later = np.exp(line + rest) * factor
    assert world.survey is not None
    asked = np.flatnonzero(world.accounts["account"].isin(world.survey["account"]))
    again = rng.choice(asked, round(resurveyed * len(asked)), replace=False)
    others = np.setdiff1d(np.arange(n), asked)
    fresh = rng.choice(others, len(asked) - len(again), replace=False)
    waves, zones = [], []
    for potential, share, scale, who in (
        (truth, sow, np.ones(n), asked),
        (later, sow_later, factor**visible, np.sort(np.concatenate([again, fresh]))),
    ):
        accounts = world.accounts.copy()
        # The slopes of the world add up to 1.5: indicators grow by the power of 1 / 1.5.
        for name in world.relevant:
            accounts[name] = (accounts[name] * scale ** (1 / 1.5)).round(2)
        accounts["sales"] = (potential * share).round(2)
        survey = pd.DataFrame(
            {"account": accounts["account"].to_numpy()[who], "potential": potential[who].round(2)}
        )
        waves.append(replace(world, accounts=accounts, survey=survey))
        values = pd.Series(potential, index=accounts["account"])
        sales = pd.Series(accounts["sales"].to_numpy(), index=values.index)
        cut, share = float(values.quantile(0.8)), float(sales.sum() / values.sum())
        zones.append(assign_zones(values, sales / values, cut, share))
    return Pair(waves[0], waves[1], zones[0] != zones[1])


def drifted(sow: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Shares of wallet (n,) after a change (n,) of their log odds; who buys nothing stays so."""
    inside = np.clip(sow, 0.01, 0.99)
    later = 1 / (1 + np.exp(-(np.log(inside / (1 - inside)) + change)))
    return np.where(sow > 0, later, 0.0)


def earlier_supermarkets(seed: int = 20250101) -> Simulated:
    """The supermarkets of the shipped study a year before: the market smaller by MARKET_GROWTH, a
    few stores rebuilt since, shares of wallet moved, a survey half of the same stores; some stores
    not open yet, and some closed since."""
    after = simulate_supermarkets()
    rng = np.random.default_rng(seed)
    accounts, truth = after.accounts.copy(), after.truth
    n = len(accounts)
    rebuilt = rng.random(n) < MOVED
    factor = np.where(rebuilt, rng.choice([REBUILT, 1 / REBUILT], n), 1.0)
    potential = truth["potential"].to_numpy() / factor / (1 + MARKET_GROWTH)
    # Of the shipped formula, area and registers together carry the power 0.9.
    for name, least in (("floor_area_m2", 40), ("cash_registers", 1), ("shelves", 4)):
        value = accounts[name].astype("Float64") / factor ** (1 / 0.9)
        accounts[name] = value.round().clip(lower=least).astype("Int64")
    sow = drifted(truth["sow"].to_numpy(), -0.05 + 0.25 * rng.standard_normal(n))
    accounts["own_sales"] = np.round(potential * sow).astype(int)
    rank = accounts["own_sales"].rank(ascending=False, method="first")
    accounts["is_ka"] = (rank <= n * 0.2).astype(int)
    accounts["years_open"] = (accounts["years_open"] - 1).clip(lower=0)
    assert after.survey is not None
    asked = np.flatnonzero(accounts["store_id"].isin(after.survey["store_id"]))
    half = rng.choice(asked, len(asked) // 2, replace=False)
    others = rng.choice(np.setdiff1d(np.arange(n), asked), len(asked) - len(half), replace=False)
    who = np.sort(np.concatenate([half, others]))
    closed = rng.random(n) < 0.015
    accounts.loc[closed, "store_id"] = [f"9{i:04d}" for i in np.flatnonzero(closed)]
    survey = pd.DataFrame({
        "store_id": accounts["store_id"].to_numpy()[who],
        "category_purchases": np.round(potential[who], -1).astype(int),
    })  # fmt: skip
    past = pd.DataFrame({
        "store_id": accounts["store_id"], "potential": potential.round(0), "sow": sow.round(4),
        "rebuilt_since": rebuilt.astype(int),
    })  # fmt: skip
    return replace(after, accounts=accounts, survey=survey, truth=past)


if __name__ == "__main__":
    write_tables(earlier_supermarkets(), Path(sys.argv[1]) / "fmcg-supermarkets-2025")
