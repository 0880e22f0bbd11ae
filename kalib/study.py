"""The study file: what is asked, read from study.toml and checked whole."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from kalib.errors import Problem, StudyError

ZONES = ("attack", "defense", "maintenance", "watch")
USUAL_VISITS = {"attack": 24.0, "defense": 12.0, "maintenance": 4.0, "watch": 1.0}


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class About(_Section):
    """[study]: name, title, industry, currency, period."""

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    title: str = ""
    industry: str = ""
    currency: str = ""
    period: str = Field(default="current", pattern=r"^[^./\\\x00][^/\\\x00]*$")


class Data(_Section):
    """[data]: the tables, as paths below the study's folder."""

    accounts: str
    survey: str | None = None
    visits: str | None = None


class Columns(_Section):
    """[columns]: the client's column for each of our terms."""

    account: str
    name: str | None = None
    region: str | None = None
    segment: str | None = None
    sales: str
    potential: str | None = None
    current_ka: str | None = None
    rep: str | None = None
    margin: str | None = None


class Indicators(_Section):
    """[indicators]: candidates and what is expected of them."""

    candidates: tuple[str, ...] = Field(min_length=1)
    expected_sign: dict[str, Literal["+", "-"]] = {}
    required: tuple[str, ...] = ()
    max: int = Field(default=8, ge=1)

    @model_validator(mode="after")
    def _named_are_candidates(self) -> Indicators:
        for name in (*self.expected_sign, *self.required):
            if name not in self.candidates:
                raise ValueError(f"{name!r} is not among the candidates")
        if len(set(self.candidates)) < len(self.candidates):
            raise ValueError("a candidate is listed twice")
        if len(self.required) > self.max:
            raise ValueError("more indicators are required than max allows")
        return self

    @property
    def signs(self) -> dict[str, int]:
        """Expected signs as -1 and 1."""
        return {name: 1 if sign == "+" else -1 for name, sign in self.expected_sign.items()}


class VisitColumns(_Section):
    """[visits]: columns of the visits table."""

    account: str
    date: str
    own: str
    total: str


class FormulaSettings(_Section):
    """[formula]: form, confidence of intervals, evidence."""

    form: Literal["linear", "log", "auto"] = "auto"
    confidence: float = Field(default=0.9, ge=0.5, le=0.98)
    evidence: Literal["formula", "formula+sales", "auto"] = "auto"


class Cut(_Section):
    """Where high potential begins: a quantile, a Pareto share, the top so many, or a value."""

    kind: Literal["quantile", "pareto", "top", "value"] = "quantile"
    value: float = 0.8


def _read_cut(value: Any) -> Any:
    if isinstance(value, Mapping) and len(value) == 1 and set(value) != {"kind"}:
        kind, number = next(iter(value.items()))
        if kind not in ("quantile", "pareto", "top", "value"):
            raise ValueError(f"{kind!r} is not one of quantile, pareto, top, value")
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise ValueError(f"{kind} takes a number")
        if kind in ("quantile", "pareto") and not 0 < number < 1:
            raise ValueError(f"{kind} lies between 0 and 1")
        if kind in ("top", "value") and number <= 0:
            raise ValueError(f"{kind} is above 0")
        return Cut(kind=kind, value=float(number))
    if isinstance(value, Cut):
        return value
    raise ValueError(
        "write one of { quantile = 0.8 }, { pareto = 0.8 }, { top = 50 }, { value = 1 }"
    )


class MatrixSettings(_Section):
    """[matrix]: the two cuts."""

    potential_cut: Annotated[Cut, BeforeValidator(_read_cut)] = Cut()
    share_cut: Literal["market"] | Annotated[float, Field(gt=0, lt=1)] = "market"


class Teams(_Section):
    """[teams]: visits an account gets by zone, and what a rep can do in a year."""

    visits_per_year: dict[Literal["attack", "defense", "maintenance", "watch"], float] = {}
    visits_per_rep: float = Field(default=800, gt=0)
    hunters: int = Field(default=0, ge=0)
    farmers: int = Field(default=0, ge=0)

    def visits(self, zone: str) -> float:
        """Visits a year of one account of the zone."""
        given: dict[str, float] = {str(name): count for name, count in self.visits_per_year.items()}
        return given.get(zone, USUAL_VISITS.get(zone, 0.0))


class Targets(_Section):
    """[targets]: horizon, share of the gap to close, company growth."""

    horizon_years: float = Field(default=1, gt=0)
    close_gap: float = Field(default=0.5, ge=0, le=1)
    company_growth: float | None = Field(default=None, gt=-1)


class ReportSettings(_Section):
    """[report]: language, names on the cover, and the client's own look."""

    language: Literal["en", "zh"] = "en"
    client: str = "Client"
    author: str = "Analyst"
    template: str | None = Field(default=None, pattern=r"(?i)\.(potx|pptx)$")
    logo: str | None = Field(default=None, pattern=r"(?i)\.(png|jpe?g)$")
    colors: tuple[Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")], ...] = ()


class Study(_Section):
    """A study file, checked; folder is where its tables lie."""

    study: About
    data: Data
    columns: Columns
    indicators: Indicators
    visits: VisitColumns | None = None
    formula: FormulaSettings = FormulaSettings()
    matrix: MatrixSettings = MatrixSettings()
    teams: Teams = Teams()
    targets: Targets = Targets()
    report: ReportSettings = ReportSettings()
    folder: Path = Path()

    @property
    def name(self) -> str:
        """The study's name, also its report folder."""
        return self.study.name

    @property
    def title(self) -> str:
        """The study's title, its name where none is given."""
        return self.study.title or self.study.name

    @property
    def currency(self) -> str:
        """Unit of sales and potential."""
        return self.study.currency

    @property
    def period(self) -> str:
        """The wave."""
        return self.study.period


def load_study(path: Path | str, settings: Mapping[str, str] | None = None) -> Study:
    """Read and check a study file.

    path: study.toml or its folder; settings: "section.key" -> value as TOML text, laid over the
    file. Raises StudyError with every problem found.
    """
    path = Path(path)
    file = path / "study.toml" if path.is_dir() else path
    if not file.is_file():
        raise StudyError(
            Problem("no study file here", file=str(path), remedy="Give a study.toml or its folder")
        )
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StudyError(
            Problem(f"not valid TOML: {error}", file=file.name, remedy="Mend the line named")
        ) from error
    for key, value in (settings or {}).items():
        _lay_over(content, key, value)
    if "folder" in content:
        raise StudyError(Problem("unknown key 'folder'", file=file.name, remedy="Remove it"))
    try:
        study = Study.model_validate({**content, "folder": file.resolve().parent})
    except ValidationError as error:
        raise StudyError([_problem(item, file.name) for item in error.errors()]) from error
    problems = _missing_files(study, file.name)
    if problems:
        raise StudyError(problems)
    return study


def _lay_over(content: dict[str, Any], key: str, value: str) -> None:
    """Set one "section.key" of the file's content to a value written as TOML, or as text."""
    section, _, name = key.partition(".")
    if not name or not re.fullmatch(r"[a-z_]+", section) or not re.fullmatch(r"[a-z_]+", name):
        raise StudyError(
            Problem(f"{key!r} is not section.key", remedy="Write e.g. matrix.share_cut=0.35")
        )
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value
    content.setdefault(section, {})[name] = parsed


def _problem(item: Any, file: str) -> Problem:
    """A pydantic error in our words."""
    place = [str(part) for part in item["loc"]]
    where = ".".join(place)
    if item["type"] == "extra_forbidden":
        near = difflib.get_close_matches(place[-1], _known_keys(place[:-1]), n=1)
        remedy = f"Did you mean {near[0]!r}?" if near else "Remove it"
        return Problem(f"unknown key {where!r}", file=file, remedy=remedy)
    if item["type"] == "missing":
        return Problem(f"{where!r} is missing", file=file, remedy="Add it")
    message = str(item["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    return Problem(f"{where!r}: {message}", file=file, remedy=f"It is {item['input']!r}"[:200])


def _known_keys(place: list[str]) -> list[str]:
    model: Any = Study
    for part in place:
        field = getattr(model, "model_fields", {}).get(part)
        model = field.annotation if field else None
    return [key for key in getattr(model, "model_fields", {}) if key != "folder"]


def _missing_files(study: Study, file: str) -> list[Problem]:
    """Files that are absent, outside the study's folder, or not described."""
    problems = []
    files = {f"data.{key}": getattr(study.data, key) for key in ("accounts", "survey", "visits")}
    files |= {f"report.{key}": getattr(study.report, key) for key in ("template", "logo")}
    for key, name in files.items():
        if name is None:
            continue
        target = (study.folder / name).resolve()
        if not target.is_relative_to(study.folder):
            problems.append(
                Problem(
                    f"'{key}' leaves the study's folder: {name}",
                    file=file,
                    remedy="Put the file in the study's folder",
                )
            )
        elif not target.is_file():
            problems.append(Problem(f"'{key}': no file {name}", file=file, remedy="Check the name"))
    if study.data.visits and study.visits is None:
        problems.append(
            Problem("'visits' is missing", file=file, remedy="Add the section naming its columns")
        )
    if study.data.survey and not study.columns.potential:
        problems.append(
            Problem("'columns.potential' is missing", file=file, remedy="Name the survey's column")
        )
    if not study.data.survey and not study.data.visits and not study.columns.potential:
        problems.append(
            Problem(
                "no potential is known anywhere",
                file=file,
                remedy="Add data.survey, data.visits, or columns.potential in the accounts",
            )
        )
    return problems
