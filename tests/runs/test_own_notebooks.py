"""A study's own notebooks: run where that is asked for, from an edited cell to the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner, Result
from conftest import readable
from lxml import html
from test_engine import write_notebook

from kalib.cli import main
from kalib.errors import KalibError, StudyError
from kalib.files import read_run
from kalib.runs.batch import _plan
from kalib.runs.execution import check_own, notebooks_of_run
from kalib.runs.provenance import Options, inputs_of
from kalib.runs.run import _own_notebooks
from kalib.study.loading import read_study

SHOW = "from IPython.display import HTML; HTML(%s)"


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.fixture
def study(small_study: Path) -> Path:
    """A study whose first notebook has one more cell, and that has a notebook of its own; the
    kit's others are as short as can be."""
    own = small_study / "notebooks"
    (own / ".ipynb_checkpoints").mkdir(parents=True)
    first, *others = notebooks_of_run(None)
    edited = nbformat.read(first, as_version=4)
    edited.cells.append(nbformat.v4.new_code_cell(SHOW % "f'an analyst {6 * 7}'"))
    nbformat.write(edited, own / first.name)
    for path in others:
        write_notebook(own / path.name, [], "study = ''")
    write_notebook(own / "20-mine.ipynb", [SHOW % "study[-10:] + ' seen by mine'"], "study = ''")
    write_notebook(own / ".ipynb_checkpoints/20-mine-checkpoint.ipynb", ["1 / 0"])
    return small_study


def test_an_edited_cell_reaches_the_report_and_the_next_run(
    study: Path, tmp_path: Path, run_here: Callable[..., Path]
) -> None:
    report = run_here(study, tmp_path / "report", own_notebooks=True)
    text = readable(html.parse(str(report / "index.html")).getroot())
    assert "an analyst 42" in text and "study.toml seen by mine" in text
    names = [path.name for path in sorted((report / "notebooks").iterdir())]
    assert names == [*(path.name for path in notebooks_of_run(None)), "20-mine.ipynb"]
    run = read_run(report)
    assert {"notebooks/01-indicators.ipynb", "notebooks/20-mine.ipynb"} <= set(run["data"])
    done = call("run", study, "--out", report, "--own-notebooks")
    assert done.exit_code == 0 and "nothing has changed" in done.stderr
    done = call("rerun", report, "--study", study)
    assert done.exit_code == 2 and "Give --own-notebooks if it is trusted" in done.stderr
    options = Options(own_notebooks=True)
    assert _plan(str(study), report, options, False).current
    file = study / "notebooks/20-mine.ipynb"
    file.write_text(file.read_text().replace("seen by mine", "seen anew"))
    assert not _plan(str(study), report, options, False).current


def test_without_the_flag_they_are_named_and_left(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = read_study(study)
    assert _own_notebooks(asked, Options()) == []
    said = capsys.readouterr().err
    assert "notebooks/01-indicators.ipynb, " in said and "notebooks/20-mine.ipynb left" in said
    assert "--own-notebooks" in said
    assert not any(name.startswith("notebooks/") for name in inputs_of(asked, Options())["data"])


def test_order_and_places(study: Path) -> None:
    own = [study / "notebooks" / name for name in ("01-indicators.ipynb", "20-mine.ipynb")]
    names = [path.parent for path in notebooks_of_run(None, own)]
    assert names[0] == names[-1] == study / "notebooks" and study / "notebooks" not in names[1:-1]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cells": 1}', "[" * 100_000])
def test_what_is_no_notebook_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.ipynb"
    path.write_text(text)
    good = tmp_path / "good.ipynb"
    good.write_text(json.dumps({"cells": []}))
    with pytest.raises(StudyError, match=r"mine\.ipynb: is no notebook"):
        check_own([good, path])


def test_a_cell_of_its_own_that_fails_is_told(
    study: Path, tmp_path: Path, run_here: Callable[..., Path]
) -> None:
    write_notebook(study / "notebooks/01-indicators.ipynb", ["absent"])
    with pytest.raises(KalibError, match="notebook 01-indicators: NameError: name 'absent' is not"):
        run_here(study, tmp_path / "report", own_notebooks=True)
    assert not (tmp_path / "report").exists()
