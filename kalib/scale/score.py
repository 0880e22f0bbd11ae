"""A run's formula applied where the data lie, tables of any size, or written for other programs:
SQL of any dialect, Excel, Python, plain text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from kalib.errors import Problem, StudyError, need
from kalib.formula.written import as_excel, as_python
from kalib.scale.columns import typed
from kalib.scale.expression import OUTPUT, OWN, USUAL, Cuts, chance_below, place_of, score, stage
from kalib.scale.recipe import Recipe, RunCuts, read_recipe, read_record
from kalib.scale.sources import MEMORY, Source, check_target, fetched, open_source, write_table

SHOWN = ("account", "sales", "potential", "potential_low", "potential_high")
PLACED = (*SHOWN, "sow", "zone", "team")
# What ibis calls a dialect, "" where it changes names or needs the engine: sqlglot then translates.
IBIS_NAMES = {"tsql": "mssql", "bigquery": ""}
BUCKETS = 1024  # per unit of what is ordered: few rows share one, however many the table has


@dataclass(frozen=True)
class Scoring:
    """How a table is scored.

    engine: "duckdb" or "spark"; cuts: "table" computes the cuts of the study from the table's own
    rows, "run" takes those of the run; columns: what is written, of `OUTPUT` or of the table.
    """

    engine: str = "duckdb"
    cuts: str = "table"
    columns: Sequence[str] = USUAL


@dataclass(frozen=True)
class Scored:
    """What was scored: rows, those without a potential (None where they were not counted),
    potential cut (currency a year), SOW cut (fraction)."""

    rows: int
    blank: int | None
    potential_cut: float
    sow_cut: float


def score_table(
    run: Path, accounts: Path | str, to: Path | str, asked: Scoring = Scoring(), *,
    memory: str = MEMORY, force: bool = False,
) -> Scored:  # fmt: skip
    """Score every row of a table and write it, whole or not at all.

    run: a report's folder; accounts: Parquet or CSV, a folder of either, or ADDRESS::TABLE of a
    database, with the client's columns, by the rules of `kalib run` for them; to: .parquet or .csv
    (Spark writes a folder of that name), or ADDRESS::TABLE in the database of the accounts; force:
    what lies at to and is not ours is moved aside.

    The formula is applied, not what own sales, parents, regions or a survey say of single accounts.
    The interval and the probabilities follow the run's out-of-fold errors, wider where a level of
    text was surveyed seldom or never; the error of the coefficients is taken as its mean over the
    surveyed accounts and the cuts as known, so that accounts with a number outside its surveyed
    range are less sure than they look. Rows without an indicator of the formula have no
    potential. Raises StudyError for bad input.
    """
    accounts, to = str(accounts), str(to)
    recipe = read_recipe(run)
    if asked.cuts == "run" and recipe.run_cuts is None:
        raise StudyError("this run has no cuts", file="summary.json", remedy="Leave --cuts run out")
    check_target(to, accounts, force=force)
    with open_source(accounts, asked.engine, memory, writes="://" in to) as source:
        _check_columns(asked.columns, recipe, source)
        table, rows = typed(source, recipe.asked)
        fenced = source.connection.name == "postgres"
        staged = stage(table, recipe, asked.columns, fenced)
        if asked.cuts == "run" and recipe.run_cuts:
            found = run_cuts(recipe, recipe.run_cuts)
        else:
            staged = _held(source, staged)
            found = compute_cuts(staged, recipe, source.name)
        write_table(source, score(staged, recipe, found, asked.columns, fenced), to)
    blank = None if found.rows is None else rows - found.rows
    return Scored(rows, blank, found.potential, found.sow)


def _held(source: Source, staged: Any) -> Any:
    """The rows computed once; those of a database, which may be closed to writing, as they are."""
    if source.connection.name == "pyspark":
        return staged.cache()
    if source.connection.name == "duckdb":
        return source.connection.create_table("kalib_held", obj=staged, temp=True)
    return staged


def _check_columns(columns: Sequence[str], recipe: Recipe, source: Source) -> None:
    problems = [
        Problem(f"no column {name!r} to write", file=source.name,
                remedy=f"Name columns of the table, or of {', '.join(OUTPUT)}")
        for name in columns if name not in (*OUTPUT, *source.table.columns)
    ]  # fmt: skip
    read = (recipe.study.account, recipe.study.sales, *recipe.numeric, *recipe.textual, *columns)
    problems += [
        Problem("a name that kalib needs itself", file=source.name, column=name,
                remedy="Rename the column")
        for name in dict.fromkeys(read) if name.startswith(OWN)
    ]  # fmt: skip
    if problems or not columns:
        raise StudyError(problems or "no column to write")


def export_formula(run: Path, dialect: str) -> str:
    """The formula of a report's folder as text that the named program takes.

    dialect: "excel" (a formula for a table whose headers are the client's), "python" (a function
    of one row), "text" (that of formula.json), or an SQL dialect that sqlglot knows: a SELECT of
    potential, interval, SOW, zone and team over a table named accounts, which `kalib score` would
    run, with the cuts of the run; a run without cuts (of `kalib fit`) has no zones. Raises
    StudyError for an unknown dialect.
    """
    recipe, record = read_recipe(run), read_record(run, "formula")
    if dialect == "text":
        return str(record["text"])
    writers = {"excel": as_excel, "python": as_python}
    if dialect in writers:
        return writers[dialect](record)
    need("scale")
    import ibis
    import sqlglot
    from ibis.backends.sql import compilers

    known = sorted(name for name in sqlglot.Dialect.classes if name)
    if dialect not in known:
        others = ", ".join(["excel", "python", "text", *known])
        raise StudyError(f"unknown dialect {dialect!r}", remedy=f"One of {others}")
    kinds = dict.fromkeys((recipe.study.account, *recipe.textual), "string")
    kinds |= dict.fromkeys((recipe.study.sales, *recipe.numeric), "float64")
    table = ibis.table(kinds, name="accounts")
    table = table.mutate(kalib_id=table[recipe.study.account])
    columns = PLACED if recipe.run_cuts else SHOWN
    cuts = run_cuts(recipe, recipe.run_cuts or RunCuts(potential_cut=1, sow_cut=1))
    query = score(stage(table, recipe, columns), recipe, cuts, columns)
    name = IBIS_NAMES.get(dialect, dialect)
    if name and hasattr(compilers, name):
        return f"{ibis.to_sql(query, name)};"
    text = str(ibis.to_sql(query, "postgres"))
    return sqlglot.transpile(text, read="postgres", write=dialect, pretty=True)[0] + ";"


class Order:
    """The values of a column from the largest down, of a table of any size.

    rows: their number; sum: of the values; along: sum of another column. Counts and sums by bucket,
    then the values of the one asked for: memory stays, and the result is that of sorting.
    """

    def __init__(self, table: Any, value: Any, scale: Any, along: Any) -> None:
        """value: what is ordered; scale: an expression in the same order, cut into buckets."""
        bucket = (scale * BUCKETS).floor().cast("int64")
        rows = table.select(value=value, bucket=bucket, along=along)
        self.buckets = _by("bucket", rows)
        self.inside = cache(lambda bucket: _by("value", rows.filter(rows.bucket == bucket)))
        self.rows, self.sum = int(self.buckets["n"].sum()), float(self.buckets["sum"].sum())
        self.along = float(np.nansum(self.buckets["along"]))

    def at(self, rank: int) -> tuple[float, int, int]:
        """The value at a rank, 0 for the largest; how many lie above it, and how many are it."""
        value, before, count = self.reaching("n", rank + 0.5)
        return value, int(before), int(count)

    def reaching(self, name: str, goal: float) -> tuple[float, float, float]:
        """The value at which a running total reaches a goal, the total before it, and its own."""
        k, before = _reached(self.buckets[name], goal)
        inside = self.inside(int(self.buckets["bucket"][k]))
        i, within = _reached(inside[name], goal - before)
        return float(inside["value"][i]), before + within, float(inside[name][i])


def _by(key: str, table: Any) -> dict[str, np.ndarray]:
    """Count and sums by a column (n,), from its largest down."""
    sums = {"n": table.count(), "sum": table.value.sum(), "along": table.along.sum()}
    rows = sorted(fetched(table.group_by(key).aggregate(**sums)), key=lambda row: -row[key])
    return {name: np.array([row[name] for row in rows], float) for name in (key, *sums)}


def _reached(amounts: np.ndarray, goal: float) -> tuple[int, float]:
    """Where the running total of amounts reaches a goal, and what it is before."""
    totals = amounts.cumsum()
    k = min(int(np.searchsorted(totals, goal)), len(totals) - 1)
    return k, float(totals[k] - amounts[k])


def compute_cuts(staged: Any, recipe: Recipe, file: str) -> Cuts:
    """The cuts of rows staged for scoring; file: what messages call the table."""
    known = staged.filter(staged.kalib_potential.notnull())
    potential, sales = known.kalib_potential, known.kalib_sales
    order = Order(known, potential, potential.ln(), sales)
    if not order.rows:
        raise StudyError("no row has all indicators of the formula", file=file,
                         column=", ".join(recipe.surveyed), remedy="Fill them in")  # fmt: skip
    share = _share(recipe, order.along, order.sum, file)
    line = _line(recipe, order)
    size = _key_number(known, recipe, line, order.rows)
    if not size:
        return Cuts(line, share, -np.inf, rows=order.rows)
    place = place_of(known, recipe, line)
    if recipe.even:  # the larger the potential, the likelier it is high
        value, before, tied = order.at(size - 1)
        last = known.filter(potential == value)
        worst = float(fetched(last.aggregate(place=place_of(last, recipe, line).max()))[0]["place"])
    else:
        scale = -place if recipe.form == "linear" else -place.ln()
        value, before, tied = Order(known, -place, scale, sales).at(size - 1)
        worst = -value
    if before + tied == size:
        return Cuts(line, share, worst, rows=order.rows)
    # More accounts are as likely as the last key one: the smaller ids are key.
    alike = staged.filter(place_of(staged, recipe, line) == worst).order_by("kalib_account")
    ids = fetched(alike.select("kalib_account").limit(1, offset=size - before - 1))
    return Cuts(line, share, worst, str(ids[0]["kalib_account"]), order.rows)


def run_cuts(recipe: Recipe, cuts: RunCuts) -> Cuts:
    """The cuts of the run, the last key account as likely to be high as the run's."""
    points, chances = recipe.knots
    place = np.interp(1 - cuts.key_probability, chances, points)
    return Cuts(cuts.potential_cut, cuts.sow_cut, float(place))


def _share(recipe: Recipe, sales: float, potential: float, file: str) -> float:
    if recipe.study.share_cut != "market":
        return float(recipe.study.share_cut)
    if sales <= 0:
        said = "sales add up to nothing where potential is known, so that there is no market share"
        remedy = "Give our sales, or take the run's cuts with --cuts run"
        raise StudyError(said, file, recipe.study.sales, remedy=remedy)
    return sales / potential


def _line(recipe: Recipe, order: Order) -> float:
    """The potential cut, as `kalib.matrix.matrix.potential_cut` of all potentials."""
    kind, value, rows = recipe.study.cut.kind, recipe.study.cut.value, order.rows
    if kind == "value":
        return value
    if kind == "top":
        return order.at(min(int(value), rows) - 1)[0]
    if kind == "pareto":
        return order.reaching("sum", value * order.sum * (1 - 1e-12))[0]
    place = (1 - value) * (rows - 1)  # numpy's linear quantile, counted from the largest
    above, below = (order.at(min(int(place) + k, rows - 1))[0] for k in (0, 1))
    return above + (place - int(place)) * (below - above)


def _key_number(known: Any, recipe: Recipe, line: float, rows: int) -> int:
    """How many accounts are key, as `kalib.matrix.matrix.key_accounts` counts them."""
    kind, value = recipe.study.cut.kind, recipe.study.cut.value
    if kind == "quantile":
        return rows - int(np.ceil(value * (rows - 1) - 1e-9))
    if kind == "top":
        return min(int(value), rows)
    below = chance_below(place_of(known, recipe, line), recipe)
    return int(np.floor(rows - fetched(known.aggregate(below=below.sum()))[0]["below"] + 0.5))
