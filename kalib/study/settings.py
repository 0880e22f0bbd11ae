"""The settings of a study: every key with its type, range, default and effect.

The sentence below a key is its description, which `kalib schema` and docs/study.md print.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from kalib.errors import nearest

ZONES = ("attack", "defense", "maintenance", "watch")
MOST_AMOUNT = 1e15  # a float holds no cents beyond it, and no account buys so much
Number = Annotated[float, pydantic.Strict(), pydantic.AllowInfNan(False)]
Whole = Annotated[int, pydantic.Strict()]
Header = Annotated[str, Field(min_length=1)]  # of a client's column
Color = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$", examples=["#1f4e79"])]
Fraction = Annotated[Number, Field(ge=0, le=1)]
Visited = Annotated[Number, Field(ge=0, le=10_000)]
Reps = Annotated[Whole, Field(ge=0, le=1_000_000)]
Inside = Annotated[Number, Field(gt=0, lt=1)]
Amount = Annotated[Number, Field(gt=0, le=MOST_AMOUNT)]
Rank = Annotated[Whole, Field(ge=1, le=1_000_000_000)]
KINDS = {"quantile": Inside, "pareto": Inside, "top": Rank, "value": Amount}
CUTS = {kind: pydantic.TypeAdapter[float](number) for kind, number in KINDS.items()}
SCALES = {"thousand": 1e3, "million": 1e6}  # units a currency may begin with
BOUNDS = {"exclusiveMinimum": "above", "minimum": "at least", "exclusiveMaximum": "below",
          "maximum": "at most"}  # fmt: skip
CUT_SCHEMAS = {kind: adapter.json_schema() for kind, adapter in CUTS.items()}


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    @pydantic.field_validator("*")
    @classmethod
    def _shown(cls, value: Any) -> Any:
        parts = (*value, *value.values()) if isinstance(value, dict) else (value,)
        parts = value if isinstance(value, tuple) else parts
        if any(isinstance(part, str) and re.search("[\0-\x1f\x7f-\x9f]", part) for part in parts):
            raise ValueError("holds a control character, which no deliverable can show")
        return value


class About(_Section):
    """[study]: what the study is called."""

    name: str = Field(pattern=r"^[a-z0-9-]+$", examples=["phones-retail"])
    """The study's name in small letters, digits and hyphens; also the report's folder."""
    title: str = ""
    """Title of every document; the name where it is blank."""
    industry: str = ""
    """The client's industry, on the cover."""
    currency: str = ""
    """Unit of sales and potential, a year."""
    period: str = Field(default="current", pattern=r"^[^./\\\x00][^/\\\x00]*$", examples=["2026"])
    """The wave; the report's folder below the name. Waves are compared in its order."""


class Data(_Section):
    """[data]: the tables, as files in the study's folder, and how their dirt is read."""

    accounts: str
    """One row per account: id, our own sales, indicators. CSV, XLSX or Parquet, as all tables."""
    sales: str | None = None
    """Our own sales, where another table or sheet holds them; an account's rows are added up."""
    survey: str | None = None
    """Observed potential of some accounts, a row each."""
    visits: str | None = None
    """Store visits from which potential is measured, a row each day and store."""
    missing: tuple[str, ...] = ()
    """Further words that mean: nothing is known. Blanks, NA, n/a, -, #N/A and their like do."""
    negative_sales: Literal["refuse", "zero"] = "refuse"
    """What becomes of sales below zero: refused, or, as returns, read as 0 and flagged."""
    blank_sales: Literal["refuse", "zero"] = "refuse"
    """What becomes of blank sales: refused, or read as 0, as of who buys nothing from us."""
    id_width: Whole = Field(default=0, ge=0, le=40)
    """Ids of digits are filled with zeros to this width in every table; 0 leaves them."""
    duplicates: Literal["refuse", "first"] = "refuse"
    """What becomes of an account's further rows: refused, or left out and said."""


class Columns(_Section):
    """[columns]: the client's column for each of our terms."""

    account: Header
    """The account's id: unique, read as text, in every table."""
    sales_account: str | None = None
    """The id in the table of own sales, where its column has another name there."""
    survey_account: str | None = None
    """The id in the survey, where its column has another name there."""
    name: str | None = None
    """The account's name; the id where there is none."""
    region: str | None = None
    """Region, city or territory."""
    segment: str | None = None
    """Segment, channel or chain."""
    sales: Header
    """What the account buys from us, currency a year."""
    potential: Header | None = None
    """What it can buy from everyone, currency a year: in the survey, or in the accounts."""
    current_ka: str | None = None
    """Today's key-account flag."""
    rep: str | None = None
    """Today's owner."""
    margin: str | None = None
    """Our margin, a fraction of sales."""
    parent: str | None = None
    """The chain or head office that the account belongs to."""

    @pydantic.model_validator(mode="after")
    def _figures_apart(self) -> Columns:
        for one, other in (("sales", "potential"), ("account", "sales"), ("account", "potential")):
            if getattr(self, one) == getattr(self, other):
                raise ValueError(f"{one} and {other} are the same column", "Name two")
        return self


class Indicators(_Section):
    """[indicators]: candidates and what is expected of them."""

    candidates: tuple[Header, ...] = Field(min_length=1)
    """Columns of the accounts that may tell potential: numbers, or text taken as categories."""
    expected_sign: dict[str, Literal["+", "-"]] = {}
    """Candidate -> direction of its effect; a formula against it is not considered, unless the
    indicator is required: then the verdict names it."""
    required: tuple[str, ...] = ()
    """Candidates that are in every formula."""
    max: Whole = Field(default=8, ge=1, le=1000)
    """Most indicators of a formula."""
    allow: tuple[str, ...] = ()
    """Candidates set aside as copies of sales, answers, the parent or lists that may enter."""
    labels: dict[str, Header] = {}
    """Candidate -> what people read in its place, its unit in brackets."""

    @pydantic.model_validator(mode="after")
    def _named_are_candidates(self) -> Indicators:
        for key in ("expected_sign", "required", "allow", "labels"):
            for name in sorted(set(getattr(self, key)) - set(self.candidates)):
                remedy = nearest(name, self.candidates) or "Add it to them, or take it out"
                said = f"{name!r} is not among the candidates, though {key} names it"
                raise ValueError(said, remedy)
        if len(set(self.candidates)) < len(self.candidates):
            raise ValueError("a candidate is listed twice", "List it once")
        if len(self.required) > self.max:
            raise ValueError("more indicators are required than max allows", "Raise max")
        return self

    @property
    def signs(self) -> dict[str, int]:
        """Expected signs as -1 and 1."""
        return {name: 1 if sign == "+" else -1 for name, sign in self.expected_sign.items()}


class VisitColumns(_Section):
    """[visits]: columns of the visits table."""

    account: Header
    """The account's id."""
    date: Header
    """The day of the visit, in one format throughout."""
    own: Header
    """Our sales seen that day, in units."""
    total: Header
    """All brands' sales that day, in the same units."""

    @pydantic.model_validator(mode="after")
    def _apart(self) -> VisitColumns:
        if len({self.account, self.date, self.own, self.total}) < 4:
            raise ValueError("two of account, date, own, total are the same column", "Name four")
        return self


class FormulaSettings(_Section):
    """[formula]: how the formula is chosen and how sure its intervals are."""

    form: Literal["linear", "log", "auto"] = "auto"
    """Linear, logarithmic, or whichever is better on accounts it has not seen."""
    criterion: Literal["bic", "cv", "one-se"] = "bic"
    """What chooses indicators: BIC, least cross-validated error, or the smallest formula within
    one standard error of that."""
    confidence: Number = Field(default=0.9, ge=0.5, le=0.98)
    """Probability that an interval holds the truth."""
    evidence: Literal["formula", "formula+sales", "auto"] = "auto"
    """Whether own sales speak beside the formula: no, yes, or where they go with it."""


class SurveySettings(_Section):
    """[survey]: how far answers can be believed."""

    error: Literal["auto"] | Annotated[Number, Field(ge=0, le=2)] = "auto"
    """Standard error of an answer in logs; answers are then weighed by it, drawn to the formula and
    have an interval. "auto": learned where accounts answer repeatedly, whose answers are then
    averaged; else answers stand as they are."""
    understated: Number = Field(default=0.0, ge=0, le=0.9)
    """Fraction by which answers are known to fall short of the truth: each is divided by one less
    the fraction."""


class Market(_Section):
    """[market]: what is known of the whole. Estimates are scaled to it."""

    total: Amount | Header | None = None
    """Potential of all accounts together, currency a year, or a table's file: region, total."""
    error: Fraction = 0.05
    """Standard error of the total, as a fraction of it."""


def _read_cut(value: Any) -> Any:
    if isinstance(value, Cut):
        return value
    if not isinstance(value, Mapping) or len(value) != 1 or set(value) - set(CUTS):
        forms = "{ quantile = 0.8 }, { pareto = 0.8 }, { top = 50 }, { value = 250000 }"
        raise ValueError(f"is none of {forms}")
    kind, number = next(iter(value.items()))
    try:
        return Cut(kind=kind, value=CUTS[kind].validate_python(number))
    except pydantic.ValidationError as error:
        raise ValueError(f"{kind} is {wanted(CUT_SCHEMAS[kind])}") from error


class Cut(_Section):
    """Where high potential begins: a quantile, a Pareto share, the top so many, or a value."""

    kind: Literal["quantile", "pareto", "top", "value"] = "quantile"
    value: float = 0.8


class MatrixSettings(_Section):
    """[matrix]: the two cuts."""

    potential_cut: Annotated[
        Cut,
        pydantic.BeforeValidator(_read_cut),
        pydantic.WithJsonSchema(
            {"type": "object", "properties": CUT_SCHEMAS, "additionalProperties": False,
             "minProperties": 1, "maxProperties": 1}
        ),
    ] = Field(default=Cut(), json_schema_extra={"default": {"quantile": 0.8}})  # fmt: skip
    """Where high potential begins: a quantile of the accounts, the fewest accounts that hold a
    share of the potential (pareto), the top so many, or a value."""
    share_cut: Literal["market"] | Inside = "market"
    """Where a high share of wallet begins: at our market share, or at a fraction."""


class Visits(_Section):
    """[teams.visits_per_year]: visits that one account gets, by zone."""

    attack: Visited = 24.0
    """Visits a year of an account in the attack zone."""
    defense: Visited = 12.0
    """Visits a year of an account in the defense zone."""
    maintenance: Visited = 4.0
    """Visits a year of an account in the maintenance zone."""
    watch: Visited = 1.0
    """Visits a year of an account in the watch zone."""


class Teams(_Section):
    """[teams]: the work, and who does it."""

    visits_per_year: Visits = Visits()
    """Visits that one account gets, by zone."""
    visits_per_rep: Number = Field(default=800, gt=0, le=100_000)
    """Visits that one rep makes in a year."""
    hunters: Reps = 0
    """Reps who attack; 0 computes them from the work."""
    farmers: Reps = 0
    """Reps who defend; 0 computes them from the work."""
    handover_cost: Fraction = 0.0
    """Share of an account's sales that another owner costs: accounts whose expected gain does not
    exceed it keep theirs. 0 lets the work decide alone."""

    def visits(self, zone: str) -> float:
        """Visits a year of one account of the zone; 0 outside the zones."""
        return float(getattr(self.visits_per_year, zone)) if zone in ZONES else 0.0


class Targets(_Section):
    """[targets]: what sales shall become."""

    horizon_years: Number = Field(default=1, gt=0, le=50)
    """Years until the targets are due."""
    close_gap: Fraction = 0.5
    """Share of the gap in share of wallet to close in the attack zone."""
    company_growth: Annotated[Number, Field(gt=-1, le=100)] | None = None
    """Growth of all sales, a fraction, that the accounts' targets must add up to."""


class Proof(_Section):
    """[proof]: a test of what attacking brings."""

    holdout: Number = Field(default=0.0, ge=0, le=0.5)
    """Fraction of the attack accounts that are left as they are, chosen by chance; 0 for none. They
    prove, a wave later, what attacking the others brought."""


class ReportSettings(_Section):
    """[report]: language, names on the cover, and the client's own look."""

    language: Literal["en", "zh"] = "en"
    """Language of every deliverable."""
    client: str = "Client"
    """For whom it was made."""
    author: str = "Analyst"
    """Who made it."""
    template: str | None = Field(
        default=None, pattern=r"(?i)\.(potx|pptx)$", examples=["house-style.potx"]
    )
    """PowerPoint template of the deck."""
    logo: str | None = Field(default=None, pattern=r"(?i)\.(png|jpe?g)$", examples=["logo.png"])
    """Picture on cover and pages."""
    colors: tuple[Color, ...] = ()
    """Colors that take the place of the kit's, the first of them the accent."""


class Study(_Section):
    """A study file, checked; folder is where its tables lie."""

    study: About
    data: Data
    columns: Columns
    indicators: Indicators
    visits: VisitColumns | None = None
    formula: FormulaSettings = FormulaSettings()
    survey: SurveySettings = SurveySettings()
    market: Market = Market()
    matrix: MatrixSettings = MatrixSettings()
    teams: Teams = Teams()
    targets: Targets = Targets()
    proof: Proof = Proof()
    report: ReportSettings = ReportSettings()
    folder: SkipJsonSchema[Path] = Path()
    _file: str = pydantic.PrivateAttr("study.toml")

    @property
    def file(self) -> Path:
        """The study file that was read."""
        return self.folder / self._file

    @property
    def digits(self) -> int:
        """Decimals that are kept of an amount: cents, in whatever unit amounts are."""
        first, _, _ = self.study.currency.lower().partition(" ")
        return 2 + round(math.log10(SCALES.get(first, 1.0)))

    @property
    def name(self) -> str:
        """The study's name, also its report folder."""
        return self.study.name

    @property
    def title(self) -> str:
        """The study's title, its name where none is given."""
        return self.study.title or self.study.name

    @property
    def tables(self) -> dict[str, str]:
        """The files of its tables, by the key that names each."""
        data = self.data.model_dump(include={"accounts", "sales", "survey", "visits"})
        files = {f"data.{part}": file for part, file in data.items()}
        total = {"market.total": self.market.total}
        return {key: name for key, name in (files | total).items() if isinstance(name, str)}

    @property
    def currency(self) -> str:
        """Unit of sales and potential."""
        return self.study.currency

    @property
    def period(self) -> str:
        """The wave."""
        return self.study.period

    def label(self, column: str) -> str:
        """What people read of a candidate: its label, else the column's own name."""
        return self.indicators.labels.get(column, column)


def wanted(schema: Mapping[str, Any]) -> str:
    """What a key takes.

    >>> wanted({"type": "number", "exclusiveMinimum": 0, "maximum": 1})
    'a number above 0 and at most 1'
    """
    if "examples" in schema:
        return f"text such as {_said(schema['examples'][0])}"
    for key in ("anyOf", "enum"):
        if key in schema:
            parts = [p for p in schema[key] if p != {"type": "null"}]
            said = [wanted(part) if isinstance(part, Mapping) else _said(part) for part in parts]
            return " or ".join(filter(None, [", ".join(said[:-1]), *said[-1:]]))
    if "const" in schema:
        return _said(schema["const"])
    kind = schema.get("type", "")
    if kind in ("number", "integer"):
        words = "a whole number" if kind == "integer" else "a number"
        if {"minimum", "maximum"} <= set(schema):
            return f"{words} from {_said(schema['minimum'])} to {_said(schema['maximum'])}"
        bounds = [f"{word} {_said(schema[key])}" for key, word in BOUNDS.items() if key in schema]
        return f"{words} {' and '.join(bounds)}".strip()
    if kind == "array":
        return f"a list, each entry {wanted(schema['items'])}"
    return "text" if kind == "string" else "a table of keys"


def _said(value: object) -> str:
    if isinstance(value, int | float):
        return f"{value:,.16g}" if abs(value) < 1e9 else f"{value:g}"
    return json.dumps(value, ensure_ascii=False)
