"""Accuracy with the whole selection repeated in every fold, and stability."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from kalib.formula.subsets.search import best_subsets, gram_matrix, select_subsets, validated_sizes
from kalib.formula.survey import FOLDS, Folds, Groups, group_folds
from kalib.formula.suspicion import Answers, suspect_answers
from kalib.formula.working import Rules, fit_working, log_score, search_space
from kalib.indicators.screening import Design

# Half samples of a criterion. Judging sizes takes six searches for one; 200 draws place a
# frequency within 7 points, 1,000 within 3.
OFF = 1e3  # times off all answers, beyond which no prediction out of fold lies: logs know no end
STABILITY_DRAWS = {"bic": 1000, "cv": 200, "one-se": 200}


@dataclass(frozen=True)
class Validation:
    """Out-of-fold results of R repeats over n surveyed accounts.

    predicted: form -> (R, n) potential, currency a year; residual: form -> (R, n) on the form's
    working scale; forms: DataFrame indexed by form (mae, mean absolute error in currency a year;
    log_score); honest: (R, n) potential by the form that each training set chose itself; fold:
    (R, n) fold numbers; folds: how these were drawn.
    """

    predicted: Mapping[str, np.ndarray]
    residual: Mapping[str, np.ndarray]
    forms: pd.DataFrame
    honest: np.ndarray
    fold: np.ndarray
    folds: Folds


def cross_validate(
    designs: Mapping[str, Design], answers: Answers, rules: Rules, weights: np.ndarray,
    scored: np.ndarray, groups: Groups, rng: np.random.Generator,
) -> Validation:  # fmt: skip
    """Repeated cross-validation of every form in designs.

    weights: (n,) of the surveyed accounts; scored (n,) bool: accounts whose observed potential is
    believed (a typing error is not a miss of the formula). Where folds that keep groups together
    find less than those at random, theirs is the result.
    """

    def found(folds: Callable[[], np.ndarray]) -> tuple[Validation, float]:
        checked = _in_folds(designs, answers, rules, weights, scored, folds)
        honest = np.log(np.maximum(checked.honest[:, scored], 1e-9))
        return checked, r_squared(np.log(answers.potential[scored]), honest, weights[scored])

    n = len(answers.rows)
    plain, random = found(lambda: rng.permutation(np.arange(n) % min(FOLDS, n)))
    if not groups.by:
        return replace(plain, folds=Folds("", n, random, float("nan")))
    apart, held = found(lambda: group_folds(groups.number, rng))
    folds = Folds(groups.by, int(groups.number.max()) + 1, random, held)
    return replace(apart if folds.disagree else plain, folds=folds)


def _in_folds(
    designs: Mapping[str, Design], answers: Answers, rules: Rules, weights: np.ndarray,
    scored: np.ndarray, folds: Callable[[], np.ndarray],
) -> Validation:  # fmt: skip
    """Fit every form in every fold; folds: draws the fold (n,) of each account."""
    rows, potential = answers.rows, answers.potential
    n = len(rows)
    repeats = 5 if n <= 100 else 3 if n <= 400 else 1
    shape = (repeats, n)
    predicted = {form: np.empty(shape) for form in designs}
    residual = {form: np.empty(shape) for form in designs}
    honest, fold = np.empty(shape), np.empty(shape, dtype=int)
    screen_design = designs.get("log-log") or next(iter(designs.values()))
    for r in range(repeats):
        fold[r] = folds()
        for k in range(fold[r].max() + 1):
            test = fold[r] == k
            train = ~test
            clean = weights[train] * suspect_answers(screen_design, answers[train], rules).weight
            ends, best = (potential[train].min() / OFF, OFF * potential[train].max()), -np.inf
            for form, design in designs.items():
                fit = fit_working(design, rows[train], potential[train], form, rules, clean)
                working = fit.working(design.matrix[rows[test]])
                predicted[form][r, test] = np.clip(fit.to_potential(working), *ends)
                aim = np.log(potential[test]) if fit.logged else potential[test]
                residual[form][r, test] = aim - working
                left_out = fit.residual / np.maximum(1 - fit.leverage, 1e-3)
                score = log_score(potential[train], left_out, fit.logged, clean)
                if score > best:
                    best = score
                    honest[r, test] = predicted[form][r, test]
    use, judged = weights * scored, {}
    for form, values in predicted.items():
        error = np.abs(values - potential).mean(axis=0)
        score = log_score(potential, residual[form].mean(axis=0), form != "linear", use)
        judged[form] = {"mae": float(np.average(error, weights=use)), "log_score": score}
    forms = pd.DataFrame.from_dict(judged, orient="index").rename_axis("form")
    nothing = Folds("", n, float("nan"), float("nan"))
    return Validation(predicted, residual, forms, honest, fold, nothing)


def r_squared(observed: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> float:
    """1 - squared error / squared error of the mean, over observed (n,) and predicted (R, n)."""
    middle = np.average(observed, weights=weights)
    total = np.average((observed - middle) ** 2, weights=weights)
    error = np.average(((observed - np.atleast_2d(predicted)) ** 2).mean(axis=0), weights=weights)
    return float(1 - error / total) if total > 0 else 0.0


def selection_frequency(
    design: Design, rows: np.ndarray, response: np.ndarray, rules: Rules, weights: np.ndarray,
    rng: np.random.Generator,
) -> pd.Series:  # fmt: skip
    """How often each indicator is chosen over complementary half samples (Shah & Samworth
    2013), the search repeated in each."""
    use = weights > 0
    matrix, aim, weight = design.matrix[rows[use]], response[use], weights[use]
    n, half = len(aim), len(aim) // 2
    kept, columns, space = search_space(design, rules, gram_matrix(matrix, aim, weight), half)
    matrix, counts = matrix[:, columns], np.zeros(len(design.groups))
    draws = STABILITY_DRAWS[rules.criterion]
    for start in range(0, draws, 100):
        orders = [rng.permutation(n) for _ in range(min(100, draws - start) // 2)]
        member = np.zeros((2 * len(orders), n))
        for i, order in enumerate(orders):
            member[2 * i, order[:half]] = member[2 * i + 1, order[half : 2 * half]] = 1.0
        chosen = select_subsets(matrix, aim, member * weight, rules.criterion, space)
        counts[kept] += chosen.sum(axis=0)
    return pd.Series(counts / draws, index=list(design.indicators), name="stability")


def best_of_each_size(
    design: Design, rows: np.ndarray, response: np.ndarray, weights: np.ndarray, rules: Rules
) -> pd.DataFrame:
    """The best subset of every size: size, indicators, rss, bic, r2, chosen by the criterion;
    where that looks out of sample, error and error_se: squared error out of sample and its
    standard error, as shares of the response's variance (NaN otherwise); gap: how much less rss
    could be at most where the search was ended before all was looked at (NaN otherwise)."""
    n, matrix = len(rows), design.matrix[rows]
    gram = gram_matrix(matrix, response, weights)
    kept, columns, space = search_space(design, rules, gram, n)
    place = [*columns, len(gram) - 1]
    path = best_subsets(gram[np.ix_(place, place)], space)
    found = np.flatnonzero(np.isfinite(path.value[0]))
    chosen, rss = path.chosen[0, found], path.value[0, found]
    members = [[kept[g] for g in np.flatnonzero(row)] for row in chosen]
    count = [sum(len(design.groups[g]) for g in row) for row in members]
    total = float(gram[-1, -1])
    share = np.maximum(rss / total, 1e-300) if total > 0 else np.ones(len(rss))
    price = float(space.price(np.array(n)))
    frame = pd.DataFrame({
        "size": found,
        "indicators": [", ".join(design.indicators[g] for g in row) for row in members],
        "rss": rss,
        "bic": n * np.log(share) + np.array(count) * price,
        "r2": np.maximum(1 - share, 0.0),
        "error": np.nan,
        "error_se": np.nan,
    })  # fmt: skip
    if rules.criterion == "bic":
        frame["chosen"] = frame.index == frame["bic"].idxmin()
    else:
        judged = validated_sizes(matrix[:, columns], response, weights, rules.criterion, space)
        variance = max(total / float(weights.sum()), 1e-300)
        frame["error"] = judged.error[found] / variance
        frame["error_se"] = judged.std_error[found] / variance
        frame["chosen"] = found == judged.size
    gap = path.gap[0, found]
    return frame.assign(gap=np.where(gap > 0, gap, np.nan))
