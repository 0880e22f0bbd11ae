"""A study file proposed from the client's tables: roles guessed, dirt cured, doubts said."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd

from kalib.errors import Problem, StudyError, nearest
from kalib.files import set_aside, whole
from kalib.study.loading import read_study
from kalib.tables import words
from kalib.tables.cells import is_missing, to_dates, to_numbers
from kalib.tables.client import read_files
from kalib.tables.columns import NUMERIC_SHARE
from kalib.tables.copies import MOSTLY, NAMES, find_copies
from kalib.tables.reading import TextTable, read_every_table, refusal
from kalib.tables.visits import measure_potential
from kalib.tables.words import NUMBERED, WORDS

RESERVED = ("study.toml", "codebook.md")  # what is written beside the tables
NEEDED = ("account", "sales", "potential")  # without these there is no study
FIGURES = {"sales": "sales", "potential": "answers"}  # role -> what its further columns copy
JOINED = {"sales": "sales", "survey": "potential"}  # table beside the accounts -> what it tells
ROLES = ("potential", "sales", "name", "region", "segment", "current_ka", "rep", "margin", "parent")
# Whether a role's cells are numbers: one called area is an indicator, no region.
NUMBERS = {"sales": True, "potential": True, "margin": True, "name": False, "region": False,
           "segment": False}  # fmt: skip
MOSTLY_APART = 0.8  # of the rows have ids of their own; more of the others' are doubled
QUOTED = partial(json.dumps, ensure_ascii=False)  # JSON's strings and lists are TOML's too
SAMPLES, LETTERS = 3, 16  # shown of each column, and of each value


@dataclass(frozen=True)
class Proposal:
    """folder: the study's folder; columns: DataFrame of all columns: number, table, column, values
    (the first few), role (what it is taken as); doubts: what to look at."""

    folder: Path
    columns: pd.DataFrame
    doubts: tuple[str, ...]


@dataclass
class _Draft:
    """The study as it is drawn up.

    parts: accounts, sales, survey, visits -> the table and the column of every role in it; unsure:
    role -> why its column is a guess; left: column of the accounts -> why it is no indicator, ""
    where it is one; data: further line of [data] -> why; currencies: those that the tables name;
    doubts: what the study reads badly.
    """

    parts: dict[str, tuple[TextTable, dict[str, str]]] = field(default_factory=dict)
    unsure: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)
    currencies: list[str] = field(default_factory=list)

    @property
    def columns(self) -> dict[str, str]:
        """Role -> column, of [columns]."""
        parts = (self.parts.get(part, (None, {}))[1] for part in ("accounts", *JOINED))
        return {role: column for roles in parts for role, column in roles.items()}

    @property
    def candidates(self) -> list[str]:
        """The columns that are indicators."""
        return [column for column, why in self.left.items() if not why]

    @property
    def lacking(self) -> list[str]:
        """What the study can't be without and the tables do not show."""
        found = {*self.columns, *(["potential"] if "visits" in self.parts else [])}
        return [r for r in NEEDED if r not in found] + ["candidates"] * (not self.candidates)


def propose_study(
    name: str, files: Sequence[Path], folder: Path, given: Mapping[str, str | None] | None = None,
    drop: Collection[str] = (), *, force: bool = False,
) -> Proposal:  # fmt: skip
    """Write folder/name with study.toml, codebook.md and copies of the tables.

    files: the accounts and, where their columns lack potential, a survey or visits; given: account,
    sales, potential or parent -> its column's header or number; drop: columns to leave out. What
    is not found is marked in study.toml and told as a doubt. Raises StudyError where a file can't
    be read, a name is taken (unless force, which sets the folder aside), or no column is so called.
    """
    target = folder / name
    _refuse_names(name, files, target, force)
    found = [table for path in files for table in read_every_table(path)]
    roles, dropped = _named(found, {r: c for r, c in (given or {}).items() if c}, drop)
    marks, draft = _marks(found), _Draft()
    cleaned = []
    for table in found:  # without what is dropped, blanks for the marks, without footnotes
        frame = table.frame.drop(columns=list(dropped), errors="ignore")
        alone = ((frame != "").sum(axis=1) == 1) & (frame.shape[1] > 2)
        frame = frame.mask(frame.apply(lambda cells: cells.str.casefold().isin(list(marks))), "")
        cleaned.append(replace(table, frame=frame).keep(~alone.to_numpy()))
    _assign(cleaned, roles, draft)
    _cure(draft, list(marks.values()))
    folder.mkdir(parents=True, exist_ok=True)
    if force and os.path.lexists(target):
        set_aside(target)
    with whole(target) as part:
        part.mkdir()
        for path in files:
            shutil.copyfile(path, part / path.name)
        study = part / "study.toml"
        study.write_text(_rendered("study.toml.jinja", draft, name=name), encoding="utf-8")
        if not draft.lacking:
            _try(part, draft)
            study.write_text(_rendered("study.toml.jinja", draft, name=name), encoding="utf-8")
        shown = pd.DataFrame(_shown(found, draft, dropped))
        codebook = _rendered("codebook.md.jinja", draft, name=name, columns=shown)
        (part / "codebook.md").write_text(codebook, encoding="utf-8")
    doubts = _rendered("doubts.txt.jinja", draft, tables=found).splitlines()
    return Proposal(target, shown, tuple(doubts))


def _refuse_names(name: str, files: Sequence[Path], target: Path, force: bool) -> None:
    """Refuse what is not there, or would overwrite a table, a study or another folder."""
    problems = []
    if not re.fullmatch(r"[a-z0-9-]+", name):
        problems.append(refusal("no name", "", name))
    elif os.path.lexists(target) and not force:
        problems.append(refusal("there already", str(target)))
    names = [path.name.casefold() for path in files]  # some disks know no capitals
    for path, low in zip(files, names, strict=True):
        if not path.is_file():
            near = nearest(path.name, (each.name for each in path.parent.glob("*")))
            problems.append(Problem("no such table", str(path), remedy=near or "Check its folder"))
        if low in RESERVED or names.count(low) > 1:
            problems.append(refusal("name kept" if low in RESERVED else "name taken", str(path)))
    if problems:
        raise StudyError(problems)


def _named(
    tables: Sequence[TextTable], given: Mapping[str, str], drop: Collection[str]
) -> tuple[dict[str, str], set[str]]:
    """The columns that the options name: by role, and to be dropped."""
    headers = [str(column) for table in tables for column in table.frame]
    known = {str(i): header for i, header in enumerate(headers, 1)} | {h: h for h in headers}
    asked = [*((f"--{role}", said) for role, said in given.items()), *(("--drop", c) for c in drop)]
    if wrong := [(option, said) for option, said in asked if said not in known]:
        listed = f"The columns are {', '.join(headers)}"[:400]
        raise StudyError(Problem(f"{option}: no column is called {said!r}",
                                 remedy=nearest(said, headers) or listed)
                         for option, said in wrong)  # fmt: skip
    return {role: known[said] for role, said in given.items()}, {known[said] for said in drop}


def _marks(tables: Sequence[TextTable]) -> dict[str, str]:
    """Words among numbers that say nothing is known: in small letters -> as they stand there."""
    known, found = WORDS["cells"], {}
    for cells in (cells for table in tables for _, cells in table.frame.items()):
        filled = cells[~is_missing(cells)]
        said = filled[~filled.str.contains(r"\d")]
        few = 0 < len(said) <= len(filled) / 2  # else no number is as common
        if few and to_numbers(filled).values.notna().sum() >= len(said):
            for word, count in said.str.casefold().value_counts().items():
                if word not in known["totals"] and (count > 1 or word in known["unknown"]):
                    found[str(word)] = str(said[said.str.casefold() == word].iloc[0])
    return found


@lru_cache(maxsize=64)
def _numeric(table: TextTable) -> frozenset[str]:
    shares = {str(name): to_numbers(cells).values.notna().sum() / max((~is_missing(cells)).sum(), 1)
              for name, cells in table.frame.items()}  # fmt: skip
    return frozenset(name for name, share in shares.items() if share >= NUMERIC_SHARE)


def _column(table: TextTable, role: str, taken: Collection[str] = ()) -> str | None:
    """The column that fits a role by its name, and is of numbers where such a role's is."""
    numbers = _numeric(table)
    names = [str(c) for c in table.frame if NUMBERS.get(role, c in numbers) == (c in numbers)]
    return words.role_of(names, role, taken)


def _assign(tables: Sequence[TextTable], given: dict[str, str], draft: _Draft) -> None:
    """Say what each table is, the column of every role, and which others are indicators."""
    visits = {table: columns for table in tables if (columns := _visit_columns(table))}
    others = [table for table in tables if table not in visits] or list(tables)
    named = {given[role] for role in ("account", "parent") if role in given}
    left = {table: {str(c): _no_indicator(str(c), cells, c in _numeric(table))
                    for c, cells in table.frame.items()} for table in others}  # fmt: skip

    def fitness(table: TextTable) -> tuple[int, bool, int, int]:
        key = words.role_of(table.frame, "account")  # again and again: invoices
        once = not key or bool(table.frame[key].duplicated().mean() <= 0.5)
        sold = (given.get("sales") or _column(table, "sales")) in table.frame
        tells = not all(left[table].values())
        return len(named & set(table.frame)), once, sold + tells, table.frame.shape[1]

    accounts = max(others, key=fitness)
    roles = {role: column for role, column in given.items() if column in accounts.frame}
    if key := roles.get("account") or _account_key(accounts, draft):
        roles = {"account": key, **roles}
    draft.parts["accounts"] = accounts, roles
    for part, role in JOINED.items():
        held = role == "sales" and role not in given and _column(accounts, role)
        for table in others if key and role not in roles and not held else ():
            found = _joined(table, accounts.frame[key], part, given)
            if found and table is not accounts:
                draft.parts.setdefault(part, (table, {"account": str(key), **found}))
    if visits and accounts not in visits:
        draft.parts["visits"] = next(iter(visits.items()))
    for role in ROLES:
        known = role in draft.columns or (role == "potential" and "visits" in draft.parts)
        if not known and (column := _column(accounts, role, list(roles.values()))):
            roles[role] = column
    if NUMBERED.search(roles.get("sales", "")):
        draft.unsure["sales"] = WORDS["lacking"]["numbered"].format(roles["sales"])
    draft.left = {c: why for c, why in left[accounts].items() if c not in roles.values()}


def _visit_columns(table: TextTable) -> dict[str, str]:
    """Role -> column of a table of dated visits to the same accounts again and again, else none."""
    found: dict[str, str] = {}
    for role in ("account", "date", "own", "total"):
        if column := words.role_of(table.frame, role, list(found.values())):
            found[role] = column
    again = len(found) == 4 and table.frame[found["account"]].duplicated().mean() > 0.5
    return found if again else {}


def _account_key(table: TextTable, draft: _Draft) -> str | None:
    """The column that tells the accounts apart: one called so, else the first text that does."""
    kinds = table.frame.mask(table.frame == "").nunique()
    apart = [str(c) for c in table.frame if kinds[c] >= MOSTLY_APART * len(table.frame) > 0]
    called = words.role_of(apart, "account")
    whole = (c for c in apart if kinds[c] == len(table.frame) and c not in _numeric(table))
    key = called or next(whole, None)
    if key and not called:
        draft.unsure["account"] = f"{key!r} is taken as the accounts' id"
    return key


def _joined(table: TextTable, ids: pd.Series, part: str, given: dict[str, str]) -> dict[str, str]:
    """Role -> column of a table with the accounts' ids and what the part tells, none of another."""
    same = {str(c): _bare(cells).isin(_bare(ids)).mean() for c, cells in table.frame.items()}
    key = str(ids.name)
    own = key if key in same else max(same, key=lambda c: np.nan_to_num(same[c]))
    column = given.get(JOINED[part]) or _column(table, JOINED[part], [own])
    if column not in table.frame or (own != key and not same[own] >= NUMERIC_SHARE):
        return {}
    return {JOINED[part]: str(column)} | ({f"{part}_account": own} if own != key else {})


def _bare(ids: pd.Series) -> pd.Series:
    """Ids without the zeros that a spreadsheet takes off."""
    return ids[ids != ""].str.lstrip("0")


def _no_indicator(name: str, cells: pd.Series, numeric: bool) -> str:
    """Why a column is none, "" where nothing tells."""
    filled, called = cells[~is_missing(cells)], words.words_of_header(name)
    kinds = filled.nunique()
    named = {WORDS["named"][kind]: pattern for kind, pattern in NAMES.items()}
    named |= {why: "|".join(patterns) for why, patterns in WORDS["kept"].items()}
    for why, pattern in named.items():
        if re.search(pattern, called):
            return f"{why} by its name"
    for role, kind in FIGURES.items():
        if numeric and words.role_of([name], role):
            return f"{WORDS['named'][kind]} by its name"
    if kinds < 2 or numeric:
        return ("the same in all rows" if kinds else "empty") * (kinds < 2)
    if filled.str.contains(r"\d").all() and to_dates(filled).values.notna().mean() >= MOSTLY:
        return "dates"
    return f"text with {kinds} values" * (kinds > max(20, len(cells) // 10))


def _cure(draft: _Draft, marks: Sequence[str]) -> None:
    """The settings of [data] that read the tables' dirt as it is meant, and the currency."""
    if marks:
        draft.data[f"missing = {QUOTED(marks)}"] = "words that stand for what is not known"
    ids = {part: table.frame[columns.get(f"{part}_account", columns["account"])]
           for part, (table, columns) in draft.parts.items() if "account" in columns}  # fmt: skip
    own = ids.get("accounts", pd.Series(dtype="str"))
    for part, others in ids.items():
        again = int((others.duplicated() & (others != "")).sum())
        if again and part in ("accounts", "survey"):
            draft.data['duplicates = "first"'] = f"{again} rows of the {part} repeat an account"
        lost = others[~others.isin(own) & (others != "") & _bare(others).isin(_bare(own))]
        if len(lost) and lost.str.isdigit().all():
            width = int(pd.concat([own, others]).str.len().max())
            draft.data[f"id_width = {width}"] = f"{len(lost)} ids have lost their leading zeros"
    money = {role: table.frame[columns[role]] for role in ("potential", "sales")
             for table, columns in draft.parts.values() if role in columns}  # fmt: skip
    if (sales := money.get("sales")) is not None:
        values = to_numbers(sales).values.groupby(_bare(ids.get("sales", own))).sum(min_count=1)
        values = values.reindex(_bare(own).unique())
        if below := int((values < 0).sum()):
            draft.data['negative_sales = "zero"'] = f"{below} sales below zero are returns"
        if blank := int(values.isna().sum()):
            draft.data['blank_sales = "zero"'] = f"{blank} blank sales say that nothing is bought"
    firsts = [f"{cells.name} {next(iter(cells[cells != '']), '')}" for cells in money.values()]
    every = [c.iloc[0] for _, c in draft.parts["accounts"][0].frame.items() if c.nunique() == 1]
    named = ({*map(words.currency_of, said)} - {""} for said in (firsts, every))
    draft.currencies = sorted(next(filter(None, named), ()))


def _try(folder: Path, draft: _Draft) -> None:
    """Read the study as written: leave copies out, and doubt what `kalib check` will refuse."""
    try:
        tables = read_files(read_study(folder))
    except StudyError as error:
        draft.doubts += [f"kalib check will refuse: {problem}" for problem in error.problems[:3]]
        return
    read = {getattr(note.message, "figures", {}).get("sheet") for note in tables.notes}
    unread = (table for table, _ in draft.parts.values() if table.sheet not in {"", *read})
    draft.doubts += [f"{table.label}: {WORDS['lacking']['sheet']}" for table in unread]
    draft.doubts += [str(n) for n in tables.notes if getattr(n.message, "key", "") == "n_two_ways"]
    known = None if tables.survey is None else tables.survey[tables.survey > 0]
    if tables.visits is not None:
        known = measure_potential(tables.visits, tables.accounts["sales"]).frame["potential"]
    copies = find_copies(tables, known) if known is not None else {}
    draft.left |= {column: str(copy) for column, copy in copies.items()}


def _rendered(template: str, draft: _Draft, **more: object) -> str:
    from jinja2 import Environment, FileSystemLoader

    accounts, year = draft.parts["accounts"][0], words.year_of(draft.columns.get("sales", ""))
    chinese = sum(bool(re.search("[\u4e00-\u9fff]", header)) for header in accounts.headers)
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"quoted": QUOTED, "line": lambda text: " ".join(text.split()),
                            "sign": words.expected_sign, "unit": words.unit_of}  # fmt: skip
    return environment.get_template(template).render(
        draft=draft, words=WORDS, period=year if 1900 < year < 2100 else "current",
        numbers=[column for column in draft.candidates if column in _numeric(accounts)],
        language="zh" if 2 * chinese > len(accounts.headers) else "en", **more,
    )  # fmt: skip


def _shown(
    tables: Sequence[TextTable], draft: _Draft, dropped: Collection[str]
) -> Iterator[dict[str, object]]:
    parts = {table.label: (p, columns) for p, (table, columns) in draft.parts.items()}
    for n, (table, name) in enumerate([(t, str(c)) for t in tables for c in t.frame], 1):
        part, columns = parts.get(table.label, ("", {}))
        roles = {column: role for role, column in columns.items()}
        why = "dropped" if name in dropped else draft.left.get(name) if part == "accounts" else None
        role = roles.get(name) or ("indicator" if why == "" else f"left out: {why or 'not read'}")
        cells = table.frame[name]
        values = " · ".join(c[:LETTERS] for c in cells[~is_missing(cells)].unique()[:SAMPLES])
        yield {"number": n, "table": table.label, "column": name, "values": values, "role": role}
