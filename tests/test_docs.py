"""The documentation can be made, and its tables hold what the code does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

import kalib
from kalib.analysis import Analysis
from kalib.formula.verdict import Verdict
from kalib.report.summary import summarize
from kalib.runs.outputs import CONTRACT, FURTHER, formula_record

REQUIRED = ("myst_nb", "numpydoc", "pydata_sphinx_theme", "sphinx")


def rows(title: str) -> list[str]:
    """Names in the first column of the table below a title of docs/outputs.md, in order."""
    text = (ROOT / "docs/outputs.md").read_text(encoding="utf-8")
    part = re.split(r"^##+ ", text.partition(f"# {title}\n")[2], maxsplit=1, flags=re.M)[0]
    cells = re.findall(r"^\| (`.*?) \|", part, re.M)
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


def test_every_column_of_the_accounts_is_documented() -> None:
    assert rows("accounts.csv") == [*CONTRACT, *FURTHER]


def test_every_flag_is_documented(stores: Analysis) -> None:
    messages = (ROOT / "kalib/words/en.toml").read_text(encoding="utf-8")
    named = re.findall(r"^flag_(\w+) = ", messages, re.M)
    assert set(named) <= set(rows("Flags"))
    found = {code for flags in stores.plan.accounts["flags"] for code in flags.split(";")}
    assert found - {""} <= set(rows("Flags"))


def test_every_key_of_the_summary_is_documented(stores: Analysis) -> None:
    assert set(rows("summary.json")) == set(summarize(stores))


def test_every_key_of_the_formula_is_documented(stores: Analysis) -> None:
    record = formula_record(stores.fit, stores.screening, stores.study)
    assert set(rows("formula.json")) == {*record, "estimate"}


def test_every_key_of_the_verdict_is_documented(stores: Analysis) -> None:
    verdict: Verdict = stores.verdict
    assert set(rows("verdict.json")) == {*verdict.to_json(), "estimate"}


def test_every_public_name_is_documented() -> None:
    text = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^   (\w+)$", text, re.M))
    assert listed == {*kalib.__all__, *kalib.plots.__all__} - {"plots", "__version__"}


@pytest.mark.slow
def test_documentation_is_made_without_a_warning(tmp_path: Path) -> None:
    for module in REQUIRED:
        pytest.importorskip(module, reason="install the extra `docs`")
    command = [sys.executable, "-m", "sphinx", "-E", "-W", "--keep-going", "-q", "-c", "docs"]
    done = subprocess.run(
        [*command, "-d", str(tmp_path / "trees"), ".", str(tmp_path / "pages")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "pages/docs/index.html").exists()
