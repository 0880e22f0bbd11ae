"""Processes of the run: forked ones start clean, and ordinary ones take over where none comes."""

from __future__ import annotations

import sys

import pytest

from kalib.runs import processes

linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")


DRAWS = """(
    __import__("random").random(), __import__("numpy").random.random(),
    __import__("matplotlib.pyplot").pyplot.figure().number,
)"""


@linux
def test_forked_processes_start_clean() -> None:
    one, two = (processes.start("builtins:eval", [DRAWS]).result() for _ in range(2))
    assert one[0] != two[0] and one[1] != two[1]
    assert one[2] == two[2] == 1, "the first figure there is"


@linux
def test_ordinary_process_takes_over_from_a_dead_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_server", None)
    monkeypatch.setattr(processes, "_alive", None)
    monkeypatch.setattr(processes, "SERVE", "raise SystemExit(1)")
    assert processes.start("operator:add", [1, 2]).result() == 3


@linux
def test_ordinary_process_takes_over_from_a_hung_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_server", None)
    monkeypatch.setattr(processes, "_alive", None)
    monkeypatch.setattr(processes, "SERVE", "import time; time.sleep(5)")
    monkeypatch.setattr(processes, "START_SECONDS", 0.3)
    assert processes.start("operator:add", [1, 2]).result() == 3
