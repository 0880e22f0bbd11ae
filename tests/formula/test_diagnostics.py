"""Checks of assumptions against R's lmtest and car."""

from __future__ import annotations

import numpy as np
import pytest
from test_linear import R, store_design

from kalib.formula.checks import Check, generalized_vif, run_checks
from kalib.formula.linear import LeastSquares, least_squares


@pytest.fixture(scope="module")
def fit() -> LeastSquares:
    design, response, _, names = store_design()
    return least_squares(design, response, names)


def checks_of(fit: LeastSquares, ordered: bool = False) -> dict[str, Check]:
    return {check.key: check for check in run_checks(fit, ordered=ordered)}


@pytest.mark.parametrize("name", ["breusch_pagan", "white", "reset", "jarque_bera"])
def test_check_equals_r(name: str, fit: LeastSquares) -> None:
    found = checks_of(fit)[name]
    assert found.statistic == pytest.approx(R[name]["statistic"], rel=1e-8)
    assert found.p_value == pytest.approx(R[name]["p_value"], rel=1e-8)


@pytest.mark.parametrize("noise", [1.0, 1e-5, 0.0])
def test_spread_tests_do_not_mind_columns_that_say_nearly_the_same(noise: float) -> None:
    rng = np.random.default_rng(6)
    design = rng.standard_normal((500, 3))
    design[:, 2] = (design[:, 0] > 0) + noise * design[:, 2]
    other = design @ np.array([[1.0, 0.5, 0], [0, 2, 0], [0, 0, 3]]) + [4, 0, 10]
    response = design[:, 0] * (1 + rng.standard_normal(500))
    first = least_squares(design, response, list("abc"))
    second = least_squares(other, response, list("abc"))
    ours, theirs = checks_of(first), checks_of(second)
    for test in ("breusch_pagan", "white"):
        assert theirs[test].statistic == pytest.approx(ours[test].statistic, rel=1e-6)


def test_an_exact_formula_passes_what_is_left_to_test() -> None:
    x = np.arange(40.0)[:, None]
    fit = least_squares(x, 3 + 2 * x[:, 0], ["x"])
    for check in run_checks(fit, ordered=False):
        assert np.isfinite(check.statistic) and (check.p_value is None or check.p_value >= 0)


def test_reset_equals_statsmodels_without_weights(fit: LeastSquares) -> None:
    from statsmodels.stats.diagnostic import linear_reset

    peer = linear_reset(fit.results, power=3, test_type="fitted", use_f=True)
    assert checks_of(fit)["reset"].p_value == pytest.approx(float(peer.pvalue), rel=1e-6)


def test_durbin_watson_equals_r_dwtest(fit: LeastSquares) -> None:
    found = checks_of(fit, ordered=True)["durbin_watson"]
    assert found.statistic == pytest.approx(R["durbin_watson"]["statistic"], rel=1e-8)


def test_generalized_vif_equals_r_car_vif(fit: LeastSquares) -> None:
    groups = [[0], [1], [2], [3, 4]]
    expected = np.array(R["gvif"]) ** (1 / np.array(R["gvif_df"]))
    found = [generalized_vif(fit, columns) for columns in groups]
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_every_check_says_what_it_means(fit: LeastSquares) -> None:
    checks = run_checks(fit, ordered=True)
    assert len(checks) == 9
    for check in checks:
        assert check.meaning.endswith(".") and check.null and check.source
        assert np.isfinite(check.statistic)


def test_heteroscedastic_errors_are_noticed() -> None:
    rng = np.random.default_rng(2)
    x = rng.uniform(1, 5, (400, 1))
    spread = least_squares(x, 2 * x[:, 0] + x[:, 0] * rng.standard_normal(400), ["x"])
    assert not checks_of(spread)["breusch_pagan"].passed
    assert not checks_of(spread)["white"].passed


def test_curvature_is_noticed() -> None:
    rng = np.random.default_rng(3)
    x = rng.uniform(0, 5, (300, 1))
    bent = least_squares(x, x[:, 0] ** 2 + rng.standard_normal(300), ["x"])
    assert not checks_of(bent)["reset"].passed


def test_one_account_that_decides_is_noticed() -> None:
    rng = np.random.default_rng(4)
    x = rng.standard_normal((40, 1))
    y = x[:, 0] + 0.1 * rng.standard_normal(40)
    x[0], y[0] = 30.0, -30.0
    assert not checks_of(least_squares(x, y, ["x"]))["influence"].passed


def test_intercept_alone_has_no_checks() -> None:
    fit = least_squares(np.empty((20, 0)), np.arange(20.0), [])
    assert run_checks(fit) == ()
