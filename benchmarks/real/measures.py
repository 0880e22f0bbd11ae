"""How good an answer is: one row of figures a method, set and seed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.stats import norm
from sets import WalletSet

LEVELS = (np.arange(64) + 0.5) / 64
WINDOW = 0.25  # half width of the log score's window, in standard deviations of the distribution
LEAST_DENSITY = 1e-3  # of the log score, in densities at one standard deviation of all potentials


@dataclass(frozen=True)
class Answer:
    """What a method says of all N accounts.

    point (N,): potential, NaN where it does not answer; ranking (N,): by which accounts are
    ranked; quantiles (N, Q) at levels (Q,); said, right (N,): probability of the account's zone
    and whether it truly lies there.
    """

    point: np.ndarray | None = None
    ranking: np.ndarray = field(default_factory=lambda: np.empty(0))
    quantiles: np.ndarray | None = None
    levels: np.ndarray | None = None
    seconds: float = float("nan")
    verdict: str = ""
    said: float = float("nan")
    right: float = float("nan")


def measure(data: WalletSet, answer: Answer) -> dict[str, float | str]:
    """All figures of one answer.

    hit: share of the true top fifth found, surveyed accounts at what the survey says; the rest
    over accounts not surveyed: r2 of log potential by the median, score: mean log density of log
    potential, cover and width (in logs) of the 90 % interval, bias of the total, outside: share of
    points outside their own interval, below: share of lower ends below own sales.
    """
    truth, left = data.truth.to_numpy(), ~data.surveyed
    ranking = np.where(np.isnan(answer.ranking), -np.inf, answer.ranking)
    found: dict[str, float | str] = {
        "hit": top_fifth(np.where(data.surveyed, truth, ranking), truth),
        "answered": 1.0, "seconds": answer.seconds, "verdict": answer.verdict,
        "zone said": answer.said, "zone right": answer.right,
    }  # fmt: skip
    if answer.point is None or answer.quantiles is None or answer.levels is None:
        return found
    point, table, true = answer.point[left], answer.quantiles[left], truth[left]
    found["answered"] = float(np.isfinite(point).mean())
    if found["answered"] < 0.5:
        return found | {"hit": float("nan")}
    known = np.isfinite(point)
    point, table, true = point[known], np.maximum(table[known], 1e-12), true[known]
    low, middle, high = (at(table, answer.levels, p) for p in (0.05, 0.5, 0.95))
    logs = np.log(true)
    sales = data.frame["own_sales"].to_numpy()[left][known]
    return found | {
        "r2": 1 - ((logs - np.log(middle)) ** 2).mean() / logs.var(),
        "score": float(log_density(table, answer.levels, logs).mean()),
        "cover": float(((low <= true) & (true <= high)).mean()),
        "width": float(np.log(high / low).mean()),
        "bias": point.sum() / true.sum() - 1,
        "outside": float(((point < low * (1 - 1e-9)) | (point > high * (1 + 1e-9))).mean()),
        "below": float((low < sales * (1 - 1e-6)).mean()),
    }


def top_fifth(values: np.ndarray, truth: np.ndarray) -> float:
    """Share of the accounts that truly are the largest fifth among the largest by values."""
    size = len(truth) // 5
    largest = (set(np.argsort(-each, kind="stable")[:size]) for each in (values, truth))
    return len(set.intersection(*largest)) / size


def at(table: np.ndarray, levels: np.ndarray, level: float) -> np.ndarray:
    """One quantile (n,) of a table (n, Q)."""
    return np.array([np.interp(level, levels, row) for row in table])


def log_density(table: np.ndarray, levels: np.ndarray, logs: np.ndarray) -> np.ndarray:
    """Log density (n,) of log potential at logs (n,), from a table (n, Q) of quantiles: mass in a
    window, which quantile tables of all methods bear alike; tails by the slope of normal scores."""
    scores, known = norm.ppf(levels), np.log(table)
    spread = np.maximum((at(known, levels, 0.84) - at(known, levels, 0.16)) / 2, 1e-6)
    step = WINDOW * spread
    upper, lower = (_chance(known, scores, logs + s) for s in (step, -step))
    density = (upper - lower) / (2 * step)
    return np.log(np.maximum(density, LEAST_DENSITY / max(float(logs.std()), 1e-9)))


def _chance(known: np.ndarray, scores: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Probability (n,) below places (n,) by log quantiles (n, Q) at normal scores (Q,)."""
    fifth = len(scores) // 5
    below = (known[:, fifth] - known[:, 0]) / (scores[fifth] - scores[0])
    above = (known[:, -1] - known[:, -1 - fifth]) / (scores[-1] - scores[-1 - fifth])
    score = np.array([np.interp(x, row, scores) for x, row in zip(places, known, strict=True)])
    low, high = places < known[:, 0], places > known[:, -1]
    score[low] = scores[0] + ((places - known[:, 0]) / np.maximum(below, 1e-9))[low]
    score[high] = scores[-1] + ((places - known[:, -1]) / np.maximum(above, 1e-9))[high]
    return norm.cdf(score)
