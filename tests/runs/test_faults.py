"""Faults while a report is written: said in one line, and the earlier report stays as it was."""

from __future__ import annotations

import errno
import gc
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT
from test_interrupted import COMMAND, Place, call, linux, write_earlier
from test_scale import finished

from kalib.analysis import Analysis
from kalib.errors import KalibError, refusal
from kalib.report.story import tell_story
from kalib.report.workbook import write_workbook
from kalib.runs.run import run_study

FAULTS: dict[str, tuple[Callable[[], Exception], str]] = {
    "disk full": (lambda: OSError(errno.ENOSPC, "No space left on device"), "No space left"),
    "quota used up": (lambda: OSError(errno.EDQUOT, "Disk quota exceeded"), "quota"),
    "disk that fails": (lambda: OSError(errno.EIO, "Input/output error"), "Input/output"),
    "a step that fails": (lambda: KalibError("a notebook's kernel died"), "kernel died"),
}


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """An earlier report: what makes a folder one, and a page."""
    report = tmp_path / "out" / "2026"
    write_earlier(report)
    return report


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*") if path.is_file()
    }  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_leaves_the_earlier_report(
    fault: str, small_study: Path, earlier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(earlier.parent)
    error, says = FAULTS[fault]

    def analyze(study: object, work: Path, **_: object) -> None:
        (work / "index.html").write_bytes(b"half of a page")
        raise error()

    monkeypatch.setattr("kalib.analysis.analyze", analyze)
    monkeypatch.setattr("kalib.runs.execution._start", lambda _: None)
    with pytest.raises(KalibError, match=says):
        run_study(small_study, earlier)
    assert contents(earlier.parent) == before
    assert [path.name for path in earlier.parent.iterdir()] == ["2026"]


@pytest.mark.skipif(sys.platform == "win32", reason="locked otherwise there")
def test_second_run_is_refused_while_the_first_is_at_work(small_study: Path, earlier: Path) -> None:
    import fcntl

    before = contents(earlier)
    with (earlier.parent / ".2026.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(KalibError, match="another run is at work on 2026"):
            run_study(small_study, earlier)
    assert contents(earlier) == before
    assert {path.name for path in earlier.parent.iterdir()} == {"2026", ".2026.lock"}, "the first's"


# What the operating system does to a whole run: as docs/bad-input.md lists it.
DISKS = {"8 kB": "8k", "2 MB": "2m", "3 MB": "3m"}  # full at the beginning, midway, at the end
REAL = (
    *(f"a disk of {size}" for size in DISKS), "files of 100 kB at most",
    "a read-only folder", "700 MB of memory", "SIGTERM", "SIGINT",
)  # fmt: skip


@pytest.fixture
def spot(tmp_path: Path) -> Place:
    """A study with an earlier report in its place."""
    place = Place(tmp_path)
    write_earlier(place.report)
    return place


def failure(spot: Place, limit: tuple[int, int] | None = None, kept: tuple[str, ...] = ()) -> str:
    """The one message of a run, under a limit, that ends with status 1 and leaves nothing."""
    import resource

    before = spot.hashes()
    done = subprocess.run(
        [*COMMAND, "run", str(spot.study)], cwd=spot.work,
        capture_output=True, text=True, check=False, env=spot.environment, stdin=subprocess.DEVNULL,
        preexec_fn=(lambda: resource.setrlimit(limit[0], (limit[1],) * 2)) if limit else None,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert done.stdout == "" and spot.strays() == [] and spot.hashes() == before
    left = {path.name for path in spot.report.parent.iterdir()}
    assert {"2026"} <= left <= {"2026", *kept}
    return only_message(done.stderr)


def only_message(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if not re.search(r" \(\d+ of \d+\)$", line)]
    assert len(lines) == 1, stderr
    return lines[0]


@pytest.fixture
def mounted(spot: Place) -> Iterator[Callable[[str], None]]:
    """A function that puts a disk of its own, mounted as it is told, in the reports' place."""
    place = spot.report.parent

    def mount(options: str) -> None:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", place],
                              check=False, capture_output=True, text=True)  # fmt: skip
        if done.returncode:
            pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
        write_earlier(spot.report)

    try:
        yield mount
    finally:
        subprocess.run(["umount", place], check=False, capture_output=True)


@linux
@pytest.mark.parametrize("size", DISKS.values())
def test_full_disk(spot: Place, mounted: Callable[[str], None], size: str) -> None:
    mounted(f"size={size}")
    assert "can't be written to reports/small/2026: No space left on device" in failure(spot)


@linux
@pytest.mark.parametrize("options", ["size=16k", "size=16k,ro"])
def test_other_commands_on_a_full_or_read_only_disk(
    spot: Place, mounted: Callable[[str], None], options: str, stores: Analysis, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    run = tmp_path / "run"
    run.mkdir()
    finished(stores, run)
    mounted("size=16k")
    subprocess.run(["mount", "-o", f"remount,{options}", spot.report.parent], check=True)
    reason = "Read-only file system" if "ro" in options else "No space left on device"
    accounts, survey = (str(ROOT / f"data/fmcg-supermarkets/{name}.csv")
                        for name in ("accounts", "survey"))  # fmt: skip
    monkeypatch.chdir(spot.work)
    before = spot.hashes()
    where = "reports/small"
    targets = [f"{where}/scores.{form}" for form in ("csv", "parquet")]
    commands = {
        **{("score", str(run), "--accounts", accounts, "--to", target):
           f"{target} can't be written: {reason}" for target in targets},
        ("new", "shops", "--data", where, "--from", accounts, survey): f"{where}/shops: {reason}",
        ("fit", str(spot.study), "--out", f"{where}/fit"):
            f"the report can't be written to {where}/fit: {reason}",
    }  # fmt: skip
    for command, message in commands.items():
        done = call(*command)
        assert (done.exit_code, done.stdout, done.stderr) == (1, "", f"error: {message}\n")
        assert spot.hashes() == before
        assert [path.name for path in spot.report.parent.iterdir()] == ["2026"]


@linux
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it can't be closed
def test_full_disk_met_by_the_workbook(stores: Analysis) -> None:
    with pytest.raises(OSError, match="No space left on device"):
        write_workbook(stores, tell_story(stores), Path("/dev/full"))
    gc.collect()  # what can't be closed complains here, not in another test


@linux
def test_full_disk_met_by_a_library_is_told_in_the_system_s_words() -> None:
    with pytest.raises(OSError, match="Error writing bytes") as wrapped:
        pd.DataFrame({"potential": [1.0]}).to_parquet("/dev/full")
    assert refusal(wrapped.value) == "No space left on device"


@linux
def test_files_may_not_grow(spot: Place) -> None:
    import resource

    said = failure(spot, limit=(resource.RLIMIT_FSIZE, 100_000))
    assert "can't be written to reports/small/2026: File too large" in said


@linux
def test_read_only_folder(spot: Place, mounted: Callable[[str], None]) -> None:
    mounted("size=1m")
    place = spot.report.parent
    subprocess.run(["mount", "-o", "remount,ro", place], check=True)
    assert "can't be written to reports/small/2026: Read-only file system" in failure(spot)


@linux
def test_no_memory(spot: Place) -> None:
    import resource

    # The process may end at once, as a killed one: what it began stays, hidden, for the next.
    kept = (".2026.part", ".2026.lock")
    said = failure(spot, limit=(resource.RLIMIT_AS, 700_000_000), kept=kept)
    assert re.search("memory; close other programs and run again$", said)


@linux
def test_second_command_is_refused_and_leaves_nothing(spot: Place) -> None:
    import fcntl

    with (spot.report.parent / ".2026.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = failure(spot, kept=(".2026.lock",))
    assert "another run is at work on 2026; wait for it to end" in said


@linux
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_run(spot: Place, number: int) -> None:
    """What is kept of a stopped run is hidden, and the next one goes on with it."""
    before = spot.hashes()
    run = subprocess.Popen(
        [*COMMAND, "run", str(spot.study)], cwd=spot.work, text=True, env=spot.environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # A shell that runs the tests in the background has them ignore the key that stops.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert run.stderr
    assert "statistics" in run.stderr.readline()
    run.send_signal(number)
    stdout, stderr = run.communicate(timeout=60)
    assert run.returncode == 1, stderr
    assert "stopped; earlier reports are as they were" in only_message(stderr)
    assert stdout == "" and spot.strays() == [] and spot.hashes() == before
    kept = {path.name for path in spot.report.parent.iterdir()}
    assert {"2026"} <= kept <= {"2026", ".2026.part", ".2026.lock"}


def test_readme_lists_the_faults() -> None:
    lines = [f"| {fault} | yes | 0 |" for fault in (*FAULTS, "another run at work", *REAL)]
    assert "\n".join(lines) in (ROOT / "docs/bad-input.md").read_text(encoding="utf-8")
