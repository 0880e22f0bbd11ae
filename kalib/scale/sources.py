"""Where large tables lie, and the engine that reads them there."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kalib.errors import KalibError, Problem, StudyError, need, say

MEMORY = "3GB"  # what the engine may hold; beyond it the rows go to disk
UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
FORMATS = (".parquet", ".csv")
HEAD_BYTES = 65_536  # in which an encoding shows
NOT_UTF8 = ("unicode", "utf-8", "utf8")  # what engines say of bytes that are not


@dataclass(frozen=True)
class Source:
    """A table bound to the engine that holds or reads it.

    connection: ibis backend; table: ibis table; name: as said in messages, without credentials;
    memory: bytes; numbered: whether its rows are those of one file, in its order.
    """

    connection: Any
    table: Any
    name: str
    memory: int
    numbered: bool = False


def beside(source: Source, path: Path) -> Source:
    """Another file, read by the same engine."""
    files, kind = _files(str(path))
    table = _read(source.connection, files, kind, path.name)
    return Source(source.connection, table, path.name, source.memory, len(files) == 1)


def read_memory(text: str) -> int:
    """Bytes of "3GB", "500 MB" and the like. Raises StudyError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)I?B?", text.strip().upper())
    if not match or float(match[1]) <= 0:
        raise StudyError(f"{text!r} is no amount of memory", remedy="Write e.g. 3GB")
    return int(float(match[1]) * UNITS[match[2]])


def split_address(table: str) -> tuple[str, str]:
    """(address of the database, table) of "postgres://host/db::table"; address "" for a path."""
    if "://" not in table:
        return "", table
    address, sign, name = table.rpartition("::")
    if not sign or not name:
        raise StudyError("a database without a table", file=without_password(table),
                         remedy="Write e.g. duckdb:///folder/sales.duckdb::accounts")  # fmt: skip
    return address, name


@contextmanager
def open_source(table: str, engine: str, memory: str, *, writes: bool = False) -> Iterator[Source]:
    """A table's source for as long as the block runs.

    table: Parquet or CSV file, a folder or a pattern of either (see `_files`), or ADDRESS::TABLE of
    a database that ibis knows; engine: "duckdb" or "spark", which reads files; a database is its
    own engine; writes: whether the database will be written to. Raises StudyError where there is no
    such table.
    """
    need("scale")
    address, name = split_address(table)
    held = read_memory(memory)
    if address.startswith("postgres"):
        need("postgres")
    if address and engine != "duckdb":
        raise StudyError("a database computes by itself", file=without_password(address),
                         remedy=f"Leave --engine {engine} out")  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="kalib-") as spill:
        shown, files, kind = (name, [], "") if address else (Path(table).name, *_files(table))
        if address:
            connection = _database(address, writes, held, spill)
        else:
            connection = _spark(held, spill) if engine == "spark" else _duckdb(held, spill)
        try:
            bound = _named(connection, name) if address else _read(connection, files, kind, shown)
            yield Source(connection, bound, shown, held, len(files) == 1 and engine == "duckdb")
        except (KalibError, OSError):
            raise
        except Exception as error:
            if kind == "csv" and any(word in str(error).lower() for word in NOT_UTF8):
                raise StudyError(_not_utf8(shown, "holds bytes that are not UTF-8")) from error
            raise KalibError(f"{shown}: the engine failed: {reason_of(error)}") from error
        finally:
            connection.disconnect()


def _files(named: str) -> tuple[list[str], str]:
    """The files of a name, and their kind: "parquet" or "csv".

    A name is a name: of a file, or of a folder, which is read whole. Only where there is neither,
    and it holds *, ? or [, is it a pattern, which is said.
    """
    path = Path(named)
    if path.is_dir():
        inside = [p for p in sorted(path.rglob("*")) if p.is_file() and p.name[0] not in "._"]
        found = [p for p in inside if p.suffix.lower() in FORMATS]
        if not found:
            said = "a folder without .parquet or .csv files"
            raise StudyError(said, named, remedy="Check it")
    elif path.is_file():
        found = [path]
    else:
        magic = any(character in path.name for character in "*?[")
        found = sorted(path.parent.glob(path.name)) if magic else []
        if not found:
            raise StudyError("no such table", file=named, remedy="Check the name")
        say(f"{named} is no file: read as a pattern, {len(found):,} files")
    kinds = {p.suffix.lower(): p.name for p in found}
    for suffix, name in kinds.items():
        if suffix not in FORMATS:
            raise StudyError("neither .parquet nor .csv", name, remedy="Save it as one of them")
    if len(kinds) > 1:
        raise StudyError(f"holds CSV and Parquet, {' and '.join(sorted(kinds.values()))}",
                         path.name, remedy="Give one of them, or a folder of one kind")  # fmt: skip
    kind = found[0].suffix.lower().removeprefix(".")
    if kind == "csv":
        _check_encoding(found)
    return [p.as_posix() for p in found], kind


def _check_encoding(files: Sequence[Path]) -> None:
    """Refuse CSV that is not UTF-8, as far as its first bytes show it."""
    for path in files:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        head = head[: head.rfind(b"\n") + 1] or head
        if not head.isascii() or b"\0" in head:
            from kalib.tables.reading import encoding_of

            coding = encoding_of(head, path.name)
            if coding != "utf-8-sig":
                raise StudyError(_not_utf8(path.name, f"is {coding}, not UTF-8"))


def _not_utf8(file: str, message: str) -> Problem:
    return Problem(message, file=file, remedy="Save it as CSV UTF-8")


def _duckdb(memory: int, spill: str, path: Path | None = None, *, read_only: bool = False) -> Any:
    import ibis

    given = () if path is None else (path,)
    connection = ibis.duckdb.connect(*given, read_only=read_only, temp_directory=spill)
    connection.raw_sql(f"SET memory_limit = '{memory}B'")
    connection.raw_sql(f"SET enable_progress_bar = {sys.stdout.isatty()}")
    return connection


def _spark(memory: int, spill: str) -> Any:
    need("spark")
    import ibis
    from pyspark.sql import SparkSession

    options = {
        "spark.ui.enabled": "false",
        "spark.driver.memory": f"{max(memory // 2**20, 512)}m",
        "spark.local.dir": spill,
        "spark.sql.warehouse.dir": spill,
        "spark.sql.shuffle.partitions": "8",
        "spark.log.level": "ERROR",
    }
    try:
        builder = SparkSession.builder.appName("kalib").config(map=options)
        return ibis.pyspark.connect(builder.master("local[*]").getOrCreate())
    except Exception as error:
        raise StudyError(f"Spark can't start: {reason_of(error)}",
                         remedy="It needs Java 17 or later") from error  # fmt: skip


def _database(address: str, writes: bool, memory: int, spill: str) -> Any:
    import ibis

    shown = without_password(address)
    try:
        if address.startswith("duckdb://"):
            path = Path(address.removeprefix("duckdb://"))
            if not path.is_file():
                raise StudyError("no such database", file=str(path))
            return _duckdb(memory, spill, path, read_only=not writes)
        return ibis.connect(address)
    except StudyError:
        raise
    except Exception as error:
        remedy = "Check address and rights; install ibis-framework with its driver"
        raise StudyError(f"can't be reached: {reason_of(error)}", shown, remedy=remedy) from error


def _named(connection: Any, name: str) -> Any:
    schema, _, table = name.rpartition(".")
    if not has_table(connection, table, schema):
        raise StudyError("no such table", file=name, remedy="Check the name, and its schema if any")
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
    special, literal = (r"[*?{}\[\]\\]", r"\\\g<0>") if spark else (r"[*?\[]", r"[\g<0>]")
    paths = [re.sub(special, literal, file) for file in files]  # a name is never a pattern here
    try:
        if spark:  # ibis takes one path only
            reader = connection._session.read.option("header", True)
            frame = reader.parquet(*paths) if kind == "parquet" else reader.csv(paths)
            frame.createOrReplaceTempView("kalib_read")
            return connection.table("kalib_read")
        if kind == "parquet":
            return connection.read_parquet(paths)
        # Columns may stand in another order in each.
        union = {"union_by_name": True} if len(files) > 1 else {}
        return connection.read_csv(paths, header=True, all_varchar=True, **union)
    except Exception as error:
        said = f"can't be read: {reason_of(error)}"
        raise StudyError(said, shown, remedy="Save it again") from error


def fetched(expression: Any) -> list[dict[str, Any]]:
    """The rows of an ibis table. DuckDB is asked without ibis's detour over pandas and pyarrow,
    whose imports take as long as millions of rows."""
    backend = expression.get_backend()
    if backend.name != "duckdb":
        found: list[dict[str, Any]] = expression.to_pyarrow().to_pylist()
        return found
    rows = backend.con.sql(backend.compile(expression))
    return [dict(zip(rows.columns, row, strict=True)) for row in rows.fetchall()]


def reason_of(error: Exception) -> str:
    """The first line of an engine's error, without a password."""
    return without_password(str(error).strip().splitlines()[0] if str(error) else repr(error))


def without_password(address: str) -> str:
    """An address that may be shown."""
    return re.sub(r"(://[^:/@\s]*):[^@\s]*@", r"\1:***@", address)
