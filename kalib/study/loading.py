"""The study file, read from study.toml and checked whole."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kalib.errors import Problem, StudyError
from kalib.study.settings import Study

LARGEST = 1_000_000  # bytes of a study file


def load_study(path: Path | str, settings: Mapping[str, str] | None = None) -> Study:
    """Read and check a study file.

    path: study.toml or its folder; settings: "section.key" -> value as TOML text, laid over the
    file. Raises StudyError with every problem found.
    """
    path = Path(path)
    file = path / "study.toml" if path.is_dir() else path
    if not file.is_file():
        raise StudyError(
            Problem("no study file here", file=str(path), remedy="Give a study.toml or its folder")
        )
    if file.stat().st_size > LARGEST:
        raise StudyError(Problem("is too long for a study file", file=file.name))
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise StudyError(Problem(f"can't be read: {error.strerror}", file=file.name)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StudyError(
            Problem(f"not valid TOML: {error}", file=file.name, remedy="Mend the line named")
        ) from error
    for key, value in (settings or {}).items():
        _lay_over(content, key, value)
    if "folder" in content:
        raise StudyError(Problem("unknown key 'folder'", file=file.name, remedy="Remove it"))
    try:
        study = Study.model_validate({**content, "folder": file.resolve().parent})
    except ValidationError as error:
        raise StudyError([_problem(item, file.name) for item in error.errors()]) from error
    problems = _missing_files(study, file.name) + _circular(study, file.name)
    if problems:
        raise StudyError(problems)
    return study


def _lay_over(content: dict[str, Any], key: str, value: str) -> None:
    """Set one "section.key" of the file's content to a value written as TOML, or as text."""
    section, _, name = key.partition(".")
    if not name or not re.fullmatch(r"[a-z_]+", section) or not re.fullmatch(r"[a-z_]+", name):
        raise StudyError(
            Problem(f"{key!r} is not section.key", remedy="Write e.g. matrix.share_cut=0.35")
        )
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value
    values = content.setdefault(section, {})
    if isinstance(values, dict):  # what else it is, the model refuses
        values[name] = parsed


def _problem(item: Any, file: str) -> Problem:
    """A pydantic error in our words."""
    place = [str(part) for part in item["loc"]]
    where = ".".join(place)
    if item["type"] == "extra_forbidden":
        near = difflib.get_close_matches(place[-1], _known_keys(place[:-1]), n=1)
        remedy = f"Did you mean {near[0]!r}?" if near else "Remove it"
        return Problem(f"unknown key {where!r}", file=file, remedy=remedy)
    if item["type"] == "missing":
        return Problem(f"{where!r} is missing", file=file, remedy="Add it")
    message = str(item["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    return Problem(f"{where!r}: {message}", file=file, remedy=f"It is {item['input']!r}"[:200])


def _known_keys(place: list[str]) -> list[str]:
    model: Any = Study
    for part in place:
        field = getattr(model, "model_fields", {}).get(part)
        model = field.annotation if field else None
    return [key for key in getattr(model, "model_fields", {}) if key != "folder"]


def _circular(study: Study, file: str) -> list[Problem]:
    """Candidates that would explain potential by itself, by our own sales or by the id."""
    problems = []
    for term in ("account", "sales", "potential"):
        column = getattr(study.columns, term)
        if column in study.indicators.candidates:
            problems.append(
                Problem(f"'indicators.candidates': {column!r} is the column of {term}", file=file,
                        remedy="Remove it: an indicator says what an account can buy")
            )  # fmt: skip
    # Entries that look like typing errors are told by column, and potential among them.
    if "potential" in study.indicators.candidates and study.columns.potential != "potential":
        problems.append(
            Problem("'indicators.candidates': 'potential' is a term of ours", file=file,
                    remedy="Rename the column in the table")
        )  # fmt: skip
    return problems


def _missing_files(study: Study, file: str) -> list[Problem]:
    """Files that are absent, outside the study's folder, or not described."""
    problems = []
    files = {f"data.{key}": getattr(study.data, key) for key in ("accounts", "survey", "visits")}
    files |= {f"report.{key}": getattr(study.report, key) for key in ("template", "logo")}
    for key, name in files.items():
        if name is None:
            continue
        target = (study.folder / name).resolve()
        if not target.is_relative_to(study.folder):
            problems.append(
                Problem(
                    f"'{key}' leaves the study's folder: {name}",
                    file=file,
                    remedy="Put the file in the study's folder",
                )
            )
        elif not target.is_file():
            problems.append(Problem(f"'{key}': no file {name}", file=file, remedy="Check the name"))
    if study.data.visits and study.visits is None:
        problems.append(
            Problem("'visits' is missing", file=file, remedy="Add the section naming its columns")
        )
    if study.data.survey and not study.columns.potential:
        problems.append(
            Problem("'columns.potential' is missing", file=file, remedy="Name the survey's column")
        )
    if not study.data.survey and not study.data.visits and not study.columns.potential:
        problems.append(
            Problem(
                "no potential is known anywhere",
                file=file,
                remedy="Add data.survey, data.visits, or columns.potential in the accounts",
            )
        )
    return problems
