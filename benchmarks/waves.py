"""Two waves with known moves: what is called real, and what believing every change gives.

python benchmarks/waves.py [pairs] prints precision and recall of both, in worlds that differ in
how long what the indicators miss stays with an account, how much of a move the indicators show,
and how many accounts are surveyed twice.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from generators.simulate import write_study
from generators.waves import simulate_pair
from kalib.analysis import analyze
from kalib.waves.waves import REAL, Wave, compare_waves

PAIRS, FIRST = 6, 100
WORLDS = {
    "usual": {},
    "frozen but for the moves": {"persistence": 1.0, "sow_drift": 0.0},
    "half persistent": {"persistence": 0.5},
    "moves half seen": {"visible": 0.5},
    "other accounts surveyed": {"resurveyed": 0.0},
    "few surveyed": {"surveyed": 80, "resurveyed": 0.5},
}


def outcomes(seed: int, **world: float) -> pd.DataFrame:
    """Every account placed in both waves: changed, probability, truly moved."""
    pair = simulate_pair(seed, **world)  # type: ignore[arg-type]
    waves = []
    with tempfile.TemporaryDirectory() as folder:
        for name, wave in (("before", pair.before), ("after", pair.after)):
            write_study(wave, Path(folder) / name)
            waves.append(Wave.of(analyze(Path(folder) / name)))
    moves = compare_waves(*waves).moves
    frame = pd.DataFrame({"moved": pair.moved})
    frame["chance"] = moves["probability"].reindex(frame.index)
    return frame


def main() -> None:
    """Print the table."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS
    print("| world | truly moved | called real | precision | recall | every changed zone | "
          "precision | recall | calibration |\n" + "|---" * 9 + "|")  # fmt: skip
    for name, world in WORLDS.items():
        found = pd.concat([outcomes(seed, **world) for seed in range(FIRST, FIRST + pairs)])
        true = found["moved"].sum()
        cells = [name, f"{true}"]
        for said in (found["chance"] >= REAL, found["chance"].notna()):
            right = int((said & found["moved"]).sum())
            cells += [str(said.sum()), f"{right / max(said.sum(), 1):.0%}", f"{right / true:.0%}"]
        seen = found[found["chance"].notna()]
        gap = seen["chance"].mean() - seen["moved"].mean()
        cells.append(f"{np.round(gap, 2):+.2f}")
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
