"""Tables of the plan: reps, borders and visitors."""

from __future__ import annotations

import pytest

from kalib.analysis import Analysis
from kalib.report import tables
from kalib.report.story import words_of
from kalib.study.settings import ZONES


def test_every_rep_is_listed_with_the_growth_asked(stores: Analysis, phones: Analysis) -> None:
    for analysis in (stores, phones):
        reps = tables.reps(analysis, words_of(analysis)).frame
        assert list(reps["rep"]) == list(analysis.plan.reps["rep"])
        assert reps["target_growth"].sum() == pytest.approx(
            analysis.plan.reps["target_growth"].sum()
        )


def test_border_parts_the_two_zones(stores: Analysis) -> None:
    """At the border the account goes from one of its two zones to the other."""
    accounts, matrix = stores.plan.accounts, stores.matrix
    frame = tables.what_decides(stores, words_of(stores), 1000).frame
    assert len(frame) == accounts["flags"].str.contains("undecided").sum() > 0
    for row in frame.to_dict("records"):
        pair = {row["likeliest_zone"].split()[0], row["or"].split()[0]}
        assert len(pair) == 2 and pair <= set(ZONES)
        crosses = len(pair & {"attack", "defense"}) == 1
        assert row["border"] == ("potential_cut" if crosses else "share_cut")
        assert row["off_the_border"] == pytest.approx(row["potential"] / row["border_at"] - 1)
        if row["border"] == "share_cut":
            sow = accounts.at[row["account"], "sow"]
            assert row["off_the_border"] == pytest.approx(matrix.sow_cut / sow - 1)


def test_suspected_days_are_by_visitor_and_store(phones: Analysis, stores: Analysis) -> None:
    frame = tables.visitors(phones, words_of(phones), 1000).frame
    assert phones.measured is not None
    assert frame["days"].astype(int).sum() == len(phones.measured.suspects)
    assert len(tables.visitors(stores, words_of(stores)).frame) == 0
