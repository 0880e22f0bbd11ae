"""What a plain installation leaves out is asked for by name."""

from __future__ import annotations

import pytest
from conftest import ROOT

from kalib import errors
from kalib.errors import EXTRAS, StudyError, need
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
    monkeypatch.setattr(template, "lacks_font", lambda texts: True)
    template.check_look(read_study(ROOT / "data/phones-retail"))
    with pytest.raises(StudyError, match=r"no Chinese font .*kalib-kit\[zh\]"):
        template.check_look(read_study(ROOT / "data/phones-retail", {"report.language": "zh"}))
