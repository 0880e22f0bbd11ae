"""A run's formula applied where the data lie: tables of any size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kalib.errors import Problem, StudyError
from kalib.scale.columns import typed
from kalib.scale.cuts import compute_cuts, run_cuts
from kalib.scale.expression import OUTPUT, OWN, USUAL, score, stage
from kalib.scale.recipe import Recipe, read_recipe
from kalib.scale.sources import MEMORY, Source, open_source
from kalib.scale.targets import check_target, write_table


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
    """The rows computed once, on disk beyond the memory; those of a database as they are, since it
    may be closed to writing."""
    if source.connection.name == "pyspark":
        return staged.cache()
    if source.connection.name == "duckdb":
        return source.connection.create_table("kalib_held", obj=staged, temp=True)
    return staged


def _check_columns(columns: Sequence[str], recipe: Recipe, source: Source) -> None:
    known = {*OUTPUT, *source.table.columns}
    problems = [
        Problem(f"no column {name!r} to write", file=source.name,
                remedy=f"Name columns of the table, or of {', '.join(OUTPUT)}")
        for name in columns if name not in known
    ]  # fmt: skip
    read = (recipe.study.account, recipe.study.sales, *recipe.numeric, *recipe.textual, *columns)
    problems += [
        Problem("a name that kalib needs itself", file=source.name, column=name,
                remedy="Rename the column")
        for name in dict.fromkeys(read) if name.startswith(OWN)
    ]  # fmt: skip
    if problems or not columns:
        raise StudyError(problems or "no column to write")
