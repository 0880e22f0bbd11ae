"""Visits to potential: truth recovered, days not believed, units understood."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from kalib.analysis import Analysis
from kalib.tables.visits import measure_potential


def simulate(stores: int = 80, days: int = 40, seed: int = 1) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    mean = np.exp(2 + 0.5 * rng.standard_normal(stores))
    week = np.array([0.8, 0.9, 0.9, 1.0, 1.1, 1.3, 1.0])
    rows = []
    for i in range(stores):
        for d in range(days):
            total = rng.poisson(mean[i] * week[d % 7])
            date = pd.Timestamp("2026-03-02") + pd.Timedelta(days=d)
            rows.append((f"s{i:02d}", date, float(rng.binomial(total, 0.3)), float(total)))
    return pd.DataFrame(rows, columns=["account", "date", "own", "total"]), mean


def test_interval_covers_the_true_potential() -> None:
    covered = []
    for seed in range(6):
        visits, mean = simulate(seed=seed)
        frame = measure_potential(visits, pd.Series(dtype=float)).frame
        truth = mean * 365
        covered.append(np.abs(np.log(frame["potential"] / truth)) < 1.645 * frame["log_sd"])
    assert 0.85 <= np.mean(covered) <= 0.96


def test_uneven_weekdays_do_not_bias_the_total() -> None:
    visits, mean = simulate()
    weekend = visits[visits["date"].dt.day_of_week >= 4]
    rest = visits[visits["date"].dt.day_of_week < 4].groupby("account").head(4)
    frame = measure_potential(pd.concat([weekend, rest]), pd.Series(dtype=float)).frame
    assert frame["potential"].sum() == pytest.approx(mean.sum() * 365, rel=0.03)


def test_stores_asked_on_few_days_are_known_less_well() -> None:
    visits, _ = simulate()
    few = visits[(visits["account"] != "s05") | (visits["date"] < "2026-03-04")]
    full = measure_potential(visits, pd.Series(dtype=float)).frame
    thin = measure_potential(few, pd.Series(dtype=float)).frame
    assert thin.at["s05", "log_sd"] > 2 * full.at["s05", "log_sd"]


def test_implausible_days_are_listed() -> None:
    visits, _ = simulate()
    visits.loc[7, "total"] = 10 * visits.loc[visits["account"] == "s00", "total"].median()
    visits.loc[100, "own"] = visits.loc[100, "total"] + 5
    copied = visits.index[visits["account"] == "s20"][:6]
    visits.loc[copied, ["own", "total"]] = (4.0, 9.0)
    always = visits["account"] == "s30"
    visits.loc[always, "total"] = 10.0
    visits.loc[always, "own"] = np.arange(always.sum()) % 4
    found = measure_potential(visits, pd.Series(dtype=float)).suspects
    kinds = found.groupby("problem")["account"].agg(set)
    assert kinds["a factor of ten"] == {"s00"}
    assert visits.loc[100, "account"] in kinds["own above total"]
    assert "s20" in kinds["copied from the day before"]
    assert kinds["always a round number"] == {"s30"}


def test_clean_visits_are_believed() -> None:
    visits, _ = simulate(seed=4)
    assert len(measure_potential(visits, pd.Series(dtype=float)).suspects) <= 3


def test_units_become_currency_by_our_own_sales() -> None:
    visits, mean = simulate()
    sales = pd.Series(mean * 0.3 * 365 * 2000, index=[f"s{i:02d}" for i in range(len(mean))])
    measured = measure_potential(visits, sales)
    assert measured.unit_value == pytest.approx(2000, rel=0.05)
    same = measure_potential(visits, sales / 2000)
    assert same.unit_value == 1.0


def test_shipped_phones_potential_is_near_the_truth(phones: Analysis) -> None:
    truth = pd.read_csv(ROOT / "data/phones-retail/truth.csv", dtype={"store_id": str})
    truth = truth.set_index("store_id")["potential"]
    assert phones.measured is not None
    found = phones.measured.frame["potential"]
    assert (found / truth.reindex(found.index)).median() == pytest.approx(1, abs=0.05)
    assert len(phones.measured.suspects) == 3


def a_year(seed: int = 7, stores: int = 60) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """A visit a week all year, the season twice as high at its peak as at its bottom."""
    rng = np.random.default_rng(seed)
    mean = np.exp(2 + 0.5 * rng.standard_normal(stores))
    season = 1 + 0.33 * np.sin(np.arange(12) / 12 * 2 * np.pi)
    dates = pd.date_range("2026-01-01", "2026-12-31")
    rows = []
    for i in range(stores):
        for date in rng.choice(dates, 52, replace=False):
            total = rng.poisson(mean[i] * season[pd.Timestamp(date).month - 1])
            rows.append((f"s{i:02d}", date, float(rng.binomial(total, 0.3)), float(total)))
    return pd.DataFrame(rows, columns=["account", "date", "own", "total"]), mean, season


def test_season_is_told_from_a_year_of_visits() -> None:
    visits, mean, season = a_year()
    measured = measure_potential(visits, pd.Series(dtype=float))
    assert measured.season is not None and measured.notes == ()
    np.testing.assert_allclose(list(measured.season.values()), season / season.mean(), atol=0.06)
    # Half of the stores asked in the high season only: the total is right all the same.
    high = visits["date"].dt.month <= 6
    odd = visits["account"].str[1:].astype(int) % 2 == 1
    measured = measure_potential(visits[high | ~odd], pd.Series(dtype=float))
    truth = mean * season.mean() * 365
    ratio = measured.frame["potential"].to_numpy() / truth[measured.frame.index.str[1:].astype(int)]
    assert ratio[1::2].mean() == pytest.approx(ratio[::2].mean(), abs=0.06)


def test_months_not_seen_lie_between_their_neighbors() -> None:
    visits, _, _ = a_year()
    rest = visits[~visits["date"].dt.month.isin([4, 5])]
    measured = measure_potential(rest, pd.Series(dtype=float))
    assert measured.season is not None
    assert measured.season[4] == pytest.approx(
        measured.season[3] + (measured.season[6] - measured.season[3]) / 3, rel=0.02
    )


def test_part_of_a_year_tells_no_season_and_says_so(phones: Analysis) -> None:
    assert phones.measured is not None and phones.measured.season is None
    (note,) = phones.measured.notes
    assert "of 12 months" in note and "March" in note


def test_days_missed_are_counted() -> None:
    visits, _ = simulate(stores=5, days=20)
    visits = visits.drop(visits.index[visits["account"] == "s03"][:6])
    frame = measure_potential(visits, pd.Series(dtype=float)).frame
    assert frame.at["s03", "days_missed"] == 6 and frame.at["s01", "days_missed"] == 0


def test_the_first_of_copied_answers_is_kept() -> None:
    visits, _ = simulate(seed=4)
    copied = visits.index[visits["account"] == "s20"][:6]
    visits.loc[copied, ["own", "total"]] = (4.0, 9.0)
    measured = measure_potential(visits, pd.Series(dtype=float))
    assert measured.frame.at["s20", "days"] == 40 - 5
