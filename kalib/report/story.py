"""The story of a study: what was found, what follows, what it may cost and what is not known.

Every document is laid out from this one object; a claim is a key with its figures, so that one
thing has one number and one sentence wherever it is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from kalib.analysis import Analysis
from kalib.report.summary import NEXT_NAMED, summarize
from kalib.report.wave_tables import summary as wave_summary
from kalib.study.settings import Study
from kalib.waves.waves import Waves
from kalib.words.catalogue import Message, Words

NAMED = 5  # accounts or entries named in a sentence; the lists hold all
TOP = 20  # attack accounts that the bridge shows apart
WORTH_SAYING = 0.005  # of the variance: what rounds to a percent


@dataclass(frozen=True)
class Claim:
    """A sentence that the study proves: its key and figures, and the exhibits that show it (names
    of charts, or of functions of `tables`)."""

    key: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    exhibits: tuple[str, ...] = ()


@dataclass(frozen=True)
class Story:
    """What the documents tell.

    figures: the content of summary.json; headline; findings, actions: at most three each; more:
    further findings; bridge: from today's sales to the target, with its steps (key -> amount);
    risks, unknown, steps: what may go wrong, what is not known, what to do next; charts: name ->
    what the chart claims; waves: the comparison with the wave before, where there is one.
    """

    words: Words
    study: Study
    figures: Mapping[str, Any]
    headline: Claim
    findings: tuple[Claim, ...]
    more: tuple[Claim, ...]
    actions: tuple[Claim, ...]
    bridge: Claim | None
    bridge_steps: Mapping[str, float]
    risks: tuple[Claim, ...]
    unknown: tuple[Claim, ...]
    steps: tuple[Claim, ...]
    charts: Mapping[str, Claim]
    waves: Waves | None = None

    def say(self, claim: Claim) -> str:
        """The claim in the study's language."""
        return self.words.say(claim.key, **claim.figures)

    def said(self, claims: tuple[Claim, ...]) -> list[str]:
        """Claims in the study's language."""
        return [self.say(claim) for claim in claims]

    @property
    def placed(self) -> bool:
        """Whether there is a matrix to show."""
        return bool(self.figures["ka_new"])

    @property
    def tiles(self) -> list[tuple[str, str]]:
        """The few figures a reader looks for first: (figure, what it is); none of a formula that
        says nothing."""
        words, f = self.words, self.figures
        if not self.placed or f["basis"] == "none":
            return []
        return [
            (words.share(f["market_share"]), words.say("market_share")),
            (words.whole(f["ka_new"]), words.say("key_accounts")),
            (words.whole(f["missed_by_sales"]), words.say("t_missed")),
            (words.money(f["target_growth"]), words.say("target_growth")),
        ]

    @property
    def steps_claim(self) -> Claim:
        """What the next steps come to."""
        first = next((claim for claim in self.steps if claim.key == "x_attack"), None)
        return Claim("t_steps", first.figures) if first else Claim("steps")

    @property
    def unknown_claim(self) -> Claim:
        """What measuring would decide."""
        next_ = next((claim for claim in self.unknown if claim.key == "s_next"), None)
        return Claim("t_unknown", next_.figures) if next_ else Claim("unknown")

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
    figures = summarize(analysis)
    steps = _bridge_steps(analysis)
    findings, more = _findings(analysis, figures)
    words = words_of(analysis)
    if waves:
        more += (Claim("w_told", {"text": wave_summary(waves, words)}, ("share_split",)),)
    return Story(
        words=words,
        study=analysis.study,
        figures=figures,
        headline=_headline(analysis, figures),
        findings=findings,
        more=more,
        actions=_actions(analysis, figures),
        bridge=_bridge(figures),
        bridge_steps=steps,
        risks=_risks(analysis, figures),
        unknown=_unknown(analysis, figures),
        steps=_next_steps(analysis, figures),
        charts=_charts(analysis, figures),
        waves=waves,
    )


def _headline(analysis: Analysis, f: Mapping[str, Any]) -> Claim:
    if f["basis"] == "none":
        return Claim("t_unusable", {}, ("checks",))
    if f["targets"]["attack"]["target_growth"]:
        growth = f["targets"]["attack"]["target_growth"]
        figures = {"attack": analysis.matrix.counts["attack"], "growth": growth,
                   "part": growth / f["total_sales"]}  # fmt: skip
        return Claim("h_growth", figures, ("top_attack", "bridge"))
    if f["ka_new"]:
        return Claim("t_found", {"ka": f["ka_new"], "missed": f["missed_by_sales"]}, ("matrix",))
    return Claim("t_unusable", {}, ("checks",))


def _findings(
    analysis: Analysis, f: Mapping[str, Any]
) -> tuple[tuple[Claim, ...], tuple[Claim, ...]]:
    """The three findings, and further ones."""
    verdict, counts = analysis.verdict, analysis.matrix.counts
    said: list[Claim] = []
    basis = analysis.wallet.basis
    odd = (r for r in basis.reasons if isinstance(r, Message) and r.key == "r_odd_sales")
    said += [Claim(reason.key, reason.figures, ("market",)) for reason in odd]
    if verdict.verdict == "unusable":
        said.append(Claim("f_unusable", {"reason": tuple(verdict.reasons)}, ("checks",)))
        rest = f["accounts"] - f["accounts_placed"]
        if basis.basis == "sales":
            said.append(Claim("f_sales", {"reason": tuple(basis.reasons)}, ("market",)))
        else:
            said.append(Claim("f_measured_only", {"n": f["accounts_placed"], "rest": rest}))
    if f["accounts_placed"]:
        share = (f["market_share"], f["market_share_low"], f["market_share_high"])
        said.append(Claim("f_share", {
            "potential": f["total_potential"], "sales": f["sales_of_placed"], "share": share},
            ("share-of-wallet",)))  # fmt: skip
    if f["ka_new"]:
        said.append(Claim("f_ka", {
            "ka": f["ka_new"], "attack": counts["attack"], "defense": counts["defense"],
            "part": f["ka_new"] / f["accounts_placed"],
            "held": f["ka_potential"] / f["total_potential"]}, ("matrix", "zones")))  # fmt: skip
        # A ranking of all accounts can't be compared with a matrix of the measured ones only.
        if f["accounts_placed"] == f["accounts"]:
            said.append(Claim("f_missed", {
                "missed": f["missed_by_sales"], "wrong": f["wrongly_ka_by_sales"],
                "missed_potential": f["missed_by_sales_potential"],
                "wrong_potential": f["wrongly_ka_by_sales_potential"]},
                ("missed", "wrongly_key")))  # fmt: skip
    if f["ka_new"] and analysis.plan.accounts["current_ka"].notna().any():
        said.append(Claim("f_change", {n: f[n] for n in ("promoted", "demoted", "kept")},
                          ("key-accounts",)))  # fmt: skip
    if verdict.verdict != "unusable":
        said.append(Claim("f_formula", {"indicators": analysis.fit.formula.indicators,
                                        "n": analysis.fit.formula.n},
                          ("partial-effects", "terms")))  # fmt: skip
    said += [
        Claim("f_copy", {"name": name, "reason": why}, ("candidates",))
        for name, why in analysis.fit.screening.copies.items()
    ]
    return tuple(said[:3]), tuple(said[3:])


def _actions(analysis: Analysis, f: Mapping[str, Any]) -> tuple[Claim, ...]:
    counts, targets = analysis.matrix.counts, analysis.plan.targets
    said = []
    if f["basis"] == "none":
        said.append(Claim("d_unusable", {}, ("next_survey",)))
    for zone, team in (("attack", "hunters"), ("defense", "farmers")):
        if not counts[zone]:
            continue
        growth, sales = (float(targets.at[zone, name]) for name in ("target_growth", "sales"))
        key = f"d_{zone}" if growth > 0 or zone == "attack" else "d_defense_hold"
        part = growth / sales if sales else np.nan
        figures = {"people": f[team], "n": counts[zone], "sales": sales, "growth": growth,
                   "part": part}  # fmt: skip
        said.append(Claim(key, figures, ("top_attack" if zone == "attack" else "reps",)))
    if f["below_market"]:
        lost = float(analysis.plan.accounts["sales_lost"].sum())
        said.append(Claim("d_below", {"below": f["below_market"], "lost": lost}, ("below_market",)))
    if counts["maintenance"]:
        said.append(Claim("d_maintenance", {"n": counts["maintenance"]}, ("zones",)))
    return tuple(said[:3])


def _bridge(f: Mapping[str, Any]) -> Claim | None:
    if not f["target_growth"]:
        return None
    figures = {"growth": f["target_growth"], "part": f["target_growth"] / f["total_sales"],
               "sales": f["total_sales"], "target": f["target_sales"]}  # fmt: skip
    return Claim("c_bridge", figures, ("bridge",))


def _bridge_steps(analysis: Analysis) -> dict[str, float]:
    """From today's sales to the target: key -> amount, which add up to it."""
    accounts = analysis.plan.accounts
    growth = accounts["target_growth"].fillna(0.0)
    attack = growth[accounts["zone"] == "attack"].sort_values(ascending=False)
    steps = {
        "sales_today": float(accounts["sales"].sum()),
        "bridge_top": float(attack.head(TOP).sum()),
        "bridge_attack": float(attack.iloc[TOP:].sum()),
        "bridge_defense": float(growth[accounts["zone"] == "defense"].sum()),
        "bridge_others": float(growth[~accounts["zone"].isin(["attack", "defense"])].sum()),
    }
    return {key: amount for key, amount in steps.items() if round(amount, 2)}


def _risks(analysis: Analysis, f: Mapping[str, Any]) -> tuple[Claim, ...]:
    """What may go wrong: how sure the formula, the zones, the plan are."""
    fit, verdict = analysis.fit, analysis.verdict
    bad = verdict.verdict == "unusable"
    said = [Claim("s_inaccurate" if bad else "s_accuracy", {
        "r2": max(verdict.r2_predicted, 0.0), "error": verdict.error_median,
        "claimed": max(verdict.r2_predicted + verdict.optimism, 0.0)},
        ("observed-predicted", "accuracy"))]  # fmt: skip
    if verdict.verdict == "caution":
        why = {"verdict": verdict.verdict, "reasons": tuple(verdict.reasons)}
        said.insert(0, Claim("s_verdict", why, ("checks",)))
    if not bad:
        dearer = verdict.boosted_r2_predicted > verdict.r2_predicted + WORTH_SAYING
        said.append(Claim("s_boosted" if dearer else "s_boosted_less", {
            "r2": max(verdict.boosted_r2_predicted, 0.0), "error": verdict.boosted_error_median},
            ("accuracy",)))  # fmt: skip
    if f["misplaced_expected"] >= 1:
        said.append(Claim("s_misplaced", {
            "n": f["misplaced_expected"], "placed": f["accounts_placed"],
            "potential": f["misplaced_potential_expected"]}, ("what_decides",)))  # fmt: skip
    said += [Claim("told", {"text": note}, ("reps",)) for note in analysis.plan.notes]
    if fit.bias.biased:
        said.append(Claim("s_bias", {"n": len(fit.oof), "effective": fit.bias.effective}))
    return (*said, *_experts(analysis))


def _unknown(analysis: Analysis, f: Mapping[str, Any]) -> tuple[Claim, ...]:
    """What is not known: undecided accounts, suspected entries, gaps, extrapolations."""
    fit, bad = analysis.fit, analysis.verdict.verdict == "unusable"
    said = []
    if f["undecided"]:
        said.append(Claim("s_undecided", {"n": f["undecided"]}, ("what_decides",)))
    if len(analysis.next_survey) > NEXT_NAMED:
        named = tuple(analysis.next_survey.index[:NAMED])
        figures = {"n": NEXT_NAMED, "accounts": named, "benefit": f["next_survey_benefit"]}
        said.append(Claim("s_next", figures, ("next_survey",)))
    suspects = fit.suspects[fit.suspects["entry"] != "potential"] if bad else fit.suspects
    if len(suspects):
        named = tuple(suspects["account"].head(NAMED))
        said.append(Claim("s_suspects", {"n": len(suspects), "accounts": named}, ("suspects",)))
    if analysis.measured is not None:
        n, odd = len(analysis.measured.frame), len(analysis.measured.suspects)
        said.append(Claim("s_visits", {"n": n, "odd": odd}, ("visitors",)))
    basis = analysis.wallet.basis
    if basis.basis == "none":
        return tuple(said)
    if basis.basis != "formula":
        weights = {name: weight for name, weight in basis.weights.items() if weight}
        said.append(Claim("s_weights", {"parts": weights, "r2": basis.r2}, ("market",)))
    flags = analysis.plan.accounts["flags"]
    for code, key in (("imputed", "s_filled"), ("extrapolated", "s_outside")):
        n = int(flags.str.contains(code).sum())
        if n:
            said.append(Claim(key, {"n": n}))
    return tuple(said)


def _experts(analysis: Analysis) -> list[Claim]:
    """What field experts changed, and how they lean against the formula."""
    bias = analysis.expert_bias
    if not bias.count:
        return []
    figures = {"n": bias.count, "before": bias.before, "after": bias.after}
    said = [Claim("s_overrides", figures, ("overrides",))]
    if np.isfinite(bias.low):
        figures = {name: getattr(bias, name) - 1 for name in ("ratio", "low", "high")}
        said.append(Claim("s_experts_lean" if bias.beyond_noise else "s_experts_even", figures))
    elif bias.compared:
        said.append(Claim("s_experts_few", {"n": bias.compared}))
    return said


def _next_steps(analysis: Analysis, f: Mapping[str, Any]) -> tuple[Claim, ...]:
    """What to do next, by the week in which it begins."""
    counts, plan = analysis.matrix.counts, analysis.plan
    said = []
    if f["suspects"]:
        said.append(Claim("x_suspects", {"n": f["suspects"]}))
    if f["basis"] == "none":
        return (*said, Claim("x_survey"))
    if plan.owner_changes:
        said.append(Claim("x_handover", {"n": plan.owner_changes}, ("handover",)))
    if counts["attack"]:
        top = plan.accounts[plan.accounts["zone"] == "attack"].nsmallest(NAMED, "attack_rank")
        said.append(Claim("x_attack", {"n": len(top), "accounts": tuple(top["name"])}))
    if f["below_market"]:
        said.append(Claim("x_below", {"n": f["below_market"]}))
    if f["undecided"]:
        said.append(Claim("x_undecided", {"n": min(f["undecided"], NEXT_NAMED)}))
    said.append(Claim("x_wave"))
    return tuple(said)


def _charts(analysis: Analysis, f: Mapping[str, Any]) -> dict[str, Claim]:
    """What each chart claims, by its name."""
    fit, accounts, counts = analysis.fit, analysis.plan.accounts, analysis.matrix.counts
    chosen, gain = fit.formula.indicators, fit.contributions["gain"]
    known = fit.oof[~fit.oof["suspect"]]
    ratio = (known["observed"] / known["predicted"]).quantile(0.95) if len(known) else 1.0
    size = int(fit.path.loc[fit.path["chosen"], "size"].sum())
    stable = sum(fit.stability[name] >= 0.5 for name in chosen)
    found = {
        "sizes": _either(size, "c_path", n=size),
        "indicators": _either(len(gain), "c_first", name=gain.index[0] if len(gain) else ""),
        "partial-effects": _either(
            len(fit.effects), "c_moves", name=fit.effects.index[0] if len(fit.effects) else ""
        ),
        "stability": _either(len(chosen), "c_stable", n=stable, all=len(chosen)),
        "observed-predicted": Claim("c_error", {"off": fit.error_median}),
        "residuals": Claim("c_tail", {"times": float(ratio)}),
        "leave-one-out": Claim("c_left_out", {"share": fit.least_squares.r2_predicted}),
        "share-of-wallet": _either(f["below_market"], "c_below", n=f["below_market"]),
    }
    placed = sum(counts.values())
    top = accounts.nlargest(TOP, "potential")["potential"].sum()
    total = f["total_potential"] or 1.0
    held = (f["ka_potential"] or 0.0) / total
    growth = f["target_growth"] or 0.0
    zones = accounts.groupby("zone")[["potential", "sales"]].sum()
    attack = zones.loc["attack"] if "attack" in zones.index else pd.Series(dtype=float)
    ours = attack["sales"] / attack["potential"] if len(attack) else 0.0
    return {
        **found,
        "intervals": _either(placed, "c_largest", n=min(TOP, placed), share=float(top) / total),
        "matrix": _either(placed, "c_matrix", attack=counts["attack"], defense=counts["defense"]),
        "zones": _either(len(attack), "c_zones", held=held, share=float(ours)),
        "key-accounts": Claim("c_change", {n: f[n] for n in ("promoted", "demoted")}),
        "bridge": _bridge(f) or Claim("c_bridge_none"),
        "targets": _either(
            growth,
            "c_targets",
            growth=growth,
            reps=int((analysis.plan.reps["target_growth"] > 0).sum()),
        ),
    }


def _either(shown: object, key: str, **figures: Any) -> Claim:
    """A chart's claim, or the one of a chart with nothing in it."""
    return Claim(key, figures) if shown else Claim(f"{key}_none")
