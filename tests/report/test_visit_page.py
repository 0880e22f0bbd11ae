"""The sheets of calls: every key account with something to do on one sheet, told apart, in both languages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lxml import html
from pypdf import PdfReader
from test_words import in_chinese

from kalib.analysis import Analysis
from kalib.report import tables
from kalib.report.story import tell_story
from kalib.report.visits import VISITS, visit_content, visit_page, visit_sheets, write_visits


def page_of(analysis: Analysis) -> str:
    told = tell_story(analysis)
    return visit_page(analysis, told, visit_content(analysis, told))


@pytest.fixture(scope="module")
def sheets(phones: Analysis) -> dict[str, list[dict[str, str]]]:
    """The calls of each rep of the phones study."""
    content = visit_content(phones, tell_story(phones))
    return {sheet["rep"]: sheet["calls"] for sheet in content["sheets"]}


def test_every_listed_account_is_on_one_sheet(phones: Analysis, universities: Analysis) -> None:
    for analysis in (phones, universities):
        accounts = analysis.plan.accounts
        found = visit_sheets(analysis, tell_story(analysis))
        index = pd.Index([account for _, part in found for account in part.index])
        called = accounts["action"].isin(["go now", "measure first", "defend", "visit once"])
        told = tables.accounts_of(analysis)
        called |= told["to_call"]  # told of first, or by reps who have time
        assert index.is_unique and set(index) == set(accounts.index[called])
        for rep, part in found:
            assert set(part["rep"]) == {rep}
            a_week = part["week"].value_counts()
            assert part["week"].is_monotonic_increasing
            soon = part["action"].isin(["measure", "visit once"])  # within four weeks
            pace = part["visits_per_year"].mask(soon, 13)
            assert a_week.max() - 1 < pace.sum() / 52 <= a_week.max()
        tree = html.fromstring(page_of(analysis))
        assert len(tree.xpath("//form//tbody/tr")) == len(index)
        # Who hands over reads it on a sheet of his own, also where he calls on nobody.
        given = analysis.plan.handover
        reps = {rep for rep, _ in found} | set(given["from"])
        heads = {one.find("h1").text.strip(): one.findall("p")[1].text_content()
                 for one in tree.findall(".//section")}  # fmt: skip
        assert len(heads) == len(reps)
        weeks = pd.concat([part["week"] for _, part in found])
        called = tables.accounts_of(analysis)["called"]
        for row in given.itertuples():
            (head,) = (said for title, said in heads.items() if title.endswith(row[5]))
            told = f"{called[row.account]} (week {int(weeks[row.account])}, with {row.to})"
            gives, _, stays = head.partition("you stay the owner unless")
            assert told in (stays if row.phase == 4 else gives)


def test_a_row_tells_its_own_account(phones: Analysis, sheets: dict) -> None:
    accounts, words = phones.plan.accounts, tell_story(phones).words
    listed = tables.accounts_of(phones)
    for rep, calls in sheets.items():
        assert len({" ".join(call["why"]) for call in calls}) == len(calls)
        for call in calls:
            row = accounts.loc[call["account"]]
            stakes = {"defend": "at_risk", "visit once": "expected_gain"}
            surveyed = call["action"] == words.word("measure")
            stake = stakes.get(row["action"], "target_growth")
            amount = phones.next_survey.at[row.name, "benefit"] if surveyed else row[stake]
            first = row["action"] == "measure first"  # whose growth is not yet asked
            firm = words.amount(amount) + " "
            assert call["money"][0].startswith(firm)
            assert ("once confirmed" in call["money"][0]) == first
            assert not first or not any("asked" in said for said in call["money"] if amount > 0)
            told = words.percent(listed.at[row.name, "told_probability"]) in " ".join(call["sure"])
            assert told is (row["action"] != "visit once" and not surveyed) and call["ask"]
            before = row["rep_before"]
            handed = (f"Until now with {before}", f"{before} stays its owner unless")
            assert any(said in " ".join(call["say"]) for said in handed) == (before != rep)
            if first:
                assert "Offer nothing yet" in " ".join(call["say"])


def test_growth_to_be_confirmed_is_told_apart(stores: Analysis) -> None:
    told = tell_story(stores)
    words, sheets = told.words, visit_content(stores, told)["sheets"]
    for sheet, (_, part) in zip(sheets, visit_sheets(stores, told), strict=True):
        first = part["action"] == "measure first"
        unsure, firm = (part.loc[rows, "target_growth"].sum() for rows in (first, ~first))
        assert (f"{words.money(firm)} of it now, {words.money(unsure)} from" in sheet["head"]) == (
            unsure > 0
        )
        whole = words.money(firm + unsure)  # as in the table of reps
        assert (part["team"] != "hunter").all() or f"{whole} of growth" in sheet["head"]


def test_what_a_zone_rests_on_bounds_its_words(stores: Analysis, phones: Analysis) -> None:
    seen = set()
    for analysis in (stores, phones):
        told = tell_story(analysis)
        sheets = visit_content(analysis, told)["sheets"]
        calls = [call for sheet in sheets for call in sheet["calls"]]
        accounts = pd.concat([part for _, part in visit_sheets(analysis, told)])
        for call in calls:
            row, said = accounts.loc[call["account"]], " ".join(call["say"])
            measured = row["potential_source"] == "measured"
            if row["extrapolated"] and not measured:
                assert "almost certain" not in call["sure"] and "very likely" not in call["sure"]
                seen.add("unlike")
            if row["action"] == "measure first" and measured and "more than" in said:
                assert abs(row["potential"] / row["border_at"] - 1) > 0.02
            if row["action"] == "measure first" and not measured and row["zone_probability"] < 0.5:
                assert "nothing is asked before that is confirmed" in " ".join(call["why"])
                seen.add("open")
            if "on the line between two zones" in said:
                seen.add("line")
    assert seen == {"unlike", "open", "line"}


def test_on_paper_a_sheet_begins_a_page_and_holds_every_call(
    stores: Analysis, phones: Analysis, tmp_path: Path
) -> None:
    for analysis in (stores, phones):
        told = tell_story(analysis)
        write_visits(analysis, told, tmp_path)
        pages = [page.extract_text() for page in PdfReader(tmp_path / "visit-list.pdf").pages]
        sheets = visit_sheets(analysis, told)
        begun = [k for k, page in enumerate(pages) if page.startswith("Calls by week ·")]
        ends = [*begun[1:], len(pages)]
        assert len(begun) == len(visit_content(analysis, told)["sheets"]) >= len(sheets)
        for (rep, part), start, end in zip(sheets, begun, ends, strict=False):
            text = " ".join(pages[start:end])
            assert told.words.rep(rep) in pages[start]
            assert all(account in text for account in part.index)
        assert "on joint first calls: " in " ".join(" ".join(pages).split())


def test_of_many_reps_paper_has_those_with_most_to_win(
    phones: Analysis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(VISITS, "paper", 2)
    told = tell_story(phones)
    write_visits(phones, told, tmp_path)
    names = [told.words.rep(rep) for rep, _ in visit_sheets(phones, told)]
    pages = PdfReader(tmp_path / "visit-list.pdf").pages
    assert len(names) > 2
    assert all(name in page.extract_text() for name, page in zip(names, pages, strict=False))
    page = (tmp_path / "visit-list.html").read_text(encoding="utf-8")
    assert page.count("<form>") == len(names)


def test_without_a_plan_nobody_is_asked_for_growth(nothing: Analysis) -> None:
    text = page_of(nothing)
    assert "No growth is asked and no owner changes" in text and text.count("ask again") >= 20
    assert "growth asked" not in text and "Territory" not in text and "The aim" not in text


@pytest.mark.parametrize("regions", [1, 3])
def test_a_colleague_asks_again_within_four_weeks(nothing: Analysis, regions: int) -> None:
    """Each of three reps asks what another asked, also where each has a region of his own."""
    accounts = nothing.plan.accounts
    number = np.arange(len(accounts))
    asking = accounts.assign(
        rep=np.array(["Ann", "Bo", "Cy"])[number % 3], region=[f"R{k}" for k in number % regions]
    )
    doubted = replace(nothing, plan=replace(nothing.plan, accounts=asking))
    sheets = dict(visit_sheets(doubted, tell_story(doubted)))
    assert {rep: set(sheet["rep"]) for rep, sheet in sheets.items()} == {
        "Ann": {"Cy"}, "Bo": {"Ann"}, "Cy": {"Bo"}
    }  # fmt: skip
    assert all(sheet["week"].max() <= 4 for sheet in sheets.values())
    assert "who asked first does not ask" in page_of(doubted)
    alone = replace(nothing, plan=replace(nothing.plan, accounts=asking.assign(rep="Ann")))
    assert set(dict(visit_sheets(alone, tell_story(alone)))) == {"Ann"}
    assert "who asked first" not in page_of(alone)


def test_a_rep_without_key_accounts_measures_what_is_undecided(stores: Analysis) -> None:
    """Those that may be key, within a month, nobody else's, and no account is told of twice; of
    hunters and farmers only what is to be surveyed first."""
    found, accounts = visit_content(stores, tell_story(stores)), stores.plan.accounts
    first, borders = set(stores.next_survey.index[:20]), tables.accounts_of(stores)["border_at"]
    words, busy = tell_story(stores).words, set(stores.plan.reps["rep"])
    assert not busy & {"", "East rep 4"}
    for sheet in found["sheets"]:
        own = [call for call in sheet["calls"] if call["action"] == words.word("measure")]
        assert {accounts.at[call["account"], "rep"] for call in own} <= {sheet["rep"]}
        for call in own:
            may_be_key = borders[call["account"]] >= stores.matrix.potential_cut
            assert call["account"] in first or (may_be_key and sheet["rep"] not in busy)
            assert int(call["week"].split()[1]) <= (4 if sheet["rep"] not in busy else 13)
        left = accounts.query("rep == @sheet['rep'] and action == 'contact' and not key_account")
        further = left.index.difference([call["account"] for call in sheet["calls"]])
        assert sheet["rest"].startswith(f"{len(further)} further") or not len(further)
    (east,) = (sheet for sheet in found["sheets"] if sheet["rep"] == "East rep 4")
    assert "to measure in 4 weeks" in east["head"] and "planned" not in east["head"]
    assert "Offer nothing yet" in east["calls"][0]["say"][0]


def test_who_is_large_on_average_but_no_key_account_is_told_apart(phones: Analysis) -> None:
    accounts = phones.plan.accounts.copy()
    first, *rest = accounts.query("action == 'visit once'").index
    accounts.loc[first, "potential"] = phones.matrix.potential_cut
    accounts.loc[rest, "potential"] = 0.99 * phones.matrix.potential_cut
    said = page_of(replace(phones, plan=replace(phones.plan, accounts=accounts)))
    assert said.count("On average as large as a key account") == 1
    assert said.count("Smaller than a key account") == len(rest) > 0


def test_what_looks_guessed_says_so(nothing: Analysis) -> None:
    """On its sheet, and in a list of its own beside the largest answers."""
    accounts = nothing.plan.accounts.copy()
    few = accounts.query("zone != '' and action == ''").index[:3]
    accounts.loc[few, ["action", "flags"]] = "ask again", "guessed_share"
    doubted = replace(nothing, plan=replace(nothing.plan, accounts=accounts))
    story = tell_story(doubted)
    assert page_of(doubted).count(story.words.say("flag_guessed_share")) == 3
    guessed, largest = (tables.build(f"ask_{name}", doubted, story.words, 99).frame
                        for name in ("guessed", "largest"))  # fmt: skip
    assert set(guessed["id"]) == set(few) and len(largest) == 20


def test_sheet_in_chinese_and_safe(phones: Analysis) -> None:
    chinese = in_chinese(phones)
    text = page_of(chinese)
    assert "分周拜访表" in text and "Calls by week" not in text and "目标增长" in text
    assert "陈列" in text and "报价：我方" not in text  # visits count units in stores
    analysis = in_chinese(phones)
    plan = analysis.plan
    accounts = plan.accounts.assign(name="<script>x</script>")
    object.__setattr__(plan, "accounts", accounts)
    try:
        assert "<script>x" not in page_of(analysis)
    finally:
        accounts["name"] = phones.tables.accounts["name"]
