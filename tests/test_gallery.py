"""The gallery's studies come from the installed package, and its notebooks say what they said."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import papermill
import pytest
from conftest import ROOT

from kalib.runs.execution import _engine

GALLERY = ROOT / "docs/gallery"
NOTEBOOKS = sorted(GALLERY.glob("*.ipynb"))
MOST_LINES = 6  # of a cell


@pytest.fixture(scope="module")
def gallery() -> Iterator[Path]:
    """The gallery's folder, with the tables of its studies, and one kernel for its notebooks."""
    command = [sys.executable, str(ROOT / "benchmarks/real/gallery.py")]
    subprocess.run(command, check=True, capture_output=True)
    yield GALLERY
    _engine().stop()


def said(notebook: nbformat.NotebookNode) -> list[str]:
    """What its cells print, charts aside."""
    shown = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    texts = [out.get("text", out.get("data", {}).get("text/plain", "")) for out in shown]
    return [text for text in texts if not text.startswith(("<Figure", "<Axes"))]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_essays(path: Path) -> None:
    """Executed in order, cells short, nothing defined and nothing looped in them."""
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        lines = [line for line in cell.source.splitlines() if line]
        assert len(lines) <= MOST_LINES
        assert not any(line.lstrip().startswith(("def ", "for ", "while ")) for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_say_what_they_said(path: Path, gallery: Path) -> None:
    committed = nbformat.read(path, 4)
    again = papermill.execute_notebook(
        str(path), None, engine_name=_engine().name, kernel_name="python3", progress_bar=False,
        folder=str(gallery),
    )  # fmt: skip
    assert said(again) == said(committed)


@pytest.mark.slow
def test_no_table_of_a_package_is_in_the_repository(gallery: Path) -> None:
    tables = [str(path.relative_to(ROOT)) for path in gallery.rglob("*.csv")]
    assert len(tables) == 12
    ignored = subprocess.run(
        ["git", "check-ignore", *tables], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ignored.returncode == 128 or ignored.stdout.split() == tables  # 128: no repository
