"""A whole run: data checked, notebooks executed, deliverables written, moved into place."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from kalib import __version__
from kalib.analysis import SEED, Analysis, analyze
from kalib.errors import StudyError
from kalib.files import report_folder
from kalib.report.deck import write_deck
from kalib.report.document import write_document
from kalib.report.figures import draw_figures
from kalib.report.findings import Findings, find
from kalib.report.page import build_page
from kalib.report.template import check_look
from kalib.report.visit_page import visit_page
from kalib.report.workbook import write_workbook
from kalib.runs.execution import SCRATCH, execute_notebooks, notebooks_of_run
from kalib.runs.leaks import refuse_leaks
from kalib.runs.outputs import overridden, write_json, write_outputs
from kalib.runs.provenance import earlier_report, fingerprint, inputs_of, provenance
from kalib.study.kept import STEPS
from kalib.study.loading import read_study
from kalib.tables.anonymize import Secret
from kalib.tables.tables import clear_names, read_tables
from kalib.wallet.known import known_potential
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
    asked = read_study(study, settings)
    key = secret.key(asked.folder) if secret else None
    check_look(asked)
    known_potential(read_tables(asked, overrides or "", key))  # bad data are refused first
    target = out or REPORTS / asked.name / asked.period
    earlier = earlier_report(target, asked.name, asked.period)
    inputs = inputs_of(asked, asked.file, settings, overrides, key, earlier)
    clock = _Clock(progress or (lambda *_: None), len(notebooks_of_run(earlier)) + 4)
    with report_folder(target, fingerprint(inputs), force=force) as work:
        with clock.step("statistics"):
            analysis = analyze(asked, work, overrides=overrides, key=key)
            waves = _compared(analysis, earlier)
        parameters = {
            "study": asked.file.as_posix(),
            "folder": "..",
            "settings": settings,
            "overrides": overrides.resolve().as_posix() if overrides else "",
        }
        with execute_notebooks(
            parameters, work, clock.step, workers, earlier if waves else None,
            asked.report.language,
        ) as executed:  # fmt: skip
            findings = _documents(analysis, waves, work, clock)
            notebooks = executed()
        with clock.step("page"):
            page = build_page(analysis, findings, notebooks, work / "figures", __version__)
            (work / "index.html").write_text(page, encoding="utf-8")
        source = provenance(inputs, asked.folder, overridden(analysis), SEED, clock.seconds)
        write_outputs(analysis, findings.figures, source, work)
        if waves:
            write_json(waves.to_json(), work / "waves.json")
        shutil.rmtree(work / STEPS)
        shutil.rmtree(work / SCRATCH, ignore_errors=True)
        if key:
            refuse_leaks(work, clear_names(asked, overrides, key), [asked.file])
    return target


def _documents(analysis: Analysis, waves: Waves | None, work: Path, clock: _Clock) -> Findings:
    """Charts and documents, which need the statistics alone and are made while notebooks run."""
    with clock.step("figures"), _headless():
        draw_figures(analysis, work / "figures")
    with clock.step("documents"):
        findings = find(analysis, waves)
        write_workbook(analysis, findings, work / "accounts.xlsx")
        write_document(analysis, findings, work / "figures", __version__, work / "report.pdf")
        write_deck(analysis, findings, work / "deck.pptx")
        (work / "visit-list.html").write_text(visit_page(analysis), encoding="utf-8")
    return findings


def _compared(analysis: Analysis, earlier: Path | None) -> Waves | None:
    """The comparison with the earlier wave; None where there is none, or nothing to compare: other
    accounts, names coded with another key, a report of an earlier version of the kit."""
    try:
        return compare_waves(Wave.read(earlier), Wave.of(analysis)) if earlier else None
    except StudyError as error:
        print(f"not compared with {earlier}: {error}", file=sys.stderr, flush=True)
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
