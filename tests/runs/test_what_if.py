"""Other settings tried on an analysis, by function and by slider."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pandas as pd
import pytest
from conftest import ROOT

from kalib.analysis import Analysis, analyze
from kalib.errors import StudyError
from kalib.runs import what_if
from kalib.runs.what_if import explore, replan


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        ({"share_cut": 0.35}, {"matrix.share_cut": "0.35"}),
        (
            {"potential_cut": {"top": 50}, "visits_per_rep": 300, "close_gap": 0.9},
            {
                "matrix.potential_cut": "{ top = 50 }",
                "teams.visits_per_rep": "300",
                "targets.close_gap": "0.9",
            },
        ),
    ],
)
def test_replan_equals_an_analysis_with_the_same_settings(
    phones: Analysis, arguments: dict[str, Any], settings: dict[str, str]
) -> None:
    found = replan(phones, **arguments)
    real = analyze(phones.study.file, settings=settings)
    assert found.study == real.study
    assert found.matrix.counts == real.matrix.counts
    pd.testing.assert_frame_equal(found.plan.accounts, real.plan.accounts)
    pd.testing.assert_frame_equal(found.plan.teams, real.plan.teams)
    changed = found.comparison["what_if"]
    assert changed["owner changes"] == real.plan.owner_changes
    assert changed["attack accounts"] == real.matrix.counts["attack"]


def test_replan_without_a_change_is_today(phones: Analysis) -> None:
    assert (replan(phones).comparison["change"] == 0).all()


def test_replan_names_every_setting_that_cannot_be(phones: Analysis) -> None:
    with pytest.raises(StudyError) as caught:
        replan(phones, share_cut=1.5, close_gap=2, potential_cut={"top": -3})
    text = str(caught.value)
    assert all(name in text for name in ("share_cut", "close_gap", "potential_cut"))


def _table(widget: Any) -> pd.DataFrame:
    return pd.read_html(StringIO(widget.children[-1].value), index_col=0)[0]


def test_sliders_show_what_replan_finds(phones: Analysis) -> None:
    widget = explore(phones)
    before = _table(widget)
    assert (before["today"] == before["what if"]).all()
    kind = phones.study.matrix.potential_cut.kind
    sliders, back = widget.children[:4], widget.children[4]
    visits = phones.study.teams.visits_per_rep * 0.75
    values = (0.6 if kind in ("quantile", "pareto") else 40.0, 0.3, visits, 1.0)
    for slider, value in zip(sliders, values, strict=True):
        slider.value = value
    expected = replan(
        phones,
        potential_cut={kind: values[0]},
        share_cut=0.3,
        visits_per_rep=visits,
        close_gap=1,
    )
    assert widget.children[-1].value == what_if._shown(expected.comparison)
    back.click()
    assert _table(widget).equals(before)


def test_an_executed_notebook_keeps_nothing_of_the_sliders() -> None:
    text = (ROOT / "notebooks/05-sales-plan.ipynb").read_text(encoding="utf-8")
    assert "what_if.explore(analysis)" in text and "FloatSlider" not in text
    assert "vnd.jupyter.widget" not in text
