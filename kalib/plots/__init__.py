"""Charts seaborn's way: results in, axes out, nothing computed.

Each draws on `ax`, or on a fresh figure where none is given, and returns the axes. `set_theme`
sets the house style and the language, currency and labels of a study.
"""

from kalib.plots.accounts import (
    bridge,
    gain,
    intervals,
    key_accounts,
    matrix,
    sow,
    targets,
    zones,
)
from kalib.plots.formula import (
    correlation,
    effects,
    influence,
    leave_one_out,
    observed_predicted,
    pairs,
    partial_effects,
    partial_residuals,
    path,
    residuals,
    stability,
)
from kalib.plots.table import table
from kalib.plots.theme import set_theme

__all__ = [
    "bridge", "correlation", "effects", "gain", "influence", "intervals", "key_accounts",
    "leave_one_out", "matrix", "observed_predicted", "pairs", "partial_effects",
    "partial_residuals", "path", "residuals", "set_theme", "sow", "stability", "table",
    "targets", "zones",
]  # fmt: skip
