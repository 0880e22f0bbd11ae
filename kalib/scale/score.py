"""A run's formula applied where the data lie: tables of any size."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kalib.errors import Problem, StudyError
from kalib.scale.columns import typed
from kalib.scale.cuts import compute_cuts, run_cuts
from kalib.scale.expression import OUTPUT, OWN, USUAL, decisive_columns, score, stage
from kalib.scale.recipe import Recipe, read_recipe
from kalib.scale.sources import MEMORY, Source, open_source
from kalib.scale.targets import check_target, write_table

Progress = Callable[[str, float], None]  # step, percent done (below 0: not known)
POLL_SECONDS = 0.2
# Of the memory, what rows may take that are held between the cuts and the scores.
HELD_SHARE = 0.75
NUMBER_BYTES, TEXT_BYTES = 8, 24


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
    """What was scored: rows, potential cut (currency a year), SOW cut (fraction)."""

    rows: int
    potential_cut: float
    sow_cut: float


def score_table(
    run: Path,
    accounts: Path | str,
    to: Path | str,
    asked: Scoring = Scoring(),
    *,
    memory: str = MEMORY,
    force: bool = False,
    progress: Progress | None = None,
) -> Scored:
    """Score every row of a table and write it, whole or not at all.

    run: a report's folder; accounts: Parquet or CSV, a folder of either, or ADDRESS::TABLE of a
    database, with the client's columns, by the rules of `kalib run` for them; to: .parquet or .csv
    (Spark writes a folder of that name), or ADDRESS::TABLE in the database of the accounts; force:
    what lies at to and is not ours is moved aside.

    The formula is applied, not what own sales or a survey say of single accounts. The interval
    and the probabilities follow the run's out-of-fold errors; the error of the coefficients is
    taken as its mean over the surveyed accounts and the cuts as known, so that accounts marked
    extrapolated are less sure than they look. Rows without an indicator of the formula have no
    potential. Raises StudyError for bad input.
    """
    accounts, to = str(accounts), str(to)
    recipe = read_recipe(run)
    if asked.cuts == "run" and recipe.run_cuts is None:
        raise StudyError(
            Problem("this run has no cuts", file="summary.json", remedy="Leave --cuts run out")
        )
    check_target(to, accounts, force=force)
    tell = progress or (lambda *_: None)
    with open_source(accounts, asked.engine, memory, writes="://" in to) as source:
        _check_columns(asked.columns, recipe, source)
        table, rows = typed(source, recipe.asked)
        fenced = source.connection.name == "postgres"
        staged = stage(table, recipe, asked.columns, fenced)
        if asked.cuts == "run" and recipe.run_cuts:
            found = run_cuts(recipe, recipe.run_cuts)
        else:
            with _watched(source, "cuts", tell):
                staged, decisive = _computed_once(source, staged, recipe, rows)
                found = compute_cuts(staged, decisive, recipe, source.name)
        with _watched(source, "scores", tell):
            write_table(source, score(staged, recipe, found, asked.columns, fenced), to)
    return Scored(rows, found.potential, found.sow)


def _computed_once(source: Source, staged: Any, recipe: Recipe, rows: int) -> tuple[Any, Any]:
    """The staged rows, and what the cuts are made of, held where the engine has room for them."""
    held = _held(source, staged, rows)
    if held is not None:
        return held, held
    decisive = staged.select(*decisive_columns(recipe))
    slim = _held(source, decisive, rows)
    return staged, decisive if slim is None else slim


def _held(source: Source, staged: Any, rows: int) -> Any | None:
    """The staged rows computed once, where the engine can hold them."""
    if source.connection.name == "pyspark":
        return staged.cache()  # in memory, and on disk beyond it
    width = sum(
        TEXT_BYTES if kind.is_string() else 1 if kind.is_boolean() else NUMBER_BYTES
        for kind in staged.schema().values()
    )
    if source.connection.name != "duckdb" or rows * width > HELD_SHARE * source.memory:
        return None
    return source.connection.create_table("kalib_held", obj=staged, temp=True)


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


@contextmanager
def _watched(source: Source, step: str, tell: Progress) -> Iterator[None]:
    """Tell how far the engine is, until the block ends."""
    done = threading.Event()

    def poll() -> None:
        while not done.wait(POLL_SECONDS):
            embedded = source.connection.name == "duckdb"
            tell(step, source.connection.con.query_progress() if embedded else -1.0)

    tell(step, 0.0)
    watcher = threading.Thread(target=poll, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
    tell(step, 100.0)
