"""The documents' tables: words/tables.toml says how each is titled and its columns are written, and
a function here takes its rows from the results."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from operator import attrgetter
from typing import Any

import numpy as np
import pandas as pd

from kalib.analysis import Analysis
from kalib.formula.formula import Formula, Term
from kalib.matrix.matrix import UNDECIDED, Matrix
from kalib.plan.plan import ACTIONS, DOUBTED
from kalib.plots.accounts import names_apart, short_names
from kalib.report.summary import NEXT_NAMED, at, planned
from kalib.study.settings import ZONES
from kalib.waves.waves import Waves
from kalib.words.catalogue import Words
from kalib.words.table import TABLES, Table, table

OPEN_FOR = ("unlike", "doubted", "its_size", "to_win")
LISTED = 15  # rows of a list of accounts in the documents; accounts.xlsx holds all
TELLING = 0.9  # of what measuring all can settle; a list to survey next ends there
LEVEL = 0.05  # of Chow's tests; Chow 1960, Econometrica 28


def build(name: str, analysis: Analysis, words: Words, rows: int = 0) -> Table:
    """The table of a name: a list of accounts, a frame of the results or a part of another table as
    tables.toml describes it, or what the function of that name makes. rows: at most so many, 0 for
    its own number."""
    about = TABLES[name]
    if "where" in about or "frame" in about:
        every = at(analysis, about["frame"]) if "frame" in about else accounts_of(analysis)
        return _listed(name, every, words, rows or about.get("most", LISTED))
    if "figures" in about:
        cells = [(k, (how, attrgetter(of)(analysis))) for k, how, of in about["figures"]]
        return table(words, name, cells)
    if "of" in about:
        whole = build(about["of"], analysis, words, rows)
        kept = whole.frame.query(about["rows"]) if "rows" in about else whole.frame
        title = words.say(about["title"]) if "title" in about else whole.title
        return replace(whole, frame=kept, title=title).part(len(kept), *about["columns"])
    made: Table = globals()[name](analysis, words, *([rows] if rows else []))
    return made


def rep_lists(analysis: Analysis, words: Words, most: int) -> dict[str, Table]:
    """Each rep's own accounts, all of them, by rep; of the first so many reps."""
    every = dict(list(accounts_of(analysis).groupby("rep")))
    return {rep: _listed("own_accounts", every[rep], words, len(every[rep]), rep=words.rep(rep))
            for rep in analysis.plan.reps["rep"].head(most)}  # fmt: skip


def _listed(name: str, every: pd.DataFrame, words: Words, rows: int, **figures: Any) -> Table:
    """The first rows of a frame, chosen, ordered and called as tables.toml says."""
    about, by = TABLES[name], TABLES[name].get("order")
    chosen = every.query(about.get("where", "index == index"))
    chosen = chosen if len(chosen) >= about.get("least", 0) else chosen.head(0)
    if "totals" in about:
        totals = {name: tuple(of) for name, of in about["totals"].items()}
        chosen = chosen.groupby(about["by"]).agg(**totals).reset_index()
    if by:
        chosen = chosen.sort_values(by, ascending=by == "attack_rank", kind="stable")
    shown = chosen.head(rows).assign(id=chosen.index[:rows])
    for ends, (low, high) in about.get("ranges", {}).items():
        shown[ends] = list(zip(shown[low], shown[high], strict=True))
    shown = shown.assign(**{new: shown[old] for new, old in about.get("names", {}).items()})
    lost = float(chosen["sales_lost"].sum()) if "sales_lost" in chosen else 0.0
    return table(words, name, shown, len(chosen), lost=lost, **figures)


def telling_of(survey: pd.DataFrame) -> pd.Index:
    """The fewest accounts of `rank_next_survey` that settle TELLING of what measuring all would."""
    settled = survey["benefit"].cumsum() - survey["benefit"]
    return survey.index[settled < TELLING * survey["benefit"].sum()]


@lru_cache(maxsize=1)  # every list asks for it
def accounts_of(analysis: Analysis) -> pd.DataFrame:
    """Accounts with what lists show beside their own columns.

    account, called (`names_apart`), full (a name that is cut), unlike (extrapolated, not
    measured), told_probability (the zone's, cut, not rounded; missing of those), doubted and
    guessed (so its answer looks; of the first no probability is told), open_for (why it is
    measured first), range, to_call (to be measured: first to survey next, or free and perhaps
    key), free (of a rep who is neither hunter nor farmer), gap (sales lost against market share),
    asked_now and if_confirmed (growth asked, firm or not), stake (to win or to lose),
    change_of_potential (by an expert), border_at (the potential that decides its zone), benefit
    (what measuring it puts right), telling (`telling_of`), turn (larger what is done first);
    at_risk is only of what is defended, expected_gain only of the others."""
    matrix, accounts = analysis.matrix, analysis.plan.accounts
    short, defended = short_names(accounts), accounts["action"] == "defend"
    unlike = accounts["extrapolated"] & (accounts["potential_source"] != "measured")
    asked = accounts["target_growth"].where(accounts["target_growth"] != 0)
    telling, border = telling_of(analysis.next_survey), _border(matrix, accounts)
    free = ~accounts["rep"].isin(["", *accounts.loc[accounts["team"] != "", "rep"]])
    doubted, p = accounts["flags"].str.contains(DOUBTED), accounts["zone_probability"]
    told = accounts.index.isin(telling)
    to_call = free & told & (border >= matrix.potential_cut) | p.index.isin(telling[:NEXT_NAMED])
    return accounts.join(analysis.next_survey["benefit"]).assign(
        account=accounts.index,
        name=short.where(accounts["name"] != accounts.index, ""),
        full=accounts["name"].where(accounts["name"] != short, ""),
        called=names_apart(accounts),
        unlike=unlike,
        guessed=accounts["flags"].str.contains("guessed_share"),
        free=free,
        doubted=doubted,
        open_for=np.select([unlike, doubted, p < UNDECIDED], OPEN_FOR[:3], OPEN_FOR[3]),
        to_call=to_call & accounts["action"].isin(["", "contact"]),
        risk=accounts["at_risk"],
        telling=told,
        range=list(zip(accounts["potential_low"], accounts["potential_high"], strict=True)),
        expected_gain=accounts["expected_gain"].mask(defended),
        at_risk=accounts["at_risk"].where(defended),
        turn=-accounts["action"].map({action: turn for turn, action in enumerate(ACTIONS)}),
        gap=(accounts["potential"] * matrix.market_share - accounts["sales"]).clip(lower=0),
        asked_now=asked.where(accounts["firm"]),
        if_confirmed=asked.mask(accounts["firm"]),
        stake=accounts["at_risk"].where(defended, accounts["expected_gain"]),
        change_of_potential=accounts["potential"] / accounts["estimate"] - 1,
        border_at=border,
        told_probability=np.floor(100 * p.mask(unlike | doubted) + 1e-9) / 100,
    )


def _border(matrix: Matrix, accounts: pd.DataFrame) -> np.ndarray:
    """The potential (N,) that decides between the likeliest two of each account's zones.

    Sales are known, so that the share cut is a potential, too. Attack begins where potential is
    beyond both cuts, and maintenance ends at the first of them."""
    chances = accounts[[f"p_{zone}" for zone in ZONES]].to_numpy(float)
    first_two = np.array(ZONES)[np.argsort(-chances, axis=1, kind="stable")[:, :2]]
    cuts = matrix.potential_cut, accounts["sales"] / matrix.sow_cut
    return np.where((first_two == "attack").any(axis=1), np.maximum(*cuts), np.minimum(*cuts))


def reps(analysis: Analysis, words: Words, rows: int = 40) -> Table:
    """Work and targets by rep, below them of the accounts that are not key, so that all adds up."""
    rest = analysis.plan.accounts.query("team == ''")
    sums = {name: rest[name].sum() for name in ("sales", "target_sales", "target_growth")}
    every, hunter = analysis.plan.reps, analysis.plan.reps["team"] == "hunter"
    frame = every.head(rows).assign(expected_gain=every["expected_gain"].where(hunter))
    if len(rest) and 0 < len(every) <= rows:
        told = {"rep": words.say("other_accounts"), "team": "", "region": "", "accounts": len(rest)}
        frame.loc[len(frame)] = told | sums
    return table(words, "reps", frame, len(every))


def zones(analysis: Analysis, words: Words) -> Table:
    """The four zones and their sum: accounts, potential, sales, SOW and growth asked."""
    frame = analysis.plan.targets.loc[list(ZONES)].copy()
    potential = analysis.plan.accounts.groupby("zone")["potential"].sum()
    frame["potential"] = potential.reindex(frame.index).fillna(0.0)
    frame.loc["total"] = frame.sum()
    frame["sow"] = frame["sales"] / frame["potential"].where(frame["potential"] > 0)
    part = frame["target_growth"] / frame["sales"].where(frame["sales"] > 0)
    frame = frame.assign(zone=frame.index, growth_rate=part)
    return table(words, "zones", frame)


def scenarios(analysis: Analysis, words: Words) -> Table:
    """The plan between a cautious and an ambitious one: cuts, people and targets."""
    others = analysis.scenarios
    plans: list[Any] = [others["cautious"], analysis, others["ambitious"]] if others else []
    found = [
        {**vars(one.matrix), **one.matrix.counts, **planned(one.plan), **vars(one.plan),
         "key_accounts": one.plan.accounts["key_account"].sum(),
         "visits": one.plan.teams["visits"].sum(), "target_growth": growth.sum(),
         "growth_rate": growth.sum() / one.plan.accounts["sales"].sum(),
         "growth_margin": (growth * one.plan.accounts["margin"]).sum(),
         "likely_growth_2": one.plan.accounts.query("team == 'hunter'")["expected_gain"].sum(),
         "likely_low": one.plan.growth_points[0.1], "likely_high": one.plan.growth_points[0.9]}
        for one in plans for growth in (one.plan.accounts["target_growth"],)
    ]  # fmt: skip
    rows = [(name, *((how, one[name]) for one in found))
            for name, how in TABLES["scenarios"]["figures_of_plans"].items()
            if any(one[name] for one in found)]  # fmt: skip
    return table(words, "scenarios", rows if found else [])


def terms(analysis: Analysis, words: Words) -> Table:
    """The formula's terms, what each means, and how stable a choice it is."""
    formula, values = analysis.fit.formula, analysis.screening.values

    def _two(term: Term) -> Sequence[float]:
        """The values of an indicator that has only two, the smaller first."""
        found = sorted(values[term.column.indicator].dropna().unique())
        return found if len(found) == 2 and term.column.transform != "level" else ()

    return table(words, "terms", [
        (_term_name(term, words), in_words(term, formula, words, _two(term)), term.coefficient,
         term.low, term.high, term.p_value, term.stability)
        for term in formula.terms
    ])  # fmt: skip


def _term_name(term: Term, words: Words) -> str:
    column, name = term.column, words.label(term.column.indicator)
    if column.transform == "level":
        return f"{words.noun(column.indicator)}: {column.level}"
    return words.say("log_of", name=name) if column.transform == "log" else name


def in_words(term: Term, formula: Formula, words: Words, two: Sequence[float] = ()) -> str:
    """What a coefficient says: percent for logs, an amount for a linear formula; two: the values
    of an indicator that has no others."""
    column, b, linear = term.column, term.coefficient, formula.form == "linear"
    figures = {"name": words.noun(column.indicator), "level": column.level, "base": column.baseline,
               "unit": words.measure(column.indicator)}  # fmt: skip
    if column.transform == "level":
        key = "term_level_amount" if linear else "term_level_part"
        size = b if linear else formula.level_effect(term)
    elif two:
        low, high = column.encode(pd.Series(two))  # of a zero, too
        figures["base"], figures["level"] = (words.number(v, int(v % 1 > 0)) for v in two)
        key = "term_level_amount" if linear else "term_level_part"
        size = b * (high - low) if linear else math.expm1(b * (high - low))
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


def checks(analysis: Analysis, words: Words) -> Table:
    """All checks, with what each means for the client."""
    return table(words, "checks", [
        (c.name, c.statistic, c.p_value, c.threshold, "passed" if c.passed else "look", c.meaning)
        for c in analysis.verdict.checks
    ])  # fmt: skip


def candidates(analysis: Analysis, words: Words) -> Table:
    """What became of each candidate indicator."""
    frame = analysis.screening.frame.reset_index()
    outcome = [words.say("kept_yes" if kept else "kept_no", why=why)
            for kept, why in zip(frame["kept"], frame["reason"], strict=True)]  # fmt: skip
    return table(words, "candidates", frame.assign(outcome=outcome))


def of_waves(waves: Waves, words: Words) -> list[Table]:
    """The tables of a comparison that have something to say."""
    found = (build(waves, words) for build in (real_moves, promises, chow))
    return [one for one in found if len(one.frame)]


def real_moves(waves: Waves, words: Words, rows: int = LISTED) -> Table:
    """The moves between zones that are more than noise, the surest first."""
    found = waves.real
    shown = found.head(rows).rename(columns={"before": "before_2"})
    # Cut, not rounded: no move is as good as certain.
    certain = np.floor(100 * shown["probability"]) / 100
    return table(words, "real_moves", shown.assign(account=shown.index, probability=certain),
                 shown=len(shown), real=len(found), moved=len(waves.moves))  # fmt: skip


def chow(waves: Waves, words: Words) -> Table:
    """Chow's tests that one formula holds in both waves, in words."""
    rows = []
    for row in waves.drift.tests.itertuples():
        freedom = f"{row.df:.0f}, {row.df_residual:.0f}"
        unsaid = row.p_value is None or np.isnan(row.p_value)
        found = "same" if unsaid or row.p_value >= LEVEL else "changed"
        means = "these_surveys_cant_tell" if unsaid else f"{row.test} {found}"
        rows.append((row.test, row.f, freedom, row.p_value, means))
    return table(words, "chow", rows)


def promises(waves: Waves, words: Words) -> Table:
    """Growth asked of each group of accounts by the wave before, and what came of it."""
    before, after = waves.periods
    frame = waves.ledger[waves.ledger["group"] != ""].rename(columns={"group": "group_asked"})
    frame["came_of_asked"] = frame["came"] / frame["asked"]
    return table(words, "promises", frame, before=before, after=after)


def changed(waves: Waves | None) -> dict[str, Any]:
    """What sentences on the change between the waves are filled with."""
    if waves is None:
        return {"share_after": None, "wave_before": ""}
    shares = {f"share_{end}": waves.share.get(end) for end in ("before", "after")}
    shares |= {f"key_{name}": count for name, count in waves.turnover.items()}
    return shares | {"wave_before": waves.periods[0], "moves_shown": len(waves.moves),
                     "moves_real": len(waves.real)}  # fmt: skip
