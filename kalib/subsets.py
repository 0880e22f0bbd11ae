"""Exact best subsets by branch and bound over Gram matrices, many data sets at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kalib.frontier import SMALLEST, Search


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
    search.run(lambda data, rss, columns, count: rss, by_size=True)
    rss = search.best * search.total[:, None]
    return SubsetPath(rss[:, sizes], search.winner, search.exact)


def best_by_criterion(
    gram: np.ndarray,
    n: float | np.ndarray,
    *,
    penalty: float,
    groups: Sequence[Sequence[int]] | None = None,
    required: Sequence[int] = (),
    max_groups: int | None = None,
    signs: np.ndarray | None = None,
) -> BestSubset:
    """The subset with the least n log(rss / total) + penalty * columns; log n as penalty is BIC.

    n: accounts behind each data set, one number or (b,). Other arguments as in best_subsets.
    """
    search = Search(gram, groups, required, max_groups, signs)
    count = np.broadcast_to(np.asarray(n, dtype=float), (len(search.total),))

    def criterion(
        data: np.ndarray, rss: np.ndarray, columns: np.ndarray, _: np.ndarray
    ) -> np.ndarray:
        return count[data] * np.log(np.maximum(rss, SMALLEST)) + penalty * columns

    search.run(criterion, by_size=False)
    return BestSubset(search.winner[:, 0], search.best[:, 0], search.exact)
