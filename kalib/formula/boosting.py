"""The price of a readable formula: what a gradient-boosted model reaches on the same folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kalib.formula.fitting import Fit
from kalib.formula.validation import r_squared
from kalib.study.kept import kept

FEW = 1000  # surveyed accounts below which exact splits cost no more than binned ones


@dataclass(frozen=True)
class Boosted:
    """Accuracy of gradient boosting out of fold: r2_predicted of log potential; error_median,
    fraction of potential. Comparable with those of the formula."""

    r2_predicted: float
    error_median: float


@kept
def boosted_accuracy(fit: Fit) -> Boosted:
    """Fit gradient boosting (Friedman 2001) to log potential in the formula's own folds.

    It sees every kept indicator and no rule of the study; accounts set aside are left out of it.
    Shallow trees on half of the accounts and indicators each, scikit-learn's default rate: tuning
    in so few accounts is noise.
    """
    from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    believed = ~fit.oof["suspect"].to_numpy()
    rows = fit.working_rows[believed]
    values = fit.screening.values.iloc[rows]
    columns = [
        column if pd.api.types.is_numeric_dtype(column) else pd.Series(pd.factorize(column)[0])
        for _, column in values.items()
    ] or [np.zeros(len(rows))]  # without any indicator the trees know the mean
    observed = fit.oof["observed"].to_numpy()[believed]
    fold = fit.oof["fold"].to_numpy()[believed]
    weights = fit.bias.weights[believed]
    matrix, aim = np.column_stack([np.asarray(c, dtype=float) for c in columns]), np.log(observed)
    predicted = np.empty(len(aim))
    for k in np.unique(fold):
        train = fold != k
        model = (
            GradientBoostingRegressor(subsample=0.5, max_features=0.5, random_state=0)
            if len(aim) < FEW
            else HistGradientBoostingRegressor(max_leaf_nodes=8, random_state=0)
        )
        with threadpool_limits(1):  # the trees' threads, too, would wait for one another
            model.fit(matrix[train], aim[train], sample_weight=weights[train])
        predicted[~train] = model.predict(matrix[~train])
    smearing = float(np.average(np.exp(aim - predicted), weights=weights))
    predicted += np.log(smearing)
    return Boosted(
        r2_predicted=r_squared(aim, predicted, weights),
        error_median=float(np.median(np.abs(np.exp(predicted - aim) - 1))),
    )
