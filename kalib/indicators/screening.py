"""Indicators: screened, suspected entries set aside, gaps filled, and encoded as a design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from kalib.indicators.imputation import fill_gaps
from kalib.indicators.terms import LEAST_LOGGED
from kalib.indicators.typos import judge_entries
from kalib.study.kept import kept
from kalib.study.settings import Indicators
from kalib.tables.client import Tables
from kalib.tables.copies import find_copies
from kalib.tables.visits import Potential
from kalib.words.catalogue import Message

# An indicator more than half missing says more about who answered than about potential.
MISSING_MOST = 0.5
# |r| above which two indicators carry the same information to three digits.
SAME_CORRELATION = 0.999
PRECEDENT, PRECEDENT_RANGES = 10.0, 2.0  # as a factor where logs are taken, in ranges elsewhere
RARE_LEVEL = 4  # surveyed accounts a category needs before it can have its own coefficient


@dataclass(frozen=True)
class Screening:
    """What became of each candidate.

    frame: DataFrame indexed by indicator with kind ("numeric" | "text"), missing (fraction of
    accounts), distinct (count among surveyed accounts), kept (bool), copy (bool: it repeats
    answers, sales or a list, see `find_copies`), reason (str).
    suspects: DataFrame (account, entry, value, expected_low, expected_high, cause), indicator
    entries that look like typing errors; they are treated as missing.
    values: DataFrame (N accounts x kept indicators), complete: gaps and suspects filled.
    imputed: DataFrame of bool, same shape, True where a value was filled.
    imputation_sd: standard deviation of the fill, per numeric indicator, in log units where the
    indicator is positive and in its own units elsewhere.
    sales: own sales of all N accounts, currency a year.
    places: DataFrame (N x region, segment, parent) of those that are known, "" where not.
    rules: what the study says of the candidates.
    """

    frame: pd.DataFrame
    suspects: pd.DataFrame
    values: pd.DataFrame
    imputed: pd.DataFrame
    imputation_sd: Mapping[str, float]
    sales: pd.Series
    places: pd.DataFrame
    rules: Indicators

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of the indicators kept, in the order of the study file."""
        return tuple(self.frame.index[self.frame["kept"]])

    @property
    def copies(self) -> dict[str, str]:
        """Candidates set aside as copies -> of what."""
        return dict(self.frame.loc[self.frame["copy"].astype(bool), "reason"])


@dataclass(frozen=True)
class Column:
    """One design column: an indicator, or one level of a text indicator.

    transform is "identity", "log" (natural log of value + shift) or "level" (1 where the value
    equals level, else 0); baseline: the level without a column, that the others are told against.
    """

    indicator: str
    level: str
    transform: str
    shift: float
    baseline: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        """Readable name of the column, e.g. "log area" or "format = hyper"."""
        if self.transform == "level":
            return f"{self.indicator} = {self.level}"
        return f"log {self.indicator}" if self.transform == "log" else self.indicator

    def encode(self, values: pd.Series) -> np.ndarray:
        """Values of one indicator (N,) as a design column (N,)."""
        if self.transform == "level":
            return (values.astype(str) == self.level).to_numpy(float)
        numbers = values.to_numpy(float)
        if self.transform == "log":
            return np.log(np.maximum(numbers + self.shift, LEAST_LOGGED))
        return numbers


@dataclass(frozen=True)
class Design:
    """Candidates encoded for one form: matrix (N, p), its columns and the groups they form."""

    matrix: np.ndarray
    columns: tuple[Column, ...]
    indicators: tuple[str, ...]
    groups: tuple[tuple[int, ...], ...]  # per indicator, its column numbers

    def groups_of(self, names: Sequence[str]) -> list[int]:
        """Group numbers of the named indicators; names that were not kept are passed over."""
        return [self.indicators.index(name) for name in names if name in self.indicators]


@kept
def screen(tables: Tables, potential: Potential) -> Screening:
    """Sort the candidates into usable and not, and fill the gaps of those kept.

    Parameters
    ----------
    tables : Tables
        Its `candidates` are N rows, float with NaN or text with None.
    potential : Potential
        Of the surveyed accounts.

    Returns
    -------
    Screening
        `frame` says of each candidate whether it was kept and why not; `suspects` are entries that
        look like typing errors.

    Examples
    --------
    >>> tables = read_tables(read_study("data/fmcg-supermarkets"))
    >>> screening = screen(tables, known_potential(tables))
    >>> screening.kept[:3]
    ('floor_area_m2', 'cash_registers', 'hours')
    """
    accounts = tables.candidates
    surveyed = accounts.index.isin(potential.frame.index)
    copies = find_copies(tables, potential.frame["potential"])
    related = accounts[list(tables.rules.candidates)].corr(numeric_only=True, min_periods=3)
    alike = related.abs() > SAME_CORRELATION
    rows: list[tuple[object, ...]] = []
    kept: list[str] = []
    for name in tables.rules.candidates:
        column = accounts[name]
        kind = "numeric" if pd.api.types.is_numeric_dtype(column) else "text"
        reason = copies.get(name) or _why_not(column, column[surveyed])
        reason = reason or _repeats(accounts, kept, name, alike)
        if not reason:
            kept.append(name)
        distinct = column[surveyed].nunique()
        rows.append((kind, column.isna().mean(), distinct, not reason, name in copies, reason))
    columns = ["kind", "missing", "distinct", "kept", "copy", "reason"]
    index = pd.Index(tables.rules.candidates, name="indicator")
    frame = pd.DataFrame(rows, index, columns)
    # Messages stay messages, which a column of text would forget.
    frame["reason"] = pd.Series([row[-1] for row in rows], index, dtype=object)
    believed, suspects = judge_entries(accounts[kept])
    values, imputed, spread = fill_gaps(believed)
    return Screening(
        frame, suspects, values, imputed, spread,
        tables.accounts["sales"], _places(tables.accounts), tables.rules,
    )  # fmt: skip


def _places(accounts: pd.DataFrame) -> pd.DataFrame:
    """Parent, region and segment of all accounts (N rows), of those columns that say anything."""
    known = {name: accounts[name].fillna("").astype(str) for name in ("parent", "region", "segment")
             if name in accounts and accounts[name].nunique() > 1}  # fmt: skip
    return pd.DataFrame(known, index=accounts.index)


def build_design(screening: Screening, surveyed: np.ndarray, *, logged: bool) -> Design:
    """Encode the kept indicators of all accounts; surveyed (N,) bool decides the levels."""
    columns: list[Column] = []
    groups: list[tuple[int, ...]] = []
    for name in screening.kept:
        new = _columns_of(name, screening.values[name], surveyed, logged)
        groups.append(tuple(range(len(columns), len(columns) + len(new))))
        columns += new
    matrix = encode(screening.values, columns)
    for j, column in enumerate(columns if surveyed.any() else ()):
        matrix[:, j] = _held(matrix[:, j], column, screening.values[column.indicator], surveyed)
    return Design(matrix, tuple(columns), screening.kept, tuple(groups))


def _held(
    encoded: np.ndarray, column: Column, values: pd.Series, surveyed: np.ndarray
) -> np.ndarray:
    """A design column (N,) held to what was surveyed.

    Numbers end at ten times that, or what 99 of 100 accounts have where that is more (two ranges
    beyond, where no logs are taken): one entry of 9,999,999 decides no total. Levels that no
    surveyed account has get the mean of the surveyed ones, or they would count as the commonest.
    """
    known = encoded[surveyed]
    if column.transform == "level":
        return np.where(values.isin(values[surveyed].unique()), encoded, known.mean())
    low, high = np.quantile(encoded, [0.01, 0.99])
    low, high = min(low, known.min()), max(high, known.max())
    reach = np.log(PRECEDENT) if column.transform == "log" else PRECEDENT_RANGES * (high - low)
    return encoded.clip(low - reach, high + reach)


def encode(values: pd.DataFrame, columns: Sequence[Column]) -> np.ndarray:
    """Complete indicator values (N rows) as a design matrix (N, len(columns))."""
    matrix = np.empty((len(values), len(columns)))
    for j, column in enumerate(columns):
        matrix[:, j] = column.encode(values[column.indicator])
    return matrix


def _why_not(column: pd.Series, known: pd.Series) -> str:
    """Why an indicator can't be used on its own account; "" if it can."""
    if known.nunique() < 2:
        return "constant among the surveyed accounts"
    if column.isna().mean() > MISSING_MOST:
        return Message("i_missing", share=float(column.isna().mean()))
    counts = known.value_counts()
    if not pd.api.types.is_numeric_dtype(column) and (counts >= RARE_LEVEL).sum() < 2:
        return Message("i_rare", n=len(counts), count=RARE_LEVEL)
    return ""


def _repeats(values: pd.DataFrame, kept: list[str], name: str, alike: pd.DataFrame) -> str:
    """Which of the columns kept says the same as this one; "" if none does."""
    near = set(alike.index[alike[name]]) if name in alike else set(kept)
    for other in (one for one in kept if one in near):
        if values[name].equals(values[other]):
            return Message("i_same", other=other)
        if name in alike:
            return Message("i_says_same", other=other)
    return ""


def _columns_of(name: str, values: pd.Series, surveyed: np.ndarray, logged: bool) -> list[Column]:
    """Design columns of one indicator."""
    if not pd.api.types.is_numeric_dtype(values):
        counts = values[surveyed].value_counts()
        levels = sorted(counts.index[counts >= RARE_LEVEL].astype(str))
        baseline = str(counts.index[0])
        return [Column(name, each, "level", 0.0, baseline) for each in levels if each != baseline]
    if not logged or (values < 0).any():
        return [Column(name, "", "identity", 0.0)]
    # Half the smallest positive value keeps a zero below every other account and finite.
    shift = float(values[values > 0].min() / 2) if (values == 0).any() else 0.0
    return [Column(name, "", "log", shift)]
