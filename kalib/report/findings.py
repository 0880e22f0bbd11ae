"""The findings: the figures of summary.json, and the sentences every deliverable repeats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kalib.analysis import Analysis
from kalib.report import wave_tables
from kalib.report.summary import NEXT_NAMED, summarize
from kalib.tables.overrides import ExpertBias
from kalib.waves.waves import Waves
from kalib.words.catalogue import Words

NAMED_SUSPECTS = 5  # suspected entries named in the summary; the appendix lists all
WORTH_SAYING = 0.005  # of the variance: what rounds to a percent


@dataclass(frozen=True)
class Findings:
    """figures: the content of summary.json; found, do, sure: sentences in the study's language;
    waves: the comparison with the wave before, where there is one."""

    figures: Mapping[str, Any]
    found: tuple[str, ...]
    do: tuple[str, ...]
    sure: tuple[str, ...]
    waves: Waves | None = None


def find(analysis: Analysis, waves: Waves | None = None) -> Findings:
    """Gather the findings of a study."""
    figures = summarize(analysis)
    words = Words.of(analysis.study)
    return Findings(
        figures,
        (
            *_found(analysis, figures, words),
            *([wave_tables.summary(waves, words)] if waves else []),
        ),
        _do(analysis, figures, words),
        _sure(analysis, figures, words),
        waves,
    )


def key_figures(findings: Findings, words: Words) -> list[tuple[str, str]]:
    """The few figures a reader looks for first: (figure, what it is); none of a formula that says
    nothing."""
    figures = findings.figures
    if not figures["ka_new"] or figures["basis"] == "none":
        return []
    return [
        (words.share(figures["market_share"]), words.say("market_share")),
        (words.whole(figures["ka_new"]), words.say("key_accounts")),
        (words.whole(figures["missed_by_sales"]), words.say("t_missed")),
        (words.money(figures["target_growth"]), words.say("target_growth")),
    ]


def _found(analysis: Analysis, figures: Mapping[str, Any], words: Words) -> tuple[str, ...]:
    verdict, fit = analysis.verdict, analysis.fit
    f: dict[str, float] = {k: v for k, v in figures.items() if isinstance(v, int | float)}
    said = [
        words.say("f_copy", name=name, reason=why) for name, why in fit.screening.copies.items()
    ]
    if verdict.verdict == "unusable":
        said.append(words.say("f_unusable", reason=words.join(verdict.reasons)))
        basis, placed = analysis.wallet.basis, int(f["accounts_placed"])
        rest = words.whole(f["accounts"] - placed)
        if basis.basis == "sales":
            said.append(words.say("f_sales", reason=words.join(basis.reasons)))
        else:
            said.append(words.say("f_measured_only", n=words.whole(placed), rest=rest))
    if f["accounts_placed"]:
        said.append(
            words.say(
                "f_share",
                potential=words.money(f["total_potential"]),
                sales=words.money(f["sales_of_placed"]),
                share=(f["market_share"], f["market_share_low"], f["market_share_high"]),
            )
        )
    if f["ka_new"]:
        counts = analysis.matrix.counts
        said.append(
            words.say(
                "f_ka",
                ka=words.whole(f["ka_new"]),
                attack=words.whole(counts["attack"]),
                defense=words.whole(counts["defense"]),
                part=words.percent(f["ka_new"] / f["accounts_placed"]),
                held=words.percent(f["ka_potential"] / f["total_potential"]),
            )
        )
        # A ranking of all accounts can't be compared with a matrix of the measured ones only.
        if f["accounts_placed"] == f["accounts"]:
            said.append(
                words.say(
                    "f_missed",
                    missed=words.whole(f["missed_by_sales"]),
                    missed_potential=words.money(f["missed_by_sales_potential"]),
                    wrong=words.whole(f["wrongly_ka_by_sales"]),
                    wrong_potential=words.money(f["wrongly_ka_by_sales_potential"]),
                )
            )
        if analysis.plan.accounts["current_ka"].notna().any():
            moves = {name: words.whole(f[name]) for name in ("promoted", "demoted", "kept")}
            said.append(words.say("f_change", **moves))
    if verdict.verdict != "unusable":
        names = ", ".join(fit.formula.indicators)
        said.append(words.say("f_formula", indicators=names, n=words.whole(f["surveyed"])))
    return tuple(said)


def _do(analysis: Analysis, figures: Mapping[str, Any], words: Words) -> tuple[str, ...]:
    counts, targets = analysis.matrix.counts, analysis.plan.targets
    said = []
    if analysis.wallet.basis.basis == "none":
        said.append(words.say("d_unusable"))
    if counts["attack"]:
        said.append(
            words.say(
                "d_attack",
                hunters=words.people("hunter", int(figures["hunters"])),
                attack=words.whole(counts["attack"]),
                growth=words.money(targets.at["attack", "target_growth"]),
            )
        )
    if counts["defense"]:
        growth = float(targets.at["defense", "target_growth"])
        said.append(
            words.say(
                "d_defense_growth" if growth > 0 else "d_defense",
                farmers=words.people("farmer", int(figures["farmers"])),
                defense=words.whole(counts["defense"]),
                sales=words.money(targets.at["defense", "sales"]),
                growth=words.money(growth),
            )
        )
    below = int(analysis.wallet.accounts["below_market"].sum())
    if below:
        said.append(words.say("d_below", below=words.whole(below)))
    if counts["maintenance"]:
        said.append(words.say("d_maintenance", maintenance=words.whole(counts["maintenance"])))
    return tuple(said)


def _sure(analysis: Analysis, figures: Mapping[str, Any], words: Words) -> tuple[str, ...]:
    fit, verdict = analysis.fit, analysis.verdict
    said = [
        words.say(
            "s_inaccurate" if verdict.verdict == "unusable" else "s_accuracy",
            r2=words.percent(max(verdict.r2_predicted, 0.0)),
            error=words.percent(verdict.error_median),
            claimed=words.percent(max(verdict.r2_predicted + verdict.optimism, 0.0)),
        )
    ]
    if verdict.verdict != "unusable":
        state = words.say(verdict.verdict)
        reasons = words.join(verdict.reasons) if verdict.verdict == "caution" else ""
        said.insert(0, words.say("s_verdict", verdict=state, reasons=reasons).strip())
        dearer = verdict.boosted_r2_predicted > verdict.r2_predicted + WORTH_SAYING
        r2 = words.percent(max(verdict.boosted_r2_predicted, 0.0))
        error = words.percent(verdict.boosted_error_median)
        said.append(words.say("s_boosted" if dearer else "s_boosted_less", r2=r2, error=error))
    if figures["misplaced_expected"] >= 1:
        said.append(
            words.say(
                "s_misplaced",
                n=words.whole(figures["misplaced_expected"]),
                placed=words.whole(figures["accounts_placed"]),
                potential=words.money(figures["misplaced_potential_expected"]),
            )
        )
    if figures["undecided"]:
        said.append(words.say("s_undecided", undecided=words.whole(int(figures["undecided"]))))
    if len(analysis.next_survey) > NEXT_NAMED:
        named = ", ".join(analysis.next_survey.index[:NAMED_SUSPECTS])
        benefit = words.money(figures["next_survey_benefit"])
        said.append(words.say("s_next", n=NEXT_NAMED, accounts=named, benefit=benefit))
    suspects = fit.suspects
    if verdict.verdict == "unusable":
        suspects = suspects[suspects["entry"] != "potential"]
    if len(suspects):
        shown = [
            f"{row.account} {words.tell(row.entry)} {words.whole(row.value)} "
            f"({words.tell(row.cause)})"
            for row in suspects.head(NAMED_SUSPECTS).itertuples()
        ]
        more = len(suspects) - len(shown)
        entries = "; ".join(shown) + (f" … +{more}" if more else "")
        if len(suspects) == 1:
            said.append(words.say("s_suspect", entries=entries))
        else:
            said.append(words.say("s_suspects", n=words.whole(len(suspects)), entries=entries))
    if analysis.measured is not None:
        n, odd = len(analysis.measured.frame), len(analysis.measured.suspects)
        said.append(words.say("s_visits", n=words.whole(n), odd=words.whole(odd)))
    if fit.bias.biased:
        effective = words.whole(fit.bias.effective)
        said.append(words.say("s_bias", n=words.whole(len(fit.oof)), effective=effective))
    said += _experts(analysis.expert_bias, words)
    basis = analysis.wallet.basis
    if basis.basis == "none":
        return tuple(said)
    if basis.basis != "formula":
        weights = sorted(basis.weights.items(), key=lambda item: -item[1])
        parts = [f"{words.word(f'part_{name}')} {words.percent(w)}" for name, w in weights if w]
        said.append(words.say("s_weights", parts="; ".join(parts), r2=words.percent(basis.r2)))
    flags = analysis.plan.accounts["flags"]
    for code, key in (("imputed", "s_filled"), ("extrapolated", "s_outside")):
        n = int(flags.str.contains(code).sum())
        if n:
            said.append(words.say(key, n=words.whole(n)))
    return tuple(said)


def _experts(bias: ExpertBias, words: Words) -> list[str]:
    """What field experts changed, and how they lean against the formula."""
    if not bias.count:
        return []
    before, after = words.money(bias.before), words.money(bias.after)
    said = [words.say("s_overrides", n=words.whole(bias.count), before=before, after=after)]
    if np.isfinite(bias.low):
        names = ("ratio", "low", "high")
        shown = {name: f"{getattr(bias, name) - 1:+.0%}" for name in names}
        key = "s_experts_lean" if bias.beyond_noise else "s_experts_even"
        said.append(words.say(key, **shown))
    elif bias.compared:
        said.append(words.say("s_experts_few", n=words.whole(bias.compared)))
    return said
