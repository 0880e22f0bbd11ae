"""Share of wallet, market share, and what own sales say of potential."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from test_formula import USABLE, fit_world, wallet_of

from generators.simulate import simulate_world
from kalib.analysis import Analysis, analyze
from kalib.study.settings import FormulaSettings
from kalib.wallet.wallet import estimate_wallets, share_of_wallet


def test_share_of_wallet_is_not_clipped_and_missing_where_unknown() -> None:
    found = share_of_wallet(pd.Series([50.0, 150.0, 10.0]), pd.Series([100.0, 100.0, np.nan]))
    assert found.iloc[0] == 0.5 and found.iloc[1] == 1.5 and np.isnan(found.iloc[2])


def test_market_share_is_total_sales_over_total_potential(stores: Analysis) -> None:
    accounts = stores.wallet.accounts
    expected = accounts["sales"].sum() / accounts["potential"].sum()
    assert stores.wallet.market_share == pytest.approx(expected, rel=1e-12)
    assert stores.wallet.market_share_low < expected < stores.wallet.market_share_high


@pytest.mark.slow
def test_market_share_interval_covers() -> None:
    inside = []
    for seed in range(12):
        world = simulate_world("multiplicative", 100 + seed, n=300, surveyed=80)
        wallet, _ = wallet_of(world)
        truth = world.accounts["sales"].sum() / world.truth["potential"].sum()
        inside.append(wallet.market_share_low <= truth <= wallet.market_share_high)
    assert sum(inside) >= 9  # 90 % nominal; twelve leave two and a half sigma; benchmarks have more


def test_sow_interval_is_that_of_potential_turned_round(stores: Analysis) -> None:
    accounts = stores.wallet.accounts
    np.testing.assert_allclose(accounts["sow_low"], accounts["sales"] / accounts["potential_high"])
    np.testing.assert_allclose(accounts["sow_high"], accounts["sales"] / accounts["potential_low"])
    # What is listed lies below market share with its whole interval, but for the noise of both.
    below = accounts[accounts["below_market"]]
    assert (below["sow_high"] < 1.02 * stores.wallet.market_share).all()


def test_measured_accounts_keep_their_measurement(stores: Analysis) -> None:
    accounts = stores.wallet.accounts
    measured = accounts[accounts["potential_source"] == "measured"]
    survey = stores.potential.frame["potential"].reindex(measured.index)
    for name in ("potential", "potential_low", "potential_high"):  # an answer has no interval
        assert (measured[name] == survey).all()
    assert len(measured) == len(survey) == 219  # the 220th is a suspected entry
    assert accounts.at["00118", "potential_source"].startswith("formula")
    assert "suspect_potential" in accounts.at["00118", "flags"]


def test_imputed_and_extrapolated_accounts_are_flagged(stores: Analysis) -> None:
    accounts = stores.wallet.accounts
    missing = stores.tables.candidates["floor_area_m2"].isna()
    flagged = accounts["flags"].str.contains("imputed")
    assert flagged[missing].all()
    flag = accounts["flags"].str.contains("extrapolated")
    assert (flag == accounts["extrapolated"]).all() and flag.any()


def test_unusable_formula_gives_no_potential(nothing: Analysis) -> None:
    accounts = nothing.wallet.accounts
    asked = accounts.index.isin(nothing.potential.frame.index)
    assert nothing.verdict.verdict == "unusable"
    assert accounts.loc[~asked, "potential"].isna().all()
    assert (accounts.loc[~asked, "potential_source"] == "none").all()
    assert accounts.loc[~asked, ["sow", "sow_low", "sow_high"]].isna().all().all()


def test_potential_is_never_below_own_sales() -> None:
    world = simulate_world("multiplicative", 0)
    (tables, potential), (*_, fit) = world.as_read(), fit_world(world)
    for mode in ("formula", "auto"):
        asked = replace(fit, settings=FormulaSettings(evidence=mode))
        accounts = estimate_wallets(tables, potential, asked, USABLE).accounts
        told = accounts[accounts["potential_source"] != "measured"]
        assert set(told["potential_source"]) == {
            "formula" if mode == "formula" else "formula+sales"
        }
        assert (told["potential_low"] >= told["sales"] * (1 - 1e-9)).all()
        inside = told["potential"].between(told["potential_low"], told["potential_high"])
        assert inside.all()
        # The flag says what the formula alone expects, before sales were heard.
        flagged = told["flags"].str.contains("sow_above_1")
        assert (flagged == (told["sales"] > told["expected"])).all() and flagged.any()


@pytest.mark.slow
def test_where_large_accounts_buy_a_smaller_share_sales_do_no_harm() -> None:
    """Unseen worlds: with "auto", hits and coverage are those of the formula or better."""
    rows = []
    for seed in range(2300, 2303):
        world = simulate_world("dependent", seed)
        (tables, potential), (*_, fit) = world.as_read(), fit_world(world)
        truth = world.truth.set_index("account")["potential"]
        top = truth.nlargest(len(truth) // 5).index
        for mode in ("formula", "auto"):
            asked = replace(fit, settings=FormulaSettings(evidence=mode))
            wallet = estimate_wallets(tables, potential, asked, USABLE)
            frame = wallet.accounts
            rest = frame[~frame.index.isin(potential.frame.index)]
            true = truth.reindex(rest.index)
            inside = rest["potential_low"].le(true) & true.le(rest["potential_high"])
            hit = top.isin(frame["potential"].nlargest(len(top)).index).mean()
            rows.append((mode, hit, inside.mean()))
            assert wallet.basis.basis == ("formula" if mode == "formula" else "formula+sales")
    found = pd.DataFrame(rows, columns=["mode", "hit", "coverage"]).groupby("mode").mean()
    assert found.at["auto", "hit"] >= found.at["formula", "hit"] - 0.01
    assert found["coverage"].between(0.85, 0.95).all()


def test_evidence_formula_asks_for_the_formula_alone(small_study) -> None:
    analysis = analyze(small_study, settings={"formula.evidence": "formula"})
    assert set(analysis.wallet.accounts["potential_source"]) <= {"measured", "formula", "none"}


def test_sales_without_precedent_are_said_first(stores: Analysis) -> None:
    """One sales figure times 1,000 is bounded by itself, flagged, and named before all else."""
    accounts = stores.tables.accounts
    one = stores.wallet.accounts.query("potential_source != 'measured' and sales > 0").index[0]
    sales = accounts["sales"].where(accounts.index != one, accounts["sales"] * 1000)
    tables = replace(stores.tables, accounts=accounts.assign(sales=sales))
    found = estimate_wallets(tables, stores.potential, stores.fit, stores.verdict)
    assert f"account {one} " in found.basis.reasons[0] and found.basis.verdict == "caution"
    assert "suspect_sales" in found.accounts.at[one, "flags"]
    assert found.accounts["flags"].str.contains("suspect_sales").sum() == 1
    assert not stores.wallet.accounts["flags"].str.contains("suspect_sales").any()


@pytest.mark.parametrize(("asked", "times"), [(True, 100), (False, 50)])
def test_sales_beyond_what_is_said_or_expected_are_named(
    stores: Analysis, asked: bool, times: int
) -> None:
    """Of a small account, too: its sales are then below the largest answer, and have no precedent
    all the same."""
    small = stores.wallet.accounts.query("sales > 0 and sow < 1").sort_values("expected")
    one = small.index[(small["potential_source"] == "measured") == asked][20]
    sales = stores.tables.accounts["sales"].copy()
    sales[one] = times * small.at[one, "expected"]
    assert sales[one] < stores.potential.frame["potential"].max()
    tables = replace(stores.tables, accounts=stores.tables.accounts.assign(sales=sales))
    found = estimate_wallets(tables, stores.potential, stores.fit, stores.verdict)
    assert found.accounts.index[found.accounts["flags"].str.contains("suspect_sales")].tolist() == [
        one
    ]
    assert f"account {one} " in found.basis.reasons[0] and found.basis.verdict == "caution"
