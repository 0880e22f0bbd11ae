"""The study file: what is refused, all at once, and what settings lie over it."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import ROOT

from kalib.errors import StudyError
from kalib.study.loading import load_study


def replace(folder: Path, old: str, new: str) -> None:
    file = folder / "study.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_defaults_are_those_of_the_contract(small_study: Path) -> None:
    study = load_study(small_study)
    assert study.formula.confidence == 0.9 and study.formula.form == "auto"
    assert study.matrix.potential_cut.kind == "quantile"
    assert study.matrix.potential_cut.value == 0.8
    assert study.matrix.share_cut == "market"
    assert [study.teams.visits(z) for z in ("attack", "defense", "maintenance", "watch")] == [
        24, 12, 4, 1,
    ]  # fmt: skip
    assert study.teams.visits_per_rep == 800 and study.targets.close_gap == 0.5
    assert study.indicators.max == 8


def test_shipped_studies_are_read() -> None:
    for file in sorted((ROOT / "data").glob("*/study.toml")):
        study = load_study(file)
        assert file.parent.name in (study.name, f"{study.name}-{study.period}")


def test_every_problem_is_listed_at_once(small_study: Path) -> None:
    replace(small_study, 'name = "small"', 'name = "Not Allowed"\ncurency = "EUR"')
    replace(
        small_study, 'survey = "survey.csv"', 'survey = "absent.csv"\n[formula]\nform = "cubic"'
    )
    with pytest.raises(StudyError) as caught:
        load_study(small_study)
    text = str(caught.value)
    assert "study.curency" in text and "Did you mean 'currency'?" in text
    assert "study.name" in text and "formula.form" in text
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('survey = "survey.csv"', 'survey = "../secret.csv"', "leaves the study's folder"),
        ('survey = "survey.csv"', 'survey = "absent.csv"', "no file absent.csv"),
        ('survey = "survey.csv"', 'visits = "survey.csv"', "'visits' is missing"),
        ('potential = "potential"', "", "columns.potential"),
        ('account = "id"', "", "'columns.account' is missing"),
        ('["area", "staff", "format"]', "[]", "indicators.candidates"),
        ('["area", "staff", "format"]', '["area", "area"]', "listed twice"),
        ('["area", "staff", "format"]', '["area"]\nrequired = ["shelves"]', "not among"),
        ('["area", "staff", "format"]', '["area"]\nexpected_sign = { area = "up" }', "expected"),
        ('period = "2026"', 'period = "../2026"', "study.period"),
        ('period = "2026"', 'period = ".."', "study.period"),
        ('period = "2026"', 'period = "a/b"', "study.period"),
        ("[columns]", "[matrix]\npotential_cut = { half = 0.5 }\n[columns]", "half"),
        ("[columns]", "[matrix]\npotential_cut = { quantile = 1.5 }\n[columns]", "between 0 and 1"),
        ("[columns]", "[matrix]\nshare_cut = 2.0\n[columns]", "matrix.share_cut"),
        ("[columns]", "[teams]\nvisits_per_rep = 0\n[columns]", "teams.visits_per_rep"),
        ("[study]", "folder = '/'\n[study]", "unknown key 'folder'"),
        ("[study]", "formula = { criterion = 'aic' }\n[study]", "'formula.criterion'"),
        ("[study]", "[study", "not valid TOML"),
    ],
)
def test_bad_study_is_refused(small_study: Path, old: str, new: str, message: str) -> None:
    replace(small_study, old, new)
    with pytest.raises(StudyError) as caught:
        load_study(small_study)
    assert message in str(caught.value)


def test_settings_lie_over_the_file(small_study: Path) -> None:
    settings = {"matrix.share_cut": "0.35", "report.client": "Müller & Co"}
    study = load_study(small_study, settings)
    assert study.matrix.share_cut == 0.35 and study.report.client == "Müller & Co"


@pytest.mark.parametrize("key", ["share_cut", "matrix.", ".share_cut", "matrix.share-cut"])
def test_setting_that_names_no_key_is_refused(small_study: Path, key: str) -> None:
    with pytest.raises(StudyError, match=r"section\.key"):
        load_study(small_study, {key: "1"})


def test_missing_study_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"Give a study\.toml or its folder"):
        load_study(tmp_path)


@pytest.mark.parametrize("line", ['account = "id"', 'sales = "sales"', 'potential = "potential"'])
def test_blank_column_name_is_refused(line: str, small_study: Path) -> None:
    file = small_study / "study.toml"
    term = line.split()[0]
    file.write_text(file.read_text().replace(line, f'{term} = ""'))
    with pytest.raises(StudyError, match=rf"study.toml: 'columns.{term}'"):
        load_study(small_study)
