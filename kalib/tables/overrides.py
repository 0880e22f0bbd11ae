"""What field experts put in place of an estimated potential, read back from the workbook."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from kalib.errors import Problem, StudyError
from kalib.tables.cells import to_numbers
from kalib.tables.packed import cell_text, measure
from kalib.tables.reading import read_text_table
from kalib.words.catalogue import in_every_language, phrases

HEADER_ROWS = 20  # the header is looked for in the first rows: an expert may write above it
TERMS = ("account", "override_potential", "override_by", "override_reason")


@dataclass(frozen=True)
class Overrides:
    """Experts' potentials.

    entries: DataFrame indexed by account, columns potential (currency a year), by, reason; file
    and sha256 of what was read, "" without one; notes: what was tolerated.
    """

    entries: pd.DataFrame
    file: str = ""
    sha256: str = ""
    notes: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class ExpertBias:
    """How experts lean against the formula, over the accounts they changed.

    count: accounts changed; before, after: their potential in sum, where one was known before
    (currency a year); compared: those of them that had an estimate of the formula; ratio: median
    of experts' over formula's potential with its interval low to high, which is exact whatever
    the distribution (order statistics; Conover 1999, section 3.2), NaN where too few are
    compared; p_value: two-sided sign test that experts lean neither way; beyond_noise: the
    interval leaves 1 out.
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
    blank = {"potential": pd.Series(dtype=float), "by": pd.Series(dtype="str"),
             "reason": pd.Series(dtype="str")}  # fmt: skip
    return Overrides(pd.DataFrame(blank, index=pd.Index([], dtype="str", name="account")))


def read_overrides(path: Path, sales: pd.Series, called: Callable[[str], str] = str) -> Overrides:
    """Read the overrides of a workbook that an expert has filled in.

    path: accounts.xlsx as a run left it, sorted, filtered, cut and saved as the expert liked, or
    a CSV of the same columns; sales: own sales by account, currency a year; called: what sales
    call an account that the workbook names. Raises StudyError with every bad cell.
    """
    if not path.is_file():
        raise StudyError(
            Problem("no such file", file=str(path), remedy="Give --overrides accounts.xlsx")
        )
    table, rows = _table(path)
    filled = (table[list(TERMS[1:])] != "").any(axis=1).to_numpy()
    table, rows = table[filled].reset_index(drop=True), rows[filled]
    values, faults, _ = to_numbers(table["override_potential"])
    bad = faults != ""
    ids, columns = table["account"].map(called), {term: phrases("en")[term] for term in TERMS}
    problems: list[Problem] = []
    notes: list[Problem] = []

    def tell(to: list[Problem], where: pd.Series, term: str, message: str, remedy: str) -> None:
        for i in np.flatnonzero(where):
            cell = table[term][i] or ids[i]
            amount = f"{sales[ids[i]]:,.0f}" if message.endswith("own sales") else ""
            to.append(
                Problem(message, path.name, columns[term], int(rows[i]), remedy, cell, amount)
            )

    given = table["override_potential"] != ""
    known = ids.isin(sales.index)
    tell(problems, ids == "", "account", "the account's id is missing", "Write it again")
    tell(problems, (ids != "") & ~known, "account", "is not among the accounts",
         "Take the id from the accounts table")  # fmt: skip
    tell(problems, given & ids.duplicated() & (ids != ""), "account", "stands above too",
         "Keep one row for each account")  # fmt: skip
    tell(problems, bad, "override_potential", "is not a number", "Write a plain number")
    tell(problems, values <= 0, "override_potential", "is not above zero",
         "Potential is above zero; leave it blank to keep the estimate")  # fmt: skip
    tell(problems, given & (table["override_reason"] == ""), "override_reason",
         "has no reason", "Say why the estimate is wrong")  # fmt: skip
    if problems:
        raise StudyError(problems)
    tell(notes, ~given, "override_potential", "has no potential; left out",
         "Write one, or clear the row")  # fmt: skip
    tell(notes, given & (table["override_by"] == ""), "override_by",
         "it is not said who knows", "Write the expert's name")  # fmt: skip
    tell(notes, values < ids.map(sales), "override_potential",
         "is below our own sales",
         "Ask again: it buys at least what it buys from us")  # fmt: skip
    entries = pd.DataFrame(
        {"potential": values[given].to_numpy(), "by": table["override_by"][given].to_numpy(),
         "reason": table["override_reason"][given].to_numpy()},
        index=pd.Index(ids[given], name="account", dtype="str"),
    )  # fmt: skip
    return Overrides(
        entries, path.name, hashlib.sha256(path.read_bytes()).hexdigest(), tuple(notes)
    )


def expert_bias(
    estimate: pd.Series, source: pd.Series, entries: pd.DataFrame, confidence: float = 0.9
) -> ExpertBias:
    """Weigh the experts' potentials against what they replace.

    estimate (N,): potential without overrides, currency a year, by account; source (N,): where it
    came from; entries: of `Overrides`; confidence: of the interval.
    """
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
        count=len(entries),
        before=float(before[known].sum()),
        after=float(entries["potential"][known].sum()),
        compared=len(logs),
        ratio=float(np.exp(np.median(logs))) if len(logs) else float("nan"),
        low=float(np.exp(low)),
        high=float(np.exp(high)),
        p_value=float(binomtest(int((logs > 0).sum()), moved).pvalue) if moved else float("nan"),
        beyond_noise=bool(low > 0 or high < 0),
    )


def _table(path: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """The cells of TERMS as text, and the file row of each."""
    if path.suffix.lower() in (".csv", ".txt", ".tsv"):
        text = read_text_table(path)
        header, cells, rows = list(text.frame.columns), text.frame.to_numpy(), text.rows
    else:
        header, cells, rows = _sheet(path)
    place = {term: _place(header, term) for term in TERMS}
    lacking = [term for term in TERMS if place[term] is None]
    if lacking:
        raise StudyError(
            [
                Problem("there is no such column", path.name, phrases("en")[term], int(rows[0]) - 1,
                        "Use the accounts sheet of a run's accounts.xlsx")
                for term in lacking
            ]
        )  # fmt: skip
    frame = pd.DataFrame({t: cells[:, place[t]] for t in TERMS}, dtype=object)
    text = frame.map(cell_text).astype("str")
    return text.apply(lambda column: column.str.strip()), rows


def _sheet(path: Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Header, cells and file rows of the sheet that has accounts and overrides."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        measure(path)
        book = CalamineWorkbook.from_path(path)
        for name in book.sheet_names:
            sheet = book.get_sheet_by_name(name)
            for i, row in enumerate(sheet.to_python(skip_empty_area=False, nrows=HEADER_ROWS)):
                header = [str(cell).strip() for cell in row]
                found = [_place(header, term) is not None for term in TERMS[:2]]
                if all(found):
                    body = sheet.to_python(skip_empty_area=False)[i + 1 :]
                    cells = np.array(body, dtype=object).reshape(len(body), len(header))
                    return header, cells, np.arange(i + 2, i + 2 + len(body))
    except (CalamineError, OSError) as error:
        raise StudyError(
            Problem(f"can't be read ({str(error)[:120]})", path.name,
                    remedy="Save it again as .xlsx")
        ) from error  # fmt: skip
    names = [phrases("en")[term] for term in TERMS[:2]]
    raise StudyError(
        Problem(f"no sheet has the columns {names[0]!r} and {names[1]!r}", path.name,
                remedy="Use the accounts sheet of a run's accounts.xlsx")
    )  # fmt: skip


def _place(header: list[str], term: str) -> int | None:
    """The column of a term, whose header is in either language."""
    said = {phrase.lower() for phrase in in_every_language(term)}
    return next((j for j, text in enumerate(header) if text.strip().lower() in said), None)
