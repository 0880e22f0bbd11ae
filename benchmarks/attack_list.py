"""How much of the true gap to market share the head of the attack list captures.

python benchmarks/attack_list.py [seeds] prints the table of docs: the first third of the list, over
what the best list of that length captures, ordered by expected gain as `attack_rank` is, by
estimated gap, by estimated potential and by sales.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
import tempfile
import warnings
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from dangers import SURVEYED, N, simulate

from generators.simulate import Simulated, write_study
from kalib.analysis import analyze

WORLDS = ("sound", "heavy", "sow by indicator")


def measure(kind: str, seed: int) -> dict[str, float | str]:
    """The captured parts in one world."""
    warnings.simplefilter("ignore")
    world, rng = simulate(kind, seed), np.random.default_rng(seed)
    asked = np.sort(rng.choice(N, SURVEYED, replace=False))
    ids = world.accounts["account"]
    answers = pd.DataFrame({"account": ids, "potential": world.potential.round(2)}).iloc[asked]
    truth = pd.DataFrame({"account": ids, "potential": world.potential})
    with tempfile.TemporaryDirectory() as folder:
        study = Simulated(world.accounts, answers, truth, tuple(world.candidates), ())
        write_study(study, Path(folder))
        accounts = analyze(folder).plan.accounts.reindex(ids)
    sales = world.accounts["sales"].to_numpy()
    gap = np.maximum(sales.sum() / world.potential.sum() * world.potential - sales, 0.0)
    ranked = accounts["attack_rank"].notna().to_numpy()
    head = max(int(ranked.sum()) // 3, 1)
    share = sales.sum() / accounts["potential"].sum()
    orders = {
        "attack_rank": -accounts["attack_rank"].to_numpy(float, na_value=np.inf),
        "gap": share * accounts["potential"].to_numpy() - sales,
        "potential": np.where(ranked, accounts["potential"], 0.0),
        "sales": sales,
    }
    best = np.sort(gap)[-head:].sum()
    captured = {name: gap[np.argsort(-order, kind="stable")[:head]].sum() / best
                for name, order in orders.items()}  # fmt: skip
    return {"world": kind, "length": head, **captured}


def main() -> None:
    """Print the table."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with ProcessPoolExecutor(int(os.environ.get("JOBS", 0)) or None) as pool:
        rows = pd.DataFrame(
            list(pool.map(measure, *zip(*product(WORLDS, range(seeds)), strict=True)))
        )
    print("| world | length | by expected gain | by estimated gap | by potential, of the list | "
          "by sales |\n" + "|---" * 6 + "|")  # fmt: skip
    for kind, part in rows.groupby("world", sort=False):
        parts = part[["attack_rank", "gap", "potential", "sales"]]
        cells = [f"{m:.2f} ± {e:.2f}" for m, e in zip(parts.mean(), parts.sem(), strict=True)]
        print(f"| {kind} | {part['length'].mean():.0f} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
