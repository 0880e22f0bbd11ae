"""Exact best subsets by branch and bound over Gram matrices, many data sets in one frontier.

A node holds a set of groups of which some are decided to stay. Leaving a group out never lowers
the residual sum of squares, so a node's own sum bounds every subset below it (Furnival & Wilson
1974). From the inverse Gram matrix of a node the sums of all its children follow in closed form;
only children that can still win are built, a block of nodes at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Added to the unit diagonal: far below the digits anyone reports, enough to keep a matrix of
# nearly collinear columns invertible.
RIDGE = 1e-10
BLOCK = 1024  # nodes a step
MOST_NODES = 3_000_000  # beyond it the best found so far is given, and said not to be exact
SMALLEST = 1e-13  # residual share below which a fit is perfect


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
    search = _Search(gram, groups, required, max_groups, signs)
    sizes = np.arange(search.most + 1)
    search.run(lambda data, rss, columns, count: rss, by_size=True)
    rss = search.best * search.total[:, None]
    return SubsetPath(rss[:, sizes], search.restore(search.winner), search.exact)


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
    search = _Search(gram, groups, required, max_groups, signs)
    count = np.broadcast_to(np.asarray(n, dtype=float), (len(search.total),))

    def criterion(
        data: np.ndarray, rss: np.ndarray, columns: np.ndarray, _: np.ndarray
    ) -> np.ndarray:
        return count[data] * np.log(np.maximum(rss, SMALLEST)) + penalty * columns

    search.run(criterion, by_size=False)
    return BestSubset(search.restore(search.winner)[:, 0], search.best[:, 0], search.exact)


@dataclass
class _Nodes:
    """m nodes: inverse Gram matrices (m, p, p), coefficients (m, p), residual shares (m,),
    groups still in (m, G), the first undecided position (m,), data set (m,)."""

    inverse: np.ndarray
    coef: np.ndarray
    rss: np.ndarray
    alive: np.ndarray
    start: np.ndarray
    data: np.ndarray

    def take(self, rows: np.ndarray) -> _Nodes:
        return _Nodes(
            self.inverse[rows], self.coef[rows], self.rss[rows],
            self.alive[rows], self.start[rows], self.data[rows],
        )  # fmt: skip


class _Search:
    """One frontier over b data sets that share groups and rules."""

    def __init__(self, gram, groups, required, max_groups, signs) -> None:  # type: ignore[no-untyped-def]
        gram = np.array(gram, dtype=float, ndmin=3)
        p = gram.shape[1] - 1
        groups = [list(g) for g in (groups if groups is not None else [[j] for j in range(p)])]
        self.size = len(groups)
        self.most = min(self.size if max_groups is None else max_groups, self.size)
        self.total = np.maximum(gram[:, -1, -1], 1e-300)
        scale = np.sqrt(np.einsum("bii->bi", gram)[:, :p])
        dead = scale <= 1e-12 * np.maximum(scale.max(axis=1, keepdims=True, initial=0), 1e-300)
        scale = np.where(dead, 1.0, scale)
        unit = gram[:, :p, :p] / scale[:, :, None] / scale[:, None, :]
        cross = gram[:, :p, -1] / scale / np.sqrt(self.total)[:, None]
        unit = np.where(dead[:, :, None] | dead[:, None, :], 0.0, unit)
        cross = np.where(dead, 0.0, cross)
        unit[:, np.arange(p), np.arange(p)] = 1.0 + RIDGE
        inverse = np.linalg.inv(unit) if p else unit
        coef = np.einsum("bij,bj->bi", inverse, cross)
        rss = np.maximum(1.0 - np.einsum("bi,bi->b", coef, cross), SMALLEST)
        # Groups whose loss hurts most come first: their large subtrees are the first to be cut.
        loss = _losses(inverse, coef, groups).mean(axis=0)
        self.order = np.argsort(-loss, kind="stable")
        self.groups = [groups[g] for g in self.order]
        self.columns = np.array([len(g) for g in self.groups], dtype=int)
        fixed = set(required)
        self.required = np.array([g in fixed for g in self.order], dtype=bool)
        self.signs = None if signs is None else np.asarray(signs)
        b = len(gram)
        self.root = _Nodes(
            inverse, coef, rss, np.ones((b, self.size), bool), np.zeros(b, int), np.arange(b)
        )
        self.exact = True

    def restore(self, chosen: np.ndarray) -> np.ndarray:
        """Chosen groups (..., G) in the caller's order."""
        result = np.zeros_like(chosen)
        result[..., self.order] = chosen
        return result

    def run(self, criterion, *, by_size: bool) -> None:  # type: ignore[no-untyped-def]
        """Search; best (b, S) and winner (b, S, G) hold the result, S = 1 unless by size."""
        b = len(self.total)
        slots = self.most + 1 if by_size else 1
        self.best = np.full((b, slots), np.inf)
        self.winner = np.zeros((b, slots, self.size), dtype=bool)
        self.criterion, self.by_size = criterion, by_size
        self._greedy(self.root)
        stack, seen = [self.root], 0
        while stack:
            nodes = stack.pop()
            if len(nodes.data) > BLOCK:
                stack.append(nodes.take(np.arange(BLOCK, len(nodes.data))))
                nodes = nodes.take(np.arange(BLOCK))
            seen += len(nodes.data)
            if seen > MOST_NODES:
                self.exact = False
                return
            children = self._children(nodes)
            if children is not None:
                stack.append(children)

    def _greedy(self, nodes: _Nodes) -> None:
        """Backward elimination: incumbents of every size before the search begins."""
        self._offer(nodes.data, nodes.rss, nodes.alive, nodes.coef)
        while True:
            loss = _losses(nodes.inverse, nodes.coef, self.groups)
            loss = np.where(nodes.alive & ~self.required, loss, np.inf)
            if self.size == 0 or not np.isfinite(loss).any():
                return
            group = loss.argmin(axis=1)
            rows = np.flatnonzero(np.isfinite(loss.min(axis=1)))
            nodes = self._drop(nodes, rows, group[rows])
            self._offer(nodes.data, nodes.rss, nodes.alive, nodes.coef)

    def _offer(
        self, data: np.ndarray, rss: np.ndarray, alive: np.ndarray, coef: np.ndarray
    ) -> None:
        """Record sets that are admissible and better than their data set's best."""
        count = alive.sum(axis=1)
        value = self.criterion(data, rss, alive @ self.columns, count)
        slot = count if self.by_size else np.zeros(len(data), int)
        fits = count <= self.most
        better = fits.copy()
        better[fits] = value[fits] < self.best[data[fits], slot[fits]]
        rows = np.flatnonzero(better)
        if self.signs is not None and len(rows):
            rows = rows[((coef[rows] * self.signs) >= 0).all(axis=1)]
        for i in rows[np.argsort(value[rows], kind="stable")[::-1]]:
            if value[i] < self.best[data[i], slot[i]]:
                self.best[data[i], slot[i]] = value[i]
                self.winner[data[i], slot[i]] = alive[i]

    def _children(self, nodes: _Nodes) -> _Nodes | None:
        """Offer all children; build those whose subtrees can still hold something better."""
        position = np.arange(self.size)
        can = nodes.alive & (position >= nodes.start[:, None]) & ~self.required
        loss = _losses(nodes.inverse, nodes.coef, self.groups)
        rss = np.minimum(nodes.rss[:, None] + loss, 1.0)
        count = nodes.alive.sum(axis=1)[:, None] - 1
        columns = (nodes.alive @ self.columns)[:, None] - self.columns
        data = np.broadcast_to(nodes.data[:, None], rss.shape)
        slot = np.minimum(count, self.most) if self.by_size else np.zeros_like(count)
        value = self.criterion(data, rss, columns, count)
        best = self.best[data, np.broadcast_to(slot, rss.shape)]
        wins = can & (count <= self.most) & (value < best)
        if wins.any():
            rows, groups = np.nonzero(wins)
            order = np.argsort(value[rows, groups], kind="stable")[: 4 * BLOCK]
            winners = self._drop(nodes, rows[order], groups[order])
            self._offer(winners.data, winners.rss, winners.alive, winners.coef)
        # Below a child the groups before its own stay; those after it are undecided.
        stays = nodes.alive | self.required
        kept = np.cumsum(stays, axis=1) - stays
        later = (nodes.alive & self.required)[:, ::-1].cumsum(axis=1)[:, ::-1]
        kept = kept + later - (nodes.alive & self.required)
        width = stays * self.columns
        kept_columns = np.cumsum(width, axis=1) - width
        after = (nodes.alive & ~self.required)[:, ::-1].cumsum(axis=1)[:, ::-1]
        undecided = after - (nodes.alive & ~self.required)
        floor = np.minimum(kept, self.most) if self.by_size else np.zeros_like(kept)
        bound = self.criterion(data, rss, kept_columns, kept)
        limit = self._limit(data, floor)
        build = can & (kept <= self.most) & (undecided > 0) & (bound < limit)
        rows, groups = np.nonzero(build)
        if len(rows) == 0:
            return None
        # The most promising last: it is taken from the stack first.
        order = np.argsort(-bound[rows, groups], kind="stable")
        rows, groups = rows[order], groups[order]
        children = self._drop(nodes, rows, groups)
        children.start = groups + 1
        return children

    def _limit(self, data: np.ndarray, floor: np.ndarray) -> np.ndarray:
        """What a subtree must beat: with sizes, the worst best of any size it can reach."""
        if not self.by_size:
            return self.best[data, floor]
        worst = np.maximum.accumulate(self.best[:, ::-1], axis=1)[:, ::-1]
        return worst[data, floor]

    def _drop(self, nodes: _Nodes, rows: np.ndarray, groups: np.ndarray) -> _Nodes:
        """The nodes in rows, each without one group."""
        result = nodes.take(rows)
        result.inverse, result.coef = result.inverse.copy(), result.coef.copy()
        result.alive = result.alive.copy()
        rss = result.rss.copy()
        for group in np.unique(groups):
            part = np.flatnonzero(groups == group)
            inverse, coef = result.inverse[part], result.coef[part]
            for j in self.groups[group]:
                pivot = np.maximum(inverse[:, j, j], 1e-300)
                step = coef[:, j] / pivot
                rss[part] += coef[:, j] * step
                coef = coef - inverse[:, :, j] * step[:, None]
                inverse = inverse - inverse[:, :, j, None] * (
                    inverse[:, None, j] / pivot[:, None, None]
                )
                inverse[:, j, :], inverse[:, :, j], coef[:, j] = 0.0, 0.0, 0.0
                inverse[:, j, j] = 1.0
            result.inverse[part], result.coef[part] = inverse, coef
        result.alive[np.arange(len(rows)), groups] = False
        result.rss = np.minimum(rss, 1.0)
        return result


def _losses(inverse: np.ndarray, coef: np.ndarray, groups: Sequence[Sequence[int]]) -> np.ndarray:
    """Rise (m, G) of the residual share when each group leaves."""
    loss = np.empty((len(coef), len(groups)))
    for g, columns in enumerate(groups):
        if len(columns) == 1:
            j = columns[0]
            loss[:, g] = coef[:, j] ** 2 / np.maximum(inverse[:, j, j], 1e-300)
        elif len(columns) == 0:
            loss[:, g] = 0.0
        else:
            block = inverse[:, columns][:, :, columns]
            part = coef[:, columns]
            loss[:, g] = np.einsum(
                "mi,mi->m", part, np.linalg.solve(block, part[..., None])[..., 0]
            )
    return np.maximum(loss, 0.0)
