"""Gaps of indicators filled from the other indicators."""

from __future__ import annotations

import numpy as np
import pandas as pd

IMPUTE_ROUNDS = 3
RIDGE = 1e-3


def working_scale(values: pd.DataFrame) -> tuple[pd.DataFrame, set[str]]:
    """Numeric columns on the scale they vary on: log where all are positive, else as they are."""
    numeric = values.select_dtypes("number")
    logged = {name for name in numeric if (numeric[name].dropna() > 0).all()}
    return numeric.apply(lambda c: np.log(c) if c.name in logged else c), logged


def dummies(values: pd.DataFrame) -> np.ndarray:
    """Text indicators as 0/1 columns, rare levels and the most frequent one left out."""
    blocks = []
    for name in values.columns:
        if not pd.api.types.is_numeric_dtype(values[name]):
            counts = values[name].value_counts()
            for level in counts.index[1:][counts.iloc[1:] >= 20][:20]:
                blocks.append((values[name] == level).to_numpy(float))
    return np.column_stack(blocks) if blocks else np.empty((len(values), 0))


def fill_gaps(values: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, float]]:
    """Fill gaps: numbers by ridge regression on the other indicators (three rounds of chained
    equations, van Buuren 2018, without the noise: the noise goes into the interval), text by the
    most frequent level."""
    missing = values.isna()
    scale, logged = working_scale(values)
    filled = scale.fillna(scale.median())
    gaps = [j for j, name in enumerate(scale.columns) if missing[name].any()]
    spread: dict[str, float] = {}
    if gaps:
        matrix = np.column_stack([filled.to_numpy(), dummies(values)])
        deviations = _chain(matrix, missing[scale.columns].to_numpy(), gaps)
        filled = pd.DataFrame(matrix[:, : scale.shape[1]], scale.index, scale.columns)
        spread = {str(scale.columns[j]): sd for j, sd in deviations.items()}
    result = values.copy()
    for name in values.columns:
        if name in scale.columns:
            number = np.exp(filled[name]) if name in logged else filled[name]
            result[name] = np.where(missing[name], number, values[name].astype(float))
        elif missing[name].any():
            result[name] = values[name].fillna(values[name].mode().iloc[0])
    return result, missing, spread


def _chain(matrix: np.ndarray, missing: np.ndarray, gaps: list[int]) -> dict[int, float]:
    """Fill the gaps of matrix (N, q) in place, column by column and round by round; returns what
    each column scatters about its fill. missing: (N, k) bool, k <= q."""
    center, unit = matrix.mean(axis=0), np.maximum(matrix.std(axis=0), 1e-12)
    rows = np.column_stack([(matrix - center) / unit, np.ones(len(matrix))])
    # Sums of products are kept up to date, so that a column costs one pass over the table.
    products = rows.T @ rows
    deviation = {}
    for turn in range(IMPUTE_ROUNDS):
        for j in gaps:
            gap = missing[:, j]
            middle, slope = _ridge(products, rows[gap], j)
            known = rows[~gap, j]
            last = turn == IMPUTE_ROUNDS - 1
            guess = middle + (rows if last else rows[gap]) @ slope
            guess = np.clip(guess, known.min(), known.max())
            if last:
                deviation[j] = float(np.std(known - guess[~gap])) * float(unit[j])
                guess = guess[gap]
            rows[gap, j] = guess
            products[j] = products[:, j] = rows.T @ rows[:, j]
    for j in gaps:
        matrix[missing[:, j], j] = center[j] + unit[j] * rows[missing[:, j], j]
    return deviation


def _ridge(products: np.ndarray, left_out: np.ndarray, target: int) -> tuple[float, np.ndarray]:
    """Intercept and slopes (q + 1,) of a column's ridge regression on the others, from the sums of
    products (q + 1, q + 1) of all rows, the last column being ones, less those left out."""
    known = products - left_out.T @ left_out
    count, everyone = known[-1, -1], products[-1, -1]
    others = np.delete(np.arange(len(known) - 1), target)
    mean = known[-1] / count
    centered = known - count * np.outer(mean, mean)
    variance = np.diag(products) / everyone - (products[-1] / everyone) ** 2
    # The penalty is on the scale on which every column varies by one.
    penalty = RIDGE * count * np.where(variance > 1e-12, variance, 1.0)[others]
    slope = np.zeros(len(known))
    slope[others] = np.linalg.solve(
        centered[np.ix_(others, others)] + np.diag(penalty), centered[others, target]
    )
    return float(mean[target] - mean @ slope), slope
