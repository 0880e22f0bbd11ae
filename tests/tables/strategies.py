"""Hypothesis strategies: client tables of every kind, and small studies that can be run.

The profile "ci" tries the same examples each time; "fuzz" (make fuzz) tries 20,000 others. A study
takes as long as a hundred tables, so that there are fewer of them. Only "fuzz" makes what it finds
smaller: that takes minutes.
"""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
settings.register_profile(
    "ci", max_examples=100, phases=(Phase.explicit, Phase.generate), deadline=None, derandomize=True, database=None,
    suppress_health_check=CHECKS,
)  # fmt: skip
settings.register_profile(
    "fuzz", max_examples=20_000, deadline=None, database=None, suppress_health_check=CHECKS,
    print_blob=True,
)  # fmt: skip
PROFILE = os.environ.get("KALIB_PROFILE", "ci")
settings.load_profile(PROFILE)
STUDIES = {"ci": 4, "fuzz": 100}[PROFILE]  # of each change that must not matter

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.one_of(
    st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12),
    st.sampled_from(["id", "Umsatz €", "面积", "area (m²)", "a,b", "=x", "select", "__class__"]),
)
ODD = st.sampled_from([
    "", " ", "NA", "n/a", "-", "#REF!", "nan", "inf", "-inf", "1e400", "-3", "0", "=1+1", "1.500",
    "1.001,50", "1 234", "12,34,567", "35 %", "€ 5", "5 USD", "(200)", "1'000", "3万", "TRUE", "no",
    "2026-03-31", "31.03.26", "45000", "007", "7", "Total", "合计", '"', "'; drop table a; --",
    "a;b", "x\ny", "\u202e", "\ufeff", "１２３", "1e5", "0x1F", "99999999999999999999",
])  # fmt: skip
CELLS = st.one_of(
    ODD, ANY_TEXT, st.integers().map(str), st.floats(allow_nan=True).map(str),
    st.decimals(-(10**9), 10**9, places=2, allow_nan=False).map(lambda d: f"{d:,}"),
    st.dates().map(str),
)  # fmt: skip


@dataclass(frozen=True)
class ClientTable:
    """A table as a client sends it: headers, rows of text, and how the file is written."""

    headers: list[str]
    rows: list[list[str]]
    separator: str
    encoding: str
    suffix: str
    tail: bytes = b""

    def write(self, folder: Path, stem: str) -> str:
        """Write the table; the file's name."""
        path = folder / f"{stem}{self.suffix}"
        if self.suffix == ".csv":
            text = io.StringIO()
            csv.writer(text, delimiter=self.separator).writerows([self.headers, *self.rows])
            content = text.getvalue().encode(self.encoding, errors="replace")
            path.write_bytes(content + self.tail)
        else:
            frame = pd.DataFrame(self.rows, columns=range(len(self.headers)), dtype="str")
            frame.columns = pd.Index(unlike(self.headers))
            frame.to_parquet(path)
        return path.name


def unlike(headers: list[str]) -> list[str]:
    """Headers made different, as Parquet asks for."""
    return [h if h not in headers[:i] else f"{h}.{i}" for i, h in enumerate(headers)]


@dataclass(frozen=True)
class ClientStudy:
    """A study file's roles over random tables."""

    accounts: ClientTable
    survey: ClientTable
    roles: dict[str, str]
    candidates: list[str] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """Write study.toml and both tables."""
        files = {"accounts": self.accounts.write(folder, "accounts"),
                 "survey": self.survey.write(folder, "survey")}  # fmt: skip
        write_toml(folder, files, self.roles, self.candidates)


def write_toml(
    folder: Path,
    files: dict[str, str],
    roles: dict[str, str],
    candidates: list[str],
    more: str = "",
) -> None:
    """A study file; texts are quoted as JSON quotes them, which TOML reads."""
    lines = ["[study]", 'name = "random"', 'currency = "EUR"', 'period = "2026"', "[data]"]
    lines += [f"{name} = {quoted(file)}" for name, file in files.items()]
    lines += ["[columns]", *(f"{role} = {quoted(name)}" for role, name in roles.items())]
    lines += ["[indicators]", f"candidates = [{', '.join(map(quoted, candidates))}]", more]
    (folder / "study.toml").write_text("\n".join(lines), encoding="utf-8")


def quoted(text: str) -> str:
    """A TOML string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


@st.composite
def spoiled_tables(draw: st.DrawFn, headers: list[str], columns: list[list[str]]) -> ClientTable:
    """A table in which some cells, rows, headers and bytes are not as they were meant."""
    rows = [list(row) for row in zip(*columns, strict=True)]
    some = draw(st.sampled_from([0, 0, 1, 4]))
    spots = st.tuples(st.integers(0, max(len(rows) - 1, 0)), st.integers(0, len(headers) - 1))
    for (row, column), value in draw(st.dictionaries(spots, CELLS, max_size=some)).items():
        if rows:
            rows[row][column] = value
    if rows and draw(st.integers(0, 5)) == 0:  # a row twice, or a row of anything at the end
        rows.append(draw(st.sampled_from(rows)) if draw(st.booleans())
                    else draw(st.lists(CELLS, min_size=len(headers), max_size=len(headers))))  # fmt: skip
    if draw(st.integers(0, 24)) == 0:
        headers = [*headers[:-1], draw(st.sampled_from([*headers, "", " "]))]
    tail = draw(st.binary(max_size=8)) if draw(st.integers(0, 14)) == 0 else b""
    return ClientTable(
        headers, rows, draw(st.sampled_from([",", ";", "\t", "|"])),
        draw(st.sampled_from(["utf-8"] * 12 + ["utf-8-sig", "gb18030", "cp1252", "utf-16"])),
        draw(st.sampled_from([".csv"] * 7 + [".parquet"])), tail,
    )  # fmt: skip


@st.composite
def client_studies(draw: st.DrawFn) -> ClientStudy:
    """Random client tables under headers of any text, near enough to a study to be read far in."""
    count = draw(st.sampled_from([0, 1, 7, 12, 12, 12, 20, 20, 30]))
    names = draw(st.lists(NAMES, min_size=6, max_size=6, unique=True))
    if draw(st.integers(0, 19)) == 0:
        names[draw(st.integers(0, 5))] = draw(ANY_TEXT)
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    area = np.exp(5 + 0.6 * rng.standard_normal(count))
    potential = area * 40 * np.exp(0.3 * rng.standard_normal(count))
    columns = [
        [f"{i:03d}" for i in range(count)],
        [str(v) for v in (potential * rng.beta(2, 5, count)).round(2)],
        [str(v) for v in area.round(1)],
        list(rng.choice(["N", "S", "W"], count)),
    ]
    kind = draw(st.sampled_from(["given", "given", "given", "anything"]))
    column = draw(st.lists(CELLS, min_size=count, max_size=count)) if kind == "anything" else None
    columns.append(column or [str(v) for v in rng.poisson(4, count)])
    accounts = draw(spoiled_tables(names[:5], columns))
    survey = [columns[0], [str(v) for v in potential.round(2)]]
    roles = {"account": names[0], "sales": names[1], "region": names[3], "potential": names[5]}
    return ClientStudy(
        accounts, draw(spoiled_tables([names[0], names[5]], survey)), roles, [names[2], names[4]]
    )


@dataclass(frozen=True)
class SmallStudy:
    """A study that can be run: its tables as numbers and text, its candidates and settings."""

    accounts: pd.DataFrame
    survey: pd.DataFrame
    candidates: tuple[str, ...]
    settings: dict[str, str]

    def write(self, folder: Path) -> Path:
        """Write the study file and both tables; its folder."""
        self.accounts.to_csv(folder / "accounts.csv", index=False)
        self.survey.to_csv(folder / "survey.csv", index=False)
        roles = {
            role: role for role in ("account", "sales", "region", "segment", "rep", "potential")
        }
        files = {"accounts": "accounts.csv", "survey": "survey.csv"}
        write_toml(folder, files, roles, list(self.candidates))
        return folder


SETTINGS = {
    "formula.form": ["linear", "log"], "formula.evidence": ["formula", "formula+sales"],
    "formula.criterion": ["cv", "one-se"], "formula.confidence": ["0.5", "0.98"],
    "matrix.potential_cut": ["{ top = 5 }", "{ pareto = 0.7 }", "{ top = 999 }"],
    "matrix.share_cut": ["0.3", "0.99"], "indicators.max": ["1"],
    "targets.company_growth": ["0.1", "3.0", "-0.2"], "targets.close_gap": ["0", "1"],
    "teams.hunters": ["1", "30"], "teams.visits_per_rep": ["10"],
}  # fmt: skip


@st.composite
def small_studies(draw: st.DrawFn) -> SmallStudy:
    """Studies of few accounts in every shape that clients' markets have, and some that none has."""
    n = draw(st.sampled_from([12, 25, 25, 40, 60]))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    size = rng.standard_normal((n, 4)) * draw(st.sampled_from([0.3, 0.8, 1.5]))
    world = draw(st.sampled_from(["multiplicative", "multiplicative", "linear", "nothing"]))
    noise = draw(st.sampled_from([0.01, 0.2, 0.2, 0.6]))
    columns = {
        "area": np.exp(5 + size[:, 0]).round(1), "staff": rng.poisson(np.exp(1.5 + size[:, 1])),
        "score": size[:, 2].round(3), "kind": rng.choice(["mall", "street", "Ωmega"], n),
    }  # fmt: skip
    line = {"multiplicative": np.exp(4 + 0.9 * size[:, 0] + 0.4 * size[:, 1]),
            "linear": 50 + 3 * columns["area"] + 40 * columns["staff"],
            "nothing": np.full(n, 300.0)}[world]  # fmt: skip
    potential = (
        line * np.exp(noise * rng.standard_normal(n)) * np.where(columns["kind"] == "mall", 2, 1)
    )
    odd = draw(
        st.sampled_from(["", "", "", "gaps", "twin", "all alike", "typing error", "many zeros"])
    )
    if odd == "gaps":
        columns["area"] = np.where(rng.random(n) < 0.2, np.nan, columns["area"])
    elif odd == "twin":
        columns["score"] = 3 * columns["area"] + 1
    elif odd == "all alike":
        potential = np.full(n, 500.0)
    elif odd == "typing error":
        columns["area"][n // 2] *= 1000
        potential[n // 3] *= 10
    elif odd == "many zeros":
        columns["staff"] = np.where(rng.random(n) < 0.7, 0, columns["staff"])
    share = rng.beta(2, 5, n) * (rng.random(n) > draw(st.sampled_from([0.0, 0.3])))
    accounts = pd.DataFrame({
        "account": [f"{i:03d}" for i in range(n)], "sales": (potential * share).round(2),
        "region": rng.choice(["N", "S"], n), "segment": rng.choice(["", "x", "y"], n),
        "rep": rng.choice(["", "Ana", "Bo"], n), **columns,
    })  # fmt: skip
    asked = rng.choice(n, draw(st.sampled_from([7, n // 2, n // 2, n])), replace=False)
    survey = accounts[["account"]].assign(potential=potential.round(2)).iloc[np.sort(asked)]
    keys = draw(st.lists(st.sampled_from(sorted(SETTINGS)), max_size=3, unique=True))
    chosen = draw(st.permutations(list(columns)))[: draw(st.integers(1, 4))]
    settings = {key: draw(st.sampled_from(SETTINGS[key])) for key in keys}
    return SmallStudy(accounts, survey, tuple(chosen), settings)
