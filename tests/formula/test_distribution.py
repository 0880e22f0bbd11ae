"""Distributions kept as quantiles, against closed forms."""

from __future__ import annotations

import doctest

import numpy as np
from scipy.special import ndtri
from scipy.stats import beta

from kalib.formula import distribution
from kalib.formula.distribution import LEVELS, Distribution

MIDDLE, SD = np.log([100.0, 1000.0, 50.0]), np.array([0.3, 0.5, 1.0])


def lognormal() -> Distribution:
    return Distribution.lognormal(MIDDLE, SD)


def test_the_example_runs() -> None:
    assert doctest.testmod(distribution).failed == 0


def test_quantile_mean_and_chance_below_equal_the_lognormal() -> None:
    found = lognormal()
    np.testing.assert_allclose(np.log(found.quantile(0.9)), MIDDLE + SD * ndtri(0.9), rtol=1e-3)
    np.testing.assert_allclose(found.below(np.exp(MIDDLE)), 0.5, atol=1e-3)
    np.testing.assert_allclose(found.mean()[:2], np.exp(MIDDLE + SD**2 / 2)[:2], rtol=0.01)


def test_a_value_known_without_error_is_its_own_interval_to_the_last_bit() -> None:
    found = Distribution.certain(np.array([0.1, 7.3]))
    assert (found.quantile(0.05) == [0.1, 7.3]).all() and (found.quantile(0.95) == [0.1, 7.3]).all()


def test_truncation_equals_the_truncated_lognormal() -> None:
    from scipy.special import ndtr

    low = np.array([90.0, 2000.0, 1.0])
    found = lognormal().truncate(low)
    at = ndtr((np.log(low) - MIDDLE) / SD)
    expected = MIDDLE + SD * ndtri(at + (1 - at) * 0.5)
    np.testing.assert_allclose(np.log(found.quantile(0.5)), expected, rtol=5e-3)
    assert (found.table >= low[:, None]).all()
    assert (found.below(low * 1.5) <= 1).all() and (np.diff(found.table, axis=1) >= 0).all()


def test_truncation_beyond_all_that_was_allowed_moves_there() -> None:
    low = np.array([1e9, 1000.0, 50.0])
    found = lognormal().truncate(low)
    assert found.table[0, 0] == low[0] and np.isfinite(found.table).all()
    assert found.table[0, -1] > low[0]


def test_posterior_equals_bayes_on_a_fine_grid() -> None:
    sales = np.array([40.0, 300.0, 30.0])

    def share(logs: np.ndarray, rows: slice) -> np.ndarray:
        log_share = np.log(sales[rows])[:, None] - logs
        with np.errstate(divide="ignore", invalid="ignore"):
            found = 2 * log_share + 2 * np.log(-np.expm1(log_share))
        return np.where(log_share < 0, found, -np.inf)

    found = lognormal().reweighted(share)
    for i in range(3):
        grid = np.linspace(MIDDLE[i] - 6 * SD[i], MIDDLE[i] + 6 * SD[i], 40_001)
        part = np.minimum(sales[i] / np.exp(grid), 1.0)
        mass = np.exp(-0.5 * ((grid - MIDDLE[i]) / SD[i]) ** 2) * beta.pdf(part, 2, 3) * part
        total = np.cumsum(mass) / mass.sum()
        expected = np.interp([0.1, 0.5, 0.9], total, grid)
        have = [np.log(found.quantile(p)[i]) for p in (0.1, 0.5, 0.9)]
        np.testing.assert_allclose(have, expected, atol=0.02)


def test_draws_follow_the_distribution_and_share_errors() -> None:
    loadings = np.array([[0.8], [0.8], [0.0]], dtype=np.float32)
    drawn = lognormal().draws(20_000, loadings, seed=3)
    assert drawn.shape == (20_000, 3) and drawn.dtype == np.float32
    np.testing.assert_allclose(np.log(np.median(drawn, axis=0)), MIDDLE, atol=0.02)
    ranks = np.corrcoef(np.log(drawn).T)
    assert abs(ranks[0, 1] - 0.64) < 0.03 and abs(ranks[0, 2]) < 0.03


def test_rows_are_taken_and_replaced_without_a_change_of_the_first() -> None:
    first = lognormal()
    found = first.replaced(np.array([False, True, False]), Distribution.certain(np.array([5.0])))
    assert (found.table[1] == 5).all() and first.table[1, 0] > 5
    assert len(found[np.array([0, 2])]) == 2
    assert found[:1].levels is LEVELS
