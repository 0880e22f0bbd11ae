"""The study file, read from study.toml and checked whole."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from kalib.errors import Problem, StudyError, nearest
from kalib.study.settings import Study, wanted

LARGEST = 1_000_000  # bytes of a study file


def study_path(study: Path | str) -> Path:
    """The study file that a path means: the file itself, or study.toml in the folder."""
    return Path(study) / "study.toml" if Path(study).is_dir() else Path(study)


def read_study(path: Path | str, settings: Mapping[str, str] | None = None) -> Study:
    """Read and check a study file.

    Parameters
    ----------
    path : Path or str
        study.toml or its folder.
    settings : mapping of str to str, optional
        "section.key" -> value as TOML text, laid over the file.

    Raises
    ------
    StudyError
        With every problem found.

    Examples
    --------
    >>> read_study("data/fmcg-supermarkets", {"matrix.share_cut": "0.35"}).matrix.share_cut
    0.35
    """
    file = study_path(path)
    if not file.is_file():
        near = nearest(file.name, (each.name for each in file.parent.glob("*")))
        remedy = near or "Give a study.toml or its folder; `kalib new` makes one from your tables"
        raise StudyError("no study file here", str(path), remedy=remedy)
    if file.stat().st_size > LARGEST:
        raise StudyError("is too long for a study file", file.name)
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise StudyError(f"can't be read: {error.strerror}", file.name) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        remedy = "Write text in quotes, decimals with a point, paths with /, each section once"
        said, line, place = str(error).partition(" (at line ")
        row = int(place.partition(",")[0]) if line else None
        text = file.read_text(encoding="utf-8-sig").splitlines()[row - 1].strip() if row else ""
        problem = Problem(f"is not valid TOML: {said}", file.name, "", row, remedy, text)
        raise StudyError(problem) from error
    for key, value in (settings or {}).items():
        _lay_over(content, key, value)
    if "folder" in content:
        raise StudyError("unknown key 'folder'", file.name, remedy="Remove it")
    told, refused, study = list(_without_potential(content)), dict[Problem, None](), None
    for late in (False, True, True):  # without what is refused, more may show
        try:
            study = Study.model_validate({**content, "folder": file.resolve().parent})
            break
        except ValidationError as wrong:
            for key, problem in problems_of(wrong, Study, file.name, late=late).items():
                laid = any(f"{key}.".startswith(f"{name}.") for name in settings or ())
                refused[replace(problem, file="--set") if laid else problem] = None
            for section, *keys in (map(str, item["loc"]) for item in wrong.errors()):
                part = content.pop(section, None)  # what of it may stay: candidates in any case
                if isinstance(part, dict) and section in Study.model_fields:
                    out = keys[:1] or part.keys() - {"candidates"}
                    content[section] = {key: part[key] for key in part if key not in out}
    if study:
        study._file = file.name
        told += [*_missing_files(study), *_circular(study)]
    refused |= {Problem(message, file.name, remedy=remedy): None for message, remedy in told}
    if refused or not study:
        whole = StudyError(refused)
        whole.study = study
        raise whole
    return study


def problems_of(
    error: ValidationError, model: type[BaseModel], file: str = "", *, late: bool = False
) -> dict[str, Problem]:
    """What a model refused, in words, by key: its value and what it takes.

    file: where the values stand, "" where they were given in a call; late: what was refused before
    was taken out, and is not called missing.
    """
    schema = model.model_json_schema()
    found: dict[str, Problem] = {}
    for item in error.errors():
        if late and item["type"] == "missing":
            continue
        place, key = _known_part(schema, item["loc"])
        where = ".".join(place)
        about, value = key.get("description", ""), item["input"]
        if item["type"] == "extra_forbidden":
            name = str(item["loc"][-1])
            where = ".".join([*place, name])
            said, remedy = f"unknown key {where!r}", nearest(name, key.get("properties", {}))
            remedy = remedy or "Remove it"
        elif item["type"] == "missing":
            said, remedy = f"{where!r} is missing", f"Add it: {wanted(key)}. {about}"
        elif item["type"] == "value_error":
            reason, *cure = item["ctx"]["error"].args
            said, remedy = f"{where!r}: {reason}", cure[0] if cure else f"It is {value!r}"[:200]
        else:
            given = str(value).lower() if isinstance(value, bool) else repr(value)
            about = about.partition(". ")[0] if "pattern" in key else ""
            said, remedy = f"{where!r} is {given}"[:200], f"Give {wanted(key)}. {about}"
        found.setdefault(where, Problem(said, file, remedy=remedy.rstrip(". ")))
    return found


def _known_part(schema: Mapping[str, Any], loc: tuple[int | str, ...]) -> tuple[list[str], Any]:
    """The part of an error's place that is keys of ours, and the schema of the last of them;
    pydantic adds the branches of a union to it."""
    here: Any = schema
    place: list[str] = []
    for part in loc:
        inner = _resolved(here, schema)
        if str(part) in inner.get("properties", {}):
            here = inner["properties"][str(part)]
        elif isinstance(inner.get("additionalProperties"), Mapping):
            here = inner["additionalProperties"]
        elif isinstance(part, int) and "items" in inner:
            here = inner["items"]
        else:
            break
        place.append(str(part))
    return place, _resolved(here, schema)


def _resolved(part: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema without references, of a section that may be left out the section's."""
    named = [part, *part.get("anyOf", [])]
    reference = next((str(item["$ref"]) for item in named if "$ref" in item), "")
    return schema["$defs"][reference.rpartition("/")[2]] if reference else part


def _lay_over(content: dict[str, Any], key: str, value: str) -> None:
    """Set one "section.key" of the file's content to a value written as TOML, or as text."""
    section, _, name = key.partition(".")
    if not re.fullmatch(r"[a-z_]+\.[a-z_]+", key):
        raise StudyError(f"{key!r} is not section.key", remedy="Write e.g. matrix.share_cut=0.35")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value
    values = content.setdefault(section, {})
    if isinstance(values, dict):  # what else it is, the model refuses
        values[name] = parsed


def _circular(study: Study) -> Iterator[tuple[str, str]]:
    """Candidates that would explain potential by itself, by our own sales or by the id."""
    candidates = study.indicators.candidates
    for term in ("account", "sales", "potential"):
        if (column := getattr(study.columns, term)) in candidates:
            yield (f"'indicators.candidates': {column!r} is the column of {term}",
                   "Remove it: an indicator says what an account can buy")  # fmt: skip
    # Entries that look like typing errors are told by column, and potential among them.
    if "potential" in candidates and study.columns.potential != "potential":
        message = "'indicators.candidates': 'potential' is a term of ours"
        yield message, "Rename the column in the table"


def _without_potential(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """A study file in which potential is known nowhere."""
    data, columns = (content.get(section) for section in ("data", "columns"))
    if isinstance(data, Mapping) and isinstance(columns, Mapping) and "potential" not in columns:
        if "survey" in data or "visits" not in data:
            remedy = "Name its column, in the accounts or in [data] survey, or add [data] visits"
            yield "'columns.potential' is missing", remedy


def _missing_files(study: Study) -> Iterator[tuple[str, str]]:
    """Files that are absent, outside the study's folder, or not described."""
    look = {"report.template": study.report.template, "report.logo": study.report.logo}
    for key, name in {**study.tables, **look}.items():
        if name is None:
            continue
        target = (study.folder / name).resolve()
        if not target.is_relative_to(study.folder):
            yield f"'{key}' leaves the study's folder: {name}", "Put the file in the study's folder"
        elif not target.is_file():
            near = nearest(name, (path.name for path in study.folder.glob("*")))
            yield f"'{key}': no file {name}", near or "Put it into the study's folder"
    if study.data.visits and study.visits is None:
        yield "'visits' is missing", "Add [visits] with its columns account, date, own, total"
