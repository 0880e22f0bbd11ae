"""Typing errors of a factor of ten: probabilities that hold, and totals they do not lift."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from test_formula import wallet_of

from kalib.datasets.simulate import simulate_world
from kalib.formula.distribution import Distribution
from kalib.formula.suspicion import answer_wrong
from kalib.indicators.typos import error_chances, judge_entries


@pytest.mark.parametrize("rate", [0.02, 0.05])
def test_chances_add_up_to_the_errors_made(rate: float) -> None:
    made = said = found = called = 0.0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        wrong = rng.random(1500) < rate
        shift = np.log(10) * rng.choice([-1, 1], 1500) * wrong
        chance, _ = error_chances(0.5 * rng.standard_normal(1500) + shift)
        made, said = made + wrong.sum(), said + chance.sum()
        found, called = found + (wrong & (chance > 0.8)).sum(), called + (chance > 0.8).sum()
    assert said / made == pytest.approx(1, abs=0.15)
    assert found / called > 0.97 and found / made > 0.6


def test_long_tails_of_a_clean_column_are_hardly_doubted() -> None:
    rng = np.random.default_rng(0)
    shapes = (
        rng.standard_normal(1000),
        0.5 * rng.standard_t(5, 1000),
        np.log(rng.gamma(2, 1, 1000)),
    )
    for residual in shapes:
        chance, _ = error_chances(residual)
        assert (chance > 0.8).mean() <= 0.005 and chance.mean() < 0.02


def test_units_swapped_for_a_whole_region_are_named() -> None:
    rng = np.random.default_rng(4)
    common = rng.standard_normal((400, 1))
    z = 0.8 * common + 0.6 * rng.standard_normal((400, 4))
    table = pd.DataFrame(np.exp(6 + 0.7 * z), columns=list("abcd"))
    thousands = rng.random(400) < 0.15
    table.loc[thousands, "b"] /= 1000
    suspects = judge_entries(table).suspects
    assert set(suspects["cause"]) == {"a factor of a thousand too small"}
    assert set(suspects["account"]) == set(table.index[thousands])


def test_an_entry_in_doubt_makes_a_mixture() -> None:
    levels = (np.arange(64) + 0.5) / 64
    low, high = np.exp(levels)[None, :], 10 * np.exp(levels)[None, :]
    stands, meant = Distribution(levels, high), Distribution(levels, low)
    mixed = stands.mix(meant, np.array([0.25]))
    assert mixed.mean()[0] == pytest.approx(0.75 * high.mean() + 0.25 * low.mean(), rel=0.01)
    assert (mixed.table[0] < 5).mean() == pytest.approx(0.25, abs=0.02)
    np.testing.assert_allclose(stands.mix(meant, np.array([0.0])).table, high, rtol=0.01)


def test_blame_goes_to_the_entry_that_explains_the_miss() -> None:
    """All four answers lie a factor of ten above the formula."""
    accounts = pd.Index(["answer", "indicator", "no doubt", "visited"])
    miss = pd.Series(np.log(10.0), accounts)
    doubts = pd.DataFrame(
        {"probability": [0.3, 0.3, 0.3], "ratio": [0.1, 10.0, 10.0]},
        index=["answer", "indicator", "visited"],
    )
    suspect = pd.Series([True, True, True, False], accounts)
    wrong = answer_wrong(suspect, miss, doubts, np.full(4, 0.35))
    assert wrong["answer"] > 0.6  # the other indicator makes the miss worse
    assert wrong["indicator"] < 0.1
    assert wrong["no doubt"] == 1.0 and wrong["visited"] == 0.0


def test_right_answers_of_accounts_with_a_wrong_indicator_stand() -> None:
    kept = listed = errors = lost = 0
    for seed in range(2200, 2204):
        world = simulate_world("typos", seed)
        wallet, fit = wallet_of(world)
        truth = world.truth.set_index("account")["potential"].reindex(fit.oof.index)
        wrong = np.abs(np.log(fit.oof["observed"] / truth)) > 1
        called = fit.suspects.loc[fit.suspects["entry"] == "potential", "account"]
        listed, errors = listed + len(called), errors + int(wrong.sum())
        kept += int(wrong[called].sum())
        stands = wallet.accounts.loc[fit.oof.index, "potential_source"] == "measured"
        lost += int((~stands & ~wrong).sum())
    assert kept >= 0.9 * errors and kept >= 0.85 * listed
    assert lost <= 4  # of some 570 right answers
