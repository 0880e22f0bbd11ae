"""What each indicator adds to the formula, and the best formula of each size."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kalib.formula.linear import LeastSquares
from kalib.formula.subsets.search import Limits, best_subsets, gram_matrix, validated_sizes
from kalib.formula.working import Rules, WorkingFit, column_signs, screen_groups
from kalib.indicators.screening import Design


def best_of_each_size(
    design: Design, rows: np.ndarray, response: np.ndarray, weights: np.ndarray, rules: Rules
) -> pd.DataFrame:
    """The best subset of every size: size, indicators, rss, bic, r2, chosen by the criterion;
    where that looks out of sample, error and error_se: squared error out of sample and its
    standard error, as shares of the response's variance (NaN otherwise)."""
    signs = column_signs(design, rules)
    n = len(rows)
    gram = gram_matrix(design.matrix[rows], response, weights)
    required = design.groups_of(rules.required)
    groups, kept = screen_groups(gram, design.groups, n, required)
    limits: Limits = {
        "groups": groups,
        "required": [kept.index(g) for g in required],
        "max_groups": min(len(groups), max(min(rules.most, n // 6), len(required), 1)),
        "signs": signs if signs.any() else None,
    }
    path = best_subsets(gram, **limits)
    rss = np.asarray(path.rss).reshape(-1)
    chosen = np.asarray(path.chosen).reshape(len(rss), -1)
    middle = np.average(response, weights=weights)
    total = float(weights @ (response - middle) ** 2)
    error = error_se = np.full(len(rss), np.nan)
    size_chosen = -1
    if rules.criterion != "bic":
        judged = validated_sizes(
            design.matrix[rows], response, weights[None], criterion=rules.criterion, **limits
        )
        variance = max(total / float(weights.sum()), 1e-300)
        error, error_se = judged.error[0] / variance, judged.std_error[0] / variance
        size_chosen = int(judged.size[0])
    result = []
    for size in range(len(rss)):
        if not np.isfinite(rss[size]):
            continue
        members = [kept[g] for g in np.flatnonzero(chosen[size])]
        columns = sum(len(design.groups[g]) for g in members)
        names = [design.indicators[g] for g in members]
        share = max(rss[size] / total, 1e-300) if total > 0 else 1.0
        result.append(
            {
                "size": size,
                "indicators": ", ".join(names),
                "rss": float(rss[size]),
                "bic": float(n * np.log(share) + columns * np.log(n)),
                "r2": max(float(1 - share), 0.0),
                "error": float(error[size]),
                "error_se": float(error_se[size]),
                "chosen": size == size_chosen,
            }
        )
    names = ["size", "indicators", "rss", "bic", "r2", "error", "error_se", "chosen"]
    frame = pd.DataFrame(result, columns=names)
    if rules.criterion == "bic" and len(frame):
        frame["chosen"] = frame.index == frame["bic"].idxmin()
    return frame


def contributions(
    linear: LeastSquares, final: WorkingFit, design: Design, response: np.ndarray
) -> pd.DataFrame:
    """R² lost when each indicator leaves the formula, the others refitted."""
    use = final.weights > 0
    gains = {}
    root = np.sqrt(final.weights[use])
    full = linear.design * root[:, None]
    aim = response[use] * root
    ones = root[:, None]
    total = float(((aim - ones[:, 0] * (root @ aim) / (root @ root)) ** 2).sum())
    for name, columns in term_groups(final, design).items():
        rest = np.delete(full, [c + 1 for c in columns], axis=1)
        scale = np.maximum(np.linalg.norm(rest, axis=0), 1e-300)
        coef = np.linalg.lstsq(rest / scale, aim)[0]
        rss = float(((aim - rest / scale @ coef) ** 2).sum())
        gains[name] = linear.results.rsquared - (1 - rss / total)
    frame = pd.DataFrame({"gain": pd.Series(gains, dtype=float)})
    frame.index.name = "indicator"
    return frame.sort_values("gain", ascending=False)


def term_groups(final: WorkingFit, design: Design) -> dict[str, tuple[int, ...]]:
    """Positions of each chosen indicator's columns among the terms, from 0."""
    groups: dict[str, list[int]] = {}
    for position, number in enumerate(final.used):
        groups.setdefault(design.columns[number].indicator, []).append(position)
    return {name: tuple(columns) for name, columns in groups.items()}


def partial_residuals(linear: LeastSquares) -> pd.DataFrame:
    """Residuals with a column's own effect added back, one row a column and account: column,
    value (of the column in the formula), fitted (coefficient times value, about its mean),
    residual (that plus what is left); on the working scale (Larsen & McCleary 1972,
    Technometrics 14)."""
    parts = []
    for place, name in enumerate(linear.names[1:], start=1):
        value = linear.design[:, place]
        fitted = linear.coef[place] * (value - value.mean())
        part = {"column": name, "value": value, "fitted": fitted,
                "residual": fitted + linear.residual}  # fmt: skip
        parts.append(pd.DataFrame(part))
    columns = ["column", "value", "fitted", "residual"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
