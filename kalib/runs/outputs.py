"""The files of a run that programs read: accounts, formula, verdict and summary."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic_core import to_jsonable_python

from kalib.analysis import Analysis
from kalib.files import beside
from kalib.formula.fitting import Fit
from kalib.formula.levels import level_effects
from kalib.formula.written import as_sql
from kalib.indicators.screening import Screening
from kalib.study.settings import Study
from kalib.wallet.wallet import surveyed_range
from kalib.waves.waves import LEARNED, Waves, learned_from

COLUMNS = beside(__file__)
CONTRACT, FURTHER = tuple(COLUMNS["contract"]), tuple(COLUMNS["further"])
# How text begins that a spreadsheet program runs as a formula, in full width too; numbers stay.
FORMULA, NUMBER = r"[=+\-@＝＋－＠\t\r]", r"[-+]?[0-9.,]+"
MONEY = ("sales", "potential", "target", "survey", "expected_gain", "winnable", "at_risk")
SHARE_DIGITS = 6


def accounts_table(analysis: Analysis) -> pd.DataFrame:
    """One row an account in the client's order, the contract's columns first, amounts rounded."""
    after = analysis.next_survey[["rank", "benefit"]].add_prefix("survey_")
    frame = analysis.plan.accounts.join(after.astype({"survey_rank": "Int64"})).reset_index()
    frame = frame.iloc[analysis.tables.order][[*CONTRACT, *FURTHER]].reset_index(drop=True)
    return _rounded(frame, analysis.study.digits)


def _rounded(accounts: pd.DataFrame, digits: int) -> pd.DataFrame:
    numbers = accounts.select_dtypes("number")
    money = {name: digits for name in numbers if name.startswith(MONEY) and name[-3:] != "sow"}
    frame = accounts.round(dict.fromkeys(numbers, SHARE_DIGITS) | money)
    return frame.assign(current_ka=frame["current_ka"].astype("boolean"))


def _no_formulas(accounts: pd.DataFrame) -> pd.DataFrame:
    """Text that a spreadsheet program would run as a formula, with the apostrophe that keeps it
    text there; numbers such as an id of +49 stay."""
    safe = accounts.copy()
    for name in safe.select_dtypes(("object", "string")):
        cells = safe[name].astype("string")
        risky = cells.str.match(FORMULA) & ~cells.str.fullmatch(NUMBER)
        safe[name] = safe[name].where(~risky.fillna(False), "'" + cells)
    return safe


def write_outputs(
    analysis: Analysis, figures: Mapping[str, object], source: Mapping[str, Any], folder: Path,
    waves: Waves | None = None,
) -> None:  # fmt: skip
    """Write accounts.csv, accounts.parquet and the JSON files. figures: as in summary.json;
    source: as in run.json; waves: the comparison with the wave before, None without one."""
    accounts = accounts_table(analysis)
    _no_formulas(accounts).to_csv(folder / "accounts.csv", index=False, lineterminator="\n")
    accounts.to_parquet(folder / "accounts.parquet", index=False)
    learned_from(analysis).reset_index().to_parquet(folder / LEARNED, index=False)
    record = formula_record(analysis.fit, analysis.screening, analysis.study)
    estimate = analysis.wallet.basis.to_json()
    heard = {name: estimate[name] for name in ("basis", "weights")}
    write_json({**record, "estimate": heard}, folder / "formula.json")
    write_json({**analysis.verdict.to_json(), "estimate": estimate}, folder / "verdict.json")
    write_json(figures, folder / "summary.json")
    plan = analysis.plan
    if plan.proof:
        write_json(plan.proof.to_json(), folder / "proof.json")
    if len(plan.parents):
        parents = plan.parents.reset_index().assign(account=plan.parents.index, team="")
        parents = parents[list(dict.fromkeys([*CONTRACT, *parents]))]  # in the accounts' order
        parents = _rounded(parents, analysis.study.digits)
        _no_formulas(parents).to_csv(folder / "parents.csv", index=False, lineterminator="\n")
    write_json(source, folder / "run.json")
    if waves:
        write_json(waves.to_json(), folder / "waves.json")


def formula_record(fit: Fit, screening: Screening, study: Study) -> dict[str, Any]:
    """The content of formula.json: with it, `kalib score` needs nothing else of the fit."""
    formula, levels = fit.formula.to_json(), level_effects(fit)
    return {**formula, "sql": as_sql({**formula, "levels": levels}), "currency": study.currency,
            "confidence": study.formula.confidence, "error": fit.predictive.to_json(),
            "levels": levels, "surveyed": surveyed_range(fit, screening)}  # fmt: skip


def write_json(content: object, path: Path) -> None:
    """Write JSON that any program reads."""
    path.write_text(to_json(content), encoding="utf-8")


def to_json(content: object) -> str:
    """JSON that any program reads: no NaN, keys in the order given."""
    plain = to_jsonable_python(content, inf_nan_mode="null", fallback=lambda value: value.item())
    return json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
