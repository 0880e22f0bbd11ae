"""The formula as an expression that programs compute."""

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
    for name, own, other in by_level(record, "coefficient", 0.0):
        unknown = f"WHEN {_quoted(name)} IS NULL THEN NULL"
        parts.append(f"CASE {unknown} {_branches(name, own, other)} END")
    line = " + ".join(parts)
    if record["form"] == "linear":
        floor = _real(record["floor"])
        return f"CASE WHEN {line} < {floor} THEN {floor} ELSE {line} END"
    factors, smearing = [], record["smearing"]
    for name, own, other in by_level(record, "smearing", 1.0):
        whole = {level: number * smearing for level, number in own.items()}
        factors.append(f"CASE {_branches(name, whole, other * smearing)} END")
        smearing = 1.0  # of several factors the first carries it
    return f"EXP({line}) * {' * '.join(factors) or _real(smearing)}"


def by_level(
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
    branches = [
        "WHEN {} = '{}' THEN ({})".format(_quoted(name), level.replace("'", "''"), _real(number))
        for level, number in own.items()
    ]
    return " ".join([*branches, f"ELSE {_real(other)}"])


def _real(value: float) -> str:
    """A number in full precision that SQL reads as DOUBLE, where 0.1 would be a DECIMAL."""
    text = repr(float(value))
    return text if "e" in text else f"{text}e0"
