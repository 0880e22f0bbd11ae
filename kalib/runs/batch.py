"""Studies side by side: what has not changed is left, one that fails does not stop the rest."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from kalib.errors import Problem, StudyError
from kalib.files import check_folder
from kalib.runs.processes import Child, start, tell
from kalib.runs.progress import Told, following
from kalib.runs.provenance import earlier_report, fingerprint, inputs_of, is_current
from kalib.study.loading import read_study, study_path

if TYPE_CHECKING:
    from kalib.tables.anonymize import Secret

REPORTS = Path("reports")
MOST_WORKERS = 2  # notebooks at a time; with more, the figures drawn meanwhile last longest


@dataclass(frozen=True)
class Outcome:
    """What became of one study: report is its folder, or error says why there is none; unchanged:
    nothing had changed, so the report was left; seconds it took."""

    study: str
    report: Path | None = None
    error: Exception | None = None
    unchanged: bool = False
    seconds: float = 0.0

    @property
    def status(self) -> int:
        """The exit status it calls for."""
        if self.error is None:
            return 0
        return 2 if isinstance(self.error, StudyError) else 1


@dataclass(frozen=True)
class Asked:
    """What is asked of every run: "section.key" -> value, the workbook of overrides, where the key
    of the codes is, notebooks at a time, whether what is not ours is moved aside."""

    settings: dict[str, str]
    overrides: Path | None = None
    secret: Secret | None = None
    workers: int = 1
    force: bool = False


@dataclass(frozen=True)
class Job:
    """One study to run: where its report goes, and whether that is up to date already; error:
    what is wrong with the study file or with that place."""

    study: str
    target: Path | None  # None where the study file is bad
    current: bool = False
    name: str = ""
    period: str = ""
    error: StudyError | None = None


Chains = Sequence[Sequence[Job]]


def run_batch(
    studies: Sequence[str],
    out: Path | None = None,
    settings: Mapping[str, str] | None = None,
    *,
    jobs: int = 1,
    force: bool = False,
    scheduler: str = "",
    overrides: Path | None = None,
    secret: Secret | None = None,
) -> list[Outcome]:
    """Run the studies that need it, jobs of them at a time; stderr shows each one's steps.

    out: the report's folder; with several studies, the folder of their reports. force: run also
    what has not changed, and move aside what is not ours in a report's place. scheduler: address
    of a Dask scheduler whose workers run the studies. overrides: the workbook of the one study;
    secret: as in `run_study`. Raises StudyError where two studies would write the same report.
    """
    if overrides and len(studies) > 1:
        raise StudyError(
            Problem("--overrides belongs to one study", remedy="Run that study by itself")
        )
    workers = 1 if len(studies) > 1 else MOST_WORKERS
    asked = Asked(dict(settings or {}), overrides, secret, workers, force)
    planned = [_plan(study, out, asked, len(studies) > 1) for study in studies]
    places = [job.target.resolve() for job in planned if job.target is not None]
    if len(set(places)) < len(places):
        raise StudyError(
            Problem("two of the studies have the same name and period", file="study.toml",
                    remedy="Give one of them another [study] name or period")
        )  # fmt: skip
    done = {
        job.study: Outcome(job.study, error=job.error)
        if job.error
        else Outcome(job.study, job.target, unchanged=True)
        for job in planned
    }
    waiting = in_order([job for job in planned if not job.error])
    if waiting:
        with following([job.study for chain in waiting for job in chain]) as told:
            if scheduler:
                ended = _run_there(scheduler, waiting, asked, told)
            else:
                ended = run_here(waiting, asked, jobs, told)
        done |= {outcome.study: outcome for outcome in ended}
    return [done[study] for study in studies]


def _plan(study: str, out: Path | None, asked: Asked, several: bool) -> Job:
    try:
        loaded = read_study(study, asked.settings)
        key = asked.secret.key(loaded.folder) if asked.secret else None
    except StudyError as error:
        return Job(study, None, error=error)
    single = out if not several else None
    target = single or (out or REPORTS) / loaded.name / loaded.period
    file = study_path(study)
    earlier = earlier_report(target, loaded.name, loaded.period)
    inputs = inputs_of(loaded, file, asked.settings, asked.overrides, key, earlier)
    current = not asked.force and is_current(target, fingerprint(inputs))
    job = Job(study, target, current, loaded.name, loaded.period)
    try:
        if not current:
            check_folder(target, force=asked.force)
    except StudyError as error:
        return replace(job, error=error)
    return job


def in_order(planned: Sequence[Job]) -> Chains:
    """The jobs that must run, in chains: waves of one study one after the other, the earliest
    first, since each is compared with the one before; a wave after one that runs runs too."""
    chains: dict[Path, list[Job]] = {}
    for number, job in enumerate(planned):
        place = job.target.resolve().parent / job.name if job.target else Path(str(number))
        chains.setdefault(place, []).append(job)
    found = []
    for chain in chains.values():
        ordered = sorted(chain, key=lambda job: job.period)
        first = next((k for k, job in enumerate(ordered) if not job.current), len(ordered))
        found.append(ordered[first:])
    return [chain for chain in found if chain]


def run_here(waiting: Chains, asked: Asked, jobs: int, told: Told) -> list[Outcome]:
    """Run each study in a process of its own, jobs at a time."""
    os.environ.setdefault("MPLCONFIGDIR", _scratch())
    children: list[Child] = []
    stopped = Event()

    def run(job: Job) -> Path:
        child = start("kalib.runs.batch:work", [job.study, job.target, asked], early=True)
        children.append(child)
        if stopped.is_set():
            child.abandon()
        return child.result(partial(told, job.study))

    try:
        return _side_by_side(waiting, jobs, run)
    except BaseException:
        stopped.set()
        for child in children:
            child.abandon()
        raise


def _scratch() -> str:
    """Where matplotlib keeps its list of fonts between runs: neither its files nor its settings
    are in the home folder, which may be missing or closed."""
    place = Path(tempfile.gettempdir()) / f"kalib-{os.getuid() if hasattr(os, 'getuid') else ''}"
    with suppress(FileExistsError):
        place.mkdir(mode=0o700)
    if hasattr(os, "getuid") and place.lstat().st_uid != os.getuid():
        return tempfile.mkdtemp(prefix="kalib-")  # another user took the name
    return str(place)


def _run_there(scheduler: str, waiting: Chains, asked: Asked, told: Told) -> list[Outcome]:
    """Hand every study to a scheduler, which sends them to its workers."""
    from kalib.runs.cluster import connected, run_there

    with connected(scheduler) as client:

        def run(job: Job) -> Path:
            told(job.study, f"sent to {scheduler}", 0, 1)
            target = job.target or Path()  # a bad study file is refused before it is used
            folder = Path(job.study) if Path(job.study).is_dir() else Path(job.study).parent
            key = asked.secret.key(folder) if asked.secret else None
            return run_there(client, job.study, target, asked, key)

        return _side_by_side(waiting, len(waiting), run)


def _side_by_side(waiting: Chains, jobs: int, run: Callable[[Job], Path]) -> list[Outcome]:
    """Run every chain of jobs, errors included, so many at a time."""

    def outcome(job: Job) -> Outcome:
        since = time.perf_counter()
        try:
            report = run(job)
        except Exception as error:  # noqa: BLE001  whatever it is, it must not stop the others
            return Outcome(job.study, error=error, seconds=time.perf_counter() - since)
        return Outcome(job.study, report, seconds=time.perf_counter() - since)

    pool = ThreadPoolExecutor(jobs)
    try:
        chains = pool.map(lambda chain: [outcome(job) for job in chain], waiting)
        return [found for chain in chains for found in chain]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def work(study: str, target: Path | None, asked: Asked) -> Path:
    """In a process of its own: run a study and tell its steps."""
    from kalib.runs.run import run_study

    return run_study(
        study,
        target,
        asked.settings,
        tell,
        asked.overrides,
        asked.secret,
        asked.workers,
        asked.force,
    )
