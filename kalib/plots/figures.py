"""Charts by the names that the notebooks still call them."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes

from kalib.plots import accounts, formula
from kalib.plots.theme import set_theme
from kalib.study.settings import Study


def _drawn(draw: Any) -> Any:
    def drawing(*given: Any) -> Axes:
        study = next(one for one in given if isinstance(one, Study))
        set_theme(study)
        return draw(given[0], ax=given[-1])

    return drawing


draw_path, draw_effects = _drawn(formula.path), _drawn(formula.effects)
draw_partial_effects, draw_stability = _drawn(formula.partial_effects), _drawn(formula.stability)
draw_observed_predicted = _drawn(formula.observed_predicted)
draw_residuals, draw_leave_one_out = _drawn(formula.residuals), _drawn(formula.leave_one_out)
draw_intervals, draw_sow = _drawn(accounts.intervals), _drawn(accounts.sow)
draw_matrix, draw_ka_change = _drawn(accounts.matrix), _drawn(accounts.key_accounts)
