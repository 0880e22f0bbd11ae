"""The visit list to print: every listed account on one sheet, in both languages."""

from __future__ import annotations

import pandas as pd
from lxml import html
from test_words import in_chinese

from kalib.analysis import Analysis
from kalib.report.page import visit_page, visit_sheets
from kalib.report.story import tell_story


def test_every_listed_account_is_on_one_sheet(phones: Analysis, universities: Analysis) -> None:
    for analysis in (phones, universities):
        accounts = analysis.plan.accounts
        sheets = visit_sheets(analysis)
        found = pd.Index([account for _, part in sheets for account in part.index])
        visited = accounts["below_market"] & (accounts["target_growth"] > 0)
        visited |= accounts["action"].isin(["go now", "measure first"])  # on no rep's sheet else
        assert found.is_unique and set(found) == set(accounts.index[visited])
        tree = html.fromstring(visit_page(analysis, tell_story(analysis)))
        assert len(tree.findall(".//section")) == len(sheets)
        assert len(tree.xpath("//tbody/tr")) == len(found)
        assert len(tree.xpath("//td[@class='box']")) == 3 * len(found)
        asked = tree.xpath("//td[@class='action']/span/text()")
        assert len(asked) == (accounts["action"] == "measure first").sum()
        assert all("in all?" in text for text in asked)
        regions = accounts["region"].ne("").any() or accounts["segment"].ne("").any()
        assert bool(tree.xpath("//th[text()='region']")) == regions  # no column of blanks


def test_sheet_in_chinese_and_safe(phones: Analysis) -> None:
    chinese = in_chinese(phones)
    text = visit_page(chinese, tell_story(chinese))
    assert "走访名单" in text and "Visit list" not in text
    assert "陈列" in text and "报价" not in text  # visits count units in stores
    analysis = in_chinese(phones)
    plan = analysis.plan
    accounts = plan.accounts.assign(name="<script>x</script>")
    object.__setattr__(plan, "accounts", accounts)
    try:
        assert "<script>x" not in visit_page(analysis, tell_story(analysis))
    finally:
        accounts["name"] = phones.tables.accounts["name"]
