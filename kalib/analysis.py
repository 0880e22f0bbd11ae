"""A study from its tables to its plan: every step of the method, in order; and what if."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from kalib.errors import Problem, StudyError
from kalib.formula.checks import Check, check_formula
from kalib.formula.fitting import SEED as SEED
from kalib.formula.fitting import Fit, fit_formula
from kalib.formula.verdict import Verdict, judge
from kalib.indicators.screening import Screening, screen
from kalib.matrix.matrix import Matrix, place
from kalib.matrix.survey_next import rank_next_survey
from kalib.plan.gain import attainment_since
from kalib.plan.plan import Plan, plan_sales
from kalib.study.kept import keep
from kalib.study.loading import problems_of
from kalib.study.settings import ZONES, Study
from kalib.tables.asked import read_asked
from kalib.tables.client import Tables
from kalib.tables.overrides import ExpertBias, Overrides, expert_bias, leaning_experts
from kalib.tables.tables import read_tables
from kalib.tables.visits import Measured, Potential
from kalib.wallet.known import known_potential
from kalib.wallet.wallet import Wallet, estimate_wallets

CHANGEABLE = ("matrix", "teams", "targets")  # sections whose settings leave the wallet as it is
MOST_REPLANNED = 20_000  # accounts that are planned in scenarios, too
FEWEST_KEY = 10  # key accounts of which a quarter more or fewer makes another plan
# Plans beside the study's own: times as many key accounts, times as much growth.
SCENARIOS = {"cautious": (0.75, 0.5), "ambitious": (1.25, 1.5)}


@dataclass(frozen=True, repr=False, eq=False)
class Judged:
    """A study's formula: what each step up to the verdict found."""

    study: Study
    tables: Tables
    potential: Potential
    screening: Screening
    fit: Fit
    checks: tuple[Check, ...]
    verdict: Verdict


@dataclass(frozen=True, repr=False, eq=False)
class Analysis(Judged):
    """A study analyzed: what each step found. next_survey: accounts to measure next, best first,
    see `rank_next_survey`."""

    wallet: Wallet
    matrix: Matrix
    next_survey: pd.DataFrame
    plan: Plan

    @property
    def codebook(self) -> str:
        """The study's codebook, Markdown; "" without one, and where names are hidden."""
        file = (self.study.folder / "codebook.md").resolve()
        inside = file.is_relative_to(self.study.folder) and file.is_file()
        if self.tables.anonymous or not inside:
            return ""
        return file.read_text(encoding="utf-8", errors="replace")

    @property
    def measured(self) -> Measured | None:
        """What was counted in visits; None where the study has none."""
        return self.potential.visits

    @property
    def overrides(self) -> Overrides:
        """Potentials that field experts put in place of estimates."""
        return self.tables.overrides

    @property
    def expert_bias(self) -> ExpertBias:
        """How the experts lean against the formula."""
        return expert_bias(*self._experts)

    @property
    def leaning_experts(self) -> Mapping[str, ExpertBias]:
        """Which of several experts lean against the formula, each by how much."""
        return leaning_experts(*self._experts)

    @property
    def _experts(self) -> tuple[pd.Series, pd.Series, pd.DataFrame, float]:
        accounts, entries = self.wallet.accounts, self.overrides.entries
        confidence = self.study.formula.confidence
        return accounts["estimate"], accounts["estimate_source"], entries, confidence

    @cached_property
    def scenarios(self) -> Mapping[str, WhatIf]:
        """Plans with fewer and with more key accounts and growth, by the names of SCENARIOS; none
        where no growth is asked, key accounts are few, or accounts too many to plan three times."""
        growth, sales = self.plan.accounts[["target_growth", "sales"]].sum()
        key = int(self.plan.accounts["key_account"].sum())
        told = key >= FEWEST_KEY and len(self.plan.accounts) <= MOST_REPLANNED
        if not (told and 0 < growth < 50 * sales):  # a study file may ask no more
            return {}
        return {
            name: replan(self.matrix, self.plan, self.study, {
                "matrix.potential_cut": {"top": max(round(more * key), 1)},
                "targets.company_growth": round(growth / sales * faster, 4),
            }) for name, (more, faster) in SCENARIOS.items()
        }  # fmt: skip


def judge_study(study: Study, overrides: Path | str = "", key: bytes | None = None) -> Judged:
    """A study up to the verdict on its formula; parameters as of `read_tables`."""
    tables = read_tables(study, overrides, key)
    potential = known_potential(tables)
    screening = screen(tables, potential)
    fit = fit_formula(screening, potential, study.formula)
    checks = check_formula(fit)
    return Judged(study, tables, potential, screening, fit, checks, judge(fit, checks))


def analyze(
    study: Study | Path | str, folder: Path | str = "", settings: Mapping[str, str] | None = None,
    overrides: Path | str | None = None, key: bytes | None = None, before: Path | str = "",
) -> Analysis:  # fmt: skip
    """Analyze a study, every step in order.

    Parameters
    ----------
    study : Study, Path or str
        A study that was read, or its study.toml or folder.
    folder : Path or str
        Where steps are kept, so that what has not changed is not computed again; "" keeps nothing.
    settings : mapping of str to str, optional
        "section.key" -> value as TOML text, laid over the study file.
    overrides : Path or str, optional
        A workbook in which field experts replaced potentials.
    key : bytes, optional
        Of the codes that stand for names and ids; without it these stay.
    before : Path or str
        The report of an earlier wave, from which targets learn what part of a gap is closed.

    Raises
    ------
    StudyError
        With every problem of the study and its tables.

    Examples
    --------
    >>> analysis = analyze("data/phones-retail")
    >>> analysis.verdict.verdict
    'usable'
    """
    if not isinstance(study, Study):
        study = read_asked(study, settings)
    with keep(folder):
        judged = judge_study(study, overrides or "", key)
        wallet = estimate_wallets(judged.tables, judged.potential, judged.fit, judged.verdict)
        matrix = place(wallet, study.matrix)
        next_survey = rank_next_survey(wallet, matrix)
        attainment = attainment_since(before, wallet.accounts, study)
        plan = plan_sales(matrix, study, attainment)
    return Analysis(
        **vars(judged), wallet=wallet, matrix=matrix, next_survey=next_survey, plan=plan
    )


@dataclass(frozen=True)
class WhatIf:
    """The plan under other settings.

    settings: those changed; study: with them; matrix: its zones; plan: teams and targets;
    comparison: DataFrame (today, what_if, difference), cuts, accounts by zone, people, target
    growth in currency a year and owner changes; held: which figures a setting fixes, in sentences.
    """

    settings: Mapping[str, Any]
    study: Study
    matrix: Matrix
    plan: Plan
    comparison: pd.DataFrame
    held: tuple[str, ...]


def replan(matrix: Matrix, plan: Plan, study: Study, settings: Mapping[str, Any]) -> WhatIf:
    """The plan under other settings; those not named stay as the study has them.

    Parameters
    ----------
    matrix : Matrix
        Today's, of `place`.
    plan : Plan
        Today's, of `plan_sales`.
    study : Study
        Its settings are today's.
    settings : mapping of str to value
        Of the sections [matrix], [teams] and [targets], in the units of the study file, such as
        {"matrix.potential_cut": {"quantile": 0.8}, "targets.close_gap": 0.5}.

    Raises
    ------
    StudyError
        For what a study file may not hold either.
    """
    changed = _changed(study, settings)
    same = changed.matrix == study.matrix
    other = matrix if same else place(matrix.wallet, changed.matrix)
    learned = plan.attainment if plan.attainment.learned else None
    planned = plan if changed == study else plan_sales(other, changed, learned)
    comparison = pd.DataFrame(
        {"today": _figures(matrix, plan), "what_if": _figures(other, planned)}
    )
    comparison["difference"] = comparison["what_if"] - comparison["today"]
    return WhatIf(settings, changed, other, planned, comparison, _held(changed))


def _changed(study: Study, settings: Mapping[str, Any]) -> Study:
    """The study with some settings replaced, each checked as in a study file."""
    problems = [
        Problem(f"{name!r} is not a setting of {', '.join(CHANGEABLE)}")
        for name in settings if name.partition(".")[0] not in CHANGEABLE
    ]  # fmt: skip
    updated: dict[str, Any] = {}
    for section in CHANGEABLE:
        now, start = getattr(study, section), f"{section}."
        given = {n.removeprefix(start): v for n, v in settings.items() if n.startswith(start)}
        try:
            updated[section] = type(now).model_validate({**dict(now), **given})
        except ValidationError as error:
            problems += problems_of(error, type(now)).values()
    if problems:
        raise StudyError(problems)
    return study.model_copy(update=updated)


def _held(study: Study) -> tuple[str, ...]:
    """Which figures a setting of the study holds where they are, whatever else moves."""
    growth = study.targets.company_growth
    named = " and ".join(team for team in ("hunters", "farmers") if getattr(study.teams, team))
    notes = {
        f"company_growth = {growth or 0:.0%} fixes the target growth: other settings move only who "
        "is asked for it, as far as the accounts allow.": growth is not None,
        f"The study gives the number of {named}: visits_per_rep does not move it.": bool(named),
        "The potential cut fixes how many accounts are key: the share cut moves them between "
        "attack and defense only.": study.matrix.potential_cut.kind in ("top", "quantile"),
    }
    return tuple(note for note, holds in notes.items() if holds)


def _figures(matrix: Matrix, plan: Plan) -> dict[str, float]:
    people = plan.teams.set_index("team")["people"]
    return {
        "potential cut": matrix.potential_cut,
        "share cut": matrix.sow_cut,
        **{f"{zone} accounts": float(matrix.counts[zone]) for zone in ZONES},
        "hunters": float(people["hunter"]),
        "farmers": float(people["farmer"]),
        "target growth": round(float(plan.accounts["target_growth"].sum()), 2),
        "owner changes": float(plan.owner_changes),
    }
