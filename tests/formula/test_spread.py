"""Errors that scatter by the levels of a text indicator: found where they do, and only there."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from test_formula import fit_world

from generators.simulate import Simulated, simulate_world
from kalib.formula.fitting import Fit
from kalib.formula.formula import Formula
from kalib.formula.predictive import (
    SPREAD_LEVEL,
    LevelSpread,
    find_level_spread,
    smear,
    weighted_quantiles,
)
from kalib.indicators.screening import Screening

LEVELS = np.array([0.01, 0.05, 0.5, 0.95, 0.99])
SIGMA = {"chain": 0.2, "independent": 0.7, "market": 0.4}  # of the world "spread"


def expected_in_truth(screening: Screening) -> pd.Series:
    """Mean potential of the world "spread" given the indicators: log-normal."""
    values = screening.values
    z = [(np.log(values[f"indicator_{j}"]) - 3) / 0.6 for j in (1, 2, 3)]
    log = 8 + 0.7 * z[0] + 0.5 * z[1] + 0.3 * z[2] + 0.4 * (values["format"] == "market")
    return np.exp(log + values["format"].map(SIGMA) ** 2 / 2)


@pytest.fixture(scope="module")
def fits() -> list[tuple[Simulated, Screening, Fit]]:
    worlds = [simulate_world("spread", seed, surveyed=300) for seed in range(3)]
    return [(world, *fit_world(world)[1:]) for world in worlds]


@pytest.mark.slow
def test_factors_by_level_remove_the_bias_of_each_level(fits) -> None:
    before, after = [], []
    for _, screening, fit in fits:
        level, true = screening.values["format"], expected_in_truth(screening)
        assert fit.formula.spread
        for put, factor in (
            (before, fit.formula.smearing),
            (after, fit.formula.factors(screening.values)),
        ):
            total = (pd.Series(np.exp(fit.working) * factor, level.index)).groupby(level).sum()
            put.append(total / true.groupby(level).sum() - 1)
    common, own = (pd.concat(parts, axis=1).mean(axis=1) for parts in (before, after))
    # Coefficients from independent stores, whose errors are 3.5 times as large, leave some 6%.
    assert common["chain"] > 0.09 and abs(own["chain"]) < 0.04
    assert (own.abs() < 0.1).all()


def test_intervals_are_as_wide_as_a_level_needs(fits) -> None:
    """One width for all would hold 97 % of the chains and 76 % of the independent stores."""
    found = []
    for world, screening, fit in fits:
        truth = world.truth.set_index("account")["potential"].to_numpy()
        table = fit.predictive.potential(fit.working, fit.spread).table
        inside = (table[:, 3] <= truth) & (truth <= table[:, -4])  # 90.6 % nominal
        found.append(pd.Series(inside).groupby(screening.values["format"].to_numpy()).mean())
    assert pd.concat(found, axis=1).mean(axis=1).between(0.84, 0.95).all()


def test_a_scattered_level_is_not_taken_for_typing_errors(fits) -> None:
    """By one spread for all, three independent stores in fifty were called so."""
    assert sum((fit.suspects["entry"] == "potential").sum() for _, _, fit in fits) <= 2


def residuals_of(seed: int, sigma: dict[str, float], n: int = 150) -> LevelSpread | None:
    rng = np.random.default_rng([7, seed])
    texts = pd.DataFrame({name: rng.choice(list("abcd"), n) for name in ("place", "kind")})
    error = rng.standard_t(5, n) * texts["kind"].map(sigma).to_numpy()
    return find_level_spread(texts, error, np.ones(n))


def test_even_spread_is_left_alone_and_uneven_spread_is_found() -> None:
    even = dict.fromkeys("abcd", 1.0)
    assert sum(residuals_of(seed, even) is not None for seed in range(150)) <= 6
    spreads = [residuals_of(seed, {"a": 1, "b": 1, "c": 2.5, "d": 0.5}) for seed in range(30)]
    right = [spread for spread in spreads if spread and spread.indicator == "kind"]
    assert len(right) >= 29
    assert all(spread.p_value < SPREAD_LEVEL for spread in right)
    ratio = pd.DataFrame([spread.ratio for spread in right]).mean()
    assert ratio["c"] / ratio["a"] == pytest.approx(2.5, rel=0.15)


def test_few_accounts_of_a_level_are_drawn_toward_the_rest() -> None:
    rng = np.random.default_rng(3)
    level = np.repeat(["a", "b", "rare", "alone"], [60, 60, 4, 1])
    error = rng.standard_normal(125) * np.repeat([0.5, 1.5, 3.0, 9.0], [60, 60, 4, 1])
    texts = pd.DataFrame({"kind": level})
    spread = find_level_spread(texts, error, np.ones(125))
    assert spread and set(spread.ratio) == {"a", "b", "rare"}
    raw = np.sqrt((error[level == "rare"] ** 2).mean() / (error[level == "b"] ** 2).mean())
    assert spread.ratio["rare"] / spread.ratio["b"] < max(raw, 1)
    assert spread.ratios(pd.DataFrame({"kind": ["alone", None, "a"]}))[:2] == pytest.approx(1)


def test_levels_without_any_error_do_no_harm() -> None:
    texts = pd.DataFrame({"kind": np.repeat(["exact", "rough"], 30)})
    weights = np.ones(60)
    assert find_level_spread(texts, np.zeros(60), weights) is None
    error = np.where(texts["kind"] == "exact", 0.0, np.random.default_rng(1).standard_normal(60))
    spread = find_level_spread(texts, error, weights)
    assert spread and 0 < spread.ratio["exact"] < 0.1 and np.isfinite(spread.ratio["rough"])


def test_factor_of_normal_errors_is_that_of_the_lognormal() -> None:
    rng = np.random.default_rng(5)
    level = np.array(["narrow", "wide"] * 20_000)
    scale = np.where(level == "wide", 0.8, 0.2)
    texts = pd.DataFrame({"kind": level})
    spread = LevelSpread("kind", {"narrow": 0.2, "wide": 0.8}, 0.0)
    found = smear(spread, texts, scale * rng.standard_normal(40_000), np.full(40_000, 1 / 40_000))
    assert found.smearing["wide"] == pytest.approx(np.exp(0.32), rel=0.02)
    assert found.smearing["narrow"] == pytest.approx(np.exp(0.02), rel=0.005)


def test_effect_of_a_level_is_that_on_the_expected_potential(fits) -> None:
    _, screening, fit = fits[0]
    row = screening.values.head(1)
    by_level = {
        level: float(fit.formula.potential(row.assign(format=level)).iloc[0]) for level in SIGMA
    }
    terms = {term.column.level: term for term in fit.formula.terms if term.column.level}
    (base,) = set(SIGMA) - set(terms)
    for level, term in terms.items():
        assert fit.formula.level_effect(term) == pytest.approx(by_level[level] / by_level[base] - 1)


def test_formula_json_holds_the_factors(fits) -> None:
    _, screening, fit = fits[0]
    record = json.loads(json.dumps(fit.formula.to_json()))
    assert isinstance(record["smearing"], float)
    again = Formula.from_json(record)
    expected = fit.formula.potential(screening.values)
    np.testing.assert_allclose(again.potential(screening.values), expected, rtol=1e-12)
    np.testing.assert_allclose(
        expected, fit.formula.expected(fit.working, fit.screening.values), rtol=1e-9
    )
    assert "if format is chain" in fit.formula.text.rpartition("s = ")[2]


def test_one_far_error_does_not_decide_the_tails() -> None:
    """It moves the last quantile to three distances of the 95 % point and no farther; errors of a
    normal or of a t of three degrees are left alone."""
    rng = np.random.default_rng(4)
    plain, mass = rng.standard_normal(100), np.ones(100)
    found = weighted_quantiles(plain, mass, LEVELS, 100)
    far = weighted_quantiles(np.append(plain[1:], 15.0), mass, LEVELS, 100)
    np.testing.assert_allclose(far[1:3], found[1:3], atol=0.1)
    assert far[4] - far[2] <= 3.0 * 1.2 * (found[3] - found[2])
    for errors in (plain, rng.standard_t(3, 100)):
        found = weighted_quantiles(errors, mass, LEVELS, 100)
        reach = 3 * (found[[1, 3]] - found[2])
        assert found[0] - found[2] > reach[0] and found[4] - found[2] < reach[1]
    same = weighted_quantiles(np.append(np.zeros(99), 5.0), mass, LEVELS, 100)
    assert same[4] > 0, "where nearly all are alike there is no distance to count in"
