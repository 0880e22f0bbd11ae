"""Where large tables lie, and the engine that reads them there."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kalib.errors import KalibError, Problem, StudyError, need

ENGINES = ("duckdb", "spark")
MEMORY = "3GB"  # what the engine may hold; beyond it the rows go to disk
UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
FORMATS = (".parquet", ".csv")


@dataclass(frozen=True)
class Source:
    """A table bound to the engine that holds or reads it.

    connection: ibis backend; table: ibis table; name: as said in messages, without credentials;
    place: the database's address, "" for files; memory: bytes.
    """

    connection: Any
    table: Any
    name: str
    place: str
    memory: int


def beside(source: Source, path: Path) -> Source:
    """Another file, read by the same engine."""
    files = _files(path)
    table = _read(source.connection, *files, path.name)
    return Source(source.connection, table, path.name, "", source.memory)


def read_memory(text: str) -> int:
    """Bytes of "3GB", "500 MB" and the like. Raises StudyError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)I?B?", text.strip().upper())
    if not match or float(match[1]) <= 0:
        raise StudyError(Problem(f"{text!r} is no amount of memory", remedy="Write e.g. 3GB"))
    return int(float(match[1]) * UNITS[match[2]])


def split_address(table: str) -> tuple[str, str]:
    """(address of the database, table) of "postgres://host/db::table"; address "" for a path."""
    if "://" not in table:
        return "", table
    address, sign, name = table.rpartition("::")
    if not sign or not name:
        raise StudyError(
            Problem("a database without a table", file=without_password(table),
                    remedy="Write e.g. duckdb:///folder/sales.duckdb::accounts")
        )  # fmt: skip
    return address, name


@contextmanager
def open_source(table: str, engine: str, memory: str, *, writes: bool = False) -> Iterator[Source]:
    """A table's source for as long as the block runs.

    table: Parquet or CSV file, a folder of either, or ADDRESS::TABLE of a database that ibis
    knows; engine: "duckdb" or "spark", which reads files; a database is its own engine; writes:
    whether the database will be written to. Raises StudyError where there is no such table.
    """
    need("scale")
    address, name = split_address(table)
    held = read_memory(memory)
    if address.startswith("postgres"):
        need("postgres")
    if address and engine != "duckdb":
        raise StudyError(
            Problem("a database computes by itself", file=without_password(address),
                    remedy=f"Leave --engine {engine} out")
        )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="kalib-") as spill:
        if address:
            connection = _database(address, writes, held, spill)
            shown = name
        else:
            files = _files(Path(table))
            connection = _spark(held, spill) if engine == "spark" else _duckdb(held, spill)
            shown = Path(table).name
        try:
            bound = _named(connection, name) if address else _read(connection, *files, shown)
            yield Source(connection, bound, shown, address, held)
        except StudyError:
            raise
        except Exception as error:
            if type(error).__module__.split(".")[0] == "kalib":
                raise
            raise KalibError(f"{shown}: the engine failed: {reason_of(error)}") from error
        finally:
            connection.disconnect()


def _files(path: Path) -> tuple[list[str], str]:
    """The files of a path, and their kind: "parquet" or "csv"."""
    if path.is_dir():
        for kind in ("parquet", "csv"):
            if any(path.rglob(f"*.{kind}")):
                return [(path / "**" / f"*.{kind}").as_posix()], kind
        raise StudyError(
            Problem("a folder without .parquet or .csv files", file=str(path), remedy="Check it")
        )
    if not path.is_file():
        raise StudyError(Problem("no such table", file=str(path), remedy="Check the name"))
    if path.suffix.lower() not in FORMATS:
        raise StudyError(
            Problem("neither .parquet nor .csv", file=path.name, remedy="Save it as one of them")
        )
    return [path.as_posix()], path.suffix.lower().removeprefix(".")


def _duckdb(memory: int, spill: str) -> Any:
    import ibis

    connection = ibis.duckdb.connect(temp_directory=spill)
    _bound(connection, memory)
    return connection


def _bound(connection: Any, memory: int) -> None:
    connection.raw_sql(f"SET memory_limit = '{memory}B'")
    connection.raw_sql("SET enable_progress_bar = false")


def _spark(memory: int, spill: str) -> Any:
    need("spark")
    import ibis
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("kalib").config("spark.ui.enabled", "false")
    options = {
        "spark.driver.memory": f"{max(memory // 2**20, 512)}m",
        "spark.local.dir": spill,
        "spark.sql.warehouse.dir": spill,
        "spark.sql.shuffle.partitions": "8",
        "spark.log.level": "ERROR",
    }
    for key, value in options.items():
        builder = builder.config(key, value)
    try:
        return ibis.pyspark.connect(builder.master("local[*]").getOrCreate())
    except Exception as error:
        raise StudyError(
            Problem(f"Spark can't start: {reason_of(error)}", remedy="It needs Java 17 or later")
        ) from error


def _database(address: str, writes: bool, memory: int, spill: str) -> Any:
    import ibis

    shown = without_password(address)
    try:
        if address.startswith("duckdb://"):
            path = Path(address.removeprefix("duckdb://"))
            if not path.is_file():
                raise StudyError(Problem("no such database", file=str(path)))
            connection: Any = ibis.duckdb.connect(path, read_only=not writes, temp_directory=spill)
            _bound(connection, memory)
            return connection
        return ibis.connect(address)
    except StudyError:
        raise
    except Exception as error:
        raise StudyError(
            Problem(f"can't be reached: {reason_of(error)}", file=shown,
                    remedy="Check address and rights; install ibis-framework with its driver")
        ) from error  # fmt: skip


def _named(connection: Any, name: str) -> Any:
    schema, _, table = name.rpartition(".")
    if not has_table(connection, table, schema):
        raise StudyError(
            Problem("no such table", file=name, remedy="Check the name, and its schema if any")
        )
    return connection.table(table, database=schema or None)


def has_table(connection: Any, table: str, schema: str) -> bool:
    """Whether a database has a table; schema "" is the connection's own."""
    try:
        connection.table(table, database=schema or None)
    except Exception:  # noqa: BLE001  each backend has an error of its own
        return False
    return True


def _read(connection: Any, files: Sequence[str], kind: str, shown: str) -> Any:
    """A table over files; CSV as text, so that "007" stays so and bad numbers can be named."""
    spark = connection.name == "pyspark"
    paths = [path.replace("/**/*", "/*") for path in files] if spark else [list(files)]
    try:
        if kind == "parquet":
            return connection.read_parquet(*paths)
        options = {"inferSchema": False} if spark else {"all_varchar": True}
        return connection.read_csv(*paths, header=True, **options)
    except Exception as error:
        raise StudyError(
            Problem(f"can't be read: {reason_of(error)}", file=shown, remedy="Save it again")
        ) from error


def fetched(expression: Any) -> list[dict[str, Any]]:
    """The rows of an ibis table. DuckDB is asked without ibis's detour over pandas and pyarrow,
    whose imports take as long as millions of rows."""
    backend = expression.get_backend()
    if backend.name != "duckdb":
        found: list[dict[str, Any]] = expression.to_pyarrow().to_pylist()
        return found
    rows = backend.con.sql(backend.compile(expression))
    return [dict(zip(rows.columns, row, strict=True)) for row in rows.fetchall()]


def typed(source: Source, numeric: Sequence[str], textual: Sequence[str], account: str) -> Any:
    """The source's table with numeric columns as float64 and textual ones as strings.

    Raises StudyError with every column that is missing or holds what is no number.
    """
    table = source.table
    wanted = list(dict.fromkeys([account, *numeric, *textual]))
    has = list(table.columns)
    missing = [name for name in wanted if name not in has]
    if missing:
        remedy = f"The table has {', '.join(has[:12])}"
        raise StudyError(
            [Problem("there is no such column", file=source.name, column=name, remedy=remedy)
             for name in missing]
        )  # fmt: skip
    schema = table.schema()
    columns = {name: table[name].cast("string") for name in textual}
    words = [name for name in numeric if schema[name].is_string()]
    strange = [name for name in numeric if name not in words and not _is_number(schema[name])]
    problems = [
        Problem(f"holds {schema[name]}, not numbers", file=source.name, column=name,
                remedy="Give the column as numbers")
        for name in strange
    ]  # fmt: skip
    problems += _not_numbers(source, words)
    if problems:
        raise StudyError(problems)
    columns |= {name: known_text(table[name]).try_cast("float64") for name in words}
    columns |= {name: table[name].cast("float64") for name in numeric if name not in words}
    for name in textual:
        columns[name] = known_text(columns[name])
    return table.mutate(**columns)


def _is_number(kind: Any) -> bool:
    return bool(kind.is_numeric() or kind.is_boolean())


def known_text(column: Any) -> Any:
    """A text column without blanks around and with NULL where nothing is said."""
    from kalib.tables.cells import MISSING  # with pandas, which tables of numbers do without

    trimmed = column.strip()
    return trimmed.lower().isin(sorted(MISSING)).ifelse(None, trimmed)


def _not_numbers(source: Source, words: Sequence[str]) -> list[Problem]:
    """Text in numeric columns: how many entries, and one of them."""
    if not words:
        return []
    wanted: dict[str, Any] = {}
    for i, name in enumerate(words):
        text = known_text(source.table[name])
        bad = text.notnull() & text.try_cast("float64").isnull()
        wanted |= {f"count_{i}": bad.sum(), f"first_{i}": bad.ifelse(text, None).min()}
    found = source.table.aggregate(**wanted).to_pyarrow().to_pylist()[0]
    return [
        Problem(f"{found[f'count_{i}']:,} entries are not numbers, such as "
                f"{found[f'first_{i}']!r}", file=source.name, column=name,
                remedy="Write plain numbers, with a point for decimals")
        for i, name in enumerate(words) if found[f"count_{i}"]
    ]  # fmt: skip


def reason_of(error: Exception) -> str:
    """The first line of an engine's error, without a password."""
    return without_password(str(error).strip().splitlines()[0] if str(error) else repr(error))


def without_password(address: str) -> str:
    """An address that may be shown."""
    return re.sub(r"(://[^:/@\s]*):[^@\s]*@", r"\1:***@", address)
