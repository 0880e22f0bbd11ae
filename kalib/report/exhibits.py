"""Tables ready for reading: numbers rounded, words in the study's language, nothing missing."""

from __future__ import annotations

import html
from dataclasses import dataclass

import pandas as pd

from kalib.analysis import Analysis
from kalib.report.words import MISSING, Words


@dataclass(frozen=True)
class Exhibit:
    """A table for the reader.

    title: what it shows; frame: cells as text, column headers as they are read; numbers: columns
    to be set flush right.
    """

    title: str
    frame: pd.DataFrame
    numbers: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        head = "".join(
            f'<th scope="col"{self._side(name)}>{html.escape(str(name))}</th>'
            for name in self.frame.columns
        )
        body = "".join(
            "<tr>"
            + "".join(
                f"<td{self._side(name)}>{html.escape(str(cell))}</td>"
                for name, cell in zip(self.frame.columns, row, strict=True)
            )
            + "</tr>"
            for row in self.frame.itertuples(index=False, name=None)
        )
        return (
            f'<table class="exhibit"><caption>{html.escape(self.title)}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )

    def __repr__(self) -> str:
        return f"{self.title}\n{self.frame.to_string(index=False)}"

    def _side(self, column: str) -> str:
        return ' class="number"' if column in self.numbers else ""


def words_of(analysis: Analysis) -> Words:
    """The words of a study's deliverables."""
    return Words.of(analysis.study)


def candidates(analysis: Analysis) -> Exhibit:
    """What became of each candidate indicator."""
    frame = analysis.screening.frame
    words = words_of(analysis)
    rows = pd.DataFrame(
        {
            "indicator": frame.index,
            "kind": frame["kind"].to_numpy(),
            "missing": [words.percent(v, 1) if v else "none" for v in frame["missing"]],
            "distinct values": [words.whole(v) for v in frame["distinct"]],
            "kept": ["yes" if kept else f"no: {why}" for kept, why in _pairs(frame)],
        }
    )
    return Exhibit("Candidate indicators", rows, ("missing", "distinct values"))


def data_report(analysis: Analysis) -> list[Exhibit]:
    """What was read: rows, the range and gaps of each number, and what was tolerated."""
    tables, words = analysis.tables, words_of(analysis)
    read = [("accounts", analysis.study.data.accounts, len(tables.accounts))]
    if tables.survey is not None:
        name = analysis.study.data.survey or analysis.study.data.accounts
        read.append(("survey answers", name, len(tables.survey)))
    if tables.visits is not None:
        read.append(("visits", str(analysis.study.data.visits), len(tables.visits)))
    rows = pd.DataFrame(
        [(what, file, words.whole(n)) for what, file, n in read],
        columns=["table", "file", "rows"],
    )
    ranges = [_column_range("sales", tables.accounts["sales"], words)]
    ranges += [_column_range(str(name), tables.candidates[name], words)
               for name in tables.candidates]  # fmt: skip
    if tables.survey is not None:
        ranges.insert(1, _column_range("potential", tables.survey, words))
    notes = pd.DataFrame({"note": [str(note) for note in tables.notes] or ["none"]})
    return [
        Exhibit("What was read", rows, ("rows",)),
        Exhibit("Columns", pd.DataFrame(ranges), ("missing", "least", "median", "most")),
        Exhibit("Noted and tolerated", notes),
    ]


def _column_range(name: str, values: pd.Series, words: Words) -> dict[str, str]:
    missing = words.whole(float(values.isna().sum()))
    if pd.api.types.is_numeric_dtype(values):
        figures = [words.short(float(f(values))) for f in (pd.Series.min, pd.Series.median,
                                                           pd.Series.max)]  # fmt: skip
        least, middle, most = figures
        return {"column": name, "missing": missing, "least": least, "median": middle,
                "most": most}  # fmt: skip
    counts = values.dropna().value_counts()
    common = f"{counts.index[0]} ({counts.iloc[0]:,})" if len(counts) else MISSING
    return {"column": name, "missing": missing, "least": f"{len(counts)} values",
            "median": common, "most": ""}  # fmt: skip


def known_potential(analysis: Analysis) -> Exhibit:
    """Where known potential comes from, and how much of it there is."""
    words = words_of(analysis)
    potential, measured = analysis.potential, analysis.measured
    rows = [("accounts whose potential is known", words.whole(len(potential)))]
    if measured is not None:
        rows += [
            ("of them, measured in store visits", words.whole(len(measured.frame))),
            ("visit days a store, median", words.whole(float(measured.frame["days"].median()))),
            ("visit days not believed", words.whole(len(measured.suspects))),
            ("value of one unit", words.money(measured.unit_value)),
        ]
    rows += [
        ("smallest", words.money(float(potential.min()))),
        ("median", words.money(float(potential.median()))),
        ("largest", words.money(float(potential.max()))),
    ]
    return Exhibit("Known potential", pd.DataFrame(rows, columns=["", "value"]), ("value",))


def suspects(analysis: Analysis) -> Exhibit:
    """Entries that look like typing errors."""
    found = analysis.fit.suspects
    words = words_of(analysis)
    rows = pd.DataFrame(
        {
            "account": found["account"].to_numpy(),
            "entry": found["entry"].to_numpy(),
            "value": [words.whole(v) for v in found["value"]],
            "expected": [
                f"{words.whole(low)} to {words.whole(high)}"
                for low, high in zip(found["expected_low"], found["expected_high"], strict=True)
            ],
            "likely cause": found["cause"].to_numpy(),
        }
    )
    return Exhibit("Entries that look like typing errors", rows, ("value", "expected"))


def best_of_size(analysis: Analysis) -> Exhibit:
    """The best formula of each size."""
    path = analysis.fit.path
    rows = pd.DataFrame(
        {
            "indicators": path["size"].astype(str),
            "which": [names or "none" for names in path["indicators"]],
            "R² in the sample": [f"{v:.3f}" for v in path["r2"]],
            "BIC": [f"{v + 0.0:,.1f}" for v in path["bic"].round(1)],
        }
    )
    return Exhibit("The best formula of each size", rows, ("indicators", "R² in the sample", "BIC"))


def forms(analysis: Analysis) -> Exhibit:
    """The forms compared out of sample on the original scale."""
    frame = analysis.fit.forms
    words = words_of(analysis)
    unit = analysis.study.currency
    rows = pd.DataFrame(
        {
            "form": frame["form"],
            f"mean absolute error out of sample ({unit} a year)": [
                words.whole(v) for v in frame["mae"]
            ],
            "chosen": ["yes" if c else "" for c in frame["chosen"]],
        }
    )
    return Exhibit("Linear or logarithmic", rows, (rows.columns[1],))


def terms(analysis: Analysis) -> Exhibit:
    """The formula's terms, what each means, and how stable a choice it is."""
    formula = analysis.fit.formula
    words = words_of(analysis)
    unit = analysis.study.currency
    rows = []
    for term in formula.terms:
        rows.append(
            {
                "term": term.column.name,
                "coefficient": _coefficient(term.coefficient),
                "interval": f"{_coefficient(term.low)} to {_coefficient(term.high)}",
                "p-value": "< 0.001" if term.p_value < 0.001 else f"{term.p_value:.3f}",
                "chosen in half samples": words.percent(term.stability),
                "in words": _in_words(term, formula.form, unit, words),
            }
        )
    columns = [
        "term", "coefficient", "interval", "p-value", "chosen in half samples", "in words",
    ]  # fmt: skip
    title = "Terms of the formula (p-values do not know of the selection)"
    return Exhibit(title, pd.DataFrame(rows, columns=columns), tuple(columns[1:5]))


def accuracy(analysis: Analysis) -> Exhibit:
    """Figures of accuracy, in the sample and out of it."""
    fit, words = analysis.fit, words_of(analysis)
    unit = analysis.study.currency
    linear = fit.least_squares
    known = fit.oof[~fit.oof["suspect"]]
    error = (known["observed"] - known["predicted"]).abs()
    rows = [
        ("R², in the sample, working scale", f"{fit.r2:.3f}"),
        ("adjusted R²", f"{linear.r2_adjusted:.3f}"),
        ("predicted R² (PRESS), the formula as chosen", f"{linear.r2_predicted:.3f}"),
        ("predicted R², log potential, selection repeated", f"{fit.r2_predicted:.3f}"),
        ("predicted R², on the original scale", f"{fit.r2_currency:.3f}"),
        ("optimism: what the sample would have claimed beyond it", f"{fit.optimism:.3f}"),
        ("median error of one account", words.percent(fit.error_median)),
        (f"mean absolute error ({unit} a year)", words.whole(float(error.mean()))),
        (f"median absolute error ({unit} a year)", words.whole(float(error.median()))),
        ("surveyed accounts behind the formula", words.whole(fit.formula.n)),
    ]
    return Exhibit("How accurate", pd.DataFrame(rows, columns=["figure", "value"]), ("value",))


def checks(analysis: Analysis) -> Exhibit:
    """All checks, with what each means for the client."""
    rows = [
        {
            "check": check.name,
            "statistic": _figure(check.statistic),
            "p-value": _figure(check.p_value),
            "threshold": _figure(check.threshold),
            "result": "passed" if check.passed else "look",
            "what it means": check.meaning,
        }
        for check in analysis.verdict.checks
    ]
    frame = pd.DataFrame(rows)
    return Exhibit("Checks of the formula", frame, ("statistic", "p-value", "threshold"))


def influence(analysis: Analysis, rows: int = 8) -> Exhibit:
    """The accounts that move the formula most."""
    fit, words = analysis.fit, words_of(analysis)
    accounts = fit.oof.index[fit.used]
    linear = fit.least_squares
    frame = pd.DataFrame(
        {
            "account": accounts,
            "observed potential": [words.whole(v) for v in fit.oof["observed"][fit.used]],
            "leverage": [f"{v:.3f}" for v in linear.leverage],
            "studentized residual": [f"{v:.2f}" for v in linear.studentized],
            "Cook's distance": [f"{v:.3f}" for v in linear.cook],
        }
    )
    order = pd.Series(linear.cook).sort_values(ascending=False, kind="stable").index[:rows]
    columns = tuple(frame.columns[1:])
    return Exhibit("Accounts that move the formula most", frame.loc[order], columns)


def _in_words(term: object, form: str, unit: str, words: Words) -> str:
    """What a term says, in percent for logs and in currency for a linear formula."""
    column, b = term.column, term.coefficient  # type: ignore[attr-defined]
    if column.transform == "level":
        if form == "linear":
            return f"{b:+,.0f} {unit} if {column.indicator} is {column.level}"
        return f"{2.718281828459045**b - 1:+.0%} if {column.indicator} is {column.level}"
    if column.transform == "log":
        return f"{column.indicator} + 10%: potential {1.1**b - 1:+.1%}"
    if form == "linear":
        return f"{column.indicator} + 1: potential {'+' if b > 0 else ''}{_coefficient(b)} {unit}"
    return f"{column.indicator} + 1: potential {2.718281828459045**b - 1:+.2%}"


def _coefficient(value: float) -> str:
    """Four digits without an exponent."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _figure(value: float | None) -> str:
    if value is None:
        return MISSING
    if value != 0 and abs(value) < 0.001:
        return "< 0.001" if value > 0 else "≈ 0"
    return f"{value:,.3f}" if abs(value) < 100 else f"{value:,.0f}"


def _pairs(frame: pd.DataFrame) -> list[tuple[bool, str]]:
    return list(zip(frame["kept"], frame["reason"], strict=True))
