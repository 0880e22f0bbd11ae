"""From wave to wave: has the formula changed, and what moved market share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kalib.errors import KalibError
from kalib.formula.formula import Formula
from kalib.formula.linear import least_squares
from kalib.indicators.screening import encode

TESTS = ["test", "f", "df", "df_residual", "p_value", "level", "level_error"]
TERMS = ["term", "before", "after", "z", "p_value"]


@dataclass(frozen=True)
class Drift:
    """Whether the later formula's terms weigh in the later wave what they weighed in the earlier.

    tests: DataFrame of Chow's hypothesis, rows "whole formula" (every coefficient the same) and
    "slopes" (the same but for the level, which a growing market moves): f, df, df_residual,
    p_value; in the second row `level`, the later wave's shift on the working scale, and its
    standard error. terms: DataFrame (term, before, after: coefficients fitted to each wave's
    survey; z, p_value of their difference). Both empty where a survey can't tell the terms apart.
    """

    tests: pd.DataFrame
    terms: pd.DataFrame

    @property
    def level(self) -> float:
        """The market's shift on the working scale; 0 where it is not known."""
        return float(self.tests["level"].iloc[-1]) if len(self.tests) else 0.0


NO_DRIFT = Drift(pd.DataFrame(columns=TESTS), pd.DataFrame(columns=TERMS))


def measure_drift(
    formula: Formula, surveys: Sequence[pd.DataFrame], observed: Sequence[np.ndarray]
) -> Drift:
    """Test Chow's hypothesis (1960) that two surveys obey one formula.

    formula: the later one, whose terms are fitted to both; surveys: the surveyed accounts'
    indicators (n_k rows); observed: their potential (n_k,), currency a year. Wald tests with HC3
    covariances: the error's spread differs between accounts and waves, where Chow's own F takes it
    as equal (Long & Ervin 2000). Accounts surveyed twice make the tests careful: their errors go
    together.
    """
    from scipy.special import ndtr

    columns = [term.column for term in formula.terms]
    names = [column.name for column in columns]
    linear = formula.form == "linear"
    x = np.vstack([encode(survey, columns) for survey in surveys])
    aim = np.concatenate(observed)
    # In a linear formula the error is about the same fraction of every account's potential.
    sure = [formula.potential(s).to_numpy() ** -2.0 if linear else np.ones(len(s)) for s in surveys]
    pooled, each = np.concatenate(sure), np.concatenate([part / part.mean() for part in sure])
    wave = np.repeat([[0.0], [1.0]], [len(survey) for survey in surveys], axis=0)
    y, shifts = aim if linear else np.log(aim), ["wave", *(f"wave {name}" for name in names)]
    try:
        apart = least_squares(np.hstack([x, wave, wave * x]), y, [*names, *shifts], weights=each)
        even = pooled / pooled.mean()
        shifted = least_squares(np.hstack([x, wave]), y, [*names, "wave"], weights=even)
    except KalibError:
        return NO_DRIFT
    robust = apart.results.get_robustcov_results("HC3", use_t=True)  # MacKinnon & White 1985
    before, change = np.split(apart.coef, 2)
    select = np.eye(len(apart.coef))[len(before) :]
    rows: list[dict[str, float | str]] = []
    for name, held in (("whole formula", select), ("slopes", select[1:])):
        test = robust.f_test(held)
        rows.append({"test": name, "f": float(test.fvalue), "df": len(held),
                     "df_residual": apart.df_residual, "p_value": float(test.pvalue)})  # fmt: skip
    level_error = float(np.asarray(shifted.results.HC3_se)[-1])
    rows[1] |= {"level": float(shifted.coef[-1]), "level_error": level_error}
    z = change / np.asarray(robust.bse)[len(before) :]
    terms = pd.DataFrame(
        {"term": ["intercept", *names], "before": before, "after": before + change, "z": z,
         "p_value": 2 * ndtr(-np.abs(z))}
    )  # fmt: skip
    return Drift(pd.DataFrame(rows, columns=TESTS), terms)


def split_share_change(
    accounts: tuple[pd.DataFrame, pd.DataFrame], everyone: tuple[float, float],
    parts: Mapping[str, np.ndarray],
) -> dict[str, float]:  # fmt: skip
    """What moved market share between two waves, in natural logs, adding up exactly.

    accounts: sales and potential (currency a year) of the n accounts in both waves; everyone:
    market share over all accounts of each wave; parts: name -> (n,) share of each account's log
    change in potential; what they leave is "measurement". Market share is sales over potential, and
    the log change of a total is the sum of its members' by logarithmic-mean weights (Vartia 1976).
    """
    potential = [frame["potential"].to_numpy(float) for frame in accounts]
    sales = [float(frame["sales"].sum()) for frame in accounts]
    totals = [float(values.sum()) for values in potential]
    if min(*sales, *totals, *everyone) <= 0 or not len(potential[0]):
        return {}
    weight = log_mean(potential[1], potential[0]) / float(log_mean(totals[1], totals[0]))
    change = np.log(potential[1] / potential[0])
    common = np.log(sales[1] / totals[1]) - np.log(sales[0] / totals[0])
    told = {name: float(-(weight * values).sum()) for name, values in parts.items()}
    rest = float(-(weight * change).sum()) - sum(told.values())
    whole = float(np.log(everyone[1] / everyone[0]))
    return {
        "before": everyone[0],
        "after": everyone[1],
        "log_change": whole,
        "from_own_sales": float(np.log(sales[1] / sales[0])),
        **{f"from_{name}": value for name, value in told.items()},
        "from_measurement": rest,
        "from_accounts_gained_and_lost": whole - common,
    }


def log_mean(a: Any, b: Any) -> Any:
    """Logarithmic mean (a - b) / ln(a / b), a where both are equal."""
    from scipy.special import exprel

    return b * exprel(np.log(a / b))
