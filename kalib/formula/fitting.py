"""Choosing and fitting the formula, and what is known of its error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kalib.errors import Problem, StudyError
from kalib.formula import survey, validation
from kalib.formula.distribution import Distribution
from kalib.formula.formula import Formula, Term, partial_effects
from kalib.formula.linear import LeastSquares, least_squares
from kalib.formula.predictive import Predictive, account_spread, fit_predictive
from kalib.formula.suspicion import Answers, all_suspects, suspect_answers
from kalib.formula.working import FORMS, Rules, WorkingFit, fit_working
from kalib.indicators.screening import PRECEDENT, Design, Screening, build_design
from kalib.study.kept import kept
from kalib.study.settings import FormulaSettings
from kalib.tables.visits import Potential

SEED = 20260101  # one seed a run, kept in run.json


@dataclass(frozen=True)
class Fit:
    """The formula and everything known of its quality.

    least_squares: on the working scale, accounts set aside left out. path: the best subset of each
    size, see `best_of_each_size`. forms: DataFrame (form, mae, log_score, chosen). oof: DataFrame
    indexed by surveyed account (observed, predicted, fold, suspect), potential out of fold,
    currency a year; suspect answers are left out of fit and judgment. stability: Series per
    candidate. suspects: DataFrame (account, entry, value, expected_low, expected_high, cause).
    r2_predicted: of log potential, cross-validated with selection, form and cleaning repeated;
    r2_currency: the same on the original scale; optimism: what r2 of log potential loses out of
    sample; errors: (repeats, accounts) absolute errors out of fold, fractions of potential.
    working: fitted working values of all accounts (N,); spread: their predictive scale (N,);
    loadings: (N, k) shares of the spread that accounts have in common; working_rows: places (n,)
    of the surveyed accounts among all; oof_working: their working values out of fold (n,); used:
    those that the formula was fitted on (n,) bool. screening, settings: what it was fitted to,
    and how.
    """

    formula: Formula
    least_squares: LeastSquares
    path: pd.DataFrame
    forms: pd.DataFrame
    oof: pd.DataFrame
    stability: pd.Series
    suspects: pd.DataFrame
    bias: survey.SurveyBias
    folds: survey.Folds
    reach: survey.Reach
    predictive: Predictive
    r2_predicted: float
    r2_currency: float
    optimism: float
    errors: np.ndarray
    working: np.ndarray
    spread: np.ndarray
    loadings: np.ndarray
    working_rows: np.ndarray
    oof_working: np.ndarray
    used: np.ndarray
    screening: Screening
    settings: FormulaSettings

    @property
    def results(self) -> Any:
        """statsmodels' results of the formula: `summary()` and all it knows."""
        return self.least_squares.results

    @property
    def r2(self) -> float:
        """R² in the sample, on the working scale."""
        return float(self.results.rsquared)

    @property
    def error_median(self) -> float:
        """Median of errors."""
        return float(np.median(self.errors))

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
        fit = self.least_squares
        return pd.DataFrame(fit.design, self.oof.index[self.used], list(fit.names))

    @property
    def distribution(self) -> Distribution:
        """What the formula alone says of every account's potential, currency a year."""
        return self.predictive.potential(self.working, self.spread)

    @property
    def effects(self) -> pd.DataFrame:
        """What moves a typical account, see `partial_effects`."""
        return partial_effects(self.formula, self.screening.values)

    @property
    def term_groups(self) -> dict[str, list[int]]:
        """Places of each indicator's columns among the terms, from 0."""
        names = [term.column.indicator for term in self.formula.terms]
        return {name: [k for k, each in enumerate(names) if each == name] for name in names}

    @property
    def contributions(self) -> pd.DataFrame:
        """R² lost when each indicator leaves the formula, the others refitted: gain, indexed by
        indicator, the largest first."""
        fit, gains = self.least_squares, {}
        for name, places in self.term_groups.items():
            own = np.array(places) + 1
            lost = fit.coef[own] @ np.linalg.solve(fit.cov[np.ix_(own, own)], fit.coef[own])
            gains[name] = float(lost * fit.sigma**2 / fit.results.centered_tss)
        frame = pd.DataFrame({"gain": pd.Series(gains, dtype=float)}).rename_axis("indicator")
        return frame.sort_values("gain", ascending=False)


@kept
def fit_formula(
    screening: Screening, potential: Potential, settings: FormulaSettings | None = None,
    indicators: Sequence[str] | None = None, seed: int = SEED,
) -> Fit:  # fmt: skip
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
    rules = _rules(screening, settings.criterion, indicators)
    answers = Answers.of(screening, potential)
    rows, known, index = answers.rows, answers.potential, screening.values.index
    surveyed, sold = index.isin(index[rows]), screening.sales.reindex(index).to_numpy(float)
    plain, logged = (build_design(screening, surveyed, logged=log) for log in (False, True))
    found = suspect_answers(logged, answers, rules)
    bias = survey.survey_bias(logged.matrix, sold, surveyed)
    exact, own_share = survey.answer_weights(answers.log_sd, found.scale)
    told = bias.weights * exact
    forms = [f for f in FORMS if settings.form == "auto" or f.startswith(settings.form)]
    designs = {form: logged if form == "log-log" else plain for form in forms}
    groups = survey.survey_groups(screening, logged, answers)
    checked = validation.cross_validate(designs, answers, rules, told, found.believed, groups, rng)
    chosen = str(checked.forms["log_score"].idxmax())
    design = designs[chosen]
    final = fit_working(design, rows, known, chosen, rules, told * found.weight)
    response, use = np.log(known) if final.logged else known, final.weights > 0
    stability = validation.selection_frequency(design, rows, response, rules, final.weights, rng)
    linear = _exact_fit(design, rows, response, final)
    texts = screening.values.iloc[rows].select_dtypes(exclude="number")
    believed, matrix = told * found.believed, design.matrix
    predictive = fit_predictive(checked, final, matrix[rows], believed, texts, own_share)
    spread, loadings = account_spread(design, final, linear, predictive, screening)
    working = final.working(matrix)
    if final.logged:  # no exponential reaches far beyond what was surveyed
        working = np.minimum(working, working[rows].max() + np.log(PRECEDENT))
    expected = final.to_potential(working)
    oof = {"observed": known, "predicted": checked.predicted[chosen].mean(axis=0),
           "fold": checked.fold[0], "suspect": ~found.believed}  # fmt: skip
    return Fit(
        formula=_formula(final, design, linear, stability, settings, predictive),
        least_squares=linear,
        path=validation.best_of_each_size(design, rows[use], response[use], final.weights[use],
                                          rules),
        forms=checked.forms.assign(chosen=checked.forms.index == chosen).reset_index(),
        oof=pd.DataFrame(oof, index=index[rows]), stability=stability,
        suspects=all_suspects(screening, index[rows], answers, found), bias=bias,
        folds=checked.folds, reach=survey.survey_reach(screening, logged, surveyed, expected),
        predictive=predictive, **_accuracy(oof, checked, chosen, expected[rows], bias.weights),
        working=working, spread=spread, loadings=loadings, working_rows=rows, used=use,
        oof_working=response - checked.residual[chosen].mean(axis=0), screening=screening,
        settings=settings,
    )  # fmt: skip


def _rules(screening: Screening, criterion: str, indicators: Sequence[str] | None) -> Rules:
    """What the study asks of the search, or what is asked here."""
    rules = screening.rules
    if indicators is None:
        return Rules(rules.signs, rules.required, rules.max, criterion)
    remedy = f"These are {', '.join(screening.kept)}"
    lacking = [Problem(f"{name!r} is not among the indicators kept", remedy=remedy)
               for name in indicators if name not in screening.kept]  # fmt: skip
    if lacking:
        raise StudyError(lacking)
    return Rules(rules.signs, tuple(indicators), len(indicators), criterion)


def _accuracy(
    oof: Mapping[str, np.ndarray], checked: validation.Validation, chosen: str, inside: np.ndarray,
    weights: np.ndarray,
) -> dict[str, Any]:  # fmt: skip
    """Accuracy over the believed answers: out of fold by the form each fold chose and by the chosen
    form, and in the sample; inside (n,): potential expected there, weights (n,).

    Judged in logs whatever the form: a miss by half counts alike for large and small accounts, and
    one wrong entry of a large account does not decide the verdict.
    """
    use = ~oof["suspect"]
    observed, weights, honest = oof["observed"][use], weights[use], checked.honest[:, use]
    logs = np.log(observed)
    predicted = validation.r_squared(logs, np.log(np.maximum(honest, 1e-9)), weights)
    return {
        "r2_predicted": predicted,
        "r2_currency": validation.r_squared(observed, checked.predicted[chosen][:, use], weights),
        "optimism": validation.r_squared(logs, np.log(inside[use]), weights) - predicted,
        "errors": np.abs(honest / observed - 1),
    }


def _exact_fit(
    design: Design, rows: np.ndarray, response: np.ndarray, final: WorkingFit
) -> LeastSquares:
    """The final formula by QR, on the accounts not set aside."""
    use = final.weights > 0
    names = [design.columns[c].name for c in final.used]
    weights = final.weights[use]
    even = np.allclose(weights, weights[0])
    matrix = design.matrix[rows[use]][:, final.used]
    return least_squares(matrix, response[use], names, weights=None if even else weights)


def _formula(
    final: WorkingFit, design: Design, linear: LeastSquares, stability: pd.Series,
    settings: FormulaSettings, predictive: Predictive,
) -> Formula:  # fmt: skip
    """The formula with the intervals of its coefficients."""
    ends = linear.results.conf_int(1 - settings.confidence).to_numpy()
    p_values = linear.results.pvalues.to_numpy()
    columns = [design.columns[number] for number in final.used]
    terms = tuple(
        Term(column, float(linear.coef[k]), float(linear.std_error[k]), float(p_values[k]),
             float(ends[k, 0]), float(ends[k, 1]), float(stability[column.indicator]))
        for k, column in enumerate(columns, start=1)
    )  # fmt: skip
    return Formula(
        form=final.form, intercept=float(linear.coef[0]), terms=terms, smearing=final.smearing,
        sigma=float(linear.sigma), n=int((final.weights > 0).sum()), floor=final.floor,
        criterion=settings.criterion, spread=predictive.by_level,
    )  # fmt: skip
