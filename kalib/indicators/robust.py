"""Regression that typing errors do not move, and the entries it suspects."""

from __future__ import annotations

import numpy as np

# Robust z beyond which an entry with a typing error's size (a factor of ten) is suspected: a
# two-sided normal tail of 5e-4.
SUSPECT_Z = 3.5
LEAST_SHIFT = float(np.log(3))  # an entry off by less is taken for an unusual account
# A digit or a decimal mark too many; two; and a unit swapped for its thousand.
FACTORS = (10.0, 100.0, 1000.0)
FACTOR_WORDS = ("ten", "a hundred", "a thousand")
BISQUARE_C = 4.685  # 95 % efficient at the normal (Huber & Ronchetti 2009, section 7)
RIDGE = 1e-6


def robust_line(design: np.ndarray, response: np.ndarray, rounds: int = 20) -> np.ndarray:
    """Coefficients (p + 1,), intercept first, of a robust regression of response (n,) on design
    (n, p): least absolute deviations by reweighting, then Tukey's bisquare."""
    center, scale = design.mean(axis=0), design.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    rows = np.column_stack([np.ones(len(response)), (design - center) / scale])
    penalty = RIDGE * len(response) * np.eye(rows.shape[1])
    weight = np.ones(len(response))
    coef = np.zeros(rows.shape[1])
    for step in range(rounds):
        root = np.sqrt(weight)
        weighted = rows * root[:, None]  # a product with itself is summed up in half the time
        coef = np.linalg.solve(weighted.T @ weighted + penalty, weighted.T @ (root * response))
        residual = response - rows @ coef
        spread = robust_scale(residual, rows.shape[1])
        if spread < 1e-12:
            break
        if step < rounds // 2:
            weight = 1.0 / np.maximum(np.abs(residual) / spread, 0.1)
        else:
            weight = np.maximum(1 - (residual / (BISQUARE_C * spread)) ** 2, 0) ** 2 + 1e-9
    slopes = coef[1:] / scale
    return np.append(coef[0] - slopes @ center, slopes)


def robust_scale(residual: np.ndarray, parameters: int = 0) -> float:
    """Median absolute deviation of residuals (n,), as a normal standard deviation."""
    freedom = max(len(residual) - parameters, 1)
    return float(1.4826 * np.median(np.abs(residual)) * np.sqrt(len(residual) / freedom))


def factor_reach(spread: float) -> float:
    """How far from the log of a factor a shift is still put down to it: less than half of the way
    to the next."""
    return min(3 * spread, 0.45 * float(np.log(10)))


def factor_cause(shift: float) -> str:
    """The factor nearest to exp(shift) as a cause."""
    words = FACTOR_WORDS[int(np.abs(np.log(FACTORS) - abs(shift)).argmin())]
    return f"a factor of {words} too {'large' if shift > 0 else 'small'}"
