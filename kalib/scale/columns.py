"""Columns of a large table in our terms, by the rules that `kalib.tables` has for any table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from kalib.errors import Problem, StudyError, say
from kalib.scale.sources import Source, fetched
from kalib.study.settings import MOST_AMOUNT, Data
from kalib.tables.words import MISSING, REFUSED

# Ids of a larger table are compared for one in so many of them: what an export or a join doubles
# is found, and 10 million rows are not sorted for it.
ALL_IDS, ONE_IN = 1_000_000, 16


@dataclass(frozen=True)
class Asked:
    """What is read of a table, by the client's columns, "" where it has none; dirt: how."""

    account: str
    dirt: Data
    sales: str = ""
    potential: str = ""
    numeric: tuple[str, ...] = ()
    textual: tuple[str, ...] = ()

    @property
    def numbers(self) -> tuple[str, ...]:
        """All columns that must hold numbers."""
        return tuple(dict.fromkeys(filter(None, (self.sales, self.potential, *self.numeric))))


def typed(source: Source, asked: Asked) -> tuple[Any, int]:
    """The source's table with kalib_id, numbers as float64 and indicators of text as strings, and
    its number of rows; columns that break a rule of `kalib.tables.columns` are refused."""
    _check_there(source, asked)
    source = _first_rows(source, asked) if asked.dirt.duplicates == "first" else source
    raw = source.table
    plain = raw[asked.account].cast("string")
    padded = fetched(raw.aggregate(n=_padded(plain).sum()))[0]["n"]
    ids = ids_of(raw, asked) if padded or asked.dirt.id_width else plain
    told = [name for name in asked.numbers if raw[name].type().is_string()]
    words = {name: known_text(raw[name], asked.dirt.missing) for name in told}
    numbers = {
        name: (words[name].try_cast("float64") if name in words else raw[name].cast("float64"))
        for name in asked.numbers
    }
    rows = _check(source, asked, ids, words, numbers)
    if asked.sales and asked.dirt.negative_sales == "zero":
        numbers[asked.sales] = (numbers[asked.sales] < 0).ifelse(0.0, numbers[asked.sales])
    if asked.sales and asked.dirt.blank_sales == "zero":
        numbers[asked.sales] = numbers[asked.sales].fill_null(0.0)
    texts = {name: known_text(raw[name], asked.dirt.missing) for name in asked.textual}
    return raw.mutate(**numbers, **texts, kalib_id=ids), rows


def _first_rows(source: Source, asked: Asked) -> Source:
    """The first row of each account, with its number; how many are left out is said."""
    import ibis

    table = source.table.mutate(kalib_id=ids_of(source.table, asked), kalib_row=_row(source.table))
    ids = table.kalib_id
    again = fetched(table.aggregate(n=ids.count() - ids.nunique()))[0]["n"]
    if not again:
        return source
    say(f"{source.name}: {again:,} rows of accounts that stand above already left out")
    nth = ibis.row_number().over(group_by="kalib_id", order_by="kalib_row")
    table = table.mutate(kalib_nth=nth)
    first = table.filter((table.kalib_nth == 0) | table.kalib_id.isnull())
    return replace(source, table=first.drop("kalib_id", "kalib_nth"))


def _row(table: Any) -> Any:
    """The number of each row in its file, as people count."""
    import ibis

    return table.kalib_row if "kalib_row" in table.columns else ibis.row_number() + 2


def ids_of(table: Any, asked: Asked) -> Any:
    """The ids of a table's rows, as text; only a blank is none, as in a run."""
    ids = table[asked.account].cast("string")
    ids = _padded(ids).ifelse(ids.strip(), ids).nullif("")
    if not asked.dirt.id_width:
        return ids
    return ids.re_search("^[0-9]+$").ifelse(ids.lpad(asked.dirt.id_width, "0"), ids)


def _padded(ids: Any) -> Any:
    """Whether ids are blank or begin or end so: taking blanks off takes as long as scoring."""
    return (ids < "!") | ids.endswith(" ")


def known_text(column: Any, missing: tuple[str, ...] = ()) -> Any:
    """A column as text without blanks around and with NULL where nothing is said."""
    trimmed = column.cast("string").strip()
    nothing = sorted(MISSING | {word.strip().lower() for word in missing})
    return trimmed.lower().isin(nothing).ifelse(None, trimmed)


def _check_there(source: Source, asked: Asked) -> None:
    """Refuse columns that are not there, or that hold what can't be read as numbers."""
    schema, problems = source.table.schema(), []
    for name in dict.fromkeys([asked.account, *asked.numbers, *asked.textual]):
        if name not in schema:
            remedy = f"The table has {', '.join(schema.names[:12])}"
            problems.append(Problem("there is no such column", source.name, name, remedy=remedy))
        elif name in asked.numbers:
            kind = schema[name]
            if not (kind.is_numeric() or kind.is_boolean() or kind.is_string()):
                said, remedy = f"holds {kind}, not numbers", "Give the column as numbers"
                problems.append(Problem(said, source.name, name, remedy=remedy))
    if problems:
        raise StudyError(problems)


def _check(
    source: Source, asked: Asked, ids: Any, words: dict[str, Any], numbers: dict[str, Any]
) -> int:
    """The number of rows. Raises StudyError with every rule that the columns break."""
    wanted = {"rows": source.table.count()}
    for i, (name, value) in enumerate(numbers.items()):
        # Ends stand in a Parquet file's own statistics: nothing is read for them.
        wanted |= {f"n{i}": value.count(), f"low{i}": value.min(), f"high{i}": value.max()}
        if name in words:
            wanted |= {f"said{i}": words[name].count()}
    found = fetched(source.table.aggregate(**wanted))[0]
    rows = int(found["rows"])
    if not rows:
        raise StudyError("the table has no rows", file=source.name)
    problems: list[Problem] = []
    for i, (name, value) in enumerate(numbers.items()):
        said = found.get(f"said{i}", found[f"n{i}"])
        low, high = (found[f"{end}{i}"] or 0.0 for end in ("low", "high"))
        if said > found[f"n{i}"]:
            problems += _told(source, name, words[name].notnull() & value.isnull(), "number")
        if max(-low, high) >= MOST_AMOUNT or high != high:
            problems += _told(source, name, value.abs() >= MOST_AMOUNT, "large")
        if name == asked.sales and said < rows and asked.dirt.blank_sales == "refuse":
            problems += _told(source, name, words.get(name, value).isnull(), "sales blank")
        if name == asked.sales and low < 0 and asked.dirt.negative_sales == "refuse":
            problems += _told(source, name, (value < 0) & (value > -MOST_AMOUNT), "sales below")
        if name == asked.potential and found[f"n{i}"] and found[f"low{i}"] <= 0:
            problems += _told(source, name, value <= 0, "potential below")
    problems += _faulty_ids(source, asked, ids, rows)
    if problems:
        raise StudyError(problems)
    return rows


def _told(source: Source, column: str, bad: Any, key: str) -> Iterator[Problem]:
    """The problem of the rows where bad is true, as `kalib run` says it."""
    message, remedy = REFUSED[key]
    cell = source.table[column].cast("string")
    rows = source.table.select(cell=cell, row=_row(source.table), bad=bad)
    rows = rows.filter(rows.bad)
    if count := fetched(rows.aggregate(n=rows.count()))[0]["n"]:
        first = fetched(rows.limit(1))[0]
        more = f"; the same in {count - 1:,} rows more" if count > 1 else ""
        row = first["row"] if source.numbered else None
        yield Problem(message + more, source.name, column, row, remedy, first["cell"] or "")


def _faulty_ids(source: Source, asked: Asked, ids: Any, rows: int) -> Iterator[Problem]:
    """The problems of ids that are blank or, unless the first is asked, stand in several rows."""
    column, table = asked.account, source.table.select(id=ids)
    if fetched(table.aggregate(n=table.id.count()))[0]["n"] < rows:
        yield from _told(source, column, ids.isnull(), "id blank")
    if asked.dirt.duplicates == "first":
        return
    if rows > ALL_IDS and source.connection.name == "duckdb":
        table = table.filter(table.id.hash() % ONE_IN == 0)
    if again := fetched(table.aggregate(n=table.id.count() - table.id.nunique()))[0]["n"]:
        t = source.table.select(id=ids, row=_row(source.table))
        t = t.group_by("id").aggregate(n=t.count(), first=t.row.min(), last=t.row.max())
        t = t.filter((t.n > 1) & t.id.notnull())
        first = fetched(t.order_by(t["first"]).limit(1))[0]
        where = f"row {first['first']}" if source.numbered else "another row"
        more = f"; the same in {again - 1:,} rows more" if again > 1 else ""
        message, remedy = REFUSED["id double"]
        row = first["last"] if source.numbered else None
        yield Problem(message.format(where) + more, source.name, column, row, remedy, first["id"])
