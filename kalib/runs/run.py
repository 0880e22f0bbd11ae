"""A whole run: data checked, notebooks executed, deliverables written, moved into place."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from kalib import __version__
from kalib.errors import StudyError, say
from kalib.files import json_hash, report_folder
from kalib.runs import provenance
from kalib.runs.execution import PLAN, SCRATCH, WAVES, Notebooks, check_own, notebooks_of_run
from kalib.study.kept import STEPS, keep
from kalib.study.settings import Study
from kalib.tables.asked import read_asked

if TYPE_CHECKING:
    from kalib.analysis import Analysis
    from kalib.report.story import Story
    from kalib.waves.waves import Waves

Progress = Callable[[str, int, int], None]  # step, steps done, steps in all


def run_study(
    study: Path | str, out: Path, options: provenance.Options | None = None,
    progress: Progress | None = None,
) -> Path:  # fmt: skip
    """Run a study and return its report's folder.

    progress: called as each step begins. Raises StudyError for bad data, KalibError where the run
    fails; the previous report then stays as it was.
    """
    options = options or provenance.Options()
    asked = read_asked(study, options.settings)
    key = options.key(asked)
    earlier = provenance.earlier_report(out, asked.name, asked.period)
    inputs = provenance.inputs_of(asked, options, key, earlier)
    own = _own_notebooks(asked, options)
    paths = notebooks_of_run(earlier, own)
    clock = _Clock(progress or (lambda *_: None), len(paths) + 4)
    os.environ.setdefault("MPLCONFIGDIR", _fonts())
    if asked.report.template or asked.report.logo:
        from kalib.report.template import check_look

        check_look(asked)
    mark, workbook = json_hash(inputs), options.overrides
    with report_folder(out, mark, force=options.force) as work, keep(work):
        from kalib.tables.tables import clear_names, read_tables

        read_tables(asked, workbook or "", key)  # bad data are refused at once, by their own names
        import_module("scipy.linalg")  # while there is memory: without, OpenBLAS waits for ever
        with Notebooks(work, clock.step, asked.report.language) as notebooks:
            if key and workbook:
                # Under a name that says nothing: notebooks show what they were given.
                copy = work / STEPS / f"overrides{workbook.suffix.lower()}"
                options = replace(options, overrides=Path(shutil.copy2(workbook, copy)))
            with clock.step("statistics"):
                until = next((k for k, path in enumerate(paths, 1) if path.stem == PLAN), 0)
                for path in paths[:until]:  # each waits for the steps that it shows
                    notebooks.run(path, _parameters(asked, options, earlier, path.stem))
                from kalib.analysis import SEED, analyze

                given, before = options.overrides, earlier or ""
                analysis = analyze(asked, work, overrides=given, key=key, before=before)
                waves = _compared(analysis, earlier)
            for path in (paths if waves else notebooks_of_run(None, own))[until:]:
                notebooks.run(path, _parameters(asked, options, earlier, path.stem))
            story = _documents(analysis, waves, work, clock)
            executed = notebooks.results()
        with clock.step("page"):
            from kalib.report.page import build_page

            page = build_page(analysis, story, executed, work / "figures", __version__)
            (work / "index.html").write_text(page, encoding="utf-8")
        from kalib.runs.outputs import write_outputs

        read = analysis.overrides
        # Who, which and why are in accounts.csv: run.json holds no client's data.
        overrides = {"sha256": read.sha256, "count": len(read.entries)} if read.file else None
        source = provenance.provenance(inputs, overrides, SEED, clock.seconds)
        write_outputs(analysis, story.figures, source, work, waves)
        shutil.rmtree(work / STEPS)
        shutil.rmtree(work / SCRATCH, ignore_errors=True)
        if key:
            from kalib.runs.leaks import refuse_leaks

            refuse_leaks(work, clear_names(asked, workbook, key), [asked.file])
    return out


def _own_notebooks(study: Study, options: provenance.Options) -> list[Path]:
    """The study's own notebooks where they are run; named where they are left."""
    found = provenance.own_notebooks(study.folder)
    if options.own_notebooks:
        check_own(found)
        return found
    if found:
        names = ", ".join(f"{provenance.NOTEBOOKS}/{path.name}" for path in found)
        say(f"{study.name}: {names} left; they are code, --own-notebooks runs them")
    return []


def _parameters(
    study: Study, options: provenance.Options, earlier: Path | None, notebook: str
) -> dict[str, object]:
    """What a notebook is given; the earlier wave's report lies beside the folder of the run."""
    given: dict[str, object] = {
        "study": study.file.as_posix(),
        "folder": "..",
        "settings": dict(options.settings),
        "overrides": options.overrides.resolve().as_posix() if options.overrides else "",
    }
    before = {"before": f"../../{earlier.name}"} if earlier and notebook in (PLAN, WAVES) else {}
    return given | before


def _documents(analysis: Analysis, waves: Waves | None, work: Path, clock: _Clock) -> Story:
    """Charts and documents, which need the statistics alone and are made while notebooks run."""
    from kalib.report.story import tell_story

    story = tell_story(analysis, waves)
    with clock.step("figures"):
        import matplotlib

        from kalib.report.figures import draw_figures

        before = matplotlib.get_backend()
        matplotlib.use("agg")  # without a display, whatever backend is set
        draw_figures(analysis, story, work / "figures")
        matplotlib.use(before)
    with clock.step("documents"):
        from kalib.report import deck, document, visits, workbook

        workbook.write_workbook(analysis, story, work / "accounts.xlsx")
        document.write_document(analysis, story, work / "figures", __version__, work / "report.pdf")
        deck.write_deck(analysis, story, work / "deck.pptx")
        visits.write_visits(analysis, story, work)
    return story


def _compared(analysis: Analysis, earlier: Path | None) -> Waves | None:
    """The comparison with the earlier wave; None where there is none, or nothing to compare: other
    accounts, names coded with another key, a report of an earlier version of the kit."""
    from kalib.waves.waves import compare_waves, read_wave

    try:
        return compare_waves(read_wave(earlier), read_wave(analysis)) if earlier else None
    except StudyError as error:
        say(f"not compared with {earlier}: {error}")
        return None


def _fonts() -> str:
    """Where matplotlib keeps its list of fonts between runs: neither its files nor its settings
    are in the home folder, which may be missing or closed."""
    place = Path(tempfile.gettempdir()) / f"kalib-{os.getuid() if hasattr(os, 'getuid') else ''}"
    with suppress(FileExistsError):
        place.mkdir(mode=0o700)
    if hasattr(os, "getuid") and place.lstat().st_uid != os.getuid():
        return tempfile.mkdtemp(prefix="kalib-")  # another user took the name
    return str(place)


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
