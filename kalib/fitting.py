"""Choosing and fitting the formula, and what is known of its error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kalib.formula import Formula, Term
from kalib.indicators import Design, Screening, build_design
from kalib.linear import LeastSquares, least_squares
from kalib.predictive import Predictive, account_spread, fit_predictive
from kalib.subsets import best_subsets, gram_matrix
from kalib.validation import (
    SurveyBias,
    cross_validate,
    r_squared,
    selection_frequency,
    survey_bias,
)
from kalib.working import (
    FORMS,
    Rules,
    WorkingFit,
    column_signs,
    fit_working,
    screen_groups,
    suspect_potentials,
)


@dataclass(frozen=True)
class Fit:
    """The formula and everything known of its quality.

    least_squares: on the working scale, accounts set aside left out. path: DataFrame (size,
    indicators, rss, bic, r2), the best subset of each size. forms: DataFrame (form, mae, chosen).
    oof: DataFrame indexed by surveyed account (observed, predicted, fold, suspect), potential out
    of fold, currency a year. contributions: DataFrame indexed by indicator (gain: R² lost
    without it). stability: Series per candidate. suspects: DataFrame (account, entry, value,
    expected_low, expected_high, cause). r2: in the sample, working scale; r2_predicted: of log
    potential, cross-validated with selection, form and cleaning repeated; r2_currency: the same
    on the original scale; optimism: what r2 of log potential loses out of sample; error_median:
    median absolute error out of fold, fraction of potential. working: fitted working values of all
    accounts (N,); spread: their predictive scale (N,); loadings: (N, k) shares of the spread that
    accounts have in common; used: surveyed accounts the formula was fitted on (n,) bool.
    """

    formula: Formula
    least_squares: LeastSquares
    path: pd.DataFrame
    forms: pd.DataFrame
    oof: pd.DataFrame
    contributions: pd.DataFrame
    stability: pd.Series
    suspects: pd.DataFrame
    bias: SurveyBias
    predictive: Predictive
    r2: float
    r2_predicted: float
    r2_currency: float
    optimism: float
    error_median: float
    working: np.ndarray
    spread: np.ndarray
    loadings: np.ndarray
    term_groups: Mapping[str, tuple[int, ...]]
    working_rows: np.ndarray
    oof_working: np.ndarray
    used: np.ndarray


def fit_formula(
    screening: Screening,
    potential: pd.Series,
    sales: pd.Series,
    *,
    form: str = "auto",
    signs: Mapping[str, int] | None = None,
    required: Sequence[str] = (),
    most: int = 8,
    confidence: float = 0.9,
    seed: int = 1,
) -> Fit:
    """Choose and fit the formula.

    potential: surveyed accounts' potential, currency a year; sales: all N accounts' sales, same
    unit, index as screening.values. form: "linear", "log" (log-log or log-linear) or "auto".
    """
    rng = np.random.default_rng(seed)
    index = screening.values.index
    surveyed = index.isin(potential.index)
    rows = np.flatnonzero(surveyed)
    observed = potential.reindex(index[rows]).to_numpy(float)
    rules = Rules(dict(signs or {}), tuple(required), most)
    by_scale = {
        logged: build_design(screening, surveyed, logged=logged) for logged in (False, True)
    }
    wanted = [f for f in FORMS if form == "auto" or f.startswith(form)]
    designs = {name: by_scale[name == "log-log"] for name in wanted}
    shift, scale, causes = suspect_potentials(by_scale[True], rows, observed, rules)
    believed = np.array([not cause for cause in causes])
    bias = survey_bias(by_scale[True].matrix, sales.reindex(index).to_numpy(float), surveyed)
    checked = cross_validate(designs, rows, observed, rules, bias.weights, believed, rng)
    chosen = min(wanted, key=lambda name: checked.errors[name])
    design = designs[chosen]
    final = fit_working(design, rows, observed, chosen, rules, bias.weights * believed)
    response = np.log(observed) if final.logged else observed
    use = final.weights > 0
    frequency = selection_frequency(design, rows, response, rules, final.weights, rng)
    stability = pd.Series(frequency, index=list(design.indicators), name="stability")
    linear = _exact_fit(design, rows, response, final)
    formula = _formula(final, design, linear, stability, confidence)
    predictive = fit_predictive(
        checked.residual[chosen], final, design.matrix[rows], bias.weights * believed
    )
    spread, loadings = account_spread(design, final, linear, predictive, screening)
    weights = bias.weights * believed
    # Judged in logs whatever the form: a miss by half counts alike for large and small accounts,
    # and one wrong entry of a large account does not decide the verdict.
    logs, whole = np.log(observed[believed]), np.log(final.potential(design.matrix[rows[believed]]))
    honest = r_squared(
        logs, np.log(np.maximum(checked.honest[:, believed], 1e-9)), weights[believed]
    )
    apparent = r_squared(logs, whole, weights[believed])
    out_of_fold = checked.predicted[chosen].mean(axis=0)
    return Fit(
        formula=formula,
        least_squares=linear,
        path=_path(design, rows[use], response[use], final.weights[use], rules),
        forms=pd.DataFrame(
            {
                "form": wanted,
                "mae": [checked.errors[name] for name in wanted],
                "chosen": [name == chosen for name in wanted],
            }
        ),
        oof=pd.DataFrame(
            {
                "observed": observed,
                "predicted": out_of_fold,
                "fold": checked.fold[0],
                "suspect": ~believed,
            },
            index=index[rows],
        ),
        contributions=_contributions(linear, final, design, response),
        stability=stability,
        suspects=_all_suspects(screening, index[rows], observed, shift, scale, causes),
        bias=bias,
        predictive=predictive,
        r2=linear.r2,
        r2_predicted=honest,
        r2_currency=r_squared(
            observed[believed], checked.predicted[chosen][:, believed], weights[believed]
        ),
        optimism=apparent - honest,
        error_median=float(np.median(np.abs(checked.honest / observed - 1)[:, believed])),
        working=final.working(design.matrix),
        spread=spread,
        loadings=loadings,
        term_groups=_term_groups(final, design),
        working_rows=rows,
        used=use,
        oof_working=response - checked.residual[chosen].mean(axis=0),
    )


def _exact_fit(
    design: Design, rows: np.ndarray, response: np.ndarray, final: WorkingFit
) -> LeastSquares:
    """The final formula by QR, on the accounts not set aside."""
    use = final.weights > 0
    names = [design.columns[c].name for c in final.used]
    weights = final.weights[use]
    even = np.allclose(weights, weights[0])
    return least_squares(
        design.matrix[rows[use]][:, final.used],
        response[use],
        names,
        weights=None if even else weights,
    )


def _formula(
    final: WorkingFit,
    design: Design,
    linear: LeastSquares,
    stability: pd.Series,
    confidence: float,
) -> Formula:
    from scipy.stats import t as student

    reach = student.ppf((1 + confidence) / 2, max(linear.df_residual, 1))
    terms = []
    for position, number in enumerate(final.used, start=1):
        column = design.columns[number]
        value, error = float(linear.coef[position]), float(linear.std_error[position])
        terms.append(
            Term(
                column=column,
                coefficient=value,
                std_error=error,
                p_value=float(linear.p_value[position]),
                low=value - reach * error,
                high=value + reach * error,
                stability=float(stability[column.indicator]),
            )
        )
    count = int((final.weights > 0).sum())
    return Formula(
        form=final.form,
        intercept=float(linear.coef[0]),
        terms=tuple(terms),
        smearing=final.smearing,
        sigma=float(linear.sigma),
        n=count,
        floor=final.floor,
    )


def _path(
    design: Design, rows: np.ndarray, response: np.ndarray, weights: np.ndarray, rules: Rules
) -> pd.DataFrame:
    """The best subset of every size: size, indicators, rss, bic, r2."""
    signs = column_signs(design, rules)
    n = len(rows)
    gram = gram_matrix(design.matrix[rows], response, weights)
    required = design.groups_of(rules.required)
    groups, kept = screen_groups(gram, design.groups, n, required)
    path = best_subsets(
        gram,
        groups=groups,
        required=[kept.index(g) for g in required],
        max_groups=min(len(groups), max(min(rules.most, n // 6), len(required), 1)),
        signs=signs if signs.any() else None,
    )
    rss = np.asarray(path.rss).reshape(-1)
    chosen = np.asarray(path.chosen).reshape(len(rss), -1)
    middle = np.average(response, weights=weights)
    total = float(weights @ (response - middle) ** 2)
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
                "r2": float(1 - share),
            }
        )
    return pd.DataFrame(result, columns=["size", "indicators", "rss", "bic", "r2"])


def _contributions(
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
    for name, columns in _term_groups(final, design).items():
        rest = np.delete(full, [c + 1 for c in columns], axis=1)
        scale = np.maximum(np.linalg.norm(rest, axis=0), 1e-300)
        coef = np.linalg.lstsq(rest / scale, aim)[0]
        rss = float(((aim - rest / scale @ coef) ** 2).sum())
        gains[name] = linear.r2 - (1 - rss / total)
    frame = pd.DataFrame({"gain": pd.Series(gains, dtype=float)})
    frame.index.name = "indicator"
    return frame.sort_values("gain", ascending=False)


def _term_groups(final: WorkingFit, design: Design) -> dict[str, tuple[int, ...]]:
    """Positions of each chosen indicator's columns among the terms, from 0."""
    groups: dict[str, list[int]] = {}
    for position, number in enumerate(final.used):
        groups.setdefault(design.columns[number].indicator, []).append(position)
    return {name: tuple(columns) for name, columns in groups.items()}


def _all_suspects(
    screening: Screening,
    accounts: pd.Index,
    observed: np.ndarray,
    shift: np.ndarray,
    scale: float,
    causes: Sequence[str],
) -> pd.DataFrame:
    """Suspected indicator entries and suspected potentials in one table."""
    margin = np.exp(1.645 * scale)
    rows = [
        {
            "account": accounts[i],
            "entry": "potential",
            "value": observed[i],
            "expected_low": observed[i] / np.exp(shift[i]) / margin,
            "expected_high": observed[i] / np.exp(shift[i]) * margin,
            "cause": cause,
        }
        for i, cause in enumerate(causes)
        if cause
    ]
    found = pd.DataFrame(rows, columns=screening.suspects.columns)
    parts = [part for part in (screening.suspects, found) if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else found
