"""Nodes of the exact subset search, and the children of those whose groups have one column each.

Of the inverse Gram matrix a node needs the block of its undecided groups only, from which the sums
of squares of all its children follow in closed form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

# Added to the unit diagonal: far below the digits anyone reports, enough to keep a matrix of
# nearly collinear columns invertible.
RIDGE = 1e-10
BLOCK_CELLS = 300_000  # matrix cells worked on at once: about 2 MB, what a cache holds


@dataclass
class Nodes:
    """m nodes with u undecided groups of U columns: block (m, U, U) of the inverse Gram matrix,
    coef (m, U), rss (m,) as share of the total, ids (m, u) of the undecided, alive (m, G) kept or
    undecided, data (m,) data set. Where groups have one column, a node may have fewer undecided
    groups than u: the coefficients of the others are infinite, and so is what their loss costs."""

    block: np.ndarray
    coef: np.ndarray
    rss: np.ndarray
    ids: np.ndarray
    alive: np.ndarray
    data: np.ndarray

    def take(self, rows: np.ndarray | slice) -> Nodes:
        """Some of the nodes."""
        return Nodes(
            self.block[rows], self.coef[rows], self.rss[rows], self.ids[rows],
            self.alive[rows], self.data[rows],
        )  # fmt: skip


def join(parts: list[Nodes]) -> Nodes:
    """Nodes of the same width together."""
    if len(parts) == 1:
        return parts[0]
    names = [field.name for field in fields(Nodes)]
    return Nodes(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def take_block(waiting: dict[int, list[Nodes]], u: int) -> Nodes:
    """As many of the waiting nodes of width u as are worked on at once."""
    parts = waiting[u]
    limit = max(1, BLOCK_CELLS // max(parts[0].coef.shape[1] ** 2, 1))
    taken: list[Nodes] = []
    while parts and limit > 0:
        part = parts.pop()
        if len(part.data) > limit:
            parts.append(part.take(slice(limit, None)))
            part = part.take(slice(limit))
        taken.append(part)
        limit -= len(part.data)
    if not parts:
        del waiting[u]
    return join(taken)


@dataclass(frozen=True)
class Branching:
    """What m nodes of one-column groups could lose: order (m, u) of their columns, the dearest to
    lose first; rss (m, u) without each, in that order; count (m,) of groups before; least (m, u):
    a bound on the residual share after 1, 2, ... groups are lost, whichever they are."""

    order: np.ndarray
    rss: np.ndarray
    count: np.ndarray
    least: np.ndarray


def branch(nodes: Nodes, floor: np.ndarray) -> Branching:
    """What each node's children leave unexplained, and what their descendants at least.

    Losing a set of columns costs no less than losing the dearest of them; and no less than the
    sum of their squared coefficients times floor (m,), the least eigenvalue of the root's Gram
    matrix in the scale in which its inverse has a unit diagonal.
    """
    square = nodes.coef * nodes.coef
    loss = square / np.abs(np.einsum("mii->mi", nodes.block))
    order = np.argsort(-loss, axis=1)
    start = nodes.rss[:, None]
    rss = start + loss.take(order + np.arange(0, loss.size, loss.shape[1])[:, None])
    square.sort(axis=1)
    together = start + floor[:, None] * np.cumsum(square, axis=1)
    return Branching(
        order, rss, np.count_nonzero(nodes.alive, axis=1), np.maximum(rss[:, ::-1], together)
    )


def without(
    nodes: Nodes, found: Branching, rows: np.ndarray, places: np.ndarray, width: int
) -> Nodes:
    """Children of nodes (rows) that lose the column at a place of the order; of their undecided
    columns, those after the place, there are at most width."""
    u, every = nodes.coef.shape[1], np.arange(len(rows))
    order = found.order[rows]
    gone = order[every, places]
    if width == u:
        block, coef, ids = nodes.block[rows], nodes.coef[rows], nodes.ids[rows]
        side = block[every, gone]
    else:
        order = order[:, u - width :]
        lines = (rows * (u * u))[:, None] + order * u
        side = nodes.block.take(lines + gone[:, None])
        block = nodes.block.take(lines[:, :, None] + order[:, None, :])
        across = (rows * u)[:, None] + order
        coef, ids = nodes.coef.take(across), nodes.ids.take(across)
        order = np.arange(width)[None, :]
    scaled = side / nodes.block[rows, gone, gone][:, None]
    block -= scaled[:, :, None] * side[:, None, :]
    coef -= scaled * nodes.coef[rows, gone][:, None]
    decided = np.arange(u - width, u) <= places[:, None]
    coef.ravel()[(every[:, None] * width + order)[decided]] = np.inf
    alive = nodes.alive[rows]
    alive[every, nodes.ids[rows, gone]] = False
    return Nodes(block, coef, found.rss[rows, places], ids, alive, nodes.data[rows])


def standardized(
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


def losses(inverse: np.ndarray, coef: np.ndarray, groups: Sequence[Sequence[int]]) -> np.ndarray:
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


def largest_eigenvalue(matrix: np.ndarray) -> np.ndarray:
    """An upper bound (b,) on the largest eigenvalue of symmetric matrices (b, p, p): the norm of
    the eighth power, which is at most a tenth of log p above it."""
    power, size = matrix, np.ones(len(matrix))
    for _ in range(3):
        norm = np.maximum(np.linalg.norm(power, axis=(1, 2)), 1e-300)
        power, size = power / norm[:, None, None], size**2 * norm**2
        power = power @ power
    return (size * np.linalg.norm(power, axis=(1, 2))) ** 0.125 + 1e-300
