"""The visit list to print: a page for each rep or region, with what to check in the store."""

from __future__ import annotations

import pandas as pd

from kalib.analysis import Analysis
from kalib.report.page import render
from kalib.report.story import Story
from kalib.report.tables import accounts_of


def visit_page(analysis: Analysis, story: Story) -> str:
    """The page as text: one sheet for each rep, or each region where the study names no reps.

    Listed are the accounts to visit now or to measure first, and others below market share beyond
    noise of which growth is asked, largest expected gain first; beside each its share of wallet,
    what the gap costs, what measuring is to tell, and boxes for what to check: display, promotion
    and sales staff where visits count units in stores, else offer, promotion and contact.
    """
    return render(
        "visits.html",
        story=story,
        study=analysis.study,
        words=story.words,
        sheets=visit_sheets(analysis),
        checked="store" if analysis.measured is not None else "other",
    )


def visit_sheets(analysis: Analysis) -> list[tuple[str, pd.DataFrame]]:
    """Listed accounts by rep or region, the sheet with most to win first."""
    accounts = accounts_of(analysis)
    below = accounts["below_market"] & (accounts["target_growth"] > 0)
    listed = accounts[below | accounts["action"].isin(["go now", "measure first"])]
    listed = listed.sort_values("expected_gain", ascending=False, kind="stable")
    named = (accounts["rep_before"] != "").any()
    keys = listed["rep"].where(listed["rep"] != "", listed["region"]) if named else listed["region"]
    order = listed["expected_gain"].groupby(keys).sum().sort_values(ascending=False, kind="stable")
    return [(str(name), listed[keys == name]) for name in order.index]
