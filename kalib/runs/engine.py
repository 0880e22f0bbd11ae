"""A papermill engine that keeps one ordinary kernel over the notebooks of a run: what they import
is imported once, on every system. `papermill --engine kalib` uses it, too."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from subprocess import DEVNULL
from typing import ClassVar

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbclient.exceptions import CellTimeoutError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, NotebookExecutionManager
from papermill.log import logger

from kalib.errors import KalibError
from kalib.files import PACKAGE

START_SECONDS = 120  # a kernel that has not answered by then never will; cold imports take up to 30
BEGIN = "import kalib.runs.kernel as _k; _k.begin({!r})"
QUIET = ["--log-level=CRITICAL", "--HistoryManager.enabled=False"]


class KeptKernel(Engine):  # type: ignore[misc]
    """Executes notebooks one after another in one kernel, which begins each one afresh. After a
    cell that took too long, or a kernel that died, the next notebook gets a new one."""

    name: ClassVar[str] = "kalib"
    scratch: ClassVar[Path | None] = None  # for Jupyter's files; None: where the user has them
    _last: ClassVar[_Client | None] = None  # has the kernel and the channels to it

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: NotebookExecutionManager, kernel_name: str, folder: str = "",
        execution_timeout: int | None = None, **_: object,
    ) -> None:  # fmt: skip
        """Execute a notebook's cells in a folder; a cell may take so many seconds."""
        before = cls._last
        km, kc = (before.km, before.kc) if before else (None, None)
        if km is None:  # of the Python we run in, whatever else a user has installed
            this = KernelSpecManager(kernel_dirs=[])
            file = {"connection_file": str(cls.scratch / "kernel.json")} if cls.scratch else {}
            km = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=this, **file)
        client = _Client(
            nb_man, km=km, timeout=execution_timeout, startup_timeout=START_SECONDS,
            extra_arguments=list(QUIET), kernel_name=kernel_name, log=logger,
        )  # fmt: skip
        client.kc, client.folder = kc, folder or str(Path.cwd())
        cls._last = client
        try:
            client.execute(env=_environment(cls.scratch), stdout=DEVNULL, stderr=DEVNULL)
        except (CellTimeoutError, RuntimeError):  # a dead kernel's error is a RuntimeError
            cls.stop()
            raise

    @classmethod
    def start(cls) -> None:
        """Have the kernel there, and what notebooks need imported, before the first notebook."""
        early = nbformat.v4.new_notebook(metadata={"papermill": {}})
        early.cells = [nbformat.v4.new_code_cell("import kalib.runs.kernel as _k; _k.warm()")]
        cls.execute_notebook(early, "python3", progress_bar=False, folder=str(PACKAGE))

    @classmethod
    def stop(cls) -> None:
        """End the kernel, in the thread that it was started in."""
        client, cls._last = cls._last, None
        if client and client.km:
            if client.kc:
                client.kc.stop_channels()
            run_sync(client.km.shutdown_kernel)(now=True)

    @classmethod
    def kill(cls) -> None:
        """End the kernel's process, from any thread."""
        manager = cls._last.km if cls._last else None
        if process := getattr(getattr(manager, "provisioner", None), "process", None):
            process.kill()


class _Client(PapermillNotebookClient):  # type: ignore[misc]
    """Begins a notebook afresh in the kernel that it is given."""

    folder = ""

    def papermill_execute_cells(self) -> None:
        reply = self.wait_for_reply(self.kc.execute(BEGIN.format(self.folder), silent=True))
        if reply["content"]["status"] == "error":
            said = reply["content"]
            raise KalibError(f"the kernel can't begin: {said['ename']}: {said['evalue']}")
        super().papermill_execute_cells()


def _environment(scratch: Path | None) -> Mapping[str, str]:
    """The kernel reads no settings of the user's and leaves no files elsewhere: a run needs no home
    folder, and means the same on every machine."""
    found = dict(os.environ)
    if PACKAGE.parent.name != "site-packages":  # a checkout: the kernel has the code that we have
        places = filter(None, [str(PACKAGE.parent), found.get("PYTHONPATH")])
        found["PYTHONPATH"] = os.pathsep.join(places)
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "TMPDIR"):
        if scratch:
            place = scratch / name.lower()
            place.mkdir(parents=True, exist_ok=True)
            found[name] = str(place)
    return found
