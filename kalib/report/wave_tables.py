"""What changed between two waves, ready for reading."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from kalib.report.exhibit import Exhibit, told
from kalib.study.settings import ZONES
from kalib.waves.drift import log_mean
from kalib.waves.waves import REAL, Waves
from kalib.words.catalogue import MISSING, Words

LISTED = 15
LEVEL = 0.05  # of Chow's tests; Chow 1960, Econometrica 28
# Part of the change of market share -> what it means.
PARTS = {
    "from_own_sales": "our own sales",
    "from_account_growth": "growth of the accounts, by their indicators",
    "from_market": "growth of the market",
    "from_formula": "the formula, learned anew",
    "from_measurement": "measurement and own sales as evidence",
    "from_accounts_gained_and_lost": "accounts gained and lost",
}


def all_tables(waves: Waves, words: Words) -> list[Exhibit]:
    """Every table of a comparison that has something to say."""
    tables = [*main_tables(waves, words), transitions(waves, words), formula_drift(waves, words)]
    return [table for table in tables if len(table.frame)]


def main_tables(waves: Waves, words: Words) -> list[Exhibit]:
    """The tables that fill one page."""
    tables = [
        share_split(waves, words), key_accounts(waves, words), real_moves(waves, words),
        targets_met(waves, words), chow(waves, words),
    ]  # fmt: skip
    return [table for table in tables if len(table.frame)]


def share_split(waves: Waves, words: Words) -> Exhibit:
    """Market share before and after, and what moved it, in percentage points that add up."""
    share = waves.share
    rows = []
    if share:
        # A log change times the logarithmic mean of both shares is points of share, exactly.
        unit = float(log_mean(share["after"], share["before"]))
        rows = [(f"market share, {waves.periods[0]}", words.percent(share["before"], 2))]
        rows += [
            (label, _points(unit * share[name])) for name, label in PARTS.items() if name in share
        ]
        rows.append((f"market share, {waves.periods[1]}", words.percent(share["after"], 2)))
    frame = pd.DataFrame(rows, columns=["", "percentage points"])
    return told(words, "What moved market share", frame, ("percentage points",), ("",))


def real_moves(waves: Waves, words: Words, rows: int = LISTED) -> Exhibit:
    """The moves between zones that are more than noise, the surest first."""
    found = waves.real
    frame = pd.DataFrame(
        {
            "account": found.index.astype(str),
            "name": found["name"].to_numpy(),
            "before": [words.say(zone) for zone in found["before"]],
            "after": [words.say(zone) for zone in found["after"]],
            "potential": [words.short(v) for v in found["potential"]],
            "SOW": [words.percent(v) for v in found["sow"]],
            "probability": [words.percent(math.floor(100 * v) / 100) for v in found["probability"]],
        }
    ).head(rows)
    title = (
        f"Moves between zones that are real ({len(frame)} of {len(found):,}; "
        f"{len(waves.moves):,} accounts show another zone)"
    )
    return told(words, title, frame, ("potential", "SOW", "probability"))


def transitions(waves: Waves, words: Words) -> Exhibit:
    """Accounts by zone before and after, as shown."""
    frame = pd.DataFrame({"zone before": [words.say(zone) for zone in ZONES]})
    for zone in ZONES:
        frame[f"to {words.say(zone)}"] = [
            words.whole(float(waves.transitions.at[z, zone])) for z in ZONES
        ]
    return told(words, "Zones before and after", frame, tuple(frame.columns[1:]))


def key_accounts(waves: Waves, words: Words) -> Exhibit:
    """Key accounts kept, gained and lost."""
    labels = {"kept": "kept", "gained": "new", "lost": "no longer"}
    rows = [(label, words.whole(waves.turnover[name])) for name, label in labels.items()]
    frame = pd.DataFrame(rows, columns=["key accounts", "accounts"])
    return told(words, "The key-account list", frame, ("accounts",), ("key accounts",))


def formula_drift(waves: Waves, words: Words) -> Exhibit:
    """The terms fitted to each wave's survey, and whether they differ by more than their errors."""
    table = waves.drift.terms
    frame = pd.DataFrame(
        {
            "term": table["term"],
            f"coefficient, {waves.periods[0]}": [_number(v) for v in table["before"]],
            f"coefficient, {waves.periods[1]}": [_number(v) for v in table["after"]],
            "z": [_number(v, ".2f") for v in table["z"]],
            "p-value": [_number(v, ".3f") for v in table["p_value"]],
        }
    )
    title = "The terms of the formula, fitted to each wave"
    return told(words, title, frame, tuple(frame.columns[1:]), ("term",))


def chow(waves: Waves, words: Words) -> Exhibit:
    """Chow's tests that one formula holds in both waves, in words."""
    unsaid = "These surveys can't tell."
    meanings = {
        "whole formula": ("The same formula holds in both waves.",
                          "The formula has changed between the waves.", unsaid),
        "slopes": ("The indicators weigh what they weighed; only the level may have moved.",
                   "The weights of the indicators have changed, not only the level.", unsaid),
    }  # fmt: skip
    table = waves.drift.tests
    frame = pd.DataFrame(
        {
            "what is held equal": table["test"],
            "F": [_number(v, ".2f") for v in table["f"]],
            "degrees of freedom": [
                f"{a:.0f}, {b:.0f}" for a, b in zip(table["df"], table["df_residual"], strict=True)
            ],
            "p-value": [_number(v, ".3f") for v in table["p_value"]],
            "what it means": [
                meanings[test][2 if np.isnan(p) else int(p < LEVEL)]
                for test, p in zip(table["test"], table["p_value"], strict=True)
            ],
        }
    )
    said = ("what is held equal", "what it means")
    return told(words, "Has the formula changed?", frame, tuple(frame.columns[1:4]), said)


def targets_met(waves: Waves, words: Words) -> Exhibit:
    """Last wave's targets against this wave's sales."""
    frame = pd.DataFrame(
        [
            [words.say(str(zone)), words.whole(row["accounts"]), words.money(row["target_sales"]),
             words.money(row["sales"]),
             words.percent(row["attained"])]
            for zone, row in waves.targets.iterrows()
        ],
        columns=["zone", "accounts", "target sales", "sales", "attained"],
    )  # fmt: skip
    title = f"Targets of {waves.periods[0]} against sales of {waves.periods[1]}"
    return told(words, title, frame, tuple(frame.columns[1:]))


def summary(waves: Waves, words: Words) -> str:
    """One sentence on the change between the waves."""
    share = waves.share
    change = (
        words.say("w_share", before=words.percent(share["before"], 1),
                  after=words.percent(share["after"], 1))
        if share else ""
    )  # fmt: skip
    moved = words.say(
        "w_moves", period=waves.periods[0], moved=words.whole(len(waves.moves)),
        real=words.whole(len(waves.real)), sure=words.percent(REAL),
        gained=words.whole(waves.turnover["gained"]), lost=words.whole(waves.turnover["lost"]),
    )  # fmt: skip
    return f"{moved} {change}".strip()


def _points(value: float) -> str:
    return f"{round(100 * value, 2) + 0.0:+.2f}"  # no -0.00


def _number(value: float, form: str = ".4g") -> str:
    return MISSING if value is None or not np.isfinite(value) else f"{value:{form}}"
