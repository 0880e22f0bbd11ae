"""Choosing and fitting the formula, and what is known of its error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kalib.errors import Problem, StudyError
from kalib.formula.distribution import Distribution
from kalib.formula.formula import Formula, Term, partial_effects
from kalib.formula.linear import LeastSquares, least_squares
from kalib.formula.predictive import Predictive, account_spread, fit_predictive
from kalib.formula.survey import (
    Folds,
    Reach,
    SurveyBias,
    answer_weights,
    survey_bias,
    survey_groups,
    survey_reach,
)
from kalib.formula.suspicion import (
    Answers,
    Suspicion,
    account_doubts,
    all_suspects,
    suspect_answers,
)
from kalib.formula.validation import (
    Validation,
    best_of_each_size,
    cross_validate,
    r_squared,
    selection_frequency,
)
from kalib.formula.working import FORMS, Rules, WorkingFit, fit_working
from kalib.indicators.screening import Design, Screening, build_design
from kalib.indicators.terms import LevelSpread
from kalib.study.kept import kept
from kalib.study.settings import FormulaSettings
from kalib.tables.visits import Potential

SEED = 20260101  # one seed a run, kept in run.json


@dataclass(frozen=True)
class Fit:
    """The formula and everything known of its quality.

    least_squares: on the working scale, accounts set aside left out. path: DataFrame (size,
    indicators, rss, bic, r2, error, error_se, chosen), the best subset of each size. forms:
    DataFrame (form, mae, log_score, chosen).
    oof: DataFrame indexed by surveyed account (observed, predicted, fold, suspect), potential out
    of fold, currency a year; suspect answers are left out of fit and judgment. contributions:
    DataFrame indexed by indicator (gain: R² lost without it). effects: what moves a typical
    account, see `partial_effects`. stability: Series per candidate.
    suspects: DataFrame (account, entry, value, expected_low, expected_high, cause). r2: in the
    sample, working scale; r2_predicted: of log potential, cross-validated with selection, form and
    cleaning repeated; r2_currency: the same on the original scale; optimism: what r2 of log
    potential loses out of sample; error_median: median absolute error out of fold, fraction of
    potential. working: fitted working values of all accounts (N,); spread, smearing: their
    predictive scale and factor (N,); loadings: (N, k) shares of the spread that accounts have in
    common; used: surveyed accounts the formula was fitted on (n,) bool. doubts: DataFrame indexed
    by account (probability, working): accounts an indicator of which may be a typing error, how
    likely, and their working value then. screening, settings: what it was fitted to, and how.
    """

    formula: Formula
    least_squares: LeastSquares
    path: pd.DataFrame
    forms: pd.DataFrame
    oof: pd.DataFrame
    contributions: pd.DataFrame
    effects: pd.DataFrame
    stability: pd.Series
    suspects: pd.DataFrame
    bias: SurveyBias
    folds: Folds
    reach: Reach
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
    screening: Screening
    settings: FormulaSettings

    @property
    def results(self) -> Any:
        """statsmodels' results of the formula: `summary()` and all it knows."""
        return self.least_squares.results

    @property
    def accuracy(self) -> pd.Series:
        """Fractions: r2, in the sample on the working scale; r2_predicted, of log potential out of
        sample; r2_currency, of potential; optimism, what r2 loses; error_median, of potential."""
        names = ("r2", "r2_predicted", "r2_currency", "optimism", "error_median")
        return pd.Series({name: getattr(self, name) for name in names}, name="accuracy")

    @property
    def design(self) -> pd.DataFrame:
        """The accounts it was fitted on (n, k) in the formula's terms: what a coefficient is
        multiplied by, 1 for the intercept."""
        columns = list(self.least_squares.names)
        accounts = self.oof.index[self.used]
        return pd.DataFrame(self.least_squares.design, index=accounts, columns=columns)

    @property
    def distribution(self) -> Distribution:
        """What the formula alone says of every account's potential, currency a year."""
        return self.predictive.potential(self.working, self.spread)

    def expected(self, working: np.ndarray, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Expected potential (m,), currency a year, of working values (m,) of the accounts at
        rows, all by default."""
        if self.formula.form == "linear":
            return np.maximum(working, self.formula.floor)
        return np.exp(np.minimum(working, 700.0)) * self.smearing[rows]


@kept
def fit_formula(
    screening: Screening,
    potential: Potential,
    settings: FormulaSettings | None = None,
    indicators: Sequence[str] | None = None,
    seed: int = SEED,
) -> Fit:
    """Choose and fit the formula.

    Parameters
    ----------
    screening : Screening
        Of `screen`.
    potential : Potential
        Of the surveyed accounts, currency a year.
    settings : FormulaSettings, optional
        The study's section [formula].
    indicators : sequence of str, optional
        Fit these, in place of those that an exact search finds best.
    seed : int
        Of folds and half samples.

    Raises
    ------
    StudyError
        Where one of the indicators was not kept in the screening.

    Examples
    --------
    >>> study = read_study("data/fmcg-supermarkets")
    >>> tables = read_tables(study)
    >>> potential = known_potential(tables)
    >>> fit = fit_formula(screen(tables, potential), potential, study.formula)
    >>> fit.formula.indicators
    ('floor_area_m2', 'cash_registers', 'hours')
    """
    settings, rng = settings or FormulaSettings(), np.random.default_rng(seed)
    form, criterion, sales = settings.form, settings.criterion, screening.sales
    surveyed = screening.values.index.isin(potential.frame.index)
    rules = _rules(screening, criterion, indicators)
    by_scale = {log: build_design(screening, surveyed, logged=log) for log in (False, True)}
    rows = np.flatnonzero(surveyed)
    index = screening.values.index[rows]
    sold = sales.reindex(screening.values.index).to_numpy(float)
    known, log_sd = potential.frame.reindex(index)[["potential", "log_sd"]].to_numpy(float).T
    answers = Answers(rows, known, log_sd, sold[rows])
    found = suspect_answers(by_scale[True], answers, rules)
    believed = found.believed
    bias = survey_bias(by_scale[True].matrix, sold, surveyed)
    exact, own_share = answer_weights(log_sd, found.scale)
    told = bias.weights * exact
    designs = {f: by_scale[f == "log-log"] for f in FORMS if form == "auto" or f.startswith(form)}
    groups = survey_groups(screening, by_scale[True], answers)
    checked = cross_validate(designs, answers, rules, told, believed, groups, rng)
    chosen = max(designs, key=lambda name: checked.scores[name])
    design, weights = designs[chosen], told * found.weight
    final = fit_working(design, rows, known, chosen, rules, weights)
    response, use = np.log(known) if final.logged else known, final.weights > 0
    stability = selection_frequency(design, rows, response, rules, final.weights, rng)
    linear = _exact_fit(design, rows, response, final)
    groups_of = _term_groups(final, design)
    texts = screening.values.iloc[rows].select_dtypes(exclude="number")
    predictive, by_level = fit_predictive(
        checked, final, design.matrix[rows], told * believed, texts, own_share
    )
    formula = _formula(final, design, linear, stability, settings.confidence, criterion, by_level)
    spread, loadings = account_spread(design, final, linear, predictive, screening, by_level)
    inside, doubts = final.potential(design.matrix[rows]), account_doubts(screening, design, final)
    return Fit(
        formula=formula,
        least_squares=linear,
        path=best_of_each_size(design, rows[use], response[use], final.weights[use], rules),
        forms=_forms(checked, chosen),
        oof=_out_of_fold(index, answers, found, checked, chosen),
        contributions=_contributions(linear, groups_of),
        effects=partial_effects(formula, screening.values),
        stability=stability,
        suspects=all_suspects(screening, index, answers, found),
        bias=bias,
        folds=checked.folds,
        reach=survey_reach(screening, by_scale[True], surveyed, final.potential(design.matrix)),
        predictive=predictive,
        r2=float(linear.results.rsquared),
        **_accuracy(known, believed, checked, chosen, inside, bias.weights),
        working=final.working(design.matrix),
        spread=spread,
        smearing=formula.factors(screening.values),
        loadings=loadings,
        term_groups=groups_of,
        working_rows=rows,
        used=use,
        oof_working=response - checked.residual[chosen].mean(axis=0),
        doubts=doubts,
        screening=screening,
        settings=settings,
    )


def _rules(screening: Screening, criterion: str, indicators: Sequence[str] | None) -> Rules:
    """What the study asks of the search, or what is asked here."""
    rules = screening.rules
    if indicators is None:
        return Rules(rules.signs, rules.required, rules.max, criterion)
    lacking = [name for name in indicators if name not in screening.kept]
    if lacking:
        kept_ones = ", ".join(screening.kept)
        raise StudyError(
            [Problem(f"{name!r} is not among the indicators kept", remedy=f"These are {kept_ones}")
             for name in lacking]
        )  # fmt: skip
    return Rules(rules.signs, tuple(indicators), len(indicators), criterion)


def _out_of_fold(
    index: pd.Index, answers: Answers, found: Suspicion, checked: Validation, chosen: str
) -> pd.DataFrame:
    """Surveyed accounts (n,): observed, predicted out of fold, fold, suspect."""
    columns = {
        "observed": answers.potential,
        "predicted": checked.predicted[chosen].mean(axis=0),
        "fold": checked.fold[0],
        "suspect": ~found.believed,
    }
    return pd.DataFrame(columns, index=index)


def _forms(checked: Validation, chosen: str) -> pd.DataFrame:
    """The forms compared: form, mae (currency a year), log_score, chosen."""
    columns = {"mae": checked.errors, "log_score": checked.scores}
    forms = pd.DataFrame(columns).rename_axis("form").reset_index()
    return forms.assign(chosen=forms["form"] == chosen)


def _contributions(linear: LeastSquares, groups: Mapping[str, Sequence[int]]) -> pd.DataFrame:
    """R² lost when each indicator leaves the formula, the others refitted."""
    gains = {}
    for name, places in groups.items():
        own = np.array(places) + 1
        lost = linear.coef[own] @ np.linalg.solve(linear.cov[np.ix_(own, own)], linear.coef[own])
        gains[name] = float(lost * linear.sigma**2 / linear.results.centered_tss)
    frame = pd.DataFrame({"gain": pd.Series(gains, dtype=float)}).rename_axis("indicator")
    return frame.sort_values("gain", ascending=False)


def _term_groups(final: WorkingFit, design: Design) -> dict[str, tuple[int, ...]]:
    """Places of each chosen indicator's columns among the terms, from 0."""
    groups: dict[str, tuple[int, ...]] = {}
    for place, number in enumerate(final.used):
        name = design.columns[number].indicator
        groups[name] = (*groups.get(name, ()), place)
    return groups


def _accuracy(
    observed: np.ndarray,
    use: np.ndarray,
    checked: Validation,
    chosen: str,
    inside: np.ndarray,
    weights: np.ndarray,
) -> dict[str, float]:
    """Accuracy over the believed answers: out of fold by the form each fold chose and by the chosen
    form, and in the sample; inside (n,): potential expected there, weights (n,).

    Judged in logs whatever the form: a miss by half counts alike for large and small accounts, and
    one wrong entry of a large account does not decide the verdict.
    """
    observed, weights = observed[use], weights[use]
    honest, logs = checked.honest[:, use], np.log(observed)
    predicted = r_squared(logs, np.log(np.maximum(honest, 1e-9)), weights)
    return {
        "r2_predicted": predicted,
        "r2_currency": r_squared(observed, checked.predicted[chosen][:, use], weights),
        "optimism": r_squared(logs, np.log(inside[use]), weights) - predicted,
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
                p_value=float(linear.results.pvalues.iloc[position]),
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
