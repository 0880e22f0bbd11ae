"""The study chooser, alone and in a real JupyterLab."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import IPython.display
import pytest
from conftest import ROOT, write_small_study

from kalib.runs import lab
from kalib.runs.execution import execute
from kalib.runs.lab import CHOSEN, SESSION, choose, wave_before

PATIENCE = 120_000  # milliseconds a slow machine may take


@pytest.fixture
def studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three studies side by side, two of them waves of one, seen from a folder beside them."""
    for name, period in (("one", "2026"), ("one-before", "2025"), ("other", "2020")):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        file = write_small_study(folder) / "study.toml"
        text = file.read_text().replace('"small"', f'"{name.removesuffix("-before")}"')
        file.write_text(text.replace('"2026"', f'"{period}"'))
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    return tmp_path / "data"


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is displayed, as if a person had the notebook open."""
    monkeypatch.setenv(SESSION, "notebooks/01-indicators.ipynb")
    found: list[Any] = []
    monkeypatch.setattr(IPython.display, "display", found.append)
    return found


def test_a_choice_is_kept_for_every_notebook(studies: Path, shown: list[Any]) -> None:
    assert choose("../data/one") == "../data/one"
    titles, hint = shown[0].children
    assert [title for title, _ in titles.options] == [
        "Small, 2026 (one)", "Small, 2025 (one-before)", "Small, 2020 (other)",
    ]  # fmt: skip
    assert hint.value == ""
    titles.value = "../data/other"
    assert "Run All Cells" in hint.value
    assert choose("../data/one") == "../data/other"
    assert choose("../data/one/study.toml") == "../data/other"


def test_a_run_has_no_one_to_choose(studies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    CHOSEN.write_text("../data/other")
    monkeypatch.delenv(SESSION, raising=False)
    assert choose("../data/one/study.toml") == "../data/one/study.toml"
    assert wave_before("../data/one", "x") == "x"


def test_a_choice_that_is_gone_or_spoiled_is_forgotten(studies: Path, shown: list[Any]) -> None:
    for content in (b"../data/gone", b"\xff\xfe", b"/etc"):
        CHOSEN.write_bytes(content)
        assert choose("../data/one") == "../data/one"


def test_a_choice_that_cannot_be_kept_says_so(
    studies: Path, shown: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab, "CHOSEN", studies / "absent" / "file")
    choose("../data/one")
    titles, hint = shown[0].children
    titles.value = "../data/other"
    assert "can't be kept" in hint.value


def test_a_broken_study_is_named_with_its_problems(studies: Path, shown: list[Any]) -> None:
    (studies / "other" / "survey.csv").unlink()
    choose("../data/one")
    assert "other: 1 problems, see kalib check" in dict(shown[0].children[0].options)


def test_the_wave_before_is_found_among_the_neighbors(studies: Path, shown: list[Any]) -> None:
    assert wave_before("../data/one", "x") == "../data/one-before"
    assert wave_before("../data/one-before", "x") == "x"
    assert wave_before("../data/other", "x") == "x"


def test_a_run_started_from_a_notebook_shows_no_chooser(
    studies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SESSION, "notebooks/01-indicators.ipynb")
    CHOSEN.write_text("../data/other")
    cells = [
        {"cell_type": "code", "execution_count": None, "outputs": [], "source": source, "id": tag,
         "metadata": {"tags": [tag]}}
        for tag, source in (("parameters", 'study = "../data/one"'),
                            ("rest", "from kalib.runs.lab import choose\nchoose(study)"))
    ]  # fmt: skip
    notebook = json.loads((ROOT / "notebooks/01-indicators.ipynb").read_text())
    Path("choice.ipynb").write_text(json.dumps({**notebook, "cells": cells}))
    execute(Path("choice.ipynb"), Path("done.ipynb"), {})
    outputs = json.loads(Path("done.ipynb").read_text())["cells"][-1]["outputs"]
    assert [output["data"]["text/plain"] for output in outputs] == ["'../data/one'"]


@pytest.fixture
def jupyter(tmp_path: Path) -> Iterator[str]:
    """The address of a JupyterLab over two studies and the cells of notebook 05 that ask: it draws
    only cells in sight, and these few are."""
    (tmp_path / "notebooks").mkdir()
    notebook = json.loads((ROOT / "notebooks/05-sales-plan.ipynb").read_text())
    asking = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    asking = asking[:2] + [cell for cell in asking if "explore" in cell["source"]]
    assert len(asking) == 3
    (tmp_path / "notebooks/asking.ipynb").write_text(json.dumps({**notebook, "cells": asking}))
    for name in ("fmcg-supermarkets", "computers-university"):
        shutil.copytree(ROOT / "data" / name, tmp_path / "data" / name)
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
        server.wait(30)


def test_the_chooser_and_the_sliders_work_in_jupyterlab(browser: Any, jupyter: str) -> None:
    page = browser.new_page(viewport={"width": 1300, "height": 1000})
    page.set_default_timeout(PATIENCE)
    page.goto(f"{jupyter}lab/tree/notebooks/asking.ipynb")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()

    def run_all() -> None:
        page.locator(".lm-MenuBar-itemLabel", has_text="Run").click()
        page.locator('li[data-command="runmenu:run-all"]').click()

    run_all()
    chooser = page.locator(".widget-dropdown select")
    cut = page.locator(".jp-OutputArea tr", has_text="potential cut").locator("td")
    cut.first.wait_for()
    here = cut.first.inner_text()
    chooser.select_option(value="Equipment in UK universities (own sales simulated), 1988 (computers-university)")  # fmt: skip
    page.get_by_text("Run All Cells shows it").wait_for()
    run_all()
    page.get_by_text("Run All Cells shows it").wait_for(state="detached")
    cut.first.wait_for()
    today, what_if, change = cut.all_inner_texts()
    assert today == what_if != here and change == "0"
    page.locator(".widget-slider .noUi-handle").first.press("ArrowLeft")
    cut.filter(has_text="-").wait_for()
    now, after, moved = cut.all_inner_texts()
    assert now == today and float(after.replace(",", "")) < float(now.replace(",", ""))
    assert moved.startswith("-")
