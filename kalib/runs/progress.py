"""How far each study has come: bars on a terminal, plain lines elsewhere, always on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

Told = Callable[[str, str, int, int], None]  # study, step, steps done, steps in all


@contextmanager
def following(studies: Sequence[str]) -> Iterator[Told]:
    """A function to call as a study's step begins; it shows the step."""
    if sys.stderr is not None and sys.stderr.isatty():
        with _bars(studies) as told:
            yield told
    else:
        yield _line


def _line(study: str, step: str, done: int, total: int) -> None:
    if sys.stderr is not None:
        print(f"{study}: {step} ({done + 1} of {total})", file=sys.stderr, flush=True)


@contextmanager
def _bars(studies: Sequence[str]) -> Iterator[Told]:
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
