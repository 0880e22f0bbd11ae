from .accounts import (
    bridge,
    gain,
    intervals,
    key_accounts,
    matrix,
    share_change,
    sow,
    targets,
    zones,
)
from .formula import (
    correlation,
    coverage,
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
from .frames import table
from .theme import set_theme

__all__ = [
    "bridge", "correlation", "coverage", "effects", "gain", "influence", "intervals",
    "key_accounts", "leave_one_out", "matrix", "observed_predicted", "pairs", "partial_effects",
    "partial_residuals", "path", "residuals", "set_theme", "share_change", "sow", "stability",
    "table", "targets", "zones",
]  # fmt: skip
