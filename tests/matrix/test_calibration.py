"""Zone probabilities mean what they say: of the accounts at 60 %, six in ten lie in their zone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from test_formula import wallet_of

from generators.simulate import Simulated, simulate_world
from kalib.formula.distribution import Distribution
from kalib.matrix.matrix import assign_zones, potential_cut, zone_probabilities
from kalib.study.settings import ZONES, MatrixSettings, Study
from kalib.wallet.wallet import Wallet

pytestmark = pytest.mark.slow

STUDY = Study.model_construct(matrix=MatrixSettings())
BINS = (0, 0.5, 0.7, 0.9, 1.001)
# Twice what eight worlds leave to chance (measured on 32); distributions 1.4 times as wide, or 0.7
# times, miss the third or the last bin by more.
BAR = (0.09, 0.05, 0.045, 0.011)


@pytest.fixture(scope="module")
def worlds() -> list[tuple[Simulated, Wallet]]:
    kinds = ("linear", "multiplicative", "text", "small")
    made = [simulate_world(kind, seed) for kind in kinds for seed in (50, 51)]
    return [(world, wallet_of(world)[0]) for world in made]


def misses(worlds: list[tuple[Simulated, Wallet]], width: float) -> np.ndarray:
    """By bin of the zone's probability: how often it was right, less what was said."""
    parts = []
    for world, wallet in worlds:
        found = wallet.distribution
        middle = np.median(found.table, axis=1)[:, None]
        wider = Distribution(found.levels, middle * (found.table / middle) ** width)
        wallet = replace(wallet, distribution=wider)
        truth = world.truth.set_index("account")["potential"]
        sales, zones = wallet.accounts["sales"], []
        for potential in (wallet.accounts["potential"], truth):
            cut = potential_cut(potential.to_numpy(), STUDY.matrix.potential_cut)
            share = sales.sum() / potential.sum()
            zones.append(assign_zones(potential, sales / potential, cut, share))
        chances = zone_probabilities(wallet, STUDY.matrix, draws=400)
        position = zones[0].map({zone: k for k, zone in enumerate(ZONES)}).to_numpy(int)
        said = chances[[f"p_{zone}" for zone in ZONES]].to_numpy()
        said = said[np.arange(len(position)), position]
        parts.append(pd.DataFrame({"said": said, "miss": (zones[0] == zones[1]) - said}))
    both = pd.concat(parts)
    return both.groupby(pd.cut(both["said"], BINS, right=False))["miss"].mean().to_numpy()


def test_zone_probabilities_are_calibrated(worlds) -> None:
    assert (np.abs(misses(worlds, 1.0)) < BAR).all()


@pytest.mark.parametrize("width", [0.7, 1.4])
def test_wrong_widths_would_be_seen(worlds, width: float) -> None:
    assert (np.abs(misses(worlds, width)) > BAR).any()
