"""Which study a notebook is about, chosen in JupyterLab."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from kalib.errors import StudyError
from kalib.study.loading import load_study

if TYPE_CHECKING:
    from ipywidgets import VBox

SESSION = "JPY_SESSION_NAME"  # set by Jupyter's server in kernels of notebooks that people open
CHOSEN = Path(".chosen-study")  # beside the notebooks, so that all of them speak of one study


def choose(study: str) -> str:
    """The study that was chosen last in JupyterLab, below a list to choose another from.

    study: a study.toml or its folder; its neighbors are on offer. The choice holds for every
    notebook of the folder. Where no person has the notebook open it is study itself, and nothing
    is shown.
    """
    if SESSION not in os.environ:
        return study
    from IPython.display import display

    studies = _neighbors(study)
    chosen = _remembered(studies, study)
    display(_chooser(studies, chosen))  # type: ignore[no-untyped-call]
    return chosen


def wave_before(study: str, before: str) -> str:
    """The wave before the study that was chosen in JupyterLab.

    before: what it is where no person has the notebook open, or where no neighbor is an earlier
    period of the same study.
    """
    if SESSION not in os.environ:
        return before
    this = load_study(study)
    periods = {}
    for place in _neighbors(study).values():
        with suppress(StudyError):
            other = load_study(place)
            if other.name == this.name and other.period < this.period:
                periods[other.period] = place
    return periods[max(periods)] if periods else before


def _neighbors(study: str) -> dict[str, str]:
    """Title -> folder of a study and of those that lie beside it."""
    found = {}
    for file in sorted(_folder(study).parent.glob("*/study.toml")):
        try:
            about = load_study(file)
            title = f"{about.title}, {about.period} ({file.parent.name})"
        except StudyError as error:
            title = f"{file.parent.name}: {len(error.problems)} problems, see kalib check"
        found[title] = file.parent.as_posix()
    return found


def _folder(study: str) -> Path:
    return Path(study) if Path(study).is_dir() else Path(study).parent


def _remembered(studies: Mapping[str, str], study: str) -> str:
    """The folder chosen last, if it is there still."""
    with suppress(OSError, UnicodeDecodeError):
        chosen = CHOSEN.read_text(encoding="utf-8")
        if chosen in studies.values():
            return chosen
    return _folder(study).as_posix()


def _chooser(studies: Mapping[str, str], chosen: str) -> VBox:
    """The list, and what to do once another study has been chosen."""
    from ipywidgets import HTML, Dropdown, VBox

    titles = Dropdown(
        options=list(studies.items()), value=chosen, description="Study", layout={"width": "48em"}
    )
    hint = HTML()

    def keep(_: object) -> None:
        try:
            CHOSEN.write_text(titles.value, encoding="utf-8")
            hint.value = "Run ▸ Run All Cells shows it, here and in the other notebooks."
        except OSError as error:
            hint.value = f"The choice can't be kept: {error.strerror}. Set study in the cell above."

    titles.observe(keep, "value")
    return VBox([titles, hint])
