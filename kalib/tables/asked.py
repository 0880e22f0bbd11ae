"""A study file and its tables, refused together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kalib.errors import StudyError
from kalib.study.loading import read_study
from kalib.study.settings import Study


def read_asked(study: Path | str, settings: Mapping[str, str] | None = None) -> Study:
    """The study; where its file is refused, what is wrong with its tables is told with it."""
    try:
        return read_study(study, settings)
    except StudyError as error:
        problems = list(error.problems)
        if error.study is not None:
            from kalib.tables.client import read_files

            try:
                read_files(error.study)
            except StudyError as found:  # a file that is absent, without remedy, is told already
                problems += [one for one in found.problems if one.remedy]
        raise StudyError(problems) from None
