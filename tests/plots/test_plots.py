"""Charts by their axes: what is drawn, labeled and said. They are looked at by eye as well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from kalib import plots
from kalib.analysis import Analysis
from kalib.plots import theme
from kalib.plots.accounts import LABELLED, SIDES, Steps, _waterfall, name_places
from kalib.report.figures import charts
from kalib.report.story import tell_story


@pytest.fixture(autouse=True)
def house_style(stores: Analysis) -> Iterator[None]:
    plots.set_theme(stores.study)
    yield
    plt.close("all")


def test_every_chart_has_a_unit_and_a_claim(stores: Analysis, nothing: Analysis) -> None:
    for analysis in (stores, nothing):
        story = tell_story(analysis)
        titles = {name: story.say(claim) for name, claim in story.charts.items()}
        drawn = charts(analysis)
        assert set(drawn) < set(titles)
        for name, draw in drawn.items():
            axes = draw()
            assert titles[name] and "nan" not in titles[name].lower().split(), name
            assert axes.get_xlabel() or axes.get_ylabel(), name
            plt.close("all")


def test_a_chart_is_drawn_on_the_axes_given(stores: Analysis) -> None:
    for draw, result in (
        (plots.path, stores.fit), (plots.sow, stores.wallet), (plots.matrix, stores.matrix),
        (plots.bridge, stores.plan),
    ):  # fmt: skip
        ax = theme.axes_for(None)
        assert draw(result, ax=ax) is ax


def test_matrix_draws_each_account_once_and_border_cases_open(stores: Analysis) -> None:
    matrix = stores.matrix
    ax = plots.matrix(matrix)
    points = [collection.get_offsets() for collection in ax.collections]
    assert [len(part) for part in points] == list(matrix.counts.values())
    attack = points[0]
    across = (attack[:, 0] < matrix.potential_cut) | (attack[:, 1] >= matrix.sow_cut)
    hollow = (ax.collections[0].get_facecolor()[:, :3] == 1).all(axis=1)
    assert 0 < across.sum() < len(attack) / 4 and (hollow == across).all()
    words = {text.get_text() for text in ax.texts}
    assert f"Attack: {matrix.counts['attack']:,}" in words
    assert "EUR" in ax.get_xlabel()


def test_labels_of_the_matrix_do_not_overlap(stores: Analysis) -> None:
    ax = plots.matrix(stores.matrix)
    ax.get_figure().canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


def test_names_cover_no_point_no_other_name_and_stay_in_the_frame() -> None:
    rng = np.random.default_rng(3)
    frame, names = np.array([400.0, 200.0]), [f"account {k}" for k in range(60)]
    points, lines = rng.random((60, 2)) * frame, [((200, 0), (200, 200))]
    sides = name_places(points, names, range(60), frame, lines, 8.0)
    assert 0 < len(sides) <= LABELLED
    boxes = []
    for k, side in sides.items():
        size = 8.0 * np.array([0.53 * (len(names[k]) + 1), 1.25])
        low = points[k] + size * SIDES[side] + 2.8 * (2 * np.array(SIDES[side]) + 1)
        inside = ((points > low) & (points < low + size)).all(axis=1)
        assert not inside.any() and (low >= 0).all() and (low + size <= frame).all()
        boxes.append((low, low + size))
    for i, (low, high) in enumerate(boxes):
        others = [*boxes[i + 1 :], *lines]
        assert all((high < a).any() or (low > b).any() for a, b in others)


def test_observed_against_predicted_marks_suspects(stores: Analysis) -> None:
    good, bad = plots.observed_predicted(stores.fit).collections[:2]
    assert len(good.get_offsets()) == 219 and len(bad.get_offsets()) == 1


def test_market_share_is_marked(stores: Analysis) -> None:
    ax = plots.sow(stores.wallet)
    assert ax.lines[-1].get_xdata()[0] == stores.wallet.market_share
    assert sum(bar.get_height() for bar in ax.patches) == len(stores.wallet.accounts)


def test_bars_hold_potential_and_sales(stores: Analysis) -> None:
    accounts = stores.matrix.accounts
    ax = plots.key_accounts(stores.matrix)
    shown = [bar.get_height() for bar in ax.patches]
    names = ("kept", "promoted", "demoted")
    sums = accounts.groupby("change")[["potential", "sales"]].sum()
    assert shown == pytest.approx([sums.at[n, c] for c in ("potential", "sales") for n in names])


def test_an_axis_is_cut_only_where_changes_would_be_slivers_and_says_so() -> None:
    for amounts, cut in (([100.0, 3.0, -1.0, 102.0], True), ([100.0, 60.0, 160.0], False)):
        names = ["a"] * len(amounts)
        whole = np.isin(np.arange(len(names)), [0, len(names) - 1])
        steps = Steps(names, np.array(amounts), names, whole, "sales")
        drawn = _waterfall(steps, None)
        assert (steps.floor > 0) is cut and ("axis cut" in drawn.get_ylabel()) is cut
        assert drawn.get_ylim()[0] == steps.floor
        levels = np.cumsum(amounts[:-1])
        assert steps.floor < levels.min() and steps.starts[-1] == 0
        assert steps.starts[1:-1] + np.array(amounts[1:-1]) == pytest.approx(levels[1:])


def test_the_bridge_adds_up(stores: Analysis) -> None:
    bars = plots.bridge(stores.plan).patches
    accounts = stores.plan.accounts
    asked, likely = (
        accounts["target_growth"].sum(),
        accounts.query("team == 'hunter'")["expected_gain"].sum(),
    )
    *steps, total, expected = (bar.get_height() for bar in bars)
    assert sum(steps) == pytest.approx(asked) == pytest.approx(total)
    assert expected == pytest.approx(likely) and all(bar.get_y() == 0 for bar in bars[-2:])
    assert [bar.get_y() for bar in bars[:-2]] == pytest.approx([0, *np.cumsum(steps)[:-1]])


def test_partial_residuals_are_those_of_the_fit(stores: Analysis) -> None:
    panels = plots.partial_residuals(stores.fit)
    assert len(panels) == len(stores.fit.formula.terms)
    linear = stores.fit.least_squares
    x, y = panels[0].collections[0].get_offsets().T
    weights = np.ones(len(x)) if linear.weights is None else linear.weights
    # In a weighted fit the weights are part of what makes residuals unrelated to the column.
    slope = np.polyfit(x, y, 1, w=np.sqrt(weights))[0]
    assert slope == pytest.approx(linear.coef[1])


def test_pairs_and_correlation_show_what_they_are_given(stores: Analysis) -> None:
    known = stores.screening.values.join(stores.potential.frame, how="inner")
    columns = ["floor_area_m2", "hours", "format", "potential"]
    assert plots.pairs(known, columns, color="format").axes.shape == (3, 3)
    frame = known[["floor_area_m2", "hours"]].corr("spearman")
    shown = [float(text.get_text()) for text in plots.correlation(frame).texts]
    assert shown == pytest.approx(frame.to_numpy().ravel(), abs=0.005)


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


def test_client_text_is_not_read_as_mathematics() -> None:
    text = theme.axes_for(None).set_title("A $ B $")
    assert not text.get_parse_math() and text.get_text() == "A $ B $"
    assert theme.short_name("A $ B $") == "A $ B $"


def test_files_are_the_same_when_drawn_again(stores: Analysis, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        theme.save_figures(
            {"sizes": lambda: plots.path(stores.fit)}, {"sizes": "t"}, tmp_path / folder
        )
    for kind in ("png", "svg"):
        one, two = (tmp_path / folder / f"sizes.{kind}" for folder in "ab")
        assert one.read_bytes() == two.read_bytes()


def test_at_most_twenty_candidates_are_shown(stores: Analysis) -> None:
    fit = stores.fit
    many = pd.Series(0.9, index=[f"other {i}" for i in range(25)])
    crowded = replace(fit, stability=pd.concat([many, fit.stability.clip(upper=0.6)]))
    assert len(plots.stability(crowded).patches) == 20


def test_charts_speak_the_language_and_labels_of_the_study(stores: Analysis) -> None:
    words = theme.Words("zh", "EUR", {"hours": "营业时间（小时）"})
    plots.set_theme(stores.study, words)
    labels = [label.get_text() for label in plots.effects(stores.fit).get_yticklabels()]
    assert "营业时间（小时）" in labels and "cash registers" in labels
