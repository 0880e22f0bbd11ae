"""Potentials drawn to what is known of the whole market."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kalib.errors import Problem, StudyError
from kalib.formula.distribution import Distribution

ROUNDS = 30  # sales below which no potential falls make the factor a little wrong each time
MOST_SHARED = 0.95  # of an account's error that the total's may be


def draw_to_total(
    found: Distribution, loadings: np.ndarray, accounts: pd.DataFrame, estimated: np.ndarray,
    totals: pd.Series, error: float,
) -> tuple[Distribution, np.ndarray]:  # fmt: skip
    """The estimates scaled so that all potentials add up to what is known of the whole.

    found: potential of all N accounts; loadings: (N, k) what their errors share; accounts: region
    and sales, currency a year; estimated: (N,) bool, the others stand as they were measured;
    totals: potential by region, or of all accounts together under ""; error: standard error of a
    total, as a fraction. How far a survey leans as a whole is not known beforehand, so that the
    total decides it (a ratio estimate, Cochran 1977, chapter 6), and its error takes the place of
    what the accounts' errors share. No estimate falls below the account's sales.

    Raises StudyError where a total leaves less than the accounts buy from us.
    """
    regions, sales = accounts["region"].to_numpy(), accounts["sales"].to_numpy(float)
    table = found.table.astype(float)
    shared = np.zeros((len(table), max(len(totals), loadings.shape[1])), dtype=np.float32)
    if "" not in totals:  # regions without a total keep what their errors share
        shared[:, : loadings.shape[1]] = loadings
    problems = []
    for place, (region, total) in enumerate(totals.items()):
        inside = (regions == region) if region else np.ones(len(table), dtype=bool)
        rows = inside & estimated & np.isfinite(table).all(axis=1)
        stands = float(np.nansum(table[inside & ~estimated].mean(axis=1)))
        left = float(total) - stands
        if not rows.any():
            continue
        if left <= sales[rows].sum():
            named, bought = f"{region}: " if region else "", stands + sales[rows].sum()
            said = (f"{named}a total of {total:,.0f} is no more than the accounts there are known "
                    f"to buy ({bought:,.0f})")  # fmt: skip
            remedy = "Give the potential of all accounts together, in the study's unit"
            problems.append(Problem(said, column="[market] total", remedy=remedy))
            continue
        scaled, low = table[rows], sales[rows, None]
        for _ in range(ROUNDS):
            scaled = np.maximum(scaled * (left / scaled.mean(axis=1).sum()), low)
        table[rows] = scaled
        own = scaled.std(axis=1) / np.maximum(scaled.mean(axis=1), 1e-12)
        relative = error * float(total) / left
        shared[rows] = 0.0
        shared[rows, place] = np.minimum(relative / np.maximum(own, 1e-9), MOST_SHARED)
    if problems:
        raise StudyError(problems)
    return Distribution(found.levels, table), shared
