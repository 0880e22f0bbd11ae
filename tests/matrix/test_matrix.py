"""Zones, their probabilities, and key accounts against the sales ranking."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from kalib.analysis import Analysis, analyze
from kalib.matrix.matrix import assign_zones, draw_potential, zone_probabilities
from kalib.study.settings import ZONES


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
    found = zone_probabilities(wallet, study.matrix, draws=500)
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


@pytest.mark.slow
def test_currency_scales_potential_and_leaves_zones(small_study) -> None:
    before = analyze(small_study).matrix
    for file, column in (("accounts.csv", "sales"), ("survey.csv", "potential")):
        table = pd.read_csv(small_study / file, dtype={"id": str})
        table[column] *= 1024.0
        table.to_csv(small_study / file, index=False)
    after = analyze(small_study).matrix
    assert (after.accounts["zone"] == before.accounts["zone"]).all()
    np.testing.assert_allclose(
        after.accounts["potential"], 1024 * before.accounts["potential"], rtol=1e-6
    )


def test_draws_follow_each_accounts_distribution(stores: Analysis) -> None:
    wallet = stores.wallet
    rows = np.flatnonzero(wallet.accounts["potential_source"] != "measured")[:40]
    draws = draw_potential(wallet, rows, 20_000, 3)
    for level in (0.1, 0.5, 0.9):
        place = np.interp(level, wallet.distribution.levels, np.arange(64))
        left = int(place)
        table = wallet.distribution.table[rows]
        expected = table[:, left] + (place - left) * (table[:, left + 1] - table[:, left])
        found = (draws <= expected).mean(axis=0)
        np.testing.assert_allclose(found, level, atol=0.02)
