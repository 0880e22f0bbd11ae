"""Lists of accounts and sums over them, ready for reading."""

from __future__ import annotations

import pandas as pd

from kalib.analysis import Analysis
from kalib.report.exhibit import Exhibit, told, words_of
from kalib.study.settings import ZONES
from kalib.words.catalogue import MISSING, Words

LISTED = 15  # rows of a list of accounts in the documents; accounts.xlsx holds all


def market(analysis: Analysis) -> Exhibit:
    """Total potential, our sales, market share with its interval."""
    words, wallet = words_of(analysis), analysis.wallet
    known = wallet.accounts[wallet.accounts["potential"].notna()]
    low, high = wallet.market_share_low, wallet.market_share_high
    rows = [
        ("accounts with a potential", words.whole(len(known))),
        ("their potential", words.money(float(known["potential"].sum()))),
        ("our sales to them", words.money(float(known["sales"].sum()))),
        ("market share", words.percent(wallet.market_share, 1)),
        ("interval", words.say("between", low=words.percent(low, 1), high=words.percent(high, 1))),
        *(
            (words.word(f"part_{name}"), words.percent(weight))
            for name, weight in wallet.basis.weights.items()
            if weight
        ),
    ]
    frame = pd.DataFrame(rows, columns=["", "value"])
    return told(words, "The market and our share", frame, said=("",))


def sources(analysis: Analysis) -> Exhibit:
    """Where each account's potential comes from."""
    words = words_of(analysis)
    accounts = analysis.wallet.accounts
    groups = accounts.groupby("potential_source", sort=True)
    rows = pd.DataFrame(
        {
            "source of potential": list(groups.groups),
            "accounts": [words.whole(v) for v in groups.size()],
            "potential": [words.money(v) for v in groups["potential"].sum()],
            "sales": [words.money(v) for v in groups["sales"].sum()],
        }
    )
    numbers = ("accounts", "potential", "sales")
    return told(words, "Where potential comes from", rows, numbers, ("source of potential",))


def zones(analysis: Analysis) -> Exhibit:
    """The four zones: accounts, potential, sales, SOW and growth asked."""
    words = words_of(analysis)
    plan = analysis.plan
    potential = plan.accounts.groupby("zone")["potential"].sum()
    rows = []
    for zone in ZONES:
        target = plan.targets.loc[zone]
        held = float(potential.get(zone, 0.0))
        rows.append(
            [
                words.say(zone),
                words.whole(target["accounts"]),
                words.money(held),
                words.money(target["sales"]),
                words.percent(target["sales"] / held) if held else MISSING,
                words.money(target["target_growth"]),
            ]
        )
    keys = ("zone", "accounts", "potential", "sales", "sow", "target_growth")
    columns = [words.say(key) for key in keys]
    frame = pd.DataFrame(rows, columns=columns)
    return Exhibit(words.say("quadrant"), frame, tuple(columns[1:]))


def teams(analysis: Analysis) -> Exhibit:
    """Hunters and farmers: people, accounts, visits and what is asked."""
    words = words_of(analysis)
    rows = [
        [
            words.say(str(row.team)),
            words.whole(float(row.people)),
            words.whole(float(row.accounts)),
            words.whole(float(row.visits)),
            words.money(float(row.sales)),
            words.money(float(row.target_growth)),
        ]
        for row in analysis.plan.teams.itertuples()
    ]
    keys = ("team", "people", "accounts", "visits", "sales", "target_growth")
    columns = [words.say(key) for key in keys]
    return Exhibit(words.say("teams"), pd.DataFrame(rows, columns=columns), tuple(columns[1:]))


def top_attack(analysis: Analysis, rows: int = LISTED) -> Exhibit:
    """The attack accounts with most potential."""
    accounts = analysis.plan.accounts
    chosen = accounts[accounts["zone"] == "attack"]
    title = words_of(analysis).say("top_attack")
    return account_list(analysis, chosen, title, "potential", rows)


def missed(analysis: Analysis, rows: int = LISTED) -> Exhibit:
    """Key accounts that the sales ranking leaves out."""
    accounts = analysis.plan.accounts
    chosen = accounts[accounts["key_account"] & ~accounts["key_account_by_sales"]]
    return account_list(analysis, chosen, "Key accounts a sales ranking misses", "potential", rows)


def wrongly_key(analysis: Analysis, rows: int = LISTED) -> Exhibit:
    """Accounts a sales ranking calls key that are not."""
    accounts = analysis.plan.accounts
    chosen = accounts[accounts["key_account_by_sales"] & ~accounts["key_account"]]
    return account_list(analysis, chosen, "Called key by a sales ranking, wrongly", "sales", rows)


def below_market(analysis: Analysis, rows: int = LISTED) -> Exhibit:
    """Accounts below market share beyond noise, by the sales lost to the gap."""
    accounts = analysis.plan.accounts
    chosen = accounts[accounts["below_market"]]
    title = "Below market share beyond noise: sales lost to the gap"
    return account_list(analysis, chosen, title, "gap", rows)


def above_one(analysis: Analysis, rows: int = LISTED) -> Exhibit:
    """Accounts that buy more from us than their estimated potential."""
    accounts = analysis.plan.accounts
    chosen = accounts[accounts["sow"] > 1]
    title = "Share of wallet above 100%: the estimate is too low, or the sales are stock"
    return account_list(analysis, chosen, title, "sales", rows)


def undecided(analysis: Analysis, rows: int = LISTED) -> Exhibit:
    """Accounts whose best zone is less than 70% likely."""
    accounts = analysis.plan.accounts
    chosen = accounts[accounts["flags"].str.contains("undecided")]
    title = "Undecided: measure these before spending on them"
    return account_list(analysis, chosen, title, "potential", rows)


def next_survey(analysis: Analysis, rows: int = LISTED) -> Exhibit:
    """Accounts to measure next, by the potential that would no longer lie in the wrong zone."""
    words = words_of(analysis)
    ranked = analysis.next_survey.head(rows).join(analysis.matrix.accounts)
    shown = [
        [
            str(account), row["name"], row["region"], words.short(row["potential"]),
            _range(row, words), words.say(row["zone"]), words.percent(row["zone_probability"]),
            words.short(row["own"]), words.short(row["learned"]), words.short(row["benefit"]),
        ]
        for account, row in ranked.iterrows()
    ]  # fmt: skip
    keys = ("account", "name", "region", "potential", "range", "zone", "zone_probability",
            "next_own", "next_learned", "next_benefit")  # fmt: skip
    columns = [words.say(key) for key in keys]
    frame = pd.DataFrame(shown, columns=columns)
    frame = frame.drop(columns=[c for c in columns[1:3] if (frame[c] == "").all()])
    more = len(analysis.next_survey) > len(ranked)
    count = words.whole(len(analysis.next_survey))
    part = words.say("part", shown=len(ranked), all=count) if more else ""
    title = f"{words.tell('Which accounts to survey next')} ({words.yearly()}{part})"
    return Exhibit(title, frame, tuple(columns[3:5] + columns[6:]))


def overrides(analysis: Analysis, rows: int = LISTED) -> Exhibit:
    """Potentials that field experts put in place of estimates: from what to what, who and why."""
    words, accounts = words_of(analysis), analysis.plan.accounts
    entries = analysis.overrides.entries.nlargest(rows, "potential")
    before = accounts["estimate"].reindex(entries.index)
    shown = [
        [
            str(row.Index), accounts.at[row.Index, "name"], words.short(old),
            words.short(row.potential),
            f"{row.potential / old - 1:+.0%}" if old > 0 else MISSING, row.by, row.reason,
        ]
        for row, old in zip(entries.itertuples(), before, strict=True)
    ]  # fmt: skip
    keys = ("account", "name", "before", "override_potential", "change", "override_by",
            "override_reason")  # fmt: skip
    columns = [words.say(key) for key in keys]
    title = "Potentials that field experts replaced" + ("" if shown else ": none")
    return Exhibit(words.tell(title), pd.DataFrame(shown, columns=columns), tuple(columns[2:5]))


def handover(analysis: Analysis, rows: int = LISTED) -> Exhibit:
    """Accounts that change owner."""
    frame = analysis.plan.handover.head(rows).astype(str)
    count = analysis.plan.owner_changes
    title = f"Accounts that change owner ({len(frame)} of {count:,})"
    return told(words_of(analysis), title, frame, said=("zone", "from", "to"))


def account_list(
    analysis: Analysis, accounts: pd.DataFrame, title: str, order: str, rows: int = LISTED
) -> Exhibit:
    """Accounts by one column, largest first: potential with its range, SOW, sales, gap, target."""
    words = words_of(analysis)
    gap = accounts["potential"] * analysis.matrix.market_share - accounts["sales"]
    listed = accounts.assign(gap=gap.clip(lower=0)).nlargest(rows, order)
    shown = [
        [
            str(account),
            row["name"] if row["name"] != account else "",
            row["region"],
            words.short(row["potential"]),
            _range(row, words),
            words.short(row["sales"]),
            words.percent(row["sow"]),
            words.short(row["gap"]),
            words.short(row["target_sales"]),
        ]
        for account, row in listed.iterrows()
    ]
    keys = ("account", "name", "region", "potential", "range", "sales", "sow", "gap",
            "target_sales")  # fmt: skip
    columns = [words.say(key) for key in keys]
    frame = pd.DataFrame(shown, columns=columns)
    frame = frame.drop(columns=[c for c in columns[1:3] if (frame[c] == "").all()])
    more = len(accounts) - len(listed)
    part = words.say("part", shown=len(listed), all=words.whole(len(accounts))) if more else ""
    return Exhibit(f"{words.tell(title)} ({words.yearly()}{part})", frame, tuple(columns[3:]))


def _range(row: pd.Series, words: Words) -> str:
    if row["potential_high"] <= 1.005 * row["potential_low"]:
        return words.say("measured")
    return f"{words.short(row['potential_low'])} – {words.short(row['potential_high'])}"
