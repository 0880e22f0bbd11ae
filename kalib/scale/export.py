"""A run's formula for other programs: SQL of any dialect, Excel, Python, plain text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from kalib.errors import Problem, StudyError, need
from kalib.formula.predictive import real
from kalib.indicators.terms import LEAST_LOGGED
from kalib.scale.recipe import Recipe, Step, read_recipe, read_record


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
    return writers[dialect](recipe) if dialect in writers else as_select(run, recipe, dialect)


def as_select(run: Path, recipe: Recipe, dialect: str) -> str:
    """The scoring SELECT over a table named accounts."""
    need("scale")
    import sqlglot

    known = sorted(name for name in sqlglot.Dialect.classes if name)
    if dialect not in known:
        others = ", ".join(["excel", "python", "text", *known])
        raise StudyError(Problem(f"unknown dialect {dialect!r}", remedy=f"One of {others}"))
    formula = read_record(run, "formula")
    account, sales = (f'"{name.replace(chr(34), chr(34) * 2)}"'
                      for name in (recipe.account, recipe.sales))  # fmt: skip
    query = (
        f"SELECT {account} AS account, {sales} AS sales, {formula['sql']} AS potential, "
        f"{formula['sql_low']} AS potential_low, {formula['sql_high']} AS potential_high "
        "FROM accounts"
    )
    if recipe.run_cuts:
        high = f"potential >= {real(recipe.run_cuts[0])}"
        loyal = f"sales / potential >= {real(recipe.run_cuts[1])}"
        rest = ((f"NOT {high}", loyal, "maintenance"), (f"NOT {high}", f"NOT {loyal}", "watch"))
        zones = ((high, f"NOT {loyal}", "attack"), (high, loyal, "defense"), *rest)
        zone = " ".join(f"WHEN {a} AND {b} THEN '{name}'" for a, b, name in zones)
        team = f"WHEN {high} AND NOT {loyal} THEN 'hunter' WHEN {high} THEN 'farmer'"
        query = (
            f"SELECT scored.*, sales / potential AS sow, CASE {zone} END AS zone, "
            f"CASE {team} END AS team FROM ({query}) AS scored"
        )
    return sqlglot.transpile(query, write=dialect, pretty=True)[0] + ";"


def as_excel(recipe: Recipe) -> str:
    """A formula for a new column of an Excel table; blank where an indicator is blank."""

    def cell(name: str) -> str:
        return "[@[" + "".join(f"'{c}" if c in "[]#'@" else c for c in name) + "]]"

    def number(value: float) -> str:
        return repr(value).upper()

    def quoted(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    def term(step: Step) -> str:
        factor = f"({number(step.coefficient)})"
        if step.transform == "level":
            # Excel's own = takes "Mall" for "mall".
            return f"IF(EXACT({cell(step.indicator)},{quoted(step.level)}),{factor},0)"
        if step.transform == "log":
            inside = f"{cell(step.indicator)}+{number(step.shift)}"
            return f"{factor}*LN(MAX({inside},{number(LEAST_LOGGED)}))"
        return f"{factor}*{cell(step.indicator)}"

    line = "+".join([f"({number(recipe.intercept)})", *map(term, recipe.steps)])
    factor = number(recipe.smearing)
    for level, own in _factors(recipe).items():
        factor = f"IF(EXACT({cell(_indicator(recipe))},{quoted(level)}),{number(own)},{factor})"
    value = (
        f"MAX({line},{number(recipe.floor)})"
        if recipe.form == "linear"
        else f"EXP({line})*{factor}"
    )
    names = dict.fromkeys(step.indicator for step in recipe.steps)
    blank = ",".join(f'{cell(name)}=""' for name in names) or "FALSE"
    return f'=IF(OR({blank}),"",{value})'


def as_python(recipe: Recipe) -> str:
    """A function of one row, a mapping of column to value."""

    def term(step: Step) -> str:
        value = f"row[{step.indicator!r}]"
        if step.transform == "level":
            return f"({step.coefficient!r} if {value} == {step.level!r} else 0.0)"
        if step.transform == "log":
            inside = f"{value} + {step.shift!r}" if step.shift else value
            return f"{step.coefficient!r} * math.log(max({inside}, {LEAST_LOGGED!r}))"
        return f"{step.coefficient!r} * {value}"

    lines = [f"        {recipe.intercept!r}", *(f"        + {term(s)}" for s in recipe.steps)]
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

    def term(step: Step) -> str:
        if step.transform == "level":
            return f"{step.coefficient!r} where {step.indicator} is {step.level!r}"
        inside = step.indicator + (f" + {step.shift!r}" if step.shift else "")
        shown = f"ln({inside})" if step.transform == "log" else inside
        return f"{step.coefficient!r} × {shown}"

    lines = [f"  {recipe.intercept!r}", *(f"  + {term(step)}" for step in recipe.steps)]
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
    return recipe.spread.smearing if recipe.spread and recipe.form != "linear" else {}


def _indicator(recipe: Recipe) -> str:
    """The indicator whose levels they are."""
    return recipe.spread.indicator if recipe.spread else ""
