"""Best subsets of every size: kalib against leaps, abess, mlxtend and a loop over statsmodels.

python benchmarks/selection.py prints times and, for each contender, how far its worst size lies
above the least residual sum of squares. leaps needs Rscript; abess, mlxtend and statsmodels come
with `pip install 'kalib-kit[benchmark]'`. A contender that is not installed is left out, and named.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from kalib.formula.subsets.search import best_by_criterion, best_subsets, gram_matrix

SCRIPT = Path(__file__).with_name("selection.R")
SIZES = (10, 15, 20, 30, 40)
MOST_EXHAUSTIVE = 10  # columns: mlxtend fits every subset, 1,023 of them
SECONDS = 0.3  # of rounds, of which the quickest counts; leaps has the same
Sums = dict[int, float]  # size -> residual sum of squares of the subset found


def simulate(p: int, signal: float, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """500 rows of p correlated columns (r = 0.33), six of which matter."""
    rng = np.random.default_rng(seed)
    design = rng.standard_normal((500, p)) + 0.7 * rng.standard_normal((500, 1))
    slopes = np.where(np.arange(p) < 6, signal, 0.0)
    return design, design @ slopes + 1.5 * rng.standard_normal(500)


def leaps(design: np.ndarray, response: np.ndarray) -> tuple[float, Sums]:
    """Milliseconds R's leaps takes, and its sums of squares."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        header = ",".join(["y", *(f"x{j}" for j in range(design.shape[1]))])
        np.savetxt(path, np.column_stack([response, design]), delimiter=",", header=header,
                   comments="")  # fmt: skip
        done = subprocess.run(["Rscript", SCRIPT, path], capture_output=True, text=True, check=True)
    milliseconds, *sums = (float(word) for word in done.stdout.split())
    return milliseconds, dict(enumerate(sums, start=1))


def abess(design: np.ndarray, response: np.ndarray) -> Iterable[np.ndarray]:
    """abess at every size."""
    from abess.linear import LinearRegression

    for size in range(1, design.shape[1] + 1):
        yield np.flatnonzero(LinearRegression(support_size=size).fit(design, response).coef_)


def mlxtend_forward(design: np.ndarray, response: np.ndarray) -> Iterable[np.ndarray]:
    """mlxtend's SequentialFeatureSelector, forward."""
    from mlxtend.feature_selection import SequentialFeatureSelector
    from sklearn.linear_model import LinearRegression

    search = SequentialFeatureSelector(
        LinearRegression(), k_features=design.shape[1], scoring="neg_mean_squared_error", cv=0
    ).fit(design, response)
    return [np.array(found["feature_idx"]) for found in search.subsets_.values()]


def mlxtend_exhaustive(design: np.ndarray, response: np.ndarray) -> Iterable[np.ndarray]:
    """mlxtend's ExhaustiveFeatureSelector, all sizes."""
    from mlxtend.feature_selection import ExhaustiveFeatureSelector
    from sklearn.linear_model import LinearRegression

    search = ExhaustiveFeatureSelector(
        LinearRegression(), max_features=design.shape[1], scoring="neg_mean_squared_error", cv=0,
        print_progress=False,
    ).fit(design, response)  # fmt: skip
    best: dict[int, tuple[float, tuple[int, ...]]] = {}
    for found in search.subsets_.values():
        place = found["feature_idx"]
        best[len(place)] = max(best.get(len(place), (-np.inf, ())), (found["avg_score"], place))
    return [np.array(place) for _, place in best.values()]


def statsmodels_loop(design: np.ndarray, response: np.ndarray) -> Iterable[np.ndarray]:
    """Forward selection as a loop over statsmodels' OLS."""
    import statsmodels.api as sm

    chosen: list[int] = []
    while len(chosen) < design.shape[1]:
        rest = [j for j in range(design.shape[1]) if j not in chosen]
        sums = [sm.OLS(response, sm.add_constant(design[:, [*chosen, j]])).fit().ssr for j in rest]
        chosen.append(rest[int(np.argmin(sums))])
        yield np.array(chosen)


PEERS: dict[str, tuple[Callable[..., Iterable[np.ndarray]], str]] = {
    "abess": (abess, "abess"),
    "mlxtend, forward": (mlxtend_forward, "mlxtend"),
    "mlxtend, exhaustive": (mlxtend_exhaustive, "mlxtend"),
    "statsmodels, forward": (statsmodels_loop, "statsmodels"),
}


def timed(work: Callable[[], object]) -> float:
    """Milliseconds, the least of three or more rounds."""
    rounds: list[float] = []
    while len(rounds) < 3 or sum(rounds) < SECONDS * 1e3:
        start = time.perf_counter()
        work()
        rounds.append((time.perf_counter() - start) * 1e3)
    return min(rounds)


def found_by(peer: Callable[..., Iterable[np.ndarray]], *data: np.ndarray) -> tuple[float, Sums]:
    """Milliseconds of one run of a peer after a first one of two columns, and what it found."""
    design, response = data
    list(peer(design[:, :2], response))  # its imports and first calls
    start = time.perf_counter()
    subsets = list(peer(design, response))
    milliseconds = (time.perf_counter() - start) * 1e3
    sums = {}
    for place in subsets:
        full = np.column_stack([np.ones(len(design)), design[:, place]])
        sums[len(place)] = float(np.linalg.lstsq(full, response)[1][0])
    return milliseconds, sums


def shown(milliseconds: float, sums: Sums, least: np.ndarray) -> str:
    """Time, and the worst size's sum of squares over the least one."""
    worst = max(value / least[size] for size, value in sums.items())
    return f"{milliseconds:,.1f} ms ({worst:.4f})"


def row(p: int, name: str, signal: float, peers: dict[str, Callable[..., object]]) -> str:
    """One row of the table."""
    design, response = simulate(p, signal)
    gram = gram_matrix(design, response)
    every = timed(lambda: best_subsets(gram))
    bic = timed(lambda: best_by_criterion(gram, 500, penalty=np.log(500)))
    least = best_subsets(gram).value[0]
    cells = [str(p), name, f"{every:,.1f} ms", f"{bic:,.1f} ms"]
    for peer in ("leaps", *PEERS):
        if peer not in peers or (peer == "mlxtend, exhaustive" and p > MOST_EXHAUSTIVE):
            cells += ["–"] * (2 if peer == "leaps" else 1)
        elif peer == "leaps":
            milliseconds, sums = leaps(design, response)
            cells.append(shown(milliseconds, sums, least))
            cells.append(f"{milliseconds / every:,.1f}")
        else:
            cells.append(shown(*found_by(PEERS[peer][0], design, response), least))
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table."""
    peers: dict[str, Callable[..., object]] = {}
    if shutil.which("Rscript"):
        peers["leaps"] = leaps
    peers |= {name: work for name, (work, package) in PEERS.items() if find_spec(package)}
    for missing in {"leaps", *PEERS} - set(peers):
        print(f"{missing} is not installed: left out")
    names = ["columns", "signal", "kalib, all sizes", "kalib, BIC", "leaps", "leaps / kalib"]
    names += list(PEERS)
    print("| " + " | ".join(names) + " |")
    print("|---" * len(names) + "|")
    for p in SIZES:
        for name, signal in (("strong", 1.0), ("weak", 0.12)):
            print(row(p, name, signal, peers), flush=True)


if __name__ == "__main__":
    main()
