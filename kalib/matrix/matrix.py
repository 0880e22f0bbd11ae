"""The attack-and-defense matrix: zones, how sure they are, and the key accounts re-divided."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kalib.study.kept import kept
from kalib.study.settings import ZONES, Cut, MatrixSettings
from kalib.wallet.wallet import Wallet

DRAWS = 4000
BLOCK_CELLS = 16_000_000  # draws x accounts held at once by a thread: about 150 MB
SAMPLED = 32  # one account in so many tells where the cut lies
THREADS = 2  # numpy lets go of the interpreter in all that is slow here
UNDECIDED = 0.7  # below this probability of the best zone an account is shown as undecided
SEED = 11
RANKING_DRAWS = 400  # for counts of a list
CHANCES = [f"p_{zone}" for zone in ZONES]  # columns of the zones' probabilities


@dataclass(frozen=True, repr=False)
class Matrix:
    """Zones of all N accounts.

    accounts: the wallet's frame with zone, zone_probability, p_attack, p_defense, p_maintenance,
    p_watch, top_probability (of high potential), key_account, key_account_by_sales, change, and
    the flags "undecided" and "border". potential_cut: currency a year, and sow_cut, a fraction:
    the lines between the zones, across which a border case's point lies; market_share: fraction;
    counts: accounts by zone; ranking: what the sales ranking misses, see `compare_rankings`;
    wallet: what the accounts were placed by.
    """

    accounts: pd.DataFrame
    potential_cut: float
    sow_cut: float
    market_share: float
    counts: Mapping[str, int]
    ranking: Mapping[str, float]
    wallet: Wallet

    def __repr__(self) -> str:
        return ", ".join(f"{zone}: {count:,}" for zone, count in self.counts.items())


def potential_cut(potential: np.ndarray, cut: Cut) -> float:
    """The potential at which "high" begins, currency a year; potential (n,) without NaN."""
    if len(potential) == 0:
        return float("nan")
    if cut.kind == "value":
        return cut.value
    if cut.kind == "quantile":
        return float(np.quantile(potential, cut.value))
    ordered = np.sort(potential)[::-1]
    if cut.kind == "top":
        return float(ordered[min(int(cut.value), len(ordered)) - 1])
    running = np.cumsum(ordered)
    place = int(np.searchsorted(running, cut.value * running[-1] * (1 - 1e-12)))
    return float(ordered[min(place, len(ordered) - 1)])


def assign_zones(
    potential: pd.Series, sow: pd.Series, potential_cut: float, sow_cut: float
) -> pd.Series:
    """Zone by account where potential is certain; "" where it is unknown.

    At or above a cut counts as high. Estimates are placed by `place_accounts`.
    """
    return _zones(potential >= potential_cut, sow >= sow_cut, potential.notna())


def _zones(high: pd.Series, loyal: pd.Series | np.ndarray, known: pd.Series) -> pd.Series:
    """Zone by account, "" where potential is not known."""
    key, other = np.where(loyal, "defense", "attack"), np.where(loyal, "maintenance", "watch")
    zone = np.where(known, np.where(high, key, other), "")
    return pd.Series(zone, index=known.index, dtype="str")


def key_accounts(chance: pd.Series, potential: pd.Series, cut: Cut) -> pd.Series:
    """The K accounts with the largest chance of high potential, as booleans (n,).

    chance: top_probability by account, NaN where unknown; ties go to the larger potential, then
    to the smaller id. K is the number that the cut asks for (quantile, top), or else the expected
    number of accounts of high potential (value, pareto).
    """
    known = int(chance.notna().sum())
    if cut.kind == "quantile":
        size = known - int(np.ceil(cut.value * (known - 1) - 1e-9)) if known else 0
    elif cut.kind == "top":
        size = min(int(cut.value), known)
    else:
        size = int(np.floor(chance.sum() + 0.5))
    size = min(size, int((chance > 0).sum()))
    ids = chance.sort_index().index
    order = np.lexsort((-potential[ids].to_numpy(), -chance[ids].to_numpy()))
    return pd.Series(chance.index.isin(ids[order[:size]]), index=chance.index)


def place_accounts(accounts: pd.DataFrame, cut: Cut, sow_cut: float) -> pd.Series:
    """Zone by account from its probabilities; "" where potential is unknown.

    accounts: potential, sow and the columns of `zone_probabilities`. A key account (see
    `key_accounts`) is in attack where that is likelier than defense, another in watch where that
    is likelier than maintenance; where both are equally likely, its SOW against the cut says.
    """
    key = key_accounts(accounts["top_probability"], accounts["potential"], cut)
    gap = np.where(key, accounts["p_attack"] - accounts["p_defense"],
                   accounts["p_watch"] - accounts["p_maintenance"])  # fmt: skip
    loyal = np.where(gap == 0, accounts["sow"] >= sow_cut, gap < 0)
    return _zones(key, loyal, accounts["potential"].notna())


def draw_potential(wallet: Wallet, rows: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Joint draws (size, len(rows)) of the potential of some accounts (`Distribution.draws`)."""
    return wallet.distribution[rows].draws(size, wallet.loadings[rows], seed)


def zone_probabilities(
    wallet: Wallet, settings: MatrixSettings, draws: int = DRAWS
) -> pd.DataFrame:
    """How often each account falls in each zone, all potentials drawn anew together.

    In each draw the potential cut and, where the study asks for it, the market share are computed
    anew. Returns p_attack, p_defense, p_maintenance, p_watch, top_probability (N rows), NaN where
    potential is unknown.
    """
    accounts = wallet.accounts
    rows = np.flatnonzero(accounts["potential"].notna())
    sales = accounts["sales"].to_numpy(np.float32)[rows]
    result = pd.DataFrame(np.nan, index=accounts.index, columns=[*CHANCES, "top_probability"])
    if len(rows) == 0:
        return result
    block = max(1, min(draws, BLOCK_CELLS // len(rows)))
    starts = range(0, draws, block)

    def count(start: int) -> np.ndarray:
        potential = draw_potential(wallet, rows, min(block, draws - start), SEED + start)
        return _count_zones(potential, sales, settings)

    # Counts are whole numbers: their sum is the same in whatever order the threads come.
    with ThreadPoolExecutor(THREADS) as pool:
        high_count, loyal_count, both_count = np.sum(list(pool.map(count, starts)), axis=0)
    parts = (high_count - both_count, both_count, loyal_count - both_count,
             draws - high_count - loyal_count + both_count, high_count)  # fmt: skip
    result.iloc[rows] = np.column_stack(parts) / draws
    nobody = accounts["potential"] == 0  # who buys from nobody is high nowhere
    result.loc[nobody] = [*(float(zone == "watch") for zone in ZONES), 0.0]
    return result


def _count_zones(potential: np.ndarray, sales: np.ndarray, settings: MatrixSettings) -> np.ndarray:
    """In how many draws (size, n) an account is high, loyal, and both: (3, n)."""
    cut = cut_of_draws(potential, settings.potential_cut)
    if settings.share_cut == "market":
        share = sales.sum(dtype=float) / potential.sum(axis=1, dtype=float)
    else:
        share = np.full(len(potential), float(settings.share_cut))
    high = potential >= cut[:, None].astype(np.float32)
    potential *= share[:, None].astype(np.float32)
    loyal = potential <= sales
    return np.stack([np.add.reduce(a.view(np.uint8), axis=0, dtype=np.int64)
                     for a in (high, loyal, high & loyal)])  # fmt: skip


@kept
def place(wallet: Wallet, settings: MatrixSettings | None = None, draws: int = DRAWS) -> Matrix:
    """Zones, probabilities, key accounts, and what changes against today's list.

    Parameters
    ----------
    wallet : Wallet
        Of `estimate_wallets`.
    settings : MatrixSettings, optional
        The study's section [matrix].
    draws : int
        Of all potentials together, from which the probabilities come.

    Returns
    -------
    Matrix
        `accounts` holds zone, zone_probability and the probability of each zone.
    """
    settings = settings or MatrixSettings()
    cut, share = settings.potential_cut, settings.share_cut
    sow_cut = wallet.market_share if share == "market" else float(share)
    chances = zone_probabilities(wallet, settings, draws)
    accounts = pd.concat([wallet.accounts, chances], axis=1)
    accounts["zone"] = place_accounts(accounts, cut, sow_cut)
    accounts["key_account"] = accounts["zone"].isin(["attack", "defense"])
    size = int(accounts["key_account"].sum())
    position = pd.Index(ZONES).get_indexer(accounts["zone"])  # where there is none, all are NaN
    accounts["zone_probability"] = chances[CHANCES].to_numpy()[np.arange(len(accounts)), position]
    accounts["key_account_by_sales"] = sales_ranking(accounts["sales"], size)
    accounts["change"] = _changes(accounts)
    line = _line(accounts["potential"].dropna().to_numpy(), cut, size)
    at_point = assign_zones(accounts["potential"], accounts["sow"], line, sow_cut)
    unsure = chances[CHANCES].max(axis=1) < UNDECIDED
    accounts["flags"] = _with_flag(accounts["flags"], unsure, "undecided")
    accounts["flags"] = _with_flag(accounts["flags"], at_point != accounts["zone"], "border")
    counts = {zone: int((accounts["zone"] == zone).sum()) for zone in ZONES}
    ranking = compare_rankings(accounts) | truly_high(wallet, cut, accounts)
    return Matrix(accounts, line, sow_cut, wallet.market_share, counts, ranking, wallet)


def _line(potential: np.ndarray, cut: Cut, size: int) -> float:
    """Where the potential cut is shown: as many points lie at or above it as accounts are key.

    A value is a line by itself. Expected potentials are more equal than true ones, so that a
    Pareto share of them lets too many in: there the last of as many points is taken.
    """
    if cut.kind == "pareto" and size:
        return potential_cut(potential, Cut(kind="top", value=size))
    line = potential_cut(potential, cut)
    return line if line != 0 else float(potential[potential > 0].min(initial=np.inf))


def sales_ranking(sales: pd.Series, size: int) -> pd.Series:
    """True for the size accounts with the largest sales; ties go to the smaller id."""
    order = sales.sort_index().sort_values(ascending=False, kind="stable").index[:size]
    return pd.Series(sales.index.isin(order), index=sales.index)


def truly_high(wallet: Wallet, cut: Cut, accounts: pd.DataFrame) -> dict[str, float]:
    """Of the accounts that only one of the two lists holds, how many are expected to be of high
    potential, with the ends of a 90 % interval over joint draws.

    accounts: key_account and key_account_by_sales, as in `compare_rankings`.
    """
    rows = np.flatnonzero(wallet.accounts["potential"].notna())
    key, by_sales = accounts[["key_account", "key_account_by_sales"]].to_numpy(bool)[rows].T
    only = np.column_stack([key & ~by_sales, by_sales & ~key]).astype(np.float32)
    counts = np.zeros((RANKING_DRAWS, 2))
    block = max(1, min(RANKING_DRAWS, BLOCK_CELLS // max(len(rows), 1)))
    for start in range(0, RANKING_DRAWS, block) if only.any() else ():
        potential = draw_potential(wallet, rows, min(block, RANKING_DRAWS - start), SEED + start)
        high = potential >= cut_of_draws(potential, cut)[:, None]
        counts[start : start + block] = high.astype(np.float32) @ only
    low, most = np.quantile(counts, [0.05, 0.95], axis=0)
    return {
        f"{name}_high{end}": float(values[k])
        for k, name in enumerate(("missed", "wrong"))
        for end, values in (("", counts.mean(axis=0)), ("_low", low), ("_high", most))
    }


def compare_rankings(accounts: pd.DataFrame) -> dict[str, float]:
    """Key accounts by potential against the sales ranking of the same length.

    missed: key accounts the sales ranking leaves out; wrong: accounts it calls key that are not;
    of both their number, potential and sales (currency a year). agreed: how many both call key.
    """
    by_potential, by_sales = accounts["key_account"], accounts["key_account_by_sales"]
    found: dict[str, float] = {"agreed": int((by_potential & by_sales).sum())}
    for name, which in (("missed", by_potential & ~by_sales), ("wrong", by_sales & ~by_potential)):
        sums = accounts.loc[which, ["potential", "sales"]].sum()
        found |= {name: int(which.sum()), **sums.add_prefix(f"{name}_").to_dict()}
    return found


def cut_of_draws(potential: np.ndarray, cut: Cut) -> np.ndarray:
    """The potential cut in each draw (size,) of potential (size, n)."""
    size, n = potential.shape
    if cut.kind == "value":
        return np.full(size, cut.value)
    if cut.kind == "quantile":
        place = cut.value * (n - 1)
        left = int(place)
        low, high = np.array([_ordered(row, left, min(left + 1, n - 1)) for row in potential]).T
        return low + (place - left) * (high - low)
    if cut.kind == "top":
        place = n - min(int(cut.value), n)
        return np.array([_ordered(row, place, place)[0] for row in potential])
    return np.array([_pareto_cut(row, cut) for row in potential])


def _pareto_cut(row: np.ndarray, cut: Cut) -> float:
    """`potential_cut` of a row (n,): a sample tells a band in which it lies, as in `_ordered`."""
    sample = np.sort(row[::SAMPLED])[::-1]
    reach = int(2 * np.sqrt(len(sample)))
    running = np.cumsum(sample, dtype=float)
    place = int(np.searchsorted(running, cut.value * running[-1]))
    if reach <= place < len(sample) - reach:
        above = row > sample[place - reach]
        band = np.sort(row[(row >= sample[place + reach]) & ~above])[::-1]
        left = cut.value * row.sum(dtype=float) * (1 - 1e-12) - float(row @ above)
        place = int(np.searchsorted(np.cumsum(band, dtype=float), left))
        if left > 0 and place < len(band):
            return float(band[place])
    return potential_cut(row, cut)


def _ordered(row: np.ndarray, left: int, right: int) -> tuple[float, float]:
    """The values at two places of a row (n,) in order, right at or just after left.

    A sample tells a band in which they lie (Floyd & Rivest 1975); where it is wrong, or the row is
    short, the whole row is parted.
    """
    sample = row[::SAMPLED]
    reach = 2 * np.sqrt(len(sample))  # four standard errors of a place in the sample, at most
    edges = np.array([left / SAMPLED - reach, right / SAMPLED + reach]).astype(int)
    if len(sample) > 4 * reach:
        first, last = np.clip(edges, 0, len(sample) - 1)
        part = np.partition(sample, [first, last])
        inside = row >= part[first] if edges[0] >= 0 else np.ones(len(row), dtype=bool)
        before = len(row) - np.count_nonzero(inside)
        if edges[1] < len(sample):
            inside &= row <= part[last]
        band = row[inside]
        if before <= left and right < before + len(band):
            band.partition([left - before, right - before])
            return float(band[left - before]), float(band[right - before])
    part = np.partition(row, [left, right])
    return float(part[left]), float(part[right])


def _changes(accounts: pd.DataFrame) -> pd.Series:
    """promoted, demoted, kept or "" against today's list, or the sales ranking without one."""
    today = accounts["current_ka"]
    given = today.notna().any()
    before = today.fillna(False).astype(bool) if given else accounts["key_account_by_sales"]
    now = accounts["key_account"]
    known = accounts["zone"] != ""
    change = np.select(
        [now & before, now & ~before, ~now & before & known], ["kept", "promoted", "demoted"], ""
    )
    return pd.Series(change, index=accounts.index, dtype="str")


def _with_flag(flags: pd.Series, where: pd.Series, code: str) -> pd.Series:
    """Flags with a code joined on where the condition holds."""
    joined = np.where(flags == "", code, flags + ";" + code)
    return pd.Series(np.where(where, joined, flags), index=flags.index, dtype="str")
