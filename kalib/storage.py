"""A report's folder: locked while it is made, made beside its place, moved in whole."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from kalib.errors import KalibError, Problem, StudyError

MARK = "run.json"  # every finished report has it; a folder without it isn't ours to replace


@contextmanager
def report_folder(target: Path) -> Iterator[Path]:
    """A temporary folder that becomes target when the block ends well.

    On an error the folder is removed and target stays as it was. What a killed run left behind
    is cleared first. Raises StudyError where target holds something that is no report, KalibError
    where another run is at work on it.
    """
    target = target.absolute()
    if target.exists() and not _replaceable(target):
        raise StudyError(
            Problem("holds files that are not a report of kalib", file=str(target.name),
                    remedy="Give --out a new or empty folder")
        )  # fmt: skip
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target.parent / f".{target.name}.lock"):
        _recover(target)
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}.new-", dir=target.parent))
        work.chmod(0o755)  # mkdtemp's 0700 would keep colleagues from reading the report
        try:
            yield work
            _move_in(work, target)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _replaceable(target: Path) -> bool:
    return target.is_dir() and (not any(target.iterdir()) or (target / MARK).is_file())


def _move_in(work: Path, target: Path) -> None:
    """Two renames; a run killed between them is mended by the next `_recover`."""
    old = target.with_name(f".{target.name}.old")
    if target.exists():
        target.rename(old)
    work.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _recover(target: Path) -> None:
    """Undo what a killed run left: the previous report goes back, half-made ones go."""
    old = target.with_name(f".{target.name}.old")
    if old.exists() and not target.exists():
        old.rename(target)
    shutil.rmtree(old, ignore_errors=True)
    for rest in target.parent.glob(f".{_escaped(target.name)}.new-*"):
        shutil.rmtree(rest, ignore_errors=True)


def _escaped(name: str) -> str:
    """A name in which the characters of glob patterns stand for themselves."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock file; the system lets go of it when the process ends, however it ends."""
    while True:
        file = path.open("a+")
        try:
            _lock(file)
        except OSError as error:
            file.close()
            place = path.name.removeprefix(".").removesuffix(".lock")
            raise KalibError(f"another run is at work on {place}; wait for it to end") from error
        if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            break
        file.close()  # its owner removed the file between our open and our lock
    try:
        yield
    finally:
        if sys.platform != "win32":
            path.unlink(missing_ok=True)
        file.close()


def _lock(file: IO[str]) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
