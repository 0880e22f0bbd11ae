"""Tables ready for reading: numbers rounded, words in the study's language, nothing missing."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd

from kalib.analysis import Analysis
from kalib.errors import Problem
from kalib.formula.formula import Formula, Term
from kalib.report.exhibit import Exhibit as Exhibit
from kalib.report.exhibit import told
from kalib.report.exhibit import words_of as words_of
from kalib.study.settings import Study
from kalib.tables.client import Tables
from kalib.words.catalogue import MISSING, Words


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
    numbers = ("missing", "distinct values")
    return told(words, "Candidate indicators", rows, numbers, ("kind", "missing", "kept"))


def data_report(study: Study, tables: Tables) -> list[Exhibit]:
    """What was read: rows, the range and gaps of each number, and what was tolerated."""
    words = Words.of(study)
    read = [("accounts", study.data.accounts, len(tables.accounts))]
    if tables.survey is not None:
        name = study.data.survey or study.data.accounts
        read.append(("survey answers", name, len(tables.survey)))
    if tables.visits is not None:
        read.append(("visits", str(study.data.visits), len(tables.visits)))
    rows = pd.DataFrame(
        [(what, file, words.whole(n)) for what, file, n in read],
        columns=["table", "file", "rows"],
    )
    ranges = [_column_range("sales", tables.accounts["sales"], words)]
    ranges += [_column_range(str(name), tables.candidates[name], words)
               for name in tables.candidates]  # fmt: skip
    if tables.survey is not None:
        ranges.insert(1, _column_range("potential", tables.survey, words))
    notes = pd.DataFrame({"note": [noted(words, note) for note in tables.notes] or ["none"]})
    columns = pd.DataFrame(ranges)
    return [
        told(words, "What was read", rows, ("rows",), ("table",)),
        told(words, "Columns", columns, ("missing", "least", "median", "most"), ("least",)),
        told(words, "Noted and tolerated", notes, (), ("note",)),
    ]


def noted(words: Words, note: Problem) -> str:
    """What was tolerated, in the language."""
    plain = replace(note, message=words.tell(note.message), file="", column="", row=None, remedy="")
    message, remedy = str(plain), words.tell(note.remedy)
    column = words.say("column", name=note.column) if note.column else ""
    row = words.say("row", n=note.row) if note.row is not None else ""
    place = ", ".join(part for part in (note.file, column, row) if part)
    text = f"{place}: {message}" if place else message
    return f"{text}. {remedy}" if remedy else text


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
    potential, measured = analysis.potential.frame["potential"], analysis.measured
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
    frame = pd.DataFrame(rows, columns=["", "value"])
    return told(words, "Known potential", frame, ("value",), ("",))


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
                words.say("between", low=words.whole(low), high=words.whole(high))
                for low, high in zip(found["expected_low"], found["expected_high"], strict=True)
            ],
            "likely cause": found["cause"].to_numpy(),
        }
    )
    title, numbers = "Entries that look like typing errors", ("value", "expected")
    return told(words, title, rows, numbers, ("entry", "likely cause"))


def best_of_size(analysis: Analysis) -> Exhibit:
    """The best formula of each size."""
    words, path = words_of(analysis), analysis.fit.path
    rows = pd.DataFrame(
        {
            "indicators": path["size"].astype(str),
            "which": [names or words.tell("none") for names in path["indicators"]],
            "R² in the sample": [f"{v:.3f}" for v in path["r2"]],
            "BIC": [f"{v + 0.0:,.1f}" for v in path["bic"].round(1)],
        }
    )
    if analysis.study.formula.criterion != "bic":
        rows["unexplained out of sample"] = [
            f"{error:.1%} ± {spread:.1%}"
            for error, spread in zip(path["error"], path["error_se"], strict=True)
        ]
        rows["chosen"] = ["yes" if chosen else "" for chosen in path["chosen"]]
    numbers = [name for name in rows if name not in ("which", "chosen")]
    said = ("chosen",) if "chosen" in rows else ()
    return told(words, "The best formula of each size", rows, numbers, said)


def forms(analysis: Analysis) -> Exhibit:
    """The forms compared out of sample on the original scale."""
    frame = analysis.fit.forms
    words = words_of(analysis)
    rows = pd.DataFrame(
        {
            "form": frame["form"],
            f"mean absolute error out of sample ({words.yearly()})": [
                words.whole(v) for v in frame["mae"]
            ],
            "log score out of sample": [f"{v:.3f}" for v in frame["log_score"]],
            "chosen": ["yes" if c else "" for c in frame["chosen"]],
        }
    )
    numbers = tuple(rows.columns[1:3])
    return told(words, "Linear or logarithmic", rows, numbers, ("form", "chosen"))


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
                "interval": words.say(
                    "between", low=_coefficient(term.low), high=_coefficient(term.high)
                ),
                "p-value": "< 0.001" if term.p_value < 0.001 else f"{term.p_value:.3f}",
                "chosen in half samples": words.percent(term.stability),
                "in words": _in_words(term, formula, unit),
            }
        )
    columns = [
        "term", "coefficient", "interval", "p-value", "chosen in half samples", "in words",
    ]  # fmt: skip
    title = "Terms of the formula (p-values do not know of the selection)"
    frame = pd.DataFrame(rows, columns=columns)
    return told(words, title, frame, tuple(columns[1:5]), ("in words",))


def accuracy(analysis: Analysis) -> Exhibit:
    """Figures of accuracy, in the sample and out of it."""
    fit, words = analysis.fit, words_of(analysis)
    linear, verdict = fit.least_squares, analysis.verdict
    known = fit.oof[~fit.oof["suspect"]]
    error = (known["observed"] - known["predicted"]).abs()
    rows = [
        ("R², in the sample, working scale", f"{fit.r2:.3f}"),
        ("adjusted R²", f"{linear.results.rsquared_adj:.3f}"),
        ("predicted R² (PRESS), the formula as chosen", f"{linear.r2_predicted:.3f}"),
        ("predicted R², log potential, selection repeated", f"{fit.r2_predicted:.3f}"),
        ("predicted R², on the original scale", f"{fit.r2_currency:.3f}"),
        ("optimism: what the sample would have claimed beyond it", f"{fit.optimism:.3f}"),
        (
            "predicted R² of gradient boosting, the same folds",
            f"{verdict.boosted_r2_predicted:.3f}",
        ),
        ("median error of one account", words.percent(fit.error_median)),
        ("median error of gradient boosting", words.percent(verdict.boosted_error_median)),
        (f"mean absolute error ({words.yearly()})", words.whole(float(error.mean()))),
        (f"median absolute error ({words.yearly()})", words.whole(float(error.median()))),
        ("surveyed accounts behind the formula", words.whole(fit.formula.n)),
    ]
    frame = pd.DataFrame(rows, columns=["figure", "value"])
    return told(words, "How accurate", frame, ("value",), ("figure",))


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
    numbers, said = ("statistic", "p-value", "threshold"), ("check", "result", "what it means")
    return told(words_of(analysis), "Checks of the formula", frame, numbers, said)


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
    return told(words, "Accounts that move the formula most", frame.loc[order], columns)


def _in_words(term: Term, formula: Formula, unit: str) -> str:
    """What a term says, in percent for logs and in currency for a linear formula."""
    column, b, form = term.column, term.coefficient, formula.form
    if column.transform == "level":
        if form == "linear":
            return f"{b:+,.0f} {unit} if {column.indicator} is {column.level}"
        return f"{formula.level_effect(term):+.0%} if {column.indicator} is {column.level}"
    if column.transform == "log":
        return f"{column.indicator} + 10%: potential {1.1**b - 1:+.1%}"
    if form == "linear":
        return f"{column.indicator} + 1: potential {'+' if b > 0 else ''}{_coefficient(b)} {unit}"
    return f"{column.indicator} + 1: potential {math.expm1(b):+.2%}"


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
