"""Worlds of known truth: what kalib finds, and what a sales ranking finds.

python benchmarks/worlds.py [seeds] prints the README's table.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from kalib.analysis import Analysis
from kalib.boosting import boosted_accuracy
from kalib.diagnostics import run_checks
from kalib.fitting import fit_formula
from kalib.indicators import screen
from kalib.simulate import WORLDS, simulate_world
from kalib.verdict import judge
from kalib.wallet import build_wallet

SEEDS = 10
DATA = Path(__file__).parent.parent / "data"
FIRST = 1000  # thresholds were set while looking at small seeds; these were not looked at


def measure(kind: str, seed: int) -> dict[str, float]:
    """One world: hit rates, coverage, bias of the total, F1, whether it was refused."""
    world = simulate_world(kind, seed)
    accounts = world.accounts.set_index("account")
    for name in ("name", "region", "segment", "rep"):
        accounts[name] = ""
    accounts["current_ka"], accounts["margin"] = None, np.nan
    assert world.survey is not None
    potential = world.survey.set_index("account")["potential"]
    screening = screen(accounts, potential, world.candidates)
    fit = fit_formula(screening, potential, accounts["sales"])
    verdict = judge(
        fit,
        run_checks(fit.least_squares, term_groups=fit.term_groups),
        boosted_accuracy(screening, fit),
    )
    wallet = build_wallet(accounts, potential, pd.Series(dtype=float), fit, screening, usable=True)
    truth = world.truth.set_index("account")["potential"]
    frame = wallet.accounts[~accounts.index.isin(potential.index)]
    true = truth.reindex(frame.index)
    inside = frame["potential_low"].le(true) & true.le(frame["potential_high"])
    size = len(truth) // 5
    top = set(truth.nlargest(size).index)
    chosen, relevant = set(fit.formula.indicators), set(world.relevant)
    return {
        "hit": len(top & set(wallet.accounts["potential"].nlargest(size).index)) / size,
        "by_sales": len(top & set(accounts["sales"].nlargest(size).index)) / size,
        "coverage": float(inside.mean()),
        "coverage_large": float(inside[true > true.quantile(2 / 3)].mean()),
        "bias": float(frame["potential"].sum() / true.sum() - 1),
        "f1": 2 * len(chosen & relevant) / max(len(chosen) + len(relevant), 1),
        "refused": float(verdict.verdict == "unusable"),
    }


def shipped() -> None:
    """Print what each list finds of the true top fifth in the shipped studies."""
    print("| study | kalib | sales ranking |\n|---|---|---|")
    for folder in sorted(DATA.iterdir()):
        accounts = Analysis(folder).wallet.accounts
        truth = pd.read_csv(folder / "truth.csv", dtype={0: str})
        potential = truth.set_index(truth.columns[0])["potential"]
        size = len(potential) // 5
        top = set(potential.nlargest(size).index)
        found, sold = (
            len(top & set(accounts[name].nlargest(size).index)) / size
            for name in ("potential", "sales")
        )
        print(f"| {folder.name} | {found:.0%} | {sold:.0%} |")


def main() -> None:
    """Print the tables."""
    shipped()
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS
    print("| world | top fifth found | by sales | coverage | coverage, largest third | "
          "bias of total | indicator F1 | refused |\n" + "|---" * 8 + "|")  # fmt: skip
    for kind in WORLDS:
        mean = pd.DataFrame([measure(kind, seed) for seed in range(FIRST, FIRST + seeds)]).mean()
        print(f"| {kind} | {mean['hit']:.0%} | {mean['by_sales']:.0%} | {mean['coverage']:.0%} | "
              f"{mean['coverage_large']:.0%} | {mean['bias']:+.1%} | {mean['f1']:.2f} | "
              f"{mean['refused']:.0%} |")  # fmt: skip


if __name__ == "__main__":
    main()
