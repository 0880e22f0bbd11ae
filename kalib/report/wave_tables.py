"""What changed between two waves, ready for reading."""

from __future__ import annotations

from typing import Any

import numpy as np

from kalib.study.settings import ZONES
from kalib.waves.waves import REAL, Waves
from kalib.words.catalogue import Words
from kalib.words.table import Table, table

LISTED = 15
LEVEL = 0.05  # of Chow's tests; Chow 1960, Econometrica 28
# Test -> what it means where the formula holds, where it changed.
MEANINGS = {
    "whole formula": ("the_same_formula_holds_in_both", "the_formula_has_changed_between_the"),
    "slopes": ("the_indicators_weigh_what_they_weighed", "the_weights_of_the_indicators_have"),
}


def all_tables(waves: Waves, words: Words) -> list[Table]:
    """Every table of a comparison that has something to say."""
    tables = [*main_tables(waves, words), transitions(waves, words), formula_drift(waves, words)]
    return [one for one in tables if len(one.frame)]


def main_tables(waves: Waves, words: Words) -> list[Table]:
    """The tables that fill one page."""
    builds = (share_split, key_accounts, real_moves, targets_met, promises, chow)
    return [one for one in (build(waves, words) for build in builds) if len(one.frame)]


def share_split(waves: Waves, words: Words) -> Table:
    """Market share before and after, and what moved it, in percentage points that add up."""
    ends = dict(zip(("share_before", "share_after"), waves.periods, strict=True))
    rows = [
        (words.say("market_share_in", period=ends[step]), ("share", points)) if step in ends
        else (words.column(step), ("points", points))
        for step, points in waves.share_points.itertuples(index=False)
    ]  # fmt: skip
    return table(words, "share_split", rows)


def real_moves(waves: Waves, words: Words, rows: int = LISTED) -> Table:
    """The moves between zones that are more than noise, the surest first."""
    found = waves.real
    shown = found.head(rows).rename(columns={"before": "before_2"})
    # Cut, not rounded: no move is as good as certain.
    certain = np.floor(100 * shown["probability"]) / 100
    return table(words, "real_moves", shown.assign(account=shown.index, probability=certain),
                 shown=len(shown), real=len(found), moved=len(waves.moves))  # fmt: skip


def transitions(waves: Waves, words: Words) -> Table:
    """Accounts by zone before and after, as shown."""
    frame = waves.transitions.loc[list(ZONES)].add_prefix("to_")
    return table(words, "transitions", frame.assign(zone_before=frame.index))


def key_accounts(waves: Waves, words: Words) -> Table:
    """Key accounts kept, gained and lost."""
    labels = {"kept": "kept", "gained": "new", "lost": "no_longer"}
    rows = [(label, waves.turnover[name]) for name, label in labels.items()]
    return table(words, "key_accounts", rows)


def formula_drift(waves: Waves, words: Words) -> Table:
    """The terms fitted to each wave's survey, and whether they differ by more than their errors."""
    names = {"before": "coefficient_before", "after": "coefficient_after"}
    periods: dict[str, Any] = dict(zip(("before", "after"), waves.periods, strict=True))
    return table(words, "formula_drift", waves.drift.terms.rename(columns=names), **periods)


def chow(waves: Waves, words: Words) -> Table:
    """Chow's tests that one formula holds in both waves, in words."""
    rows = []
    for row in waves.drift.tests.itertuples():
        freedom = f"{row.df:.0f}, {row.df_residual:.0f}"
        unsaid = row.p_value is None or np.isnan(row.p_value)
        means = "these_surveys_cant_tell" if unsaid else MEANINGS[row.test][row.p_value < LEVEL]
        rows.append((row.test, row.f, freedom, row.p_value, means))
    return table(words, "chow", rows)


def targets_met(waves: Waves, words: Words) -> Table:
    """Last wave's targets against this wave's sales."""
    before, after = waves.periods
    return table(words, "targets_met", waves.targets.reset_index(), before=before, after=after)


def promises(waves: Waves, words: Words) -> Table:
    """Growth asked of each group of accounts by the wave before, and what came of it."""
    rows = [
        (row.group, row.accounts, row.asked, row.came, row.came / row.asked)
        for row in waves.ledger.itertuples()
        if row.group
    ]
    return table(words, "promises", rows, before=waves.periods[0], after=waves.periods[1])


def summary(waves: Waves, words: Words) -> str:
    """One sentence on the change between the waves."""
    moved = words.say(
        "w_moves", period=waves.periods[0], moved=len(waves.moves), real=len(waves.real), sure=REAL,
        gained=waves.turnover["gained"], lost=waves.turnover["lost"],
    )  # fmt: skip
    share = waves.share
    change = words.say("w_share", before=share["before"], after=share["after"]) if share else ""
    return words.join([moved, change]).strip()
