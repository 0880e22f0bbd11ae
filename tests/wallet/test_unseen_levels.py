"""Accounts of a level that nobody of whom was asked: worlds in which the level matters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kalib
from generators.simulate import Simulated, write_study

LEVELS, ASKED, N = 20, 12, 600  # of 20 kinds of accounts 12 were surveyed


def inside(folder: Path, seed: int, evidence: str) -> tuple[float, float]:
    """Part of the accounts in their intervals, of unseen kinds and of the others."""
    rng = np.random.default_rng([7, seed])
    z, kind = rng.standard_normal((N, 3)), rng.integers(0, LEVELS, N)
    effect = 0.8 * rng.standard_normal(LEVELS)
    noise = 0.35 * rng.standard_normal(N)
    potential = np.exp(9 + z @ [0.6, 0.4, 0.3] + effect[kind] + noise)
    frame = pd.DataFrame(np.exp(3 + 0.6 * z).round(2), columns=["x1", "x2", "x3"])
    frame["kind"] = [f"kind {k}" for k in kind]
    frame.insert(0, "sales", (potential * rng.beta(2, 4, N)).round(2))
    frame.insert(0, "account", [f"{k:04d}" for k in range(N)])
    truth = frame[["account"]].assign(potential=potential.round(2))
    asked = rng.choice(np.flatnonzero(kind < ASKED), 150, replace=False)
    made = Simulated(frame, truth.iloc[asked], truth, ("x1", "x2", "x3", "kind"), ())
    folder.mkdir()
    write_study(made, folder)
    found = kalib.analyze(folder, settings={"formula.evidence": f'"{evidence}"'}).wallet.accounts
    found = found.reindex(truth["account"])
    held = truth["potential"].between(found["potential_low"].array, found["potential_high"].array)
    unseen, left = kind >= ASKED, ~truth["account"].isin(truth["account"].iloc[asked])
    assert found["extrapolated"].to_numpy()[unseen].all()
    return float(held[unseen].mean()), float(held[left & ~unseen].mean())


@pytest.mark.parametrize("evidence", ["auto", "formula"])
def test_intervals_of_unseen_levels_hold_the_truth(tmp_path: Path, evidence: str) -> None:
    """Read as the commonest level, 36 % of them did in these worlds; a level's effect is one draw,
    so that single worlds differ by much."""
    found = [inside(tmp_path / str(seed), seed, evidence) for seed in range(5)]
    unseen, others = np.mean(found, axis=0)
    assert unseen >= 0.8 and 0.86 <= others <= 0.95
