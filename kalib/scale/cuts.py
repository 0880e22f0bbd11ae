"""The cuts of the study over all rows of a table, computed by its engine, exactly."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from kalib.errors import StudyError
from kalib.scale.expression import Cuts, chance_below, place_of
from kalib.scale.recipe import Recipe, RunCuts
from kalib.scale.sources import fetched

BUCKETS = 1024  # per unit of what is ordered: few rows share one, however many the table has


class Order:
    """The values of a column from the largest down, of a table of any size.

    rows: their number; sum: of the values; along: sum of another column. Counts and sums by bucket,
    then the values of the one asked for: memory stays, and the result is that of sorting.
    """

    def __init__(self, table: Any, value: Any, scale: Any, along: Any) -> None:
        """value: what is ordered; scale: an expression in the same order, cut into buckets."""
        bucket = (scale * BUCKETS).floor().cast("int64")
        rows = table.select(value=value, bucket=bucket, along=along)
        self.buckets = _by("bucket", rows)
        self.inside = cache(lambda bucket: _by("value", rows.filter(rows.bucket == bucket)))
        self.rows, self.sum = int(self.buckets["n"].sum()), float(self.buckets["sum"].sum())
        self.along = float(np.nansum(self.buckets["along"]))

    def at(self, rank: int) -> tuple[float, int, int]:
        """The value at a rank, 0 for the largest; how many lie above it, and how many are it."""
        value, before, count = self._where("n", rank + 0.5)
        return value, int(before), int(count)

    def reaching(self, part: float) -> float:
        """The value at which the sum from the largest down reaches a part of the whole."""
        return self._where("sum", part * self.sum * (1 - 1e-12))[0]

    def _where(self, name: str, goal: float) -> tuple[float, float, float]:
        """The value at which a running total reaches a goal, the total before it, and its own."""
        k, before = _reached(self.buckets[name], goal)
        inside = self.inside(int(self.buckets["bucket"][k]))
        i, within = _reached(inside[name], goal - before)
        return float(inside["value"][i]), before + within, float(inside[name][i])


def _by(key: str, table: Any) -> dict[str, np.ndarray]:
    """Count and sums by a column (n,), from its largest down."""
    sums = {"n": table.count(), "sum": table.value.sum(), "along": table.along.sum()}
    rows = sorted(fetched(table.group_by(key).aggregate(**sums)), key=lambda row: -row[key])
    return {name: np.array([row[name] for row in rows], float) for name in (key, *sums)}


def _reached(amounts: np.ndarray, goal: float) -> tuple[int, float]:
    """Where the running total of amounts reaches a goal, and what it is before."""
    totals = amounts.cumsum()
    k = min(int(np.searchsorted(totals, goal)), len(totals) - 1)
    return k, float(totals[k] - amounts[k])


def compute_cuts(staged: Any, recipe: Recipe, file: str) -> Cuts:
    """The cuts of rows staged for scoring; file: what messages call the table. Raises StudyError
    where no row has a potential."""
    known = staged.filter(staged.kalib_potential.notnull())
    potential, sales = known.kalib_potential, known.kalib_sales
    order = Order(known, potential, potential.ln(), sales)
    if not order.rows:
        raise StudyError("no row has all indicators of the formula", file=file,
                         column=", ".join(recipe.surveyed), remedy="Fill them in")  # fmt: skip
    share = _share(recipe, order.along, order.sum, file)
    line = _line(recipe, order)
    size = _key_number(known, recipe, line, order.rows)
    if not size:
        return Cuts(line, share, -np.inf, rows=order.rows)
    place = place_of(known, recipe, line)
    if recipe.even:  # the larger the potential, the likelier it is high
        value, before, tied = order.at(size - 1)
        last = known.filter(potential == value)
        worst = float(fetched(last.aggregate(place=place_of(last, recipe, line).max()))[0]["place"])
    else:
        scale = -place if recipe.form == "linear" else -place.ln()
        value, before, tied = Order(known, -place, scale, sales).at(size - 1)
        worst = -value
    if before + tied == size:
        return Cuts(line, share, worst, rows=order.rows)
    # More accounts are as likely as the last key one: the smaller ids are key.
    alike = staged.filter(place_of(staged, recipe, line) == worst).order_by("kalib_account")
    ids = fetched(alike.select("kalib_account").limit(1, offset=size - before - 1))
    return Cuts(line, share, worst, str(ids[0]["kalib_account"]), order.rows)


def run_cuts(recipe: Recipe, cuts: RunCuts) -> Cuts:
    """The cuts of the run, the last key account as likely to be high as the run's."""
    points, chances, _, _ = recipe.knots
    place = np.interp(1 - cuts.key_probability, chances, points)
    return Cuts(cuts.potential_cut, cuts.sow_cut, float(place))


def _share(recipe: Recipe, sales: float, potential: float, file: str) -> float:
    if recipe.study.share_cut != "market":
        return float(recipe.study.share_cut)
    if sales <= 0:
        said = "sales add up to nothing where potential is known, so that there is no market share"
        remedy = "Give our sales, or take the run's cuts with --cuts run"
        raise StudyError(said, file, recipe.study.sales, remedy=remedy)
    return sales / potential


def _line(recipe: Recipe, order: Order) -> float:
    """The potential cut, as `kalib.matrix.matrix.potential_cut` of all potentials."""
    kind, value, rows = recipe.study.cut.kind, recipe.study.cut.value, order.rows
    if kind == "value":
        return value
    if kind == "top":
        return order.at(min(int(value), rows) - 1)[0]
    if kind == "pareto":
        return order.reaching(value)
    place = (1 - value) * (rows - 1)  # numpy's linear quantile, counted from the largest
    above, below = (order.at(min(int(place) + k, rows - 1))[0] for k in (0, 1))
    return above + (place - int(place)) * (below - above)


def _key_number(known: Any, recipe: Recipe, line: float, rows: int) -> int:
    """How many accounts are key, as `kalib.matrix.matrix.key_accounts` counts them."""
    kind, value = recipe.study.cut.kind, recipe.study.cut.value
    if kind == "quantile":
        return rows - int(np.ceil(value * (rows - 1) - 1e-9))
    if kind == "top":
        return min(int(value), rows)
    below = chance_below(place_of(known, recipe, line), recipe)
    return int(np.floor(rows - fetched(known.aggregate(below=below.sum()))[0]["below"] + 0.5))
