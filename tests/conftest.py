"""Studies shared by the tests, each computed once a worker."""

from __future__ import annotations

import os
import platform
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
if platform.machine() in ("x86_64", "AMD64"):  # the same digits on every one of them, see Makefile
    os.environ.setdefault("OPENBLAS_CORETYPE", "Haswell")
    os.environ.setdefault("NPY_DISABLE_CPU_FEATURES", "X86_V4 AVX512_ICL AVX512_SPR")

import matplotlib
import nbval.kernel
import numpy as np
import pandas as pd
import pytest
from lxml.html import HtmlElement

matplotlib.use("agg")

from generators.simulate import simulate_world, write_study
from kalib.analysis import Analysis, analyze
from kalib.runs import execution
from kalib.runs.provenance import Options
from kalib.runs.run import run_study

ROOT = Path(__file__).parent.parent
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)  # fmt: skip
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
SHIPPED = ("computers-university", "fmcg-supermarkets", "phones-retail")


_start_kernel = nbval.kernel.start_new_kernel


def _start_kernel_twice(*args: Any, **kwargs: Any) -> Any:
    """A kernel that never answers, which was seen once, is started once more: nothing of ours runs
    in it yet."""
    try:
        return _start_kernel(*args, **kwargs)
    except RuntimeError:
        return _start_kernel(*args, **kwargs)


nbval.kernel.start_new_kernel = _start_kernel_twice


# What makes a test slow: whole runs, and processes of their own.
SLOW_FIXTURES = {"run_here", "place", "spot", "earlier", "engine", "jupyter", "wheel", "browser"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow. Files with slow tests come first, so that none is left alone at the end."""
    for item in items:
        if item.path.suffix == ".ipynb" or SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("slow")
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture(scope="session")
def stores() -> Analysis:
    return analyze(ROOT / "data/fmcg-supermarkets")


@pytest.fixture(scope="session")
def phones() -> Analysis:
    return analyze(ROOT / "data/phones-retail")


@pytest.fixture(scope="session")
def universities() -> Analysis:
    return analyze(ROOT / "data/computers-university")


@pytest.fixture(scope="session")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """A study whose indicators say nothing, and whose own sales are not heard."""
    folder = tmp_path_factory.mktemp("null")
    write_study(simulate_world("null", 3), folder, "null")
    return analyze(folder, settings={"formula.evidence": "formula"})


class _Kept:
    """A pool of one thread that outlives those who shut it down."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.pool = pool

    def submit(self, *call: Any) -> Future[Any]:
        return self.pool.submit(*call)

    def shutdown(self) -> None:
        pass


@pytest.fixture(scope="session")
def run_here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Path]]:
    """`run_study` in this process and in one kernel for all such runs of a worker: the same report,
    where the processes that a command starts are not what is tested."""
    engine, begin, scratch = (
        execution._engine(),
        execution._start,
        tmp_path_factory.mktemp("kernel"),
    )
    stop, start = engine.stop, cache(lambda: begin(scratch))
    pool, kernel = ThreadPoolExecutor(1), None

    def run(study: Path, out: Path, **options: Any) -> Path:
        nonlocal kernel
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(execution, "ThreadPoolExecutor", lambda _: _Kept(pool))
            patch.setattr(execution, "_start", lambda _: start())
            patch.setattr(engine, "stop", lambda: None)
            patch.setattr(engine, "_last", kernel)
            try:
                return run_study(study, out, Options(**options))
            except BaseException:  # which may have ended the kernel
                pool.submit(stop).result()
                start.cache_clear()
                raise
            finally:
                kernel = engine._last

    yield run
    engine._last = kernel
    pool.submit(stop).result()
    pool.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, driven by playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium on the PATH: `apt-get install chromium`")
    with playwright.sync_playwright() as play:
        started = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def small_study(tmp_path: Path) -> Path:
    """A folder with a complete small study that tests may spoil."""
    return write_small_study(tmp_path)


def write_small_study(folder: Path) -> Path:
    """Write a complete small study into a folder."""
    rng = np.random.default_rng(5)
    n = 60
    area = np.exp(6 + 0.5 * rng.standard_normal(n))
    potential = area * 50 * np.exp(0.2 * rng.standard_normal(n))
    accounts = pd.DataFrame(
        {
            "id": [f"{i:03d}" for i in range(n)],
            "region": rng.choice(["N", "S"], n),
            "sales": (potential * rng.beta(2, 5, n)).round(2),
            "area": area.round(1),
            "staff": np.maximum(1, (area / 60).round()).astype(int),
            "format": rng.choice(["big", "small"], n),
        }
    )
    survey = pd.DataFrame({"id": accounts["id"][:40], "potential": potential[:40].round(2)})
    accounts.to_csv(folder / "accounts.csv", index=False)
    survey.to_csv(folder / "survey.csv", index=False)
    (folder / "study.toml").write_text(
        '[study]\nname = "small"\ntitle = "Small"\ncurrency = "EUR"\nperiod = "2026"\n'
        '[data]\naccounts = "accounts.csv"\nsurvey = "survey.csv"\n'
        '[columns]\naccount = "id"\nregion = "region"\nsales = "sales"\npotential = "potential"\n'
        '[indicators]\ncandidates = ["area", "staff", "format"]\n',
        encoding="utf-8",
    )
    return folder


def readable(tree: HtmlElement) -> str:
    """What a page says to its reader: its text without scripts and styles."""
    return " ".join(tree.xpath("//body//text()[not(ancestor::script or ancestor::style)]"))


def likely_to_bring(analysis: Analysis, amount: float) -> Analysis:
    """A study whose attack accounts are expected to bring an amount together."""
    accounts = analysis.plan.accounts
    gain = accounts["expected_gain"]
    part = amount / gain[accounts["team"] == "hunter"].sum()
    plan = replace(analysis.plan, accounts=accounts.assign(expected_gain=part * gain))
    return replace(analysis, plan=plan)
