"""Potential of every account, share of wallet, market share, and who falls below it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from kalib.formula.distribution import Distribution
from kalib.formula.fitting import Fit
from kalib.formula.verdict import MULTIPLE_MOST, Verdict, guessed_shares
from kalib.indicators.screening import RARE_LEVEL, Screening
from kalib.study.kept import kept
from kalib.tables.client import Tables
from kalib.tables.overrides import refuse_slips
from kalib.tables.visits import Potential
from kalib.wallet.basis import Basis, judge_estimate
from kalib.wallet.composite import composite, expected_without_own
from kalib.wallet.estimate import estimate
from kalib.wallet.nothing import hear_nothing
from kalib.wallet.visit_list import below_market
from kalib.wallet.whole import draw_to_total
from kalib.words.catalogue import Message

TOTAL_DRAWS, SEED = 400, 7
UNLIKELY = 10.0  # times what the formula expects of an account: no such share was ever seen


@dataclass(frozen=True, repr=False)
class Wallet:
    """Potential and share of wallet of all N accounts.

    accounts: DataFrame indexed by account: name, region, segment, sales, current_ka, rep, margin,
    parent, returns (sales were negative and are read as 0), potential, potential_low,
    potential_high (currency a year), potential_source, extrapolated,
    sow, sow_low, sow_high (fractions), below_market (below market share beyond noise), below_p
    (its p-value), sales_lost (to the gap, currency a year, of those below), flags, estimate and
    estimate_source (potential and its source before a field expert replaced it), override_by,
    override_reason, expected (currency a year: a measured potential, or what the formula alone
    says, before own sales are heard). market_share with its interval.
    distribution: each account's of potential, float32. loadings (N, k) float32: the part of its
    error shared with other accounts, in normal scores, kin (N,) with those of its parent besides.
    """

    accounts: pd.DataFrame
    market_share: float
    market_share_low: float
    market_share_high: float
    distribution: Distribution
    loadings: np.ndarray
    kin: np.ndarray
    basis: Basis

    def draw(self, account: str, size: int = 4000, seed: int = 1) -> np.ndarray:
        """Draws (size,) of one account's potential, currency a year."""
        rows = self.accounts.index.get_indexer([account])
        return self.distribution[rows].draws(size, self.loadings[rows], seed)[:, 0]

    def __repr__(self) -> str:
        return f"{len(self.accounts):,} accounts, market share {self.market_share:.1%}"


def share_of_wallet(sales: pd.Series, potential: pd.Series) -> pd.Series:
    """Sales over potential, a fraction; above 1 it is left so, NaN where potential is unknown."""
    return sales / potential.where(potential > 0)


@kept
def estimate_wallets(tables: Tables, potential: Potential, fit: Fit, verdict: Verdict) -> Wallet:
    """Estimate every account's potential, and its share of wallet.

    Parameters
    ----------
    tables : Tables
        Accounts with their sales, currency a year; potentials that a field expert replaced are
        taken as measured, and teach the formula nothing.
    potential : Potential
        Of the surveyed accounts; where it was measured it is drawn, by its error, to what is
        expected of the account.
    fit : Fit
        The formula and its errors.
    verdict : Verdict
        Whether the formula may be built on.

    Returns
    -------
    Wallet
        `accounts` holds potential, sow and their intervals, currency a year and fractions.
    """
    accounts, screening, settings = tables.accounts, fit.screening, fit.settings
    usable, confidence = verdict.verdict != "unusable", settings.confidence
    index, told = accounts.index, tables.overrides.entries
    # A formula that says nothing can't tell a typing error either.
    believed = fit.oof.index[~fit.oof["suspect"] | (not usable)]
    measured = index.isin(believed)
    answers = potential.frame.reindex(fit.oof.index).astype(float)
    variance = answers["log_sd"].to_numpy() ** 2
    hear = settings.evidence != "formula"
    estimated = estimate(fit, accounts["sales"], variance, usable=usable, hear=hear)
    basis = judge_estimate(estimated, verdict)
    source = np.where(measured, "measured", basis.basis).astype(object)
    found, loadings = estimated.distribution, estimated.loadings
    expected = expected_without_own(fit) if usable else None
    answers = answers.loc[believed]
    counted = potential.visits.frame.index if potential.visits else index[:0]
    known = composite(answers["potential"], answers["log_sd"], expected, counted)
    asked = tables.survey
    nothing = index.isin([] if asked is None else asked.index[asked == 0]) & ~measured
    if nothing.any():
        sold, least = accounts["sales"].to_numpy(float), float(answers["potential"].min())
        found = hear_nothing(found, nothing, measured, sold, least)
        source[nothing] = "measured"
    found, point = _with_measured(found, measured, known, source == "none")
    carried = ["name", "region", "segment", "sales", "current_ka", "rep", "margin", "parent"]
    frame = accounts[[*carried, "returns"]].copy()
    frame["estimate"], frame["estimate_source"] = point.copy(), source.copy()
    placed = index.get_indexer(told.index)
    tail, high = (1 - confidence) / 2, pd.Series(found.quantile((1 + confidence) / 2), index)
    refuse_slips(tables.overrides, high.mask(np.isin(source, ("measured", "none"))))
    point[placed], source[placed] = told["potential"].to_numpy(float), "measured"
    found = found.replaced(placed, Distribution.certain(point[placed]))
    free = ~np.isin(source, ("measured", "none"))
    loadings[~free] = 0.0
    if tables.totals is not None:
        found, loadings = draw_to_total(
            found, loadings, accounts, free, tables.totals, tables.total_error
        )
        point[free] = found.mean()[free]
    frame = frame.assign(**with_intervals(point, found, tail, frame["sales"]))
    outside = outside_survey(fit, screening, measured) & (source != "measured")
    frame["potential_source"], frame["extrapolated"] = source, outside
    frame["expected"] = np.where(source == "measured", point, estimated.expected)
    reasons = told[["by", "reason"]].reindex(index).fillna("").astype("str")
    frame = frame.join(reasons.add_prefix("override_"))
    share, low, high, shares = _market(frame, found, loadings, tail)
    frame = frame.assign(**below_market(frame, found, share, shares, tail))
    frame = _without_need(frame, nothing & ~index.isin(told.index))  # an expert knows better
    beyond = float((fit.oof["observed"] / fit.oof["predicted"]).loc[believed].max())
    odd = _without_precedent(frame, float(answers["potential"].max()), beyond)
    frame["flags"] = _flags(frame, fit, screening, odd)
    basis = _with_odd_sales(basis, frame[odd])
    return Wallet(
        accounts=frame, market_share=share, market_share_low=low, market_share_high=high,
        distribution=Distribution(found.levels, found.table.astype(np.float32)), loadings=loadings,
        kin=np.where(free, estimated.kin, 0.0), basis=basis,
    )  # fmt: skip


def _without_need(frame: pd.DataFrame, nothing: np.ndarray) -> pd.DataFrame:
    """The accounts with those that buy from nobody (N,) bool told as such: no display is to be
    checked there, and what stood for nothing on a scale of logs is nothing."""
    frame = frame.assign(below_market=frame["below_market"] & ~nothing)
    frame.loc[nothing, ["potential", "potential_low", "potential_high", "expected"]] = 0.0
    frame.loc[nothing, "sales_lost"] = np.nan
    return frame


def with_intervals(
    point: np.ndarray, found: Distribution, tail: float, sales: pd.Series
) -> dict[str, pd.Series]:
    """Potential and SOW of accounts, or of parents, with their intervals."""
    ends = found.quantile(tail), found.quantile(1 - tail)
    # Where a tail is that long, the interval reaches as far as the mean.
    low, high = np.fmin(ends[0], point), np.fmax(ends[1], point)
    potential, low, high = (pd.Series(each, index=sales.index) for each in (point, low, high))
    return {"potential": potential, "potential_low": low, "potential_high": high,
            "sow": share_of_wallet(sales, potential), "sow_low": share_of_wallet(sales, high),
            "sow_high": share_of_wallet(sales, low)}  # fmt: skip


def surveyed_range(
    fit: Fit, screening: Screening, surveyed: np.ndarray | None = None
) -> dict[str, dict[str, float] | list[str]]:
    """What the surveyed accounts show of each indicator of the formula: low and high, or the levels
    that RARE_LEVEL of them have.

    surveyed: (N,) bool; those whose potential is believed where not given.
    """
    values = screening.values
    if surveyed is None:
        surveyed = values.index.isin(fit.oof.index[~fit.oof["suspect"]])
    found: dict[str, dict[str, float] | list[str]] = {}
    for name in fit.formula.indicators:
        seen = values.loc[surveyed, name]
        if pd.api.types.is_numeric_dtype(seen):
            found[name] = {"low": float(seen.min()), "high": float(seen.max())}
        else:
            counts = seen.astype(str).value_counts()
            found[name] = sorted(counts.index[counts >= RARE_LEVEL])
    return found


def outside_survey(fit: Fit, screening: Screening, surveyed: np.ndarray) -> np.ndarray:
    """Accounts (N,) bool with an indicator of the formula outside its surveyed range."""
    outside = np.zeros(len(screening.values), dtype=bool)
    for name, seen in surveyed_range(fit, screening, surveyed).items():
        column = screening.values[name]
        if isinstance(seen, dict):
            outside |= ~column.between(seen["low"], seen["high"]).to_numpy()
        else:
            outside |= ~column.isin(seen).to_numpy()
    return outside


def _with_measured(
    found: Distribution, measured: np.ndarray, known: pd.DataFrame, unknown: np.ndarray
) -> tuple[Distribution, np.ndarray]:
    """The distributions and their means with measured potential in place, NaN where unknown;
    known: what `composite` makes of the accounts measured."""
    potential, middle, error = known[["potential", "log_middle", "log_sd"]].to_numpy(float).T
    # As factors on the potential: an answer without an error is its own interval to the last bit.
    factors = Distribution.lognormal(middle - np.log(potential), error)
    found = found.replaced(measured, factors.scale(potential))
    found.table[unknown] = np.nan
    point = found.mean()
    point[measured] = potential
    return found, point


def _market(
    frame: pd.DataFrame, found: Distribution, loadings: np.ndarray, tail: float
) -> tuple[float, float, float, np.ndarray]:
    """Market share over the accounts whose potential is known, its interval, and joint draws of
    it (TOTAL_DRAWS,); none where nothing is sold."""
    known = frame["potential"].notna().to_numpy()
    sales, total = float(frame.loc[known, "sales"].sum()), frame.loc[known, "potential"].sum()
    share = sales / float(total) if total > 0 else float("nan")
    if not sales:
        return share, share, share, np.empty(0)
    draws = sales / found[known].total_draws(TOTAL_DRAWS, loadings[known], SEED)
    low, high = np.quantile(draws, [tail, 1 - tail])
    return share, float(low), float(high), draws


def _without_precedent(frame: pd.DataFrame, largest: float, most: float) -> pd.Series:
    """Accounts (N,) bool whose sales are UNLIKELY beside their answer; without one, UNLIKELY and
    above the largest answer or twice as far beyond the formula as any answer lies."""
    least, asked = UNLIKELY * frame["expected"], frame["potential_source"] == "measured"
    beyond = np.minimum(largest, 2 * most * frame["expected"])
    return frame["sales"] > least.where(asked, np.maximum(least, beyond))


def _with_odd_sales(basis: Basis, odd: pd.DataFrame) -> Basis:
    """The basis with what sales without precedent do to it said first, the largest of them."""
    if odd.empty:
        return basis
    first = odd.loc[odd["sales"].idxmax()]
    said = Message("r_odd_sales", n=len(odd), account=str(first.name),
                   times=float(first["sales"] / first["expected"]))  # fmt: skip
    verdict = "caution" if basis.verdict == "usable" else basis.verdict
    return replace(basis, verdict=verdict, reasons=(said, *basis.reasons))


def _flags(frame: pd.DataFrame, fit: Fit, screening: Screening, odd: pd.Series) -> pd.Series:
    """Codes per account, joined by ";"."""
    entries = fit.suspects
    wrong = set(entries.loc[entries["entry"] == "potential", "account"])
    entered = set(entries.loc[entries["entry"] != "potential", "account"])
    used = [name for name in fit.formula.indicators if name in screening.imputed]
    filled = screening.imputed[used].any(axis=1)
    guessed = guessed_shares(fit)
    guessed &= guessed.mean() > MULTIPLE_MOST
    marks = {
        "sow_above_1": frame["sales"] > frame["expected"],
        "suspect_potential": frame.index.isin(wrong),
        "suspect_indicator": frame.index.isin(entered),
        "suspect_sales": odd, "guessed_share": guessed.reindex(frame.index),
        "imputed": filled.reindex(frame.index), "extrapolated": frame["extrapolated"],
        "override": frame["override_reason"] != "", "returns": frame["returns"],
    }  # fmt: skip
    table = pd.DataFrame(marks, index=frame.index).fillna(False).astype(bool)
    codes = np.array(list(marks))
    joined = [";".join(codes[row]) for row in table.to_numpy()]
    return pd.Series(joined, index=frame.index, dtype="str")
