"""Checks of the formula's assumptions, each with what it means for the client."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kalib.formula.linear import LeastSquares, explained_squares

LEVEL = 0.05  # significance of the assumption tests, as R's lmtest and car print them
VIF_HIGH = 10.0  # O'Brien 2007, Quality & Quantity 41: the rule of ten and its limits
CONDITION_HIGH = 30.0  # Belsley, Kuh & Welsch 1980
COOK_HIGH = 1.0  # Cook & Weisberg 1982


@dataclass(frozen=True)
class Check:
    """One check: its null hypothesis, figures, outcome, and a sentence for the client."""

    name: str
    null: str
    statistic: float | None
    p_value: float | None
    threshold: float | None
    passed: bool
    meaning: str
    source: str


def run_checks(
    fit: LeastSquares,
    *,
    term_groups: Mapping[str, Sequence[int]] | None = None,
    ordered: bool = False,
) -> tuple[Check, ...]:
    """All checks of a fit with an intercept.

    term_groups: indicator -> positions of its columns among the slopes, from 0; ordered: rows
    follow one another in time, so that Durbin-Watson means something.
    """
    if len(fit.coef) < 2:
        return ()
    checks = [
        _overall(fit),
        _inflation(fit, term_groups or {}),
        _condition(fit),
        breusch_pagan(fit),
        white(fit),
        reset(fit),
        jarque_bera(fit),
        _influence(fit),
    ]
    if ordered:
        checks.append(durbin_watson(fit))
    return tuple(checks)


def breusch_pagan(fit: LeastSquares) -> Check:
    """Studentized Breusch-Pagan test (Koenker 1981): n R² of squared residuals on the design."""
    statistic, freedom = _spread_explained(fit, lambda columns: columns)
    p = _chi2(statistic, freedom)
    return Check(
        "Breusch-Pagan, studentized (Koenker)",
        "the error's spread does not go with the indicators",
        statistic,
        p,
        LEVEL,
        p >= LEVEL,
        "The error is about equally large for all accounts."
        if p >= LEVEL
        else "The error is larger for some accounts than for others; intervals allow for it, "
        "standard errors should be read as HC3.",
        "Koenker 1981, J. Econometrics 17",
    )


def white(fit: LeastSquares) -> Check:
    """White's test: n R² of squared residuals on the design, its squares and products."""
    statistic, freedom = _spread_explained(fit, _with_products)
    value = _chi2(statistic, freedom)
    return Check(
        "White",
        "the error's spread does not go with the indicators, their squares or products",
        statistic,
        value,
        LEVEL,
        value >= LEVEL,
        "No pattern in the size of the error."
        if value >= LEVEL
        else "The size of the error follows a pattern; intervals allow for it.",
        "White 1980, Econometrica 48",
    )


def reset(fit: LeastSquares) -> Check:
    """Ramsey's RESET with the squares and cubes of the fitted values."""
    from scipy.special import fdtrc

    rows, residual = _whitened(fit)
    fitted = fit.fitted - fit.fitted.mean()
    fitted = fitted / max(float(np.abs(fitted).max()), 1e-300)
    root = np.ones(len(fitted)) if fit.weights is None else np.sqrt(fit.weights)
    more = np.vstack([rows.T, (fitted**2) * root, (fitted**3) * root])
    rss = float(residual @ residual)
    explained, rank = explained_squares(residual, more, lambda columns: columns)
    freedom = len(residual) - rank
    left = max(rss - explained, 1e-300)
    statistic = explained / 2 / (left / max(freedom, 1))
    p = float(fdtrc(2, max(freedom, 1), max(statistic, 0.0)))
    return Check(
        "RESET, powers 2 and 3 of the fitted values",
        "the formula's shape is right",
        statistic,
        p,
        LEVEL,
        p >= LEVEL,
        "No sign that a curve or an interaction is missing."
        if p >= LEVEL
        else "Some curvature or interaction is missing: very large and very small accounts may "
        "be misjudged.",
        "Ramsey 1969, J. Royal Statistical Society B 31",
    )


def jarque_bera(fit: LeastSquares) -> Check:
    """Jarque-Bera test of normal residuals."""
    _, residual = _whitened(fit)
    residual = residual - residual.mean()
    square = residual**2
    variance = float(np.mean(square))
    skew = float(np.mean(square * residual)) / max(variance**1.5, 1e-300)
    kurtosis = float(np.mean(square**2)) / max(variance**2, 1e-300)
    statistic = len(residual) / 6 * (skew**2 + (kurtosis - 3) ** 2 / 4)
    p = _chi2(statistic, 2)
    return Check(
        "Jarque-Bera",
        "residuals are normal",
        statistic,
        p,
        LEVEL,
        p >= LEVEL,
        "Errors scatter as the normal curve has it."
        if p >= LEVEL
        else "Errors do not follow the normal curve; intervals are taken from the errors "
        "themselves.",
        "Jarque & Bera 1987, Int. Statistical Review 55",
    )


def durbin_watson(fit: LeastSquares) -> Check:
    """Durbin-Watson statistic; passed between 1.5 and 2.5."""
    _, residual = _whitened(fit)
    statistic = float((np.diff(residual) ** 2).sum() / (residual @ residual))
    good = 1.5 <= statistic <= 2.5
    return Check(
        "Durbin-Watson",
        "neighboring errors are unrelated",
        statistic,
        None,
        1.5,
        good,
        "Neighboring errors are unrelated." if good else "Neighboring errors go together.",
        "Durbin & Watson 1951, Biometrika 38",
    )


def generalized_vif(fit: LeastSquares, columns: Sequence[int]) -> float:
    """GVIF^(1/(2 df)) squared of the slopes in columns (Fox & Monette 1992), comparable to VIF."""
    slopes = fit.cov[1:, 1:]
    length = np.sqrt(np.diag(slopes))
    correlation = slopes / length[:, None] / length[None, :]
    rest = [j for j in range(len(slopes)) if j not in set(columns)]
    inside = np.linalg.slogdet(correlation[np.ix_(columns, columns)])[1]
    outside = np.linalg.slogdet(correlation[np.ix_(rest, rest)])[1] if rest else 0.0
    whole = np.linalg.slogdet(correlation)[1]
    return float(np.exp((inside + outside - whole) / len(columns)))


def _overall(fit: LeastSquares) -> Check:
    p = fit.f_p_value
    return Check(
        "ANOVA F",
        "no indicator goes with potential",
        fit.f_statistic,
        p,
        LEVEL,
        bool(p < LEVEL),
        "Together the indicators say something about potential."
        if p < LEVEL
        else "The indicators together may say nothing about potential.",
        "Fisher; valid for indicators chosen beforehand, too favorable after a selection",
    )


def _inflation(fit: LeastSquares, groups: Mapping[str, Sequence[int]]) -> Check:
    values = {name: generalized_vif(fit, list(columns)) for name, columns in groups.items()}
    if not values:
        values = dict(zip(fit.names[1:], fit.vif.tolist(), strict=True))
    name, worst = max(values.items(), key=lambda item: item[1])
    good = worst < VIF_HIGH
    return Check(
        "Variance inflation (VIF, GVIF for text indicators)",
        "no indicator repeats the others",
        float(worst),
        None,
        VIF_HIGH,
        bool(good),
        "The indicators say different things; each coefficient can be read on its own."
        if good
        else f"{name} largely repeats other indicators: trust the estimate of potential, "
        "not the single coefficient.",
        "Fox & Monette 1992; O'Brien 2007",
    )


def _condition(fit: LeastSquares) -> Check:
    good = fit.condition_number < CONDITION_HIGH
    return Check(
        "Condition number",
        "the indicators are distinct enough to be told apart",
        fit.condition_number,
        None,
        CONDITION_HIGH,
        bool(good),
        "The coefficients are numerically well determined."
        if good
        else "Coefficients, the intercept above all, trade off against one another; predictions "
        "within the surveyed range are not affected.",
        "Belsley, Kuh & Welsch 1980",
    )


def _influence(fit: LeastSquares) -> Check:
    worst = float(np.nanmax(fit.cook))
    good = worst < COOK_HIGH
    return Check(
        "Influence (largest Cook's distance)",
        "no single account decides the formula",
        worst,
        None,
        COOK_HIGH,
        good,
        "No single account decides the formula."
        if good
        else "One account pulls the formula noticeably: check its figures.",
        "Cook & Weisberg 1982",
    )


def _whitened(fit: LeastSquares) -> tuple[np.ndarray, np.ndarray]:
    """Design (n, k) and residuals (n,) with the square roots of the weights multiplied in."""
    if fit.weights is None:
        return fit.design, fit.residual
    root = np.sqrt(fit.weights)
    return fit.design * root[:, None], fit.residual * root


def _spread_explained(
    fit: LeastSquares, expand: Callable[[np.ndarray], np.ndarray]
) -> tuple[float, int]:
    """n R² of the squared residuals on an intercept and the expanded slopes, and its degrees of
    freedom; expand: columns (1 + p, m), the intercept first, to (q, m)."""
    rows, residual = _whitened(fit)
    columns = np.ascontiguousarray(rows.T)
    columns[0] = 1.0
    columns[1:] -= columns[1:].mean(axis=1, keepdims=True)
    columns[1:] /= np.maximum(columns[1:].std(axis=1, keepdims=True), 1e-300)
    square = residual**2
    square -= square.mean()
    explained, rank = explained_squares(square, columns, expand)
    return len(square) * explained / max(float(square @ square), 1e-300), max(rank - 1, 1)


def _with_products(columns: np.ndarray) -> np.ndarray:
    """Columns (1 + p, m), the first of ones, and all squares and products of the others."""
    return np.concatenate([columns, *(columns[i:] * columns[i] for i in range(1, len(columns)))])


def _chi2(statistic: float, freedom: int) -> float:
    from scipy.special import chdtrc

    return float(chdtrc(freedom, max(statistic, 0.0)))
