"""Refusals of a study file: each says what, where and the cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from kalib.errors import StudyError
from kalib.study.loading import read_study

WRONG = {
    'period = "2026"': ("period = 2026,1", "row 5: 'period = 2026,1' is not valid TOML: Expected newline"),
    'currency = "EUR"': ("currency = EUR", "Write text in quotes, decimals with a point, paths with /"),
    "survey.csv": ("suvey.csv", "no file suvey.csv. Did you mean 'survey.csv'?"),
    '"small"': ('"Small Study"', "small letters, digits and hyphens; also the report's folder"),
    '["area", ': ('["aera", ', "'area' is not among the candidates, though labels names it. Did you mean 'aera'?"),
    'sales = "sales"': ('sales = "potential"', "sales and potential are the same column. Name two"),
}  # fmt: skip


@pytest.mark.parametrize("old", WRONG)
def test_refusals_name_the_cure(old: str, small_study: Path) -> None:
    file, (new, said) = small_study / "study.toml", WRONG[old]
    text = file.read_text(encoding="utf-8").replace(old, new, 1)
    assert new in text
    file.write_text(text + '\n[indicators.labels]\narea = "x"\n', encoding="utf-8")
    with pytest.raises(StudyError) as caught:
        read_study(small_study)
    assert said in str(caught.value) and "{'" not in str(caught.value)


def test_a_name_with_a_point_is_named_whole(small_study: Path) -> None:
    file = small_study / "study.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text + '\n[indicators.labels]\n"Fl. area" = "x"\n', encoding="utf-8")
    with pytest.raises(StudyError, match=r"'Fl\. area' is not among the candidates, though labels"):
        read_study(small_study)


def test_a_missing_table_is_named_with_its_near_spelling(tmp_path: Path) -> None:
    from kalib.tables.proposal import propose_study

    (tmp_path / "accounts.csv").write_text("id,sales\n1,2\n", encoding="utf-8")
    with pytest.raises(StudyError, match=r"no such table. Did you mean 'accounts.csv'\?"):
        propose_study("x", [tmp_path / "acounts.csv"], tmp_path / "data")
