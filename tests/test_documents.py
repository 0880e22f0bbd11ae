"""The document and the deck, read back: every sentence and figure of the summary is in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pptx import Presentation
from pypdf import PdfReader

from kalib.analysis import Analysis
from kalib.figures import all_figures
from kalib.report.deck import write_deck
from kalib.report.document import write_document
from kalib.report.findings import find
from kalib.study import ZONES
from kalib.theme import apply_theme, save_figures


def squeezed(text: str) -> str:
    """Text without blanks, hyphens and ligatures: lines are broken where they fit."""
    for ligature, plain in (("ﬁ", "fi"), ("ﬂ", "fl"), ("ﬀ", "ff"), ("ﬃ", "ffi"), ("\xad", "")):
        text = text.replace(ligature, plain)
    return "".join(text.split()).replace("-", "").replace("‐", "")


def write_pdf(analysis: Analysis, folder: Path) -> str:
    apply_theme()
    charts = all_figures(
        analysis.fit, analysis.screening.values, analysis.wallet, analysis.matrix, analysis.study
    )
    save_figures(charts, folder)
    write_document(analysis, find(analysis), folder, "1", folder / "report.pdf")
    return squeezed("".join(p.extract_text() for p in PdfReader(folder / "report.pdf").pages))


def test_document_holds_every_sentence(stores: Analysis, tmp_path: Path) -> None:
    text, findings = write_pdf(stores, tmp_path), find(stores)
    for sentence in (*findings.found, *findings.do, *findings.sure):
        assert squeezed(sentence) in text
    assert 8 <= len(PdfReader(tmp_path / "report.pdf").pages) <= 15


def test_document_says_first_that_a_formula_is_unusable(nothing: Analysis, tmp_path: Path) -> None:
    text = write_pdf(nothing, tmp_path)
    assert text.index("notusable") < text.index("Contents")


def test_client_text_is_inert_in_the_document(small_study: Path, tmp_path: Path) -> None:
    evil = '#read("/etc/passwd") $x^2$ *bold* ]'
    analysis = Analysis(small_study, settings={"report.client": f"'{evil}'"})
    assert squeezed("#read") in write_pdf(analysis, tmp_path)


def test_document_is_the_same_when_written_again(phones: Analysis, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_pdf(phones, tmp_path / name)
    assert (tmp_path / "a/report.pdf").read_bytes() == (tmp_path / "b/report.pdf").read_bytes()


@pytest.fixture(scope="module")
def deck(stores: Analysis, tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("deck") / "deck.pptx"
    write_deck(stores, find(stores), path)
    return Presentation(str(path))


def test_deck_holds_every_sentence_and_notes(stores: Analysis, deck) -> None:
    findings = find(stores)
    text = squeezed(
        " ".join(s.text_frame.text for x in deck.slides for s in x.shapes if s.has_text_frame)
    )
    for sentence in (*findings.found, *findings.do, *findings.sure):
        assert squeezed(sentence) in text
    assert 8 <= len(deck.slides) <= 12
    assert all(slide.notes_slide.notes_text_frame.text for slide in list(deck.slides)[1:])


def test_deck_charts_are_native_and_hold_the_results(stores: Analysis, deck) -> None:
    charts = [shape.chart for x in deck.slides for shape in x.shapes if shape.has_chart]
    scatter = charts[0]
    counts = {series.name.split(":")[0]: len(list(series.values)) for series in
              scatter.plots[0].series}  # fmt: skip
    assert counts == {zone: min(stores.matrix.counts[zone], 400) for zone in ZONES}
    change = stores.matrix.accounts.groupby("change")["potential"].sum()
    assert list(charts[2].plots[0].series[0].values) == pytest.approx(
        [change["kept"], change["promoted"], change["demoted"]]
    )


def test_deck_shapes_stay_on_the_slide(deck) -> None:
    for slide in deck.slides:
        for shape in slide.shapes:
            assert shape.left >= 0 and shape.left + shape.width <= deck.slide_width
            assert shape.top >= 0 and shape.top + shape.height <= deck.slide_height


def test_deck_of_an_unusable_formula_has_no_matrix_it_was_not_given(
    nothing: Analysis, tmp_path: Path
) -> None:
    write_deck(nothing, find(nothing), tmp_path / "d.pptx")
    first = Presentation(str(tmp_path / "d.pptx")).slides[1]
    text = " ".join(s.text_frame.text for s in first.shapes if s.has_text_frame)
    assert "do not say what accounts can buy" in text
