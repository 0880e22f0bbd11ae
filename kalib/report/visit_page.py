"""The visit list to print: a page for each rep or region, with what to check in the store."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from kalib.analysis import Analysis
from kalib.report.page import render
from kalib.report.story import Story, given
from kalib.words.catalogue import Words

WIDTH, HEIGHT = 120, 26  # of the picture of a store's weeks


def visit_page(analysis: Analysis, story: Story) -> str:
    """The page as text: one sheet for each rep, or each region where the study names no reps.

    Listed are the accounts below market share beyond noise, most sales lost first, and beside each
    its share of wallet, what the gap costs, our share week by week where it was visited, and boxes
    for display, promotion and sales staff.
    """
    words = story.words
    return render(
        "visits.html",
        story=story,
        client=given(analysis.study.report.client),
        study=analysis.study,
        words=words,
        share=words.share(analysis.wallet.market_share),
        sheets=[_sheet(name, part, analysis, words) for name, part in visit_sheets(analysis)],
    )


def visit_sheets(analysis: Analysis) -> list[tuple[str, pd.DataFrame]]:
    """Listed accounts by rep or region, the sheet with most sales lost first."""
    accounts = analysis.plan.accounts
    listed = accounts[accounts["below_market"]].sort_values("sales_lost", ascending=False)
    named = (accounts["rep_before"] != "").any()
    keys = listed["rep"].where(listed["rep"] != "", listed["region"]) if named else listed["region"]
    order = listed["sales_lost"].groupby(keys).sum().sort_values(ascending=False, kind="stable")
    return [(str(name), listed[keys == name]) for name in order.index]


def _sheet(name: str, accounts: pd.DataFrame, analysis: Analysis, words: Words) -> dict[str, Any]:
    weeks = _weeks(analysis, accounts.index)
    rows = [
        {
            "account": account,
            "name": row["name"] if row["name"] != account else "",
            "place": ", ".join(filter(None, (row["region"], row["segment"]))),
            "potential": words.amount(row["potential"]),
            "sales": words.amount(row["sales"]),
            "sow": words.percent(row["sow"]),
            "lost": words.amount(row["sales_lost"]),
            "weeks": weeks.get(account),
        }
        for account, row in accounts.iterrows()
    ]
    lost = words.money(float(accounts["sales_lost"].sum()))
    return {"name": name, "rows": rows, "lost": lost, "count": words.whole(len(rows))}


def _weeks(analysis: Analysis, listed: pd.Index) -> dict[str, dict[str, Any]]:
    """Our share of units in each visited store's weeks, as a line in a picture with the height of
    market share."""
    measured, share = analysis.measured, analysis.wallet.market_share
    if measured is None:
        return {}
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
