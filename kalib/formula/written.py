"""The formula as an expression that programs compute: SQL, Excel, Python."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kalib.indicators.terms import LEAST_LOGGED

Own = Mapping[str, float]  # a number of each level


def as_sql(record: Mapping[str, Any]) -> str:
    """The content of formula.json as an ANSI SQL expression over the client's columns, in full
    precision.

    Every installation writes it into formula.json; the SELECT of `kalib export`, with interval and
    zones, comes from the expression of `kalib.scale`, in any dialect.
    """
    parts = [_real(record["intercept"])]
    for term in record["terms"]:
        name, number = _quoted(term["indicator"]), f"({_real(term['coefficient'])})"
        if term["transform"] == "log":
            inside, least = f"{name} + {_real(term['shift'])}", _real(LEAST_LOGGED)
            clamped = f"CASE WHEN {inside} <= {least} THEN {least} ELSE {inside} END"
            parts.append(f"{number} * LN({clamped})")
        elif term["transform"] == "identity":
            parts.append(f"{number} * {name}")
    for name, own, other in _by_level(record, "coefficient", 0.0):
        unknown = f"WHEN {_quoted(name)} IS NULL THEN NULL"
        parts.append(f"CASE {unknown} {_branches(name, own, other)} END")
    line = " + ".join(parts)
    if record["form"] == "linear":
        floor = _real(record["floor"])
        return f"CASE WHEN {line} < {floor} THEN {floor} ELSE {line} END"
    factors, smearing = [], record["smearing"]
    for name, own, other in _by_level(record, "smearing", 1.0):
        whole = {level: number * smearing for level, number in own.items()}
        factors.append(f"CASE {_branches(name, whole, other * smearing)} END")
        smearing = 1.0  # of several factors the first carries it
    return f"EXP({line}) * {' * '.join(factors) or _real(smearing)}"


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
    for name, numbers, other in _by_level(record, "coefficient", 0.0):
        line.append(f"({number(other)})")
        line += [where(name, level, own - other, 0.0) for level, own in numbers.items()]
    factor = [number(record["smearing"])]
    for name, numbers, other in _by_level(record, "smearing", 1.0):
        factor.append(number(other))
        factor += [where(name, level, own / other, 1.0) for level, own in numbers.items()]
    value = f"EXP({'+'.join(line)})*{'*'.join(factor)}"
    if record["form"] == "linear":
        value = f"MAX({'+'.join(line)},{number(record['floor'])})"
    names = dict.fromkeys(term["indicator"] for term in record["terms"])
    blank = ",".join(f'{cell(name)}=""' for name in names) or "FALSE"
    return f'=IF(OR({blank}),"",{value})'


def as_python(record: Mapping[str, Any]) -> str:
    """A function of one row, a mapping of column to value."""

    def of_level(name: str, numbers: Own, other: float) -> str:
        return f"{numbers!r}.get(row[{name!r}], {other!r})"

    line = [repr(record["intercept"])]
    for term in record["terms"]:
        inside = f"row[{term['indicator']!r}]"
        if term["transform"] == "log":
            inside = f"math.log(max({inside} + {term['shift']!r}, {LEAST_LOGGED!r}))"
        if term["transform"] != "level":
            line.append(f"{term['coefficient']!r} * {inside}")
    line += [of_level(*of) for of in _by_level(record, "coefficient", 0.0)]
    factor = [repr(record["smearing"])]
    factor += [of_level(*of) for of in _by_level(record, "smearing", 1.0)]
    result = f"math.exp(line) * {' * '.join(factor)}"
    if record["form"] == "linear":
        result = f"max(line, {record['floor']!r})"
    body = "\n        + ".join(line)
    return (
        "import math\n\n\ndef potential(row):\n"
        '    """Potential of an account; row: its indicators by column."""\n'
        f"    line = (\n        {body}\n    )\n    return {result}"
    )


def _by_level(
    record: Mapping[str, Any], name: str, plain: float
) -> Iterator[tuple[str, Own, float]]:
    """Of each text indicator that changes a number: its name, the levels', and any other's."""
    for each in record.get("levels", ()):
        own, other = {of["level"]: of[name] for of in each["levels"]}, each["other"][name]
        if any(number != plain for number in (*own.values(), other)):
            yield each["indicator"], own, other


def _quoted(name: str) -> str:
    """A column's name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def _branches(name: str, own: Own, other: float) -> str:
    """The branches of a CASE by the levels of a column."""
    texts = {level.replace("'", "''"): _real(number) for level, number in own.items()}
    branches = [f"WHEN {_quoted(name)} = '{text}' THEN ({to})" for text, to in texts.items()]
    return " ".join([*branches, f"ELSE {_real(other)}"])


def _real(value: float) -> str:
    """A number in full precision that SQL reads as DOUBLE, where 0.1 would be a DECIMAL."""
    text = repr(float(value))
    return text if "e" in text else f"{text}e0"
