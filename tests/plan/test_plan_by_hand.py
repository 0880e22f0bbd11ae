"""Teams, targets and what is handed over, against the same account by account."""

from __future__ import annotations

import math
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kalib.formula.distribution import Distribution
from kalib.matrix.matrix import Matrix
from kalib.plan.gain import expect_gains, peer_sow, prior_attainment
from kalib.plan.parents import SUMMED
from kalib.plan.plan import (
    Plan,
    _fill_up,
    _raked,
    _round_to_total,
    actions,
    asked_again,
    plan_sales,
    set_targets,
)
from kalib.plan.territories import assign_reps
from kalib.study.settings import ZONES, About, Study, Targets, Teams

N = 80


@cache
def accounts() -> pd.DataFrame:
    """80 accounts in all zones, five of unknown potential, some with more sales than potential."""
    rng = np.random.default_rng(4)
    potential = np.exp(rng.normal(8, 1, N)).round(2)
    sow = rng.beta(2, 3, N)
    sow[[3, 9]] = 1.3, 0.0
    sales = (potential * sow).round(2)
    zone = rng.choice(ZONES, N)
    frame = pd.DataFrame(
        {
            "name": [f"name {i}" for i in range(N)], "segment": np.where(np.arange(N) < 50, "x", "y"),
            "region": rng.choice(["N", "S"], N), "rep": rng.choice(["", "Ana", "Bo", "Cy"], N),
            "sales": sales, "potential": potential, "potential_low": np.where(np.arange(N) % 2, 0.7, 0.4) * potential,
            "potential_high": 1.6 * potential, "sow": sales / potential, "zone": zone,
            "margin": np.where(np.arange(N) % 3, 0.25, np.nan),
            "parent": "", "flags": "", "extrapolated": False, "potential_source": "formula", "below_market": np.arange(N) % 5 == 0,
            "key_account": np.isin(zone, ("attack", "defense")),
            "zone_probability": np.where(np.arange(N) % 4, 0.9, 0.6),
        },
        index=pd.Index([f"a{i:02d}" for i in range(N)], name="account"),
    )  # fmt: skip
    frame.loc[
        frame.index[[11, 22, 33, 44, 55]], ["potential", "potential_low", "potential_high", "sow"]
    ] = np.nan
    frame.loc[frame.index[[11, 22, 33, 44, 55]], "zone"] = ""
    frame.loc["a70", "segment"] = ""
    return frame


def test_small_accounts_are_visited_once_where_they_bring_as_much_by_hand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frame = pd.DataFrame({
        "zone": ["attack"] * 3 + ["watch"] * 5, "expected_gain": [2.0, 4.0, 9.0, 3.9, 4.0, 5.0, 6.0, 7.0],
        "team": ["hunter"] * 3 + [""] * 5, "below_market": [True] * 7 + [False],
    }).assign(key_account=lambda f: f["zone"] == "attack", holdout=False, extrapolated=False,
              zone_probability=0.9, win_chance=0.95, target_growth=1.0, potential_source="formula",
              potential_low=1.0, potential_high=2.0, potential=1.5, flags="")  # fmt: skip
    # From the median of the attack zone, 4, on; not what is not below market share.
    assert actions(frame).tolist()[3:] == ["contact", "visit once", "visit once", "visit once", ""]
    monkeypatch.setattr("kalib.plan.plan.MOST_ONCE", 1)
    # No more of them than attack accounts, those with most to win first; what is held out is left.
    few = frame.assign(
        holdout=[True, True, False] + [False] * 5, expected_gain=[2.0, 4, 3, 3, 4, 5, 6, 7]
    )
    assert actions(few).tolist() == [
        "",
        "",
        "go now",
        "contact",
        "contact",
        "contact",
        "visit once",
        "",
    ]


def test_without_a_team_the_largest_answers_are_asked_again_by_hand() -> None:
    frame = pd.DataFrame(
        {"potential": np.arange(60.0), "flags": "", "key_account": np.arange(60) >= 30}
    )
    assert asked_again(frame).tolist() == [""] * 40 + ["ask again"] * 20
    frame.loc[3, "flags"] = "undecided;guessed_share"
    assert asked_again(frame).tolist() == [""] * 3 + ["ask again"] + [""] * 36 + ["ask again"] * 20


def test_what_is_done_first_by_hand() -> None:
    rows = {  # source, unlike, probability, chance of a gain, growth -> action
        "sure": ("formula", False, 0.8, 0.95, 5.0, "go now"),
        "unlike": ("formula", True, 0.99, 0.99, 5.0, "measure first"),
        "unlike but measured": ("measured", True, 0.99, 0.99, 5.0, "go now"),
        "unsure": ("formula", False, 0.6, 0.99, 5.0, "measure first"),
        "guessed": ("measured", False, 0.9, 0.99, 5.0, "measure first"),
        "no gain, an estimate": ("formula", False, 0.9, 0.0, 0.0, "measure first"),
        "no gain, exact": ("measured", False, 1.0, 0.0, 0.0, "contact"),
    }
    columns = ["potential_source", "extrapolated", "zone_probability", "win_chance",
               "target_growth", "expected"]  # fmt: skip
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    exact = frame.index == "no gain, exact"
    frame["flags"] = np.where(frame.index == "guessed", "returns;guessed_share", "returns")
    frame = frame.assign(zone="attack", key_account=True, holdout=False, below_market=True,
                         team="hunter", expected_gain=5.0, potential_low=np.where(exact, 9.0, 5.0), potential_high=9.0)  # fmt: skip
    assert actions(frame).to_dict() == frame["expected"].to_dict()


def study_of(**more: object) -> Study:
    targets = {
        name: more.pop(name)
        for name in ("horizon_years", "close_gap", "company_growth")
        if name in more
    }
    about = About.model_construct(currency="EUR")
    return Study.model_construct(study=about, targets=Targets(**targets), teams=Teams(**more))


def wallet_of(frame: pd.DataFrame, firm: bool = True) -> Any:
    """What a plan asks of a wallet: potential known to 10%."""
    middle = np.log(frame["potential"].to_numpy(float))
    potential = Distribution.lognormal(middle, np.full(len(frame), 0.1))
    return SimpleNamespace(
        accounts=frame, market_share=0.3, distribution=potential,
        loadings=np.full((len(frame), 1), 0.3, np.float32),
        basis=SimpleNamespace(basis="formula", firm=firm),
    )  # fmt: skip


def matrix_of(frame: pd.DataFrame) -> Matrix:
    return Matrix(frame, 1.0, 0.3, 0.3, {}, {}, wallet_of(frame))


def with_gains(close_gap: float) -> pd.DataFrame:
    frame = accounts().copy()
    frame["team"] = frame["zone"].map({"attack": "hunter", "defense": "farmer"}).fillna("")
    return frame.join(expect_gains(wallet_of(frame), prior_attainment(close_gap)))


def plan_of(**more: object) -> Plan:
    return plan_sales(matrix_of(accounts()), study_of(**more))


def test_peers_by_hand() -> None:
    """Twelve buyers of the segment and quarter of potential, else of the segment, else all."""
    frame = accounts().copy()
    buyers = frame[(frame["sow"] > 0) & (frame["sow"] <= 1)]
    assert len(buyers) < frame["sow"].notna().sum() - 1
    quarter = np.ceil(frame["potential"].rank(pct=True) * 4)
    value, source = peer_sow(frame)
    seen = set()
    for account, row in frame.iterrows():
        own = buyers[buyers["segment"] == row["segment"]]
        near = own[quarter[own.index] == quarter[account]]
        expected = buyers, "all buyers"
        if row["segment"] and len(own) >= 12:
            expected = own, "same segment"
        if row["segment"] and len(near) >= 12:
            expected = near, "same segment and size"
        assert source[account] == expected[1]
        assert value[account] == pytest.approx(expected[0]["sow"].median(), rel=1e-12)
        seen.add(source[account])
    assert {"all buyers", "same segment"} <= seen
    many = pd.concat([frame, frame.set_index(frame.index + "'")])
    assert "same segment and size" in set(peer_sow(many)[1])
    assert set(peer_sow(frame.assign(sow=0.0))[0]) == {0.0}


def test_exactly_twelve_peers_are_enough_and_eleven_are_not() -> None:
    frame = pd.DataFrame(
        {"sow": np.linspace(0.1, 0.6, 23), "potential": 1.0, "segment": ["x"] * 12 + ["y"] * 11}
    )
    value, source = peer_sow(frame)
    assert source.tolist() == ["same segment and size"] * 12 + ["all buyers"] * 11
    assert value.iloc[0] == pytest.approx(frame["sow"][:12].median())
    assert value.iloc[22] == pytest.approx(frame["sow"].median())


def test_targets_by_hand() -> None:
    notes: list[str] = []
    frame = with_gains(0.6)
    found = set_targets(frame, study_of(close_gap=0.6), notes)
    peer, source = peer_sow(frame)
    assert frame["peer_sow"].equals(peer.rename("peer_sow"))
    assert frame["target_source"].equals(source.rename("target_source"))
    assert notes == [] and list(found.columns) == [
        "target_sales", "target_sow", "target_growth", "growth_rate", "target_floor",
        "target_stretch", "target_profit",
    ]  # fmt: skip
    held = 0
    for account, row in frame.iterrows():
        target = found.loc[account]
        if not row["zone"]:
            assert math.isnan(target["target_growth"]) and math.isnan(target["target_sales"])
            continue
        growth = 0.0
        if row["zone"] == "attack":
            step = row["expected_gain"]
            growth = min(step, max(row["potential_low"] - row["sales"], 0))
            held += growth < step
        assert target["target_growth"] == pytest.approx(growth, abs=0.011)
        low, sum_ = row["potential_low"] / row["potential"], row["sales"] + target["target_growth"]
        assert target["target_sales"] == pytest.approx(sum_, abs=1e-9)
        assert target["target_sow"] == pytest.approx(sum_ / row["potential"])
        assert target["target_floor"] == pytest.approx(
            row["sales"] + low * target["target_growth"], abs=0.0051)  # fmt: skip
        stretch = min(row["sales"] + 1.6 * target["target_growth"], max(row["potential"], sum_))
        assert target["target_stretch"] == pytest.approx(stretch, abs=0.0051)
        assert target["target_profit"] == pytest.approx(0.25 * sum_, abs=0.0051, nan_ok=True) or (
            math.isnan(row["margin"]) and math.isnan(target["target_profit"]))  # fmt: skip
        rate = target["target_growth"] / row["sales"] if row["sales"] else math.nan
        assert target["growth_rate"] == pytest.approx(rate, nan_ok=True)
        cents = target["target_growth"] * 100
        assert (
            abs(cents - round(cents)) < 1e-6
            and cents <= max(row["potential_low"] - row["sales"], 0) * 100 + 1
        )
    assert held and found["target_growth"].sum() > 0


def test_targets_of_several_years_say_a_years_step() -> None:
    notes: list[str] = []
    growth = set_targets(with_gains(0.5), study_of(horizon_years=2.5), notes)["target_growth"].sum()
    assert notes == [f"Targets are for the end of 2.5 years; a year's step is {growth / 2.5:,.0f}."]
    notes = []
    set_targets(with_gains(0.0), study_of(horizon_years=2.5), notes)
    assert notes == []


@pytest.mark.parametrize("wanted", [0.05, 0.02, 0.15])
def test_growth_of_the_company_is_met_to_the_cent(wanted: float) -> None:
    notes: list[str] = []
    frame = with_gains(0.5)
    found = set_targets(frame, study_of(company_growth=wanted), notes)
    assert found["target_growth"].sum() == pytest.approx(wanted * frame["sales"].sum(), abs=0.006)
    assert notes == []
    growing = found["target_growth"] > 0
    assert not (growing & frame["zone"].isin(["maintenance", "watch", ""])).any()
    room = (frame["potential_low"] - frame["sales"]).clip(lower=0)
    assert (found["target_growth"][growing] <= room[growing] + 1e-9).all()


def test_attack_grows_first_and_in_proportion() -> None:
    growth = pd.Series([10.0, 30.0, 0.0, 0.0, 0.0], index=list("abcde"))
    room = pd.Series([100.0, 45.0, 1000.0, 60.0, 40.0], index=list("abcde"))
    zone = pd.Series(["attack", "attack", "watch", "defense", "defense"], index=list("abcde"))
    notes: list[str] = []

    def raked(wanted: float) -> list[float]:
        found = _raked(growth, room, zone, wanted, notes)
        assert found.index.equals(growth.index)
        return [round(float(x), 6) for x in found]

    assert raked(20.0) == [5.0, 15.0, 0, 0, 0]
    assert raked(40.0) == [10.0, 30.0, 0, 0, 0]
    assert raked(60.0) == [15.0, 45.0, 0, 0, 0]
    assert raked(100.0) == [55.0, 45.0, 0, 0, 0], "the second is at its limit"
    assert raked(145.0) == [100.0, 45.0, 0, 0, 0]
    assert raked(195.0) == [100.0, 45.0, 0, 30.0, 20.0], "defense by its room"
    assert raked(0.0) == [0.0] * 5 and notes == []
    assert raked(246.0) == [100.0, 45.0, 0, 60.0, 40.0]
    assert notes == ["Growth of 246 can't be reached within what accounts surely buy: "
                     "1 is missing."]  # fmt: skip
    assert raked(-5.0) == [0.0] * 5
    assert notes[1:] == ["Company growth is negative; no account is asked to shrink."]
    closed = _raked(growth * 0, room, zone, 14.5, notes)
    assert closed.round(6).tolist() == [10.0, 4.5, 0, 0, 0], "by room where no gap is open"
    assert _raked(growth * 0, room, zone, 0.0, []).tolist() == [0.0] * 5
    small: list[str] = []
    _raked(growth, room, zone, 245.4, small)
    assert small == [], "half a unit of currency is not worth a sentence"


def test_filling_up_equals_the_exact_water_level() -> None:
    rng = np.random.default_rng(6)
    for _ in range(20):
        seed, limit = rng.random(6) * (rng.random(6) > 0.3), 3 * rng.random(6)
        wanted = rng.random() * limit[seed > 0].sum()
        found = _fill_up(seed, limit, wanted)
        assert found.sum() == pytest.approx(wanted, abs=1e-9) and (found <= limit).all()
        start = np.minimum(seed, limit)
        free = (found < limit - 1e-9) & (start > 0)
        scale = found[free] / start[free]
        np.testing.assert_allclose(scale, scale[:1].repeat(len(scale)), rtol=1e-9)
        held = (start > 0) & ~free
        assert not len(scale) or (limit[held] <= start[held] * scale[0] + 1e-9).all()
    assert _fill_up(np.array([1.0, 0.0]), np.array([2.0, 5.0]), 9.0).tolist() == [2.0, 0.0]
    assert _fill_up(np.array([1.0, 1.0]), np.array([1.0, 1.0]), 2.0).tolist() == [1.0, 1.0]


def test_cents_by_largest_remainder() -> None:
    far = np.full(4, 100.0)
    assert _round_to_total(np.array([1.5, 2.4, 0.3, 0.8]), far).tolist() == [2, 2, 0, 1]
    assert _round_to_total(np.array([1.5, 1.5, 1.5, 1.5]), far).tolist() == [2, 2, 1, 1]
    assert _round_to_total(np.array([0.9999999, 3.0, 0, 0]), far).tolist() == [1, 3, 0, 0]
    limits = np.array([1.0, 2.0, 1.0, 0.0])
    assert _round_to_total(np.array([1.5, 2.4, 0.3, 0.8]), limits).tolist() == [1, 2, 1, 0]
    assert _round_to_total(np.array([2.6, 0.0, 0.0, 0.0]), far).tolist() == [3, 0, 0, 0]
    assert _round_to_total(np.array([5.0, 0.2, 0.2, 0.2]), np.array([4.0, 0, 1, 1])).tolist() == [
        4, 0, 1, 1]  # fmt: skip
    # Who is asked for nothing gets no cent, though others have room for one only after the second.
    limits = np.array([9.0, 1.0, 1.0, 1.0, 9.0])
    assert _round_to_total(np.array([1.4, 1.4, 1.4, 1.4, 0.0]), limits).tolist() == [3, 1, 1, 1, 0]


def test_people_by_hand() -> None:
    """24 visits to attack, 12 to defense, 4 to maintenance, 1 to watch; 100 to a rep."""
    zones = accounts()["zone"].value_counts()
    visits = {"attack": 24.0, "defense": 12.0, "maintenance": 4.0, "watch": 1.0}
    plan = plan_of(visits_per_year=visits, visits_per_rep=100.0)
    teams = plan.teams.set_index("team")
    assert teams["people"].to_dict() == {
        "hunter": math.ceil(zones["attack"] * 0.24), "farmer": math.ceil(zones["defense"] * 0.12)}  # fmt: skip
    assert teams["visits"].to_dict() == {
        "hunter": 24.0 * zones["attack"], "farmer": 12.0 * zones["defense"]}  # fmt: skip
    rest = 4 * zones["maintenance"] + zones["watch"]
    assert plan.notes == (f"Accounts that are not key need {rest} contacts a year, by telephone, mail or a short visit: the work of "
                          f"{rest / 100:.1f} people beside the hunters and farmers.",)  # fmt: skip
    exact = plan_of(visits_per_year=visits | {"watch": 0.0, "maintenance": 0.0},
                    visits_per_rep=24.0 * zones["attack"] / 3)  # fmt: skip
    assert exact.teams["people"].iloc[0] == 3
    assert not any("not key" in note for note in exact.notes)
    few = plan_of(visits_per_year=visits, visits_per_rep=100.0, hunters=1, farmers=9)
    assert few.teams["people"].tolist() == [1, 9]
    assert few.notes[0] == (f"1 hunters can make 100 of {24 * zones['attack']:,} visits; "
                            f"{teams.at['hunter', 'people']} are needed.")  # fmt: skip
    assert not any("farmers can make" in note for note in few.notes)
    unvisited = plan_of(visits_per_year=dict.fromkeys(visits, 0.0))
    assert unvisited.teams["people"].tolist() == [1, 1] and unvisited.notes == ()


def test_plan_by_hand() -> None:
    study = {"visits_per_rep": 150.0, "company_growth": 0.2}
    plan, before = plan_of(**study), accounts()
    found = plan.accounts
    team = before["zone"].map({"attack": "hunter", "defense": "farmer"}).fillna("")
    assert found["team"].tolist() == team.tolist()
    visits = {"attack": 24, "defense": 12, "maintenance": 4, "watch": 1, "": 0}
    assert found["visits_per_year"].tolist() == [visits[zone] for zone in before["zone"]]
    assert found["rep_before"].equals(before["rep"].rename("rep_before"))
    people = dict(zip(plan.teams["team"], plan.teams["people"], strict=True))
    assigned = assign_reps(before.assign(team=team), people)
    assert found["rep"].tolist() == assigned.owner.tolist()
    notes: list[str] = []
    targets = set_targets(with_gains(0.5), study_of(company_growth=0.2), notes)
    pd.testing.assert_frame_equal(found[targets.columns], targets)
    assert [note for note in plan.notes if note in notes] == notes
    assert [note for note in plan.notes if note in assigned.notes] == list(assigned.notes)
    assert "team" not in before.columns, "the matrix is left as it was"

    def sums(part: pd.DataFrame) -> dict[str, float]:
        return {name: round(math.fsum(part[name].dropna()), 2) for name in SUMMED}

    for row in plan.teams.to_dict("records"):
        own = found[found["team"] == row["team"]]
        assert row["accounts"] == len(own) > 0
        assert row["visits"] == own["visits_per_year"].sum()
        assert {name: row[name] for name in SUMMED} == pytest.approx(sums(own))
    assert list(plan.teams["team"]) == ["hunter", "farmer"]
    assert plan.targets.index.tolist() == list(ZONES) and plan.targets.index.name == "zone"
    for zone, row in plan.targets.iterrows():
        own = found[found["zone"] == zone]
        assert row["accounts"] == len(own) and row[list(SUMMED)].to_dict() == pytest.approx(
            sums(own)
        )
    moved = found[(found["team"] != "") & (found["rep_before"] != "")]
    moved = moved[moved["rep"] != moved["rep_before"]]
    # The half of the defense zone that has more at risk moves last, if at all.
    risks = moved.loc[moved["action"] == "defend", "at_risk"]
    phase = {"go now": 1, "measure first": 2, "defend": 3}
    expected = [
        [phase[r["action"]] + (i in risks and r["at_risk"] > risks.median()), i, r["name"],
         r["zone"], r["rep_before"], r["rep"], r["sales"],
         r["at_risk"] if i in risks else None, r["expected_gain"]]
        for i, r in moved.iterrows()
    ]  # fmt: skip
    expected.sort(key=lambda row: (row[0], -row[-1] if row[0] < 3 else row[-2]))
    found = plan.handover.astype(object).where(plan.handover.notna(), None)
    assert found.to_numpy().tolist() == expected and expected
    assert {3, 4} <= set(plan.handover["phase"])
    assert list(plan.handover.columns) == [
        "phase", "account", "name", "zone", "from", "to", "sales", "at_risk", "expected_gain"
    ]  # fmt: skip
    assert plan.owner_changes == len(expected)


def test_owners_change_only_where_the_gain_exceeds_the_cost() -> None:
    free, dear = plan_of(visits_per_rep=150.0), plan_of(visits_per_rep=150.0, handover_cost=0.2)
    moved = dear.accounts.loc[dear.handover["account"]]
    assert (moved["expected_gain"] > 0.2 * moved["sales"]).all()
    assert 0 < dear.owner_changes < free.owner_changes


@pytest.mark.parametrize("firm", [True, False])
def test_growth_of_an_estimate_that_only_ranks_is_asked_once_confirmed(firm: bool) -> None:
    frame = accounts()
    frame.loc[frame.index[::3], "potential_source"] = "measured"  # which needs no confirmation
    plan = plan_sales(Matrix(frame, 1.0, 0.3, 0.3, {}, {}, wallet_of(frame, firm)), study_of())
    first = plan.accounts["action"] == "measure first"
    told = firm | (plan.accounts["potential_source"] == "measured")
    waits = plan.accounts["target_growth"][first | ~told].sum()
    assert 0 < plan.accounts["target_growth"][first].sum() <= waits
    for sums in (plan.teams, plan.reps, plan.targets):
        assert sums["unfirm"].sum() == pytest.approx(waits)
    assert (plan.accounts["firm"] == (told & ~first)).all() and told.any()


def test_work_of_each_rep_by_hand() -> None:
    plan = plan_of(visits_per_rep=150.0)
    found, reps = plan.accounts, plan.reps
    assert list(reps.columns) == [
        "team", "rep", "region", "visits", "off_mean", "taken_over", "sales_taken", "accounts",
        *SUMMED,
        "growth_rate",
        "unfirm",
    ]  # fmt: skip
    people = dict(zip(plan.teams["team"], plan.teams["people"], strict=True))
    home = assign_reps(accounts().assign(team=found["team"]), people).home
    key = found[found["team"] != ""]
    assert [tuple(pair) for pair in reps[["team", "rep"]].to_numpy()] == sorted(
        {(t, r) for t, r in zip(key["team"], key["rep"], strict=True)},
        key=lambda pair: (pair[0] != "hunter", pair[1]),
    )
    for row in reps.to_dict("records"):
        team = key[key["team"] == row["team"]]
        own = team[team["rep"] == row["rep"]]
        assert row["region"] == home[row["rep"]] and row["accounts"] == len(own)
        assert row["visits"] == own["visits_per_year"].sum()
        assert row["off_mean"] == pytest.approx(len(own) / (len(team) / team["rep"].nunique()) - 1)
        other = (own["rep_before"] != "") & (own["rep_before"] != row["rep"])
        assert row["taken_over"] == other.sum()
        assert row["sales_taken"] == pytest.approx(own.loc[other, "sales"].sum(), abs=0.006)
        for name in SUMMED:
            assert row[name] == pytest.approx(own[name].sum(), abs=0.006)
    assert reps["taken_over"].sum() == plan.owner_changes > 0


def test_nobody_is_key() -> None:
    frame = accounts().assign(zone="watch")
    plan = plan_sales(matrix_of(frame), study_of())
    assert len(plan.reps) == 0 == len(plan.handover) and plan.owner_changes == 0
    assert list(plan.reps.columns)[:3] == ["team", "rep", "region"]
    assert plan.teams["people"].tolist() == [0, 0]
    assert plan.accounts["rep"].tolist() == frame["rep"].tolist()
    assert plan.accounts["target_growth"].sum() == 0


def test_unknown_potential_leaves_no_target_even_where_growth_is_asked() -> None:
    frame = accounts().assign(zone="", team="", potential=np.nan, potential_low=np.nan, sow=np.nan)
    frame = frame.join(expect_gains(wallet_of(frame), prior_attainment(0.5)))
    notes: list[str] = []
    found = set_targets(frame, study_of(company_growth=0.1), notes)
    assert found["target_growth"].isna().all() and notes == []


def test_a_plan_says_its_people_in_a_line() -> None:
    plan = plan_of(visits_per_rep=150.0)
    hunters, farmers = plan.teams["people"]
    assert repr(plan) == (f"{hunters} hunters, {farmers} farmers; "
                          f"{plan.owner_changes} accounts change owner")  # fmt: skip
