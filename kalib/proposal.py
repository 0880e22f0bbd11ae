"""A study file proposed from the client's tables: roles guessed, doubts said."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from kalib.cells import is_missing, to_numbers
from kalib.columns import NUMERIC_SHARE
from kalib.errors import Problem, StudyError
from kalib.reading import TextTable, read_text_table

# Words that tell a column's role, the surest first; matched against the header's own words.
ROLE_WORDS = {
    "account": (
        "account", "account id", "customer id", "store id", "outlet id", "client id", "shop id",
        "id", "code", "no", "number", "customer", "client", "store", "outlet", "shop",
        "客户编号", "客户代码", "门店编号", "门店代码", "店铺编号", "编号", "代码", "编码", "kundennummer", "nr",
    ),
    "potential": (
        "potential", "total sales", "total purchases", "category purchases", "category sales",
        "category spend", "market sales", "total spend", "total volume", "purchases", "spending",
        "采购潜力", "潜力", "总采购额", "总采购", "总销量", "总销售", "品类采购额", "bedarf",
    ),
    "sales": (
        "own sales", "our sales", "sales", "revenue", "turnover", "own revenue", "net sales",
        "我方销售额", "我方销售", "本公司销售额", "销售额", "销量", "umsatz",
    ),
    "name": (
        "name", "account name", "customer name", "store name", "outlet name", "client name",
        "客户名称", "门店名称", "店名", "名称", "客户",
    ),
    "region": ("region", "area", "city", "province", "state", "territory", "district", "区域",
               "大区", "地区", "城市", "省份"),
    "segment": ("segment", "chain", "channel", "type", "banner", "group", "细分", "渠道", "连锁",
                "类型"),
    "current_ka": ("is ka", "ka", "key account", "current ka", "重点客户", "是否重点", "大客户"),
    "rep": ("rep", "sales rep", "owner", "salesperson", "account manager", "sales person",
            "业务员", "销售代表", "负责人"),
    "margin": ("margin", "margin rate", "gross margin", "毛利率", "利润率"),
    "date": ("date", "day", "visit date", "日期", "拜访日期"),
    "own": ("own units", "own sales", "own", "our units", "我方销量", "本品销量"),
    "total": ("total units", "total sales", "total", "all units", "all brands", "总销量", "全品牌销量"),
}  # fmt: skip
NEGATIVE = ("distance", "距离", "competitor", "竞品", "竞争")  # more of it means less potential
NEUTRAL = ("year", "年", "rank", "latitude", "longitude", "lat", "lon", "zip", "postal", "邮编")


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
    if not re.fullmatch(r"[a-z0-9-]+", name):
        raise StudyError(
            Problem(f"{name!r} is no name for a study", remedy="Use a-z, 0-9 and hyphens")
        )
    target = folder / name
    if target.exists():
        raise StudyError(Problem("is there already", file=str(target), remedy="Choose a name"))
    tables = [read_text_table(path) for path in files]
    doubts: list[str] = []
    visits = [table for table in tables if _is_visits(table)]
    others = [table for table in tables if not any(table is visit for visit in visits)]
    if not others:
        raise StudyError("none of the tables lists accounts with sales")
    accounts = max(others, key=lambda t: (_role(t, "sales") is not None, len(t.frame.columns)))
    surveys = [table for table in others if table is not accounts]
    roles = _account_roles(accounts, bool(surveys or visits), doubts)
    survey = surveys[0] if surveys else None
    text = _study_text(name, accounts, roles, survey, visits[0] if visits else None, doubts)
    target.mkdir(parents=True)
    for path in files:
        shutil.copyfile(path, target / path.name)
    (target / "study.toml").write_text(text, encoding="utf-8")
    (target / "codebook.md").write_text(_codebook(name, tables), encoding="utf-8")
    return Proposal(target, tuple(doubts))


def _words(header: str) -> str:
    """A header as plain words: "Own_Sales (EUR)" -> "own sales"."""
    text = re.sub(r"[\(（\[].*?[\)）\]]", " ", str(header))
    text = re.sub(r"([a-z])([A-Z])", r"\1 \2", text)
    return re.sub(r"[\s_\-./:]+", " ", text).strip().lower()


def _role(table: TextTable, role: str, taken: Sequence[str] = ()) -> str | None:
    """The column that fits a role best, or None."""
    free = {_words(column): column for column in table.frame.columns if column not in taken}
    for wanted in ROLE_WORDS[role]:
        if wanted in free:
            return str(free[wanted])
    for wanted in ROLE_WORDS[role]:
        if len(wanted) < 4 and wanted.isascii():
            continue
        for words, column in free.items():
            if re.search(rf"\b{re.escape(wanted)}\b", words) or (
                not wanted.isascii() and wanted in words
            ):
                return str(column)
    return None


def _is_visits(table: TextTable) -> bool:
    """A table of dated visits to the same accounts, again and again."""
    date, account = _role(table, "date"), _role(table, "account")
    if not date or not account or not _role(table, "total", (date, account)):
        return False
    return bool(table.frame[account].duplicated().mean() > 0.5)


def _numeric(cells: pd.Series) -> bool:
    values = to_numbers(cells).values
    filled = ~is_missing(cells)
    return bool(filled.any() and values.notna().sum() / filled.sum() >= NUMERIC_SHARE)


def _account_roles(table: TextTable, known: bool, doubts: list[str]) -> dict[str, str]:
    """Role -> column of the accounts table."""
    roles: dict[str, str] = {}
    frame = table.frame
    unique = [c for c in frame.columns if frame[c].is_unique and (frame[c].str.strip() != "").all()]
    account = _role(table, "account")
    if account is None or account not in unique:
        if not unique:
            raise StudyError(
                Problem("no column tells the accounts apart", file=table.file,
                        remedy="Add a column with an id for each account")
            )  # fmt: skip
        named = _role(table, "account", [c for c in frame.columns if c not in unique])
        account = named or str(unique[0])
        doubts.append(f"{table.file}: {account!r} is taken as the account's id")
    roles["account"] = account
    order = ["sales", "name", "region", "segment", "current_ka", "rep", "margin"]
    if not known:
        order.insert(0, "potential")
    for role in order:
        column = _role(table, role, list(roles.values()))
        number = role in ("sales", "potential", "margin")
        if column and (not number or _numeric(frame[column])):
            if role in ("region", "segment") and _numeric(frame[column]):
                continue  # a number called area is an indicator
            roles[role] = column
    if "sales" not in roles:
        raise StudyError(
            Problem("no column looks like our own sales", file=table.file,
                    remedy="Call it own_sales")
        )  # fmt: skip
    if not known and "potential" not in roles:
        raise StudyError(
            Problem("potential is known nowhere", file=table.file,
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
            Problem("no column is left that could tell potential", file=table.file,
                    remedy="Add indicators of purchasing power")
        )  # fmt: skip
    return found


def _study_text(
    name: str,
    accounts: TextTable,
    roles: dict[str, str],
    survey: TextTable | None,
    visits: TextTable | None,
    doubts: list[str],
) -> str:
    """study.toml, commented."""
    candidates = _candidates(accounts, roles, doubts)
    data = [f"accounts = {_quoted(accounts.file)}   # one row per account"]
    columns = dict(roles)
    if survey is not None:
        data.append(f"survey = {_quoted(survey.file)}   # known potential of some accounts")
        key = roles["account"]
        if key not in survey.frame.columns:
            raise StudyError(
                Problem("the accounts' id is not among its columns", file=survey.file, column=key,
                        remedy=f"Call the id {key} in both tables")
            )  # fmt: skip
        potential = _role(survey, "potential", [key]) or next(
            (str(c) for c in survey.frame.columns if c != key and _numeric(survey.frame[c])), None
        )
        if potential is None:
            raise StudyError(Problem("no column holds the potential", file=survey.file))
        columns["potential"] = potential
        doubts.append(f"{survey.file}: {potential!r} is taken as the potential")
    section = ""
    if visits is not None:
        data.append(f"visits = {_quoted(visits.file)}   # daily visits, potential measured in them")
        taken: list[str] = []
        lines = []
        for role in ("account", "date", "own", "total"):
            column = _role(visits, role, taken)
            if column is None:
                raise StudyError(Problem(f"no column for {role!r}", file=visits.file))
            taken.append(column)
            lines.append(f"{role} = {_quoted(column)}")
        section = "\n[visits]\n" + "\n".join(lines) + "\n"
    numeric = [c for c in candidates if _numeric(accounts.frame[c])]
    signs = {c: _sign(c) for c in numeric if _sign(c)}
    signed = ", ".join(f"{_quoted(c)} = {_quoted(s)}" for c, s in signs.items())
    doubts.append("the currency is not told by the tables: fill in [study] currency")
    return (
        f"# Proposed from {', '.join(t.file for t in (accounts, survey, visits) if t)}; read every"
        f' line.\n[study]\nname = "{name}"\ntitle = {_quoted(name.replace("-", " ").capitalize())}\n'
        'industry = ""\ncurrency = ""   # unit of sales and potential, a year\n'
        'period = "current"\n\n[data]\n' + "\n".join(data) + "\n\n[columns]\n"
        + "\n".join(f"{role} = {_quoted(column)}" for role, column in columns.items())
        + "\n\n[indicators]\ncandidates = ["
        + ", ".join(_quoted(c) for c in candidates)
        + "]\n# expected direction; a formula against it is not considered\n"
        + f"expected_sign = {{ {signed} }}\n{section}"
    )  # fmt: skip


def _sign(column: str) -> str:
    words = _words(column)
    if any(word in words for word in NEUTRAL):
        return ""
    return "-" if any(word in words for word in NEGATIVE) else "+"


def _codebook(name: str, tables: Sequence[TextTable]) -> str:
    lines = [f"# Codebook: {name}", ""]
    for table in tables:
        lines += [f"## {table.file}", "", "| column | definition | unit | source |",
                  "|---|---|---|---|"]  # fmt: skip
        for column in table.frame.columns:
            values = to_numbers(table.frame[column]).values
            low, high = values.min(), values.max()
            known = f"{low:,.4g} to {high:,.4g}" if np.isfinite(low) else "text"
            safe = str(column).replace("|", "\\|").replace("\n", " ")
            lines.append(f"| {safe} | ({known}) | | |")
        lines.append("")
    return "\n".join(lines)


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are TOML's too."""
    return json.dumps(str(text), ensure_ascii=False)
