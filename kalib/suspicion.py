"""Which entry of an account is wrong: its answer, or one of its indicators."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from kalib.indicators import Design, Screening
from kalib.typos import (
    FACTOR_WORDS,
    FACTORS,
    PRIOR_ENTRIES,
    PRIOR_WRONG,
    SET_ASIDE,
    SUSPECT_COLUMNS,
)
from kalib.working import WorkingFit

ANSWER_WRONG = PRIOR_WRONG / PRIOR_ENTRIES  # chance of a wrong answer before it is looked at
# An answer ten times too large misplaces nine potentials, a right one set aside a fraction of one:
# it stands only where it is wrong in less than one of five such cases.
STANDS_BELOW = 0.2
FREEDOM = 5.0  # of the t distribution of right answers: tails longer than the normal's


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
    screening: Screening,
    observed: pd.Series,
    shift: np.ndarray,
    scale: np.ndarray,
    causes: Sequence[str],
    wrong: pd.Series,
    doubts: pd.DataFrame,
) -> pd.DataFrame:
    """Suspected indicator entries and suspected answers in one table.

    observed, shift, scale, causes, wrong: (n,) answers, their log distance from the robust formula,
    its spread, what
    may have caused it and how likely the answer is wrong. Where answer and indicator can't be
    told apart, both are listed.
    """
    margin = np.exp(1.645 * scale)
    rows: list[tuple[object, ...]] = []
    for i, account in enumerate(observed.index):
        chance = wrong[account]
        if causes[i] and chance >= STANDS_BELOW:
            middle = observed[account] / np.exp(shift[i])
            rows.append((account, "potential", observed[account], middle / margin[i],
                         middle * margin[i], causes[i]))  # fmt: skip
        if causes[i] and account in doubts.index and 0 < chance <= SET_ASIDE:
            rows.append(_indicator(account, doubts.loc[account]))
    found = pd.DataFrame(rows, columns=SUSPECT_COLUMNS)
    parts = [part for part in (screening.suspects, found) if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else found


def _indicator(account: object, doubt: pd.Series) -> tuple[object, ...]:
    """One row of the suspects for an indicator's entry, expected within a factor of two."""
    value, instead = float(doubt["value"]), float(doubt["instead"])
    factor = FACTOR_WORDS[min(FACTORS, key=lambda f: abs(np.log(f) - abs(np.log(value / instead))))]
    cause = f"a factor of {factor} too {'large' if value > instead else 'small'}"
    return (account, doubt["entry"], value, instead / 2, instead * 2, cause)
