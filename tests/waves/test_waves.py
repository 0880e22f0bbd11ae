"""Two waves with known moves."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import ROOT
from pypdf import PdfReader

from generators.simulate import write_study
from generators.waves import simulate_pair
from kalib.analysis import Analysis, analyze
from kalib.cli import main
from kalib.errors import StudyError
from kalib.formula.formula import Formula, Term
from kalib.indicators.screening import Column
from kalib.plan.proof import hold_out
from kalib.report.document import write_document
from kalib.report.figures import draw_figures
from kalib.report.story import tell_story
from kalib.runs.batch import Job, in_order
from kalib.runs.execution import notebooks_of_run
from kalib.runs.outputs import write_outputs
from kalib.runs.provenance import Options, earlier_report, inputs_of
from kalib.study.settings import Cut, MatrixSettings
from kalib.waves.drift import measure_drift
from kalib.waves.moves import SHARED, estimate_transitions, move_probability, persistence
from kalib.waves.waves import REAL, Wave, Waves, compare_waves, read_wave

pytestmark = pytest.mark.slow

R = ROOT / "tests/reference/r"


def wave_pair(folder: Path, seed: int, **world: float) -> tuple[Wave, Wave, pd.Series]:
    """Two waves, and whether each account's true zone changed."""
    pair = simulate_pair(seed, **world)
    waves = []
    for name, wave in (("before", pair.before), ("after", pair.after)):
        write_study(wave, folder / name, "wave")
        waves.append(read_wave(folder / name))
    return waves[0], waves[1], pair.moved


@pytest.fixture(scope="module")
def stores_2025() -> Analysis:
    return analyze(ROOT / "data/fmcg-supermarkets-2025")


@pytest.fixture(scope="module")
def pair(stores_2025: Analysis, stores: Analysis) -> tuple[Wave, Wave]:
    return read_wave(stores_2025), read_wave(stores)


@pytest.fixture(scope="module")
def shipped(pair: tuple[Wave, Wave]) -> Waves:
    return compare_waves(*pair)


def test_real_moves_are_told_from_noise(tmp_path: Path) -> None:
    real, said, naive, found, expected = 0, 0, 0, 0, 0.0
    for seed in range(2):
        (tmp_path / str(seed)).mkdir()
        before, after, moved = wave_pair(tmp_path / str(seed), seed)
        moves = compare_waves(before, after).moves
        sure = moves.index[moves["probability"] >= REAL]
        real += int(moved.reindex(sure).sum())
        said += len(sure)
        found += int(moved.reindex(moves.index).sum())
        naive += len(moves)
        expected += moves["probability"].sum()
    assert said >= 20
    assert real / said >= 0.9
    assert found / naive < 0.7  # what believing every changed zone would give
    assert abs(expected - found) / naive < 0.12  # probabilities mean what they say


def test_known_moves_are_certain_and_noise_is_not() -> None:
    n = 200
    rng = np.random.default_rng(3)
    logs = rng.standard_normal(n)
    later = np.where(np.arange(n) < 20, logs + 4, logs)

    def probability(first: np.ndarray, second: np.ndarray, sd: float, rho: float) -> np.ndarray:
        frames = [
            pd.DataFrame({"prior_mean": 0.0, "prior_sd": 1.0, "mean": mean, "sd": sd, "error": mean,
                          "observed": np.nan, f"{SHARED}0": 0.0, "sales": 0.0})
            for mean in (first, second)
        ]  # fmt: skip
        cut = Cut(kind="value", value=float(np.exp(2.5)))
        settings = MatrixSettings(potential_cut=cut, share_cut=0.5)
        return move_probability((frames[0], frames[1]), (settings, settings), rho)

    sure = probability(logs, later, 1e-3, 0.5)
    crossed = (logs >= 2.5) != (later >= 2.5)
    np.testing.assert_allclose(sure, crossed, atol=0.05)
    # Nothing known of either wave but the formula: what stays with the account keeps it in place.
    apart = probability(np.zeros(n), np.zeros(n), 1.0, 0.0)
    together = probability(np.zeros(n), np.zeros(n), 1.0, 0.95)
    chance = 0.00621  # of a standard normal beyond 2.5
    assert apart.mean() == pytest.approx(2 * chance * (1 - chance), rel=0.1)
    assert together.mean() < 0.5 * apart.mean()


def test_persistence_is_the_correlation_of_errors() -> None:
    rng = np.random.default_rng(4)
    pair = rng.multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]], 4000)
    assert persistence(pair[:, 0], pair[:, 1]) == pytest.approx(0.7, abs=0.03)
    pair[15:, 0] = np.nan
    assert persistence(pair[:, 0], pair[:, 1]) is None


def test_drift_equals_r_hccm_wald() -> None:
    stores = pd.read_csv(R / "stores.csv")
    names = ["area", "registers", "hours"]
    wave = np.arange(len(stores)) % 2
    response = stores["y"] + 0.1 * wave + 0.05 * wave * stores["area"]
    terms = tuple(Term(Column(n, "", "identity", 0.0), 1.0, 1.0, 0.0, 0.0, 0.0, 1.0) for n in names)
    formula = Formula("log-linear", 0.0, terms, 1.0, 1.0, len(stores), 0.0)
    parts = [stores.loc[wave == k, names] for k in (0, 1)]
    known = [np.exp(response[wave == k]).to_numpy() for k in (0, 1)]
    drift = measure_drift(formula, (parts[0], parts[1]), (known[0], known[1]))
    expected = json.loads((R / "chow.json").read_text())
    for row, name in zip(drift.tests.itertuples(), ("whole", "slopes"), strict=True):
        assert row.f == pytest.approx(expected[name]["f"], rel=1e-8)
        assert row.p_value == pytest.approx(expected[name]["p_value"], rel=1e-8)
        assert (row.df, row.df_residual) == (expected[name]["df"], expected[name]["df_residual"])
    assert drift.level == pytest.approx(expected["level"], rel=1e-8)
    error = drift.tests["level_error"].iloc[-1]
    assert error == pytest.approx(expected["level_error"], rel=1e-8)


def test_shipped_pair_is_told_as_it_was_made(shipped: Waves) -> None:
    """The market grew by 4%, the formula is the same, and no slope differs."""
    assert (shipped.drift.tests["p_value"] > 0.05).all()
    assert shipped.persistence is not None and shipped.persistence > 0.5
    assert 5 <= len(shipped.real) < 0.3 * len(shipped.moves)
    assert shipped.targets["sales"].sum() > 0


def test_transitions_of_certain_zones_are_counted() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.integers(0, 4, 300), rng.integers(0, 4, 300)
    joint, posterior = estimate_transitions(np.eye(4)[first], np.eye(4)[second])
    counted = np.zeros((4, 4))
    np.add.at(counted, (first, second), 1 / 300)
    np.testing.assert_allclose(joint, counted, atol=1e-4)
    assert posterior.shape == (300, 4, 4)


def test_noise_alone_is_not_called_a_move() -> None:
    """Every account stays; two noisy looks at it disagree now and then."""
    rng = np.random.default_rng(2)
    true = rng.integers(0, 4, 500)
    looks = []
    for _ in range(2):
        score = 2.0 * np.eye(4)[true] + rng.gumbel(size=(500, 4)) * 0.8
        chance = np.exp(score)
        looks.append(chance / chance.sum(axis=1, keepdims=True))
    differ = looks[0].argmax(axis=1) != looks[1].argmax(axis=1)
    _, posterior = estimate_transitions(*looks)
    chance = 1 - np.einsum("nzz->n", posterior)
    assert differ.sum() > 30 and (chance[differ] >= REAL).mean() < 0.1


def test_share_change_is_split_exactly(shipped: Waves) -> None:
    share = shipped.share
    parts = [v for k, v in share.items() if k.startswith("from_")]
    assert len(parts) == 6
    assert sum(parts) == pytest.approx(share["log_change"], rel=1e-9)
    assert np.log(share["after"] / share["before"]) == pytest.approx(share["log_change"])


def test_the_same_wave_twice_shows_no_change() -> None:
    wave = read_wave(ROOT / "data/computers-university")
    waves = compare_waves(wave, wave)
    assert len(waves.moves) == 0 and waves.turnover["gained"] == waves.turnover["lost"] == 0
    assert waves.drift.terms["z"].abs().max() < 1e-9
    assert waves.share["log_change"] == 0
    assert all(abs(v) < 1e-9 for k, v in waves.share.items() if k.startswith("from_"))


def test_accounts_without_a_formula_are_compared_as_measured(tmp_path: Path) -> None:
    before, after, _ = wave_pair(tmp_path, 11, surveyed=60, resurveyed=0.0)
    assert compare_waves(before, after).persistence is None


def test_command_writes_waves_json(
    stores_2025: Analysis, stores: Analysis, pair: tuple[Wave, Wave], tmp_path: Path
) -> None:
    runs = []
    for analysis in (stores_2025, stores):
        runs.append(tmp_path / analysis.study.period)
        runs[-1].mkdir()
        figures = tell_story(analysis).figures
        write_outputs(analysis, figures, inputs_of(analysis.study, Options()), runs[-1])
    # In the order of their periods, however they are given; the earlier report stays as it was.
    swapped = CliRunner().invoke(main, ["compare", *map(str, reversed(runs))])
    assert swapped.exit_code == 0 and "by period: 2025, then 2026" in swapped.stderr
    (runs[1] / "waves.json").unlink()
    done = CliRunner().invoke(main, ["compare", *map(str, runs)])
    assert done.exit_code == 0 and not done.stderr and done.stdout == swapped.stdout
    assert not (runs[0] / "waves.json").exists()
    content = json.loads((runs[1] / "waves.json").read_text())
    assert (content["before"], content["after"]) == ("2025", "2026")
    same = CliRunner().invoke(main, ["compare", str(runs[0]), str(runs[0])])
    assert same.exit_code == 2 and "both runs are of the period 2025" in same.stderr
    assert f"{content['moved']:,} accounts show another zone" in done.stdout
    assert content["turnover"]["kept"] > 0
    # A run's files hold the wave whole.
    again = compare_waves(read_wave(runs[0]), read_wave(runs[1]))
    direct = compare_waves(*pair)
    pd.testing.assert_frame_equal(again.moves, direct.moves, atol=0.02, check_dtype=False)
    assert again.share == pytest.approx(direct.share, abs=1e-6)


def test_waves_in_other_units_are_refused(pair: tuple[Wave, Wave]) -> None:
    before, after = pair
    with pytest.raises(StudyError, match=r"2025 is in USD, 2026 in EUR\. Give both waves in one"):
        compare_waves(replace(before, currency="USD"), replace(after, currency="EUR"))
    for factor, said in ((1000, "1.0[0-9]e"), (1 / 12, "0.08")):
        amounts = {name: after.accounts[name] * factor for name in ("sales", "potential")}
        other = replace(after, accounts=after.accounts.assign(**amounts))
        with pytest.raises(StudyError, match=f"2026 are {said}.* those of 2025: another unit"):
            compare_waves(before, other)


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no finished run"):
        read_wave(tmp_path)


def test_waves_of_one_study_run_in_order(tmp_path: Path) -> None:
    jobs = [
        Job(name, tmp_path / study / period, current, study, period)
        for name, study, period, current in (
            ("b", "x", "2026", True), ("a", "x", "2025", False), ("c", "y", "2026", True),
            ("d", "z", "2026", False),
        )
    ]  # fmt: skip
    chains = [[job.study for job in chain] for chain in in_order(jobs)]
    assert chains == [["a", "b"], ["d"]]


def test_earlier_report_is_the_latest_before(tmp_path: Path) -> None:
    for name, period in (("x", "2023"), ("x", "2024"), ("x", "2026"), ("y", "2025")):
        folder = tmp_path / f"{name}-{period}"
        folder.mkdir()
        (folder / "run.json").write_text(json.dumps({"study": name, "period": period}))
    target = tmp_path / "2025"
    assert earlier_report(target, "x", "2025") == tmp_path / "x-2024"
    assert earlier_report(target, "x", "2023") is None
    stems = [path.stem for path in notebooks_of_run(None)]
    assert "06-waves" not in stems
    assert [p.stem for p in notebooks_of_run(target)] == [*stems, "06-waves"]


def test_documents_tell_of_the_wave_before(
    stores: Analysis, shipped: Waves, tmp_path: Path
) -> None:
    story = tell_story(stores, shipped)
    told = story.say(story.more[-1])
    assert f"Since 2025, {len(shipped.moves):,} accounts show another zone" in told
    assert "Against our plan of 2025" in told
    assert "Today's list of key accounts is a sales ranking" in " ".join(story.said(story.more))
    draw_figures(stores, story, tmp_path)
    write_document(stores, story, tmp_path, "1", tmp_path / "report.pdf")
    text = "".join(page.extract_text() for page in PdfReader(tmp_path / "report.pdf").pages)
    assert "Market share went from" in text and "Has the formula changed?" in text


def test_ledger_holds_what_was_asked_and_what_came(shipped: Waves) -> None:
    """Each grouping tells of the same accounts: its sums are those of all that were asked."""
    sums = shipped.ledger.groupby("grouping")[["accounts", "asked", "came"]].sum()
    assert set(sums.index) == {"zone", "action", "rep"}
    assert np.ptp(sums.to_numpy(), axis=0) == pytest.approx([0, 0, 0], abs=0.05)
    assert 0 < sums["came"].iloc[0] < 0.2 * sums["asked"].iloc[0]


def test_what_was_promised_counts_accounts_that_are_gone(
    stores: Analysis, pair: tuple[Wave, Wave], shipped: Waves
) -> None:
    """As many accounts and as much growth as the report of the wave before asked for."""
    accounts = pair[0].accounts
    asked = accounts[(accounts["zone"] == "attack") & (accounts["target_growth"] > 0)]
    assert shipped.promised == (len(asked), pytest.approx(asked["target_growth"].sum()))
    story = tell_story(stores, shipped)
    (said,) = (story.say(one) for one in story.findings if one.key == "w_promise_left")
    still = asked.index.intersection(pair[1].accounts.index)
    assert f"{len(asked)} attack accounts" in said and f"{len(still)} are accounts still" in said
    # What came of what was asked, and what the plan counts on, are said apart.
    came, counted_on = said.split("The new plan")
    assert "gaps" in counted_on and "gaps" not in came
    kept = replace(shipped, promised=(len(still), 1.0))
    assert "w_promise" in {one.key for one in tell_story(stores, kept).findings}


def test_holdout_of_the_wave_before_is_read(pair: tuple[Wave, Wave]) -> None:
    """Accounts that were attacked sell a tenth of their potential more: the proof says so."""
    before, after = pair
    attack = before.accounts["attack_rank"].notna()
    held = hold_out(before.accounts["attack_rank"], 0.2)
    earlier = replace(before, accounts=before.accounts.assign(holdout=held), holdout=0.2)
    sales = earlier.accounts["sales"] + 0.1 * earlier.accounts["potential"] * (attack & ~held)
    later = replace(
        after, accounts=after.accounts.assign(sales=sales.reindex(after.accounts.index))
    )
    proof = compare_waves(earlier, later).proof
    assert proof is not None and proof.claimed
    assert proof.difference == pytest.approx(0.1, abs=1e-9)
