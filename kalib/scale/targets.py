"""How the rows of an expression are written, whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

from kalib.errors import KalibError, StudyError, refusal
from kalib.files import set_aside, whole
from kalib.scale.sources import FORMATS, Source, has_table, split_address, without_password

MARK = b"kalib"  # key of the metadata of Parquet that we wrote
# How a system refuses to write, in the words that every engine hands on within its own.
REFUSALS = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)))


def check_target(to: str, source: str, *, force: bool = False) -> None:
    """Refuse a target that can't be written before anything is computed.

    What lies there already is replaced where it is Parquet that `write_table` wrote; all else is
    refused, or moved aside where force is given.
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
    """Whether a file is Parquet that carries the mark of `write_table`."""
    import pyarrow.parquet

    try:
        return MARK in (pyarrow.parquet.read_metadata(path).metadata or {})
    except (OSError, ValueError):
        return False


def write_table(source: Source, expression: Any, to: str) -> None:
    """Write an expression's rows, whole or not at all.

    to: .parquet or .csv, which Spark writes as a folder of that name, or ADDRESS::TABLE, which
    must not be there yet.
    """
    address, name = split_address(to)
    if address:
        schema, _, table = name.rpartition(".")
        if has_table(source.connection, table, schema):
            raise StudyError("the table is there already", file=name,
                             remedy="Name another, or drop it")  # fmt: skip
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
    """An sqlglot query whose zones and teams are words of an ENUM: written as the same text, three
    times as fast."""
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
