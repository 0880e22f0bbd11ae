"""What scoring needs of a finished run, read from its files and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kalib.errors import Problem, StudyError
from kalib.indicators.terms import LevelSpread

# Largest error of a probability from keeping few points of the error's distribution: a quarter of
# what 4,000 draws leave at one half.
CDF_ERROR = 0.002


@dataclass(frozen=True)
class Step:
    """One term: coefficient times the encoded indicator, as in formula.json."""

    indicator: str
    coefficient: float
    transform: str
    level: str
    shift: float


@dataclass(frozen=True)
class Recipe:
    """A formula ready to be applied to rows.

    error: knots (K,) of the standardized error and its distribution function there (K,), linear
    between; low, high: standardized error at the interval's ends; size, power, low_fitted: as in
    `Predictive`; spread: the indicator whose levels have a smearing factor and a ratio to that
    scale of their own; surveyed: indicator -> (low, high) or the levels seen; cut_kind, cut_value,
    share_cut: the study's; run_cuts: potential and SOW cut of the run, None where it has none.
    """

    account: str
    sales: str
    form: str
    intercept: float
    steps: tuple[Step, ...]
    smearing: float
    floor: float
    knots: np.ndarray
    chances: np.ndarray
    low: float
    high: float
    size: float
    power: float
    low_fitted: float
    spread: LevelSpread | None
    surveyed: Mapping[str, Any]
    cut_kind: str
    cut_value: float
    share_cut: str | float
    run_cuts: tuple[float, float] | None

    @property
    def numeric(self) -> tuple[str, ...]:
        """Columns that must hold numbers."""
        found = [step.indicator for step in self.steps if step.transform != "level"]
        return tuple(dict.fromkeys([self.sales, *found]))

    @property
    def textual(self) -> tuple[str, ...]:
        """Columns that must hold text."""
        found = [step.indicator for step in self.steps if step.transform == "level"]
        return tuple(dict.fromkeys([*found, *([self.spread.indicator] if self.spread else [])]))


def read_recipe(run: Path) -> Recipe:
    """The recipe of a report's folder. Raises StudyError where there is none to apply."""
    formula, verdict, about = (read_record(run, name) for name in ("formula", "verdict", "run"))
    if verdict["verdict"] == "unusable":
        raise StudyError(
            Problem("the run's formula is unusable", file="verdict.json",
                    remedy="Score with a formula that says something")
        )  # fmt: skip
    if "error" not in formula:
        raise StudyError(
            Problem("an older run, without the distribution of its errors", file="formula.json",
                    remedy="Run the study again")
        )  # fmt: skip
    return recipe_of(formula, about["parameters"], _run_cuts(run))


def recipe_of(
    formula: Mapping[str, Any], study: Mapping[str, Any], run_cuts: tuple[float, float] | None
) -> Recipe:
    """The recipe of formula.json's content and a study's parameters."""
    error = formula["error"]
    levels, quantiles = np.array(error["levels"]), np.array(error["quantiles"])
    tail = (1 - formula["confidence"]) / 2
    knots, chances = distribution_knots(quantiles, levels, error["size"], formula["form"])
    return Recipe(
        account=study["columns"]["account"],
        sales=study["columns"]["sales"],
        form=formula["form"],
        intercept=formula["intercept"],
        steps=tuple(
            Step(t["indicator"], t["coefficient"], t["transform"], t["level"] or "", t["shift"])
            for t in formula["terms"]
        ),
        smearing=formula["smearing"],
        floor=formula["floor"],
        knots=knots,
        chances=chances,
        low=float(np.interp(tail, levels, quantiles)),
        high=float(np.interp(1 - tail, levels, quantiles)),
        size=error["size"],
        power=error["power"],
        low_fitted=error["low_fitted"],
        spread=LevelSpread.from_json(formula.get("spread")),
        surveyed=formula["surveyed"],
        cut_kind=study["matrix"]["potential_cut"]["kind"],
        cut_value=float(study["matrix"]["potential_cut"]["value"]),
        share_cut=study["matrix"]["share_cut"],
        run_cuts=run_cuts,
    )


def read_record(run: Path, name: str) -> dict[str, Any]:
    """One of a run's JSON files."""
    try:
        content: dict[str, Any] = json.loads((run / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StudyError(
            Problem("there is no finished run here", file=str(run / f"{name}.json"),
                    remedy="Give the folder of a report")
        ) from error  # fmt: skip
    return content


def _run_cuts(run: Path) -> tuple[float, float] | None:
    if not (run / "summary.json").is_file():  # a formula fitted on a large table has no zones
        return None
    summary = read_record(run, "summary")
    return float(summary["potential_cut"]), float(summary["sow_cut"])


def distribution_knots(
    quantiles: np.ndarray, levels: np.ndarray, size: float, form: str
) -> tuple[np.ndarray, np.ndarray]:
    """Few points (K,), (K,) of the error's distribution function, within CDF_ERROR everywhere.

    A logarithmic form has them as factors on exp(fitted value), a linear one as standardized
    errors: the function is linear between levels in potential itself, and has what lies beyond
    the outer levels at them, both as in `Distribution.draws`.
    """
    points = np.exp(quantiles * size) if form != "linear" else np.asarray(quantiles, float)
    # Equal quantiles are parted by less than anyone reads: a step becomes a steep line.
    points = points + np.arange(len(points)) * 1e-12 * max(np.ptp(points), 1)
    keep = {0, len(points) - 1}
    waiting = [(0, len(points) - 1)]
    while waiting:
        left, right = waiting.pop()
        inner = np.arange(left + 1, right)
        line = np.interp(points[inner], points[[left, right]], levels[[left, right]])
        miss = np.abs(line - levels[inner])
        if len(inner) and miss.max() > CDF_ERROR:
            worst = int(inner[miss.argmax()])
            keep.add(worst)
            waiting += [(left, worst), (worst, right)]
    place = sorted(keep)
    return points[place], levels[place]
