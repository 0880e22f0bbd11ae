"""The figures of summary.json."""

from __future__ import annotations

from typing import Any

import numpy as np

from kalib.analysis import Analysis
from kalib.study.settings import ZONES

ACCURACY = ("r2_predicted", "error_median", "boosted_r2_predicted", "boosted_error_median")
NEXT_NAMED = 20  # accounts whose survey the summary says the benefit of


def summarize(analysis: Analysis) -> dict[str, Any]:
    """The figures of summary.json: amounts in currency a year, shares as fractions, None where
    nothing is known."""
    verdict, bias = analysis.verdict, analysis.expert_bias
    return {
        "verdict": verdict.verdict,
        **_potentials(analysis),
        **_placed(analysis),
        **_planned(analysis),
        **{name: _number(getattr(verdict, name)) for name in ACCURACY},
        "next_survey_benefit": _amount(analysis.next_survey["benefit"].head(NEXT_NAMED).sum()),
        "suspects": len(analysis.fit.suspects),
        "overrides": {
            "count": bias.count,
            "potential_before": _amount(bias.before),
            "potential_after": _amount(bias.after),
            "compared": bias.compared,
            "median_ratio": _number(bias.ratio),
            "median_ratio_low": _number(bias.low),
            "median_ratio_high": _number(bias.high),
            "p_value": _number(bias.p_value),
            "more_than_noise": bias.beyond_noise,
        },
    }


def _potentials(analysis: Analysis) -> dict[str, Any]:
    """What the potentials rest on, and their sums."""
    wallet, matrix, accounts = analysis.wallet, analysis.matrix, analysis.plan.accounts
    known = accounts[accounts["potential"].notna()]
    return {
        "basis": wallet.basis.basis,
        "estimate_verdict": wallet.basis.verdict,
        "estimate_r2": _number(wallet.basis.r2),
        "estimate_weights": dict(wallet.basis.weights),
        "accounts": len(accounts),
        "accounts_placed": len(known),
        "surveyed": len(analysis.potential.frame),
        "total_potential": _amount(known["potential"].round(2).sum()),
        "total_sales": _amount(accounts["sales"].sum()),
        "sales_of_placed": _amount(known["sales"].sum()),
        "market_share": _number(matrix.market_share),
        "market_share_low": _number(wallet.market_share_low),
        "market_share_high": _number(wallet.market_share_high),
        "sow_cut": _number(matrix.sow_cut),
        "potential_cut": _number(matrix.potential_cut),
    }


def _placed(analysis: Analysis) -> dict[str, Any]:
    """Zones and key accounts, how sure they are, and the sales ranking beside them."""
    accounts, ranking = analysis.plan.accounts, analysis.matrix.ranking
    flags, key = accounts["flags"], accounts[accounts["key_account"]]
    known = accounts[accounts["potential"].notna()]
    doubt, change = 1 - known["zone_probability"], accounts["change"].value_counts()
    return {
        "key_probability": _number(key["top_probability"].min()),
        "zones": dict(analysis.matrix.counts),
        "undecided": int(flags.str.contains("undecided").sum()),
        "border": int(flags.str.contains("border").sum()),
        "misplaced_expected": _amount(doubt.sum()),
        "misplaced_potential_expected": _amount((doubt * known["potential"]).sum()),
        "below_market": int(accounts["below_market"].sum()),
        "sow_above_1": int(flags.str.contains("sow_above_1").sum()),
        "ka_new": len(key),
        "ka_by_sales": int(accounts["key_account_by_sales"].sum()),
        "ka_potential": _amount(key["potential"].sum()),
        "missed_by_sales": int(ranking["missed"]),
        "missed_by_sales_potential": _amount(ranking["missed_potential"]),
        **{
            f"{key}_by_sales_high": [round(ranking[of + end], 1) for end in ("", "_low", "_high")]
            for key, of in (("missed", "missed_high"), ("wrongly_ka", "wrong_high"))
        },
        "wrongly_ka_by_sales": int(ranking["wrong"]),
        "wrongly_ka_by_sales_potential": _amount(ranking["wrong_potential"]),
        **{name: int(change.get(name, 0)) for name in ("promoted", "demoted", "kept")},
    }


def _planned(analysis: Analysis) -> dict[str, Any]:
    """Teams and targets."""
    plan = analysis.plan
    people = plan.teams.set_index("team")["people"]
    targets = plan.targets[["accounts", "sales", "target_sales", "target_growth"]]
    return {
        "hunters": int(people["hunter"]),
        "farmers": int(people["farmer"]),
        "owner_changes": plan.owner_changes,
        "targets": targets.loc[list(ZONES)].round(2).to_dict("index"),
        "target_sales": _amount(targets["target_sales"].sum()),
        "target_growth": _amount(targets["target_growth"].sum()),
    }


def _amount(value: Any) -> float | None:
    number = _number(value)
    return None if number is None else round(number, 2)


def _number(value: Any) -> float | None:
    number = float(value)
    return number if np.isfinite(number) else None
