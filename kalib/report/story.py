"""The story of a study: what was found, what follows, what it may cost and what is not known.

Every document is laid out from this one object; a claim is a key with its figures, so that one
thing has one number and one sentence wherever it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined

from kalib.analysis import Analysis
from kalib.files import beside
from kalib.plots.accounts import common_ends, names_apart
from kalib.report.summary import FIGURES, NEXT_NAMED, measured, summarize
from kalib.report.tables import accounts_of, changed, telling_of
from kalib.study.settings import Study
from kalib.tables.overrides import ExpertBias
from kalib.waves.waves import Waves
from kalib.words.catalogue import Message, Words

CLAIMS = beside(__file__)
strict = Environment(undefined=StrictUndefined)
compiled = partial(strict.compile_expression, undefined_to_none=False)
NAMED = 5  # accounts or entries named in a sentence; the lists hold all
LARGEST = 20  # accounts whose part of all potential is told
PARTS = ("placed", "statistics", "unknown", "steps")
SURE = 0.8  # of half samples that choose an indicator, from which on it is named as certain
CALLED = 10  # attack accounts told of as the first


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
    hand-overs, in phases; placed: what the matrix shows; risks, unknown, steps: what may go wrong,
    what is not known, what to do next; statistics: of the formula, for the appendix; charts: name
    -> what the chart claims; waves: the comparison with the wave before, where there is one.
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
    placed: tuple[Claim, ...]
    risks: tuple[Claim, ...]
    statistics: tuple[Claim, ...]
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
        """The few figures looked for first: (figure, what it is); none of nothing, or no plan."""
        say, f = self.words.say, self.facts
        tiles = CLAIMS["tiles"][part] if f["planned"] else {}
        return [(getattr(self.words, how)(f[of]), say(key, **f))
                for key, (how, of) in tiles.items() if f[of]]  # fmt: skip

    def notes(self, of: str) -> str:
        """What the speaker of a slide says."""
        return self.words.join(self.said(told_of(CLAIMS["notes"].get(of, {}), self.facts)))

    @property
    def source(self) -> str:
        """What exhibits rest on, the period, and the mark of a draft."""
        said = (self.draft, *self.said(told_of("source", self.facts)), self.period)
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
    """The words of a study's documents: amounts of accounts are counted in one unit in all of
    them, chosen so that a key account has a few digits, and sums in another."""
    accounts = analysis.plan.accounts
    key = accounts.loc[accounts["key_account"], "potential"]
    typical = float(key.median() if len(key) else accounts["potential"].median())
    return Words.of(analysis.study, typical, float(accounts["sales"].sum()))


def tell_story(analysis: Analysis, waves: Waves | None = None) -> Story:
    """What a study's documents tell."""
    figures, words = summarize(analysis), words_of(analysis)
    facts = _facts(analysis, figures, waves)
    odd = [why for why in analysis.wallet.basis.reasons
           if isinstance(why, Message) and why.key == "r_odd_sales"]  # fmt: skip
    rest = [note for note in analysis.plan.notes if getattr(note, "key", "").startswith("p_rest")]
    copies = analysis.fit.screening.copies.items()
    findings = [
        *(Claim(why.key, why.figures) for why in odd),  # to be checked first
        *told_of("findings", facts),
        *(Claim("f_copy", {"name": name, "reason": why}) for name, why in copies),
    ]
    if waves:
        findings.append(Claim("w_change", changed(waves)))
        findings[2:2] = _promise(waves)  # on the first page
    notes = [Claim("told", {"text": note}) for note in analysis.plan.notes if note not in rest]
    leaning = [Claim("s_expert_leans", {"by": name, "n": bias.compared, **_lean(bias)})
               for name, bias in analysis.leaning_experts.items()]  # fmt: skip
    move = [*_move(analysis, facts["beside"]), *told_of("move", facts)]
    move += [Claim("told", {"text": note}) for note in rest]
    return Story(
        words=words, study=analysis.study, figures=figures, facts=facts,
        headline=told_of("headline", facts)[0], findings=tuple(findings[:3]),
        more=tuple(findings[3:]), actions=tuple(told_of("actions", facts)[:3]),
        move=tuple(move) if facts["planned"] else (),
        risks=(*told_of("risks", facts), *leaning, *(notes if facts["planned"] else ())),
        **{part: tuple(told_of(part, facts)) for part in PARTS},
        charts={name: told_of(claims, facts)[0] for name, claims in CLAIMS["charts"].items()},
        waves=waves,
    )  # fmt: skip


def told_of(part: str | Mapping[str, Any], facts: Mapping[str, Any]) -> list[Claim]:
    """The claims of a part of story.toml, or of such a part itself, whose facts hold."""
    claims = CLAIMS[part] if isinstance(part, str) else part
    return [Claim(key) for key, needs in claims.items()
            if all(_holds(need, facts) for need in needs)]  # fmt: skip


def _holds(need: str, facts: Mapping[str, Any]) -> bool:
    """Whether a fact holds, "not" one does not; "" always."""
    name = need.removeprefix("not ")
    return not name or bool(facts[name]) is (name == need)


def _facts(analysis: Analysis, f: Mapping[str, Any], waves: Waves | None) -> dict[str, Any]:
    """What sentences are filled with: figures of summary.json and summary.toml, and names."""
    plan, survey, about = analysis.plan, analysis.next_survey, FIGURES["facts"]
    fit, rests, experts = analysis.fit, analysis.wallet.basis, analysis.expert_bias
    accounts, suspects = plan.accounts, fit.suspects
    names, cut = names_apart(accounts), analysis.matrix.sow_cut
    now = accounts[accounts["action"] == "go now"].nsmallest(CALLED, "attack_rank")
    called, largest = now.head(NAMED), accounts["potential"].nlargest(LARGEST)
    telling, growth = telling_of(survey), accounts["target_growth"].mask(accounts["firm"])
    once = accounts.loc[accounts["action"] == "visit once", "expected_gain"].nlargest(NAMED)
    again = accounts.loc[accounts["action"] == "ask again", "potential"].nlargest(NAMED)
    lists = accounts_of(analysis)
    asked_by = lists.query("guessed and rep != ''")["rep"].value_counts()
    told = {
        **f,
        **f["zones"],
        **measured(accounts, about, analysis.study.digits),
        "below_share": int((accounts["sow"] < (f["market_share"] or 0.0)).sum()),
        "largest": len(largest),
        "largest_open": int((accounts.loc[largest.index, "sow"] < (f["market_share"] or 0)).sum()),
        **changed(waves),
        "now": now,
        "call_on": tuple(names.loc[called.index]),
        "names_cut": " … ".join(filter(None, common_ends(accounts["name"]))),
        "again_named": tuple(names.loc[again.index]),
        "guessed": int(lists["guessed"].sum()),
        "asked_by": asked_by,
        "most_asked": tuple(names.loc[growth[growth > 0].nlargest(3).index]),
        "next_named": NEXT_NAMED,
        "once_named": tuple(names.loc[once.index]),
        "next_accounts": tuple(names.loc[survey.index[:NAMED]]),
        "to_survey": len(telling),
        "to_call": int((lists["to_call"] & lists["free"]).sum()),
        "staff": len({*accounts["rep_before"], *accounts.query("team != ''")["rep"]} - {""}),
        "suspected": len(suspects),
        "suspect_accounts": tuple(suspects["account"].head(NAMED)),
        "estimate_weights": {name: weight for name, weight in rests.weights.items() if weight},
        "within_most": float(np.quantile(fit.errors, 0.9)),
        "above_line": int(((accounts["zone"] == "attack") & (accounts["sow"] >= cut)).sum()),
        "sure_indicators": tuple(n for n in fit.formula.indicators if fit.stability[n] >= SURE),
        "stable": sum(fit.stability[name] >= 0.5 for name in fit.formula.indicators),
        **_lean(experts),
        **{f"experts_{name}": value for name, value in vars(experts).items()},
    }
    for name, expression in about["expressions"].items():
        told[name] = compiled(expression)(told, results=analysis)
    for name, (of, whole) in about["parts"].items():
        told[name] = (told[of] or 0.0) / told[whole] if told[whole] else np.nan
    return told


def _lean(bias: ExpertBias) -> dict[str, float]:
    """By what part experts are above the formula, with its interval."""
    return {name: getattr(bias, name) - 1 for name in ("ratio", "low", "high")}


def _promise(waves: Waves) -> list[Claim]:
    """What the wave before asked of its attack accounts, what came of those that are accounts
    still and what this says of now; and what accounts held out say of attacking."""
    asked = waves.ledger.query("grouping == 'zone' and group == 'attack' and sales > 0")
    then, promised = waves.promised
    return [
        Claim("w_promise" if row.accounts == then else "w_promise_left", {
            "n": row.accounts, "asked": row.asked, "came": row.came, "then": then,
            "promised": promised, "part": row.asked / row.sales, "came_part": row.came / row.asked})
        for row in asked.itertuples()
    ] + [Claim("w_proof" if one.claimed else "w_proof_none", vars(one))
         for one in (waves.proof,) if one]  # fmt: skip


def _move(analysis: Analysis, beside: bool) -> tuple[Claim, ...]:
    """The phases of the move that have hand-overs, each with the sales that change hands, and what
    of these is at risk; and the key accounts that a rep of another region serves."""
    plan = analysis.plan
    moved = plan.handover.assign(n=1, least=plan.handover["at_risk"]).groupby("phase")
    sums = moved.agg({"n": "sum", "sales": "sum", "at_risk": "sum", "least": "min"})
    told = [Claim(f"m_phase_{row.Index}", row._asdict()) for row in sums.itertuples()]
    key = plan.accounts[plan.accounts["team"] != ""]
    home = key["rep"].map(plan.reps.groupby("rep")["region"].first())
    away = key[(home != "") & (home != key["region"])]
    if len(away) and not beside:  # who calls beside other work sits where he sits
        seats = set(zip(plan.reps["team"], plan.reps["region"], strict=True))
        without = {team: tuple(sorted({r for r in here["region"] if (team, r) not in seats}))
                   for team, here in away.groupby("team")}  # fmt: skip
        lacking = "".join(f"_{team}" for team in ("hunter", "farmer") if without.get(team))
        told.append(Claim(f"m_across{lacking}", {"n": len(away), **without}))
    return tuple(told)
