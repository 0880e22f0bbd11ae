"""Estimates of potential stacked: weights by what each says of accounts it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from math import lgamma, log, pi

import numpy as np

from kalib.formula.distribution import Distribution
from kalib.wallet.effects import Effects

# The score's density is a t of so many degrees: an error of ten spreads must not choose alone.
FREEDOM = 6.0
T_SCALE = 0.8753  # that fits a standard normal best: where errors are normal, nothing is stretched
T_CONSTANT = lgamma((FREEDOM + 1) / 2) - lgamma(FREEDOM / 2) - log(FREEDOM * pi) / 2 - log(T_SCALE)
LEAST_WEIGHT = 0.02  # below it a part is left out
NARROWEST = 0.2  # of a part's usual width
MOST_STRETCH = 1.0  # of the log of the width
# What lies below sales is left out, which moves the rest up: the middle is moved back as far as the
# answers say. Prior standard deviation of that, and the most, in logs.
SHIFT_SD, MOST_SHIFT = 0.2, 1.0
TAILS = 0.5, 1.5  # least and most of the width above the middle
ABOVE = 0.06  # of the answers that may lie above an end that 5 % shall
# So many surveyed accounts that buy all from us make "all" an answer of its own.
FEWEST_FULL = 3
WHOLE = 1 - 1e-9  # of potential: sales from which on an account buys all from us


@dataclass(frozen=True)
class Answered:
    """What the n surveyed accounts' answers are scored by.

    potential, sales: (n,) currency a year; weights: (n,), 0 where the answer is not believed;
    variance: (n,) of the error of measuring, in logs; fold: (n,) numbers.
    """

    potential: np.ndarray
    sales: np.ndarray
    weights: np.ndarray
    variance: np.ndarray
    fold: np.ndarray

    def rows(self, rows: np.ndarray) -> Answered:
        """Some of the answers."""
        return Answered(*(getattr(self, each.name)[rows] for each in fields(self)))

    @property
    def mass(self) -> np.ndarray:
        """Weights (n,) that add up to one."""
        return np.asarray(self.weights / self.weights.sum())

    @property
    def full(self) -> bool:
        """Whether enough accounts buy all from us to make that an answer of its own."""
        all_ours = (self.sales >= self.potential * WHOLE) & (self.weights > 0)
        return int(all_ours.sum()) >= FEWEST_FULL


@dataclass(frozen=True)
class Stack:
    """Weights (K,), at least 0 and 1 in sum, of K parts; stretch, shift: of the width and of the
    middle, in logs, of what they give together; tail: of the width above the middle besides; full:
    whether what lies below an account's sales is put on them (it buys all from us) or left out."""

    weights: np.ndarray
    stretch: float = 1.0
    shift: float = 0.0
    tail: float = 1.0
    full: bool = False

    def combine(
        self, parts: Sequence[Distribution], sales: np.ndarray, effects: Effects | None = None
    ) -> Distribution:
        """Potential of N accounts at or above their sales (N,), moved by the groups' effects.

        Quantiles are averaged in logs (Ratcliff 1979; Lichtendahl, Grushka-Cockayne & Winkler
        2013): unlike a mixture this is no wider than its parts.
        """
        logs = sum(w * np.log(p.table) for w, p in zip(self.weights, parts, strict=True) if w > 0)
        found = Distribution(parts[0].levels, np.exp(logs))
        middle = np.log(found.quantile(0.5))[:, None]
        off = (logs - middle) * self.stretch
        off, middle = np.where(off > 0, self.tail * off, off), middle + self.shift
        if effects is not None:
            middle, off = middle + effects.shift[:, None], off * effects.width[:, None]
        found = Distribution(found.levels, np.exp(middle + off))
        if self.full:
            return Distribution(found.levels, np.maximum(found.table, sales[:, None]))
        below = found.table[:, 0] < sales
        return found.replaced(below, found[below].truncate(sales[below])) if below.any() else found


def fit_stack(parts: Sequence[Distribution], known: Answered, slope: float = 1e-10) -> Stack:
    """Weights and stretch with the best log score (Yao, Vehtari, Simpson & Gelman 2018).

    parts: K distributions of the n surveyed accounts, each of accounts left out of its own fit;
    slope: of the score, below which the search ends.
    """
    from scipy.optimize import minimize
    from scipy.special import softmax

    middles, widths = _middles(parts)
    count, mass = len(parts), known.mass
    effective = 1 / float(mass @ mass)

    def loss(point: np.ndarray) -> tuple[float, np.ndarray]:
        stack = Stack(softmax(point[:-2]), float(np.exp(point[-2])), float(point[-1]))
        weights, stretch = stack.weights, stack.stretch
        score, by_middle, by_width = _log_scores(middles, widths, known, stack)
        each = middles @ (mass * by_middle) + stretch * (widths @ (mass * by_width))
        along = stretch * float((mass * by_width) @ (weights @ widths))
        aside = float(mass @ by_middle) - stack.shift / (SHIFT_SD**2 * effective)
        lost = stack.shift**2 / (2 * SHIFT_SD**2 * effective) - float(mass @ score)
        return lost, -np.array([*(weights * (each - weights @ each)), along, aside])

    back = (0.0, 0.0) if known.full else (-MOST_SHIFT, 0.0)
    starts = [np.zeros(count + 2), *(3.0 * row for row in np.eye(count, count + 2))]
    bounds = [(-8.0, 8.0)] * count + [(-MOST_STRETCH, MOST_STRETCH), back]
    sure = {"ftol": 0.0, "gtol": slope}  # the same weights in whatever unit of money
    found = [minimize(loss, start, method="L-BFGS-B", jac=True, bounds=bounds, options=sure)
             for start in sorted(starts, key=lambda start: loss(start)[0])[:2]]  # fmt: skip
    best = min(found, key=lambda result: float(result.fun)).x
    weights = softmax(best[:-2])
    weights = np.where(weights < LEAST_WEIGHT, 0.0, weights)
    # The weights were chosen on the errors that the width is taken from.
    chosen = int((weights > 0).sum()) - 1
    widen = np.sqrt(effective / max(effective - chosen, 1.0))
    stretch, shift = float(np.exp(best[-2]) * widen), float(best[-1])
    return Stack(weights / weights.sum(), stretch, shift, full=known.full)


def with_tail(
    stack: Stack, parts: Sequence[Distribution], known: Answered, alike: np.ndarray
) -> Stack:
    """The stack with the upper tail under which estimates add up to the answers.

    Scores and quantiles hardly feel how far a tail reaches; a sum does. What the sums differ by is
    drawn toward nothing as far as chance explains it (James & Stein 1961), and no tail is drawn in
    so far that answers lie above it oftener than they may. alike: (n,) numbers of accounts that
    err together.
    """
    from scipy.optimize import brentq

    mass = known.weights

    def with_length(tail: float) -> Distribution:
        return replace(stack, tail=tail).combine(parts, known.sales)

    def total(tail: float) -> float:
        return float(mass @ with_length(tail).mean())

    def above(tail: float) -> float:
        return float(mass @ (known.potential > with_length(tail).quantile(0.95)) / mass.sum())

    expected = with_length(1.0).mean()
    ratio = float(mass @ known.potential) / float(mass @ expected)
    error = error_of_total(expected, known, alike) * ratio
    sure = max(1 - (error / (ratio - 1)) ** 2, 0.0) if ratio != 1 else 0.0
    goal = total(1.0) * (1 + (ratio - 1) * sure)
    limit, (least, high) = max(ABOVE, above(1.0)), TAILS
    low = next(t for t in np.linspace(least, 1, 11) if t == 1 or above(t) <= limit)
    if not total(low) < goal < total(high):
        return replace(stack, tail=float(low) if goal <= total(low) else high)
    return replace(stack, tail=float(brentq(lambda tail: total(tail) - goal, low, high, xtol=1e-6)))


def error_of_total(expected: np.ndarray, known: Answered, alike: np.ndarray) -> float:
    """Standard error of the estimates' sum over accounts not surveyed, as a fraction of it.

    expected: (n,) of the surveyed accounts, each left out of its fit; alike: (n,) numbers of
    those that err together. That of a ratio estimate (Cochran 1977, chapter 6; Deville & Särndal
    1992): it holds whatever model the estimates come from, also one that leans.
    """
    mass = known.weights
    off = mass * (known.potential - expected * (mass @ known.potential) / (mass @ expected))
    count = len(np.unique(alike[mass > 0]))
    squares = float((np.bincount(alike, off) ** 2).sum()) * count / max(count - 1, 1)
    return float(np.sqrt(squares) / (mass @ expected))


def log_scores(parts: Sequence[Distribution], known: Answered, stack: Stack) -> np.ndarray:
    """Log density (n,) of each answer, in currency, by the stack of parts left out of fold."""
    score, _, _ = _log_scores(*_middles(parts), known, stack)
    return score - np.log(known.potential)


def _log_scores(
    middles: np.ndarray, widths: np.ndarray, known: Answered, stack: Stack
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log density (n,) of log potential, given that it is not below log sales, and its derivatives
    by the stack's middle and width."""
    from scipy.special import stdtr

    middle = stack.weights @ middles + stack.shift
    own = stack.stretch * (stack.weights @ widths)
    width = np.sqrt(own**2 + known.variance)
    miss = (np.log(known.potential) - middle) / (width * T_SCALE)
    density = T_CONSTANT - np.log(width) - (FREEDOM + 1) / 2 * np.log1p(miss**2 / FREEDOM)
    pull = (FREEDOM + 1) * miss / (FREEDOM + miss**2)
    by_middle, by_width = pull / (width * T_SCALE), (pull * miss - 1) / width
    # What lies below sales is left out, or put on them: then nothing is left out. An answer below
    # them is a fault of the answer.
    heard = (known.sales > 0) & (known.sales <= known.potential) & (not known.full)
    scale = width * T_SCALE
    above = np.where(heard, middle - np.log(np.where(heard, known.sales, 1.0)), 0.0) / scale
    chance = np.maximum(stdtr(FREEDOM, above), 1e-300)
    at = T_CONSTANT + log(T_SCALE) - (FREEDOM + 1) / 2 * np.log1p(above**2 / FREEDOM)
    rate = heard * np.exp(at) / chance
    density, by_middle = density - heard * np.log(chance), by_middle - rate / scale
    by_width = by_width + rate * above / width
    return density, by_middle, by_width * own / width


def _middles(parts: Sequence[Distribution]) -> tuple[np.ndarray, np.ndarray]:
    """Medians and spreads (K, n) of log potential."""
    middle = np.array([np.log(part.quantile(0.5)) for part in parts])
    width = np.array([part.log_spread() for part in parts])
    # All of a linear formula's values of an account may lie on its floor: that is no certainty.
    return middle, np.maximum(width, NARROWEST * np.median(width, axis=1, keepdims=True))
