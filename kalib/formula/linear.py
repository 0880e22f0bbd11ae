"""Least squares by statsmodels, and the diagnostics that follow in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from kalib.errors import KalibError

# Diagonal of R, relative to a column's own length, below which a column is a combination of the
# others to the last digit. NIST's Filip case has 4e-13 and must pass; its columns are distinct.
RANK_TOLERANCE = 1e-14
# Condition number beyond which columns are centered and scaled before they are factored:
# statsmodels inverts their cross products, whose errors are its square times 1e-16.
ILL_CONDITIONED = 1e3


@dataclass(frozen=True)
class LeastSquares:
    """A least-squares fit of n rows and k coefficients, the intercept (if any) first.

    names (k,); design (n, k); response (n,); weights (n,), inverse variances up to a factor, or
    None; intercept: whether the first column is one. What follows from them is computed when it
    is asked for and not stored with them.

    Examples
    --------
    >>> fit = least_squares(np.array([[1.0], [2.0], [3.0], [5.0]]), [2.0, 4.1, 5.9, 10.0], ["area"])
    >>> fit.results.params.round(3).to_dict()
    {'intercept': 0.014, 'area': 1.995}
    """

    names: tuple[str, ...]
    design: np.ndarray
    response: np.ndarray
    weights: np.ndarray | None = None
    intercept: bool = True

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def results(self) -> Any:
        """statsmodels' RegressionResults, in the columns' own units: what `summary()` prints is
        the formula."""
        from statsmodels.regression import linear_model as lm

        weights = 1.0 if self.weights is None else self.weights
        design = pd.DataFrame(self.design, columns=list(self.names))
        response = pd.Series(self.response, name="response")
        model = lm.WLS(response, design, weights=weights, hasconst=self.intercept)
        model.df_model, model.df_resid = self.design.shape[1] - self.intercept, self.df_residual
        if self.condition_number < ILL_CONDITIONED:
            return model.fit(method="qr")
        basis, upper, back = self._factored
        inverse = back @ np.linalg.inv(upper)
        model.pinv_wexog = inverse @ basis.T
        params = back @ np.linalg.solve(upper, basis.T @ model.wendog)
        return lm.RegressionResultsWrapper(lm.RegressionResults(model, params, inverse @ inverse.T))

    @cached_property
    def _factored(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """QR (n, k), (k, k) of the weighted columns, centered and at unit length, and the matrix
        (k, k) that takes their coefficients back to the columns' own units."""
        root = self._root
        center = np.zeros(self.design.shape[1])
        if self.intercept:
            center[1:] = np.average(self.design[:, 1:], axis=0, weights=root**2)
        rows = (self.design - center) * root[:, None]
        length = np.linalg.norm(rows, axis=0)
        length = np.where(length > 0, length, 1.0)
        basis, upper = np.linalg.qr(rows / length)
        back = np.diag(1 / length)
        if self.intercept:
            back[0] -= center / length
        return basis, upper, back

    @property
    def _root(self) -> np.ndarray:
        return np.ones(len(self.response)) if self.weights is None else np.sqrt(self.weights)

    @property
    def df_residual(self) -> int:
        """Rows less coefficients."""
        return len(self.response) - self.design.shape[1]

    @property
    def coef(self) -> np.ndarray:
        """Coefficients (k,)."""
        return np.asarray(self.results.params)

    @property
    def std_error(self) -> np.ndarray:
        """Classical standard errors (k,)."""
        return np.asarray(self.results.bse)

    @property
    def cov(self) -> np.ndarray:
        """Covariance (k, k) of the coefficients."""
        return np.asarray(self.results.cov_params())

    @property
    def residual(self) -> np.ndarray:
        """Residuals (n,), not weighted."""
        return np.asarray(self.results.resid)

    @property
    def sigma(self) -> float:
        """Standard deviation of the weighted errors."""
        return float(np.sqrt(self.results.scale))

    @property
    def leverage(self) -> np.ndarray:
        """Leverage (n,): what a row's own response counts in its fitted value."""
        basis = self._factored[0]
        return np.asarray(np.einsum("ij,ij->i", basis, basis))

    @property
    def press_residual(self) -> np.ndarray:
        """Residual (n,) of each row in the fit without it (Allen 1974)."""
        return self.residual / (1 - self.leverage)

    @property
    def r2_predicted(self) -> float:
        """R² of the rows left out one by one (PRESS)."""
        total = float(self.results.centered_tss if self.intercept else self.results.uncentered_tss)
        press = float(((self.press_residual * self._root) ** 2).sum())
        return 1 - press / total if total > 0 else 0.0

    @property
    def standardized(self) -> np.ndarray:
        """Internally studentized residuals (n,): each over its own standard error."""
        return self.residual * self._root / (self.sigma * np.sqrt(1 - self.leverage))

    @property
    def studentized(self) -> np.ndarray:
        """Externally studentized residuals (n,): each against the scale without its own row.

        statsmodels refits for every row, minutes where this is a millisecond.
        """
        inner, freedom = self.standardized, self.df_residual
        with np.errstate(divide="ignore", invalid="ignore"):  # a row alone on its column
            return inner * np.sqrt((freedom - 1) / np.maximum(freedom - inner**2, 0.0))

    @property
    def cook(self) -> np.ndarray:
        """Cook's distance (n,)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.standardized**2 * self.leverage / (1 - self.leverage) / self.design.shape[1]

    @property
    def condition_number(self) -> float:
        """Of the columns at unit length, intercept included (Belsley, Kuh & Welsch 1980)."""
        rows = self.design * self._root[:, None]
        length = np.linalg.norm(rows, axis=0)
        upper = np.linalg.qr(rows / np.where(length > 0, length, 1.0), mode="r")
        values = np.linalg.svd(upper, compute_uv=False)
        return float(values[0] / values[-1]) if values[-1] > 0 else float("inf")


def least_squares(
    design: np.ndarray, response: np.ndarray | Sequence[float], names: Sequence[str], *,
    weights: np.ndarray | None = None, intercept: bool = True,
) -> LeastSquares:  # fmt: skip
    """Fit response (n,) on design (n, p), which has no column for the intercept.

    weights: (n,) above 0, inverse variances up to a factor. Raises KalibError where a column is a
    combination of others, naming it, or where rows are too few.
    """
    design = np.asarray(design, float)
    n, p = design.shape
    if n <= p + intercept:
        raise KalibError(f"{n} rows are too few for {p + intercept} coefficients")
    if intercept:
        design, names = np.column_stack([np.ones(n), design]), ("intercept", *names)
    weights = None if weights is None else np.asarray(weights, float)
    fit = LeastSquares(tuple(names), design, np.asarray(response, float), weights, intercept)
    small = np.abs(np.diag(fit._factored[1])) <= RANK_TOLERANCE * max(p, 1)
    if small.any():
        which = ", ".join(str(name) for name, bad in zip(names, small, strict=True) if bad)
        raise KalibError(f"{which}: a combination of the other columns; leave it out")
    return fit


def partial_residuals(linear: LeastSquares) -> pd.DataFrame:
    """Residuals with a column's own effect added back, one row a column and account: column, value
    (of the column in the formula), fitted (coefficient times value, about its mean), residual (that
    plus what is left); on the working scale (Larsen & McCleary 1972, Technometrics 14)."""
    value, names = linear.design[:, 1:], np.array(linear.names[1:], dtype=object)
    fitted = (value - value.mean(axis=0)) * linear.coef[1:]
    parts = {"value": value, "fitted": fitted, "residual": fitted + linear.residual[:, None]}
    long = {name: part.ravel("F") for name, part in parts.items()}
    return pd.DataFrame({"column": names.repeat(len(value)), **long})
