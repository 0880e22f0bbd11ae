"""A study file proposed from the client's tables: roles guessed, doubts said."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from kalib.errors import Problem, StudyError
from kalib.files import whole
from kalib.study.loading import read_study
from kalib.tables.cells import is_missing, to_numbers
from kalib.tables.client import read_files
from kalib.tables.columns import NUMERIC_SHARE
from kalib.tables.copies import find_copies
from kalib.tables.reading import TextTable, read_every_table, read_text_table, refusal
from kalib.tables.visits import measure_potential
from kalib.tables.words import currency_of, expected_sign, role_of, unit_of
from kalib.words.catalogue import Message

RESERVED = ("study.toml", "codebook.md")  # what is written beside the tables
ROLES = ("sales", "name", "region", "segment", "current_ka", "rep", "margin", "parent")
SAID = {
    "accounts": "one row per account",
    "survey": "known potential of some accounts",
    "visits": "daily visits, potential measured in them",
}
STUDY = """\
# Proposed from {sources}; read every line.
[study]
name = "{name}"
title = {title}
industry = ""
currency = {currency}   # unit of sales and potential, a year
period = "current"

[data]
{data}

[columns]
{columns}

[indicators]
candidates = [{candidates}]
# expected direction; a formula against it is not considered
expected_sign = {{ {signs} }}
"""
Part = tuple[TextTable, dict[str, str]]  # a table of the study and the column of each role in it


@dataclass(frozen=True)
class Proposal:
    """folder: the study's folder; doubts: what the analyst should look at."""

    folder: Path
    doubts: tuple[str, ...]


def propose_study(name: str, files: Sequence[Path], folder: Path) -> Proposal:
    """Write folder/name with study.toml, codebook.md and copies of the tables.

    files: the accounts and, where potential is not among their columns, a survey or visits.
    Raises StudyError where the tables can't make a study.
    """
    target = folder / name
    _refuse_names(name, files, target)
    tables = [table for path in files for table in read_every_table(path)]
    doubts: list[str] = []
    parts = _parts(tables, doubts)
    candidates = _candidates(parts["accounts"], doubts)
    _refuse_hidden(parts, candidates, files)
    used = [table for table, _ in parts.values()]
    doubts += [f"{table.label} was left out" for table in tables if table not in used]
    currency = _currency(parts, doubts)
    folder.mkdir(parents=True, exist_ok=True)
    with whole(target) as part:
        part.mkdir()
        for path in files:
            shutil.copyfile(path, part / path.name)
        study = part / "study.toml"
        study.write_text(_study_text(name, parts, candidates, currency), encoding="utf-8")
        copies = _copies_in(part)
        doubts += [f"{column!r} was left out: it {copy}" for column, copy in copies.items()]
        candidates = [column for column in candidates if column not in copies]
        study.write_text(_study_text(name, parts, candidates, currency), encoding="utf-8")
        (part / "codebook.md").write_text(_codebook(name, tables), encoding="utf-8")
    unsigned = [c for c in candidates if _numeric(used[0].frame[c]) and not expected_sign(c)]
    if unsigned:
        doubts.append(f"no sign is expected of {', '.join(unsigned)}: add those you know")
    return Proposal(target, tuple(doubts))


def _refuse_names(name: str, files: Sequence[Path], target: Path) -> None:
    """Refuse what would overwrite a table, a study or another folder."""
    problems = []
    if not re.fullmatch(r"[a-z0-9-]+", name):
        remedy = "Use a-z, 0-9 and hyphens"
        problems.append(Problem(f"{name!r} is no name for a study", remedy=remedy))
    elif os.path.lexists(target):
        problems.append(refusal("there already", str(target)))
    names = [path.name.casefold() for path in files]  # some disks know no capitals
    for path in files:
        if path.name.casefold() in RESERVED:
            problems.append(refusal("name kept", str(path)))
        elif names.count(path.name.casefold()) > 1:
            problems.append(refusal("name taken", str(path)))
    if problems:
        raise StudyError(problems)


def _parts(tables: Sequence[TextTable], doubts: list[str]) -> dict[str, Part]:
    """The tables by what they are taken as: accounts, survey, visits."""
    dated = [table for table in tables if _is_visits(table)]
    others = [table for table in tables if table not in dated]
    if not others:
        raise StudyError("none of the tables lists accounts with sales")
    accounts = max(others, key=lambda t: (bool(role_of(t.frame, "sales")), t.frame.shape[1]))
    key = _account_key(accounts, doubts)
    survey = _survey([table for table in others if table is not accounts], accounts, key)
    parts = {"accounts": (accounts, _account_roles(accounts, key, bool(survey or dated)))}
    if survey:
        potential = _known_potential(survey, key)
        parts["survey"] = survey, {"account": key, "potential": potential}
        doubts.append(f"{survey.label}: {potential!r} is taken as the potential")
    if dated:
        parts["visits"] = dated[0], _visit_columns(dated[0])
    doubts += [f"{table.label} is taken as the {role}"
               for role, (table, _) in parts.items() if table.sheet]  # fmt: skip
    return parts


def _copies_in(study: Path) -> dict[str, Message]:
    """Candidates of a study in a folder that copy answers, sales or lists; none where its tables
    can't be read yet, which `kalib check` tells."""
    try:
        tables = read_files(read_study(study))
        known = None if tables.survey is None else tables.survey[tables.survey > 0]
        if tables.visits is not None:
            known = measure_potential(tables.visits, tables.accounts["sales"]).frame["potential"]
        return find_copies(tables, known) if known is not None else {}
    except StudyError:
        return {}


def _is_visits(table: TextTable) -> bool:
    """A table of dated visits to the same accounts, again and again."""
    date, account = role_of(table.frame, "date"), role_of(table.frame, "account")
    if not date or not account or not role_of(table.frame, "total", (date, account)):
        return False
    return bool(table.frame[account].duplicated().mean() > 0.5)


def _survey(tables: Sequence[TextTable], accounts: TextTable, key: str) -> TextTable | None:
    """The table of known potential: the one that has the accounts' id and looks most like one. A
    sheet, which no one named, is none where it does not; a file is, and refused if it is not."""

    def fits(table: TextTable) -> int:
        has_key = key in table.frame.columns
        return has_key + (has_key and role_of(table.frame, "potential", [key]) is not None)

    best = max(tables, key=fits, default=None)
    needed = role_of(accounts.frame, "potential") is None
    return best if best and (not best.sheet or fits(best) == 2 or needed) else None


def _refuse_hidden(
    parts: Mapping[str, Part], candidates: Sequence[str], files: Sequence[Path]
) -> None:
    """Refuse sheets that a run, which looks for their columns, would not come to."""
    paths = {path.name: path for path in files}
    for role, (table, columns) in parts.items():
        names = [*columns.values(), *(candidates if role == "accounts" else [])]
        if table.sheet:
            found = read_text_table(paths[table.file], names)
            if not found.frame[names].equals(table.frame[names]):
                raise StudyError(refusal("sheet hidden", table.label))


def _numeric(cells: pd.Series) -> bool:
    filled = ~is_missing(cells)
    numbers = to_numbers(cells).values.notna().sum()
    return bool(filled.any() and numbers / filled.sum() >= NUMERIC_SHARE)


def _account_key(table: TextTable, doubts: list[str]) -> str:
    """The column that tells the accounts apart."""
    frame = table.frame
    unique = [c for c in frame if frame[c].is_unique and (frame[c] != "").all()]
    if (account := role_of(table.frame, "account")) in unique:
        return str(account)
    if not unique:
        raise StudyError(refusal("no id", table.label))
    account = role_of(unique, "account") or str(unique[0])
    doubts.append(f"{table.label}: {account!r} is taken as the account's id")
    return account


def _account_roles(table: TextTable, key: str, known: bool) -> dict[str, str]:
    """Role -> column of the accounts table; known: whether another table holds the potential."""
    roles = {"account": key}
    for role in ROLES if known else ("potential", *ROLES):
        column = role_of(table.frame, role, list(roles.values()))
        number = role in ("sales", "potential", "margin")
        # A number called area is an indicator, no region.
        if column and (number or role in ("region", "segment")):
            column = column if _numeric(table.frame[column]) == number else None
        if column:
            roles[role] = column
    if "sales" not in roles:
        raise StudyError(refusal("no sales", table.label))
    if not known and "potential" not in roles:
        raise StudyError(refusal("no potential known", table.label))
    return roles


def _candidates(accounts: Part, doubts: list[str]) -> list[str]:
    table, roles = accounts
    found = []
    for column in table.frame.columns.difference(list(roles.values()), sort=False):
        cells = table.frame[column]
        kinds = cells[~is_missing(cells)].nunique()
        if kinds < 2:
            doubts.append(f"{column!r} never changes and was left out")
        elif not _numeric(cells) and kinds > max(20, len(cells) // 10):
            doubts.append(f"{column!r} is text with {kinds} values and was left out")
        else:
            found.append(str(column))
    if not found:
        raise StudyError(refusal("no candidates", table.label))
    return found


def _currency(parts: Mapping[str, Part], doubts: list[str]) -> str:
    """The currency that the headers of sales and potential name."""
    columns = {role: c for _, found in parts.values() for role, c in found.items()}
    said = [currency_of(columns[role]) for role in ("sales", "potential") if role in columns]
    named = [currency for currency in said if currency]
    if len(set(named)) > 1:
        doubts.append(f"sales and potential are in {' and '.join(named)}: bring them to one unit")
    elif named:
        doubts.append(f"{named[0]!r} is taken as the currency")
    else:
        doubts.append("the currency is not told by the tables: fill in [study] currency")
    return next(iter(named), "")


def _study_text(
    name: str, parts: Mapping[str, Part], candidates: Sequence[str], currency: str
) -> str:
    """study.toml, commented."""
    accounts, columns = parts["accounts"]
    known = parts["survey"][1] if "survey" in parts else {}
    signs = {c: expected_sign(c) for c in candidates if _numeric(accounts.frame[c])}
    text = STUDY.format(
        sources=", ".join(_quoted(table.label) for table, _ in parts.values()),
        name=name,
        title=_quoted(name.replace("-", " ").capitalize()),
        currency=_quoted(currency),
        data="\n".join(f"{role} = {_quoted(t.file)}   # {SAID[role]}"
                       for role, (t, _) in parts.items()),
        columns=_lines({**columns, **known}),
        candidates=", ".join(map(_quoted, candidates)),
        signs=", ".join(f"{_quoted(c)} = {_quoted(sign)}" for c, sign in signs.items() if sign),
    )  # fmt: skip
    return text + (f"\n[visits]\n{_lines(parts['visits'][1])}\n" if "visits" in parts else "")


def _known_potential(survey: TextTable, key: str) -> str:
    """The survey's column of potential."""
    frame = survey.frame
    if key not in frame.columns:
        raise StudyError(refusal("no shared id", survey.label, key, column=key))
    numeric = (str(c) for c in frame if c != key and _numeric(frame[c]))
    potential = role_of(survey.frame, "potential", [key]) or next(numeric, None)
    if potential is None:
        raise StudyError(refusal("no potential column", survey.label))
    return potential


def _visit_columns(visits: TextTable) -> dict[str, str]:
    """Role -> column of the visits table."""
    found: dict[str, str] = {}
    for role in ("account", "date", "own", "total"):
        column = role_of(visits.frame, role, list(found.values()))
        if column is None:
            raise StudyError(f"no column for {role!r}", file=visits.label)
        found[role] = column
    return found


def _codebook(name: str, tables: Sequence[TextTable]) -> str:
    lines = [f"# Codebook: {name}", ""]
    for table in tables:
        lines += [f"## {table.label}", "", "| column | definition | unit | source |",
                  "|---|---|---|---|"]  # fmt: skip
        for column in table.frame.columns:
            values = to_numbers(table.frame[column]).values
            low, high = values.min(), values.max()
            known = f"{low:,.4g} to {high:,.4g}" if np.isfinite(low) else "text"
            safe = str(column).replace("|", "\\|").replace("\n", " ")
            lines.append(f"| {safe} | ({known}) | {unit_of(safe)} | |")
        lines.append("")
    return "\n".join(lines)


def _lines(columns: Mapping[str, str]) -> str:
    return "\n".join(f"{role} = {_quoted(column)}" for role, column in columns.items())


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are TOML's too."""
    return json.dumps(str(text), ensure_ascii=False)
