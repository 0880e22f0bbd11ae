"""Real data sets that packages ship, as wallets: who spends how much, and how much of it on us.

Nothing is copied: files are read where pip or apt put them, and their sha256 is checked.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd
from catalog import CATALOG, ORANGE_JUICE, Entry

MOST_ACCOUNTS = 600  # of a set: larger ones are sampled, another sample every seed
BUYS_NOTHING, SHARE = 0.12, (2.0, 4.0)  # of simulated own sales: zeros, beta parameters of SOW
BRANDS = range(1, 12)


@dataclass(frozen=True)
class WalletSet:
    """One set and one seed, ready to be studied.

    frame: N accounts by id with own sales (currency) and the candidates; truth (N,): potential;
    surveyed (N,) bool; real: own sales are real, not simulated; half: "choosing" or "reporting".
    """

    name: str
    seed: int
    half: str
    real: bool
    frame: pd.DataFrame
    truth: pd.Series
    surveyed: np.ndarray
    candidates: tuple[str, ...]

    @property
    def kind(self) -> str:
        """Which of the three tables it belongs to."""
        if self.name.startswith("juice"):
            return "brands"
        return "real sales" if self.real else "simulated sales"


def names(only: str = "") -> list[str]:
    """All sets whose name holds this text."""
    every = [*CATALOG, *(f"juice {brand}" for brand in BRANDS)]
    return [name for name in every if only in name]


def read_set(name: str, seed: int) -> WalletSet:
    """One set, its sample, survey and simulated sales drawn by the seed."""
    if name.startswith("juice"):
        return _juice(int(name.split()[1]), seed)
    return _from_entry(CATALOG[name], seed)


def _from_entry(entry: Entry, seed: int) -> WalletSet:
    table = read_table(entry)
    if entry.keep:
        table = table[entry.keep(table)]
    rng = np.random.default_rng([seed, crc32(entry.name.encode())])
    own = entry.sales(table) if entry.sales else pd.Series(0.0, table.index)
    frame = table[list(entry.candidates)].assign(own_sales=own.astype(float))
    frame["truth"] = entry.wallet(table).astype(float)
    frame = frame[(frame["truth"] > 0) & (frame["own_sales"] <= frame["truth"])]
    frame = frame.dropna(subset=["truth", "own_sales"])
    frame = frame.iloc[rng.permutation(len(frame))[:MOST_ACCOUNTS]]
    if not entry.sales:
        frame["own_sales"] = frame["truth"] * _simulated_share(frame["truth"], entry.slope, rng)
    return _ready(entry.name, seed, entry.half, bool(entry.sales), frame, entry, rng)


def _simulated_share(truth: pd.Series, slope: float, rng: np.random.Generator) -> np.ndarray:
    """SOW (N,): beta about a mean whose logit goes with the log wallet by slope; some zeros."""
    a, b = SHARE
    size = np.log(truth)
    logit = np.log(a / b) + slope * ((size - size.mean()) / size.std()).to_numpy()
    mean = 1 / (1 + np.exp(-logit))
    share = rng.beta((a + b) * mean, (a + b) * (1 - mean))
    return np.where(rng.random(len(truth)) < BUYS_NOTHING, 0.0, share)


def _juice(brand: int, seed: int) -> WalletSet:
    """A brand of refrigerated orange juice at 83 stores: the stores' total sales are the wallet."""
    sales, stores = _orange_juice()
    rng = np.random.default_rng([seed, brand])
    frame = stores.assign(own_sales=sales[brand], truth=sales.sum(axis=1))
    half = "choosing" if brand % 2 else "reporting"
    return _ready(f"juice {brand}", seed, half, True, frame, ORANGE_JUICE, rng)


def _ready(
    name: str, seed: int, half: str, real: bool, frame: pd.DataFrame, entry: Entry,
    rng: np.random.Generator,
) -> WalletSet:  # fmt: skip
    frame = frame.set_index("a" + pd.RangeIndex(len(frame)).astype(str))
    surveyed = np.zeros(len(frame), dtype=bool)
    surveyed[rng.permutation(len(frame))[: entry.survey]] = True
    candidates = {old: old.lower().replace(".", "_") for old in entry.candidates}
    frame = frame.rename(columns=candidates)
    for name_ in candidates.values():
        if not pd.api.types.is_numeric_dtype(frame[name_]) or frame[name_].dtype == bool:
            frame[name_] = frame[name_].astype(str)
    truth = frame.pop("truth")
    return WalletSet(name, seed, half, real, frame, truth, surveyed, tuple(candidates.values()))


@cache
def read_table(entry: Entry) -> pd.DataFrame:
    """The table of a package as it is, where its file is the one that was measured."""
    spec = find_spec(entry.package)
    if spec is None or not spec.origin:
        raise SystemExit(f'{entry.package} is missing: pip install -e ".[benchmark]"')
    file = Path(spec.origin).parent / entry.file
    _check(file, entry.sha256)
    if file.suffix == ".compress":
        return pd.read_pickle(file, compression="xz")
    return pd.read_csv(file).rename(columns=str.strip)


def _check(file: Path, sha256: str) -> None:
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if found != sha256:
        raise SystemExit(f"{file} is not the file that was measured: sha256 {found}")


@cache
def _orange_juice() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Units sold by store and brand over all weeks, and the stores' surroundings."""
    import rdata

    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["apt-get", "download", "-qq", "r-cran-bayesm"], cwd=folder, check=True,
                       stderr=subprocess.DEVNULL)  # fmt: skip
        package = next(Path(folder).glob("*.deb"))
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
        file = Path(folder) / ORANGE_JUICE.file
        _check(file, ORANGE_JUICE.sha256)
        tables = rdata.read_rda(file)["orangeJuice"]
    weeks, stores = tables["yx"], tables["storedemo"].set_index("STORE")
    units = np.exp(weeks["logmove"]).groupby([weeks["store"], weeks["brand"]]).sum().unstack()
    units.columns = units.columns.astype(int)
    units.index = units.index.astype(int)
    stores.index = stores.index.astype(int)
    return units.reindex(stores.index).fillna(0.0), stores
