"""Bad input: every kind tried is refused with a remedy, read and said, or read as it was meant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bad_input import CASES, NOTED, REFUSED, SAME, Case, summary
from conftest import ROOT

from kalib.analysis import analyze
from kalib.errors import StudyError

NAMES = [f"{case.family}: {case.name}" for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_bad_input(case: Case, small_study: Path) -> None:
    meant = analyze(small_study).tables
    case.spoil(small_study)
    if case.fate == REFUSED:
        with pytest.raises(StudyError) as caught:
            _ = analyze(small_study).tables
        text = str(caught.value)
        for problem in caught.value.problems:
            assert problem.file and (problem.remedy or "study.toml" in problem.file), text
    else:
        tables = analyze(small_study).tables
        text = "\n".join(map(str, tables.notes))
        assert bool(text) == (case.fate == NOTED), text
        assert set(tables.accounts.index) >= set(meant.accounts.index)
        if case.fate == SAME:
            sales = tables.accounts["sales"].reindex(meant.accounts.index)
            np.testing.assert_allclose(sales, meant.accounts["sales"], rtol=1e-6)
            assert tables.survey is not None and meant.survey is not None
            pd.testing.assert_series_equal(tables.survey, meant.survey)
    for words in case.says:
        assert words in text, text


def test_readme_has_the_table_of_bad_input() -> None:
    assert summary() in (ROOT / "docs/bad-input.md").read_text(encoding="utf-8")
