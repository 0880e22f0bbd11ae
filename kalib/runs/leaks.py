"""The last step of a run that codes names: every file is searched for the names themselves."""

from __future__ import annotations

import html
import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from kalib.errors import Problem, StudyError
from kalib.files import PACKAGE
from kalib.runs.execution import notebook_paths
from kalib.tables.anonymize import Phrases, distinctive

NAMING = ("account", "name", "parent", "rep", "rep_before", "override_by")  # columns of tables
# What is no text for people: pictures, styles, formulas and figures of a workbook.
UNREAD = re.compile(r"[\w+/=]{150,}|<style.*?</style>|<(\w+:)?v>[-+\d.eE]*<"
                    r"|<(\w+:)?(f|formula\d?|definedName)\b[^>]*>[^<]*<", re.S)  # fmt: skip
SHOWN = re.compile(r"[\s:](?:alt|title|name|descr|value|content|label|aria-label|placeholder|href"
                   r"|tooltip|prompt|data-[a-z-]+)\s*=\s*(\"[^\"]*\"|'[^']*')", re.I)  # fmt: skip
TAG = re.compile(r"</?[a-z?][^<>]*>", re.I)
OFFICE = re.compile(r"(docProps|worksheets|tables|comments|drawings|[sS]lides|charts)/[^/]*\.xml$"
                    r"|(sharedStrings|workbook)\.xml$")  # where a run writes  # fmt: skip
# What a run writes of itself, beside the kit's own files.
FOREIGN = (
    ("statsmodels", "regression/linear_model.py"), ("statsmodels", "iolib/summary.py"),
    ("itables", "html/dt_bundle.js"),
)  # fmt: skip


def refuse_leaks(report: Path, names: Mapping[str, set[str]], said: Iterable[Path]) -> None:
    """Refuse a report in which something is named that codes stand for.

    names: kind -> texts, see `names_of`; said: files whose words are meant to be read, the study
    file. Searched are the names of all files and their text, unpacked, for whole words. A name of
    fewer than four letters or digits, a number of fewer than five digits or equal to a figure
    of a table, and what the kit or the study file says by itself stand in many a place by chance;
    these are looked for only in the columns of tables that name someone. Raises StudyError with a
    problem for each file and kind; it says no name.
    """
    everyone = set().union(*names.values())
    known = Phrases(filter(distinctive, everyone))
    meant = [path.read_text("utf-8", "replace") for path in said]
    common = set().union(*map(known.found, [*meant, *_own_texts()]))
    for path in report.glob("*.parquet"):
        figures = pd.read_parquet(path).select_dtypes("number").to_numpy(float, na_value=np.nan)
        common |= {f"{figure:.0f}" for figure in figures.ravel()}
    problems = []
    for path in sorted(path for path in report.rglob("*") if path.is_file()):
        place = path.relative_to(report).as_posix()
        found = known.found(place).union(*map(known.found, _texts(path.name, path.read_bytes())))
        found -= common
        if path.suffix == ".csv":
            table = pd.read_csv(path, dtype=str, keep_default_na=False)
            found |= everyone.intersection(table.filter(NAMING).to_numpy().ravel())
        problems += [
            Problem(f"names {kind}, so nothing is handed over", file=place,
                    remedy="Leave out the column that holds it: a region, segment or candidate")
            for kind, texts in names.items() if not found.isdisjoint(texts)
        ]  # fmt: skip
    if problems:
        raise StudyError(problems)


def _own_texts() -> Iterator[str]:
    """What the kit, and what it shows of others, says in any report."""
    kinds = (".py", ".toml", ".html", ".css", ".js", ".typ")
    yield from (path.read_text("utf-8") for path in PACKAGE.rglob("*") if path.suffix in kinds)
    for path in notebook_paths():
        cells = json.loads(path.read_text("utf-8"))["cells"]
        yield "\n".join("".join(cell["source"]) for cell in cells)
    for package, name in FOREIGN:
        spec = find_spec(package)
        if spec and spec.origin and (file := Path(spec.origin).parent / name).is_file():
            yield file.read_text("utf-8", "replace")


def _texts(name: str, content: bytes) -> Iterator[str]:
    suffix = Path(name).suffix.lower()
    if suffix in (".png", ".jpg", ".jpeg"):  # every one is written as SVG too
        return
    if suffix == ".parquet":
        table = pd.read_parquet(io.BytesIO(content)).select_dtypes(exclude=["number", "bool"])
        yield "\n".join([*map(str, table), *table.astype(str).to_numpy().ravel()])
    elif content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for part in archive.namelist():
                if OFFICE.search(part) or part.endswith(".xlsx"):
                    yield from _texts(part, archive.read(part))
    elif suffix == ".pdf":
        from pypdf import PdfReader

        reader = PdfReader(io.BytesIO(content))
        yield from map(str, (reader.metadata or {}).values())
        yield from (page.extract_text() for page in reader.pages)
    else:
        text = html.unescape(UNREAD.sub(" ", content.decode("utf-8", "replace")))
        text = re.sub(r"\\u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), text)
        text = re.sub(r"\\[nrt\"/]", " ", text)  # as JSON writes them
        plain = suffix in (".csv", ".json")
        yield text if plain else " ".join([TAG.sub(" ", text), *SHOWN.findall(text)])
