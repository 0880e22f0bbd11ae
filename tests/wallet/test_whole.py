"""What is known of the whole market: estimates add up to it, with its error, and answers mended."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kalib.analysis import analyze
from kalib.errors import StudyError
from kalib.formula.distribution import Distribution
from kalib.study.loading import read_study
from kalib.tables.tables import read_tables
from kalib.wallet.whole import draw_to_total


def market(n: int = 200) -> tuple[Distribution, np.ndarray, pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(2)
    found = Distribution.lognormal(rng.normal(6, 1, n), np.full(n, 0.4))
    accounts = pd.DataFrame({"region": np.where(np.arange(n) % 2, "N", "S"),
                             "sales": found.mean() * rng.beta(2, 6, n)})  # fmt: skip
    found = Distribution(
        found.levels, np.maximum(found.table, accounts["sales"].to_numpy()[:, None])
    )
    return found, np.full((n, 2), 0.3, np.float32), accounts, np.arange(n) >= 40


def test_potentials_add_up_to_the_whole_with_its_error() -> None:
    found, loadings, accounts, free = market()
    total = 1.7 * found.mean().sum()
    drawn, shared = draw_to_total(found, loadings, accounts, free, pd.Series({"": total}), 0.05)
    assert drawn.mean().sum() == pytest.approx(total, rel=1e-6)
    assert (drawn.table[~free] == found.table[~free]).all()
    assert (drawn.table >= accounts["sales"].to_numpy()[:, None] - 1e-9).all()
    sums = drawn[free].total_draws(4000, shared[free], 3)
    own = np.sqrt((drawn.sd()[free] ** 2).sum())  # what is not shared averages out
    assert sums.std() == pytest.approx(np.hypot(0.05 * total, own), rel=0.1)


def test_regions_add_up_each_by_itself() -> None:
    found, loadings, accounts, free = market()
    told = found.mean()
    north = (accounts["region"] == "N").to_numpy()
    totals = pd.Series({"N": 0.8 * told[north].sum()})
    drawn, shared = draw_to_total(found, loadings, accounts, free, totals, 0.05)
    assert drawn.mean()[north].sum() == pytest.approx(totals["N"], rel=1e-6)
    np.testing.assert_allclose(drawn.table[~north], found.table[~north])
    np.testing.assert_allclose(shared[~north], loadings[~north])


def test_a_total_that_accounts_exceed_is_refused() -> None:
    found, loadings, accounts, free = market()
    with pytest.raises(StudyError, match="no more than the accounts"):
        draw_to_total(found, loadings, accounts, free, pd.Series({"": 10.0}), 0.05)


@pytest.mark.slow
def test_settings_of_the_whole_reach_the_accounts(small_study: Path) -> None:
    """A number, a table by region, and answers known to fall short by a fifth."""
    plain = analyze(small_study)
    sums = plain.wallet.accounts.groupby("region")["potential"].sum()
    asked = analyze(small_study, settings={"market.total": str(1.5 * float(sums.sum()))})
    assert asked.wallet.accounts["potential"].sum() == pytest.approx(1.5 * sums.sum(), rel=1e-5)
    (1.2 * sums).rename("total").to_csv(small_study / "market.csv")
    by_region = analyze(small_study, settings={"market.total": '"market.csv"'})
    found = by_region.wallet.accounts.groupby("region")["potential"].sum()
    np.testing.assert_allclose(found, 1.2 * sums, rtol=1e-5)
    short = analyze(small_study, settings={"survey.understated": "0.2", "survey.error": "0.1"})
    frame = short.potential.frame
    np.testing.assert_allclose(frame["potential"], plain.potential.frame["potential"] / 0.8)
    measured = short.wallet.accounts["potential_source"] == "measured"
    width = short.wallet.accounts.eval("potential_high - potential_low")[measured]
    assert (frame["log_sd"] == 0.1).all() and (width > 0).all()


def test_a_table_of_totals_names_regions_of_the_accounts(small_study: Path) -> None:
    (small_study / "market.csv").write_text("region,total\nN,100000\nX,5\n", encoding="utf-8")
    with pytest.raises(StudyError, match="column region, row 3"):
        analyze(small_study, settings={"market.total": '"market.csv"'})


def test_a_total_below_our_own_sales_is_refused_where_tables_are_read(small_study: Path) -> None:
    """By `kalib check`, too, with its file and row."""
    (small_study / "market.csv").write_text("region,total\nN,1000000000\nS,5\n", encoding="utf-8")
    study = read_study(small_study, {"market.total": '"market.csv"'})
    with pytest.raises(StudyError, match=r"market\.csv, column total, row 3: .* buy from us"):
        read_tables(study)
