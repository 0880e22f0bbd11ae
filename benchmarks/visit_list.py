"""The visit list against the rule "share below market share", in studies whose truth is known.

python benchmarks/visit_list.py [seeds] prints the tables of docs; the second tells how near the
potential of visited stores comes.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from generators.simulate import Simulated, simulate_phones, simulate_world, write_study
from kalib.analysis import Analysis, analyze

SEEDS = 10
FIRST = 9000  # the rule was chosen on other seeds
MATERIAL = 0.05  # of potential lost, from which an account should be on the list
FEW_DAYS = 7  # on which half of the stores are asked in a thin poll
STUDY = Path(__file__).parent.parent / "data/phones-retail/study.toml"


def simulate(simulated: Simulated, folder: Path) -> Analysis:
    """A simulated phones study, run."""
    assert simulated.visits is not None
    simulated.accounts.to_csv(folder / "accounts.csv", index=False)
    simulated.visits.to_csv(folder / "visits.csv", index=False)
    (folder / "study.toml").write_text(STUDY.read_text(encoding="utf-8"), encoding="utf-8")
    return analyze(folder)


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


def thinned(simulated: Simulated, seed: int) -> Simulated:
    """The study with few days of half of its visited stores."""
    visits = simulated.visits
    assert visits is not None
    stores = visits["store_id"].unique()
    rng = np.random.default_rng(seed)
    few = rng.choice(stores, len(stores) // 2, replace=False)
    order = pd.Series(rng.random(len(visits)), visits.index).groupby(visits["store_id"]).rank()
    keep = ~visits["store_id"].isin(few) | (order <= FEW_DAYS)
    return replace(simulated, visits=visits[keep])


def nearness(analysis: Analysis, truth: pd.DataFrame) -> dict[str, float]:
    """Error of visited stores' potential, counted and as it is shown, and coverage of 90%."""
    assert analysis.measured is not None
    counted = analysis.measured.frame["counted"]
    shown = analysis.wallet.accounts.loc[counted.index]
    true = truth.set_index(truth.columns[0])["potential"].reindex(counted.index)
    inside = shown["potential_low"].le(true) & true.le(shown["potential_high"])
    return {
        "counted": float(np.sqrt((np.log(counted / true) ** 2).mean())),
        "shown": float(np.sqrt((np.log(shown["potential"] / true) ** 2).mean())),
        "coverage": float(inside.mean()),
    }


def main() -> None:
    """Print the tables."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS
    rows: dict[str, list[list[dict[str, float]]]] = {
        "phones, visited": [], "phones, all": [], "survey": [],
    }  # fmt: skip
    polls: dict[str, list[dict[str, float]]] = {"all visits": [], f"half on {FEW_DAYS} days": []}
    for seed in range(FIRST, FIRST + seeds):
        simulated, world = simulate_phones(seed=seed), simulate_world("multiplicative", seed)
        for name, poll in zip(polls, (simulated, thinned(simulated, seed)), strict=True):
            with tempfile.TemporaryDirectory() as folder:
                analysis = simulate(poll, Path(folder))
                polls[name].append(nearness(analysis, poll.truth))
                if poll is simulated:
                    found = judge(analysis, poll.truth)
        rows["phones, visited"].append(score(found[found["visited"]]))
        rows["phones, all"].append(score(found))
        with tempfile.TemporaryDirectory() as folder:
            write_study(world, Path(folder))
            rows["survey"].append(score(judge(analyze(folder), world.truth)))
    print("| stores | rule | listed | lose over 5% | below market share | recall | "
          "false alarms |\n" + "|---" * 7 + "|")  # fmt: skip
    for stores, scores in rows.items():
        for k, rule in enumerate(("visit list", "share < market share")):
            mean = pd.DataFrame([pair[k] for pair in scores]).mean()
            print(f"| {stores} | {rule} | {mean['listed']:.0f} | {mean['precision']:.1%} | "
                  f"{mean['below']:.1%} | {mean['recall']:.1%} | "
                  f"{mean['alarms']:.2%} |")  # fmt: skip
    print("\n| stores asked | error, counted alone | error, with books and formula | "
          "coverage of 90% intervals |\n" + "|---" * 4 + "|")  # fmt: skip
    for name, figures in polls.items():
        mean = pd.DataFrame(figures).mean()
        print(f"| {name} | {mean['counted']:.1%} | {mean['shown']:.1%} | {mean['coverage']:.0%} |")


if __name__ == "__main__":
    main()
