"""Document, deck and workbook, read back: each says what summary.json says, to the last digit."""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
from conftest import ROOT, likely_to_bring
from PIL import Image
from pptx import Presentation
from pypdf import PageObject, PdfReader
from test_words import in_chinese

from kalib.analysis import Analysis, analyze
from kalib.errors import StudyError
from kalib.plots.accounts import LABELLED
from kalib.report.deck import LAYOUT, PLOT, write_deck
from kalib.report.document import _broken, write_document
from kalib.report.explorer import shown
from kalib.report.figures import draw_figures
from kalib.report.story import tell_story, words_of
from kalib.report.tables import build
from kalib.report.template import check_look
from kalib.report.workbook import write_workbook
from kalib.runs.outputs import write_json
from kalib.waves.waves import compare_waves, read_wave

pytestmark = pytest.mark.slow


def squeezed(text: str) -> str:
    """Text without blanks, hyphens and ligatures: lines are broken where they fit."""
    for ligature, plain in (("ﬁ", "fi"), ("ﬂ", "fl"), ("ﬀ", "ff"), ("ﬃ", "ffi"), ("\xad", "")):
        text = text.replace(ligature, plain)
    return re.sub(r"[\s\u200b\-‐]", "", text)


def draw(analysis: Analysis, folder: Path) -> Path:
    draw_figures(analysis, tell_story(analysis), folder)
    return folder


@pytest.fixture(scope="module")
def figures(stores: Analysis, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw(stores, tmp_path_factory.mktemp("figures"))


def pdf_of(analysis: Analysis, figures: Path, path: Path) -> str:
    write_document(analysis, tell_story(analysis), figures, "1", path)
    return squeezed("".join(page.extract_text() for page in PdfReader(path).pages))


def text_of_deck(path: Path) -> str:
    return text_of_deck_of(Presentation(str(path)))


def text_of_deck_of(deck: Any) -> str:
    shapes = [s for slide in deck.slides for s in slide.shapes]
    return squeezed(" ".join(s.text_frame.text for s in shapes if s.has_text_frame))


def text_of_book(path: Path) -> str:
    sheet = openpyxl.load_workbook(path).worksheets[0]
    return squeezed(" ".join(str(c) for row in sheet.values for c in row if c is not None))


SUMMED = ("f_share", "f_ka", "f_missed", "d_defense_hold", "s_misplaced")


def from_summary(f: Mapping[str, Any]) -> dict[str, Any]:
    """What the claims of SUMMED are filled with, from summary.json alone."""
    return {
        **f,
        **f["zones"],
        "share": (f["market_share"], f["market_share_low"], f["market_share_high"]),
        "key_part": f["ka_new"] / f["accounts_placed"],
        "key_held": f["ka_potential"] / f["total_potential"],
        "defense_sales": f["targets"]["defense"]["sales"],
        "missed_near": f["missed_by_sales_high"],
        "wrong_high": f["wrongly_ka_by_sales_high"][0],
    }


@dataclass(frozen=True)
class Written:
    """The three documents of one study in one language, and the text of the PDF."""

    analysis: Analysis
    folder: Path
    pdf: str


@pytest.fixture(scope="module", params=["en", "zh"])
def written(
    stores: Analysis, figures: Path, request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Written:  # fmt: skip
    analysis = stores if request.param == "en" else in_chinese(stores)
    folder = tmp_path_factory.mktemp(request.param)
    write_deck(analysis, tell_story(analysis), folder / "d.pptx")
    write_workbook(analysis, tell_story(analysis), folder / "a.xlsx")
    return Written(analysis, folder, pdf_of(analysis, figures, folder / "r.pdf"))


def test_every_document_says_what_summary_json_says(written: Written) -> None:
    story = tell_story(written.analysis)
    write_json(story.figures, written.folder / "summary.json")
    summary = json.loads((written.folder / "summary.json").read_text(encoding="utf-8"))
    texts = {
        "pdf": written.pdf,
        "deck": text_of_deck(written.folder / "d.pptx"),
        "book": text_of_book(written.folder / "a.xlsx"),
    }
    facts = from_summary(summary)
    for name, text in texts.items():
        said = {key: squeezed(story.words.say(key, **facts)) for key in SUMMED}
        assert [key for key, sentence in said.items() if sentence not in text] == [], name
    other = from_summary(summary | {"market_share": summary["market_share"] + 0.01})
    assert squeezed(story.words.say("f_share", **other)) not in texts["pdf"]


def test_no_raw_column_name_and_no_default_name_is_read(
    stores: Analysis, figures: Path, tmp_path: Path
) -> None:
    report = stores.study.report.model_copy(update={"client": "Client", "author": "Analyst"})
    labels = {"floor_area_m2": "floor area (m²)", "cash_registers": "checkouts"}
    indicators = stores.study.indicators.model_copy(update={"labels": labels})
    update = {"report": report, "indicators": indicators}
    analysis = replace(stores, study=stores.study.model_copy(update=update))
    text = pdf_of(analysis, figures, tmp_path / "r.pdf")
    write_deck(analysis, tell_story(analysis), tmp_path / "d.pptx")
    slides = text_of_deck(tmp_path / "d.pptx")
    assert "10%morefloorareagoeswith" in text and "checkouts" in text
    assert "floorarea" in slides
    for said in (text, slides):
        assert "Draft" in said and "Preparedfor" not in said and "Analyst" not in said
        assert not re.search(r"cash_registers|floor_area|\de[+-]\d", said)


def test_every_slide_is_headed_by_a_claim_of_the_story(stores: Analysis, deck) -> None:
    story = tell_story(stores)
    said = {story.say(story.claim(about)) for about in LAYOUT}
    titles = [slide.shapes.title.text_frame.text for slide in deck.slides]
    assert {title.lower() for title in titles[1:]} <= {claim.lower() for claim in said}


def test_document_is_of_a_size_to_hand_over_and_holds_its_fonts(written: Written) -> None:
    story = tell_story(written.analysis)
    told = (
        *story.findings,
        *story.more,
        *story.actions,
        *story.risks,
        *story.unknown,
        *story.steps,
    )
    for claim in (story.headline, *told):
        assert squeezed(story.say(claim)) in written.pdf
    reader = PdfReader(written.folder / "r.pdf")
    assert 8 <= len(reader.pages) <= 15
    fonts = [font.get_object() for page in reader.pages
             for font in page["/Resources"].get("/Font", {}).values()]  # fmt: skip
    inner = [part.get_object() for font in fonts for part in font.get("/DescendantFonts", [])]
    assert inner and all(
        {"/FontFile2", "/FontFile3"} & set(part["/FontDescriptor"].get_object()) for part in inner
    )
    names = {part["/BaseFont"].split("+")[1] for part in inner}
    assert all(name.startswith(("SourceSansPro", "NotoSansSC")) for name in names)


def test_no_page_of_the_document_is_half_empty(written: Written) -> None:
    """The last ones of the document aside; its statistics take two pages at most, its summary one."""
    words = tell_story(written.analysis).words
    reader = PdfReader(written.folder / "r.pdf")
    texts = [squeezed(page.extract_text()) for page in reader.pages]
    (first,) = [k for k, text in enumerate(texts) if squeezed(words.say("statistics")) in text]
    (last,) = [k for k, text in enumerate(texts) if squeezed(words.say("p_limits")) in text]
    assert last - first <= 2
    assert (
        squeezed(tell_story(written.analysis).said(tell_story(written.analysis).steps)[-1])
        in texts[1]
    )
    for page in reader.pages[1:-1]:
        lowest = min(
            at[5] for text, at in lines_of(page) if text.strip() and at[5] > 70
        )  # above the footer
        assert lowest < page.mediabox.height / 2


def test_the_three_lists_stand_on_one_page(written: Written) -> None:
    words = tell_story(written.analysis).words
    texts = [squeezed(page.extract_text()) for page in PdfReader(written.folder / "r.pdf").pages]
    lists = [build(name, written.analysis, words, rows)
             for name, rows in (("go_now", 10), ("measure_first", 9), ("defend_list", 9))]  # fmt: skip
    (text,) = (text for text in texts if squeezed(lists[0].title) in text)
    rows = [account for shown in lists for account in shown.frame["account"]]
    assert all(squeezed(account) in text for account in rows)


def test_no_row_of_a_table_is_left_alone_on_a_page(written: Written) -> None:
    story = tell_story(written.analysis)
    pages = PdfReader(written.folder / "r.pdf").pages
    texts = [squeezed(page.extract_text()) for page in pages]
    for name, rows in (("go_now", 10), ("measure_first", 9), ("missed", 8), ("below_market", 12)):
        shown = build(name, written.analysis, story.words, rows)
        (first,) = [k for k, text in enumerate(texts) if squeezed(shown.title) in text]
        there = [squeezed(account) in texts[first] for account in shown.frame["account"]]
        assert sum(there) in {*range(3, rows - 2), rows}
        assert all(squeezed(account) in "".join(texts[first:first + 2])
                   for account in shown.frame["account"])  # fmt: skip


def lines_of(page: PageObject) -> list[tuple[str, list[float]]]:
    """Texts of a page, each with where it stands."""
    found: list[tuple[str, list[float]]] = []
    page.extract_text(visitor_text=lambda text, cm, tm, *_: found.append(
        (text, [*tm[:4], tm[4] + cm[4], cm[5] + cm[3] * tm[5]])))  # fmt: skip
    return found


def test_document_is_the_same_when_written_again(
    written: Written, figures: Path, tmp_path: Path
) -> None:
    analysis = written.analysis
    write_document(analysis, tell_story(analysis), figures, "1", tmp_path / "r.pdf")
    assert (tmp_path / "r.pdf").read_bytes() == (written.folder / "r.pdf").read_bytes()


def test_document_says_first_that_a_formula_is_unusable(
    nothing: Analysis, figures: Path, tmp_path: Path
) -> None:
    text = pdf_of(nothing, figures, tmp_path / "r.pdf")
    assert text.index("notusable") < text.index("Whatwefound")
    assert "Executivesummary" not in text  # the finding heads the page
    assert len(PdfReader(tmp_path / "r.pdf").pages) >= 5
    assert "accountsthatwerenotasked" in text  # what is not known of the others


def test_client_text_is_inert_in_the_document(
    small_study: Path, figures: Path, tmp_path: Path
) -> None:
    evil = '#read("/etc/passwd") $x^2$ *bold* ]'
    analysis = analyze(small_study, settings={"report.client": f"'{evil}'"})
    assert squeezed("#read") in pdf_of(analysis, figures, tmp_path / "r.pdf")


def test_long_words_may_be_broken() -> None:
    assert _broken("short words stay") == "short words stay"
    text = _broken("an_id_of_a_warehouse_" + "x" * 40)
    assert max(map(len, text.split("\u200b"))) <= 25
    assert text.replace("\u200b", "") == "an_id_of_a_warehouse_" + "x" * 40


@pytest.fixture(scope="module")
def deck(stores: Analysis, figures: Path, tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("deck") / "deck.pptx"
    write_deck(stores, tell_story(stores), path)
    return Presentation(str(path))


def test_deck_has_titles_and_notes(deck) -> None:
    assert 10 <= len(deck.slides) <= 18
    titles = [slide.shapes.title.text_frame.text for slide in deck.slides]
    assert all(titles) and len(set(titles)) == len(titles)
    notes = [x.notes_slide.notes_text_frame.text for x in deck.slides if x.has_notes_slide]
    assert len(notes) == len(set(notes)) >= 8  # none is said twice, so none is general


def test_the_bridge_of_the_deck_is_native_and_holds_the_results(stores: Analysis, deck) -> None:
    _, chart, _ = (shape.chart for x in deck.slides for shape in x.shapes if shape.has_chart)
    size = 1 / words_of(stores).in_sums().scale
    steps = [size * amount for amount in stores.plan.bridge["amount"][1:]]
    unseen, whole, growth = (list(series.values) for series in chart.plots[0].series)
    asked, hunted = stores.plan.accounts["target_growth"], stores.plan.accounts["team"] == "hunter"
    likely = stores.plan.accounts.loc[hunted, "expected_gain"].sum()
    assert growth == [*map(pytest.approx, steps), None, None]
    assert whole == [
        *[None] * len(steps),
        *(pytest.approx(size * one) for one in (asked.sum(), likely)),
    ]
    assert unseen == pytest.approx([0, *np.cumsum(steps)[:-1], 0, 0])


def test_the_matrix_of_the_deck_is_native_and_crosses_at_the_cuts(stores: Analysis, deck) -> None:
    shape, bridge, _ = (shape for x in deck.slides for shape in x.shapes if shape.has_chart)
    titles = [slide.shapes.title.text_frame.text for slide in deck.slides]
    assert all(
        one._element.nvGraphicFramePr.cNvPr.get("descr") in titles for one in (shape, bridge)
    )
    chart, words, matrix = shape.chart, words_of(stores), stores.matrix
    drawn = shown(stores, 300, 300).sort_values("potential", ascending=False, kind="stable")
    (series,) = chart.plots[0].series
    assert list(series.values) == pytest.approx(drawn["sow"].clip(upper=1.15).tolist())
    across = [
        float(v.text) for v in series._element.iterfind(".//c:xVal//c:v", series._element.nsmap)
    ]
    assert across == pytest.approx(drawn["potential"].map(words.in_units).tolist())
    assert len(across) == 300 < len(stores.plan.accounts)
    slide = next(x for x in deck.slides for one in x.shapes if one.has_chart)
    assert words.say("sampled") in [s.text_frame.text for s in slide.shapes if s.has_text_frame]
    # An axis says where it crosses the other: potential's at the share cut, and the other way.
    at = [float(axis.find("c:crossesAt", axis.nsmap).get("val"))
          for axis in chart._chartSpace.iter(f"{{{series._element.nsmap['c']}}}valAx")]  # fmt: skip
    assert at == pytest.approx([matrix.sow_cut, words.in_units(matrix.potential_cut)])
    attack = drawn.query("zone == 'attack'")["name"]
    labels = [t.text for t in series._element.iterfind(".//c:dLbl//a:t", {
        **series._element.nsmap, "a": "http://schemas.openxmlformats.org/drawingml/2006/main"})]  # fmt: skip
    assert 0 < len(labels) <= LABELLED and set(labels) <= set(attack)
    symbols = [m.get("val") for m in series._element.iterfind(".//c:dPt//c:symbol", series._element.nsmap)]  # fmt: skip
    assert [symbol == "triangle" for symbol in symbols] == (drawn["zone"] == "attack").tolist()
    with zipfile.ZipFile(io.BytesIO(chart.part.chart_workbook.xlsx_part.blob)) as book:
        assert "xl/worksheets/sheet1.xml" in book.namelist()


def test_the_cover_holds_its_longest_lines(stores: Analysis, tmp_path: Path) -> None:
    """A headline of three lines pushes nothing off the slide: of 20 points, 1.25 a line."""
    asked = stores.plan.targets.at["attack", "target_growth"]
    analysis = likely_to_bring(stores, 0.1 * asked)
    write_deck(analysis, tell_story(analysis), tmp_path / "d.pptx")
    cover = Presentation(str(tmp_path / "d.pptx")).slides[0]
    (_, lines) = cover.placeholders
    per_line = lines.width / 12700 / (20 * 0.54)
    needed = sum(math.ceil(len(line) / per_line) for line in lines.text_frame.text.split("\n"))
    assert "of sales expected" in lines.text_frame.text
    assert needed * 25 * 12700 < lines.height and lines.top + lines.height < 6858000
    style = cover.slide_layout.placeholders[1]._element.find(".//{*}lvl1pPr/{*}defRPr")
    assert style.get("sz") == "2000"


def test_slides_have_titles_of_one_size_and_name_their_source(stores: Analysis, deck) -> None:
    """Those to look things up come last, and are marked so."""
    slides, story = list(deck.slides)[1:], tell_story(stores)
    sizes = {slide.shapes.title.text_frame.paragraphs[0].font.size for slide in slides}
    assert len(sizes) == 1 and sizes.pop().pt >= 16
    texts = [[x.text_frame.text for x in one.shapes if x.has_text_frame] for one in slides]
    backup = [f"Backup · {story.source}" in told for told in texts]
    assert all(story.source in told for told, mark in zip(texts, backup, strict=True) if not mark)
    assert backup == sorted(backup) and backup.count(False) == 9


def test_zones_are_named_inside_the_matrix(deck) -> None:
    """Not on the title of the axis below it."""
    slide = next(x for x in deck.slides for shape in x.shapes if shape.has_chart)
    (chart,) = (shape for shape in slide.shapes if shape.has_chart)
    low = chart.top + (PLOT[1] + PLOT[3]) * chart.height
    names = [
        s for s in slide.shapes if s.has_text_frame and re.search(r": \d+$", s.text_frame.text)
    ]
    assert len(names) == 4
    assert all(chart.top <= s.top and s.top + s.height <= low for s in names)


def test_no_two_shapes_of_a_slide_cover_each_other(deck) -> None:
    for slide in list(deck.slides)[1:]:
        charts = any(shape.has_chart for shape in slide.shapes)
        boxes = [(s.left, s.top, s.left + s.width, s.top + s.height) for s in slide.shapes
                 if s.width and not (charts and s.has_text_frame)]  # fmt: skip
        for i, a in enumerate(boxes):
            for b in boxes[i + 1 :]:
                across = min(a[2], b[2]) - max(a[0], b[0])
                down = min(a[3], b[3]) - max(a[1], b[1])
                assert across <= 0 or down <= 30000, slide.shapes.title.text_frame.text


def test_proof_shows_how_near_the_formula_came_and_no_statistics(stores: Analysis, deck) -> None:
    title = tell_story(stores).say(tell_story(stores).claim({"title": "t_sure"}))
    (slide,) = (
        x for x in deck.slides if x.shapes.title.text_frame.text == title[:1].upper() + title[1:]
    )
    (chart,) = (shape.chart for shape in slide.shapes if shape.has_chart)
    off = stores.fit.errors
    assert np.median(off) == stores.fit.error_median  # what the title says
    unseen, shown, between = (list(series.values) for series in chart.plots[0].series)
    assert set(unseen) == {0.0} and set(between) == {None}
    assert shown == pytest.approx([(off <= most).mean() for most in (0.1, 0.2, 0.3, 0.5)])
    said = squeezed(" ".join(s.text_frame.text for s in slide.shapes if s.has_text_frame))
    assert "Triedon219answers" in said and not re.search("R²|explains|gradient|Weights", said)
    every = text_of_deck_of(deck)
    assert all(
        squeezed(one) in every for one in tell_story(stores).said(tell_story(stores).statistics)
    )


@pytest.mark.parametrize("study", ["stores", "universities", "phones", "nothing"])
def test_no_slide_is_left_half_empty(
    study: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    analysis = request.getfixturevalue(study)
    write_deck(analysis, tell_story(analysis), tmp_path / "d.pptx")
    deck = Presentation(str(tmp_path / "d.pptx"))
    for slide in list(deck.slides)[1:]:
        shapes = [
            s for s in slide.shapes if s != slide.shapes.title and s.top < 0.85 * deck.slide_height
        ]
        ends = max(s.top + s.height for s in shapes)
        sides = max(s.left + s.width for s in shapes)
        title = slide.shapes.title.text_frame.text
        assert ends > 0.66 * deck.slide_height and sides > 0.9 * deck.slide_width, title


def test_a_study_of_few_key_accounts_lists_them_once(
    universities: Analysis, tmp_path: Path
) -> None:
    """The attack accounts first, in their order, sales at risk only of those to defend."""
    told = tell_story(universities)
    write_deck(universities, replace(told, facts={**told.facts, "some": True}), tmp_path / "d.pptx")
    slides = list(Presentation(str(tmp_path / "d.pptx")).slides)
    (rows,) = ([[cell.text for cell in row.cells] for row in shape.table.rows]
               for slide in slides for shape in slide.shapes if shape.has_table
               and shape.table.cell(0, 1).text == "action")  # fmt: skip
    key, doing = universities.plan.accounts.query("key_account"), [row[1] for row in rows[1:]]
    assert doing == sorted(doing, key=["visit now", "measure first", "defend"].index)
    assert {row[0] for row in rows[1:]} == set(key["name"])
    first = key.query("action == 'go now'").sort_values("attack_rank")
    assert [row[0] for row in rows[1 : len(first) + 1]] == first["name"].tolist()
    risk = rows[0].index("sales at risk")
    assert all((row[risk] != "–") == (row[1] == "defend") for row in rows[1:])


def test_deck_of_a_second_wave_shows_what_moved_market_share(
    stores: Analysis, tmp_path: Path
) -> None:
    waves = compare_waves(read_wave(ROOT / "data/fmcg-supermarkets-2025"), read_wave(stores))
    story = tell_story(stores, waves)
    write_deck(stores, story, tmp_path / "d.pptx")
    deck = Presentation(str(tmp_path / "d.pptx"))
    title = story.say(story.charts["share-change"])
    (slide,) = (x for x in deck.slides if x.shapes.title.text_frame.text == title)
    (chart,) = (shape.chart for shape in slide.shapes if shape.has_chart)
    _, whole, change = (list(series.values) for series in chart.plots[0].series)
    points = waves.share_points["points"]
    assert whole[0] == pytest.approx(waves.share["before"])
    assert whole[-1] == pytest.approx(waves.share["after"])
    assert change[1:-1] == pytest.approx(points[1:-1].abs().tolist())
    assert points[:-1].sum() == pytest.approx(points.iloc[-1])
    assert f"{len(waves.real)} of {len(waves.moves)}" in title


def test_a_workbook_names_the_unit_that_its_amounts_are_in(
    universities: Analysis, tmp_path: Path
) -> None:
    story, file = tell_story(universities), tmp_path / "a.xlsx"
    for language, unit in (("en", "thousand GBP a year"), ("zh", "千英镑/年")):
        words = replace(story.words, language=language)
        write_workbook(universities, replace(story, words=words), file)
        book = openpyxl.load_workbook(file)
        cells = [str(cell.value) for row in book.worksheets[0].iter_rows() for cell in row]
        assert any(cell.endswith(unit) for cell in cells), cells
        titles = [sheet["A1"].value for sheet in book.worksheets[2:]]
        assert sum(unit in str(title) for title in titles) > 3, titles
        assert not any("million" in str(title) or "百万" in str(title) for title in titles)


def test_a_workbook_prints_its_heads_on_each_page(written: Written) -> None:
    book = openpyxl.load_workbook(written.folder / "a.xlsx")
    summary, accounts, *lists = book.worksheets
    assert summary.page_setup.orientation == "portrait" and summary.page_setup.fitToHeight != 0
    assert (accounts.print_title_rows, accounts.print_title_cols) == ("$1:$1", "$A:$B")
    assert accounts.page_setup.fitToWidth == 2
    for sheet in (sheet for sheet in lists if sheet.freeze_panes):
        assert sheet.print_title_rows == "$4:$4" and sheet.page_setup.orientation == "landscape"
        first = [sheet.cell(5, j + 1).data_type for j in range(sheet.max_column)]
        sides = [sheet.cell(4, j + 1).alignment.horizontal for j in range(sheet.max_column)]
        assert {side for kind, side in zip(first, sides, strict=True) if kind == "s"} <= {
            None,
            "left",
        }


def test_no_document_of_a_refused_formula_divides_the_team(
    nothing: Analysis, figures: Path, tmp_path: Path
) -> None:
    story = tell_story(nothing)
    write_deck(nothing, story, tmp_path / "d.pptx")
    write_workbook(nothing, story, tmp_path / "a.xlsx")
    sheets = openpyxl.load_workbook(tmp_path / "a.xlsx").sheetnames
    assert "Ask again" in sheets and "Visit now" not in sheets
    assert not {"Reps", "Scenarios", "Hand-over"} & set(sheets)
    assert not [sheet for sheet in sheets if "hunter" in sheet]
    accounts = nothing.plan.accounts
    assert (accounts["team"] == "").all() and (accounts["rep"] == accounts["rep_before"]).all()
    assert accounts["target_growth"].fillna(0.0).eq(0).all() and len(nothing.plan.reps) == 0
    asked = accounts[accounts["action"] != ""]  # nothing is done but to ask the largest again
    assert set(asked["action"]) == {"ask again"} and len(asked) == 20 and asked["key_account"].all()
    assert (
        asked["potential"].min()
        >= accounts.query("key_account and action == ''")["potential"].max()
    )
    slides = Presentation(str(tmp_path / "d.pptx")).slides
    titles = [x.shapes.title.text_frame.text for x in slides]
    cells = {cell.text for x in slides for shape in x.shapes if shape.has_table
             for row in shape.table.rows for cell in row.cells}  # fmt: skip
    assert "account" in cells and not {"growth asked", "expected gain"} & cells
    pdf = pdf_of(nothing, figures, tmp_path / "r.pdf")
    for text in (*titles, pdf):
        assert not re.search(
            "asked ?for|hunters?and|Scenarios|aretobecome|Territory", squeezed(text)
        )


def shapes_on_slide(deck) -> bool:
    return all(
        shape.left >= 0 and shape.left + shape.width <= deck.slide_width
        and shape.top >= 0 and shape.top + shape.height <= deck.slide_height
        for slide in deck.slides for shape in slide.shapes
    )  # fmt: skip


def test_deck_shapes_stay_on_the_slide(deck) -> None:
    assert shapes_on_slide(deck)


def test_deck_of_an_unusable_formula_has_no_matrix_it_was_not_given(
    nothing: Analysis, figures: Path, tmp_path: Path
) -> None:
    write_deck(nothing, tell_story(nothing), tmp_path / "d.pptx")
    slides = Presentation(str(tmp_path / "d.pptx")).slides
    text = " ".join(s.text_frame.text for s in slides[1].shapes if s.has_text_frame)
    assert "do not say what accounts can buy" in text
    assert 6 <= len(slides) <= 13


def client_template(path: Path, layouts: int = 11) -> Path:
    """A template of 4:3 with its own font and color, its first layouts only, and a slide in it."""
    deck = Presentation()
    deck.slides.add_slide(deck.slide_layouts[0]).shapes.title.text = "How to use this template"
    for layout in list(deck.slide_layouts)[layouts:]:
        deck.slide_layouts.remove(layout)
    deck.save(str(path.with_suffix(".tmp")))
    with zipfile.ZipFile(path.with_suffix(".tmp")) as source, zipfile.ZipFile(path, "w") as target:
        for item in source.infolist():
            content = source.read(item)
            if item.filename == "[Content_Types].xml":
                content = content.replace(b".presentation.main+xml", b".template.main+xml")
            if item.filename.startswith("ppt/theme"):
                content = content.replace(b"Calibri", b"Georgia")
            target.writestr(item, content)
    return path


@pytest.mark.parametrize("layouts", [11, 2, 1])
def test_deck_takes_the_clients_template(
    small_study: Path, figures: Path, tmp_path: Path, layouts: int
) -> None:
    client_template(small_study / "client.potx", layouts)
    Image.new("RGB", (300, 100), "navy").save(small_study / "logo.png")
    settings = {"report.template": "client.potx", "report.logo": "logo.png"}
    analysis = analyze(small_study, settings=settings)
    check_look(analysis.study)
    write_deck(analysis, tell_story(analysis), tmp_path / "d.pptx")
    deck = Presentation(str(tmp_path / "d.pptx"))
    assert (deck.slide_width, deck.slide_height) == (9144000, 6858000)
    text = text_of_deck(tmp_path / "d.pptx")
    assert squeezed("How to use this template") not in text and squeezed("Small") in text
    assert shapes_on_slide(deck)
    assert all(any(s.shape_type == 13 for s in slide.shapes) for slide in deck.slides)
    assert not any(
        shape.is_placeholder and shape.has_text_frame and not shape.text_frame.text
        for slide in deck.slides for shape in slide.shapes
    )  # fmt: skip
    with zipfile.ZipFile(tmp_path / "d.pptx") as file:
        assert b"Georgia" in file.read("ppt/theme/theme1.xml")
        assert len([n for n in file.namelist() if re.match(r"ppt/slides/slide\d+", n)]) == len(
            deck.slides
        )


def test_a_template_or_logo_that_is_none_is_refused(small_study: Path) -> None:
    (small_study / "client.potx").write_text("no template")
    (small_study / "logo.png").write_text("no picture")
    settings = {"report.template": "client.potx", "report.logo": "logo.png"}
    with pytest.raises(StudyError) as error:
        check_look(analyze(small_study, settings=settings).study)
    assert {problem.file for problem in error.value.problems} == {"client.potx", "logo.png"}
    with pytest.raises(StudyError, match=r"'report\.template': no file other\.potx"):
        analyze(small_study, settings={"report.template": "other.potx"})
    with pytest.raises(StudyError, match="leaves the study's folder"):
        analyze(small_study, settings={"report.logo": "../logo.png"})
    with pytest.raises(StudyError, match=r"report\.colors"):
        analyze(small_study, settings={"report.colors": '["blue"]'})


def test_the_clients_logo_and_color_are_in_the_document(
    small_study: Path, figures: Path, tmp_path: Path
) -> None:
    Image.new("RGB", (300, 100), "navy").save(small_study / "logo.png")
    settings = {"report.colors": '["#7a003c"]', "report.logo": "logo.png"}
    analysis = analyze(small_study, settings=settings)
    write_document(analysis, tell_story(analysis), figures, "1", tmp_path / "r.pdf")
    assert len(PdfReader(tmp_path / "r.pdf").pages[0].images) == 1
    write_deck(analysis, tell_story(analysis), tmp_path / "d.pptx")
    with zipfile.ZipFile(tmp_path / "d.pptx") as file:
        assert b"7A003C" in file.read("ppt/theme/theme1.xml")
