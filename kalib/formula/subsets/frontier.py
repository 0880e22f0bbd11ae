"""The frontier of the exact subset search: which nodes are worked on, and what they can still win.

A node is a set of groups: some are kept, the others undecided. Leaving a group out never lowers
the residual sum of squares, so a node's own sum bounds every subset below it (Furnival & Wilson
1974). Groups are decided in the order in which backward elimination leaves them, the last first:
what is dear to lose is lost near the root, where few nodes have to be cut (Gatu & Kontoghiorghes
2006). What several losses cost together is bounded by the least eigenvalue of the Gram matrix.

Of the inverse Gram matrix a node needs the block of its undecided columns only. Bordered by their
coefficients and minus the residual share, one step of elimination gives the same table for the
set without a column: block, coefficients and residual share at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

BLOCK_CELLS = 150_000  # table cells branched at once: a megabyte or two, what a cache holds
LAST_GROUPS = 3  # so few undecided are decided without looking what may be cut
MOST_CELLS = 20_000_000  # waiting; beyond it the smallest subtrees are finished first
# Table cells branched, beyond which, and some for each data set, the best found so far is given
# and how much better another could be: a limit of time that is the same on every machine.
MOST_WORK, MOST_WORK_EACH = 300_000_000, 10_000_000
# Candidates beyond which forward selection chooses those that are searched, and BIC is extended:
# their subsets can no longer all be told from noise, nor looked at.
MANY = 30
SMALLEST = 1e-13  # residual share below which a fit is perfect

# Added to the unit diagonal: far below the digits anyone reports, enough to keep a matrix of
# nearly collinear columns invertible.
RIDGE = 1e-10
# The same where columns are collinear to within it: errors of elimination grow with its inverse.
COLLINEAR_RIDGE = 1e-8
# What is left of a unit diagonal of the inverse is never less than RIDGE; below it is rounding.
LEAST_PIVOT = RIDGE / 2


@dataclass
class Nodes:
    """m sets of groups, of which the last of the search's order are undecided.

    table (m, U + 1, U + 1): the block of the inverse Gram matrix of the U undecided columns, then
    their coefficients, in the corner minus the residual share; alive (m, G): kept or undecided, in
    the order of the data set; slot (m,): data set * (G + 1) + groups alive.
    """

    table: np.ndarray
    alive: np.ndarray
    slot: np.ndarray

    def take(self, rows: np.ndarray | slice) -> Nodes:
        """Some of the nodes."""
        return Nodes(self.table[rows], self.alive[rows], self.slot[rows])


@dataclass(frozen=True)
class Space:
    """What is searched.

    groups: column numbers that enter together, each column alone where None; required: groups
    always in; most: groups at most; signs: (p,) of -1, 0, 1, the sign each coefficient must have
    where it is not 0; candidates: how many groups there were to choose from, if more than groups.
    """

    groups: Sequence[Sequence[int]] | None = None
    required: Sequence[int] = ()
    most: int | None = None
    signs: np.ndarray | None = None
    candidates: int = 0

    def price(self, count: np.ndarray) -> np.ndarray:
        """What a column costs where rows are count (b,): the extended BIC (Chen & Chen 2008,
        Biometrika 95) with the least gamma that is consistent, which is 0 while candidates are no
        more than the root of the rows; the plain one where candidates are not many."""
        count = np.maximum(count, 2.0)
        many = 2 * np.log(self.candidates) if self.candidates > MANY else 0.0
        return np.asarray(np.maximum(np.log(count), many))


class Search:
    """One frontier over b data sets that share a space."""

    def __init__(self, gram: np.ndarray, space: Space) -> None:
        """gram: centered cross products ([b,] p + 1, p + 1), response last."""
        gram = np.array(gram, dtype=float, ndmin=3)
        p = gram.shape[1] - 1
        self.groups = [list(group) for group in space.groups or [[j] for j in range(p)]]
        self.size = len(self.groups)
        self.most = self.size if space.most is None else min(space.most, self.size)
        self.required = sorted(set(space.required))
        self.total = np.maximum(gram[:, -1, -1], 1e-300)
        self.signs = space.signs
        self.unit, self.cross, self.scale = _standardized(gram, p, self.total)
        self.columns = np.array([len(g) for g in self.groups], dtype=int)
        self.single = bool((self.columns == 1).all())
        # Columns of so many groups at least.
        self.fewest = np.cumsum([0, *np.sort(self.columns)])[: self.most + 1]

    def run(self, count: np.ndarray | None = None, price: np.ndarray | None = None) -> None:
        """Search; best (b, S) and winner (b, S, G) hold the result, gap (b, S) how much less it
        could be at most where the search had to end.

        With count (b,) and price (b,) the least count log(residual share) + price * columns, S = 1;
        without, the least residual share of every size.
        """
        b = len(self.total)
        self.charge = None if count is None or price is None else (count, price)
        slots = self.most + 1 if self.charge is None else 1
        self.best, self.gap = np.full((b, slots), np.inf), np.zeros((b, slots))
        self.winner = np.zeros((b, slots, self.size), dtype=bool)
        root = self._root()
        left = self.size - len(self.required)
        waiting: dict[int, list[Nodes]] = {left: [root]} if left else {}
        cells = self.work = root.table.size
        while waiting:
            if self.work > MOST_WORK + MOST_WORK_EACH * b:
                self._set_gap(waiting)
                return
            left = max(waiting) if cells < MOST_CELLS else min(waiting)
            nodes = _take_block(waiting[left], BLOCK_CELLS)
            cells -= nodes.table.size
            if not waiting[left]:
                del waiting[left]
            steps = left if left <= LAST_GROUPS else 1
            place, parents, left = self.size - left, len(nodes.slot), left - steps
            self.work += nodes.table.size << steps
            nodes = _branched(nodes, place, self.sizes[place : place + steps])
            self._offer(-nodes.table[parents:, -1, -1], nodes.alive[parents:], nodes.slot[parents:])
            if left:
                limit = self.limit.take(nodes.slot[:, None] - np.arange(1, left + 1))
                promising = np.flatnonzero((self._bounds(nodes, left) < limit).any(axis=1))
                if len(promising):
                    waiting.setdefault(left, []).append(nodes.take(promising))
                    cells += waiting[left][-1].table.size

    def _root(self) -> Nodes:
        """All groups in, those not required undecided, the dearest to lose first; what backward
        elimination leaves is offered."""
        b = len(self.total)
        free = np.array([g for g in range(self.size) if g not in self.required], dtype=int)
        u, fixed = len(free), len(self.required)
        table = self._table([j for g in free for j in self.groups[g]])
        ends = np.cumsum(self.columns[free]).tolist()
        spans = [list(range(e - n, e)) for e, n in zip(ends, self.columns[free], strict=True)]
        gone, shares = _stepwise(table, spans)
        gone = gone[:, ::-1]
        self.order = np.empty((b, self.size), dtype=int)
        self.order[:, :fixed], self.order[:, fixed:] = self.required, free[gone]
        self.sizes = self.columns[self.order[0]].tolist()
        path = np.hstack([shares[:, ::-1], -table[:, -1:, -1]])
        moved = gone
        if not self.single:
            moved = np.tile(np.array([j for g in gone[0] for j in spans[g]], int), (b, 1))
        moved = np.hstack([moved, np.full((b, 1), table.shape[1] - 1)])
        table = table[np.arange(b)[:, None, None], moved[:, :, None], moved[:, None, :]]
        self.block = table[:, :-1, :-1]
        self.floors: dict[int, np.ndarray] = {}
        alive = np.ones((u + 1, self.size), dtype=bool)
        alive[:, fixed:] = np.tri(u + 1, u, -1, dtype=bool)
        slot = np.arange(b)[:, None] * (self.size + 1) + np.arange(fixed, self.size + 1)
        self._set_limits()
        self._offer(path.ravel(), np.tile(alive, (b, 1)), slot.ravel())
        return Nodes(table, np.ones((b, self.size), bool), slot[:, u])

    def _table(self, inside: list[int]) -> np.ndarray:
        """Tables of all columns, as in Nodes, with rows for those inside."""
        b, p = self.cross.shape
        inverse = np.linalg.inv(self.unit)
        if inverse.max(initial=0) > 1 / COLLINEAR_RIDGE:
            inverse = np.linalg.inv(self.unit + COLLINEAR_RIDGE * np.eye(p))
        coef = np.einsum("bij,bj->bi", inverse, self.cross)
        length = np.sqrt(np.einsum("bii->bi", inverse))
        table = np.empty((b, p + 1, p + 1))
        table[:, :p, :p] = inverse / length[:, :, None] / length[:, None, :]
        table[:, p, :p] = table[:, :p, p] = coef / length
        table[:, p, p] = -np.maximum(1.0 - np.einsum("bi,bi->b", coef, self.cross), SMALLEST)
        place = [*inside, p]
        return table[:, place][:, :, place]

    def _offer(self, rss: np.ndarray, alive: np.ndarray, slot: np.ndarray) -> None:
        """Record sets that are admissible and better than their data set's best."""
        rows = np.flatnonzero(rss < self.limit.take(slot))
        if not len(rows):
            return
        data, size = np.divmod(slot[rows], self.size + 1)
        alive, value = alive[rows], rss[rows]
        if self.charge is not None:
            count, price = self.charge
            columns = alive @ self.sizes
            value = count[data] * np.log(np.maximum(value, SMALLEST)) + price[data] * columns
            size = np.zeros_like(size)
        better = value < self.best[data, size]
        if self.signs is not None and better.any():
            slopes = self._unit_slopes(data[better], self._groups(data[better], alive[better]))
            better[better] = (slopes * self.signs >= 0).all(axis=1)
        data, size, value, alive = data[better], size[better], value[better], alive[better]
        order = np.lexsort((value, size, data))
        data, size = data[order], size[order]
        first = np.ones(len(order), dtype=bool)
        first[1:] = (data[1:] != data[:-1]) | (size[1:] != size[:-1])
        self.best[data[first], size[first]] = value[order][first]
        self.winner[data[first], size[first]] = self._groups(data[first], alive[order][first])
        self._set_limits()

    def _groups(self, data: np.ndarray, alive: np.ndarray) -> np.ndarray:
        """From the order of each data set to the groups' own (m, G)."""
        found = np.empty_like(alive)
        np.put_along_axis(found, self.order[data], alive, axis=1)
        return found

    def _set_limits(self) -> None:
        """limit (b * (G + 1),): the residual share that a set of so many groups must stay below
        to win."""
        limit = np.full((len(self.total), self.size + 1), -1.0)
        if self.charge is None:
            limit[:, : self.most + 1] = self.best
        else:
            count, price = (part[:, None] for part in self.charge)
            with np.errstate(over="ignore"):
                limit[:, : self.most + 1] = np.exp((self.best - price * self.fewest) / count)
        self.limit = limit.ravel()

    def _bounds(self, nodes: Nodes, left: int) -> np.ndarray:
        """Residual shares (m, left), at least, where one to all of those undecided are lost.

        Losing a set of columns costs no less than the sum of their squared coefficients times the
        least eigenvalue of the Gram matrix of those undecided, in the scale in which its inverse
        has a unit diagonal.
        """
        table = nodes.table
        square = np.square(table[:, :-1, -1])
        if not self.single:
            starts = np.cumsum([0, *self.sizes[self.size - left : -1]])
            square = np.add.reduceat(square, starts, axis=1)
        square.sort(axis=1)
        least = square.cumsum(axis=1)
        floor = self._floor(table.shape[1] - 1)
        least *= floor if len(floor) == 1 else floor[nodes.slot // (self.size + 1), None]
        least -= table[:, -1, -1, None]
        return least

    def _set_gap(self, waiting: dict[int, list[Nodes]]) -> None:
        """How much better than the best found those may be that were not looked at."""
        least = np.full(self.limit.shape, np.inf)
        for left, parts in waiting.items():
            for nodes in parts:
                slots = nodes.slot[:, None] - np.arange(1, left + 1)
                np.minimum.at(least, slots, self._bounds(nodes, left))
        least = least.reshape(len(self.total), -1)[:, : self.most + 1]
        if self.charge is not None:
            count, price = (part[:, None] for part in self.charge)
            value = count * np.log(np.maximum(least, SMALLEST)) + price * self.fewest
            least = value.min(axis=1, keepdims=True)
        self.gap = np.maximum(self.best - least, 0.0)

    def _floor(self, width: int) -> np.ndarray:
        """Least eigenvalue (b,), at least, of the Gram matrix of the last columns, as many as a
        multiple of four."""
        width = min(-(-width // 4) * 4, self.block.shape[1])
        if width not in self.floors:
            start = self.block.shape[1] - width
            self.floors[width] = 1.0 / _largest_eigenvalue(self.block[:, start:, start:])
        return self.floors[width]

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
        length = np.sqrt(self.total[data])[:, None, None] / self.scale[data][:, None]
        return unit.reshape(m, sizes, -1) * length

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


def _take_block(parts: list[Nodes], cells: int) -> Nodes:
    """Nodes of so many cells at most, taken out of parts of the same width."""
    limit = max(1, cells // parts[0].table.shape[1] ** 2)
    taken: list[Nodes] = []
    while parts and limit > 0:
        part = parts.pop()
        if len(part.slot) > limit:
            parts.append(part.take(slice(limit, None)))
            part = part.take(slice(limit))
        taken.append(part)
        limit -= len(part.slot)
    fields = zip(*(vars(nodes).values() for nodes in taken), strict=True)
    return Nodes(*(np.concatenate(each) for each in fields))


def _branched(nodes: Nodes, place: int, columns: Sequence[int]) -> Nodes:
    """Every node with its next groups, from a place of the order on, kept and lost in all ways.

    columns: of each of these groups. The first of the 2^k m nodes are the given ones, all kept.
    """
    m, width = nodes.table.shape[:2]
    k = len(columns)
    table = np.empty((m << k, width, width))
    table[:m] = nodes.table
    alive = np.empty((1 << k, m, nodes.alive.shape[1]), dtype=bool)
    alive[:] = nodes.alive
    lost = np.arange(1 << k)[:, None] >> np.arange(k) & 1
    alive[:, :, place : place + k] = lost[:, None] == 0
    at = 0
    for size in columns:
        without = table[m : 2 * m]
        _eliminate(table[:m], at, without)
        for column in range(at + 1, at + size):
            _eliminate(without, column, without)
        m, at = 2 * m, at + size
    slot = nodes.slot - lost.sum(axis=1)[:, None]
    return Nodes(table[:, at:, at:], alive.reshape(m, -1), slot.ravel())


def _eliminate(table: np.ndarray, column: int, into: np.ndarray) -> None:
    """Tables without a column, of those after it."""
    rest = column + 1
    row = table[:, column, rest:]
    scaled = row / np.maximum(table[:, column, column, None], LEAST_PIVOT)
    inner = into[:, rest:, rest:]
    product = np.multiply(scaled[:, :, None], row[:, None, :], out=None if into is table else inner)
    np.subtract(table[:, rest:, rest:], product, out=inner)


def _stepwise(table: np.ndarray, columns: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Groups that leave one after another, the cheapest first: (order, residual shares after each),
    both (b, G).

    table (b, U + 1, U + 1): as in Nodes; columns: of each group. Where groups have several columns,
    all data sets have one order, and a group is taken to cost what its dearest column costs.
    """
    b, u = len(table), len(columns)
    table, every = table.copy(), np.arange(b)
    pivot, coef = np.einsum("bii->bi", table)[:, :-1], table[:, :-1, -1]
    starts = np.cumsum([0, *(len(group) for group in columns)])[:-1]
    single = len(starts) == pivot.shape[1]
    order, shares = np.empty((u, b), dtype=int), np.empty((u, b))
    for step in range(u):
        cost = coef * coef / pivot
        if single:
            chosen = cost.argmin(axis=1)
            places: list[Any] = [(every, chosen)]
        else:
            chosen = np.maximum.reduceat(cost, starts, axis=1).mean(axis=0).argmin()
            places = [(slice(None), j) for j in columns[chosen]]
        for place in places:
            row = table[place]
            scaled = row / np.maximum(row[place], LEAST_PIVOT)[:, None]
            table -= scaled[:, :, None] * row[:, None, :]
            pivot[place], coef[place] = 1.0, np.inf  # never chosen again
        order[step], shares[step] = chosen, table[:, -1, -1]
    return order.T, np.abs(shares.T)


def _standardized(
    gram: np.ndarray, p: int, total: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Correlations (b, p, p), a trace of ridge on the diagonal, those with the response (b, p), and
    the columns' lengths (b, p); columns without variance are set to 0."""
    # A sum of squares taken by subtraction may end below nought in its last bit.
    scale = np.sqrt(np.maximum(np.einsum("bii->bi", gram)[:, :p], 0.0))
    dead = scale <= 1e-12 * np.maximum(scale.max(axis=1, keepdims=True, initial=0), 1e-300)
    scale = np.where(dead, 1.0, scale)
    unit = gram[:, :p, :p] / scale[:, :, None] / scale[:, None, :]
    cross = gram[:, :p, -1] / scale / np.sqrt(total)[:, None]
    if dead.any():
        unit = np.where(dead[:, :, None] | dead[:, None, :], 0.0, unit)
        cross = np.where(dead, 0.0, cross)
    unit[:, np.arange(p), np.arange(p)] = 1.0 + RIDGE
    return unit, cross, scale


def _largest_eigenvalue(matrix: np.ndarray) -> np.ndarray:
    """An upper bound (b,) on the largest eigenvalue of symmetric matrices (b, p, p): the norm of
    the sixteenth power, which is at most a thirtieth of log p above it."""
    power, size = matrix, 1.0
    for _ in range(4):
        square = np.maximum(np.einsum("bij,bij->b", power, power), 1e-300)
        power, size = power / np.sqrt(square)[:, None, None], size**2 * square
        power = power @ power
    return (size * np.sqrt(np.einsum("bij,bij->b", power, power))) ** 0.0625 + 1e-300
