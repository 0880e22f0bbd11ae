"""Checks of the formula's assumptions, each with what it means for the client."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kalib.formula.fitting import Fit
from kalib.formula.linear import RANK_TOLERANCE, LeastSquares
from kalib.study.kept import kept
from kalib.words.catalogue import Message

LEVEL = 0.05  # significance of the assumption tests, as R's lmtest and car print them
VIF_HIGH = 10.0  # O'Brien 2007, Quality & Quantity 41: the rule of ten and its limits
CONDITION_HIGH = 30.0  # Belsley, Kuh & Welsch 1980
COOK_HIGH = 1.0  # Cook & Weisberg 1982


@dataclass(frozen=True)
class Check:
    """One check: its null hypothesis, figures, outcome, and a sentence for the client.

    key: what code tells it by, whatever its name says.
    """

    key: str
    name: str
    null: str
    statistic: float | None
    p_value: float | None
    threshold: float | None
    passed: bool
    meaning: str
    source: str


@kept
def check_formula(fit: Fit) -> tuple[Check, ...]:
    """Checks of the formula's assumptions.

    Parameters
    ----------
    fit : Fit
        Of `fit_formula`.

    Returns
    -------
    tuple of Check
        Each with its null hypothesis, statistic, p-value, whether it passed and what that means;
        empty for a formula without indicators.

    Examples
    --------
    >>> study = read_study("data/fmcg-supermarkets")
    >>> tables = read_tables(study)
    >>> potential = known_potential(tables)
    >>> fit = fit_formula(screen(tables, potential), potential, study.formula)
    >>> check_formula(fit)[0].name
    'ANOVA F'
    """
    return run_checks(fit.least_squares, term_groups=fit.term_groups)


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
    from statsmodels.stats.diagnostic import het_breuschpagan

    residual, columns = _spread_of(fit)
    statistic, p = _lagrange(het_breuschpagan, residual, columns)
    return Check(
        "breusch_pagan",
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
    from statsmodels.stats.diagnostic import het_white

    residual, columns = _spread_of(fit)
    statistic, value = _lagrange(het_white, residual, columns)
    return Check(
        "white",
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
    """Ramsey's RESET with the squares and cubes of the fitted values.

    As an F test of the two formulas: statsmodels' `linear_reset` drops the weights.
    """
    fitted = fit.response - fit.residual
    fitted = fitted - fitted.mean()
    fitted = fitted / max(float(np.abs(fitted).max()), 1e-300)
    more = np.column_stack([fit.design, fitted**2, fitted**3])
    wider = LeastSquares((*fit.names, "square", "cube"), more, fit.response, fit.weights)
    if wider.df_residual < 1 or wider.condition_number > 1 / RANK_TOLERANCE:
        statistic, p = 0.0, 1.0  # the powers are combinations of the indicators
    else:
        with np.errstate(all="ignore"):
            statistic, p, _ = (float(v) for v in wider.results.compare_f_test(fit.results))
        statistic, p = max(statistic, 0.0), _chance(p)
    return Check(
        "reset",
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
    from statsmodels.stats.stattools import jarque_bera as normality

    with np.errstate(all="ignore"):
        residual = np.asarray(fit.results.wresid)
        statistic, p = normality(residual - residual.mean())[:2]
    statistic, p = _finite(statistic), _chance(p)
    return Check(
        "jarque_bera",
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
    from statsmodels.stats.stattools import durbin_watson as neighbors

    statistic = float(neighbors(np.asarray(fit.results.wresid)))
    good = 1.5 <= statistic <= 2.5
    return Check(
        "durbin_watson",
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
    p = float(fit.results.f_pvalue)
    return Check(
        "anova",
        "ANOVA F",
        "no indicator goes with potential",
        float(fit.results.fvalue),
        p,
        LEVEL,
        bool(p < LEVEL),
        "Together the indicators say something about potential."
        if p < LEVEL
        else "The indicators together may say nothing about potential.",
        "Fisher; valid for indicators chosen beforehand, too favorable after a selection",
    )


def _inflation(fit: LeastSquares, groups: Mapping[str, Sequence[int]]) -> Check:
    groups = groups or {name: [j] for j, name in enumerate(fit.names[1:])}
    values = {name: generalized_vif(fit, list(columns)) for name, columns in groups.items()}
    name, worst = max(values.items(), key=lambda item: item[1])
    good = worst < VIF_HIGH
    return Check(
        "inflation",
        "Variance inflation (VIF, GVIF for text indicators)",
        "no indicator repeats the others",
        float(worst),
        None,
        VIF_HIGH,
        bool(good),
        "The indicators say different things; each coefficient can be read on its own."
        if good
        else Message("r_repeats", name=name),
        "Fox & Monette 1992; O'Brien 2007",
    )


def _condition(fit: LeastSquares) -> Check:
    good = fit.condition_number < CONDITION_HIGH
    return Check(
        "condition",
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
    distance = fit.cook[np.isfinite(fit.cook)]
    worst = float(distance.max(initial=0.0))  # a fit without errors has no distances
    good = worst < COOK_HIGH
    return Check(
        "influence",
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


def _spread_of(fit: LeastSquares) -> tuple[np.ndarray, np.ndarray]:
    """Weighted residuals (n,), and an intercept beside the standardized weighted columns (n, k)."""
    columns = np.array(fit.results.model.wexog)
    columns[:, 0] = 1.0
    columns[:, 1:] -= columns[:, 1:].mean(axis=0)
    columns[:, 1:] /= np.maximum(columns[:, 1:].std(axis=0), 1e-300)
    return np.asarray(fit.results.wresid), columns


def _lagrange(
    test: Callable[..., Sequence[float]], residual: np.ndarray, columns: np.ndarray
) -> tuple[float, float]:
    """Statistic and p-value of a test of the residuals' spread; of an exact fit 0 and 1."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # squares of a level are the level: less than full rank
        statistic, p = test(residual, columns)[:2]
    return max(_finite(statistic), 0.0), _chance(p)


def _finite(statistic: float) -> float:
    return float(statistic) if np.isfinite(statistic) else 0.0


def _chance(p: float) -> float:
    """A p-value; 1 where an exact fit leaves nothing to test."""
    return float(p) if np.isfinite(p) else 1.0
