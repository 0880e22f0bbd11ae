"""What was read of a client's tables, and what was tolerated in them, for a reader."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd

from kalib.errors import Problem
from kalib.study.settings import Study
from kalib.tables.client import Tables
from kalib.words.catalogue import MISSING, Words
from kalib.words.table import Table, table


def data_report(study: Study, tables: Tables, words: Words) -> list[Table]:
    """What was read: rows, the range and gaps of each number, and what was tolerated."""
    data, survey = study.data, tables.survey
    read = [("accounts", data.accounts, len(tables.accounts))]
    columns = {"sales": tables.accounts["sales"]}
    if survey is not None:
        read.append(("survey_answers", data.survey or data.accounts, len(survey)))
        columns["potential"] = survey
    if tables.visits is not None:
        read.append(("visits_2", str(data.visits), len(tables.visits)))
    columns |= {str(name): tables.candidates[name] for name in tables.candidates}
    ranges = [_column_range(name, values, words) for name, values in columns.items()]
    notes = [(noted(words, note),) for note in tables.notes] or [(words.say("none"),)]
    return [table(words, "read", read), table(words, "columns", ranges),
            table(words, "notes", notes)]  # fmt: skip


def noted(words: Words, note: Problem) -> str:
    """What was tolerated, in the language."""
    plain = replace(note, message=words.tell(note.message), file="", column="", row=None, remedy="")
    column = words.say("column", name=words.label(note.column)) if note.column else ""
    row = words.say("row", n=note.row) if note.row is not None else ""
    place = ", ".join(part for part in (note.file, column, row) if part)
    text = f"{place}: {plain}" if place else str(plain)
    return f"{text}. {words.tell(note.remedy)}" if note.remedy else text


def _column_range(name: str, values: pd.Series, words: Words) -> tuple[Any, ...]:
    missing = int(values.isna().sum())
    if pd.api.types.is_numeric_dtype(values):
        kind = "whole" if float(values.abs().max()) >= 1000 else "figure"
        return (name, missing, *((kind, v) for v in (values.min(), values.median(), values.max())))
    counts = values.value_counts()
    common = f"{counts.index[0]} ({words.whole(counts.iloc[0])})" if len(counts) else MISSING
    said = (words.say("n_values", n=len(counts)), common, "")
    return (name, missing, *(("text", text) for text in said))
