"""Fitting by sums that an engine computes: NIST's digits, and a whole study."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from generators.simulate import simulate_world, write_study
from kalib.analysis import analyze
from kalib.errors import KalibError, StudyError
from kalib.formula.linear import least_squares
from kalib.scale.large import fit_large
from kalib.scale.score import score_table
from kalib.scale.sums import SummedFit, fit_sums, sum_columns

NIST = ROOT / "tests/reference/nist"
CERTIFIED = json.loads((NIST / "certified.json").read_text())
DIGITS = {"filip": 6, "wampler4": 11, "wampler5": 9}  # the others 13


def digits(found: object, certified: object) -> float:
    found, certified = np.atleast_1d(found), np.atleast_1d(np.asarray(certified, float))
    error = np.abs(found - certified) / np.where(certified == 0, 1.0, np.abs(certified))
    return float(-np.log10(np.maximum(error, 1e-16)).min())


def fit_frame(frame: pd.DataFrame) -> SummedFit:
    import ibis

    connection = ibis.duckdb.connect()
    connection.con.register("rows", frame.astype(float))
    rows = connection.table("rows")
    return fit_sums(sum_columns(rows, {name: rows[name] for name in frame}))


@pytest.mark.parametrize("name", [name for name in CERTIFIED if CERTIFIED[name]["intercept"]])
def test_sums_equal_nist_certified_values(name: str) -> None:
    case, table = CERTIFIED[name], pd.read_csv(NIST / f"{name}.csv").astype(float)
    if "x" in table:
        powers = {f"x{k}": table["x"] ** k for k in range(1, case["degree"] + 1)}
        table = pd.DataFrame({**powers, "y": table["y"]})
    found = fit_frame(table[[c for c in table if c != "y"] + ["y"]])
    assert digits(found.coef, case["coef"]) >= DIGITS.get(name, 13)
    # Of Filip's, whichever order its rows are in, 7 are left.
    assert digits(found.std_error, case["std_error"]) >= (7 if name == "filip" else 8)


def test_first_rows_that_mislead_cost_no_digits() -> None:
    rng = np.random.default_rng(6)
    order = np.sort(rng.standard_normal(40_000))
    design = np.column_stack([1e4 * order**3, np.where(np.arange(40_000) < 20_000, 5.0, order)])
    response = design @ [2e-4, -1.0] + rng.standard_normal(40_000)
    frame = pd.DataFrame(design, columns=["steep", "late"]).assign(y=response)
    expected, found = least_squares(design, response, ["steep", "late"]), fit_frame(frame)
    np.testing.assert_allclose(found.coef, expected.coef, rtol=1e-10)
    np.testing.assert_allclose(found.std_error, expected.std_error, rtol=1e-10)


def test_sums_equal_the_orthogonal_fit_far_from_the_origin() -> None:
    rng = np.random.default_rng(4)
    design = 1e6 + rng.standard_normal((3000, 4))
    design[:, 3] = design[:, 2] + 1e-3 * rng.standard_normal(3000)
    response = design @ [1.0, -2.0, 3.0, 0.5] + rng.standard_normal(3000)
    frame = pd.DataFrame(design, columns=list("abcd")).assign(y=response)
    expected, found = least_squares(design, response, list("abcd")), fit_frame(frame)
    np.testing.assert_allclose(found.coef[1:], expected.coef[1:], rtol=1e-7)
    np.testing.assert_allclose(found.std_error, expected.std_error, rtol=1e-7)
    assert found.r2 == pytest.approx(expected.results.rsquared, rel=1e-10)
    with pytest.raises(KalibError, match="combination"):
        fit_frame(frame.assign(b=2 * frame["a"]))


@pytest.mark.parametrize("kind", ["multiplicative", "spread"])
def test_a_large_study_is_fitted_on_all_rows_and_scored(kind: str, tmp_path: Path) -> None:
    world = simulate_world(kind, 3, n=6000, surveyed=3000)
    write_study(world, tmp_path)
    found = fit_large(tmp_path, tmp_path / "run", sample=400)
    assert found.formula.form == "log-log" and set(found.formula.indicators) == set(world.relevant)
    assert (found.formula.spread is not None) == (kind == "spread")
    assert found.surveyed == 3000 and found.used > 2900 and found.sample == 400
    assert found.r2 - 0.02 < found.r2_folds < found.r2
    accounts = world.accounts.set_index("account")
    assert world.survey is not None
    observed = world.survey.set_index("account")["potential"]
    values = accounts.loc[observed.index]
    design = np.column_stack(
        [term.column.encode(values[term.column.indicator]) for term in found.formula.terms]
    )
    left = np.log(observed / found.formula.potential(values))
    if found.used == found.surveyed:
        plain = least_squares(
            design, np.log(observed), [t.column.name for t in found.formula.terms]
        )
        coef = [found.formula.intercept, *(term.coefficient for term in found.formula.terms)]
        np.testing.assert_allclose(coef, plain.coef, rtol=1e-10)
        if kind == "multiplicative":
            assert np.exp(left).mean() == pytest.approx(1, rel=1e-9)
    scored = score_table(tmp_path / "run", tmp_path / "accounts.csv", tmp_path / "s.parquet")
    assert scored.rows == 6000
    potential = pd.read_parquet(tmp_path / "s.parquet").set_index("account")["potential"]
    truth = world.truth.set_index("account")["potential"]
    expected = found.formula.potential(accounts)
    np.testing.assert_allclose(potential.reindex(expected.index), expected, rtol=1e-9)
    assert potential.sum() == pytest.approx(truth.sum(), rel=0.05)


@pytest.mark.slow
def test_a_survey_that_own_sales_decided_is_weighted_as_in_a_run(tmp_path: Path) -> None:
    world = simulate_world("biased", 5, n=2400, surveyed=600)
    write_study(world, tmp_path)
    found = fit_large(tmp_path, tmp_path / "run", sample=700)
    analysis = analyze(tmp_path)
    assert world.survey is not None and analysis.fit.bias.biased
    values = analysis.screening.values
    values = values[~values.index.isin(world.survey["account"])]
    truth = world.truth.set_index("account")["potential"].reindex(values.index).sum()
    large, whole = (f.potential(values).sum() for f in (found.formula, analysis.fit.formula))
    assert large == pytest.approx(whole, rel=0.02)
    assert large == pytest.approx(truth, rel=0.04)  # without weights 7 % too much


def test_a_large_linear_formula_of_text_alone_equals_the_mean_of_its_levels(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    level = rng.choice(["hyper", "super", "mini"], 3000)
    potential = pd.Series(level).map({"hyper": 400.0, "super": 250.0, "mini": 120.0})
    potential += rng.normal(0, 15, 3000)
    accounts = pd.DataFrame({
        "account": [f"A{i:04d}" for i in range(3000)], "sales": (0.3 * potential).round(2),
        "format": level,
    })  # fmt: skip
    accounts.to_csv(tmp_path / "accounts.csv", index=False)
    survey = accounts[["account"]].assign(potential=potential).head(2000)
    survey.to_csv(tmp_path / "survey.csv", index=False)
    (tmp_path / "study.toml").write_text("""
[study]
name = "texts"
title = "Text alone"
industry = "stores"
currency = "EUR"
period = "2026"
[data]
accounts = "accounts.csv"
survey = "survey.csv"
[columns]
account = "account"
sales = "sales"
potential = "potential"
[indicators]
candidates = ["format"]
[formula]
form = "linear"
""")
    found = fit_large(tmp_path, tmp_path / "run", sample=300)
    assert found.used == found.surveyed == 2000
    score_table(tmp_path / "run", tmp_path / "accounts.csv", tmp_path / "s.parquet")
    scored = pd.read_parquet(tmp_path / "s.parquet").set_index("account")["potential"]
    means = potential.head(2000).groupby(level[:2000]).mean()
    expected = pd.Series(level, index=accounts["account"]).map(means)
    np.testing.assert_allclose(scored[expected.index], expected, rtol=1e-9)


def test_a_large_study_that_is_wrong_is_refused(tmp_path: Path) -> None:
    world = simulate_world("multiplicative", 3, n=300, surveyed=100)
    write_study(world, tmp_path)
    accounts = pd.read_csv(tmp_path / "accounts.csv", dtype=str)
    pd.concat([accounts, accounts]).to_csv(tmp_path / "accounts.csv", index=False)
    with pytest.raises(StudyError, match="stands in row"):
        fit_large(tmp_path, tmp_path / "run", sample=500)
    accounts.assign(sales="many").to_csv(tmp_path / "accounts.csv", index=False)
    with pytest.raises(StudyError, match="sales"):
        fit_large(tmp_path, tmp_path / "run", sample=50)
    assert not (tmp_path / "run").exists()


def test_a_table_that_the_sample_holds_is_fitted_as_a_run_fits_it(
    small_study: Path, tmp_path: Path
) -> None:
    found, whole = fit_large(small_study, tmp_path / "run"), analyze(small_study)
    assert found.formula == whole.fit.formula and found.sampled == whole.fit.formula.indicators
    record = json.loads((tmp_path / "run/formula.json").read_text())
    assert record["text"] == whole.fit.formula.text and set(record["surveyed"])
    judged = json.loads((tmp_path / "run/verdict.json").read_text())
    assert judged["estimate"] == {
        "basis": "formula", "verdict": judged["verdict"], "reasons": judged["reasons"]
    }  # fmt: skip


def test_another_choice_than_the_sample_s_is_explained(
    small_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.testing import CliRunner

    from kalib.cli import main

    found = fit_large(small_study, tmp_path / "run")
    for sampled, said in ((found.sampled, False), (("hours",), True)):
        monkeypatch.setattr(
            "kalib.scale.large.fit_large", lambda *_, s=sampled, **__: replace(found, sampled=s)
        )
        done = CliRunner().invoke(main, ["fit", str(small_study), "--out", str(tmp_path / "b")])
        assert done.exit_code == 0 and "accounts in the fit" in done.output
        assert (f"kalib run on the {found.sample:,} alone chooses hours" in done.output) == said
