"""Kept steps: computed once for what they were given, over processes, and right."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import kalib
from kalib.errors import StudyError
from kalib.study.kept import STEPS, kept_in

CODE = """
import sys, kalib
study, folder = kalib.read_study(sys.argv[1]), sys.argv[2]
kalib.keep(folder)
tables = kalib.read_tables(study)
potential = kalib.known_potential(tables)
screening = kalib.screen(tables, potential)
fit = kalib.fit_formula(screening, potential, study.formula)
fit.results.summary()  # what is shown of a result must not change what follows
verdict = kalib.judge(fit, kalib.check_formula(fit))
wallet = kalib.estimate_wallets(tables, potential, fit, verdict)
matrix = kalib.place(wallet, study.matrix)
attainment = kalib.attainment_since("", wallet.accounts, study)
print(kalib.plan_sales(matrix, study, attainment).accounts["target_sales"].sum())
"""


def names(folder: Path) -> set[str]:
    return {path.name for path in (folder / STEPS).glob("*.pkl")}


@pytest.mark.slow
def test_a_notebook_takes_what_the_run_has_computed(small_study: Path, tmp_path: Path) -> None:
    analysis = kalib.analyze(small_study, tmp_path / "run")
    before = names(tmp_path / "run")
    assert len(before) == 11  # one a step
    command = [sys.executable, "-c", CODE, small_study, tmp_path / "run"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == analysis.plan.accounts["target_sales"].sum()
    assert names(tmp_path / "run") == before


@pytest.mark.slow
def test_kept_results_equal_computed_ones(small_study: Path, tmp_path: Path) -> None:
    plain = kalib.analyze(small_study)
    first, second = (kalib.analyze(small_study, tmp_path / "run") for _ in range(2))
    for analysis in (first, second):
        pd.testing.assert_frame_equal(analysis.plan.accounts, plain.plan.accounts)
        assert analysis.verdict == plain.verdict
        assert analysis.fit.formula.text == plain.fit.formula.text


@pytest.mark.slow
def test_what_follows_from_a_change_is_computed_and_nothing_else(
    small_study: Path, tmp_path: Path
) -> None:
    kalib.analyze(small_study, tmp_path / "run")
    before = names(tmp_path / "run")
    kalib.analyze(small_study, tmp_path / "run", settings={"matrix.share_cut": "0.5"})
    more = {name.split("-")[0] for name in names(tmp_path / "run") - before}
    assert more == {"place", "rank_next_survey", "plan_sales"}
    before = names(tmp_path / "run")
    survey = small_study / "survey.csv"
    survey.write_text("".join(survey.read_text().splitlines(keepends=True)[:-1]))
    kalib.analyze(small_study, tmp_path / "run")
    assert len(names(tmp_path / "run") - before) == 11


def test_what_an_analyst_does_to_a_result_stays_with_the_analyst(
    small_study: Path, tmp_path: Path
) -> None:
    study = kalib.read_study(small_study)
    with kalib.keep(tmp_path):
        tables = kalib.read_tables(study)
        tables.accounts["sales"] *= 2
        assert (
            kalib.read_tables(study).accounts["sales"].sum() * 2 == tables.accounts["sales"].sum()
        )
        doubled = kalib.known_potential(replace(tables, survey=tables.survey * 2))
        assert (doubled.frame["potential"] == tables.survey * 2).all()


def test_nothing_is_kept_without_a_folder(small_study: Path, tmp_path: Path) -> None:
    with kalib.keep(tmp_path):
        with kalib.keep(""):
            assert kept_in() is None
            kalib.read_tables(kalib.read_study(small_study))
        assert kept_in() == tmp_path.resolve() / STEPS
    assert kept_in() is None and not names(tmp_path)


def test_a_step_goes_on_where_it_can_t_be_kept(small_study: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / STEPS).write_text("a file in the place of the folder")
    with kalib.keep(run):
        tables = kalib.read_tables(kalib.read_study(small_study))
    assert len(tables.accounts) and [path.name for path in run.iterdir()] == [STEPS]


def test_names_are_coded_before_anything_is_kept(small_study: Path, tmp_path: Path) -> None:
    kalib.analyze(small_study, tmp_path, key=b"0123456789abcdef")
    for path in (tmp_path / STEPS).glob("read_tables*.pkl"):
        assert not pickle.loads(path.read_bytes()).accounts.index.str.match("^[0-9]+$").any()
    study = kalib.read_study(small_study)
    with kalib.keep(tmp_path):
        assert kalib.read_tables(study).anonymous  # a notebook takes them so
        other = kalib.read_study(small_study, {"indicators.max": "1"})
        with pytest.raises(StudyError, match="names are hidden"):
            kalib.read_tables(other)
