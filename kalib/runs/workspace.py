"""Working folders: a shipped study, the notebooks, and places for data and reports."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from kalib.errors import Problem, StudyError, need
from kalib.files import file_hash, shipped, whole
from kalib.runs.execution import notebook_paths

EXAMPLE = "fmcg-supermarkets"  # of which the notebooks tell; a year earlier, too
EARLIER = f"{EXAMPLE}-2025"


def write_demo(folder: Path) -> Path:
    """Write the example study below a folder, over nothing; returns the study's folder."""
    _copy(_study_files(EXAMPLE), folder)
    return folder / "data" / EXAMPLE


def init_folder(folder: Path) -> None:
    """Make a folder to work in: notebooks, the example study in two waves, data/ and reports/."""
    files = {f"notebooks/{path.name}": path for path in notebook_paths()}
    _copy(files | _study_files(EXAMPLE) | _study_files(EARLIER), folder)
    (folder / "reports").mkdir(exist_ok=True)


def open_lab(folder: Path) -> int:
    """JupyterLab with a folder as its root; returns its exit status when it ends."""
    need("lab")
    if not folder.is_dir():
        raise StudyError("there is no such folder", file=str(folder),
                         remedy="`kalib init DIR` makes one to work in")  # fmt: skip
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder.resolve()}"]
    first = notebook_paths()[0].name
    if (folder / "notebooks" / first).is_file():
        command.append(f"--LabApp.default_url=/lab/tree/notebooks/{first}")
    return subprocess.run(command, check=False).returncode


def _study_files(study: str) -> dict[str, Path]:
    folder = f"data/{study}"
    return {f"{folder}/{p.name}": p for p in shipped(folder).iterdir() if p.is_file()}


def _copy(files: Mapping[str, Path], folder: Path) -> None:
    """Copy files to their names below a folder; all or none, and none over another."""
    targets = {folder / name: path for name, path in files.items()}
    taken = [to for to, path in targets.items() if to.exists() and file_hash(to) != file_hash(path)]
    if taken:
        remedy = "Give a new folder, or move the file"
        raise StudyError(
            Problem("is there already, and another", str(target), remedy=remedy) for target in taken
        )
    for target, path in targets.items():
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            with whole(target) as part:
                part.write_bytes(path.read_bytes())
