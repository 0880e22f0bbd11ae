"""The study file: what is refused, all at once, and what settings lie over it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import ROOT
from settings_table import page, sections

from kalib.cli import main
from kalib.errors import StudyError
from kalib.study.loading import read_study, study_path


def replace(folder: Path, old: str, new: str) -> None:
    file = folder / "study.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_defaults_are_those_of_the_contract(small_study: Path) -> None:
    study = read_study(small_study)
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
        study = read_study(file)
        assert file.parent.name in (study.name, f"{study.name}-{study.period}")


def test_every_problem_is_listed_at_once(small_study: Path) -> None:
    replace(small_study, 'name = "small"', 'name = "Not Allowed"\ncurency = "EUR"')
    replace(
        small_study, 'survey = "survey.csv"', 'survey = "absent.csv"\n[formula]\nform = "cubic"'
    )
    with pytest.raises(StudyError) as caught:
        read_study(small_study)
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
        (
            "[columns]",
            "[matrix]\npotential_cut = { quantile = 1.5 }\n[columns]",
            "above 0 and below 1",
        ),
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
        read_study(small_study)
    assert message in str(caught.value)


def test_settings_lie_over_the_file(small_study: Path) -> None:
    settings = {"matrix.share_cut": "0.35", "report.client": "Müller & Co"}
    study = read_study(small_study, settings)
    assert study.matrix.share_cut == 0.35 and study.report.client == "Müller & Co"


@pytest.mark.parametrize("key", ["share_cut", "matrix.", ".share_cut", "matrix.share-cut"])
def test_setting_that_names_no_key_is_refused(small_study: Path, key: str) -> None:
    with pytest.raises(StudyError, match=r"section\.key"):
        read_study(small_study, {key: "1"})


def test_missing_study_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"Give a study\.toml or its folder"):
        read_study(tmp_path)


@pytest.mark.parametrize("line", ['account = "id"', 'sales = "sales"', 'potential = "potential"'])
def test_blank_column_name_is_refused(line: str, small_study: Path) -> None:
    file = small_study / "study.toml"
    term = line.split()[0]
    file.write_text(file.read_text().replace(line, f'{term} = ""'))
    with pytest.raises(StudyError, match=rf"study.toml: 'columns.{term}'"):
        read_study(small_study)


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("matrix.potential_cut", "{ top = 0.5 }", "top is a whole number from 1"),
        ("matrix.potential_cut", "{ value = nan }", "value is a number above 0"),
        ("matrix.potential_cut", "{ value = inf }", "value is a number above 0"),
        ("matrix.potential_cut", "{ value = 1e300 }", "at most 1e+15"),
        ("matrix.potential_cut", "{ quantile = 1 }", "above 0 and below 1"),
        ("matrix.potential_cut", "{ top = true }", "top is a whole number from 1"),
        ("matrix.potential_cut", "0.8", "{ quantile = 0.8 }"),
        (
            "matrix.share_cut",
            "nan",
            "'matrix.share_cut' is nan. Give \"market\" or a number above 0",
        ),
        (
            "teams.visits_per_year",
            "{ attack = -3 }",
            "attack' is -3. Give a number from 0 to 10,000",
        ),
        ("teams.visits_per_year", "{ attack = 1e300 }", "attack' is 1e+300"),
        ("teams.visits_per_year", "{ atack = 3 }", "Did you mean 'attack'?"),
        ("teams.visits_per_rep", "inf", "'teams.visits_per_rep' is inf"),
        ("teams.visits_per_rep", "-1", "Give a number above 0 and at most 100,000"),
        ("teams.hunters", "2.5", "'teams.hunters' is 2.5. Give a whole number"),
        ("teams.hunters", "1e300", "Give a whole number"),
        ("teams.farmers", "true", "'teams.farmers' is true"),
        ("targets.horizon_years", "nan", "'targets.horizon_years' is nan"),
        ("targets.close_gap", "1.5", "Give a number from 0 to 1"),
        ("targets.company_growth", "inf", "'targets.company_growth' is inf"),
        ("formula.confidence", "nan", "Give a number from 0.5 to 0.98"),
        ("formula.confidence", '"0.9"', "'formula.confidence' is '0.9'. Give a number"),
        ("formula.evidence", '"sales"', 'Give "formula", "formula+sales" or "auto"'),
        ("indicators.max", "0", "Give a whole number from 1 to 1,000"),
        ("indicators.maxx", "3", "Did you mean 'max'?"),
        ("indicators.labels", '{ shelves = "shelves" }', "'shelves' is not among the candidates"),
        ("indicators.allow", '["shelves"]', "'shelves' is not among the candidates"),
        ("survey.error", "-1", 'Give "auto" or a number from 0 to 2'),
        ("survey.understated", "1", "Give a number from 0 to 0.9"),
        ("market.total", "0", "Give a number above 0"),
        ("market.total", '"absent.csv"', "no file absent.csv"),
        ("market.total", '"../else.csv"', "leaves the study's folder"),
        ("proof.holdout", "0.9", "Give a number from 0 to 0.5"),
        ("data.id_width", "-6", "Give a whole number from 0 to 40"),
        ("data.duplicates", '"last"', 'Give "refuse" or "first"'),
        ("data.missing", '"k.A."', "Give a list, each entry text"),
        ("study.period", "2026", "'study.period' is 2026. Give text such as \"2026\""),
        ("report.logo", '"logo.gif"', 'Give text such as "logo.png"'),
        ("maket.total", "1", "unknown key 'maket'. Did you mean 'market'?"),
    ],
)
def test_setting_out_of_range_is_refused_in_words(
    small_study: Path, setting: str, value: str, said: str
) -> None:
    with pytest.raises(StudyError) as caught:
        read_study(small_study, {setting: value})
    text = str(caught.value)
    assert said in text and setting.partition(".")[0] in text
    assert len(caught.value.problems) == 1 and caught.value.problems[0].remedy
    for word in ("constrained", "Input should", "literal", "pydantic", "validation"):
        assert word not in text


def test_new_sections_are_read(small_study: Path) -> None:
    file = small_study / "study.toml"
    text = file.read_text().replace("[indicators]", 'parent = "region"\n[indicators]')
    file.write_text(text + '[indicators.labels]\narea = "floor area (m²)"\n')
    (small_study / "market.csv").write_text("region,total\nN,5\n")
    study = read_study(
        small_study,
        {"market.total": "market.csv", "market.error": "0.1", "survey.error": "0.2",
         "survey.understated": "0.1", "proof.holdout": "0.15", "indicators.allow": '["staff"]'},
    )  # fmt: skip
    assert study.columns.parent == "region" and study.market.total == "market.csv"
    assert study.label("area") == "floor area (m²)" and study.label("staff") == "staff"
    assert (study.survey.error, study.survey.understated) == (0.2, 0.1)
    assert study.proof.holdout == 0.15 and study.indicators.allow == ("staff",)
    plain = read_study(small_study)
    assert plain.market.total is None and plain.survey.error == "auto" and plain.proof.holdout == 0


def test_every_key_is_described_and_documented() -> None:
    found = {name: schema for name, schema, _ in sections()}
    assert set(found) == {
        "study", "data", "columns", "indicators", "visits", "formula", "survey", "market",
        "matrix", "teams", "teams.visits_per_year", "targets", "proof", "report",
    }  # fmt: skip
    for name, schema in found.items():
        assert schema["description"].startswith(f"[{name}]: ")
        for key, rule in schema["properties"].items():
            assert len(rule.get("description", "")) > 10, f"{name}.{key}"
            assert key in schema.get("required", []) or "default" in rule, f"{name}.{key}"
    assert page() == (ROOT / "docs/study-file.md").read_text(encoding="utf-8")


def test_schema_command_prints_it() -> None:
    done = CliRunner().invoke(main, ["schema"])
    assert done.exit_code == 0
    assert set(json.loads(done.output)["properties"]) >= {"study", "market", "proof"}


def test_study_path_is_the_file_or_its_folder(small_study: Path) -> None:
    assert study_path(small_study) == study_path(small_study / "study.toml")
    assert study_path("other.toml") == Path("other.toml")
