"""What the potentials rest on, and whether plans may be built on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from kalib.formula.verdict import ERROR_LARGE, R2_LEAST, R2_MODERATE, Verdict
from kalib.wallet.estimate import Estimate
from kalib.words.catalogue import Message

# Own sales alone must beat the mean of all accounts by so many standard errors of the log score. Of
# 240 surveys of 30 to 150 accounts in which they say nothing, this and R2_LEAST let one through.
CLEARLY = 1.0


@dataclass(frozen=True)
class Basis:
    """The estimate's own verdict, beside the formula's.

    basis: "formula", "formula+sales", "sales" or "none"; verdict: "usable", "caution" or
    "unusable", with reasons in sentences; weights: how much each part has to say, 1 in sum;
    log_scores: of each part out of fold, log density in currency, mean over surveyed accounts;
    log_score, r2, error_median: of all parts together.
    """

    basis: str
    verdict: str
    reasons: tuple[str, ...]
    weights: Mapping[str, float]
    log_scores: Mapping[str, float]
    log_score: float
    r2: float
    error_median: float

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
        if verdict == "unusable":
            basis, reasons = "none", [*formula.reasons, *reasons]
    return Basis(
        basis=basis,
        verdict=verdict,
        reasons=tuple(reasons),
        weights=found.weights,
        log_scores=found.scores,
        log_score=found.score,
        r2=found.r2,
        error_median=found.error_median,
    )


def _alone(found: Estimate) -> tuple[str, list[str]]:
    """Verdict and reasons of survey and own sales without the formula."""
    r2, error = max(found.r2, 0.0), found.error_median
    if not found.hears_sales:
        return "unusable", [Message("r_sales_silent")]
    if found.r2 < R2_LEAST or found.gain < CLEARLY * found.gain_error:
        return "unusable", [Message("r_sales_little", r2=r2)]
    if found.r2 < R2_MODERATE:
        return "caution", [Message("r_sales_rank", r2=r2)]
    if error > ERROR_LARGE:
        return "caution", [Message("r_sales_off", error=error)]
    return "usable", [Message("r_sales_sound", r2=r2, error=error)]
