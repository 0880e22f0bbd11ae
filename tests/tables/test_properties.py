"""What holds of any client table and any small study."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import event, given, settings
from strategies import STUDIES, ClientStudy, SmallStudy, client_studies, small_studies

from kalib.analysis import analyze
from kalib.errors import StudyError
from kalib.study.loading import read_study
from kalib.tables.client import Tables
from kalib.tables.tables import read_tables

pytestmark = pytest.mark.slow


@given(client_studies())
def test_any_table_is_read_or_refused_with_its_file(study: ClientStudy) -> None:
    with tempfile.TemporaryDirectory() as folder:
        study.write(Path(folder))
        try:
            tables = read_tables(read_study(Path(folder)))
        except StudyError as error:
            event(f"refused: {error.problems[0].file}")
            assert error.problems
            for problem in error.problems:
                assert problem.file, str(error)
                assert problem.remedy or problem.file == "study.toml", str(error)
        else:
            event("read")
            assert isinstance(tables, Tables)
            assert tables.accounts.index.is_unique
            assert (tables.accounts["sales"] >= 0).all()
            assert tables.survey is not None and (tables.survey > 0).all()
            assert tables.survey.index.isin(tables.accounts.index).all()


MONEY = ["sales", "potential", "potential_low", "potential_high", "target_sales", "target_growth"]
WORDS = ["potential_source", "extrapolated", "zone", "key_account", "key_account_by_sales", "change",
         "team"]  # fmt: skip


def permuted(study: SmallStudy) -> SmallStudy:
    return replace(
        study,
        accounts=study.accounts.sample(frac=1, random_state=1),
        survey=study.survey.sample(frac=1, random_state=2),
    )


def constant_added(study: SmallStudy) -> SmallStudy:
    return replace(
        study,
        accounts=study.accounts.assign(same=7),
        candidates=(*study.candidates, "same"),
    )


def renamed(study: SmallStudy) -> SmallStudy:
    names = {name: f"{k} 列 {name[::-1]}" for k, name in enumerate(study.candidates)}
    return replace(
        study, accounts=study.accounts.rename(columns=names), candidates=tuple(names.values())
    )


def relabelled(study: SmallStudy) -> SmallStudy:
    return replace(
        study,
        accounts=study.accounts.assign(account="K-" + study.accounts["account"]),
        survey=study.survey.assign(account="K-" + study.survey["account"]),
    )


def in_other_money(study: SmallStudy) -> SmallStudy:
    return replace(
        study,
        accounts=study.accounts.assign(sales=1024 * study.accounts["sales"]),
        survey=study.survey.assign(potential=1024 * study.survey["potential"]),
    )


CHANGES = (permuted, constant_added, renamed, relabelled, in_other_money)


def outcome(study: SmallStudy) -> pd.DataFrame | list[str]:
    """The plan's accounts in the order of their ids, or what is refused."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            accounts = analyze(study.write(Path(folder)), settings=study.settings).plan.accounts
        except StudyError as error:
            return sorted(problem.message for problem in error.problems)
    return accounts.sort_index()


@pytest.mark.parametrize("change", CHANGES)
@settings(max_examples=STUDIES)
@given(study=small_studies())
def test_what_does_not_matter_changes_no_plan(
    change: Callable[[SmallStudy], SmallStudy], study: SmallStudy
) -> None:
    before, after = outcome(study), outcome(change(study))
    if isinstance(before, list) or isinstance(after, list):
        event(f"refused: {before if isinstance(before, list) else ''}")
        assert before == after
        return
    event("planned")
    unit = 1024 if change is in_other_money else 1  # targets are cut to cents: two may be off
    for name in MONEY:
        np.testing.assert_allclose(
            after[name], unit * before[name], rtol=1e-6, atol=0.021 * unit, err_msg=name
        )
    for name in WORDS:
        assert after[name].tolist() == before[name].tolist(), name
    known = before["potential"].notna()
    assert (before["potential"][known] > 0).all() and (before["zone"] != "").equals(known)
    low, high = before["potential_low"][known], before["potential_high"][known]
    assert (low <= high * (1 + 1e-9)).all()
