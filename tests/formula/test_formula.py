"""Screening, choice of the formula, its accuracy and its intervals, on worlds of known truth."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pandas as pd
import pytest

from generators.simulate import Simulated, simulate_world
from kalib.analysis import Analysis, analyze
from kalib.formula.checks import check_formula
from kalib.formula.fitting import Fit, fit_formula
from kalib.formula.formula import partial_effects
from kalib.formula.subsets import frontier
from kalib.formula.verdict import (
    Verdict,
    boosted_accuracy,
    guessed_shares,
    judge,
    what_is_missing,
)
from kalib.indicators.screening import Screening, screen
from kalib.plots import formula as charts
from kalib.runs.outputs import formula_record
from kalib.wallet.wallet import Wallet, estimate_wallets

pytestmark = pytest.mark.slow

USABLE = cast(Verdict, SimpleNamespace(verdict="usable", reasons=()))


def fit_world(world: Simulated, **rules: object) -> tuple[pd.DataFrame, Screening, Fit]:
    tables, potential = world.as_read(**rules)
    fit = fit_formula(screen(tables, potential), potential)
    return tables.accounts, fit.screening, fit


@cache
def standard(kind: str, seed: int) -> tuple[Simulated, Wallet, Fit]:
    """A world that several tests look at, and what is estimated of it."""
    world = simulate_world(kind, seed)
    return world, *wallet_of(world)


def wallet_of(world: Simulated) -> tuple[Wallet, Fit]:
    (tables, potential), (*_, fit) = world.as_read(), fit_world(world)
    return estimate_wallets(tables, potential, fit, USABLE), fit


@pytest.mark.parametrize(
    ("kind", "form"),
    [("linear", "linear"), ("multiplicative", "log-log"), ("collinear", "log-log"),
     ("text", "log-log")],
)  # fmt: skip
def test_form_and_indicators_are_found(kind: str, form: str) -> None:
    scores = []
    for seed in range(3):
        world, _, fit = standard(kind, seed)
        assert fit.formula.form == form
        found, true = set(fit.formula.indicators), set(world.relevant)
        scores.append(2 * len(found & true) / (len(found) + len(true)))
    assert np.mean(scores) >= 0.9


def test_criterion_of_the_study_chooses_the_formula(small_study: Path) -> None:
    sizes = {}
    for criterion in ("bic", "cv", "one-se"):
        analysis = analyze(small_study, settings={"formula.criterion": criterion})
        fit, path = analysis.fit, analysis.fit.path
        sizes[criterion] = len(fit.formula.indicators)
        assert path.loc[path["chosen"], "size"].tolist() == [sizes[criterion]]
        assert fit.formula.to_json()["criterion"] == criterion
        axes = charts.path(fit)
        assert ("BIC" in axes.get_ylabel()) == (criterion == "bic")
    assert sizes["one-se"] <= sizes["cv"]


@pytest.mark.parametrize("kind", ["linear", "multiplicative", "biased", "small"])
def test_intervals_cover_accounts_not_surveyed(kind: str) -> None:
    coverage, bias = [], []
    for seed in range(4):
        world, wallet, _ = standard(kind, seed)
        accounts = wallet.accounts[wallet.accounts["potential_source"] != "measured"]
        truth = world.truth.set_index("account")["potential"].reindex(accounts.index)
        inside = accounts["potential_low"].le(truth) & truth.le(accounts["potential_high"])
        coverage.append(inside.mean())
        bias.append(accounts["potential"].sum() / truth.sum() - 1)
    assert 0.84 <= np.mean(coverage) <= 0.95
    assert abs(np.mean(bias)) < 0.06


def test_potential_ranks_better_than_sales() -> None:
    for seed in range(3):
        world, wallet, _ = standard("multiplicative", seed)
        truth = world.truth.set_index("account")["potential"]
        top = set(truth.nlargest(120).index)
        ours = len(top & set(wallet.accounts["potential"].nlargest(120).index))
        sales = len(top & set(wallet.accounts["sales"].nlargest(120).index))
        assert ours >= 96 and ours > sales


def test_indicators_that_say_nothing_are_refused() -> None:
    for seed in range(4):
        *_, fit = fit_world(simulate_world("null", seed))
        verdict = judge(fit, check_formula(fit))
        assert verdict.verdict == "unusable" and verdict.reasons


@pytest.mark.parametrize(
    ("kind", "names"),
    [("curve", ("b",)), ("together", ("b", "c")), ("place", ("region",)), ("", ())],
)
def test_what_the_formula_lacks_is_said_with_its_kind(kind: str, names: tuple[str, ...]) -> None:
    """A curve in an indicator, two that work together, a place; of a whole formula nothing."""
    rng = np.random.default_rng(0)
    z, place = rng.standard_normal((500, 4)), rng.integers(0, 6, 500)
    more = {
        "curve": 0.6 * (z[:, 1] ** 2 - 1),
        "together": 0.6 * z[:, 1] * z[:, 2],
        "place": 0.3 * (z[:, 1] ** 2 - 1) + 1.2 * rng.standard_normal(6)[place],
        "": 0.4 * z[:, 1],
    }[kind]
    potential = np.exp(9 + 0.5 * z[:, 0] + 0.25 * rng.standard_normal(500) + more)
    frame = pd.DataFrame(np.exp(3 + 0.6 * z), columns=list("abcd"))
    frame = frame.assign(account=[f"{k:03d}" for k in range(500)], region=place.astype(str))
    frame["sales"] = potential * rng.beta(2, 4, 500)
    truth = frame[["account"]].assign(potential=potential)
    *_, fit = fit_world(Simulated(frame, truth[:200], truth, tuple("abcd"), ()))
    regions = pd.DataFrame({"region": place.astype(str)}, index=fit.screening.values.index)
    fit = replace(fit, screening=replace(fit.screening, places=regions))
    said = [why for why in judge(fit, ()).reasons if "is missing from the formula" in why]
    found = what_is_missing(fit, 0.9 if kind == "place" else boosted_accuracy(fit)[0])
    assert (found is None) == (not kind) and (kind == "place" or bool(said) == bool(kind))
    if found is not None:
        assert found.key == f"r_missing_{kind}" and tuple(sorted(found.figures["names"])) == names
        assert all(name in str(found) for name in names)


def test_typing_errors_are_named_and_do_not_bend_the_formula() -> None:
    world = simulate_world("multiplicative", 1)
    _, _, clean = fit_world(world)
    assert world.survey is not None
    world.survey.loc[7, "potential"] *= 10
    world.survey.loc[13, "potential"] /= 10
    _, _, spoiled = fit_world(world)
    # One ten times too low may stand, and then counts less: a long tail explains it as well.
    assert world.survey.loc[7, "account"] in set(
        spoiled.suspects.query("entry == 'potential'")["account"]
    )
    assert spoiled.formula.indicators == clean.formula.indicators
    for before, after in zip(clean.formula.terms, spoiled.formula.terms, strict=True):
        assert after.coefficient == pytest.approx(before.coefficient, abs=before.std_error)


def test_a_crowd_of_wrong_indicator_entries_is_found() -> None:
    right = said = wrong = 0
    for seed in range(4):
        world = simulate_world("multiplicative", seed)
        rng = np.random.default_rng(seed)
        spoiled = {}
        for name in world.relevant:
            rows = rng.choice(600, 10, replace=False)
            world.accounts.loc[rows, name] *= rng.choice([10.0, 0.1], 10)
            spoiled[name] = set(world.accounts["account"].iloc[rows])
        found = screen(*world.as_read()).suspects
        said += len(found)
        wrong += sum(map(len, spoiled.values()))
        right += sum(row.account in spoiled.get(row.entry, ()) for row in found.itertuples())
    assert right / said >= 0.95 and right / wrong >= 0.5


def test_long_tails_are_not_called_errors(stores: Analysis, universities: Analysis) -> None:
    assert "distance_to_center_km" not in set(stores.fit.suspects["entry"])
    assert len(universities.fit.suspects) == 0


def test_shipped_typing_errors_are_the_two_planted(stores: Analysis) -> None:
    found = stores.fit.suspects[["account", "entry"]].itertuples(index=False, name=None)
    assert sorted(found) == [("00118", "potential"), ("00596", "floor_area_m2")]


def test_screening_says_why() -> None:
    rng = np.random.default_rng(3)
    n = 80
    accounts = pd.DataFrame(
        {
            "account": [str(i) for i in range(n)],
            "sales": 1.0,
            "good": rng.lognormal(size=n),
            "constant": 7.0,
            "empty": np.where(rng.random(n) < 0.9, np.nan, 1.0),
            "each": [f"v{i}" for i in range(n)],
        },
    )
    accounts["same"] = accounts["good"]
    accounts["scaled"] = 3 * accounts["good"] + 1
    names = ["good", "constant", "empty", "each", "same", "scaled"]
    survey = accounts[["account"]][:50].assign(potential=1.0)
    world = Simulated(accounts, survey, accounts, tuple(names), ())
    frame = screen(*world.as_read()).frame
    assert list(frame.index[frame["kept"]]) == ["good"]
    assert "constant" in frame.at["constant", "reason"]
    assert "missing" in frame.at["empty", "reason"] or "constant" in frame.at["empty", "reason"]
    assert frame.at["same", "reason"] == "the same as good"
    assert frame.at["scaled", "reason"] == "says the same as good"
    assert "80 values" in frame.at["each", "reason"] or "values" in frame.at["each", "reason"]


def world_of_many(candidates: int, surveyed: int, seed: int) -> Simulated:
    """400 accounts, six indicators among many that matter."""
    rng = np.random.default_rng(seed)
    names = [f"x{j:02d}" for j in range(candidates)]
    logs = pd.DataFrame(0.8 * rng.standard_normal((400, candidates)), columns=names)
    relevant = rng.choice(names, 6, replace=False)
    working = 6 + 0.5 * logs[relevant].sum(axis=1) + 0.35 * rng.standard_normal(400)
    truth = pd.DataFrame(
        {"account": [f"{i:03d}" for i in range(400)], "potential": np.exp(working)}
    )
    accounts = np.exp(logs + 3).assign(account=truth["account"])
    accounts["sales"] = truth["potential"] * rng.beta(3, 5, 400)
    return Simulated(accounts, truth[:surveyed], truth, tuple(names), tuple(relevant))


def test_the_formula_is_found_among_many_candidates_in_bounded_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each of 60 candidates in the exact search took minutes and let the noise of two in."""
    work: list[int] = []
    run = frontier.Search.run

    def counted(search: frontier.Search, *charge: np.ndarray) -> None:
        run(search, *charge)
        work.append(search.work)

    monkeypatch.setattr(frontier.Search, "run", counted)
    world = world_of_many(60, 80, 0)
    *_, fit = fit_world(world)
    assert set(world.relevant) == set(fit.formula.indicators)
    assert fit.path["gap"].isna().all()
    assert sum(work) < 1e9  # table cells, of some 1,400 searches


def test_what_a_search_that_ended_left_open_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontier, "MOST_WORK", 0)
    monkeypatch.setattr(frontier, "MOST_WORK_EACH", 0)
    *_, fit = fit_world(simulate_world("multiplicative", 1))
    assert fit.path["gap"].notna().any()
    gap = fit.path.loc[fit.path["chosen"], "gap"].notna().any()
    said = "The search for indicators was ended" in " ".join(judge(fit, ()).reasons)
    assert said == gap


def test_required_and_signs_and_max_bind() -> None:
    world = simulate_world("multiplicative", 2)
    _, _, fit = fit_world(world, required=("indicator_7",), max=2)
    assert "indicator_7" in fit.formula.indicators and len(fit.formula.indicators) <= 2
    _, _, signed = fit_world(world, expected_sign={"indicator_1": "-"})
    assert "indicator_1" not in signed.formula.indicators
    asked = {"required": ("indicator_1",), "expected_sign": {"indicator_1": "-"}}
    *_, against = fit_world(world, **asked)
    assert "indicator_1" in against.formula.indicators
    verdict = judge(against, ())
    assert verdict.verdict == "caution"
    assert "indicator 1 is required and works against" in " ".join(verdict.reasons)
    *_, agreed = fit_world(world, required=("indicator_1",), expected_sign={"indicator_1": "+"})
    assert "Signs of what is required" in [c.name for c in judge(agreed, ()).checks if c.passed]


def test_answers_that_are_one_multiple_of_sales_look_guessed_and_honest_ones_do_not() -> None:
    """A tenth and more of the answers that give us one share: named. Answers equal to sales, whole
    numbers, and a few of one multiple are what honest surveys hold, too."""
    rng = np.random.default_rng(5)
    names = pd.Index([f"{i}" for i in range(100)], name="account")
    sales = pd.Series(rng.lognormal(8, 1, 100).round(2), index=names)
    honest = sales * rng.uniform(1.1, 6.0, 100)

    def looked(answers: pd.Series, own: pd.Series = sales) -> pd.Series:
        oof = pd.DataFrame({"observed": answers})
        fit = SimpleNamespace(oof=oof, screening=SimpleNamespace(sales=own))
        return guessed_shares(cast(Fit, fit))

    assert not looked(honest).any()
    made = honest.copy()
    made[:20] = (sales[:20] / 0.8).round(2)
    assert looked(made).sum() == 20 and looked(made)[:20].all()
    loyal = honest.copy()
    loyal[:40] = sales[:40]
    few = honest.copy()
    few[:4] = 2 * sales[:4]
    coarse = pd.Series(rng.integers(1, 9, 100), index=names).astype(float)
    assert not (looked(loyal).any() or looked(few).any() or looked(2 * coarse, coarse).any())


def test_formula_reproduces_the_fitted_potential(stores: Analysis, phones: Analysis) -> None:
    for analysis in (stores, phones):
        fit, values = analysis.fit, analysis.screening.values
        potential = fit.formula.potential(values)
        working = potential if fit.formula.form == "linear" else np.log(potential)
        level = 0.0 if fit.formula.form == "linear" else np.log(fit.formula.smearing)
        np.testing.assert_allclose(working - level, np.maximum(fit.working, -np.inf), rtol=1e-9)


def test_sql_gives_the_same_number(phones: Analysis) -> None:
    values = phones.screening.values
    connection = sqlite3.connect(":memory:")
    connection.create_function("EXP", 1, np.exp)
    connection.create_function("LN", 1, np.log)
    values.to_sql("accounts", connection)
    sql = formula_record(phones.fit, phones.screening, phones.study)["sql"]
    found = pd.read_sql(f"SELECT {sql} AS potential FROM accounts", connection)
    expected = phones.fit.formula.potential(values)
    np.testing.assert_allclose(found["potential"], expected, rtol=1e-12)


def test_smearing_keeps_the_total_of_a_logarithmic_formula(phones: Analysis) -> None:
    fit = phones.fit
    predicted = fit.formula.potential(phones.screening.values).reindex(fit.oof.index)
    assert fit.formula.smearing > 1
    assert predicted.sum() == pytest.approx(fit.oof["observed"].sum(), rel=0.05)


def test_partial_effects_follow_the_coefficients(stores: Analysis) -> None:
    effects = partial_effects(stores.fit.formula, stores.screening.values)
    assert set(effects.index) == set(stores.fit.formula.indicators)
    assert (effects["high"] > effects["low"]).all()


def test_formula_in_words_names_every_indicator(phones: Analysis) -> None:
    formula = phones.fit.formula
    assert all(name in formula.text for name in formula.indicators)
    record = formula.to_json()
    assert record["text"] == formula.text and len(record["terms"]) == len(formula.terms)


def test_permuting_accounts_changes_nothing() -> None:
    world = simulate_world("multiplicative", 5)
    _, _, before = fit_world(world)
    shuffled = world.accounts.sample(frac=1, random_state=1)
    _, _, after = fit_world(
        Simulated(shuffled, world.survey, world.truth, world.candidates, world.relevant)
    )
    assert after.formula.indicators == before.formula.indicators
    ours = [term.coefficient for term in after.formula.terms]
    theirs = [term.coefficient for term in before.formula.terms]
    np.testing.assert_allclose(ours, theirs, rtol=0.05)
