"""Tables of the plan: sums, borders and visitors."""

from __future__ import annotations

import re

from test_words import ENGLISH, clients_words, in_chinese

from kalib.analysis import Analysis
from kalib.report import plans
from kalib.study.settings import ZONES


def test_every_rep_and_every_move_is_told(stores: Analysis, phones: Analysis) -> None:
    for analysis in (stores, phones):
        assert list(plans.reps(analysis).frame["rep"]) == list(analysis.plan.reps["rep"])
        change = analysis.plan.accounts["change"]
        moves = plans.key_account_moves(analysis).frame
        assert [int(n.replace(",", "")) for n in moves["accounts"]] == [
            (change == name).sum() for name in ("promoted", "demoted", "kept")
        ]


def test_border_parts_the_two_zones(stores: Analysis) -> None:
    """At the border the account goes from one of its two zones to the other."""
    accounts, matrix = stores.plan.accounts, stores.matrix
    frame = plans.what_decides(stores, 1000).frame
    assert len(frame) == accounts["flags"].str.contains("undecided").sum() > 0
    for row in frame.itertuples(index=False):
        pair = {row[2].split()[0], row[3].split()[0]}
        assert len(pair) == 2 and pair <= set(ZONES)
        crosses = len(pair & {"attack", "defense"}) == 1
        assert row[7] == ("potential cut" if crosses else "share cut")
        if row[7] == "share cut":
            off = float(row[6].strip("%")) / 100
            sow = accounts.at[row[0], "sow"]
            assert abs(matrix.sow_cut / sow - 1 - off) < 0.006


def test_suspected_days_are_by_visitor_and_store(phones: Analysis, stores: Analysis) -> None:
    frame = plans.visitors(phones, 1000).frame
    assert phones.measured is not None
    assert frame["days"].astype(int).sum() == len(phones.measured.suspects)
    assert len(plans.visitors(stores).frame) == 0


def test_plan_tables_in_chinese(phones: Analysis) -> None:
    chinese = in_chinese(phones)
    words = [*clients_words(chinese), *phones.measured.visitors["visitor"]]  # type: ignore[union-attr]
    known = re.compile("|".join(map(re.escape, sorted(filter(None, words), key=len, reverse=True))))
    for build in (plans.reps, plans.key_account_moves, plans.what_decides, plans.visitors):
        table = build(chinese)
        texts = (table.title, *table.frame.columns, *map(str, table.frame.to_numpy().ravel()))
        assert [t for t in texts if ENGLISH.search(known.sub("", t))] == []
