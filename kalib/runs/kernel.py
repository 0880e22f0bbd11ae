"""What a kernel does before each notebook, so that each finds it as if it were the first."""

from __future__ import annotations

import copy
import gc
import os
import random
import sys
import warnings
from contextlib import suppress
from importlib import import_module
from typing import Any

# What notebooks import, so that it is there when the first one begins.
EARLY = (
    "kalib.analysis", "kalib.plots", "pandas.io.formats.style", "sklearn.linear_model",
    "statsmodels.regression.linear_model", "babel.numbers",
)  # fmt: skip
COLLECT = (50_000, 20, 100)  # garbage, seldom: while libraries are imported there is none
BACKEND = "module://matplotlib_inline.backend_inline"

_first: dict[str, Any] | None = None  # settings as the first notebook found them


def begin(folder: str) -> None:
    """Forget the notebook before, put back what it may have set, and work in a folder."""
    gc.set_threshold(*COLLECT)
    import matplotlib.pyplot as plt
    import numpy as np
    import pandas as pd
    from IPython.core.getipython import get_ipython

    global _first
    if _first is None:
        plt.switch_backend(BACKEND)
        plt.uninstall_repl_displayhook()  # it draws each chart once more, before it is shown
        _first = {
            "charts": dict(plt.rcParams), "environment": dict(os.environ),
            "path": list(sys.path), "warnings": list(warnings.filters),
        }  # fmt: skip
    first = copy.deepcopy(_first)
    plt.close("all")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # options that are to be removed say so when touched
        plt.rcParams.update(first["charts"])
        pd.reset_option("all")
    os.environ.clear()
    os.environ.update(first["environment"])
    sys.path[:] = first["path"]
    warnings.resetwarnings()  # and with it the memory of what was warned of
    warnings.filters = first["warnings"]
    random.seed()
    np.random.seed()
    if "ipywidgets" in sys.modules:
        sys.modules["ipywidgets"].Widget.close_all()
    os.chdir(folder)
    shell = get_ipython()
    if shell is not None:
        shell.reset(new_session=True)  # type: ignore[no-untyped-call]


def warm() -> None:
    """Import what the kit's notebooks need; what is wrong with it shows where it is used."""
    for name in EARLY:
        with suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import_module(name)
