"""No file of a report that codes names holds one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import typst
import xlsxwriter
from conftest import write_small_study
from pptx import Presentation

from kalib.analysis import analyze
from kalib.errors import StudyError
from kalib.report import page
from kalib.report.story import tell_story
from kalib.runs import run
from kalib.runs.leaks import refuse_leaks
from kalib.runs.provenance import Options
from kalib.tables import anonymize
from kalib.tables.anonymize import Phrases, anonymize_tables, code, distinctive

REP, ID = "Zoë Quirós", "70004711"
NAMES = {
    "a representative": {REP, "Bo", "White"},
    "an account's id": {ID, "K-10234", "12", "50000", "457200"},
    "an account's name": {"永辉超市一号店"},
}
KEY = b"a key of enough letters"


def workbook(path: Path, text: str, sheet: str = "Accounts") -> None:
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet(sheet).write_row(10233, 0, [text, 50000, 457200])
        book.define_name("Field", f"={sheet}!$K$10234")
        book.get_worksheet_by_name(sheet).write_formula("B1", "=SUM(K10234:K10235)")


def deck(path: Path, text: str, notes: str = "") -> None:
    shown = Presentation()
    slide = shown.slides.add_slide(shown.slide_layouts[5])
    slide.shapes.title.text, slide.notes_slide.notes_text_frame.text = text, notes
    shown.save(path)


def notebook(path: Path, output: dict[str, object]) -> None:
    cell = {"cell_type": "code", "source": ["1"], "outputs": [{"data": output}]}
    path.write_text(json.dumps({"cells": [cell]}))


def write(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text, encoding="utf-8")


PLANTED: dict[str, tuple[Callable[[Path], object], str]] = {
    "accounts.csv": (write(f"account,region\nA-1,{REP}\n"), "a representative"),
    "learning.parquet": (
        lambda path: pd.DataFrame({"indicator office": [ID]}).to_parquet(path),
        "an account's id",
    ),
    "formula.json": (write(json.dumps({"terms": [{"level": REP}]})), "a representative"),
    "note.ipynb": (lambda path: notebook(path, {"text/plain": [f"of {ID}\n"]}), "an account's id"),
    "table.ipynb": (
        lambda path: notebook(path, {"text/html": ["<td>Zo&euml; ", "Quirós</td>"]}),
        "a representative",
    ),
    "text.html": (write(f"<p>Ask <b>Zoë\nQuirós</b></p><i>{ID}x</i>"), "a representative"),
    "tip.html": (write(f'<svg><path d="M1 2" data-name="{REP}"/></svg>'), "a representative"),
    "data.html": (
        write(f'<script type="application/json">{{"a": ["{ID}"]}}</script>'), "an account's id",
    ),
    "chart.svg": (write("<svg><!-- 永辉超市一号店(杭州) --><path d='M 1 2'/></svg>"),
                  "an account's name"),
    "accounts.xlsx": (lambda path: workbook(path, REP), "a representative"),
    "sheet.xlsx": (lambda path: workbook(path, "x", "Zoë Quirós"), "a representative"),
    "deck.pptx": (lambda path: deck(path, f"Visit {REP}"), "a representative"),
    "notes.pptx": (lambda path: deck(path, "x", "(k 10234)"), "an account's id"),
    "report.pdf": (lambda path: path.write_bytes(typst.compile(f"Ask {REP} now".encode())),
                   "a representative"),
    f"visits-{REP}.html": (write("<p>visits</p>"), "a representative"),
    "short.csv": (write("account,rep\nA-1,Bo\n"), "a representative"),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_name_is_found(tmp_path: Path, name: str) -> None:
    make, kind = PLANTED[name]
    make(tmp_path / name)
    with pytest.raises(StudyError) as caught:
        refuse_leaks(tmp_path, NAMES, [])
    assert [(p.file, p.message) for p in caught.value.problems] == [
        (name, f"names {kind}, so nothing is handed over")
    ]
    assert name.endswith(".html") or not any(
        text in str(caught.value) for texts in NAMES.values() for text in texts - {"12"}
    )


def test_figures_and_the_kits_own_words_are_no_names(tmp_path: Path) -> None:
    """White's test, cell K10234, a slide of 457,200 units, potentials that are like ids."""
    pd.DataFrame({"account": ["A-1", "A-2"], "sales": [12.0, 50000.0]}).to_parquet(
        tmp_path / "accounts.parquet"
    )
    (tmp_path / "accounts.csv").write_text("account,sales\nA-1,12\nA-2,50000\n")
    (tmp_path / "index.html").write_text(
        "<style>b {color: #457200}</style><td>50000</td><p>White's test, 12 reps, Bo-like, "
        "70004711.25 and 70,004,711 CNY</p><img src='data:image/png;base64,70004711+Zoe/'>"
    )
    workbook(tmp_path / "accounts.xlsx", "A-1")
    deck(tmp_path / "deck.pptx", "White's test")
    notebook(
        tmp_path / "01.ipynb", {"image/png": f"{'iVBOR/+' * 30}/{ID}+", "text/plain": ["x 12"]}
    )
    refuse_leaks(tmp_path, NAMES, [])
    # The study file says what it says.
    (tmp_path / "cover.html").write_text(REP)
    (tmp_path / "study.toml").write_text(f'[report]\nauthor = "{REP}"\n')
    refuse_leaks(tmp_path, NAMES, [tmp_path / "study.toml"])
    with pytest.raises(StudyError, match=r"cover\.html"):  # said by nobody else, it is a name
        refuse_leaks(tmp_path, NAMES, [])


def test_phrases_are_whole_words() -> None:
    phrases = Phrases(["Eichhof", "A-1007", "永辉", "Jo Doe"])
    assert phrases.found("EICHHOF, a_1007; jo\ndoe ＥＩＣＨＨＯＦ 新永辉店") == {
        "Eichhof", "A-1007", "永辉", "Jo Doe",
    }  # fmt: skip
    assert phrases.found("Eichhofer A-10071 Jo-Ann Doe") == set()
    assert [distinctive(text) for text in ("Ana", "Anna", "A-12", "1234", "12345", "张伟")] == [
        False, True, False, False, True, True,
    ]  # fmt: skip


def test_words_that_name_someone_are_coded(tmp_path: Path) -> None:
    """A region called after its representative, the id of a head office as a segment."""
    tables = analyze(write_small_study(tmp_path)).tables
    accounts = tables.accounts.copy()
    accounts.index = accounts.index.map("K{}".format)
    accounts["rep"] = ["Ana Quirós", "Team 1", "Team 2"] * (len(accounts) // 3)
    accounts["region"] = ["Ana Quirós", "Gebiet Quirós", "Team"] * (len(accounts) // 3)
    accounts["segment"] = [accounts.index[0], f"Kette {accounts.index[1]}", "Bio"] * (
        len(accounts) // 3
    )
    accounts["name"] = "Markt " + accounts.index
    accounts["parent"] = ["Bio", accounts.index[0], ""] * (len(accounts) // 3)
    candidates = tables.candidates.set_axis(accounts.index).assign(office=accounts.index[0])
    survey = None
    coded = anonymize_tables(
        replace(tables, accounts=accounts, candidates=candidates, survey=survey), KEY
    )
    first = accounts.index[0]
    assert list(coded.accounts["region"][:3]) == [
        code(KEY, "R", "Ana Quirós"), code(KEY, "W", "Gebiet Quirós"), "Team",
    ]  # fmt: skip
    assert coded.accounts["rep"].iloc[0] == coded.accounts["region"].iloc[0]
    assert list(coded.accounts["segment"][:3]) == [
        code(KEY, "A", first), code(KEY, "W", f"Kette {accounts.index[1]}"), code(KEY, "P", "Bio"),
    ]  # fmt: skip
    assert list(coded.accounts["parent"][:3]) == [code(KEY, "P", "Bio"), code(KEY, "A", first), ""]
    assert set(coded.candidates["office"]) == {coded.accounts.index[0]}


@pytest.mark.slow
def test_a_run_that_would_leak_hands_nothing_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, out = tmp_path / "study", tmp_path / "report"
    study.mkdir()
    write_small_study(study)
    file = study / "study.toml"
    file.write_text(
        file.read_text().replace('region = "region"', 'region = "region"\nrep = "boss"')
    )
    table = pd.read_csv(study / "accounts.csv", dtype=str)
    table["region"] = table["boss"] = ["Zita Quirós", "Kalle Lindqvist"] * (len(table) // 2)
    table.to_csv(study / "accounts.csv", index=False)
    (tmp_path / "key").write_text(KEY.decode())
    secret = anonymize.Secret(tmp_path / "key")
    monkeypatch.setattr(anonymize, "_told_words", lambda *_: {})
    # What takes longest is left out: notebooks and documents.
    monkeypatch.setattr(run, "notebooks_of_run", lambda *_: [])
    monkeypatch.setattr(run, "_documents", lambda analysis, waves, *_: tell_story(analysis, waves))
    monkeypatch.setattr(page, "build_page", lambda analysis, *_: analysis.tables.accounts.to_html())
    with pytest.raises(StudyError) as caught:
        run.run_study(study, out, Options(secret=secret))
    assert {"accounts.csv", "accounts.parquet", "index.html"} <= {
        p.file for p in caught.value.problems
    }
    assert "Quir" not in str(caught.value) and "Lindqvist" not in str(caught.value)
    assert not out.exists() and not list(tmp_path.glob(".report*"))
