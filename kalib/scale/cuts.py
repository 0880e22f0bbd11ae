"""The cuts of the study over all rows of a table, computed by its engine, exactly."""

from __future__ import annotations

from typing import Any

import numpy as np

from kalib.errors import Problem, StudyError
from kalib.scale.expression import Cuts, chance_below, place_of
from kalib.scale.recipe import Recipe, RunCuts
from kalib.scale.sources import fetched

BUCKETS = 1024  # per unit of what is ordered: few rows share one, however many the table has


class Order:
    """The values of a column from the largest down, of a table of any size.

    rows: their number; sum: of the values; along: sum of another column. Counts and sums by bucket,
    then the values of the bucket that is asked for: memory does not grow with the rows, and the
    result is that of sorting them.
    """

    def __init__(self, table: Any, value: Any, scale: Any, along: Any) -> None:
        """value: what is ordered; scale: an expression in the same order, which is cut into
        buckets."""
        bucket = (scale * BUCKETS).floor().cast("int64")
        self.table = table.select(value=value, bucket=bucket, along=along)
        found = _arrays(
            self.table.group_by("bucket").aggregate(
                n=self.table.count(), sum=self.table.value.sum(), along=self.table.along.sum()
            )
        )
        self.buckets = found["bucket"]
        self.above, self.sums = found["n"].cumsum(), found["sum"].cumsum()
        self.rows = int(self.above[-1]) if len(self.above) else 0
        self.sum = float(self.sums[-1]) if self.rows else 0.0
        self.along = float(np.nansum(found["along"]))
        self.seen: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def at(self, rank: int) -> tuple[float, int, int]:
        """The value at a rank, 0 for the largest; how many lie above it, and how many are it."""
        k = int(np.searchsorted(self.above, rank, side="right"))
        values, counts = self._inside(k)
        first = (self.above[k - 1] if k else 0) + counts.cumsum() - counts
        i = int(np.searchsorted(first, rank, side="right")) - 1
        return float(values[i]), int(first[i]), int(counts[i])

    def reaching(self, part: float) -> float:
        """The value at which the sum from the largest down reaches a part of the whole."""
        goal = part * self.sum * (1 - 1e-12)
        k = min(int(np.searchsorted(self.sums, goal)), len(self.sums) - 1)
        values, counts = self._inside(k)
        running = (self.sums[k - 1] if k else 0.0) + (values * counts).cumsum()
        return float(values[min(int(np.searchsorted(running, goal)), len(values) - 1)])

    def _inside(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The values in a bucket and how often each is there."""
        if k not in self.seen:
            inside = self.table.filter(self.table.bucket == int(self.buckets[k]))
            found = _arrays(inside.group_by("value").aggregate(n=inside.count()))
            self.seen[k] = found["value"], found["n"]
        return self.seen[k]


def compute_cuts(staged: Any, decisive: Any, recipe: Recipe, file: str) -> Cuts:
    """The cuts of rows staged for scoring.

    decisive: the same rows without what is only shown, which may be held where all can't; file:
    what messages call the table. Raises StudyError where no row has a potential.
    """
    known = decisive.filter(decisive.kalib_potential.notnull())
    potential, sales = known.kalib_potential, known.kalib_sales
    order = Order(known, potential, potential.ln(), sales)
    if not order.rows:
        raise StudyError(
            Problem("no row has all indicators of the formula", file=file,
                    column=", ".join(recipe.surveyed), remedy="Fill them in")
        )  # fmt: skip
    share = _share(recipe, order.along, order.sum, file)
    line = _line(recipe, order)
    size = _key_number(known, recipe, line, order.rows)
    if not size:
        return Cuts(line, share, -np.inf)
    place = place_of(known, recipe, line)
    if recipe.spread is None:  # the larger the potential, the likelier it is high
        value, before, tied = order.at(size - 1)
        last = known.filter(potential == value)
        worst = float(fetched(last.aggregate(place=place_of(last, recipe, line).max()))[0]["place"])
    else:
        scale = -place if recipe.form == "linear" else -place.ln()
        value, before, tied = Order(known, -place, scale, sales).at(size - 1)
        worst = -value
    if before + tied == size:
        return Cuts(line, share, worst)
    # More accounts are as likely as the last key one: the smaller ids are key.
    alike = staged.filter(place_of(staged, recipe, line) == worst).order_by("kalib_account")
    ids = fetched(alike.select("kalib_account").limit(1, offset=size - before - 1))
    return Cuts(line, share, worst, str(ids[0]["kalib_account"]))


def run_cuts(recipe: Recipe, cuts: RunCuts) -> Cuts:
    """The cuts of the run, the last key account as likely to be high as the run's."""
    points, chances, _, _ = recipe.knots
    place = np.interp(1 - cuts.key_probability, chances, points)
    return Cuts(cuts.potential_cut, cuts.sow_cut, float(place))


def _share(recipe: Recipe, sales: float, potential: float, file: str) -> float:
    if recipe.study.share_cut != "market":
        return float(recipe.study.share_cut)
    if sales <= 0:
        raise StudyError(
            Problem("sales add up to nothing where potential is known, so that there is no market "
                    "share", file=file, column=recipe.study.sales,
                    remedy="Give our sales, or take the run's cuts with --cuts run")
        )  # fmt: skip
    return sales / potential


def _line(recipe: Recipe, order: Order) -> float:
    """The potential cut, as `kalib.matrix.matrix.potential_cut` of all potentials."""
    kind, value, rows = recipe.study.cut, recipe.study.cut_value, order.rows
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
    kind, value = recipe.study.cut, recipe.study.cut_value
    if kind == "quantile":
        return rows - int(np.ceil(value * (rows - 1) - 1e-9))
    if kind == "top":
        return min(int(value), rows)
    below = chance_below(place_of(known, recipe, line), recipe)
    return int(np.floor(rows - fetched(known.aggregate(below=below.sum()))[0]["below"] + 0.5))


def _arrays(expression: Any) -> dict[str, np.ndarray]:
    """The columns of a small table (n,), NaN for NULL, rows in falling order of the first."""
    first = expression.columns[0]
    rows = sorted(fetched(expression), key=lambda row: -row[first])
    return {name: np.array([row[name] for row in rows], dtype=float) for name in expression.columns}
