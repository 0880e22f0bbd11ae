"""The cuts of the study over all rows of a table, computed by its engine, exactly."""

from __future__ import annotations

from typing import Any

import numpy as np

from kalib.errors import Problem, StudyError
from kalib.scale.recipe import Recipe
from kalib.scale.sources import fetched

BUCKETS = 1024  # per unit of log potential: few rows share a bucket, however many the table has


def compute_cuts(staged: Any, recipe: Recipe, file: str) -> tuple[float, float]:
    """Potential cut (currency a year) and SOW cut (fraction) of rows staged for scoring.

    file: what messages call the table.

    Counts and sums by bucket of log potential, then the values of the bucket that the cut falls in:
    memory does not grow with the rows, and the result is that of sorting them all. Raises
    StudyError where no row has a potential.
    """
    known = staged.filter(staged.kalib_potential.notnull())
    known = known.mutate(
        kalib_bucket=(known.kalib_potential.ln() * BUCKETS).floor().cast("int64"),
        kalib_both=known.kalib_sales.notnull().ifelse(known.kalib_potential, None),
    )
    buckets = _arrays(
        known.group_by("kalib_bucket").aggregate(
            count=known.count(),
            potential=known.kalib_potential.sum(),
            sales=known.kalib_sales.sum(),
            both=known.kalib_both.sum(),
        ),
        by="kalib_bucket",
    )
    if not len(buckets["count"]):
        raise StudyError(
            Problem("no row has all indicators of the formula", file=file,
                    column=", ".join(recipe.surveyed), remedy="Fill them in")
        )  # fmt: skip
    share = _share(recipe, file, np.nansum(buckets["sales"]), np.nansum(buckets["both"]))
    if recipe.cut_kind == "value":
        return recipe.cut_value, share
    return _ordered_cut(known, recipe, buckets), share


def _share(recipe: Recipe, file: str, sales: float, potential: float) -> float:
    if recipe.share_cut != "market":
        share = float(recipe.share_cut)
    elif potential:
        share = float(sales / potential)
    else:
        share = 0.0
    if share <= 0:
        raise StudyError(
            Problem("sales add up to nothing where potential is known, so that there is no market "
                    "share", file=file, column=recipe.sales,
                    remedy="Give our sales, or take the run's cuts with --cuts run")
        )  # fmt: skip
    return share


def _ordered_cut(known: Any, recipe: Recipe, buckets: dict[str, np.ndarray]) -> float:
    """The cut that depends on the order of potential; buckets from the largest down."""
    above, sums = np.cumsum(buckets["count"]), np.cumsum(buckets["potential"])
    rows = int(above[-1])
    if recipe.cut_kind == "pareto":
        goal = recipe.cut_value * sums[-1] * (1 - 1e-12)
        first = last = min(int(np.searchsorted(sums, goal)), len(sums) - 1)
        places = []
    else:
        if recipe.cut_kind == "top":
            places = [min(int(recipe.cut_value), rows) - 1]
        else:  # numpy's linear quantile, counted from the largest
            place = (1 - recipe.cut_value) * (rows - 1)
            places = [int(np.floor(place)), min(int(np.floor(place)) + 1, rows - 1)]
        first, last = (
            int(np.searchsorted(above, p, side="right")) for p in (places[0], places[-1])
        )
    chosen = buckets["kalib_bucket"][first : last + 1].astype(int).tolist()
    inside = known.filter(known.kalib_bucket.isin(chosen))
    values = inside.group_by(value=inside.kalib_potential).aggregate(count=inside.count())
    found = _arrays(values, by="value")
    value, count = found["value"], found["count"]
    if recipe.cut_kind == "pareto":
        before = sums[first - 1] if first else 0.0
        running = before + np.cumsum(value * count)
        return float(value[min(int(np.searchsorted(running, goal)), len(value) - 1)])
    before = above[first - 1] if first else 0
    ranks = np.searchsorted(np.cumsum(count), np.array(places) - before, side="right")
    ordered = value[np.minimum(ranks, len(value) - 1)]
    if recipe.cut_kind == "top":
        return float(ordered[0])
    fraction = (1 - recipe.cut_value) * (rows - 1) - places[0]
    return float(ordered[0] + fraction * (ordered[1] - ordered[0]))


def _arrays(expression: Any, by: str) -> dict[str, np.ndarray]:
    """The columns of a small table (n,), NaN for NULL, rows in falling order of one of them."""
    rows = sorted(fetched(expression), key=lambda row: -row[by])
    return {name: np.array([row[name] for row in rows], dtype=float) for name in expression.columns}
