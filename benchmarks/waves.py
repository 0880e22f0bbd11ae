"""Two waves with known moves: what is called real, and what believing every change gives.

python benchmarks/waves.py [pairs] prints precision and recall of both.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from test_waves import wave_pair

from kalib.waves import REAL, compare_waves

PAIRS, FIRST = 6, 100


def main() -> None:
    """Print the table."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS
    changed = real = said = right = true = 0
    for seed in range(FIRST, FIRST + pairs):
        with tempfile.TemporaryDirectory() as folder:
            before, after, moved = wave_pair(Path(folder), seed)
            moves = compare_waves(before, after).moves
        sure = moves.index[moves["probability"] >= REAL]
        changed, real = changed + len(moves), real + int(moved.reindex(moves.index).sum())
        said, right = said + len(sure), right + int(moved.reindex(sure).sum())
        true += int(moved.sum())
    print("| rule | called moves | truly moved | precision | recall |\n|---|---|---|---|---|")
    for name, count, hit in (("kalib compare", said, right), ("every changed zone", changed, real)):
        print(f"| {name} | {count} | {hit} | {hit / count:.0%} | {hit / true:.0%} |")


if __name__ == "__main__":
    main()
