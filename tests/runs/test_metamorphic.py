"""What must change nothing, or scale: the order of rows, the unit, a column without information."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from generators.simulate import Simulated, simulate_world, write_study
from kalib.analysis import analyze
from kalib.runs.outputs import accounts_table

pytestmark = pytest.mark.slow

MONEY = ["sales", "potential", "potential_low", "potential_high", "target_sales", "target_growth"]


def accounts_of(world: Simulated, folder: Path) -> pd.DataFrame:
    write_study(world, folder)
    return accounts_table(analyze(folder)).set_index("account")


@pytest.fixture(scope="module")
def world() -> Simulated:
    return simulate_world("multiplicative", 7, n=200, surveyed=60)


@pytest.fixture(scope="module")
def plain(world: Simulated, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return accounts_of(world, tmp_path_factory.mktemp("plain"))


def test_order_of_rows_changes_nothing(
    world: Simulated, plain: pd.DataFrame, tmp_path: Path
) -> None:
    assert world.survey is not None
    mixed = replace(
        world,
        accounts=world.accounts.sample(frac=1, random_state=3),
        survey=world.survey.sample(frac=1, random_state=4),
    )
    found = accounts_of(mixed, tmp_path)
    assert list(found.index) == list(mixed.accounts["account"])
    pd.testing.assert_frame_equal(found.loc[plain.index], plain)


def test_unit_of_money_scales_money_and_leaves_zones(
    world: Simulated, plain: pd.DataFrame, tmp_path: Path
) -> None:
    assert world.survey is not None
    thousandfold = replace(
        world,
        accounts=world.accounts.assign(sales=(world.accounts["sales"] * 1000).round(2)),
        survey=world.survey.assign(potential=(world.survey["potential"] * 1000).round(2)),
    )
    found = accounts_of(thousandfold, tmp_path)
    for name in MONEY:
        np.testing.assert_allclose(found[name], plain[name] * 1000, rtol=1e-4, atol=10)
    np.testing.assert_allclose(found["sow"], plain["sow"], atol=1e-5)
    for name in ("zone", "key_account", "team", "change"):
        assert (found[name] == plain[name]).all(), name


def test_constant_column_changes_nothing(
    world: Simulated, plain: pd.DataFrame, tmp_path: Path
) -> None:
    more = replace(
        world,
        accounts=world.accounts.assign(constant=5),
        candidates=(*world.candidates, "constant"),
    )
    pd.testing.assert_frame_equal(accounts_of(more, tmp_path), plain)


def test_names_of_columns_change_nothing(
    world: Simulated, plain: pd.DataFrame, tmp_path: Path
) -> None:
    names = {name: f"{k} 面积 {name[::-1]}" for k, name in enumerate(world.candidates)}
    renamed = replace(
        world, accounts=world.accounts.rename(columns=names), candidates=tuple(names.values())
    )
    pd.testing.assert_frame_equal(accounts_of(renamed, tmp_path), plain)
