"""The formula of potential: its terms, in words and as numbers."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kalib.indicators.screening import Column, encode
from kalib.indicators.terms import LevelSpread

TERM_NUMBERS = ("coefficient", "std_error", "p_value", "low", "high", "stability")
NUMBERS = ("smearing", "sigma", "n", "floor")


@dataclass(frozen=True)
class Term:
    """One term: coefficient times the encoded column, on the working scale.

    low, high: confidence interval of the coefficient; stability: how often its indicator is
    chosen over half samples. p_value does not know of the selection.
    """

    column: Column
    coefficient: float
    std_error: float
    p_value: float
    low: float
    high: float
    stability: float


@dataclass(frozen=True, repr=False)
class Formula:
    """Potential in currency a year, as a function of the indicators.

    smearing: Duan's factor, 1 for a linear form; spread: the indicator whose levels have their
    own, where errors scatter by them.
    """

    form: str
    intercept: float
    terms: tuple[Term, ...]
    smearing: float
    sigma: float
    n: int
    floor: float
    criterion: str = "bic"
    spread: LevelSpread | None = None

    @property
    def indicators(self) -> tuple[str, ...]:
        """Indicators in the formula, in the order of their terms."""
        return tuple(dict.fromkeys(term.column.indicator for term in self.terms))

    def potential(self, values: pd.DataFrame) -> pd.Series:
        """Potential of accounts (N rows) with complete indicator values; currency a year."""
        matrix = encode(values, [term.column for term in self.terms])
        working = self.intercept + matrix @ np.array([t.coefficient for t in self.terms])
        return pd.Series(self.expected(working, values), index=values.index)

    def expected(self, working: np.ndarray, values: pd.DataFrame) -> np.ndarray:
        """Expected potential (N,), currency a year, of working values (N,) of accounts with
        indicator values (N rows)."""
        if self.form == "linear":
            return np.maximum(working, self.floor)
        return np.asarray(np.exp(np.minimum(working, 700.0)) * self.factors(values))

    def factors(self, values: pd.DataFrame) -> np.ndarray:
        """Smearing factor (N,) of accounts with indicator values (N rows)."""
        if self.spread is None:
            return np.full(len(values), self.smearing)
        return self.spread.factors(values, self.smearing)

    def level_effect(self, term: Term) -> float:
        """What a level adds to the expected potential of the level without a term, as a fraction
        of it; of a logarithmic formula."""
        name, spread = term.column.indicator, self.spread
        own = spread.smearing if spread and spread.indicator == name else {}
        told = {t.column.level for t in self.terms if t.column.indicator == name}
        without = [factor for level, factor in own.items() if level not in told]
        base = without[0] if len(without) == 1 else self.smearing
        factor = own.get(term.column.level, self.smearing) / base if own else 1.0
        return float(np.exp(term.coefficient) * factor - 1)

    @property
    def text(self) -> str:
        """The formula in words, coefficients to four digits."""
        line = f"{self.intercept:,.4g}"
        for term in self.terms:
            column, size = term.column, f"{abs(term.coefficient):,.4g}"
            inside = column.indicator + (f" + {column.shift:,.4g}" if column.shift else "")
            what = {
                "level": f" if {column.indicator} is {column.level}",
                "log": f" × ln({inside})",
                "identity": f" × {column.indicator}",
            }[column.transform]
            line += f" {'-' if term.coefficient < 0 else '+'} {size}{what}"
        if self.form == "linear":
            return f"potential = {line}"
        if self.spread is None:
            return f"potential = {self.smearing:.4f} × exp({line})"
        own = ", ".join(f"{f:.4f} if {self.spread.indicator} is {level}"
                        for level, f in self.spread.smearing.items())  # fmt: skip
        return f"potential = s × exp({line}), s = {own}, else {self.smearing:.4f}"

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Formula:
        """The formula of a formula.json."""
        terms = tuple(Term(Column(t["indicator"], t["level"] or "", t["transform"], t["shift"]),
                      *(float("nan") if t[name] is None else t[name] for name in TERM_NUMBERS))
                      for t in content["terms"])  # fmt: skip
        given = {name: content[name] for name in ("form", "intercept", *NUMBERS)}
        return cls(terms=terms, spread=LevelSpread.from_json(content.get("spread")), **given)

    def __repr__(self) -> str:
        # Four digits: the last bits differ between processors, and notebooks are compared.
        return self.text

    def _repr_html_(self) -> str:
        return f"<blockquote><code>{html.escape(self.text)}</code></blockquote>"

    def to_json(self) -> dict[str, object]:
        """The formula in formula.json."""
        terms = [
            {
                "indicator": term.column.indicator,
                "level": term.column.level or None,
                **{name: float(getattr(term, name)) for name in TERM_NUMBERS},
                "transform": term.column.transform,
                "shift": float(term.column.shift),
            }
            for term in self.terms
        ]
        spread = self.spread.to_json() if self.spread else None
        return {
            "form": self.form, "criterion": self.criterion, "intercept": float(self.intercept),
            "terms": terms, "smearing": float(self.smearing), "spread": spread,
            "sigma": float(self.sigma), "n": int(self.n), "floor": float(self.floor),
            "text": self.text,
        }  # fmt: skip


def partial_effects(formula: Formula, values: pd.DataFrame) -> pd.DataFrame:
    """Potential of the median account with one indicator set low, then high.

    values: N accounts x indicators, complete. Returns a DataFrame indexed by indicator (low_at,
    high_at as text; low, high: potential, currency a year), the largest effect first.
    """
    numeric = {n: pd.api.types.is_numeric_dtype(values[n]) for n in formula.indicators}
    typical = {name: float(values[name].median()) if number else values[name].mode().iloc[0]
               for name, number in numeric.items()}  # fmt: skip
    rows = []
    for name, number in numeric.items():
        column = values[name]
        ends = list(column.quantile([0.1, 0.9])) if number else sorted(column.unique())
        points = pd.DataFrame([{**typical, name: end} for end in ends])
        found = formula.potential(points).to_numpy()
        low, high = (0, 1) if number else (int(found.argmin()), int(found.argmax()))
        words = [f"{end:,.4g}" if number else str(end) for end in ends]
        rows.append([name, words[low], words[high], float(found[low]), float(found[high])])
    frame = pd.DataFrame(rows, columns=["indicator", "low_at", "high_at", "low", "high"])
    order = (frame["high"] - frame["low"]).abs().sort_values(ascending=False).index
    return frame.loc[order].set_index("indicator")
