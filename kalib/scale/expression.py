"""Scoring as one ibis expression: whatever engine holds the rows computes it there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from kalib.indicators.terms import LEAST_LOGGED
from kalib.scale.recipe import Levels, Recipe

OUTPUT = (
    "account", "sales", "potential", "potential_low", "potential_high", "extrapolated", "sow",
    "sow_low", "sow_high", "zone", "zone_probability", "p_attack", "p_defense", "p_maintenance",
    "p_watch", "key_account", "team",
)  # fmt: skip
# What a table of scores has unless more is asked for: the rest follows from it.
USUAL = tuple(name for name in OUTPUT if not name.startswith(("p_", "sow_")))
OWN = "kalib_"  # how columns begin that are computed on the way
NO_LIMIT = 2**62
LARGEST = 1e300  # a potential beyond it is a slip of the data: unknown, as if not a number


class Cuts(NamedTuple):
    """The lines between the zones.

    potential: currency a year; sow: fraction; place: where in the distribution of its error the
    potential cut lies for the last of the key accounts (see `place_of`), which are sure to be high
    with the probability beyond it; last: the last id that is key among accounts for which it lies
    just there, None where they all are; rows: that have a potential, None where not counted.
    """

    potential: float
    sow: float
    place: float
    last: str | None = None
    rows: int | None = None


def with_potential(table: Any, recipe: Recipe) -> Any:
    """The table with kalib_line (fitted working value), kalib_sales and kalib_potential.

    table: ibis table whose numeric columns are float64 and text columns strings. Potential is
    NULL where an indicator of the formula is missing.
    """
    import ibis

    line: Any = ibis.literal(1).cast("float64") * recipe.intercept  # alone it were a DECIMAL
    for step in recipe.terms:
        if step.transform != "level":
            line = line + step.coefficient * encoded(table, step)
    table = table.mutate(kalib_sales=table[recipe.study.sales])
    ratio, smearing = 1.0, 1.0
    for text in recipe.levels:
        if any(of.coefficient for of in (*text.levels, text.other)):
            known = table[text.indicator].notnull()
            line = line + known.ifelse(_by_level(table, text, "coefficient"), ibis.null())
        ratio = ratio * _by_level(table, text, "ratio")
        smearing = smearing * _by_level(table, text, "smearing")
    if not recipe.even:
        table = table.mutate(kalib_ratio=ratio, kalib_smearing=smearing * recipe.smearing)
    table = table.mutate(kalib_line=line)
    line = table.kalib_line
    if recipe.form == "linear":
        potential = (line < recipe.floor).ifelse(recipe.floor, line)
    else:
        potential = line.exp() * _smearing(table, recipe)
    table = table.mutate(kalib_potential=potential)
    value = table.kalib_potential
    # Not a number is more than any number in SQL: one comparison finds it, too.
    fine = (value > 0) & (value < LARGEST)
    return table.mutate(kalib_potential=fine.ifelse(value, ibis.null()))


def encoded(table: Any, column: Any) -> Any:
    """A `Column` of the design over a table, or what a `Term`'s coefficient is multiplied by."""
    value = table[column.indicator]
    if column.transform == "level":
        return (value == column.level).cast("int8").cast("float64")  # 1.0 would be a DECIMAL
    if column.transform == "log":
        inside = value + column.shift if column.shift else value
        return (inside <= LEAST_LOGGED).ifelse(LEAST_LOGGED, inside).ln()
    return value


def stage(table: Any, recipe: Recipe, columns: Sequence[str], fenced: bool = False) -> Any:
    """Of every row what its scores are computed from, whatever the cuts.

    columns: of OUTPUT or of the table itself, those that `score` will be asked for. fenced: for
    engines that write a column's expression out wherever it is used, which would compute the
    formula hundreds of times a row (PostgreSQL).
    """
    t = with_potential(table, recipe)
    decisive = ["kalib_sales", "kalib_potential"]  # of the cuts
    decisive += ["kalib_line"] if recipe.form == "linear" else []
    decisive += [] if recipe.even else ["kalib_ratio", "kalib_smearing"]
    kept = {name: t[name] for name in (*columns, *decisive) if name not in OUTPUT}
    kept["kalib_account"] = t["kalib_id"]
    if "extrapolated" in columns:
        kept["kalib_outside"] = _outside(t, recipe)
    return _settled(t.select(**kept), fenced)


def _settled(table: Any, fenced: bool) -> Any:
    return table.limit(NO_LIMIT) if fenced else table  # a limit is never merged into others


def score(
    staged: Any, recipe: Recipe, cuts: Cuts, columns: Sequence[str] = USUAL, fenced: bool = False
) -> Any:
    """Every row with its potential, SOW, zone and their probabilities.

    staged: rows of `stage`; cuts: taken as fixed; columns, fenced: as there. The zone is as
    `kalib.matrix.matrix.place_accounts` has it, the probabilities in closed form.
    """
    import ibis

    t = _placed(staged, recipe, cuts, fenced)
    at_cut, at_share = t.kalib_at_cut, t.kalib_at_share
    later, sooner = ibis.greatest(at_cut, at_share), ibis.least(at_cut, at_share)

    chances = {"p_attack": 1.0 - later, "p_defense": later - at_cut, "p_maintenance": sooner,
               "p_watch": later - at_share}  # fmt: skip
    uncertain = {
        "potential_low": t.kalib_low, "potential_high": t.kalib_high,
        "sow_low": t.kalib_sales / t.kalib_high, "sow_high": t.kalib_sales / t.kalib_low,
        "zone_probability": _by_zone(t, *chances.values(), unknown=None), **chances,
    }  # fmt: skip
    scored = {
        "sales": t.kalib_sales,
        "potential": t.kalib_potential,
        "sow": t.kalib_sow,
        "zone": _by_zone(t, "attack", "defense", "maintenance", "watch"),
        "key_account": ((t.kalib_is_high == 1) & t.kalib_sow.notnull()).fill_null(False),
        "team": _by_zone(t, "hunter", "farmer", "", ""),
        # Seven digits are more than an estimate's uncertainty has, and halve what is written.
        **{name: value.cast("float32") for name, value in uncertain.items()},
    }
    given = {"account": "kalib_account", "extrapolated": "kalib_outside"}
    found = {name: scored[name] if name in scored else t[given.get(name, name)] for name in columns}
    return t.select(**found)


def _by_zone(
    t: Any, attack: Any, defense: Any, maintenance: Any, watch: Any, *, unknown: Any = ""
) -> Any:
    is_loyal = t.kalib_is_loyal == 1
    key, other = is_loyal.ifelse(defense, attack), is_loyal.ifelse(maintenance, watch)
    return t.kalib_sow.notnull().ifelse((t.kalib_is_high == 1).ifelse(key, other), unknown)


def _placed(staged: Any, recipe: Recipe, cuts: Cuts, fenced: bool) -> Any:
    """The rows with where the cuts lie in their error's distribution, and their side of both."""
    low, high = _interval(staged, recipe)
    t = staged.mutate(
        kalib_low=low, kalib_high=high, kalib_sow=staged.kalib_sales / staged.kalib_potential,
        kalib_cut=place_of(staged, recipe, cuts.potential),
        kalib_due=place_of(staged, recipe, staged.kalib_sales * (1 / cuts.sow)),
    )  # fmt: skip
    t = _settled(t, fenced)
    key = t.kalib_cut <= cuts.place
    if cuts.last is not None:
        key &= (t.kalib_cut < cuts.place) | (t.kalib_account <= cuts.last)
    # P(potential < cut) and P(potential < sales / SOW cut): those of the zones follow.
    t = t.mutate(
        kalib_at_cut=chance_below(t.kalib_cut, recipe),
        kalib_at_share=chance_below(t.kalib_due, recipe),
        kalib_is_high=key.ifelse(1, 0),  # T-SQL has no columns of true and false
    )
    t = _settled(t, fenced)
    # Attack is likelier than defense where less than half of what lies above the potential cut is
    # less than what the sales make up, watch than maintenance where less than half below it is.
    half = (t.kalib_at_cut + t.kalib_is_high) * 0.5
    loyal = (t.kalib_at_share > half) | ((t.kalib_at_share == half) & (t.kalib_sow >= cuts.sow))
    return _settled(t.mutate(kalib_is_loyal=loyal.ifelse(1, 0)), fenced)


def _by_level(table: Any, text: Levels, name: str) -> Any:
    import ibis

    level, one = table[text.indicator], ibis.literal(1).cast("float64")  # no DECIMALs
    own = [(level == of.level, one * getattr(of, name)) for of in text.levels]
    return ibis.cases(*own, else_=one * getattr(text.other, name))


def _smearing(t: Any, recipe: Recipe) -> Any:
    return recipe.smearing if recipe.even else t.kalib_smearing


def _spread(t: Any, recipe: Recipe) -> Any:
    """Scale of the error of a linear form: a number, or an expression of fitted value and level."""
    ratio = 1.0 if recipe.even else t.kalib_ratio
    if not recipe.error.power:
        return recipe.error.size * ratio
    low = recipe.error.low_fitted
    base = (t.kalib_line < low).ifelse(low, t.kalib_line)
    return recipe.error.size * ratio * base.pow(recipe.error.power)


def _interval(t: Any, recipe: Recipe) -> tuple[Any, Any]:
    def end(z: float) -> Any:
        if recipe.form == "linear":
            value = t.kalib_line + z * _spread(t, recipe)
            value = (value < recipe.floor).ifelse(recipe.floor, value)
            return t.kalib_potential.notnull().ifelse(value, None)
        # On the working scale, of the expected potential.
        error = z * recipe.error.size
        factor = float(np.exp(error)) if recipe.even else (error * t.kalib_ratio).exp()
        return t.kalib_potential * (factor / _smearing(t, recipe))

    low, high = recipe.ends
    return end(low), end(high)


def place_of(t: Any, recipe: Recipe, amount: Any) -> Any:
    """Where a potential of that amount lies among the errors: the lower, the likelier is more."""
    import ibis

    if isinstance(amount, float):
        amount = ibis.literal(1).cast("float64") * amount  # alone it were a DECIMAL
    if recipe.form != "linear":
        place = amount * _smearing(t, recipe) / t.kalib_potential
        # Where the error is wider its factors are powers of the common one's.
        return place if recipe.even else place.pow(1 / t.kalib_ratio)
    place = (amount - t.kalib_line) / _spread(t, recipe)
    # The formula never gives less than its floor: whatever lies below it lies at it.
    place = (amount > recipe.floor).ifelse(place, float(recipe.knots[0][0]))
    return t.kalib_potential.notnull().ifelse(place, None)


def chance_below(place: Any, recipe: Recipe) -> Any:
    """The distribution function of the error at a place, by halving: few comparisons a row."""
    knots, chances = recipe.knots

    def between(left: int, right: int) -> Any:
        if right - left == 1:
            slope = (chances[right] - chances[left]) / (knots[right] - knots[left])
            return float(chances[left] - slope * knots[left]) + float(slope) * place
        middle = (left + right) // 2
        return (place < float(knots[middle])).ifelse(between(left, middle), between(middle, right))

    inner = (place < float(knots[-1])).ifelse(between(0, len(knots) - 1), 1.0)
    chance = (place > float(knots[0])).ifelse(inner, 0.0)
    return place.notnull().ifelse(chance, None)


def _outside(t: Any, recipe: Recipe) -> Any:
    import ibis

    parts: list[Any] = []
    for name, seen in recipe.surveyed.items():
        if isinstance(seen, tuple):
            parts.append(t[name].notin(seen))
        else:
            parts.append((t[name] < seen["low"]) | (t[name] > seen["high"]))
    return (ibis.or_(*parts) & t.kalib_potential.notnull()).fill_null(False)
