"""The frontier of the exact subset search: which nodes are worked on, and what they can still win.

A node is a set of groups: some are kept, the others undecided. Leaving a group out never lowers
the residual sum of squares, so a node's own sum bounds every subset below it (Furnival & Wilson
1974). At each node the undecided are put in the order of what their loss costs, the dearest first:
the largest subtrees are then the first to be cut (Gatu & Kontoghiorghes 2006). What several losses
cost together is bounded by the least eigenvalue of the Gram matrix, for each size apart. Nodes of
about equal width are worked on together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kalib.nodes import (
    RIDGE,
    Nodes,
    branch,
    largest_eigenvalue,
    losses,
    standardized,
    take_block,
    without,
)

MOST_WAITING = 50_000  # nodes; beyond it the smallest subtrees are finished first, to bound memory
# Beyond as many, and some for each data set, the best found so far is given, said not to be exact.
MOST_NODES, MOST_NODES_EACH = 3_000_000, 20_000
FEW_CELLS = 20_000  # below it, one larger batch of children is quicker than several smaller ones
SMALLEST = 1e-13  # residual share below which a fit is perfect


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
        self.unit, self.cross, self.scale = standardized(gram, p, self.total)
        self.columns = np.array([len(g) for g in self.groups], dtype=int)
        self.single = bool((self.columns == 1).all())
        self.required = np.isin(np.arange(self.size), list(required))
        self.exact = True

    def run(self, count: np.ndarray | None = None, price: np.ndarray | None = None) -> None:
        """Search; best (b, S) and winner (b, S, G) hold the result.

        With count (b,) and price (b,) the least count log(residual share) + price * columns, S = 1;
        without, the least residual share of every size.
        """
        b = len(self.total)
        self.by_size = count is None or price is None
        self.charge = None if count is None or price is None else (count, price)
        slots = self.most + 1 if self.by_size else 1
        self.best = np.full((b, slots), np.inf)
        self.winner = np.zeros((b, slots, self.size), dtype=bool)
        root = self._root()
        self._offer(root.data, root.rss, root.alive)
        self._greedy(root)
        waiting: dict[int, list[Nodes]] = {root.ids.shape[1]: [root]}
        many, seen = b, 0
        while waiting:
            u = max(waiting) if many < MOST_WAITING else min(waiting)
            nodes = take_block(waiting, u)
            many -= len(nodes.data)
            seen += len(nodes.data)
            if seen > MOST_NODES + MOST_NODES_EACH * b:
                self.exact = False
                return
            for child in self._children(nodes) if self.single else self._group_children(nodes):
                waiting.setdefault(child.ids.shape[1], []).append(child)
                many += len(child.data)

    def _value(self, data: np.ndarray, rss: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """What is minimized, of sets with a residual share and so many columns."""
        if self.charge is None:
            return rss
        count, price = self.charge
        return count[data] * np.log(np.maximum(rss, SMALLEST)) + price[data] * columns

    def _root(self) -> Nodes:
        """All groups in, those not required undecided, the dearest to lose first."""
        b, p = self.cross.shape
        inverse = np.linalg.inv(self.unit) if p else self.unit
        coef = np.einsum("bij,bj->bi", inverse, self.cross)
        rss = np.maximum(1.0 - np.einsum("bi,bi->b", coef, self.cross), SMALLEST)
        if self.single:
            length = np.sqrt(np.einsum("bii->bi", inverse))
            inverse = inverse / length[:, :, None] / length[:, None, :]
            coef = coef / length
        free = np.flatnonzero(~self.required)
        loss = losses(inverse, coef, [self.groups[g] for g in free]).mean(axis=0)
        ids = free[np.argsort(-loss, kind="stable")]
        place = [j for g in ids for j in self.groups[g]]
        block = inverse[:, place][:, :, place]
        self.floor = 1.0 / largest_eigenvalue(block)
        # Widths that nodes of one-column groups are padded to: fewer, larger batches.
        steps = np.unique([*np.ceil(4 * 1.35 ** np.arange(20)).astype(int), len(ids)])
        self.widths = steps[steps <= len(ids)]
        return Nodes(
            block, coef[:, place], rss, np.broadcast_to(ids, (b, len(ids))),
            np.ones((b, self.size), bool), np.arange(b),
        )  # fmt: skip

    def _greedy(self, nodes: Nodes) -> None:
        """Backward elimination: incumbents of every size before the search begins."""
        if self.single:
            self._greedy_singles(nodes)
            return
        while nodes.ids.shape[1]:
            layout = self._layout(nodes)
            worst = int(losses(nodes.block, nodes.coef, layout).mean(axis=0).argmin())
            nodes = self._drop(nodes, worst, layout, keep_before=False)
            self._offer(nodes.data, nodes.rss, nodes.alive)

    def _greedy_singles(self, nodes: Nodes) -> None:
        block, coef, every = nodes.block.copy(), nodes.coef.copy(), np.arange(len(nodes.data))
        b, u = coef.shape
        rss, alive = np.empty((u, b)), np.empty((u, b, self.size), dtype=bool)
        left, share = nodes.alive.copy(), nodes.rss
        for step in range(u):
            loss = coef * coef / np.abs(np.einsum("mii->mi", block))
            gone = loss.argmin(axis=1)
            share = np.minimum(share + loss[every, gone], 1.0)
            side = block[every, gone]
            scaled = side / side[every, gone][:, None]
            coef -= scaled * coef[every, gone][:, None]
            block -= scaled[:, :, None] * side[:, None, :]
            coef[every, gone] = np.inf
            left[every, nodes.ids[every, gone]] = False
            rss[step], alive[step] = share, left
        self._offer(np.tile(every, u), rss.ravel(), alive.reshape(u * b, self.size))

    def _layout(self, nodes: Nodes) -> list[list[int]]:
        """Columns of each undecided group inside the block."""
        sizes = self.columns[nodes.ids[0]]
        ends = np.cumsum(sizes)
        return [list(range(end - size, end)) for end, size in zip(ends, sizes, strict=True)]

    def _offer(self, data: np.ndarray, rss: np.ndarray, alive: np.ndarray) -> None:
        """Record sets that are admissible and better than their data set's best."""
        count = np.count_nonzero(alive, axis=1)
        value = self._value(data, rss, count if self.single else alive @ self.columns)
        slot = count if self.by_size else np.zeros(len(data), int)
        rows = np.flatnonzero(count <= self.most)
        rows = rows[value[rows] < self.best[data[rows], slot[rows]]]
        if self.signs is not None and len(rows):
            rows = rows[self._signs_fit(data[rows], alive[rows])]
        for i in rows[np.argsort(value[rows], kind="stable")[::-1]]:
            if value[i] < self.best[data[i], slot[i]]:
                self.best[data[i], slot[i]] = value[i]
                self.winner[data[i], slot[i]] = alive[i]
        self._set_limits()

    def _set_limits(self) -> None:
        """limit (b, G + 1): the residual share that a set of each size must stay below to win."""
        sizes = np.arange(self.size + 1)
        limit = np.full((len(self.total), self.size + 1), -1.0)
        if self.charge is None:
            limit[:, : self.most + 1] = self.best
        elif self.single:
            count, price = (part[:, None] for part in self.charge)
            with np.errstate(over="ignore"):
                limit = np.where(
                    sizes <= self.most, np.exp((self.best - price * sizes) / count), -1.0
                )
        self.limit = limit

    def shares(self) -> np.ndarray:
        """Residual shares (b, S) of the winners, each fitted anew: free of what rounding the
        search gathered on its way."""
        b, sizes = self.best.shape
        data = np.repeat(np.arange(b), sizes)
        slopes = self._unit_slopes(data, self.winner.reshape(b * sizes, -1))
        share = 1.0 - np.einsum("mi,mi->m", slopes, self.cross[data])
        fitted = np.maximum(share, SMALLEST).reshape(b, sizes)
        return np.where(np.isfinite(self.best), fitted, np.inf)

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

    def _children(self, nodes: Nodes) -> list[Nodes]:
        """Offer all children; build those whose subtrees can still hold something better."""
        u = nodes.ids.shape[1]
        if u == 0:
            return []
        found = branch(nodes, self.floor[nodes.data])
        after = self.limit[nodes.data, found.count - 1]
        rows, places = np.nonzero(found.rss < after[:, None])
        if len(rows):
            alive = nodes.alive[rows]
            alive[np.arange(len(rows)), nodes.ids[rows, found.order[rows, places]]] = False
            self._offer(nodes.data[rows], found.rss[rows, places], alive)
        # A child at a place can lose the columns after its own: of the sizes it reaches, those
        # that could still be won set the share it must stay below.
        sizes = np.maximum(found.count[:, None] - np.arange(1, u + 1), 0)
        limit = self.limit[nodes.data[:, None], sizes]
        limit = np.where(found.least < limit, limit, -1.0)
        limit = np.maximum.accumulate(limit, axis=1)[:, ::-1]
        rows, places = np.nonzero(found.rss[:, :-1] < limit[:, :-1])
        if not len(rows):
            return []
        left = u - 1 - places
        kind = np.searchsorted(self.widths, left)
        if len(rows) * left.max() ** 2 < FEW_CELLS:
            width = min(int(self.widths[kind.max()]), u)
            return [without(nodes, found, rows, places, width)]
        parts = [(width, np.flatnonzero(kind == k)) for k, width in enumerate(self.widths)]
        return [
            without(nodes, found, rows[part], places[part], min(int(width), u))
            for width, part in parts
            if len(part)
        ]

    def _group_children(self, nodes: Nodes) -> list[Nodes]:
        """The same where groups have several columns: all nodes have them in the same order."""
        u = nodes.ids.shape[1]
        if u == 0:
            return []
        layout = self._layout(nodes)
        rss = np.minimum(nodes.rss[:, None] + losses(nodes.block, nodes.coef, layout), 1.0)
        sizes = self.columns[nodes.ids]
        data = np.broadcast_to(nodes.data[:, None], rss.shape)
        total = np.broadcast_to(np.count_nonzero(nodes.alive, axis=1)[:, None], rss.shape)
        columns = (nodes.alive @ self.columns)[:, None]
        slot = np.minimum(total - 1, self.most) if self.by_size else np.zeros_like(total)
        value = self._value(data, rss, columns - sizes)
        wins = (total <= self.most + 1) & (value < self.best[data, slot])
        if wins.any():
            rows, places = np.nonzero(wins)
            alive = nodes.alive[rows]
            alive[np.arange(len(rows)), nodes.ids[rows, places]] = False
            self._offer(nodes.data[rows], rss[rows, places], alive)
        # Below a child the groups before its own stay; those after it are undecided. With sizes,
        # the least set of the subtree has the largest best to beat.
        kept = total - u + np.arange(u)
        width = columns - np.cumsum(sizes[:, ::-1], axis=1)[:, ::-1]
        floor = np.minimum(kept, self.most) if self.by_size else np.zeros_like(kept)
        bound = self._value(data, rss, width)
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
        self, nodes: Nodes, place: int, layout: list[list[int]], *, keep_before: bool = True
    ) -> Nodes:
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
        loss = losses(corner, part, [list(range(len(gone)))])[:, 0]
        alive = nodes.alive.copy()
        alive[np.arange(len(alive)), nodes.ids[:, place]] = False
        ids = nodes.ids[:, place + 1 :] if keep_before else np.delete(nodes.ids, place, axis=1)
        return Nodes(block, coef, np.minimum(nodes.rss + loss, 1.0), ids, alive, nodes.data)


def _span(columns: list[int]) -> tuple[int, int]:
    return (columns[0], columns[-1] + 1) if columns else (0, 0)
