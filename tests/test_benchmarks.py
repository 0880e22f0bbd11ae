"""The yardstick itself: a world is measured from end to end."""

from __future__ import annotations

from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def test_a_world_is_measured_with_all_its_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    from worlds import measure  # type: ignore[import-not-found]

    found, zones = measure("multiplicative", 1, True)
    assert found["kalib: hit"] > found["sales: hit"]
    assert 0.75 < found["coverage"] <= 1 and len(zones) == 600
    assert sum(name.endswith("+ sales: hit") for name in found) >= 3
