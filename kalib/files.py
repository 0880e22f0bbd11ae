"""Files and folders that appear whole or not at all, and whose they are.

No command deletes or replaces what it did not write. A report's run.json lists each of its files
with its SHA-256; what is not listed, or no longer as listed, is somebody's: it is refused by name,
or moved into a dated folder beside the report, never deleted.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from kalib.errors import KalibError, StudyError, refusal, say

PACKAGE = Path(__file__).resolve().parent  # the installed package
MARK = "run.json"  # every finished report has it
PRINT = "fingerprint"  # in the folder of a run at work: of its inputs
KEPT = ("steps/*.pkl", "notebooks/*.ipynb")  # each moved in whole, so never half-written
# What systems and editors leave by themselves; it is nobody's work.
CLUTTER = (".DS_Store", "Thumbs.db", "~$*", ".~lock*", ".ipynb_checkpoints/*-checkpoint.*")
ASIDE = "aside_"  # begins the name of the dated folder; no study and no period is called so
LOCK_SECONDS = 0.2  # a lock that its owner is just removing is free within that time
MOST_NAMED = 10  # files in one message
CHANGED = "was not written by kalib, or was changed since"
MOVE = "Move it elsewhere, or give --force, which moves it into a dated folder beside it"


@cache
def beside(module: str, name: str = "") -> dict[str, Any]:
    """What the TOML file beside a module holds, of the module's name where none is given."""
    file = Path(module).with_name(f"{name or Path(module).stem}.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


def shipped(name: str) -> Path:
    """A folder that comes with the kit: in the installed package, or beside it in a checkout."""
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / name


@contextmanager
def whole(target: Path, writer: str = "") -> Iterator[Path]:
    """A hidden path beside target, or beside what it links to, to write a file or a folder to.

    What lies there takes the place of target, a file or an empty folder, when the block ends well,
    and is cleared when it does not. writer: tells apart several processes that write the same
    target at once. Raises StudyError where target is a folder that holds anything, OSError, with
    target as its file, whatever part it named.
    """
    shown, target = target, target.resolve()
    part = target.with_name(f".{target.name}{writer}.part")
    try:
        if target.is_dir() and any(target.iterdir()):
            remedy = "Give another name, or move the folder"
            raise StudyError("is a folder that holds files", str(shown), remedy=remedy)
        _clear(part)
        yield part
        if target.is_dir():
            target.rmdir()
        elif part.is_dir():
            target.unlink(missing_ok=True)
        part.replace(target)
    except OSError as error:
        error.filename, error.filename2 = str(shown), None
        raise
    finally:
        with suppress(OSError):  # a read-only disk refuses to remove even what is not there
            _clear(part)


@contextmanager
def report_folder(target: Path, fingerprint: str = "", *, force: bool = False) -> Iterator[Path]:
    """A temporary folder that becomes target, or what target links to, when the block ends well.

    The block leaves a run.json, to which the list of files is added. On an error the folder is
    removed and target stays as it was. Where an interrupted run with the same fingerprint left
    steps and notebooks, the folder starts with them. force: what is not ours is moved aside, not
    refused. Raises StudyError where target holds what is not ours, KalibError where another run is
    at work on it or the system refuses to write.
    """
    shown, target = target, target.resolve()
    absent = [folder for folder in target.parents if not folder.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target):
            work, old = (target.with_name(f".{target.name}.{end}") for end in ("part", "old"))
            if old.exists() and not target.exists():
                old.rename(target)  # by a run that was killed between the two renames below
            _retire(old)
            check_folder(shown, force=force)
            try:
                _prepare(work, fingerprint)
                yield work
                (work / PRINT).unlink()
                write_record(work, read_run(work))
                if target.exists():
                    target.rename(old)
                work.rename(target)
                _retire(old)
            except Exception:
                shutil.rmtree(work, ignore_errors=True)
                raise
    except OSError as error:
        raise KalibError(f"the report can't be written to {shown}: {refusal(error)}") from error
    finally:
        for folder in absent:
            with suppress(OSError):  # it is not empty
                folder.rmdir()


def check_folder(target: Path, *, force: bool = False) -> None:
    """Refuse, by name, what a report in target would take the place of and is not ours; a report
    from before there were lists is not refused, it will be moved aside."""
    place = target.resolve()
    if place == Path.cwd() or place in Path.cwd().parents:
        raise StudyError("is the folder you work in", str(target), remedy="Give --out a new folder")
    run = read_run(place)
    listless = "files" not in run and {"kalib", "fingerprint", "study"} <= set(run)
    found = [] if force or not place.exists() or listless else foreign(place)
    if found:
        named = ", ".join(found[:MOST_NAMED])
        named += f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
        raise StudyError(f"holds what kalib did not write: {named}", str(target), remedy=MOVE)


def foreign(report: Path) -> list[str]:
    """The files of a folder, by their names in it, that are not a report's as it was written."""
    if not report.is_dir():
        return [report.name]
    run = read_run(report)
    if "files" in run and not _intact(run):
        return [MARK]  # whose list can't be trusted
    found = []
    for name in _names(report):
        with suppress(FileNotFoundError):  # another run has just replaced the report
            clutter = any(Path(name).match(pattern) for pattern in CLUTTER)
            if not clutter and not _ours(report, name, run):
                found.append(name)
    return found


def set_aside(path: Path, names: Sequence[str] = ("",)) -> None:
    """Move a file or a folder, whole or the names in it, into a dated folder beside it; say so."""
    dated = beside = path.with_name(f"{ASIDE}{time.strftime('%Y-%m-%d_%H%M%S')}")
    for number in count(2):
        with suppress(FileExistsError):
            beside.mkdir()
            break
        beside = dated.with_name(f"{dated.name}-{number}")
    place = beside / path.name.removeprefix(".").removesuffix(".old")
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).rename(place / name)
    here = Path.cwd()
    shown = place.relative_to(here) if place.is_relative_to(here) else place
    say(f"what kalib did not write is now in {shown}")


def add_to_report(report: Path, name: str, text: str, *, force: bool = False) -> None:
    """Write one more file of a finished report and list it. Raises StudyError where a file of that
    name is there that is not ours, unless force, which moves it aside."""
    report = report.resolve()
    with locked(report):
        run = read_run(report)
        if (report / name).exists() and not _ours(report, name, run):
            if not force:
                raise StudyError(CHANGED, name, remedy=MOVE)
            set_aside(report, [name])
        with whole(report / name) as part:
            part.write_text(text, encoding="utf-8")
        if _intact(run):
            run["files"][name] = file_hash(report / name)
            write_record(report, run)


def write_record(report: Path, run: Mapping[str, Any]) -> None:
    """Write run.json with the list of the report's files; where run has none, of all there are."""
    every = (name for name in _names(report) if name != MARK)
    files = run.get("files") or {name: file_hash(report / name) for name in every}
    content = {**run, "files": dict(sorted(files.items()))}
    content.pop("record", None)
    content["record"] = json_hash(content)
    with whole(report / MARK) as part:
        part.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_run(report: Path, name: str = MARK) -> dict[str, Any]:
    """A report's run.json, or another of its JSON files; empty where it can't be read."""
    try:
        content = json.loads((report / name).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def json_hash(content: Mapping[str, Any]) -> str:
    """SHA-256 of what JSON says of it, whatever its order."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@cache
def code_hash() -> str:
    """SHA-256 of the package and its notebooks."""
    files = {path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    files |= set(shipped("notebooks").glob("*.ipynb"))
    lines = [f"{path.name}:{file_hash(path)}\n" for path in sorted(files, key=Path.as_posix)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@contextmanager
def locked(target: Path) -> Iterator[None]:
    """Hold the lock of a place; the system lets go of it when the process ends, however it ends."""
    from filelock import FileLock, Timeout

    path = target.with_name(f".{target.name}.lock")
    lock = FileLock(path, timeout=LOCK_SECONDS)
    try:
        lock.acquire()
    except Timeout as error:
        raise KalibError(f"another run is at work on {target.name}; wait for it to end") from error
    try:
        yield
    finally:
        with suppress(OSError):
            if sys.platform != "win32" and not path.stat().st_size:  # the lock's own is empty
                path.unlink()
        lock.release()


def _names(folder: Path) -> Iterator[str]:
    """Files below a folder and links to folders, by their names in it."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_dir():
            yield path.relative_to(folder).as_posix()


def _ours(report: Path, name: str, run: Mapping[str, Any]) -> bool:
    if not _intact(run) or (report / name).is_symlink():
        return False
    return name == MARK or run["files"].get(name) == file_hash(report / name)


def _intact(run: Mapping[str, Any]) -> bool:
    """Whether a run.json has a list of files and is as it was written."""
    content = {key: value for key, value in run.items() if key != "record"}
    return isinstance(run.get("files"), dict) and run.get("record") == json_hash(content)


def _prepare(work: Path, fingerprint: str) -> None:
    """Make the folder to work in, with what may be kept of an interrupted run."""
    mark = work / PRINT
    same = fingerprint and mark.is_file() and mark.read_text(encoding="utf-8") == fingerprint
    if work.exists() and any(work.iterdir()) and not (work / MARK).exists() | mark.exists():
        set_aside(work)
    work.mkdir(exist_ok=True)
    if not same:
        mark.write_text("", encoding="utf-8")
    kept = {path for pattern in KEPT for path in work.glob(pattern) if same}
    for path in sorted(work.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path not in kept and path != mark:
            path.unlink()
    mark.write_text(fingerprint, encoding="utf-8")


def _retire(old: Path) -> None:
    """Delete a replaced report's own files, its list last, after what is not ours has been moved
    aside. A kill at any moment leaves what the next call goes on with."""
    if not old.exists():
        return
    if theirs := foreign(old):
        if not _intact(read_run(old)):
            set_aside(old)
            return
        set_aside(old, theirs)
    for name in [*(name for name in _names(old) if name != MARK), MARK]:
        (old / name).unlink(missing_ok=True)
    shutil.rmtree(old)  # folders without a file


def _clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
