"""The open wallet benchmark: who finds true wallets best on data that nobody made for it.

python benchmarks/real [--quick] [--seeds N] [--jobs N] [--only TEXT] [--keep FILE] prints one table
a kind of set; --keep holds the rivals' figures for the next time.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))
from measures import measure
from ours import kalib
from report import print_tables
from rivals import rivals
from sets import names, read_set

KEY = ["set", "seed", "method"]


def study(name: str, seed: int, quick: bool, known: frozenset[tuple[str, int]]) -> pd.DataFrame:
    """All methods' figures on one set; known: sets whose rivals were measured before."""
    warnings.simplefilter("ignore")
    data = read_set(name, seed)
    rows = [("kalib", kalib(data)), ("kalib, formula only", kalib(data, "formula"))]
    if (name, seed) not in known:
        rows += rivals(data, quick)
    about = {"set": name, "seed": seed, "kind": data.kind, "half": data.half}
    return pd.DataFrame([about | {"method": m} | measure(data, answer) for m, answer in rows])


def main() -> None:
    """Measure and print."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--quick", action="store_true", help="one seed, two rivals")
    ask.add_argument("--seeds", type=int, default=3)
    ask.add_argument("--jobs", type=int, default=1)
    ask.add_argument("--only", default="", help="sets whose name holds this text")
    ask.add_argument("--keep", type=Path, help="a CSV of figures to read rivals from, and write to")
    options = ask.parse_args()
    seeds = 1 if options.quick else options.seeds
    todo = [(name, seed) for seed in range(seeds) for name in names(options.only)]
    before = pd.read_csv(options.keep) if options.keep and options.keep.exists() else None
    kept = pd.DataFrame(columns=KEY) if before is None else before
    kept = kept[~kept["method"].str.startswith("kalib")]
    known = frozenset(zip(kept["set"], kept["seed"], strict=True))
    found = []
    with ProcessPoolExecutor(options.jobs) as pool:
        where = ([name for name, _ in todo], [seed for _, seed in todo])
        for frame in pool.map(study, *where, repeat(options.quick), repeat(known)):
            print(frame["set"][0], frame["seed"][0], end="; ", file=sys.stderr, flush=True)
            found.append(frame)
            every = pd.concat([kept, *found], ignore_index=True).drop_duplicates(KEY, keep="last")
            if options.keep:
                every.to_csv(options.keep, index=False)
    asked = pd.MultiIndex.from_tuples(todo)
    print_tables(every[pd.MultiIndex.from_frame(every[["set", "seed"]]).isin(asked)])


if __name__ == "__main__":
    main()
