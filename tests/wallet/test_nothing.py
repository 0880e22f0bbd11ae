"""Accounts that buy from nobody, by worlds in which the chance of it is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

import kalib
from generators.simulate import Simulated, write_study
from kalib.errors import StudyError
from kalib.formula.distribution import Distribution
from kalib.wallet.nothing import hear_nothing


def test_a_hurdle_is_a_mixture() -> None:
    """Of draws: nothing with its chance, else as before."""
    before = Distribution.lognormal(np.array([8.0, 8.0, 6.0]), np.array([0.5, 0.5, 1.0]))
    chance = np.array([0.0, 0.4, 0.9])
    found = before.with_nothing(chance, 1e-9)
    draws = before.draws(40_000, np.zeros((3, 1), dtype=np.float32), 1)
    draws[np.random.default_rng(2).random(draws.shape) < chance] = 0
    for p in (0.25, 0.5, 0.75, 0.95):
        expected = np.quantile(draws, p, axis=0)
        np.testing.assert_allclose(found.quantile(p), expected, rtol=0.08, atol=1e-6)
    np.testing.assert_allclose(found.mean(), draws.mean(axis=0), rtol=0.08)


def test_chance_is_learned_from_those_that_do_not_buy_from_us() -> None:
    """Sums over the accounts not asked are right on average; buyers have no such chance."""
    ratio, said, true = [], [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        size = rng.normal(8, 1, 800)
        nothing = rng.random(800) < expit(-0.5 - (size - 8))
        potential = np.where(nothing, 0, np.exp(size + 0.3 * rng.standard_normal(800)))
        sales = np.where(rng.random(800) < 0.5, 0.3 * potential, 0)
        asked = rng.random(800) < 0.3
        prior = Distribution.lognormal(size, np.full(800, 0.3))
        found = hear_nothing(prior, asked & nothing, asked & ~nothing, sales, 100.0)
        np.testing.assert_array_equal(found.table[sales > 0], prior.table[sales > 0])
        assert (found.mean()[asked & nothing] < 0.01).all()
        left = ~asked & (sales == 0)
        ratio.append(found.mean()[left].sum() / potential[left].sum())
        said.append((found.table[left] < 1).mean())
        true.append(nothing[left].mean())
    assert np.mean(ratio) == pytest.approx(1, abs=0.03)
    assert np.mean(said) == pytest.approx(np.mean(true), abs=0.02)


def world(seed: int = 3) -> Simulated:
    """400 accounts, 90 asked, 100 of all without any need."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((400, 2))
    potential = np.exp(9 + 0.7 * z[:, 0] + 0.4 * z[:, 1] + 0.3 * rng.standard_normal(400))
    potential[rng.choice(400, 100, replace=False)] = 0
    frame = pd.DataFrame(np.exp(3 + 0.6 * z).round(2), columns=["x1", "x2"])
    share = np.where(rng.random(400) < 0.2, 0, rng.beta(2, 4, 400))
    frame.insert(0, "sales", (potential * share).round(2))
    frame.insert(0, "account", [f"{k:04d}" for k in range(400)])
    truth = frame[["account"]].assign(potential=potential.round(2))
    survey = truth.iloc[rng.choice(400, 90, replace=False)]
    return Simulated(frame, survey, truth, ("x1", "x2"), ())


def test_a_survey_with_zeros_is_answered(tmp_path: Path) -> None:
    made = world()
    write_study(made, tmp_path)
    accounts = kalib.analyze(tmp_path).plan.accounts
    assert made.survey is not None
    survey, truth = (part.set_index("account")["potential"] for part in (made.survey, made.truth))
    zero = accounts.loc[survey.index[survey == 0]]
    assert len(zero) > 10 and (zero["potential_source"] == "measured").all()
    assert (zero[["potential", "potential_high", "sow"]].round(2) == 0).all(axis=None)
    assert (zero["zone"] == "watch").all() and not zero["below_market"].any()
    assert not zero["key_account"].any() and zero["sales_lost"].isna().all()
    left = accounts.drop(survey.index)
    inside = truth[left.index].between(left["potential_low"].round(2), left["potential_high"])
    assert 0.84 <= inside.mean() <= 0.97
    silent = left[left["sales"] == 0]
    assert (silent["potential_low"].round(2) == 0).all()
    assert silent["potential"].sum() == pytest.approx(truth[silent.index].sum(), rel=0.35)


def test_an_expert_s_potential_stands_over_an_answer_of_zero(tmp_path: Path) -> None:
    made = world()
    write_study(made, tmp_path)
    assert made.survey is not None
    zero = str(made.survey.loc[made.survey["potential"] == 0, "account"].iloc[0])
    sheet = pd.DataFrame({"account": [zero], "estimated potential": [0.0],
                          "override potential": [5000.0], "override by": ["Ana"],
                          "override reason": ["opened again"]})  # fmt: skip
    sheet.to_excel(tmp_path / "told.xlsx", sheet_name="accounts", index=False)
    found = kalib.analyze(tmp_path, overrides=tmp_path / "told.xlsx").wallet.accounts.loc[zero]
    assert found["potential"] == 5000 and found["potential_source"] == "measured"


def test_zeros_that_stand_for_the_unknown_are_refused(tmp_path: Path) -> None:
    made = world()
    assert made.survey is not None
    buys = made.accounts.loc[made.accounts["sales"] > 0, "account"]
    asked = made.survey["account"].isin(buys)
    wrong = made.survey.assign(potential=made.survey["potential"].mask(asked, 0.0))
    write_study(Simulated(made.accounts, wrong, made.truth, ("x1", "x2"), ()), tmp_path)
    with pytest.raises(StudyError, match=r"survey\.csv, column potential.*(zero|below our own)"):
        kalib.read_tables(kalib.read_study(tmp_path))


def test_a_few_contradictions_are_left_out_and_told(tmp_path: Path) -> None:
    made = world()
    assert made.survey is not None
    buys = made.survey["account"].isin(made.accounts.loc[made.accounts["sales"] > 0, "account"])
    first = made.survey["account"][buys].iloc[0]
    odd = made.survey.assign(
        potential=made.survey["potential"].mask(made.survey["account"] == first, 0.0)
    )
    write_study(Simulated(made.accounts, odd, made.truth, ("x1", "x2"), ()), tmp_path)
    tables = kalib.read_tables(kalib.read_study(tmp_path))
    assert tables.survey is not None and first not in tables.survey.index
    told = [str(note) for note in tables.notes]
    assert any("read as unknown" in note for note in told)
    assert any("buy from nobody" in note for note in told)
