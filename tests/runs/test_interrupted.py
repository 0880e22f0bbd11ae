"""Runs that are repeated, killed, resumed, or made where little is as usual."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from conftest import ROOT, write_small_study

from kalib.cli import main
from kalib.files import read_run, write_record
from kalib.runs.provenance import COMPARED
from kalib.runs.rerun import differences

linux = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
MARK = "KALIB_TEST_MARK"
KILLS = int(os.environ.get("KALIB_KILLS", "2"))
COMMAND = [sys.executable, "-m", "kalib"]


class Place:
    """A study in a folder whose name is no program's friend, and an environment for its runs."""

    def __init__(self, root: Path) -> None:
        self.study, self.other = (root / "数据 1" / name for name in ("small study", "other"))
        self.study.mkdir(parents=True)
        write_small_study(self.study)
        self.work, self.temporary = root / "work", root / "temporary"
        self.work.mkdir()
        self.temporary.mkdir()
        self.report = self.work / "reports/small/2026"
        self.environment = {
            key: value for key, value in os.environ.items()
            if key not in ("HOME", "PYTHONHASHSEED") and not key.startswith(("JUPYTER", "MPL"))
        } | {MARK: uuid.uuid4().hex, "TMPDIR": str(self.temporary)}  # fmt: skip

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """kalib run, with no home folder, no standard input, and another working folder."""
        return self.command("run", str(self.study), *arguments, **environment)

    def command(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        words = " ".join(f"'{word}'" for word in (*COMMAND, *arguments))
        return subprocess.run(
            ["sh", "-c", f"exec {words} <&-"], cwd=self.work, capture_output=True, text=True,
            check=False, env=self.environment | environment,
        )  # fmt: skip

    def kill(self, when: str | int, delay: float, *arguments: str) -> None:
        """Start a run; kill it a while after it begins a step, or so many steps."""
        process = subprocess.Popen(
            [*COMMAND, "run", str(self.study), *arguments], cwd=self.work, text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=self.environment,
        )  # fmt: skip
        assert process.stderr
        for number, line in enumerate(process.stderr, start=1):
            if when == number or (isinstance(when, str) and when in line):
                break
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it had ended before"

    def strays(self) -> list[str]:
        """Processes of this place's runs that are still there, after a moment's grace."""
        mark = f"{MARK}={self.environment[MARK]}".encode()
        for _ in range(200):
            found = [path.parent.name for path in Path("/proc").glob("[0-9]*/environ")
                     if mark in _bytes(path)]  # fmt: skip
            if not found:
                return []
            time.sleep(0.05)
        return found

    def hashes(self) -> dict[str, str]:
        return {
            path.relative_to(self.report).as_posix(): hashlib.md5(path.read_bytes()).hexdigest()
            for path in sorted(self.report.rglob("*")) if path.is_file()
        }  # fmt: skip


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended meanwhile
        return b""


def write_earlier(report: Path) -> None:
    """An earlier report: what makes a folder one, and a page."""
    report.mkdir(parents=True, exist_ok=True)
    (report / "index.html").write_bytes(b"the earlier report")
    write_record(report, {})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Two studies of the same data run side by side, the first in the place of an earlier report,
    under a clock that jumps back a second after it starts; all files are of the future."""
    place = Place(tmp_path_factory.mktemp("place"))
    write_earlier(place.report)
    shutil.copytree(place.study, place.other)
    file = place.other / "study.toml"
    file.write_text(file.read_text().replace('"small"', '"other"'))
    (place.other / "notebooks").mkdir()
    (place.other / "notebooks/20-mine.ipynb").write_text("{}")
    future = time.time() + 10 * 365 * 86_400
    for path in [*place.study.parent.rglob("*"), *place.report.iterdir(), place.report]:
        os.utime(path, (future, future))
    clock = str(ROOT / "tests/clock")
    done = place.run(str(place.other), "--jobs", "2", PYTHONHASHSEED="1", PYTHONPATH=clock)
    assert done.returncode == 0, done.stderr
    pages = [f"reports/{name}/2026/index.html" for name in ("small", "other")]
    assert done.stdout.splitlines() == pages
    assert "Warning" not in done.stderr and "Traceback" not in done.stderr
    # What is said in a process of the batch, its steps, and the table at the end.
    assert "other: notebooks/20-mine.ipynb left" in done.stderr
    assert "small study: statistics (1 of 9)" in done.stderr and "missed by sales" in done.stderr
    yield place


def test_run_leaves_nothing_but_the_report(place: Place) -> None:
    assert place.strays() == []
    assert [path.name for path in place.report.parent.iterdir()] == ["2026"]
    assert (place.report / "index.html").stat().st_size > 100_000
    assert {path.name for path in place.work.rglob("*") if path.name.startswith(".")} == set()
    assert {path.name for path in place.temporary.iterdir()} <= {f"kalib-{os.getuid()}"}
    listed = (place.work / "reports/index.html").read_text(encoding="utf-8")
    assert 'href="small/2026/index.html"' in listed and 'href="other/2026/index.html"' in listed


def test_nothing_changed_is_said_and_left(place: Place) -> None:
    before = place.report.stat().st_ino, place.hashes()
    done = place.run()
    assert done.returncode == 0 and "nothing has changed" in done.stderr
    assert done.stdout.splitlines() == ["reports/small/2026/index.html"]
    assert (place.report.stat().st_ino, place.hashes()) == before


def test_same_inputs_give_the_same_bytes(place: Place) -> None:
    """Beside another study, and with another hash seed."""
    other = place.work / "reports/other/2026"
    for name in COMPARED:
        assert (place.report / name).read_bytes() == (other / name).read_bytes()
    rerun = ("rerun", str(other), "--study", str(place.other))
    done = place.command(*rerun, PYTHONHASHSEED="2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{name}: the same bytes" for name in COMPARED]
    assert [path.name for path in other.parent.iterdir()] == ["2026"]


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


def test_rerun_says_what_differs(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report itself stands for the run repeated."""
    copy = shutil.copytree(place.work / "reports/other/2026", tmp_path / "run")
    monkeypatch.setattr(
        "kalib.runs.run.run_study", lambda _, again, __: shutil.copytree(copy, again)
    )
    assert call("rerun", copy, "--study", place.other).exit_code == 0
    again = shutil.copytree(copy, tmp_path / "again")
    monkeypatch.setattr("kalib.runs.run.run_study", lambda _, to, __: shutil.copytree(again, to))
    run = read_run(copy)
    run["packages"]["pandas"] = "0.1"
    (copy / "run.json").write_text(json.dumps(run))
    summary = (copy / "summary.json").read_text()
    (copy / "summary.json").write_text(
        summary.replace('"total_potential": ', '"total_potential": 9')
    )
    done = call("rerun", copy, "--study", place.other)
    assert done.exit_code == 1 and "the numbers do not agree" in done.stderr
    said = done.stdout.splitlines()
    assert said[0].startswith("pandas 0.1 then, ")
    assert "summary.json: differs" in said and "accounts.csv: the same bytes" in said
    assert any(line.startswith('  -  "total_potential": 9') for line in said)


def test_rerun_refuses_other_data(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place.work)
    other, file = "reports/other/2026", place.other / "survey.csv"
    survey = file.read_text()
    file.write_text(survey + "\n")
    done = call("rerun", other, "--study", place.other)
    file.write_text(survey)
    assert done.exit_code == 2 and "survey.csv: is not what the run read" in done.stderr
    done = call("rerun", other)
    assert done.exit_code == 2 and "Give --study PATH" in done.stderr
    (place.work / "key").write_text("ab" * 32)
    done = call("rerun", other, "--study", place.other, "--key", "key")
    assert done.exit_code == 2 and "the run did not code its names" in done.stderr
    done = call("rerun", place.work)
    assert done.exit_code == 2 and "no run" in done.stderr


@linux
def test_killed_run_leaves_the_report_and_resumes(place: Place) -> None:
    before = place.hashes()
    changed = ("--set", "targets.close_gap=0.4")
    for when in ["04-attack", *random.choices([1, 2, 3], k=KILLS - 1)]:
        place.kill(when, random.uniform(0, 0.2), *changed)
        assert place.strays() == []
        assert place.hashes() == before
    kept = {path.stem for path in place.report.parent.glob(".2026.part/notebooks/*.ipynb")}
    assert kept
    done = place.run(*changed)
    assert done.returncode == 0, done.stderr
    assert not any(name in done.stderr for name in kept)
    assert [path.name for path in place.report.parent.iterdir()] == ["2026"]
    assert {path.name for path in place.temporary.iterdir()} <= {f"kalib-{os.getuid()}"}
    run = json.loads((place.report / "run.json").read_text())
    assert run["settings"] == {"targets.close_gap": "0.4"}


def test_differences_name_columns_and_amounts(tmp_path: Path) -> None:
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    one.write_text("account,sales,zone\n007,10.5,watch\n008,20,attack\n")
    two.write_text("account,sales,zone\n007,10.5,defense\n008,23,attack\n")
    assert list(differences(one, two)) == ["sales: 1 of 2 accounts, by at most 3",
                                           "zone: 1 of 2 accounts"]  # fmt: skip
    assert list(differences(one, one)) == []
    a, b = tmp_path / "a.json", tmp_path / "b.json"
    for path, coefficient in ((a, 1.5), (b, 1.25)):
        content = {"n": 5, "terms": [{"coefficient": coefficient}]}
        path.write_text(json.dumps(content, indent=2))
    assert list(differences(a, b)) == ['-      "coefficient": 1.5', '+      "coefficient": 1.25']
    assert list(differences(tmp_path / "absent.json", b)) == ["is missing from the run"]
    two.write_text("account,sales,zone\n007,10.5,defense\n")
    assert list(differences(one, two)) == ["2 accounts and 2 columns then, 1 and 2 now"]
    for path, first in ((a, 0), (b, 100)):
        path.write_text(json.dumps(list(range(first, first + 30)), indent=2))
    assert len(found := list(differences(a, b))) == 21 and found[-1] == "and 40 lines more"
