"""Known potential; and how daily store visits make it, with the days not believed."""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

DAYS_A_YEAR = 365
SUSPECT_Z = 6.0  # standard deviations from the store's middle at which a day is not believed
PLAUSIBLE_Z = 3.0  # and within which it would be, divided by ten
SAME_UNIT = (0.67, 1.5)  # sales over annualized own units in this range: the units are the same
COPIED_DAYS = 4
NOT_BELIEVED = ("own above total", "a factor of ten", "copied from the day before")
SEASON_MONTHS = 10  # months of the year seen before a season is told: two gaps can be bridged
MONTH_STORES = 0.2  # share of the stores visited in a month for it to count as seen
ROUNDS = 50  # of the alternating fit, which gains about a digit a round
MONTH_DAYS = np.array([calendar.monthrange(2027, month)[1] for month in range(1, 13)], float)


@dataclass(frozen=True)
class Measured:
    """Potential measured in stores.

    frame: DataFrame indexed by account: potential (currency a year), log_sd (its standard error in
    logs), counted, counted_sd (the same from the visits alone), days, days_missed (of the poll's
    days), own, total (units on a mean day of the week, and of the year where a season is known),
    own_units, total_units (sums over the days believed). weeks: DataFrame (account, week: its
    Monday, own, total) of the days believed. unit_value: currency per unit sold. suspects:
    DataFrame (account, date, visitor, own, total, problem). visitors: DataFrame (visitor, account,
    visits) of all visits. season: month -> sales of a day over the year's mean day, None where the
    visits cover too little of the year. notes: sentences.
    """

    frame: pd.DataFrame
    weeks: pd.DataFrame
    unit_value: float
    suspects: pd.DataFrame
    visitors: pd.DataFrame
    season: Mapping[int, float] | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Potential:
    """Known potential of some accounts.

    frame: DataFrame indexed by account: potential (currency a year), log_sd (its standard error in
    logs, 0 for an answer). visits: what was counted in visits, None where there were none.
    """

    frame: pd.DataFrame
    visits: Measured | None = None


def measure_potential(visits: pd.DataFrame, sales: pd.Series) -> Measured:
    """Annual potential of each visited store.

    visits: rows (account, date, own, total[, visitor]), units a day; sales: currency a year by
    account. A store's day is its level times a factor of the weekday and, where the visits cover
    the year, of the month (Poisson likelihood, fitted by alternating sums). What was counted
    stands here as it is: a formula learned from potentials drawn to their mean would be too flat.
    """
    visits = visits.reset_index(drop=True)
    if "visitor" not in visits:
        visits["visitor"] = ""
    problem = _implausible(visits)
    good = visits[~problem.isin(NOT_BELIEVED)]
    monthly = good.groupby(good["date"].dt.month)["account"].nunique()
    seen = [int(month) for month in monthly.index[monthly >= MONTH_STORES * monthly.max()]]
    factor, season = _rhythm(good, seen)
    good = good.assign(factor=factor, daily=good["total"] / factor)
    stores = good.groupby("account", sort=False)
    sums = stores.agg(days=("total", "size"), exposure=("factor", "sum"),
                      own_units=("own", "sum"), total_units=("total", "sum"))  # fmt: skip
    sums = sums[sums["total_units"] > 0]
    own, total = (sums[name] / sums["exposure"] for name in ("own_units", "total_units"))
    span = (visits["date"].max() - visits["date"].min()).days + 1 if len(visits) else 0
    spread = stores["daily"].std().reindex(sums.index).fillna(0.0)
    # A store's own variance is itself uncertain on few days: it is pooled with its peers'.
    relative, days = (spread / total) ** 2, sums["days"]
    pooled = float(np.average(relative, weights=days)) if len(days) else 0.0
    log_sd = np.sqrt((relative * days + pooled * 10) / (days + 10) / days)  # of the mean day
    annual, matched = own * DAYS_A_YEAR, sales.reindex(own.index).fillna(0.0)
    both = (annual > 0) & (matched > 0)
    value = float(matched[both].sum() / annual[both].sum()) if both.any() else 1.0
    value = 1.0 if SAME_UNIT[0] <= value <= SAME_UNIT[1] else value
    potential = total * DAYS_A_YEAR * value
    frame = pd.DataFrame({
        "potential": potential, "log_sd": log_sd, "counted": potential, "counted_sd": log_sd,
        "days": days,
        "days_missed": span - visits.groupby("account")["date"].nunique().reindex(sums.index),
        "own": own, "total": total, **sums[["own_units", "total_units"]],
    })  # fmt: skip
    week = (good["date"] - pd.to_timedelta(good["date"].dt.day_of_week, unit="D")).dt.normalize()
    weeks = good.assign(week=week).groupby(["account", "week"])[["own", "total"]].sum()
    suspect = ["account", "date", "visitor", "own", "total", "problem"]
    found = visits.assign(problem=problem).loc[problem != "", suspect].reset_index(drop=True)
    visitors = visits.groupby(["visitor", "account"]).size().rename("visits").reset_index()
    names = ", ".join(calendar.month_name[month] for month in seen)
    note = (f"The visits cover {len(seen)} of 12 months ({names}): no season can be told from "
            "them, and potential takes these months for typical of the year.")  # fmt: skip
    notes = (note,) * bool(season is None and seen)
    return Measured(frame, weeks.reset_index(), value, found, visitors, season, notes)


def _implausible(visits: pd.DataFrame) -> pd.Series:
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
    same = ordered.groupby("account")[["own", "total"]].diff().eq(0).all(axis=1)
    length = same.groupby((~same).cumsum()).transform("size")
    # The first day of such a run was asked; those after it were not.
    copied = same & (length >= COPIED_DAYS) & (ordered["total"] >= 5)
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


def _rhythm(visits: pd.DataFrame, seen: list[int]) -> tuple[np.ndarray, dict[int, float] | None]:
    """Each visit's day over a mean day (n,), and the months' factors where a season is told.

    The likelihood of Poisson counts with mean level x weekday x month is climbed by turns: each
    factor is what was sold over what the others expect, so that stores asked on other days than
    their peers, or missing for a month, do no harm.
    """
    total = visits["total"].to_numpy(float)
    store = pd.factorize(visits["account"])[0]
    day = visits["date"].dt.day_of_week.to_numpy()
    month = visits["date"].dt.month.to_numpy() - 1
    seasonal, places = len(seen) >= SEASON_MONTHS, np.array(seen, dtype=int) - 1
    week, year = np.ones(7), np.ones(12)
    for _ in range(ROUNDS if len(visits) else 0):
        level = _ratio(total, week[day] * year[month], store, store.max() + 1)
        week = _ratio(total, level[store] * year[month], day, 7)
        week = np.maximum(week / week.mean(), 0.05)
        if seasonal:
            year = _ratio(total, level[store] * week[day], month, 12)
            # Months not seen are set between their neighbors, around the turn of the year.
            year = np.interp(np.arange(12), places, year[places], period=12)
            year = np.maximum(year, 0.05)
            year /= np.average(year, weights=MONTH_DAYS)
    season = {k + 1: float(value) for k, value in enumerate(year)} if seasonal else None
    return week[day] * year[month], season


def _ratio(total: np.ndarray, expected: np.ndarray, group: np.ndarray, size: int) -> np.ndarray:
    """What was sold over what was expected, by group (size,); 1 where nothing was expected."""
    sold, hoped = (np.bincount(group, amount, size) for amount in (total, expected))
    return np.divide(sold, hoped, out=np.ones(size), where=hoped > 0)
