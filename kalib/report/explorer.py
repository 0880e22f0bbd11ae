"""The page's interactive part: the accounts as data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd
from jinja2.utils import htmlsafe_json_dumps
from sklearn.neighbors import NearestNeighbors

from kalib.analysis import Analysis
from kalib.files import beside
from kalib.plan.plan import ACTIONS, TEAM_OF_ZONE
from kalib.plots.accounts import TOP, common_ends
from kalib.report.tables import accounts_of
from kalib.study.settings import ZONES
from kalib.words.catalogue import MISSING, Words

PAGE = beside(__file__)
LABELS = (*PAGE["labels"], *ZONES, *ACTIONS, *TEAM_OF_ZONE.values())
ALIKE = 5  # accounts like it on an account's card
MOST, SAMPLE = 20_000, 12_000  # accounts in the page, which opens slowly with more


def embedded_json(content: object) -> str:
    """JSON that can stand in a script element: no character in it ends the element or begins
    markup, whatever a client's text holds."""
    dumps = partial(json.dumps, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return str(htmlsafe_json_dumps(content, dumps))


def explorer_data(analysis: Analysis, words: Words, planned: bool = True) -> dict[str, Any]:
    """What the page's script shows: accounts by column, the formula's indicators, cuts, words.

    Amounts in the study's currency a year, shares as fractions, null where unknown.
    """
    matrix, accounts = analysis.matrix, shown(analysis)
    names = accounts["name"].astype(str)
    cuts = {name: getattr(matrix, name) for name in ("potential_cut", "sow_cut", "market_share")}
    told = {"rep": accounts["rep"].map(words.rep), "zone_probability": accounts["told_probability"]}
    listed = accounts.assign(**told)
    return {
        "words": {**words.page(), **{key: words.say(key) for key in LABELS}},
        "language": words.language,
        "planned": planned,
        "missing": MISSING,
        "scale": words.scale / words.unit()[0],
        "units": [{"scale": one.scale / one.unit()[0], "counted": one.counted(), "ends": one.ends}
                  for one in (words, words.in_sums())],
        "top": TOP,
        "ends": common_ends(analysis.plan.accounts["name"]),
        "level": words.percent(analysis.study.formula.confidence),
        **{name: float(cut) if np.isfinite(cut) else None for name, cut in cuts.items()},
        "columns": {
            "account": accounts.index.astype(str).tolist(),
            "name": names.where(names != accounts.index.astype(str), "").tolist(),
            **{name: _levels(listed[name]) for name in PAGE["listed"]},
            **{name: _numbers(accounts[name].round(2)) for name in PAGE["amounts"]},
            **{name: _numbers(listed[name].round(6)) for name in PAGE["shares"]},
            "ranked": accounts["key_account_by_sales"].astype(int).tolist(),
        },
        "indicators": [
            {"name": words.label(name),
             **indicator_of(analysis.screening.values.loc[accounts.index, name])}
            for name in analysis.fit.formula.indicators
        ],
        **explained(analysis, accounts),
    }  # fmt: skip


def shown(analysis: Analysis, most: int = MOST, sample: int = SAMPLE) -> pd.DataFrame:
    """Accounts that are drawn: all, or of more than `most` a sample: the key accounts, with most
    to win where they fill four fifths of it, and the rest evenly spread over the others."""
    accounts = accounts_of(analysis)
    small = accounts["zone"].isin(["maintenance", "watch"]) & (accounts["action"] == "")
    small &= (accounts["team"] != "").any()  # else nothing is planned
    accounts = accounts.assign(action=accounts["action"].mask(small, "contact"))
    if len(accounts) <= most:
        return accounts
    every = analysis.plan.accounts.query("key_account")
    key = every.nlargest(4 * sample // 5, "expected_gain").index
    rest = accounts.index.difference(key)
    spread = np.linspace(0, len(rest) - 1, sample - len(key)).round().astype(int)
    return accounts[accounts.index.isin(key.union(rest[spread]))]


def explained(analysis: Analysis, accounts: pd.DataFrame) -> dict[str, Any]:
    """Each account's way from a typical one to its potential, currency a year: what every
    indicator adds, last what else is known of it; and alike, the places of the accounts nearest
    to it by what their indicators add. Nothing where potential rests on no formula."""
    formula, values = analysis.fit.formula, analysis.screening.values
    if analysis.verdict.verdict == "unusable":
        return {}
    added = pd.DataFrame(0.0, index=values.index, columns=list(formula.indicators))
    for term in formula.terms:
        name = term.column.indicator
        added[name] += term.coefficient * term.column.encode(values[name])
    typical = added.median()
    added = (added - typical).loc[accounts.index]
    near = NearestNeighbors(n_neighbors=min(ALIKE, len(added) - 1)).fit(added.to_numpy())
    added.insert(0, "typical", formula.intercept + typical.sum())
    path = added.cumsum(axis=1)
    if formula.form != "linear":
        path = formula.smearing * np.exp(path)
    path["rest"] = accounts["potential"]
    steps = [_numbers(steps.round(2)) for _, steps in path.diff(axis=1).iloc[:, 1:].items()]
    return {"alike": near.kneighbors(return_distance=False).tolist(), "steps": steps,
            "typical": float(path["typical"].iloc[0])}  # fmt: skip


def library_script() -> str:
    """DataTables as itables ships it, a module that here leaves its constructor in the window
    instead of exporting it."""
    bundle = (files("itables") / "html" / "dt_bundle.js").read_text(encoding="utf-8")
    start = bundle.rindex("export{")
    end = bundle.index("}", start)
    exported = dict(part.split(" as ")[::-1] for part in bundle[start + 7 : end].split(","))
    table = f"{bundle[:start]}window.DataTable={exported['default']}{bundle[end + 1 :]}"
    # HTML's parser reads it to its end: in strings and patterns the backslashes change nothing.
    return table.replace("\r\n", "\n").replace("</script", "<\\/script").replace("<!--", "<\\!--")


def indicator_of(column: pd.Series) -> dict[str, Any]:
    """A typical value of an indicator, and the value of each account."""
    if not pd.api.types.is_numeric_dtype(column):
        return {"typical": str(column.mode().iloc[0]), "values": _levels(column)}
    short = column.astype(float).map(lambda value: float(f"{value:.6g}"))
    return {"typical": float(f"{column.median():.6g}"), "values": _numbers(short)}


def _levels(column: pd.Series) -> dict[str, Sequence[Any]]:
    """A text column as its distinct values in order and the place of each entry among them."""
    text = column.fillna("").astype(str)
    codes, levels = pd.factorize(text, sort=True)
    return {"levels": list(map(str, levels)), "codes": codes.tolist()}


def _numbers(column: pd.Series) -> list[float | None]:
    found: list[float | None] = column.astype(object).where(np.isfinite(column), None).tolist()
    return found
