"""The cuts of the study over all rows of a table, computed by its engine, exactly."""

from __future__ import annotations

from typing import Any

import numpy as np

from kalib.errors import StudyError
from kalib.scale.expression import with_potential
from kalib.scale.recipe import Recipe

BUCKETS = 1024  # per unit of log potential: few rows share a bucket, however many the table has
HELD = 24  # bytes a row that an engine's own quantile may hold while it sorts


def compute_cuts(table: Any, recipe: Recipe, memory: int) -> tuple[float, float]:
    """Potential cut (currency a year) and SOW cut (fraction) of an ibis table.

    memory: bytes the engine may hold. Raises StudyError where no row has a potential.
    """
    scored = with_potential(table, recipe)
    scored = scored.select("kalib_potential", "kalib_sales").filter(
        scored.kalib_potential.notnull()
    )
    potential = scored.kalib_potential
    both = scored.kalib_sales.notnull().ifelse(potential, None)
    wanted = {"rows": scored.count(), "sales": scored.kalib_sales.sum(), "total": both.sum()}
    one_pass = recipe.cut_kind == "quantile" and _fits(table, memory)
    if one_pass:
        wanted["cut"] = potential.quantile(recipe.cut_value)
    found = scored.aggregate(**wanted).to_pyarrow().to_pylist()[0]
    if not found["rows"]:
        raise StudyError("no row of the table has all indicators of the formula")
    if recipe.share_cut != "market":
        share = float(recipe.share_cut)
    elif found["total"]:
        share = float(found["sales"]) / float(found["total"])
    else:
        raise StudyError("no row of the table has sales and all indicators of the formula")
    if share <= 0:
        raise StudyError("the table's sales add up to nothing, so there is no market share")
    if recipe.cut_kind == "value":
        return recipe.cut_value, share
    cut = found["cut"] if one_pass else _ordered_cut(scored, recipe, int(found["rows"]))
    return float(cut), share


def _fits(table: Any, memory: int) -> bool:
    return int(table.count().to_pyarrow().as_py()) * HELD < memory


def _ordered_cut(scored: Any, recipe: Recipe, rows: int) -> float:
    """The cut from counts and sums by bucket, then the values of the bucket it falls in.

    Two passes whose memory does not grow with the rows; the result is that of sorting them all.
    """
    bucketed = scored.mutate(bucket=(scored.kalib_potential.ln() * BUCKETS).floor().cast("int64"))
    potential = bucketed.kalib_potential
    counted = bucketed.group_by("bucket").aggregate(count=potential.count(), sum=potential.sum())
    buckets = counted.to_pandas().sort_values("bucket", ascending=False, ignore_index=True)
    above = buckets["count"].cumsum().to_numpy()
    sums = buckets["sum"].cumsum().to_numpy()
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
    chosen = buckets["bucket"].iloc[first : last + 1].tolist()
    inside = bucketed.filter(bucketed.bucket.isin(chosen))
    values = inside.group_by(value=inside.kalib_potential).aggregate(count=inside.count())
    frame = values.to_pandas().sort_values("value", ascending=False, ignore_index=True)
    value, count = frame["value"].to_numpy(), frame["count"].to_numpy()
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
