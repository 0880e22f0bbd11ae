"""Accuracy with the whole selection repeated in every fold, stability, and survey bias."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kalib.formula.subsets.search import batch_grams, select_subsets
from kalib.formula.suspicion import Answers, suspect_answers
from kalib.formula.working import (
    ACCOUNTS_PER_INDICATOR,
    Rules,
    column_signs,
    fit_working,
    log_score,
    screen_groups,
    spread_power,
)
from kalib.indicators.screening import Design

FOLDS = 10
# Half samples of a criterion. Judging sizes takes six searches for one; 200 draws place a
# frequency within 7 points, 1,000 within 3.
STABILITY_DRAWS = {"bic": 1000, "cv": 200, "one-se": 200}
# Significance at which sales are taken to have decided who was surveyed.
BIAS_LEVEL = 0.01
# Survey weights beyond this multiple of their median are cut: a few accounts must not decide.
WEIGHT_CUT = 8.0


@dataclass(frozen=True)
class Validation:
    """Out-of-fold results of R repeats over n surveyed accounts.

    predicted: form -> (R, n) potential, currency a year; residual: form -> (R, n) on the form's
    working scale; errors: form -> mean absolute error in currency; scores: form -> log score of
    potential; honest: (R, n) potential by the form that each training set chose itself; fold:
    (R, n) fold numbers.
    """

    predicted: Mapping[str, np.ndarray]
    residual: Mapping[str, np.ndarray]
    errors: Mapping[str, float]
    scores: Mapping[str, float]
    honest: np.ndarray
    fold: np.ndarray


@dataclass(frozen=True)
class SurveyBias:
    """Whether own sales decided who was surveyed, and the weights that put it right.

    weights: (n,), mean 1 over surveyed accounts; effective: Kish's effective sample size;
    p_value: likelihood-ratio test that sales add nothing to the indicators in explaining who was
    surveyed, 1 where all sales are alike and can't tell; biased: p_value below BIAS_LEVEL.
    """

    weights: np.ndarray
    effective: float
    p_value: float
    biased: bool


def cross_validate(
    designs: Mapping[str, Design],
    answers: Answers,
    rules: Rules,
    weights: np.ndarray,
    scored: np.ndarray,
    rng: np.random.Generator,
) -> Validation:
    """Repeated cross-validation of every form in designs.

    weights: (n,) of the surveyed accounts; scored (n,) bool: accounts whose observed potential is
    believed (a typing error is not a miss of the formula).
    """
    rows, potential = answers.rows, answers.potential
    n = len(rows)
    repeats = 5 if n <= 100 else 3 if n <= 400 else 1
    shape = (repeats, n)
    predicted = {form: np.empty(shape) for form in designs}
    residual = {form: np.empty(shape) for form in designs}
    honest, fold = np.empty(shape), np.empty(shape, dtype=int)
    screen_design = designs.get("log-log") or next(iter(designs.values()))
    for r in range(repeats):
        fold[r] = rng.permutation(np.arange(n) % min(FOLDS, n))
        for k in range(fold[r].max() + 1):
            test = fold[r] == k
            train = ~test
            clean = weights[train] * suspect_answers(screen_design, answers[train], rules).weight
            best = -np.inf
            for form, design in designs.items():
                fit = fit_working(design, rows[train], potential[train], form, rules, clean)
                working = fit.working(design.matrix[rows[test]])
                predicted[form][r, test] = fit.to_potential(working)
                aim = np.log(potential[test]) if fit.logged else potential[test]
                residual[form][r, test] = aim - working
                if fit.loo_score > best:
                    best = fit.loo_score
                    honest[r, test] = predicted[form][r, test]
    use = weights * scored
    errors = {
        form: float(np.average(np.abs(values - potential).mean(axis=0), weights=use))
        for form, values in predicted.items()
    }
    scores = {form: _form_score(form, miss, potential, use) for form, miss in residual.items()}
    return Validation(predicted, residual, errors, scores, honest, fold)


def _form_score(form: str, miss: np.ndarray, potential: np.ndarray, weights: np.ndarray) -> float:
    """Log score of a form's misses (R, n) out of fold, mean over repeats."""
    use, logged = weights > 0, form != "linear"
    aim = (np.log(potential) if logged else potential)[use]
    parts = []
    for row in miss[:, use]:
        fitted, spread = aim - row, np.ones(len(aim))
        if power := 0.0 if logged else spread_power(fitted, row, np.ones(len(aim), dtype=bool)):
            spread = np.maximum(fitted, np.quantile(aim, 0.1)) ** power
        parts.append(log_score(row, aim, weights[use], spread, logged=logged))
    return float(np.mean(parts))


def answer_weights(log_sd: np.ndarray, scale: float) -> tuple[np.ndarray, float]:
    """Weights (n,) of answers that are measured with error, mean 1, and what is left of the scale
    of the formula's misses once the error of measuring is out of them.

    log_sd: (n,) standard errors in logs, nought for a survey's answer; scale: that of the misses
    in logs. A measurement counts by the inverse of its variance and the formula's together (Fay &
    Herriot 1979); of the misses' variance at least a quarter is taken for the formula's own.
    """
    variance = log_sd**2
    between = max(scale**2 - float(np.median(variance)), 0.25 * scale**2, 1e-12)
    weights = 1 / (between + variance)
    noise = float(np.average(variance, weights=weights))
    return weights / weights.mean(), float(np.sqrt(between / (between + noise)))


def r_squared(observed: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> float:
    """1 - squared error / squared error of the mean, over observed (n,) and predicted (R, n)."""
    middle = np.average(observed, weights=weights)
    total = np.average((observed - middle) ** 2, weights=weights)
    error = np.average(((observed - np.atleast_2d(predicted)) ** 2).mean(axis=0), weights=weights)
    return float(1 - error / total) if total > 0 else 0.0


def selection_frequency(
    design: Design,
    rows: np.ndarray,
    response: np.ndarray,
    rules: Rules,
    weights: np.ndarray,
    rng: np.random.Generator,
    draws: int | None = None,
) -> pd.Series:
    """How often each indicator is chosen over complementary half samples (Shah & Samworth
    2013), the search repeated in each."""
    use = weights > 0
    matrix, aim, weight = design.matrix[rows[use]], response[use], weights[use]
    n = len(aim)
    half = n // 2
    most = max(1, min(rules.most, half // ACCOUNTS_PER_INDICATOR))
    signs = column_signs(design, rules)
    required = design.groups_of(rules.required)
    counts = np.zeros(len(design.groups))
    groups, kept = screen_groups(
        batch_grams(matrix, aim, weight[None])[0], design.groups, half, required
    )
    required = [kept.index(g) for g in required]
    done, draws = 0, draws or STABILITY_DRAWS[rules.criterion]
    while done < draws:
        pairs = min(50, (draws - done + 1) // 2)
        member = np.zeros((2 * pairs, n))
        for i in range(pairs):
            order = rng.permutation(n)
            member[2 * i, order[:half]] = 1.0
            member[2 * i + 1, order[half : 2 * half]] = 1.0
        chosen = select_subsets(
            matrix,
            aim,
            member * weight,
            criterion=rules.criterion,
            groups=groups,
            required=required,
            max_groups=max(most, len(required)),
            signs=signs if signs.any() else None,
        )
        counts[kept] += chosen.sum(axis=0)
        done += 2 * pairs
    return pd.Series(counts / done, index=list(design.indicators), name="stability")


def survey_bias(matrix: np.ndarray, sales: np.ndarray, surveyed: np.ndarray) -> SurveyBias:
    """Weights for a survey that own sales decided.

    matrix: (N, p) log-log design; sales: (N,) currency a year; surveyed: (N,) bool. Where sales
    say nothing beyond the indicators, the formula needs no weights (they would only add noise);
    where they do, inverse odds of being surveyed make the survey stand for the accounts that
    were not (Horvitz & Thompson 1952; odds weights, Hirano, Imbens & Ridder 2003).
    """
    from scipy.stats import chi2
    from sklearn.linear_model import LogisticRegression

    count = int(surveyed.sum())
    plain = SurveyBias(np.ones(count), float(count), 1.0, False)
    if count == len(surveyed) or count < 20 or (sales <= 0).all():
        return plain
    buys = (sales > 0).astype(float)
    size = np.log(np.maximum(sales, sales[sales > 0].min()))
    size = np.where(buys > 0, size - size[sales > 0].mean(), 0.0)
    extra = np.column_stack([buys, size, size**2])
    freedom = int((extra.std(axis=0) > 1e-12).sum())
    if freedom == 0:  # a test without degrees of freedom has no p-value
        return plain
    both = np.column_stack([matrix, extra])
    both = (both - both.mean(axis=0)) / np.maximum(both.std(axis=0), 1e-12)
    base = both[:, : matrix.shape[1]]

    def deviance(columns: np.ndarray) -> tuple[float, np.ndarray]:
        if columns.shape[1] == 0:
            p = np.full(len(surveyed), surveyed.mean())
        else:
            model = LogisticRegression(C=10.0, max_iter=300).fit(columns, surveyed)
            p = model.predict_proba(columns)[:, 1]
        p = np.clip(p, 1e-6, 1 - 1e-6)
        return float(-2 * np.where(surveyed, np.log(p), np.log(1 - p)).sum()), p

    without, _ = deviance(base)
    with_sales, chance = deviance(both)
    p_value = float(chi2.sf(max(without - with_sales, 0.0), freedom))
    if not p_value < BIAS_LEVEL:  # nor where it is not a number
        return SurveyBias(plain.weights, plain.effective, p_value, False)
    odds = ((1 - chance) / chance)[surveyed]
    odds = np.minimum(odds, WEIGHT_CUT * np.median(odds))
    weights = odds / odds.mean()
    return SurveyBias(weights, float(weights.sum() ** 2 / (weights**2).sum()), p_value, True)
