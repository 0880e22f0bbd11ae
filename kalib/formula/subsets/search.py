"""Exact best subsets by branch and bound over Gram matrices, many data sets at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from kalib.formula.subsets.frontier import Search

CRITERIA = ("bic", "cv", "one-se")
# Breiman & Spector 1992, Int. Statistical Review 60: five folds choose a submodel as well as ten.
SEARCH_FOLDS = 5
CONSTANT = 1e-12  # of a sum of squares: what rounding may leave of a column that does not vary


class Limits(TypedDict):
    """What bounds a search, as in best_subsets."""

    groups: Sequence[Sequence[int]] | None
    required: Sequence[int]
    max_groups: int | None
    signs: np.ndarray | None


@dataclass(frozen=True)
class SubsetPath:
    """The best subset of each size: rss (b, K + 1), inf where none is admissible; chosen
    (b, K + 1, G) bool; exact: whether the search was finished."""

    rss: np.ndarray
    chosen: np.ndarray
    exact: bool


@dataclass(frozen=True)
class BestSubset:
    """The best subset by a criterion: chosen (b, G) bool, criterion (b,), exact."""

    chosen: np.ndarray
    criterion: np.ndarray
    exact: bool


def gram_matrix(
    design: np.ndarray, response: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Centered cross products (p + 1, p + 1) of design (n, p) and, last, response (n,)."""
    full = np.column_stack([design, response])
    weights = np.ones(len(full)) if weights is None else weights
    full = full - np.average(full, axis=0, weights=weights)
    return (full * weights[:, None]).T @ full


def batch_grams(matrix: np.ndarray, response: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Centered cross products (b, p + 1, p + 1), response last, under weights (b, n)."""
    full = np.column_stack([matrix, response])
    full = full - full.mean(axis=0)
    width = full.shape[1]
    total = weights.sum(axis=1)
    mean = (weights @ full) / total[:, None]
    pairs = (full[:, :, None] * full[:, None, :]).reshape(len(full), width * width)
    raw = (weights @ pairs).reshape(-1, width, width)
    grams = raw - total[:, None, None] * mean[:, :, None] * mean[:, None, :]
    # A level that no row of a half sample has leaves rounding, below nought or above it.
    size, own = np.einsum("bii->bi", raw), np.einsum("bii->bi", grams)
    moves = own > CONSTANT * size
    if not moves.all():
        grams = np.where(moves[:, :, None] & moves[:, None, :], grams, 0.0)
    return grams


def best_subsets(
    gram: np.ndarray,
    *,
    groups: Sequence[Sequence[int]] | None = None,
    required: Sequence[int] = (),
    max_groups: int | None = None,
    signs: np.ndarray | None = None,
) -> SubsetPath:
    """The subset with the least residual sum of squares for every number of groups.

    gram: (p + 1, p + 1) or (b, p + 1, p + 1) centered cross products, response last; groups:
    column numbers that enter together; required: groups always in; signs: (p,) of -1, 0, 1, the
    sign each coefficient must have where it is not 0.
    """
    search = Search(gram, groups, required, max_groups, signs)
    sizes = np.arange(search.most + 1)
    search.run()
    rss = search.shares() * search.total[:, None]
    return SubsetPath(rss[:, sizes], search.winner, search.exact)


def best_by_criterion(
    gram: np.ndarray,
    n: float | np.ndarray,
    *,
    penalty: float | np.ndarray,
    groups: Sequence[Sequence[int]] | None = None,
    required: Sequence[int] = (),
    max_groups: int | None = None,
    signs: np.ndarray | None = None,
) -> BestSubset:
    """The subset with the least n log(rss / total) + penalty * columns; log n as penalty is BIC.

    n, penalty: of each data set, one number or (b,). Other arguments as in best_subsets.
    """
    search = Search(gram, groups, required, max_groups, signs)
    count = np.broadcast_to(np.asarray(n, dtype=float), (len(search.total),))
    price = np.broadcast_to(np.asarray(penalty, dtype=float), (len(search.total),))
    search.run(count, price)
    chosen = search.winner[:, 0]
    value = count * np.log(search.shares()[:, 0]) + price * (chosen @ search.columns)
    return BestSubset(chosen, value, search.exact)


def select_subsets(
    matrix: np.ndarray,
    response: np.ndarray,
    weights: np.ndarray,
    *,
    criterion: str = "bic",
    groups: Sequence[Sequence[int]] | None = None,
    required: Sequence[int] = (),
    max_groups: int | None = None,
    signs: np.ndarray | None = None,
) -> np.ndarray:
    """The subset (b, G) bool that a criterion chooses in each of b weightings (b, n) of the rows.

    matrix (n, p), response (n,); a weight of 0 leaves a row out. "bic"; "cv": the size whose best
    subset errs least out of sample; "one-se": the smallest size whose error is within one
    standard error of that. Other arguments as in best_subsets.
    """
    rules: Limits = {
        "groups": groups,
        "required": required,
        "max_groups": max_groups,
        "signs": signs,
    }
    if criterion == "bic":
        count = (weights > 0).sum(axis=1).astype(float)
        grams = batch_grams(matrix, response, weights)
        price = np.log(np.maximum(count, 2.0))
        return best_by_criterion(grams, count, penalty=price, **rules).chosen
    return validated_sizes(matrix, response, weights, criterion=criterion, **rules).chosen


@dataclass(frozen=True)
class ValidatedSizes:
    """Squared error out of sample of the best subset of each size: error, std_error (b, K + 1),
    inf where no subset is admissible; size (b,) that the criterion chooses; chosen (b, G)."""

    error: np.ndarray
    std_error: np.ndarray
    size: np.ndarray
    chosen: np.ndarray


def validated_sizes(
    matrix: np.ndarray,
    response: np.ndarray,
    weights: np.ndarray,
    *,
    criterion: str,
    groups: Sequence[Sequence[int]] | None = None,
    required: Sequence[int] = (),
    max_groups: int | None = None,
    signs: np.ndarray | None = None,
) -> ValidatedSizes:
    """Sizes judged in five folds, the search repeated in each; arguments as in select_subsets.

    The standard error is that of a mean over accounts (Breiman, Friedman, Olshen & Stone 1984,
    section 3.4.3). All folds of all weightings are searched in one frontier.
    """
    b, n = weights.shape
    fold = _folds(weights > 0)
    train = weights[:, None] * (fold[:, None] != np.arange(SEARCH_FOLDS)[:, None])
    every = np.concatenate([weights, train.reshape(-1, n)])
    search = Search(batch_grams(matrix, response, every), groups, required, max_groups, signs)
    search.run()
    sizes = search.most + 1
    square = np.zeros((b, sizes, n))
    for k in range(SEARCH_FOLDS):
        data = b + np.arange(b) * SEARCH_FOLDS + k
        slopes = search.slopes(data)
        total = train[:, k].sum(axis=1)
        middle = train[:, k] @ matrix / total[:, None], train[:, k] @ response / total
        for i in range(b):
            out = fold[i] == k
            left = (response[out] - middle[1][i]) - slopes[i] @ (matrix[out] - middle[0][i]).T
            square[i][:, out] = left**2
    mass = weights / weights.sum(axis=1, keepdims=True)
    error = np.einsum("bn,bsn->bs", mass, square)
    spread = np.einsum("bn,bsn->bs", mass**2, (square - error[..., None]) ** 2)
    folds_best = search.best[b:].reshape(b, SEARCH_FOLDS, sizes)
    missing = ~np.isfinite(search.best[:b]) | ~np.isfinite(folds_best).all(axis=1)
    error, std_error = np.where(missing, np.inf, error), np.sqrt(spread)
    size = error.argmin(axis=1)
    if criterion == "one-se":
        reach = error.min(axis=1) + std_error[np.arange(b), size]
        size = (error <= reach[:, None]).argmax(axis=1)
    return ValidatedSizes(error, std_error, size, search.winner[np.arange(b), size])


def _folds(used: np.ndarray) -> np.ndarray:
    """Fold numbers (b, n) of the used rows, -1 for the others; the same at every call."""
    fold = np.full(used.shape, -1)
    for numbers, rows in zip(fold, used, strict=True):
        count = int(rows.sum())
        numbers[rows] = np.random.default_rng(count).permutation(count) % SEARCH_FOLDS
    return fold
