"""The exact search against brute force and R's leaps."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from test_linear import REFERENCE, R

from kalib.formula.subsets import frontier
from kalib.formula.subsets.frontier import MANY, Space
from kalib.formula.subsets.search import (
    SEARCH_FOLDS,
    best_by_criterion,
    best_subsets,
    forward_groups,
    gram_matrix,
    select_subsets,
    validated_sizes,
)


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
    space = Space(groups, required, most, signs)
    path = best_subsets(gram, space)
    for size, rss in enumerate(path.value[0]):
        best = min((v for s, v in every.items() if len(s) == size), default=np.inf)
        assert rss == pytest.approx(best, rel=1e-7)
    total = float(((response - response.mean()) ** 2).sum())
    price = np.log(n)
    by_bic = {
        s: n * np.log(v / total) + price * sum(len(groups[g]) for g in s) for s, v in every.items()
    }
    found = best_by_criterion(gram, n, space, penalty=price)
    if by_bic:
        winner = min(by_bic, key=by_bic.__getitem__)
        assert tuple(np.flatnonzero(found.chosen[0])) == winner
        assert found.value[0] == pytest.approx(by_bic[winner], rel=1e-7)
    assert (path.gap == 0).all() and (found.gap == 0).all()


@pytest.mark.parametrize("case", range(60))
def test_search_of_awkward_data_equals_brute_force(case: int) -> None:
    rng = np.random.default_rng([13, case])
    n, p = (12, 9) if case % 3 == 0 else (60, 9)
    design = rng.standard_normal((n, p)) + rng.standard_normal((n, 1))
    if case % 4 == 0:
        design[:, 5] = design[:, 2] + 1e-3 * design[:, 5]
    response = design @ rng.choice([0.0, 0.1, -0.2, 1.0], p) + rng.standard_normal(n)
    required = sorted(rng.choice(p, case % 3, replace=False).tolist())
    most = int(rng.integers(len(required), p + 1))
    signs = rng.integers(-1, 2, p) if case % 2 else None
    gram = gram_matrix(design, response)
    space = Space(None, required, most, signs)
    every = brute_force(design, response, [[j] for j in range(p)], required, most, signs)
    path = best_subsets(gram, space)
    for size, rss in enumerate(path.value[0]):
        best = min((v for s, v in every.items() if len(s) == size), default=np.inf)
        if np.isfinite(rss):  # the set is the best one; its sum, near singularity, to 2 digits
            assert every[tuple(np.flatnonzero(path.chosen[0, size]))] == pytest.approx(best)
        assert rss == pytest.approx(best, rel=1e-2 if case % 4 == 0 else 1e-6)
    total = float(((response - response.mean()) ** 2).sum())
    found = best_by_criterion(gram, n, space, penalty=np.log(n))
    least = min(
        (n * np.log(v / total) + np.log(n) * len(s) for s, v in every.items()), default=np.inf
    )
    assert found.value[0] == pytest.approx(least, rel=1e-6, abs=0.1 if case % 4 == 0 else 1e-6)
    if every:
        price = np.log(n) * found.chosen[0].sum()
        share = every[tuple(np.flatnonzero(found.chosen[0]))] / total
        assert n * np.log(share) + price == pytest.approx(least, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("p", [1, 2, 5, 8])
def test_duplicates_and_more_columns_than_rows_are_survived(p: int) -> None:
    rng = np.random.default_rng(p)
    design = np.column_stack([rng.standard_normal((10, p))] * 2)
    response = design[:, 0] + 0.1 * rng.standard_normal(10)
    path = best_subsets(gram_matrix(design, response))
    assert (np.diff(path.value[0]) <= 1e-6).all()
    one = (response - response.mean()) @ (design[:, 0] - design[:, 0].mean())
    assert path.value[0, 1] <= np.var(response) * 10 - one**2 / (np.var(design[:, 0]) * 10) + 1e-6
    flat = best_by_criterion(gram_matrix(design, np.ones(10)), 10, penalty=np.log(10))
    assert not flat.chosen.any()


def test_groups_that_are_all_required_leave_nothing_to_search() -> None:
    rng = np.random.default_rng(8)
    design = rng.standard_normal((40, 4))
    gram = gram_matrix(design, design[:, 0] + rng.standard_normal(40))
    groups = [[0, 1], [2, 3]]
    path = best_subsets(gram, Space(groups, [0, 1]))
    assert np.isinf(path.value[0, :2]).all() and path.chosen[0, 2].all()
    assert best_by_criterion(gram, 40, Space(groups, [0, 1]), penalty=4.0).chosen.all()


def test_subsets_equal_r_leaps() -> None:
    table = pd.read_csv(REFERENCE / "r/stores.csv")
    names = ["area", "registers", "hours", "shelves", "parking", "distance", "age"]
    path = best_subsets(gram_matrix(table[names].to_numpy(float), table["y"].to_numpy()))
    np.testing.assert_allclose(path.value[0, 1:], R["subsets"]["rss"], rtol=1e-7)
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


@pytest.mark.parametrize("rule", ["cv", "one-se"])
def test_sizes_are_judged_as_a_loop_over_folds_judges_them(rule: str) -> None:
    rng = np.random.default_rng(11)
    n, groups, signs = 60, [[0], [1, 2], [3], [4]], np.array([1, 0, 0, 0, -1])
    design = rng.standard_normal((n, 5)) + 5.0
    response = design[:, 0] + 0.5 * design[:, 1] + rng.standard_normal(n)
    for used in (np.ones(n, dtype=bool), np.arange(n) >= 7):
        found = validated_sizes(design, response, 1.0 * used, rule, Space(groups, signs=signs))
        fold = np.full(n, -1)
        fold[used] = np.random.default_rng(used.sum()).permutation(used.sum()) % SEARCH_FOLDS
        square = np.full((n, len(groups) + 1), np.inf)
        for k in range(SEARCH_FOLDS):
            train, test = used & (fold != k), fold == k
            every = brute_force(design[train], response[train], groups, [], len(groups), signs)
            for size in range(len(groups) + 1):
                sets = {s: v for s, v in every.items() if len(s) == size}
                if not sets:
                    continue
                columns = [c for g in min(sets, key=sets.__getitem__) for c in groups[g]]
                full = np.column_stack([np.ones(n), design[:, columns]])
                coef = np.linalg.lstsq(full[train], response[train])[0]
                square[test, size] = (response[test] - full[test] @ coef) ** 2
        error = square[used].mean(axis=0)
        possible = np.isfinite(error) & np.isfinite(found.error)
        assert possible[:2].all()
        np.testing.assert_allclose(found.error[possible], error[possible], rtol=1e-7)
        best = int(error.argmin())
        spread = square[used][:, best].std() / np.sqrt(used.sum())
        assert found.std_error[best] == pytest.approx(spread, rel=1e-7)
        within = np.flatnonzero(error <= error[best] + spread)[0]
        assert found.size == (best if rule == "cv" else within)
        assert found.chosen.sum() == found.size


def test_one_standard_error_rule_never_takes_more_than_the_least_error() -> None:
    rng = np.random.default_rng(12)
    design = rng.standard_normal((80, 12))
    response = design[:, :3].sum(axis=1) + 2 * rng.standard_normal(80)
    weights = rng.integers(0, 2, (30, 80)).astype(float)
    least = select_subsets(design, response, weights, "cv")
    fewer = select_subsets(design, response, weights, "one-se")
    assert (fewer.sum(axis=1) <= least.sum(axis=1)).all()
    assert fewer.sum() < least.sum()


def test_a_level_that_half_samples_lack_leaves_the_others_chosen() -> None:
    rng = np.random.default_rng(0)
    rows, level = rng.standard_normal((80, 4)), np.arange(80) < 6
    response = 2 * rows[:, 0] + rows[:, 1] + rng.standard_normal(80)
    weights = np.ones((100, 80))
    for draw in weights:
        draw[:6] = 0
        draw[rng.permutation(np.arange(6, 80))[:34]] = 0
    chosen = select_subsets(np.column_stack([rows, level]), response, weights)
    assert chosen[:, :2].all() and not chosen[:, 4].any()


def test_an_ended_search_says_how_much_better_another_set_may_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(3)
    design = rng.standard_normal((60, 24)) + rng.standard_normal((60, 1))
    gram = gram_matrix(design, design[:, :6].sum(axis=1) + 6 * rng.standard_normal(60))
    best = best_subsets(gram), best_by_criterion(gram, 60)
    monkeypatch.setattr(frontier, "MOST_WORK", 1000)
    monkeypatch.setattr(frontier, "MOST_WORK_EACH", 1000)
    ended = best_subsets(gram), best_by_criterion(gram, 60)
    for found, early in zip(best, ended, strict=True):
        assert (found.gap == 0).all() and (early.gap > 0).any()
        assert (early.value >= found.value - 1e-9).all()
        assert (early.value - early.gap <= found.value + 1e-9).all()


def test_forward_selection_keeps_what_the_search_needs() -> None:
    rng = np.random.default_rng(4)
    design = rng.standard_normal((80, 60))
    design[:, 7] = design[:, 3] - design[:, 5] + 0.1 * design[:, 7]
    # Alone, the third and the fifth say little: the seventh hides what they differ by.
    response = design[:, 3] + design[:, 5] + 3 * design[:, 20] + rng.standard_normal(80)
    groups = [[j] for j in range(58)] + [[58, 59]]
    kept = forward_groups(gram_matrix(design, response), groups, [58, 11], 40)
    assert {3, 5, 20, 11, 58} <= set(kept) and len(kept) == MANY
    few = forward_groups(gram_matrix(design[:20], response[:20]), groups, [58], 10)
    assert len(few) == 9 and 58 in few  # of ten columns
    assert forward_groups(gram_matrix(design, response), groups[:5], [], 40) == list(range(5))
