"""A run's formula applied where the data lie: tables of any size, scored by DuckDB."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kalib.errors import KalibError, Problem, StudyError

MEMORY = "3GB"  # what DuckDB may hold; beyond it the rows go to disk


@dataclass(frozen=True)
class Scored:
    """What was scored: rows, potential cut (currency a year), SOW cut (fraction)."""

    rows: int
    potential_cut: float
    sow_cut: float


def score_table(
    run: Path, accounts: Path, to: Path, *, cuts: str = "table", memory: str = MEMORY
) -> Scored:
    """Score every row of a table and write it, whole or not at all.

    run: a report's folder; accounts: Parquet or CSV, or a folder of Parquet files, with the
    client's columns; to: .parquet or .csv; cuts: "table" computes the cuts of the study from the
    table's own rows, "run" takes those of the run. Rows without an indicator of the formula have
    no potential. Raises StudyError for bad input.
    """
    import duckdb

    formula, summary, parameters = (_read(run, name) for name in ("formula", "summary", "run"))
    if summary["verdict"] == "unusable":
        raise StudyError(
            Problem("the run's formula is unusable", file="verdict.json",
                    remedy="Score with a formula that says something")
        )  # fmt: skip
    if to.suffix.lower() not in (".parquet", ".csv"):
        raise StudyError(Problem(f"{to.name} is neither .parquet nor .csv", remedy="Rename it"))
    study = parameters["parameters"]
    part = to.with_name(f".{to.name}.part")
    with duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = {_text(memory)}")
        try:
            connection.execute(f"CREATE VIEW source AS SELECT * FROM {_source(accounts)}")
            _check_columns(connection, study, formula, accounts.name)
            connection.execute(_scored_view(study, formula))
            potential_cut, sow_cut = _cuts(connection, study, summary, cuts)
            form = "PARQUET" if to.suffix.lower() == ".parquet" else "CSV, HEADER"
            select = _zones(potential_cut, sow_cut)
            connection.execute(f"COPY ({select}) TO {_text(str(part))} (FORMAT {form})")
            counted = connection.execute("SELECT COUNT(*) FROM source").fetchone()
        except duckdb.Error as error:
            part.unlink(missing_ok=True)
            reason = str(error).splitlines()[0]
            raise KalibError(f"{accounts.name} could not be scored: {reason}") from error
    part.replace(to)
    return Scored(int(counted[0]) if counted else 0, potential_cut, sow_cut)


def _read(run: Path, name: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads((run / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StudyError(
            Problem("there is no finished run here", file=str(run / f"{name}.json"),
                    remedy="Give the folder of a report")
        ) from error  # fmt: skip
    return content


def _source(accounts: Path) -> str:
    """The table function that reads the rows."""
    if accounts.is_dir():
        return f"read_parquet({_text(str(accounts / '**/*.parquet'))})"
    if not accounts.is_file():
        raise StudyError(Problem("no such table", file=str(accounts), remedy="Check the name"))
    if accounts.suffix.lower() == ".parquet":
        return f"read_parquet({_text(str(accounts))})"
    return f"read_csv({_text(str(accounts))}, header = true, sample_size = -1)"


def _check_columns(
    connection: Any, study: Mapping[str, Any], formula: Mapping[str, Any], file: str
) -> None:
    has = [row[0] for row in connection.execute("DESCRIBE source").fetchall()]
    columns = study["columns"]
    wanted = [columns["account"], columns["sales"]]
    wanted += [term["indicator"] for term in formula["terms"]]
    problems = [
        Problem("there is no such column", file=file, column=name,
                remedy=f"The table has {', '.join(has[:12])}")
        for name in dict.fromkeys(wanted) if name not in has
    ]  # fmt: skip
    if problems:
        raise StudyError(problems)


def _scored_view(study: Mapping[str, Any], formula: Mapping[str, Any]) -> str:
    """The view of account, sales, potential and its interval."""
    columns = study["columns"]
    # CASE lets a missing category pass as the baseline: its row has no potential instead.
    known = [f"{_name(term['indicator'])} IS NOT NULL" for term in formula["terms"]] or ["TRUE"]
    given = " AND ".join(dict.fromkeys(known))
    parts = [
        f"CASE WHEN {given} THEN {formula[key]} END AS {name}"
        for key, name in (
            ("sql", "potential"), ("sql_low", "potential_low"), ("sql_high", "potential_high"),
        )
    ]  # fmt: skip
    return (
        f"CREATE VIEW scored AS SELECT CAST({_name(columns['account'])} AS VARCHAR) AS account, "
        f"CAST({_name(columns['sales'])} AS DOUBLE) AS sales, {', '.join(parts)} FROM source"
    )


def _cuts(
    connection: Any, study: Mapping[str, Any], summary: Mapping[str, Any], cuts: str
) -> tuple[float, float]:
    """The potential and SOW cuts, of the run or of the table's rows."""
    if cuts == "run":
        return float(summary["potential_cut"]), float(summary["sow_cut"])
    cut, share = study["matrix"]["potential_cut"], study["matrix"]["share_cut"]
    kind, value = cut["kind"], float(cut["value"])
    query = {
        "value": f"{value!r}",
        "quantile": f"(SELECT quantile_cont(potential, {value!r}) FROM scored)",
        "top": "(SELECT MIN(potential) FROM (SELECT potential FROM scored WHERE potential IS NOT "
        f"NULL ORDER BY potential DESC LIMIT {int(value)}))",
        "pareto": "(SELECT MIN(potential) FROM (SELECT potential, SUM(potential) OVER (ORDER BY "
        "potential DESC ROWS UNBOUNDED PRECEDING) - potential AS before FROM scored) WHERE "
        f"before < {value!r} * (SELECT SUM(potential) FROM scored))",
    }[kind]
    market = "(SELECT SUM(sales) / SUM(potential) FROM scored WHERE potential IS NOT NULL)"
    share_query = market if share == "market" else f"{float(share)!r}"
    found = connection.execute(f"SELECT {query}, {share_query}").fetchone()
    if found is None or found[0] is None or found[1] is None:
        raise StudyError("no row of the table has all indicators of the formula")
    return float(found[0]), float(found[1])


def _zones(potential_cut: float, sow_cut: float) -> str:
    """The scored rows with SOW, zone and team."""
    return f"""
        SELECT *, CASE zone WHEN 'attack' THEN 'hunter' WHEN 'defense' THEN 'farmer' ELSE '' END
            AS team
        FROM (SELECT *, sales / potential AS sow,
            CASE WHEN potential IS NULL THEN ''
                 WHEN potential >= {potential_cut!r} THEN
                     CASE WHEN sales / potential >= {sow_cut!r} THEN 'defense' ELSE 'attack' END
                 WHEN sales / potential >= {sow_cut!r} THEN 'maintenance' ELSE 'watch' END AS zone
            FROM scored)"""


def _name(column: str) -> str:
    """A quoted identifier."""
    return '"' + column.replace('"', '""') + '"'


def _text(value: str) -> str:
    """A quoted string."""
    return "'" + value.replace("'", "''") + "'"
