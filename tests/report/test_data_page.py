"""The page on a client's data: the right questions, in both languages, and of tables refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from conftest import write_small_study

from kalib.cli import main


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    folder.mkdir()
    write_small_study(folder)
    return folder


def check(study: Path, page: Path, *more: str) -> Result:
    return CliRunner().invoke(main, ["check", str(study), "--html", str(page), *more])


def cells(page: Path) -> list[str]:
    return re.findall("<td[^>]*>([^<]*)</td>", page.read_text(encoding="utf-8"))


def test_the_page_asks_what_the_data_leave_open(study: Path, tmp_path: Path) -> None:
    accounts = pd.read_csv(study / "accounts.csv", dtype=str)
    survey = pd.read_csv(study / "survey.csv", dtype=str)
    file = study / "study.toml"
    settings = file.read_text(encoding="utf-8")
    (account,) = re.findall('account = "(.*)"', settings)
    (potential,) = re.findall('potential = "(.*)"', settings)
    answers = survey.set_index(account)[potential]
    accounts["told"] = accounts[account].map(answers).fillna("")
    accounts["blank"] = np.where(np.arange(len(accounts)) % 10, "", "7")
    accounts["nothing"] = ""
    accounts.to_csv(study / "accounts.csv", index=False)
    file.write_text(
        settings.replace("candidates = [", 'candidates = ["told", "blank", "nothing", ')
    )
    page = tmp_path / "check.html"
    done = check(study, page)
    assert done.exit_code == 0, done.stderr
    assert str(page) in done.stdout
    asked = "\n".join(cells(page))
    assert "told copies the answers (rank correlation 1.000" in asked
    assert re.search("blank can.*t be used", asked)
    assert "Not given: " in asked
    text = page.read_text(encoding="utf-8")
    assert text.count("<svg") == 2 and "src=" not in text and "http" not in re.sub(
        'xmlns[^"]*="[^"]*"|"http://www.w3.org[^"]*"|<!DOCTYPE[^>]*>|<metadata>.*?</metadata>', "",
        text, flags=re.S)  # fmt: skip


def test_tables_that_are_refused_are_a_page_too(study: Path, tmp_path: Path) -> None:
    accounts = pd.read_csv(study / "accounts.csv", dtype=str)
    (sales,) = re.findall('sales = "(.*)"', (study / "study.toml").read_text(encoding="utf-8"))
    accounts.loc[3, sales] = "<b>much</b>"
    accounts.to_csv(study / "accounts.csv", index=False)
    page = tmp_path / "check.html"
    done = check(study, page)
    assert done.exit_code == 2 and "is not a number" in done.stderr
    shown = cells(page)
    assert shown[0] == "accounts.csv" and shown[2] == "5"
    assert "&lt;b&gt;much&lt;/b&gt;" in shown[3]


def test_the_page_speaks_chinese(study: Path, tmp_path: Path) -> None:
    file = study / "study.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text + '\n[report]\nlanguage = "zh"\n' if "[report]" not in text
                    else text.replace("[report]", '[report]\nlanguage = "zh"'), encoding="utf-8")  # fmt: skip
    page = tmp_path / "check.html"
    done = check(study, page)
    assert done.exit_code == 0, done.stderr
    text = page.read_text(encoding="utf-8")
    assert "数据检查" in text and "Questions" not in text and "Not given" not in text


def test_nobody_s_file_is_replaced(study: Path, tmp_path: Path) -> None:
    page = tmp_path / "check.html"
    page.write_text("mine")
    done = check(study, page)
    assert done.exit_code == 2 and "was not written by kalib" in done.stderr
    assert page.read_text() == "mine"
    assert check(study, page, "--force").exit_code == 0
    assert any(path.read_text() == "mine" for path in tmp_path.glob("aside_*/check.html"))
    assert check(study, page).exit_code == 0, "its own page is replaced"
