"""What each surveyed account counts in sums over all of them, as the engine computes it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from kalib.analysis import Judged
from kalib.formula.formula import Formula
from kalib.indicators.screening import Column, build_design
from kalib.indicators.terms import LEAST_LOGGED
from kalib.indicators.typos import (
    FACTORS,
    LEAST_SHIFT,
    SUSPECT_Z,
    factor_reach,
    robust_scale,
)
from kalib.runs.outputs import formula_record
from kalib.scale.expression import with_potential
from kalib.scale.recipe import recipe_of


def encoded_column(rows: Any, column: Column) -> Any:
    """One design column as an expression."""
    value = rows[column.indicator]
    if column.transform == "level":
        return (value == column.level).cast("int8").cast("float64")  # 1.0 would be a DECIMAL
    if column.transform == "log":
        inside = value + column.shift
        return (inside <= LEAST_LOGGED).ifelse(LEAST_LOGGED, inside).ln()
    return value


def fitted_line(rows: Any, formula: Formula, analysis: Judged) -> Any:
    """Rows with the fitted value kalib_line and the expected kalib_potential of a formula."""
    record = formula_record(
        replace(analysis.fit, formula=formula), analysis.screening, analysis.study
    )
    return with_potential(rows, recipe_of(record, analysis.study.model_dump(mode="json")))


def weighted(rows: Any, analysis: Judged) -> Any:
    """The rows with kalib_weight: 0 where the potential is not believed, else 1, or what makes the
    surveyed accounts stand for those that were not."""
    rows = fitted_line(rows, analysis.fit.formula, analysis)
    kept = _believed(rows, analysis).cast("int8").cast("float64")
    return rows.mutate(kalib_weight=kept * _survey_weight(rows, analysis))


def _believed(rows: Any, analysis: Judged) -> Any:
    """Whether the potential is not off like a typing error, by the sample's spread; rows have
    the sample's kalib_potential."""
    import ibis

    oof = analysis.fit.oof
    shift = np.log(oof["observed"] / np.maximum(oof["predicted"], LEAST_LOGGED)).to_numpy()
    spread = robust_scale(shift - np.median(shift))
    off = (rows.kalib_observed / rows.kalib_potential).ln() - float(np.median(shift))
    size, reach = off.abs(), factor_reach(spread)
    like_typing = ibis.or_(*((size - float(np.log(f))).abs() < reach for f in FACTORS))
    wrong = (size > max(SUSPECT_Z * spread, LEAST_SHIFT)) & like_typing
    return ~wrong.fill_null(False)


def _survey_weight(rows: Any, analysis: Judged) -> Any:
    """The sample's weights against a survey that own sales decided, for all surveyed accounts.

    `survey_bias` makes them inverse odds: their logarithm is linear in the logged design, in
    whether an account buys and in its logged sales, so that those not cut give back the line.
    """
    import ibis

    bias, screening = analysis.fit.bias, analysis.screening
    if not bias.biased:
        return 1.0
    surveyed = screening.values.index.isin(analysis.potential.frame.index)
    design = build_design(screening, surveyed, logged=True)
    sold = (
        analysis.tables.accounts["sales"].reindex(screening.values.index[surveyed]).to_numpy(float)
    )
    buys = sold > 0
    size = np.log(np.where(buys, sold, 1.0))
    line = np.column_stack([np.ones(len(sold)), design.matrix[surveyed], buys, size, size**2])
    most = float(bias.weights.max())
    inner = bias.weights < most * (1 - 1e-9)
    coef = np.linalg.lstsq(line[inner], np.log(bias.weights[inner]))[0].tolist()
    sales = rows[analysis.study.columns.sales].fill_null(0.0)
    known = sales > 0
    logged = known.ifelse(sales, 1.0).ln()
    columns = [encoded_column(rows, column) for column in design.columns]
    columns += [known.cast("int8").cast("float64"), logged, logged * logged]
    total = ibis.literal(1).cast("float64") * coef[0]
    for slope, column in zip(coef[1:], columns, strict=True):
        total = total + slope * column
    weight = total.exp()
    return (weight > most).ifelse(most, weight).fill_null(1.0)
