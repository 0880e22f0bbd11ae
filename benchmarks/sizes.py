"""Studies from 1,000 accounts to 100,000, and wide ones: seconds, memory and the size of the page.

python benchmarks/sizes.py [--against PYTHON] prints markdown tables. PYTHON: the interpreter of an
environment with another state of kalib; each command is then run by both, in turn, and the table
gives the ratio. Wide studies are timed from the client's tables to the verdict, but for `check`.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from generators.simulate import Simulated, simulate_supermarkets, simulate_world, write_study

ROOT = Path(__file__).parent.parent
ACCOUNTS = (1_000, 10_000, 100_000)
JUDGE = """
import sys, kalib
study = kalib.read_study(sys.argv[1])
tables = kalib.read_tables(study)
potential = kalib.known_potential(tables)
screening = kalib.screen(tables, potential)
fit = kalib.fit_formula(screening, potential, study.formula)
kalib.judge(fit, kalib.check_formula(fit))
"""


def supermarkets(count: int, folder: Path) -> None:
    """The shipped supermarkets, more of them."""
    shutil.copytree(ROOT / "data/fmcg-supermarkets", folder)
    file = folder / "study.toml"
    text = file.read_text(encoding="utf-8")  # an older state knows no labels
    file.write_text(re.sub(r"\[indicators\.labels\]\n(?:.+\n)*", "", text), encoding="utf-8")
    made = simulate_supermarkets(count)
    made.accounts.to_csv(folder / "accounts.csv", index=False)
    made.survey.to_csv(folder / "survey.csv", index=False)


def wide(candidates: int, surveyed: int, folder: Path) -> None:
    """1,200 accounts with candidates beside the eight of the world, of which six matter."""
    world = simulate_world("multiplicative", 3, 1200, surveyed)
    rng = np.random.default_rng(3)
    names = [f"further_{k}" for k in range(candidates - len(world.candidates))]
    further = pd.DataFrame(np.exp(rng.standard_normal((1200, len(names)))).round(3), columns=names)
    accounts = pd.concat([world.accounts.reset_index(drop=True), further], axis=1)
    write(world, accounts, (*world.candidates, *names), folder)


def many_regions(folder: Path) -> None:
    """20,000 accounts in 2,000 regions."""
    world = simulate_world("multiplicative", 4, 20_000, 400)
    accounts = world.accounts.assign(region=[f"region {k % 2000}" for k in range(20_000)])
    write(world, accounts, world.candidates, folder)
    file = folder / "study.toml"
    text = file.read_text(encoding="utf-8")
    if "\nregion =" not in text:
        text = text.replace("[columns]\n", '[columns]\nregion = "region"\n', 1)
        file.write_text(text, encoding="utf-8")


def write(
    world: Simulated, accounts: pd.DataFrame, candidates: Sequence[str], folder: Path
) -> None:
    """A study of a world with other accounts and candidates."""
    folder.mkdir()
    made = Simulated(accounts, world.survey, world.truth, tuple(candidates), ())
    write_study(made, folder)


def spent(command: Sequence[str]) -> tuple[float, float, float]:
    """Wall seconds, processor seconds and GB of the largest process of a command."""
    since = time.perf_counter()
    kinds = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    one = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    with subprocess.Popen(command, cwd=tempfile.gettempdir(), env=one, **kinds) as process:
        said = process.stderr.read() if process.stderr else b""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(said.decode())
    wall = time.perf_counter() - since
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6


def timed(command: Sequence[str], other: str | None) -> list[str]:
    """Cells of a row: seconds, processor seconds, memory, and the ratio to the other state."""
    theirs = spent([other, *command])[0] if other else float("nan")
    wall, processor, memory = spent([sys.executable, *command])
    cells = [f"{wall:.1f}", f"{processor:.1f}", f"{memory:.2f}"]
    return [*cells, f"{wall / theirs:.2f}"] if other else cells


def main() -> None:
    """Print the tables."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--against", metavar="PYTHON")
    other = ask.parse_args().against
    further = " over the other |" if other else ""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        print("| `kalib run`, accounts | seconds | processor | GB | page, MB |" + further)
        print("|---" * (6 if other else 5) + "|")
        for count in ACCOUNTS:
            supermarkets(count, place / str(count))
            out = place / f"report-{count}"
            command = ["-m", "kalib", "run", str(place / str(count)), "--force", "--out", str(out)]
            cells = timed(command, other)
            cells.insert(3, f"{(out / 'index.html').stat().st_size / 1e6:.1f}")
            print(f"| {count:,} | " + " | ".join(cells) + " |", flush=True)
        print("\n| wide studies | seconds | processor | GB |" + further)
        print("|---" * (5 if other else 4) + "|")
        wide(60, 80, place / "few")
        wide(300, 200, place / "wide")
        many_regions(place / "regions")
        rows = {
            "80 answers, 60 candidates": ["-c", JUDGE, str(place / "few")],
            "200 answers, 300 candidates": ["-c", JUDGE, str(place / "wide")],
            "`kalib check`, 20,000 accounts, 2,000 regions":
                ["-m", "kalib", "check", str(place / "regions")],
        }  # fmt: skip
        for label, command in rows.items():
            print(f"| {label} | " + " | ".join(timed(command, other)) + " |", flush=True)


if __name__ == "__main__":
    main()
