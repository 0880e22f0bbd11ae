"""The verdict: is the formula usable, is it accurate, and why."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from kalib.formula.checks import Check, check
from kalib.formula.fitting import Fit
from kalib.formula.validation import r_squared
from kalib.study.kept import kept
from kalib.words.catalogue import Message

# Below a tenth of the variance explained out of sample there is nothing to build on (Falk &
# Miller 1992, A Primer for Soft Modeling).
R2_LEAST = 0.10
# "Moderate" explanatory power (Hair, Ringle & Sarstedt 2011, J. Marketing Theory and Practice).
R2_MODERATE = 0.50
# A median miss of half the potential moves most accounts across a zone border.
ERROR_LARGE = 0.50
# Selected in fewer than half of the half samples: the data do not insist on this indicator
# (Meinshausen & Buehlmann 2010 recommend cut-offs from 0.6).
STABILITY_LOW = 0.50
SAMPLE_PER_INDICATOR = 10  # Harrell 2015, Regression Modeling Strategies, section 4.4
FEWEST_ANSWERS = 20  # in all, of a formula of one indicator, too
SIGNAL_LEVEL = 0.01
FEW = 1000  # surveyed accounts below which exact splits cost no more than binned ones
# Of the accounts not surveyed, what may be like no surveyed one: surveys that lean to large
# accounts or to our own have a seventh, those of large ones, small ones or one region alone four
# to nine tenths (600 accounts, 150 of them surveyed, twelve seeds each).
BEYOND_MOST = 0.30
BELOW_MOST = 0.02  # books and answers differ by a month or a return in some
ASIDE_MOST = 0.10
MULTIPLE_MOST = 0.1  # share of the answers that may be one multiple of own sales
MULTIPLE_LEAST = 5  # such answers before they are more than chance
SAME_MOST = 0.20
FAR_AHEAD, NEARLY = 0.1, 0.8  # R² by which boosting is far ahead; part of the best that is near
FATAL = ("signal", "explained")
# Assumptions that change what a client may do with the formula. Heteroscedasticity and non-normal
# residuals are met by intervals taken from out-of-fold errors; collinearity leaves predictions as
# they are. Influence and shape do not.
WEIGHTY = ("influence", "reset")


@dataclass(frozen=True, repr=False)
class Verdict:
    """usable, caution or unusable, with reasons in sentences and the checks behind them.

    boosted_r2_predicted, boosted_error_median: as r2_predicted and error_median, of a gradient-
    boosted model on the same folds.
    """

    verdict: str
    reasons: tuple[str, ...]
    r2: float
    r2_predicted: float
    r2_currency: float
    optimism: float
    error_median: float
    effective_sample: float
    survey_biased: bool
    boosted_r2_predicted: float
    boosted_error_median: float
    checks: tuple[Check, ...]

    def _repr_html_(self) -> str:
        reasons = "".join(f"<li>{html.escape(reason)}</li>" for reason in self.reasons)
        return f"<blockquote><p><b>{self.verdict}</b></p><ul>{reasons}</ul></blockquote>"

    def __repr__(self) -> str:
        return "\n".join([self.verdict, *self.reasons])

    def to_json(self) -> Mapping[str, object]:
        """The content of verdict.json."""
        checks = [{k: v for k, v in asdict(check).items() if k != "key"} for check in self.checks]
        return {**asdict(self), "reasons": list(self.reasons), "checks": checks}


@kept
def judge(fit: Fit, checks: Sequence[Check]) -> Verdict:
    """Weigh the formula by what it does out of sample first, by its assumptions second.

    Parameters
    ----------
    fit : Fit
        Of `fit_formula`.
    checks : sequence of Check
        Of `check_formula`.

    Returns
    -------
    Verdict
        "usable", "caution" or "unusable", with its reasons.
    """
    own = _accuracy_checks(fit)
    fatal = [check for check in own if check.key in FATAL and not check.passed]
    answers = [one.meaning for one in own if one.key.startswith("answers") and not one.passed]
    if not fit.formula.terms:
        verdict, reasons = "unusable", ["No indicator says anything about potential.", *answers]
    elif fatal:
        verdict, reasons = "unusable", [*(check.meaning for check in fatal), *answers]
    else:
        warn = [check for check in own if not check.passed]
        warn += [check for check in checks if check.key in WEIGHTY and not check.passed]
        verdict = "caution" if warn else "usable"
        sound = Message("r_explains", share=fit.r2_predicted, off=fit.error_median)
        reasons = [check.meaning for check in warn] or [sound]
    copies = [Message("r_copy", name=n, reason=why) for n, why in fit.screening.copies.items()]
    searched = fit.path[fit.path["chosen"]]
    gap = float((searched["gap"] / searched["rss"]).max())
    if gap > 0:
        reasons = [*reasons, Message("r_not_exact", share=gap)]
    boosted_r2, boosted_error = boosted_accuracy(fit)
    missing = what_is_missing(fit, boosted_r2)
    reasons = [*reasons, missing] if missing else reasons
    return Verdict(
        verdict=verdict, reasons=(*copies, *reasons), **fit.accuracy,
        effective_sample=fit.bias.effective, survey_biased=fit.bias.biased,
        boosted_r2_predicted=boosted_r2, boosted_error_median=boosted_error, checks=(*own, *checks),
    )  # fmt: skip


def _accuracy_checks(fit: Fit) -> tuple[Check, ...]:
    """What the formula does out of sample, and whom the survey speaks for."""
    from scipy.stats import norm

    known = fit.oof[~fit.oof["suspect"]]
    logs = np.log(known[["observed", "predicted"]])
    r = 0.0 if (logs.std(ddof=0) == 0).any() else float(np.corrcoef(logs.T)[0, 1])
    z = np.arctanh(np.clip(r, -0.999999, 0.999999)) * np.sqrt(max(len(known) - 3, 1))
    p, explained, error = float(norm.sf(z)), fit.r2_predicted, fit.error_median
    names = list(fit.formula.indicators)
    weakest = float(fit.stability.reindex(names).fillna(0.0).min())
    per = fit.formula.n / max(len(names), 1)
    least = max(SAMPLE_PER_INDICATOR, FEWEST_ANSWERS / max(len(names), 1))
    part, rules = max(explained, 0), fit.screening.rules
    asked = {name: sign for name, sign in rules.signs.items() if name in rules.required}
    slopes = {term.column.indicator: term.coefficient for term in fit.formula.terms}
    against = [name for name, sign in asked.items() if slopes.get(name, 0) * sign < 0]
    # Of a formula that says nothing, no more is asked.
    told = {"power": explained >= R2_LEAST, "stability": bool(names), "sample": bool(names),
            "signs": bool(asked)}  # fmt: skip
    checks = (
        check("signal", p < SIGNAL_LEVEL, r, p, SIGNAL_LEVEL),
        check("explained", explained >= R2_LEAST, explained, None, R2_LEAST, share=part),
        check("power", explained >= R2_MODERATE, explained, None, R2_MODERATE, share=part),
        check("error", error <= ERROR_LARGE, error, None, ERROR_LARGE, share=error),
        check("stability", weakest >= STABILITY_LOW, weakest, None, STABILITY_LOW, share=weakest),
        check("sample", per >= least, per, None, least, n=per, least=least),
        check("signs", not against, len(against), None, 0, names=against, n=len(against)),
        check("survey", not fit.bias.biased, None, fit.bias.p_value, SIGNAL_LEVEL,
              n=fit.bias.effective),
    )  # fmt: skip
    return tuple(one for one in checks if told.get(one.key, True)) + _danger_checks(fit)


def _danger_checks(fit: Fit) -> tuple[Check, ...]:
    """What makes a survey speak for others than its own accounts, judged by its consequence."""
    folds, reach, told = fit.folds, fit.reach, fit.oof
    below = told["observed"] < fit.screening.sales.reindex(told.index)
    low, aside = float(below.mean()), float(told["suspect"].mean())
    same = float(told["observed"].value_counts(normalize=True).iloc[0])
    guessed = guessed_shares(fit)
    ours = fit.screening.sales.reindex(told.index)[guessed] / told["observed"][guessed]
    apart, random = (folds.apart, folds.random) if folds.by else (None, None)
    return (
        check("folds", not folds.disagree, apart, None, random,
              by=folds.by, share=max(folds.apart, 0), random=folds.random),
        check("reach", reach.beyond <= BEYOND_MOST, reach.beyond, None, BEYOND_MOST,
              share=reach.beyond, by=reach.by),
        check("answers_below_sales", low <= BELOW_MOST or below.sum() < 2, low, None, BELOW_MOST,
              share=low),
        check("answers_aside", aside <= ASIDE_MOST, aside, None, ASIDE_MOST, share=aside),
        check("answers_repeat", same <= SAME_MOST, same, None, SAME_MOST, share=same),
        check("answers_of_sales", guessed.mean() <= MULTIPLE_MOST, float(guessed.mean()), None,
              MULTIPLE_MOST, share=float(guessed.mean()), part=float(ours.median())),
    )  # fmt: skip


def guessed_shares(fit: Fit) -> pd.Series:
    """Which answers (n,) are one and the same multiple of own sales, as somebody writes them who
    guesses our share. Not those equal to sales, as loyal accounts give them, nor where sales are so
    coarse that multiples repeat by chance."""
    answers, sales = fit.oof["observed"], fit.screening.sales.reindex(fit.oof.index)
    own = (sales > 0) & (sales != answers)
    times = (answers / sales.where(own)).map("{:.4g}".format, na_action="ignore")
    found = sales.groupby(times).nunique()
    if sales[own].nunique() < 0.8 * own.sum() or found.max() < MULTIPLE_LEAST or not own.any():
        return own & False
    return times == found.idxmax()


@kept
def boosted_accuracy(fit: Fit) -> tuple[float, float]:
    """R² of log potential and median miss out of fold of gradient boosting (Friedman 2001), in the
    formula's own folds: the price of a readable formula.

    It sees every kept indicator and no rule of the study; accounts set aside are left out of it.
    Shallow trees on half of the accounts and indicators each, scikit-learn's default rate: tuning
    in so few accounts is noise.
    """
    from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor

    told, weights = _believed(fit)
    aim = np.log(told["observed"])
    model = HistGradientBoostingRegressor(max_leaf_nodes=8, random_state=0)
    if len(aim) < FEW:
        model = GradientBoostingRegressor(subsample=0.5, max_features=0.5, random_state=0)
    predicted = _out_of_fold(model, fit.screening.values, told, aim, weights)
    predicted += np.log(np.average(np.exp(aim - predicted), weights=weights))
    miss = float(np.median(np.abs(np.exp(predicted - aim) - 1)))
    return r_squared(aim.to_numpy(), predicted, weights), miss


def what_is_missing(fit: Fit, boosted_r2: float) -> Message | None:
    """The kind of what boosting finds and the formula lacks, and where it lies; None where boosting
    is not far ahead.

    The formula's misses out of fold are foretold by boosting of single splits (curves), of trees
    (indicators that work together) and of trees that see places, too; the simplest that foretells
    nearly as much as the best is said, with what it splits by most.
    """
    from sklearn.ensemble import GradientBoostingRegressor

    if boosted_r2 < max(fit.r2_predicted, 0.0) + FAR_AHEAD:
        return None
    (told, weights), values = _believed(fit), fit.screening.values
    miss = np.log(told["observed"] / told["predicted"])
    seen = {"curve": (values, 1, 1), "together": (values, 3, 2),
            "place": (fit.screening.places.join(values), 3, 1)}  # fmt: skip
    found = {}
    for kind, (columns, depth, named) in seen.items():
        model = GradientBoostingRegressor(max_depth=depth, subsample=0.5, random_state=0)
        guess = _out_of_fold(model, columns, told, miss, weights)
        order = np.argsort(-model.feature_importances_)[:named]
        found[kind] = r_squared(miss.to_numpy(), guess, weights), tuple(columns.columns[order])
    best = max(score for score, _ in found.values())
    if best <= 0:  # nothing that can be named
        return None
    kind = next(kind for kind, (score, _) in found.items() if score >= NEARLY * best)
    names, share = found[kind][1], max(fit.r2_predicted, 0.0)
    return Message(f"r_missing_{kind}", names=names, boosted=boosted_r2, share=share)


def _believed(fit: Fit) -> tuple[pd.DataFrame, np.ndarray]:
    """The answers (n,) that are not set aside, and their weights."""
    believed = ~fit.oof["suspect"]
    return fit.oof[believed], fit.bias.weights[believed.to_numpy()]


def _out_of_fold(
    model: Any, values: pd.DataFrame, told: pd.DataFrame, aim: pd.Series, weights: np.ndarray
) -> np.ndarray:
    """What a model of scikit-learn says of each account (n,) when its fold is left out."""
    from sklearn import config_context
    from threadpoolctl import threadpool_limits

    values = values.loc[told.index]
    text = values.select_dtypes(exclude="number").columns
    values = values.assign(**{name: pd.factorize(values[name])[0] for name in text})
    matrix = values.to_numpy(float) if values.shape[1] else np.zeros((len(told), 1))
    fold, predicted = told["fold"].to_numpy(), np.empty(len(told))
    # The trees' threads, too, would wait for one another; and each tree would check again what all
    # of them are given.
    quick = config_context(skip_parameter_validation=True, assume_finite=True)
    with threadpool_limits(1), quick:
        for k in np.unique(fold):
            train = fold != k
            model.fit(matrix[train], aim[train], sample_weight=weights[train])
            predicted[~train] = model.predict(matrix[~train])
    return predicted
