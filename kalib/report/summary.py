"""The figures of summary.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from kalib.analysis import Analysis
from kalib.files import beside
from kalib.plan.plan import EXACT, Plan
from kalib.study.settings import ZONES

FIGURES = beside(__file__)
NEXT_NAMED = 20  # accounts whose survey the summary says the benefit of


def summarize(analysis: Analysis) -> dict[str, Any]:
    """The figures of summary.json: amounts in currency a year, shares as fractions, None where
    nothing is known."""
    accounts, ranking = analysis.plan.accounts, analysis.matrix.ranking
    ends, benefit = ("", "_low", "_high"), analysis.next_survey["benefit"]
    return {
        **{name: _plain(at(analysis, path)) for name, path in FIGURES["values"].items()},
        **measured(accounts, FIGURES, analysis.study.digits),
        **planned(analysis.plan),
        "surveyed": len(analysis.potential.frame),
        "estimate_weights": dict(analysis.wallet.basis.weights),
        "zones": dict(analysis.matrix.counts),
        "key_probability": _plain(accounts.loc[accounts["key_account"], "top_probability"].min()),
        "missed_by_sales_high": [round(ranking[f"missed_high{end}"], 1) for end in ends],
        "wrongly_ka_by_sales_high": [round(ranking[f"wrong_high{end}"], 1) for end in ends],
        "next_survey_benefit": round(float(benefit.head(NEXT_NAMED).sum()), analysis.study.digits),
        "suspects": len(analysis.fit.suspects),
        "overrides": {k: _plain(at(analysis, path)) for k, path in FIGURES["overrides"].items()},
    }


def planned(plan: Plan) -> dict[str, Any]:
    """Teams and targets by zone."""
    targets = plan.targets[["accounts", "sales", "target_sales", "target_growth"]]
    people = {f"{row.team}s": int(row.people) for row in plan.teams.itertuples()}
    return {**people, "targets": targets.loc[list(ZONES)].round(EXACT).to_dict("index")}


def measured(accounts: pd.DataFrame, about: Mapping[str, Any], digits: int) -> dict[str, Any]:
    """The counts and sums that a part of summary.toml asks for; digits: of amounts."""
    likeliest = accounts[[f"p_{zone}" for zone in ZONES]].max(axis=1)
    frame = accounts[FIGURES["columns"]].assign(p_most=likeliest)
    found: dict[str, Any] = {
        name: int(frame.eval(where).sum()) for name, where in about["counts"].items()
    }
    for name, (what, where) in about["sums"].items():
        amounts = frame.query(where).eval(what, local_dict={"digits": digits})
        found[name] = round(float(amounts.sum()), digits)
    return found


def at(results: Any, path: str) -> Any:
    """What lies at a path in the results: "matrix.ranking.missed"."""
    for name in path.split("."):
        results = results[name] if isinstance(results, Mapping) else getattr(results, name)
    return results


def _plain(value: Any) -> Any:
    """A figure as JSON has it, None where it is not known."""
    if isinstance(value, str | int):
        return value
    return float(value) if np.isfinite(value) else None
