"""What scoring needs of a finished run, read from its files and checked."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import AliasPath, BaseModel, ConfigDict, Field, ValidationError, model_validator

from kalib.errors import StudyError
from kalib.files import read_run
from kalib.scale.columns import Asked
from kalib.study.settings import Cut, Data

# Largest error of a probability from keeping few points of the error's distribution: a quarter of
# what 4,000 draws leave at one half.
CDF_ERROR = 0.002

Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Range = Annotated[dict[Literal["low", "high"], float], Field(min_length=2)]


class _Record(BaseModel):
    """Part of a JSON file of a run; what else stands in it is not needed here."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    @classmethod
    def of(cls, content: object, file: str) -> Self:
        """A record of a file that only a run writes; refused in words where it has been changed."""
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            names = ".".join(str(part) for part in first["loc"]) or "its content"
            what = "is missing" if first["type"] == "missing" else "is not as a run writes it"
            raise StudyError(f"{names} {what}", file, remedy="Run the study again") from error


class Term(_Record):
    """Coefficient times the encoded indicator; those of levels stand with all others' in Levels."""

    indicator: str
    coefficient: float
    transform: Literal["identity", "log", "level"]
    shift: float


class _Error(_Record):
    levels: Annotated[list[Fraction], Field(min_length=2)]
    quantiles: Annotated[list[float], Field(min_length=2)]
    size: Positive
    power: float
    low_fitted: float


class Level(_Record):
    """As `kalib.formula.levels` has it: what is added to the line, and what the size of the error
    and the smearing factor are multiplied by."""

    level: str = ""
    coefficient: float
    ratio: Positive
    smearing: Positive


class Levels(_Record):
    """What the levels of a text indicator say, and any other one."""

    indicator: str
    levels: tuple[Level, ...]
    other: Level


class _Study(_Record):
    account: Annotated[str, Field(validation_alias=AliasPath("columns", "account"))]
    sales: Annotated[str, Field(validation_alias=AliasPath("columns", "sales"))]
    cut: Annotated[Cut, Field(validation_alias=AliasPath("matrix", "potential_cut"))]
    share_cut: Annotated[
        Literal["market"] | Positive, Field(validation_alias=AliasPath("matrix", "share_cut"))
    ]
    data: Data = Data(accounts="")


class RunCuts(_Record):
    """The cuts of a run, from its summary.json: currency a year, a fraction, and how likely the
    least likely key account is to have high potential."""

    potential_cut: Positive
    sow_cut: Positive
    key_probability: Fraction | Literal[1] = 0.5


class Recipe(_Record):
    """A formula ready to be applied to rows: formula.json, the study's columns and cuts, and the
    cuts of the run, None where it has none."""

    form: Literal["linear", "log-log", "log-linear"]
    intercept: float
    terms: tuple[Term, ...]
    smearing: Positive
    floor: float
    confidence: Fraction
    error: _Error
    levels: tuple[Levels, ...] = ()  # older runs have none
    surveyed: Mapping[str, Range | tuple[str, ...]]
    study: _Study
    run_cuts: RunCuts | None = None

    @model_validator(mode="after")
    def _levels_told(self) -> Recipe:
        if {t.indicator for t in self.terms if t.transform == "level"} - set(self.textual):
            raise ValueError
        return self

    @property
    def asked(self) -> Asked:
        """What is read of a table to be scored."""
        account, sales, dirt = self.study.account, self.study.sales, self.study.data
        return Asked(account, dirt, sales, numeric=self.numeric, textual=self.textual)

    @property
    def numeric(self) -> tuple[str, ...]:
        """Indicators that must hold numbers."""
        return tuple(dict.fromkeys(t.indicator for t in self.terms if t.transform != "level"))

    @property
    def textual(self) -> tuple[str, ...]:
        """Indicators that must hold text."""
        return tuple(dict.fromkeys(of.indicator for of in self.levels))

    @property
    def even(self) -> bool:
        """Whether errors are alike whatever the levels."""
        return all(of.ratio == of.smearing == 1 for text in self.levels
                   for of in (*text.levels, text.other))  # fmt: skip

    @cached_property
    def ends(self) -> list[float]:
        """The standardized error at both ends of the interval."""
        tail = (1 - self.confidence) / 2
        return np.interp([tail, 1 - tail], self.error.levels, self.error.quantiles).tolist()

    @cached_property
    def knots(self) -> tuple[np.ndarray, np.ndarray]:
        """Few points (K,) of the error's distribution function, within CDF_ERROR, and its values.

        A logarithmic form has them as factors on exp(fitted value), a linear one as standardized
        errors: the function is linear between levels in potential itself, and has what lies beyond
        the outer levels at them, both as in `Distribution.draws`.
        """
        levels, quantiles = np.array(self.error.levels), np.array(self.error.quantiles)
        points = quantiles if self.form == "linear" else np.exp(quantiles * self.error.size)
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
        return points[sorted(keep)], levels[sorted(keep)]


def read_recipe(run: Path) -> Recipe:
    """The recipe of a report's folder. Raises StudyError where there is none to apply."""
    formula, verdict, about = (read_record(run, name) for name in ("formula", "verdict", "run"))
    if verdict.get("verdict") == "unusable":
        raise StudyError("the run's formula is unusable", file="verdict.json",
                         remedy="Score with a formula that says something")  # fmt: skip
    study = _Study.of(about.get("parameters"), "run.json")
    cuts = None
    if (run / "summary.json").is_file():  # a formula fitted on a large table has no zones
        summary = read_record(run, "summary")
        if summary.get("potential_cut") is not None:
            cuts = RunCuts.of(summary, "summary.json")
    return Recipe.of({**formula, "study": study, "run_cuts": cuts}, "formula.json")


def read_record(run: Path, name: str) -> dict[str, Any]:
    """One of a run's JSON files."""
    content = read_run(run, f"{name}.json")
    if not content:
        raise StudyError("there is no finished run here", file=str(run / f"{name}.json"),
                         remedy="Give the folder of a report")  # fmt: skip
    return content
