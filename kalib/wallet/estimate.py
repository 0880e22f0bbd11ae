"""Potential of every account from the formula, own sales and the survey together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kalib.formula.distribution import Distribution
from kalib.formula.fitting import Fit
from kalib.formula.levels import unseen_variance
from kalib.formula.validation import r_squared
from kalib.wallet.effects import Effects, find_effects
from kalib.wallet.parts import FORMULA, MEAN, Part, formula_part, regression_part, sales_parts
from kalib.wallet.share import FEWEST
from kalib.wallet.stack import Answered, Stack, error_of_total, fit_stack, log_scores, with_tail

NEAR = 1e-5  # slope of the score at which weights that are only judged are near enough
MOST_COMMON = 0.9  # of what is an account's own of its error that all accounts may share


@dataclass(frozen=True)
class Estimate:
    """Potential of N accounts, before answers and overrides take its place.

    distribution: at or above own sales; loadings: (N, k) of the error that accounts share, in
    normal scores, kin: (N,) that those of a parent share besides; expected: (N,) potential by the
    formula before own sales are heard, currency a year, NaN where it is refused. weights, scores:
    of each part, its weight, and its mean log score out of fold; r2, error_median: R² of log
    potential and median miss (fraction of potential) of all parts together, weights and all out
    of fold; sales_p: of own sales saying nothing of it.
    """

    distribution: Distribution
    loadings: np.ndarray
    kin: np.ndarray
    expected: np.ndarray
    weights: Mapping[str, float]
    scores: Mapping[str, float]
    r2: float
    error_median: float
    sales_p: float

    @property
    def hears_sales(self) -> bool:
        """Whether own sales have a say."""
        return any(w > 0 for name, w in self.weights.items() if name not in (FORMULA, MEAN))


def estimate(
    fit: Fit, sales: pd.Series, variance: np.ndarray, *, usable: bool, hear: bool = True
) -> Estimate:
    """Estimate every account's potential.

    sales: N accounts', currency a year; variance: (n,) of the surveyed answers' errors of
    measuring, in logs; usable: whether the formula may be built on; hear: whether own sales are
    heard.
    """
    own = sales.to_numpy(float)
    known = Answered(potential=fit.oof["observed"].to_numpy(float), sales=own[fit.working_rows],
                     weights=fit.bias.weights * ~fit.oof["suspect"].to_numpy(), variance=variance,
                     fold=fit.oof["fold"].to_numpy(int))  # fmt: skip
    mean = regression_part(np.empty((len(own), 0)), fit.working_rows, known, 0)
    parts = {FORMULA: formula_part(fit)} if usable else {MEAN: mean}
    if hear:
        parts |= sales_parts(fit, own, known, parts.get(FORMULA))
    unseen = [part.unseen for part in parts.values()]
    stack = fit_stack(unseen, known) if len(parts) > 1 else Stack(np.ones(1))
    alike = known.fold if fit.folds.disagree else np.arange(len(known.fold))
    stack = with_tail(stack, unseen, known, alike) if hear else stack
    alone = stack.combine(unseen, known.sales)
    texts = fit.screening.values.select_dtypes(exclude="number")
    groupings = pd.concat([fit.screening.places, texts], axis=1)
    groupings = groupings if hear else groupings[[]]  # the formula and nothing else
    residual = np.log(known.potential / alone.quantile(0.5))
    even = known.weights / known.weights.mean()
    effects = find_effects(groupings, fit.working_rows, residual, even)
    if usable:
        wider = effects.width * np.sqrt(1 + unseen_variance(fit))
        less = effects.width / wider
        effects = Effects(effects.shift, wider, effects.shared * less[:, None], effects.kin * less)
    each = [log_scores(unseen, known, Stack(row, full=stack.full)) for row in np.eye(len(parts))]
    scores = np.average(each, axis=1, weights=known.weights)
    found = stack.combine([part.every for part in parts.values()], own, effects)
    left = ~np.isin(np.arange(len(own)), fit.working_rows)
    shared = _loadings(list(parts.values()), stack, effects)
    return Estimate(
        distribution=found,
        loadings=_reaching(shared, found[left], left, error_of_total(alone.mean(), known, alike)),
        expected=parts[FORMULA].every.mean() if usable else np.full(len(own), np.nan),
        kin=effects.kin,
        weights=dict(zip(parts, stack.weights.tolist(), strict=True)),
        scores=dict(zip(parts, scores.tolist(), strict=True)),
        **_accuracy(unseen, known),
        sales_p=sales_p_value(known, alike),
    )


def _loadings(parts: list[Part], stack: Stack, effects: Effects) -> np.ndarray:
    """Shared errors (N, k) of all parts together, float32, and of the groups.

    Each part's are a line in the answers' errors: what they have in common is taken together.
    """
    weighted = zip(stack.weights, parts, strict=True)
    used = [(part, w * part.every.log_spread()) for w, part in weighted if w > 0]
    total = np.maximum(sum(width for _, width in used) * max(stack.stretch, 1.0), 1e-12)
    scaled = [part.loadings * (width / total)[:, None] for part, width in used]
    _, upper = np.linalg.qr(np.vstack([part.basis for part, _ in used]).T)
    found = np.hstack(scaled) @ upper.T / effects.width[:, None]
    found = np.hstack([found, effects.shared])
    length = np.sqrt((found**2).sum(axis=1, keepdims=True))
    return np.asarray(found / np.maximum(length, 1.0), dtype=np.float32)


def _reaching(
    loadings: np.ndarray, found: Distribution, left: np.ndarray, error: float
) -> np.ndarray:
    """The loadings (N, k) with what all errors have in common beyond them, so that the sum over
    the accounts in left (N,) bool, distributed as found, is as uncertain as error says."""
    if not left.any():
        return loadings
    size, total = found.sd(), float(found.mean().sum())
    there = float(((size @ loadings[left]) ** 2).sum())
    lacking = np.sqrt(max((error * total) ** 2 - there, 0.0)) / max(float(size.sum()), 1e-300)
    own = 1 - (loadings**2).sum(axis=1)
    common = np.minimum(lacking, np.sqrt(MOST_COMMON * np.maximum(own, 0.0)))
    return np.column_stack([loadings, common]).astype(np.float32)


def sales_p_value(known: Answered, alike: np.ndarray) -> float:
    """One-sided p-value of log potential not going up with log own sales, among accounts that buy;
    1 where too few do. alike: (n,), accounts of one number may err together (Liang & Zeger 1986).
    """
    from statsmodels.regression.linear_model import WLS

    use = (known.weights > 0) & (known.sales > 0)
    if use.sum() < FEWEST or np.ptp(known.sales[use]) == 0:
        return 1.0
    columns = np.column_stack([np.ones(int(use.sum())), np.log(known.sales[use])])
    line = WLS(np.log(known.potential[use]), columns, known.weights[use])
    found = line.fit(cov_type="cluster", cov_kwds={"groups": alike[use]}, use_t=True)
    p = float(found.pvalues[1]) / 2
    return p if found.params[1] > 0 else 1 - p


def _accuracy(unseen: list[Distribution], known: Answered) -> dict[str, float]:
    """Figures of the stack, its weights chosen without the fold that is judged."""
    middle = np.empty(len(known.fold))
    logs = np.array([np.log(part.quantile(0.5)) for part in unseen])
    for k in np.unique(known.fold):
        out = known.fold == k
        stack = fit_stack([part[~out] for part in unseen], known.rows(~out), NEAR)
        middle[out] = stack.weights @ logs[:, out] + stack.shift
    aim, weights = np.log(known.potential), known.weights
    use = weights > 0
    return {"r2": r_squared(aim[use], middle[use], weights[use]),
            "error_median": float(np.median(np.abs(np.expm1(middle - aim)[use])))}  # fmt: skip
