"""Zones, their probabilities, and key accounts against the sales ranking."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from kalib.analysis import Analysis
from kalib.matrix import (
    _ordered,
    assign_zones,
    compare_rankings,
    draw_potential,
    potential_cut,
    sales_ranking,
    zone_probabilities,
)
from kalib.study import ZONES, Cut


@pytest.mark.parametrize(
    ("cut", "expected"),
    [
        (Cut(kind="quantile", value=0.8), np.quantile(np.arange(1.0, 11), 0.8)),
        (Cut(kind="top", value=3), 8.0),
        (Cut(kind="top", value=99), 1.0),
        (Cut(kind="value", value=4.5), 4.5),
        # 10 + 9 + 8 + 7 + 6 = 40 of 55 is 73 %; the fifth-largest brings it to 45 or 82 %.
        (Cut(kind="pareto", value=0.8), 5.0),
    ],
)
def test_potential_cut(cut: Cut, expected: float) -> None:
    assert potential_cut(np.arange(1.0, 11), cut) == expected


def test_an_account_on_a_cut_counts_as_high() -> None:
    potential = pd.Series([10.0, 10.0, 9.9, 9.9, np.nan])
    sow = pd.Series([0.3, 0.29, 0.3, 0.29, np.nan])
    zones = assign_zones(potential, sow, 10.0, 0.3)
    assert list(zones) == ["defense", "attack", "maintenance", "watch", ""]


def test_sales_ranking_breaks_ties_by_id() -> None:
    sales = pd.Series([5.0, 9.0, 5.0, 1.0], index=["c", "a", "b", "d"])
    assert list(sales_ranking(sales, 2)) == [False, True, True, False]


def test_rankings_compared_by_hand() -> None:
    accounts = pd.DataFrame(
        {
            "key_account": [True, True, False, False],
            "key_account_by_sales": [True, False, True, False],
            "potential": [100.0, 80.0, 20.0, 5.0],
            "sales": [50.0, 2.0, 18.0, 1.0],
        }
    )
    found = compare_rankings(accounts)
    assert found == {
        "missed": 1, "missed_potential": 80.0, "missed_sales": 2.0,
        "wrong": 1, "wrong_potential": 20.0, "wrong_sales": 18.0, "agreed": 1,
    }  # fmt: skip


def test_counts_add_up_and_key_accounts_are_attack_and_defense(stores: Analysis) -> None:
    matrix = stores.matrix
    assert sum(matrix.counts.values()) == len(matrix.accounts)
    key = matrix.accounts["zone"].isin(["attack", "defense"])
    assert (matrix.accounts["key_account"] == key).all()
    assert matrix.accounts["key_account_by_sales"].sum() == key.sum()


def test_changes_are_against_todays_list(stores: Analysis) -> None:
    accounts = stores.matrix.accounts
    today = accounts["current_ka"].astype(bool)
    assert ((accounts["change"] == "promoted") == (accounts["key_account"] & ~today)).all()
    assert ((accounts["change"] == "demoted") == (~accounts["key_account"] & today)).all()
    assert ((accounts["change"] == "kept") == (accounts["key_account"] & today)).all()


def test_zone_probabilities_equal_brute_force(phones: Analysis) -> None:
    """The same draws, every cut and zone computed one draw at a time."""
    wallet, study = phones.wallet, phones.study
    rows = np.arange(len(wallet.accounts))
    sales = wallet.accounts["sales"].to_numpy()
    potential = draw_potential(wallet, rows, 500, 11).astype(float)
    counts = {zone: np.zeros(len(rows)) for zone in ZONES}
    for draw in potential:
        share = sales.sum() / draw.sum()
        cut = np.quantile(draw, study.matrix.potential_cut.value)
        zones = assign_zones(pd.Series(draw), pd.Series(sales / draw), cut, share).to_numpy()
        for zone in ZONES:
            counts[zone] += zones == zone
    found = zone_probabilities(wallet, study, draws=500)
    for zone in ZONES:
        np.testing.assert_allclose(found[f"p_{zone}"], counts[zone] / 500, atol=0.01)


def test_zone_probabilities_add_up(stores: Analysis) -> None:
    total = stores.matrix.accounts[[f"p_{zone}" for zone in ZONES]].sum(axis=1)
    np.testing.assert_allclose(total, 1.0)


def test_zone_probabilities_are_calibrated(stores: Analysis) -> None:
    """Of accounts put in their zone with probability p, a share p is truly there."""
    truth = pd.read_csv(ROOT / "data/fmcg-supermarkets/truth.csv", dtype={"store_id": str})
    truth = truth.set_index("store_id").reindex(stores.matrix.accounts.index)
    accounts = stores.matrix.accounts
    cut = truth["potential"].quantile(0.8)
    share = accounts["sales"].sum() / truth["potential"].sum()
    true = assign_zones(truth["potential"], accounts["sales"] / truth["potential"], cut, share)
    free = accounts["potential_source"] != "measured"
    hit = (true == accounts["zone"])[free]
    chance = accounts.loc[free, "zone_probability"]
    assert hit.mean() == pytest.approx(chance.mean(), abs=0.05)
    for low, high in ((0.3, 0.6), (0.6, 0.8), (0.8, 1.01)):
        part = (chance >= low) & (chance < high)
        assert hit[part].mean() == pytest.approx(chance[part].mean(), abs=0.1)


def test_unusable_formula_places_measured_accounts_only(nothing: Analysis) -> None:
    accounts = nothing.matrix.accounts
    none = accounts["potential_source"] == "none"
    assert none.any() and (accounts.loc[none, "zone"] == "").all()
    assert not accounts.loc[none, "key_account"].any()
    assert accounts.loc[none, "zone_probability"].isna().all()


def test_currency_scales_potential_and_leaves_zones(small_study) -> None:
    before = Analysis(small_study).matrix
    for file, column in (("accounts.csv", "sales"), ("survey.csv", "potential")):
        table = pd.read_csv(small_study / file, dtype={"id": str})
        table[column] *= 1024.0
        table.to_csv(small_study / file, index=False)
    after = Analysis(small_study).matrix
    assert (after.accounts["zone"] == before.accounts["zone"]).all()
    np.testing.assert_allclose(
        after.accounts["potential"], 1024 * before.accounts["potential"], rtol=1e-6
    )


@pytest.mark.parametrize("n", [3, 100, 5_000, 40_000])
def test_order_statistics_equal_sorting(n: int) -> None:
    rng = np.random.default_rng(n)
    for row in (np.exp(rng.standard_normal(n)), np.sort(rng.random(n)), np.ones(n),
                np.repeat(rng.random(n // 10 + 1), 10)[:n]):  # fmt: skip
        row = row.astype(np.float32)
        ordered = np.sort(row)
        for left in (0, n // 7, int(0.8 * (n - 1)), n - 1):
            right = min(left + 1, n - 1)
            assert _ordered(row, left, right) == (ordered[left], ordered[right])


def test_draws_follow_each_accounts_distribution(stores: Analysis) -> None:
    wallet = stores.wallet
    rows = np.flatnonzero(wallet.accounts["potential_source"] != "measured")[:40]
    draws = draw_potential(wallet, rows, 20_000, 3)
    for level in (0.1, 0.5, 0.9):
        place = np.interp(level, wallet.levels, np.arange(64))
        left = int(place)
        table = wallet.quantiles[rows]
        expected = table[:, left] + (place - left) * (table[:, left + 1] - table[:, left])
        found = (draws <= expected).mean(axis=0)
        np.testing.assert_allclose(found, level, atol=0.02)
