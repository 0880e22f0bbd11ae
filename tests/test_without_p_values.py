"""Comparisons whose p-value is not a number: each says what it does where there is nothing to test."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from kalib.analysis import analyze
from kalib.formula import predictive
from kalib.formula.checks import run_checks
from kalib.formula.linear import least_squares
from kalib.formula.survey import survey_bias
from kalib.report import tables
from kalib.tables.overrides import expert_bias
from kalib.wallet.visit_list import below_beyond_noise
from kalib.waves.drift import TERMS, TESTS, Drift
from kalib.waves.moves import persistence
from kalib.words.catalogue import Words


def test_equal_sales_do_not_say_who_was_surveyed() -> None:
    rng = np.random.default_rng(1)
    surveyed = np.arange(60) < 40
    bias = survey_bias(rng.standard_normal((60, 2)), np.full(60, 500.0), surveyed)
    assert not bias.biased and bias.p_value == 1 and (bias.weights == 1).all()


def test_a_study_of_equal_sales_is_not_called_biased(small_study: Path) -> None:
    frame = pd.read_csv(small_study / "accounts.csv", dtype=str)
    frame.assign(sales="500").to_csv(small_study / "accounts.csv", index=False)
    verdict = analyze(small_study).verdict
    assert not verdict.survey_biased
    assert not any("leans toward our own" in check.meaning for check in verdict.checks)


@pytest.mark.parametrize("slope", [3.0, 0.0])
def test_a_fit_without_errors_has_p_values_and_no_influential_account(slope: float) -> None:
    x = np.arange(20.0)[:, None]
    checks = {c.name: c for c in run_checks(least_squares(x, 2 + slope * x[:, 0], ["a"]))}
    assert all(c.p_value is None or np.isfinite(c.p_value) for c in checks.values())
    assert checks["Influence (largest Cook's distance)"].passed


def test_levels_without_errors_have_one_spread() -> None:
    texts = pd.DataFrame({"kind": ["a", "b"] * 20})
    assert predictive.find_level_spread(texts, np.zeros(40), np.ones(40)) is None


def test_waves_that_can_not_be_compared_are_said_to_be_so() -> None:
    nan = float("nan")
    tests = pd.DataFrame([["whole formula", nan, 2, 30, nan, nan, nan],
                          ["slopes", nan, 1, 30, nan, 0.1, 0.1]], columns=TESTS)  # fmt: skip
    drift = Drift(tests, pd.DataFrame(columns=TERMS))
    for language, said in (("en", "These surveys can't tell."), ("zh", "这两次调查无法判断。")):
        table = tables.chow(SimpleNamespace(drift=drift), Words(language, ""))  # type: ignore[arg-type]
        assert repr(table).count(said) == 2


def test_what_has_no_p_value_is_not_listed() -> None:
    p = np.array([0.001, np.nan, np.nan])
    posterior = pd.Series([False, False, True])
    assert below_beyond_noise(pd.Series(p), posterior, 0.05).tolist() == [True, False, False]
    assert persistence(np.ones(50), np.ones(50)) is None


def test_experts_who_change_nothing_do_not_lean() -> None:
    estimate = pd.Series(100.0, index=[f"a{i}" for i in range(12)])
    source = pd.Series("formula", index=estimate.index)
    bias = expert_bias(estimate, source, pd.DataFrame({"potential": estimate}))
    assert np.isnan(bias.p_value) and not bias.beyond_noise
