"""Whole runs: every file of the contract, parameters checked, the earlier report never lost."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest
from conftest import ROOT, SHIPPED, readable
from lxml import html

from kalib.analysis import Analysis
from kalib.errors import KalibError
from kalib.runs.execution import notebook_paths, notebooks_of_run
from kalib.runs.outputs import CONTRACT
from kalib.runs.provenance import Options
from kalib.runs.run import _parameters, run_study

FILES = (
    "index.html", "accounts.xlsx", "accounts.csv", "accounts.parquet", "formula.json",
    "verdict.json", "summary.json", "run.json", "report.pdf", "deck.pptx", "learning.parquet",
    "visit-list.html",
    "visit-list.pdf",
)  # fmt: skip


def run_kalib(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kalib", *arguments], cwd=cwd, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


@pytest.fixture(scope="module", params=SHIPPED)
def report(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory,
    run_here: Callable[..., Path],
) -> Path:  # fmt: skip
    """Of each shipped study; the first by the command itself."""
    study, folder = ROOT / "data" / request.param, tmp_path_factory.mktemp("run") / "report"
    if request.param != SHIPPED[0]:
        return run_here(study, folder)
    done = run_kalib("run", f"data/{request.param}", "--out", str(folder), cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("index.html")
    assert "Traceback" not in done.stderr and "Warning" not in done.stderr
    return folder


def test_run_leaves_every_file(report: Path) -> None:
    assert {*FILES, "notebooks", "figures"} == {path.name for path in report.iterdir()}
    assert [p.name for p in sorted((report / "notebooks").iterdir())] == [
        p.name for p in notebooks_of_run(None)
    ]
    charts = {path.stem for path in (report / "figures").iterdir()}
    assert len(charts) == 8
    for name in charts:
        for kind in ("png", "svg"):
            assert (report / f"figures/{name}.{kind}").stat().st_size > 2000


def test_accounts_have_the_columns_of_the_contract(report: Path) -> None:
    table = pd.read_csv(report / "accounts.csv", dtype={"account": str})
    assert tuple(table.columns[: len(CONTRACT)]) == CONTRACT
    assert CONTRACT[0] == "account" and CONTRACT[-1] == "flags" and len(CONTRACT) == 29
    assert table["account"].is_unique
    assert set(table["potential_source"]) <= {
        "measured",
        "formula",
        "formula+sales",
        "sales",
        "none",
    }
    assert set(table["change"].dropna()) <= {"promoted", "demoted", "kept"}
    assert set(table["team"].dropna()) <= {"hunter", "farmer"}
    for name in ("extrapolated", "below_market", "key_account", "key_account_by_sales"):
        assert table[name].dtype == bool
    parquet = pd.read_parquet(report / "accounts.parquet")
    assert list(parquet.columns) == list(table.columns)
    np.testing.assert_allclose(parquet["potential"], table["potential"])


def test_json_files_agree_with_the_accounts(report: Path) -> None:
    read = {name: json.loads((report / f"{name}.json").read_text()) for name in
            ("formula", "verdict", "summary", "run")}  # fmt: skip
    table = pd.read_csv(report / "accounts.csv")
    summary = read["summary"]
    assert summary["ka_new"] == table["key_account"].sum()
    assert summary["zones"] == {z: int((table["zone"] == z).sum()) for z in summary["zones"]}
    share = table["sales"].sum() / table["potential"].sum()
    assert summary["market_share"] == pytest.approx(share, rel=1e-6)
    assert read["verdict"]["verdict"] == summary["verdict"] == "usable"
    for check in read["verdict"]["checks"]:
        assert set(check) == {"name", "null", "statistic", "p_value", "threshold", "passed",
                              "meaning", "source"}  # fmt: skip
    formula = read["formula"]
    for term in formula["terms"]:
        assert {"indicator", "level", "coefficient", "std_error", "p_value", "low", "high",
                "stability"} <= set(term)  # fmt: skip
    assert {"form", "intercept", "smearing", "sigma", "n", "text", "sql"} <= set(formula)
    for name, digest in read["run"]["data"].items():
        folder = ROOT / "data" / read["run"]["study"]
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_page_has_the_summary_first_and_hides_code(report: Path) -> None:
    tree = html.parse(str(report / "index.html")).getroot()
    assert tree.xpath("//main/section")[0].get("id") == "summary"
    assert tree.xpath("//details/summary")[0].text.startswith("1.")
    text = readable(tree)
    assert "import " not in text and "analysis." not in text and "Warning" not in text
    assert not re.search(r"\bnan\b", text, re.IGNORECASE)
    assert not tree.xpath("//*[@src[starts-with(., 'http')]]")


def test_executed_notebooks_say_nothing_of_the_machine(report: Path) -> None:
    for path in (report / "notebooks").iterdir():
        text = path.read_text(encoding="utf-8")
        assert str(ROOT) not in text and str(Path.home()) + "/" not in text
        nbformat.validate(nbformat.read(path, as_version=4))


def test_notebooks_end_with_links_to_the_documents(report: Path) -> None:
    for path in (report / "notebooks").iterdir():
        links = re.findall(r"\]\((.+?)\)", nbformat.read(path, as_version=4).cells[-1].source)
        assert len(links) == 5 and all((path.parent / link).is_file() for link in links)
    assert "../index.html" not in (report / "index.html").read_text(encoding="utf-8")


def test_top_fifth_is_found_better_than_by_sales(report: Path) -> None:
    table = pd.read_csv(report / "accounts.csv", dtype={"account": str}).set_index("account")
    name = json.loads((report / "run.json").read_text())["study"]
    truth = pd.read_csv(ROOT / f"data/{name}/truth.csv", dtype={0: str})
    truth = truth.set_index(truth.columns[0])["potential"]
    size = len(truth) // 5
    top = set(truth.nlargest(size).index)
    found = len(top & set(table["potential"].nlargest(size).index)) / size
    by_sales = len(top & set(table["sales"].nlargest(size).index)) / size
    # The bar set for a survey; where visitors measured, the noise of sixty days decides the last.
    assert found >= 0.8 or name == "phones-retail"
    assert found >= by_sales + 0.1


def test_notebooks_know_the_parameters_of_a_run(stores: Analysis) -> None:
    """papermill only warns of one that is misspelt, and a run leaves it out."""
    for path in notebooks_of_run(ROOT):
        given = _parameters(stores.study, Options(), ROOT, path.stem)
        assert set(given) <= set(papermill.inspect_notebook(str(path))), path.name


def test_notebooks_are_as_the_house_has_them() -> None:
    for path in notebook_paths():
        notebook = nbformat.read(path, as_version=4)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert any("parameters" in cell.metadata.get("tags", []) for cell in code)
        for cell in code:
            assert cell.execution_count, "nbval compares executed cells only"
            lines = cell.source.splitlines()
            assert len([line for line in lines if line.strip()]) <= 6
            assert not re.search(r"^\s*(def|for|while)\b|plt\.|rcParams", cell.source, re.M)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root writes anywhere")
def test_read_only_folder_is_said(small_study: Path, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    with pytest.raises(KalibError, match="can't be written"):
        run_study(small_study, closed / "report")


@pytest.mark.slow
def test_bad_data_write_nothing(small_study: Path) -> None:
    (small_study / "accounts.csv").write_text("id,sales\n1,-5\n")
    done = run_kalib("run", ".", cwd=small_study)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "there is no such column" in done.stderr
    assert not (small_study / "reports").exists()
