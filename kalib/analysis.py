"""A study from its tables to its plan: every step of the method, in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

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
from kalib.study.loading import read_study
from kalib.study.settings import Study
from kalib.tables.client import Tables
from kalib.tables.overrides import ExpertBias, Overrides, expert_bias
from kalib.tables.tables import read_tables
from kalib.tables.visits import Measured, Potential
from kalib.wallet.known import known_potential
from kalib.wallet.wallet import Wallet, estimate_wallets


@dataclass(frozen=True, repr=False)
class Judged:
    """A study's formula: what each step up to the verdict found."""

    study: Study
    tables: Tables
    potential: Potential
    screening: Screening
    fit: Fit
    checks: tuple[Check, ...]
    verdict: Verdict


@dataclass(frozen=True, repr=False)
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
        accounts, entries = self.wallet.accounts, self.overrides.entries
        confidence = self.study.formula.confidence
        return expert_bias(accounts["estimate"], accounts["estimate_source"], entries, confidence)


def judge_study(study: Study, overrides: Path | str = "", key: bytes | None = None) -> Judged:
    """A study up to the verdict on its formula; parameters as of `read_tables`."""
    tables = read_tables(study, overrides, key)
    potential = known_potential(tables)
    screening = screen(tables, potential)
    fit = fit_formula(screening, potential, study.formula)
    checks = check_formula(fit)
    return Judged(study, tables, potential, screening, fit, checks, judge(fit, checks))


def analyze(
    study: Study | Path | str,
    folder: Path | str = "",
    settings: Mapping[str, str] | None = None,
    overrides: Path | str | None = None,
    key: bytes | None = None,
    before: Path | str = "",
) -> Analysis:
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
        study = read_study(study, settings)
    with keep(folder):
        judged = judge_study(study, overrides or "", key)
        wallet = estimate_wallets(judged.tables, judged.potential, judged.fit, judged.verdict)
        matrix = place(wallet, study.matrix)
        next_survey = rank_next_survey(wallet, matrix, judged.potential.visits_each)
        attainment = attainment_since(before, wallet.accounts, study)
        plan = plan_sales(matrix, study, attainment)
    return Analysis(
        **vars(judged), wallet=wallet, matrix=matrix, next_survey=next_survey, plan=plan
    )
