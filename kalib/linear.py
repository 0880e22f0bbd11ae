"""Least squares by one QR decomposition, and the diagnostics that follow in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kalib.errors import KalibError

# Diagonal of R, relative to a column's own length, below which a column is a combination of the
# others to the last digit. NIST's Filip case has 4e-13 and must pass; its columns are distinct.
RANK_TOLERANCE = 1e-14


@dataclass(frozen=True)
class LeastSquares:
    """A least-squares fit of n rows and k coefficients, the intercept (if any) first.

    names (k,); coef, std_error, hc3, t, p_value (k,): estimate, classical and HC3 standard error
    (MacKinnon & White 1985), t test; cov (k, k); fitted, residual, leverage, studentized
    (externally), cook, press_residual (n,); sigma; r2, r2_adjusted, r2_predicted (PRESS);
    f_statistic, f_p_value; vif (k - 1,): variance inflation per column; condition_number: of the
    columns at unit length, intercept included (Belsley, Kuh & Welsch 1980); weights (n,) or None;
    design (n, k); response (n,); df_residual.
    """

    names: tuple[str, ...]
    coef: np.ndarray
    std_error: np.ndarray
    hc3: np.ndarray
    t: np.ndarray
    p_value: np.ndarray
    cov: np.ndarray
    fitted: np.ndarray
    residual: np.ndarray
    leverage: np.ndarray
    studentized: np.ndarray
    cook: np.ndarray
    press_residual: np.ndarray
    sigma: float
    r2: float
    r2_adjusted: float
    r2_predicted: float
    f_statistic: float
    f_p_value: float
    vif: np.ndarray
    condition_number: float
    weights: np.ndarray | None
    design: np.ndarray
    response: np.ndarray
    df_residual: int


def least_squares(
    design: np.ndarray,
    response: np.ndarray,
    names: Sequence[str],
    *,
    weights: np.ndarray | None = None,
    intercept: bool = True,
) -> LeastSquares:
    """Fit response (n,) on design (n, p), which has no column for the intercept.

    weights: (n,) above 0, inverse variances up to a factor. Raises KalibError where a column is a
    combination of others, naming it, or where rows are too few.
    """
    from scipy.special import stdtr

    design, response = np.asarray(design, float), np.asarray(response, float)
    n, p = design.shape
    k = p + intercept
    if n <= k:
        raise KalibError(f"{n} rows are too few for {k} coefficients")
    root = np.ones(n) if weights is None else np.sqrt(np.asarray(weights, float))
    center = np.average(design, axis=0, weights=root**2) if intercept else np.zeros(p)
    middle = float(np.average(response, weights=root**2)) if intercept else 0.0
    rows = (design - center) * root[:, None]
    scale = np.linalg.norm(rows, axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    basis, upper = np.linalg.qr(rows / scale)
    _check_rank(upper, scale, names)
    slopes = _solve_refined(rows / scale, basis, upper, (response - middle) * root) / scale
    coef = np.append(middle - slopes @ center, slopes) if intercept else slopes
    full = np.column_stack([np.ones(n), design]) if intercept else design
    # Residuals from centered values keep their digits where the columns' means are large.
    residual = (response - middle) - (design - center) @ slopes
    whitened = residual * root
    leverage = np.einsum("ij,ij->i", basis, basis)
    if intercept:
        leverage = leverage + root**2 / (root**2).sum()
    df = n - k
    rss = float(whitened @ whitened)
    sigma = float(np.sqrt(rss / df))
    inverse_upper = np.linalg.solve(upper, np.eye(p)) / scale[:, None] if p else np.empty((0, 0))
    cov_unit = _full_covariance(inverse_upper, center, root, intercept)
    std_error = sigma * np.sqrt(np.diag(cov_unit))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = coef / std_error
        studentized = _studentized(whitened, leverage, rss, df)
        cook = whitened**2 * leverage / (k * sigma**2 * (1 - leverage) ** 2)
    press = residual / (1 - leverage)
    total = float((((response - middle) * root) ** 2).sum())
    return LeastSquares(
        names=(("intercept",) if intercept else ()) + tuple(names),
        coef=coef,
        std_error=std_error,
        hc3=_hc3(full * root[:, None], whitened / (1 - leverage), cov_unit),
        t=t,
        p_value=2 * stdtr(df, -np.abs(t)),
        cov=sigma**2 * cov_unit,
        fitted=response - residual,
        residual=residual,
        leverage=leverage,
        studentized=studentized,
        cook=cook,
        press_residual=press,
        sigma=sigma,
        **_explained(total, rss, float(((press * root) ** 2).sum()), p, df, n - intercept),
        vif=_vif(rows, basis, upper, scale, intercept, root, design),
        condition_number=_condition(full * root[:, None]),
        weights=None if weights is None else np.asarray(weights, float),
        design=full,
        response=response,
        df_residual=df,
    )


def _explained(
    total: float, rss: float, press: float, slopes: int, df: int, df_total: int
) -> dict[str, float]:
    """R², adjusted and predicted R², and the F test of all slopes, from sums of squares."""
    from scipy.special import fdtrc

    r2 = 1 - rss / total if total > 0 else 0.0
    f = (total - rss) / max(slopes, 1) / max(rss / df, 1e-300)
    return {
        "r2": r2,
        "r2_adjusted": 1 - (1 - r2) * df_total / df,
        "r2_predicted": 1 - press / total if total > 0 else 0.0,
        "f_statistic": f if slopes else float("nan"),
        "f_p_value": float(fdtrc(slopes, df, f)) if slopes else float("nan"),
    }


def _check_rank(upper: np.ndarray, scale: np.ndarray, names: Sequence[str]) -> None:
    small = np.abs(np.diag(upper)) <= RANK_TOLERANCE * max(len(upper), 1)
    if small.any():
        which = ", ".join(str(name) for name, bad in zip(names, small, strict=True) if bad)
        raise KalibError(f"{which}: a combination of the other columns; leave it out")


def _solve_refined(
    rows: np.ndarray, basis: np.ndarray, upper: np.ndarray, aim: np.ndarray
) -> np.ndarray:
    """Least-squares solution (p,), refined twice with residuals in extended precision."""
    if rows.shape[1] == 0:
        return np.zeros(0)
    solution = np.linalg.solve(upper, basis.T @ aim)
    if len(rows) > 20_000:  # the digits gained do not show where rows average out
        return solution
    wide_rows, wide_aim = rows.astype(np.longdouble), aim.astype(np.longdouble)
    for _ in range(2):
        left = (wide_aim - wide_rows @ solution.astype(np.longdouble)).astype(float)
        solution = solution + np.linalg.solve(upper, basis.T @ left)
    return solution


def _full_covariance(
    inverse_upper: np.ndarray, center: np.ndarray, root: np.ndarray, intercept: bool
) -> np.ndarray:
    """Unscaled covariance (k, k) of the coefficients from that of the slopes."""
    slopes = inverse_upper @ inverse_upper.T
    if not intercept:
        return slopes
    p = len(center)
    cov = np.empty((p + 1, p + 1))
    cov[1:, 1:] = slopes
    cov[0, 1:] = cov[1:, 0] = -slopes @ center
    cov[0, 0] = 1 / (root**2).sum() + center @ slopes @ center
    return cov


def _studentized(whitened: np.ndarray, leverage: np.ndarray, rss: float, df: int) -> np.ndarray:
    """Externally studentized residuals (n,): each against the scale without its own row."""
    left = np.maximum(rss - whitened**2 / (1 - leverage), 0.0) / max(df - 1, 1)
    return whitened / np.sqrt(left * (1 - leverage))


def _hc3(rows: np.ndarray, press: np.ndarray, cov_unit: np.ndarray) -> np.ndarray:
    """HC3 standard errors (k,)."""
    half = (rows @ cov_unit) * press[:, None]
    return np.sqrt(np.einsum("ij,ij->j", half, half))


def _vif(
    rows: np.ndarray,
    basis: np.ndarray,
    upper: np.ndarray,
    scale: np.ndarray,
    intercept: bool,
    root: np.ndarray,
    design: np.ndarray,
) -> np.ndarray:
    """Variance inflation (p,): the diagonal of the inverse correlation matrix."""
    p = rows.shape[1]
    if p == 0:
        return np.zeros(0)
    if not intercept:
        centered = (design - np.average(design, axis=0, weights=root**2)) * root[:, None]
        length = np.linalg.norm(centered, axis=0)
        upper = np.linalg.qr(centered / np.where(length > 0, length, 1.0))[1]
        if (np.abs(np.diag(upper)) <= RANK_TOLERANCE).any():
            return np.full(p, np.inf)
    inverse = np.linalg.solve(upper, np.eye(p))
    return np.einsum("ij,ij->i", inverse, inverse)


def _condition(rows: np.ndarray) -> float:
    """Largest over smallest singular value of the columns at unit length."""
    length = np.linalg.norm(rows, axis=0)
    upper = np.linalg.qr(rows / np.where(length > 0, length, 1.0), mode="r")
    values = np.linalg.svd(upper, compute_uv=False)
    return float(values[0] / values[-1]) if values[-1] > 0 else float("inf")
