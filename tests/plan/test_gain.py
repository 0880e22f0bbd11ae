"""What can be won, which part of it comes, and what a holdout proves: by hand and by simulation."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kalib.analysis import analyze
from kalib.formula.distribution import Distribution
from kalib.plan.gain import (
    Attainment,
    attainment_since,
    expect_gains,
    gain_points,
    learn_attainment,
    prior_attainment,
)
from kalib.plan.proof import block_size, design_of, hold_out, read_proof


def wallet_of(n: int, seed: int = 0, sd: float = 0.4) -> Any:
    rng = np.random.default_rng(seed)
    middle = rng.normal(8, 1, n)
    table = Distribution.lognormal(middle, np.full(n, sd))
    potential = table.mean()
    sales = potential * rng.beta(2, 4, n)
    accounts = pd.DataFrame(
        {"potential": potential, "sales": sales, "sow": sales / potential, "segment": "",
         "zone": rng.choice(["attack", "watch"], n)},
        index=pd.Index([f"a{i:04d}" for i in range(n)], name="account"),
    )  # fmt: skip
    return SimpleNamespace(
        accounts=accounts, market_share=float(sales.sum() / potential.sum()), distribution=table,
        loadings=np.full((n, 1), 0.5, np.float32),
    )  # fmt: skip


def test_winnable_is_the_expected_gap_to_peers() -> None:
    wallet = wallet_of(40)
    gains = expect_gains(wallet, prior_attainment(0.4))
    rng = np.random.default_rng(3)
    for place, (account, row) in enumerate(wallet.accounts.iterrows()):
        log = np.log(wallet.distribution.table[place]).mean()
        drawn = np.exp(log + 0.4 * rng.standard_normal(40_000))
        peer = gains.at[account, "peer_sow"]
        gap = peer * drawn - row["sales"]
        size = row["potential"]
        assert gains.at[account, "winnable"] / size == pytest.approx(
            np.maximum(gap, 0).mean() / size, abs=0.01
        )
        assert gains.at[account, "win_chance"] == pytest.approx((gap > 0).mean(), abs=0.03)
        lost = np.maximum(row["sales"] - wallet.market_share * drawn, 0).mean()
        assert gains.at[account, "at_risk"] / size == pytest.approx(lost / size, abs=0.01)
    assert gains["expected_gain"].equals((0.4 * gains["winnable"]).rename("expected_gain"))


def test_unknown_potential_has_no_gain() -> None:
    wallet = wallet_of(10)
    wallet.accounts.loc["a0003", ["potential", "sow"]] = np.nan
    wallet.distribution.table[3] = np.nan
    gains = expect_gains(wallet, prior_attainment(0.5))
    names = ["winnable", "win_chance", "at_risk", "expected_gain"]
    assert gains.loc["a0003", names].isna().all() and gains.drop(index="a0003").notna().all(
        axis=None
    )


def test_points_of_the_total_equal_brute_force() -> None:
    """Errors that accounts share do not average out."""
    wallet = wallet_of(60, seed=5)
    peer = pd.Series(0.5, index=wallet.accounts.index)
    chosen = pd.Series(np.arange(60) < 40, index=wallet.accounts.index)
    points = gain_points(wallet, peer, chosen, Attainment(0.3, 0.1, 0.5))
    rng = np.random.default_rng(8)
    shared = rng.standard_normal((20_000, 1))
    score = 0.5 * shared + np.sqrt(0.75) * rng.standard_normal((20_000, 40))
    middle = np.log(wallet.distribution.table[:40]).mean(axis=1)
    sales = wallet.accounts["sales"].to_numpy()[:40]
    won = np.maximum(0.5 * np.exp(middle + 0.4 * score) - sales, 0).sum(axis=1)
    part = np.clip(rng.normal(0.3, 0.1, 20_000), 0, 1)
    for point, value in points.items():
        assert value == pytest.approx(np.quantile(won * part, point), rel=0.08)
    assert gain_points(wallet, peer, chosen & False, prior_attainment(0.5))[0.9] == 0.0


def two_waves(seed: int, attained: float, n: int = 500) -> tuple[pd.DataFrame, pd.Series]:
    """A wave that asked its attack accounts for growth, and what came: every account drifts back
    to the mean by a part of its gap, asked or not."""
    rng = np.random.default_rng(seed)
    potential = np.exp(rng.normal(8, 1, n))
    gap = potential * rng.beta(2, 6, n)
    sales = potential * 0.4 - gap * 0.9
    zone = np.where(potential > np.quantile(potential, 0.6), "attack", "watch")
    came = 0.15 * gap + potential * rng.normal(0, 0.05, n)
    came += np.where(zone == "attack", attained * gap * rng.uniform(0.5, 1.5, n), 0)
    names = pd.Index([f"a{i:04d}" for i in range(n)], name="account")
    before = pd.DataFrame(
        {"sales": sales, "potential": potential, "zone": zone, "winnable": gap,
         "target_growth": np.where(zone == "attack", 0.5 * gap, 0.0)},
        index=names,
    )  # fmt: skip
    return before, pd.Series(sales + came, index=names)


@pytest.mark.parametrize("attained", [0.0, 0.1, 0.3, 0.6])
def test_attainment_is_learned_within_its_interval(attained: float) -> None:
    """Sixty pairs of waves; the prior of 0.5 draws extremes a little to itself."""
    found = [learn_attainment(*two_waves(seed, attained), 0.5) for seed in range(60)]
    inside = [abs(a.mean - attained) <= 1.645 * a.sd for a in found]
    assert np.mean(inside) >= 0.8
    assert np.mean([a.mean for a in found]) == pytest.approx(attained, abs=0.06)
    assert all(a.learned and a.sd < 0.2 for a in found)


def test_without_an_earlier_wave_the_study_states_it() -> None:
    before, sales = two_waves(1, 0.3)
    for table in (before[:30], before.assign(target_growth=0.0), before.drop(columns="winnable")):
        found = learn_attainment(table, sales, 0.4)
        assert not found.learned and found.mean == 0.4 and np.isnan(found.asked)


@pytest.mark.slow
def test_attainment_of_the_shipped_waves_is_small() -> None:
    """Nothing was done to the simulated stores between the waves: what came is drift."""
    from conftest import ROOT

    earlier = analyze(ROOT / "data/fmcg-supermarkets-2025")
    sales = analyze(ROOT / "data/fmcg-supermarkets").tables.accounts["sales"]
    found = learn_attainment(earlier.plan.accounts, sales, 0.5)
    assert found.learned and found.mean < 0.2
    assert found.came / found.asked < 0.1


def ranks(n: int, rest: int = 40) -> pd.Series:
    place = pd.Series(range(1, n + 1), index=[f"a{i:03d}" for i in range(n)], dtype="Int64")
    return pd.concat([place, pd.Series(pd.NA, [f"w{i}" for i in range(rest)], dtype="Int64")])


def test_one_account_of_each_block_is_left() -> None:
    rank = ranks(75)
    held = hold_out(rank, 0.15)
    assert block_size(0.15) == 7 and held.sum() == 10 and not held[rank.isna()].any()
    block = (rank[held].astype(int) - 1) // 7
    assert block.is_unique
    assert held.equals(hold_out(rank, 0.15)) and not hold_out(rank, 0.0).any()
    assert not hold_out(ranks(5), 0.15).any(), "no block is complete"


def one_proof(seed: int, uplift: float) -> tuple[Any, float]:
    rng = np.random.default_rng(seed)
    rank = ranks(140)
    before = pd.DataFrame(
        {"attack_rank": rank, "holdout": hold_out(rank, 0.2),
         "potential": np.exp(rng.normal(8, 1, len(rank))), "sales": 100.0}
    )  # fmt: skip
    attacked = before["attack_rank"].notna() & ~before["holdout"]
    came = rng.normal(0.03, 0.1, len(rank)) + np.where(attacked, uplift, 0)
    return read_proof(before, before["sales"] + came * before["potential"], 0.2), uplift


@pytest.mark.slow
def test_proof_claims_nothing_where_nothing_is_and_recovers_what_is() -> None:
    """An effect of 0 is claimed in at most one of twenty; intervals hold nine times in ten."""
    null = [one_proof(seed, 0.0)[0] for seed in range(300)]
    assert np.mean([r.claimed for r in null]) <= 0.08  # 0.05 and two standard errors of 300
    real = [one_proof(seed, 0.08)[0] for seed in range(300)]
    assert np.mean([r.low <= 0.08 <= r.high for r in real]) == pytest.approx(0.9, abs=0.05)
    assert np.mean([r.claimed for r in real]) > 0.5


def test_power_is_what_was_printed() -> None:
    """With the detectable difference the two-sided test at 5% finds it four times in five."""
    rank = ranks(140)
    frame = pd.DataFrame({"attack_rank": rank, "holdout": hold_out(rank, 0.2)})
    design = design_of(frame, 0.2, sd=0.1)
    assert design.blocks == 28 and design.attacked == 112 and design.detectable is not None
    rng = np.random.default_rng(2)
    size, found = block_size(0.2), 0
    for _ in range(2000):
        left = rng.normal(0, 0.1, design.blocks)
        won = rng.normal(design.detectable, 0.1, (design.blocks, size - 1)).mean(axis=1)
        gap = won - left
        found += abs(gap.mean() / (gap.std(ddof=1) / np.sqrt(len(gap)))) > 2.0518
    assert found / 2000 == pytest.approx(0.8, abs=0.03)
    assert design_of(frame, 0.2).detectable is None
    assert design.to_json()["power"] == 0.8


def test_too_few_blocks_say_nothing() -> None:
    rank = ranks(14)
    before = pd.DataFrame(
        {"attack_rank": rank, "holdout": hold_out(rank, 0.2), "potential": 10.0, "sales": 1.0}
    )
    assert read_proof(before, before["sales"], 0.2) is None


def test_a_report_in_another_currency_or_none_tells_nothing(tmp_path: Path, phones: Any) -> None:
    before, sales = two_waves(1, 0.3)
    before.reset_index().to_parquet(tmp_path / "accounts.parquet")
    accounts, study = pd.DataFrame({"sales": sales}), phones.study
    for currency, learned in ((study.currency, True), ("GBP", False)):
        about = {"parameters": {"study": {"currency": currency}}}
        (tmp_path / "run.json").write_text(json.dumps(about), encoding="utf-8")
        assert attainment_since(tmp_path, accounts, study).learned == learned
    (tmp_path / "run.json").write_text("[broken", encoding="utf-8")
    for folder in ("", tmp_path, tmp_path / "none"):
        assert attainment_since(folder, accounts, study) == prior_attainment(0.5)
