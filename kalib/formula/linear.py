"""Least squares by one QR decomposition, and the diagnostics that follow in closed form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kalib.errors import KalibError

# Diagonal of R, relative to a column's own length, below which a column is a combination of the
# others to the last digit. NIST's Filip case has 4e-13 and must pass; its columns are distinct.
RANK_TOLERANCE = 1e-14
QR_ROWS = 1_000  # rows factored at once: with 20 columns, what a cache holds
# Eigenvalues of columns at unit length. Above the first, cross products lose less than five of
# their fifteen digits; below the second, a column repeats others (R's lm draws the line at 1e-7
# of a column's length). Where one lies between, the columns themselves are factored.
CLEAR, REPEATED = 1e-5, 1e-13
BLOCK_ROWS = 1_024  # with 230 columns about 2 MB, what a cache holds


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

    @property
    def standardized(self) -> np.ndarray:
        """Internally studentized residuals (n,): each over its own standard error."""
        root = 1.0 if self.weights is None else np.sqrt(self.weights)
        return self.residual * root / (self.sigma * np.sqrt(1 - self.leverage))

    @property
    def dffits(self) -> np.ndarray:
        """Change (n,) of each row's fitted value without it, in standard errors of that value
        (Belsley, Kuh & Welsch 1980)."""
        return self.studentized * np.sqrt(self.leverage / (1 - self.leverage))


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
    rows /= scale
    basis, upper = _orthogonal(rows)
    _check_rank(upper, scale, names)
    slopes = _solve_refined(rows, basis, upper, (response - middle) * root) / scale
    coef = np.append(middle - slopes @ center, slopes) if intercept else slopes
    # Residuals from centered values keep their digits where the columns' means are large.
    residual = (response - middle) - (design - center) @ slopes
    whitened = residual * root
    df, rss = n - k, float(whitened @ whitened)
    sigma = float(np.sqrt(rss / df))
    vif = _vif(upper) if intercept else _vif_centered(design, root)
    upper = upper * scale
    if intercept:
        basis, upper = _with_intercept(basis, upper, center, root)
    inverse = np.linalg.solve(upper, np.eye(k))
    leverage = np.einsum("ij,ij->i", basis, basis)
    std_error = sigma * np.linalg.norm(inverse, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = coef / std_error
        cook = whitened**2 * leverage / (k * sigma**2 * (1 - leverage) ** 2)
    press = residual / (1 - leverage)
    total = float((((response - middle) * root) ** 2).sum())
    return LeastSquares(
        names=(("intercept",) if intercept else ()) + tuple(names),
        coef=coef,
        std_error=std_error,
        hc3=_hc3(basis, inverse, whitened / (1 - leverage)),
        t=t,
        p_value=2 * stdtr(df, -np.abs(t)),
        cov=sigma**2 * inverse @ inverse.T,
        fitted=response - residual,
        residual=residual,
        leverage=leverage,
        studentized=_studentized(whitened, leverage, rss, df),
        cook=cook,
        press_residual=press,
        sigma=sigma,
        **_explained(total, rss, float(((press * root) ** 2).sum()), p, df, n - intercept),
        vif=vif,
        condition_number=_condition(upper),
        weights=None if weights is None else np.asarray(weights, float),
        design=np.column_stack([np.ones(n), design]) if intercept else design,
        response=response,
        df_residual=df,
    )


def explained_squares(
    aim: np.ndarray, columns: np.ndarray, expand: Callable[[np.ndarray], np.ndarray]
) -> tuple[float, int]:
    """Sum of squares of aim (n,) explained by expand(columns) (q, n), and their rank.

    By cross products gathered in blocks, and by QR where these are too nearly dependent.
    """
    cross = np.zeros(())
    for start in range(0, len(aim), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        part = np.vstack([expand(columns[:, block]), aim[None, block]])
        cross = cross + part @ part.T
    length = np.sqrt(np.maximum(np.diag(cross), 1e-300))
    unit = cross / length / length[:, None]
    values, vectors = np.linalg.eigh(unit[:-1, :-1])
    clear = values > CLEAR
    if not (clear | (values < REPEATED)).all():
        return _explained_by_qr(aim, expand(columns))
    part = vectors[:, clear].T @ unit[:-1, -1]
    return float((part**2 / values[clear]).sum() * cross[-1, -1]), int(clear.sum())


def _explained_by_qr(aim: np.ndarray, columns: np.ndarray) -> tuple[float, int]:
    """The same by one QR of columns (q, n) and aim, whose small triangle holds all that is
    asked."""
    length = np.maximum(np.linalg.norm(columns, axis=1), 1e-300)
    both = np.vstack([columns / length[:, None], aim]).T
    upper: np.ndarray = np.linalg.qr(both, mode="r")  # type: ignore[assignment]
    left, size, _ = np.linalg.svd(upper[:, :-1], full_matrices=False)
    left = left[:, size > size[0] * max(both.shape) * np.finfo(float).eps]
    part = left.T @ upper[:, -1]
    return float(part @ part), left.shape[1]


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


def _orthogonal(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """QR (n, p), (p, p) of rows (n, p), block by block where they are many (Demmel, Grigori,
    Hoemmen & Langou 2012, SIAM J. Scientific Computing 34)."""
    n, p = rows.shape
    if n < 2 * QR_ROWS or p > QR_ROWS // 2:
        basis, upper = np.linalg.qr(rows)
        return basis, upper
    parts = [np.linalg.qr(part) for part in np.array_split(rows, n // QR_ROWS)]
    inner, upper = np.linalg.qr(np.concatenate([part[1] for part in parts]))
    turns = inner.reshape(len(parts), p, p)
    return np.concatenate([part[0] @ turn for part, turn in zip(parts, turns, strict=True)]), upper


def _with_intercept(
    basis: np.ndarray, upper: np.ndarray, center: np.ndarray, root: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """QR (n, p + 1), (p + 1, p + 1) of the weighted columns, the intercept's first, from that of
    the centered ones (n, p), (p, p)."""
    length = np.linalg.norm(root)
    whole = np.zeros((len(center) + 1, len(center) + 1))
    whole[0, 0], whole[0, 1:], whole[1:, 1:] = length, length * center, upper
    return np.column_stack([root / length, basis]), whole


def _studentized(whitened: np.ndarray, leverage: np.ndarray, rss: float, df: int) -> np.ndarray:
    """Externally studentized residuals (n,): each against the scale without its own row."""
    with np.errstate(divide="ignore", invalid="ignore"):  # a row alone on its column has no scale
        left = np.maximum(rss - whitened**2 / (1 - leverage), 0.0) / max(df - 1, 1)
        return whitened / np.sqrt(left * (1 - leverage))


def _hc3(basis: np.ndarray, inverse: np.ndarray, press: np.ndarray) -> np.ndarray:
    """HC3 standard errors (k,): the meat of the sandwich in the orthogonal basis (n, k)."""
    rows = basis * press[:, None]
    return np.sqrt(np.einsum("ij,jk,ik->i", inverse, rows.T @ rows, inverse))


def _vif(upper: np.ndarray) -> np.ndarray:
    """Variance inflation (p,) from the triangle of centered columns at unit length: the diagonal
    of the inverse correlation matrix."""
    inverse = np.linalg.solve(upper, np.eye(len(upper)))
    return np.einsum("ij,ij->i", inverse, inverse)


def _vif_centered(design: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Variance inflation (p,) of a fit without intercept, whose own triangle is not centered."""
    centered = (design - np.average(design, axis=0, weights=root**2)) * root[:, None]
    length = np.linalg.norm(centered, axis=0)
    _, upper = _orthogonal(centered / np.where(length > 0, length, 1.0))
    if (np.abs(np.diag(upper)) <= RANK_TOLERANCE).any():
        return np.full(design.shape[1], np.inf)
    return _vif(upper)


def _condition(upper: np.ndarray) -> float:
    """Largest over smallest singular value of the columns, here their triangle, at unit length."""
    length = np.linalg.norm(upper, axis=0)
    values = np.linalg.svd(upper / np.where(length > 0, length, 1.0), compute_uv=False)
    return float(values[0] / values[-1]) if values[-1] > 0 else float("inf")
