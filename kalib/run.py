"""A whole run: data checked, notebooks executed, deliverables written, moved into place."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kalib import __version__
from kalib.analysis import Analysis
from kalib.anonymize import Secret
from kalib.errors import KalibError
from kalib.execution import execute_notebooks, notebook_paths
from kalib.outputs import provenance, write_outputs
from kalib.report.deck import write_deck
from kalib.report.document import write_document
from kalib.report.findings import find
from kalib.report.page import build_page
from kalib.report.workbook import write_workbook
from kalib.storage import report_folder

REPORTS = Path("reports")
Progress = Callable[[str, int, int], None]  # step, steps done, steps in all


def report_path(study: Path | str, out: Path | None = None) -> Path:
    """Where a study's report goes: out, or reports/<name>/<period>."""
    if out is not None:
        return out
    about = Analysis(study).study
    return REPORTS / about.name / about.period


def run_study(
    study: Path | str,
    out: Path | None = None,
    settings: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    overrides: Path | None = None,
    secret: Secret | None = None,
) -> Path:
    """Run a study and return its report's folder.

    study: study.toml or its folder; out: the report's folder (default reports/<name>/<period>);
    settings: "section.key" -> value; progress: called as each step begins; overrides: a workbook
    in which field experts replaced potentials; secret: where the key of the codes is that stand
    for names and ids, None to name them. Raises StudyError for bad data, KalibError where the run
    fails; the previous report then stays as it was.
    """
    settings = dict(settings or {})
    analysis = Analysis(study, settings=settings, overrides=overrides)
    key = secret.key(analysis.study.folder) if secret else None
    analysis = Analysis(study, settings=settings, overrides=overrides, key=key)
    analysis.overrides  # noqa: B018  bad data are refused before anything is written
    target = out or REPORTS / analysis.study.name / analysis.study.period
    clock = _Clock(progress or (lambda *_: None), len(notebook_paths()) + 4)
    try:
        with report_folder(target) as work:
            _make(Analysis(study, work, settings, overrides, key), settings, work, clock)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise KalibError(f"the report can't be written to {target}: {reason}") from error
    return target


def _make(analysis: Analysis, settings: Mapping[str, str], work: Path, clock: _Clock) -> None:
    clock.begin("statistics")
    analysis.plan  # noqa: B018  computes and keeps every step, so that notebooks can share them
    notebooks = execute_notebooks(analysis.file, work, settings, clock.begin)
    clock.begin("figures")
    with _headless():
        from kalib.figures import all_figures
        from kalib.theme import apply_theme, save_figures

        apply_theme()
        charts = all_figures(
            analysis.fit, analysis.screening.values, analysis.wallet, analysis.matrix,
            analysis.study,
        )  # fmt: skip
        save_figures(charts, work / "figures")
    clock.begin("documents")
    findings = find(analysis)
    page = build_page(analysis, findings, notebooks, work / "figures", __version__)
    (work / "index.html").write_text(page, encoding="utf-8")
    write_workbook(analysis, findings, work / "accounts.xlsx")
    write_document(analysis, findings, work / "figures", __version__, work / "report.pdf")
    write_deck(analysis, findings, work / "deck.pptx")
    clock.begin("tables")
    seconds = clock.end()
    source = provenance(analysis, settings, seconds, __version__)
    write_outputs(analysis, findings.figures, source, work)
    shutil.rmtree(work / "steps")


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
    """Seconds per step, and the progress told as each begins."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total = progress, total
        self._seconds: dict[str, float] = {}
        self._name, self._since = "", time.perf_counter()

    def begin(self, name: str) -> None:
        self.end()
        self._progress(name, len(self._seconds), self._total)
        self._name, self._since = name, time.perf_counter()

    def end(self) -> dict[str, float]:
        if self._name:
            self._seconds[self._name] = time.perf_counter() - self._since
        self._name = ""
        return self._seconds
