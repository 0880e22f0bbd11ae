"""What a kernel does before each notebook, so that each finds it as if it were the first."""

from __future__ import annotations

import copy
import gc
import io
import os
import random
import sys
import warnings
from base64 import b64encode
from contextlib import suppress
from importlib import import_module
from typing import Any

# What notebooks import, so that it is there when the first one begins.
EARLY = (
    "kalib.analysis", "kalib.plots", "pandas.io.formats.style", "sklearn.linear_model",
    "statsmodels.regression.linear_model", "babel.numbers",
)  # fmt: skip
COLLECT = (50_000, 20, 100)  # garbage, seldom: while libraries are imported there is none

first: dict[str, Any] | None = None  # settings as a run's first notebook found them


def begin(folder: str) -> None:
    """Forget the notebook before, put back what it may have set, and work in a folder."""
    gc.set_threshold(*COLLECT)
    import matplotlib.pyplot as plt
    import numpy as np
    import pandas as pd
    from IPython.core.getipython import get_ipython
    from matplotlib.figure import Figure

    global first
    shell = get_ipython()
    if first is None:
        plt.switch_backend("module://matplotlib_inline.backend_inline")
        plt.uninstall_repl_displayhook()  # it draws each chart once more, before it is shown
        if shell is not None and shell.display_formatter:
            shell.display_formatter.formatters["image/png"].for_type(Figure, _picture)
        first = {
            "charts": dict(plt.rcParams), "environment": dict(os.environ),
            "path": list(sys.path), "warnings": list(warnings.filters),
        }  # fmt: skip
    was = copy.deepcopy(first)
    plt.close("all")
    with warnings.catch_warnings(action="ignore"):  # options to be removed say so when touched
        plt.rcParams.update(was["charts"])
        pd.reset_option("all")
    os.environ.clear()
    os.environ.update(was["environment"])
    sys.path[:] = was["path"]
    warnings.resetwarnings()  # and with it the memory of what was warned of
    warnings.filters = was["warnings"]
    random.seed()
    np.random.seed()
    if "ipywidgets" in sys.modules:
        sys.modules["ipywidgets"].Widget.close_all()
    os.chdir(folder)
    if shell is not None:
        shell.reset(new_session=True)  # type: ignore[no-untyped-call]


def warm() -> None:
    """Import what the kit's notebooks need; what is wrong with it shows where it is used."""
    for name in EARLY:
        with suppress(Exception), warnings.catch_warnings(action="ignore"):
            import_module(name)
    gc.freeze()  # none of it is ever garbage: each new session would look through it all


def _picture(figure: Any) -> str | None:
    """A chart as it is shown, drawn once: what prints figures first draws each to lay it out."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    picture = io.BytesIO()
    FigureCanvasAgg(figure).print_png(picture)  # type: ignore[no-untyped-call]
    return b64encode(picture.getvalue()).decode() if figure.axes else None
