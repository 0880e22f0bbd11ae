"""The tutorial of the first hour: its commands, run in order, say what it shows."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from strangers import STRANGERS

PAGE = (ROOT / "docs/first-hour.md").read_text(encoding="utf-8")
STEPS = re.findall(r"```console\n\$ (.*?)\n(.*?)```", PAGE, re.S)


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").splitlines()]


@pytest.mark.slow
def test_the_first_hour_is_as_it_is_told(tmp_path: Path) -> None:
    files, _ = STRANGERS["practices"].write(tmp_path)
    for shown, path in zip(re.findall(r"```text\n(.*?)```", PAGE, re.S), files, strict=True):
        assert path.read_text(encoding="cp1252").startswith(shown)
    shell = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for command, shown in STEPS:
        done = subprocess.run(command, shell=True, cwd=tmp_path, env=shell, capture_output=True,
                              text=True, check=False)  # fmt: skip
        said = done.stdout or done.stderr
        assert lines(said) == lines(shown), command
    report = tmp_path / "reports/praxen/2025"
    summary = json.loads((report / "summary.json").read_text())
    assert summary["verdict"] == "caution" and '`"caution"`' in PAGE
    assert f"({summary['market_share']:.1%})" in PAGE
    assert re.search(
        rf"{summary['ka_new']} key accounts, .* misses {summary['missed_by_sales']}\.", PAGE
    )
