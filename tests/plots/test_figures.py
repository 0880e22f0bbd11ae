"""Charts by their axes: what is drawn, labeled and said. They are looked at by eye as well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from kalib.analysis import Analysis
from kalib.plots import figures, fit_figures, theme


@pytest.fixture(autouse=True)
def house_style() -> Iterator[None]:
    theme.apply_theme()
    yield
    plt.close("all")


@pytest.fixture
def ax() -> Axes:
    return theme.new_axes()


def every_figure(analysis: Analysis):
    return figures.all_figures(
        analysis.fit, analysis.screening.values, analysis.wallet, analysis.matrix, analysis.study
    )


def test_every_chart_has_a_title_and_a_unit(stores: Analysis) -> None:
    for name, draw in every_figure(stores).items():
        axes = draw(theme.new_axes())
        assert axes.get_title(loc="left"), name
        assert axes.get_xlabel() or name == "key-accounts", name
        plt.close("all")


def test_every_chart_can_be_drawn_where_nothing_is_known(nothing: Analysis) -> None:
    for draw in every_figure(nothing).values():
        assert draw(theme.new_axes()).get_title(loc="left")
        plt.close("all")


def test_matrix_draws_each_account_once_and_border_cases_open(stores: Analysis, ax: Axes) -> None:
    matrix = stores.matrix
    figures.draw_matrix(matrix, stores.study, ax)
    points = [collection.get_offsets() for collection in ax.collections]
    assert [len(part) for part in points] == list(matrix.counts.values())
    attack = points[0]
    across = (attack[:, 0] < matrix.potential_cut) | (attack[:, 1] >= matrix.sow_cut)
    hollow = (ax.collections[0].get_facecolor()[:, :3] == 1).all(axis=1)
    assert 0 < across.sum() < len(attack) / 4 and (hollow == across).all()
    words = {text.get_text() for text in ax.texts}
    assert f"Attack: {matrix.counts['attack']:,}" in words
    assert "EUR" in ax.get_xlabel()


def test_labels_of_the_matrix_do_not_overlap(stores: Analysis, ax: Axes) -> None:
    figures.draw_matrix(stores.matrix, stores.study, ax)
    ax.get_figure().canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


def test_observed_against_predicted_marks_suspects(stores: Analysis, ax: Axes) -> None:
    figures.draw_observed_predicted(stores.fit, stores.study, ax)
    good, bad = ax.collections[:2]
    assert len(good.get_offsets()) == 219 and len(bad.get_offsets()) == 1


def test_market_share_is_marked(stores: Analysis, ax: Axes) -> None:
    figures.draw_sow(stores.wallet, stores.study, ax)
    line = ax.lines[-1].get_xdata()
    assert line[0] == stores.wallet.market_share
    assert sum(bar.get_height() for bar in ax.patches) == len(stores.wallet.accounts)


def test_key_account_bars_hold_the_potential(stores: Analysis, ax: Axes) -> None:
    figures.draw_ka_change(stores.matrix, stores.study, ax)
    accounts = stores.matrix.accounts
    for bar, name in zip(ax.patches, ("kept", "promoted", "demoted"), strict=True):
        held = accounts.loc[accounts["change"] == name, "potential"].sum()
        assert bar.get_height() == pytest.approx(held)


def test_a_missing_font_is_known() -> None:
    assert not theme.lacks_font(["area", "面积", "Straße", "площадь", "R² ≥ 5"])
    assert theme.lacks_font(["\U00012000"])


def test_fonts_came_with_the_kit() -> None:
    names = [file.name for file in theme.font_files()]
    assert names == [
        "SourceSansPro-Regular.ttf",
        "SourceSansPro-Bold.ttf",
        "NotoSansSC-Regular.otf",
    ]


@pytest.mark.parametrize("color", ["#ffd400", "#005a8f", "#ffffff"])
def test_a_client_color_is_dark_enough_to_read(stores: Analysis, color: str) -> None:
    report = stores.study.report.model_copy(update={"colors": (color,)})
    found = theme.accent(stores.study.model_copy(update={"report": report}))
    assert theme._contrast(np.array(to_rgb(found))) >= theme.CONTRAST
    assert found == color or color != "#005a8f"


def test_client_text_is_not_read_as_mathematics(stores: Analysis, ax: Axes) -> None:
    assert theme.plain_text("A $ B $") == r"A \$ B \$"


def test_files_are_the_same_when_drawn_again(stores: Analysis, tmp_path: Path) -> None:
    chart = {"sizes": lambda axes: figures.draw_path(stores.fit, stores.study, axes)}
    for folder in ("a", "b"):
        theme.save_figures(chart, tmp_path / folder)
    for kind in ("png", "svg"):
        one, two = (tmp_path / folder / f"sizes.{kind}" for folder in "ab")
        assert one.read_bytes() == two.read_bytes()


def test_chosen_indicator_beyond_the_twenty_shown_is_counted(stores: Analysis) -> None:
    fit = stores.fit
    many = pd.Series(0.9, index=[f"other {i}" for i in range(25)])
    crowded = replace(fit, stability=pd.concat([many, fit.stability.clip(upper=0.6)]))
    ax = fit_figures.draw_stability(crowded, stores.study, theme.new_axes())
    assert len(ax.patches) == 20
    assert ax.get_title(loc="left").startswith("3 of 3")
