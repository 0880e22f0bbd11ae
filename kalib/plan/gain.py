"""What can be won of each account, what of it comes in a year, and what may be lost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from kalib.study.settings import Study
from kalib.wallet.wallet import Wallet

FEWEST_PEERS = 12
SURE_TO_WIN = 0.9  # chance that there is anything to win before an account is visited unmeasured
PRIOR_SD = 0.2  # of attainment before any wave told it: 0.5 stands for 0.2 to 0.8
FEWEST_ASKED = 20  # accounts asked for growth before a wave says how much of it comes
DRAWS, SEED = 2000, 19
POINTS = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class Attainment:
    """Which part of the gap to comparable accounts is closed in a year.

    mean, sd: of its distribution, a fraction; prior: what the study says, `close_gap`; asked,
    came: currency a year, of the accounts that an earlier wave asked for growth, NaN without one;
    accounts: how many they were; sow_sd: standard deviation of a year's change of SOW among them.
    """

    mean: float
    sd: float
    prior: float
    asked: float = float("nan")
    came: float = float("nan")
    accounts: int = 0
    sow_sd: float | None = None

    @property
    def learned(self) -> bool:
        """Whether an earlier wave told it."""
        return self.accounts > 0


def prior_attainment(close_gap: float) -> Attainment:
    """Attainment as the study states it, before any wave told it."""
    return Attainment(close_gap, PRIOR_SD, close_gap)


def attainment_since(before: Path | str, accounts: pd.DataFrame, study: Study) -> Attainment:
    """Attainment as the report of an earlier wave tells it.

    Parameters
    ----------
    before : Path or str
        The report's folder; "" where there is none.
    accounts : DataFrame
        Today's, by account, with sales, currency a year.
    study : Study
        Its `close_gap` is the prior, and all there is where the report is in another currency, was
        written before gains were kept, or can't be read.
    """
    stated = study.targets.close_gap
    try:
        about = (
            json.loads((Path(before) / "run.json").read_text(encoding="utf-8")) if before else {}
        )
        if about.get("parameters", {}).get("study", {}).get("currency") != study.currency:
            return prior_attainment(stated)
        table = pd.read_parquet(Path(before) / "accounts.parquet")
    except (OSError, ValueError):
        return prior_attainment(stated)
    return learn_attainment(
        table.astype({"account": "str"}).set_index("account"), accounts["sales"], stated
    )


def learn_attainment(before: pd.DataFrame, sales: pd.Series, close_gap: float) -> Attainment:
    """Attainment from what an earlier wave asked and what came.

    before: accounts.csv of the earlier wave, by account: sales, potential, zone, target_growth,
    winnable (currency a year) and, where it was proved, holdout; sales: today's by account.

    Growth is regressed on the gap, which takes regression to the mean out (accounts that bought
    little of what they can buy gain unasked, too), and on the gap of the accounts that were asked:
    that slope is the part which asking closed. It is a normal mean known with the standard error
    of White's HC1, and drawn to the study's prior by the variances of both.
    """
    if "winnable" not in before:  # a report of before it was kept
        return prior_attainment(close_gap)
    both = before.index.intersection(sales.index)
    frame = before.loc[both]
    gap, asked = frame["winnable"].to_numpy(float), frame["target_growth"].to_numpy(float)
    was_asked = (asked > 0) & (frame["zone"] == "attack").to_numpy()
    came = sales.reindex(both).to_numpy(float) - frame["sales"].to_numpy(float)
    known = np.isfinite(gap) & np.isfinite(came)
    if (was_asked & known).sum() < FEWEST_ASKED or (~was_asked & known).sum() < FEWEST_ASKED:
        return prior_attainment(close_gap)
    design = np.column_stack([np.ones(len(gap)), gap, np.where(was_asked, gap, 0.0)])[known]
    slope, error = _slope(design, came[known])
    weight = PRIOR_SD**2 / (PRIOR_SD**2 + error**2)
    mean = float(np.clip(close_gap + weight * (slope - close_gap), 0.0, 1.0))
    use = was_asked & known
    return Attainment(
        mean=mean, sd=float(PRIOR_SD * np.sqrt(1 - weight)), prior=close_gap,
        asked=float(asked[use].sum()), came=float(came[use].sum()), accounts=int(use.sum()),
        sow_sd=float((came[use] / frame["potential"].to_numpy(float)[use]).std(ddof=1)),
    )  # fmt: skip


def _slope(design: np.ndarray, response: np.ndarray) -> tuple[float, float]:
    """The last coefficient and its HC1 standard error, errors growing with the gap weighed down."""
    from statsmodels.regression.linear_model import WLS

    size = np.abs(design[:, 1])
    fit = WLS(response, design, weights=1 / (size + np.median(size) + 1e-9)).fit(cov_type="HC1")
    return float(fit.params[-1]), float(fit.bse[-1])


def expect_gains(wallet: Wallet, attainment: Attainment) -> pd.DataFrame:
    """What can be won, by account (N rows), in currency a year.

    winnable: E max(peer share x potential - sales, 0) over the account's own distribution of
    potential; win_chance: how likely that is above 0; expected_gain: winnable times attainment;
    at_risk: E max(sales - market share x potential, 0), what the account would take from us were
    its share to fall to the market's; peer_sow and target_source: the share, and whose it is.
    NaN where potential is unknown.
    """
    accounts = wallet.accounts
    peer, source = peer_sow(accounts)
    known = accounts["potential"].notna().to_numpy()
    potential = wallet.distribution[known].table.astype(float)
    sales = accounts["sales"].to_numpy(float)[known, None]
    gap = peer.to_numpy()[known, None] * potential - sales
    frame = pd.DataFrame(index=accounts.index).assign(peer_sow=peer, target_source=source)
    columns = {
        "winnable": np.maximum(gap, 0.0).mean(axis=1),
        "win_chance": (gap > 0).mean(axis=1),
        "at_risk": np.maximum(sales - wallet.market_share * potential, 0.0).mean(axis=1),
    }
    for name, values in columns.items():
        frame.loc[known, name] = values
        frame[name] = frame.get(name, np.nan)
    return frame.assign(expected_gain=attainment.mean * frame["winnable"])


def gain_points(
    wallet: Wallet, peer: pd.Series, chosen: pd.Series, attainment: Attainment
) -> Mapping[float, float]:
    """What the chosen accounts (N,) bool bring together in a year, currency: its 10, 50 and 90 %
    points over joint draws of their potentials and of attainment; peer: (N,) shares they reach."""
    rows = np.flatnonzero(chosen & wallet.accounts["potential"].notna())
    if len(rows) == 0:
        return dict.fromkeys(POINTS, 0.0)
    rng = np.random.default_rng(SEED)
    share, sales = peer.to_numpy()[rows], wallet.accounts["sales"].to_numpy(float)[rows]
    size = max(1, min(DRAWS, 16_000_000 // len(rows)))
    potential, loadings = wallet.distribution[rows], wallet.loadings[rows]
    won = np.concatenate([
        np.maximum(potential.draws(size, loadings, SEED + k) * share - sales, 0.0).sum(axis=1)
        for k in range(-(-DRAWS // size))])  # fmt: skip
    part = np.clip(rng.normal(attainment.mean, attainment.sd, len(won)), 0.0, 1.0)
    return dict(zip(POINTS, map(float, np.quantile(won * part, POINTS)), strict=True))


def peer_sow(accounts: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """The SOW that half of the comparable accounts reach, and who they are, in words.

    Comparable: same segment and quarter of potential where FEWEST_PEERS buyers are found, else
    same segment, else all buyers.
    """
    buyers = accounts[(accounts["sow"] > 0) & (accounts["sow"] <= 1)]
    everyone = float(buyers["sow"].median()) if len(buyers) else 0.0
    quarter = np.ceil(accounts["potential"].rank(pct=True) * 4)
    value = pd.Series(everyone, index=accounts.index)
    source = pd.Series("all buyers", index=accounts.index, dtype="str")
    for keys, words in (
        ([accounts["segment"]], "same segment"),
        ([accounts["segment"], quarter], "same segment and size"),
    ):
        code = pd.Series(["\x1f".join(map(str, parts)) for parts in zip(*keys, strict=True)],
                         index=accounts.index)  # fmt: skip
        groups = buyers["sow"].groupby(code.reindex(buyers.index))
        size = code.map(groups.size()).fillna(0)
        found = code.map(groups.median())
        enough = (size >= FEWEST_PEERS) & (accounts["segment"] != "")
        value = value.where(~enough, found)
        source = source.where(~enough, words)
    return value, source
