"""Imports follow the journey of the data, and never run back."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "kalib"
ORDER = (
    "errors", "status", "whole", "study", "loading", "lab", "report.words", "report.chapters", "cells", "delimited", "packed", "reading", "columns", "units", "tables",
    "roles", "proposal", "terms", "visits", "simulate", "linear", "nodes", "frontier", "subsets",
    "robust", "imputation", "typos", "indicators", "spread", "working", "suspicion", "validation", "predictive", "formula", "importance", "fitting", "boosting",
    "diagnostics", "verdict", "evidence", "overrides", "visit_list", "composite", "preview", "wallet", "matrix", "survey_next", "simulate_waves", "territories", "plan", "anonymize", "analysis", "what_if",
    "drift", "moves", "waves", "theme", "fit_figures", "figures", "report.exhibit", "report.exhibits", "report.rosters", "report.plans", "report.wave_tables", "report.summary", "report.findings",
    "report.explorer", "report.page", "report.sheets", "report.accounts_sheet", "report.workbook", "report.document",
    "report.template", "report.slides", "report.charts", "report.deck", "report.visit_page", "provenance", "storage",
    "scale.recipe", "scale.expression", "scale.sources", "scale.cuts", "scale.targets", "scale.score", "scale.export", "scale.sums",
    "processes", "forkserver", "kernels", "execution", "outputs", "scale.weights", "scale.large", "scale.summaries", "run", "progress", "cluster", "batch",
    "overview", "rerun", "cli", "__main__",
)  # fmt: skip
FORBIDDEN = {"utils", "helpers", "common", "misc"}


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        if not name.endswith("__init__"):
            found[name] = path
    return found


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kalib"):
            module = (node.module or "").removeprefix("kalib").removeprefix(".")
            inner = {f"{module}.{alias.name}".strip(".") for alias in node.names}
            names |= {name for name in inner if name in ORDER} or {module}
    return names - {""}


def test_every_module_has_its_place() -> None:
    assert set(modules()) == set(ORDER)
    assert not FORBIDDEN & {part for name in modules() for part in name.split(".")}


@pytest.mark.parametrize("name", ORDER)
def test_imports_only_what_comes_before(name: str) -> None:
    before = set(ORDER[: ORDER.index(name)])
    assert imported(modules()[name]) <= before


@pytest.mark.parametrize("name", ORDER)
def test_module_is_one_idea(name: str) -> None:
    assert len(modules()[name].read_text(encoding="utf-8").splitlines()) <= 320


def test_nothing_heavy_is_imported_by_the_command_line() -> None:
    top = ast.parse((PACKAGE / "cli.py").read_text()).body
    names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names} | {
        node.module for node in top if isinstance(node, ast.ImportFrom)
    }
    assert not {"pandas", "numpy", "papermill", "matplotlib"} & names
