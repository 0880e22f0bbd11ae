"""The statistics of a study at size, step by step.

python benchmarks/steps.py prints a markdown table: processor seconds of one cold process, from the
client's tables to the plan.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from generators.simulate import Simulated, simulate_world, write_study

SIZES = ((5_000, 500), (20_000, 500))  # accounts, surveyed
STEPS = ("tables", "potential", "screening", "fit", "checks", "verdict", "wallet", "matrix", "plan")
LABELS = ("import", *STEPS)


def study_of(n: int, surveyed: int) -> Simulated:
    """A study of 30 candidates as clients write them: thousands separators, currency signs, three
    decimals, gaps and typing errors; two of them are text."""
    world = simulate_world("many", 1, n, surveyed)
    rng = np.random.default_rng(n)
    frame = world.accounts
    for j in range(25, 29):
        frame[f"indicator_{j}"] = np.exp(3 + 0.4 * rng.standard_normal(n)).round(2)
    numeric = [str(name) for name in frame.columns if str(name).startswith("indicator")]
    for name in numeric[:3]:
        frame.loc[rng.random(n) < 0.01, name] *= 10
    forms = ("{:.2f}", "{:.3f}", "€ {:,.2f}", "{:,.0f}")
    for k, name in enumerate(numeric):
        text = (frame[name] * (1, 1, 100, 1000)[k % 4]).map(forms[k % 4].format)
        frame[name] = text.mask(rng.random(n) < 0.02, "n/a")
    frame["place"] = rng.choice(["center", "suburb", "town", "village"], n)
    frame["format"] = rng.choice(["hyper", "super", "small"], n)
    return replace(world, accounts=frame, candidates=(*numeric, "place", "format"))


def time_steps(folder: str) -> None:
    """Print the processor seconds of the import and of each step in this process."""
    import kalib

    study = kalib.read_study(folder)
    work: dict[str, Callable[[], Any]] = {
        "tables": lambda: kalib.read_tables(study),
        "potential": lambda: kalib.known_potential(made["tables"]),
        "screening": lambda: kalib.screen(made["tables"], made["potential"]),
        "fit": lambda: kalib.fit_formula(made["screening"], made["potential"], study.formula),
        "checks": lambda: kalib.check_formula(made["fit"]),
        "verdict": lambda: kalib.judge(made["fit"], made["checks"]),
        "wallet": lambda: kalib.estimate_wallets(
            *(made[name] for name in ("tables", "potential", "fit", "verdict"))
        ),
        "matrix": lambda: kalib.place(made["wallet"], study.matrix),
        "plan": lambda: kalib.plan_sales(made["matrix"], study),
    }
    made: dict[str, Any] = {}
    spent = [0.0, time.process_time()]  # the import of pandas included
    for step in STEPS:
        made[step] = work[step]()
        spent.append(time.process_time())
    print(*np.diff(spent))


def seconds(n: int, surveyed: int) -> pd.Series:
    """Processor seconds of the import and of each step, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        write_study(study_of(n, surveyed), Path(folder))
        command = [sys.executable, __file__, folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return pd.Series([float(part) for part in done.stdout.split()], index=LABELS)


def main() -> None:
    """Print the table."""
    print("| accounts | surveyed | " + " | ".join(LABELS) + " | together |")
    print("|---" * (len(LABELS) + 3) + "|")
    for n, surveyed in SIZES:
        spent = seconds(n, surveyed)
        cells = " | ".join(f"{value:.2f}" for value in [*spent, spent.sum()])
        print(f"| {n:,} | {surveyed:,} | {cells} |")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        time_steps(sys.argv[1])
    else:
        main()
