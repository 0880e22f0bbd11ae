"""Data frames written for a reader."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

import kalib
from kalib.analysis import Analysis
from kalib.files import beside
from kalib.plots import set_theme, table
from kalib.words.catalogue import Words


@pytest.fixture(autouse=True)
def plain() -> Iterator[None]:
    set_theme()
    yield
    set_theme()


def cells(html: str) -> list[str]:
    return re.findall("<t[dh][^>]*>([^<]*)</t[dh]>", html)


def test_each_number_is_written_by_what_it_is() -> None:
    frame = pd.DataFrame(
        {"potential": [1234567.0, np.nan], "sow": [0.25, 0.034], "p_value": [1e-40, 0.2],
         "coefficient": [43.587, 12.0], "passed": [True, False], "indicators": [("a_b", "c"), ()]},
        index=pd.Index(["007", "8"], name="account"),
    )  # fmt: skip
    assert cells(table(frame)._repr_html_()) == [
        "account", "potential", "share of wallet", "p-value", "coefficient", "passed", "indicators",
        "007", "1,234,567", "25%", "&lt; 0.001", "43.6", "yes", "a b, c",
        "8", "–", "3.4%", "0.200", "12", "no", "",
    ]  # fmt: skip


def test_rows_left_out_are_counted_and_none_is_said() -> None:
    frame = pd.DataFrame({"sales": range(30)})
    assert "5 of 30 rows" in repr(table(frame, rows=5)) and "30 rows" not in repr(table(frame, 30))
    assert "none" in table(frame.head(0))._repr_html_()


def test_client_text_is_escaped_and_codes_are_words() -> None:
    frame = pd.DataFrame({"name": ["<b>watch"], "region": ["watch"], "zone": ["watch"]})
    chinese = Words("zh", "EUR")
    set_theme(words=chinese)
    shown = cells(table(frame)._repr_html_())
    assert shown == ["名称", "区域", "分区", "&lt;b&gt;watch", "watch", "观察"]


def test_no_column_is_lost_where_two_are_called_alike() -> None:
    frame = pd.DataFrame({"high": [True], "top_probability": [0.4]})
    assert cells(table(frame)._repr_html_()) == ["high potential", "top_probability", "yes", "40%"]


def test_every_header_of_a_notebook_has_its_chinese() -> None:
    """Headers of the notebooks that a report has, but for the client's columns and ids."""
    study = kalib.read_study(ROOT / "data/fmcg-supermarkets")
    english = Words.of(study)
    known = {
        english.column(name)
        for name in beside(str(ROOT / "kalib/words/catalogue.py"), "zh")["columns"]
    }
    known |= {english.label(name) for name in study.indicators.candidates} | {""}
    for path in sorted((ROOT / "notebooks").glob("0[1-6]-*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", []):
                html = "".join(output.get("data", {}).get("text/html", ""))
                headers = re.findall('<th scope="col"[^>]*>([^<]*)</th>', html)
                strange = {h.replace("&#x27;", "'") for h in headers} - known
                assert all(re.fullmatch(r"\d+%?", header) for header in strange), (path, strange)


def test_tables_speak_the_language_of_the_study(stores: Analysis) -> None:
    set_theme(
        stores.study.model_copy(
            update={"report": stores.study.report.model_copy(update={"language": "zh"})}
        )
    )
    shown = cells(table(stores.plan.teams[["team", "people", "utilization"]])._repr_html_())
    assert shown[:4] == ["团队", "人数", "时间利用率", "开拓型"]
