"""Seconds of one core that each document of a study takes: page, PDF, deck, workbook.

python benchmarks/documents.py [accounts ...] prints the table of docs. The workbook's peer is
pandas.to_excel of the same accounts, which writes no formula, format or list.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import matplotlib

matplotlib.use("agg")

from generators.simulate import simulate_supermarkets
from kalib.analysis import Analysis, analyze
from kalib.report.deck import write_deck
from kalib.report.document import write_document
from kalib.report.figures import draw_figures
from kalib.report.page import build_page
from kalib.report.story import tell_story
from kalib.report.workbook import write_workbook

DATA = Path(__file__).parent.parent / "data" / "fmcg-supermarkets"
SIZES = (1_200, 5_000)


def study_of(accounts: int, folder: Path) -> Analysis:
    """The study of supermarkets with so many of them."""
    simulated = simulate_supermarkets(accounts, 400)
    for name in ("study.toml", "codebook.md"):
        shutil.copy(DATA / name, folder)
    simulated.accounts.to_csv(folder / "accounts.csv", index=False)
    assert simulated.survey is not None
    simulated.survey.to_csv(folder / "survey.csv", index=False)
    return analyze(folder)


def seconds(work: Callable[[], object]) -> float:
    """Time the work takes of one core: nothing here waits, and other programs do not count."""
    since = time.process_time()
    work()
    return time.process_time() - since


def measure(accounts: int, folder: Path) -> list[float]:
    """Seconds of page, PDF, deck and workbook, of the charts, and of pandas' plain workbook."""
    analysis = study_of(accounts, folder)
    findings, charts = tell_story(analysis), folder / "figures"
    drawn = seconds(lambda: draw_figures(analysis, findings, charts))
    page = seconds(lambda: build_page(analysis, findings, {}, charts, "1"))
    pdf = seconds(lambda: write_document(analysis, findings, charts, "1", folder / "r.pdf"))
    deck = seconds(lambda: write_deck(analysis, findings, charts, folder / "d.pptx"))
    book = seconds(lambda: write_workbook(analysis, findings, folder / "a.xlsx"))
    plain = seconds(lambda: analysis.plan.accounts.to_excel(folder / "b.xlsx", engine="xlsxwriter"))
    return [page, pdf, deck, book, page + pdf + deck + book, drawn, plain]


def main() -> None:
    """Print the table."""
    sizes = [int(size) for size in sys.argv[1:]] or list(SIZES)
    heads = ("accounts", "index.html", "report.pdf", "deck.pptx", "accounts.xlsx", "the four",
             "charts, PNG and SVG", "pandas' plain workbook")  # fmt: skip
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            found = measure(size, Path(folder))
        print(f"| {size:,} | " + " | ".join(f"{value:.1f} s" for value in found) + " |")


if __name__ == "__main__":
    main()
