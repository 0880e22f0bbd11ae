"""Exact best subsets by branch and bound over Gram matrices, many data sets at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kalib.formula.subsets.frontier import MANY, Search, Space

# Breiman & Spector 1992, Int. Statistical Review 60: five folds choose a submodel as well as ten.
SEARCH_FOLDS = 5
ALL = Space()  # subsets of columns
ALIKE = 1e-10  # of a sum of squares: what is left of a column that others explain
CONSTANT = 1e-12  # of a sum of squares: what rounding may leave of a column that does not vary


@dataclass(frozen=True)
class Subsets:
    """Subsets found: chosen (b, ..., G) bool; value (b, ...): residual sum of squares or criterion,
    inf where none is admissible; gap, in the same shape: how much less it could be at most where
    the search had to end before all was looked at, 0 where it did not."""

    chosen: np.ndarray
    value: np.ndarray
    gap: np.ndarray


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
    return np.where(moves[:, :, None] & moves[:, None, :], grams, 0.0)


def forward_groups(
    gram: np.ndarray, groups: Sequence[Sequence[int]], required: Sequence[int], room: int
) -> list[int]:
    """Numbers of the groups that the exact search is to look at: all, or those required and those
    that forward selection enters first, of room columns and MANY groups at most.

    Under weak conditions they hold all that matter (Wang 2009, J. American Statistical Association
    104). With more columns than room the full fit is (nearly) perfect and bounds nothing.
    """
    left, kept = list(range(len(groups))), list(required)
    if sum(map(len, groups)) <= room and len(groups) <= MANY:
        return left
    table, size = gram.copy(), np.maximum(np.diag(gram), 1e-300)
    for g in required:
        _enter(table, size, groups[g])
    left = [g for g in left if g not in kept]
    owner = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    columns = np.array([j for group in groups for j in group], dtype=int)
    while left and len(kept) < MANY:
        pivot = np.where(np.diag(table) > ALIKE * size, np.diag(table), np.inf)
        gain = np.zeros(len(groups))
        np.maximum.at(gain, owner, (table[-1] ** 2 / pivot)[columns])
        best = left[int(gain[left].argmax())]
        left.remove(best)
        if sum(len(groups[g]) for g in [*kept, best]) <= room:
            kept.append(best)
            _enter(table, size, groups[best])
    return sorted(kept)


def _enter(table: np.ndarray, size: np.ndarray, columns: Sequence[int]) -> None:
    """Take out of the cross products, in place, what columns explain."""
    for j in columns:
        if table[j, j] > ALIKE * size[j]:
            table -= np.outer(table[j], table[j]) / table[j, j]


def best_subsets(gram: np.ndarray, space: Space = ALL) -> Subsets:
    """The subset with the least residual sum of squares for every number of groups; gram as in
    `Search`."""
    search = Search(gram, space)
    search.run()
    total = search.total[:, None]
    return Subsets(search.winner, search.shares() * total, search.gap * total)


def best_by_criterion(
    gram: np.ndarray, n: float | np.ndarray, space: Space = ALL, penalty: float | None = None
) -> Subsets:
    """The subset with the least n log(rss / total) + penalty * columns, by default the (extended)
    BIC; n: rows of each data set, one number or (b,)."""
    search = Search(gram, space)
    count = np.broadcast_to(np.asarray(n, dtype=float), (len(search.total),))
    price = space.price(count) if penalty is None else np.full(len(count), penalty)
    search.run(count, price)
    chosen = search.winner[:, 0]
    value = count * np.log(search.shares()[:, 0]) + price * (chosen @ search.columns)
    return Subsets(chosen, value, search.gap[:, 0])


def select_subsets(
    matrix: np.ndarray, response: np.ndarray, weights: np.ndarray, criterion: str = "bic",
    space: Space = ALL,
) -> np.ndarray:  # fmt: skip
    """The subset (b, G) bool that a criterion chooses in each of b weightings (b, n) of the rows.

    matrix (n, p), response (n,); a weight of 0 leaves a row out. "bic"; "cv": the size whose best
    subset errs least out of sample; "one-se": the smallest size whose error is within one
    standard error of that.
    """
    if criterion == "bic":
        count = (weights > 0).sum(axis=1).astype(float)
        return best_by_criterion(batch_grams(matrix, response, weights), count, space).chosen
    return np.array([validated_sizes(matrix, response, row, criterion, space).chosen
                     for row in weights])  # fmt: skip


@dataclass(frozen=True)
class ValidatedSizes:
    """Squared error out of sample of the best subset of each size: error, std_error (K + 1,), inf
    where no subset is admissible; size that the criterion chooses; chosen (G,)."""

    error: np.ndarray
    std_error: np.ndarray
    size: int
    chosen: np.ndarray


def validated_sizes(
    matrix: np.ndarray, response: np.ndarray, weights: np.ndarray, criterion: str,
    space: Space = ALL,
) -> ValidatedSizes:  # fmt: skip
    """Sizes judged in five folds under weights (n,), the search repeated in each.

    The standard error is that of a mean over accounts (Breiman, Friedman, Olshen & Stone 1984,
    section 3.4.3). All folds are searched in one frontier.
    """
    fold, use = np.full(len(weights), -1), np.flatnonzero(weights > 0)
    fold[use] = np.random.default_rng(len(use)).permutation(len(use)) % SEARCH_FOLDS
    train = weights * (fold != np.arange(SEARCH_FOLDS)[:, None])
    search = Search(batch_grams(matrix, response, np.vstack([weights, train])), space)
    search.run()
    slopes = search.slopes(np.arange(1, SEARCH_FOLDS + 1))
    square = np.zeros((search.most + 1, len(weights)))
    for k, mass in enumerate(train / train.sum(axis=1, keepdims=True)):
        out = fold == k
        expected = mass @ response + slopes[k] @ (matrix[out] - mass @ matrix).T
        square[:, out] = (response[out] - expected) ** 2
    mass = weights / weights.sum()
    error = square @ mass
    std_error = np.sqrt((square - error[:, None]) ** 2 @ mass**2)
    error = np.where(np.isfinite(search.best).all(axis=0), error, np.inf)
    size = int(error.argmin())
    if criterion == "one-se":
        size = int((error <= error[size] + std_error[size]).argmax())
    return ValidatedSizes(error, std_error, size, search.winner[0, size])
