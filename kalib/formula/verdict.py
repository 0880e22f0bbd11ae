"""The verdict: is the formula usable, is it accurate, and why."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kalib.formula.boosting import boosted_accuracy
from kalib.formula.checks import Check
from kalib.formula.fitting import Fit
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
SIGNAL_LEVEL = 0.01
# Of the accounts not surveyed, what may be like no surveyed one: surveys that lean to large
# accounts or to our own have a seventh, those of large ones, small ones or one region alone four
# to nine tenths (600 accounts, 150 of them surveyed, twelve seeds each).
BEYOND_MOST = 0.30
BELOW_MOST = 0.02  # books and answers differ by a month or a return in some
ASIDE_MOST = 0.10
SAME_MOST = 0.20
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
    boosted = boosted_accuracy(fit)
    own = _accuracy_checks(fit)
    every = (*own, *checks)
    fatal = [check for check in own if check.key in FATAL and not check.passed]
    if not fit.formula.terms:
        verdict, reasons = "unusable", ["No indicator says anything about potential."]
    elif fatal:
        verdict, reasons = "unusable", [check.meaning for check in fatal]
    else:
        warn = [check for check in own if not check.passed]
        warn += [check for check in checks if check.key in WEIGHTY and not check.passed]
        verdict = "caution" if warn else "usable"
        reasons = [check.meaning for check in warn] or [
            Message("r_explains", share=fit.r2_predicted, off=fit.error_median)
        ]
    copies = [Message("r_copy", name=n, reason=why) for n, why in fit.screening.copies.items()]
    searched = fit.path[fit.path["chosen"]]
    gap = float((searched["gap"] / searched["rss"]).max())
    if gap > 0:
        reasons = [*reasons, Message("r_not_exact", share=gap)]
    return Verdict(
        verdict=verdict,
        reasons=(*copies, *reasons),
        r2=fit.r2,
        r2_predicted=fit.r2_predicted,
        r2_currency=fit.r2_currency,
        optimism=fit.optimism,
        error_median=fit.error_median,
        effective_sample=fit.bias.effective,
        survey_biased=fit.bias.biased,
        boosted_r2_predicted=boosted.r2_predicted,
        boosted_error_median=boosted.error_median,
        checks=every,
    )


def _accuracy_checks(fit: Fit) -> tuple[Check, ...]:
    from scipy.stats import norm

    known = fit.oof[~fit.oof["suspect"]]
    n = len(known)
    observed, predicted = np.log(known["observed"]), np.log(known["predicted"])
    flat = predicted.std() == 0 or observed.std() == 0
    r = 0.0 if flat else float(np.corrcoef(observed, predicted)[0, 1])
    z = float(np.arctanh(min(max(r, -0.999999), 0.999999)) * np.sqrt(max(n - 3, 1)))
    p = float(norm.sf(z))
    terms = max(len(fit.formula.indicators), 1)
    weakest = fit.stability.reindex(list(fit.formula.indicators)).min() if terms else 0.0
    weakest = float(weakest) if np.isfinite(weakest) else 0.0
    per = fit.formula.n / terms
    explained = fit.r2_predicted
    return (
        Check(
            "signal",
            "Signal out of sample",
            "predicted and observed potential are unrelated out of sample",
            r,
            p,
            SIGNAL_LEVEL,
            p < SIGNAL_LEVEL,
            "The formula ranks accounts it has not seen better than chance."
            if p < SIGNAL_LEVEL
            else "On accounts it has not seen, the formula ranks no better than chance.",
            "Fisher z of the correlation of out-of-fold log potential, one-sided",
        ),
        _bounded("explained", "Explained variance",
                 f"less than {R2_LEAST:.0%} of the variance is explained out of sample",
                 (explained, R2_LEAST), explained >= R2_LEAST, ("r_explained", "r_too_little"),
                 "Falk & Miller 1992; cross-validation with selection repeated in each fold",
                 share=max(explained, 0)),
        _bounded("power", "Explanatory power",
                 f"less than {R2_MODERATE:.0%} of the variance is explained out of sample",
                 (explained, R2_MODERATE), explained >= R2_MODERATE, ("r_sound", "r_rank_only"),
                 "Hair, Ringle & Sarstedt 2011", share=max(explained, 0)),
        _bounded("error", "Typical error",
                 f"the median miss is above {ERROR_LARGE:.0%} of potential",
                 (fit.error_median, ERROR_LARGE), fit.error_median <= ERROR_LARGE,
                 ("r_typical_error", "r_typical_error"),
                 "Median absolute percentage error, out of fold", share=fit.error_median),
        _bounded("stability", "Stability of the selection",
                 f"some indicator is chosen in fewer than {STABILITY_LOW:.0%} of half samples",
                 (weakest, STABILITY_LOW), weakest >= STABILITY_LOW, ("r_stable", "r_unstable"),
                 "Meinshausen & Buehlmann 2010; Shah & Samworth 2013", share=weakest),
        _bounded("sample", "Sample size",
                 f"fewer than {SAMPLE_PER_INDICATOR} surveyed accounts per indicator",
                 (per, SAMPLE_PER_INDICATOR), per >= SAMPLE_PER_INDICATOR,
                 ("r_sample", "r_sample_small"), "Harrell 2015", n=per),
        Check(
            "survey",
            "Survey represents the accounts",
            "own sales say nothing on who was surveyed, given the indicators",
            None,
            fit.bias.p_value,
            SIGNAL_LEVEL,
            not fit.bias.biased,
            "The survey does not lean toward our own customers."
            if not fit.bias.biased
            else Message("r_leans", n=fit.bias.effective),
            "Likelihood-ratio test of a logistic regression; weights by inverse odds",
        ),
        *_danger_checks(fit),
    )  # fmt: skip


def _danger_checks(fit: Fit) -> tuple[Check, ...]:
    """What makes a survey speak for others than its own accounts, judged by its consequence."""
    folds, reach, told = fit.folds, fit.reach, fit.oof
    below = told["observed"] < fit.screening.sales.reindex(told.index)
    low, aside = float(below.mean()), float(told["suspect"].mean())
    same = float(told["observed"].value_counts(normalize=True).iloc[0])
    figures = (folds.apart, folds.random) if folds.by else (None, None)
    return (
        _bounded("folds", "New groups of accounts",
                 "accounts of a new group are foretold as well as those of a surveyed one",
                 figures, not folds.disagree, ("r_apart", "r_clusters"),
                 "Roberts et al. 2017, Ecography 40",
                 by=folds.by, share=max(folds.apart, 0), random=folds.random),
        _bounded("reach", "Reach of the survey",
                 f"more than {BEYOND_MOST:.0%} of the accounts not asked are like no surveyed one",
                 (reach.beyond, BEYOND_MOST), reach.beyond <= BEYOND_MOST,
                 ("r_reaches", "r_beyond"),
                 "Odds against being surveyed beyond those of every surveyed account",
                 share=reach.beyond, by=reach.by),
        _bounded("answers_below_sales", "Answers below own sales",
                 f"more than {BELOW_MOST:.0%} of the answers are less than accounts buy from us",
                 (low, BELOW_MOST), low <= BELOW_MOST or below.sum() < 2,
                 ("r_above_sales", "r_below_sales"),
                 "Potential is what an account buys from everyone", share=low),
        _bounded("answers_aside", "Answers set aside",
                 f"more than {ASIDE_MOST:.0%} of the answers look like typing errors",
                 (aside, ASIDE_MOST), aside <= ASIDE_MOST, ("r_few_aside", "r_aside"),
                 "Barchard & Pace 2011, Computers in Human Behavior 27", share=aside),
        _bounded("answers_repeat", "Answers that repeat",
                 f"one answer stands for more than {SAME_MOST:.0%} of the accounts",
                 (same, SAME_MOST), same <= SAME_MOST, ("r_differ", "r_same"),
                 "One value copied over many accounts tells nothing of them", share=same),
    )  # fmt: skip


def _bounded(
    key: str,
    name: str,
    null: str,
    figures: tuple[float | None, float | None],
    passed: bool,
    said: tuple[str, str],
    source: str,
    **fill: Any,
) -> Check:
    """A check of a statistic against a bound, (statistic, threshold); said: keys of what it means
    where it passed and where it did not."""
    statistic, threshold = figures
    meaning = Message(said[not passed], **fill)
    return Check(key, name, null, statistic, None, threshold, bool(passed), meaning, source)
