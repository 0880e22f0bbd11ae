"""Gaps of indicators filled from the other indicators."""

from __future__ import annotations

import numpy as np
import pandas as pd

IMPUTE_ROUNDS = 3
RIDGE = 1e-3
LEVEL_LEAST, LEVELS_MOST = 20, 20  # accounts of a level that helps to fill; such levels


def working_scale(values: pd.DataFrame) -> tuple[pd.DataFrame, set[str]]:
    """Numeric columns on the scale they vary on: log where all are positive, else as they are."""
    numeric = values.select_dtypes("number")
    logged = {name for name in numeric if (numeric[name].dropna() > 0).all()}
    return numeric.apply(lambda c: np.log(c) if c.name in logged else c), logged


def dummies(values: pd.DataFrame) -> np.ndarray:
    """Text indicators as 0/1 columns, rare levels and the most frequent one left out."""
    blocks = []
    for _, column in values.select_dtypes(exclude="number").items():
        counts = column.value_counts()[1:]
        frequent = counts.index[counts >= LEVEL_LEAST][:LEVELS_MOST]
        blocks += [(column == level).to_numpy(float) for level in frequent]
    return np.column_stack(blocks) if blocks else np.empty((len(values), 0))


def fill_gaps(values: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, float]]:
    """Fill gaps: numbers by ridge regression on the other indicators (three rounds of chained
    equations, van Buuren 2018, without the noise: the noise goes into the interval), text by the
    most frequent level."""
    missing = values.isna()
    scale, logged = working_scale(values)
    filled = scale.fillna(scale.median())
    spread: dict[str, float] = {}
    if missing[scale.columns].any(axis=None):
        matrix = np.column_stack([filled.to_numpy(), dummies(values)])
        deviations = _chain(matrix, missing[scale.columns].to_numpy())
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


def _chain(matrix: np.ndarray, missing: np.ndarray) -> dict[int, float]:
    """Fill the gaps of matrix (N, q) in place, column by column and round by round; returns what
    each column scatters about its fill. missing: (N, k) bool, k <= q."""
    center, unit = matrix.mean(axis=0), np.maximum(matrix.std(axis=0), 1e-12)
    rows = np.column_stack([np.ones(len(matrix)), (matrix - center) / unit])
    cross, deviation = rows.T @ rows, {}
    for _ in range(IMPUTE_ROUNDS):
        for j in np.flatnonzero(missing.any(axis=0)).tolist():
            gap, others = missing[:, j], np.delete(np.arange(1, len(cross)), j)
            about = cross - rows[gap].T @ rows[gap]  # of the known rows
            count, middle = about[0, 0], about[0] / about[0, 0]
            about -= count * np.outer(middle, middle)
            # The penalty is on the scale on which every column varies by one.
            varied = (np.diag(cross) / len(rows) - (cross[0] / len(rows)) ** 2)[others]
            penalty = RIDGE * count * np.where(varied > 1e-12, varied, 1.0)
            gram, line = about[np.ix_(others, others)] + np.diag(penalty), np.zeros(len(cross))
            line[others] = np.linalg.solve(gram, about[others, j + 1])
            line[0] = middle[j + 1] - middle[others] @ line[others]
            aim = rows[~gap, j + 1]
            guess = (rows @ line).clip(aim.min(), aim.max())
            deviation[j] = float(np.std(aim - guess[~gap]) * unit[j])
            rows[gap, j + 1] = guess[gap]
            cross[j + 1] = cross[:, j + 1] = rows.T @ rows[:, j + 1]
    filled = (center + unit * rows[:, 1:])[:, : missing.shape[1]]
    np.copyto(matrix[:, : missing.shape[1]], filled, where=missing)
    return deviation
