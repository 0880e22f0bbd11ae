"""Two waves with known moves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from kalib.analysis import Analysis
from kalib.cli import main
from kalib.errors import StudyError
from kalib.matrix import assign_zones
from kalib.outputs import write_outputs
from kalib.provenance import inputs_of
from kalib.report.findings import find
from kalib.simulate import simulate_world, write_study
from kalib.waves import REAL, compare_waves, estimate_transitions


def wave_pair(folder: Path, seed: int) -> tuple[Path, Path, pd.Series]:
    """Two finished runs of a world in which one account in eight grew or shrank threefold, half
    of the accounts measured in both waves; and whether each account's true zone changed."""
    world = simulate_world("multiplicative", seed, n=400, surveyed=200)
    rng = np.random.default_rng(seed)
    truth = world.truth["potential"].to_numpy()
    factor = np.where(rng.random(400) < 0.125, rng.choice([3.0, 1 / 3], 400), 1.0)
    zones, runs = [], []
    for k, scale in enumerate((np.ones(400), factor)):
        potential = truth * scale
        accounts = world.accounts.copy()
        # Indicators follow the size of the account; sales follow its share of wallet.
        for name in world.relevant:
            accounts[name] = (accounts[name] * scale**0.66).round(2)
        accounts["sales"] = (potential * world.truth["sow"]).round(2)
        survey = world.survey.copy()
        survey["potential"] = potential[survey.index]
        wave = type(world)(accounts, survey, world.truth, world.candidates, world.relevant)
        write_study(wave, folder / f"wave{k}", "wave")
        analysis = Analysis(folder / f"wave{k}")
        run = folder / f"run{k}"
        run.mkdir()
        figures = find(analysis).figures
        write_outputs(analysis, figures, inputs_of(analysis.study, analysis.file, {}), run)
        runs.append(run)
        values = pd.Series(potential, index=accounts["account"])
        sales = pd.Series(accounts["sales"].to_numpy(), index=values.index)
        cut, share = values.quantile(0.8), sales.sum() / values.sum()
        zones.append(assign_zones(values, sales / values, cut, share))
    return runs[0], runs[1], zones[0] != zones[1]


def test_real_moves_are_told_from_noise(tmp_path: Path) -> None:
    real, said, naive, found = 0, 0, 0, 0
    for seed in range(3):
        (tmp_path / str(seed)).mkdir()
        before, after, moved = wave_pair(tmp_path / str(seed), seed)
        moves = compare_waves(before, after).moves
        sure = moves.index[moves["probability"] >= REAL]
        real += int(moved.reindex(sure).sum())
        said += len(sure)
        found += int(moved.reindex(moves.index).sum())
        naive += len(moves)
    assert said >= 8
    assert real / said >= 0.9
    assert found / naive < 0.5  # what believing every changed zone would give


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


def test_share_change_is_split_exactly(tmp_path: Path) -> None:
    before, after, _ = wave_pair(tmp_path, 7)
    share = compare_waves(before, after).share
    parts = [v for k, v in share.items() if k.startswith("from_")]
    assert sum(parts) == pytest.approx(share["log_change"], rel=1e-9)
    assert np.log(share["after"] / share["before"]) == pytest.approx(share["log_change"])


def test_the_same_wave_twice_shows_no_change(tmp_path: Path) -> None:
    before, _, _ = wave_pair(tmp_path, 8)
    waves = compare_waves(before, before)
    assert len(waves.moves) == 0 and waves.turnover["gained"] == waves.turnover["lost"] == 0
    assert waves.formula["z"].abs().max() == 0
    assert waves.share["log_change"] == 0


def test_command_writes_waves_json(tmp_path: Path) -> None:
    before, after, _ = wave_pair(tmp_path, 9)
    done = CliRunner().invoke(main, ["compare", str(before), str(after)])
    assert done.exit_code == 0, done.stderr
    content = json.loads((after / "waves.json").read_text())
    assert f"{content['moved']:,} accounts changed zone" in done.stdout
    assert content["turnover"]["kept"] > 0


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no finished run"):
        compare_waves(tmp_path, tmp_path)
