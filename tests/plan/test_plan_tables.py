"""Tables of the plan: reps, borders and visitors."""

from __future__ import annotations

import pytest

from kalib.analysis import Analysis
from kalib.report import tables
from kalib.report.story import words_of
from kalib.study.settings import ZONES


def test_every_rep_is_listed_with_the_growth_asked(stores: Analysis, phones: Analysis) -> None:
    for analysis in (stores, phones):
        reps = tables.build("reps", analysis, words_of(analysis)).frame
        assert list(reps["rep"]) == [*analysis.plan.reps["rep"], "accounts that are not key"]
        for amount in ("sales", "target_sales", "target_growth"):
            assert reps[amount].sum() == pytest.approx(analysis.plan.accounts[amount].sum())
        assert len(analysis.plan.reps) == len(reps) - 1  # the plan itself is left as it was


def test_border_parts_the_two_zones(stores: Analysis) -> None:
    """At the border the account goes from one of its two zones to the other: a potential a little
    above it lies in one, a little below it in the other."""
    matrix = stores.matrix
    frame = tables.build("measure_first", stores, words_of(stores), 1000).frame
    assert len(frame) == (stores.plan.accounts["action"] == "measure first").sum() > 0
    assert frame["if_confirmed"].is_monotonic_decreasing
    for row in frame.to_dict("records"):
        pair = sorted(ZONES, key=lambda zone: -row[f"p_{zone}"])[:2]
        beside = []
        for potential in (row["border_at"] * 0.999, row["border_at"] * 1.001):
            high, ours = potential >= matrix.potential_cut, row["sales"] / potential
            large = ours >= matrix.sow_cut
            beside.append(("defense" if large else "attack") if high
                          else "maintenance" if large else "watch")  # fmt: skip
        assert beside[0] != beside[1] and {*beside} & {*pair}
        assert ("attack" in pair) == (beside[1] == "attack")
