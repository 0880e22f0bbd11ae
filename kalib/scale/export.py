"""A run's formula for other programs: SQL of any dialect, Excel, Python, plain text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from kalib.errors import Problem, StudyError, need
from kalib.indicators.terms import LEAST_LOGGED
from kalib.scale.cuts import run_cuts
from kalib.scale.expression import score, stage
from kalib.scale.recipe import Recipe, RunCuts, Term, read_recipe

SHOWN = ("account", "sales", "potential", "potential_low", "potential_high")
PLACED = (*SHOWN, "sow", "zone", "team")
# What ibis calls a dialect, "" where it changes names or needs the engine: sqlglot then translates.
IBIS_NAMES = {"tsql": "mssql", "bigquery": ""}


def export_formula(run: Path, dialect: str) -> str:
    """The formula of a report's folder as text that the named program takes.

    dialect: "excel" (a formula for a table whose headers are the client's), "python" (a function
    of one row), "text", or an SQL dialect that sqlglot knows: a SELECT of potential, interval,
    SOW, zone and team with the cuts of the run. Raises StudyError for an unknown dialect.
    """
    writers: dict[str, Callable[[Recipe], str]] = {
        "excel": as_excel,
        "python": as_python,
        "text": as_text,
    }
    recipe = read_recipe(run)
    return writers[dialect](recipe) if dialect in writers else as_select(recipe, dialect)


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
        raise StudyError(Problem(f"unknown dialect {dialect!r}", remedy=f"One of {others}"))
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


def as_excel(recipe: Recipe) -> str:
    """A formula for a new column of an Excel table; blank where an indicator is blank."""

    def cell(name: str) -> str:
        return "[@[" + "".join(f"'{c}" if c in "[]#'@" else c for c in name) + "]]"

    def number(value: float) -> str:
        return repr(value).upper()

    def quoted(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    def term(step: Term) -> str:
        factor = f"({number(step.coefficient)})"
        if step.transform == "level":
            # Excel's own = takes "Mall" for "mall".
            return f"IF(EXACT({cell(step.indicator)},{quoted(step.level or '')}),{factor},0)"
        if step.transform == "log":
            inside = f"{cell(step.indicator)}+{number(step.shift)}"
            return f"{factor}*LN(MAX({inside},{number(LEAST_LOGGED)}))"
        return f"{factor}*{cell(step.indicator)}"

    line = "+".join([f"({number(recipe.intercept)})", *map(term, recipe.terms)])
    factor = number(recipe.smearing)
    for level, own in _factors(recipe).items():
        factor = f"IF(EXACT({cell(_indicator(recipe))},{quoted(level)}),{number(own)},{factor})"
    value = (
        f"MAX({line},{number(recipe.floor)})"
        if recipe.form == "linear"
        else f"EXP({line})*{factor}"
    )
    names = dict.fromkeys(step.indicator for step in recipe.terms)
    blank = ",".join(f'{cell(name)}=""' for name in names) or "FALSE"
    return f'=IF(OR({blank}),"",{value})'


def as_python(recipe: Recipe) -> str:
    """A function of one row, a mapping of column to value."""

    def term(step: Term) -> str:
        value = f"row[{step.indicator!r}]"
        if step.transform == "level":
            return f"({step.coefficient!r} if {value} == {step.level!r} else 0.0)"
        if step.transform == "log":
            inside = f"{value} + {step.shift!r}" if step.shift else value
            return f"{step.coefficient!r} * math.log(max({inside}, {LEAST_LOGGED!r}))"
        return f"{step.coefficient!r} * {value}"

    lines = [f"        {recipe.intercept!r}", *(f"        + {term(s)}" for s in recipe.terms)]
    factors = _factors(recipe)
    own = f"row[{_indicator(recipe)!r}], {recipe.smearing!r}" if factors else ""
    factor = f"{dict(factors)!r}.get({own})" if factors else repr(recipe.smearing)
    result = (
        f"max(line, {recipe.floor!r})" if recipe.form == "linear" else f"math.exp(line) * {factor}"
    )
    body = "\n".join(lines)
    return (
        "import math\n\n\ndef potential(row):\n"
        '    """Potential of an account; row: its indicators by column."""\n'
        f"    line = (\n{body}\n    )\n    return {result}"
    )


def as_text(recipe: Recipe) -> str:
    """The formula in words, in full precision."""

    def term(step: Term) -> str:
        if step.transform == "level":
            return f"{step.coefficient!r} where {step.indicator} is {step.level!r}"
        inside = step.indicator + (f" + {step.shift!r}" if step.shift else "")
        shown = f"ln({inside})" if step.transform == "log" else inside
        return f"{step.coefficient!r} × {shown}"

    lines = [f"  {recipe.intercept!r}", *(f"  + {term(step)}" for step in recipe.terms)]
    if recipe.form == "linear":
        return "\n".join(["potential =", *lines, f"and at least {recipe.floor!r}"])
    factors = _factors(recipe)
    if not factors:
        return "\n".join([f"potential = {recipe.smearing!r} × exp(", *lines, ")"])
    own = [
        f"  s = {own!r} where {_indicator(recipe)} is {level!r}" for level, own in factors.items()
    ]
    return "\n".join(
        ["potential = s × exp(", *lines, ")", *own, f"  s = {recipe.smearing!r} elsewhere"]
    )


def _factors(recipe: Recipe) -> Mapping[str, float]:
    """Smearing factors of the levels that have their own."""
    levels = recipe.spread.levels if recipe.spread and recipe.form != "linear" else ()
    return {of.level: of.smearing for of in levels}


def _indicator(recipe: Recipe) -> str:
    """The indicator whose levels they are."""
    return recipe.spread.indicator if recipe.spread else ""
