"""The exact search against brute force and R's leaps."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from test_linear import REFERENCE, R

from kalib.subsets import best_by_criterion, best_subsets, gram_matrix


def brute_force(
    design: np.ndarray,
    response: np.ndarray,
    groups: list[list[int]],
    required: list[int],
    most: int,
    signs: np.ndarray | None,
) -> dict[tuple[int, ...], float]:
    """Residual sum of squares of every admissible subset of groups."""
    response = response - response.mean()
    design = design - design.mean(axis=0)
    found = {}
    for size in range(most + 1):
        for subset in itertools.combinations(range(len(groups)), size):
            if not set(required) <= set(subset):
                continue
            columns = [c for g in subset for c in groups[g]]
            coef = np.linalg.lstsq(design[:, columns], response, rcond=None)[0]
            if signs is not None and any(coef * signs[columns] < 0):
                continue
            found[subset] = float(((response - design[:, columns] @ coef) ** 2).sum())
    return found


@pytest.mark.parametrize("case", range(40))
def test_search_equals_brute_force(case: int) -> None:
    rng = np.random.default_rng([9, case])
    n, p = 40, 7
    design = rng.standard_normal((n, p))
    design[:, 3] = 0.9 * design[:, 2] + 0.2 * design[:, 3]
    response = design[:, 0] + 0.3 * design[:, 4] + rng.standard_normal(n)
    groups = [[0], [1, 2], [3], [4], [5, 6]] if case % 2 else [[j] for j in range(p)]
    required = [1] if case % 5 == 0 else []
    most = 3 if case % 4 == 0 else len(groups)
    signs = rng.integers(-1, 2, p) if case % 3 == 0 else None
    every = brute_force(design, response, groups, required, most, signs)
    gram = gram_matrix(design, response)
    rules = {"groups": groups, "required": required, "max_groups": most, "signs": signs}
    path = best_subsets(gram, **rules)
    for size, rss in enumerate(path.rss[0]):
        best = min((v for s, v in every.items() if len(s) == size), default=np.inf)
        assert rss == pytest.approx(best, rel=1e-7)
    total = float(((response - response.mean()) ** 2).sum())
    price = np.log(n)
    by_bic = {
        s: n * np.log(v / total) + price * sum(len(groups[g]) for g in s) for s, v in every.items()
    }
    found = best_by_criterion(gram, n, penalty=price, **rules)
    if by_bic:
        winner = min(by_bic, key=by_bic.__getitem__)
        assert tuple(np.flatnonzero(found.chosen[0])) == winner
        assert found.criterion[0] == pytest.approx(by_bic[winner], rel=1e-7)
    assert path.exact and found.exact


def test_subsets_equal_r_leaps() -> None:
    table = pd.read_csv(REFERENCE / "r/stores.csv")
    names = ["area", "registers", "hours", "shelves", "parking", "distance", "age"]
    path = best_subsets(gram_matrix(table[names].to_numpy(float), table["y"].to_numpy()))
    np.testing.assert_allclose(path.rss[0, 1:], R["subsets"]["rss"], rtol=1e-7)
    chosen = ["".join(str(int(c)) for c in row) for row in path.chosen[0, 1:]]
    assert chosen == R["subsets"]["which"]


def test_many_data_sets_at_once_equal_one_by_one() -> None:
    rng = np.random.default_rng(1)
    grams = []
    for _ in range(5):
        design = rng.standard_normal((50, 9))
        grams.append(gram_matrix(design, design[:, :3].sum(axis=1) + rng.standard_normal(50)))
    together = best_by_criterion(np.array(grams), 50, penalty=np.log(50))
    for gram, chosen in zip(grams, together.chosen, strict=True):
        alone = best_by_criterion(gram, 50, penalty=np.log(50))
        assert (alone.chosen[0] == chosen).all()


def test_constant_column_is_never_chosen() -> None:
    rng = np.random.default_rng(2)
    design = np.column_stack([rng.standard_normal(30), np.ones(30)])
    response = design[:, 0] + 0.1 * rng.standard_normal(30)
    chosen = best_by_criterion(gram_matrix(design, response), 30, penalty=np.log(30)).chosen[0]
    assert list(chosen) == [True, False]
