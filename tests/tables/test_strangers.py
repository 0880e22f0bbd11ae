"""Strangers' files in five styles: from file to a right report with nothing but `kalib new`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from strangers import STRANGERS

from kalib.analysis import analyze
from kalib.study.loading import read_study
from kalib.tables.proposal import Proposal, propose_study


def proposed(style: str, folder: Path) -> tuple[Proposal, pd.Series]:
    files, truth = STRANGERS[style].write(folder)
    before = [path.read_bytes() for path in files]
    proposal = propose_study(style, files, folder / "data")
    assert [path.read_bytes() for path in files] == before
    return proposal, truth


@pytest.mark.parametrize("style", STRANGERS)
def test_roles_are_told_and_no_leaking_column_is_proposed(style: str, tmp_path: Path) -> None:
    stranger = STRANGERS[style]
    proposal, _ = proposed(style, tmp_path)
    study = read_study(proposal.folder)
    named = study.columns.model_dump(exclude_none=True)
    assert named == stranger.roles
    assert stranger.indicators == set(study.indicators.candidates)
    assert not stranger.never & set(study.indicators.candidates)
    assert study.report.language == stranger.language
    taken = proposal.columns.set_index("column")["role"]
    assert taken[list(stranger.never)].str.startswith("left out: ").all()
    assert proposal.columns["number"].to_list() == list(range(1, len(proposal.columns) + 1))


@pytest.mark.slow
@pytest.mark.parametrize("style", STRANGERS)
def test_report_is_right(style: str, tmp_path: Path) -> None:
    proposal, truth = proposed(style, tmp_path)
    analysis = analyze(proposal.folder)
    assert analysis.verdict.verdict != "unusable"
    found = analysis.wallet.accounts["potential"].reindex(truth.index)
    assert found.notna().all()
    error = np.abs(np.log(found / truth))
    assert error.median() < 0.15 and (error < 0.4).mean() > 0.9
    top = truth.nlargest(len(truth) // 5).index
    assert found.nlargest(len(top)).index.isin(top).mean() > 0.75
