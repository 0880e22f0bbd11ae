"""The what-if sliders in a real JupyterLab."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

PATIENCE = 120_000  # milliseconds a slow machine may take


@pytest.fixture
def jupyter(tmp_path: Path) -> Iterator[str]:
    """The address of a JupyterLab over a study and the cells of notebook 05 that lead to its
    sliders: it draws only cells in sight, and these few are."""
    (tmp_path / "notebooks").mkdir()
    notebook = json.loads((ROOT / "notebooks/05-sales-plan.ipynb").read_text())
    asking = leading_to("explore", [c for c in notebook["cells"] if c["cell_type"] == "code"])
    (tmp_path / "notebooks/asking.ipynb").write_text(json.dumps({**notebook, "cells": asking}))
    shutil.copytree(ROOT / "data/fmcg-supermarkets", tmp_path / "data/fmcg-supermarkets")
    places = {f"JUPYTER_{name}_DIR": str(tmp_path / name) for name in ("CONFIG", "RUNTIME", "DATA")}
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0",
         "--IdentityProvider.token=", "--LabApp.news_url=None", f"--ServerApp.root_dir={tmp_path}"],
        env={**os.environ, **places, "IPYTHONDIR": str(tmp_path / "ipython")},
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until = time.monotonic() + PATIENCE / 1000
        while not (files := list((tmp_path / "RUNTIME").glob("jpserver-*.json"))):
            assert server.poll() is None and time.monotonic() < until, "JupyterLab did not start"
            time.sleep(0.1)
        yield json.loads(files[0].read_text())["url"]
    finally:
        server.terminate()
        try:
            server.wait(PATIENCE / 1000)
        except subprocess.TimeoutExpired:  # a busy machine: its kernels end with it
            server.kill()
            server.wait()


def leading_to(call: str, cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The cell of a call, and those before it that say what it uses."""
    found: list[dict[str, Any]] = []
    wanted = {call}
    for cell in reversed(cells):
        said = list(ast.walk(ast.parse("".join(cell["source"]))))
        names = [node for node in said if isinstance(node, ast.Name)]
        given = {node.id for node in names if isinstance(node.ctx, ast.Store)}
        given |= {name.asname or name.name for node in said if isinstance(node, ast.Import)
                  for name in node.names}  # fmt: skip
        if found:
            needed = bool(given & wanted)
        else:
            needed = any(isinstance(node, ast.Attribute) and node.attr == call for node in said)
        if needed:
            wanted |= {node.id for node in names}
            found.insert(0, cell)
    return found


def test_the_sliders_work_in_jupyterlab(browser: Any, jupyter: str) -> None:
    page = browser.new_page(viewport={"width": 1300, "height": 1000})
    page.set_default_timeout(PATIENCE)
    page.goto(f"{jupyter}lab/tree/notebooks/asking.ipynb")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    page.locator(".lm-MenuBar-itemLabel", has_text="Run").click()
    page.locator('li[data-command="runmenu:run-all"]').click()
    cut = page.locator(".jp-OutputArea tr", has_text="potential cut").locator("td")
    failed = page.locator('[data-mime-type="application/vnd.jupyter.stderr"]')
    cut.or_(failed).first.wait_for()
    assert not failed.all_inner_texts()
    _, today, what_if, change = cut.all_inner_texts()
    assert today == what_if and change == "0"
    page.locator(".widget-slider .noUi-handle").first.press("ArrowLeft")
    cut.filter(has_text="-").wait_for()
    _, now, after, moved = cut.all_inner_texts()
    assert now == today and float(after.replace(",", "")) < float(now.replace(",", ""))
    assert moved.startswith("-")
