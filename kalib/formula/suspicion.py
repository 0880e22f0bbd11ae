"""Which entry of an account is wrong: its answer, or one of its indicators."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kalib.formula.working import WorkingFit
from kalib.indicators.robust import FACTORS, factor_cause
from kalib.indicators.screening import Design, Screening
from kalib.indicators.typos import PRIOR_ENTRIES, PRIOR_WRONG, SET_ASIDE, SUSPECT_COLUMNS

ANSWER_WRONG = PRIOR_WRONG / PRIOR_ENTRIES  # chance of a wrong answer before it is looked at
# An answer ten times too large misplaces nine potentials, a right one set aside a fraction of one:
# it stands only where it is wrong in less than one of five such cases.
STANDS_BELOW = 0.2
FREEDOM = 5.0  # of the t distribution of right answers: tails longer than the normal's


@dataclass(frozen=True)
class Answers:
    """What is known of the n surveyed accounts' answers before a formula is chosen.

    rows: (n,) their places among all accounts; observed: potential by account, currency a year;
    log_sd: (n,) standard errors in logs of those that were measured, 0 for a survey's answer;
    shift: (n,) log distances from a robust formula, scale: (n,) their spread; causes: what may have
    made an answer wrong, "" where it is not suspect.
    """

    rows: np.ndarray
    observed: pd.Series
    log_sd: np.ndarray
    shift: np.ndarray
    scale: np.ndarray
    causes: tuple[str, ...]

    @property
    def believed(self) -> np.ndarray:
        """Answers (n,) bool that are not suspect."""
        return np.array([not cause for cause in self.causes])


def account_doubts(screening: Screening, design: Design, final: WorkingFit) -> pd.DataFrame:
    """Accounts an indicator of which may be a typing error: probability, working value and ratio
    of expected potential then, and the entry, its value and what was meant instead.

    Of several such entries of an account, the one that would move it most counts.
    """
    working = pd.Series(final.working(design.matrix), screening.values.index)
    slopes = dict(zip(final.used, final.coef[1:], strict=True))
    found: dict[str, tuple[float, float, str, float, float]] = {}
    for row in screening.doubts.itertuples():
        for number, slope in slopes.items():
            column = design.columns[number]
            if column.indicator != row.entry:
                continue
            stands, meant = column.encode(pd.Series([row.value, row.instead]))
            move = slope * (meant - stands)
            before = found.get(row.account, (0.0, 0.0))
            if abs(move) * row.probability > abs(before[1]) * before[0]:
                found[row.account] = (row.probability, move, row.entry, row.value, row.instead)
    names = ["probability", "move", "entry", "value", "instead"]
    frame = pd.DataFrame.from_dict(found, orient="index", columns=names)
    stands = working.reindex(frame.index).to_numpy(float)
    frame["working"] = stands + frame.pop("move").to_numpy(float)
    meant = final.to_potential(frame["working"].to_numpy(float))
    frame["ratio"] = meant / final.to_potential(stands)
    return frame


def answers_wrong(
    answers: Answers, expected: np.ndarray, doubts: pd.DataFrame, sales: pd.Series
) -> pd.Series:
    """How likely each answer (n,) is a typing error; expected: (n,) potential by the formula,
    doubts: of `account_doubts`, sales: of all accounts, currency a year."""
    miss = np.log(answers.observed / expected)
    own = sales.reindex(answers.observed.index)
    # What many days of visits add up to is no typing error.
    proved = (answers.log_sd > 0) | borne_out(answers.observed, own, miss, answers.scale)
    return answer_wrong(~(proved | answers.believed), miss, doubts, answers.scale)


def borne_out(
    answers: pd.Series, sales: pd.Series, miss: pd.Series, scale: np.ndarray
) -> pd.Series:
    """Answers (n,) bool above the formula that own sales bear out: what they would be without the
    typing error is less than the account buys from us alone.

    answers, sales: (n,) currency a year; miss: (n,) log answer less log expected potential; scale:
    (n,) spread of right answers' misses.
    """
    high = answers / np.exp(miss) * np.exp(1.645 * scale)
    return (miss > 0) & (sales > high) & (sales <= answers)


def answer_wrong(
    suspect: pd.Series, miss: pd.Series, doubts: pd.DataFrame, spread: np.ndarray
) -> pd.Series:
    """How likely each answer (n,) is a typing error, 0 where it is not suspect.

    suspect: (n,) bool, answers far from the formula; miss: (n,) log answer less log expected
    potential; doubts: of `account_doubts`; spread: (n,) of right answers' misses. A suspect answer
    of an account without a doubtful indicator is wrong. With one, three stories are weighed by
    Bayes' rule: answer wrong (by a factor of ten, a hundred, a thousand or anything between),
    indicator wrong (as likely as the other indicators say), neither.
    """
    from scipy.stats import t as student

    wrong = suspect.astype(float)
    both = suspect.index[suspect].intersection(doubts.index)
    if len(both) == 0 or (spread <= 0).any():
        return wrong
    spread = spread[suspect.index.get_indexer(both)]
    chance, ratio = (doubts.loc[both, name].to_numpy(float) for name in ("probability", "ratio"))
    size = miss[both].to_numpy(float)
    shifts = np.sign(size)[:, None] * np.log(FACTORS)
    by_factor = student.pdf((size[:, None] - shifts) / spread[:, None], FREEDOM).sum(axis=1)
    anything = spread / np.log(FACTORS[-1])
    answer = ANSWER_WRONG * (1 - chance) * (by_factor + anything) / (len(FACTORS) + 1)
    indicator = chance * student.pdf((size - np.log(ratio)) / spread, FREEDOM)
    neither = (1 - chance) * student.pdf(size / spread, FREEDOM)
    wrong[both] = answer / (answer + indicator + neither)
    return wrong


def all_suspects(
    screening: Screening, answers: Answers, wrong: pd.Series, doubts: pd.DataFrame
) -> pd.DataFrame:
    """Suspected indicator entries and suspected answers in one table.

    wrong: (n,) how likely each answer is a typing error. Where answer and indicator can't be told
    apart, both are listed.
    """
    margin = np.exp(1.645 * answers.scale)
    middle = answers.observed.to_numpy() / np.exp(answers.shift)
    rows: list[tuple[object, ...]] = []
    for i in np.flatnonzero(~answers.believed):
        account, chance = answers.observed.index[i], wrong.iloc[i]
        if chance >= STANDS_BELOW:
            rows.append((account, "potential", answers.observed.iloc[i], middle[i] / margin[i],
                         middle[i] * margin[i], answers.causes[i]))  # fmt: skip
        if account in doubts.index and 0 < chance <= SET_ASIDE:
            rows.append(_indicator(account, doubts.loc[account]))
    found = pd.DataFrame(rows, columns=SUSPECT_COLUMNS)
    parts = [part for part in (screening.suspects, found) if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else found


def _indicator(account: object, doubt: pd.Series) -> tuple[object, ...]:
    """One row of the suspects for an indicator's entry, expected within a factor of two."""
    value, instead = float(doubt["value"]), float(doubt["instead"])
    cause = factor_cause(np.log(value / instead))
    return (account, doubt["entry"], value, instead / 2, instead * 2, cause)
