"""What a formula's terms need wherever it is applied, be it without any table in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # its import takes as long as scoring millions of rows, which needs none of it
    import pandas as pd

LEAST_LOGGED = 1e-12  # what a logarithm is taken of at least


@dataclass(frozen=True)
class LevelSpread:
    """A text indicator whose levels the formula's errors scatter by.

    ratio: level -> standard deviation of the errors (working scale) over the common one, shrunk
    toward 1; smearing: level -> Duan's factor there (1 for a linear form); p_value: test that all
    levels scatter alike (Brown & Forsythe 1974), times the indicators tried. Levels without a ratio
    have the common spread and factor.
    """

    indicator: str
    ratio: Mapping[str, float]
    p_value: float
    smearing: Mapping[str, float] = field(default_factory=dict)

    def ratios(self, values: pd.DataFrame) -> np.ndarray:
        """Ratio of each account (N,); values: N rows of indicators."""
        return self._at(values, self.ratio, 1.0)

    def factors(self, values: pd.DataFrame, common: float) -> np.ndarray:
        """Smearing factor of each account (N,), the common one where its level has none."""
        return self._at(values, self.smearing, common)

    def to_json(self) -> dict[str, Any]:
        """As in formula.json."""
        levels = [{"level": level, "ratio": ratio, "smearing": self.smearing.get(level, 1.0)}
                  for level, ratio in self.ratio.items()]  # fmt: skip
        return {"indicator": self.indicator, "levels": levels, "p_value": self.p_value}

    @classmethod
    def from_json(cls, content: Mapping[str, Any] | None) -> LevelSpread | None:
        """The spread of a formula.json; None where it has none."""
        if not content:
            return None
        rows = content["levels"]
        ratio = {row["level"]: float(row["ratio"]) for row in rows}
        smearing = {row["level"]: float(row["smearing"]) for row in rows}
        return cls(content["indicator"], ratio, content["p_value"], smearing)

    def _at(self, values: pd.DataFrame, of: Mapping[str, float], common: float) -> np.ndarray:
        if self.indicator not in values:
            return np.full(len(values), common)
        return values[self.indicator].astype(str).map(dict(of)).fillna(common).to_numpy(float)
