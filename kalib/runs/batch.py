"""Studies side by side: what has not changed is left, one that fails does not stop the rest."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Event, Thread, local
from typing import Any

from kalib import errors
from kalib.errors import KalibError, Problem, StudyError
from kalib.files import check_folder
from kalib.runs.provenance import Options, earlier_report, fingerprint, inputs_of, is_current
from kalib.study.loading import read_study

REPORTS = Path("reports")
POLL_SECONDS = 0.1
STDERR = 2
Told = Callable[[str, str, int, int], None]  # study, step, steps done, steps in all


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
class Job:
    """One study to run: where its report goes, and whether that is up to date already; error:
    what is wrong with the study file or with that place."""

    study: str
    target: Path | None = None
    current: bool = False
    name: str = ""
    period: str = ""
    error: StudyError | None = None


Chains = Sequence[Sequence[Job]]


def run_batch(
    studies: Sequence[str],
    out: Path | None = None,
    options: Options | None = None,
    *,
    jobs: int = 1,
    scheduler: str = "",
    debug: bool = False,
) -> list[Outcome]:
    """Run the studies that need it, jobs of them at a time; stderr shows each one's steps.

    out: the report's folder; with several studies, the folder of their reports; scheduler: address
    of a Dask scheduler whose workers run the studies; debug: show what else their processes say.
    Raises StudyError where two studies would write the same report.
    """
    options = options or Options()
    if options.overrides and len(studies) > 1:
        raise StudyError(
            Problem("--overrides belongs to one study", remedy="Run that study by itself")
        )
    planned = [_plan(study, out, options, len(studies) > 1) for study in studies]
    places = [job.target.resolve() for job in planned if job.target is not None]
    if len(set(places)) < len(places):
        raise StudyError(
            Problem("two of the studies have the same name and period", file="study.toml",
                    remedy="Give one of them another [study] name or period")
        )  # fmt: skip
    done = {
        job.study: Outcome(job.study, job.target, job.error, unchanged=not job.error)
        for job in planned
    }
    waiting = in_order([job for job in planned if not job.error])
    if waiting:
        with following([job.study for chain in waiting for job in chain]) as told:
            if scheduler:
                from kalib.runs.cluster import run_there

                ended = run_there(scheduler, waiting, options, told)
            else:
                ended = _in_processes(waiting, options, jobs, told, debug)
        done |= {outcome.study: outcome for outcome in ended}
    return [done[study] for study in studies]


def _plan(study: str, out: Path | None, options: Options, several: bool) -> Job:
    try:
        loaded = read_study(study, options.settings)
        single = out if not several else None
        target = single or (out or REPORTS) / loaded.name / loaded.period
        earlier = earlier_report(target, loaded.name, loaded.period)
        inputs = inputs_of(loaded, options, options.key(loaded), earlier)
        current = not options.force and is_current(target, fingerprint(inputs))
        if not current:
            check_folder(target, force=options.force)
    except StudyError as error:
        return Job(study, error=error)
    return Job(study, target, current, loaded.name, loaded.period)


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


def outcome(job: Job, run: Callable[[Job], Path]) -> Outcome:
    """Run one job; an error is part of the outcome, so that it does not stop the others."""
    since, report, failed = time.perf_counter(), None, None
    try:
        report = run(job)
    except Exception as error:  # noqa: BLE001  whatever it is
        failed = error
    return Outcome(job.study, report, failed, seconds=time.perf_counter() - since)


def side_by_side(chains: Chains, jobs: int, run: Callable[[Job], Path]) -> list[Outcome]:
    """Run every chain of jobs, errors included, so many at a time."""
    pool = ThreadPoolExecutor(jobs)
    try:
        found = pool.map(lambda chain: [outcome(job, run) for job in chain], chains)
        return [one for chain in found for one in chain]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _here(options: Options, told: Told, job: Job) -> Path:
    from kalib.runs.run import run_study

    return run_study(job.study, job.target, options, partial(told, job.study))


def _in_processes(
    chains: Chains, options: Options, jobs: int, told: Told, debug: bool
) -> list[Outcome]:
    """Run the studies in processes of their own, jobs at a time. One that dies takes its study with
    it and no other, and there is somebody left to say so: where memory ends, libzmq aborts."""
    stopped, slot, pools = Event(), local(), list[ProcessPoolExecutor]()
    context = multiprocessing.get_context("spawn")

    def run(job: Job) -> Path:
        if stopped.is_set():
            raise KalibError("stopped")
        if not hasattr(slot, "pool"):
            slot.heard, said = context.Pipe(duplex=False)
            slot.pool = ProcessPoolExecutor(1, context, _begin, (said, debug))
            pools.append(slot.pool)
        try:
            future = slot.pool.submit(_here, options, _tell, job)
            while not future.done():
                if slot.heard.poll(POLL_SECONDS):
                    told(*slot.heard.recv())
            return future.result()
        except BrokenProcessPool as error:
            del slot.pool
            raise KalibError(
                "the process of the run died, perhaps for want of memory; close other programs "
                "and run again"
            ) from error

    try:
        return side_by_side(chains, jobs, run)
    except BaseException:
        stopped.set()
        for child in multiprocessing.active_children():
            child.kill()
        raise
    finally:
        for pool in pools:
            pool.shutdown()


_said: Connection | None = None  # where `_tell` writes, in a process of a batch


def _begin(said: Connection, debug: bool) -> None:
    """In a process of a batch: end with the parent, however that ends; it alone is told to stop,
    and of what is said, only what `say` says is heard: libraries speak where memory ends."""
    global _said
    _said = said
    if not debug and sys.stderr is not None:
        errors.voice = os.fdopen(os.dup(STDERR), "w", encoding="utf-8")
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), STDERR)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def end_with_parent() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    Thread(target=end_with_parent, daemon=True).start()


def _tell(*step: Any) -> None:
    if _said is not None:
        _said.send(step)


@contextmanager
def following(studies: Sequence[str]) -> Iterator[Told]:
    """A function to call as a study's step begins; it shows the step: in a bar on a terminal, in a
    plain line elsewhere, always on stderr."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield _line
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.fields[study]}", markup=False), BarColumn(),
        TextColumn("{task.description}", markup=False), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        tasks = {study: shown.add_task("waiting", study=study, total=None) for study in studies}

        def told(study: str, step: str, done: int, total: int) -> None:
            shown.update(tasks[study], description=step, completed=done, total=total)

        yield told


def _line(study: str, step: str, done: int, total: int) -> None:
    if sys.stderr is not None:
        print(f"{study}: {step} ({done + 1} of {total})", file=sys.stderr, flush=True)
