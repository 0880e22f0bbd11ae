"""What the potentials rest on, and whether plans may be built on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from kalib.formula.verdict import ERROR_LARGE, R2_MODERATE, Verdict
from kalib.wallet.estimate import Estimate
from kalib.words.catalogue import Message

SALES_LEVEL = 0.005  # at which own sales alone are taken to go with potential
DANGERS = ("folds", "reach", "survey")  # of a survey of others than the accounts that are estimated


@dataclass(frozen=True)
class Basis:
    """The estimate's own verdict, beside the formula's.

    basis: "formula", "formula+sales", "sales" or "none"; verdict: "usable", "caution" or
    "unusable", with reasons in sentences; weights: how much each part has to say, 1 in sum;
    log_scores: of each part out of fold, log density in currency, mean over surveyed accounts;
    r2, error_median: of all parts together.
    """

    basis: str
    verdict: str
    reasons: tuple[str, ...]
    weights: Mapping[str, float]
    log_scores: Mapping[str, float]
    r2: float
    error_median: float

    @property
    def firm(self) -> bool:
        """Whether one account's amount may be asked of it, not only the team's sum."""
        return self.verdict == "usable" and self.r2 >= R2_MODERATE

    def to_json(self) -> dict[str, object]:
        """As in verdict.json, under "estimate"."""
        return asdict(self) | {"reasons": list(self.reasons)}


def judge_estimate(found: Estimate, formula: Verdict) -> Basis:
    """Judge an estimate: by the formula where it rests on it, by itself where it does not."""
    if formula.verdict != "unusable":
        basis = "formula+sales" if found.hears_sales else "formula"
        verdict, reasons = formula.verdict, list(formula.reasons)
    else:
        basis = "sales"
        verdict, reasons = _alone(found)
        dangers = [c.meaning for c in formula.checks if c.key in DANGERS and not c.passed]
        if verdict == "unusable":
            basis, reasons = "none", [*formula.reasons, *reasons]
        elif dangers:
            verdict, reasons = "caution", [*reasons, *dangers]
    figures = found.weights, found.scores, found.r2, found.error_median
    return Basis(basis, verdict, tuple(reasons), *figures)


def _alone(found: Estimate) -> tuple[str, list[str]]:
    """Verdict and reasons of survey and own sales without the formula."""
    r2, error = max(found.r2, 0.0), found.error_median
    if not found.hears_sales or r2 <= 0:
        return "unusable", [Message("r_sales_silent")]
    if found.sales_p > SALES_LEVEL:
        return "unusable", [Message("r_sales_little", p=found.sales_p)]
    if found.r2 < R2_MODERATE:
        return "caution", [Message("r_sales_rank", r2=r2)]
    if error > ERROR_LARGE:
        return "caution", [Message("r_sales_off", error=error)]
    return "usable", [Message("r_sales_sound", r2=r2, error=error)]
