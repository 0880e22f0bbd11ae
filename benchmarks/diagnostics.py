"""Diagnostics in closed form on one QR against statsmodels one by one.

python benchmarks/diagnostics.py prints ratios; both run in one process, one after the other.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import time
from collections.abc import Callable

import numpy as np
import statsmodels.api as sm
from statsmodels.stats.diagnostic import het_breuschpagan, het_white, linear_reset
from statsmodels.stats.outliers_influence import OLSInfluence, variance_inflation_factor
from statsmodels.stats.stattools import durbin_watson, jarque_bera

from kalib.formula.checks import run_checks
from kalib.formula.linear import least_squares

ROUNDS = 3


def best_of(work: Callable[[], object]) -> float:
    """The least of ROUNDS wall times, in seconds."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def ours(design: np.ndarray, response: np.ndarray, names: list[str]) -> None:
    """Fit, HC3 errors, VIF, leverage, residuals, Cook, DFFITS, PRESS and all checks."""
    fit = least_squares(design, response, names)
    _ = fit.standardized, fit.dffits
    run_checks(fit, ordered=True)


def theirs(design: np.ndarray, response: np.ndarray) -> None:
    """The same figures from statsmodels, but for externally studentized residuals and DFFITS,
    which it refits for every row."""
    full = sm.add_constant(design)
    fit = sm.OLS(response, full).fit()
    _ = fit.HC3_se
    for j in range(1, full.shape[1]):
        variance_inflation_factor(full, j)
    influence = OLSInfluence(fit)
    _ = influence.hat_matrix_diag, influence.cooks_distance[0], influence.resid_press
    _ = influence.resid_studentized_internal
    het_breuschpagan(fit.resid, full)
    het_white(fit.resid, full)
    linear_reset(fit, power=3, use_f=True)
    jarque_bera(fit.resid)
    durbin_watson(fit.resid)
    _ = fit.condition_number


def main() -> None:
    """Print the table."""
    rng = np.random.default_rng(1)
    print("| rows | columns | kalib | statsmodels | ratio |\n|---|---|---|---|---|")
    for n, p in ((200, 8), (5_000, 20), (100_000, 20)):
        design = rng.standard_normal((n, p)) + rng.standard_normal((n, 1))
        response = design[:, 0] + rng.standard_normal(n)
        names = [f"x{j}" for j in range(p)]
        fast = best_of(lambda: ours(design, response, names))  # noqa: B023
        slow = best_of(lambda: theirs(design, response))  # noqa: B023
        print(f"| {n:,} | {p} | {fast * 1e3:,.1f} ms | {slow * 1e3:,.1f} ms | {slow / fast:.1f} |")


if __name__ == "__main__":
    main()
