"""Indicators: screened, suspected entries set aside, gaps filled, and encoded as a design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kalib.imputation import dummies, fill_gaps, working_scale
from kalib.robust import SUSPECT_Z, robust_line, robust_scale, typing_cause

# An indicator more than half missing says more about who answered than about potential.
MISSING_MOST = 0.5
# |r| above which two indicators carry the same information to three digits.
SAME_CORRELATION = 0.999
RARE_LEVEL = 4  # surveyed accounts a category needs before it can have its own coefficient
LEAST_LOGGED = 1e-12  # what a logarithm is taken of at least
MOST_ERRORS = 0.03  # of one column's entries; more are a feature of the accounts
# Two-sided normal probabilities: beyond 3, beyond SUSPECT_Z, from 2.5 to SUSPECT_Z.
NORMAL_BEYOND_3, NORMAL_BEYOND_SUSPECT, NORMAL_IN_TAIL = 0.0027, 0.00047, 0.0120
SUSPECT_COLUMNS = ["account", "entry", "value", "expected_low", "expected_high", "cause"]


@dataclass(frozen=True)
class Screening:
    """What became of each candidate.

    frame: DataFrame indexed by indicator with kind ("numeric" | "text"), missing (fraction of
        accounts), distinct (count among surveyed accounts), kept (bool), reason (str).
    suspects: DataFrame (account, entry, value, expected_low, expected_high, cause), indicator
        entries that look like typing errors; they are treated as missing.
    values: DataFrame (N accounts x kept indicators), complete: gaps and suspects filled.
    imputed: DataFrame of bool, same shape, True where a value was filled.
    imputation_sd: standard deviation of the fill, per numeric indicator, in log units where the
        indicator is positive and in its own units elsewhere.
    """

    frame: pd.DataFrame
    suspects: pd.DataFrame
    values: pd.DataFrame
    imputed: pd.DataFrame
    imputation_sd: Mapping[str, float]

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of the indicators kept, in the order of the study file."""
        return tuple(self.frame.index[self.frame["kept"]])


@dataclass(frozen=True)
class Column:
    """One design column: an indicator, or one level of a text indicator.

    transform is "identity", "log" (natural log of value + shift) or "level" (1 where the value
    equals level, else 0).
    """

    indicator: str
    level: str
    transform: str
    shift: float

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


def screen(accounts: pd.DataFrame, potential: pd.Series, candidates: Sequence[str]) -> Screening:
    """Sort the candidates into usable and not, and fill the gaps of those kept.

    accounts: N rows with the candidate columns (float, or text with None).
    potential: potential of the surveyed accounts, currency a year, indexed by account.
    """
    surveyed = accounts.index.isin(potential.index)
    rows: list[dict[str, object]] = []
    kept: list[str] = []
    for name in candidates:
        column = accounts[name]
        numeric = pd.api.types.is_numeric_dtype(column)
        reason = _why_not(column, column[surveyed], numeric) or _repeats(accounts, name, kept)
        if not reason:
            kept.append(name)
        rows.append(
            {
                "indicator": name,
                "kind": "numeric" if numeric else "text",
                "missing": float(column.isna().mean()),
                "distinct": int(column[surveyed].nunique()),
                "kept": not reason,
                "reason": reason,
            }
        )
    columns = ["indicator", "kind", "missing", "distinct", "kept", "reason"]
    frame = pd.DataFrame(rows, columns=columns).set_index("indicator")
    values, suspects = _set_aside_suspects(accounts[kept])
    values, imputed, spread = fill_gaps(values)
    return Screening(frame, suspects, values, imputed, spread)


def build_design(screening: Screening, surveyed: np.ndarray, *, logged: bool) -> Design:
    """Encode the kept indicators of all accounts; surveyed (N,) bool decides the levels."""
    columns: list[Column] = []
    groups: list[tuple[int, ...]] = []
    for name in screening.kept:
        new = _columns_of(name, screening.values[name], surveyed, logged)
        groups.append(tuple(range(len(columns), len(columns) + len(new))))
        columns += new
    return Design(encode(screening.values, columns), tuple(columns), screening.kept, tuple(groups))


def encode(values: pd.DataFrame, columns: Sequence[Column]) -> np.ndarray:
    """Complete indicator values (N rows) as a design matrix (N, len(columns))."""
    matrix = np.empty((len(values), len(columns)))
    for j, column in enumerate(columns):
        matrix[:, j] = column.encode(values[column.indicator])
    return matrix


def _why_not(column: pd.Series, known: pd.Series, numeric: bool) -> str:
    """Why an indicator can't be used on its own account; "" if it can."""
    if known.nunique() < 2:
        return "constant among the surveyed accounts"
    if column.isna().mean() > MISSING_MOST:
        return f"missing for {column.isna().mean():.0%} of the accounts"
    if not numeric:
        counts = known.value_counts()
        if (counts >= RARE_LEVEL).sum() < 2:
            return (
                f"text with {len(counts)} values, fewer than two of them in "
                f"{RARE_LEVEL} surveyed accounts"
            )
    return ""


def _repeats(accounts: pd.DataFrame, name: str, kept: Sequence[str]) -> str:
    """Which kept indicator says the same; "" if none does."""
    column = accounts[name]
    for other in kept:
        twin = accounts[other]
        if column.dtype != twin.dtype:
            continue
        if column.equals(twin.rename(name)):
            return f"the same as {other}"
        if pd.api.types.is_numeric_dtype(column):
            both = (column.notna() & twin.notna()).to_numpy()
            x, y = column.to_numpy()[both], twin.to_numpy()[both]
            if len(x) > 2 and x.std() > 0 and y.std() > 0:
                if abs(np.corrcoef(x, y)[0, 1]) > SAME_CORRELATION:
                    return f"says the same as {other}"
    return ""


def _set_aside_suspects(values: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Entries a factor of ten from what the other indicators say become missing, and are listed.

    One entry an account and round, the worst first: a wrong entry spoils the expectation of the
    account's other entries too.
    """
    values = values.copy()
    found: list[dict[str, object]] = []
    for _ in range(2):
        new = _suspects_of_round(values)
        if not new:
            break
        for entry in new:
            values.at[entry["account"], entry["entry"]] = np.nan
        found += new
    return values, pd.DataFrame(found, columns=SUSPECT_COLUMNS)


def _suspects_of_round(values: pd.DataFrame) -> list[dict[str, object]]:
    """The worst suspect entry of each account, as rows of the suspects table."""
    scale, logged = working_scale(values)
    names = [n for n in scale.columns if n in logged and values[n].nunique() > 5]
    if len(names) < 2 or len(values) < 20:
        return []
    filled = working_scale(fill_gaps(values)[0])[0][names]
    levels = dummies(values)
    shifts = np.zeros((len(values), len(names)))
    spreads = np.zeros(len(names))
    for j, name in enumerate(names):
        others = np.column_stack([filled.drop(columns=name).to_numpy(), levels])
        known = scale[name].notna().to_numpy()
        line = robust_line(others[known], filled[name].to_numpy()[known], rounds=10)
        residual = filled[name].to_numpy() - line[0] - others @ line[1:]
        spreads[j] = robust_scale(residual[known], len(line))
        shifts[:, j] = np.where(known, residual, 0.0)
        own = filled[name].to_numpy()[known]
        if not _tells_errors(residual[known], spreads[j], robust_scale(own - np.median(own))):
            shifts[:, j] = 0.0
    z = np.abs(shifts) / np.where(spreads > 0, spreads, np.inf)
    worst = z.argmax(axis=1)
    found: list[dict[str, object]] = []
    for i in np.flatnonzero(z.max(axis=1) > SUSPECT_Z):
        j = worst[i]
        cause = typing_cause(shifts[i, j], spreads[j])
        if not cause.startswith("a factor"):
            continue  # an unusual account is not an error
        value = float(values[names[j]].iloc[i])
        middle = value / np.exp(shifts[i, j])
        margin = np.exp(1.645 * spreads[j])
        row = (values.index[i], names[j], value, middle / margin, middle * margin, cause)
        found.append(dict(zip(SUSPECT_COLUMNS, row, strict=True)))
    return found


def _tells_errors(residual: np.ndarray, spread: float, own_spread: float) -> bool:
    """Whether a column's residuals (n,) set typing errors apart from unusual accounts.

    The others must say enough of the column; the errors must be few; and there must be a gap:
    where clearly more residuals than the normal curve has lie between the bulk and a factor of
    ten, the tail is only long.
    """
    if spread <= 0:
        return False
    size = np.abs(residual)
    if spread > 0.8 * own_spread:
        # The others say little: only a crowd far out, behind a tail no longer than the normal
        # curve's, is a crowd of errors. A lone extreme may be the largest account of all.
        far = residual[size > SUSPECT_Z * spread]
        tail = residual[(size > 2.5 * spread) & (size <= SUSPECT_Z * spread)]
        short = all(
            ((tail * side) > 0).sum()
            <= 0.75 * NORMAL_IN_TAIL * len(size) + 0.35 * ((far * side) > 0).sum() + 2
            for side in (-1, 1)
        )
        return short and len(far) >= 4 + 3 * NORMAL_BEYOND_SUSPECT * len(size)
    at_ten = np.abs(size - np.log(10)) < 2 * spread
    between = (size > 3 * spread) & (size < np.log(10) - 2 * spread)
    few = at_ten.sum() <= max(MOST_ERRORS * len(size), 2)
    return bool(few and between.sum() <= at_ten.sum() + 2 * NORMAL_BEYOND_3 * len(size))


def _columns_of(name: str, values: pd.Series, surveyed: np.ndarray, logged: bool) -> list[Column]:
    """Design columns of one indicator."""
    if not pd.api.types.is_numeric_dtype(values):
        counts = values[surveyed].value_counts()
        levels = sorted(counts.index[counts >= RARE_LEVEL].astype(str))
        baseline = str(counts.index[0])
        return [Column(name, level, "level", 0.0) for level in levels if level != baseline]
    if not logged or (values < 0).any():
        return [Column(name, "", "identity", 0.0)]
    # Half the smallest positive value keeps a zero below every other account and finite.
    shift = float(values[values > 0].min() / 2) if (values == 0).any() else 0.0
    return [Column(name, "", "log", shift)]
