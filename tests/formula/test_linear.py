"""Least squares against NIST's certified values, R and statsmodels."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from kalib.analysis import Analysis
from kalib.errors import KalibError
from kalib.formula import linear
from kalib.formula.checks import generalized_vif
from kalib.formula.linear import LeastSquares, least_squares

REFERENCE = ROOT / "tests/reference"
CERTIFIED = json.loads((REFERENCE / "nist/certified.json").read_text())
R = json.loads((REFERENCE / "r/output.json").read_text())


def digits(found: np.ndarray, certified: np.ndarray) -> float:
    """The least number of correct digits (absolute where the certified value is 0)."""
    found, certified = np.atleast_1d(found), np.atleast_1d(certified)
    size = np.where(certified == 0, 1.0, np.abs(certified))
    error = np.abs(found - certified) / size
    return float(-np.log10(np.maximum(error, 1e-16)).min())


def nist_fit(name: str) -> LeastSquares:
    case = CERTIFIED[name]
    table = pd.read_csv(REFERENCE / f"nist/{name}.csv")
    if "x" in table:
        x = table["x"].to_numpy(float)
        design = np.column_stack([x**power for power in range(1, case["degree"] + 1)])
    else:
        design = table.drop(columns="y").to_numpy(float)
    names = [f"x{j}" for j in range(design.shape[1])]
    return least_squares(design, table["y"].to_numpy(float), names, intercept=case["intercept"])


def store_design() -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    table = pd.read_csv(REFERENCE / "r/stores.csv")
    columns = [table["area"], table["registers"], table["hours"]]
    columns += [(table["format"] == level).astype(float) for level in ("hyper", "super")]
    names = ["area", "registers", "hours", "hyper", "super"]
    return np.column_stack(columns), table["y"].to_numpy(), table["w"].to_numpy(float), names


@pytest.mark.parametrize("name", CERTIFIED)
def test_fit_equals_nist_certified_values(name: str) -> None:
    case, fit = CERTIFIED[name], nist_fit(name)
    wanted = case["digits"]
    assert digits(fit.coef, np.array(case["coef"])) >= wanted
    assert digits(fit.std_error, np.array(case["std_error"])) >= wanted
    assert digits(np.array(fit.results.rsquared), np.array(case["r2"])) >= wanted
    assert digits(np.array(fit.sigma), np.array(case["sigma"])) >= wanted


@pytest.mark.parametrize("kind", ["fit", "weighted"])
def test_fit_and_influence_equal_r_lm(kind: str) -> None:
    design, response, weights, names = store_design()
    fit = least_squares(design, response, names, weights=weights if kind == "weighted" else None)
    expected = R[kind]
    for ours, theirs in (
        ("coef", "coef"), ("std_error", "std_error"), ("sigma", "sigma"),
        ("leverage", "leverage"), ("cook", "cook"), ("studentized", "rstudent"),
        ("press_residual", "press"), ("standardized", "rstandard"),
    ):  # fmt: skip
        np.testing.assert_allclose(getattr(fit, ours), expected[theirs], rtol=1e-8, err_msg=ours)
    for ours, theirs in (
        ("pvalues", "p_value"), ("rsquared", "r2"), ("rsquared_adj", "r2_adjusted"), ("fvalue", "f"),
    ):  # fmt: skip
        found = getattr(fit.results, ours)
        np.testing.assert_allclose(found, expected[theirs], rtol=1e-8, err_msg=ours)


@pytest.mark.parametrize("power", [0, 5])
def test_results_are_in_the_columns_own_units_however_these_are_conditioned(power: int) -> None:
    design, response, weights, names = store_design()
    design = design[:, :3] + 10.0**power * (power > 0)
    fit = least_squares(design, response, names[:3], weights=weights)
    assert (fit.condition_number > linear.ILL_CONDITIONED) == (power > 0)
    expected = least_squares(store_design()[0][:, :3], response, names[:3], weights=weights)
    np.testing.assert_allclose(fit.coef[1:], expected.coef[1:], rtol=1e-4 if power else 1e-12)
    np.testing.assert_allclose(fit.std_error[1:], expected.std_error[1:], rtol=1e-4)
    np.testing.assert_allclose(fit.results.HC3_se.iloc[1:], expected.results.HC3_se.iloc[1:], 1e-3)
    np.testing.assert_allclose(fit.results.predict(fit.design), fit.response - fit.residual)
    assert list(fit.results.params.index) == ["intercept", *names[:3]]
    assert "area" in str(fit.results.summary())


def test_what_is_computed_is_not_pickled() -> None:
    design, response, weights, names = store_design()
    fit = least_squares(design, response, names, weights=weights)
    before = pickle.dumps(fit)
    fit.results.summary()
    assert pickle.dumps(fit) == before
    np.testing.assert_array_equal(pickle.loads(before).coef, fit.coef)


def test_formula_json_holds_the_parameters_of_statsmodels(phones: Analysis) -> None:
    fit = phones.fit
    written = fit.formula.to_json()
    values = [written["intercept"], *(term["coefficient"] for term in written["terms"])]
    np.testing.assert_allclose(fit.results.params, values, rtol=1e-12)


def test_hc3_equals_r_car_hccm() -> None:
    design, response, _, names = store_design()
    fit = least_squares(design, response, names)
    np.testing.assert_allclose(fit.results.HC3_se, R["hc3"], rtol=1e-8)


def test_vif_equals_r_car_vif() -> None:
    design, response, _, names = store_design()
    fit = least_squares(design[:, :3], response, names[:3])
    found = [generalized_vif(fit, [j]) for j in range(3)]
    np.testing.assert_allclose(found, R["vif_numeric"], rtol=1e-8)


def test_press_equals_refitting_without_each_row() -> None:
    design, response, _, names = store_design()
    fit = least_squares(design[:60], response[:60], names)
    for i in (0, 17, 59):
        keep = np.arange(60) != i
        rest = least_squares(design[:60][keep], response[:60][keep], names)
        left_out = response[i] - rest.coef[0] - design[i] @ rest.coef[1:]
        assert fit.press_residual[i] == pytest.approx(left_out, rel=1e-9)


def test_collinear_column_is_named() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((30, 2))
    design = np.column_stack([x, x[:, 0] + x[:, 1]])
    with pytest.raises(KalibError, match="third"):
        least_squares(design, rng.standard_normal(30), ["first", "second", "third"])


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(KalibError, match="too few"):
        least_squares(np.eye(3), np.ones(3), list("abc"))
