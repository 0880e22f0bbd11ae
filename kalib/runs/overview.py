"""All studies on one page, and what a batch came to in one table."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from glob import escape
from pathlib import Path

from kalib import __version__
from kalib.errors import StudyError, say
from kalib.files import ASIDE, CHANGED, MARK, MOVE, read_run, set_aside, whole
from kalib.runs.batch import Job
from kalib.runs.provenance import DOCUMENTS
from kalib.study.loading import read_study
from kalib.words.catalogue import Words

PAGE, SUMMARY = "index.html", "summary.json"
SEAL = "\n<!-- written by kalib; SHA-256 of all above: "
FOUND = ("verdict", "accounts", "market_share", "ka_new", "missed_by_sales")


def check_sealed(page: Path, *, force: bool = False) -> None:
    """Refuse to replace a page that is not ours as it was written; with force it is moved aside."""
    if not page.exists():
        return
    text, _, seal = page.read_text(encoding="utf-8", errors="replace").rpartition(SEAL)
    if seal == _seal(text):
        return
    if not force:
        raise StudyError(CHANGED, str(page), remedy=MOVE)
    set_aside(page)


def write_sealed(page: Path, text: str, *, force: bool = False) -> None:
    """Write a page that ends with a hash of itself, by which it is known for ours."""
    check_sealed(page, force=force)
    with whole(page) as part:
        part.write_bytes(f"{text}{SEAL}{_seal(text)}".encode())


def _seal(text: str) -> str:
    return f"{hashlib.sha256(text.encode()).hexdigest()} -->\n"


def write_overview(reports: Path) -> None:
    """Write reports/index.html: every report below the folder, a line each."""
    from kalib.report.page import render

    runs = []
    for file in sorted(reports.glob(f"*/*/{MARK}"), reverse=True):  # the latest period first
        summary, run = read_run(file.parent, SUMMARY), read_run(file.parent)
        if not summary or not run or file.parts[-3].startswith(ASIDE):
            continue
        runs.append({
            **{key: summary.get(key) for key in FOUND}, "name": run["study"],
            "title": run["parameters"]["study"]["title"] or run["study"], "period": run["period"],
            "language": run["parameters"]["report"]["language"],
            "folder": file.parent.relative_to(reports).as_posix(),
        })  # fmt: skip
    runs.sort(key=lambda run: run["name"])
    words = Words("zh" if {run["language"] for run in runs} == {"zh"} else "en", "")
    page = render("overview.html", runs=runs, words=words, files=DOCUMENTS, version=__version__)
    write_sealed(reports / PAGE, page)


def find_page(run: Path, reports: Path) -> Path:
    """The page of a run: run is a report's folder or its page, or a study's name, folder or file;
    of a study, the page of its own period, else of the latest."""
    for page in (run, run / PAGE):
        if page.is_file() and page.name == PAGE:
            return page
    name, period = run.name, ""
    if run.suffix == ".toml" or (run / "study.toml").is_file():
        about = read_study(run).study
        name, period = about.name, about.period
    runs = (file.parent for file in reports.glob(f"{escape(name)}/*/{MARK}"))
    for folder in sorted(runs, key=lambda each: (each.name == period, each), reverse=True):
        if (folder / PAGE).is_file():
            return folder / PAGE
    remedy = f"Give a report's folder or a study that was run; `kalib run` writes below {reports}"
    raise StudyError("there is no report", file=str(run), remedy=remedy)


def show_summary(jobs: Sequence[Job]) -> None:
    """A table on stderr, one line a study."""
    rows = []
    for job in jobs:
        about = read_run(job.report, SUMMARY) if job.report else {}
        ended = "failed" if job.error else "unchanged" if job.current else "done"
        found = [about.get(key) for key in FOUND if key != "accounts"]
        rows.append((job.study, ended, *found, job.seconds))
    from kalib.words.table import table  # takes longer than to refuse a wrong path

    say(repr(table(Words("en", ""), "batch", rows)))
