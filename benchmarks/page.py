"""How fluent the client's page is in a browser: its size, the time until it answers, and the time
from a keystroke, a choice and a sort to the next painted frame. Prints a markdown table.

Needs Debian's chromium; `python benchmarks/page.py [ACCOUNTS...]`, 5,000 and 20,000 by default.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from generators.simulate import simulate_supermarkets, write_study
from kalib import plots
from kalib.analysis import analyze
from kalib.plots.theme import save_figures
from kalib.report.page import build_page
from kalib.report.story import tell_story

ROOT = Path(__file__).parent.parent
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
REPEATS = 5
# Milliseconds from an action to the second frame after it: the first may still be the old one.
TIMED = """async (act) => {
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  await frame();
  const began = performance.now();
  eval(act);
  await frame();
  await frame();
  return performance.now() - began;
}"""
SEARCH = (
    "const b = document.getElementById('search'); b.value = {}; b.dispatchEvent(new Event('input'))"
)
CHOOSE = (
    "const s = document.getElementById('region'); s.selectedIndex = {}; "
    "s.dispatchEvent(new Event('change', {{ bubbles: true }}))"
)
SORT = "document.querySelectorAll('#accounts th')[{}].click()"
ACTIONS = {
    "search": (SEARCH.format("'7'"), SEARCH.format("''")),
    "filter": (CHOOSE.format(1), CHOOSE.format(0)),
    "sort": (SORT.format(5), SORT.format(6)),
}  # fmt: skip


def write_page(accounts: int, folder: Path) -> Path:
    """The page of a simulated study of so many accounts, without notebooks."""
    write_study(simulate_supermarkets(accounts), folder, "page")
    shutil.copy(ROOT / "data/fmcg-supermarkets/study.toml", folder)
    analysis = analyze(folder)
    save_figures(
        {
            "matrix": lambda: plots.matrix(analysis.matrix),
            "bridge": lambda: plots.bridge(analysis.plan),
        },
        {},
        folder,
    )
    page = folder / "index.html"
    page.write_text(build_page(analysis, tell_story(analysis), {}, folder, "1"), encoding="utf-8")
    return page


def measure(page: Page, file: Path) -> dict[str, float]:
    """Milliseconds until the page is ready, and of each action (median of REPEATS)."""
    began = time.perf_counter()
    page.goto(file.as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    found = {"ready": 1000 * (time.perf_counter() - began)}
    for action in ACTIONS["filter"]:
        page.evaluate(TIMED, action)  # the first one also compiles
    for name, (there, back) in ACTIONS.items():
        times = []
        for _ in range(REPEATS):
            times += [page.evaluate(TIMED, there), page.evaluate(TIMED, back)]
        found[name] = statistics.median(times)
    return found


def main() -> None:
    """Print the table."""
    sizes = [int(text) for text in sys.argv[1:]] or [5000, 20000]
    columns = ("ready", *ACTIONS)
    print(f"| accounts | size | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 2)}")
    with sync_playwright() as play, tempfile.TemporaryDirectory() as folder:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for size in sizes:
            file = write_page(size, Path(folder) / str(size))
            context = browser.new_context(bypass_csp=True)
            found = measure(context.new_page(), file)
            cells = " | ".join(f"{found[name]:,.0f} ms" for name in columns)
            print(f"| {size:,} | {file.stat().st_size / 1e6:.1f} MB | {cells} |")
        browser.close()


if __name__ == "__main__":
    main()
