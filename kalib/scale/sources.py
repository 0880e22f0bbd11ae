"""Where large tables lie, the engine that reads them there, and how scores are written."""

from __future__ import annotations

import errno
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kalib.errors import KalibError, StudyError, need, refusal, say
from kalib.files import set_aside, whole

MEMORY = "3GB"  # what the engine may hold; beyond it the rows go to disk
UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
FORMATS = (".parquet", ".csv")
HEAD_BYTES = 65_536  # in which an encoding shows
NOT_UTF8 = ("unicode", "utf-8", "utf8")  # what engines say of bytes that are not
UTF8 = "Save it as CSV UTF-8"
MARK = b"kalib"  # key of the metadata of Parquet that we wrote
# How a system refuses to write, in the words that every engine hands on within its own.
REFUSALS = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)))


@dataclass(frozen=True)
class Source:
    """A table bound to the engine that holds or reads it.

    connection: ibis backend; table: ibis table; name: as said in messages, without credentials;
    numbered: whether its rows are those of one file, in its order.
    """

    connection: Any
    table: Any
    name: str
    numbered: bool = False


def beside(source: Source, path: Path) -> Source:
    """Another file, read by the same engine."""
    files, kind = _files(str(path))
    table = _read(source.connection, files, kind, path.name)
    return Source(source.connection, table, path.name, len(files) == 1)


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
    own engine; writes: whether the database will be written to.
    """
    need("scale")
    address, name = split_address(table)
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)I?B?", memory.strip().upper())
    if not match or float(match[1]) <= 0:
        raise StudyError(f"{memory!r} is no amount of memory", remedy="Write e.g. 3GB")
    held = int(float(match[1]) * UNITS[match[2]])
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
            bound = _read(connection, files, kind, shown) if files else table_of(connection, name)
            if bound is None:
                remedy = "Check the name, and its schema if any"
                raise StudyError("no such table", file=name, remedy=remedy)
            yield Source(connection, bound, shown, len(files) == 1 and engine == "duckdb")
        except (KalibError, OSError):
            raise
        except Exception as error:
            if kind == "csv" and any(word in str(error).lower() for word in NOT_UTF8):
                raise StudyError("holds bytes that are not UTF-8", shown, remedy=UTF8) from error
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
            raise StudyError("a folder without .parquet or .csv files", named, remedy="Check it")
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
    for path in found if kind == "csv" else ():
        with path.open("rb") as file:  # not UTF-8, as far as its first bytes show it
            head = file.read(HEAD_BYTES)
        head = head[: head.rfind(b"\n") + 1] or head
        if not head.isascii() or b"\0" in head:
            from kalib.tables.reading import encoding_of

            coding = encoding_of(head, path.name)
            if coding != "utf-8-sig":
                raise StudyError(f"is {coding}, not UTF-8", path.name, remedy=UTF8)
    return [p.as_posix() for p in found], kind


def _duckdb(memory: int, spill: str, file: Path | str = ":memory:", read_only: bool = False) -> Any:
    import ibis

    connection = ibis.duckdb.connect(file, read_only=read_only, temp_directory=spill)
    connection.raw_sql(f"SET memory_limit = '{memory}B'")
    connection.raw_sql(f"SET enable_progress_bar = {sys.stdout.isatty()}")
    return connection


def _spark(memory: int, spill: str) -> Any:
    need("spark")
    import ibis
    from pyspark.sql import SparkSession

    options = {
        "spark.ui.enabled": "false", "spark.log.level": "ERROR",
        "spark.driver.memory": f"{max(memory // 2**20, 512)}m",
        "spark.local.dir": spill, "spark.sql.warehouse.dir": spill,
        "spark.sql.shuffle.partitions": "8",
    }  # fmt: skip
    try:
        builder = SparkSession.builder.appName("kalib").config(map=options)
        return ibis.pyspark.connect(builder.master("local[*]").getOrCreate())
    except Exception as error:
        raise StudyError(f"Spark can't start: {reason_of(error)}",
                         remedy="It needs Java 17 or later") from error  # fmt: skip


def _database(address: str, writes: bool, memory: int, spill: str) -> Any:
    import ibis

    shown, file = without_password(address), address.startswith("duckdb://")
    path = Path(address.removeprefix("duckdb://"))
    if file and not path.is_file():
        raise StudyError("no such database", file=str(path))
    try:
        if file:
            return _duckdb(memory, spill, path, read_only=not writes)
        return ibis.connect(address)
    except Exception as error:
        remedy = "Check address and rights; install ibis-framework with its driver"
        raise StudyError(f"can't be reached: {reason_of(error)}", shown, remedy=remedy) from error


def table_of(connection: Any, name: str) -> Any:
    """A table of a database, named with its schema or without; None where there is none."""
    schema, _, table = name.rpartition(".")
    try:
        return connection.table(table, database=schema or None)
    except Exception:  # noqa: BLE001  each backend has an error of its own
        return None


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
        return expression.to_pyarrow().to_pylist()
    rows = backend.con.sql(backend.compile(expression))
    return [dict(zip(rows.columns, row, strict=True)) for row in rows.fetchall()]


def reason_of(error: Exception) -> str:
    """The first line of an engine's error, without a password."""
    return without_password(str(error).strip().splitlines()[0] if str(error) else repr(error))


def without_password(address: str) -> str:
    """An address that may be shown."""
    return re.sub(r"(://[^:/@\s]*):[^@\s]*@", r"\1:***@", address)


def check_target(to: str, source: str, *, force: bool = False) -> None:
    """Refuse a target that can't be written before anything is computed.

    Parquet that `write_table` wrote is replaced; all else is refused, or set aside with force.
    """
    address, _ = split_address(to)
    if address:
        if address != split_address(source)[0]:
            said = "a table is written where the accounts lie only"
            remedy = "Write to a .parquet or .csv file"
            raise StudyError(said, without_password(to), remedy=remedy)
        return
    path, read = Path(to), Path(source)
    if "://" not in source and read.resolve() in (path.resolve(), *path.resolve().parents):
        raise StudyError("the accounts themselves would be written over, or beside them",
                         file=path.name, remedy="Write elsewhere")  # fmt: skip
    if path.suffix.lower() not in FORMATS:
        raise StudyError(f"{path.name} is neither .parquet nor .csv", remedy="Rename it")
    if not path.absolute().parent.is_dir():
        raise StudyError("no such folder", file=str(path.parent), remedy="Make it first")
    if path.exists() and not _ours(path) and not force:
        said = "is there already, and can't be told to be kalib's own"
        remedy = "Give another name, or --force, which moves it into a dated folder beside it"
        raise StudyError(said, str(path), remedy=remedy)


def _ours(path: Path) -> bool:
    import pyarrow.parquet

    try:
        return MARK in (pyarrow.parquet.read_metadata(path).metadata or {})
    except (OSError, ValueError):
        return False


def write_table(source: Source, expression: Any, to: str) -> None:
    """Write an expression's rows, whole or not at all, to .parquet or .csv, which Spark writes as a
    folder of that name, or to ADDRESS::TABLE, which must not be there yet."""
    address, name = split_address(to)
    if address:
        if table_of(source.connection, name) is not None:
            raise StudyError("the table is there already", name, remedy="Name another, or drop it")
        schema, _, table = name.rpartition(".")
        source.connection.create_table(table, obj=expression, database=schema or None)
        return
    target = Path(to)
    if target.suffix.lower() == ".csv":
        expression = _no_formulas(expression)
    try:
        if target.exists() and not _ours(target):  # as `check_target` was told to allow
            set_aside(target)
        with whole(target) as part:
            _write_file(source.connection, expression, part, target.suffix.lower())
    except Exception as error:
        said = refusal(error) if isinstance(error, OSError) else str(error)
        reason = next((words for words in REFUSALS if words in said), "")
        if not reason and not isinstance(error, OSError):
            raise
        raise KalibError(f"{target} can't be written: {reason or said}") from error


def _no_formulas(expression: Any) -> Any:
    """Text that a spreadsheet program would run as a formula made text, as in accounts.csv."""
    from kalib.runs.outputs import FORMULA, NUMBER

    def safe(column: Any) -> Any:
        risky = column.re_search(f"^{FORMULA}") & ~column.re_search(f"^{NUMBER}$")
        return risky.ifelse("'" + column, column)

    texts = [name for name, kind in expression.schema().items() if kind.is_string()]
    return expression.mutate(**{name: safe(expression[name]) for name in texts})


def _write_file(connection: Any, expression: Any, part: Path, suffix: str) -> None:
    if connection.name == "pyspark":
        frame = connection._session.sql(connection.compile(expression))
        writer = frame.write.mode("overwrite").option("header", True)
        (writer.parquet if suffix == ".parquet" else writer.csv)(str(part.absolute()))
        return
    form, place = "CSV, HEADER", str(part).replace("'", "''")
    if suffix == ".parquet":
        # Trying dictionaries on columns of reals costs a tenth of the time and saves nothing.
        form = f"PARQUET, DICTIONARY_SIZE_LIMIT 100, KV_METADATA {{{MARK.decode()}: 'scores'}}"
    if connection.name == "duckdb":
        query = connection.compiler.to_sqlglot(expression)
        query = _with_enums(query) if suffix == ".parquet" else query
        connection.raw_sql(f"COPY ({query.sql('duckdb')}) TO '{place}' (FORMAT {form})")
    else:  # rows of a database, a batch at a time
        import duckdb

        with duckdb.connect() as engine, expression.to_pyarrow_batches() as rows:
            engine.register("rows", rows)
            engine.execute(f"COPY rows TO '{place}' (FORMAT {form})")


def _with_enums(query: Any) -> Any:
    """An sqlglot query whose zones and teams are of an ENUM: the same text, three times as fast."""
    from sqlglot import exp

    query = query.copy()  # the same constant may stand in several places
    for column in query.selects:
        literals = column.find_all(exp.Literal) if column.alias in ("zone", "team") else ()
        words = [literal for literal in literals if literal.is_string]
        values = [exp.Literal.string(name) for name in dict.fromkeys(w.name for w in words)]
        kind = exp.DataType(this=exp.DataType.Type.ENUM, expressions=values)
        for word in words:
            word.replace(exp.Cast(this=word.copy(), to=kind.copy()))
    return query
