"""Studies on the workers of a Dask cluster; no folder need be shared with them."""

from __future__ import annotations

import io
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from kalib.errors import KalibError, need
from kalib.files import report_folder
from kalib.runs.batch import Chains, Job, Outcome, Told, side_by_side
from kalib.runs.provenance import Options, input_files
from kalib.study.loading import read_study
from kalib.tables.anonymize import Secret

CONNECT_SECONDS = 10
OVERRIDES, KEY = "overrides.xlsx", "key"
_one_run = Lock()  # a worker runs tasks in threads, which charts and the kernel can't share


def run_there(scheduler: str, waiting: Chains, options: Options, told: Told) -> list[Outcome]:
    """Hand every study to a scheduler, which sends them to its workers: a study's files travel to
    one, the report comes back and is moved in whole. Raises KalibError where no scheduler is."""
    need("cluster")
    from distributed import Client

    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise KalibError(f"no Dask scheduler answers at {scheduler}") from error

    def run(job: Job) -> Path:
        told(job.study, f"sent to {scheduler}", 0, 1)
        study, target = read_study(job.study, options.settings), job.target or Path()
        read = {f"study/{name}": path for name, path in input_files(study, options).items()}
        read |= {OVERRIDES: options.overrides} if options.overrides else {}
        files = {name: path.read_bytes() for name, path in read.items()}
        if key := options.key(study):
            files[KEY] = key
        asked = replace(options, overrides=None, secret=None)
        with report_folder(target, force=options.force) as work:
            report = client.submit(run_packed, files, study.file.name, asked, pure=False)
            with zipfile.ZipFile(io.BytesIO(report.result())) as packed:
                packed.extractall(work)
        return target

    with client:
        return side_by_side(waiting, len(waiting), run)


def run_packed(files: dict[str, bytes], study: str, options: Options) -> bytes:
    """On a worker: run the study whose files these are; its report as a zip file's bytes."""
    from kalib.runs.run import run_study

    with TemporaryDirectory(prefix="kalib-") as place, _one_run:
        folder = Path(place)
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        overrides = folder / OVERRIDES if OVERRIDES in files else None
        secret = Secret(folder / KEY) if KEY in files else None
        options = replace(options, overrides=overrides, secret=secret)
        report = run_study(folder / "study" / study, folder / "report", options)
        return Path(shutil.make_archive(str(folder / "packed"), "zip", report)).read_bytes()
