"""Bad input: every kind tried is refused with a remedy, read and said, or read as it was meant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bad_input import CASES, NOTED, REFUSED, SAME, Case, summary
from conftest import ROOT

from kalib.errors import StudyError
from kalib.study.loading import read_study
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
