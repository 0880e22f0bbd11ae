"""The public interface: what `import kalib` gives, and that its examples run."""

from __future__ import annotations

import doctest
import inspect
import re
import subprocess
import sys

import pytest
from conftest import ROOT

import kalib

STEPS = [name for name in kalib.__all__ if inspect.isfunction(getattr(kalib, name))]


def test_about_twenty_names_and_no_more() -> None:
    assert 15 <= len(kalib.__all__) <= 25
    assert {"read_study", "fit_formula", "plots", "StudyError", "__version__"} <= set(kalib.__all__)
    assert all(getattr(kalib, name) is not None for name in kalib.__all__)


def test_importing_costs_nothing() -> None:
    code = "import kalib, sys; print(*{'numpy', 'pandas', 'pydantic'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("name", STEPS)
def test_public_functions_are_documented_and_take_what_they_use(name: str) -> None:
    function = getattr(kalib, name)
    parameters = inspect.signature(function).parameters
    assert len(parameters) <= 7
    text = inspect.getdoc(function) or ""
    assert "Parameters\n----------" in text
    said = text.split("Parameters\n----------")[1]
    assert all(re.search(rf"\b{parameter}\b.* :", said) for parameter in parameters)


@pytest.mark.parametrize("name", STEPS)
def test_examples_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    names = {each: getattr(kalib, each) for each in kalib.__all__}
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in doctest.DocTestFinder().find(
        inspect.unwrap(getattr(kalib, name)), name, globs=names
    ):
        runner.run(test)
    assert runner.failures == 0
