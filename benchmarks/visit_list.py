"""The visit list against the rule "share below market share", in studies whose truth is known.

python benchmarks/visit_list.py [seeds] prints the README's table.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from kalib.analysis import Analysis
from kalib.simulate import Simulated, simulate_phones, simulate_world, write_study

SEEDS = 10
FIRST = 9000  # the rule was chosen on other seeds
MATERIAL = 0.05  # of potential lost, from which an account should be on the list
STUDY = Path(__file__).parent.parent / "data/phones-retail/study.toml"


def analyze(simulated: Simulated, folder: Path) -> Analysis:
    """A simulated phones study, run."""
    assert simulated.visits is not None
    simulated.accounts.to_csv(folder / "accounts.csv", index=False)
    simulated.visits.to_csv(folder / "visits.csv", index=False)
    (folder / "study.toml").write_text(STUDY.read_text(encoding="utf-8"), encoding="utf-8")
    return Analysis(folder)


def judge(analysis: Analysis, truth: pd.DataFrame) -> pd.DataFrame:
    """Each account: true gap to the true market share, and what both rules say."""
    truth = truth.set_index(truth.columns[0])
    market = (truth["potential"] * truth["sow"]).sum() / truth["potential"].sum()
    accounts, measured = analysis.wallet.accounts, analysis.measured
    share, visited = accounts["sow"], pd.Series(False, index=accounts.index)
    if measured is not None:
        seen = measured.frame["own_units"] / measured.frame["total_units"]
        share = seen.reindex(accounts.index).fillna(share)
        visited = share.index.isin(seen.index)
    return pd.DataFrame(
        {
            "gap": market - truth["sow"].reindex(accounts.index),
            "visited": visited,
            "listed": accounts["below_market"],
            "naive": share < analysis.wallet.market_share,
        }
    )


def score(found: pd.DataFrame) -> list[dict[str, float]]:
    """Precision, recall and false alarms of both rules."""
    material, innocent = found["gap"] > MATERIAL, found["gap"] <= 0
    rows = []
    for rule in ("listed", "naive"):
        called = found[rule]
        rows.append(
            {
                "listed": float(called.sum()),
                "precision": (called & material).sum() / called.sum(),
                "below": (called & ~innocent).sum() / called.sum(),
                "recall": (called & material).sum() / material.sum(),
                "alarms": (called & innocent).sum() / innocent.sum(),
            }
        )
    return rows


def main() -> None:
    """Print the table."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS
    rows: dict[str, list[list[dict[str, float]]]] = {
        "phones, visited": [], "phones, all": [], "survey": [],
    }  # fmt: skip
    for seed in range(FIRST, FIRST + seeds):
        simulated, world = simulate_phones(seed=seed), simulate_world("multiplicative", seed)
        with tempfile.TemporaryDirectory() as folder:
            found = judge(analyze(simulated, Path(folder)), simulated.truth)
        rows["phones, visited"].append(score(found[found["visited"]]))
        rows["phones, all"].append(score(found))
        with tempfile.TemporaryDirectory() as folder:
            write_study(world, Path(folder))
            rows["survey"].append(score(judge(Analysis(folder), world.truth)))
    print("| stores | rule | listed | lose over 5% | below market share | recall | "
          "false alarms |\n" + "|---" * 7 + "|")  # fmt: skip
    for stores, scores in rows.items():
        for k, rule in enumerate(("visit list", "share < market share")):
            mean = pd.DataFrame([pair[k] for pair in scores]).mean()
            print(f"| {stores} | {rule} | {mean['listed']:.0f} | {mean['precision']:.1%} | "
                  f"{mean['below']:.1%} | {mean['recall']:.1%} | "
                  f"{mean['alarms']:.2%} |")  # fmt: skip
    assert np.isfinite(mean).all()


if __name__ == "__main__":
    main()
