"""Write the tables of the gallery's studies from the packages that ship them.

python benchmarks/real/gallery.py [FOLDER] writes accounts.csv, survey.csv and truth.csv beside each
study.toml below docs/gallery. Nothing of the packages is kept in the repository. Who buys how much
is theirs; what of it is bought from us is simulated where the codebook says so.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))
from catalog import CATALOG, Entry
from sets import BUYS_NOTHING, SHARE, read_table

FOLDER = Path(__file__).parents[2] / "docs/gallery"
LIFE, PRICE = 4, 1_500  # of a school's computer: years, USD
DAYS = 365
Table = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]


@dataclass(frozen=True)
class Study:
    """entry: where the packages keep the table; accounts: account, what a run reads, potential;
    surveyed: how many accounts are asked, drawn by the seed that the name gives."""

    entry: Entry
    accounts: Table
    surveyed: int


def _sales(potential: pd.Series, rng: np.random.Generator) -> pd.Series:
    """Potential times a share of wallet: nothing for some accounts, else a beta distribution."""
    share = rng.beta(*SHARE, len(potential)) * (rng.random(len(potential)) >= BUYS_NOTHING)
    return (potential * share).round()


def _stores(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    names = {
        "ssize": "floor_area_m2", "hoursw": "hours_worked", "nfull": "full_timers",
        "npart": "part_timers", "naux": "helpers", "nown": "owners",
        "inv1": "invested_in_premises", "inv2": "invested_in_automation",
    }  # fmt: skip
    frame = table[list(names)].rename(columns=names).round(2)
    frame.insert(0, "store", [f"S{row:03d}" for row in table["rownames"]])
    return frame.assign(own_sales=_sales(table["tsales"], rng), potential=table["tsales"])


def _schools(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    table = table[table["computer"] > 0]  # the others may not have reported
    plain = ["students", "teachers", "grades"]
    shares = {"lunch": "reduced_lunch", "english": "english_learners", "income": "district_income"}
    frame = table[["district", "school", "county", *plain, *shares]].rename(columns=shares)
    frame = frame.rename(columns={"school": "name"}).round(2)
    potential = table["computer"] / LIFE * PRICE
    return frame.assign(own_sales=_sales(potential, rng), potential=potential)


def _routes(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    year = table[table["year"] == 2000]
    frame = year[["dist", "fare"]].rename(columns={"dist": "distance_miles", "fare": "fare_usd"})
    frame.insert(0, "route", [f"R{number:04d}" for number in year["id"]])
    potential = year["passen"] * DAYS
    return frame.assign(own_sales=(potential * year["bmktshr"]).round(), potential=potential)


def _farms(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    first = table[~table["id"].duplicated()]
    names = {
        "status": "tenure", "varieties": "varieties", "famlabor": "family_hours", "wage": "wage",
        "pseed": "seed_price", "price": "rice_price", "size": "rice_area_ha",
    }  # fmt: skip
    frame = first[list(names)].rename(columns=names)
    frame.insert(0, "farm", "F" + first["id"].astype(str))
    potential = (first["urea"] * first["purea"]).round()
    few = rng.random(len(first)) < 0.08  # a new dealer has few customers
    return frame.assign(own_sales=_sales(potential, rng) * few, potential=potential)


STUDIES = {
    "clothing-stores": Study(CATALOG["clothing stores"], _stores, 90),
    "school-computers": Study(CATALOG["school districts"], _schools, 90),
    "air-routes": Study(CATALOG["air routes"], _routes, 120),
    "rice-farms": Study(CATALOG["rice farms"], _farms, 60),
}


def write(name: str, folder: Path) -> None:
    """The three tables of one study."""
    study = STUDIES[name]
    rng = np.random.default_rng(crc32(name.encode()))
    frame = study.accounts(read_table(study.entry), rng)
    key = frame.columns[0]
    truth = frame[[key, "potential"]]
    asked = np.sort(rng.permutation(len(frame))[: study.surveyed])
    tables = {
        "accounts": frame.drop(columns="potential"),
        "survey": truth.iloc[asked],
        "truth": truth,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for table, rows in tables.items():
        rows.to_csv(folder / f"{table}.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    for title in STUDIES:
        write(title, place / title)
