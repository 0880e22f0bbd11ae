"""Answers of the survey that look like typing errors."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from kalib.formula.working import Rules, choose
from kalib.indicators import typos
from kalib.indicators.screening import Design, Screening
from kalib.tables.visits import Potential

# A right answer set aside is lost, a wrong one that stands is one among many: only an answer
# this likely wrong is set aside.
SURE = 0.9
ROUNDS = 3
# An answer counts in full up to the first of these spreads, and least from the second on.
FAR, LEAST_WEIGHT = (4.0, 8.0), 0.05
FREEDOM = 5.0  # of the t distribution of log SOW: tails longer than the normal's
FEWEST_BUYERS = 15  # below which no answer is held against sales
STRONG = 20.0  # ratio of likelihoods (Kass & Raftery 1995, J. American Statistical Association 90)
IMPOSSIBLE = 0.01  # what is left of the chance of an error that would put an answer below our sales


@dataclass(frozen=True)
class Answers:
    """What n surveyed accounts told.

    rows: (n,) their places among all accounts; potential, sales: (n,) currency a year; log_sd:
    (n,) standard errors in logs of those that visits measured, 0 for a survey's answer.
    """

    rows: np.ndarray
    potential: np.ndarray
    log_sd: np.ndarray
    sales: np.ndarray

    @classmethod
    def of(cls, screening: Screening, potential: Potential) -> Answers:
        """Those of the accounts that were screened."""
        frame, every = potential.frame, screening.values.index
        rows = np.flatnonzero(every.isin(frame.index))
        known, log_sd = frame.reindex(every[rows])[["potential", "log_sd"]].to_numpy(float).T
        return cls(rows, known, log_sd, screening.sales.reindex(every[rows]).to_numpy(float))

    def __getitem__(self, which: np.ndarray) -> Answers:
        return Answers(*(part[which] for part in vars(self).values()))


@dataclass(frozen=True)
class Suspicion:
    """How likely each of n answers is a typing error.

    shift: (n,) log distances from a robust formula; scale: their spread; chance (n,).
    """

    shift: np.ndarray
    scale: float
    chance: np.ndarray

    @property
    def believed(self) -> np.ndarray:
        """Answers (n,) bool that are not set aside."""
        return self.chance <= SURE

    @property
    def weight(self) -> np.ndarray:
        """What each answer counts in the fit (n,): 0 where it is set aside, less than 1 where it is
        far from its peers, so that no single one decides the formula."""
        size = np.abs(self.shift) / max(self.scale, 1e-9)
        return self.believed * np.clip((FAR[1] - size) / (FAR[1] - FAR[0]), LEAST_WEIGHT, 1.0)


def suspect_answers(design: Design, answers: Answers, rules: Rules) -> Suspicion:
    """Look for answers that are off by a factor of ten, a hundred or a thousand.

    design: the log-log design. A line that few errors do not move is laid through the answers;
    what stands apart from it, where errors would lie, is held against own sales.
    """
    # A line to look along, not the formula: the quick criterion serves.
    rules = replace(rules, criterion="bic")
    matrix, response = design.matrix[answers.rows], np.log(answers.potential)
    middle = np.median(response)
    reach = 3 * typos.robust_scale(response - middle)
    aim = np.clip(response, middle - reach, middle + reach)  # only for the first selection
    chance = np.zeros(len(response))
    for _ in range(ROUNDS):
        clean = chance <= SURE
        used = choose(design, matrix[clean], aim[clean], rules, np.ones(int(clean.sum())))
        line = typos.robust_line(matrix[:, used], response)
        shift = response - line[0] - matrix[:, used] @ line[1:]
        scale = typos.robust_scale(shift, len(line))
        # What is sure by now, by own sales above all, is no crowd that explains the rest.
        chance = chance.copy()
        chance[clean] = typing_chances(shift[clean], scale, answers[clean])
        aim = response
    return Suspicion(shift, scale, chance)


def typing_chances(shift: np.ndarray, scale: float, answers: Answers) -> np.ndarray:
    """How likely each of n answers is a typing error.

    shift: (n,) log distances from a robust formula, which scatter by scale. A long tail, a second
    mode or a few unlike accounts explain themselves (`error_chances`): an answer is in question
    only where it stands apart, just where an error would lie. Bayes' rule then hears what we sell:
    the share of wallet of a right answer is one like others. Visits are no typing.
    """
    from scipy.stats import t as student

    far, most = max(typos.SUSPECT_Z * scale, typos.LEAST_SHIFT), typos.MOST_ERRORS
    apart = (np.abs(shift) > far) & (answers.log_sd == 0)
    if not apart.any():
        return np.zeros(len(shift))
    (chance, many), (size, at) = typos.error_chances(shift, np.array([most, 0 * most + 0.5]))
    buys = answers.sales > 0
    if buys.sum() >= FEWEST_BUYERS:
        share = np.log(np.where(buys, answers.potential / np.where(buys, answers.sales, 1), 1))
        off = share - np.median(share[buys])
        spread = max(typos.robust_scale(off[buys]), 1e-6)
        heard = student.pdf((off - at) / spread, FREEDOM) / student.pdf(off / spread, FREEDOM)
        heard = np.where(share < at, IMPOSSIBLE * np.minimum(heard, 1.0), heard)
        # Sales that say so strongly tell errors from a second mode, however many there are.
        chance, size = np.where(buys & (heard > STRONG), (many, at), (chance, size))
        odds = chance / np.maximum(1 - chance, 1e-9) * np.where(buys, heard, 1.0)
        chance = odds / (1 + odds)
    miss = np.abs(np.abs(shift) - np.abs(size))
    return np.where(apart & (miss < typos.factor_reach(scale)), chance, 0.0)


def all_suspects(
    screening: Screening, accounts: pd.Index, answers: Answers, found: Suspicion
) -> pd.DataFrame:
    """Indicator entries and answers set aside, in one table; accounts: (n,) of the answers."""
    rows = [
        (accounts[i], "potential",
         *typos.suspect(answers.potential[i], found.shift[i], found.shift[i], found.scale))
        for i in np.flatnonzero(~found.believed)
    ]  # fmt: skip
    parts = [screening.suspects, pd.DataFrame(rows, columns=typos.SUSPECT_COLUMNS)]
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else screening.suspects
