"""What if: other cuts, visits and targets, and the plan that follows from them."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from pydantic import ValidationError

from kalib import plots
from kalib.errors import Problem, StudyError, install
from kalib.matrix.matrix import Matrix, place
from kalib.plan.plan import Plan, plan_sales
from kalib.study.loading import problems_of
from kalib.study.settings import ZONES, Study

if TYPE_CHECKING:
    from ipywidgets import FloatSlider, VBox

CHANGEABLE = ("matrix", "teams", "targets")  # sections whose settings leave the wallet as it is
CUT = "matrix.potential_cut"
STEPS = 100  # places a slider has between its ends


@dataclass(frozen=True)
class WhatIf:
    """The plan under other settings.

    study: with these settings; matrix: its zones; plan: teams and targets;
    comparison: DataFrame (today, what_if, difference), cuts, accounts by zone, people, target
    growth in currency a year and owner changes; held: which figures a setting fixes, in sentences.
    """

    study: Study
    matrix: Matrix
    plan: Plan
    comparison: pd.DataFrame
    held: tuple[str, ...]


def replan(matrix: Matrix, plan: Plan, study: Study, settings: Mapping[str, Any]) -> WhatIf:
    """The plan under other settings; those not named stay as the study has them.

    Parameters
    ----------
    matrix : Matrix
        Today's, of `place`.
    plan : Plan
        Today's, of `plan_sales`.
    study : Study
        Its settings are today's.
    settings : mapping of str to value
        Of the sections [matrix], [teams] and [targets], in the units of the study file, such as
        {"matrix.potential_cut": {"quantile": 0.8}, "targets.close_gap": 0.5}.

    Raises
    ------
    StudyError
        For what a study file may not hold either.
    """
    changed = _changed(study, settings)
    same = changed.matrix == study.matrix
    other = matrix if same else place(matrix.wallet, changed.matrix)
    planned = plan_sales(other, changed, plan.attainment if plan.attainment.learned else None)
    comparison = pd.DataFrame(
        {"today": _figures(matrix, plan), "what_if": _figures(other, planned)}
    )
    comparison["difference"] = comparison["what_if"] - comparison["today"]
    return WhatIf(changed, other, planned, comparison, _held(changed))


def explore(matrix: Matrix, plan: Plan, study: Study) -> VBox | str:
    """Sliders for some settings above the quadrant and the figures that follow, for JupyterLab;
    without the extra that brings them, how to install it.

    Parameters
    ----------
    matrix : Matrix
        Today's, of `place`.
    plan : Plan
        Today's, of `plan_sales`.
    study : Study
        Its settings are today's.
    """
    if find_spec("ipywidgets") is None:
        return f"sliders: {install('lab')}"
    from ipywidgets import HTML, Button, HBox, Image, VBox

    sliders = _sliders(matrix, study)
    start = {name: slider.value for name, slider in sliders.items()}
    kind = study.matrix.potential_cut.kind
    table, quadrant = HTML(), Image(format="png", width=560)
    back = Button(description="Back to today")

    def show(_: object = None) -> None:
        # A slider that stands at its start leaves the study's own setting, "market" among them.
        moved: dict[str, Any] = {
            name: slider.value for name, slider in sliders.items() if slider.value != start[name]
        }
        if CUT in moved:
            value = moved[CUT]
            moved[CUT] = {kind: int(value) if kind == "top" else value}
        found = replan(matrix, plan, study, moved)
        table.value, quadrant.value = _shown(found), _picture(found.matrix)

    def reset(_: Button) -> None:
        for name, slider in sliders.items():
            slider.value = start[name]

    for slider in sliders.values():
        slider.observe(show, "value")
    back.on_click(reset)
    show()
    return VBox([*sliders.values(), back, HBox([quadrant, table])])


def _changed(study: Study, settings: Mapping[str, Any]) -> Study:
    """The study with some settings replaced, each checked as in a study file."""
    problems = [
        Problem(f"{name!r} is not a setting of {', '.join(CHANGEABLE)}")
        for name in settings if name.partition(".")[0] not in CHANGEABLE
    ]  # fmt: skip
    updated: dict[str, Any] = {}
    for section in CHANGEABLE:
        now, start = getattr(study, section), f"{section}."
        given = {n.removeprefix(start): v for n, v in settings.items() if n.startswith(start)}
        try:
            updated[section] = type(now).model_validate({**dict(now), **given})
        except ValidationError as error:
            problems += problems_of(error, type(now))
    if problems:
        raise StudyError(problems)
    return study.model_copy(update=updated)


def _held(study: Study) -> tuple[str, ...]:
    """Which figures a setting of the study holds where they are, whatever else moves."""
    growth = study.targets.company_growth
    named = " and ".join(team for team in ("hunters", "farmers") if getattr(study.teams, team))
    notes = {
        f"company_growth = {growth or 0:.0%} fixes the target growth: other settings move only who "
        "is asked for it, as far as the accounts allow.": growth is not None,
        f"The study gives the number of {named}: visits_per_rep does not move it.": bool(named),
        "The potential cut fixes how many accounts are key: the share cut moves them between "
        "attack and defense only.": study.matrix.potential_cut.kind in ("top", "quantile"),
    }
    return tuple(note for note, holds in notes.items() if holds)


def _figures(matrix: Matrix, plan: Plan) -> dict[str, float]:
    people = plan.teams.set_index("team")["people"]
    return {
        "potential cut": matrix.potential_cut,
        "share cut": matrix.sow_cut,
        **{f"{zone} accounts": float(matrix.counts[zone]) for zone in ZONES},
        "hunters": float(people["hunter"]),
        "farmers": float(people["farmer"]),
        "target growth": round(float(plan.accounts["target_growth"].sum()), 2),
        "owner changes": float(plan.owner_changes),
    }


def _sliders(matrix: Matrix, study: Study) -> dict[str, FloatSlider]:
    """A slider for each setting that can be moved, at the study's own."""
    from ipywidgets import FloatSlider

    cut, visits = study.matrix.potential_cut, study.teams.visits_per_rep
    potential = matrix.wallet.accounts["potential"].dropna()
    most = {"top": len(potential), "value": potential.max()}.get(cut.kind, 0.99)
    least = 1.0 if cut.kind == "top" else most / STEPS
    given = {
        CUT: (f"potential cut ({cut.kind})", cut.value, least, most, least),
        "matrix.share_cut": ("share cut", matrix.sow_cut, 0.01, 0.99, 0.01),
        "teams.visits_per_rep": ("visits per rep", visits, visits / 4, visits * 2, visits / STEPS),
        "targets.close_gap": ("gap to close", study.targets.close_gap, 0.0, 1.0, 0.01),
    }
    return {
        name: FloatSlider(
            value=value, min=min(low, value), max=max(high, value), step=step, description=label,
            continuous_update=False, style={"description_width": "12em"}, layout={"width": "40em"},
            readout_format=".2f" if high <= 1 else ",.0f",
        )
        for name, (label, value, low, high, step) in given.items()
    }  # fmt: skip


def _picture(matrix: Matrix) -> bytes:
    """The quadrant as PNG."""
    figure = plots.matrix(matrix).get_figure()
    assert isinstance(figure, Figure)
    picture = BytesIO()
    figure.savefig(picture, format="png", dpi=80)
    plt.close(figure)
    return picture.getvalue()


def _shown(found: WhatIf) -> str:
    """The figures side by side, and what is held."""
    notes = "".join(f"<p>{html.escape(note)}</p>" for note in found.held)
    table = plots.table(found.comparison, rows=len(found.comparison))._repr_html_()
    return f'<div class="jp-RenderedHTMLCommon">{table}{notes}</div>'  # as JupyterLab shows tables
