"""Exact best subsets of every size against R's leaps on the same data.

python benchmarks/selection.py prints ratios; needs Rscript with leaps, else kalib's times alone.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from kalib.subsets import best_by_criterion, best_subsets, gram_matrix

SCRIPT = Path(__file__).with_name("selection.R")
SIZES = (10, 15, 20, 30, 40)
ROUNDS = 3


def simulate(p: int, signal: float, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """500 rows of p correlated columns (r = 0.33), six of which matter."""
    rng = np.random.default_rng(seed)
    design = rng.standard_normal((500, p)) + 0.7 * rng.standard_normal((500, 1))
    slopes = np.where(np.arange(p) < 6, signal, 0.0)
    return design, design @ slopes + 1.5 * rng.standard_normal(500)


def leaps_time(design: np.ndarray, response: np.ndarray) -> float | None:
    """Milliseconds leaps takes; None without R."""
    if shutil.which("Rscript") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        header = ",".join(["y", *(f"x{j}" for j in range(design.shape[1]))])
        np.savetxt(path, np.column_stack([response, design]), delimiter=",", header=header,
                   comments="")  # fmt: skip
        done = subprocess.run(
            ["Rscript", SCRIPT, path], capture_output=True, text=True, check=False
        )
    return float(done.stdout.split()[0]) if done.returncode == 0 else None


def main() -> None:
    """Print the table."""
    print("| columns | signal | kalib, all sizes | kalib, BIC | leaps, all sizes | ratio |")
    print("|---|---|---|---|---|---|")
    for p in SIZES:
        for name, signal in (("strong", 1.0), ("weak", 0.12)):
            design, response = simulate(p, signal)
            gram = gram_matrix(design, response)
            times = []
            for work in (
                lambda: best_subsets(gram),  # noqa: B023
                lambda: best_by_criterion(gram, 500, penalty=np.log(500)),  # noqa: B023
            ):
                rounds = []
                for _ in range(ROUNDS):
                    start = time.perf_counter()
                    work()
                    rounds.append((time.perf_counter() - start) * 1e3)
                times.append(min(rounds))
            peer = leaps_time(design, response)
            shown = f"{peer:,.1f} ms | {peer / times[0]:.1f}" if peer else "no R | –"
            print(f"| {p} | {name} | {times[0]:,.1f} ms | {times[1]:,.1f} ms | {shown} |")


if __name__ == "__main__":
    main()
