"""One kernel over many notebooks: each finds it as if it were the first, and none outlives a run."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import nbformat
import pytest
from conftest import write_small_study

from kalib.errors import KalibError
from kalib.runs import execution
from kalib.runs.execution import Notebooks, execute, notebook_paths

SETS = (
    "import os, random, sys, warnings, matplotlib, numpy as np, pandas as pd",
    "matplotlib.rcParams['font.size'] = 33; pd.set_option('display.max_rows', 2); left = 1",
    "os.chdir('/'); os.environ['LEFT'] = '1'; sys.path.append('/left'); print(os.getcwd())",
    "warnings.simplefilter('ignore'); matplotlib.pyplot.figure().number",
)
SEES = (
    "import os, sys, warnings, matplotlib, pandas as pd",
    "matplotlib.rcParams['font.size'], pd.get_option('display.max_rows'), 'left' in globals()",
    "os.path.basename(os.getcwd()), 'LEFT' in os.environ, '/left' in sys.path",
    "warnings.warn('seen'); matplotlib.pyplot.figure().number",
)


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    """Our engine; its kernel ends with the module's tests."""
    engine = execution._engine()
    yield engine
    engine.stop()


def write_notebook(path: Path, cells: Sequence[str], parameters: str = "") -> Path:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in (parameters, *cells)]
    notebook.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(notebook, path)
    return path


def shown(path: Path) -> list[tuple[int | None, str]]:
    """The count and the outputs of each cell, whatever is drawn by chance aside."""
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    return [
        (cell.execution_count, re.sub(r"id='?\w+|kalib-\w+|/tmp/\S+", "", repr(cell.outputs)))
        for cell in cells
    ]


def test_notebooks_in_any_order_give_what_each_gives_alone(engine: Any, tmp_path: Path) -> None:
    paths = {name: write_notebook(tmp_path / f"{name}.ipynb", cells)
             for name, cells in (("sets", SETS), ("sees", SEES))}  # fmt: skip
    alone = {}
    for name, path in paths.items():
        execute(path, tmp_path / "alone.ipynb", {})
        alone[name] = shown(tmp_path / "alone.ipynb")
        engine.stop()
    assert "(10.0, 60, False)" in alone["sees"][2][1] and "UserWarning" in alone["sees"][4][1]
    for name in ("sets", "sees", "sees", "sets"):  # each before each
        execute(paths[name], tmp_path / "done.ipynb", {})
        assert shown(tmp_path / "done.ipynb") == alone[name]


def test_the_kit_s_notebooks_give_the_same_in_another_order(engine: Any, tmp_path: Path) -> None:
    given = {"study": str(write_small_study(tmp_path)), "folder": str(tmp_path)}
    first, last = notebook_paths()[0], notebook_paths()[3]
    for number, path in enumerate((first, last, first)):
        execute(path, tmp_path / f"{number}.ipynb", given)
    assert shown(tmp_path / "0.ipynb") == shown(tmp_path / "2.ipynb")


def test_a_dead_kernel_ends_in_one_message_and_the_next_is_new(engine: Any, tmp_path: Path) -> None:
    dies = write_notebook(tmp_path / "dies.ipynb", ["import os; os._exit(1)"])
    with pytest.raises(KalibError, match="notebook dies: the kernel died, perhaps for want of mem"):
        execute(dies, tmp_path / "done.ipynb", {})
    assert not (tmp_path / "done.ipynb").exists()
    execute(write_notebook(tmp_path / "a.ipynb", ["6 * 7"]), tmp_path / "done.ipynb", {})
    assert "'42'" in shown(tmp_path / "done.ipynb")[1][1]


def test_a_hanging_cell_ends_in_one_message_and_the_next_kernel_is_new(
    engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = write_notebook(tmp_path / "hangs.ipynb", ["import time; time.sleep(600)"])
    monkeypatch.setattr(execution, "CELL_SECONDS", 2)
    with pytest.raises(KalibError, match="notebook hangs: a cell had not ended after 2 s"):
        execute(hangs, tmp_path / "done.ipynb", {})
    monkeypatch.undo()
    execute(write_notebook(tmp_path / "a.ipynb", ["6 * 7"]), tmp_path / "done.ipynb", {})
    assert "'42'" in shown(tmp_path / "done.ipynb")[1][1]


def test_what_a_cell_raises_is_told_with_its_notebook(engine: Any, tmp_path: Path) -> None:
    fails = write_notebook(tmp_path / "fails.ipynb", ["1 / 0"])
    with pytest.raises(KalibError, match=r"^notebook fails: ZeroDivisionError: division by zero$"):
        execute(fails, tmp_path / "done.ipynb", {})


@pytest.mark.slow
def test_a_block_that_fails_ends_its_kernel_at_once(tmp_path: Path) -> None:
    """Also in the midst of a cell."""
    began = tmp_path / "began"
    cell = f"import os, pathlib, time; pathlib.Path({str(began)!r}).write_text(str(os.getpid()))"
    path = write_notebook(tmp_path / "long.ipynb", [f"{cell}; time.sleep(600)"])
    with pytest.raises(RuntimeError, match="stop"), \
            Notebooks(tmp_path, lambda _: nullcontext()) as notebooks:  # fmt: skip
        notebooks.run(path, {})
        until = time.monotonic() + 300
        while not began.exists() and time.monotonic() < until:
            time.sleep(0.05)
        process = int(began.read_text())
        raise RuntimeError("stop")
    assert not Path(f"/proc/{process}").exists()


@pytest.mark.slow
def test_papermill_s_own_command_knows_the_engine(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", ["print(x + 1)"], "x = 1")
    command = [sys.executable, "-m", "papermill", "--engine", "kalib", str(path), "-p", "x", "41"]
    done = subprocess.run([*command, str(tmp_path / "done.ipynb")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Fatal" not in done.stderr and "'42\\n'" in shown(tmp_path / "done.ipynb")[2][1]
