"""Least squares from sums that an engine computes over rows it need not hold.

One pass sums cross products of columns centered and scaled by what their first rows show; what is
left of the means is then taken off. Where the first rows mislead, a second pass does it again with
what the first one found. Where columns are too nearly collinear for sums in double precision, a
further pass takes them in the basis in which the last one was orthogonal (CholeskyQR with
repetition: Yamamoto et al. 2015; Fukaya et al. 2020), which gives back the digits of an orthogonal
decomposition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kalib.errors import KalibError
from kalib.formula.linear import RANK_TOLERANCE
from kalib.scale.sources import fetched

# Of cross products of unit columns; at 1e4 a sum in double leaves 11 digits of a coefficient.
CONDITION_MOST = 1e4
PASSES_MOST = 5
BLOCKS = 40  # sums are taken by block of rows and then added up: errors grow with blocks only
FOLDS = 5
FIRST_ROWS = 10_000
# Standard deviations that a mean of the first rows may be off, and the factor theirs may: taken
# off afterwards they cost two digits of sixteen.
FAR = 10.0


@dataclass(frozen=True)
class Sums:
    """Sufficient statistics of p columns and, last, a response.

    names (p + 1,); n: rows of weight above 0; mass: their weights' sum; center, scale (p + 1,):
    weighted mean and standard deviation; basis (p, p): the columns that were multiplied, as
    combinations of the centered and scaled ones; grams (FOLDS, p + 1, p + 1): their cross
    products by fold, the response scaled but not combined; shifts (FOLDS, p + 1): their sums;
    masses (FOLDS,): weight by fold; passes: over the rows.
    """

    names: tuple[str, ...]
    n: int
    mass: float
    center: np.ndarray
    scale: np.ndarray
    basis: np.ndarray
    grams: np.ndarray
    shifts: np.ndarray
    masses: np.ndarray
    passes: int

    def gram(self, leave_out: int | None = None) -> np.ndarray:
        """Centered cross products (p + 1, p + 1) of the scaled columns, without one fold."""
        use = np.arange(len(self.grams)) != leave_out
        return self._original(self._centered(use))

    def held_out(self, fold: int) -> np.ndarray:
        """Cross products (p + 1, p + 1) of one fold about the means of the others."""
        others = np.arange(len(self.grams)) != fold
        mean = self.shifts[others].sum(axis=0) / max(float(self.masses[others].sum()), 1e-300)
        cross = np.outer(self.shifts[fold], mean)
        gram = self.grams[fold] - cross - cross.T + self.masses[fold] * np.outer(mean, mean)
        return self._original(gram)

    def _centered(self, use: np.ndarray) -> np.ndarray:
        shift = self.shifts[use].sum(axis=0)
        mass = max(float(self.masses[use].sum()), 1e-300)
        return self.grams[use].sum(axis=0) - np.outer(shift, shift) / mass

    def _original(self, gram: np.ndarray) -> np.ndarray:
        """From the basis of the last pass to the centered and scaled columns."""
        back = np.eye(len(gram))
        back[:-1, :-1] = np.linalg.pinv(self.basis, rcond=1e-15)
        return back.T @ gram @ back


@dataclass(frozen=True)
class SummedFit:
    """A least-squares fit from sums: k coefficients, the intercept first.

    names, coef, std_error (k,); sigma; r2; n; df_residual.
    """

    names: tuple[str, ...]
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


def sum_columns(
    table: Any, columns: Mapping[str, Any], weight: Any = None, block: Any = None
) -> Sums:
    """Sums over an ibis table's rows, by the engine that holds it.

    columns: name -> float64 expression over the table, the response last; rows with a NULL among
    them count for nothing. weight: expression, 1 where not given; block: whole number that is as
    good as random, which parts the rows into blocks and folds.
    """
    names = tuple(columns)
    kept = {f"c{j}": value.cast("float64") for j, value in enumerate(columns.values())}
    if weight is not None:
        kept["w"] = weight.cast("float64")
    if block is not None:
        kept["block"] = block.abs() % BLOCKS
    rows = table.select(**kept)
    rows = rows.filter([rows[name].notnull() for name in kept])
    rows = rows if weight is None else rows.filter(rows.w > 0)
    center, scale = _first_look(rows, len(names))
    sums = _first_sums(rows, names, center, scale)
    unit = _unit(rows, sums.center, sums.scale)
    while sums.passes < PASSES_MOST:
        step = _orthogonalizing(sums._centered(np.ones(FOLDS, bool))[:-1, :-1])
        if step is None:
            break
        unit = _combined(unit, step)
        _, grams, shifts, masses = _products(unit, len(names))
        sums = replace(
            sums, basis=sums.basis @ step, grams=grams, shifts=shifts, masses=masses,
            passes=sums.passes + 1,
        )  # fmt: skip
    return sums


def _first_look(rows: Any, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column in the first rows."""
    first = rows.limit(FIRST_ROWS)
    wanted = {f"m{j}": first[f"c{j}"].mean() for j in range(count)}
    wanted |= {f"s{j}": first[f"c{j}"].std(how="pop") for j in range(count)}
    found = fetched(first.aggregate(**wanted))[0]
    if found["m0"] is None:
        raise KalibError("no row has all columns of the formula")
    center = np.array([found[f"m{j}"] for j in range(count)], float)
    scale = np.array([found[f"s{j}"] for j in range(count)], float)
    return center, np.where(scale > 0, scale, 1.0)


def _unit(rows: Any, center: np.ndarray, scale: np.ndarray) -> Any:
    """The rows with their columns centered and scaled."""
    made = {
        f"c{j}": (rows[f"c{j}"] - float(center[j])) * float(1 / scale[j])
        for j in range(len(center))
    }
    return rows.select(**made, **_beside(rows))


def _beside(rows: Any) -> dict[str, Any]:
    """Weight and block, where there are any."""
    return {name: rows[name] for name in ("w", "block") if name in rows.columns}


def _first_sums(rows: Any, names: tuple[str, ...], center: np.ndarray, scale: np.ndarray) -> Sums:
    """Sums of the columns about their means, in their standard deviations."""
    for passes in (1, 2):  # noqa: B007
        n, grams, shifts, masses = _products(_unit(rows, center, scale), len(names))
        mass = float(masses.sum())
        shift = shifts.sum(axis=0) / mass
        square = np.diagonal(grams.sum(axis=0)) / mass - shift**2
        spread = np.sqrt(np.where(square > 0, square, 1.0))
        center, scale = center + scale * shift, scale * spread
        off = np.maximum(np.abs(shift), 1.0) / np.minimum(spread, 1.0)
        if (np.maximum(off, spread) <= FAR).all():
            break
    cross = shifts[:, :, None] * shift
    grams = (
        grams - cross - cross.transpose(0, 2, 1) + masses[:, None, None] * np.outer(shift, shift)
    )
    return Sums(
        names, n, mass, center, scale, np.eye(len(names) - 1),
        grams / np.outer(spread, spread), (shifts - masses[:, None] * shift) / spread, masses,
        passes,
    )  # fmt: skip


def _products(rows: Any, count: int) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """Rows, and by fold cross products, sums and weight of the columns."""
    beside = _beside(rows)
    wanted = {"n": rows.count(), "mass": beside["w"].sum() if "w" in beside else rows.count()}
    for j in range(count):
        first = rows[f"c{j}"] * beside["w"] if "w" in beside else rows[f"c{j}"]
        wanted[f"s{j}"] = first.sum()
        wanted |= {f"g{j}_{k}": (first * rows[f"c{k}"]).sum() for k in range(j, count)}
    grams, shifts = np.zeros((FOLDS, count, count)), np.zeros((FOLDS, count))
    masses, n = np.zeros(FOLDS), 0
    parts = rows.group_by("block") if "block" in beside else rows
    for block in fetched(parts.aggregate(**wanted)):
        fold = block.get("block", 0) % FOLDS
        n, masses[fold] = n + block["n"], masses[fold] + block["mass"]
        shifts[fold] += [block[f"s{j}"] for j in range(count)]
        products = [
            [block[f"g{min(j, k)}_{max(j, k)}"] for k in range(count)] for j in range(count)
        ]
        grams[fold] += np.array(products)
    return n, grams, shifts, masses


def _orthogonalizing(gram: np.ndarray) -> np.ndarray | None:
    """Combinations (p, p) under which columns of these products are orthonormal; None where they
    are so nearly enough that sums in double lose nothing."""
    if not len(gram):
        return None
    values, vectors = np.linalg.eigh(gram)
    top = values[-1]
    if values[0] > top / CONDITION_MOST:
        return None
    # What lies below the sums' own error is only brought near: the next pass sees it well.
    least = top * len(gram) * np.finfo(float).eps
    return vectors / np.sqrt(np.maximum(values, least))


def _combined(rows: Any, step: np.ndarray) -> Any:
    """The rows with their columns combined, the response left as it is."""
    count = len(step)
    made = {}
    for k in range(count):
        total = rows.c0 * float(step[0, k])
        for j in range(1, count):
            total = total + rows[f"c{j}"] * float(step[j, k])
        made[f"c{k}"] = total
    return rows.select(**made, **{f"c{count}": rows[f"c{count}"]}, **_beside(rows))


def fit_sums(sums: Sums) -> SummedFit:
    """Least squares of the response on all columns.

    Raises KalibError where a column is a combination of others or rows are too few.
    """
    k = len(sums.names) - 1
    df = sums.n - k - 1
    if df < 1:
        raise KalibError(f"{sums.n} rows are too few for {k + 1} coefficients")
    gram, basis = sums._centered(np.ones(FOLDS, bool)), sums.basis
    inner, cross, total = gram[:-1, :-1], gram[:-1, -1], float(gram[-1, -1])
    length = np.sqrt(np.maximum(np.diag(inner), 1e-300))
    unit = inner / np.outer(length, length)
    # An orthogonal column that is a combination of very large parts is one of rounding errors.
    reach = np.linalg.norm(basis, 2) * np.sqrt(sums.mass) if k else 0.0
    if k and (np.linalg.eigvalsh(unit)[0] <= RANK_TOLERANCE * k or reach * RANK_TOLERANCE * k > 1):
        raise KalibError("a column is a combination of the others; leave it out")
    inverse = basis @ (np.linalg.inv(unit) / np.outer(length, length)) @ basis.T
    inside = np.linalg.solve(unit, cross / length) / length
    rss = max(total - float(cross @ inside), 0.0)
    scale, center, slopes = sums.scale, sums.center, basis @ inside
    coef = slopes * scale[-1] / scale[:-1]
    # The means of the first pass are mended by what the second one found left over.
    offset = sums.shifts.sum(axis=0) / sums.masses.sum()
    left = offset[-1] - offset[:-1] @ np.linalg.pinv(basis) @ slopes
    intercept = center[-1] + scale[-1] * left - coef @ center[:-1]
    variance = inverse / np.outer(scale[:-1], scale[:-1])
    first = 1 / sums.mass + center[:-1] @ variance @ center[:-1]
    sigma = float(np.sqrt(rss / df)) * scale[-1]
    return SummedFit(
        names=("intercept", *sums.names[:-1]),
        coef=np.append(intercept, coef),
        std_error=sigma * np.sqrt(np.append(first, np.diag(variance))),
        sigma=sigma,
        r2=1 - rss / total if total > 0 else 0.0,
        n=sums.n,
        df_residual=df,
    )
