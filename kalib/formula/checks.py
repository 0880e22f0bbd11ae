"""Checks of the formula's assumptions, each with what it means for the client."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kalib.files import beside
from kalib.formula.fitting import Fit
from kalib.formula.linear import RANK_TOLERANCE, LeastSquares
from kalib.study.kept import kept
from kalib.words.catalogue import Message

LEVEL = 0.05  # significance of the assumption tests, as R's lmtest and car print them
VIF_HIGH = 10.0  # O'Brien 2007, Quality & Quantity 41: the rule of ten and its limits
CONDITION_HIGH = 30.0  # Belsley, Kuh & Welsch 1980
COOK_HIGH = 1.0  # Cook & Weisberg 1982
UNRELATED = (1.5, 2.5)  # of the Durbin-Watson statistic


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


def check(
    key: str, passed: bool, statistic: float | None, p_value: float | None,
    threshold: float | None, **figures: Any,
) -> Check:  # fmt: skip
    """A check of a kind; figures: of what it means."""
    kind, name = beside(__file__)[key], Message(f"check_{key}")
    null, source = kind["null"].format(bound=threshold), kind["source"]
    meaning = Message(f"check_{key}_{'passed' if passed else 'failed'}", **figures)
    return Check(key, name, null, statistic, p_value, threshold, bool(passed), meaning, source)


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
    fit: LeastSquares, *, term_groups: Mapping[str, Sequence[int]] | None = None,
    ordered: bool = False,
) -> tuple[Check, ...]:  # fmt: skip
    """All checks of a fit with an intercept.

    term_groups: indicator -> places of its columns among the slopes, from 0; ordered: rows follow
    one another in time, so that Durbin-Watson means something.
    """
    from statsmodels.stats import stattools
    from statsmodels.stats.diagnostic import het_breuschpagan, het_white

    if len(fit.coef) < 2:
        return ()
    residual, columns, results = np.asarray(fit.results.wresid), _columns(fit), fit.results
    groups = term_groups or {name: [j] for j, name in enumerate(fit.names[1:])}
    inflation = {name: generalized_vif(fit, list(places)) for name, places in groups.items()}
    repeats = max(inflation, key=inflation.__getitem__)
    # A fit without errors has no distances.
    cook = float(fit.cook[np.isfinite(fit.cook)].max(initial=0.0))
    condition, p = fit.condition_number, float(results.f_pvalue)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # squares of a level are the level: less than full rank
        checks = [
            check("anova", p < LEVEL, float(results.fvalue), p, LEVEL),
            check("inflation", inflation[repeats] < VIF_HIGH, inflation[repeats], None, VIF_HIGH,
                  name=repeats),
            check("condition", condition < CONDITION_HIGH, condition, None, CONDITION_HIGH),
            _tested("breusch_pagan", het_breuschpagan(residual, columns)),
            _tested("white", het_white(residual, columns)),
            _tested("reset", _reset(fit)),
            _tested("jarque_bera", stattools.jarque_bera(residual - residual.mean())),
            check("influence", cook < COOK_HIGH, cook, None, COOK_HIGH),
        ]  # fmt: skip
    if ordered:
        statistic = float(stattools.durbin_watson(residual))
        passed = UNRELATED[0] <= statistic <= UNRELATED[1]
        checks.append(check("durbin_watson", passed, statistic, None, UNRELATED[0]))
    return tuple(checks)


def _tested(key: str, found: Sequence[float]) -> Check:
    """A check of a test's statistic and p-value; 0 and 1 where an exact fit leaves nothing to
    test."""
    statistic, p = (float(value) for value in found[:2])
    statistic = max(statistic, 0.0) if np.isfinite(statistic) else 0.0
    p = p if np.isfinite(p) else 1.0
    return check(key, p >= LEVEL, statistic, p, LEVEL)


def _reset(fit: LeastSquares) -> Sequence[float]:
    """Ramsey's RESET with the squares and cubes of the fitted values.

    As an F test of the two formulas: statsmodels' `linear_reset` drops the weights.
    """
    fitted = fit.response - fit.residual
    fitted = fitted - fitted.mean()
    fitted = fitted / max(float(np.abs(fitted).max()), 1e-300)
    more = np.column_stack([fit.design, fitted**2, fitted**3])
    wider = LeastSquares((*fit.names, "square", "cube"), more, fit.response, fit.weights)
    if wider.df_residual < 1 or wider.condition_number > 1 / RANK_TOLERANCE:
        return 0.0, 1.0  # the powers are combinations of the indicators
    return wider.results.compare_f_test(fit.results)


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


def _columns(fit: LeastSquares) -> np.ndarray:
    """An intercept beside the standardized weighted columns (n, k)."""
    columns = np.array(fit.results.model.wexog)
    columns[:, 0] = 1.0
    columns[:, 1:] -= columns[:, 1:].mean(axis=0)
    columns[:, 1:] /= np.maximum(columns[:, 1:].std(axis=0), 1e-300)
    return columns
