"""Who was surveyed: groups that folds keep together, and how far a survey reaches."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from kalib.formula.survey import Folds, group_folds, survey_groups, survey_reach
from kalib.formula.suspicion import Answers
from kalib.formula.working import log_score

N, ASKED = 600, 150


def study(seed: int, places: dict[str, np.ndarray] | None = None) -> tuple[Any, Any, np.ndarray]:
    """A screening, its design and the potential of 600 accounts, six indicators."""
    rng = np.random.default_rng(seed)
    z = 0.55 * rng.standard_normal((N, 1)) + 0.84 * rng.standard_normal((N, 6))
    potential = np.exp(8 + z[:, :3] @ [0.7, 0.5, 0.3] + 0.35 * rng.standard_normal(N))
    index = pd.Index([f"{i:03d}" for i in range(N)])
    sales = potential * np.where(rng.random(N) < 0.15, 0.0, rng.beta(2, 4, N))
    screening = SimpleNamespace(
        sales=pd.Series(sales, index), values=pd.DataFrame(index=index),
        places=pd.DataFrame(places or {}, index=index),
    )  # fmt: skip
    columns = [SimpleNamespace(indicator=f"x{j}") for j in range(6)]
    return screening, SimpleNamespace(matrix=z, columns=columns), potential


def asked(odds: np.ndarray, seed: int) -> np.ndarray:
    """Which of the accounts (N,) bool were surveyed, by odds."""
    chosen = np.zeros(N, dtype=bool)
    rng = np.random.default_rng(seed)
    size = min(ASKED, int((odds > 0).sum()))
    chosen[rng.choice(N, size, replace=False, p=odds / odds.sum())] = True
    return chosen


@pytest.mark.parametrize(
    ("kind", "reached"),
    [("random", True), ("leans to large", True), ("leans to sales", True),
     ("large only", False), ("small only", False), ("one region", False)],
)  # fmt: skip
def test_reach_tells_what_can_not_be_weighted_from_what_can(kind: str, reached: bool) -> None:
    beyond = []
    for seed in range(6):
        region = np.random.default_rng([1, seed]).choice(list("abcdef"), N)
        screening, design, potential = study(seed, {"region": region})
        log, sold = np.log(potential), np.log1p(screening.sales.to_numpy())
        odds = {
            "random": np.ones(N),
            "leans to large": np.exp(1.2 * (log - log.mean()) / log.std()),
            "leans to sales": np.exp(1.2 * (sold - sold.mean()) / sold.std()),
            "large only": 1.0 * (log > np.quantile(log, 0.7)),
            "small only": 1.0 * (log < np.quantile(log, 0.35)),
            "one region": 1.0 * (region == "a"),
        }[kind]
        found = survey_reach(screening, design, asked(odds, seed), potential)
        beyond.append(found.beyond)
        if kind == "one region":
            assert found.by == "region"
    assert np.mean(beyond) < 0.25 if reached else min(beyond) > 0.4


def answers_of(potential: np.ndarray, rows: np.ndarray) -> Answers:
    return Answers(rows, potential[rows], np.zeros(len(rows)), np.zeros(len(rows)))


def test_accounts_of_one_parent_and_copies_stay_in_one_fold() -> None:
    parent = np.array([f"P{i % 40}" if i % 5 else "" for i in range(N)])
    screening, design, potential = study(3, {"parent": parent})
    design.matrix[7], potential[7] = design.matrix[12], potential[12]
    rows = np.arange(0, N, 2) + 1
    rows[0], rows[1] = 7, 12
    groups = survey_groups(screening, design, answers_of(potential, rows))
    assert groups.by == "parent"
    fold = group_folds(groups.number, np.random.default_rng(0))
    told = parent[rows]
    for name in set(told) - {""}:
        assert len(set(fold[told == name])) == 1
    assert fold[0] == fold[1]  # copies, of different parents
    assert np.bincount(fold).min() >= 0.5 * len(rows) / 10


@pytest.mark.parametrize(("surveyed", "by"), [("abcdef", ""), ("abcd", "region"), ("ab", "")])
def test_regions_stay_together_where_only_some_were_surveyed(surveyed: str, by: str) -> None:
    region = np.random.default_rng(4).choice(list("abcdef"), N)
    screening, design, potential = study(4, {"region": region})
    rows = np.flatnonzero(np.isin(region, list(surveyed)))[:ASKED]
    assert survey_groups(screening, design, answers_of(potential, rows)).by == by


def test_folds_disagree_beyond_chance() -> None:
    assert Folds("parent", 20, 0.8, 0.6).disagree and not Folds("parent", 20, 0.8, 0.78).disagree
    assert not Folds("", 150, 0.8, float("nan")).disagree


def test_log_score_is_the_density_in_currency_whatever_the_scale() -> None:
    rng = np.random.default_rng(5)
    potential = np.exp(8 + 0.3 * rng.standard_normal(500))
    residual = np.log(potential) - 8
    size = np.sqrt((residual**2).mean() * 0.6)
    density = student.pdf(residual / size, 5) / size / potential
    constant = student.pdf(0, 5)  # the same for all forms
    found = log_score(potential, residual, True, np.ones(500))
    assert found == pytest.approx(np.mean(np.log(density / constant)), rel=1e-9)
    shifted = log_score(7 * potential, residual, True, np.ones(500))
    assert found - shifted == pytest.approx(np.log(7))
    linear = log_score(potential, potential - potential.mean(), False, np.ones(500))
    assert found > linear  # the errors are lognormal
    even = 3000 + 300 * rng.standard_normal(500)
    logged = log_score(even, np.log(even) - np.log(even).mean(), True, np.ones(500))
    assert log_score(even, even - even.mean(), False, np.ones(500)) > logged - 0.01
