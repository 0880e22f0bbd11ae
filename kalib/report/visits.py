"""Sheets of calls, one a rep: whom to call on in which week and why, what to say, what to ask, and
room for the answers, which the next run takes in as overrides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kalib.analysis import Analysis
from kalib.files import beside
from kalib.plan.territories import TEAMS
from kalib.plots.accounts import names_apart
from kalib.plots.theme import accent
from kalib.report import tables
from kalib.report.document import TEMPLATES, write_pdf
from kalib.report.explorer import embedded_json, explained, indicator_of
from kalib.report.page import content_policy, render
from kalib.report.story import Story, told_of
from kalib.tables.overrides import TERMS
from kalib.words.catalogue import Words

VISITS = beside(__file__)
AT_LINE = 0.02  # part of a border within which a measured potential lies on it


def write_visits(analysis: Analysis, story: Story, folder: Path) -> None:
    """Write the sheets as a page to fill in and as a PDF of those with most to win."""
    content = visit_content(analysis, story)
    (folder / "visit-list.html").write_text(visit_page(analysis, story, content), encoding="utf-8")
    printed = content | {"sheets": content["sheets"][: VISITS["paper"]]}
    write_pdf("visits.typ", printed, folder / "visit-list.pdf", {})


def visit_page(analysis: Analysis, story: Story, content: dict[str, Any]) -> str:
    """The page as text; its script saves the answers as a table of overrides."""
    words, script = story.words, (TEMPLATES / "visits.js").read_text(encoding="utf-8")
    form = {"terms": [words.say(term) for term in TERMS], "reason": words.say("v_reason"),
            "scale": words.scale / words.unit()[0], "study": analysis.study.name}  # fmt: skip
    policy = content_policy([script])
    return render("visits.html", script=script, policy=policy, form=embedded_json(form), **content)


def visit_content(analysis: Analysis, story: Story) -> dict[str, Any]:
    """What page and PDF lay out: their phrases, and each sheet's title, sentences and calls."""
    sheets, words = visit_sheets(analysis, story), story.words
    planned, accounts = story.holds("planned"), analysis.plan.accounts
    weeks = pd.concat([calls["week"] for _, calls in sheets]) if sheets else pd.Series(dtype=int)
    rest, joint = accounts.drop(weeks.index), _joint(analysis, words, weeks)
    sheets += [
        (rep, sheets[0][1].head(0)) for rep in {rep for rep, _ in joint} - dict(sheets).keys()
    ]
    left = rest.query("action == 'contact' and not key_account")["rep"].value_counts()
    asked = VISITS["answers" if planned else "asked_again"]
    return {
        "language": words.language,
        "accent": accent(analysis.study),
        "about": " · ".join(filter(None, (story.draft, analysis.study.title, story.period))),
        **{key: words.say(f"v_{key}") for key in VISITS["phrases"]},
        "heads": [words.say(key, unit=words.yearly()) for key in VISITS["heads"]],
        "answers": [words.say(key, unit=words.counted().strip()) for key in asked],
        "sheets": [_sheet(rep, own, story, left.get(rep, 0), joint) for rep, own in sheets],
    }


def visit_sheets(analysis: Analysis, story: Story) -> list[tuple[str, pd.DataFrame]]:
    """Accounts to visit now, to measure first, to defend and to visit once, by rep, or by region
    where nobody is named, to ask again, by the next rep after who asked, and to measure, by reps
    who are neither hunter nor farmer; sheets of hunters first, then of farmers, that with most
    at stake first. Beside the columns of `accounts_of`: week, as many a week as the plan gives
    visits; handed: who had it before; stays: so it may; asks: who does; rest: what others
    supply; monthly: growth asked a month; at_line: measured on the border of two zones; shared:
    below its border we have our share; attacked: there is something to win; above: large on
    average; seated: of a hunter's or farmer's sheet; chance: of its zone, in words; those of
    `_drivers`; whether each rule holds, and sums."""
    words, most = story.words, len(analysis.plan.accounts)
    calls = pd.concat(tables.build(name, analysis, words, most).frame for name in VISITS["lists"])
    moved = (calls["rep_before"] != "") & (calls["rep_before"] != calls["rep"])
    by = calls["rep"].where(calls["rep"] != "", calls["region"])
    again = calls["action"] == "ask again"
    reps = [*calls[again & (calls["rep"] != "")].sort_values(["region", "rep"])["rep"].unique()]
    by = by.mask(again, by.replace(dict(zip(reps, reps[1:] + reps[:1], strict=True))))
    calls["action"] = calls["action"].replace(["", "contact"], "measure")
    pace = calls["action"].map(VISITS["pace"]).fillna(calls["visits_per_year"])
    a_week = np.ceil(pace.groupby(by).transform("sum") / 52)
    measured, monthly = calls["potential_source"] == "measured", calls["target_growth"] / 12
    calls = calls.assign(
        handed=calls["rep_before"].where(moved, "").map(words.rep),
        stays=calls.index.isin(analysis.plan.handover.query("phase == 4")["account"]),
        rest=(calls["potential"] - calls["sales"]).clip(lower=0),
        monthly=monthly.where(monthly >= 0.1 * words.scale, 0.0),  # what is not written as 0.0
        planned=story.holds("planned"),
        asks=by,
        shared=calls["border_at"] > 1.001 * analysis.matrix.potential_cut,  # large, and ours
        above=calls["potential"] >= analysis.matrix.potential_cut,
        attacked=calls["action"].isin(["go now", "measure first", "visit once"]),
        seated=(calls["team"] != "").groupby(by).transform("any"),
        chance=[words.say(next(key for least, key in VISITS["chances"] if p >= least), p=p)
                for p in calls["told_probability"].fillna(-1.0 - calls["doubted"])],
        imputed=calls["flags"].str.contains("imputed"),
        at_line=measured & ((calls["potential"] / calls["border_at"] - 1).abs() <= AT_LINE),
        week=1 + calls.groupby(by).cumcount() // a_week.clip(lower=1),
        **_drivers(analysis, calls, words),
    )  # fmt: skip
    rules = {key: rule for part in VISITS["said"] for key, rule in VISITS[part].items()}
    rules |= {f"sum_{name}": rule for name, rule in VISITS["sums"].items()}
    calls = calls.copy().eval("\n".join(f"{key} = {rule}" for key, rule in rules.items()))
    order = calls.groupby(by).agg({"turn": "max", "stake": "sum"})
    order = order.sort_values([*order], ascending=False, kind="stable")
    return [(str(name), calls[by == name]) for name in order.index]


def _drivers(analysis: Analysis, calls: pd.DataFrame, words: Words) -> dict[str, Any]:
    """The indicator that adds most to each account's potential, its value, a typical one, and what
    it adds over a typical potential; nothing where potential rests on no formula."""
    names = list(analysis.fit.formula.indicators)
    if len(calls) < 2 or not names or not (found := explained(analysis, calls)):
        return {"driver": "", "here": "", "typical": "", "lift": 0.0}
    added = pd.DataFrame(dict(zip(names, found["steps"], strict=False)), index=calls.index)
    added = added.astype(float).fillna(0.0)
    values, best = analysis.screening.values[names], added.idxmax(axis=1)

    def told(value: Any, name: str) -> str:
        if isinstance(value, str):
            return value
        shown = words.number(value, int(value % 1 > 0 and value < 100))
        return f"{shown} {words.measure(name)}".strip()

    usual = {name: told(indicator_of(values[name])["typical"], name) for name in names}
    return {
        "driver": best.map(words.noun),
        "here": [told(values.at[account, name], name) for account, name in best.items()],
        "typical": best.map(usual),
        "lift": added.max(axis=1) / found["typical"],
    }


def _sheet(rep: str, calls: pd.DataFrame, story: Story, left: int, joint: Any) -> dict[str, Any]:
    """One rep's sheet: head and calls; left: others to contact; joint: of `_joint`."""
    words, most = story.words, VISITS["full"]
    team = max(calls["team"], default="") if story.holds("planned") else "open"
    sums = {name: calls[f"sum_{name}"].sum().item() for name in VISITS["sums"]}
    sums |= {"gives": joint.get((rep, False), ()), "stays": joint.get((rep, True), ())}
    sums |= {"n": len(calls), "weeks": calls["week"].max()}
    head = [f"v_head_{team}"] * bool(team) + [one.key for one in told_of(VISITS["told"], sums)]
    return {
        "rep": words.rep(rep) or words.say("v_anyone"),
        "team": words.word(team) if team in TEAMS and team not in rep else "",  # else its seat says
        "head": words.join(words.say(key, **sums) for key in head),
        "joint": words.join(words.say(c.key, **sums) for c in told_of(VISITS["joint"], sums)),
        "check": words.join(story.said(told_of(VISITS["check"], {**story.facts, **sums}))),
        "calls": [*_calls(calls, words)],
        "full": sums["told"] if sums["told"] <= 2 * most else most,
        "rest": words.say("v_rest", n=left) if left else "",
    }


def _joint(analysis: Analysis, words: Words, weeks: pd.Series) -> dict[Any, tuple[str, ...]]:
    """Joint calls by rep and whether he may stay the owner: account, week and with whom."""
    moved = analysis.plan.handover.query("account in @weeks.index")
    called = names_apart(analysis.plan.accounts)
    found = {"called": moved["account"].map(called), "week": moved["account"].map(weeks)}
    told = moved.assign(**found, to=moved["to"].map(words.rep)).sort_values("week", kind="stable")
    return {key: tuple(words.say("v_joint", **row) for row in own.to_dict("records"))
            for key, own in told.groupby(["from", told["phase"] == 4])}  # fmt: skip


def _calls(shown: pd.DataFrame, words: Words) -> Iterator[dict[str, Any]]:
    """Each account as its row says it, part by part of visits.toml."""
    for row in shown.to_dict("records"):
        own = words.rep(row["rep"]) if row["action"] == "ask again" else ""
        place = (row["full"], row["name"] and row["account"], row["region"], row["segment"], own)
        yield {
            **{of: row[of] for of in ("account", "called", "region")},
            "action": words.word(row["action"]),
            "week": words.say("v_week", week=row["week"]),
            "place": [*filter(None, place)],
            **{of: [words.say(k, **row) for k in VISITS[of] if row[k]] for of in VISITS["said"]},
        }  # fmt: skip
