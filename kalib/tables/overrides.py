"""What field experts put in place of an estimated potential, read back from the workbook."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from kalib.errors import Problem, StudyError
from kalib.files import file_hash
from kalib.study.settings import Data
from kalib.tables.columns import Columns, Findings
from kalib.tables.reading import read_text_table, refusal
from kalib.words.catalogue import LANGUAGES, phrases

SLIP = 20.0  # times the upper end of the estimate: no opinion differs so much
TERMS = ("account", "override_potential", "override_by", "override_reason")


@dataclass(frozen=True)
class Overrides:
    """Experts' potentials.

    entries: DataFrame indexed by account, columns potential (currency a year), by, reason, row of
    the file; file, its column of potentials and sha256 of what was read, "" without one; notes:
    what was tolerated.
    """

    entries: pd.DataFrame
    file: str = ""
    column: str = ""
    sha256: str = ""
    notes: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class ExpertBias:
    """How experts lean against the formula, over the accounts they changed.

    count: accounts changed; before, after: their potential in sum, where one was known before
    (currency a year); compared: those that had an estimate of the formula; ratio: median of
    experts' over formula's potential with its interval low to high, exact whatever the distribution
    (order statistics; Conover 1999, section 3.2), NaN where too few are compared; p_value:
    two-sided sign test that experts lean neither way; beyond_noise: the interval leaves 1 out.
    """

    count: int
    before: float
    after: float
    compared: int
    ratio: float
    low: float
    high: float
    p_value: float
    beyond_noise: bool


def no_overrides() -> Overrides:
    """None given."""
    kinds = {"potential": float, "by": "str", "reason": "str", "row": int}
    blank = pd.DataFrame(columns=list(kinds), index=pd.Index([], dtype="str", name="account"))
    return Overrides(blank.astype(kinds))


def read_overrides(path: Path, sales: pd.Series, called: Callable[[str], str] = str) -> Overrides:
    """Read the overrides of a workbook that an expert has filled in.

    path: accounts.xlsx as a run left it, sorted, filtered, cut and saved as the expert liked, or
    a CSV of the same columns; sales: own sales by account, currency a year; called: what sales
    call an account that the workbook names. Raises StudyError with every bad cell.
    """
    if not path.is_file():
        raise StudyError(refusal("no workbook", str(path)))
    for names in ([phrases(language)[term] for term in TERMS] for language in LANGUAGES):
        table = read_text_table(path, names[:2], names[2:])
        if set(names[:2]) <= set(table.frame):
            break
    else:
        raise StudyError(refusal("no sheet", path.name, *(phrases("en")[t] for t in TERMS[:2])))
    if lacking := [name for name in names if name not in table.frame]:
        row = int(table.rows.min(initial=2)) - 1
        raise StudyError(refusal("no column", path.name, column=name, row=row) for name in lacking)
    account, potential, by, reason = names
    table = table.keep((table.frame[[potential, by, reason]] != "").any(axis=1).to_numpy())
    found, frame = Findings(), table.frame
    read = Columns(table, found, Data(accounts=""))
    read.decimal = ""
    ids, given = frame[account].map(called), frame[potential] != ""
    values = read.amounts(potential, "potential", blank=True)
    # A table's doubt is a note; one figure written by hand has no column that would tell.
    remedy = "Write it without separators"
    found.problems.extend(replace(doubt, remedy=remedy) for doubt in found.notes)
    read.tell("id missing", account, ids == "")
    read.tell("override unknown", account, (ids != "") & ~ids.isin(sales.index))
    read.tell("id above", account, given & ids.duplicated() & (ids != ""))
    read.tell("reason", reason, given & (frame[reason] == ""))
    if found.problems:
        raise StudyError(found.problems)
    read.tell("no potential", potential, ~given)
    read.tell("no expert", by, given & (frame[by] == ""))
    own = ids.map(sales)
    read.tell("below sales", potential, values < own, own.map("{:,.0f}".format))
    entries = pd.DataFrame({"potential": values, "by": frame[by], "reason": frame[reason],
                            "row": table.rows})[given]  # fmt: skip
    entries.index = pd.Index(ids[given], name="account", dtype="str")
    return Overrides(entries, path.name, potential, file_hash(path), tuple(found.notes))


def refuse_slips(overrides: Overrides, high: pd.Series) -> None:
    """Raise StudyError for each override that is SLIP times above the upper end (N,) of its
    account's estimate, currency a year, NaN where there is none: of another unit, not of another
    opinion. Below it all may be true: a store closes."""
    entries = overrides.entries.assign(high=high)
    remedy = "Write it in the study's unit, a year; if it is right, add it to the survey"
    if problems := [
        Problem(f"is far above the estimate of {one.Index}, {one.high:,.0f} at most",
                overrides.file, overrides.column, one.row, remedy, f"{one.potential:,.0f}")
        for one in entries[entries["potential"] > SLIP * entries["high"]].itertuples()
    ]:  # fmt: skip
        raise StudyError(problems)


def expert_bias(
    estimate: pd.Series, source: pd.Series, entries: pd.DataFrame, confidence: float = 0.9
) -> ExpertBias:
    """Weigh the experts' potentials, entries, against what they replace: estimate (N,), currency a
    year, by account, and the source (N,) that it came from; confidence: of the interval."""
    from scipy.stats import binomtest, quantile_test

    before = estimate.reindex(entries.index)
    known = before.notna()
    judged = known & source.reindex(entries.index).str.startswith("formula").fillna(False)
    logs = np.sort(np.log(entries["potential"][judged] / before[judged]).to_numpy(float))
    low = high = float("nan")
    if len(logs):
        low, high = quantile_test(logs, p=0.5).confidence_interval(confidence)
    moved = int((logs != 0).sum())
    return ExpertBias(
        count=len(entries), before=float(before[known].sum()),
        after=float(entries["potential"][known].sum()), compared=len(logs),
        ratio=float(np.exp(np.median(logs))) if len(logs) else float("nan"), low=float(np.exp(low)),
        high=float(np.exp(high)),
        p_value=float(binomtest(int((logs > 0).sum()), moved).pvalue) if moved else float("nan"),
        beyond_noise=bool(low > 0 or high < 0),
    )  # fmt: skip


def leaning_experts(
    estimate: pd.Series, source: pd.Series, entries: pd.DataFrame, confidence: float = 0.9
) -> dict[str, ExpertBias]:
    """Of several experts those who lean against the formula beyond noise, by name; arguments as of
    `expert_bias`. At most 1 - confidence of those named are so by chance (Benjamini & Hochberg)."""
    from scipy.stats import false_discovery_control

    told = {str(name): expert_bias(estimate, source, own, confidence)
            for name, own in entries.groupby("by") if name}  # fmt: skip
    weighed = {name: bias for name, bias in told.items() if np.isfinite(bias.low)}
    if len(told) < 2 or not weighed:
        return {}
    chance = false_discovery_control([bias.p_value for bias in weighed.values()])
    return {name: bias for (name, bias), p in zip(weighed.items(), chance, strict=True)
            if bias.beyond_noise and p <= 1 - confidence}  # fmt: skip
