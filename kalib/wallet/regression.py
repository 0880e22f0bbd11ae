"""Log potential on log own sales and all indicators together, the indicators' slopes shrunk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PENALTIES = np.geomspace(1e-3, 1e3, 25)  # over the variance of a column at unit scale
UNSHRUNK = 1e4  # larger than others, so that no penalty counts, is a column that is not shrunk
# How far beyond what was surveyed a column counts, in its surveyed range.
REACH = 0.25


@dataclass(frozen=True)
class Regression:
    """A line through centered columns: intercept plus (columns - center) @ slopes.

    center (p,); intercept; slopes (p,); influence (p + 1, n): of each answer on the intercept and
    each slope; low, high (p,): where columns are held.
    """

    center: np.ndarray
    intercept: float
    slopes: np.ndarray
    influence: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        """Expected log potential (N,) for columns (N, p)."""
        return self.with_intercept(matrix) @ np.append(self.intercept, self.slopes)

    def with_intercept(self, matrix: np.ndarray) -> np.ndarray:
        """Ones, and columns (N, p) held to where they count and centered."""
        held = np.clip(matrix, self.low, self.high) - self.center
        return np.column_stack([np.ones(len(matrix)), held])


def fit_regression(
    matrix: np.ndarray, response: np.ndarray, weights: np.ndarray, free: int
) -> Regression:
    """Ridge regression (Hoerl & Kennard 1970), its penalty chosen by leave-one-out errors.

    matrix: (n, p); response: (n,) log potential; weights: (n,), 0 where it is not believed; free:
    that many of the last columns, those of own sales, are not shrunk.
    """
    mass = weights / weights.sum()
    center = mass @ matrix
    low, high = matrix[weights > 0].min(axis=0), matrix[weights > 0].max(axis=0)
    reach = REACH * (high - low)
    reach[len(reach) - free :] = np.inf
    unit = np.sqrt(mass @ (matrix - center) ** 2)
    used = unit > 1e-9 * np.maximum(np.abs(center), 1e-9)
    unit[len(unit) - free :] /= UNSHRUNK
    root = np.sqrt(mass)
    rows = (matrix - center)[:, used] / unit[used] * root[:, None]
    aim = (response - mass @ response) * root
    influence = _shrink(rows, aim, mass)
    full, moves = np.zeros(matrix.shape[1]), np.zeros((matrix.shape[1] + 1, len(response)))
    full[used] = influence @ aim / unit[used]
    moves[0] = mass
    moves[1:][used] = influence / unit[used][:, None] * root
    return Regression(center, float(mass @ response), full, moves, low - reach, high + reach)


def _shrink(rows: np.ndarray, aim: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Influence (q, n) of aim (n,) on the slopes of rows (n, q) under the best penalty."""
    left, size, right = np.linalg.svd(rows, full_matrices=False)
    along, best, chosen = left.T @ aim, np.inf, PENALTIES[-1]
    for penalty in PENALTIES:
        kept = size**2 / (size**2 + penalty)
        leverage = mass + left**2 @ kept
        left_out = (aim - left @ (kept * along)) / np.maximum(1 - leverage, 0.05)
        if left_out @ left_out < best:
            best, chosen = float(left_out @ left_out), penalty
    return np.asarray((right.T * (size / (size**2 + chosen))) @ left.T)
