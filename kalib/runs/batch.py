"""Studies side by side: what has not changed is left, one that fails does not stop the rest."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import dropwhile
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path
from threading import Event, Thread, local

from kalib import errors
from kalib.errors import KalibError, StudyError
from kalib.files import check_folder, json_hash, read_run
from kalib.runs.kernel import COLLECT
from kalib.runs.provenance import DELIVERED, Options, earlier_report, inputs_of
from kalib.tables.asked import read_asked

REPORTS = Path("reports")
STDERR = 2


@dataclass(frozen=True)
class Job:
    """One study: target is where its report goes, current whether that is up to date and left;
    name, period: the study's, of which files that can't be read have none; error: why there is no
    report; seconds that the run took."""

    study: str
    target: Path = Path()
    current: bool = False
    name: str = ""
    period: str = ""
    error: Exception | None = None
    seconds: float = 0.0

    @property
    def report(self) -> Path | None:
        """The report's folder, None where there is none."""
        return None if self.error else self.target


def run_batch(
    studies: Sequence[str], out: Path | None = None, options: Options | None = None, *,
    jobs: int = 1, debug: bool = False,
) -> list[Job]:  # fmt: skip
    """Run the studies that need it, jobs of them at a time; stderr shows each one's steps.

    out: the report's folder; with several studies, the folder of their reports; debug: show what
    else their processes say. Raises StudyError where two studies would write the same report.
    """
    options = options or Options()
    if options.overrides and len(studies) > 1:
        raise StudyError("--overrides belongs to one study", remedy="Run that study by itself")
    planned = [_plan(study, out, options, len(studies) > 1) for study in studies]
    runnable = [job for job in planned if not job.error]
    if len({job.target.resolve() for job in runnable}) < len(runnable):
        raise StudyError("two of the studies have the same name and period", file="study.toml",
                         remedy="Give one of them another [study] name or period")  # fmt: skip
    done = {job.study: job for job in planned}
    done |= {job.study: job for job in _in_processes(in_order(runnable), options, jobs, debug)}
    return [done[study] for study in studies]


def _plan(study: str, out: Path | None, options: Options, several: bool) -> Job:
    try:
        loaded = read_asked(study, options.settings)
        target = (None if several else out) or (out or REPORTS) / loaded.name / loaded.period
        earlier = earlier_report(target, loaded.name, loaded.period)
        inputs = inputs_of(loaded, options, options.key(loaded), earlier)
        whole = not options.force and all((target / name).is_file() for name in DELIVERED)
        current = whole and read_run(target).get("fingerprint") == json_hash(inputs)
        if not current:
            check_folder(target, force=options.force)
    except StudyError as error:
        return Job(study, error=error)
    return Job(study, target, current, loaded.name, loaded.period)


def in_order(planned: Sequence[Job]) -> list[list[Job]]:
    """The jobs that must run, in chains: waves of one study one after the other, the earliest
    first, since each is compared with the one before; a wave after one that runs runs too."""
    chains: dict[Path, list[Job]] = {}
    for job in planned:
        chains.setdefault(job.target.resolve().parent / job.name, []).append(job)
    ordered = (sorted(chain, key=lambda job: job.period) for chain in chains.values())
    found = (list(dropwhile(lambda job: job.current, chain)) for chain in ordered)
    return [chain for chain in found if chain]


def _in_processes(chains: list[list[Job]], options: Options, jobs: int, debug: bool) -> list[Job]:
    """Run every chain of jobs, so many at a time, in processes of their own; an error is part of
    the outcome. A process that dies takes its study with it and no other, and there is somebody
    left to say so: where memory ends, libzmq aborts."""
    stopped, slot, begun = Event(), local(), list[ProcessPoolExecutor]()

    def run(job: Job) -> Job:
        since = time.perf_counter()
        failed: Exception | None = None
        try:
            if stopped.is_set():
                raise KalibError("stopped")
            if getattr(slot, "process", None) is None:
                slot.process = ProcessPoolExecutor(1, get_context("spawn"), _begin, (debug,))
                begun.append(slot.process)
            slot.process.submit(_run, job, options).result()
        except BrokenExecutor:
            slot.process = None
            failed = KalibError(f"the process of the run {errors.DIED}")
        except Exception as error:  # noqa: BLE001  whatever it is, the others are run
            failed = error
        return replace(job, current=False, error=failed, seconds=time.perf_counter() - since)

    pool = ThreadPoolExecutor(jobs)
    try:
        found = pool.map(lambda chain: [run(job) for job in chain], chains)
        return [job for chain in found for job in chain]
    except BaseException:
        stopped.set()
        for child in active_children():
            child.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        for process in begun:
            process.shutdown()


def _begin(debug: bool) -> None:
    """In a process of a batch: it ends with the parent, however that ends, which alone is told to
    stop; of what is said, only what `say` says is heard: libraries speak where memory ends."""
    if not debug and sys.stderr is not None:
        errors.voice = os.fdopen(os.dup(STDERR), "w", encoding="utf-8")
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), STDERR)
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def end_with_parent() -> None:
        if parent := parent_process():
            parent.join()
            os._exit(1)

    Thread(target=end_with_parent, daemon=True).start()
    atexit.register(os._exit, 0)  # without the time that an orderly end of all libraries takes
    gc.set_threshold(*COLLECT)


def _run(job: Job, options: Options) -> None:
    """In a process of a batch: run a study, and say its steps."""
    from kalib.runs.run import run_study

    run_study(
        job.study, job.target, options,
        lambda step, done, total: errors.say(f"{job.study}: {step} ({done + 1} of {total})"),
    )  # fmt: skip
