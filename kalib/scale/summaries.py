"""What a formula fitted on a large table and its scores say, ready for reading."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from kalib.report.exhibit import Exhibit, told
from kalib.scale.large import LargeFit
from kalib.scale.score import Scored
from kalib.scale.sources import MEMORY, fetched, open_source
from kalib.study.settings import ZONES
from kalib.words.catalogue import MISSING, Words

LISTED = 10


def fitted(found: LargeFit, words: Words) -> Exhibit:
    """What a formula rests on, and how much of potential it tells."""
    rows = [
        ("surveyed accounts", words.whole(found.surveyed)),
        ("of them in the sums", words.whole(found.used)),
        ("of them read as rows", words.whole(found.sample)),
        ("R²", f"{found.fit.r2:.3f}"),
        ("R² out of sample", f"{found.r2_folds:.3f}"),
        ("verdict", words.say(found.verdict)),
    ]
    frame = pd.DataFrame(rows, columns=["", "value"])
    return told(words, "What the formula rests on", frame, ("value",), ("",))


def cuts(found: Scored, words: Words) -> Exhibit:
    """The lines between the zones."""
    rows = [
        ("rows scored", words.whole(found.rows)),
        ("potential cut", words.money(found.potential_cut)),
        ("SOW cut", words.percent(found.sow_cut, 1)),
    ]
    return told(words, "The cuts", pd.DataFrame(rows, columns=["", "value"]), ("value",), ("",))


def zones(scores: Path, words: Words, memory: str = MEMORY) -> Exhibit:
    """Accounts, potential, sales and SOW of each zone, and of rows that are in none, added up where
    the scores lie."""
    with open_source(str(scores), "duckdb", memory) as source:
        table = source.table
        numbers = {name: table[name].cast("float64") for name in ("potential", "sales")}
        table = table.mutate(**numbers)
        summed = table.group_by("zone").aggregate(
            accounts=table.count(), potential=table.potential.sum(), sales=table.sales.sum()
        )
        found = {row["zone"] or "": row for row in fetched(summed)}
    rows = []
    for zone in ZONES:
        part = found.get(zone, {"accounts": 0, "potential": 0.0, "sales": 0.0})
        held, sold = part["potential"] or 0.0, part["sales"] or 0.0
        share = words.percent(sold / held) if held else MISSING
        amounts = (words.money(held), words.money(sold))
        rows.append([words.say(zone), words.whole(part["accounts"]), *amounts, share])
    if "" in found:  # an indicator of the formula, or sales, are missing
        label = words.tell("in no zone")
        sold = words.money(found[""]["sales"] or 0.0)
        rows.append([label, words.whole(found[""]["accounts"]), MISSING, sold, MISSING])
    columns = [words.say(key) for key in ("zone", "accounts", "potential", "sales", "sow")]
    return Exhibit(words.say("quadrant"), pd.DataFrame(rows, columns=columns), tuple(columns[1:]))


def largest(
    scores: Path, zone: str, words: Words, rows: int = LISTED, memory: str = MEMORY
) -> Exhibit:
    """The accounts of a zone with most potential, with its interval and the zone's probability."""
    with open_source(str(scores), "duckdb", memory) as source:
        table = source.table
        asked = ("potential", "potential_low", "potential_high", "sow", "zone_probability")
        table = table.mutate(**{name: table[name].cast("float64") for name in asked})
        chosen = table.filter(table.zone == zone)
        found = fetched(chosen.order_by([chosen.potential.desc(), chosen.account]).limit(rows))
    shown = [
        [
            str(row["account"]),
            words.short(row["potential"]),
            words.say("between", low=words.short(row["potential_low"]),
                      high=words.short(row["potential_high"])),
            words.percent(row["sow"]),
            words.percent(row["zone_probability"]),
        ]
        for row in found
    ]  # fmt: skip
    columns = [words.say(key) for key in ("account", "potential", "range", "sow")]
    columns.append(words.tell("zone probability"))
    title = f"{words.tell('Most potential')}: {words.say(zone)} ({words.yearly()})"
    return Exhibit(title, pd.DataFrame(shown, columns=columns), tuple(columns[1:]))
