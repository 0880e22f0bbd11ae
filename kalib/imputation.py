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
    levels = dummies(values)
    filled = scale.fillna(scale.median())
    spread: dict[str, float] = {}
    gaps = [name for name in scale.columns if missing[name].any()]
    for _ in range(IMPUTE_ROUNDS if gaps else 0):
        for name in gaps:
            others = np.column_stack([filled.drop(columns=name).to_numpy(), levels])
            known = ~missing[name].to_numpy()
            guess = _ridge_guess(others, scale[name].to_numpy(), known)
            spread[name] = float(np.std(scale[name].to_numpy()[known] - guess[known]))
            filled[name] = np.where(known, filled[name], guess)
    result = values.copy()
    for name in values.columns:
        if name in scale.columns:
            number = np.exp(filled[name]) if name in logged else filled[name]
            result[name] = np.where(missing[name], number, values[name].astype(float))
        elif missing[name].any():
            result[name] = values[name].fillna(values[name].mode().iloc[0])
    return result, missing, spread


def _ridge_guess(others: np.ndarray, target: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Ridge prediction (N,) of a column from the others (N, q), fitted where it is known."""
    others = (others - others.mean(axis=0)) / np.maximum(others.std(axis=0), 1e-12)
    center = others[known].mean(axis=0)
    rows, middle = others[known] - center, target[known].mean()
    gram = rows.T @ rows + RIDGE * known.sum() * np.eye(rows.shape[1])
    slope = np.linalg.solve(gram, rows.T @ (target[known] - middle))
    guess = middle + (others - center) @ slope
    return np.clip(guess, target[known].min(), target[known].max())
