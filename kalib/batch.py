"""Several studies side by side; one that fails does not stop the rest."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kalib.anonymize import Secret
from kalib.errors import KalibError, Problem, StudyError
from kalib.loading import load_study
from kalib.run import Progress, run_study


@dataclass(frozen=True)
class Outcome:
    """What became of one study: report is its folder, or error says why there is none (status 1
    or 2)."""

    study: str
    report: Path | None
    error: str = ""
    status: int = 0


def run_batch(
    studies: Sequence[str],
    out: Path | None,
    settings: Mapping[str, str],
    jobs: int,
    overrides: Path | None = None,
    secret: Secret | None = None,
) -> list[Outcome]:
    """Run studies, jobs of them at a time; a bar on stderr shows each one's steps.

    out: the report's folder; with several studies, the folder of their reports; overrides: the
    workbook of the one study; secret: as in `run_study`. Raises StudyError where two studies would
    write the same report.
    """
    if overrides and len(studies) > 1:
        raise StudyError(
            Problem("--overrides belongs to one study", remedy="Run that study by itself")
        )
    targets = [_target(study, out, len(studies) > 1) for study in studies]
    places = [target for target in targets if target is not None]
    if len(set(places)) < len(places):
        raise StudyError(
            Problem("two of the studies have the same name and period", file="study.toml",
                    remedy="Give one of them another [study] name or period")
        )  # fmt: skip
    with _bars(studies) as bars:
        if jobs == 1 or len(studies) == 1:
            return [
                _outcome(study, target, settings, bars.teller(study), overrides, secret)
                for study, target in zip(studies, targets, strict=True)
            ]
        context = multiprocessing.get_context("spawn")
        with context.Manager() as manager, ProcessPoolExecutor(jobs, mp_context=context) as pool:
            said = manager.Queue()
            futures = [
                pool.submit(_in_worker, study, target, dict(settings), said, secret)
                for study, target in zip(studies, targets, strict=True)
            ]
            while not all(future.done() for future in futures) or not said.empty():
                try:
                    study, *step = said.get(timeout=0.1)
                except Exception:  # noqa: BLE001  queue.Empty comes through a proxy
                    continue
                bars.teller(study)(*step)
            return [future.result() for future in futures]


def _target(study: str, out: Path | None, several: bool) -> Path | None:
    """The report's folder; None where the study file is bad (its run will say how)."""
    try:
        about = load_study(study).study
    except StudyError:
        return None
    if out is not None and not several:
        return out
    return (out or Path("reports")) / about.name / about.period


def _outcome(
    study: str,
    target: Path | None,
    settings: Mapping[str, str],
    progress: Progress,
    overrides: Path | None = None,
    secret: Secret | None = None,
) -> Outcome:
    from kalib.errors import message_of

    try:
        return Outcome(study, run_study(study, target, settings, progress, overrides, secret))
    except StudyError as error:
        return Outcome(study, None, message_of(error), 2)
    except KalibError as error:
        return Outcome(study, None, message_of(error), 1)


def _in_worker(
    study: str, target: Path | None, settings: Mapping[str, str], said: Any, secret: Secret | None
) -> Outcome:
    tell = lambda *step: said.put((study, *step))  # noqa: E731
    return _outcome(study, target, settings, tell, None, secret)


class _bars:
    """A progress bar for each study."""

    def __init__(self, studies: Sequence[str]) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._shown = Progress(
            TextColumn("{task.fields[study]}"), BarColumn(), TextColumn("{task.description}"),
            TimeElapsedColumn(), console=Console(stderr=True), transient=True,
        )  # fmt: skip
        self._tasks = {
            study: self._shown.add_task("waiting", study=study, total=None) for study in studies
        }

    def __enter__(self) -> _bars:
        self._shown.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._shown.stop()

    def teller(self, study: str) -> Progress:
        """What a run calls as its steps begin."""
        task = self._tasks[study]
        return lambda step, done, total: self._shown.update(
            task, description=step, completed=done, total=total
        )
