"""The plan at size: zone probabilities, and territories against accounts dealt out.

python benchmarks/plan.py prints the tables of docs.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import resource
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from kalib.formula.distribution import Distribution
from kalib.matrix.matrix import DRAWS, zone_probabilities
from kalib.plan.territories import assign_reps
from kalib.study.settings import Cut


def wallet_of(n: int) -> Any:
    """A wallet of n accounts, potential lognormal with a third shared through five coefficients."""
    rng = np.random.default_rng(n)
    middle = 10 + 0.8 * rng.standard_normal(n)
    found = Distribution.lognormal(middle, np.full(n, 0.35))
    sales = np.exp(middle) * rng.beta(2, 4, n)
    return SimpleNamespace(
        accounts=pd.DataFrame({"potential": np.exp(middle), "sales": sales}),
        distribution=Distribution(found.levels, found.table.astype(np.float32)),
        loadings=(0.1 * rng.standard_normal((n, 5))).astype(np.float32),
    )


def reps_of(n: int, people: int, regions: int) -> pd.DataFrame:
    """Key accounts of which nine in ten belong to a rep of their region."""
    rng = np.random.default_rng(n + regions)
    home = np.arange(people) % regions
    region = rng.choice(regions, n, p=rng.dirichlet(np.full(regions, 5.0)))
    local = rng.integers(0, people // regions, n) * regions + region
    rep = np.where(rng.random(n) < 0.9, local, rng.integers(0, people, n))
    return pd.DataFrame(
        {
            "team": rng.choice(["hunter", "farmer"], n, p=[0.6, 0.4]),
            "region": [f"region {home[r]:02d}" for r in region],
            "rep": [f"rep {k:03d}" for k in rep],
            "sales": rng.lognormal(8, 1, n),
        },
        index=[f"{i:05d}" for i in range(n)],
    )


def main() -> None:
    """Print the tables."""
    print("| accounts | potential cut | draws | seconds | peak memory |\n" + "|---" * 5 + "|")
    for n, cut in ((10_000, Cut()), (100_000, Cut()), (100_000, Cut(kind="pareto"))):
        wallet = wallet_of(n)
        study: Any = SimpleNamespace(matrix=SimpleNamespace(potential_cut=cut, share_cut="market"))
        start = time.perf_counter()
        zone_probabilities(wallet, study.matrix)
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"| {n:,} | {cut.kind} | {DRAWS:,} | {seconds:.1f} | {peak:.2f} GiB |")
    print("\n| key accounts | reps | regions | seconds | owner changes | "
          "largest off mean | outside the rep's region |\n" + "|---" * 7 + "|")  # fmt: skip
    for n, people, regions in ((1_000, 10, 5), (10_000, 100, 10), (10_000, 100, 25)):
        accounts = reps_of(n, people, regions)
        start = time.perf_counter()
        assigned = assign_reps(accounts, {"hunter": people * 6 // 10, "farmer": people * 4 // 10})
        seconds = time.perf_counter() - start
        changed = (assigned.owner != accounts["rep"]).sum()
        load = assigned.owner.groupby(accounts["team"]).value_counts()
        off = max((load[t] / load[t].mean() - 1).abs().max() for t in ("hunter", "farmer"))
        away = (accounts["region"] != assigned.owner.map(dict(assigned.home))).mean()
        print(f"| {n:,} | {people} | {regions} | {seconds:.1f} | {changed:,} | "
              f"{off:.0%} | {away:.1%} |")  # fmt: skip


if __name__ == "__main__":
    main()
