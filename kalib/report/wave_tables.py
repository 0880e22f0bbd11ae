"""What changed between two waves, ready for reading."""

from __future__ import annotations

import math

import numpy as np

from kalib.report.tables import Table, table
from kalib.study.settings import ZONES
from kalib.waves.drift import log_mean
from kalib.waves.waves import REAL, Waves
from kalib.words.catalogue import Words

LISTED = 15
LEVEL = 0.05  # of Chow's tests; Chow 1960, Econometrica 28
# Part of the change of market share -> what it means.
PARTS = {
    "from_own_sales": "our_own_sales",
    "from_account_growth": "growth_of_the_accounts_by_their",
    "from_market": "growth_of_the_market",
    "from_formula": "the_formula_learned_anew",
    "from_measurement": "measurement_and_own_sales_as_evidence",
    "from_accounts_gained_and_lost": "accounts_gained_and_lost",
}
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
    tables = [
        share_split(waves, words), key_accounts(waves, words), real_moves(waves, words),
        targets_met(waves, words), chow(waves, words),
    ]  # fmt: skip
    return [one for one in tables if len(one.frame)]


def share_steps(waves: Waves) -> list[tuple[str, float]]:
    """What moved market share, in shares that add up: (key, points)."""
    share = waves.share
    if not share:
        return []
    # A log change times the logarithmic mean of both shares is points of share, exactly.
    unit = float(log_mean(share["after"], share["before"]))
    return [(key, unit * share[name]) for name, key in PARTS.items() if name in share]


def share_split(waves: Waves, words: Words) -> Table:
    """Market share before and after, and what moved it, in percentage points that add up."""
    steps = [(words.word(key), ("points", value)) for key, value in share_steps(waves)]
    if steps:
        ends = [
            (words.say("market_share_in", period=period), ("share", waves.share[when]))
            for period, when in zip(waves.periods, ("before", "after"), strict=True)
        ]
        steps = [ends[0], *steps, ends[1]]
    kinds = {"part_of_change": "text", "percentage_points": "mixed"}
    return table(words, words.say("what_moved_market_share"), kinds, steps)


def real_moves(waves: Waves, words: Words, rows: int = LISTED) -> Table:
    """The moves between zones that are more than noise, the surest first."""
    found = waves.real
    shown = found.head(rows).assign(account=found.head(rows).index)
    # Cut, not rounded: no move is as good as certain.
    shown["probability"] = [math.floor(100 * v) / 100 for v in shown["probability"]]
    kinds = {"account": "text", "name": "text", "before_2": "word", "after": "word",
             "potential": "amount", "sow": "percent", "probability": "percent"}  # fmt: skip
    title = words.say("moves_title", shown=len(shown), real=len(found), moved=len(waves.moves),
                      unit=words.yearly())  # fmt: skip
    return table(words, title, kinds, shown.rename(columns={"before": "before_2"}))


def transitions(waves: Waves, words: Words) -> Table:
    """Accounts by zone before and after, as shown."""
    to = {zone: words.say("to_zone", zone=zone) for zone in ZONES}
    frame = waves.transitions.loc[list(ZONES)].rename(columns=to).assign(zone_before=list(ZONES))
    kinds = {"zone_before": "word", **dict.fromkeys(to.values(), "whole")}
    return table(words, words.say("zones_before_and_after"), kinds, frame)


def key_accounts(waves: Waves, words: Words) -> Table:
    """Key accounts kept, gained and lost."""
    labels = {"kept": "kept", "gained": "new", "lost": "no_longer"}
    rows = [(label, waves.turnover[name]) for name, label in labels.items()]
    kinds = {"key_accounts": "word", "accounts": "whole"}
    return table(words, words.say("the_key_account_list"), kinds, rows)


def formula_drift(waves: Waves, words: Words) -> Table:
    """The terms fitted to each wave's survey, and whether they differ by more than their errors."""
    names = {"before": words.say("coefficient_in", period=waves.periods[0]),
             "after": words.say("coefficient_in", period=waves.periods[1])}  # fmt: skip
    kinds = {"term": "label", **dict.fromkeys(names.values(), "figure"), "z": "number2",
             "p_value": "figure"}  # fmt: skip
    frame = waves.drift.terms.rename(columns=names)
    return table(words, words.say("the_terms_of_the_formula_fitted"), kinds, frame)


def chow(waves: Waves, words: Words) -> Table:
    """Chow's tests that one formula holds in both waves, in words."""
    rows = []
    for row in waves.drift.tests.itertuples():
        freedom = f"{row.df:.0f}, {row.df_residual:.0f}"
        unsaid = row.p_value is None or np.isnan(row.p_value)
        means = "these_surveys_cant_tell" if unsaid else MEANINGS[row.test][row.p_value < LEVEL]
        rows.append((row.test, row.f, freedom, row.p_value, means))
    kinds = {"what_is_held_equal": "said", "F": "number2", "degrees_of_freedom": "text",
             "p_value": "figure", "what_it_means": "word"}  # fmt: skip
    return table(words, words.say("has_the_formula_changed"), kinds, rows)


def targets_met(waves: Waves, words: Words) -> Table:
    """Last wave's targets against this wave's sales."""
    frame = waves.targets.reset_index()
    kinds = {"zone": "word", "accounts": "whole", "target_sales": "amount", "sales": "amount",
             "attained": "percent"}  # fmt: skip
    before, after = waves.periods
    title = words.say("targets_met_title", before=before, after=after, unit=words.yearly())
    return table(words, title, kinds, frame)


def summary(waves: Waves, words: Words) -> str:
    """One sentence on the change between the waves."""
    moved = words.say(
        "w_moves", period=waves.periods[0], moved=len(waves.moves), real=len(waves.real), sure=REAL,
        gained=waves.turnover["gained"], lost=waves.turnover["lost"],
    )  # fmt: skip
    share = waves.share
    change = words.say("w_share", before=share["before"], after=share["after"]) if share else ""
    return words.join([moved, change]).strip()
