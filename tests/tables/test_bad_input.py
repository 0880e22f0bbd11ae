"""Bad input: every kind tried is refused with a remedy, read and said, or read as it was meant."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bad_input import CASES, NOTED, REFUSED, SAME, Case, summary
from conftest import ROOT

from kalib.analysis import analyze
from kalib.errors import StudyError, message_of
from kalib.study.loading import read_study
from kalib.tables.asked import read_asked
from kalib.tables.tables import read_tables
from kalib.wallet.known import known_potential

NAMES = [f"{case.family}: {case.name}" for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_bad_input(case: Case, small_study: Path) -> None:
    meant = read_tables(read_study(small_study))
    case.spoil(small_study)
    if case.fate == REFUSED:
        with pytest.raises(StudyError) as caught:
            known_potential(read_tables(read_study(small_study)))
        text = str(caught.value)
        for problem in caught.value.problems:
            assert problem.file and (problem.remedy or "study.toml" in problem.file), text
    else:
        tables = read_tables(read_study(small_study))
        text = "\n".join(map(str, tables.notes))
        assert bool(text) == (case.fate == NOTED), text
        assert len(set(meant.accounts.index) - set(tables.accounts.index)) <= 2, "renamed by a case"
        assert len(tables.accounts) >= len(meant.accounts)
        if case.fate == SAME:
            same = tables.accounts.index.intersection(meant.accounts.index)
            np.testing.assert_allclose(
                tables.accounts["sales"][same], meant.accounts["sales"][same], rtol=1e-6
            )
            assert tables.survey is not None and meant.survey is not None
            survey = tables.survey.reindex(meant.survey.index).dropna()
            assert len(survey) >= len(meant.survey) - 1
            pd.testing.assert_series_equal(survey, meant.survey[survey.index])
    for words in case.says:
        assert words in text, text


def test_readme_has_the_table_of_bad_input() -> None:
    assert summary() in (ROOT / "docs/bad-input.md").read_text(encoding="utf-8")


def test_study_file_and_tables_are_refused_at_once(small_study: Path) -> None:
    """Unknown and wrong keys, a file that is absent, columns that are, and wrong cells."""
    file, survey = small_study / "study.toml", small_study / "survey.csv"
    text = file.read_text().replace('"area", ', '"area", "nowhere", ')
    text += (
        'required = ["elsewhere"]\n[matrix]\ncut = 1\nshare_cut = 7\n[report]\nlogo = "no.png"\n'
    )
    file.write_text(text)
    survey.write_text(
        survey.read_text().replace("\n001,", "\n001,minus ").replace("\n002,", "\n002,-")
    )
    with pytest.raises(StudyError) as caught:
        read_asked(small_study)
    told = message_of(caught.value)
    for part in ("unknown key 'matrix.cut'", "'matrix.share_cut' is 7", "no file no.png",
                 "'elsewhere' is not among the candidates", "accounts.csv, column nowhere",
                 "survey.csv, column potential, row 3: 'minus ", "row 4: '-"):  # fmt: skip
        assert part in told, told
    assert len(told.splitlines()) == 8 and "is missing" not in told


def test_a_fault_of_many_cells_is_told_cell_by_cell(small_study: Path) -> None:
    """One of many columns is one line; of two columns with two wrong cells each, four."""
    accounts = pd.read_csv(small_study / "accounts.csv", dtype=str)
    accounts.loc[[3, 9], "sales"], accounts.loc[[4, 7], "area"] = ["abc", "1.2.3"], ["big", "wide"]
    accounts.to_csv(small_study / "accounts.csv", index=False)
    with pytest.raises(StudyError) as caught:
        read_tables(read_asked(small_study))
    told = message_of(caught.value)
    assert all(f"row {row}: '{cell}'" in told for row, cell in
               ((5, "abc"), (11, "1.2.3"), (6, "big"), (9, "wide"))), told  # fmt: skip


def test_answers_that_repeat_tell_their_error(small_study: Path) -> None:
    """They are averaged, and an answer is as sure as answers of one account are alike."""
    survey, rng = small_study / "survey.csv", np.random.default_rng(8)
    table = pd.read_csv(survey, dtype={"id": str})
    scatter = 0.25
    noisy = [table.assign(potential=table["potential"] * np.exp(scatter * rng.standard_normal(40)))
             for _ in range(2)]  # fmt: skip
    noisy[1] = noisy[1].head(30)
    pd.concat(noisy).to_csv(survey, index=False)
    tables = read_tables(read_study(small_study))
    assert "30 accounts answered more than once" in "\n".join(map(str, tables.notes))
    known = known_potential(tables).frame
    both = np.sqrt(noisy[0]["potential"].head(30) * noisy[1]["potential"])
    np.testing.assert_allclose(known["potential"].head(30), both, rtol=1e-6)
    single, double = known["log_sd"].iloc[30:], known["log_sd"].iloc[:30]
    np.testing.assert_allclose(single, double.iloc[0] * np.sqrt(2))
    assert 0.17 < single.iloc[0] < 0.33
    accounts = analyze(small_study).wallet.accounts.loc[known.index]
    assert (accounts["potential_low"] < accounts["potential_high"]).all()
    # Few that repeat are no sample of errors: they are refused as before.
    pd.concat([noisy[0], noisy[1].head(5)]).to_csv(survey, index=False)
    with pytest.raises(StudyError, match="stands in row"):
        read_tables(read_study(small_study))


def test_a_total_below_the_survey_is_refused_when_it_is_read(small_study: Path) -> None:
    with (small_study / "study.toml").open("a") as file:
        file.write("[market]\ntotal = 1000\n")
    with pytest.raises(StudyError, match=r"a total of 1,000 is no more than the surveyed"):
        read_tables(read_study(small_study))


@pytest.mark.parametrize("swapped", [True, False])
def test_own_units_above_all_units_are_told(swapped: bool, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "data/phones-retail", tmp_path, dirs_exist_ok=True)
    file = tmp_path / "study.toml"
    if swapped:
        text = (
            file.read_text().replace('"own_units"', '"?"').replace('"total_units"', '"own_units"')
        )
        file.write_text(text.replace('"?"', '"total_units"'))
        with pytest.raises(StudyError, match="swapped in"):
            read_tables(read_study(tmp_path))
        return
    visits = pd.read_csv(tmp_path / "visits.csv", dtype={"store_id": str})
    visits.loc[:6, "own_units"] = visits.loc[:6, "total_units"] + 1
    visits.to_csv(tmp_path / "visits.csv", index=False)
    notes = "\n".join(map(str, read_tables(read_study(tmp_path)).notes))
    assert (
        "row 2: '" in notes and "is more than all brands' units" in notes and "6 rows more" in notes
    )
