"""Commands and snippets of README and documentation, run as written."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [README, *DOCS]
LEFT_OUT = ("kalib open", "kalib lab")  # which end with a browser


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.S)


def commands(page: Path) -> list[str]:
    lines = [line.split("#")[0].strip() for b in blocks(page, "sh") for line in b.splitlines()]
    return [line for line in lines if line.startswith("kalib")]


def to_try() -> dict[Path, list[str]]:
    """Commands by page: those of a how-to in a row; of README and commands.md, which list them,
    those that no page before them has."""
    lists = (README, ROOT / "docs/commands.md")
    pages = {page: commands(page) for page in DOCS if page not in lists}
    for page in lists:
        known = {command for found in pages.values() for command in found}
        pages[page] = [command for command in commands(page) if command not in known]
    return {page: found for page, found in pages.items() if found}


def snippets() -> list[str]:
    return list(dict.fromkeys(text for page in PAGES for text in blocks(page, "python")))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert all((page.parent / link).exists() for link in links), links


def test_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 100


def test_readme_shows_commands() -> None:
    assert len(commands(README)) >= 4
    targets = re.findall(r"^make (\w+)", "\n".join(blocks(README, "sh")), re.M)
    makefile = (ROOT / "Makefile").read_text()
    assert {"study", "test"} <= set(targets)
    assert all(re.search(rf"^{target}:", makefile, re.M) for target in targets)


@pytest.mark.slow
@pytest.mark.parametrize("page", to_try(), ids=name_of)
def test_commands_run_as_written(page: Path, tmp_path: Path) -> None:
    """In order, in a folder that holds the shipped studies, the largest cut short."""
    shutil.copytree(ROOT / "data", tmp_path / "data", ignore=shutil.ignore_patterns("__pycache__"))
    for table in [*tmp_path.glob("data/fmcg-*/*.csv"), *tmp_path.glob("data/phones-*/*.csv")]:
        rows = table.read_text(encoding="utf-8").splitlines(keepends=True)
        last = "00400" if "fmcg" in table.parent.name else "0090"
        kept = (row for row in rows if not row[0].isdecimal() or row.split(",")[0] <= last)
        table.write_text("".join(kept), encoding="utf-8")
    shell = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for command in to_try()[page]:
        if not command.startswith(LEFT_OUT):
            done = subprocess.run(
                command, shell=True, cwd=tmp_path, env=shell, capture_output=True, text=True,
                check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{command}: {done.stderr}"


@pytest.mark.slow
@pytest.mark.parametrize("snippet", snippets())
def test_snippet_runs_as_written(snippet: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", snippet], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
