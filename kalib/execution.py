"""The notebooks, executed in order with parameters that they know."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from kalib.errors import KalibError, Problem, StudyError

PARAMETERS = ("study", "folder", "settings")
CELL_SECONDS = 3600  # a cell that takes longer hangs


def notebook_folder() -> Path:
    """Where the notebooks lie: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent
    inside = package / "notebooks"
    return inside if inside.is_dir() else package.parent / "notebooks"


def notebook_paths() -> list[Path]:
    """The notebooks of a run, in order."""
    found = sorted(notebook_folder().glob("[0-9][0-9]-*.ipynb"))
    if not found:
        raise KalibError("the notebooks are missing from this installation; install kalib again")
    return found


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


def execute_notebooks(
    study_file: Path,
    work: Path,
    settings: Mapping[str, str],
    step: Callable[[str], None],
    workers: int = 2,
) -> dict[str, Mapping[str, Any]]:
    """Run every notebook into work/notebooks, workers at a time; name -> executed notebook.

    study_file: the study.toml; work: the run's folder; step is called with each notebook's name
    before it runs. Raises KalibError with the notebook and the error of the cell.
    """
    folder = work / "notebooks"
    folder.mkdir(parents=True, exist_ok=True)
    parameters = {
        "study": study_file.resolve().as_posix(),
        "folder": "..",
        "settings": dict(settings),
    }
    paths = notebook_paths()
    # Processes, since papermill changes the working folder of the whole process it runs in.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        futures = [pool.submit(_execute, path, folder / path.name, parameters) for path in paths]
        executed = {}
        for path, future in zip(paths, futures, strict=True):
            step(path.stem)
            executed[path.stem] = future.result()
    return executed


def refresh_notebooks() -> None:
    """Execute the notebooks in place on their default study, as they are committed."""
    for path in notebook_paths():
        _execute(path, path, {})


def _execute(path: Path, target: Path, parameters: Mapping[str, object]) -> Mapping[str, Any]:
    """Run one notebook in target's folder and write it there."""
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    check_parameters(path, parameters)
    try:
        notebook = dict(
            papermill.execute_notebook(
                str(path),
                None,
                parameters=dict(parameters),
                cwd=str(target.parent),
                kernel_name="python3",
                progress_bar=False,
                request_save_on_cell_execute=False,
                execution_timeout=CELL_SECONDS,
                extra_arguments=["--log-level=CRITICAL"],
            )
        )
    except PapermillExecutionError as error:
        raise KalibError(f"notebook {path.stem}: {error.ename}: {error.evalue}") from error
    except (DeadKernelError, RuntimeError) as error:
        raise KalibError(
            f"notebook {path.stem}: its kernel died, perhaps for want of memory; "
            "close other programs and run again"
        ) from error
    return _tidy(notebook, target, parameters)


def _tidy(notebook: dict[str, Any], path: Path, parameters: Mapping[str, object]) -> dict[str, Any]:
    """Write an executed notebook without times and paths: it travels with the report, should not
    change where its content did not, and says nothing of the machine."""
    notebook["metadata"].pop("papermill", None)
    place = str(parameters.get("study", ""))
    shown = "/".join(Path(place).parts[-2:])
    for cell in notebook["cells"]:
        for key in ("papermill", "execution"):
            cell["metadata"].pop(key, None)
        if "injected-parameters" in cell["metadata"].get("tags", []):
            cell["source"] = cell["source"].replace(place, shown)
    text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8")
    return notebook


if __name__ == "__main__":
    refresh_notebooks()
