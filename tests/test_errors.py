"""What a plain installation leaves out is asked for by name."""

from __future__ import annotations

import pytest
from conftest import ROOT

from kalib import errors
from kalib.errors import EXTRAS, Problem, StudyError, message_of, nearest, need
from kalib.report import template
from kalib.runs.what_if import explore
from kalib.scale.sources import open_source
from kalib.study.loading import read_study


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but a plain installation."""
    extra = {module for modules in EXTRAS.values() for module in modules}
    found = errors.find_spec
    for place in ("kalib.errors", "kalib.runs.what_if"):
        monkeypatch.setattr(f"{place}.find_spec", lambda n: None if n in extra else found(n))


@pytest.mark.parametrize("extra", EXTRAS)
def test_a_missing_extra_is_named(plain: None, extra: str) -> None:
    with pytest.raises(StudyError) as caught:
        need(extra)
    assert str(caught.value) == (
        f"{EXTRAS[extra][0]} is not installed. pip install 'kalib-kit[{extra}]'"
    )


def test_commands_name_the_extra_they_need(plain: None) -> None:
    assert "kalib-kit[lab]" in str(explore(None, None, None))  # type: ignore[arg-type]
    with (
        pytest.raises(StudyError, match=r"kalib-kit\[scale\]"),
        open_source("accounts.csv", "duckdb", "1GB"),
    ):
        pass


def test_chinese_without_a_font_is_refused_before_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kalib.plots.theme.lacks_font", lambda texts: True)
    template.check_look(read_study(ROOT / "data/phones-retail"))
    with pytest.raises(StudyError, match=r"no Chinese font .*kalib-kit\[zh\]"):
        template.check_look(read_study(ROOT / "data/phones-retail", {"report.language": "zh"}))


def test_a_spelling_near_another_is_named() -> None:
    assert nearest("Umsaz", ["Umsatz", "Name"]) == "Did you mean 'Umsatz'?"
    assert nearest("xyz", ["Umsatz", "Name"]) == ""
    with pytest.raises(StudyError, match="Did you mean 'phones-retail'"):
        read_study(ROOT / "data/phones-retial")


def test_one_fault_of_many_columns_is_one_line() -> None:
    faults = [Problem("there is no such column", "a.csv", f"c{i}", 1) for i in range(90)]
    text = message_of(StudyError([*faults, Problem("other", "a.csv", "x")]))
    assert text.splitlines() == [
        "91 problems:",
        "  a.csv, column c0, row 1: there is no such column; the same in 89 columns more: "
        "c1, c2, c3, c4, c5, …",
        "  a.csv, column x: other",
    ]
    assert len(message_of(StudyError(faults[:3])).splitlines()) == 4
