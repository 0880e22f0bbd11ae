"""What accounts of one parent, region or level have in common beyond what the estimate says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

FEWEST_GROUPS = 4  # with two answers or more, before their scatter is told from the accounts'
CLEARLY = 2.0  # standard errors: of many groupings some foretell by chance
MOST_SHARED = 24  # groups whose accounts are drawn together; the largest move totals most
NARROWEST = 0.5  # of the estimate's spread that an account of a known group keeps at least


@dataclass(frozen=True)
class Effects:
    """Effects of groups on log potential of all N accounts.

    shift: (N,) expected effect; width: (N,) factor on the spread of the estimate's error; shared:
    (N, k) what the errors of accounts of a group, and of all accounts, have in common, in normal
    scores; no columns where no grouping says anything; kin: (N,) what those of one parent have in
    common beyond that, each parent for itself.
    """

    shift: np.ndarray
    width: np.ndarray
    shared: np.ndarray
    kin: np.ndarray


def find_effects(
    groupings: pd.DataFrame, rows: np.ndarray, residual: np.ndarray, weights: np.ndarray
) -> Effects:
    """Random effects of groups, one grouping after another, shrunk in closed form.

    groupings: a column of labels (N,) each, "" where an account belongs to none; rows: (n,) places
    of the surveyed accounts; residual: (n,) of their log potential, out of fold; weights: (n,), 0
    where the answer is not believed.

    Between- and within-group variances are those of the analysis of variance (Searle, Casella &
    McCulloch 1992, chapter 3), an effect is its best linear unbiased prediction (Robinson 1991). A
    grouping counts where it foretells accounts left out of it better than nothing does, by more
    than CLEARLY standard errors. Groups that were not surveyed get none, and an interval that
    knows it: the surveyed groups are a sample, too.
    """
    from scipy.special import ndtri
    from scipy.stats import t as student

    count = len(groupings)
    shift, variance, kin, shared = np.zeros(count), np.ones(count), np.zeros(count), []
    for name, labels in groupings.items():
        code, levels = pd.factorize(labels.where(labels.astype(str) != ""))
        told = code[rows]
        use = (weights > 0) & (told >= 0)
        mass, sums, within, between = _variances(
            told[use], residual[use], weights[use], len(levels)
        )
        means = sums / np.maximum(mass, 1e-12)
        trust = mass * between / (within + mass * between)
        # Each account by the others of its group.
        rest = np.maximum(mass[told] - weights, 0.0)
        others = (sums[told] - weights * residual) / np.maximum(rest, 1e-12)
        guess = np.where(use, rest * between / (within + rest * between) * others, 0.0)
        gain = weights * (residual**2 - (residual - guess) ** 2)
        has, total = code >= 0, within + between
        if between <= 0 or gain.sum() <= CLEARLY * np.sqrt(gain @ gain):
            # Too little to foretell an account, and yet what a chain's accounts err by together.
            kin = np.sqrt(has * between / total) if name == "parent" else kin
            continue
        # Few groups tell the variance between them badly: as a t distribution is wider.
        few = float(student.ppf(0.95, int((mass > 0).sum()) - 1) / ndtri(0.95)) ** 2
        left = has * between * few * (1 - np.where(has, trust[code], 0.0)) / total
        # How far the surveyed groups together may lie from all groups.
        common = left * float((mass**2).sum() / mass.sum() ** 2)
        shift += np.where(has, (trust * means)[code], 0.0)
        known = has * np.where(has, trust[code], 0.0)
        # Narrower by what was proved on accounts left out, not by what the groups seem to explain.
        proven = min(between / total, float(gain.sum() / (weights @ residual**2)))
        wider = between / total * (few - 1) * (has - known)
        variance *= np.maximum(1 - proven * known + wider + common, NARROWEST**2)
        largest = np.argsort(-np.bincount(code[has], minlength=len(levels)))[:MOST_SHARED]
        shared.append(np.sqrt(left)[:, None] * (code[:, None] == largest))
        kin = np.sqrt(left) * ~np.isin(code, largest) if name == "parent" else kin
        shared.append(np.sqrt(common)[:, None])
        residual = residual - np.where(use, (trust * means)[told], 0.0)
    columns = np.hstack(shared) if shared else np.zeros((count, 0))
    width = np.maximum(np.sqrt(variance), 1e-12)
    return Effects(shift, width, columns / width[:, None], kin / width)


def _variances(
    code: np.ndarray, values: np.ndarray, weights: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Weights and weighted sums by group (count,), variance within groups and between them; 0
    between where too few groups repeat. weights: of a mean of 1."""
    mass, sums = np.bincount(code, weights, count), np.bincount(code, weights * values, count)
    means, seen, total = sums / np.maximum(mass, 1e-12), int((mass > 0).sum()), mass.sum()
    free, repeated = len(code) - seen, int((np.bincount(code, minlength=count) >= 2).sum())
    if repeated < FEWEST_GROUPS or free < FEWEST_GROUPS:
        return mass, sums, 1.0, 0.0
    within = max(float(weights @ (values - means[code]) ** 2) / free, 1e-12)
    square = float(mass @ (means - sums.sum() / total) ** 2)
    size = max(total - float((mass**2).sum()) / total, 1e-12)
    return mass, sums, within, max((square - (seen - 1) * within) / size, 0.0)
