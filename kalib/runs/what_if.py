"""What if, in JupyterLab: sliders for cuts, visits and targets, and the plan that follows."""

from __future__ import annotations

import html
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
from IPython.core.pylabtools import print_figure

from kalib import plots
from kalib.analysis import WhatIf, replan
from kalib.errors import install
from kalib.matrix.matrix import Matrix
from kalib.plan.plan import Plan
from kalib.runs import kernel
from kalib.study.settings import Study

if TYPE_CHECKING:
    from ipywidgets import FloatSlider, VBox

CUT = "matrix.potential_cut"
STEPS = 100  # places a slider has between its ends


def explore(matrix: Matrix, plan: Plan, study: Study) -> VBox | str | None:
    """Sliders for some settings above the quadrant and the figures that follow, for JupyterLab;
    without the extra that brings them, how to install it; None in a run, which keeps no sliders.

    Parameters
    ----------
    matrix, plan, study : Matrix, Plan and Study
        Today's, as of `kalib.replan`.
    """
    if find_spec("ipywidgets") is None:
        return f"sliders: {install('lab')}"
    if kernel.first is not None:
        return None
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
        figure = plots.matrix(found.matrix).figure
        quadrant.value = print_figure(figure, dpi=80, bbox_inches=None)  # type: ignore[no-untyped-call]
        plt.close()
        table.value = _shown(found)

    def reset(_: Button) -> None:
        for name, slider in sliders.items():
            slider.value = start[name]

    for slider in sliders.values():
        slider.observe(show, "value")
    back.on_click(reset)
    show()
    return VBox([*sliders.values(), back, HBox([quadrant, table])])


def _sliders(matrix: Matrix, study: Study) -> dict[str, FloatSlider]:
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


def _shown(found: WhatIf) -> str:
    """The figures side by side, and what is held."""
    notes = "".join(f"<p>{html.escape(note)}</p>" for note in found.held)
    table = plots.table(found.comparison, rows=len(found.comparison))._repr_html_()
    return f'<div class="jp-RenderedHTMLCommon">{table}{notes}</div>'  # as JupyterLab shows tables
