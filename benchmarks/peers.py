"""What a competent analyst would fit instead: the peers of the tables of worlds.py.

Each sees the candidates that kalib sees, gaps filled by medians, text one-hot. Models of log
potential come back to currency by Duan's factor, from residuals out of sample where a model can
learn its sample by heart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd


def fit_peers(
    accounts: pd.DataFrame, potential: pd.Series, candidates: Sequence[str]
) -> dict[str, pd.Series]:
    """Potential of all N accounts (currency a year) by method.

    accounts: N rows, indexed by account, with the candidate columns; potential: of the surveyed
    accounts.
    """
    from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
    from sklearn.linear_model import LassoCV, LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    plain, logged = (_design(accounts[list(candidates)], log) for log in (False, True))
    lasso = make_pipeline(StandardScaler(), LassoCV(cv=5, random_state=0, max_iter=20_000))
    forest = RandomForestRegressor(200, min_samples_leaf=2, oob_score=True, random_state=0)
    boosted = GradientBoostingRegressor(subsample=0.5, max_features=0.5, random_state=0)
    rows = accounts.index.get_indexer(potential.index)
    observed = potential.to_numpy(float)
    level = LinearRegression().fit(plain[rows], observed).predict(plain)
    found = {
        "OLS": np.maximum(level, observed.min() / 2),
        "log-log OLS": _smeared(LinearRegression(), logged, rows, observed),
        "LassoCV": _smeared(lasso, logged, rows, observed),
        "random forest": _smeared(forest, plain, rows, observed),
        "boosting": _smeared(boosted, plain, rows, observed),
    }
    return {name: pd.Series(values, accounts.index) for name, values in found.items()}


def _design(values: pd.DataFrame, logged: bool) -> np.ndarray:
    """Numbers (logged where positive), gaps filled by the median, and text one-hot (N, p)."""
    numeric = values.select_dtypes("number")
    numeric = numeric.fillna(numeric.median())
    if logged:
        numeric = numeric.apply(lambda c: np.log(c) if (c > 0).all() else c)
    text = values.select_dtypes(exclude="number")
    dummies = pd.get_dummies(text, drop_first=True, dtype=float) if len(text.columns) else text
    return np.column_stack([numeric.to_numpy(float), dummies.to_numpy(float)])


def _smeared(model: Any, matrix: np.ndarray, rows: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Potential (N,) by a model of its log."""
    from sklearn.base import clone
    from sklearn.model_selection import cross_val_predict

    aim = np.log(observed)
    fitted = clone(model).fit(matrix[rows], aim)
    name = type(model).__name__
    if hasattr(fitted, "oob_prediction_"):
        inside = fitted.oob_prediction_
    elif name == "GradientBoostingRegressor":
        inside = cross_val_predict(model, matrix[rows], aim, cv=3)
    else:
        inside = fitted.predict(matrix[rows])
    return np.asarray(np.exp(fitted.predict(matrix)) * np.exp(aim - inside).mean())
