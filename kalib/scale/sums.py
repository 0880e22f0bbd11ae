"""Least squares over rows that DuckDB hands on a batch at a time.

One pass sums the cross products of columns centered and scaled by what the first batch shows. Where
that misleads, or columns are too nearly collinear for sums in double precision, a second pass
factors each batch into an orthogonal and a triangular part and stacks the latter (TSQR: Demmel,
Grigori, Hoemmen & Langou 2012), which keeps the digits of an orthogonal decomposition.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from kalib.errors import KalibError

# Of cross products of unit columns; at 1e4 a sum in double leaves 11 digits of a coefficient.
CONDITION_MOST = 1e4
# Smallest part of a column that the others don't make up; NIST's Filip has 4e-13 and must pass.
RANK_TOLERANCE = 1e-14
FOLDS = 5
BATCH = 100_000  # rows
# Standard deviations that a mean of the first batch may be off, and the factor theirs may: taken
# off afterwards they cost two digits of sixteen.
FAR = 10.0


@dataclass(frozen=True)
class Sums:
    """Sufficient statistics of p columns and, last, a response.

    n: rows of weight above 0; center, scale (p + 1,): what was taken off each column, and what it
    was then divided by; grams (FOLDS, p + 2, p + 2): by fold, the cross products of 1, the columns
    and the response; root (p + 2, p + 2): upper triangular, whose cross products are all folds'.
    """

    n: int
    center: np.ndarray
    scale: np.ndarray
    grams: np.ndarray
    root: np.ndarray

    def gram(self, leave_out: int | None = None) -> np.ndarray:
        """Centered cross products (p + 1, p + 1) of the scaled columns, without one fold."""
        used = self.grams[np.arange(FOLDS) != leave_out].sum(axis=0)
        return _about(used, _moments(used)[0])

    def held_out(self, fold: int) -> np.ndarray:
        """Cross products (p + 1, p + 1) of one fold about the means of the others."""
        others = self.grams[np.arange(FOLDS) != fold].sum(axis=0)
        return _about(self.grams[fold], _moments(others)[0])


@dataclass(frozen=True)
class SummedFit:
    """A least-squares fit from sums: coef and std_error (k,), the intercept first."""

    coef: np.ndarray
    std_error: np.ndarray
    sigma: float
    r2: float
    n: int
    df_residual: int

    @property
    def p_value(self) -> np.ndarray:
        """Of each coefficient's t (k,), two-sided."""
        from scipy.special import stdtr

        with np.errstate(divide="ignore"):
            size = np.abs(self.coef / self.std_error)
        return np.asarray(2 * stdtr(self.df_residual, -size))


def sum_columns(table: Any, columns: dict[str, Any], weight: Any = None, block: Any = None) -> Sums:
    """Sums over an ibis table of DuckDB.

    columns: name -> float64 expression over the table, the response last; rows with a NULL among
    them count for nothing. weight: expression, 1 where not given; block: whole number that is as
    good as random, which parts the rows into folds.
    """
    kept = {f"c{j}": value.cast("float64") for j, value in enumerate(columns.values())}
    if weight is not None:
        kept["weight"] = weight.cast("float64")
    if block is not None:
        kept["fold"] = (block.abs() % FOLDS).cast("int8")
    rows = table.select(**kept)
    rows = rows.filter([rows[name].notnull() for name in kept])
    rows = rows if weight is None else rows.filter(rows.weight > 0)
    center = np.zeros(len(columns))
    n, first = _products(rows.limit(BATCH), center)
    if not n:
        raise KalibError("no row has all columns of the formula")
    center, scale = _moments(first.sum(axis=0))
    n, grams = _products(rows, center)
    unit = np.append(1.0, scale)
    grams /= np.outer(unit, unit)
    total = grams.sum(axis=0)
    mean, spread = _moments(total)
    values = np.linalg.eigvalsh(_about(total, mean) / np.outer(spread, spread))
    off = np.maximum(np.abs(mean), 1.0) / np.minimum(spread, 1.0)
    if values[0] * CONDITION_MOST > values[-1] and (np.maximum(off, spread) <= FAR).all():
        return Sums(n, center, scale, grams, np.linalg.cholesky(total).T)
    center, scale = center + scale * mean, scale * spread
    roots = np.zeros_like(grams)
    for fold, part in _parts(rows, center):
        roots[fold] = np.linalg.qr(np.vstack([roots[fold], part.T]), mode="r")
    roots /= np.append(1.0, scale)
    root = np.asarray(np.linalg.qr(roots.reshape(-1, len(total)), mode="r"))
    return Sums(n, center, scale, roots.transpose(0, 2, 1) @ roots, root)


def _products(rows: Any, center: np.ndarray) -> tuple[int, np.ndarray]:
    """Rows, and by fold the cross products of their `_parts`."""
    n, grams = 0, np.zeros((FOLDS, len(center) + 1, len(center) + 1))
    for fold, part in _parts(rows, center):
        n += part.shape[1]
        grams[fold] += part @ part.T
    return n, grams


def _parts(rows: Any, center: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """By batch and fold, (p + 2, n) of 1, the centered columns and the response, times the
    weight's root; in the rows' order, so that sums are the same each time."""
    import pyarrow as pa

    backend = rows.get_backend()
    reader = pa.RecordBatchReader.from_stream(backend.con.sql(backend.compile(rows)))
    batches = (whole.slice(k, BATCH) for whole in reader for k in range(0, len(whole), BATCH))
    with ThreadPoolExecutor(1) as pool:  # the engine reads one while sums are made of another
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            # Not to_numpy(), which imports pandas.
            found = dict(zip(batch.schema.names, map(np.from_dlpack, batch.columns), strict=True))
            columns = (found[f"c{j}"] - middle for j, middle in enumerate(center))
            part = np.stack([np.ones(len(batch)), *columns])
            if "weight" in found:
                part *= np.sqrt(found["weight"])
            if "fold" not in found:
                yield 0, part
            else:
                yield from ((k, part[:, found["fold"] == k]) for k in range(FOLDS))


def _about(gram: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Cross products about means, from those with a column of ones."""
    cross = np.outer(gram[0, 1:], mean)
    return gram[1:, 1:] - cross - cross.T + gram[0, 0] * np.outer(mean, mean)


def _moments(gram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean = gram[0, 1:] / max(float(gram[0, 0]), 1e-300)
    square = np.diagonal(_about(gram, mean)) / max(float(gram[0, 0]), 1e-300)
    return mean, np.sqrt(np.where(square > 0, square, 1.0))


def fit_sums(sums: Sums) -> SummedFit:
    """Least squares of the response on all columns."""
    k = len(sums.center)
    df = sums.n - k
    if df < 1:
        raise KalibError(f"{sums.n} rows are too few for {k} coefficients")
    upper = sums.root[:k, :k]
    if (np.abs(np.diag(upper)) <= RANK_TOLERANCE * np.linalg.norm(upper, axis=0)).any():
        raise KalibError("a column is a combination of the others; leave it out")
    inverse = np.linalg.inv(upper)
    unit = inverse @ sums.root[:k, k]
    center, scale = sums.center, sums.scale
    coef = unit[1:] * scale[-1] / scale[:-1]
    intercept = center[-1] + scale[-1] * unit[0] - coef @ center[:-1]
    rss, total = float(sums.root[k, k] ** 2), float(sums.gram()[-1, -1])
    sigma = float(np.sqrt(rss / df)) * scale[-1]
    first = inverse[0] - (center[:-1] / scale[:-1]) @ inverse[1:]
    slopes = np.linalg.norm(inverse[1:], axis=1) / scale[:-1]
    return SummedFit(
        coef=np.append(intercept, coef), std_error=sigma * np.append(np.linalg.norm(first), slopes),
        sigma=sigma, r2=1 - rss / total if total > 0 else 0.0, n=sums.n, df_residual=df,
    )  # fmt: skip
