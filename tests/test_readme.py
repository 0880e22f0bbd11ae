"""The README's commands and snippets, run as written."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted((ROOT / "docs").glob("*.md"))


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def commands() -> list[str]:
    lines = [line.split("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith("kalib")]


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert all((page.parent / link).exists() for link in links), links


def test_readme_is_short() -> None:
    assert len(README.splitlines()) <= 100


def test_readme_shows_commands() -> None:
    assert len(commands()) >= 4
    targets = re.findall(r"^make (\w+)", "\n".join(blocks("sh")), re.M)
    makefile = (ROOT / "Makefile").read_text()
    assert {"study", "test"} <= set(targets)
    assert all(re.search(rf"^{target}:", makefile, re.M) for target in targets)


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [line for line in commands() if not line.startswith(("kalib run", "kalib open"))]
)
def test_command_runs_as_written(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command.split()], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_run_command_with_settings_runs_as_written(tmp_path: Path) -> None:
    (command,) = [line for line in commands() if "--set" in line]
    shutil.copytree(ROOT / "data", tmp_path / "data")
    done = subprocess.run(
        [sys.executable, "-m", *command.split()], cwd=tmp_path, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "reports/what-if/index.html").exists()


@pytest.mark.slow
@pytest.mark.parametrize("snippet", blocks("python"))
def test_snippet_runs_as_written(snippet: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", snippet], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
