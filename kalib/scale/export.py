"""A run's formula for other programs: SQL of any dialect, Excel, Python, plain text."""

from __future__ import annotations

from pathlib import Path

from kalib.errors import StudyError, need
from kalib.formula.written import as_excel, as_python
from kalib.scale.cuts import run_cuts
from kalib.scale.expression import score, stage
from kalib.scale.recipe import Recipe, RunCuts, read_recipe, read_record

SHOWN = ("account", "sales", "potential", "potential_low", "potential_high")
PLACED = (*SHOWN, "sow", "zone", "team")
# What ibis calls a dialect, "" where it changes names or needs the engine: sqlglot then translates.
IBIS_NAMES = {"tsql": "mssql", "bigquery": ""}


def export_formula(run: Path, dialect: str) -> str:
    """The formula of a report's folder as text that the named program takes.

    dialect: "excel" (a formula for a table whose headers are the client's), "python" (a function
    of one row), "text" (that of formula.json), or an SQL dialect that sqlglot knows: a SELECT of
    potential, interval, SOW, zone and team with the cuts of the run. Raises StudyError for an
    unknown dialect.
    """
    recipe, record = read_recipe(run), read_record(run, "formula")
    if dialect == "text":
        return str(record["text"])
    writers = {"excel": as_excel, "python": as_python}
    return writers[dialect](record) if dialect in writers else as_select(recipe, dialect)


def as_select(recipe: Recipe, dialect: str) -> str:
    """The scoring SELECT over a table named accounts: what `kalib score` runs, with the run's cuts.

    A run without cuts (of `kalib fit`) has no zones.
    """
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
