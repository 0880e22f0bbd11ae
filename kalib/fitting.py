"""Choosing and fitting the formula, and what is known of its error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from kalib.formula import Formula, Term
from kalib.importance import best_of_each_size, contributions, term_groups
from kalib.indicators import Design, Screening, build_design
from kalib.linear import LeastSquares, least_squares
from kalib.predictive import Predictive, account_spread, fit_predictive
from kalib.spread import LevelSpread
from kalib.suspicion import account_doubts, all_suspects, answer_wrong, borne_out
from kalib.validation import (
    SurveyBias,
    Validation,
    answer_weights,
    cross_validate,
    r_squared,
    selection_frequency,
    survey_bias,
)
from kalib.working import (
    FORMS,
    Rules,
    WorkingFit,
    fit_working,
    suspect_potentials,
)


@dataclass(frozen=True)
class Fit:
    """The formula and everything known of its quality.

    least_squares: on the working scale, accounts set aside left out. path: DataFrame (size,
    indicators, rss, bic, r2, error, error_se, chosen), the best subset of each size. forms:
    DataFrame (form, mae, chosen).
    oof: DataFrame indexed by surveyed account (observed, predicted, fold, suspect, answer_wrong),
    potential out of fold, currency a year; suspect accounts are left out of the fit and its
    judgment, answer_wrong is how likely the answer itself is a typing error. contributions:
    DataFrame indexed by indicator (gain: R² lost without it). stability: Series per candidate.
    suspects: DataFrame (account, entry, value, expected_low, expected_high, cause). r2: in the
    sample, working scale; r2_predicted: of log potential, cross-validated with selection, form and
    cleaning repeated; r2_currency: the same on the original scale; optimism: what r2 of log
    potential loses out of sample; error_median: median absolute error out of fold, fraction of
    potential. working: fitted working values of all accounts (N,); spread, smearing: their
    predictive scale and factor (N,); loadings: (N, k) shares of the spread that accounts have in
    common; used: surveyed accounts the formula was fitted on (n,) bool. doubts: DataFrame indexed
    by account (probability, working): accounts an indicator of which may be a typing error, how
    likely, and their working value then.
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
    smearing: np.ndarray
    loadings: np.ndarray
    term_groups: Mapping[str, tuple[int, ...]]
    working_rows: np.ndarray
    oof_working: np.ndarray
    used: np.ndarray
    doubts: pd.DataFrame

    def expected(self, working: np.ndarray, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Expected potential (m,), currency a year, of working values (m,) of the accounts at
        rows, all by default."""
        if self.formula.form == "linear":
            return np.maximum(working, self.formula.floor)
        return np.exp(np.minimum(working, 700.0)) * self.smearing[rows]


def fit_formula(
    screening: Screening,
    potential: pd.Series,
    sales: pd.Series,
    *,
    error: pd.Series | None = None,
    form: str = "auto",
    criterion: str = "bic",
    signs: Mapping[str, int] | None = None,
    required: Sequence[str] = (),
    most: int = 8,
    confidence: float = 0.9,
    seed: int = 1,
) -> Fit:
    """Choose and fit the formula.

    potential: surveyed accounts' potential, currency a year; sales: all N accounts' sales, same
    unit, index as screening.values; error: standard errors in logs of the potentials that were
    measured. form: "linear", "log" (log-log or log-linear) or "auto"; criterion: "bic", "cv" or
    "one-se".
    """
    rng = np.random.default_rng(seed)
    index = screening.values.index
    surveyed = index.isin(potential.index)
    rows = np.flatnonzero(surveyed)
    observed = potential.reindex(index[rows]).to_numpy(float)
    rules = Rules(dict(signs or {}), tuple(required), most, criterion)
    by_scale = {log: build_design(screening, surveyed, logged=log) for log in (False, True)}
    wanted = [f for f in FORMS if form == "auto" or f.startswith(form)]
    designs = {name: by_scale[name == "log-log"] for name in wanted}
    shift, scale, causes = suspect_potentials(by_scale[True], rows, observed, rules)
    believed = np.array([not cause for cause in causes])
    bias = survey_bias(by_scale[True].matrix, sales.reindex(index).to_numpy(float), surveyed)
    log_sd = potential * 0.0 if error is None else error.reindex(potential.index).fillna(0.0)
    own_sd = log_sd.reindex(index[rows]).to_numpy(float)
    exact, left = answer_weights(own_sd, float(np.median(scale)))
    told = bias.weights * exact
    checked = cross_validate(designs, rows, observed, rules, told, believed, rng)
    chosen = min(wanted, key=lambda name: checked.errors[name])
    design, weights = designs[chosen], told * believed
    final = fit_working(design, rows, observed, chosen, rules, weights)
    response = np.log(observed) if final.logged else observed
    use = final.weights > 0
    often = selection_frequency(design, rows, response, rules, final.weights, rng)
    stability = pd.Series(often, index=list(design.indicators), name="stability")
    linear = _exact_fit(design, rows, response, final)
    texts = screening.values.select_dtypes(exclude="number")
    predictive, by_level = fit_predictive(
        checked.residual[chosen], final, design.matrix[rows], weights, texts.iloc[rows],
        checked.fold[0],
    )  # fmt: skip
    predictive = replace(predictive, size=predictive.size * left)
    formula = _formula(final, design, linear, stability, confidence, criterion, by_level)
    spread, loadings = account_spread(design, final, linear, predictive, screening, by_level)
    doubts = account_doubts(screening, design, final)
    answers = pd.Series(observed, index[rows])
    miss = np.log(answers / final.potential(design.matrix[rows]))
    # What many days of visits add up to is no typing error.
    proved = (own_sd > 0) | borne_out(answers, sales.reindex(answers.index), miss, scale)
    wrong = answer_wrong(~(proved | believed), miss, doubts, scale)
    return Fit(
        formula=formula,
        least_squares=linear,
        path=best_of_each_size(design, rows[use], response[use], final.weights[use], rules),
        forms=_forms(checked.errors, chosen),
        oof=_out_of_fold(observed, checked, chosen, ~believed, wrong),
        contributions=contributions(linear, final, design, response),
        stability=stability,
        suspects=all_suspects(screening, answers, shift, scale, causes, wrong, doubts),
        bias=bias,
        predictive=predictive,
        r2=linear.r2,
        **_accuracy(
            observed[believed],
            checked.honest[:, believed],
            checked.predicted[chosen][:, believed],
            final.potential(design.matrix[rows[believed]]),
            bias.weights[believed],
        ),
        working=final.working(design.matrix),
        spread=spread,
        smearing=formula.factors(screening.values),
        loadings=loadings,
        term_groups=term_groups(final, design),
        working_rows=rows,
        used=use,
        oof_working=response - checked.residual[chosen].mean(axis=0),
        doubts=doubts,
    )


def _out_of_fold(
    observed: np.ndarray, checked: Validation, chosen: str, suspect: np.ndarray, wrong: pd.Series
) -> pd.DataFrame:
    """Surveyed accounts (n,): observed, predicted out of fold, fold, suspect, answer_wrong."""
    columns = {
        "observed": observed,
        "predicted": checked.predicted[chosen].mean(axis=0),
        "fold": checked.fold[0],
        "suspect": suspect,
        "answer_wrong": wrong.to_numpy(),
    }
    return pd.DataFrame(columns, index=wrong.index)


def _forms(errors: Mapping[str, float], chosen: str) -> pd.DataFrame:
    """The forms compared: form, mae (currency a year), chosen."""
    rows = [{"form": name, "mae": mae, "chosen": name == chosen} for name, mae in errors.items()]
    return pd.DataFrame(rows)


def _accuracy(
    observed: np.ndarray,
    honest: np.ndarray,
    chosen: np.ndarray,
    inside: np.ndarray,
    weights: np.ndarray,
) -> dict[str, float]:
    """Accuracy over m believed accounts: potential observed (m,), out of fold by the form each
    fold chose (R, m) and by the chosen form (R, m), and in the sample (m,).

    Judged in logs whatever the form: a miss by half counts alike for large and small accounts, and
    one wrong entry of a large account does not decide the verdict.
    """
    logs = np.log(observed)
    predicted = r_squared(logs, np.log(np.maximum(honest, 1e-9)), weights)
    return {
        "r2_predicted": predicted,
        "r2_currency": r_squared(observed, chosen, weights),
        "optimism": r_squared(logs, np.log(inside), weights) - predicted,
        "error_median": float(np.median(np.abs(honest / observed - 1))),
    }


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
    criterion: str,
    spread: LevelSpread | None,
) -> Formula:
    from scipy.stats import t as student

    reach = float(student.ppf((1 + confidence) / 2, max(linear.df_residual, 1)))
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
        criterion=criterion,
        spread=spread,
    )
