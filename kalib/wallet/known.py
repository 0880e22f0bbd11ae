"""Known potential of the accounts that were visited or surveyed."""

from __future__ import annotations

import pandas as pd

from kalib.errors import StudyError
from kalib.study.kept import kept
from kalib.tables.client import Tables
from kalib.tables.visits import Potential, measure_potential
from kalib.wallet.composite import with_books

FEWEST_SURVEYED = 8  # below this no formula of even one indicator can be judged


@kept
def known_potential(tables: Tables) -> Potential:
    """Known potential of the accounts that were visited, of the surveyed ones for the rest.

    Parameters
    ----------
    tables : Tables
        Of `read_tables`.

    Returns
    -------
    Potential
        `frame` has potential (currency a year, above 0) and log_sd (its standard error in logs)
        by account; answers of 0 are heard where wallets are estimated.

    Raises
    ------
    StudyError
        Where potential is known of too few accounts.

    Examples
    --------
    >>> known_potential(read_tables(read_study("data/fmcg-supermarkets"))).frame.shape
    (220, 2)
    """
    sales, visits = tables.accounts["sales"], None
    parts, survey = [], tables.survey
    if tables.visits is not None:
        visits = with_books(measure_potential(tables.visits, sales), sales)
        parts.append(visits.frame[["potential", "log_sd"]])
    if survey is not None:
        answers = survey[survey > 0]
        if visits is not None:
            answers = answers[~answers.index.isin(visits.frame.index)]
        error = pd.Series(tables.answer_error, index=answers.index, dtype=float)
        parts.append(pd.DataFrame({"potential": answers, "log_sd": error}))
    found = pd.concat(parts)
    if len(found) < FEWEST_SURVEYED:
        remedy = f"Survey or visit at least {FEWEST_SURVEYED}, better 10 for each indicator"
        said = f"potential is known of {len(found)} accounts only"
        raise StudyError(said, tables.source, remedy=remedy)
    return Potential(found, visits)
