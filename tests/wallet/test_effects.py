"""Effects of groups: against brute force, and what they promise."""

from __future__ import annotations

import numpy as np
import pandas as pd
from statsmodels.regression.mixed_linear_model import MixedLM

from kalib.wallet.effects import find_effects


def chains(rng: np.random.Generator, scatter: float) -> tuple[pd.DataFrame, np.ndarray]:
    """400 accounts of 40 chains, and their errors: of the chain and their own."""
    code = rng.integers(0, 40, 400)
    error = scatter * rng.standard_normal(40)[code] + 0.3 * rng.standard_normal(400)
    return pd.DataFrame({"parent": [f"chain {k}" for k in code]}), error


def test_effects_are_close_to_restricted_maximum_likelihood() -> None:
    """statsmodels' MixedLM predicts the same effects, from variances of its own estimate."""
    groups, error = chains(np.random.default_rng(1), 0.5)
    found = find_effects(groups, np.arange(400), error, np.ones(400))
    model = MixedLM(error, np.zeros((400, 0)), groups["parent"]).fit()
    expected = groups["parent"].map({k: v.iloc[0] for k, v in model.random_effects.items()})
    np.testing.assert_allclose(found.shift, expected, atol=0.02)


def test_unseen_groups_get_no_effect_and_errors_in_common() -> None:
    """Joint errors of a total: the accounts' own would be far too sure of it."""
    spread, miss = [], []
    for seed in range(60):
        groups, error = chains(np.random.default_rng(seed), 0.5)
        rows = np.flatnonzero(groups["parent"].isin([f"chain {k}" for k in range(12)]))
        middle = error[rows].mean()
        found = find_effects(groups, rows, error[rows] - middle, np.ones(len(rows)))
        left = np.setdiff1d(np.arange(400), rows)
        assert (found.shift[left] == 0).all()
        loading, sd = found.shared[left] * found.width[left, None], (error[rows] - middle).std()
        own = (found.width[left] ** 2 - (loading**2).sum(axis=1)).sum()
        spread.append(sd * np.sqrt((loading.sum(axis=0) ** 2).sum() + own))
        miss.append((error[left] - middle).sum())
    z = np.array(miss) / np.array(spread)
    assert 0.75 < np.sqrt((z**2).mean()) < 1.25


def test_nothing_is_found_where_groups_say_nothing() -> None:
    kept = 0
    for seed in range(40):
        groups, error = chains(np.random.default_rng(seed), 0.0)
        found = find_effects(groups, np.arange(0, 400, 3), error[::3], np.ones(134))
        kept += bool(found.shared.shape[1])
        assert np.abs(found.shift).max() < 0.2
    assert kept < 3
    none = find_effects(groups[[]], np.arange(9), error[:9], np.ones(9))
    assert (none.shift == 0).all() and none.shared.shape == (400, 0)
