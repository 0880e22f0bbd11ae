"""Accounts assigned to reps: even work, within regions, owners kept where that allows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kalib.words.catalogue import Message

BALANCE = 0.10  # workload may differ from the mean by this fraction
AWAY = 1000.0  # an account outside its rep's region costs more than so many changes of owner
TEAMS = ("hunter", "farmer")


@dataclass(frozen=True)
class Assigned:
    """owner: Series of rep by account; home: region of each rep with a seat; notes: sentences."""

    owner: pd.Series
    home: Mapping[str, str]
    notes: tuple[str, ...]


def assign_reps(accounts: pd.DataFrame, people: Mapping[str, int], cost: float = 0.0) -> Assigned:
    """Give each key account an owner.

    accounts: team, region, rep (today's owner, "" where unknown), sales, expected_gain where there
    is a cost; people: team -> number; cost: fraction of its sales that a change of owner costs. An
    account whose expected gain does not exceed that keeps its owner, whatever the work.
    Accounts of one team get the same visits, so that work is the number of accounts. Seats go to
    regions by their work, today's reps to seats where they keep most accounts (an assignment
    problem), and accounts to seats by a transport problem: every rep within BALANCE of the mean or
    as near as whole accounts come, as few accounts as possible outside their rep's region, then as
    few changes of owner as possible. Both are solved exactly, one after the other. Accounts that
    are not key keep their rep.
    """
    owner = accounts["rep"].copy()
    if cost:
        gain = accounts["expected_gain"].fillna(0.0)
        accounts = accounts[(accounts["rep"] == "") | (gain > cost * accounts["sales"])]
    notes: list[str] = []
    seats = _seats(accounts, people)
    for team in TEAMS:
        part = accounts[accounts["team"] == team]
        names = [name for name, (of, _) in seats.items() if of == team]
        if len(part) == 0 or not names:
            continue
        homes = [seats[name][1] for name in names]
        chosen = _assign_team(part, names, homes)
        owner.loc[part.index] = chosen
        load = pd.Series(chosen).value_counts().reindex(names).fillna(0.0)
        off = float((load / load.mean() - 1).abs().max())
        if off > BALANCE + 1e-9 and len(names) > 1:
            notes.append(
                Message("p_uneven", team=f"{team}s", names=names[:4], share=off, n=len(part))
            )
    home = {name: region for name, (_, region) in seats.items()}
    return Assigned(owner, home, tuple(notes))


def _seats(accounts: pd.DataFrame, people: Mapping[str, int]) -> dict[str, tuple[str, str]]:
    """Who sits where: name -> (team, region). Today's reps take the seats at which they keep most
    of their accounts; seats left over are numbered."""
    from scipy.optimize import linear_sum_assignment

    key = accounts[accounts["team"] != ""]
    places = []
    for team in TEAMS:
        work = key.loc[key["team"] == team, "region"].value_counts().sort_index()
        given = _apportion(work.to_numpy(), people[team])
        for region, count in zip(work.index, given, strict=True):
            places += [(team, str(region))] * int(count)
    own = key[key["rep"] != ""].groupby(["rep", "team", "region"]).size()
    reps = sorted(own.index.get_level_values("rep").unique())
    fair = {team: (key["team"] == team).sum() / max(people[team], 1) for team in TEAMS}
    worth = np.array(
        [min(float(own.get((rep, *place), 0)), fair[place[0]]) for rep in reps for place in places]
    ).reshape(len(reps), len(places))
    taken = dict(zip(*reversed(linear_sum_assignment(worth, maximize=True)), strict=True))
    seats, numbers = {}, dict.fromkeys(TEAMS, 0)
    word = "New" if reps else "Territory"  # what `Words.rep` reads
    for k, (team, region) in enumerate(places):
        if k in taken:
            name = reps[taken[k]]
        else:
            numbers[team] += 1
            name = f"{word} {team} {numbers[team]}"
        seats[name] = (team, region)
    return seats


def _apportion(work: np.ndarray, seats: int) -> np.ndarray:
    """Seats by work (largest remainder)."""
    if work.sum() == 0:
        return np.zeros(len(work), dtype=int)
    quota = seats * work / work.sum()
    given = np.floor(quota + 1e-9).astype(int)
    order = np.argsort(given - quota, kind="stable")
    given[order[: seats - given.sum()]] += 1
    return given


def _assign_team(part: pd.DataFrame, names: list[str], homes: list[str]) -> np.ndarray:
    """Owners (n,) of a team's accounts."""
    regions = sorted(part["region"].unique())
    row = pd.Index(regions).get_indexer(part["region"])
    owned = pd.Index(names).get_indexer(part["rep"])
    own = np.zeros((len(regions), len(names)))
    np.add.at(own, (row[owned >= 0], owned[owned >= 0]), 1)
    away = np.array(regions)[:, None] != np.array(homes)[None, :]
    keep, move = _transport(np.bincount(row, minlength=len(regions)), own, away)
    chosen = np.full(len(part), -1)
    order = np.argsort(-part["sales"].to_numpy(float), kind="stable")
    for r in range(len(regions)):
        mine = order[row[order] == r]
        left = keep[r].copy()
        for i in mine:  # the accounts that buy most keep their owner first
            j = owned[i]
            if j >= 0 and left[j] > 0:
                chosen[i] = j
                left[j] -= 1
        open_seats = np.repeat(np.arange(len(names)), move[r] + left)
        chosen[mine[chosen[mine] < 0]] = open_seats
    return np.array(names, dtype=object)[chosen]


def _transport(
    supply: np.ndarray, own: np.ndarray, away: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Accounts of each region (R,) to reps (k): kept and moved, (R, k) each, at least cost.

    own: (R, k) accounts the rep holds today; away: (R, k) bool, outside the rep's region. A network
    flow: the vertex that the simplex method ends in is a solution in whole accounts.
    """
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, hstack, vstack

    size, k = own.shape
    mean = supply.sum() / k
    least = min(math.ceil((1 - BALANCE) * mean - 1e-9), math.floor(mean))
    most = max(math.floor((1 + BALANCE) * mean + 1e-9), math.ceil(mean))
    cells = np.arange(size * k)
    ones = np.ones(size * k)
    region = csr_array((ones, (cells // k, cells)), shape=(size, size * k))
    rep = csr_array((ones, (cells % k, cells)), shape=(k, size * k))
    region, rep = hstack([region, region]), hstack([rep, rep])
    far = AWAY * away.ravel()
    solved = linprog(
        np.concatenate([far, far + 1]), A_eq=region, b_eq=supply, A_ub=vstack([rep, -rep]),
        b_ub=np.repeat([most, -least], k), method="highs-ds",
        bounds=np.column_stack([np.zeros(2 * size * k),
                                np.concatenate([own.ravel(), np.full(size * k, supply.sum())])]),
    )  # fmt: skip
    keep, move = np.rint(solved.x).astype(int).reshape(2, size, k)
    return keep, move
