"""Tables as data: tables.toml says how each is titled and its columns are written, and a function
here takes its rows from the results. Every document lays out the same `Table`."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kalib.analysis import Analysis
from kalib.errors import Problem
from kalib.formula.formula import Formula, Term
from kalib.matrix.matrix import UNDECIDED
from kalib.plots.table import html_table
from kalib.study.settings import ZONES, Study
from kalib.tables.client import Tables
from kalib.words.catalogue import MISSING, Words

TABLES = tomllib.loads(Path(__file__).with_name("tables.toml").read_text(encoding="utf-8"))
LISTED = 15  # rows of a list of accounts in the documents; accounts.xlsx holds all
TEXT = ("text", "word", "said", "label", "range")  # the kinds of cells that are no numbers
MEASURED = 1.005  # an interval this narrow, upper over lower end, is a measurement


@dataclass(frozen=True)
class Table:
    """A table for the reader.

    title: what it shows, with its unit; kinds: column's key -> how its cells are written, as
    tables.toml says; frame: the values, columns as in kinds; heads: what each column is called.
    """

    title: str
    kinds: Mapping[str, str]
    frame: pd.DataFrame
    words: Words
    heads: Sequence[str]

    @property
    def numbers(self) -> list[bool]:
        """Which columns are set flush right."""
        return [kind not in TEXT for kind in self.kinds.values()]

    def rows(self) -> list[list[str]]:
        """Every cell as it is read."""
        columns = [
            [self.written(cell, kind) for cell in self.frame[name]]
            for name, kind in self.kinds.items()
        ]
        return [list(row) for row in zip(*columns, strict=True)]

    def written(self, value: Any, kind: str) -> str:
        """A cell as it is read."""
        words = self.words
        if kind == "mixed":
            kind, value = value
        if value is pd.NA:
            value = None
        if kind == "text":
            return "" if value is None else str(value)
        if kind == "said":
            return words.tell(value)
        if kind == "range":
            low, high = value
            if not np.isfinite(low):
                return MISSING
            measured = high <= MEASURED * low
            ends = f"{words.amount(low)} – {words.amount(high)}"
            return words.say("measured") if measured else ends
        if kind.startswith("number"):
            return words.number(value, int(kind[6:]))
        written: str = getattr(words, kind)(value)
        return written

    def part(self, rows: int, *columns: str) -> Table:
        """The first rows of some columns."""
        heads = [h for h, name in zip(self.heads, self.kinds, strict=True) if name in columns]
        kinds = {name: self.kinds[name] for name in columns}
        return replace(self, kinds=kinds, heads=heads, frame=self.frame.head(rows))

    def _repr_html_(self) -> str:
        return html_table(self.heads, self.rows(), self.numbers, self.title)

    def __repr__(self) -> str:
        frame = pd.DataFrame(self.rows(), columns=list(self.heads))
        return f"{self.title}\n{frame.to_string(index=False)}"


def table(
    words: Words, name: str, rows: Iterable[Sequence[Any]] | pd.DataFrame, of: int = 0,
    title: str = "", **figures: Any,
) -> Table:  # fmt: skip
    """The table that tables.toml describes under a name.

    rows: its rows, or a frame that has its columns; a name or region that nobody has is left out;
    of: rows there are in all; title: in place of its own; figures: of the title and the heads.
    """
    about, unit = TABLES[name], words.yearly()
    kinds: dict[str, str] = about["columns"]
    if not isinstance(rows, pd.DataFrame):
        rows = pd.DataFrame(list(rows), columns=list(kinds), dtype=object)
    empty = {c for c in ("name", "region") if c in kinds and not (rows[c].astype(str) != "").any()}
    kinds = {column: kind for column, kind in kinds.items() if column not in empty}
    said = title or words.say(about.get("title", name), unit=unit, **figures)
    if about.get("unit"):
        shown = len(rows)
        said += f" ({unit}{words.say('part', shown=shown, all=of) if shown < of else ''})"
    heads = [words.say(column, **figures) for column in kinds]
    return Table(said, kinds, rows, words, heads)


# Accounts


def listed(analysis: Analysis, accounts: pd.DataFrame) -> pd.DataFrame:
    """Accounts with what lists show beside their own columns: account, range, gap (sales lost
    against market share), growth_part (growth asked over sales)."""
    gap = accounts["potential"] * analysis.matrix.market_share - accounts["sales"]
    return accounts.assign(
        account=accounts.index,
        name=accounts["name"].where(accounts["name"] != accounts.index, ""),
        range=list(zip(accounts["potential_low"], accounts["potential_high"], strict=True)),
        gap=gap.clip(lower=0),
        growth_part=_part_of_sales(accounts),
    )


def _part_of_sales(frame: pd.DataFrame) -> pd.Series:
    return frame["target_growth"] / frame["sales"].where(frame["sales"] > 0)


def account_list(
    analysis: Analysis, words: Words, name: str, rows: int = LISTED,
    accounts: pd.DataFrame | None = None, title: str = "", **about: str,
) -> Table:  # fmt: skip
    """The first rows of a list of accounts.

    accounts: of which it is taken, in place of all; about: its where and order, in place of those
    in tables.toml.
    """
    about = {**TABLES[name], **about}
    every = analysis.plan.accounts if accounts is None else accounts
    by = about["order"]
    chosen = every.query(about["where"])
    chosen = chosen.sort_values(by, ascending=by == "attack_rank", kind="stable")
    return table(words, name, listed(analysis, chosen.head(rows)), len(chosen), title)


def next_survey(analysis: Analysis, words: Words, rows: int = LISTED) -> Table:
    """Accounts to measure next, by the potential that would no longer lie in the wrong zone."""
    ranked = analysis.next_survey.head(rows)
    shown = listed(analysis, analysis.plan.accounts.loc[ranked.index]).join(ranked)
    return table(words, "next_survey", shown, len(analysis.next_survey))


def overrides(analysis: Analysis, words: Words, rows: int = LISTED) -> Table:
    """Potentials that field experts put in place of estimates: from what to what, who and why."""
    entries = analysis.overrides.entries.nlargest(rows, "potential")
    accounts = analysis.plan.accounts.reindex(entries.index)
    before = accounts["estimate"]
    shown = entries.assign(
        account=entries.index, name=accounts["name"], before=before,
        change=entries["potential"] / before.where(before > 0) - 1,
    ).rename(columns={"potential": "override_potential", "by": "override_by",
                      "reason": "override_reason"})  # fmt: skip
    return table(words, "overrides", shown)


def handover(analysis: Analysis, words: Words, rows: int = LISTED) -> Table:
    """Accounts that change owner."""
    frame = analysis.plan.handover.head(rows)
    return table(words, "handover", frame, n=len(frame), count=analysis.plan.owner_changes)


def what_decides(analysis: Analysis, words: Words, rows: int = LISTED) -> Table:
    """Undecided accounts: the two zones in question, and the potential at which one becomes the
    other. Sales are known, so that both borders are values of potential."""
    matrix, accounts = analysis.matrix, analysis.plan.accounts
    columns = [f"p_{zone}" for zone in ZONES]
    undecided = (accounts["zone"] != "") & (accounts[columns].max(axis=1) < UNDECIDED)
    frame = accounts[undecided].nlargest(rows, "potential")
    chances = frame[columns].to_numpy(float)
    first_two = np.argsort(-chances, axis=1, kind="stable")[:, :2]
    high = np.isin(np.array(ZONES)[first_two], ("attack", "defense"))
    across = high.sum(axis=1) == 1  # one is high, one is not: the potential cut parts them
    border = pd.Series(
        np.where(across, matrix.potential_cut, frame["sales"] / matrix.sow_cut), index=frame.index
    )
    zones = [[f"{words.say(ZONES[k])} {words.percent(chance[k])}" for k in two]
             for two, chance in zip(first_two, chances, strict=True)]  # fmt: skip
    frame = frame.assign(
        account=frame.index, likeliest_zone=[pair[0] for pair in zones], border_at=border,
        off_the_border=frame["potential"] / border.where(border > 0) - 1,
        border=np.where(across, "potential_cut", "share_cut"),
    )  # fmt: skip
    frame["or"] = [pair[1] for pair in zones]
    return table(words, "what_decides", frame)


def visitors(analysis: Analysis, words: Words, rows: int = LISTED) -> Table:
    """Days not believed by visitor and store, most first; empty without visits."""
    measured, shown = analysis.measured, []
    if measured is not None and len(measured.suspects):
        visits = measured.visitors.set_index(["visitor", "account"])["visits"]
        found = measured.suspects.groupby(["visitor", "account", "problem"]).size()
        for key, days in found.sort_values(ascending=False, kind="stable").head(rows).items():
            shown.append((*key, days, visits[key[:2]]))
    return table(words, "visitors", shown)


# Sums


def market(analysis: Analysis, words: Words) -> Table:
    """Total potential, our sales, market share with its interval."""
    wallet = analysis.wallet
    known = wallet.accounts[wallet.accounts["potential"].notna()]
    low, high = words.share(wallet.market_share_low), words.share(wallet.market_share_high)
    likely = [("likely_share", ("text", words.say("between", low=low, high=high)))]
    weights = {f"part_{name}": weight for name, weight in wallet.basis.weights.items() if weight}
    return table(words, "market", [
        ("accounts_with_a_potential", ("whole", len(known))),
        ("their_potential", ("money", known["potential"].sum())),
        ("our_sales_to_them", ("money", known["sales"].sum())),
        ("market_share", ("share", wallet.market_share)),
        *(likely if low != high else []),
        *((part, ("percent", weight)) for part, weight in weights.items()),
    ])  # fmt: skip


def zones(analysis: Analysis, words: Words) -> Table:
    """The four zones and their sum: accounts, potential, sales, SOW and growth asked."""
    frame = analysis.plan.targets.loc[list(ZONES)].copy()
    potential = analysis.plan.accounts.groupby("zone")["potential"].sum()
    frame["potential"] = potential.reindex(frame.index).fillna(0.0)
    frame.loc["total"] = frame.sum()
    frame["sow"] = frame["sales"] / frame["potential"].where(frame["potential"] > 0)
    frame = frame.assign(zone=frame.index, growth_part=_part_of_sales(frame))
    return table(words, "zones", frame)


def teams(analysis: Analysis, words: Words) -> Table:
    """Hunters and farmers: people, accounts, visits and what is asked."""
    frame = analysis.plan.teams
    team = frame["team"] + "s"
    return table(words, "teams", frame.assign(team=team, growth_part=_part_of_sales(frame)))


def reps(analysis: Analysis, words: Words, rows: int = 40) -> Table:
    """Work and targets by rep: a sales director's page."""
    frame = analysis.plan.reps.head(rows).assign(growth_part=_part_of_sales)
    names = {"target_floor": "floor", "target_stretch": "stretch"}
    return table(words, "reps", frame.rename(columns=names))


# The formula


def terms(analysis: Analysis, words: Words) -> Table:
    """The formula's terms, what each means, and how stable a choice it is."""
    formula = analysis.fit.formula
    return table(words, "terms", [
        (_term_name(term, words), in_words(term, formula, words), term.coefficient, term.low,
         term.high, term.p_value, term.stability)
        for term in formula.terms
    ])  # fmt: skip


def _term_name(term: Term, words: Words) -> str:
    column, name = term.column, words.label(term.column.indicator)
    if column.transform == "level":
        return f"{words.noun(column.indicator)}: {column.level}"
    return words.say("log_of", name=name) if column.transform == "log" else name


def in_words(term: Term, formula: Formula, words: Words) -> str:
    """What a coefficient says: percent for logs, an amount for a linear formula."""
    column, b, linear = term.column, term.coefficient, formula.form == "linear"
    figures = {"name": words.noun(column.indicator), "level": column.level,
               "unit": words.measure(column.indicator)}  # fmt: skip
    if column.transform == "level":
        key = "term_level_amount" if linear else "term_level_part"
        size = b if linear else formula.level_effect(term)
    elif column.transform == "log":
        key, linear, size = "term_log", False, 1.1**b - 1
    else:
        key = "term_unit" if figures["unit"] else "term_linear"
        size = b if linear else math.expm1(b)
    if linear:  # to two digits, in units of the currency: a coefficient is no sum of the document
        amount = replace(words, scale=1.0).money(float(f"{abs(size):.2g}"))
        said = words.say("about", amount=amount)
    else:
        said = words.percent(abs(size), 0 if abs(size) >= 0.0095 else 1)
    return words.say(key, **figures, by=words.say("more" if size >= 0 else "less", by=said))


def accuracy(analysis: Analysis, words: Words) -> Table:
    """Figures of accuracy, out of the sample and in it."""
    fit, verdict = analysis.fit, analysis.verdict
    return table(words, "accuracy", [
        ("predicted_r²_log_potential_selection_repeated", ("percent", fit.r2_predicted)),
        ("median_error_of_one_account", ("percent", fit.error_median)),
        ("predicted_r²_of_gradient_boosting_the", ("percent", verdict.boosted_r2_predicted)),
        ("median_error_of_gradient_boosting", ("percent", verdict.boosted_error_median)),
        ("optimism_what_the_sample_would_have", ("percent", fit.optimism)),
        ("surveyed_accounts_behind_the_formula", ("whole", fit.formula.n)),
    ])  # fmt: skip


def checks(analysis: Analysis, words: Words) -> Table:
    """All checks, with what each means for the client."""
    return table(words, "checks", [
        (c.name, c.statistic, c.p_value, c.threshold, "passed" if c.passed else "look", c.meaning)
        for c in analysis.verdict.checks
    ])  # fmt: skip


def suspects(analysis: Analysis, words: Words) -> Table:
    """Entries that look like typing errors."""
    found = analysis.fit.suspects
    ends = zip(found["expected_low"], found["expected_high"], strict=True)
    expected = [words.say("between", low=words.whole(a), high=words.whole(b)) for a, b in ends]
    return table(words, "suspects", found.assign(expected=expected, likely_cause=found["cause"]))


def best_of_size(analysis: Analysis, words: Words) -> Table:
    """The best formula of each size; its error where that chose the size."""
    path = analysis.fit.path
    which = [words.names(map(words.noun, names.split(", "))) if names else words.say("none")
             for names in path["indicators"]]  # fmt: skip
    whole = table(words, "best_of_size", path.assign(indicators=path["size"], which=which))
    chosen_by_error = path["error"].notna().any()
    return whole if chosen_by_error else whole.part(len(path), *list(whole.kinds)[:-1])


def forms(analysis: Analysis, words: Words) -> Table:
    """The forms compared out of sample on the original scale."""
    frame = analysis.fit.forms
    return table(words, "forms", frame.assign(chosen=np.where(frame["chosen"], "chosen", "")))


# What was read


def candidates(analysis: Analysis, words: Words) -> Table:
    """What became of each candidate indicator."""
    frame = analysis.screening.frame.reset_index()
    kept = [words.say("kept_yes" if kept else "kept_no", why=why)
            for kept, why in zip(frame["kept"], frame["reason"], strict=True)]  # fmt: skip
    return table(words, "candidates", frame.assign(kept=kept))


def data_report(study: Study, tables: Tables, words: Words) -> list[Table]:
    """What was read: rows, the range and gaps of each number, and what was tolerated."""
    data, survey = study.data, tables.survey
    read = [("accounts", data.accounts, len(tables.accounts))]
    columns = {"sales": tables.accounts["sales"]}
    if survey is not None:
        read.append(("survey_answers", data.survey or data.accounts, len(survey)))
        columns["potential"] = survey
    if tables.visits is not None:
        read.append(("visits", str(data.visits), len(tables.visits)))
    columns |= {str(name): tables.candidates[name] for name in tables.candidates}
    ranges = [_column_range(name, values, words) for name, values in columns.items()]
    notes = [(noted(words, note),) for note in tables.notes] or [(words.say("none"),)]
    return [table(words, "read", read), table(words, "columns", ranges),
            table(words, "notes", notes)]  # fmt: skip


def noted(words: Words, note: Problem) -> str:
    """What was tolerated, in the language."""
    plain = replace(note, message=words.tell(note.message), file="", column="", row=None, remedy="")
    column = words.say("column", name=words.label(note.column)) if note.column else ""
    row = words.say("row", n=note.row) if note.row is not None else ""
    place = ", ".join(part for part in (note.file, column, row) if part)
    text = f"{place}: {plain}" if place else str(plain)
    return f"{text}. {words.tell(note.remedy)}" if note.remedy else text


def _column_range(name: str, values: pd.Series, words: Words) -> tuple[Any, ...]:
    missing = int(values.isna().sum())
    if pd.api.types.is_numeric_dtype(values):
        kind = "whole" if float(values.abs().max()) >= 1000 else "figure"
        return (name, missing, *((kind, v) for v in (values.min(), values.median(), values.max())))
    counts = values.value_counts()
    common = f"{counts.index[0]} ({words.whole(counts.iloc[0])})" if len(counts) else MISSING
    said = (words.say("n_values", n=len(counts)), common, "")
    return (name, missing, *(("text", text) for text in said))
