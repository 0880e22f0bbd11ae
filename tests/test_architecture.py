"""Rooms are steps of the method, and imports run one way."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from conftest import ROOT

PACKAGE = ROOT / "kalib"
FORBIDDEN = {"utils", "helpers", "common", "misc"}
MOST_NAMES = 18  # on the top level, dunder files and py.typed aside
MOST_LINES = 18_500  # on its way to 14,000


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def test_imports_run_one_way() -> None:
    """The layers stand in pyproject.toml."""
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_room_is_a_step() -> None:
    names = [path for path in PACKAGE.iterdir() if not path.name.startswith("_")]
    names = [path for path in names if path.name != "py.typed"]
    assert len(names) <= MOST_NAMES, sorted(path.name for path in names)
    assert not FORBIDDEN & {part.stem for path in modules() for part in (path, *path.parents)}


def test_the_package_is_small() -> None:
    assert sum(path.read_text(encoding="utf-8").count("\n") for path in modules()) <= MOST_LINES


def test_nothing_heavy_is_imported_by_the_command_line() -> None:
    top = ast.parse((PACKAGE / "cli.py").read_text()).body
    names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names} | {
        node.module for node in top if isinstance(node, ast.ImportFrom)
    }
    assert not {"pandas", "numpy", "papermill", "matplotlib"} & names
