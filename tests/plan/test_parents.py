"""Chains as they buy: sums to the cent, intervals and zones from the accounts' joint draws."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from generators.simulate import Simulated, write_study
from kalib.analysis import Analysis, analyze
from kalib.matrix.matrix import place
from kalib.plan.plan import Plan, plan_sales
from kalib.runs.outputs import CONTRACT, write_outputs


def with_parents(analysis: Analysis) -> Plan:
    """The plan of a study, its accounts given to a few parents and some to none."""
    wallet = analysis.wallet
    rng = np.random.default_rng(6)
    names = np.array(["", *(f"chain {k}" for k in range(8))])
    accounts = wallet.accounts.assign(parent=names[rng.integers(0, 9, len(wallet.accounts))])
    study = analysis.study
    return plan_sales(place(replace(wallet, accounts=accounts), study.matrix), study)


@pytest.fixture(scope="module")
def plan(phones: Analysis) -> Plan:
    return with_parents(phones)


def test_parents_add_up_to_the_cent(plan: Plan) -> None:
    own = plan.accounts[plan.accounts["parent"] != ""]
    sums = own.groupby("parent")
    assert plan.parents.index.tolist() == [f"chain {k}" for k in range(8)]
    for name in ("sales", "potential", "expected_gain", "target_sales", "target_growth"):
        pd.testing.assert_series_equal(
            plan.parents[name].round(2), sums[name].sum().round(2), check_names=False
        )
    assert plan.parents["accounts"].sum() == len(own)
    assert plan.parents["zone"].isin(["attack", "defense", "maintenance", "watch"]).all()


def test_the_file_has_the_accounts_columns(phones: Analysis, plan: Plan, tmp_path: Path) -> None:
    write_outputs(replace(phones, plan=plan), {}, {}, tmp_path, None)
    table = pd.read_csv(tmp_path / "parents.csv")
    assert tuple(table.columns[: len(CONTRACT)]) == CONTRACT
    assert table["account"].tolist() == table["parent"].tolist() == plan.parents.index.tolist()


def test_intervals_come_from_joint_draws(phones: Analysis, plan: Plan) -> None:
    wallet = phones.wallet
    drawn = wallet.distribution.draws(4000, wallet.loadings, seed=99)
    for parent, row in plan.parents.iterrows():
        mine = (plan.accounts["parent"] == parent).to_numpy()
        low, high = np.quantile(drawn[:, mine].sum(axis=1), [0.05, 0.95])
        assert row["potential_low"] == pytest.approx(low, rel=0.02)
        assert row["potential_high"] == pytest.approx(high, rel=0.02)
        assert row["potential_low"] <= row["potential"] <= row["potential_high"]
        assert row["sow"] == pytest.approx(row["sales"] / row["potential"])


def test_intervals_know_what_chains_have_in_common(tmp_path: Path) -> None:
    """Chains of which one or two accounts answered: too few to foretell an account, and yet their
    errors add up. As if each erred for itself, 74 % of these chains' intervals held the truth."""
    inside = []
    for seed in range(2):
        rng = np.random.default_rng([3, seed])
        z, chain = rng.standard_normal((800, 2)), rng.integers(0, 120, 800)
        error = 0.35 * rng.standard_normal(120)[chain] + 0.3 * rng.standard_normal(800)
        potential = np.exp(9 + z @ [0.7, 0.4] + error)
        frame = pd.DataFrame(np.exp(3 + 0.5 * z).round(2), columns=["x1", "x2"])
        frame.insert(0, "sales", (potential * rng.beta(2, 4, 800)).round(2))
        frame.insert(0, "account", [f"{k:03d}" for k in range(800)])
        frame["parent"] = [f"chain {k}" for k in chain]
        truth = frame[["account"]].assign(potential=potential)
        folder = tmp_path / str(seed)
        folder.mkdir()
        write_study(Simulated(frame, truth.iloc[:90], truth, ("x1", "x2"), ()), folder)
        file = folder / "study.toml"
        file.write_text(file.read_text().replace("[columns]", '[columns]\nparent = "parent"'))
        parents = analyze(folder).plan.parents
        sums = pd.Series(potential).groupby(frame["parent"]).sum().reindex(parents.index)
        inside.append(sums.between(parents["potential_low"], parents["potential_high"]).mean())
    assert 0.83 <= np.mean(inside) <= 0.95


def test_without_parents_there_are_none(phones: Analysis) -> None:
    assert phones.plan.parents.empty


def test_accounts_held_out_are_left_as_they_are(phones: Analysis) -> None:
    study = phones.study.model_copy(
        update={"proof": phones.study.proof.model_copy(update={"holdout": 0.2})}
    )
    plan = plan_sales(phones.matrix, study)
    held = plan.accounts[plan.accounts["holdout"]]
    assert len(held) == plan.proof.held == 2 and set(held["zone"]) == {"attack"}
    assert (held["target_growth"] == 0).all() and (held["team"] == "").all()
    assert (held["rep"] == held["rep_before"]).all() and held["attack_rank"].notna().all()
    assert phones.plan.proof is None and not phones.plan.accounts["holdout"].any()
