"""The last step of a run that codes names: every file is searched for the names themselves."""

from __future__ import annotations

import html
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kalib.errors import Problem, StudyError
from kalib.files import PACKAGE
from kalib.runs.execution import notebook_folder
from kalib.tables.anonymize import Phrases, distinctive, words_of

NAMING = ("account", "name", "parent", "rep", "rep_before", "override_by")  # columns of tables
TOLD = ("alt", "title", "name", "descr", "value", "content", "label", "aria-label", "placeholder",
        "href", "tooltip", "prompt", "data-[a-z-]+")  # attributes that are read  # fmt: skip
ATTRIBUTE = re.compile(rf"[\s:](?:{'|'.join(TOLD)})\s*=\s*(\"[^\"]*\"|'[^']*')", re.I)
STYLE = re.compile(r"<style.*?</style>", re.S)
SCRIPT = re.compile(r"<script([^>]*)>(.*?)</script>", re.S)
DATA = re.compile(r"data:[\w/+.-]+;base64,[\w+/=]+")
CELLS = re.compile(r"<(\w+:)?(f|formula\d?|definedName)\b[^>]*>[^<]*<|<(\w+:)?v>[-+\d.eE]*<")
OFFICE = re.compile(r"docProps/|sharedStrings|worksheets/|workbook\.xml|tables/|comments|drawings/"
                    r"|slides/|notesSlides/|charts/")  # where what a run writes stands  # fmt: skip
PICTURES = (".png", ".jpg", ".jpeg")  # every one is written as SVG too
# Sources of words that a run writes of itself, beside the kit's own files.
FOREIGN = (
    ("statsmodels", "regression/linear_model.py"),
    ("statsmodels", "iolib/summary.py"),
    ("itables", "html/dt_bundle.js"),
)


def refuse_leaks(report: Path, names: Mapping[str, set[str]], said: Iterable[Path]) -> None:
    """Refuse a report in which something is named that codes stand for.

    names: kind -> texts, see `names_of`; said: files whose words are meant to be read, the study
    file. Searched are the names of all files and their text, unpacked: whole words, whatever
    their case, width and what stands between them. A name of fewer than four letters or digits,
    a number of fewer than five digits or equal to a figure of the report, and what the kit or the
    study file says by itself stand in many a place by chance; these are looked for only in the
    columns of tables that name someone. Raises StudyError with a problem for each file and kind;
    it says no name.
    """
    everyone = {text for texts in names.values() for text in texts}
    known = Phrases(text for text in everyone if distinctive(text))
    common = _figures(report, everyone)
    for words in (*_own_words(), *(words_of(path.read_text("utf-8", "replace")) for path in said)):
        common |= known.found(words)
    problems = []
    for path in sorted(path for path in report.rglob("*") if path.is_file()):
        place = path.relative_to(report).as_posix()
        frame = _table(path)
        texts = _columns(frame) if frame is not None else _texts(path.name, path.read_bytes)
        found = known.found(place).union(*map(known.found, texts)) - common
        if frame is not None:
            found |= everyone & _named(frame)
        kinds = [kind for kind, texts in names.items() if not found.isdisjoint(texts)]
        problems += [
            Problem(f"names {kind}, so nothing is handed over", file=place,
                    remedy="Leave out the column that holds it: a region, segment or candidate")
            for kind in kinds
        ]  # fmt: skip
    if problems:
        raise StudyError(problems)


def _table(path: Path) -> pd.DataFrame | None:
    """A table among the deliverables; None for another file."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix == ".csv":
        named = dict.fromkeys(NAMING, str)
        return pd.read_csv(path, dtype=named, keep_default_na=False, na_values=[""])
    return None


def _named(frame: pd.DataFrame) -> set[str]:
    """The cells of columns that name someone."""
    return set().union(*(frame[name].dropna().astype(str) for name in NAMING if name in frame))


def _columns(frame: pd.DataFrame) -> Iterator[str]:
    """Headers and texts of a table; figures are none."""
    yield "\n".join(map(str, frame.columns))
    for _, cells in frame.select_dtypes(exclude=["number", "bool", "boolean"]).items():
        yield "\n".join(cells.dropna().astype(str).unique())


def _figures(report: Path, everyone: set[str]) -> set[str]:
    """Ids that are, as whole numbers, figures of the report's tables."""
    ids = {float(text): text for text in everyone if re.fullmatch("[1-9][0-9]*", text)}
    numbers, figures = np.array(list(ids)), set()
    for path in report.rglob("*.parquet") if ids else ():
        for _, cells in pd.read_parquet(path).select_dtypes("number").items():
            shown = np.rint(cells.to_numpy(float, na_value=np.nan))
            figures |= {ids[number] for number in numbers[np.isin(numbers, shown)]}
    return figures


@cache
def _own_words() -> tuple[list[str], ...]:
    """Words of what the kit, and what it shows of others, says in any report."""
    kinds = ("py", "toml", "html", "css", "js", "typ")
    files = [path for kind in kinds for path in PACKAGE.rglob(f"*.{kind}")]
    for package, name in FOREIGN:
        spec = find_spec(package)
        if spec and spec.origin and (file := Path(spec.origin).parent / name).is_file():
            files.append(file)
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in files]
    for path in notebook_folder().glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        texts += ["".join(cell["source"]) for cell in cells]
    return tuple(map(words_of, texts))


def _texts(name: str, read: Callable[[], bytes]) -> Iterator[str]:
    """The texts of a file, unpacked."""
    suffix = Path(name).suffix.lower()
    if suffix in PICTURES:
        return
    content = read()
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for part in archive.namelist():
                if part.endswith((".xlsx", ".docx")):
                    yield from _texts(part, lambda part=part: archive.read(part))  # type: ignore[misc]
                elif OFFICE.search(part) and part.endswith(".xml"):
                    yield from _markup(CELLS.sub("<", archive.read(part).decode("utf-8")))
    elif suffix == ".pdf":
        yield from _pdf(content)
    elif suffix in (".json", ".ipynb"):
        yield from _strings(json.loads(content))
    elif suffix in (".html", ".svg", ".xml"):
        yield from _markup(content.decode("utf-8", errors="replace"))
    else:
        yield content.decode("utf-8", errors="replace")


def _pdf(content: bytes) -> Iterator[str]:
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(content))
    yield "\n".join(map(str, (reader.metadata or {}).values()))
    for page in reader.pages:
        yield page.extract_text()


def _markup(text: str) -> Iterator[str]:
    """Texts, comments, scripts and telling attributes of HTML, SVG and XML."""
    for kind, script in SCRIPT.findall(text):
        yield from _strings(json.loads(script)) if "application/json" in kind else (script,)
    text = DATA.sub(" ", STYLE.sub(" ", SCRIPT.sub(" ", text)))
    yield html.unescape(" ".join(ATTRIBUTE.findall(text)))
    yield html.unescape(re.sub(r"<(?!!--)[^>]*>|<!--|-->", " ", text))


def _strings(value: Any, kind: str = "") -> Iterator[str]:
    """Keys and strings of a JSON value; markup in it as such, pictures left out."""
    if isinstance(value, Mapping):
        yield "\n".join(map(str, value))
        for key, item in value.items():
            if key not in ("image/png", "image/jpeg", "metadata"):
                yield from _strings(item, str(key))
    elif isinstance(value, list) and kind in ("source", "text", "text/html", "text/plain",
                                              "image/svg+xml"):  # fmt: skip
        yield from _strings("".join(map(str, value)), kind)
    elif isinstance(value, list):
        texts = [item for item in value if isinstance(item, str)]
        yield "\n".join(texts)
        for item in value:
            if isinstance(item, dict | list):
                yield from _strings(item, kind)
    elif isinstance(value, str):
        yield from _markup(value) if kind in ("text/html", "image/svg+xml") else (value,)
