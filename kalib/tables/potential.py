"""Known potential: what a survey answered and what was measured in visits."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from kalib.tables.visits import Measured


@dataclass(frozen=True)
class Potential:
    """Known potential of some accounts.

    frame: DataFrame indexed by account: potential (currency a year), log_sd (its standard error in
    logs, 0 for an answer). visits: what was counted in visits, None where there were none.
    """

    frame: pd.DataFrame
    visits: Measured | None = None

    @property
    def visits_each(self) -> float:
        """Visits that measuring one account takes: the median store's days, 1 for a survey."""
        return float(self.visits.frame["days"].median()) if self.visits else 1.0
