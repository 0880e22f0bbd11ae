"""Other settings tried on an analysis, by function and by slider."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pandas as pd
import pytest
from conftest import ROOT

from kalib import plots
from kalib.analysis import Analysis, WhatIf, analyze, replan
from kalib.errors import StudyError
from kalib.runs import what_if
from kalib.runs.what_if import explore


def replanned(analysis: Analysis, settings: dict[str, Any]) -> WhatIf:
    return replan(analysis.matrix, analysis.plan, analysis.study, settings)


@pytest.mark.parametrize(
    ("asked", "settings"),
    [
        ({"matrix.share_cut": 0.35}, {"matrix.share_cut": "0.35"}),
        (
            {
                "matrix.potential_cut": {"top": 50},
                "teams.visits_per_rep": 300,
                "targets.close_gap": 0.9,
            },
            {
                "matrix.potential_cut": "{ top = 50 }",
                "teams.visits_per_rep": "300",
                "targets.close_gap": "0.9",
            },
        ),
    ],
)
def test_replan_equals_an_analysis_with_the_same_settings(
    phones: Analysis, asked: dict[str, Any], settings: dict[str, str]
) -> None:
    found = replanned(phones, asked)
    real = analyze(phones.study.file, settings=settings)
    assert found.study == real.study
    assert found.matrix.counts == real.matrix.counts
    pd.testing.assert_frame_equal(found.plan.accounts, real.plan.accounts)
    pd.testing.assert_frame_equal(found.plan.teams, real.plan.teams)
    changed = found.comparison["what_if"]
    assert changed["owner changes"] == real.plan.owner_changes
    assert changed["attack accounts"] == real.matrix.counts["attack"]


def test_replan_without_a_change_is_today(phones: Analysis) -> None:
    assert (replanned(phones, {}).comparison["difference"] == 0).all()


def test_a_scenario_equals_an_analysis_with_the_same_settings(stores: Analysis) -> None:
    cautious, ambitious = stores.scenarios["cautious"], stores.scenarios["ambitious"]
    growth, top = (ambitious.settings[f"{n}"] for n in ("targets.company_growth",
                                                       "matrix.potential_cut"))  # fmt: skip
    settings = {"matrix.potential_cut": f"{{ top = {top['top']} }}",
                "targets.company_growth": str(growth)}  # fmt: skip
    real = analyze(stores.study.file, settings=settings)
    pd.testing.assert_frame_equal(ambitious.plan.accounts, real.plan.accounts)
    asked = [one.plan.accounts["target_growth"].sum() for one in (cautious, stores, ambitious)]
    assert asked[0] < asked[1] < asked[2]


def test_replan_names_every_setting_that_cannot_be(phones: Analysis) -> None:
    asked = {"matrix.share_cut": 1.5, "targets.close_gap": 2, "matrix.potential_cut": {"top": -3},
             "formula.form": "log"}  # fmt: skip
    with pytest.raises(StudyError) as caught:
        replanned(phones, asked)
    text = str(caught.value)
    assert all(name in text for name in ("share_cut", "close_gap", "top", "formula.form"))


def test_what_a_setting_holds_is_said_and_held(stores: Analysis) -> None:
    """Company growth fixes the sum of the targets, whatever part of the gaps is closed."""
    assert stores.study.targets.company_growth is not None
    found = replanned(stores, {"targets.close_gap": 0.1, "teams.visits_per_rep": 200})
    assert any("company_growth = 10%" in note for note in found.held)
    assert abs(found.comparison.at["target growth", "difference"]) < 0.02
    free = replanned(stores, {"targets.company_growth": None, "targets.close_gap": 0.1})
    assert not any("company_growth" in note for note in free.held)
    assert free.comparison.at["target growth", "difference"] < -1


def _table(widget: Any) -> pd.DataFrame:
    shown: pd.DataFrame = pd.read_html(StringIO(widget.children[-1].children[1].value))[0]
    return shown


@pytest.mark.slow
def test_sliders_move_the_figures_and_the_quadrant(stores: Analysis) -> None:
    plots.set_theme(stores.study)  # another test may have chosen another language
    widget = explore(stores.matrix, stores.plan, stores.study)
    before, quadrant = _table(widget), widget.children[-1].children[0]
    assert (before["today"] == before["what if"]).all() and quadrant.value[1:4] == b"PNG"
    assert "company_growth" in widget.children[-1].children[1].value
    picture, sliders, back = quadrant.value, widget.children[:4], widget.children[4]
    kind = stores.study.matrix.potential_cut.kind
    visits = stores.study.teams.visits_per_rep * 0.75
    for slider, value in zip(sliders, (0.6, 0.3, visits, 1.0), strict=True):
        slider.value = value
    asked = {"matrix.potential_cut": {kind: 0.6}, "matrix.share_cut": 0.3,
             "teams.visits_per_rep": visits, "targets.close_gap": 1.0}  # fmt: skip
    expected = what_if._shown(replanned(stores, asked))
    assert widget.children[-1].children[1].value == expected
    assert quadrant.value != picture
    back.click()
    assert _table(widget).equals(before) and quadrant.value == picture


def test_an_executed_notebook_keeps_nothing_of_the_sliders() -> None:
    text = (ROOT / "notebooks/05-sales-plan.ipynb").read_text(encoding="utf-8")
    assert "kalib.explore(matrix, plan, study)" in text and "FloatSlider" not in text
    assert "vnd.jupyter.widget" not in text
