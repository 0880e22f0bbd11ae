"""The visit list to print: a page for each rep or region, with what to check in the store."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from kalib.analysis import Analysis
from kalib.report.page import render
from kalib.report.story import Story

WIDTH, HEIGHT = 120, 26  # of the picture of a store's weeks


def visit_page(analysis: Analysis, story: Story) -> str:
    """The page as text: one sheet for each rep, or each region where the study names no reps.

    Listed are the accounts below market share beyond noise, most sales lost first, and beside each
    its share of wallet, what the gap costs, our share week by week where it was visited, and boxes
    for display, promotion and sales staff.
    """
    return render(
        "visits.html",
        story=story,
        study=analysis.study,
        words=story.words,
        share=story.words.share(analysis.wallet.market_share),
        sheets=visit_sheets(analysis),
        weeks=_weeks(analysis),
    )


def visit_sheets(analysis: Analysis) -> list[tuple[str, pd.DataFrame]]:
    """Listed accounts by rep or region, the sheet with most sales lost first."""
    accounts = analysis.plan.accounts
    listed = accounts[accounts["below_market"]].sort_values("sales_lost", ascending=False)
    named = (accounts["rep_before"] != "").any()
    keys = listed["rep"].where(listed["rep"] != "", listed["region"]) if named else listed["region"]
    order = listed["sales_lost"].groupby(keys).sum().sort_values(ascending=False, kind="stable")
    return [(str(name), listed[keys == name]) for name in order.index]


def _weeks(analysis: Analysis) -> dict[str, dict[str, Any]]:
    """Our share of units in each visited store's weeks, as a line in a picture with the height of
    market share."""
    measured, share = analysis.measured, analysis.wallet.market_share
    if measured is None:
        return {}
    listed = analysis.plan.accounts.query("below_market").index
    weeks = measured.weeks[measured.weeks["account"].isin(listed) & (measured.weeks["total"] > 0)]
    ours = weeks["own"] / weeks["total"]
    height = HEIGHT * (1 - ours / max(2 * share, ours.max()))
    market = round(HEIGHT * (1 - share / max(2 * share, ours.max())), 1)
    found = {}
    for account, part in height.groupby(weeks["account"]):
        across = np.linspace(0, WIDTH, len(part))
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, part, strict=True))
        if len(part) > 1:
            found[str(account)] = {"line": line, "market": market}
    return found
