"""The notebooks of a run, executed in order with parameters that they know."""

from __future__ import annotations

import json
import logging
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalib.errors import DIED, KalibError, Problem, StudyError
from kalib.files import shipped, whole
from kalib.words.catalogue import in_language

if TYPE_CHECKING:
    from kalib.runs.engine import KeptKernel

SCRATCH = ".scratch"
PLAN = "05-sales-plan"  # learns from the wave before, where there is one
WAVES = "06-waves"  # compares with the wave before, where there is one
LARGE = "07-large-tables"  # belongs to no report: its tables may be of any size
PATHS = re.compile(r"(?m)^(study|overrides) = .*$")  # lines of parameters that name a place
WIDGET = "application/vnd.jupyter.widget-view+json"
CELL_SECONDS = 3600  # a cell that takes longer hangs
KILL_SECONDS = 0.1
Step = Callable[[str], AbstractContextManager[None]]
Parameters = Mapping[str, object]


def notebook_paths() -> list[Path]:
    """All notebooks, in order."""
    found = sorted(shipped("notebooks").glob("[0-9][0-9]-*.ipynb"))
    if not found:
        raise KalibError("the notebooks are missing; install kalib-kit again")
    return found


def notebooks_of_run(before: Path | None, own: Sequence[Path] = ()) -> list[Path]:
    """The notebooks of a run; the one that compares waves only where there is an earlier one. own:
    of the study, in the place of the kit's of the same name, or after them."""
    left_out = {LARGE} if before else {LARGE, WAVES}
    places = {path.name: path for path in notebook_paths()} | {path.name: path for path in own}
    return [path for path in places.values() if path.stem not in left_out or path in own]


def check_own(notebooks: Sequence[Path]) -> None:
    """Refuse, before anything is computed, what is no notebook or names no kernel."""
    problems = []
    for path in notebooks:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            for needed in (content["cells"], content["metadata"]["kernelspec"]["name"]):
                list(needed)
        except (ValueError, TypeError, KeyError, RecursionError):
            file = f"{path.parent.name}/{path.name}"
            remedy = "Save it again in JupyterLab, or remove it"
            problems.append(Problem("is no notebook, or names no kernel", file=file, remedy=remedy))
    if problems:
        raise StudyError(problems)


class Notebooks(AbstractContextManager["Notebooks"]):
    """Notebooks executed in the background, one after another in one kept kernel.

    work: the run's folder, below which those from an interrupted run are kept; step(name) is
    entered as a notebook runs; language: of the prose. The kernel lives as long as the block.
    """

    def __init__(self, work: Path, step: Step, language: str = "en") -> None:
        self._folder, self._step, self._language = work / "notebooks", step, language
        self._folder.mkdir(parents=True, exist_ok=True)
        _engine()  # here, where nothing else is imported at the same time
        self._pool = ThreadPoolExecutor(1)  # the kernel's channels belong to its thread
        self._started = self._pool.submit(_start, work / SCRATCH)
        self._jobs: dict[str, Future[dict[str, Any]]] = {}

    def run(self, path: Path, parameters: Parameters) -> None:
        """Run a notebook after those before."""
        self._jobs[path.stem] = self._pool.submit(self._run, path, parameters)

    def results(self) -> dict[str, Mapping[str, Any]]:
        """Wait for the notebooks: name -> executed notebook, or KalibError with what one raised."""
        self._started.result()
        return {name: job.result() for name, job in self._jobs.items()}

    def __exit__(self, *_: object) -> None:
        for job in self._jobs.values():
            job.cancel()
        stopped = self._pool.submit(lambda: _engine().stop())
        while wait([stopped], timeout=KILL_SECONDS).not_done:
            _engine().kill()  # the cell at work, if there is one
        self._pool.shutdown()

    def _run(self, path: Path, parameters: Parameters) -> dict[str, Any]:
        import papermill

        target = self._folder / path.name
        if not target.exists():
            with self._step(path.stem):
                known = papermill.inspect_notebook(str(path))  # of others it would only warn
                given = {name: value for name, value in parameters.items() if name in known}
                execute(path, target, given, self._language)
        return json.loads(target.read_text(encoding="utf-8"))


def _start(scratch: Path) -> None:
    logging.getLogger("papermill").setLevel(logging.CRITICAL)  # the error says it, once
    _engine().scratch = scratch
    with _told("the notebooks"):
        _engine().start()


def execute(path: Path, target: Path, parameters: Parameters, language: str = "en") -> None:
    """Run one notebook in target's folder and write it there, its prose in the language. Raises
    KalibError where a cell fails or lasts too long, or the kernel dies."""
    import papermill

    with _told(f"notebook {path.stem}"):
        notebook = papermill.execute_notebook(
            str(path), None, parameters=dict(parameters), engine_name=_engine().name,
            folder=str(target.parent.resolve()), kernel_name="python3", progress_bar=False,
            execution_timeout=CELL_SECONDS,
        )  # fmt: skip
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = in_language("".join(cell["source"]), language)
    _tidy(notebook, target, parameters)


@contextmanager
def _told(what: str) -> Iterator[None]:
    """What ends a notebook before its end, in one message."""
    from nbclient.exceptions import CellTimeoutError
    from papermill.exceptions import PapermillExecutionError

    try:
        yield
    except PapermillExecutionError as error:
        raise KalibError(f"{what}: {error.ename}: {error.evalue}") from error
    except CellTimeoutError as error:
        said = f"a cell had not ended after {CELL_SECONDS:,} s; does it wait for something?"
        raise KalibError(f"{what}: {said}") from error
    except RuntimeError as error:
        raise KalibError(f"{what}: the kernel {DIED}") from error


def _engine() -> type[KeptKernel]:
    """Our engine of papermill, known to it also where the kit was not installed by a wheel.

    jsonschema, which comes with papermill, builds a grammar of international addresses for a format
    that no notebook has; a second long. Told that there is none, it does without."""
    warnings.filterwarnings("ignore", module="urllib3")  # of a proxy that nothing here uses
    absent = "rfc3987_syntax"
    sys.modules.setdefault(absent, None)  # type: ignore[arg-type]
    try:
        from papermill.engines import papermill_engines

        from kalib.runs.engine import KeptKernel
    finally:
        if sys.modules.get(absent, absent) is None:
            sys.modules.pop(absent, None)
    papermill_engines.register(KeptKernel.name, KeptKernel)
    return KeptKernel


def _tidy(notebook: dict[str, Any], path: Path, parameters: Parameters) -> None:
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
            cell["outputs"] = [one for one in cell["outputs"] if WIDGET not in one.get("data", {})]
        if "injected-parameters" in cell["metadata"].get("tags", []):
            cell["source"] = PATHS.sub(named, cell["source"])
    text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


if __name__ == "__main__":  # refresh the notebooks on their default study, as they are committed
    for committed in notebook_paths():
        execute(committed, committed, {})
    _engine().stop()
