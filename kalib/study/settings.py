"""The settings of a study: what may be asked, section by section."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

ZONES = ("attack", "defense", "maintenance", "watch")
USUAL_VISITS = {"attack": 24.0, "defense": 12.0, "maintenance": 4.0, "watch": 1.0}


def _no_control(text: str) -> str:
    """Text without characters that no deliverable can show."""
    if any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in text):
        raise ValueError("holds a control character")
    return text


Header = Annotated[str, Field(min_length=1)]  # of a client's column


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*")
    @classmethod
    def _shown(cls, value: Any) -> Any:
        for text in value if isinstance(value, tuple | dict) else [value]:
            if isinstance(text, str):
                _no_control(text)
        return value


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

    account: Header
    name: str | None = None
    region: str | None = None
    segment: str | None = None
    sales: Header
    potential: Header | None = None
    current_ka: str | None = None
    rep: str | None = None
    margin: str | None = None

    @model_validator(mode="after")
    def _figures_apart(self) -> Columns:
        for one, other in (("sales", "potential"), ("account", "sales"), ("account", "potential")):
            if getattr(self, one) == getattr(self, other):
                raise ValueError(f"{one} and {other} are the same column")
        return self


class Indicators(_Section):
    """[indicators]: candidates and what is expected of them."""

    candidates: tuple[Header, ...] = Field(min_length=1)
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

    account: Header
    date: Header
    own: Header
    total: Header

    @model_validator(mode="after")
    def _apart(self) -> VisitColumns:
        if len({self.account, self.date, self.own, self.total}) < 4:
            raise ValueError("two of account, date, own, total are the same column")
        return self


class FormulaSettings(_Section):
    """[formula]: form, confidence of intervals, evidence, and the criterion that chooses the
    indicators: BIC, least cross-validated error, or the smallest formula within one standard
    error of that."""

    form: Literal["linear", "log", "auto"] = "auto"
    criterion: Literal["bic", "cv", "one-se"] = "bic"
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
