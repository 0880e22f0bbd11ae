"""Nodes of the exact subset search, and the branching that decides their groups one after another.

Of the inverse Gram matrix a node needs the block of its undecided columns only. Bordered by their
coefficients and minus the residual share, one step of elimination gives the same table for the
set without a column: block, coefficients and residual share at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

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


def take_block(parts: list[Nodes], cells: int) -> Nodes:
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
    if len(taken) == 1:
        return taken[0]
    return Nodes(
        np.concatenate([part.table for part in taken]),
        np.concatenate([part.alive for part in taken]),
        np.concatenate([part.slot for part in taken]),
    )


def branched(nodes: Nodes, place: int, columns: Sequence[int]) -> Nodes:
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


def stepwise(table: np.ndarray, columns: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
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


def standardized(
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


def largest_eigenvalue(matrix: np.ndarray) -> np.ndarray:
    """An upper bound (b,) on the largest eigenvalue of symmetric matrices (b, p, p): the norm of
    the sixteenth power, which is at most a thirtieth of log p above it."""
    power, size = matrix, 1.0
    for _ in range(4):
        square = np.maximum(np.einsum("bij,bij->b", power, power), 1e-300)
        power, size = power / np.sqrt(square)[:, None, None], size**2 * square
        power = power @ power
    return (size * np.sqrt(np.einsum("bij,bij->b", power, power))) ** 0.0625 + 1e-300
