"""Which accounts to survey next: the ranking against hand computation and simulated surveys."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal, norm

from generators.simulate import simulate_world, write_study
from kalib.analysis import Analysis, analyze
from kalib.matrix.matrix import assign_zones
from kalib.matrix.survey_next import _learned, _put_right
from kalib.report.summary import NEXT_NAMED, summarize


def test_what_a_visit_puts_right_elsewhere_equals_the_bivariate_normal() -> None:
    """Misplaced before is P(S > t); after, the chance that S and its expectation c z lie on
    different sides of t."""
    for move, border in ((0.1, 0.0), (0.1, 0.05), (0.2, 0.1), (0.05, 0.1)):
        joint = multivariate_normal([0, 0], [[1, move], [move, 1]])
        above = norm.sf(border) - joint.cdf([-border, -border / move])  # S > t, c z < t
        below = norm.sf(border / move) - joint.cdf([-border, -border / move])
        exact = norm.sf(border) - above - below
        found = float(_put_right(np.array([move]), np.array([border]))[0])
        assert found == pytest.approx(exact, rel=0.03, abs=1e-5)


def test_learning_counts_others_only() -> None:
    loadings = np.array([[0.3, 0.0], [0.3, 0.0], [0.0, 0.2]])
    found = _learned(loadings, np.zeros(3), np.array([1.0, 2.0, 4.0]))
    once = float(_put_right(np.array([0.09]), np.zeros(1))[0])
    np.testing.assert_allclose(found, [2 * once, once, 0.0], atol=1e-9)


def test_of_many_others_a_sample_stands_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    loadings, scores = 0.1 * rng.standard_normal((3000, 6)), 0.05 * rng.standard_normal(3000)
    potential = np.exp(rng.standard_normal(3000))
    sampled = _learned(loadings, scores, potential)
    monkeypatch.setattr("kalib.matrix.survey_next.OTHERS", 3000)
    every = _learned(loadings, scores, potential)
    assert sampled.sum() == pytest.approx(every.sum(), rel=0.05)
    assert np.corrcoef(sampled, every)[0, 1] > 0.99


def test_ranking_is_of_estimated_accounts_and_of_what_the_summary_adds_up(phones: Analysis) -> None:
    ranked, accounts = phones.next_survey, phones.matrix.accounts
    told = accounts["potential_source"].str.startswith("formula")
    assert set(ranked.index) == set(accounts.index[told])
    assert list(ranked["rank"]) == list(range(1, len(ranked) + 1))
    assert ranked["benefit"].is_monotonic_decreasing and (ranked[["own", "learned"]] >= 0).all(
        axis=None
    )
    np.testing.assert_allclose(ranked["benefit"], ranked["own"] + ranked["learned"])
    said = summarize(phones)["next_survey_benefit"]
    assert said == pytest.approx(ranked["benefit"].head(NEXT_NAMED).sum(), rel=1e-6)
    wrong = (1 - accounts["zone_probability"]) * accounts["potential"]
    np.testing.assert_allclose(ranked["own"], wrong.reindex(ranked.index))


def test_nothing_is_ranked_on_an_unusable_formula(nothing: Analysis) -> None:
    assert nothing.next_survey.empty


@pytest.mark.slow
def test_what_is_expected_to_be_put_right_is(tmp_path: Path) -> None:
    """Potential in the wrong zone among 30 accounts that each rule would survey, three worlds."""
    settled: dict[str, float] = {}
    expected = 0.0
    for seed in (1, 2, 3):
        world = simulate_world("multiplicative", seed)
        write_study(world, tmp_path / f"{seed}")
        analysis = analyze(tmp_path / f"{seed}")
        accounts, ranked = analysis.matrix.accounts, analysis.next_survey
        told = accounts.loc[ranked.index]
        width = told["potential_high"] / told["potential_low"]
        orders = {
            "ranked": ranked.index,
            "largest": told["potential"].sort_values(ascending=False).index,
            "widest": width.sort_values(ascending=False).index,
            "random": told.sample(frac=1, random_state=seed).index,
        }
        wrong = _misplaced(analysis, world.truth)
        expected += ranked["own"].head(30).sum()
        for rule, order in orders.items():
            settled[rule] = settled.get(rule, 0.0) + wrong[order[:30]].sum()
    assert settled["ranked"] > 1.5 * max(settled[rule] for rule in ("largest", "widest", "random"))
    assert settled["ranked"] == pytest.approx(expected, rel=0.35)


def _misplaced(analysis: Analysis, truth: pd.DataFrame) -> pd.Series:
    """True potential of each account where its zone is not its true one, else 0."""
    accounts = analysis.matrix.accounts
    true = truth.set_index("account")["potential"].reindex(accounts.index)
    market = accounts["sales"].sum() / true.sum()
    zones = assign_zones(true, accounts["sales"] / true, true.quantile(0.8), market)
    return true.where(accounts["zone"] != zones, 0.0)
