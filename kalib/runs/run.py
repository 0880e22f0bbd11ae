"""A whole run: data checked, notebooks executed, deliverables written, moved into place."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from kalib import __version__
from kalib.analysis import SEED, Analysis
from kalib.errors import StudyError
from kalib.files import report_folder
from kalib.report.deck import write_deck
from kalib.report.document import write_document
from kalib.report.figures import draw_figures
from kalib.report.findings import find
from kalib.report.page import build_page
from kalib.report.template import check_look
from kalib.report.visit_page import visit_page
from kalib.report.workbook import write_workbook
from kalib.runs.execution import SCRATCH, execute_notebooks, notebooks_of_run
from kalib.runs.leaks import refuse_leaks
from kalib.runs.outputs import overridden, write_json, write_outputs
from kalib.runs.provenance import earlier_report, fingerprint, inputs_of, provenance
from kalib.tables.anonymize import Secret
from kalib.waves.waves import Wave, Waves, compare_waves

REPORTS = Path("reports")
Progress = Callable[[str, int, int], None]  # step, steps done, steps in all


def run_study(
    study: Path | str,
    out: Path | None = None,
    settings: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    overrides: Path | None = None,
    secret: Secret | None = None,
    workers: int = 2,
    force: bool = False,
) -> Path:
    """Run a study and return its report's folder.

    study: study.toml or its folder; out: the report's folder (default reports/<name>/<period>);
    settings: "section.key" -> value; progress: called as each step begins; overrides: a workbook
    in which field experts replaced potentials; secret: where the key of the codes is that stand
    for names and ids, None to name them; workers: notebooks at a time; force: what is not ours in
    the report's place is moved aside, not refused. Raises StudyError for bad data, KalibError where
    the run fails; the previous report then stays as it was.
    """
    settings = dict(settings or {})
    analysis = Analysis(study, settings=settings, overrides=overrides)
    key = secret.key(analysis.study.folder) if secret else None
    analysis = Analysis(study, settings=settings, overrides=overrides, key=key)
    check_look(analysis.study)
    analysis.potential, analysis.overrides  # noqa: B018  bad data are refused before any writing
    target = out or REPORTS / analysis.study.name / analysis.study.period
    earlier = earlier_report(target, analysis.study.name, analysis.study.period)
    inputs = inputs_of(analysis.study, analysis.file, settings, overrides, key, earlier)
    clock = _Clock(progress or (lambda *_: None), len(notebooks_of_run(earlier)) + 4)
    with report_folder(target, fingerprint(inputs), force=force) as work:
        analysis = Analysis(study, work, settings, overrides, key)
        _make(analysis, inputs, work, clock, workers, earlier)
    return target


def _make(
    analysis: Analysis,
    inputs: Mapping[str, Any],
    work: Path,
    clock: _Clock,
    workers: int,
    earlier: Path | None,
) -> None:
    """Fill the folder. The notebooks run in processes of their own; figures and documents, which
    need the statistics alone, are made meanwhile."""
    with clock.step("statistics"):
        analysis.plan  # noqa: B018  computes and keeps every step, so that notebooks can share them
        waves = _compared(analysis, earlier)
    with execute_notebooks(
        analysis.file, work, inputs["settings"], clock.step, workers,
        earlier if waves else None, analysis.study.report.language,
    ) as executed:  # fmt: skip
        with clock.step("figures"), _headless():
            draw_figures(analysis, work / "figures")
        with clock.step("documents"):
            findings = find(analysis, waves)
            write_workbook(analysis, findings, work / "accounts.xlsx")
            write_document(analysis, findings, work / "figures", __version__, work / "report.pdf")
            write_deck(analysis, findings, work / "deck.pptx")
            (work / "visit-list.html").write_text(visit_page(analysis), encoding="utf-8")
        notebooks = executed()
    with clock.step("page"):
        page = build_page(analysis, findings, notebooks, work / "figures", __version__)
        (work / "index.html").write_text(page, encoding="utf-8")
    source = provenance(inputs, analysis.study.folder, overridden(analysis), SEED, clock.seconds)
    write_outputs(analysis, findings.figures, source, work)
    if waves:
        write_json(waves.to_json(), work / "waves.json")
    shutil.rmtree(work / "steps")
    shutil.rmtree(work / SCRATCH, ignore_errors=True)
    if analysis.anonymous:
        refuse_leaks(work, analysis.clear_names(), [analysis.file])


def _compared(analysis: Analysis, earlier: Path | None) -> Waves | None:
    """The comparison with the earlier wave; None where there is none, or nothing to compare: other
    accounts, names coded with another key, a report of an earlier version of the kit."""
    try:
        return compare_waves(Wave.read(earlier), Wave.of(analysis)) if earlier else None
    except StudyError:
        return None


@contextmanager
def _headless() -> Iterator[None]:
    """Draw without a display, whatever backend is set."""
    import matplotlib

    before = matplotlib.get_backend()
    matplotlib.use("agg")
    try:
        yield
    finally:
        matplotlib.use(before)


class _Clock:
    """Seconds per step, some at the same time as others; tells as each begins."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._lock = progress, total, Lock()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step."""
        with self._lock:
            self._progress(name, len(self.seconds), self._total)
        since = time.perf_counter()
        yield
        with self._lock:
            self.seconds[name] = time.perf_counter() - since
