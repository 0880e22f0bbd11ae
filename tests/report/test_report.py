"""The deliverables, read back and compared with the results."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from conftest import likely_to_bring, readable
from lxml import html
from xlsxwriter.utility import xl_col_to_name

from kalib.analysis import Analysis, analyze
from kalib.plan.parents import plan_parents
from kalib.plan.proof import Reading
from kalib.report import story, tables
from kalib.report.explorer import embedded_json, explained, explorer_data, shown
from kalib.report.page import build_page, render
from kalib.report.story import tell_story, words_of
from kalib.report.visits import visit_sheets
from kalib.report.workbook import COLUMNS, write_workbook
from kalib.study.settings import ZONES, Study
from kalib.tables.client import data_report
from kalib.words.catalogue import Words, phrases
from kalib.words.table import Table
from kalib.words.table import table as written_table

NUMBER = re.compile(r"\d[\d,.]*\d|\d")


@pytest.fixture(scope="module")
def book(stores: Analysis, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("book") / "accounts.xlsx"
    write_workbook(stores, tell_story(stores), path)
    return path


@pytest.fixture
def shop(stores: Analysis) -> Study:
    return stores.study


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    for name in ("matrix", "bridge"):
        (tmp_path / f"{name}.svg").write_text('<?xml?><svg width="9pt" height="5pt"><g/></svg>')
    return tmp_path


def test_summary_equals_the_results(stores: Analysis) -> None:
    figures = tell_story(stores).figures
    accounts = stores.plan.accounts
    assert figures["ka_new"] == accounts["key_account"].sum() == 240
    assert figures["ka_by_sales"] == accounts["key_account_by_sales"].sum()
    missed = accounts[accounts["key_account"] & ~accounts["key_account_by_sales"]]
    assert figures["missed_by_sales"] == len(missed)
    assert figures["missed_by_sales_potential"] == pytest.approx(missed["potential"].sum(), abs=0.1)
    assert figures["zones"] == {z: (accounts["zone"] == z).sum() for z in ZONES}
    assert figures["target_growth"] == pytest.approx(accounts["target_growth"].sum(), abs=0.01)
    assert figures["market_share"] == stores.wallet.market_share


def test_a_claim_writes_its_figures(stores: Analysis) -> None:
    story = tell_story(stores)
    claims = (
        *story.findings, *story.more, *story.actions, *story.risks, *story.statistics,
        *story.unknown,
    )  # fmt: skip
    text = " ".join(map(story.say, claims))
    f, words = story.figures, words_of(stores)
    for figure in (
        words.money(f["total_potential"]), words.share(f["market_share"]), str(f["ka_new"]),
        str(f["missed_by_sales"]), words.money(f["missed_by_sales_potential"]),
        words.percent(f["r2_predicted"]),
        words.percent(f["error_median"]), words.money(f["targets"]["attack"]["target_growth"]),
    ):  # fmt: skip
        assert figure in text
    assert "00596" in text and "00118" in text
    assert len(story.findings) == len(story.actions) == 3


def test_the_bridge_leads_from_sales_to_the_target(
    stores: Analysis, phones: Analysis, nothing: Analysis
) -> None:
    for analysis in (stores, phones, nothing):
        story, steps = tell_story(analysis), analysis.plan.bridge["amount"]
        assert steps[0] == pytest.approx(story.figures["total_sales"])
        assert steps[1:].sum() == pytest.approx(story.figures["target_growth"])
        said = story.say(story.charts["bridge"])
        amounts = (steps[0], steps.sum()) if story.holds("grows") else ()
        assert all(story.words.money(amount) in said for amount in amounts)


def test_growth_that_waits_for_a_measurement_is_asked_apart(
    stores: Analysis, phones: Analysis, universities: Analysis
) -> None:
    for analysis in (stores, phones, universities):
        story, accounts = tell_story(analysis), analysis.plan.accounts
        growth = accounts.groupby("action")["target_growth"].sum()
        firm, unfirm = (story.words.money(growth[one]) for one in ("go now", "measure first"))
        gain = accounts[accounts["team"] == "hunter"].groupby("action")["expected_gain"].sum()
        for amount in (gain.sum(), gain["go now"]):
            assert story.words.money(amount) in story.say(story.headline)
        for claim in (story.charts["decide"], story.actions[0]):
            assert firm in story.say(claim) and unfirm in story.say(claim), claim
        assert analysis.plan.bridge["amount"][1:].tolist() == pytest.approx(
            [growth["go now"], growth["measure first"]]
        )
        facts, people = story.facts, analysis.plan.teams.set_index("team")["people"]
        assert facts["attack"] == story.figures["zones"]["attack"]
        assert facts["spare"] == (facts["hunters_now"] < people["hunter"])
        once = accounts.loc[accounts["action"] == "visit once", "expected_gain"]
        small = once.mean() if len(once) else facts["contacted_each"]
        assert story.words.money(small) in story.say(story.actions[2])


def test_only_seats_without_a_person_are_to_be_named(
    universities: Analysis, phones: Analysis
) -> None:
    assert tell_story(universities).facts["unnamed"] == len(universities.plan.reps) == 3
    reps = phones.plan.reps.assign(rep=["New York 1", "New hunter 1", "Territory farmer 2", "Bo"])
    named = replace(phones, plan=replace(phones.plan, reps=reps))
    story = tell_story(named)
    assert "appoint 2 people to the seats" in " ".join(story.said(story.steps))


def test_undecided_accounts_that_all_were_measured_are_told_of(phones: Analysis) -> None:
    facts = tell_story(phones).facts
    n = int(phones.plan.accounts["flags"].str.contains("undecided").sum())
    measured = {"undecided_measured": n, "undecided_listed": 0}
    keys = [claim.key for claim in story.told_of("unknown", {**facts, **measured})]
    assert [key for key in keys if key.startswith("s_undecided")] == ["s_undecided_all"]


def test_a_target_above_what_is_likely_says_why(stores: Analysis, phones: Analysis) -> None:
    story = tell_story(stores)
    for key in ("bridge", "scenarios"):
        assert story.charts[key].key in ("c_bridge_above", "t_scenarios_above")
    said = story.say(story.charts["bridge"])
    assert all(story.words.money(story.facts[one]) in said for one in ("attack_growth", "likely"))
    calm = tell_story(phones)
    assert [calm.charts[one].key for one in ("bridge", "scenarios")] == [
        "c_bridge", "t_scenarios_within",
    ]  # fmt: skip


def test_a_title_claims_no_more_than_the_statistics(stores: Analysis, nothing: Analysis) -> None:
    told, refused = tell_story(stores), tell_story(nothing)
    title, stability = told.say(told.charts["t_formula"]), stores.fit.stability
    for name in stores.fit.formula.indicators:  # chosen again in eight half samples of ten
        assert (told.words.noun(name) in title) == (stability[name] >= 0.8)
    worse = nothing.fit.r2_predicted < 0
    assert (refused.charts["t_unsound"].key == "t_unsound_worse") is worse
    assert ("s_inaccurate_worse" in [claim.key for claim in refused.risks]) is worse
    open_choice = replace(stores.fit, stability=stores.fit.stability * 0 + 0.1)
    doubted = tell_story(replace(stores, fit=open_choice))
    assert doubted.charts["t_formula"].key == "t_formula_open"
    close = replace(stores.verdict, boosted_error_median=stores.fit.error_median - 0.04)
    dear = tell_story(replace(stores, verdict=close))
    (said,) = (one for one in dear.statistics if one.key == "s_boosted_off")
    assert "costs 4 points of typical error" in dear.say(said)


def test_an_interval_without_width_is_not_listed(nothing: Analysis, stores: Analysis) -> None:
    for analysis, told in ((nothing, False), (stores, True)):
        story = tell_story(analysis)
        said = story.words.say("f_share", **story.facts)
        assert ("(" in said) is told


def test_unusable_formula_is_said_first(nothing: Analysis) -> None:
    story = tell_story(nothing)
    found, do = story.said(story.findings + story.more), story.said(story.actions)
    assert found[0].startswith("The indicators do not say what accounts can buy")
    assert do[0].startswith("First ask 20 of those surveyed again")
    assert story.say(story.headline).startswith("The indicators do not say")
    # Nothing is changed, divided or budgeted on answers that are doubted.
    assert do[-1].startswith("Until then change no list") and story.said(story.steps)[0]
    said = " ".join([*found, *do, *story.said((*story.steps, *story.risks))])
    assert not re.search("hunter|farmer|key account is built|nothing is built", said)
    assert not (story.holds("planned") or story.holds("grows") or story.tiles() or story.move)


def test_estimates_that_only_rank_ask_for_no_budget(stores: Analysis) -> None:
    """Where half of the differences stay open, all parts of the story ask to confirm before amounts are set."""
    basis = replace(stores.wallet.basis, r2=0.4)
    found = tell_story(replace(stores, wallet=replace(stores.wallet, basis=basis)))
    parts = (found.said([found.headline]), found.said(found.actions), found.said(found.steps))
    for part, word in zip(
        parts,
        ("to be confirmed account by account", "is the team's aim", "Before targets"),
        strict=True,
    ):
        assert word in " ".join(part)
    assert all(word not in " ".join(map(" ".join, parts)) for word in ("to bring", "and ask"))
    sure = tell_story(stores)
    assert "frame" not in " ".join(sure.said((sure.headline, *sure.actions, *sure.steps)))


def _changed(analysis: Analysis, **columns: Any) -> Analysis:
    plan = analysis.plan
    return replace(analysis, plan=replace(plan, accounts=plan.accounts.assign(**columns)))


def test_a_plan_below_what_is_expected_says_why(stores: Analysis, phones: Analysis) -> None:
    """The company asks for no more in the one; in the other no account surely buys more."""
    for analysis, key in ((stores, "m_below_asked"), (phones, "m_below")):
        doubled = _changed(analysis, expected_gain=2 * analysis.plan.accounts["expected_gain"])
        told = {claim.key for claim in tell_story(doubled).move}
        assert told & {"m_below", "m_below_asked"} == {key}
        assert not {claim.key for claim in tell_story(analysis).move} & {"m_below", "m_below_asked"}


def test_the_headline_compares_only_where_attack_lags(stores: Analysis) -> None:
    assert tell_story(stores).headline.key == "h_attack_split"
    assert "13% of what they buy (market share 27.9%)" in tell_story(stores).say(
        tell_story(stores).headline
    )
    accounts = stores.plan.accounts
    ours = accounts["sales"].mask(accounts["zone"] == "attack", accounts["potential"])
    assert tell_story(_changed(stores, sales=ours)).headline.key == "h_growth"


def test_the_visit_sheets_add_up_to_what_is_likely(stores: Analysis, phones: Analysis) -> None:
    for analysis in (stores, phones):
        told = tell_story(analysis)
        listed = sum(
            sheet["expected_gain"].sum()
            for _, sheet in visit_sheets(analysis, told)
            if sheet["team"].iloc[0] == "hunter"
        )
        assert told.facts["likely"] == pytest.approx(listed)
        low, _, high = analysis.plan.growth_points.values()
        assert low < told.facts["likely"] < high


def test_the_headline_says_what_is_likely_and_what_holds(stores: Analysis) -> None:
    """Growth that experience does not bear out, and a plan without a formula, are no bare target."""
    asked = stores.plan.targets.at["attack", "target_growth"]
    for part, told in ((0.9, False), (0.1, True)):
        found = tell_story(likely_to_bring(stores, part * asked))
        likely = found.words.money(part * asked)
        assert likely in found.say(found.headline)
        # The deck asks to decide the same.
        title = found.say(found.claim({"title": "decide"}))
        assert ("budget about " + likely in title) == told
        assert any("budget about " + likely in step for step in found.said(found.steps)) == told
        assert (found.words.money((1 - part) * asked) in title) == told
    by_sales = {**tell_story(stores).facts, "by_sales": True}
    said = words_of(stores).say(story.told_of("headline", by_sales)[0].key, **by_sales)
    assert said.startswith("No formula holds")
    assert story.told_of("headline", {**by_sales, "lagging": False})[0].key == "h_sales"


def test_the_move_tells_what_changes_hands_and_what_of_it_is_at_risk(stores: Analysis) -> None:
    """Not all sales of the defense accounts are at risk, nor are all accounts handed over."""
    told, accounts = tell_story(stores), stores.plan.accounts
    assert [claim.key for claim in told.move[:4]] == [f"m_phase_{k}" for k in (1, 2, 3, 4)]
    actions = ("go now", "measure first", "defend", "defend")
    half = accounts.loc[stores.plan.handover.query("phase > 2")["account"], "at_risk"].median()
    for k, (claim, action) in enumerate(zip(told.move, actions, strict=False), 1):
        chosen = accounts[accounts["action"] == action]
        moved = chosen[(chosen["rep_before"] != "") & (chosen["rep"] != chosen["rep_before"])]
        moved = moved[(moved["at_risk"] > half) == (k == 4)] if k > 2 else moved
        said = told.say(claim)
        assert k == 4 or f"{len(moved):,} of the {len(chosen):,} " in said
        assert told.words.money(moved["sales"].sum()) in said
        risked = f"{told.words.money(moved['at_risk'].sum())} of them at risk"
        assert (risked in said) == (k == 3)
        assert (f"{told.words.money(moved['at_risk'].min())} at risk each" in said) == (k == 4)


def test_a_list_of_today_is_named_only_where_there_is_one(
    stores: Analysis, universities: Analysis
) -> None:
    for analysis, named in ((stores, True), (universities, False)):
        told = tell_story(analysis)
        assert analysis.plan.accounts["current_ka"].notna().any() == named
        said = [*told.said((*told.findings, *told.more, told.charts["key-accounts"]))]
        assert any("today's list" in one for one in said) == named
        assert ("Against a sales ranking" in said[-1]) != named
        assert "today" not in tables.build("missed", analysis, told.words).rule


def test_the_list_to_survey_next_is_the_one_that_steps_and_unknowns_name(stores: Analysis) -> None:
    told = tell_story(stores)
    first = stores.plan.accounts.loc[stores.next_survey.index[:5], "name"]
    said = " ".join(told.said(told.unknown))
    assert all(name in said for name in first) and "list to survey next" in said
    assert "first 20 accounts of the list to survey next" in " ".join(told.said(told.steps))
    # Where the study has no such list, none is named.
    for part in ("unknown", "steps"):
        said = told.said(story.told_of(part, {**told.facts, "undecided_first": 0}))
        assert "survey next" not in " ".join(said) and "undecided" in " ".join(said)


def test_no_step_asks_to_measure_what_settles_nothing(stores: Analysis) -> None:
    few = stores.next_survey.head(12).assign(benefit=[50.0] * 9 + [0.0] * 3)
    assert tell_story(replace(stores, next_survey=few)).facts["undecided_first"] == 9


def test_what_the_histogram_claims_is_what_it_shows(stores: Analysis) -> None:
    told, share = tell_story(stores), stores.matrix.market_share
    below = int((stores.plan.accounts["sow"] < share).sum())
    assert told.say(told.charts["share-of-wallet"]).startswith(f"{below:,} of 1,200 accounts")


def test_a_study_of_nobody_is_marked_a_draft(stores: Analysis) -> None:
    assert tell_story(stores).draft == ""
    for name, value in (("client", "Client"), ("author", "Analyst")):
        report = stores.study.report.model_copy(update={name: value})
        study = stores.study.model_copy(update={"report": report})
        story = tell_story(replace(stores, study=study))
        assert story.draft == "Draft" and value not in story.byline


def test_every_phrase_has_both_languages_and_the_same_placeholders() -> None:
    english, chinese = phrases("en"), phrases("zh")
    assert set(english) == set(chinese)
    for key, text in english.items():
        assert text and chinese[key], key
        holes = [set(re.findall(r"{(\w+)", said)) for said in (text, chinese[key])]
        assert holes[0] == holes[1], key


@pytest.mark.parametrize(
    ("language", "currency", "typical", "said"),
    [
        ("en", "EUR", 4e5, ("3,237 k EUR", "4.2 k EUR", "thousand EUR a year")),
        ("en", "thousand GBP", 4e2, ("3,237,000 k GBP", "4,215 k GBP", "thousand GBP a year")),
        ("en", "CNY", 4e8, ("3.24 M CNY", "0.00 M CNY", "million CNY a year")),
        ("en", "", 40.0, ("3,237,000", "4,215", "a year")),
        ("zh", "CNY", 4e5, ("324 万元", "4,215 元", "万元/年")),
        ("zh", "EUR", 4e5, ("324 万欧元", "4,215 欧元", "万欧元/年")),
    ],
)
def test_a_document_counts_its_money_in_one_unit(
    shop: Study, language: str, currency: str, typical: float, said: tuple[str, ...]
) -> None:
    about = shop.study.model_copy(update={"currency": currency})
    report = shop.report.model_copy(update={"language": language})
    words = Words.of(shop.model_copy(update={"study": about, "report": report}), typical)
    found = (words.money(3_237_000), words.money(4_215), words.yearly())
    assert tuple(text.strip().replace("\u00a0", " ") for text in found) == said
    assert " " not in found[0]  # a line is never broken between a number and its unit


def test_sums_are_counted_in_a_unit_of_their_own(shop: Study) -> None:
    """A sum is written alike in sentence, table and chart, to three digits or so."""
    words = Words.of(shop, 4e5, 3.2e7)
    said = [words.money(amount) for amount in (116_151_000, 32_372_770, 3_237_000, 402_400, 7_800)]
    assert [text.replace("\u00a0", " ") for text in said] == [
        "116.2 M EUR", "32.4 M EUR", "3.24 M EUR", "402 k EUR", "7.8 k EUR",
    ]  # fmt: skip
    sums = words.in_sums()
    assert (sums.amount(3_237_000), sums.yearly()) == ("3.24", "million EUR a year")
    assert (words.amount(402_400), words.yearly()) == ("402", "thousand EUR a year")
    full = replace(words, scale=1.0)  # a workbook's
    assert full.in_sums() == full and full.amount(116_151_000) == "116,151,000"


def test_call_outs_leave_out_nothing_and_count_one_as_one(universities: Analysis) -> None:
    told = tell_story(universities)
    assert told.facts["farmers"] == 1 and told.facts["owner_changes"] == 0
    tiles = dict(reversed(tile) for tile in told.tiles("decide"))
    assert tiles["farmer"] == "1" and "farmers" not in tiles
    assert tiles["hunters"] == "2" and not any("owner" in name for name in tiles)
    assert not any("once confirmed" in name and "hunter" in name for name in tiles)
    title = told.say(told.claim({"title": "t_lists"}))
    none = told.words.say("t_lists", listed={"go": 1, "measure": 0, "defend": 2})
    assert "before more is spent" in title and none == "1 account to visit now and 2 to defend"


def test_no_sentence_tells_of_a_change_by_nothing(stores: Analysis) -> None:
    facts = tell_story(stores).facts
    for name, key, other in (("list_changes", "f_change_ranked", "f_change_none"),
                             ("missed_by_sales", "f_missed", "f_missed_none")):  # fmt: skip
        keys = [claim.key for claim in story.told_of("findings", facts)]
        none = [claim.key for claim in story.told_of("findings", {**facts, name: 0})]
        assert key in keys and other not in keys and other in none and key not in none


def test_key_accounts_that_are_likelier_elsewhere_are_counted(stores: Analysis) -> None:
    """No visit goes to one, and no sentence calls its zone the likeliest."""
    told, accounts = tell_story(stores), stores.plan.accounts
    likeliest = accounts[[f"p_{zone}" for zone in ZONES]].max(axis=1)
    other = accounts[accounts["key_account"] & (accounts["zone_probability"] < likeliest)]
    assert told.facts["elsewhere"] == len(other) > 0
    assert set(other["action"]) <= {"measure first", "defend"}
    assert any(
        f"{len(other)} of the {told.facts['ka_new']} key" in one for one in told.said(told.placed)
    )
    for language in ("en", "zh"):
        for key in ("why_sure", "why_border", "flag_border"):
            said = phrases(language)[key]
            assert "next comes" not in said and "goes by what is likelier" not in said
            assert "其次为" not in said and "更可能的情况" not in said


@pytest.mark.parametrize("language", ["en", "zh"])
def test_numbers_as_the_language_reads_them(language: str) -> None:
    words = Words(language, "CNY")
    assert words.whole(12345) == "12,345" and words.figure(20380.4) == "20,380"
    assert words.percent(0.2849) == "28%" and words.percent(float("nan")) == "–"
    assert words.figure(0.01234) == "0.0123" and words.signed(0.041) == "+4%"
    assert words.names(["a", "b", "c"]) == ("a, b, and c" if language == "en" else "a、b和c")


def test_counts_take_the_plural_of_their_language() -> None:
    english, chinese = Words("en", ""), Words("zh", "")
    assert english.say("n_accounts", n=1) == "1 account"
    assert english.say("n_accounts", n=1200) == "1,200 accounts"
    assert chinese.say("n_accounts", n=1) == "1 个客户"
    for key, count in (("s_outside", "extrapolated"), ("s_filled", "imputed")):
        assert "1 account " in english.say(key, **{count: 1})
        assert "2 accounts " in english.say(key, **{count: 2})


def all_tables_of(analysis: Analysis) -> list[Table]:
    words = words_of(analysis)
    names = (
        "candidates", "suspects", "terms", "formula", "accuracy", "checks", "failed_checks",
        "zones", "teams", "reps", "handover", "next_survey", "scenarios", "checks_short",
        "other_reps", "to_measure", "go_short", "measure_short", "defend_short", "key_listed", "zones_short", "ask_largest", "ask_guessed", "ask_again", "visit_once", "formula_short",
        "overrides",
        "parents", "go_now", "measure_first", "defend_list", "no_sales", "missed", "wrongly_key",
        "below_market",
    )  # fmt: skip
    read = data_report(analysis.study, analysis.tables, words)
    own = tables.rep_lists(analysis, words, 60).values()
    return [*read, *own, *(tables.build(name, analysis, words) for name in names)]


def test_no_table_shows_a_missing_number_or_a_key(
    stores: Analysis, phones: Analysis, nothing: Analysis
) -> None:
    for analysis in (stores, phones, nothing):
        for table in all_tables_of(analysis):
            cells = {cell.lower() for row in table.rows() for cell in row}
            assert not {"nan", "none", "<na>", "inf", "nat"} & (cells - {"none"}), table.title
            assert not [head for head in table.heads if "_" in head], table.title


def test_lists_are_ordered_and_limited(stores: Analysis) -> None:
    accounts = stores.plan.accounts
    table = tables.build("go_now", stores, words_of(stores), 5)
    now = accounts.query("action == 'go now'")
    assert list(table.frame["account"]) == list(now.nsmallest(5, "attack_rank").index)
    assert f"5 of {len(now)}" in table.title and table.rule
    defended = tables.build("defend_list", stores, words_of(stores), 5).frame["account"]
    risk = accounts.query("zone == 'defense'")["at_risk"]
    assert list(defended) == list(risk.nlargest(5).index)


def test_chains_are_listed_where_the_study_names_them(stores: Analysis, tmp_path: Path) -> None:
    parents = stores.plan.accounts.assign(parent=stores.plan.accounts["segment"])
    plan = replace(stores.plan, parents=plan_parents(parents, stores.wallet, stores.study))
    analysis = replace(stores, plan=plan)
    write_workbook(analysis, tell_story(analysis), tmp_path / "a.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx", data_only=True)["Chains"]
    names = {row[0] for row in sheet.iter_rows(5, values_only=True)}
    assert names == set(plan.parents.index)


def test_no_visit_stands_beside_a_target_of_zero(stores: Analysis, phones: Analysis) -> None:
    for analysis in (stores, phones):
        below = tables.build("below_market", analysis, words_of(analysis), 9999)
        cheap = below.frame["action"] == "contact"
        assert (below.frame.loc[cheap, "target_growth"] == 0).all() and cheap.any()
        assert set(below.frame.loc[cheap, "zone"]) <= {"maintenance", "watch"}
        visits = below.frame["action"] == "go now"
        assert (below.frame.loc[visits, "target_growth"] > 0).all()
        lost = analysis.plan.accounts["sales_lost"].sum()
        assert words_of(analysis).money(lost) in below.rule


def test_the_proof_of_the_wave_before_is_told(phones: Analysis) -> None:
    reading = Reading(0.04, 0.01, 0.07, True, 9, 5e5)
    for claimed in (True, False):
        waves = SimpleNamespace(proof=replace(reading, claimed=claimed))
        waves.ledger = pd.DataFrame(columns=["grouping", "group", "sales"])
        waves.promised = (0, 0.0)
        (claim,) = story._promise(waves)  # type: ignore[arg-type]
        said = tell_story(phones).say(claim)
        assert "4%" in said and said.startswith("Attacking works") == claimed


def test_columns_in_which_all_is_zero_are_left_out(
    stores: Analysis, universities: Analysis
) -> None:
    for analysis in (stores, universities):
        for table in all_tables_of(analysis):
            asked = [table.frame[name] for name in table.kinds if name == "target_growth"]
            assert all((growth > 0).any() for growth in asked), table.title
    assert "taken_over" in tables.build("reps", stores, words_of(stores)).kinds
    assert "taken_over" not in tables.build("reps", universities, words_of(universities)).kinds


def test_no_table_shows_a_command(stores: Analysis) -> None:
    assert not [table.title for table in all_tables_of(stores) if "--" in table.title + table.rule]


def test_growth_stands_beside_every_amount_asked(stores: Analysis) -> None:
    words = words_of(stores)
    for table in (tables.zones(stores, words), tables.build("reps", stores, words)):
        asked, sales = table.frame["target_growth"], table.frame["sales"]
        assert (table.frame["growth_rate"] - asked / sales).abs().max() < 1e-12
        assert list(table.kinds)[-1] == "growth_rate" and "target_growth" in table.kinds


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({}, "floor area m2: one more goes with about 44 EUR a year more"),
        ({"floor_area_m2": "floor area (m²)"},
         "Each further m² of floor area goes with about 44 EUR a year more"),
    ],
)  # fmt: skip
def test_a_coefficient_is_said_in_words(
    stores: Analysis, labels: dict[str, str], said: str
) -> None:
    (term, *_) = stores.fit.formula.terms
    plain, logged = (
        replace(term, coefficient=b, column=replace(term.column, transform=how))
        for b, how in ((43.6, "none"), (0.41, "log"))
    )
    linear, log = (replace(stores.fit.formula, form=form) for form in ("linear", "log-log"))
    words = Words("en", "EUR", labels)
    assert tables.in_words(plain, linear, words).replace("\u00a0", " ") == said
    grown = tables.in_words(logged, log, words)
    assert grown == f"10% more {words.noun(term.column.indicator)} goes with 4% more potential"


@pytest.mark.parametrize(("shift", "two", "said"), [
    (0.0, (12.0, 24.0), "hours 24: 41% more potential than 12"),
    (0.5, (0.0, 1.0), "hours 1: 73% more potential than 0"),
])  # fmt: skip
def test_an_indicator_of_two_values_is_told_by_them(
    stores: Analysis, shift: float, two: tuple[float, float], said: str
) -> None:
    (term, *_) = stores.fit.formula.terms
    column = replace(term.column, indicator="hours", transform="log", shift=shift)
    half = replace(term, coefficient=0.5, column=column)
    words, form = Words("en", "EUR"), replace(stores.fit.formula, form="log-log")
    assert tables.in_words(half, form, words, two) == said
    plain = replace(half, coefficient=9.0, column=replace(column, transform="identity"))
    linear = tables.in_words(plain, replace(form, form="linear"), words, (0.0, 1.0))
    assert linear == "hours 1: about 9\u00a0EUR a year more than 0"


def test_a_level_is_told_against_the_one_that_it_is_compared_with(phones: Analysis) -> None:
    words, found = words_of(phones), phones.fit.formula
    (mall,) = [term for term in found.terms if term.column.level == "mall"]
    assert tables.in_words(mall, found, words) == "location mall: 35% more potential than street"


def test_the_move_says_what_other_reps_do_and_who_is_served_from_afar(phones: Analysis) -> None:
    accounts, told = phones.plan.accounts, tell_story(phones)
    key = accounts[accounts["team"] != ""]
    home = phones.plan.reps.set_index("rep")["region"]
    away = key[key["region"] != key["rep"].map(home)]
    move = " ".join(told.said(told.move))
    assert f"{len(away)} key accounts lie outside the region of their rep" in move
    seats = set(zip(phones.plan.reps["team"], phones.plan.reps["region"], strict=True))
    for team, here in away.groupby("team"):
        without = sorted({region for region in here["region"] if (team, region) not in seats})
        assert told.words.names(without) in move and f"no {team}" in move
    rest = accounts[accounts["team"] == ""]
    theirs, others = rest["rep"].isin(set(key["rep"])), set(rest["rep"]) - set(key["rep"])
    assert f"{len(others)} reps are neither hunter nor farmer" in " ".join(phones.plan.notes)
    assert f"give them the {theirs.sum()} accounts that are not key" in " ".join(
        told.said(told.move)
    )


def test_a_formula_that_says_nothing_is_asked_no_more(nothing: Analysis, phones: Analysis) -> None:
    asked = {"power", "stability", "sample"}
    assert not asked & {check.key for check in nothing.verdict.checks}
    assert asked <= {check.key for check in phones.verdict.checks}


def test_client_text_is_escaped_in_tables() -> None:
    rows = [("<img src=x onerror=alert(1)>",)]
    table = replace(written_table(Words("en", ""), "notes", rows), title="<b>t</b>", rule="<b>r")
    text = table._repr_html_()
    assert "&lt;img" in text and "<img" not in text and "<b>" not in text


def test_client_text_is_escaped_in_the_page(small_study: Path, picture: Path) -> None:
    evil = "<script>alert(1)</script>{{7*7}}"
    settings = {"study.title": f"'{evil}'", "report.client": f"'{evil}'"}
    analysis = analyze(small_study, settings=settings)
    page = build_page(analysis, tell_story(analysis), {}, picture, "1")
    tree = html.fromstring(page)
    assert evil not in page and "&lt;script&gt;" in page and "{{7*7}}" in page
    assert [s.get("id") or s.get("type", "classic") for s in tree.iterfind(".//script")] == [
        "study-data", "module", "module"
    ]  # fmt: skip
    assert evil in tree.findtext(".//h1")


def test_chapter_shows_no_code_and_no_plain_text() -> None:
    notebook = {
        "cells": [
            {"cell_type": "markdown", "source": "# Title\n\nProse with <b>raw</b>."},
            {"cell_type": "code", "source": "secret = 1", "outputs": [
                {"output_type": "stream", "name": "stderr", "text": "FutureWarning: no"},
                {"output_type": "execute_result", "data": {"text/plain": "[1, 2]"}},
                {"output_type": "display_data", "data": {"text/html": "<table></table>"}},
                {"output_type": "display_data",
                 "data": {"image/png": "iVBOR", "text/plain": "<Figure>"}},
            ]},
        ]
    }  # fmt: skip
    chapter = render("chapter.html", name="01-x", notebook=notebook)
    assert "<summary>Title</summary>" in chapter and "&lt;b&gt;raw" in chapter
    for hidden in ("secret", "FutureWarning", "[1, 2]"):
        assert hidden not in chapter
    assert "<table>" in chapter and 'alt="Title"' in chapter


def test_page_holds_each_sentence_and_loads_nothing(stores: Analysis, picture: Path) -> None:
    story = tell_story(stores)
    page = build_page(stores, story, {}, picture, "1")
    tree = html.fromstring(page)
    items = [" ".join(item.text_content().split()) for item in tree.iterfind(".//section//li")]
    claims = (
        *story.findings, *story.more, *story.actions, *story.risks, *story.statistics,
        *story.unknown,
    )  # fmt: skip
    for claim in (*claims, *story.steps):
        assert " ".join(story.say(claim).split()) in items
    assert not tree.xpath("//script[@src] | //link[@href] | //img[starts-with(@src, 'http')]")
    assert not re.search(r"\bnan\b", readable(tree), re.IGNORECASE)


def test_page_runs_only_the_scripts_it_was_written_with(stores: Analysis, picture: Path) -> None:
    tree = html.fromstring(build_page(stores, tell_story(stores), {}, picture, "1"))
    policy = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")[0]
    assert policy.startswith("default-src 'none'") and "unsafe-eval" not in policy
    scripts = [s.text for s in tree.iterfind(".//script") if s.get("type") != "application/json"]
    assert len(scripts) == 2
    for text in scripts:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy


def test_page_says_the_numbers_of_the_summary(stores: Analysis, picture: Path) -> None:
    story = tell_story(stores)
    f, words = story.figures, words_of(stores)
    page = html.fromstring(build_page(stores, story, {}, picture, "1"))
    tiles = [one.text for one in page.get_element_by_id("summary").iterfind(".//dd")]
    assert tiles == [
        words.share(f["market_share"]), words.whole(f["ka_new"]),
        words.whole(f["missed_by_sales"]), words.money(f["target_growth"]),
        words.money(story.facts["likely"]), words.money(story.facts["likely_margin"]),
    ]  # fmt: skip


def test_page_data_are_the_accounts(stores: Analysis, picture: Path) -> None:
    page = build_page(stores, tell_story(stores), {}, picture, "1")
    data = json.loads(html.fromstring(page).findtext(".//script[@id='study-data']"))
    columns, accounts = data["columns"], stores.plan.accounts
    assert columns["account"] == list(accounts.index)
    zones = [columns["zone"]["levels"][code] for code in columns["zone"]["codes"]]
    assert zones == list(accounts["zone"])
    for name in ("sales", "potential", "potential_low", "potential_high", "target_sales"):
        assert columns[name] == pytest.approx(accounts[name].tolist(), abs=0.005)
    assert [one["name"] for one in data["indicators"]] == [
        words_of(stores).label(name) for name in stores.fit.formula.indicators
    ]
    assert data["potential_cut"] == tell_story(stores).figures["potential_cut"]


@pytest.mark.parametrize("study", ["stores", "phones"])
def test_the_way_from_a_typical_account_ends_at_the_potential(
    study: str, request: pytest.FixtureRequest
) -> None:
    analysis = request.getfixturevalue(study)
    data, formula = explorer_data(analysis, words_of(analysis)), analysis.fit.formula
    steps = np.array(data["steps"])
    assert len(steps) == len(formula.indicators) + 1
    potential = analysis.plan.accounts["potential"].to_numpy()
    np.testing.assert_allclose(data["typical"] + steps.sum(axis=0), potential, atol=0.05)
    # Before what else is known, the way is the formula's: alike in it are the nearest accounts.
    told = data["typical"] + steps[:-1].sum(axis=0)
    expected = formula.smearing * np.exp(analysis.fit.working)
    np.testing.assert_allclose(told, expected, rtol=1e-6, atol=0.05)
    added = np.column_stack([
        sum(term.coefficient * term.column.encode(analysis.screening.values[name])
            for term in formula.terms if term.column.indicator == name)
        for name in formula.indicators
    ])  # fmt: skip
    for i in (0, 7, 100):
        away = np.sqrt(((added - added[i]) ** 2).sum(axis=1))
        away[i] = np.inf
        assert len(set(data["alike"][i])) == 5 and i not in data["alike"][i]
        np.testing.assert_allclose(away[data["alike"][i]], np.sort(away)[:5])


def test_a_part_of_the_accounts_is_compared_with_the_typical_of_all(universities: Analysis) -> None:
    """An indicator that lowers potential never says why an account is large."""
    every, key = (explained(universities, part) for part in
                  (universities.plan.accounts, universities.plan.accounts.query("key_account")))  # fmt: skip
    assert key["typical"] == every["typical"]
    signs = {term.column.indicator: term.coefficient for term in universities.fit.formula.terms}
    told = tell_story(universities)
    for _, calls in visit_sheets(universities, told):
        for _, row in calls[calls["lift"] > 0.1].iterrows():
            (name,) = [n for n in signs if told.words.noun(n) == row["driver"]]
            here, usual = (float(row[of].split()[0].replace(",", "")) for of in ("here", "typical"))
            assert (here - usual) * signs[name] > 0


def test_accounts_that_are_not_key_have_a_cheap_action(phones: Analysis) -> None:
    actions = shown(phones)[["zone", "action"]].query("zone in ['maintenance', 'watch']")
    assert set(actions["action"]) == {"contact", "visit once"}


def test_a_card_explains_nothing_by_a_formula_that_is_refused(nothing: Analysis) -> None:
    assert not {"steps", "alike"} & set(explorer_data(nothing, words_of(nothing)))


@pytest.mark.parametrize("text", ["</script><script>", "<!--<script>", "a&b'\"\u2028", "\\u003c"])
def test_any_text_is_inert_in_a_script_element(text: str) -> None:
    written = embedded_json({"name": text})
    assert not set("<>&") & set(written)
    assert json.loads(written) == {"name": text}


def test_workbook_holds_every_account_with_its_zone(stores: Analysis, book: Path) -> None:
    sheet = openpyxl.load_workbook(book, data_only=True)["Accounts"]
    rows = list(sheet.iter_rows(values_only=True))
    place = {name: j for j, name in enumerate(rows[0])}
    assert list(rows[0]) == [Words("en", "").say(key) for key in COLUMNS]
    accounts = stores.plan.accounts
    assert [row[0] for row in rows[1:]] == list(accounts.index)
    assert [row[place["zone"]] for row in rows[1:]] == list(accounts["zone"])
    found = [row[place["potential"]] for row in rows[1:]]
    assert found == pytest.approx(accounts["potential"].tolist())


def test_a_list_s_rule_and_heads_are_not_clipped(book: Path) -> None:
    sheet = openpyxl.load_workbook(book, data_only=True)["Visit now"]
    heads = [str(cell.value) for cell in sheet[4]]
    width = sum(sheet.column_dimensions[cell.column_letter].width for cell in sheet[4])
    assert f"A2:{sheet[4][-1].coordinate[0]}2" in {str(area) for area in sheet.merged_cells.ranges}
    lines = sheet.row_dimensions[2].height / 15
    assert len(str(sheet["A2"].value)) <= lines * width and "share of wallet" in heads
    assert sheet.row_dimensions[4].height >= 2 * 15


def test_workbook_recomputes_share_zone_and_gap_from_an_override(book: Path) -> None:
    workbook = openpyxl.load_workbook(book)
    row = {c.value: workbook["Accounts"].cell(2, c.column).value for c in workbook["Accounts"][1]}
    assert row["potential"].startswith('=IF(J2<>"",J2')
    assert row["share of wallet"] == '=IF(M2="","",E2/M2)'
    assert "potential_cut" in row["zone"] and "sow_cut" in row["zone"]
    assert row["shortfall to market share"] == '=IF(M2="","",MAX(0,M2*market_share-E2))'
    names = workbook.defined_names
    for name, place in (("potential_cut", 5), ("sow_cut", 6), ("market_share", 7)):
        assert names[name].attr_text == f"'Summary'!$B${place}"


def test_workbook_holds_numbers_as_numbers_and_a_sheet_for_each_rep(
    stores: Analysis, book: Path
) -> None:
    workbook = openpyxl.load_workbook(book, data_only=True)
    sheet = workbook["Next survey"]
    heads = [cell.value for cell in sheet[4]]
    for name in ("potential", "low", "high", "zone probability"):
        assert isinstance(sheet.cell(5, heads.index(name) + 1).value, int | float), name
    for rep in stores.plan.reps["rep"]:
        assert rep in workbook.sheetnames
        own = stores.plan.accounts.query("rep == @rep and key_account")
        sheet = workbook[rep]
        heads = [cell.value for cell in sheet[4]]
        total = sheet.cell(3, heads.index("sales") + 1).value
        assert sheet.max_row == len(own) + 4 and total == pytest.approx(own["sales"].sum())


def test_only_parts_of_a_whole_are_summed(book: Path) -> None:
    """The ends of intervals and the borders of zones add up to nothing."""
    workbook = openpyxl.load_workbook(book)
    for name in ("Measure first", "Next survey", "Visit now"):
        sheet = workbook[name]
        sums = {head.value: total.value for head, total in zip(sheet[4], sheet[3], strict=True)}
        assert sums["account"] == "total" and "SUBTOTAL" in sums["potential"], name
        assert not {sums.get(head) for head in ("low", "high", "deciding potential")} - {None}, name


def test_flags_and_codebook_are_written_for_people(stores: Analysis, book: Path) -> None:
    workbook = openpyxl.load_workbook(book, data_only=True)
    sheet = workbook["Accounts"]
    heads = [cell.value for cell in sheet[1]]
    said = [cell.value or "" for cell in sheet[xl_col_to_name(heads.index("flags"))][1:]]
    assert [bool(text) for text in said] == list(stores.plan.accounts["flags"] != "")
    assert not any("_" in text or ";" in text.replace("; ", "") for text in said)
    for row in workbook["Codebook"].iter_rows(values_only=True):
        assert not any(mark in str(cell) for cell in row for mark in ("**", "`"))


def test_a_wrapped_cell_of_the_workbook_has_room(book: Path) -> None:
    sheet = openpyxl.load_workbook(book)["Checks"]
    widths = {c.column_letter: sheet.column_dimensions[c.column_letter].width for c in sheet[4]}
    for row in sheet.iter_rows(min_row=5):
        texts = [c for c in row if c.data_type == "s"]
        lines = max(-(-len(c.value) // int(widths[c.column_letter])) for c in texts)
        assert lines == 1 or sheet.row_dimensions[row[0].row].height >= 15 * lines


def test_client_text_stays_text_in_the_workbook(small_study: Path, tmp_path: Path) -> None:
    file = small_study / "accounts.csv"
    text = file.read_text().splitlines()
    cells = text[1].split(",")
    cells[1] = "=HYPERLINK(1)"
    file.write_text("\n".join([text[0], ",".join(cells), *text[2:]]))
    analysis = analyze(small_study)
    write_workbook(analysis, tell_story(analysis), tmp_path / "a.xlsx")
    cell = openpyxl.load_workbook(tmp_path / "a.xlsx")["Accounts"]["C2"]
    assert cell.value == "=HYPERLINK(1)" and cell.data_type == "s"
