"""The sales plan: hunters and farmers, who works on which account, and what is asked of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from kalib.matrix.matrix import UNDECIDED, Matrix
from kalib.plan.gain import SURE_TO_WIN, Attainment, expect_gains, gain_points, prior_attainment
from kalib.plan.parents import SUMMED, plan_parents
from kalib.plan.proof import Design, design_of, hold_out
from kalib.plan.territories import assign_reps
from kalib.study.kept import kept
from kalib.study.settings import ZONES, Study
from kalib.words.catalogue import Message

TEAM_OF_ZONE = {"attack": "hunter", "defense": "farmer"}
EXACT = 8  # digits of a sum: what is behind them is how numbers are held, no amount
ACTIONS = ("go now", "measure first", "defend", "visit once", "contact", "ask again")
MOST_ONCE = 10  # accounts that are visited once where attack accounts are fewer
DOUBTED = "suspect_potential|suspect_sales|guessed_share"  # flags
ASK_AGAIN = 20  # largest answers that are asked again where nothing but answers is known
FIRST_PHASE = {"go now": 1, "measure first": 2, "defend": 3}  # by action, of the move's phases


@dataclass(frozen=True, repr=False)
class Plan:
    """Who does what.

    accounts: the matrix's frame with the columns of `expect_gains` and team, rep (the new owner),
    rep_before, visits_per_year, target_sales, target_sow, target_growth (target_sales - sales),
    growth_rate (of sales, NaN where there are none), target_floor, target_stretch, target_profit,
    attack_rank (1 first, by expected gain), action (of ACTIONS, "" for others), firm (growth is
    asked now, not once measuring confirms the account). teams: DataFrame
    (team, people, accounts, visits, utilization: visits over what the people can make, growth_rate,
    and the sums of SUMMED). reps: the same by rep (team, rep, region: its home, off_mean: work over
    the team's mean less 1, taken_over: accounts that had another owner, sales_taken: their sales).
    targets: DataFrame by zone (accounts, growth_rate and sums). handover: DataFrame (phase,
    account, name, zone, from, to, sales: in other hands then, at_risk, expected_gain), in the
    order of the move. bridge: DataFrame (step, amount) from today's sales to the target.
    attainment: the part of a gap closed in a year. growth_points: 10, 50 and 90 % points of
    what the attack zone brings, currency a year. proof: the test that a holdout makes, None
    without one; accounts held out (column holdout) have no team and no growth. parents: see
    `plan_parents`. Sums agree to the cent. notes: sentences.
    """

    accounts: pd.DataFrame
    teams: pd.DataFrame
    reps: pd.DataFrame
    targets: pd.DataFrame
    handover: pd.DataFrame
    owner_changes: int
    bridge: pd.DataFrame
    attainment: Attainment
    growth_points: Mapping[float, float]
    proof: Design | None
    parents: pd.DataFrame
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        teams = (f"{row.people:,} {row.team}s" for row in self.teams.itertuples())
        return f"{', '.join(teams)}; {self.owner_changes:,} accounts change owner"


@kept
def plan_sales(matrix: Matrix, study: Study, attainment: Attainment | None = None) -> Plan:
    """Teams, owners and targets of all accounts.

    Parameters
    ----------
    matrix : Matrix
        Of `place`.
    study : Study
        Its sections [teams] and [targets] are used.
    attainment : Attainment, optional
        As an earlier wave told it; what the study states, where there is none.

    Returns
    -------
    Plan
        `accounts` holds team, rep, target_sales and target_growth, currency a year.
    """
    attainment = attainment or prior_attainment(study.targets.close_gap)
    notes: list[str] = []
    cents = {"expected_gain": study.digits}  # that it adds up to the cent
    gains = expect_gains(matrix.wallet, attainment).round(cents)
    accounts = matrix.accounts.join(gains)
    refused = matrix.wallet.basis.basis == "none"  # what was measured is placed; no team is divided
    accounts["team"] = ["" if refused else TEAM_OF_ZONE.get(zone, "") for zone in accounts["zone"]]
    accounts["visits_per_year"] = [study.teams.visits(zone) for zone in accounts["zone"]]
    accounts["attack_rank"] = attack_ranks(accounts)
    accounts["holdout"] = hold_out(accounts["attack_rank"], study.proof.holdout)
    accounts.loc[accounts["holdout"], "team"] = ""
    people = _people(accounts, study, notes)
    accounts["rep_before"] = accounts["rep"]
    assigned = assign_reps(accounts, people, study.teams.handover_cost)
    accounts["rep"] = assigned.owner
    notes += [*_rest(accounts, study.teams.visits_per_rep), *assigned.notes]
    accounts = accounts.join(set_targets(accounts, study, notes))
    accounts["action"] = asked_again(accounts) if refused else actions(accounts)
    told = matrix.wallet.basis.firm | (accounts["potential_source"] == "measured")
    accounts["firm"] = (accounts["action"] != "measure first") & told
    attack = (accounts["zone"] == "attack") & ~accounts["holdout"]
    points = gain_points(matrix.wallet, accounts["peer_sow"], attack, attainment)
    notes += _ambition(accounts, study, points)
    handover = _handover(accounts)
    held = accounts["holdout"].any()
    return Plan(
        accounts=accounts,
        teams=_teams(accounts, people, study.teams.visits_per_rep),
        reps=_reps(accounts, assigned.home),
        targets=pd.DataFrame(
            {zone: _sums(accounts[accounts["zone"] == zone]) for zone in ZONES}
        ).T.rename_axis("zone").astype({"accounts": int}),
        handover=handover,
        owner_changes=len(handover),
        bridge=_bridge(accounts),
        attainment=attainment,
        growth_points=points,
        proof=design_of(accounts, study.proof.holdout, attainment.sow_sd) if held else None,
        parents=plan_parents(accounts, matrix.wallet, study),
        notes=tuple(notes),
    )  # fmt: skip


def attack_ranks(accounts: pd.DataFrame) -> pd.Series:
    """Place (N,) of each attack account by expected gain, 1 first, missing for others; of equal
    gains the smaller id comes first."""
    gain = accounts.loc[accounts["zone"] == "attack", "expected_gain"].sort_index()
    return gain.rank(ascending=False, method="first").astype("Int64").reindex(accounts.index)


def actions(accounts: pd.DataFrame) -> pd.Series:
    """What is done first with each account (N,), "" for nothing.

    "go now": attack accounts like those surveyed that surely lie there (UNDECIDED), of which there
    surely is something to win (SURE_TO_WIN), whose answer is not DOUBTED and of which growth is
    asked, where it is of any; "measure first": the others, where a measurement says whether a visit
    pays, but not of one that was measured and gives us its peers' share already; "defend": the
    defense zone; "visit once": of the others below market share those that may bring as much as
    half of the attack accounts, no more of them than of these, or MOST_ONCE; "contact": the rest,
    to which a call or a mail goes. An account that is held out is left as it is.
    """
    attack = (accounts["zone"] == "attack") & ~accounts["holdout"]
    sure = (accounts["zone_probability"] >= UNDECIDED) & (accounts["win_chance"] >= SURE_TO_WIN)
    asked = accounts["target_growth"] > 0
    sure &= ~accounts["extrapolated"] | (accounts["potential_source"] == "measured")
    sure &= asked | (accounts["team"] == "") | ~asked.any()
    sure &= ~accounts["flags"].str.contains(DOUBTED)
    settled = (accounts["potential_low"] == accounts["potential_high"]) & ~asked
    open_ = attack & ~sure & ~(settled & (accounts["win_chance"] <= 0))
    below, gain = accounts["below_market"] & ~accounts["holdout"], accounts["expected_gain"]
    once = below & ~accounts["key_account"] & (gain >= gain[attack].median())
    once &= gain.where(once).rank(ascending=False, method="first") <= max(attack.sum(), MOST_ONCE)
    cases = [attack & sure, open_, accounts["zone"] == "defense", once, below]
    return pd.Series(np.select(cases, ACTIONS[: len(cases)], ""), index=accounts.index, dtype="str")


def asked_again(accounts: pd.DataFrame) -> pd.Series:
    """What is done where nothing but answers is known (N,): "ask again", of the largest answers of
    key accounts and of those that are DOUBTED, "" of the others."""
    largest = accounts["potential"].where(accounts["key_account"]).rank(ascending=False)
    again = (largest <= ASK_AGAIN) | accounts["flags"].str.contains(DOUBTED)
    return pd.Series(np.where(again, "ask again", ""), index=accounts.index, dtype="str")


def _teams(accounts: pd.DataFrame, people: Mapping[str, int], capacity: float) -> pd.DataFrame:
    """Work and targets by team; capacity: visits a person makes in a year."""
    rows = []
    for team in ("hunter", "farmer"):
        own = accounts[accounts["team"] == team]
        visits = float(own["visits_per_year"].sum())
        used = visits / (people[team] * capacity) if people[team] else float("nan")
        rows.append({"team": team, "people": people[team], "visits": visits, "utilization": used,
                     **_sums(own)})  # fmt: skip
    return pd.DataFrame(rows)


def _handover(accounts: pd.DataFrame) -> pd.DataFrame:
    """Key accounts that get another owner, in phases: first where there is most to win, then the
    defense zone, least at risk first; its half with more at risk only if both owners advise it."""
    moved = accounts[(accounts["team"] != "") & (accounts["rep_before"] != "")]
    moved = moved[moved["rep"] != moved["rep_before"]].rename_axis("account").reset_index()
    moved = moved.assign(phase=moved["action"].map(FIRST_PHASE).fillna(2).astype(int))
    risk = moved["at_risk"].where(moved["phase"] == FIRST_PHASE["defend"])
    moved["phase"] += risk > risk.median()
    moved = moved.assign(order=risk.fillna(-moved["expected_gain"]), at_risk=risk)
    moved = moved.sort_values(["phase", "order"], kind="stable")
    columns = ["phase", "account", "name", "zone", "rep_before", "rep", "sales", "at_risk"]
    return moved[[*columns, "expected_gain"]].rename(columns={"rep_before": "from", "rep": "to"})


def _bridge(accounts: pd.DataFrame) -> pd.DataFrame:
    """From today's sales to the target, step by step; steps of nothing are left out."""
    growth, zone = accounts["target_growth"].fillna(0.0), accounts["zone"]
    steps = {
        "sales_today": accounts["sales"].sum(),
        "bridge_go": growth[accounts["action"] == "go now"].sum(),
        "bridge_measure": growth[accounts["action"] == "measure first"].sum(),
        "bridge_defense": growth[zone == "defense"].sum(),
    }
    rows = pd.DataFrame({"step": list(steps), "amount": list(steps.values())}).round(EXACT)
    return rows[rows["amount"] != 0].reset_index(drop=True)


def _ambition(accounts: pd.DataFrame, study: Study, points: Mapping[float, float]) -> list[str]:
    """What company growth costs, where it lies beyond what attack accounts are likely to bring."""
    asked = study.targets.company_growth
    wanted = accounts["sales"].sum() * asked if asked is not None else 0.0
    if wanted <= points[0.9]:
        return []
    gaps = float(accounts.loc[accounts["zone"] == "attack", "winnable"].sum())
    if gaps <= 0 or wanted > gaps:
        return [Message("p_above_gaps", asked=asked, wanted=float(wanted), gaps=gaps)]
    return [Message("p_ambitious", asked=asked, part=float(wanted / gaps))]


def set_targets(accounts: pd.DataFrame, study: Study, notes: list[str]) -> pd.DataFrame:
    """Targets by account, in cents that add up.

    Attack: the expected gain, the attained part of the gap to the SOW that a quarter of comparable
    accounts reach, never beyond potential_low. Defense: hold. Maintenance and watch: sales as they
    are. With company_growth the growth of attack, then defense, is raked to the total; sentences
    that need saying are appended to notes.
    """
    sales, potential = accounts["sales"], accounts["potential"]
    zone, known = accounts["zone"].where(accounts["team"] != "", ""), accounts["zone"] != ""
    attack = zone == "attack"
    room = (accounts["potential_low"] - sales).clip(lower=0).where(known, 0.0).fillna(0.0)
    growth = np.minimum(accounts["expected_gain"], room).where(attack, 0.0).fillna(0.0)
    if study.targets.company_growth is not None and known.any():
        wanted = sales.sum() * study.targets.company_growth
        growth = _raked(growth, room, zone, float(wanted), notes)
    # Cents are cut, not rounded, at the limit: no target lies above potential_low.
    digits, unit = study.digits, 10.0**study.digits
    limit = np.floor(accounts["potential_low"].fillna(0.0) * unit + 1e-6) - (sales * unit).round()
    cents = _round_to_total(growth.to_numpy() * unit, limit.clip(lower=0).to_numpy())
    growth = pd.Series(cents / unit, index=accounts.index).where(known)
    years = study.targets.horizon_years
    if years != 1 and growth.sum() > 0:
        notes.append(Message("p_horizon", years=float(years), step=float(growth.sum() / years)))
    target = (sales.round(digits) + growth).round(digits)
    low = accounts["potential_low"] / potential
    high = accounts["potential_high"] / potential
    stretch = np.minimum(sales + growth * high.clip(lower=1), np.maximum(potential, target))
    return pd.DataFrame({
        "target_sales": target, "target_sow": target / potential, "target_growth": growth,
        "growth_rate": growth / sales.where(sales > 0),
        "target_floor": (sales + growth * low.clip(upper=1)).round(digits),
        "target_stretch": stretch.round(digits),
        "target_profit": (target * accounts["margin"]).round(digits),
    })  # fmt: skip


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
            notes.append(Message(
                "p_capacity", n=given, team=f"{team}s", needed=needed, visits=float(visits),
                done=given * study.teams.visits_per_rep,
            ))  # fmt: skip
    return people


def _rest(accounts: pd.DataFrame, capacity: float) -> list[str]:
    """Who serves the accounts that are not key, and what of it hunters and farmers still hold."""
    rest, key = accounts[accounts["team"] == ""], set(accounts.loc[accounts["team"] != "", "rep"])
    visits, theirs = float(rest["visits_per_year"].sum()), int(rest["rep"].isin(key - {""}).sum())
    others = len(set(rest["rep"]) - key - {""})
    said = "p_rest" if not others else "p_rest_handed" if theirs else "p_rest_others"
    told = Message(said, n=visits, people=visits / capacity, others=others, theirs=theirs)
    return [told] if told.figures["people"] >= 0.05 else []  # what is not written as 0.0


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
        notes.append(Message("p_beyond", wanted=float(wanted), left=float(left)))
    return pd.Series(base, index=growth.index)


def _fill_up(seed: np.ndarray, limit: np.ndarray, wanted: float) -> np.ndarray:
    """Amounts proportional to seed, none above limit, adding up to wanted where it fits."""
    seed, some = np.minimum(seed, limit), seed > 0
    if limit[some].sum() <= wanted:
        return np.where(some, limit, 0.0)
    end = (limit[some] / seed[some]).max()
    part = brentq(lambda t: np.minimum(seed * t, limit).sum() - wanted, 0, end)
    return np.minimum(seed * part, limit)


def _round_to_total(values: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Whole numbers (n,), none above its limit and 0 for 0, whose sum is the rounded sum of values
    as far as that allows (largest remainder)."""
    floor = np.minimum(np.floor(values + 1e-6), limit)
    missing = max(round(values.sum()) - floor.sum(), 0)
    order = np.argsort(-(values - floor), kind="stable")
    order = order[values[order] > 0]
    for most in (1, np.inf):  # one more each, then to who has room
        room = np.minimum(limit - floor, most)[order]
        given = np.clip(missing - (room.cumsum() - room), 0, room)
        floor[order] += given
        missing -= given.sum()
    return floor


def _reps(accounts: pd.DataFrame, home: Mapping[str, str]) -> pd.DataFrame:
    """Work and targets by rep, hunters first."""
    key = accounts[accounts["team"] != ""]
    rows, mean = [], key.groupby("team")["rep"].agg(lambda reps: len(reps) / reps.nunique())
    for (team, rep), own in key.groupby(["team", "rep"]):
        taken = own[(own["rep_before"] != "") & (own["rep_before"] != rep)]
        rows.append({
            "team": team, "rep": rep, "region": home.get(str(rep), ""),
            "visits": float(own["visits_per_year"].sum()), "off_mean": len(own) / mean[team] - 1,
            "taken_over": len(taken), "sales_taken": round(float(taken["sales"].sum()), EXACT),
            **_sums(own),
        })  # fmt: skip
    columns = ["team", "rep", "region", "visits", "off_mean", "taken_over", "sales_taken"]
    frame = pd.DataFrame(rows, columns=[*columns, *_sums(key)])
    return frame.sort_values("team", ascending=False, kind="stable", ignore_index=True)


def _sums(part: pd.DataFrame) -> dict[str, float]:
    """How many accounts, what they sum to in cents, the growth asked as a part of sales, and
    unfirm, what of it is asked only once measuring confirms the account."""
    sums = {name: round(float(part[name].sum()), EXACT) for name in SUMMED}
    rate = sums["target_growth"] / sums["sales"] if sums["sales"] > 0 else float("nan")
    unfirm = part.loc[~part["firm"], "target_growth"].sum().round(EXACT)
    return {"accounts": len(part), **sums, "growth_rate": rate, "unfirm": unfirm}
