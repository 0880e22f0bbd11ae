"""Daily store visits to annual potential, with its uncertainty and the days not believed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

DAYS_A_YEAR = 365
SUSPECT_Z = 6.0  # standard deviations from the store's middle at which a day is not believed
PLAUSIBLE_Z = 3.0  # and within which it would be, divided by ten
SAME_UNIT = (0.67, 1.5)  # sales over annualized own units in this range: the units are the same
COPIED_DAYS = 4
NORMAL_90 = 1.6448536269514722


@dataclass(frozen=True)
class Measured:
    """Potential measured in stores.

    frame: DataFrame indexed by account: potential, potential_low, potential_high (90 %, currency
    a year), log_sd, days, own, total (units a day, weekday adjusted). unit_value: currency per
    unit sold. suspects: DataFrame (account, date, visitor, own, total, problem).
    """

    frame: pd.DataFrame
    unit_value: float
    suspects: pd.DataFrame


def measure_potential(visits: pd.DataFrame, sales: pd.Series) -> Measured:
    """Annual potential of each visited store.

    visits: rows (account, date, own, total[, visitor]), units a day; sales: currency a year by
    account. A store asked on few days is shrunk to its peers by the ratio of their variances
    (empirical Bayes on logs, Efron & Morris 1975).
    """
    visits = visits.reset_index(drop=True)
    problem = _implausible(visits)
    wrong = problem.isin(["own above total", "a factor of ten"])
    good = visits[~wrong]
    factor = _weekday_factors(good)
    day = good["date"].dt.day_of_week.map(factor).to_numpy()
    adjusted = good.assign(own=good["own"] / day, total=good["total"] / day)
    stores = adjusted.groupby("account", sort=False)
    frame = stores.agg(days=("total", "size"), own=("own", "mean"), total=("total", "mean"))
    spread = stores["total"].std().fillna(0.0)
    frame = frame[frame["total"] > 0]
    relative = (spread.reindex(frame.index) / frame["total"]) ** 2
    pooled = float(np.average(relative, weights=frame["days"])) if len(frame) else 0.0
    # A store's own variance is itself uncertain on few days: it is pooled with its peers'.
    blend = (relative * frame["days"] + pooled * 10) / (frame["days"] + 10)
    variance = blend / frame["days"]
    log_total = np.log(frame["total"])
    between = max(float(log_total.var(ddof=1) if len(frame) > 1 else 0.0) - variance.mean(), 1e-6)
    keep = between / (between + variance)
    center = float(np.average(log_total, weights=1 / (between + variance)))
    shrunk = np.exp(center + keep * (log_total - center))
    frame["log_sd"] = np.sqrt(keep * variance)
    value = _unit_value(frame["own"], sales)
    frame["potential"] = shrunk * DAYS_A_YEAR * value
    frame["potential_low"] = frame["potential"] * np.exp(-NORMAL_90 * frame["log_sd"])
    frame["potential_high"] = frame["potential"] * np.exp(NORMAL_90 * frame["log_sd"])
    found = visits[problem != ""].assign(problem=problem[problem != ""])
    if "visitor" not in found:
        found["visitor"] = ""
    columns = ["account", "date", "visitor", "own", "total", "problem"]
    order = [
        "potential", "potential_low", "potential_high", "log_sd", "days", "own", "total",
    ]  # fmt: skip
    return Measured(frame[order], value, found[columns].reset_index(drop=True))


def _implausible(visits: pd.DataFrame) -> pd.Series:
    """What is wrong with each visit: "" where nothing is."""
    problem = pd.Series("", index=visits.index, dtype="str")
    # Counts are compared by square roots, on which a Poisson count scatters alike at any level
    # (Anscombe 1948): logs would call every quiet day of a small store an outlier.
    middle = visits.groupby("account")["total"].transform("median")
    shift = _root_shift(visits["total"], middle)
    scale = max(1.4826 * float(shift.abs().median()), 0.5)
    for factor in (0.1, 10.0, 100.0):
        mended = _root_shift(visits["total"] / factor, middle).abs() < PLAUSIBLE_Z * scale
        problem[mended & (shift.abs() > SUSPECT_Z * scale)] = "a factor of ten"
    ordered = visits.sort_values(["account", "date"])
    pair = ordered["own"].astype(str) + "/" + ordered["total"].astype(str)
    new = (pair != pair.shift()) | (ordered["account"] != ordered["account"].shift())
    run = new.cumsum()
    length = run.map(run.value_counts())
    copied = (length >= COPIED_DAYS) & (ordered["total"] >= 5)
    problem[ordered.index[copied]] = "copied from the day before"
    tens = (visits["total"] % 10 == 0) & (visits["total"] > 0)
    days = visits.groupby("account")["total"].transform("size")
    round_share = tens.groupby(visits["account"]).transform("mean")
    problem[(round_share > 0.8) & (days >= 10)] = "always a round number"
    problem[visits["own"] > visits["total"]] = "own above total"
    return problem


def _root_shift(total: pd.Series, middle: pd.Series) -> pd.Series:
    """Distance of counts from their store's middle in Poisson standard deviations."""
    return 2 * (np.sqrt(total + 0.375) - np.sqrt(middle + 0.375))


def _weekday_factors(visits: pd.DataFrame) -> dict[int, float]:
    """Sales of a weekday over a mean day, from stores' relative days.

    Months are left alone: a poll of a few weeks can't tell a season from growth, and with a
    full year of visits the mean day needs no correction.
    """
    relative = visits["total"] / visits.groupby("account")["total"].transform("mean")
    by_day = relative.groupby(visits["date"].dt.day_of_week).mean()
    by_day = by_day.reindex(range(7)).fillna(1.0).clip(lower=0.05)
    return {int(day): float(value) for day, value in (by_day / by_day.mean()).items()}


def _unit_value(own: pd.Series, sales: pd.Series) -> float:
    """Currency per unit: 1 where annualized own units already match the sales."""
    annual = own * DAYS_A_YEAR
    matched = sales.reindex(own.index).fillna(0.0)
    both = (annual > 0) & (matched > 0)
    if not both.any():
        return 1.0
    ratio = float(matched[both].sum() / annual[both].sum())
    return 1.0 if SAME_UNIT[0] <= ratio <= SAME_UNIT[1] else ratio
