"""Accounts assigned to reps: balanced work, owners kept where balance allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

BALANCE = 0.10  # workload may differ from the mean by this fraction


@dataclass(frozen=True)
class Assigned:
    """owner: Series of rep by account; naive_changes: owners changed were accounts simply dealt
    out; notes: sentences."""

    owner: pd.Series
    naive_changes: int
    notes: tuple[str, ...]


def assign_reps(accounts: pd.DataFrame, people: Mapping[str, int]) -> Assigned:
    """Give each key account an owner.

    accounts: team, region, rep (today's owner, "" where unknown), zone, visits_per_year; people:
    team -> number. Regions share reps by workload; within a region a transport problem keeps as
    many owners as balance allows. Accounts that are not key keep their rep.
    """
    owner = accounts["rep"].copy()
    notes: list[str] = []
    naive = 0
    seats = _seats(accounts, people)
    for team in ("hunter", "farmer"):
        part = accounts[accounts["team"] == team]
        if len(part) == 0 or not seats[team]:
            continue
        for members, names in _territories(part, seats[team]):
            rows = part.loc[members]
            chosen = _balanced(rows, names)
            owner.loc[members] = chosen
            dealt = [names[i % len(names)] for i in range(len(rows))]
            before = rows["rep"].to_numpy()
            naive += int(((before != "") & (before != np.array(dealt))).sum())
            load = rows["visits_per_year"].groupby(np.array(chosen)).sum()
            load = load.reindex(names).fillna(0.0)
            off = float((load / max(load.mean(), 1e-9) - 1).abs().max())
            if off > BALANCE and len(names) > 1:
                notes.append(
                    f"{team.capitalize()}s {', '.join(names[:4])}: workload differs by {off:.0%} "
                    f"from the mean, since {len(rows)} accounts can't be divided more evenly."
                )
    return Assigned(owner, naive, tuple(notes))


def _seats(accounts: pd.DataFrame, people: Mapping[str, int]) -> dict[str, list[str]]:
    """Names for the hunters' and farmers' seats: today's reps by where their accounts are, the
    rest numbered."""
    known = accounts[(accounts["rep"] != "") & (accounts["team"] != "")]
    work = known.pivot_table(
        index="rep", columns="team", values="visits_per_year", aggfunc="sum", fill_value=0.0
    )
    for team in ("hunter", "farmer"):
        if team not in work:
            work[team] = 0.0
    lean = (work["hunter"] - work["farmer"]).sort_values(ascending=False, kind="stable")
    hunters = list(lean.index[: people["hunter"]])
    rest = [rep for rep in lean.index[::-1] if rep not in hunters]
    farmers = rest[: people["farmer"]]
    seats = {}
    for team, named in (("hunter", hunters), ("farmer", farmers)):
        word = "Territory" if len(known) == 0 else "New"
        extra = range(1, people[team] - len(named) + 1)
        seats[team] = named + [f"{word} {team} {k}" for k in extra]
    return seats


def _territories(part: pd.DataFrame, names: list[str]) -> list[tuple[pd.Index, list[str]]]:
    """Regions, or groups of regions where reps are fewer, each with its reps."""
    work = part.groupby("region")["visits_per_year"].sum().sort_values(ascending=False)
    fair = work.sum() / len(names)
    groups: list[list[str]] = []
    loads: list[float] = []
    for region, load in work.items():
        # A region with less than a rep's work joins the group with the least work.
        if loads and (load < 0.75 * fair or len(groups) >= len(names)):
            place = int(np.argmin(loads))
            groups[place].append(str(region))
            loads[place] += float(load)
        else:
            groups.append([str(region)])
            loads.append(float(load))
    seats = _apportion(np.array(loads), len(names))
    pool = list(names)
    result = []
    for regions, count in sorted(zip(groups, seats, strict=True), key=lambda item: item[1]):
        members = part.index[part["region"].isin(regions)]
        local = part.loc[members].groupby("rep")["visits_per_year"].sum()
        taken = sorted(pool, key=lambda name: -float(local.get(name, 0.0)))[:count]
        pool = [name for name in pool if name not in taken]
        result.append((members, taken))
    return result


def _apportion(loads: np.ndarray, seats: int) -> np.ndarray:
    """Seats by load, one at least (Webster / Sainte-Laguë)."""
    given = np.ones(len(loads), dtype=int)
    while given.sum() < seats:
        given[np.argmax(loads / (2 * given + 1))] += 1
    return given


def _balanced(rows: pd.DataFrame, names: list[str]) -> list[str]:
    """Owners for the accounts of one territory: a linear program keeps owners within the balance,
    what it splits is rounded to the rep with most room."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, vstack

    n, k = len(rows), len(names)
    if k == 1:
        return [names[0]] * n
    visits = rows["visits_per_year"].to_numpy(float)
    mean = visits.sum() / k
    stays = rows["rep"].to_numpy()[:, None] == np.array(names)[None, :]
    cost = np.where(stays, 0.0, visits[:, None]) + 1e-6 * np.arange(k)[None, :]
    cells = np.arange(n * k)
    once = csr_array((np.ones(n * k), (cells // k, cells)), shape=(n, n * k))
    load = csr_array((np.repeat(visits, k), (cells % k, cells)), shape=(k, n * k))
    slack = 0.5 * BALANCE * mean
    bounds = np.concatenate([np.full(k, mean + slack), np.full(k, -(mean - slack))])
    solved = linprog(
        cost.ravel(), A_ub=vstack([load, -load]), b_ub=bounds, A_eq=once, b_eq=np.ones(n),
        bounds=(0, 1), method="highs",
    )  # fmt: skip
    share = solved.x.reshape(n, k) if solved.status == 0 else np.full((n, k), 1.0 / k)
    chosen = share.argmax(axis=1)
    whole = share.max(axis=1) > 1 - 1e-6
    room = mean - np.bincount(chosen[whole], visits[whole], k)
    for i in np.flatnonzero(~whole):
        options = np.flatnonzero(share[i] > 1e-9)
        chosen[i] = options[np.argmax(room[options])]
        room[chosen[i]] -= visits[i]
    return [names[j] for j in chosen]
