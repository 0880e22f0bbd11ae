"""What a run was made from, so that it can be repeated, and need not be where nothing changed."""

from __future__ import annotations

import hmac
import platform
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalib import __version__
from kalib.files import MARK, code_hash, file_hash, json_hash, read_run
from kalib.study.settings import Study

if TYPE_CHECKING:
    from kalib.tables.anonymize import Secret

COMPARED = ("accounts.csv", "formula.json", "summary.json")  # the same bytes from the same inputs
DOCUMENTS = ("report.pdf", "deck.pptx", "accounts.xlsx")
DELIVERED = (*COMPARED, *DOCUMENTS, "accounts.parquet", "verdict.json", "index.html")
NOTEBOOKS = "notebooks"  # in a study's folder, and in a report
DISTRIBUTION = "kalib-kit"
ASIDE = r"extra == .(test|benchmark|docs)"


@dataclass(frozen=True)
class Options:
    """What is asked of a run.

    settings: "section.key" -> value, laid over the study file; overrides: a workbook in which field
    experts replaced potentials; secret: where the key of the codes is that stand for names and ids,
    None to name them; force: run also what has not changed, and move aside what is not ours in the
    report's place; own_notebooks: run those of the study's folder, which are code.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    overrides: Path | None = None
    secret: Secret | None = None
    force: bool = False
    own_notebooks: bool = False

    def key(self, study: Study) -> bytes | None:
        """The key of a study's codes."""
        return self.secret.key(study.folder) if self.secret else None


def inputs_of(
    study: Study, options: Options, key: bytes | None = None, earlier: Path | None = None
) -> dict[str, Any]:
    """All that a run's report depends on: data, parameters, code, the packages' versions, the
    earlier wave it is compared with, and a trace of the key that codes names, None without one."""
    overrides = options.overrides
    look = [name for name in (study.report.template, study.report.logo) if name]
    names = [study.file.name, *study.tables.values(), *look, "codebook.md"]
    if options.own_notebooks:
        names += [f"{NOTEBOOKS}/{path.name}" for path in own_notebooks(study.folder)]
    read = {name: study.folder / name for name in names}
    return {
        "kalib": __version__, "code": code_hash(),
        "python": platform.python_version(), "packages": packages(),
        "study": study.name, "period": study.period,
        "data": {name: file_hash(path) for name, path in read.items() if path.is_file()},
        "parameters": study.model_dump(mode="json", exclude={"folder"}),
        "settings": dict(options.settings),
        "overrides": file_hash(overrides) if overrides and overrides.is_file() else None,
        "earlier": read_run(earlier).get("fingerprint") if earlier else None,
        "anonymized": hmac.digest(key, b"run", "sha256").hex()[:12] if key else None,
    }  # fmt: skip


def own_notebooks(study: Path) -> list[Path]:
    """The notebooks in a study's folder, in order."""
    return sorted((study / NOTEBOOKS).glob("[!.]*.ipynb"))


def provenance(
    inputs: Mapping[str, Any], overrides: Mapping[str, Any] | None, seed: int,
    seconds: Mapping[str, float],
) -> dict[str, Any]:  # fmt: skip
    """run.json: inputs and their hash, seed, seconds per step; overrides: experts', or None."""
    return {
        **inputs, "overrides": overrides, "anonymized": bool(inputs["anonymized"]),
        "fingerprint": json_hash(inputs), "platform": f"{platform.system()} {platform.machine()}",
        "seed": seed, "seconds": {name: round(value, 3) for name, value in seconds.items()},
    }  # fmt: skip


def earlier_report(target: Path, study: str, period: str) -> Path | None:
    """The latest report of an earlier period of the study beside target, None where there is none;
    periods are compared as text: 2025 before 2026, 2026-Q1 before 2026-Q2."""
    found = []
    for mark in target.resolve().parent.glob(f"[!.]*/{MARK}"):
        run = read_run(mark.parent)
        if run.get("study") == study and str(run.get("period", period)) < period:
            found.append((str(run["period"]), mark.parent))
    return max(found)[1] if found else None


@cache
def packages() -> dict[str, str]:
    """Versions of the installed packages that the kit itself asks for, tests' and peers' aside."""
    found = {}
    for line in requires(DISTRIBUTION) or []:
        name = re.match(r"[\w.-]+", line)
        if name and name[0] != DISTRIBUTION and not re.search(ASIDE, line):
            with suppress(PackageNotFoundError):
                found[name[0].lower()] = version(name[0])
    return dict(sorted(found.items()))
