"""The sales plan: hunters and farmers, who works on which account, and what is asked of it."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kalib.matrix.matrix import Matrix
from kalib.plan.territories import assign_reps
from kalib.study.settings import ZONES, Study
from kalib.wallet.preview import accounts_html

TEAM_OF_ZONE = {"attack": "hunter", "defense": "farmer"}
PEER_QUANTILE = 0.75  # the SOW that one comparable account in four reaches
FEWEST_PEERS = 12
SUMMED = (
    "sales", "target_sales", "target_growth", "target_floor", "target_stretch", "target_profit",
)  # fmt: skip


@dataclass(frozen=True, repr=False)
class Plan:
    """Who does what.

    accounts: the matrix's frame with team, rep (the new owner), rep_before, visits_per_year,
    target_sales, target_sow, target_growth (target_sales - sales), target_floor, target_stretch,
    target_profit, target_source. teams: DataFrame (team, people, accounts, visits, and the sums
    of SUMMED). reps: the same by rep (team, rep, region: its home, off_mean: work over the team's
    mean less 1, taken_over: accounts that had another owner). targets: DataFrame by zone (accounts
    and sums). handover: DataFrame (account, name, zone, from, to). Sums agree to the cent. notes:
    sentences.
    """

    accounts: pd.DataFrame
    teams: pd.DataFrame
    reps: pd.DataFrame
    targets: pd.DataFrame
    handover: pd.DataFrame
    owner_changes: int
    owner_changes_naive: int
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        teams = (f"{row.people:,} {row.team}s" for row in self.teams.itertuples())
        return f"{', '.join(teams)}; {self.owner_changes:,} accounts change owner"

    def _repr_html_(self) -> str:
        columns = ("name", "zone", "team", "rep", "sales", "target_sales", "target_sow")
        return f"<p>{html.escape(repr(self))}</p>" + accounts_html(self.accounts, columns)


def build_plan(matrix: Matrix, study: Study) -> Plan:
    """Teams, owners and targets of all accounts."""
    accounts = matrix.accounts.copy()
    notes: list[str] = []
    accounts["team"] = accounts["zone"].map(TEAM_OF_ZONE).fillna("").astype("str")
    accounts["visits_per_year"] = [study.teams.visits(zone) for zone in accounts["zone"]]
    people = _people(accounts, study, notes)
    accounts["rep_before"] = accounts["rep"]
    assigned = assign_reps(accounts, people)
    accounts["rep"] = assigned.owner
    notes += assigned.notes
    accounts = pd.concat([accounts, set_targets(accounts, study, notes)], axis=1)
    team_rows = [
        {
            "team": team,
            "people": people[team],
            "accounts": int((accounts["team"] == team).sum()),
            "visits": float(accounts.loc[accounts["team"] == team, "visits_per_year"].sum()),
            **_sums(accounts[accounts["team"] == team]),
        }
        for team in ("hunter", "farmer")
    ]
    zone_rows = [
        {"zone": zone, "accounts": int((accounts["zone"] == zone).sum()),
         **_sums(accounts[accounts["zone"] == zone])}
        for zone in ZONES
    ]  # fmt: skip
    moved = accounts[(accounts["team"] != "") & (accounts["rep_before"] != "")]
    moved = moved[moved["rep"] != moved["rep_before"]]
    handover = pd.DataFrame(
        {
            "account": moved.index,
            "name": moved["name"].to_numpy(),
            "zone": moved["zone"].to_numpy(),
            "from": moved["rep_before"].to_numpy(),
            "to": moved["rep"].to_numpy(),
        }
    )
    return Plan(
        accounts=accounts,
        teams=pd.DataFrame(team_rows),
        reps=_reps(accounts, assigned.home),
        targets=pd.DataFrame(zone_rows).set_index("zone"),
        handover=handover,
        owner_changes=len(handover),
        owner_changes_naive=assigned.naive_changes,
        notes=tuple(notes),
    )


def set_targets(accounts: pd.DataFrame, study: Study, notes: list[str]) -> pd.DataFrame:
    """Targets by account, in cents that add up.

    Attack: close_gap of the gap to the SOW that a quarter of comparable accounts reach, never
    beyond potential_low. Defense: hold. Maintenance and watch: sales as they are. With
    company_growth the growth of attack, then defense, is raked to the total; sentences that need
    saying are appended to notes.
    """
    zone, sales, potential = accounts["zone"], accounts["sales"], accounts["potential"]
    peer, source = peer_sow(accounts)
    attack, known = zone == "attack", zone != ""
    gap = (peer - accounts["sow"]).clip(lower=0).where(attack, 0.0)
    step = study.targets.close_gap * gap
    room = (accounts["potential_low"] - sales).clip(lower=0).where(known, 0.0).fillna(0.0)
    growth = np.minimum(step * potential, room).where(attack, 0.0).fillna(0.0)
    if study.targets.company_growth is not None and known.any():
        wanted = sales.sum() * study.targets.company_growth
        growth = _raked(growth, room, zone, float(wanted), notes)
    # Cents are cut, not rounded, at the limit: no target lies above potential_low.
    limit = np.floor(accounts["potential_low"].fillna(0.0) * 100 + 1e-6) - (sales * 100).round()
    cents = _round_to_total(growth.to_numpy() * 100, limit.clip(lower=0).to_numpy())
    growth = pd.Series(cents / 100, index=accounts.index).where(known)
    years = study.targets.horizon_years
    if years != 1 and growth.sum() > 0:
        notes.append(
            f"Targets are for the end of {years:g} years; a year's step is "
            f"{growth.sum() / years:,.0f}."
        )
    target = (sales.round(2) + growth).round(2)
    low = accounts["potential_low"] / potential
    high = accounts["potential_high"] / potential
    return pd.DataFrame(
        {
            "target_sales": target,
            "target_sow": target / potential,
            "target_growth": growth,
            "target_floor": (sales + growth * low.clip(upper=1)).round(2),
            "target_stretch": np.minimum(
                (sales + growth * high.clip(lower=1)).round(2), np.maximum(potential, target)
            ),
            "target_profit": (target * accounts["margin"]).round(2),
            "target_source": source.where(attack, ""),
        }
    )


def peer_sow(accounts: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """The SOW comparable accounts reach, and who they are, in words.

    Comparable: same segment and quarter of potential where FEWEST_PEERS buyers are found, else
    same segment, else all buyers.
    """
    buyers = accounts[(accounts["sow"] > 0) & (accounts["sow"] <= 1)]
    everyone = float(buyers["sow"].quantile(PEER_QUANTILE)) if len(buyers) else 0.0
    quarter = np.ceil(accounts["potential"].rank(pct=True) * 4)
    value = pd.Series(everyone, index=accounts.index)
    source = pd.Series("all buyers", index=accounts.index, dtype="str")
    for keys, words in (
        ([accounts["segment"]], "same segment"),
        ([accounts["segment"], quarter], "same segment and size"),
    ):
        code = pd.Series(
            ["\x1f".join(map(str, parts)) for parts in zip(*keys, strict=True)],
            index=accounts.index,
        )
        groups = buyers["sow"].groupby(code.reindex(buyers.index))
        size = code.map(groups.size()).fillna(0)
        found = code.map(groups.quantile(PEER_QUANTILE))
        enough = (size >= FEWEST_PEERS) & (accounts["segment"] != "")
        value = value.where(~enough, found)
        source = source.where(~enough, words)
    return value, source


def _people(accounts: pd.DataFrame, study: Study, notes: list[str]) -> dict[str, int]:
    """Hunters and farmers: as the study says, else by workload."""
    people = {}
    for team, given in (("hunter", study.teams.hunters), ("farmer", study.teams.farmers)):
        own = accounts.loc[accounts["team"] == team, "visits_per_year"]
        visits = own.sum()
        # Accounts that are not visited are somebody's all the same.
        needed = max(math.ceil(visits / study.teams.visits_per_rep - 1e-9), min(len(own), 1))
        people[team] = given or needed
        if given and given < needed:
            notes.append(
                f"{given} {team}s can make {given * study.teams.visits_per_rep:,.0f} of "
                f"{visits:,.0f} visits; {needed} are needed."
            )
    rest = accounts.loc[accounts["team"] == "", "visits_per_year"].sum()
    if rest > 0:
        notes.append(
            f"Accounts that are not key need {rest:,.0f} visits a year, the work of "
            f"{rest / study.teams.visits_per_rep:.1f} people."
        )
    return people


def _raked(
    growth: pd.Series, room: pd.Series, zone: pd.Series, wanted: float, notes: list[str]
) -> pd.Series:
    """Growth that adds up to wanted: attack scaled within its room first, then defense."""
    result = growth.copy()
    attack, defense = (zone == "attack").to_numpy(), (zone == "defense").to_numpy()
    total = float(result.sum())
    if total >= wanted:
        scale = max(wanted, 0.0) / total if total > 0 else 0.0
        if wanted < 0:
            notes.append("Company growth is negative; no account is asked to shrink.")
        return result * scale
    base = result.to_numpy().copy()
    limit = room.to_numpy()
    # Where a gap is already closed, an attack account grows with its room like the others.
    seed = np.where(attack, np.maximum(base, limit * 1e-3), 0.0)
    base = np.where(attack, _fill_up(seed, limit, wanted), base)
    left = wanted - base.sum()
    if left > 0.005:
        share = np.where(defense, limit, 0.0)
        base = base + _fill_up(share, share, left)
        left = wanted - base.sum()
    if left > 0.5:
        notes.append(
            f"Growth of {wanted:,.0f} can't be reached within what accounts surely buy: "
            f"{left:,.0f} is missing."
        )
    return pd.Series(base, index=growth.index)


def _fill_up(seed: np.ndarray, limit: np.ndarray, wanted: float) -> np.ndarray:
    """Amounts proportional to seed, none above limit, adding up to wanted where it fits."""
    seed = np.minimum(seed, limit)
    if limit[seed > 0].sum() <= wanted:
        return np.where(seed > 0, limit, 0.0)
    low, high = 0.0, 1.0
    while np.minimum(seed * high, limit).sum() < wanted:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if np.minimum(seed * middle, limit).sum() < wanted:
            low = middle
        else:
            high = middle
    return np.minimum(seed * high, limit)


def _round_to_total(values: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Whole numbers (n,), none above its limit, whose sum is the rounded sum of values as far as
    the limits allow (largest remainder)."""
    floor = np.minimum(np.floor(values + 1e-6), limit)
    missing = int(round(values.sum()) - floor.sum())
    order = np.argsort(-(values - floor), kind="stable")
    order = order[(floor + 1 <= limit)[order]]
    floor[order[: max(missing, 0)]] += 1
    return floor


def _reps(accounts: pd.DataFrame, home: Mapping[str, str]) -> pd.DataFrame:
    """Work and targets by rep, hunters first."""
    key = accounts[accounts["team"] != ""]
    rows = []
    for team in ("hunter", "farmer"):
        part = key[key["team"] == team]
        mean = len(part) / max(part["rep"].nunique(), 1)
        for rep, own in part.groupby("rep", sort=True):
            taken = (own["rep_before"] != "") & (own["rep_before"] != rep)
            rows.append(
                {
                    "team": team,
                    "rep": rep,
                    "region": home.get(str(rep), ""),
                    "accounts": len(own),
                    "visits": float(own["visits_per_year"].sum()),
                    "off_mean": len(own) / mean - 1,
                    "taken_over": int(taken.sum()),
                    **_sums(own),
                }
            )
    columns = ["team", "rep", "region", "accounts", "visits", "off_mean", "taken_over", *SUMMED]
    return pd.DataFrame(rows, columns=columns)


def _sums(part: pd.DataFrame) -> dict[str, float]:
    return {name: round(float(part[name].sum()), 2) for name in SUMMED}
