"""Tables as data: values with how each column is written, and one rendering for each document."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from kalib.analysis import Analysis
from kalib.errors import Problem
from kalib.formula.formula import Formula, Term
from kalib.matrix.matrix import UNDECIDED
from kalib.study.settings import ZONES, Study
from kalib.tables.client import Tables
from kalib.words.catalogue import MISSING, Words

LISTED = 15  # rows of a list of accounts in the documents; accounts.xlsx holds all
TEXT = ("text", "word", "said", "label", "range")  # the kinds of cells that are no numbers
MEASURED = 1.005  # an interval this narrow, upper over lower end, is a measurement
# Account list column -> how it is written.
LIST = {"account": "text", "name": "text", "region": "text", "potential": "amount",
        "range": "range", "sales": "amount", "sow": "percent"}  # fmt: skip
ASKED = {"target_growth": "amount", "growth_part": "signed"}


@dataclass(frozen=True)
class Table:
    """A table for the reader.

    title: what it shows, with its unit; kinds: column's key -> how its cells are written, a
    writer of `Words` ("amount", "percent", ...) or "text" as the client wrote it, "word" a code,
    "said" a result's sentence, "label" an indicator, "range" both ends, "mixed" cells that bring
    their own kind; frame: the values, columns as in kinds.
    """

    title: str
    kinds: Mapping[str, str]
    frame: pd.DataFrame
    words: Words

    @property
    def heads(self) -> list[str]:
        """The columns' names as they are read."""
        return [self.words.word(column) for column in self.kinds]

    @property
    def numbers(self) -> list[bool]:
        """Which columns are set flush right."""
        return [kind not in TEXT for kind in self.kinds.values()]

    def rows(self) -> list[list[str]]:
        """Every cell as it is read."""
        values = (self.frame[column] for column in self.kinds)
        written = (
            [self.written(v, kind) for v in column]
            for column, kind in zip(values, self.kinds.values(), strict=True)
        )
        return [list(row) for row in zip(*written, strict=True)]

    def written(self, value: Any, kind: str) -> str:
        """A cell as it is read."""
        if kind == "mixed":
            kind, value = value
        if kind == "text":
            return "" if value is None or value is pd.NA else str(value)
        if kind == "said":
            return self.words.tell(value)
        if kind == "range":
            low, high = value
            if not np.isfinite(low):
                return MISSING
            if high <= MEASURED * low:
                return self.words.say("measured")
            return f"{self.words.amount(low)} – {self.words.amount(high)}"
        if kind.startswith("number"):
            return self.words.number(value, int(kind[6:]))
        written: str = getattr(self.words, kind)(None if value is pd.NA else value)
        return written

    def head(self, rows: int) -> Table:
        """The first rows."""
        return replace(self, frame=self.frame.head(rows))

    def only(self, *columns: str) -> Table:
        """Some of the columns."""
        return replace(self, kinds={name: self.kinds[name] for name in columns})

    def _repr_html_(self) -> str:
        sides = ['class="number"' if number else "" for number in self.numbers]
        head = "".join(
            f'<th scope="col" {side}>{html.escape(name)}</th>'
            for name, side in zip(self.heads, sides, strict=True)
        )
        body = "".join(
            "<tr>"
            + "".join(f"<td {side}>{html.escape(cell)}</td>"
                      for cell, side in zip(row, sides, strict=True))
            + "</tr>"
            for row in self.rows()
        )  # fmt: skip
        return (
            f'<table class="exhibit"><caption>{html.escape(self.title)}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )

    def __repr__(self) -> str:
        frame = pd.DataFrame(self.rows(), columns=self.heads)
        return f"{self.title}\n{frame.to_string(index=False)}"


def table(
    words: Words, title: str, kinds: Mapping[str, str], rows: Iterable[Sequence[Any]] | pd.DataFrame
) -> Table:
    """A table of rows, or of a frame that has its columns; a name or region that nobody has is
    left out."""
    if isinstance(rows, pd.DataFrame):
        frame = rows
    else:
        frame = pd.DataFrame(list(rows), columns=list(kinds), dtype=object)
    empty = {c for c in ("name", "region") if c in kinds and not (frame[c].astype(str) != "").any()}
    return Table(title, {k: v for k, v in kinds.items() if k not in empty}, frame, words)


def figures_of(words: Words, title: str, rows: Iterable[tuple[str, str, Any]]) -> Table:
    """A table of named figures: (key of the name, how the figure is written, figure)."""
    cells = [(words.word(name), (kind, value)) for name, kind, value in rows]
    return table(words, title, {"figure": "text", "value": "mixed"}, cells)


# Accounts


def account_list(
    analysis: Analysis,
    words: Words,
    accounts: pd.DataFrame,
    title: str,
    more: Mapping[str, str],
    rows: int = LISTED,
) -> Table:
    """Accounts in their order: potential with its range, SOW, and more columns; the first rows."""
    shown = listed(analysis, accounts.head(rows))
    part = _part(words, len(shown), len(accounts))
    return table(words, f"{words.say(title)} ({words.yearly()}{part})", {**LIST, **more}, shown)


def _part(words: Words, shown: int, count: int) -> str:
    """How many of a list are shown, where not all are."""
    return words.say("part", shown=shown, all=count) if shown < count else ""


def listed(analysis: Analysis, accounts: pd.DataFrame) -> pd.DataFrame:
    """Accounts with what lists show beside their own columns: account, range, gap (sales lost
    against market share), growth_part (growth asked over sales)."""
    gap = accounts["potential"] * analysis.matrix.market_share - accounts["sales"]
    own = accounts["name"].where(accounts["name"] != accounts.index, "")
    return accounts.assign(
        account=accounts.index,
        name=own,
        range=list(zip(accounts["potential_low"], accounts["potential_high"], strict=True)),
        gap=gap.clip(lower=0),
        growth_part=accounts["target_growth"] / accounts["sales"].where(accounts["sales"] > 0),
    )


def top_attack(analysis: Analysis, words: Words, rows: int = LISTED) -> Table:
    """The attack accounts in the order in which to attack them."""
    accounts = analysis.plan.accounts
    chosen = accounts[accounts["zone"] == "attack"].sort_values("attack_rank")
    more = {"top_probability": "percent", "expected_gain": "amount", **ASKED}
    return account_list(analysis, words, chosen, "top_attack", more, rows)


def missed(analysis: Analysis, words: Words, rows: int = LISTED) -> Table:
    """Key accounts that the sales ranking leaves out."""
    accounts = analysis.plan.accounts
    chosen = accounts[accounts["key_account"] & ~accounts["key_account_by_sales"]]
    chosen = chosen.sort_values("potential", ascending=False)
    return account_list(analysis, words, chosen, "missed_title", {"gap": "amount", **ASKED}, rows)


def wrongly_key(analysis: Analysis, words: Words, rows: int = LISTED) -> Table:
    """Accounts a sales ranking calls key that are not."""
    accounts = analysis.plan.accounts
    chosen = accounts[accounts["key_account_by_sales"] & ~accounts["key_account"]]
    chosen = chosen.sort_values("sales", ascending=False)
    more = {"zone": "word", "gap": "amount"}
    return account_list(analysis, words, chosen, "wrongly_title", more, rows)


def below_market(analysis: Analysis, words: Words, rows: int = LISTED) -> Table:
    """Accounts below market share beyond noise, by the sales lost to the gap."""
    accounts = analysis.plan.accounts
    chosen = accounts[accounts["below_market"]].sort_values("sales_lost", ascending=False)
    return account_list(analysis, words, chosen, "below_title", {"gap": "amount", **ASKED}, rows)


def next_survey(analysis: Analysis, words: Words, rows: int = LISTED) -> Table:
    """Accounts to measure next, by the potential that would no longer lie in the wrong zone."""
    ranked = analysis.next_survey.head(rows)
    shown = listed(analysis, analysis.plan.accounts.loc[ranked.index]).join(ranked)
    kinds = {**LIST, "zone": "word", "zone_probability": "percent", "own": "amount",
             "learned": "amount", "benefit": "amount"}  # fmt: skip
    part = _part(words, len(shown), len(analysis.next_survey))
    title = f"{words.say('which_accounts_to_survey_next')} ({words.yearly()}{part})"
    return table(words, title, {k: v for k, v in kinds.items() if k not in ("sales", "sow")}, shown)


def overrides(analysis: Analysis, words: Words, rows: int = LISTED) -> Table:
    """Potentials that field experts put in place of estimates: from what to what, who and why."""
    accounts, entries = analysis.plan.accounts, analysis.overrides.entries
    entries = entries.nlargest(rows, "potential")
    before = accounts["estimate"].reindex(entries.index)
    kinds = {"account": "text", "name": "text", "before": "amount",
             "override_potential": "amount", "change": "signed", "override_by": "text",
             "override_reason": "text"}  # fmt: skip
    shown = [
        (row.Index, accounts.at[row.Index, "name"], old, row.potential,
         row.potential / old - 1 if old > 0 else math.nan, row.by, row.reason)
        for row, old in zip(entries.itertuples(), before, strict=True)
    ]  # fmt: skip
    return table(words, words.say("overrides_title", unit=words.yearly()), kinds, shown)


def handover(analysis: Analysis, words: Words, rows: int = LISTED) -> Table:
    """Accounts that change owner."""
    frame, count = analysis.plan.handover.head(rows), analysis.plan.owner_changes
    title = words.say("handover_title", n=len(frame), count=count)
    kinds = {"account": "text", "name": "text", "zone": "word", "from": "text", "to": "text"}
    return table(words, title, kinds, frame)


def what_decides(analysis: Analysis, words: Words, rows: int = LISTED) -> Table:
    """Undecided accounts: the two zones in question, and the potential at which one becomes the
    other. Sales are known, so that both borders are values of potential."""
    matrix, accounts = analysis.matrix, analysis.plan.accounts
    chances = accounts[[f"p_{zone}" for zone in ZONES]]
    open_ = accounts[(accounts["zone"] != "") & (chances.max(axis=1) < UNDECIDED)]
    shown = []
    for account, row in open_.nlargest(rows, "potential").iterrows():
        chance = row[[f"p_{zone}" for zone in ZONES]].to_numpy(float)
        best, second = np.argsort(-chance, kind="stable")[:2]
        high = {ZONES[best], ZONES[second]} & {"attack", "defense"}
        across = len(high) == 1  # one is high, one is not: the potential cut parts them
        border = matrix.potential_cut if across else row["sales"] / matrix.sow_cut
        zones = (f"{words.say(ZONES[k])} {words.percent(chance[k])}" for k in (best, second))
        off = row["potential"] / border - 1 if border > 0 else math.nan
        shown.append((account, row["name"], *zones, row["potential"], border, off,
                      "potential_cut" if across else "share_cut"))  # fmt: skip
    kinds = {"account": "text", "name": "text", "likeliest_zone": "text", "or": "text",
             "potential": "amount", "border_at": "amount", "off_the_border": "signed",
             "border": "word"}  # fmt: skip
    title = f"{words.say('what_would_decide_them_measure_potential')} ({words.yearly()})"
    return table(words, title, kinds, shown)


def visitors(analysis: Analysis, words: Words, rows: int = LISTED) -> Table:
    """Days not believed by visitor and store, most first; empty without visits."""
    measured, shown = analysis.measured, []
    if measured is not None and len(measured.suspects):
        visits = measured.visitors.set_index(["visitor", "account"])["visits"]
        found = measured.suspects.groupby(["visitor", "account", "problem"]).size()
        for key, days in found.sort_values(ascending=False, kind="stable").head(rows).items():
            shown.append((*key, days, visits[key[:2]]))
    kinds = {"visitor": "text", "account": "text", "problem": "said", "days": "whole",
             "of_visits": "whole"}  # fmt: skip
    return table(words, words.say("visit_days_that_look_wrong_by"), kinds, shown)


# Sums


def market(analysis: Analysis, words: Words) -> Table:
    """Total potential, our sales, market share with its interval."""
    wallet = analysis.wallet
    known = wallet.accounts[wallet.accounts["potential"].notna()]
    ends = words.say("between", low=words.share(wallet.market_share_low),
                     high=words.share(wallet.market_share_high))  # fmt: skip
    return figures_of(words, words.say("the_market_and_our_share"), [
        ("accounts_with_a_potential", "whole", len(known)),
        ("their_potential", "money", known["potential"].sum()),
        ("our_sales_to_them", "money", known["sales"].sum()),
        ("market_share", "share", wallet.market_share),
        ("likely_share", "text", ends),
        *((f"part_{name}", "percent", w) for name, w in wallet.basis.weights.items() if w),
    ])  # fmt: skip


def zones(analysis: Analysis, words: Words) -> Table:
    """The four zones and their sum: accounts, potential, sales, SOW and growth asked."""
    frame = analysis.plan.targets.loc[list(ZONES)].copy()
    potential = analysis.plan.accounts.groupby("zone")["potential"].sum()
    frame["potential"] = potential.reindex(frame.index).fillna(0.0)
    frame.loc["total"] = frame.sum()
    frame["sow"] = frame["sales"] / frame["potential"].where(frame["potential"] > 0)
    kinds = {"zone": "word", "accounts": "whole", "potential": "amount", "sales": "amount",
             "sow": "percent", **ASKED}  # fmt: skip
    return _asked(words, words.say("quadrant"), kinds, frame.rename_axis("zone").reset_index())


def teams(analysis: Analysis, words: Words) -> Table:
    """Hunters and farmers: people, accounts, visits and what is asked."""
    kinds = {"team": "word", "people": "whole", "accounts": "whole", "visits": "whole",
             "sales": "amount", **ASKED}  # fmt: skip
    frame = analysis.plan.teams.assign(team=analysis.plan.teams["team"] + "s")
    return _asked(words, words.say("teams"), kinds, frame)


def reps(analysis: Analysis, words: Words, rows: int = 40) -> Table:
    """Work and targets by rep: a sales director's page."""
    kinds = {"rep": "text", "team": "word", "region": "text", "accounts": "whole",
             "off_mean": "signed", "taken_over": "whole", "sales": "amount", "floor": "amount",
             "target_sales": "amount", "stretch": "amount", **ASKED}  # fmt: skip
    frame = analysis.plan.reps.head(rows)
    frame = frame.rename(columns={"target_floor": "floor", "target_stretch": "stretch"})
    return _asked(words, words.say("work_and_targets_by_rep"), kinds, frame)


def _asked(words: Words, title: str, kinds: Mapping[str, str], frame: pd.DataFrame) -> Table:
    """A table of sums with the growth asked, also in percent of sales."""
    part = frame["target_growth"] / frame["sales"].where(frame["sales"] > 0)
    return table(words, f"{title} ({words.yearly()})", kinds, frame.assign(growth_part=part))


# The formula


def terms(analysis: Analysis, words: Words) -> Table:
    """The formula's terms, what each means, and how stable a choice it is."""
    formula = analysis.fit.formula
    rows = [
        (_term_name(term, words), in_words(term, formula, words), term.coefficient, term.low,
         term.high, term.p_value, term.stability)
        for term in formula.terms
    ]  # fmt: skip
    kinds = {
        "term": "text", "in_words": "text", "coefficient": "figure", "low": "figure",
        "high": "figure", "p_value": "figure", "chosen_in_half_samples": "percent",
    }  # fmt: skip
    return table(words, words.say("terms_of_the_formula_p_values"), kinds, rows)


def _term_name(term: Term, words: Words) -> str:
    column, name = term.column, words.label(term.column.indicator)
    if column.transform == "level":
        return f"{words.noun(column.indicator)}: {column.level}"
    return words.say("log_of", name=name) if column.transform == "log" else name


def in_words(term: Term, formula: Formula, words: Words) -> str:
    """What a coefficient says: percent for logs, an amount for a linear formula."""
    column, b = term.column, term.coefficient
    name = words.noun(column.indicator)
    linear = formula.form == "linear"
    if column.transform == "level":
        how = "amount" if linear else "part"
        size = b if linear else formula.level_effect(term)
        return words.say(
            f"term_level_{how}", name=name, level=column.level, by=_more(size, words, linear)
        )
    if column.transform == "log":
        return words.say("term_log", name=name, by=_more(1.1**b - 1, words, False))
    size = b if linear else math.expm1(b)
    unit = words.measure(column.indicator)
    key = "term_unit" if unit else "term_linear"
    return words.say(key, name=name, unit=unit, by=_more(size, words, linear))


def _more(size: float, words: Words, money: bool) -> str:
    """So much more, or less: about 3,000 EUR a year more, 4% less."""
    digits = 0 if abs(size) >= 0.0095 else 1
    if money:  # to two digits, in units of the currency: a coefficient is no sum of the document
        plain = replace(words, scale=1.0)
        rounded = float(f"{abs(size):.2g}")
        said = words.say("about", amount=plain.money(rounded))
    else:
        said = words.percent(abs(size), digits)
    return words.say("more" if size >= 0 else "less", by=said)


def accuracy(analysis: Analysis, words: Words) -> Table:
    """Figures of accuracy, out of the sample and in it."""
    fit, verdict = analysis.fit, analysis.verdict
    return figures_of(words, words.say("how_accurate"), [
        ("predicted_r²_log_potential_selection_repeated", "percent", fit.r2_predicted),
        ("median_error_of_one_account", "percent", fit.error_median),
        ("predicted_r²_of_gradient_boosting_the", "percent", verdict.boosted_r2_predicted),
        ("median_error_of_gradient_boosting", "percent", verdict.boosted_error_median),
        ("optimism_what_the_sample_would_have", "percent", fit.optimism),
        ("surveyed_accounts_behind_the_formula", "whole", fit.formula.n),
    ])  # fmt: skip


def checks(analysis: Analysis, words: Words) -> Table:
    """All checks, with what each means for the client."""
    rows = [
        (c.name, c.statistic, c.p_value, c.threshold, "passed" if c.passed else "look", c.meaning)
        for c in analysis.verdict.checks
    ]
    kinds = {"check": "said", "statistic": "figure", "p_value": "figure", "threshold": "figure",
             "result": "word", "what_it_means": "said"}  # fmt: skip
    return table(words, words.say("checks_of_the_formula"), kinds, rows)


def suspects(analysis: Analysis, words: Words) -> Table:
    """Entries that look like typing errors."""
    found = analysis.fit.suspects
    frame = found.assign(
        expected=[words.say("between", low=words.whole(low), high=words.whole(high))
                  for low, high in zip(found["expected_low"], found["expected_high"], strict=True)]
    ).rename(columns={"cause": "likely_cause"})  # fmt: skip
    kinds = {"account": "text", "entry": "label", "value": "whole", "expected": "text",
             "likely_cause": "said"}  # fmt: skip
    return table(words, words.say("entries_that_look_like_typing_errors"), kinds, frame)


def best_of_size(analysis: Analysis, words: Words) -> Table:
    """The best formula of each size."""
    path = analysis.fit.path
    which = [words.names(words.noun(n) for n in names.split(", ")) if names else words.say("none")
             for names in path["indicators"]]  # fmt: skip
    frame = path.assign(indicators=path["size"], which=which)
    kinds = {"indicators": "whole", "which": "text", "r2": "percent", "bic": "number1"}
    if path["error"].notna().any():
        kinds["error"] = "percent"
    return table(words, words.say("the_best_formula_of_each_size"), kinds, frame)


def forms(analysis: Analysis, words: Words) -> Table:
    """The forms compared out of sample on the original scale."""
    frame = analysis.fit.forms
    frame = frame.assign(chosen=["chosen" if c else "" for c in frame["chosen"]])
    title = words.say("forms_title", unit=words.yearly())
    return table(
        words,
        title,
        {"form": "said", "mae": "amount", "log_score": "number3", "chosen": "word"},
        frame,
    )


# What was read


def candidates(analysis: Analysis, words: Words) -> Table:
    """What became of each candidate indicator."""
    frame = analysis.screening.frame.reset_index()
    frame = frame.assign(
        kept=[
            "kept_yes" if kept else why
            for kept, why in zip(frame["kept"], frame["reason"], strict=True)
        ]
    )
    frame["kept"] = [
        words.word(v) if v == "kept_yes" else words.say("kept_no", why=v) for v in frame["kept"]
    ]
    kinds = {"indicator": "label", "kind": "said", "missing": "percent", "distinct": "whole",
             "kept": "text"}  # fmt: skip
    return table(words, words.say("candidate_indicators"), kinds, frame)


def data_report(study: Study, tables: Tables, words: Words) -> list[Table]:
    """What was read: rows, the range and gaps of each number, and what was tolerated."""
    data = study.data
    read = [("accounts", data.accounts, len(tables.accounts))]
    if tables.survey is not None:
        read.append(("survey_answers", data.survey or data.accounts, len(tables.survey)))
    if tables.visits is not None:
        read.append(("visits", str(data.visits), len(tables.visits)))
    ranges = [_column_range("sales", tables.accounts["sales"], words)]
    if tables.survey is not None:
        ranges.append(_column_range("potential", tables.survey, words))
    ranges += [
        _column_range(str(name), tables.candidates[name], words) for name in tables.candidates
    ]
    notes = [(noted(words, note),) for note in tables.notes] or [(words.say("none"),)]
    read_kinds = {"table_2": "word", "file": "text", "rows_2": "whole"}
    columns = {
        "column_2": "label",
        "missing": "whole",
        "least": "mixed",
        "median": "mixed",
        "most": "mixed",
    }
    return [
        table(words, words.say("what_was_read"), read_kinds, read),
        table(words, words.say("columns"), columns, ranges),
        table(words, words.say("noted_and_tolerated"), {"note": "text"}, notes),
    ]


def noted(words: Words, note: Problem) -> str:
    """What was tolerated, in the language."""
    plain = replace(note, message=words.tell(note.message), file="", column="", row=None, remedy="")
    message, remedy = str(plain), words.tell(note.remedy)
    column = words.say("column", name=words.label(note.column)) if note.column else ""
    row = words.say("row", n=note.row) if note.row is not None else ""
    place = ", ".join(part for part in (note.file, column, row) if part)
    text = f"{place}: {message}" if place else message
    return f"{text}. {remedy}" if remedy else text


def _column_range(name: str, values: pd.Series, words: Words) -> tuple[Any, ...]:
    missing = int(values.isna().sum())
    if pd.api.types.is_numeric_dtype(values):
        kind = "whole" if float(values.abs().max()) >= 1000 else "figure"
        return (
            name,
            missing,
            *((kind, float(v)) for v in (values.min(), values.median(), values.max())),
        )
    counts = values.dropna().value_counts()
    common = f"{counts.index[0]} ({words.whole(counts.iloc[0])})" if len(counts) else MISSING
    return (
        name,
        missing,
        ("text", words.say("n_values", n=len(counts))),
        ("text", common),
        ("text", ""),
    )
