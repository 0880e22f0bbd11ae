"""The visit list: p-values that hold at the border, few false alarms, known truth found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from scipy.special import ndtr

from kalib.analysis import Analysis
from kalib.formula.distribution import SCORES, Distribution
from kalib.tables.visits import Measured, measure_potential
from kalib.wallet.composite import with_books
from kalib.wallet.visit_list import (
    below_beyond_noise,
    design_effect,
    tail_from_potential,
    visits_scale,
    week_correlation,
)


def poll(
    share: np.ndarray, mean: np.ndarray, weeks: int = 8, correlation: float = 0.0, seed: int = 0
) -> tuple[pd.DataFrame, pd.Series]:
    """Visits on every day of some weeks, and the sales that the books hold."""
    rng = np.random.default_rng(seed)
    rows = []
    for i, (p, m) in enumerate(zip(share, mean, strict=True)):
        for week in range(weeks):
            q = p if correlation == 0 else rng.beta(*(np.array([p, 1 - p]) * (1 / correlation - 1)))
            for day in range(7):
                total = rng.poisson(m)
                date = pd.Timestamp("2026-03-02") + pd.Timedelta(days=7 * week + day)
                rows.append((f"s{i:03d}", date, float(rng.binomial(total, q)), float(total)))
    visits = pd.DataFrame(rows, columns=["account", "date", "own", "total"])
    sales = pd.Series(share * mean * 365, index=[f"s{i:03d}" for i in range(len(share))])
    return visits, sales


def p_values(visits: pd.DataFrame, sales: pd.Series, share: float) -> tuple[Measured, pd.Series]:
    """Of each store's SOW being at or above a share, by what visits and books say together."""
    measured = with_books(measure_potential(visits, sales), sales)
    frame = measured.frame
    reach = np.exp(frame["log_sd"].to_numpy()[:, None] * SCORES[None, :])
    middle = frame["potential"] * np.exp(-(frame["log_sd"] ** 2) / 2)
    found = Distribution(ndtr(SCORES), middle.to_numpy()[:, None] * reach)
    booked = sales.reindex(frame.index).to_numpy()
    tail = tail_from_potential(found, booked, np.array([share]))
    return measured, pd.Series(tail, frame.index)


def test_an_unknown_account_is_never_listed() -> None:
    p, told = pd.Series([np.nan, 1e-6, 0.5, 1e-6]), pd.Series([False, False, False, True])
    np.testing.assert_array_equal(below_beyond_noise(p, told, 0.1), [False, True, False, True])
    assert not below_beyond_noise(pd.Series([np.nan]), pd.Series([False]), 0.1).any()


@pytest.mark.parametrize("correlation", [0.0, 0.1])
def test_false_alarms_at_the_border_are_at_most_the_nominal_ones(correlation: float) -> None:
    """Stores whose true share is market share itself: the hardest that are not below it."""
    alarms, listed, naive = [], [], []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        visits, sales = poll(np.full(120, 0.3), np.exp(1.5 + 0.7 * rng.standard_normal(120)),
                             correlation=correlation, seed=seed)  # fmt: skip
        measured, p = p_values(visits, sales, 0.3)
        alarms.append((p < 0.05).mean())
        listed.append(below_beyond_noise(p, pd.Series(False, p.index), 0.05).mean())
        seen = measured.frame["own_units"] / measured.frame["total_units"]
        naive.append((seen < 0.3).mean())
    # 960 stores at 5 %: three standard errors are 2 points.
    assert np.mean(alarms) <= 0.07
    assert np.mean(listed) <= 0.05 and np.mean(naive) > 10 * np.mean(listed)


def test_week_correlation_is_recovered() -> None:
    share = np.random.default_rng(2).beta(4, 9, 150)
    for true in (0.0, 0.05, 0.15):
        visits, sales = poll(share, np.full(150, 6.0), correlation=true, seed=3)
        found = week_correlation(measure_potential(visits, sales).weeks)
        assert found == pytest.approx(true, abs=0.02)


def test_design_effect_by_hand() -> None:
    weeks = pd.DataFrame({"account": ["a", "a", "b"], "own": 0.0, "total": [10.0, 30.0, 1.0]})
    found = design_effect(weeks, 0.1)
    assert found["a"] == pytest.approx(1 + (1000 / 40 - 1) * 0.1) and found["b"] == 1.0


def test_tail_from_potential_equals_the_lognormal() -> None:
    from scipy.special import ndtri
    from scipy.stats import norm

    levels = (np.arange(64) + 0.5) / 64
    table = 100 * np.exp(0.4 * ndtri(levels))[None, :].repeat(4, axis=0)
    sales = np.array([10.0, 25.0, 40.0, 0.0])
    found = tail_from_potential(Distribution(levels, table), sales, np.array([0.3]))
    with np.errstate(divide="ignore"):
        expected = norm.cdf(np.log(sales / 0.3 / 100) / 0.4)
    np.testing.assert_allclose(found, expected, atol=0.003)
    exact = tail_from_potential(Distribution.certain(np.full(2, 100.0)), np.array([29.0, 31.0]),
                                np.array([0.3]))  # fmt: skip
    assert list(exact) == [0.0, 1.0]


def test_phones_visit_list_finds_the_stores_that_lose_most(phones: Analysis) -> None:
    truth = pd.read_csv(ROOT / "data/phones-retail/truth.csv", dtype={"store_id": str})
    truth = truth.set_index("store_id")
    market = (truth["potential"] * truth["sow"]).sum() / truth["potential"].sum()
    gap = market - truth["sow"]
    assert phones.measured is not None
    for stores in (truth.index, phones.measured.frame.index):
        below = phones.wallet.accounts.loc[stores, "below_market"]
        lost = gap[stores] > 0.05
        assert (below & lost).sum() >= 0.9 * below.sum()
        assert (below & lost).sum() >= 0.8 * lost.sum()


def test_sales_lost_is_the_gap_of_the_listed(stores: Analysis) -> None:
    accounts, share = stores.wallet.accounts, stores.wallet.market_share
    below = accounts[accounts["below_market"]]
    np.testing.assert_allclose(
        below["sales_lost"], share * below["potential"] - below["sales"], atol=1e-6
    )
    assert (below["sales_lost"] > 0).all()
    assert accounts.loc[~accounts["below_market"], "sales_lost"].isna().all()


def test_the_list_is_the_studys_market_share_whatever_the_unit_of_visits() -> None:
    """Visits that see a third fewer of our units than the books do not condemn every store."""
    share = np.random.default_rng(4).beta(4, 9, 100)
    visits, sales = poll(share, np.full(100, 8.0), seed=5)
    measured = measure_potential(visits, sales * 1.3)
    scale = visits_scale(measured, sales * 1.3)
    assert scale.ratio == pytest.approx(1 / 1.3, rel=0.05)
    market = float((share * 1.3).mean())
    _, p = p_values(visits, sales * 1.3, market)
    assert (p < 0.5).mean() == pytest.approx((share * 1.3 < market).mean(), abs=0.1)
