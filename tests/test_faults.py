"""Faults while a report is written: said in one line, and the earlier report stays as it was."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT

from kalib import run
from kalib.errors import KalibError
from kalib.execution import PROVISIONER, execute
from kalib.run import run_study

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
    report.mkdir(parents=True)
    (report / "run.json").write_text("{}", encoding="utf-8")
    (report / "index.html").write_bytes(b"the earlier report")
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

    def make(*arguments: object) -> None:
        work = arguments[2]
        assert isinstance(work, Path)
        (work / "index.html").write_bytes(b"half of a page")
        raise error()

    monkeypatch.setattr(run, "_make", make)
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


def test_readme_lists_the_faults() -> None:
    lines = [f"| {fault} | yes | 0 |" for fault in (*FAULTS, "another run at work")]
    assert "\n".join(lines) in (ROOT / "README.md").read_text(encoding="utf-8")


NOTEBOOK = """{"cells": [
 {"cell_type": "code", "execution_count": null, "id": "a", "metadata": {"tags": ["parameters"]},
  "outputs": [], "source": "mark = ''"},
 {"cell_type": "code", "execution_count": null, "id": "b", "metadata": {}, "outputs": [],
  "source": "import os, pathlib\\nfile = pathlib.Path(mark)\\n%s\\nprint('alive')"}],
 "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
 "nbformat": 4, "nbformat_minor": 5}"""


def test_kernel_that_dies_is_followed_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_DEFAULT_PROVISIONER_NAME", PROVISIONER)
    notebook, target = tmp_path / "once.ipynb", tmp_path / "done.ipynb"
    dies_once = "if not file.exists(): file.touch(); os._exit(1)"
    notebook.write_text(NOTEBOOK % dies_once, encoding="utf-8")
    execute(notebook, target, {"mark": str(tmp_path / "mark")})
    assert "alive" in target.read_text(encoding="utf-8")


def test_kernel_that_dies_again_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_DEFAULT_PROVISIONER_NAME", PROVISIONER)
    notebook = tmp_path / "always.ipynb"
    notebook.write_text(NOTEBOOK % "os._exit(1)", encoding="utf-8")
    with pytest.raises(KalibError, match="always: its kernel died"):
        execute(notebook, tmp_path / "done.ipynb", {"mark": "x"})
    assert not (tmp_path / "done.ipynb").exists()
