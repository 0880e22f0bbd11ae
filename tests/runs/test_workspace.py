"""Folders to work in, from a checkout and from the wheel."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from conftest import ROOT

from kalib.cli import main
from kalib.runs import workspace
from kalib.runs.execution import notebook_paths


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_init_makes_a_folder_to_work_in_over_nothing(tmp_path: Path) -> None:
    assert call("init", tmp_path / "mine").exit_code == 0
    made = names(tmp_path / "mine")
    assert {"data", "reports", "data/fmcg-supermarkets/study.toml"} <= made
    assert {f"notebooks/{path.name}" for path in notebook_paths()} <= made
    assert call("init", tmp_path / "mine").exit_code == 0, "nothing would be changed"
    first, table = tmp_path / "mine/notebooks/01-indicators.ipynb", tmp_path / "mine/data/x.csv"
    first.write_text("mine")
    table.write_text("mine")
    study = tmp_path / "mine/data/fmcg-supermarkets/study.toml"
    study.write_text("mine")
    (tmp_path / "mine/notebooks/02-diagnostics.ipynb").unlink()
    done = call("init", tmp_path / "mine")
    assert done.exit_code == 2 and "2 problems" in done.stderr
    assert "01-indicators.ipynb" in done.stderr and "study.toml" in done.stderr
    assert {path.read_text() for path in (first, table, study)} == {"mine"}
    assert not (tmp_path / "mine/notebooks/02-diagnostics.ipynb").exists()
    assert call("demo", tmp_path / "mine").exit_code == 2


def test_lab_opens_the_folder_with_data_and_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("init", tmp_path / "mine")
    commands = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(workspace, "need", lambda _: None)
    assert call("lab", tmp_path / "mine").exit_code == 0
    assert f"--ServerApp.root_dir={tmp_path / 'mine'}" in commands[0]
    assert commands[0][-1].endswith("/lab/tree/notebooks/01-indicators.ipynb")
    done = call("lab", tmp_path / "absent")
    assert done.exit_code == 2 and "kalib init DIR" in done.stderr


def test_lab_that_is_not_installed_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kalib.errors.find_spec", lambda _: None)
    done = call("lab")
    assert done.exit_code == 2 and "pip install 'kalib-kit[lab]'" in done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked."""
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling, which builds the wheel, is not installed")
    place = tmp_path_factory.mktemp("wheel")
    build = "from hatchling.build import build_wheel; import sys; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, place], cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(place.glob("*.whl"))) as archive:
        archive.extractall(place / "site")
    return place / "site"


def test_the_wheel_has_all_that_a_working_folder_needs(wheel: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(wheel)}
    command = [sys.executable, "-m", "kalib"]
    for arguments in (["init", "mine"], ["demo"], ["list", "--data", "kalib-demo/data"]):
        done = subprocess.run([*command, *arguments], cwd=tmp_path, env=environment,
                              capture_output=True, text=True)  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert "fmcg-supermarkets" in done.stdout
    assert (tmp_path / "mine/notebooks/01-indicators.ipynb").is_file()
    assert (tmp_path / "kalib-demo/reports/fmcg-supermarkets/2026/report.pdf").is_file()
    code = "import kalib; print(kalib.__file__)"
    where = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment,
                           capture_output=True, text=True)  # fmt: skip
    assert where.stdout.startswith(str(wheel))
