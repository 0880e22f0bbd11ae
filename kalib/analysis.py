"""One study, its steps computed on demand and kept as files, so that any notebook runs alone."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from kalib.errors import Problem, StudyError
from kalib.files import whole
from kalib.formula.boosting import Boosted, boosted_accuracy
from kalib.formula.checks import Check, run_checks
from kalib.formula.fitting import Fit, fit_formula
from kalib.formula.verdict import Verdict, judge
from kalib.indicators.screening import Screening, screen
from kalib.matrix.matrix import Matrix, build_matrix
from kalib.matrix.survey_next import rank_next_survey
from kalib.plan.plan import Plan, build_plan
from kalib.study.loading import load_study, study_path
from kalib.study.settings import Study
from kalib.tables.anonymize import anonymize_overrides, anonymize_tables, code, names_of
from kalib.tables.client import FEWEST_SURVEYED, Tables, read_tables
from kalib.tables.overrides import ExpertBias, Overrides, expert_bias, no_overrides, read_overrides
from kalib.tables.visits import Measured, measure_potential
from kalib.wallet.composite import with_books
from kalib.wallet.wallet import Wallet, build_wallet

SEED = 20260101  # one seed a run, kept in run.json
Step = TypeVar("Step")


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for linear algebra: on tables this small threads wait for one another, and a
    screening takes five times as long."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


class Analysis:
    """A study's steps, each computed once.

    study: study.toml or its folder; folder: where steps are kept between notebooks ("" keeps them
    in memory); settings: "section.key" -> value laid over the study file; overrides: a workbook
    in which field experts replaced potentials; key: of the codes that stand for names and ids,
    None where these stay.
    """

    def __init__(
        self,
        study: Path | str,
        folder: Path | str = "",
        settings: Mapping[str, str] | None = None,
        overrides: Path | None = None,
        key: bytes | None = None,
    ) -> None:
        self.study: Study = load_study(study, settings)
        self.file = study_path(study)
        self.folder = Path(folder) / "steps" if folder else None
        self._workbook, self._key = overrides, key
        self._steps: dict[str, Any] = {}

    @property
    def tables(self) -> Tables:
        """The client's tables in our terms."""
        return self._step("tables", self._read_tables)

    @property
    def codebook(self) -> str:
        """The study's codebook, Markdown; "" without one, and where names are hidden."""
        file = (self.study.folder / "codebook.md").resolve()
        if self._key or not file.is_relative_to(self.study.folder) or not file.is_file():
            return ""
        return file.read_text(encoding="utf-8", errors="replace")

    @property
    def anonymous(self) -> bool:
        """Whether codes stand for names and ids."""
        return self._key is not None

    @property
    def measured(self) -> Measured | None:
        """Potential measured in visits; None where the study has none."""
        visits = self.tables.visits
        if visits is None:
            return None
        return self._step(
            "measured", lambda: with_books(measure_potential(visits, self._sales), self._sales)
        )

    @property
    def potential(self) -> pd.Series:
        """Known potential by account, currency a year: visits first, the survey for the rest."""
        found = self.measured.frame["potential"] if self.measured else pd.Series(dtype=float)
        survey = self.tables.survey
        if survey is not None:
            found = pd.concat([found, survey[~survey.index.isin(found.index)]])
        if len(found) < FEWEST_SURVEYED:
            raise StudyError(
                Problem(f"potential is known of {len(found)} accounts only",
                        file=str(self.study.data.visits),
                        remedy=f"Visit at least {FEWEST_SURVEYED}, better 10 for each indicator")
            )  # fmt: skip
        return found.rename("potential")

    @property
    def potential_error(self) -> pd.Series:
        """Standard error in logs of the potentials that were measured in visits."""
        return self.measured.frame["log_sd"] if self.measured else pd.Series(dtype=float)

    @property
    def screening(self) -> Screening:
        """The candidates, screened and completed."""
        candidates = self.study.indicators.candidates
        return self._step(
            "screening", lambda: screen(self.tables.candidates, self.potential, candidates)
        )

    @property
    def fit(self) -> Fit:
        """The formula and its quality."""
        rules = self.study.indicators
        return self._step(
            "fit",
            lambda: fit_formula(
                self.screening,
                self.potential,
                self._sales,
                error=self.potential_error,
                form=self.study.formula.form,
                criterion=self.study.formula.criterion,
                signs=rules.signs,
                required=rules.required,
                most=rules.max,
                confidence=self.study.formula.confidence,
                seed=SEED,
            ),
        )

    @property
    def checks(self) -> tuple[Check, ...]:
        """Checks of the formula's assumptions."""
        fit = self.fit
        return self._step(
            "checks", lambda: run_checks(fit.least_squares, term_groups=fit.term_groups)
        )

    @property
    def boosted(self) -> Boosted:
        """What a gradient-boosted model reaches on the same folds."""
        return self._step("boosted", lambda: boosted_accuracy(self.screening, self.fit))

    @property
    def verdict(self) -> Verdict:
        """Usable, caution or unusable."""
        return self._step("verdict", lambda: judge(self.fit, self.checks, self.boosted))

    @property
    def overrides(self) -> Overrides:
        """Potentials that field experts put in place of estimates."""
        return self._step("overrides", self._read_overrides)

    @property
    def expert_bias(self) -> ExpertBias:
        """How the experts lean against the formula."""
        accounts, entries = self.wallet.accounts, self.overrides.entries
        confidence = self.study.formula.confidence
        return expert_bias(accounts["estimate"], accounts["estimate_source"], entries, confidence)

    @property
    def wallet(self) -> Wallet:
        """Potential and share of wallet of every account."""
        return self._step(
            "wallet",
            lambda: build_wallet(
                self.tables.accounts,
                self.potential,
                self.potential_error,
                self.fit,
                self.screening,
                usable=self.verdict.verdict != "unusable",
                confidence=self.study.formula.confidence,
                evidence=self.study.formula.evidence,
                overrides=self.overrides.entries,
                visits=self.measured,
            ),
        )

    @property
    def matrix(self) -> Matrix:
        """Zones and key accounts."""
        return self._step("matrix", lambda: build_matrix(self.wallet, self.study))

    @property
    def next_survey(self) -> pd.DataFrame:
        """Accounts to measure next, best first, by what that would put right per visit."""
        visits = float(self.measured.frame["days"].median()) if self.measured else 1.0
        return self._step("next_survey", lambda: rank_next_survey(self.wallet, self.matrix, visits))

    @property
    def plan(self) -> Plan:
        """Teams and targets."""
        return self._step("plan", lambda: build_plan(self.matrix, self.study))

    @property
    def _sales(self) -> pd.Series:
        return self.tables.accounts["sales"]

    def _read_tables(self) -> Tables:
        with _values_hidden(self._key is not None):
            tables = read_tables(self.study)
        return anonymize_tables(tables, self._key) if self._key else tables

    def _read_overrides(self) -> Overrides:
        if not self._workbook:
            return no_overrides()
        with _values_hidden(self._key is not None):
            given = read_overrides(self._workbook, self._sales, self._called)
        return anonymize_overrides(given, self._key) if self._key else given

    def clear_names(self) -> dict[str, set[str]]:
        """What codes stand for, by kind: for the search of the deliverables, never kept."""
        given = None
        if self._workbook:
            given = read_overrides(self._workbook, self._sales, self._called)
        return names_of(read_tables(self.study), given)

    def _called(self, account: str) -> str:
        """An account's index: a workbook of a run that coded names has codes, others have ids."""
        if self._key is None or account in self._sales.index:
            return account
        return code(self._key, "A", account)

    def _step(self, name: str, compute: Callable[[], Step]) -> Step:
        """A step from memory, from its file, or computed and kept in both."""
        if name not in self._steps:
            file = self.folder / f"{name}.pkl" if self.folder else None
            if file and file.exists():
                self._steps[name] = pickle.loads(file.read_bytes())
            else:
                with one_thread():
                    self._steps[name] = compute()
                if file:
                    file.parent.mkdir(parents=True, exist_ok=True)
                    with whole(file, str(os.getpid())) as part:
                        part.write_bytes(pickle.dumps(self._steps[name]))
        step: Step = self._steps[name]
        return step


@contextmanager
def _values_hidden(hidden: bool) -> Iterator[None]:
    """Where hidden, problems name rows, not what stands in them."""
    try:
        yield
    except StudyError as error:
        if not hidden:
            raise
        raise StudyError([problem.without_value() for problem in error.problems]) from None
