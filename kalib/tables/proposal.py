"""A study file proposed from the client's tables: roles guessed, doubts said."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Sequence
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
from kalib.tables.reading import TextTable, read_every_table, read_text_table
from kalib.tables.roles import currency_of, expected_sign, role_of, unit_of
from kalib.tables.visits import measure_potential
from kalib.words.catalogue import Message

RESERVED = ("study.toml", "codebook.md")  # what is written beside the tables


@dataclass(frozen=True)
class Proposal:
    """folder: the study's folder; doubts: what the analyst should look at."""

    folder: Path
    doubts: tuple[str, ...]


@dataclass(frozen=True)
class _Client:
    """The tables that make a study, and the column of each role in the accounts."""

    accounts: TextTable
    survey: TextTable | None
    visits: TextTable | None
    roles: dict[str, str]


def propose_study(name: str, files: Sequence[Path], folder: Path) -> Proposal:
    """Write folder/name with study.toml, codebook.md and copies of the tables.

    files: the accounts and, where potential is not among their columns, a survey or visits.
    Raises StudyError where the tables can't make a study.
    """
    target = folder / name
    _refuse_names(name, files, target)
    tables = [table for path in files for table in read_every_table(path)]
    doubts: list[str] = []
    client = _roles_of(tables, doubts)
    candidates = _candidates(client.accounts, client.roles, doubts)
    text, used = _study_text(name, client, candidates, doubts)
    _refuse_hidden(used, files)
    for role in ("accounts", "survey", "visits"):
        table = getattr(client, role)
        if table and table.sheet:
            doubts.append(f"{table.label} is taken as the {role}")
    doubts += [f"{table.label} was left out" for table in tables
               if not any(table is one for one, _ in used)]  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    with whole(target) as part:
        part.mkdir()
        for path in files:
            shutil.copyfile(path, part / path.name)
        (part / "study.toml").write_text(text, encoding="utf-8")
        copies = _copies_in(part)
        if copies:
            doubts += [f"{column!r} was left out: it {copy}" for column, copy in copies.items()]
            candidates = [column for column in candidates if column not in copies]
            text, _ = _study_text(name, client, candidates, [])
            (part / "study.toml").write_text(text, encoding="utf-8")
        (part / "codebook.md").write_text(_codebook(name, tables), encoding="utf-8")
    return Proposal(target, tuple(doubts))


def _refuse_names(name: str, files: Sequence[Path], target: Path) -> None:
    """Refuse what would overwrite a table, a study or another folder."""
    problems = []
    if not re.fullmatch(r"[a-z0-9-]+", name):
        problems.append(
            Problem(f"{name!r} is no name for a study", remedy="Use a-z, 0-9 and hyphens")
        )
    elif os.path.lexists(target):
        problems.append(Problem("is there already", file=str(target), remedy="Choose a name"))
    names = [path.name.casefold() for path in files]  # some disks know no capitals
    for path in files:
        if path.name.casefold() in RESERVED:
            problems.append(
                Problem("has a name that is kept for the study's own file", file=str(path),
                        remedy="Rename it")
            )  # fmt: skip
        elif names.count(path.name.casefold()) > 1:
            problems.append(
                Problem("has the name of another table given", file=str(path), remedy="Rename one")
            )
    if problems:
        raise StudyError(problems)


def _roles_of(tables: Sequence[TextTable], doubts: list[str]) -> _Client:
    """Which table is which, and which column what."""
    dated = [table for table in tables if _is_visits(table)]
    visits = dated[0] if dated else None
    others = [table for table in tables if not any(table is one for one in dated)]
    if not others:
        raise StudyError("none of the tables lists accounts with sales")
    accounts = max(others, key=lambda t: (role_of(t, "sales") is not None, len(t.frame.columns)))
    key = _account_key(accounts, doubts)
    survey = _survey([table for table in others if table is not accounts], accounts, key)
    return _Client(accounts, survey, visits, _account_roles(accounts, key, bool(survey or visits)))


def _copies_in(study: Path) -> dict[str, Message]:
    """Candidates of a study in a folder that copy answers, sales or lists; none where its tables
    can't be read yet, which `kalib check` tells."""
    try:
        tables = read_files(read_study(study))
        known = tables.survey
        if tables.visits is not None:
            known = measure_potential(tables.visits, tables.accounts["sales"]).frame["potential"]
        return find_copies(tables, known) if known is not None else {}
    except StudyError:
        return {}


def _is_visits(table: TextTable) -> bool:
    """A table of dated visits to the same accounts, again and again."""
    date, account = role_of(table, "date"), role_of(table, "account")
    if not date or not account or not role_of(table, "total", (date, account)):
        return False
    return bool(table.frame[account].duplicated().mean() > 0.5)


def _survey(tables: Sequence[TextTable], accounts: TextTable, key: str) -> TextTable | None:
    """The table of known potential: the one that has the accounts' id and looks most like one. A
    sheet, which no one named, is none where it does not; a file is, and refused if it is not."""

    def fits(table: TextTable) -> int:
        has_key = key in table.frame.columns
        return has_key + (has_key and role_of(table, "potential", [key]) is not None)

    best = max(tables, key=fits, default=None)
    needed = role_of(accounts, "potential") is None
    if best is None or (best.sheet and fits(best) < 2 and not needed):
        return None
    return best


def _refuse_hidden(used: Sequence[tuple[TextTable, list[str]]], files: Sequence[Path]) -> None:
    """Refuse sheets that a run, which looks for their columns, would not come to."""
    paths = {path.name: path for path in files}
    problems = [
        Problem("another sheet has its columns too", file=table.label,
                remedy="Save the sheet as a file of its own")
        for table, names in used
        if table.sheet
        and not read_text_table(paths[table.file], names).frame[names].equals(table.frame[names])
    ]  # fmt: skip
    if problems:
        raise StudyError(problems)


def _numeric(cells: pd.Series) -> bool:
    values = to_numbers(cells).values
    filled = ~is_missing(cells)
    return bool(filled.any() and values.notna().sum() / filled.sum() >= NUMERIC_SHARE)


def _account_key(table: TextTable, doubts: list[str]) -> str:
    """The column that tells the accounts apart."""
    frame = table.frame
    unique = [c for c in frame.columns if frame[c].is_unique and (frame[c].str.strip() != "").all()]
    account = role_of(table, "account")
    if account is None or account not in unique:
        if not unique:
            raise StudyError(
                Problem("no column tells the accounts apart", file=table.label,
                        remedy="Add a column with an id for each account")
            )  # fmt: skip
        named = role_of(table, "account", [c for c in frame.columns if c not in unique])
        account = named or str(unique[0])
        doubts.append(f"{table.label}: {account!r} is taken as the account's id")
    return account


def _account_roles(table: TextTable, key: str, known: bool) -> dict[str, str]:
    """Role -> column of the accounts table."""
    roles, frame = {"account": key}, table.frame
    order = ["sales", "name", "region", "segment", "current_ka", "rep", "margin", "parent"]
    if not known:
        order.insert(0, "potential")
    for role in order:
        column = role_of(table, role, list(roles.values()))
        number = role in ("sales", "potential", "margin")
        if column and (not number or _numeric(frame[column])):
            if role in ("region", "segment") and _numeric(frame[column]):
                continue  # a number called area is an indicator
            roles[role] = column
    if "sales" not in roles:
        raise StudyError(
            Problem("no column looks like our own sales", file=table.label,
                    remedy="Call it own_sales")
        )  # fmt: skip
    if not known and "potential" not in roles:
        raise StudyError(
            Problem("potential is known nowhere", file=table.label,
                    remedy="Give a survey or visits as well, or a column potential")
        )  # fmt: skip
    return roles


def _candidates(table: TextTable, roles: dict[str, str], doubts: list[str]) -> list[str]:
    found = []
    for column in table.frame.columns:
        if column in roles.values():
            continue
        cells = table.frame[column].str.strip()
        filled = cells[~is_missing(cells)]
        if filled.nunique() < 2:
            doubts.append(f"{column!r} never changes and was left out")
        elif not _numeric(cells) and filled.nunique() > max(20, len(cells) // 10):
            doubts.append(f"{column!r} is text with {filled.nunique()} values and was left out")
        else:
            found.append(str(column))
    if not found:
        raise StudyError(
            Problem("no column is left that could tell potential", file=table.label,
                    remedy="Add indicators of purchasing power")
        )  # fmt: skip
    return found


def _study_text(
    name: str, client: _Client, candidates: Sequence[str], doubts: list[str]
) -> tuple[str, list[tuple[TextTable, list[str]]]]:
    """study.toml, commented; and the tables it names with the columns it asks of each."""
    accounts, survey, visits, roles = client.accounts, client.survey, client.visits, client.roles
    data = [f"accounts = {_quoted(accounts.file)}   # one row per account"]
    columns, section = dict(roles), ""
    used = [(accounts, [*roles.values(), *candidates])]
    if survey is not None:
        data.append(f"survey = {_quoted(survey.file)}   # known potential of some accounts")
        columns["potential"] = _known_potential(survey, roles["account"])
        used.append((survey, [roles["account"], columns["potential"]]))
        doubts.append(f"{survey.label}: {columns['potential']!r} is taken as the potential")
    if visits is not None:
        data.append(f"visits = {_quoted(visits.file)}   # daily visits, potential measured in them")
        found = _visit_columns(visits)
        used.append((visits, list(found.values())))
        lines = [f"{role} = {_quoted(column)}" for role, column in found.items()]
        section = "\n[visits]\n" + "\n".join(lines) + "\n"
    numeric = [c for c in candidates if _numeric(accounts.frame[c])]
    signs = {c: expected_sign(c) for c in numeric if expected_sign(c)}
    if unsigned := [c for c in numeric if c not in signs]:
        doubts.append(f"no sign is expected of {', '.join(unsigned)}: add those you know")
    signed = ", ".join(f"{_quoted(c)} = {_quoted(s)}" for c, s in signs.items())
    named = [currency_of(columns[role]) for role in ("sales", "potential") if role in columns]
    currency = next(filter(None, named), "")
    if len(set(filter(None, named))) > 1:
        doubts.append(f"sales and potential are in {' and '.join(named)}: bring them to one unit")
    elif currency:
        doubts.append(f"{currency!r} is taken as the currency")
    else:
        doubts.append("the currency is not told by the tables: fill in [study] currency")
    sources = ", ".join(_quoted(table.label) for table, _ in used)
    text = (
        f"# Proposed from {sources}; read every line.\n"
        f'[study]\nname = "{name}"\ntitle = {_quoted(name.replace("-", " ").capitalize())}\n'
        f'industry = ""\ncurrency = {_quoted(currency)}   # unit of sales and potential, a year\n'
        'period = "current"\n\n[data]\n' + "\n".join(data) + "\n\n[columns]\n"
        + "\n".join(f"{role} = {_quoted(column)}" for role, column in columns.items())
        + "\n\n[indicators]\ncandidates = ["
        + ", ".join(_quoted(c) for c in candidates)
        + "]\n# expected direction; a formula against it is not considered\n"
        + f"expected_sign = {{ {signed} }}\n{section}"
    )  # fmt: skip
    return text, used


def _known_potential(survey: TextTable, key: str) -> str:
    """The survey's column of potential."""
    frame = survey.frame
    if key not in frame.columns:
        raise StudyError(
            Problem("the accounts' id is not among its columns", file=survey.label, column=key,
                    remedy=f"Call the id {key} in both tables")
        )  # fmt: skip
    named = role_of(survey, "potential", [key])
    numeric = (str(c) for c in frame.columns if c != key and _numeric(frame[c]))
    potential = named or next(numeric, None)
    if potential is None:
        raise StudyError(Problem("no column holds the potential", file=survey.label))
    return potential


def _visit_columns(visits: TextTable) -> dict[str, str]:
    """Role -> column of the visits table."""
    found: dict[str, str] = {}
    for role in ("account", "date", "own", "total"):
        column = role_of(visits, role, list(found.values()))
        if column is None:
            raise StudyError(Problem(f"no column for {role!r}", file=visits.label))
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


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are TOML's too."""
    return json.dumps(str(text), ensure_ascii=False)
