"""The notebooks, executed in order with parameters that they know."""

from __future__ import annotations

import json
import logging
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from kalib.errors import KalibError, Problem, StudyError
from kalib.files import PACKAGE, whole
from kalib.runs.processes import start
from kalib.words.chapters import in_language

SCRATCH = ".scratch"
WAVES = "06-waves"  # compares with the wave before, where there is one
LARGE = "07-large-tables"  # belongs to no report: its tables may be of any size
PROVISIONER = "kalib-forked"  # as registered in pyproject.toml
PATHS = re.compile(r"(?m)^(study|overrides) = .*$")  # lines of parameters that name a place
WIDGET = "application/vnd.jupyter.widget-view+json"
ORDINARY = "local-provisioner"  # Jupyter's own
CELL_SECONDS = 3600  # a cell that takes longer hangs
Step = Callable[[str], AbstractContextManager[None]]


def notebook_folder() -> Path:
    """Where the notebooks lie: inside the installed package, or beside it in a checkout."""
    inside = PACKAGE / "notebooks"
    return inside if inside.is_dir() else PACKAGE.parent / "notebooks"


def notebook_paths() -> list[Path]:
    """All notebooks, in order."""
    found = sorted(notebook_folder().glob("[0-9][0-9]-*.ipynb"))
    if not found:
        raise KalibError("the notebooks are missing; install kalib-kit again")
    return found


def notebooks_of_run(before: Path | None) -> list[Path]:
    """The notebooks of a run; the one that compares waves only where there is an earlier one."""
    left_out = {LARGE} if before else {LARGE, WAVES}
    return [path for path in notebook_paths() if path.stem not in left_out]


def check_parameters(notebook: Path, parameters: Mapping[str, object]) -> None:
    """Refuse parameters that the notebook has no default for: papermill would only warn."""
    import papermill

    known = papermill.inspect_notebook(str(notebook))
    strange = [name for name in parameters if name not in known]
    if strange:
        raise StudyError(
            [
                Problem(f"no parameter {name!r}", file=notebook.name,
                        remedy=f"It takes {', '.join(known)}")
                for name in strange
            ]
        )  # fmt: skip


@contextmanager
def execute_notebooks(
    parameters: Mapping[str, object],
    work: Path,
    step: Step,
    workers: int = 2,
    before: Path | None = None,
    language: str = "en",
) -> Iterator[Callable[[], dict[str, Mapping[str, Any]]]]:
    """Run every notebook into work/notebooks, workers at a time, while the block runs.

    parameters: of every notebook; work: the run's folder; step(name) is entered as a notebook
    runs; before: the report of an earlier wave, which lies beside work; language: of the prose.
    One that is there already, from an interrupted run, is kept. The block gets a function that
    waits for the notebooks: name -> executed notebook; it raises KalibError with the notebook and
    the error of the cell.
    """
    folder = work / "notebooks"
    folder.mkdir(parents=True, exist_ok=True)

    def run(path: Path) -> Mapping[str, Any]:
        target = folder / path.name
        if not target.exists():
            with step(path.stem):
                more = {"before": f"../../{before.name}"} if before and path.stem == WAVES else {}
                given = {**parameters, **more}
                arguments = [str(path), str(target), given, language, str(work / SCRATCH)]
                start("kalib.runs.execution:run_notebook", arguments).result()
        return json.loads(target.read_text(encoding="utf-8"))

    pool = ThreadPoolExecutor(workers)
    futures = {path.stem: pool.submit(run, path) for path in notebooks_of_run(before)}
    try:
        yield lambda: {name: future.result() for name, future in futures.items()}
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def run_notebook(
    path: str, target: str, parameters: Mapping[str, object], language: str, scratch: str
) -> None:
    """Run one notebook in a process of its own. scratch: for Jupyter's files."""
    _keep_to(Path(scratch))
    logging.getLogger("papermill").setLevel(logging.CRITICAL)  # the error says it, once
    execute(Path(path), Path(target), parameters, language)


def _keep_to(scratch: Path) -> None:
    """Have Jupyter and IPython read no settings of the user's and leave no files elsewhere: the
    run needs no home folder, and means the same on every machine."""
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "TMPDIR"):
        place = scratch / name.lower()
        place.mkdir(parents=True, exist_ok=True)
        os.environ[name] = str(place)
    tempfile.tempdir = None
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    os.environ["JUPYTER_DEFAULT_PROVISIONER_NAME"] = PROVISIONER


def refresh_notebooks() -> None:
    """Execute the notebooks in place on their default study, as they are committed."""
    for path in notebook_paths():
        execute(path, path, {})


def execute(
    path: Path, target: Path, parameters: Mapping[str, object], language: str = "en"
) -> None:
    """Run one notebook in target's folder and write it there, its prose in the language. Raises
    StudyError for a parameter it does not know, KalibError where a cell fails or its kernel dies
    twice."""
    from papermill.exceptions import PapermillExecutionError

    check_parameters(path, parameters)
    try:
        notebook = _run_cells(path, target.parent, parameters)
    except PapermillExecutionError as error:
        raise KalibError(f"notebook {path.stem}: {error.ename}: {error.evalue}") from error
    except RuntimeError as error:
        raise KalibError(
            f"notebook {path.stem}: its kernel died, perhaps for want of memory; "
            "close other programs and run again"
        ) from error
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = in_language("".join(cell["source"]), language)
    _tidy(notebook, target, parameters)


def _run_cells(path: Path, folder: Path, parameters: Mapping[str, object]) -> dict[str, Any]:
    """Run a notebook's cells. A kernel that dies is followed by one more, an ordinary one: ports
    are chosen before they are taken, so another program may have come between."""
    import papermill

    def run() -> dict[str, Any]:
        return dict(
            papermill.execute_notebook(
                str(path),
                None,
                parameters=dict(parameters),
                cwd=str(folder),
                kernel_name="python3",
                progress_bar=False,
                request_save_on_cell_execute=False,
                execution_timeout=CELL_SECONDS,
                extra_arguments=["--log-level=CRITICAL"],
            )
        )

    with suppress(RuntimeError):  # what a dead kernel raises, in a cell or before the first
        return run()
    os.environ["JUPYTER_DEFAULT_PROVISIONER_NAME"] = ORDINARY
    return run()


def _tidy(notebook: dict[str, Any], path: Path, parameters: Mapping[str, object]) -> None:
    """Write an executed notebook without times and paths: it travels with the report, should not
    change where its content did not, and says nothing of the machine. A widget lives in its kernel:
    what is stored of it, under random names, is dead."""
    for key in ("papermill", "widgets"):
        notebook["metadata"].pop(key, None)

    def named(line: re.Match[str]) -> str:
        # Not the path as it is: papermill writes quotes and backslashes in it another way.
        parts = Path(str(parameters.get(line[1], ""))).parts[-2:]
        return f"{line[1]} = {json.dumps('/'.join(parts), ensure_ascii=False)}"

    for cell in notebook["cells"]:
        for key in ("papermill", "execution"):
            cell["metadata"].pop(key, None)
        if cell["cell_type"] == "code":
            shown = [output for output in cell["outputs"] if WIDGET not in output.get("data", {})]
            cell["outputs"] = shown
        if "injected-parameters" in cell["metadata"].get("tags", []):
            cell["source"] = PATHS.sub(named, cell["source"])
    text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    refresh_notebooks()
