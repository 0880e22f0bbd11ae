"""Cuts, zones and draws against the same computed one account and one draw at a time."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr, ndtri
from test_wallet_by_hand import estimated

from kalib.formula import distribution
from kalib.matrix import matrix
from kalib.matrix.matrix import (
    _ordered,
    assign_zones,
    compare_rankings,
    cut_of_draws,
    draw_potential,
    key_accounts,
    place,
    potential_cut,
    sales_ranking,
    zone_probabilities,
)
from kalib.study.settings import ZONES, Cut, MatrixSettings
from kalib.wallet.wallet import Wallet

LEVELS = (np.arange(64) + 0.5) / 64
QUANTILE = Cut(kind="quantile", value=0.8)


@cache
def made_up() -> Wallet:
    """60 accounts, of some of which no potential is known, some listed as key today."""
    wallet = estimated(log_sd=pd.Series(dtype=float), evidence="formula")
    frame = wallet.accounts
    frame.loc[["a11", "a44"], ["potential", "sow", "potential_low", "potential_high"]] = np.nan
    wallet.distribution.table[[11, 44]] = np.nan
    frame["current_ka"] = [None if i % 9 == 0 else bool(i % 4 == 0) for i in range(60)]
    return wallet


def study_of(cut: Cut = QUANTILE, share: str | float = "market") -> MatrixSettings:
    return MatrixSettings(potential_cut=cut, share_cut=share)


@pytest.mark.parametrize(
    ("cut", "expected"),
    [
        (QUANTILE, np.quantile(np.arange(1.0, 11), 0.8)),
        (Cut(kind="quantile", value=0.75), 7.75),
        (Cut(kind="top", value=3), 8.0),
        (Cut(kind="top", value=99), 1.0),
        (Cut(kind="value", value=4.5), 4.5),
        # 10 + 9 + 8 + 7 + 6 = 40 of 55 is 73 %; the fifth-largest brings it to 45 or 82 %.
        (Cut(kind="pareto", value=0.8), 5.0),
        # 10 + 9 + 8 = 27 of 55 to the last bit: the third brings it there.
        (Cut(kind="pareto", value=27 / 55), 8.0),
        (Cut(kind="pareto", value=1 - 1e-16), 1.0),
    ],
)
def test_potential_cut(cut: Cut, expected: float) -> None:
    assert potential_cut(np.arange(1.0, 11), cut) == expected
    assert potential_cut(np.arange(10.0, 0, -1), cut) == expected
    found = cut_of_draws(np.array([np.arange(1.0, 11), 2 * np.arange(10.0, 0, -1)]), cut)
    twice = expected if cut.kind == "value" else 2 * expected
    np.testing.assert_allclose(found, [expected, twice], rtol=1e-12)
    assert np.isnan(potential_cut(np.empty(0), cut))


@pytest.mark.parametrize("n", [1, 2, 7])
def test_cuts_of_draws_equal_the_cut_of_each(n: int) -> None:
    draws = np.random.default_rng(n).random((5, n))
    for cut in (QUANTILE, Cut(kind="top", value=2), Cut(kind="pareto", value=0.6)):
        expected = [potential_cut(row, cut) for row in draws]
        np.testing.assert_allclose(cut_of_draws(draws.copy(), cut), expected, rtol=1e-12)


def test_a_pareto_cut_found_in_a_band_of_a_long_row_is_the_cut() -> None:
    draws = np.exp(1.2 * np.random.default_rng(1).standard_normal((4, 20_000)))
    for value in (0.02, 0.5, 0.8, 0.999):
        cut = Cut(kind="pareto", value=value)
        expected = [potential_cut(row, cut) for row in draws]
        np.testing.assert_allclose(cut_of_draws(draws, cut), expected, rtol=1e-12)


def test_an_account_on_a_cut_counts_as_high() -> None:
    potential = pd.Series([10.0, 10.0, 9.9, 9.9, np.nan], index=list("abcde"))
    sow = pd.Series([0.3, 0.29, 0.3, 0.29, np.nan], index=list("abcde"))
    zones = assign_zones(potential, sow, 10.0, 0.3)
    assert zones.to_dict() == dict(
        zip("abcde", ["defense", "attack", "maintenance", "watch", ""], strict=True)
    )


def test_sales_ranking_breaks_ties_by_id() -> None:
    sales = pd.Series([5.0, 9.0, 5.0, 1.0], index=["c", "a", "b", "d"])
    ranking = sales_ranking(sales, 2)
    assert list(ranking) == [False, True, True, False] and ranking.index.equals(sales.index)


def test_rankings_compared_by_hand() -> None:
    accounts = pd.DataFrame(
        {
            "key_account": [True, True, False, False],
            "key_account_by_sales": [True, False, True, False],
            "potential": [100.0, 80.0, 20.0, 5.0],
            "sales": [50.0, 2.0, 18.0, 1.0],
        }
    )
    found = compare_rankings(accounts)
    assert found == {
        "missed": 1, "missed_potential": 80.0, "missed_sales": 2.0,
        "wrong": 1, "wrong_potential": 20.0, "wrong_sales": 18.0, "agreed": 1,
    }  # fmt: skip


@pytest.mark.parametrize("n", [3, 100, 5_000, 40_000])
def test_order_statistics_equal_sorting(n: int) -> None:
    rng = np.random.default_rng(n)
    for row in (np.exp(rng.standard_normal(n)), np.sort(rng.random(n)), np.ones(n),
                np.repeat(rng.random(n // 10 + 1), 10)[:n]):  # fmt: skip
        row = row.astype(np.float32)
        ordered = np.sort(row)
        for left in (0, n // 7, int(0.8 * (n - 1)), n - 1):
            right = min(left + 1, n - 1)
            assert _ordered(row, left, right) == (ordered[left], ordered[right])


def test_order_statistics_survive_a_sample_that_misleads() -> None:
    """Every 32nd value, which the sample sees, is nothing like the rest."""
    row = np.arange(40_000.0)
    row[::32] = np.where(np.arange(1250) % 2, -1.0, 1e9)
    ordered = np.sort(row)
    for left in (0, 700, 20_000, 39_000, 39_998):
        assert _ordered(row, left, left + 1) == (ordered[left], ordered[left + 1])


def test_order_statistics_part_a_narrow_band_of_a_long_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The whole row is never parted where the sample tells the band: that is the point of it."""
    parted = []
    plain = np.partition
    monkeypatch.setattr(
        matrix.np, "partition", lambda a, k: (parted.append(len(a)), plain(a, k))[1]
    )
    row = np.random.default_rng(3).random(40_000)
    for left in (5, 20_000, 39_990):
        _ordered(row, left, left + 1)
    assert parted == [1250] * 3


def test_of_those_that_one_list_alone_holds_as_many_are_high_as_their_chances_say() -> None:
    """Expected counts are sums of probabilities; ends are those of the joint draws, by hand."""
    wallet, cut = made_up(), Cut(kind="top", value=12)
    found = place(wallet, MatrixSettings(potential_cut=cut))
    accounts, ranking = found.accounts, found.ranking
    key, by_sales = accounts["key_account"], accounts["key_account_by_sales"]
    rows = np.flatnonzero(accounts["potential"].notna())
    drawn = draw_potential(wallet, rows, 400, 11)
    high = drawn >= np.sort(drawn, axis=1)[:, [-12]]
    for name, only in (("missed", key & ~by_sales), ("wrong", by_sales & ~key)):
        expected = accounts.loc[only, "top_probability"].sum()
        assert ranking[f"{name}_high"] == pytest.approx(expected, abs=0.25)
        counts = high[:, only.to_numpy()[rows]].sum(axis=1)
        ends = [ranking[f"{name}_high{end}"] for end in ("_low", "_high")]
        np.testing.assert_allclose(ends, np.quantile(counts, [0.05, 0.95]))


def test_draws_equal_those_of_one_account_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the same random numbers: the errors in common, then 7 accounts' own at a time."""
    monkeypatch.setattr(distribution, "CACHED", 7)
    wallet = made_up()
    rows = np.array([i for i in range(60) if i not in (11, 44)])[5:50]
    found = draw_potential(wallet, rows, 50, 5)
    assert found.shape == (50, 45) and found.dtype == np.float32
    rng = np.random.Generator(np.random.SFC64(5))
    shared = rng.standard_normal((50, wallet.loadings.shape[1]), dtype=np.float32)
    scores = np.linspace(-4, 4, 65)
    for start in range(0, 45, 7):
        part = rows[start : start + 7]
        numbers = rng.integers(0, 1 << 16, (50, len(part)), dtype=np.uint16)
        own = ndtri((numbers + 0.5) / 65536)
        for k, i in enumerate(part):
            loading = wallet.loadings[i].astype(float)
            score = own[:, k] * np.sqrt(max(1 - (loading**2).sum(), 0)) + shared @ loading
            table = np.interp(ndtr(scores), LEVELS, wallet.distribution.table[i])
            expected = np.interp(score, scores, table)
            np.testing.assert_allclose(found[:, start + k], expected, rtol=2e-4)


def test_draws_beyond_the_last_score_stay_within_the_distribution() -> None:
    wallet = made_up()
    table = wallet.distribution.table[[20]]
    wild = Wallet(wallet.accounts, 0.3, 0.2, 0.4, wallet.distribution,
                  np.full((60, 2), 30.0, np.float32), wallet.kin, wallet.basis)  # fmt: skip
    draws = draw_potential(wild, np.array([20]), 200, 1)
    assert draws.min() >= table.min() * (1 - 1e-5) and draws.max() <= table.max() * (1 + 1e-5)
    assert (draws < table.min() * 1.01).any() and (draws > table.max() * 0.95).any()


@pytest.mark.parametrize("share", ["market", 0.25])
@pytest.mark.parametrize("cells", [16_000_000, 58 * 40])
def test_zone_probabilities_equal_those_of_one_draw_at_a_time(
    share: str | float, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matrix, "BLOCK_CELLS", cells)
    wallet, draws = made_up(), 100
    found = zone_probabilities(wallet, study_of(share=share), draws)
    known = wallet.accounts["potential"].notna().to_numpy()
    rows, sales = np.flatnonzero(known), wallet.accounts["sales"].to_numpy()[known]
    block = draws if cells == 16_000_000 else 40
    counts, top = {zone: np.zeros(len(rows)) for zone in ZONES}, np.zeros(len(rows))
    for start in range(0, draws, block):
        for draw in draw_potential(wallet, rows, min(block, draws - start), 11 + start):
            cut = np.quantile(draw.astype(float), 0.8)
            asked = sales.sum() / draw.astype(float).sum() if share == "market" else share
            zones = assign_zones(pd.Series(draw), pd.Series(sales / draw), np.float32(cut), asked)
            top += zones.isin(["attack", "defense"]).to_numpy()
            for zone in ZONES:
                counts[zone] += (zones == zone).to_numpy()
    assert list(found.columns) == [*(f"p_{zone}" for zone in ZONES), "top_probability"]
    for zone in ZONES:
        np.testing.assert_allclose(found[f"p_{zone}"][known], counts[zone] / draws, atol=0.011)
        assert abs(found[f"p_{zone}"][known].sum() - counts[zone].sum() / draws) < 0.1
    np.testing.assert_allclose(found["top_probability"][known], top / draws, atol=0.011)
    assert found[~known].isna().all(axis=None) and (~known).sum() == 2
    total = found[known].drop(columns="top_probability").sum(axis=1)
    np.testing.assert_allclose(total, 1.0)


def test_nothing_known_places_nobody() -> None:
    wallet, study = made_up(), study_of()
    blank = made_up().accounts.assign(potential=np.nan, sow=np.nan)
    none = Wallet(blank, np.nan, np.nan, np.nan, wallet.distribution, wallet.loadings,
                  wallet.kin, wallet.basis)  # fmt: skip
    empty = place(none, study)
    assert (empty.accounts["zone"] == "").all() and np.isnan(empty.potential_cut)
    assert empty.accounts["zone_probability"].isna().all()


def placed_by_hand(accounts: pd.DataFrame, size: int, sow_cut: float) -> dict[str, str]:
    """Zone by account with a known potential, the accounts sorted one by one."""
    known = [account for account in accounts.index if accounts.at[account, "potential"] > 0]
    row = accounts.to_dict("index")
    known.sort(key=lambda a: (-row[a]["top_probability"], -row[a]["potential"], a))
    zones = {}
    for k, account in enumerate(known):
        chance = row[account]
        more, less = ("attack", "defense") if k < size else ("watch", "maintenance")
        gap = chance[f"p_{more}"] - chance[f"p_{less}"]
        small = gap > 0 or (gap == 0 and chance["sow"] < sow_cut)
        zones[account] = more if small else less
    return zones


@pytest.mark.parametrize("share", ["market", 0.25])
@pytest.mark.parametrize("cut", [Cut(kind="top", value=12), QUANTILE,
                                 Cut(kind="value", value=320), Cut(kind="pareto", value=0.6)])  # fmt: skip
def test_key_accounts_are_those_most_likely_high(cut: Cut, share: str | float) -> None:
    wallet = made_up()
    found = place(wallet, study_of(cut, share), 200)
    accounts = found.accounts
    high = accounts["p_attack"] + accounts["p_defense"]
    np.testing.assert_allclose(high, accounts["top_probability"])
    expected = {"top": 12, "quantile": 12}.get(cut.kind, round(high.sum()))  # 0.2 * 58 from above
    zones = placed_by_hand(accounts, expected, found.sow_cut)
    assert accounts["zone"].to_dict() == {a: zones.get(a, "") for a in accounts.index}
    assert accounts["key_account"].sum() == expected
    line = {"value": 320.0, "quantile": accounts["potential"].quantile(0.8)}.get(
        cut.kind, accounts["potential"].nlargest(expected).iloc[-1]
    )
    assert found.potential_cut == line
    for row in accounts[accounts["zone"] != ""].itertuples():
        point = assign_zones(pd.Series([row.potential]), pd.Series([row.sow]), line, found.sow_cut)
        assert ("border" in row.flags.split(";")) == (point[0] != row.zone)
    assert (share == "market") <= accounts["flags"].str.contains("border").sum() < 15


def test_equal_chances_go_to_potential_then_to_the_id() -> None:
    chance = pd.Series([0.5, 0.5, 0.5, np.nan, 0.5, 0.9], index=list("fbcade"))
    potential = pd.Series([7.0, 8.0, 8.0, np.nan, 8.0, 1.0], index=chance.index)
    for size, expected in enumerate(["e", "be", "bce", "bcde", "bcdef", "bcdef"], 1):
        key = key_accounts(chance, potential, Cut(kind="top", value=size))
        assert "".join(sorted(key.index[key])) == expected


@pytest.mark.parametrize("cut", [0.1, 0.3, 0.5, 0.75, 0.8, 0.9])
def test_as_many_are_key_as_lie_at_or_above_the_quantile(cut: float) -> None:
    for n in (1, 2, 5, 10, 11, 31, 101):
        value = pd.Series(np.arange(1.0, n + 1))
        key = key_accounts(value, value, Cut(kind="quantile", value=cut))
        assert key.sum() == (value >= np.quantile(value, cut) - 1e-9).sum()


@pytest.mark.parametrize("share", ["market", 0.25])
def test_matrix_by_hand(share: str | float) -> None:
    wallet, study = made_up(), study_of(Cut(kind="top", value=12), share)
    found = place(wallet, study, 200)
    accounts, before = found.accounts, wallet.accounts
    known = before["potential"].notna()
    assert found.potential_cut == before["potential"].nlargest(12).iloc[-1]
    assert found.market_share == wallet.market_share
    assert found.sow_cut == (wallet.market_share if share == "market" else 0.25)
    zones = accounts["zone"]
    assert (zones[known] != "").all() and (zones == "").sum() == 2
    assert dict(found.counts) == {zone: (zones == zone).sum() for zone in ZONES}
    chances = zone_probabilities(wallet, study, 200)
    pd.testing.assert_frame_equal(accounts[chances.columns], chances)
    for account, zone in zones[known].items():
        assert accounts.at[account, "zone_probability"] == chances.at[account, f"p_{zone}"]
    assert accounts["zone_probability"][~known].isna().all()
    key = zones.isin(["attack", "defense"])
    assert accounts["key_account"].equals(key.rename("key_account")) and key.sum() == 12
    by_sales = set(before["sales"].nlargest(12).index)
    assert set(accounts.index[accounts["key_account_by_sales"]]) == by_sales
    assert found.ranking.items() >= compare_rankings(accounts).items()
    best = chances.drop(columns="top_probability").max(axis=1)
    for account, flags in accounts["flags"].items():
        unsure = bool(known[account] and best[account] < 0.7)
        border = "border" if flags.endswith("border") else ""
        old = before.at[account, "flags"]
        assert flags == ";".join(filter(None, [old, "undecided" if unsure else "", border]))
    joined = accounts["flags"][accounts["flags"].str.contains(";undecided")]
    assert len(joined) and (accounts["flags"] == "undecided").any()
    assert "zone" not in before.columns, "the wallet is left as it was"


def test_changes_are_against_todays_list_or_the_sales_ranking() -> None:
    listed = place(made_up(), study_of(), 50).accounts
    nobody = made_up().accounts.assign(current_ka=None)
    wallet = made_up()
    without = Wallet(nobody, wallet.market_share, 0, 1, wallet.distribution, wallet.loadings,
                     wallet.kin, wallet.basis)  # fmt: skip
    ranked = place(without, study_of(), 50).accounts
    seen = set()
    for frame, before in (
        (listed, [bool(i % 9) and i % 4 == 0 for i in range(60)]),
        (ranked, ranked["key_account_by_sales"].tolist()),
    ):
        for now, was, zone, change in zip(
            frame["key_account"], before, frame["zone"], frame["change"], strict=True
        ):
            expected = {(True, True): "kept", (True, False): "promoted",
                        (False, True): "demoted" if zone else ""}.get((now, was), "")  # fmt: skip
            assert change == expected
            seen.add((change, zone == "" and was))
    assert {("kept", False), ("promoted", False), ("demoted", False), ("", True)} <= seen


def test_a_matrix_says_its_counts_in_a_line() -> None:
    found = place(made_up(), study_of(), 50)
    counts = found.counts
    assert repr(found) == (f"attack: {counts['attack']}, defense: {counts['defense']}, "
                           f"maintenance: {counts['maintenance']}, watch: {counts['watch']}")  # fmt: skip
