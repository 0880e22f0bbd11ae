"""Scoring and fitting large tables against what they are measured by, in one run.

python benchmarks/scale.py [MILLIONS...] prints the tables of docs; the rows (10 million unless
given) lie in a temporary folder, about 50 MB a million, and as much for each contender. Each
contender has a process of its own, whose largest resident memory is shown. Spark takes part where
pyspark and Java are installed, polars where it is (`pip install 'kalib-kit[benchmark]'`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

INDICATORS = [f"x{j}" for j in range(8)]
SLOPES = [0.1 + 0.02 * j for j in range(8)]
SPREAD, SMEARING, INTERCEPT = 0.3, 1.045, 3.0
OURS = ("copy_table", "start_only", "score_usual", "score_all")
MOST_IN_MEMORY = 10_000_000  # rows that the contenders without an engine are given


def make_table(path: Path, rows: int) -> None:
    """Accounts with sales, a potential and eight indicators, uniform in logs."""
    import duckdb

    columns = ", ".join(
        f"round(exp({3 + 0.4 * j} + 2 * random()), 2) AS x{j}" for j in range(len(SLOPES))
    )
    line = " + ".join(f"{b} * ln(x{j})" for j, b in enumerate(SLOPES))
    with duckdb.connect() as connection:
        connection.execute(f"""COPY (SELECT *, round(exp({INTERCEPT} + {line}
            + {SPREAD} * (random() + random() + random() - 1.5) * 2) * 0.4 * random(), 2) AS sales
            FROM (SELECT 'A' || lpad(CAST(i AS VARCHAR), 9, '0') AS account, {columns}
            FROM range({rows}) t(i))) TO '{path}' (FORMAT PARQUET)""")


def make_run(folder: Path) -> None:
    """The files of a run with a log-log formula."""
    from scipy.special import ndtri

    from kalib.runs.outputs import write_json

    levels = (np.arange(64) + 0.5) / 64
    write_json({
        "form": "log-log", "intercept": INTERCEPT, "smearing": SMEARING, "floor": 1.0,
        "confidence": 0.9,
        "terms": [{"indicator": name, "level": None, "coefficient": slope, "transform": "log",
                   "shift": 0.0} for name, slope in zip(INDICATORS, SLOPES, strict=True)],
        "error": {"levels": levels.tolist(), "quantiles": ndtri(levels).tolist(), "size": SPREAD,
                  "power": 0.0, "low_fitted": 1.0},
        "levels": [],
        "surveyed": {name: {"low": 25.0, "high": 2000.0} for name in INDICATORS},
    }, folder / "formula.json")  # fmt: skip
    write_json({"verdict": "usable"}, folder / "verdict.json")
    write_json({"parameters": {
        "columns": {"account": "account", "sales": "sales"},
        "matrix": {"potential_cut": {"kind": "quantile", "value": 0.8}, "share_cut": "market"},
    }}, folder / "run.json")  # fmt: skip


def copy_table(source: Path, target: Path) -> None:
    """What DuckDB takes merely to write the table again."""
    import duckdb

    duckdb.execute(f"COPY (SELECT * FROM '{source}') TO '{target}' (FORMAT PARQUET)")


def start_only(source: Path, target: Path) -> None:
    """What `kalib score` takes before it computes anything: imports and the engine."""
    from kalib.scale.sources import open_source

    with open_source(str(source), "duckdb", "3GB") as opened:
        target.write_text(str(opened.table.schema()))


def score_usual(source: Path, target: Path) -> None:
    """What `kalib score` writes unless more is asked for."""
    from kalib.scale.score import score_table

    score_table(source.parent, source, target)


def score_all(source: Path, target: Path) -> None:
    """All columns: the interval of SOW and the four probabilities, too."""
    from kalib.scale.expression import OUTPUT
    from kalib.scale.score import Scoring, score_table

    score_table(source.parent, source, target, Scoring(columns=OUTPUT))


def score_spark(source: Path, target: Path) -> None:
    """The same expression on Spark."""
    from kalib.scale.score import Scoring, score_table

    score_table(source.parent, source, target, Scoring(engine="spark"))


def score_pandas(source: Path, target: Path) -> None:
    """Potential, SOW and zone only, by pandas and numpy."""
    import pandas as pd

    from kalib.matrix.matrix import assign_zones

    frame = pd.read_parquet(source)
    line = INTERCEPT + np.log(frame[INDICATORS].to_numpy()) @ np.array(SLOPES)
    potential = pd.Series(np.exp(line) * SMEARING)
    sow = frame["sales"] / potential
    share = frame["sales"].sum() / potential.sum()
    zone = assign_zones(potential, sow, float(np.quantile(potential, 0.8)), float(share))
    frame = frame[["account", "sales"]].assign(potential=potential, sow=sow, zone=zone)
    frame.to_parquet(target, index=False)


def score_polars(source: Path, target: Path) -> None:
    """Potential, SOW and zone only, by polars."""
    import polars as pl

    line = sum((pl.col(n).log() * b for n, b in zip(INDICATORS, SLOPES, strict=True)), INTERCEPT)
    frame = pl.scan_parquet(source).select(
        "account", "sales", potential=(line.exp() * SMEARING)
    ).collect()  # fmt: skip
    cut, share = frame["potential"].quantile(0.8, "linear"), frame["sales"].sum()
    share /= frame["potential"].sum()
    high, loyal = pl.col("potential") >= cut, pl.col("sow") >= share
    frame.with_columns(sow=pl.col("sales") / pl.col("potential")).with_columns(
        zone=pl.when(high & ~loyal).then(pl.lit("attack")).when(high).then(pl.lit("defense"))
        .when(loyal).then(pl.lit("maintenance")).otherwise(pl.lit("watch"))
    ).write_parquet(target)  # fmt: skip


def fit_kalib(source: Path, target: Path) -> None:
    """Coefficients from sums by the engine."""
    from kalib.scale.sources import open_source
    from kalib.scale.sums import fit_sums, sum_columns

    with open_source(str(source), "duckdb", "150MB") as opened:
        columns = {name: opened.table[name] for name in [*INDICATORS, "sales"]}
        save(fit_sums(sum_columns(opened.table, columns)).coef, target)


def fit_statsmodels(source: Path, target: Path) -> None:
    """statsmodels' OLS."""
    import statsmodels.api as sm

    design, response = read_columns(source)
    save(sm.OLS(response, sm.add_constant(design)).fit().params, target)


def fit_sklearn(source: Path, target: Path) -> None:
    """scikit-learn's LinearRegression."""
    from sklearn.linear_model import LinearRegression

    fitted = LinearRegression().fit(*read_columns(source))
    save(np.append(fitted.intercept_, fitted.coef_), target)


def read_columns(source: Path) -> tuple[np.ndarray, np.ndarray]:
    """Design and response as arrays."""
    import pandas as pd

    frame = pd.read_parquet(source, columns=[*INDICATORS, "sales"])
    return frame[INDICATORS].to_numpy(), frame["sales"].to_numpy()


def save(coef: np.ndarray, target: Path) -> None:
    """Coefficients for comparison."""
    target.write_text(json.dumps([float(value) for value in coef]))


def measured(name: str, source: Path, target: Path) -> tuple[float, float]:
    """Seconds and largest memory (GB) of one contender in a process of its own."""
    # Compiled modules are kept, as they are wherever a program is started a second time.
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, __file__, name, source, target]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=kept)
    seconds, memory = done.stdout.split()[-2:]
    return float(seconds), float(memory)


def scoring(folder: Path, rows: int) -> None:
    """Print the table of scoring."""
    import duckdb

    source = folder / "accounts.parquet"
    names = [*OURS]
    names += ["score_pandas"] if rows <= MOST_IN_MEMORY else []
    names += ["score_polars"] if find_spec("polars") and rows <= MOST_IN_MEMORY else []
    names += ["score_spark"] if find_spec("pyspark") and rows <= 1_000_000 else []
    print(f"\n{rows:,} rows\n\n| | seconds | times the copy | memory, GB |\n|---|---|---|---|")
    base = 0.0
    for name in names:
        runs = [
            measured(name, source, folder / f"{name}.parquet")
            for _ in range(3 if name in OURS else 2)
        ]
        seconds, memory = min(run[0] for run in runs), max(run[1] for run in runs)
        base = base or seconds
        print(f"| {name} | {seconds:.1f} | {seconds / base:.2f} | {memory:.2f} |", flush=True)
    for other in names[len(OURS) :]:
        place = folder / f"{other}.parquet"
        files = place / "*.parquet" if place.is_dir() else place
        differing = duckdb.sql(
            f"SELECT count(*) FROM read_parquet('{folder / 'score_all.parquet'}') a "
            f"JOIN read_parquet('{files}') b USING (account) WHERE a.zone <> b.zone"
        ).fetchall()[0][0]
        print(f"\nzones that differ from {other}, which places by the point: {differing}")


def fitting(folder: Path, rows: int) -> None:
    """Print the table of fitting."""
    source = folder / "accounts.parquet"
    print("\n| fit | seconds | memory, GB | largest relative difference |\n|---|---|---|---|")
    ours = None
    names = ["fit_kalib"]
    names += ["fit_sklearn", "fit_statsmodels"] if rows <= MOST_IN_MEMORY else []
    for name in names:
        runs = [measured(name, source, folder / "coef.json") for _ in range(2)]
        seconds, memory = min(run[0] for run in runs), max(run[1] for run in runs)
        coef = np.array(json.loads((folder / "coef.json").read_text()))
        ours = coef if ours is None else ours
        off = float(np.abs(coef / ours - 1).max())
        print(f"| {name} | {seconds:.1f} | {memory:.2f} | {off:.0e} |", flush=True)


def largest_memory() -> float:
    """GB this process has held. Not ru_maxrss, which counts what the parent held when it forked."""
    status = Path("/proc/self/status").read_text()
    return float(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e9


def main() -> None:
    """Print the tables, or time one contender."""
    if len(sys.argv) == 4 and sys.argv[1] in globals():
        start = time.perf_counter()
        globals()[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
        print(time.perf_counter() - start, largest_memory())
        return
    for millions in sys.argv[1:] or ["10"]:
        with tempfile.TemporaryDirectory(prefix="kalib-") as name:
            folder, rows = Path(name), int(float(millions) * 1e6)
            make_run(folder)
            make_table(folder / "accounts.parquet", rows)
            scoring(folder, rows)
            fitting(folder, rows)


if __name__ == "__main__":
    main()
