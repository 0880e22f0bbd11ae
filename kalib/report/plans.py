"""Tables of the plan: work by rep, key accounts each way, what decides, who visited how."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kalib.analysis import Analysis
from kalib.matrix.matrix import UNDECIDED
from kalib.report.exhibit import Exhibit, told, words_of
from kalib.study.settings import ZONES
from kalib.words.catalogue import MISSING

LISTED = 15


def reps(analysis: Analysis, rows: int = 40) -> Exhibit:
    """Work and targets by rep: a sales director's page."""
    words, frame = words_of(analysis), analysis.plan.reps.head(rows)
    shown = pd.DataFrame(
        {
            "rep": frame["rep"],
            "team": frame["team"],
            "region": frame["region"],
            "accounts": [words.whole(v) for v in frame["accounts"]],
            "off the mean": [f"{v:+.0%}" for v in frame["off_mean"]],
            "taken over": [words.whole(v) for v in frame["taken_over"]],
            "sales": [words.short(v) for v in frame["sales"]],
            "floor": [words.short(v) for v in frame["target_floor"]],
            "target": [words.short(v) for v in frame["target_sales"]],
            "stretch": [words.short(v) for v in frame["target_stretch"]],
            "profit target": [words.short(v) if v else MISSING for v in frame["target_profit"]],
        }
    )
    return told(words, "Work and targets by rep", shown, tuple(shown.columns[3:]), ("team",))


def key_account_moves(analysis: Analysis) -> Exhibit:
    """Promoted, demoted and kept: accounts, potential, sales, margin, and rank confidence."""
    words, accounts = words_of(analysis), analysis.plan.accounts
    rows = []
    for change in ("promoted", "demoted", "kept"):
        part = accounts[accounts["change"] == change]
        earned = (part["sales"] * part["margin"]).sum(min_count=1)
        rows.append(
            [
                change, words.whole(len(part)), words.short(part["potential"].sum()),
                words.short(part["sales"].sum()), words.short(earned),
                words.percent(part["top_probability"].mean()),
            ]
        )  # fmt: skip
    columns = ["change", "accounts", "potential", "sales", "margin earned",
               "probability to be at or above the potential cut"]  # fmt: skip
    frame = pd.DataFrame(rows, columns=columns)
    return told(words, "Key accounts each way", frame, tuple(columns[1:]), ("change",))


def what_decides(analysis: Analysis, rows: int = LISTED) -> Exhibit:
    """Undecided accounts: the two zones in question, and the potential at which one becomes the
    other. Sales are known, so that both borders are values of potential."""
    words, matrix = words_of(analysis), analysis.matrix
    accounts = analysis.plan.accounts
    chances = accounts[[f"p_{zone}" for zone in ZONES]]
    open_ = accounts[(accounts["zone"] != "") & (chances.max(axis=1) < UNDECIDED)]
    shown = []
    for account, row in open_.nlargest(rows, "potential").iterrows():
        chance = row[[f"p_{zone}" for zone in ZONES]].to_numpy(float)
        best, second = np.argsort(-chance, kind="stable")[:2]
        high = {ZONES[best], ZONES[second]} & {"attack", "defense"}
        across = len(high) == 1  # one is high, one is not: the potential cut parts them
        border = matrix.potential_cut if across else row["sales"] / matrix.sow_cut
        shown.append(
            [
                str(account), row["name"] if row["name"] != account else "",
                f"{words.say(ZONES[best])} {words.percent(chance[best])}",
                f"{words.say(ZONES[second])} {words.percent(chance[second])}",
                words.short(row["potential"]), words.short(border),
                f"{row['potential'] / border - 1:+.0%}" if border > 0 else MISSING,
                "potential cut" if across else "share cut",
            ]
        )  # fmt: skip
    columns = ["account", "name", "likeliest zone", "or", "potential", "border at",
               "off the border", "border"]  # fmt: skip
    frame = pd.DataFrame(shown, columns=columns)
    title = "What would decide them: measure potential against the border"
    return told(words, title, frame, tuple(columns[4:7]), ("border",))


def visitors(analysis: Analysis, rows: int = LISTED) -> Exhibit:
    """Days not believed by visitor and store, most first; empty without visits."""
    words, measured = words_of(analysis), analysis.measured
    columns = ["visitor", "account", "problem", "days", "of visits"]
    shown = []
    if measured is not None and len(measured.suspects):
        visits = measured.visitors.set_index(["visitor", "account"])["visits"]
        found = measured.suspects.groupby(["visitor", "account", "problem"]).size()
        for key, days in found.sort_values(ascending=False, kind="stable").head(rows).items():
            visitor, account, problem = key
            shown.append(
                [visitor, account, problem, words.whole(days),
                 words.whole(visits[(visitor, account)])]
            )  # fmt: skip
    frame = pd.DataFrame(shown, columns=columns)
    return told(
        words, "Visit days that look wrong, by visitor", frame, tuple(columns[3:]), ("problem",)
    )
