"""Chinese deliverables: no English of ours is left in what a client reads."""

from __future__ import annotations

import ast
import copy
import json
import pickle
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from conftest import ROOT
from matplotlib.text import Text
from test_report import all_tables_of

from kalib.analysis import Analysis
from kalib.files import beside
from kalib.plots import set_theme
from kalib.report.figures import charts
from kalib.report.story import tell_story
from kalib.report.tables import of_waves
from kalib.runs.execution import notebooks_of_run
from kalib.waves.waves import compare_waves, read_wave
from kalib.words.catalogue import Message, Words, in_language

PACKAGE = ROOT / "kalib"
CHINESE = Words("zh", "EUR")
ENGLISH = re.compile(r"[A-Za-z]{2,}(?:[ ,:;]+[a-z]{2,})+|\b[a-z]{4,}\b")


def in_chinese(analysis: Analysis) -> Analysis:
    """The study in Chinese, its statistics taken from the one in English."""
    report = analysis.study.report.model_copy(update={"language": "zh"})
    return replace(analysis, study=analysis.study.model_copy(update={"report": report}))


def clients_words(analysis: Analysis) -> set[str]:
    accounts = analysis.plan.accounts
    found = {*analysis.study.indicators.candidates, analysis.study.data.accounts,
             str(analysis.study.data.survey), str(analysis.study.data.visits)}  # fmt: skip
    for frame in (accounts, analysis.screening.values, analysis.plan.handover):
        for name in frame.select_dtypes(["object", "str", "category"]):
            found |= {str(value) for value in frame[name].dropna().unique()}
    words = Words.of(analysis.study)
    for name in analysis.study.indicators.candidates:
        found |= {words.label(name), words.noun(name), words.measure(name)}
    if analysis.measured is not None:
        found |= set(analysis.measured.visitors["visitor"].astype(str))
    found |= {analysis.study.report.client, analysis.study.report.author}
    return found


def read_by_the_client(analysis: Analysis) -> Iterator[str]:
    story = tell_story(analysis)
    for table in all_tables_of(analysis):
        yield from (table.title, *table.heads, *(cell for row in table.rows() for cell in row))
    claims = (story.headline, *story.findings, *story.more, *story.actions, *story.risks,
              *story.unknown, *story.steps, *story.charts.values())  # fmt: skip
    yield from map(story.say, claims)
    yield from (story.byline, story.period, story.draft, *(what for _, what in story.tiles()))
    set_theme(analysis.study, story.words)
    for draw in charts(analysis).values():
        yield from (text.get_text() for text in draw().figure.findobj(Text))
        plt.close("all")


@pytest.mark.slow
def test_nothing_in_english_is_left(stores: Analysis, phones: Analysis, nothing: Analysis) -> None:
    for analysis in map(in_chinese, (stores, phones, nothing)):
        clients = sorted(clients_words(analysis), key=len, reverse=True)
        known = re.compile("|".join(map(re.escape, (word for word in clients if word))))
        texts = {known.sub("", text) for text in read_by_the_client(analysis)}
        assert sorted(text for text in texts if ENGLISH.search(text)) == []


def expanded(node: ast.expr) -> list[str]:
    """What an expression of text can say, 7 (or 7%) for every value in it."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.JoinedStr):
        texts = [""]
        for part in node.values:
            texts = [text + more for text in texts for more in expanded(part)]
        return texts
    if isinstance(node, ast.FormattedValue):
        if isinstance(node.value, ast.IfExp):
            return expanded(node.value)
        spec = ast.unparse(node.format_spec) if node.format_spec else ""
        return ["7%" if "%" in spec else "7"]
    if isinstance(node, ast.IfExp):
        return expanded(node.body) + expanded(node.orelse)
    if isinstance(node, ast.BinOp):
        return [a + b for a in expanded(node.left) for b in expanded(node.right)]
    return []


def sentences(module: str) -> Iterator[str]:
    """Names and meanings of checks, reasons and notes of one module."""
    for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "append":
            if ast.unparse(node.func) == "notes.append":
                yield from expanded(node.args[0])
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "reason":
            yield from expanded(node.value)
        elif isinstance(node, ast.FunctionDef) and node.name in (
            "_why_not",
            "factor_cause",
        ):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Return) and inner.value is not None:
                    yield from expanded(inner.value)


@pytest.mark.parametrize(
    "module",
    [
        "plan/plan",
        "plan/territories",
        "indicators/screening",
        "indicators/typos",
    ],
)
def test_every_sentence_of_a_result_has_its_chinese(module: str) -> None:
    said = {text for text in sentences(module) if re.search("[a-z]{4}", text)}
    said = {re.sub("factor of 7", "factor of ten", text) for text in said}
    assert said or module == "plan/territories"
    assert sorted(text for text in said if CHINESE.tell(text) == text) == []


def test_a_result_says_the_same_in_any_language() -> None:
    said = Message("r_explains", share=0.79, off=0.31)
    assert said.startswith("Out of sample the formula explains 79% of the variance")
    again = pickle.loads(pickle.dumps(said))
    for message in (said, again, copy.deepcopy(said)):
        assert CHINESE.tell(message) == CHINESE.say("r_explains", share=0.79, off=0.31)
        assert "79%" in CHINESE.tell(message) and "sample" not in CHINESE.tell(message)
    assert json.dumps(said) == json.dumps(str(said))


@pytest.mark.parametrize(
    ("share", "said"),
    [
        ((0.31, 0.28, 0.33), "31.0% (28.0% to 33.0%)"),
        ((0.3047, 0.299, 0.312), "30.5% (29.9% to 31.2%)"),
        ((0.312, 0.3121, 0.3122), "31.2%"),  # no interval that can't be read
        ((0.312, float("nan"), float("nan")), "31.2%"),
    ],
)
def test_a_market_share_reads_alike_everywhere(
    share: tuple[float, float, float], said: str
) -> None:
    words = Words("en", "EUR")
    text = words.say("f_share", total_potential=1, sales_of_placed=1, share=share)
    assert text.endswith(f"market share of {said}.")
    assert said.startswith(words.share(share[0]))


def test_client_text_is_left_as_it_is() -> None:
    assert CHINESE.tell("Northern Stores Ltd") == "Northern Stores Ltd"
    assert Words("en", "EUR").tell("kept") == "kept" and CHINESE.tell("kept") == "保留"


def prose() -> Iterator[str]:
    """The Markdown cells of the notebooks that a report has."""
    for path in notebooks_of_run(Path("the wave before")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "markdown":
                yield "".join(cell["source"])


def test_every_paragraph_of_the_notebooks_has_its_chinese() -> None:
    said = {part for source in prose() for part in source.split("\n\n")}
    assert sorted(part for part in said if in_language(part, "zh") == part) == []
    assert all(in_language(part, "en") == part for part in said)
    # What is left over belongs to no notebook any more.
    assert (
        len(said)
        == len({in_language(part, "zh") for part in said})
        >= len(beside(str(ROOT / "kalib/words/catalogue.py"), "chapters"))
    )


def test_chinese_prose_keeps_marks_links_and_code() -> None:
    for source in prose():
        chinese = in_language(source, "zh")
        for mark in (r"^#+ (?:\d+\. )?", r"\*+", r"`[^`]*`", r"\]\([^)]*\)"):
            found = [re.findall(mark, text, flags=re.M) for text in (source, chinese)]
            assert found[0] == found[1], source


@pytest.mark.slow
def test_waves_are_told_in_chinese(stores: Analysis) -> None:
    before = read_wave(ROOT / "data/fmcg-supermarkets-2025")
    waves = compare_waves(before, read_wave(stores))
    tables = of_waves(waves, CHINESE)
    texts = {text for table in tables for text in (table.title, *table.heads)}
    texts |= {cell for table in tables for row in table.rows()
              for head, cell in zip(table.heads, row, strict=True)
              if head not in ("名称", "项")}  # fmt: skip
    assert len(tables) == 3
    texts -= set(before.accounts["rep"])  # the client's
    assert sorted(text for text in texts if ENGLISH.search(text)) == []


def test_a_seat_of_the_plan_is_named_in_each_language() -> None:
    assert Words("en", "EUR").rep("Territory hunter 1") == "Hunter 1, to be named"
    assert Words("zh", "EUR").rep("Territory hunter 1") == "开拓型 1（待定）"
    assert Words("zh", "EUR").rep("New farmer 2") == "新增维护型 2"
    assert Words("zh", "EUR").rep("Ms. Wang") == "Ms. Wang"
