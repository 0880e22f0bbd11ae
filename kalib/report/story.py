"""The story of a study: what was found, what follows, what it may cost and what is not known.

Every document is laid out from this one object; a claim is a key with its figures, so that one
thing has one number and one sentence wherever it is written.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kalib.analysis import Analysis
from kalib.formula.verdict import R2_MODERATE
from kalib.report.summary import NEXT_NAMED, summarize
from kalib.report.tables import changed
from kalib.study.settings import Study
from kalib.waves.waves import Waves
from kalib.words.catalogue import Message, Words

CLAIMS = tomllib.loads(Path(__file__).with_name("story.toml").read_text(encoding="utf-8"))
NAMED = 5  # accounts or entries named in a sentence; the lists hold all
LARGEST = 20  # accounts whose part of all potential is told
CALLED = 10  # attack accounts told of as the first
LIKELY = 0.8  # of the growth asked: where less is likely to come, the headline says so
WORTH_SAYING = 0.005  # of the variance: what rounds to a percent


@dataclass(frozen=True)
class Claim:
    """A sentence that the study proves: its key, and figures that are not among the facts."""

    key: str
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Story:
    """What the documents tell.

    figures: the content of summary.json; facts: what claims are filled with, the figures among
    them; headline; findings, actions: at most three each; more: further findings; move: the
    hand-overs, in phases; risks, unknown, steps: what may go wrong, what is not known, what to do
    next; charts: name -> what the chart claims; waves: the comparison with the wave before, where
    there is one.
    """

    words: Words
    study: Study
    figures: Mapping[str, Any]
    facts: Mapping[str, Any]
    headline: Claim
    findings: tuple[Claim, ...]
    more: tuple[Claim, ...]
    actions: tuple[Claim, ...]
    move: tuple[Claim, ...]
    risks: tuple[Claim, ...]
    unknown: tuple[Claim, ...]
    steps: tuple[Claim, ...]
    charts: Mapping[str, Claim]
    waves: Waves | None = None

    def say(self, claim: Claim) -> str:
        """The claim in the study's language."""
        return self.words.say(claim.key, **{**self.facts, **claim.figures})

    def said(self, claims: Iterable[Claim]) -> list[str]:
        """Claims in the study's language."""
        return [self.say(claim) for claim in claims]

    def claim(self, about: Mapping[str, Any]) -> Claim:
        """What a chapter or slide is headed by: the claim of a chart or of the story that has its
        title's name, else the phrase of that key; another where the formula says nothing."""
        sound = self.facts["chosen"] and self.figures["verdict"] != "unusable"
        key = about["title"] if sound else about.get("otherwise", about["title"])
        found = self.charts.get(key) or getattr(self, key, None)
        return found if isinstance(found, Claim) else Claim(key)

    def holds(self, what: str) -> bool:
        """Whether a fact holds, or the story has the part, that a chapter or slide is made for."""
        return bool(getattr(self, what)) if hasattr(self, what) else _holds(what, self.facts)

    def tiles(self, part: str = "summary") -> list[tuple[str, str]]:
        """The few figures a reader looks for first: (figure, what it is); none where there is no
        plan."""
        say, f = self.words.say, self.facts
        tiles = CLAIMS["tiles"][part] if f["planned"] else {}
        return [(getattr(self.words, how)(f[of]), say(key)) for key, (how, of) in tiles.items()]

    @property
    def source(self) -> str:
        """What exhibits rest on, the period, and the mark of a draft."""
        said = (self.draft, self.words.say("d_source", **self.facts), self.period)
        return " · ".join(filter(None, said))

    @property
    def byline(self) -> str:
        """For whom and by whom, as far as the study says; "" where it says neither."""
        report = self.study.report
        client, author = given(report.client), given(report.author)
        key = "prepared" if client and author else "prepared_for" if client else "prepared_by"
        return self.words.say(key, client=client, author=author) if client or author else ""

    @property
    def period(self) -> str:
        """The period, as far as the study says."""
        period = self.study.period
        return "" if period == "current" else self.words.say("period", period=period)

    @property
    def draft(self) -> str:
        """The mark of every page of a study without client, author or period; else ""."""
        report = self.study.report
        whole = given(report.client) and given(report.author) and self.period
        return "" if whole else self.words.say("draft")


def given(name: str) -> str:
    """A client's or author's name; "" where the study leaves what stands there by default."""
    return "" if name in ("Client", "Analyst") else name


def words_of(analysis: Analysis) -> Words:
    """The words of a study's documents: amounts are counted in one unit in all of them, chosen so
    that a key account has a few digits."""
    accounts = analysis.plan.accounts
    key = accounts.loc[accounts["key_account"], "potential"]
    typical = float(key.median() if len(key) else accounts["potential"].median())
    return Words.of(analysis.study, typical)


def tell_story(analysis: Analysis, waves: Waves | None = None) -> Story:
    """What a study's documents tell."""
    figures, words = summarize(analysis), words_of(analysis)
    facts = _facts(analysis, figures, waves)
    odd = [why for why in analysis.wallet.basis.reasons
           if isinstance(why, Message) and why.key == "r_odd_sales"]  # fmt: skip
    copies = analysis.fit.screening.copies.items()
    findings = [
        *(Claim(why.key, why.figures) for why in odd),  # to be checked first
        *_told("findings", facts),
        *(Claim("f_copy", {"name": name, "reason": why}) for name, why in copies),
    ]
    if waves:
        findings.append(Claim("w_change", changed(waves)))
        findings[2:2] = _promise(waves)  # on the first page
    notes = [Claim("told", {"text": note}) for note in analysis.plan.notes]
    return Story(
        words=words,
        study=analysis.study,
        figures=figures,
        facts=facts,
        headline=_told("headline", facts)[0],
        findings=tuple(findings[:3]),
        more=tuple(findings[3:]),
        actions=tuple(_told("actions", facts)[:3]),
        move=_move(analysis) if facts["planned"] else (),
        risks=(*_told("risks", facts), *(notes if facts["planned"] else ())),
        unknown=tuple(_told("unknown", facts)),
        steps=tuple(_told("steps", facts)),
        charts={
            name: Claim(key if all(_holds(need, facts) for need in needs) else f"{key}_none")
            for name, (key, *needs) in CLAIMS["charts"].items()
        },
        waves=waves,
    )


def _told(part: str, facts: Mapping[str, Any]) -> list[Claim]:
    """The claims of a part of story.toml whose facts hold."""
    return [Claim(key) for key, needs in CLAIMS[part].items()
            if all(_holds(need, facts) for need in needs)]  # fmt: skip


def _holds(need: str, facts: Mapping[str, Any]) -> bool:
    """Whether a fact holds, "not" one does not; "" always."""
    name = need.removeprefix("not ")
    return not name or bool(facts[name]) is (name == need)


def _facts(analysis: Analysis, f: Mapping[str, Any], waves: Waves | None) -> dict[str, Any]:
    """What sentences are filled with: the figures of summary.json, parts of them, and names."""
    plan = analysis.plan
    accounts, total = plan.accounts, f["total_potential"] or 1.0
    attack = accounts.loc[accounts["zone"] == "attack", ["potential", "sales"]].sum()
    now = accounts[accounts["action"] == "go now"].nsmallest(CALLED, "attack_rank")
    called, action = now.head(NAMED), accounts["action"].value_counts()
    below = accounts[accounts["below_market"]]
    ways = {"visited": below["target_growth"] > 0, "contacted": below["action"] == "contact"}
    largest = accounts["potential"].nlargest(LARGEST)
    asked = {zone: f["targets"][zone]["target_growth"] for zone in ("attack", "defense")}
    likely = float(accounts.loc[accounts["team"] == "hunter", "expected_gain"].sum())
    missed = ("missed_high", "missed_low", "missed_most")
    return {
        **f,
        **f["zones"],
        **dict(zip(missed, f["missed_by_sales_high"], strict=True)),
        "wrong_high": f["wrongly_ka_by_sales_high"][0],
        "share": tuple(f[f"market_share{end}"] for end in ("", "_low", "_high")),
        "rest": f["accounts"] - f["accounts_placed"],
        "key_part": f["ka_new"] / max(f["accounts_placed"], 1),
        "key_held": (f["ka_potential"] or 0.0) / total,
        "below_share": int((accounts["sow"] < (f["market_share"] or 0.0)).sum()),
        "likely": likely,  # what the lists add up to; its range is growth_points
        "doubtful": likely < LIKELY * asked["attack"],
        "attained": plan.attainment.mean,
        "short": asked["attack"] - likely,
        "attack_share": attack["sales"] / attack["potential"] if attack["potential"] else 0.0,
        "largest": len(largest),
        "largest_share": float(largest.sum()) / total,
        **{f"{zone}_sales": float(plan.targets.at[zone, "sales"]) for zone in asked},
        **{f"{zone}_growth": growth for zone, growth in asked.items()},
        **{f"{zone}_part": float(plan.targets.at[zone, "growth_rate"]) for zone in asked},
        "attack_of_all": asked["attack"] / f["total_sales"] if f["total_sales"] else np.nan,
        "growth_of_all": f["target_growth"] / f["total_sales"] if f["total_sales"] else np.nan,
        "bridge_target": f["total_sales"] + f["target_growth"],  # also of accounts not placed
        "reps_asked": int((plan.reps["target_growth"] > 0).sum()),
        "lost": float(below["sales_lost"].sum()),
        **{way: int(rows.sum()) for way, rows in ways.items()},
        **{f"{way}_lost": float(below["sales_lost"][rows].sum()) for way, rows in ways.items()},
        **changed(waves),
        "go": int(action.get("go now", 0)),
        "measured_first": int(action.get("measure first", 0)),
        "now_n": len(now),
        "now_gain": float(now["expected_gain"].sum()),
        "now_sales": float(now["sales"].sum()),
        "at_risk": float(accounts.loc[accounts["action"] == "defend", "at_risk"].sum()),
        "parents": len(plan.parents),
        "called_first": len(called),
        "call_on": tuple(called["name"]),
        "undecided_first": min(len(analysis.next_survey), NEXT_NAMED),
        "next_named": NEXT_NAMED,
        "next_accounts": tuple(accounts.loc[analysis.next_survey.index[:NAMED], "name"]),
        **{flag: int(accounts["flags"].str.contains(flag).sum())
           for flag in ("imputed", "extrapolated")},
        **_doubts(analysis, f),
    }  # fmt: skip


def _doubts(analysis: Analysis, f: Mapping[str, Any]) -> dict[str, Any]:
    """Facts of formula and estimates on which claims depend, and figures of what is doubted."""
    fit, verdict, measured = analysis.fit, analysis.verdict, analysis.measured
    bad, basis, proof = f["verdict"] == "unusable", f["basis"], analysis.plan.proof
    suspects, rests, experts = fit.suspects, analysis.wallet.basis, analysis.expert_bias
    if bad:
        suspects = suspects[suspects["entry"] != "potential"]
    return {
        "reasons": tuple(verdict.reasons),
        "basis_reasons": tuple(rests.reasons),
        "estimate_weights": {name: weight for name, weight in rests.weights.items() if weight},
        "indicators": fit.formula.indicators,
        "answers": fit.formula.n,
        "r2": max(verdict.r2_predicted, 0.0),
        "claimed": max(verdict.r2_predicted + verdict.optimism, 0.0),
        "claims_more": round(verdict.optimism, 2) > 0.01,
        "boosted_r2": max(verdict.boosted_r2_predicted, 0.0),
        "mover": next(iter(fit.effects.index), ""),
        "chosen": len(fit.formula.indicators),
        "stable": sum(fit.stability[name] >= 0.5 for name in fit.formula.indicators),
        "bad": bad,
        "caution": f["verdict"] == "caution",
        "by_sales": basis == "sales",
        "estimated": basis != "none",
        "ranked": basis != "none" and rests.r2 < R2_MODERATE,
        "planned": basis != "none" and f["ka_new"] > 0,
        "grows": basis != "none" and f["target_growth"] > 0,
        "heard": basis != "formula",
        # A ranking of all accounts can't be compared with a matrix of the measured ones only.
        "compared": f["accounts_placed"] == f["accounts"],
        "named_today": analysis.plan.accounts["current_ka"].notna().any(),
        "dearer": verdict.boosted_r2_predicted > verdict.r2_predicted + WORTH_SAYING,
        "misplaced": f["misplaced_expected"] >= 1,
        "telling": len(analysis.next_survey) > NEXT_NAMED,
        "suspected": len(suspects),
        "suspect_accounts": tuple(suspects["account"].head(NAMED)),
        "counted": 0 if measured is None else len(measured.frame),
        "odd_days": 0 if measured is None else len(measured.suspects),
        "held": proof.held if proof else 0,
        "detectable": proof.detectable if proof else None,
        "biased": fit.bias.biased,
        **{name: getattr(experts, name) - 1 for name in ("ratio", "low", "high")},
        **{f"experts_{name}": value for name, value in vars(experts).items()},
        "experts_weighed": np.isfinite(experts.low),
        "asked_in_all": len(fit.oof),
        "effective": fit.bias.effective,
    }


def _promise(waves: Waves) -> list[Claim]:
    """What the wave before asked of its attack accounts, what came of those that are accounts
    still, and what this says of now."""
    asked = waves.ledger.query("grouping == 'zone' and group == 'attack' and sales > 0")
    then, promised = waves.promised
    return [
        Claim("w_promise" if row.accounts == then else "w_promise_left", {
            "n": row.accounts, "asked": row.asked, "came": row.came, "then": then,
            "promised": promised, "part": row.asked / row.sales, "came_part": row.came / row.asked})
        for row in asked.itertuples()
    ] + _proved(waves)  # fmt: skip


def _proved(waves: Waves) -> list[Claim]:
    """What the accounts that the wave before held out say of attacking."""
    proofs = [found for found in (waves.proof,) if found]
    return [Claim("w_proof" if one.claimed else "w_proof_none", vars(one)) for one in proofs]


def _move(analysis: Analysis) -> tuple[Claim, ...]:
    """The phases of the move that have hand-overs, each with the sales that change hands, and what
    of these is at risk."""
    plan = analysis.plan
    moved = plan.handover.join(plan.accounts["at_risk"].rename("risked"), on="account")
    sums = moved.assign(n=1).groupby("phase")[["n", "sales", "risked"]].sum()
    return tuple(Claim(f"m_phase_{row.Index}", row._asdict()) for row in sums.itertuples())
