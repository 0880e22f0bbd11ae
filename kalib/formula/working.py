"""One formula fitted to one training set: the part that is repeated in every fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from kalib.formula.subsets.frontier import Space
from kalib.formula.subsets.search import forward_groups, gram_matrix, select_subsets
from kalib.indicators.screening import Design

FORMS = ("linear", "log-log", "log-linear")
# Accounts per indicator below which a formula describes its sample (Harrell 2015, section 4.4,
# asks 10 to 20 for a final model; 6 is where the search itself is stopped).
ACCOUNTS_PER_INDICATOR = 6
# Spread growing faster than this power of the fitted value calls for weights.
POWER_WORTH_WEIGHTS = 0.4
SCORE_FREEDOM = 5.0  # of the t distribution by which forms are compared: longer tails than normal


@dataclass(frozen=True)
class Rules:
    """What the study file asks of the search: expected signs, required indicators, how many, and
    by which criterion."""

    signs: Mapping[str, int]  # indicator -> -1 or 1
    required: tuple[str, ...]
    most: int
    criterion: str = "bic"  # as in `select_subsets`


@dataclass(frozen=True)
class WorkingFit:
    """A formula on its working scale (potential, or its log), fitted to n accounts.

    used: design column numbers (k,); coef (k + 1,), intercept first; weights (n,), 0 where the
    account was set aside; leverage (n,); residual (n,) on the working scale; smearing: Duan's
    factor (1 for a linear form); floor: smallest potential the formula gives, currency a year.
    """

    form: str
    used: np.ndarray
    coef: np.ndarray
    weights: np.ndarray
    leverage: np.ndarray
    residual: np.ndarray
    smearing: float
    floor: float

    @property
    def logged(self) -> bool:
        """Whether the working scale is the log of potential."""
        return self.form != "linear"

    def working(self, matrix: np.ndarray) -> np.ndarray:
        """Fitted values (N,) on the working scale for a design matrix (N, p)."""
        return self.coef[0] + matrix[:, self.used] @ self.coef[1:]

    def to_potential(self, working: np.ndarray) -> np.ndarray:
        """Expected potential from fitted working values of any shape."""
        if self.logged:
            return np.exp(np.minimum(working, 700.0)) * self.smearing
        return np.maximum(working, self.floor)


def fit_working(
    design: Design, rows: np.ndarray, potential: np.ndarray, form: str, rules: Rules,
    weights: np.ndarray,
) -> WorkingFit:  # fmt: skip
    """Select indicators by the criterion (exact search) and fit them.

    design: all accounts; rows (n,): numbers of the training accounts; potential (n,): theirs,
    currency a year; weights (n,): survey weights, 0 for accounts set aside.
    """
    matrix, use = design.matrix[rows], weights > 0
    response = np.log(potential) if form != "linear" else potential
    floor = float(potential[use].min() / 2)

    def fitted(weights: np.ndarray) -> WorkingFit:
        used = choose(design, matrix[use], response[use], rules, weights[use])
        coef, leverage, rank = _least_squares(matrix[:, used], response, weights)
        residual = response - coef[0] - matrix[:, used] @ coef[1:]
        smearing = 1.0
        if form != "linear":  # in-sample residuals are too short by this much
            widen = np.sqrt(use.sum() / max(int(use.sum()) - rank, 1))
            smearing = float(weights / weights.sum() @ np.exp(np.minimum(residual * widen, 50)))
        return WorkingFit(form, used, coef, weights, leverage, residual, smearing, floor)

    fit = fitted(weights)
    if form == "linear":
        power = spread_power(fit.working(matrix), fit.residual, use)
        if power > POWER_WORTH_WEIGHTS:
            spread = np.maximum(fit.working(matrix), np.quantile(potential, 0.1)) ** power
            fit = fitted(weights * (np.median(spread) / spread) ** 2)
    return fit


def _least_squares(
    matrix: np.ndarray, response: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, int]:
    """Coefficients, intercept first, leverage (n,) and rank; a level that no row has gets a zero
    coefficient (minimum norm)."""
    root = np.sqrt(weights)
    full = np.column_stack([np.ones(len(response)), matrix])
    # Columns are scaled so that the rank rule sees comparable lengths.
    scale = np.maximum(np.sqrt((full[weights > 0] ** 2).mean(axis=0)), 1e-300)
    left, singular, right = np.linalg.svd(full / scale * root[:, None], full_matrices=False)
    keep = singular > 1e-10 * singular[0]
    left, singular, right = left[:, keep], singular[keep], right[keep]
    coef = (right.T @ ((left.T @ (response * root)) / singular)) / scale
    return coef, np.einsum("ij,ij->i", left, left), int(keep.sum())


def spread_power(fitted: np.ndarray, residual: np.ndarray, use: np.ndarray) -> float:
    """How the spread of residuals (n,) grows with the fitted value (n,): the slope of
    log |residual| on log fitted, 0 where it is not clear (t below 2.5), at most 1 (Harvey 1976)."""
    use = use & (fitted > 0)
    if use.sum() < 10:
        return 0.0
    x = np.log(fitted[use])
    # The largest residuals of the log come from residuals near nought: they are held at a tenth
    # of the median so that they do not decide the slope.
    size = np.abs(residual[use])
    y = np.log(np.maximum(size, 0.1 * np.median(size) + 1e-300))
    x = x - x.mean()
    total = float(x @ x)
    if total <= 1e-12:
        return 0.0
    slope = float(x @ y) / total
    error = np.std(y - y.mean() - slope * x) / np.sqrt(total)
    return float(np.clip(slope, 0.0, 1.0)) if slope > 2.5 * error else 0.0


def log_score(
    potential: np.ndarray, residual: np.ndarray, logged: bool, weights: np.ndarray
) -> float:
    """Mean log density of potential (n,), in currency, where the formula misses by residual (n,)
    on its working scale.

    Errors are taken for t distributed, their spread as growing with the fitted value where it
    does. The density of a log is that of potential times potential: the Jacobian of the logarithm
    makes forms comparable. A mean absolute error asks for the median and takes the form that fits
    the few large accounts.
    """
    use = weights > 0
    aim = np.log(potential) if logged else potential
    scale = np.ones(len(potential))
    if not logged:
        fitted = aim - residual
        low = max(float(np.quantile(np.abs(fitted[use]), 0.05)), 1e-9)
        scale = np.maximum(fitted, low) ** spread_power(fitted, residual, use)
    size = np.sqrt(np.average((residual / scale)[use] ** 2, weights=weights[use]))
    scale = np.maximum(scale * size * np.sqrt(1 - 2 / SCORE_FREEDOM), 1e-12)
    density = -(SCORE_FREEDOM + 1) / 2 * np.log1p((residual / scale) ** 2 / SCORE_FREEDOM)
    density -= np.log(scale) + (aim if logged else 0.0)
    return float(np.average(density[use], weights=weights[use]))


def choose(
    design: Design, matrix: np.ndarray, response: np.ndarray, rules: Rules, weights: np.ndarray
) -> np.ndarray:
    """Design column numbers (k,) of the groups that the criterion chooses."""
    gram, count = gram_matrix(matrix, response, weights), int((weights > 0).sum())
    kept, columns, space = search_space(design, rules, gram, count)
    found = select_subsets(matrix[:, columns], response, weights[None], rules.criterion, space)
    chosen = [design.groups[kept[place]] for place in np.flatnonzero(found[0])]
    return np.array([j for group in chosen for j in group], dtype=int)


def search_space(
    design: Design, rules: Rules, gram: np.ndarray, count: int
) -> tuple[list[int], list[int], Space]:
    """The groups and columns of the design that are searched where rows are count, and the space
    of those columns; gram: cross products of all columns, response last."""
    required, signs = design.groups_of(rules.required), column_signs(design, rules)
    kept = forward_groups(gram, design.groups, required, max(count // 2, 1))
    columns = [j for g in kept for j in design.groups[g]]
    ends = np.cumsum([0, *(len(design.groups[g]) for g in kept)]).tolist()
    must = [j for g in required for j in design.groups[g]]
    alone = np.linalg.lstsq(gram[np.ix_(must, must)], gram[must, -1])[0]
    # What is required stays where the data say the opposite of its expected sign, and is told of.
    signs[must] *= alone * signs[must] >= 0
    most = max(1, len(required), min(rules.most, count // ACCOUNTS_PER_INDICATOR))
    space = Space(
        [range(start, end) for start, end in pairwise(ends)], [kept.index(g) for g in required],
        min(most, len(kept)), signs[columns] if signs.any() else None, len(design.groups),
    )  # fmt: skip
    return kept, columns, space


def column_signs(design: Design, rules: Rules) -> np.ndarray:
    """Expected sign (p,) of each design column: -1, 1, or 0 where none is expected."""
    expected = [0 if column.transform == "level" else rules.signs.get(column.indicator, 0)
                for column in design.columns]  # fmt: skip
    return np.array(expected, dtype=int)
