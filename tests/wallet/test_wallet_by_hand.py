"""A wallet computed anew, account by account, from a fit that is made up."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtri

from kalib.formula.distribution import Distribution
from kalib.formula.fitting import Fit
from kalib.formula.formula import Formula, Term
from kalib.formula.predictive import Predictive
from kalib.formula.survey import Folds
from kalib.indicators.screening import Column, Screening
from kalib.study.settings import FormulaSettings, Indicators
from kalib.tables.overrides import Overrides, no_overrides
from kalib.tables.visits import Measured, Potential, measure_potential
from kalib.wallet.composite import composite, expected_without_own
from kalib.wallet.visit_list import below_beyond_noise, below_market
from kalib.wallet.wallet import (
    Wallet,
    estimate_wallets,
    outside_survey,
    share_of_wallet,
    surveyed_range,
)

N, SURVEYED, SUSPECT = 60, 24, 5  # the sixth survey answer is not believed
LEVELS = (np.arange(64) + 0.5) / 64
IDS = pd.Index([f"a{i:02d}" for i in range(N)], name="account")
TOLD = pd.DataFrame(
    {"potential": [900.0, 50.0], "by": ["Ana", "Bo"], "reason": ["seen", "closed"]},
    index=["a02", "a50"],
)


DESIGN = np.random.default_rng(4).standard_normal((SURVEYED - 1, 2))


def made_up(name: str) -> np.ndarray:
    """Standard normal numbers (N,), the same for the same name."""
    return np.random.default_rng(sum(map(ord, name))).standard_normal(N)


@cache
def fit() -> Fit:
    """A logarithmic fit of two indicators; what a wallet does not ask for is missing."""
    terms = tuple(
        Term(column, 0.5, 0, 0, 0, 0, 1)
        for column in (Column("area", "", "log", 0.0), Column("kind", "street", "level", 0.0))
    )
    working = 5 + 0.8 * made_up("working")
    observed = np.exp(working[:SURVEYED] + 0.3 * made_up("observed")[:SURVEYED])
    given = {
        "screening": screening(), "settings": FormulaSettings(),
        "formula": Formula("log-log", 1.0, terms, 1.1, 0.3, SURVEYED, 1.0),
        "predictive": Predictive(
            LEVELS, 1.2 * ndtri(LEVELS) + 0.1, 0.3, 0.0, 1.0, 0.0, True, 1.0
        ),
        "oof": pd.DataFrame(
            {"observed": observed, "predicted": 1.0, "fold": np.arange(SURVEYED) % 4,
             "suspect": np.arange(SURVEYED) == SUSPECT}, index=IDS[:SURVEYED]),
        "suspects": pd.DataFrame(
            {"account": [IDS[SUSPECT], "a31"], "entry": ["potential", "area"]}),
        "bias": SimpleNamespace(weights=np.linspace(0.5, 1.5, SURVEYED)),
        "folds": Folds("", SURVEYED, 0.5, float("nan")),
        "working": working, "spread": 0.3 + 0.05 * made_up("spread") ** 2,
        "loadings": np.column_stack([0.3 * made_up("one"), 0.2 * made_up("two")]).clip(-0.6, 0.6),
        "used": np.arange(SURVEYED) != SUSPECT,
        "least_squares": SimpleNamespace(
            design=DESIGN, weights=None, sigma=0.3, cov=0.09 * np.linalg.inv(DESIGN.T @ DESIGN),
            response=np.log(np.delete(observed, SUSPECT)), leverage=np.full(SURVEYED - 1, 0.1),
            residual=0.1 * made_up("residual")[1:SURVEYED]),
        "working_rows": np.arange(SURVEYED), "oof_working": working[:SURVEYED] + 0.05,
    }  # fmt: skip
    return Fit(**{field.name: given.get(field.name) for field in fields(Fit)})


@cache
def screening() -> Screening:
    values = pd.DataFrame({"area": np.exp(made_up("area")), "unused": 1.0}, index=IDS)
    values["kind"] = np.where(made_up("kind") > 0, "mall", "street")
    values.loc[["a30", "a31"], "area"] = [1e6, 1e-6]
    values.loc["a32", "kind"] = "kiosk"
    values.loc[IDS[SUSPECT], "area"] = 1e7  # not believed, so no part of the surveyed range
    imputed = pd.DataFrame(False, index=IDS, columns=["area", "unused", "kind"])
    imputed.loc["a33", "area"] = imputed.loc["a34", "unused"] = True
    nothing = pd.DataFrame()
    sales, rules = pd.Series(dtype=float), Indicators(candidates=("area", "unused", "kind"))
    places = pd.DataFrame(index=IDS)
    return Screening(nothing, nothing, values, imputed, {}, sales, places, rules)


@cache
def accounts() -> pd.DataFrame:
    sales = np.exp(fit().working) * (0.05 + 0.6 * np.random.default_rng(1).random(N))
    sales[[10, 45]] = 0.0
    sales[46] = np.exp(fit().working[46]) * 5  # more than the formula allows
    sales[7] = 10 * fit().oof["observed"].iloc[7]
    return pd.DataFrame(
        {"name": [f"name {i}" for i in range(N)], "region": "r", "segment": "s", "sales": sales,
         "current_ka": None, "rep": "x", "margin": 0.2, "parent": "", "returns": False,
         "unused": 1.0}, index=IDS)  # fmt: skip


LOG_SD = pd.Series({"a00": 0.1, "a04": 0.25, "a40": 9.0})


def wallet(
    usable: bool = True, evidence: str = "formula", told: bool = True, visited: bool = False
) -> Wallet:
    return estimated(
        usable=usable, told=told, visits=visits() if visited else None, confidence=0.8,
        evidence=evidence,
    )  # fmt: skip


def estimated(
    frame: pd.DataFrame | None = None,
    log_sd: pd.Series = LOG_SD,
    *,
    usable: bool = True,
    told: bool = False,
    visits: Measured | None = None,
    **settings: object,
) -> Wallet:
    """The wallet of the fit that is made up, under some settings of its formula."""
    observed = fit().oof["observed"]
    known = pd.DataFrame(
        {"potential": observed, "log_sd": log_sd.reindex(observed.index, fill_value=0.0)}
    )
    tables = SimpleNamespace(
        accounts=accounts() if frame is None else frame,
        overrides=Overrides(TOLD) if told else no_overrides(),
        totals=None,
        survey=None,
    )
    verdict = SimpleNamespace(verdict="usable" if usable else "unusable", reasons=(), checks=())
    asked = replace(fit(), settings=FormulaSettings(**settings))
    return estimate_wallets(tables, Potential(known, visits), asked, verdict)  # type: ignore[arg-type]


@cache
def visits() -> Measured:
    rng = np.random.default_rng(2)
    rows = [
        (account, pd.Timestamp("2026-03-02") + pd.Timedelta(days=day), own, own + other)
        for account in IDS[:SURVEYED]
        for day, own, other in zip(range(14), rng.poisson(2, 14), rng.poisson(6, 14), strict=True)
    ]
    frame = pd.DataFrame(rows, columns=["account", "date", "own", "total"]).astype(
        {"own": float, "total": float}
    )
    return measure_potential(frame, accounts()["sales"])


def widening() -> float:
    """What an unseen kind widens an interval by: kinds differ, and two were seen, of errors 0.3."""
    kind = screening().values["kind"].iloc[np.delete(np.arange(SURVEYED), SUSPECT)]
    part = float((kind == "mall").mean())
    between = part * (1 - part) * 0.5**2 * 2 / 0.3**2
    return float(np.sqrt(1 + between * 1.5))


def tables() -> tuple[np.ndarray, np.ndarray, list[str], np.ndarray]:
    """Quantiles (N, 64), estimate (N,) and its source before overrides, and loadings (N, 2)."""
    f, sales = fit(), accounts()["sales"].to_numpy()
    rows, point, source, loadings = [], [], [], f.loadings.copy()
    for i, account in enumerate(IDS):
        row = np.exp(f.working[i] + f.spread[i] * f.predictive.quantiles)[None, :]
        said = "formula"
        if account == "a32":  # a kiosk, where malls and streets were surveyed
            middle = np.interp(0.5, LEVELS, row[0])
            row = middle * (row / middle) ** widening()
            loadings[i] /= widening()
        if i < SURVEYED and i != SUSPECT:
            value = f.oof["observed"].iloc[i]
            row = value * np.exp(LOG_SD.get(account, 0.0) * ndtri(LEVELS))[None, :]
            said, loadings[i] = "measured", 0.0
        elif sales[i] > row[0, 0]:
            row = Distribution(LEVELS, row).truncate(sales[i : i + 1]).table
        rows.append(row[0])
        point.append(value if said == "measured" else row.mean())
        source.append(said)
    return np.array(rows), np.array(point), source, loadings


def test_estimates_equal_those_of_one_account_at_a_time() -> None:
    quantiles, point, source, loadings = (np.array(part, copy=True) for part in tables())
    found = wallet().accounts
    np.testing.assert_allclose(found["estimate"], point, rtol=1e-9)
    assert found["estimate_source"].tolist() == source.tolist()
    assert {"measured", "formula"} == set(source)
    for account, row in TOLD.iterrows():
        i = IDS.get_loc(account)
        quantiles[i], point[i], source[i], loadings[i] = (
            row["potential"],
            row["potential"],
            "measured",
            0.0,
        )
    np.testing.assert_allclose(found["potential"], point, rtol=1e-9)
    assert found["potential_source"].tolist() == source.tolist()
    np.testing.assert_allclose(wallet().distribution.table, quantiles, rtol=1e-5)
    both = wallet().loadings @ wallet().loadings.T  # in whatever directions, the same in common
    # Beyond what the formula's coefficients share, all estimates err together, and alike.
    free = np.outer(*[(loadings != 0).any(axis=1)] * 2)
    beyond = both - loadings @ loadings.T
    assert beyond[free].min() >= -1e-6 and np.ptp(beyond[free]) < 1e-6
    np.testing.assert_allclose(beyond[~free], 0, atol=1e-6)
    assert wallet().distribution.table.dtype == wallet().loadings.dtype == np.float32
    np.testing.assert_array_equal(wallet().distribution.levels, LEVELS)
    for name, level in (("low", 0.1), ("high", 0.9)):
        expected = [np.interp(level, LEVELS, row) for row in quantiles]
        np.testing.assert_allclose(found[f"potential_{name}"], expected, rtol=1e-9)
    np.testing.assert_allclose(found["sow"], found["sales"] / found["potential"])
    np.testing.assert_allclose(found["sow_low"], found["sales"] / found["potential_high"])
    np.testing.assert_allclose(found["sow_high"], found["sales"] / found["potential_low"])


def test_columns_are_the_clients_and_then_ours() -> None:
    found = wallet().accounts
    assert list(found.columns) == [
        "name", "region", "segment", "sales", "current_ka", "rep", "margin", "parent",
        "returns", "estimate",
        "estimate_source", "potential", "potential_low", "potential_high", "sow", "sow_low",
        "sow_high", "potential_source", "extrapolated", "expected", "override_by",
        "override_reason",
        "below_p", "below_market", "sales_lost", "flags",
    ]  # fmt: skip
    for name in ("name", "sales", "margin", "rep"):
        assert found[name].tolist() == accounts()[name].tolist()
    told = found.loc[["a02", "a50", "a51"], ["override_by", "override_reason"]]
    assert told.to_numpy().tolist() == [["Ana", "seen"], ["Bo", "closed"], ["", ""]]
    assert (wallet(told=False).accounts["override_reason"] == "").all()
    assert (
        wallet(told=False)
        .accounts["potential"]
        .equals(wallet().accounts["estimate"].rename("potential"))
    )


def test_market_share_is_drawn_from_the_accounts_errors() -> None:
    found, draws = wallet(), market_draws(wallet())
    sales, potential = found.accounts["sales"], found.accounts["potential"]
    assert found.market_share == pytest.approx(sales.sum() / potential.sum(), rel=1e-12)
    low, high = np.quantile(draws, [0.1, 0.9])
    assert found.market_share_low == pytest.approx(low, rel=1e-4)
    assert found.market_share_high == pytest.approx(high, rel=1e-4)
    share = found.market_share
    told = below_market(found.accounts, found.distribution, share, draws, 0.1)["below_p"]
    np.testing.assert_allclose(found.accounts["below_p"], told, atol=1e-4)


def market_draws(found: Wallet) -> np.ndarray:
    """Total sales over 400 totals of the accounts' joint draws."""
    totals = found.distribution.draws(400, found.loadings, 7).sum(axis=1, dtype=float)
    return found.accounts["sales"].sum() / totals


def test_who_lies_below_is_listed_with_what_the_gap_costs() -> None:
    found = wallet().accounts
    posterior = found["potential_source"] == "formula+sales"
    below = below_beyond_noise(found["below_p"], posterior, 0.1)
    assert found["below_market"].tolist() == below.tolist() and 3 < below.sum() < N - 3
    lost = wallet().market_share * found["potential"] - found["sales"]
    assert found["sales_lost"].isna().tolist() == (~below).tolist()
    np.testing.assert_allclose(found["sales_lost"][below], lost[below].clip(lower=0))


@pytest.mark.parametrize("usable", [True, False])
def test_counts_are_drawn_to_what_the_formula_expects(usable: bool) -> None:
    """To the mean of all where nothing can be built on it; and no answer lies outside the survey."""
    potential = fit().oof["observed"].rename("potential")
    log_sd = pd.Series(0.4, index=IDS[10:20])
    frame = estimated(log_sd=log_sd, usable=usable, evidence="formula").accounts
    asked = IDS[:SURVEYED] if not usable else IDS[:SURVEYED].delete(SUSPECT)
    expected = expected_without_own(fit()) if usable else None
    known = composite(potential[asked], log_sd.reindex(asked).fillna(0.0), expected, asked[:0])
    np.testing.assert_allclose(frame.loc[asked, "potential"], known["potential"], rtol=1e-12)
    moved = (known["potential"] / potential[asked]).sub(1).abs() > 1e-6
    assert moved[IDS[10:20]].all() and not moved.drop(IDS[10:20]).any()
    assert not frame.loc[asked, "extrapolated"].any()


def test_flags_by_hand() -> None:
    found = wallet().accounts
    flags = found["flags"].str.split(";").map(lambda codes: set(codes) - {""})
    assert flags["a07"] >= {"sow_above_1"} and flags[IDS[SUSPECT]] >= {"suspect_potential"}
    assert flags["a31"] == {"suspect_indicator", "extrapolated"}
    assert found.at["a31", "flags"] == "suspect_indicator;extrapolated"
    assert flags["a33"] >= {"imputed"} and flags["a34"].isdisjoint({"imputed"})
    assert flags["a50"] >= {"override"}
    for code, where in (
        ("sow_above_1", found["sales"] > found["expected"]), ("extrapolated", found["extrapolated"]),
        ("override", found.index.isin(TOLD.index)), ("imputed", found.index == "a33"),
        ("suspect_potential", found.index == IDS[SUSPECT]), ("suspect_indicator", found.index == "a31"),
    ):  # fmt: skip
        assert [code in codes for codes in flags] == list(where), code


def test_accounts_unlike_those_surveyed_are_extrapolated() -> None:
    believed = np.array([i < SURVEYED and i != SUSPECT for i in range(N)])
    values = screening().values
    seen = values[believed]
    expected = {"area": {"low": seen["area"].min(), "high": seen["area"].max()},
                "kind": sorted(seen["kind"].unique())}  # fmt: skip
    assert surveyed_range(fit(), screening()) == expected
    some = np.arange(N) < 10
    assert surveyed_range(fit(), screening(), some)["area"] == {
        "low": values["area"][:10].min(), "high": values["area"][:10].max()}  # fmt: skip
    outside = outside_survey(fit(), screening(), believed)
    by_hand = (
        (values["area"] < seen["area"].min()) | (values["area"] > seen["area"].max())
        | (values["kind"] == "kiosk")
    )  # fmt: skip
    assert outside.tolist() == by_hand.tolist() and outside[[30, 31, 32, SUSPECT]].all()
    found = wallet().accounts
    measured = found["potential_source"] == "measured"
    assert found["extrapolated"].tolist() == (by_hand & ~measured).tolist()


def test_formula_that_is_not_usable_gives_no_estimate() -> None:
    """But every survey answer stands, the suspected too: nothing can tell that it is wrong."""
    found = wallet(usable=False, told=False)
    known = found.accounts["potential"].notna()
    assert known.tolist() == [i < SURVEYED for i in range(N)]
    assert found.accounts["potential_source"].tolist() == ["measured"] * SURVEYED + ["none"] * 36
    np.testing.assert_allclose(found.accounts["potential"][known], fit().oof["observed"])
    assert (
        found.accounts.loc[~known, ["sow", "potential_low", "below_p", "sales_lost"]]
        .isna()
        .all(axis=None)
    )
    assert np.isnan(found.distribution.table[SURVEYED:]).all() and not found.loadings.any()
    assert not found.accounts.loc[~known, "below_market"].any()
    sales = found.accounts["sales"][:SURVEYED]
    expected = sales.sum() / found.accounts["potential"][:SURVEYED].sum()
    assert found.market_share == pytest.approx(expected, rel=1e-12)


def test_sales_that_are_not_asked_for_are_not_used() -> None:
    """But no account's potential lies below them."""
    found = wallet(told=False)
    assert set(found.accounts["potential_source"]) == {"measured", "formula"}
    assert found.basis.basis == "formula" and found.basis.weights == {"formula": 1.0}
    free = (found.accounts["potential_source"] == "formula").to_numpy()
    above = found.accounts["potential_low"] >= found.accounts["sales"] * (1 - 1e-9)
    assert above[free].all()
    before = fit().predictive.potential(fit().working, fit().spread)
    alike = free & (before.table[:, 0] > found.accounts["sales"])
    assert alike.sum() > 10
    np.testing.assert_allclose(found.accounts["potential"][alike], before.mean()[alike])
    np.testing.assert_allclose(found.accounts["expected"][alike], before.mean()[alike])


def test_intervals_hold_90_percent_unless_told() -> None:
    plain, told = estimated(evidence="formula"), estimated(confidence=0.9, evidence="formula")
    pd.testing.assert_frame_equal(plain.accounts, told.accounts)
    assert plain.market_share_low == told.market_share_low


def test_nothing_sold_leaves_no_market_share() -> None:
    nothing = accounts().assign(sales=0.0)
    found = estimated(nothing, evidence="formula")
    assert found.market_share == 0.0 == found.market_share_low == found.market_share_high
    assert found.accounts["below_p"].isna().all() and not found.accounts["below_market"].any()


def test_share_of_wallet_of_no_potential_is_unknown() -> None:
    found = share_of_wallet(pd.Series([5.0, 5.0, 5.0]), pd.Series([0.0, -1.0, 0.5]))
    assert found.isna().tolist() == [True, True, False] and found.iloc[2] == 10.0


def test_a_wallet_says_its_market_share_in_a_line() -> None:
    assert repr(wallet()) == f"60 accounts, market share {wallet().market_share:.1%}"
