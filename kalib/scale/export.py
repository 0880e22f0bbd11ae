"""A run's formula for other programs: SQL of any dialect, Excel, Python, plain text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kalib.errors import StudyError, need
from kalib.formula.written import by_level
from kalib.indicators.terms import LEAST_LOGGED
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


def as_excel(record: Mapping[str, Any]) -> str:
    """A formula for a new column of an Excel table; blank where an indicator is blank."""

    def cell(name: str) -> str:
        return "[@[" + "".join(f"'{c}" if c in "[]#'@" else c for c in name) + "]]"

    def number(value: float) -> str:
        return repr(float(value)).upper()

    def where(name: str, level: str, own: float, other: float) -> str:
        text = '"' + level.replace('"', '""') + '"'  # Excel's own = takes "Mall" for "mall"
        return f"IF(EXACT({cell(name)},{text}),{number(own)},{number(other)})"

    line = [f"({number(record['intercept'])})"]
    for term in record["terms"]:
        inside = cell(term["indicator"])
        if term["transform"] == "log":
            inside = f"LN(MAX({inside}+{number(term['shift'])},{number(LEAST_LOGGED)}))"
        if term["transform"] != "level":
            line.append(f"({number(term['coefficient'])})*{inside}")
    # One IF a level, side by side: Excel nests 64 at most.
    for name, numbers, other in by_level(record, "coefficient", 0.0):
        line.append(f"({number(other)})")
        line += [where(name, level, own - other, 0.0) for level, own in numbers.items()]
    factor = [number(record["smearing"])]
    for name, numbers, other in by_level(record, "smearing", 1.0):
        factor.append(number(other))
        factor += [where(name, level, own / other, 1.0) for level, own in numbers.items()]
    value = "+".join(line)
    value = (
        f"MAX({value},{number(record['floor'])})"
        if record["form"] == "linear"
        else f"EXP({value})*{'*'.join(factor)}"
    )
    names = dict.fromkeys(term["indicator"] for term in record["terms"])
    blank = ",".join(f'{cell(name)}=""' for name in names) or "FALSE"
    return f'=IF(OR({blank}),"",{value})'


def as_python(record: Mapping[str, Any]) -> str:
    """A function of one row, a mapping of column to value."""

    def of_level(name: str, numbers: Mapping[str, float], other: float) -> str:
        return f"{numbers!r}.get(row[{name!r}], {other!r})"

    line = [repr(record["intercept"])]
    for term in record["terms"]:
        inside = f"row[{term['indicator']!r}]"
        if term["transform"] == "log":
            inside = f"math.log(max({inside} + {term['shift']!r}, {LEAST_LOGGED!r}))"
        if term["transform"] != "level":
            line.append(f"{term['coefficient']!r} * {inside}")
    line += [of_level(*of) for of in by_level(record, "coefficient", 0.0)]
    factor = [repr(record["smearing"])]
    factor += [of_level(*of) for of in by_level(record, "smearing", 1.0)]
    result = (
        f"max(line, {record['floor']!r})"
        if record["form"] == "linear"
        else f"math.exp(line) * {' * '.join(factor)}"
    )
    body = "\n        + ".join(line)
    return (
        "import math\n\n\ndef potential(row):\n"
        '    """Potential of an account; row: its indicators by column."""\n'
        f"    line = (\n        {body}\n    )\n    return {result}"
    )
