"""The frontier of the exact subset search: nodes, their children, and what they can still win.

A node is a set of groups: some are kept, the others undecided. Leaving a group out never lowers
the residual sum of squares, so a node's own sum bounds every subset below it (Furnival & Wilson
1974). Of the inverse Gram matrix a node needs the undecided block only, from which the sums of all
its children follow in closed form. At each node the undecided are put in the order of what their
loss costs, the dearest first: the largest subtrees are then the first to be cut (Gatu &
Kontoghiorghes 2006). Nodes with equally many undecided groups are worked on together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

# Added to the unit diagonal: far below the digits anyone reports, enough to keep a matrix of
# nearly collinear columns invertible.
RIDGE = 1e-10
BLOCK_CELLS = 500_000  # matrix cells worked on at once: about 4 MB, what a cache holds
MOST_WAITING = 50_000  # nodes; beyond it the smallest subtrees are finished first, to bound memory
MOST_NODES = 3_000_000  # beyond it the best found so far is given, and said not to be exact
SMALLEST = 1e-13  # residual share below which a fit is perfect

# (data set, residual share, columns, groups) -> what is minimized, all of one shape.
Criterion = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass
class _Nodes:
    """m nodes with u undecided groups of U columns: block (m, U, U) of the inverse Gram matrix,
    coef (m, U), rss (m,) as share of the total, ids (m, u) of the undecided, alive (m, G) kept or
    undecided, kept (m,) groups, width (m,) columns kept, data (m,) data set."""

    block: np.ndarray
    coef: np.ndarray
    rss: np.ndarray
    ids: np.ndarray
    alive: np.ndarray
    kept: np.ndarray
    width: np.ndarray
    data: np.ndarray

    def take(self, rows: np.ndarray | slice) -> _Nodes:
        return _Nodes(
            self.block[rows], self.coef[rows], self.rss[rows], self.ids[rows],
            self.alive[rows], self.kept[rows], self.width[rows], self.data[rows],
        )  # fmt: skip


def _join(parts: list[_Nodes]) -> _Nodes:
    if len(parts) == 1:
        return parts[0]
    names = [field.name for field in fields(_Nodes)]
    return _Nodes(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _take_block(waiting: dict[int, list[_Nodes]], u: int) -> _Nodes:
    """As many of the nodes with u undecided groups as are worked on at once."""
    parts = waiting[u]
    limit = max(1, BLOCK_CELLS // max(parts[0].coef.shape[1] ** 2, 1))
    taken: list[_Nodes] = []
    while parts and limit > 0:
        part = parts.pop()
        if len(part.data) > limit:
            parts.append(part.take(slice(limit, None)))
            part = part.take(slice(limit))
        taken.append(part)
        limit -= len(part.data)
    if not parts:
        del waiting[u]
    return _join(taken)


class Search:
    """One frontier over b data sets that share groups and rules."""

    def __init__(
        self,
        gram: np.ndarray,
        groups: Sequence[Sequence[int]] | None,
        required: Sequence[int],
        max_groups: int | None,
        signs: np.ndarray | None,
    ) -> None:
        gram = np.array(gram, dtype=float, ndmin=3)
        p = gram.shape[1] - 1
        self.groups = [list(g) for g in (groups if groups is not None else [[j] for j in range(p)])]
        self.size = len(self.groups)
        self.most = min(self.size if max_groups is None else max_groups, self.size)
        self.total = np.maximum(gram[:, -1, -1], 1e-300)
        self.signs = None if signs is None else np.asarray(signs)
        self.unit, self.cross, self.scale = _standardized(gram, p, self.total)
        self.columns = np.array([len(g) for g in self.groups], dtype=int)
        self.single = bool((self.columns == 1).all())
        self.required = np.isin(np.arange(self.size), list(required))
        self.exact = True

    def run(self, criterion: Criterion, *, by_size: bool) -> None:
        """Search; best (b, S) and winner (b, S, G) hold the result, S = 1 unless by size."""
        b = len(self.total)
        slots = self.most + 1 if by_size else 1
        self.best = np.full((b, slots), np.inf)
        self.winner = np.zeros((b, slots, self.size), dtype=bool)
        self.criterion, self.by_size = criterion, by_size
        root = self._root()
        self._offer(root.data, root.rss, root.alive)
        self._greedy(root)
        waiting: dict[int, list[_Nodes]] = {root.ids.shape[1]: [root]}
        count, seen = b, 0
        while waiting:
            u = max(waiting) if count < MOST_WAITING else min(waiting)
            nodes = _take_block(waiting, u)
            count -= len(nodes.data)
            seen += len(nodes.data)
            if seen > MOST_NODES:
                self.exact = False
                return
            for child in self._children(nodes):
                waiting.setdefault(child.ids.shape[1], []).append(child)
                count += len(child.data)

    def _root(self) -> _Nodes:
        """All groups in, those not required undecided, the dearest to lose first."""
        b, p = self.cross.shape
        inverse = np.linalg.inv(self.unit) if p else self.unit
        coef = np.einsum("bij,bj->bi", inverse, self.cross)
        rss = np.maximum(1.0 - np.einsum("bi,bi->b", coef, self.cross), SMALLEST)
        free = np.flatnonzero(~self.required)
        loss = _losses(inverse, coef, [self.groups[g] for g in free]).mean(axis=0)
        ids = free[np.argsort(-loss, kind="stable")]
        place = [j for g in ids for j in self.groups[g]]
        return _Nodes(
            inverse[:, place][:, :, place], coef[:, place], rss,
            np.broadcast_to(ids, (b, len(ids))), np.ones((b, self.size), bool),
            np.full(b, int(self.required.sum())),
            np.full(b, int(self.columns[self.required].sum())), np.arange(b),
        )  # fmt: skip

    def _greedy(self, nodes: _Nodes) -> None:
        """Backward elimination: incumbents of every size before the search begins."""
        while nodes.ids.shape[1]:
            layout = self._layout(nodes)
            loss = _losses(nodes.block, nodes.coef, layout)
            worst = int(loss.mean(axis=0).argmin()) if not self.single else -1
            if self.single:
                order = np.argsort(-loss, axis=1, kind="stable")
                nodes = _permuted(nodes, order)
                worst = nodes.ids.shape[1] - 1
            nodes = self._drop(nodes, worst, layout, keep_before=False)
            self._offer(nodes.data, nodes.rss, nodes.alive)

    def _layout(self, nodes: _Nodes) -> list[list[int]]:
        """Columns of each undecided group inside the block."""
        u = nodes.ids.shape[1]
        if self.single:
            return [[j] for j in range(u)]
        sizes = self.columns[nodes.ids[0]]
        ends = np.cumsum(sizes)
        return [list(range(end - size, end)) for end, size in zip(ends, sizes, strict=True)]

    def _offer(self, data: np.ndarray, rss: np.ndarray, alive: np.ndarray) -> None:
        """Record sets that are admissible and better than their data set's best."""
        count = alive.sum(axis=1)
        value = self.criterion(data, rss, alive @ self.columns, count)
        slot = count if self.by_size else np.zeros(len(data), int)
        rows = np.flatnonzero(count <= self.most)
        rows = rows[value[rows] < self.best[data[rows], slot[rows]]]
        if self.signs is not None and len(rows):
            rows = rows[self._signs_fit(data[rows], alive[rows])]
        for i in rows[np.argsort(value[rows], kind="stable")[::-1]]:
            if value[i] < self.best[data[i], slot[i]]:
                self.best[data[i], slot[i]] = value[i]
                self.winner[data[i], slot[i]] = alive[i]

    def slopes(self, data: np.ndarray) -> np.ndarray:
        """Coefficients (m, S, p) of the winners of data sets (m,), in the columns' own units."""
        m, sizes = len(data), self.best.shape[1]
        unit = self._unit_slopes(np.repeat(data, sizes), self.winner[data].reshape(m * sizes, -1))
        return unit.reshape(m, sizes, -1) * (
            np.sqrt(self.total[data])[:, None, None] / self.scale[data][:, None]
        )

    def _signs_fit(self, data: np.ndarray, alive: np.ndarray) -> np.ndarray:
        """Whether each set's coefficients have the signs asked for (m,)."""
        assert self.signs is not None
        return np.asarray(((self._unit_slopes(data, alive) * self.signs) >= 0).all(axis=1))

    def _unit_slopes(self, data: np.ndarray, alive: np.ndarray) -> np.ndarray:
        """Coefficients (m, p) of standardized columns, 0 for those of groups not alive (m, G)."""
        p = self.cross.shape[1]
        member = np.zeros((len(data), p), dtype=bool)
        for g, columns in enumerate(self.groups):
            member[:, columns] = alive[:, [g]]
        both = member[:, :, None] & member[:, None, :]
        gram = np.where(both, self.unit[data], 0.0)
        gram[:, np.arange(p), np.arange(p)] = 1.0 + RIDGE
        aim = np.where(member, self.cross[data], 0.0)
        return np.linalg.solve(gram, aim[..., None])[..., 0]

    def _children(self, nodes: _Nodes) -> list[_Nodes]:
        """Offer all children; build those whose subtrees can still hold something better."""
        u = nodes.ids.shape[1]
        if u == 0:
            return []
        layout = self._layout(nodes)
        loss = _losses(nodes.block, nodes.coef, layout)
        if self.single and u > 2:
            order = np.argsort(-loss, axis=1, kind="stable")
            nodes, loss = _permuted(nodes, order), np.take_along_axis(loss, order, axis=1)
        rss = np.minimum(nodes.rss[:, None] + loss, 1.0)
        sizes = self.columns[nodes.ids]
        data = np.broadcast_to(nodes.data[:, None], rss.shape)
        count = np.broadcast_to((nodes.kept + u - 1)[:, None], rss.shape)
        columns = (nodes.width + sizes.sum(axis=1))[:, None] - sizes
        slot = np.minimum(count, self.most) if self.by_size else np.zeros_like(count)
        value = self.criterion(data, rss, columns, count)
        wins = (count <= self.most) & (value < self.best[data, slot])
        if wins.any():
            rows, places = np.nonzero(wins)
            alive = nodes.alive[rows].copy()
            alive[np.arange(len(rows)), nodes.ids[rows, places]] = False
            self._offer(nodes.data[rows], rss[rows, places], alive)
        # Below a child the groups before its own stay; those after it are undecided. With sizes,
        # the least set of the subtree has the largest best to beat.
        kept = nodes.kept[:, None] + np.arange(u)
        width = nodes.width[:, None] + np.cumsum(sizes, axis=1) - sizes
        floor = np.minimum(kept, self.most) if self.by_size else np.zeros_like(kept)
        bound = self.criterion(data, rss, width, kept)
        build = (kept <= self.most) & (bound < self._limit()[data, floor])
        build[:, -1] = False  # nothing is undecided after the last
        children = []
        for place in np.flatnonzero(build.any(axis=0)):
            rows = np.flatnonzero(build[:, place])
            children.append(self._drop(nodes.take(rows), int(place), layout))
        return children

    def _limit(self) -> np.ndarray:
        """What a subtree must beat (b, S): the worst best of the sizes it can reach."""
        if not self.by_size:
            return self.best
        return np.maximum.accumulate(self.best[:, ::-1], axis=1)[:, ::-1]

    def _drop(
        self, nodes: _Nodes, place: int, layout: list[list[int]], *, keep_before: bool = True
    ) -> _Nodes:
        """Nodes without the undecided group at a place; those before it become kept."""
        gone = layout[place]
        rest = [c for k, columns in enumerate(layout) if k > place for c in columns]
        if not keep_before:
            rest = [c for k, columns in enumerate(layout) if k != place for c in columns]
        whole = slice(*_span(rest)) if rest == list(range(*_span(rest))) else rest
        corner = nodes.block[:, gone][:, :, gone]
        side = nodes.block[:, whole, :][:, :, gone]
        part = nodes.coef[:, gone]
        if len(gone) == 1:
            scaled = side / np.maximum(corner, 1e-300)
        else:
            scaled = side @ np.linalg.inv(corner)
        block = nodes.block[:, whole][:, :, whole] - scaled @ side.transpose(0, 2, 1)
        coef = nodes.coef[:, whole] - (scaled @ part[..., None])[..., 0]
        loss = _losses(corner, part, [list(range(len(gone)))])[:, 0]
        alive = nodes.alive.copy()
        alive[np.arange(len(alive)), nodes.ids[:, place]] = False
        stay = slice(0, place) if keep_before else slice(0, 0)
        ids = nodes.ids[:, place + 1 :] if keep_before else np.delete(nodes.ids, place, axis=1)
        before = nodes.ids[:, stay]
        return _Nodes(
            block, coef, np.minimum(nodes.rss + loss, 1.0), ids, alive,
            nodes.kept + before.shape[1], nodes.width + self.columns[before].sum(axis=1),
            nodes.data,
        )  # fmt: skip


def _span(columns: list[int]) -> tuple[int, int]:
    return (columns[0], columns[-1] + 1) if columns else (0, 0)


def _permuted(nodes: _Nodes, order: np.ndarray) -> _Nodes:
    """Nodes with their undecided single columns in another order (m, u)."""
    rows = np.arange(len(order))[:, None]
    block = nodes.block[rows[..., None], order[:, :, None], order[:, None, :]]
    return replace(nodes, block=block, coef=nodes.coef[rows, order], ids=nodes.ids[rows, order])


def _standardized(
    gram: np.ndarray, p: int, total: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Correlations (b, p, p), a trace of ridge on the diagonal, and those with the response (b, p),
    and the columns' lengths (b, p); columns without variance are set to 0."""
    scale = np.sqrt(np.einsum("bii->bi", gram)[:, :p])
    dead = scale <= 1e-12 * np.maximum(scale.max(axis=1, keepdims=True, initial=0), 1e-300)
    scale = np.where(dead, 1.0, scale)
    unit = gram[:, :p, :p] / scale[:, :, None] / scale[:, None, :]
    cross = gram[:, :p, -1] / scale / np.sqrt(total)[:, None]
    unit = np.where(dead[:, :, None] | dead[:, None, :], 0.0, unit)
    unit[:, np.arange(p), np.arange(p)] = 1.0 + RIDGE
    return unit, np.where(dead, 0.0, cross), scale


def _losses(inverse: np.ndarray, coef: np.ndarray, groups: Sequence[Sequence[int]]) -> np.ndarray:
    """Rise (m, G) of the residual share when each group leaves."""
    if all(len(columns) == 1 for columns in groups):
        place = [columns[0] for columns in groups]
        pivot = np.einsum("mii->mi", inverse)[:, place]
        return coef[:, place] ** 2 / np.maximum(pivot, 1e-300)
    loss = np.empty((len(coef), len(groups)))
    for g, columns in enumerate(groups):
        if len(columns) == 1:
            j = columns[0]
            loss[:, g] = coef[:, j] ** 2 / np.maximum(inverse[:, j, j], 1e-300)
        else:
            block = inverse[:, columns][:, :, columns]
            part = coef[:, columns]
            loss[:, g] = np.einsum(
                "mi,mi->m", part, np.linalg.solve(block, part[..., None])[..., 0]
            )
    return np.maximum(loss, 0.0)
