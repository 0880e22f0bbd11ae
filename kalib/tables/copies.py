"""Candidates that copy what they should explain, or only say which account it is.

A formula on them would be perfect in the sample and worthless on any other account. They are told
by values: a rank correlation that no indicator reaches, or a mapping one to one; by name only
together with what the values say.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from kalib.tables.cells import to_dates
from kalib.tables.client import Tables
from kalib.tables.words import WORDS, plain, words_of_header
from kalib.words.catalogue import Message

# Rank correlation of practically a function: the strongest indicator of the shipped studies, staff
# of universities and what these spend, reaches 0.94.
COPY, NAMED_COPY, LAST_YEAR = 0.995, 0.95, 0.9
FEWEST = 20  # accounts over which a correlation can say so; on fewer, only an exact line can
FEWEST_VALUES = 5  # different ones; three classes of each go together easily
EXACT = 1 - 1e-9  # correlation of values that differ by rounding only
MOSTLY = 0.95  # of the values
LOOKED_AT = 5000  # accounts by whose correlation it is seen whether all are worth a look
# Patterns of headers by what such a column copies.
NAMES = {kind: plain("|".join(words)) for kind, words in WORDS["copies"].items()}
AMOUNT, EARLIER = NAMES.pop("amount"), NAMES.pop("earlier")
NAMES["sales"] += f"|({AMOUNT}).*({EARLIER})|({EARLIER}).*({AMOUNT})"


def find_copies(tables: Tables, potential: pd.Series) -> dict[str, Message]:
    """What each candidate copies, of those that do and that `[indicators] allow` does not name;
    potential: known, by account, currency a year."""
    found = {}
    for name, values in tables.candidates.items():
        if name in tables.rules.allow or values.notna().sum() < 2:
            continue
        called = words_of_header(str(name))
        named = {kind for kind, words in NAMES.items() if re.search(words, called)}
        numeric = pd.api.types.is_numeric_dtype(values)
        said = _of_figures(values, tables, potential, named) if numeric else None
        if said := said or _of_lists(values, tables, named) or _of_codes(values, tables, named):
            found[str(name)] = said
    return found


def _of_figures(
    values: pd.Series, tables: Tables, potential: pd.Series, named: set[str]
) -> Message | None:
    r, n = _correlation(values.reindex(potential.index), potential)
    if abs(r) >= (NAMED_COPY if "answers" in named else COPY):
        return Message("copy_answers", r=r, n=n)
    r, n = _correlation(values, tables.accounts["sales"])
    if abs(r) >= COPY:
        return Message("copy_sales", r=r, n=n)
    if "sales" in named and r >= LAST_YEAR:
        return Message("copy_last_sales", r=r, n=n)
    return None


def _correlation(x: pd.Series, y: pd.Series) -> tuple[float, int]:
    """Rank correlation of two figures and the number of accounts that have both; 0 where these
    are too few, or too few different, for it to say anything."""
    both = (x.notna() & y.notna()).to_numpy()
    left, right = x.to_numpy(float)[both], y.to_numpy(float)[both]
    n = len(left)
    if min(len(np.unique(left)), len(np.unique(right))) < FEWEST_VALUES:
        return 0.0, n
    if n < FEWEST:
        r = float(np.corrcoef(left, right)[0, 1])
        return (r if abs(r) > EXACT else 0.0), n
    for step in sorted({max(n // LOOKED_AT, 1), 1}, reverse=True):
        ranks = [pd.Series(side[::step]).rank().to_numpy() for side in (left, right)]
        r = float(np.corrcoef(*ranks)[0, 1])
        if abs(r) < LAST_YEAR:
            break
    return r, n


def _of_lists(values: pd.Series, tables: Tables, named: set[str]) -> Message | None:
    """Whether words or codes are today's key accounts or representatives."""
    accounts = tables.accounts
    flag = accounts["current_ka"]
    both = values.notna() & flag.notna()
    if both.sum() >= FEWEST and values[both].nunique() == 2 and flag[both].nunique() == 2:
        alike = (pd.factorize(values[both])[0] == pd.factorize(flag[both])[0]).mean()
        if max(alike, 1 - alike) >= COPY:
            return Message("copy_flag", share=max(alike, 1 - alike), n=int(both.sum()))
    if "flag" in named and values.nunique() == 2:
        return Message("copy_flag_named", n=int(values.notna().sum()))
    if pd.api.types.is_numeric_dtype(values):
        return None
    if _one_to_one(values, accounts["parent"], least=2):
        return Message("copy_parent", n=int(values.nunique()))
    places = (_one_to_one(values, accounts[term]) for term in ("region", "segment"))
    if "rep" in named or (_one_to_one(values, accounts["rep"]) and not any(places)):
        return Message("copy_rep", n=int(values.nunique()))
    return None


def _one_to_one(one: pd.Series, other: pd.Series, least: int = 3) -> bool:
    """Whether each word of one stands with one word of the other, and so many or more do."""
    pairs = pd.DataFrame({"one": one, "other": other}).dropna()
    pairs = pairs[pairs["other"] != ""]
    kinds, (ones, others) = len(pairs.drop_duplicates()), pairs.nunique()
    return len(pairs) >= FEWEST and kinds >= least and kinds == ones == others


def _of_codes(values: pd.Series, tables: Tables, named: set[str]) -> Message | None:
    """Whether values tell the accounts apart, or are days or postcodes."""
    known = values.dropna()
    n = len(known)
    numeric = pd.api.types.is_numeric_dtype(values)
    whole = not numeric or bool((known % 1 == 0).all())
    if "postcode" in named and whole:
        return Message("copy_postcode", n=n)
    text = known if numeric else known.astype("str")
    serial = "date" in named and numeric and known.between(20_000, 80_000).all()
    eight = numeric and known.between(19_000_101, 21_001_231).all()
    dated = whole and (serial or eight) if numeric else text.str.contains(r"\d").any()
    text = text.map("{:.0f}".format) if numeric and dated else text
    days = int(to_dates(text).values.notna().sum()) if dated else 0
    if n and days >= MOSTLY * n:
        return Message("copy_date", n=days, count=n)
    if n < FEWEST or known.nunique() < n:
        return None
    running = False
    if numeric and whole and n == len(values) and known.max() - known.min() == n - 1:
        orders = (values.to_numpy()[tables.order], values.to_numpy())  # the client's rows; ids
        running = any((np.diff(order) == 1).all() for order in orders)
    same = not numeric and (text == text.index).mean() >= MOSTLY
    if running or same or ("id" in named and whole):
        return Message("copy_id", n=n)
    return None
