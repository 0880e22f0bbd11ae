"""What others would fit to the same survey, each without and with own sales as a column.

Text is one-hot, gaps are filled by medians. Every model is of log potential but OLS; what a model
says of one account is a normal distribution of the log whose spread is that of its own errors
on accounts left out of five folds, and its expectation smears those errors (Duan 1983).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from measures import LEVELS, Answer
from scipy.stats import norm
from sets import WalletSet

FOLDS = 5
TREES = ("random forest", "boosting", "LightGBM", "EBM")
QUICK = ("log-log OLS", "LassoCV")
WALLET_QUANTILE = 0.8  # Perlich, Rosset, Lawrence & Zadrozny 2007


def models() -> dict[str, Callable[[], Any]]:
    """The regressions, by name."""
    from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
    from sklearn.linear_model import LassoCV, LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    found: dict[str, Callable[[], Any]] = {
        "OLS": LinearRegression,
        "log-log OLS": LinearRegression,
        "LassoCV": lambda: make_pipeline(
            StandardScaler(), LassoCV(cv=5, random_state=0, max_iter=20_000)
        ),
        "random forest": lambda: RandomForestRegressor(200, min_samples_leaf=2, random_state=0),
        "boosting": lambda: GradientBoostingRegressor(
            subsample=0.5, max_features=0.5, random_state=0
        ),
    }
    if find_spec("lightgbm"):
        from lightgbm import LGBMRegressor

        found["LightGBM"] = lambda: LGBMRegressor(
            n_estimators=200, learning_rate=0.05, num_leaves=8, min_child_samples=5,
            subsample=0.7, subsample_freq=1, n_jobs=1, verbosity=-1, random_state=0,
        )  # fmt: skip
    if find_spec("interpret"):
        from interpret.glassbox import ExplainableBoostingRegressor

        found["EBM"] = lambda: ExplainableBoostingRegressor(
            outer_bags=4, interactions=0, n_jobs=1, random_state=0
        )
    return found


def rivals(data: WalletSet, quick: bool) -> Iterator[tuple[str, Answer]]:
    """Each method's answer on one set."""
    yield "sales ranking", Answer(ranking=data.frame["own_sales"].to_numpy())
    known = data.truth.to_numpy()[data.surveyed]
    sales = _sales_columns(data)
    yield "log sales alone", _answer(models()["log-log OLS"], "log", sales, data.surveyed, known)
    for name, model in models().items():
        if quick and name not in QUICK:
            continue
        matrix = _design(data, logged=name not in (*TREES, "OLS"))
        own = data.frame[["own_sales"]].to_numpy() if name == "OLS" else sales
        for label, columns in ((name, matrix), (f"{name} + sales", np.hstack([matrix, own]))):
            yield label, _answer(model, name, columns, data.surveyed, known)
    yield "quantile regression (MAP)", _wallet_quantile(data, known)


def _answer(
    model: Callable[[], Any], name: str, matrix: np.ndarray, surveyed: np.ndarray, known: np.ndarray
) -> Answer:
    since = perf_counter()
    aim = known if name == "OLS" else np.log(known)
    floor = known.min() / 2

    def logs(predicted: np.ndarray) -> np.ndarray:
        if name == "OLS":
            return np.log(np.maximum(predicted, floor))
        return np.clip(predicted, -50, 50)

    rows = matrix[surveyed]
    middle = logs(model().fit(rows, aim).predict(matrix))
    fold = np.random.default_rng(0).permutation(len(known)) % FOLDS
    miss = np.empty(len(known))
    for k in range(FOLDS):
        out = fold == k
        miss[out] = np.log(known[out]) - logs(model().fit(rows[~out], aim[~out]).predict(rows[out]))
    return _normal(middle, miss, perf_counter() - since)


def _normal(middle: np.ndarray, miss: np.ndarray, seconds: float) -> Answer:
    """Normal in logs about middle (N,), with the size of the errors (n,) out of sample."""
    spread = max(float(np.sqrt((miss**2).mean())), 1e-6)
    quantiles = np.exp(middle[:, None] + spread * norm.ppf(LEVELS)[None])
    point = np.exp(middle) * np.exp(np.clip(miss, -20, 20)).mean()
    return Answer(point, point, quantiles, LEVELS, seconds)


def _wallet_quantile(data: WalletSet, known: np.ndarray) -> Answer:
    """IBM's MAP: the realistic wallet is a high quantile of what accounts alike buy from us; it
    asks no survey, which only says here how far off it is."""
    from statsmodels.regression.quantile_regression import QuantReg

    since = perf_counter()
    sales = data.frame["own_sales"].to_numpy()
    matrix = _design(data, logged=True)
    matrix = matrix[:, matrix.std(axis=0) > 0]
    matrix = (matrix - matrix.mean(axis=0)) / matrix.std(axis=0)
    matrix = np.column_stack([np.ones(len(matrix)), matrix])
    buys = sales > 0
    fitted = QuantReg(np.log(sales[buys]), matrix[buys]).fit(q=WALLET_QUANTILE, max_iter=2000)
    middle = np.maximum(matrix @ fitted.params, np.log(np.maximum(sales, 1e-9)))
    return _normal(middle, np.log(known) - middle[data.surveyed], perf_counter() - since)


def _sales_columns(data: WalletSet) -> np.ndarray:
    """Log own sales, at half the least where they are zero, and a mark for zero."""
    sales = data.frame["own_sales"].to_numpy()
    least = sales[sales > 0].min()
    columns = [np.log(np.maximum(sales, least / 2))]
    if (sales <= 0).any():
        columns.append(sales <= 0)
    return np.column_stack(columns).astype(float)


def _design(data: WalletSet, logged: bool) -> np.ndarray:
    """Numbers (logged where positive), gaps filled by the median, and text one-hot (N, p)."""
    values = data.frame[list(data.candidates)]
    numeric = values.select_dtypes("number")
    numeric = numeric.fillna(numeric.median())
    if logged:
        numeric = numeric.apply(lambda c: np.log(c) if (c > 0).all() else c)
    text = values.select_dtypes(exclude="number")
    dummies = pd.get_dummies(text, drop_first=True, dtype=float) if len(text.columns) else text
    return np.column_stack([numeric.to_numpy(float), dummies.to_numpy(float)])
