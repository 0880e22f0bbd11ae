"""The accounts of a result as a notebook shows them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

SHOWN = 10  # accounts that a notebook shows of a result
FRACTIONS = ("sow", "zone_p", "target_sow")


def accounts_html(accounts: pd.DataFrame, columns: Sequence[str]) -> str:
    """The accounts with most potential, for a notebook: money whole, fractions as percentages."""
    top = accounts.nlargest(SHOWN, "potential")[list(columns)]
    whole, part = "{:,.0f}".format, "{:.0%}".format
    forms = {name: part if name.startswith(FRACTIONS) else whole for name in columns}
    numbers = {name: forms[name] for name in top.select_dtypes("number").columns}
    head = f"<p>{len(top)} of {len(accounts):,} accounts</p>"
    return head + str(top.to_html(formatters=numbers, na_rep="–", escape=True))
