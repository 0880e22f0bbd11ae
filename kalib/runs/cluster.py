"""Studies on the workers of a Dask cluster; no folder need be shared with them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from kalib.errors import KalibError, need
from kalib.files import report_folder
from kalib.runs.processes import start
from kalib.runs.provenance import input_files
from kalib.study.loading import read_study, study_path
from kalib.tables.anonymize import Secret

if TYPE_CHECKING:
    from kalib.runs.batch import Asked

CONNECT_SECONDS = 10
STUDY, REPORT, OVERRIDES, KEY = "study", "report", "overrides.xlsx", "key"


@contextmanager
def connected(scheduler: str) -> Iterator[Any]:
    """A client of the scheduler at an address. Raises KalibError where there is none."""
    need("cluster")
    from distributed import Client

    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise KalibError(f"no Dask scheduler answers at {scheduler}") from error
    try:
        yield client
    finally:
        client.close()


def run_there(
    client: Any,
    study: str,
    target: Path,
    asked: Asked,
    key: bytes | None,
) -> Path:
    """Run a study on a worker and put its report at target, moved in whole.

    The study's files travel to the worker, the report comes back. Raises what the run raises, and
    StudyError for a bad study file.
    """
    file = study_path(study)
    files = {
        f"{STUDY}/{name}": path.read_bytes()
        for name, path in input_files(read_study(study, asked.settings), file).items()
    }
    if asked.overrides:
        files[OVERRIDES] = asked.overrides.read_bytes()
    if key:
        files[KEY] = key
    with report_folder(target, force=asked.force) as work:
        study_file = f"{STUDY}/{file.name}"
        future = client.submit(run_packed, files, study_file, asked.settings, pure=False)
        with zipfile.ZipFile(io.BytesIO(future.result())) as packed:
            packed.extractall(work)
    return target


def run_packed(files: dict[str, bytes], study: str, settings: dict[str, str]) -> bytes:
    """On a worker: run the study whose files these are; its report as a zip file's bytes."""
    with TemporaryDirectory(prefix="kalib-") as place:
        folder = Path(place)
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        overrides = folder / OVERRIDES if OVERRIDES in files else None
        # A process of its own: a worker runs several tasks in threads, which charts can't share.
        secret = Secret(folder / KEY) if KEY in files else None
        arguments = [str(folder / study), folder / REPORT, settings, None, overrides, secret]
        report = start("kalib.runs.run:run_study", arguments, early=True).result()
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(report.rglob("*")):
                archive.write(path, path.relative_to(report))
    return packed.getvalue()
