"""Which accounts to survey next: what is left in the wrong zone after surveying k more.

python benchmarks/next_survey.py [seeds] prints the table of docs.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from generators.simulate import Simulated, simulate_world, write_study
from kalib.analysis import Analysis, analyze
from kalib.matrix.matrix import assign_zones

SEEDS, FIRST, MORE = 10, 1000, 30
KINDS = ("multiplicative", "text")


def simulate(world: Simulated) -> Analysis:
    """A world as a study, analyzed."""
    folder = Path(tempfile.mkdtemp())
    write_study(world, folder)
    analysis = analyze(folder)
    analysis.matrix  # noqa: B018 (computed before the folder goes)
    return analysis


def misplaced(analysis: Analysis, world: Simulated) -> tuple[float, float]:
    """Accounts in another zone than their true one, and their share of all true potential."""
    accounts = analysis.matrix.accounts
    truth = world.truth.set_index("account").reindex(accounts.index)
    share = accounts["sales"] / truth["potential"]
    market = accounts["sales"].sum() / truth["potential"].sum()
    zones = assign_zones(truth["potential"], share, truth["potential"].quantile(0.8), market)
    wrong = accounts["zone"] != zones
    return float(wrong.sum()), float(truth["potential"][wrong].sum() / truth["potential"].sum())


def orders(analysis: Analysis, seed: int) -> dict[str, list[str]]:
    """The accounts each rule would survey next, best first."""
    accounts = analysis.matrix.accounts
    told = accounts[accounts["potential_source"].str.startswith("formula")]
    width = told["potential_high"] / told["potential_low"]
    shuffled = told.sample(frac=1, random_state=seed)
    return {
        "kalib": list(analysis.next_survey.index),
        "largest potential": list(told["potential"].sort_values(ascending=False).index),
        "widest interval": list(width.sort_values(ascending=False).index),
        "at random": list(shuffled.index),
    }


def main() -> None:
    """Print the table."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS
    rows: dict[str, list[tuple[float, float]]] = {}
    for kind in KINDS:
        for seed in range(FIRST, FIRST + seeds):
            world = simulate_world(kind, seed)
            assert world.survey is not None
            start = simulate(world)
            rows.setdefault("none", []).append(misplaced(start, world))
            for rule, order in orders(start, seed).items():
                new = world.truth[world.truth["account"].isin(order[:MORE])]
                kept = world.survey[~world.survey["account"].isin(new["account"])]
                survey = pd.concat([kept, new[["account", "potential"]]])
                more = Simulated(
                    world.accounts, survey, world.truth, world.candidates, world.relevant
                )
                rows.setdefault(rule, []).append(misplaced(simulate(more), world))
    print("| surveyed next | accounts in the wrong zone | potential there |\n|---|---|---|")
    for rule, found in rows.items():
        count, share = np.mean(found, axis=0)
        print(f"| {rule} | {count:.1f} | {share:.1%} |")


if __name__ == "__main__":
    main()
