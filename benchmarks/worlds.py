"""Worlds of known truth: what kalib finds, and what others find.

python benchmarks/worlds.py [seeds] prints the tables of docs: peers on so many seeds, kalib on
four times as many.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import repeat
from pathlib import Path

import numpy as np
import pandas as pd
from peers import fit_peers

from generators.simulate import WORLDS, Simulated, simulate_world
from kalib.analysis import analyze
from kalib.formula.checks import check_formula
from kalib.formula.fitting import fit_formula
from kalib.formula.verdict import judge
from kalib.indicators.screening import screen
from kalib.matrix.matrix import assign_zones, potential_cut, zone_probabilities
from kalib.study.settings import ZONES, MatrixSettings, Study
from kalib.wallet.wallet import Wallet, estimate_wallets

SEEDS = 10
DATA = Path(__file__).parent.parent / "data"
FIRST = 2000  # thresholds were set while looking at small seeds; these were not looked at
BINS = (0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.001)
DRAWS = 1000


def measure(kind: str, seed: int, peers: bool) -> tuple[dict[str, float], pd.DataFrame]:
    """One world: its figures by name ("method: figure"), and all zones with their probabilities."""
    world = simulate_world(kind, seed)
    tables, known = world.as_read()
    fit = fit_formula(screen(tables, known), known)
    verdict = judge(fit, check_formula(fit))
    usable = replace(verdict, verdict="usable")
    wallet = estimate_wallets(tables, known, fit, usable)
    accounts = tables.candidates.assign(sales=tables.accounts["sales"])
    potential = known.frame["potential"]
    truth = world.truth.set_index("account")["potential"]
    methods = {"kalib": wallet.accounts["potential"]}
    if peers:
        methods |= compared(accounts, potential, world.candidates)
    found = {"sales: hit": top_fifth(accounts["sales"], truth)}
    for name, values in methods.items():
        found |= {f"{name}: {what}": x for what, x in figures(values, truth, potential).items()}
    chosen, relevant = set(fit.formula.indicators), set(world.relevant)
    found |= covered(wallet, truth, potential.index)
    found["f1"] = 2 * len(chosen & relevant) / max(len(chosen) + len(relevant), 1)
    found["refused"] = float(verdict.verdict == "unusable")
    return found, zones(wallet, world, truth).assign(kind=kind, seed=seed)


def compared(
    accounts: pd.DataFrame, potential: pd.Series, candidates: tuple[str, ...]
) -> dict[str, pd.Series]:
    """Potential by every peer, and by every peer that is given own sales as one more column;
    surveyed accounts at what was measured."""
    least = accounts.loc[accounts["sales"] > 0, "sales"].min() / 2
    more = accounts.assign(own_sales=accounts["sales"] + least)
    found = fit_peers(accounts, potential, candidates)
    with_sales = fit_peers(more, potential, [*candidates, "own_sales"])
    found |= {f"{name} + sales": values for name, values in with_sales.items()}
    for values in found.values():
        values[potential.index] = potential
    return found


def figures(values: pd.Series, truth: pd.Series, surveyed: pd.Series) -> dict[str, float]:
    """Top fifth found; of accounts not surveyed, R² of potential and bias of the total."""
    left = ~truth.index.isin(surveyed.index)
    known, true = values[left], truth[left]
    r2 = 1 - ((true - known) ** 2).sum() / ((true - true.mean()) ** 2).sum()
    bias = known.sum() / true.sum() - 1
    return {"hit": top_fifth(values, truth), "r2": float(r2), "bias": float(bias)}


def top_fifth(values: pd.Series, truth: pd.Series) -> float:
    """Share of the accounts that truly are the largest fifth among the largest by values."""
    size = len(truth) // 5
    return len(set(truth.nlargest(size).index) & set(values.nlargest(size).index)) / size


def covered(wallet: Wallet, truth: pd.Series, surveyed: pd.Index) -> dict[str, float]:
    """Coverage of the intervals of accounts not surveyed, all and the largest third."""
    frame = wallet.accounts[~wallet.accounts.index.isin(surveyed)]
    true = truth.reindex(frame.index)
    inside = frame["potential_low"].le(true) & true.le(frame["potential_high"])
    large = true > true.quantile(2 / 3)
    return {"coverage": float(inside.mean()), "coverage large": float(inside[large].mean())}


def zones(wallet: Wallet, world: Simulated, truth: pd.Series) -> pd.DataFrame:
    """Probability of each account's zone, and whether it truly lies there (right)."""
    study = Study.model_construct(matrix=MatrixSettings())
    accounts, cut = wallet.accounts, study.matrix.potential_cut
    own = assign_zones(
        accounts["potential"], accounts["sow"],
        potential_cut(accounts["potential"].to_numpy(), cut), wallet.market_share,
    )  # fmt: skip
    sales = accounts["sales"]
    true = assign_zones(
        truth, sales / truth, potential_cut(truth.to_numpy(), cut), sales.sum() / truth.sum()
    )
    chances = zone_probabilities(wallet, study.matrix, DRAWS)
    said = chances[[f"p_{zone}" for zone in ZONES]].to_numpy()
    place = own.map({zone: k for k, zone in enumerate(ZONES)}).to_numpy(int)
    return pd.DataFrame({"said": said[np.arange(len(own)), place], "right": own == true})


def shipped() -> None:
    """Print what each list finds of the true top fifth in the shipped studies."""
    print("| study | kalib | sales ranking |\n|---|---|---|")
    for folder in sorted(path.parent for path in DATA.glob("*/truth.csv")):
        accounts = analyze(folder).wallet.accounts
        truth = pd.read_csv(folder / "truth.csv", dtype={0: str})
        potential = truth.set_index(truth.columns[0])["potential"]
        found, sold = (top_fifth(accounts[name], potential) for name in ("potential", "sales"))
        print(f"| {folder.name} | {found:.0%} | {sold:.0%} |")


def print_worlds(worlds: Mapping[str, pd.DataFrame]) -> None:
    """Print kalib's own figures."""
    print("\n| world | top fifth found | by sales | coverage | coverage, largest third | "
          "bias of total | indicator F1 | refused |\n" + "|---" * 8 + "|")  # fmt: skip
    for kind, frame in worlds.items():
        mean, bias = frame.mean(), frame["kalib: bias"]
        print(f"| {kind} | {mean['kalib: hit']:.0%} | {mean['sales: hit']:.0%} | "
              f"{mean['coverage']:.0%} | {mean['coverage large']:.0%} | "
              f"{bias.mean():+.1%} ± {bias.sem():.1%} | {mean['f1']:.2f} | "
              f"{mean['refused']:.0%} |")  # fmt: skip


def print_peers(worlds: Mapping[str, pd.DataFrame]) -> None:
    """Print every method's figures, and how far kalib is before the best of the others."""
    first = next(iter(worlds.values()))
    names = [name.removesuffix(": r2") for name in first if name.endswith(": r2")]
    plain = [name for name in names if not name.endswith(" + sales")]
    heads = [*plain, "sales ranking", "lead, top fifth", "lead, R²", "lead with sales", "R²"]
    print("\n| world | " + " | ".join(heads) + " |\n" + "|---" * (len(heads) + 1) + "|")
    for kind, frame in worlds.items():
        frame = frame.dropna()
        mean = frame.mean()
        cells = [f"{mean[f'{m}: hit']:.0%} {mean[f'{m}: r2']:.2f} {mean[f'{m}: bias']:+.0%}"
                 for m in plain]  # fmt: skip
        cells.append(f"{mean['sales: hit']:.0%}")
        without = [name for name in plain if name != "kalib"]
        cells += ahead(frame, [*without, "sales"], "hit", 100), ahead(frame, without, "r2", 1)
        more = [name for name in names if name not in plain]
        cells += ahead(frame, more, "hit", 100), ahead(frame, more, "r2", 1)
        print(f"| {kind} | " + " | ".join(cells) + " |")


def ahead(frame: pd.DataFrame, others: list[str], what: str, unit: float) -> str:
    """kalib's lead over the best of the others, seed by seed, with its standard error."""
    best = max(others, key=lambda name: frame[f"{name}: {what}"].mean())
    lead = unit * (frame[f"kalib: {what}"] - frame[f"{best}: {what}"])
    digits = 1 if unit > 1 else 2
    return f"{lead.mean():+.{digits}f} ± {lead.sem():.{digits}f} ({best.removesuffix(' + sales')})"


def print_zones(said: pd.DataFrame) -> None:
    """Print the zones' probabilities against how often they hold; worlds that a run refuses have
    none. The standard error takes accounts of one seed together."""
    print("\n| probability of the zone | accounts | said | truly there | difference | "
          "worst world |\n" + "|---" * 6 + "|")  # fmt: skip
    said = said.assign(
        bin=pd.cut(said["said"], BINS, right=False), miss=said["right"] - said["said"]
    )
    for place, part in said.groupby("bin", observed=True):
        groups = part.groupby(["kind", "seed"])["miss"].sum()
        error = np.sqrt((groups**2).sum()) / len(part)
        by_world = part.groupby("kind")["miss"].mean()
        worst = by_world.abs().idxmax()
        print(f"| {place.left:.0%} to {min(place.right, 1):.0%} | {len(part):,} | "
              f"{part['said'].mean():.3f} | {part['right'].mean():.3f} | "
              f"{part['miss'].mean():+.3f} ± {error:.3f} | "
              f"{by_world[worst]:+.2f} ({worst}) |")  # fmt: skip


def main() -> None:
    """Print the tables."""
    shipped()
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS
    worlds, said, order = {}, [], range(FIRST, FIRST + 4 * seeds)
    with ProcessPoolExecutor() as pool:  # worlds share nothing: a core each
        for kind in WORLDS:
            peers = (seed < FIRST + seeds for seed in order)
            runs = list(pool.map(measure, repeat(kind), order, peers))
            worlds[kind] = pd.DataFrame([found for found, _ in runs])
            said += [frame for _, frame in runs if kind != "null"]
    print_worlds(worlds)
    print_peers(worlds)
    print_zones(pd.concat(said))


if __name__ == "__main__":
    main()
