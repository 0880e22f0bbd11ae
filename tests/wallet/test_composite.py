"""Composite of visits, books and formula: nearer the truth, with intervals that hold."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from generators.simulate import simulate_phones
from kalib.analysis import Analysis, analyze
from kalib.formula.linear import least_squares
from kalib.tables.visits import measure_potential
from kalib.wallet.composite import composite, expected_without_own, with_books


def measure(
    seed: int, n: int = 150, scatter: float = 0.3
) -> tuple[pd.Series, pd.Series, pd.Series, pd.Series]:
    """True potential, what is expected of it, and a measurement right on average with its error."""
    rng = np.random.default_rng(seed)
    expected = pd.Series(np.exp(10 + rng.standard_normal(n)))
    truth = expected * np.exp(scatter * rng.standard_normal(n) - scatter**2 / 2)
    log_sd = pd.Series(rng.choice([0.05, 0.1, 0.3, 0.5], n))
    potential = truth * np.exp(log_sd * rng.standard_normal(n) - log_sd**2 / 2)
    return truth, expected, potential, log_sd


def test_interval_covers_and_total_is_unbiased() -> None:
    covered, miss, raw, total = [], [], [], []
    for seed in range(20):
        truth, expected, potential, log_sd = measure(seed)
        found = composite(potential, log_sd, expected, potential.index)
        distance = np.log(truth) - found["log_middle"]
        covered.append(distance.abs() < 1.645 * found["log_sd"])
        miss.append(distance**2)
        raw.append(np.log(truth / potential) ** 2)
        total.append(found["potential"].sum() / truth.sum() - 1)
    assert 0.87 <= np.mean(covered) <= 0.93
    assert np.mean(miss) < 0.5 * np.mean(raw)
    assert abs(np.mean(total)) < 0.01


def test_weights_are_those_of_the_two_variances() -> None:
    """Many accounts: the scatter is known, and the rest is the normal posterior in closed form."""
    _, expected, potential, log_sd = measure(1, n=20_000)
    found = composite(potential, log_sd, expected, potential.index)
    keep = 0.09 / (0.09 + log_sd**2)
    np.testing.assert_allclose(found["log_sd"], np.sqrt(keep) * log_sd, rtol=0.02)
    prior = np.log(expected) - 0.045
    middle = prior + keep * (np.log(potential) + log_sd**2 / 2 - prior)
    unbound = (middle - np.log(potential) - log_sd**2 / 2).abs() < 0.95 * log_sd
    np.testing.assert_allclose(found["log_middle"][unbound], middle[unbound], atol=0.02)


def test_answers_of_a_survey_stand_and_an_odd_store_moves_by_its_error_at_most() -> None:
    _, expected, potential, log_sd = measure(2)
    log_sd.iloc[:10] = 0.0
    potential.iloc[20], log_sd.iloc[20] = 200 * expected.iloc[20], 0.1
    found = composite(potential, log_sd, expected, potential.index)
    np.testing.assert_allclose(found["potential"].iloc[:10], potential.iloc[:10], rtol=1e-12)
    assert (found["log_sd"].iloc[:10] == 0).all()
    assert found["log_middle"].iloc[20] == pytest.approx(np.log(potential.iloc[20]) - 0.1, abs=0.01)


def test_stores_asked_on_few_days_are_drawn_to_their_peers_without_a_formula() -> None:
    _, _, potential, log_sd = measure(3)
    found = composite(potential, log_sd, None, potential.index)
    center = np.log(potential).mean()
    before, after = (np.log(potential) - center).abs(), (found["log_middle"] - center).abs()
    far = before > 1
    assert (after[far] < before[far]).all()
    few = composite(potential.iloc[:3], log_sd.iloc[:3], None, potential.index)
    np.testing.assert_allclose(few["potential"], potential.iloc[:3])


def test_expectation_is_that_of_the_formula_refitted_without_the_account(phones: Analysis) -> None:
    fit = phones.fit
    linear, row = fit.least_squares, 7
    others = np.arange(len(linear.response)) != row
    weights = None if linear.weights is None else linear.weights[others]
    again = least_squares(linear.design[others, 1:], linear.response[others], linear.names[1:],
                          weights=weights)  # fmt: skip
    account, place = fit.oof.index[fit.used][row], fit.working_rows[fit.used][[row]]
    working = np.array([linear.design[row] @ again.coef])
    expected = fit.formula.expected(working, fit.screening.values.iloc[place])[0]
    assert expected_without_own(fit)[account] == pytest.approx(expected, rel=1e-9)


def test_books_sharpen_what_visits_counted() -> None:
    """Unseen phone studies: counted alone, with the books, and all together."""
    rows = []
    for seed in range(2100, 2103):
        simulated = simulate_phones(seed=seed)
        truth = simulated.truth.set_index("store_id")["potential"]
        assert simulated.visits is not None
        names = {"store_id": "account", "own_units": "own", "total_units": "total"}
        visits = simulated.visits.rename(columns=names)
        visits["date"] = pd.to_datetime(visits["date"])
        sales = simulated.accounts.set_index("store_id")["own_sales"].astype(float)
        frame = with_books(measure_potential(visits, sales), sales).frame
        true = truth.reindex(frame.index)
        for name, error in (("counted", "counted_sd"), ("potential", "log_sd")):
            miss = np.log(frame[name] / true)
            inside = miss.abs() < 1.645 * frame[error]
            rows.append((name, float(np.sqrt((miss**2).mean())), float(inside.mean())))
    found = pd.DataFrame(rows, columns=["name", "error", "coverage"]).groupby("name").mean()
    assert found.at["potential", "error"] < 0.92 * found.at["counted", "error"]
    assert found["coverage"].between(0.84, 0.96).all()


def test_books_of_another_trade_are_left_out() -> None:
    """Books that have nothing to do with the visits are not averaged in with any weight."""
    simulated = simulate_phones(seed=2100)
    assert simulated.visits is not None
    names = {"store_id": "account", "own_units": "own", "total_units": "total"}
    visits = simulated.visits.rename(columns=names)
    visits["date"] = pd.to_datetime(visits["date"])
    sales = simulated.accounts.set_index("store_id")["own_sales"].astype(float)
    shuffled = pd.Series(np.random.default_rng(0).permutation(sales.to_numpy()), sales.index)
    measured = measure_potential(visits, shuffled)
    frame = with_books(measured, shuffled).frame
    assert (np.log(frame["potential"] / frame["counted"]).abs() < 0.15).mean() > 0.9


def test_shipped_phones_are_measured_better_than_counted(phones: Analysis) -> None:
    truth = pd.read_csv(ROOT / "data/phones-retail/truth.csv", dtype={"store_id": str})
    truth = truth.set_index("store_id")["potential"]
    accounts = phones.wallet.accounts
    measured = accounts[accounts["potential_source"] == "measured"]
    assert phones.measured is not None
    counted = phones.measured.frame.loc[measured.index, "counted"]
    true = truth.reindex(measured.index)
    inside = measured["potential_low"].le(true) & true.le(measured["potential_high"])
    settled, raw = np.log(measured["potential"] / true), np.log(counted / true)
    assert (settled**2).mean() < 0.75 * (raw**2).mean()
    assert 0.84 <= inside.mean() <= 0.96


@pytest.mark.slow
def test_a_thin_poll_does_not_flatten_the_formula() -> None:
    """Coefficients learned from few days are as large as those from many: nothing was shrunk
    before the formula was fitted."""
    simulated = simulate_phones(seed=2101)
    assert simulated.visits is not None
    study = (ROOT / "data/phones-retail/study.toml").read_text(encoding="utf-8")
    slopes = []
    for share in (1.0, 0.12):
        few = np.random.default_rng(1).random(len(simulated.visits)) < share
        with tempfile.TemporaryDirectory() as folder:
            simulated.accounts.to_csv(Path(folder) / "accounts.csv", index=False)
            simulated.visits[few].to_csv(Path(folder) / "visits.csv", index=False)
            (Path(folder) / "study.toml").write_text(study, encoding="utf-8")
            fit = analyze(folder, settings={"formula.form": "log", "indicators.max": "3"}).fit
        working = pd.Series(fit.working)
        slopes.append(float(working.quantile(0.9) - working.quantile(0.1)))
    assert slopes[1] == pytest.approx(slopes[0], rel=0.15)
