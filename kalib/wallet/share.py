"""Share of wallet given potential: what a sale says about the wallet it came out of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kalib.formula.distribution import Distribution

FEWEST = 15  # surveyed buyers needed before a distribution of SOW is learned
# Prior standard deviation of all slopes, in logits a standard deviation: half a logit moves a share
# of 30 % to 41 %. It draws the model toward a constant share.
SLOPE_SD = 0.5
BEYOND = -4.0, 4.0  # standard deviations beyond what was expected that count
LOG_SIZE, LOG_SIZE_SD = 2.0, 2.0  # prior of the log of the beta's a + b: wide
LEAST_SHARE = 1e-4  # shares nearer to 0 or 1 than this are taken to lie there


@dataclass(frozen=True)
class ShareModel:
    """A hurdle of no purchase and a beta distribution of SOW, with slopes on log potential.

    With x = (log potential - center) / unit and e = (log potential - what was expected of it) /
    scatter, an account of potential P buys nothing with chance logistic(zero + zero_slope x), and
    else has SOW of a beta distribution of mean logistic(level + slope x + beyond e) and a + b =
    size. zero is -inf where every account buys.
    """

    center: float
    unit: float
    level: float
    slope: float
    size: float
    zero: float
    zero_slope: float
    beyond: float = 0.0
    scatter: float = 1.0

    def log_likelihood(
        self, logs: np.ndarray, sales: np.ndarray, expected: np.ndarray
    ) -> np.ndarray:
        """Log density (m, G) of log sales at log potentials (m, G), where logs (m,) were expected;
        -inf below sales (m,)."""
        from scipy.special import betaln, expit

        x, sales = (logs - self.center) / self.unit, sales[:, None]
        more = self.beyond * np.clip((logs - expected[:, None]) / self.scatter, *BEYOND)
        buys = sales > 0
        chance = self.zero + self.zero_slope * x
        share = np.log(np.where(buys, sales, 1.0)) - logs
        inside = share < 0
        mean = np.clip(expit(self.level + self.slope * x + more), 1e-5, 1 - 1e-5)
        a, b = mean * self.size, (1 - mean) * self.size
        rest = np.log(-np.expm1(np.where(inside, share, -1.0)))
        density = np.where(inside, a * share + (b - 1) * rest - betaln(a, b), -np.inf)
        held = np.logaddexp(0, chance)
        none = chance - held if np.isfinite(self.zero) else np.zeros_like(x)
        return np.asarray(np.where(buys, density - held, none))

    def posterior(self, prior: Distribution, sales: np.ndarray) -> Distribution:
        """Potential given sales (N,), by Bayes' rule on a grid; at its sales where these lie above
        all that the prior allows."""
        expected = np.log(prior.quantile(0.5))
        found = prior.reweighted(
            lambda logs, rows: self.log_likelihood(logs, sales[rows], expected[rows])
        )
        lost = ~np.isfinite(found.table[:, 0])
        return found.replaced(lost, prior[lost].truncate(sales[lost]))


def fit_share(
    sales: np.ndarray, potential: np.ndarray, weights: np.ndarray, expected: np.ndarray
) -> ShareModel | None:
    """The mode of the posterior of all parameters; None with fewer than FEWEST buyers.

    sales, potential: (n,) of surveyed accounts, currency a year; weights: (n,), 0 where the
    potential is not believed; expected: (n,) potential expected of each without its own answer.
    """
    use = (weights > 0) & (potential > 0)
    sales, logs, weights = sales[use], np.log(potential[use]), weights[use] / weights[use].mean()
    buys = sales > 0
    if buys.sum() < FEWEST:
        return None
    center, unit = float(np.average(logs, weights=weights)), float(np.std(logs)) or 1.0
    miss = logs - np.log(expected[use])
    scatter, x = float(np.std(miss)) or 1.0, (logs - center) / unit
    share = np.clip(sales[buys] / np.exp(logs[buys]), LEAST_SHARE, 1 - LEAST_SHARE)
    columns = np.column_stack([np.ones(len(x)), x, np.clip(miss / scatter, *BEYOND)])
    level, slope, beyond, size = _fit_beta(share, columns[buys], weights[buys])
    zero, zero_slope = fit_chance(~buys, x, weights)
    return ShareModel(center, unit, level, slope, size, zero, zero_slope, beyond, scatter)


def _fit_beta(share: np.ndarray, columns: np.ndarray, weights: np.ndarray) -> list[float]:
    """Level and slopes of the logit of the mean on columns (n, 3), and a + b."""
    from scipy.optimize import minimize
    from scipy.special import betaln, expit

    left, right = np.log(share), np.log1p(-share)

    def loss(point: np.ndarray) -> float:
        mean = np.clip(expit(columns @ point[:3]), 1e-5, 1 - 1e-5)
        size = np.exp(np.clip(point[3], -3, 9))
        a, b = mean * size, (1 - mean) * size
        fit = weights @ (betaln(a, b) - (a - 1) * left - (b - 1) * right)
        drawn = ((point[1:3] / SLOPE_SD) ** 2).sum() + ((point[3] - LOG_SIZE) / LOG_SIZE_SD) ** 2
        return float(fit + drawn / 2)

    middle = float(np.average(share, weights=weights))
    start = np.array([np.log(middle / (1 - middle)), 0.0, 0.0, LOG_SIZE])
    *line, size = minimize(loss, start, method="BFGS").x.tolist()
    return [*line, float(np.exp(np.clip(size, -3, 9)))]


def fit_chance(
    event: np.ndarray, x: np.ndarray, weights: np.ndarray, slope_sd: float = SLOPE_SD
) -> tuple[float, float]:
    """Level and slope on x (n,) of the logit of an event's chance, the slope drawn to nothing by
    its prior standard deviation; -inf and 0 where it never happens."""
    from scipy.optimize import minimize

    if not event.any():
        return -np.inf, 0.0
    chance = float(np.average(event, weights=weights))

    def loss(point: np.ndarray) -> float:
        line = point[0] + point[1] * x
        fit = weights @ (np.logaddexp(0, line) - event * line)
        return float(fit + (point[1] / slope_sd) ** 2 / 2)

    found = minimize(loss, np.array([np.log(chance / (1 - chance)), 0.0]), method="BFGS").x
    return float(found[0]), float(found[1])
