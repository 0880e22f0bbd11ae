"""A report's folder: locked while it is made, made beside its place, moved in whole."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from kalib.errors import KalibError, Problem, StudyError, refusal
from kalib.runs.provenance import MARK

KEPT = ("steps/*.pkl", "notebooks/*.ipynb")  # each moved in whole, so never half-written


@contextmanager
def report_folder(target: Path, fingerprint: str = "") -> Iterator[Path]:
    """A temporary folder that becomes target when the block ends well.

    On an error the folder is removed and target stays as it was. Where an interrupted run with
    the same fingerprint left steps and notebooks, the folder starts with them; anything else it
    left is cleared. Raises StudyError where target holds something that is no report, KalibError
    where another run is at work on it or the system refuses to write.
    """
    shown, target = target, target.absolute()
    if target.exists() and not _replaceable(target):
        raise StudyError(
            Problem("holds files that are not a report of kalib", file=str(target.name),
                    remedy="Give --out a new or empty folder")
        )  # fmt: skip
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target.parent / f".{target.name}.lock"):
            _recover(target)
            work = target.with_name(f".{target.name}.part")
            try:
                _prepare(work, fingerprint)
                yield work
                _move_in(work, target)
            except Exception:
                shutil.rmtree(work, ignore_errors=True)
                raise
    except OSError as error:
        raise KalibError(f"the report can't be written to {shown}: {refusal(error)}") from error


def _prepare(work: Path, fingerprint: str) -> None:
    """Make the folder to work in, with what may be kept of an interrupted run."""
    mark = work / "fingerprint"
    if fingerprint and mark.is_file() and mark.read_text(encoding="utf-8") == fingerprint:
        kept = {path for pattern in KEPT for path in work.glob(pattern)}
        for path in sorted(work.rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path not in kept and path != mark:
                path.unlink()
    else:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        mark.write_text(fingerprint, encoding="utf-8")


def _replaceable(target: Path) -> bool:
    return target.is_dir() and (not any(target.iterdir()) or (target / MARK).is_file())


def _move_in(work: Path, target: Path) -> None:
    """Two renames; a run killed between them is mended by the next `_recover`."""
    (work / "fingerprint").unlink()
    old = target.with_name(f".{target.name}.old")
    if target.exists():
        target.rename(old)
    work.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _recover(target: Path) -> None:
    """Undo what a run killed while it moved its report in left: the previous report goes back."""
    old = target.with_name(f".{target.name}.old")
    if old.exists() and not target.exists():
        old.rename(target)
    shutil.rmtree(old, ignore_errors=True)


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
