"""What if: other cuts, visits and targets, and the plan that follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
from pydantic import ValidationError

from kalib.analysis import Analysis
from kalib.errors import StudyError, install
from kalib.matrix.matrix import Matrix, place
from kalib.plan.plan import Plan, plan_sales
from kalib.study.loading import problems_of
from kalib.study.settings import ZONES, Study

if TYPE_CHECKING:
    from ipywidgets import FloatSlider, VBox

STEPS = 100  # places a slider has between its ends


@dataclass(frozen=True)
class WhatIf:
    """The plan under other settings.

    study: with these settings; matrix: its zones; plan: teams and targets;
    comparison: DataFrame (today, what_if, change), cuts, accounts by zone, people, target growth in
    currency a year and owner changes.
    """

    study: Study
    matrix: Matrix
    plan: Plan
    comparison: pd.DataFrame


def replan(
    analysis: Analysis,
    *,
    potential_cut: Mapping[str, float] | None = None,
    share_cut: float | Literal["market"] | None = None,
    visits_per_rep: float | None = None,
    close_gap: float | None = None,
) -> WhatIf:
    """The plan under other settings; what is None stays as the study has it.

    Settings are those of the study file, in its units: potential_cut, e.g. {"quantile": 0.8};
    share_cut, a fraction or "market"; visits_per_rep a year; close_gap, a fraction. Raises
    StudyError for what a study file may not hold either.
    """
    study = _changed(
        analysis.study,
        {
            "matrix": {"potential_cut": potential_cut, "share_cut": share_cut},
            "teams": {"visits_per_rep": visits_per_rep},
            "targets": {"close_gap": close_gap},
        },
    )
    same = study.matrix == analysis.study.matrix
    matrix = analysis.matrix if same else place(analysis.wallet, study.matrix)
    plan = plan_sales(matrix, study)
    comparison = pd.DataFrame(
        {"today": _figures(analysis.matrix, analysis.plan), "what_if": _figures(matrix, plan)}
    )
    comparison["change"] = comparison["what_if"] - comparison["today"]
    return WhatIf(study, matrix, plan, comparison)


def explore(analysis: Analysis) -> VBox | str:
    """Sliders for the settings of `replan` above a table of what follows, for JupyterLab; without
    the extra that brings them, how to install it."""
    if find_spec("ipywidgets") is None:
        return f"sliders: {install('lab')}"
    from ipywidgets import HTML, Button, VBox

    sliders = _sliders(analysis)
    start = {name: slider.value for name, slider in sliders.items()}
    kind = analysis.study.matrix.potential_cut.kind
    table = HTML()
    back = Button(description="Back to today")

    def show(_: object = None) -> None:
        # A slider that stands at its start leaves the study's own setting, "market" among them.
        moved: dict[str, Any] = {
            name: slider.value for name, slider in sliders.items() if slider.value != start[name]
        }
        if "potential_cut" in moved:
            moved["potential_cut"] = {kind: moved["potential_cut"]}
        table.value = _shown(replan(analysis, **moved).comparison)

    def reset(_: Button) -> None:
        for name, slider in sliders.items():
            slider.value = start[name]

    for slider in sliders.values():
        slider.observe(show, "value")
    back.on_click(reset)
    show()
    return VBox([*sliders.values(), back, table])


def _changed(study: Study, changes: Mapping[str, Mapping[str, Any]]) -> Study:
    """The study with some settings replaced, each checked as in a study file."""
    sections, problems = {}, []
    for section, values in changes.items():
        given = {name: value for name, value in values.items() if value is not None}
        now = getattr(study, section)
        try:
            sections[section] = type(now).model_validate({**dict(now), **given})
        except ValidationError as error:
            problems += problems_of(error, type(now))
    if problems:
        raise StudyError(problems)
    return study.model_copy(update=sections)


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


def _sliders(analysis: Analysis) -> dict[str, FloatSlider]:
    """A slider for each argument of `replan`, at the study's setting."""
    from ipywidgets import FloatSlider

    study, cut = analysis.study, analysis.study.matrix.potential_cut
    potential = analysis.wallet.accounts["potential"].dropna()
    most = {"top": len(potential), "value": potential.max()}.get(cut.kind, 0.99)
    least = 1.0 if cut.kind == "top" else most / STEPS
    visits, step = study.teams.visits_per_rep, 1.0 if cut.kind == "top" else (most / STEPS)
    given = {
        "potential_cut": (f"potential cut ({cut.kind})", cut.value, least, most, step),
        "share_cut": ("share cut", analysis.matrix.sow_cut, 0.01, 0.99, 0.01),
        "visits_per_rep": ("visits per rep", visits, visits / 4, visits * 2, visits / STEPS),
        "close_gap": ("gap to close", study.targets.close_gap, 0.0, 1.0, 0.01),
    }
    return {
        name: FloatSlider(
            value=value, min=min(low, value), max=max(high, value), step=step, description=label,
            continuous_update=False, style={"description_width": "12em"}, layout={"width": "40em"},
            readout_format=".2f" if high <= 1 else ",.0f",
        )
        for name, (label, value, low, high, step) in given.items()
    }  # fmt: skip


def _shown(comparison: pd.DataFrame) -> str:
    """The comparison as a table: fractions as percent, everything else whole."""
    rows = {
        name: [f"{v:.1%}" if name == "share cut" else f"{v:,.0f}" for v in row]
        for name, row in zip(comparison.index, comparison.to_numpy(), strict=True)
    }
    columns = ["today", "what if", "change"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns).to_html(border=0)
    return f'<div class="jp-RenderedHTMLCommon">{table}</div>'  # as JupyterLab shows other tables
