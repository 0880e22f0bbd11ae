"""A run against the same code as one plain Python script, and a batch against one after another.

python benchmarks/run.py [STUDY] prints a markdown table for the docs. The script is written from
the notebooks' own cells: it computes the same steps, draws the same charts and makes the same
deliverables in one process, cold.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from kalib.runs.execution import notebooks_of_run

ROOT = Path(__file__).parent.parent
KALIB = (sys.executable, "-m", "kalib")
REPEATS, STUDIES = 3, 8

HEAD = """
import io, json, matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt
from pathlib import Path

def show(value):
    return getattr(value, "_repr_html_", lambda: repr(value))()

def close_charts():
    for number in plt.get_fignums():
        plt.figure(number).savefig(io.BytesIO(), format="png", bbox_inches="tight")
    plt.close("all")
"""
PARAMETERS = 'study, folder, settings, overrides, before = {study!r}, {work!r}, {{}}, "", ""'
TAIL = """
from kalib.runs import provenance, run
work, clock = Path(folder), run._Clock(lambda *_: None, 9)
analysis = kalib.analyze(study, folder)
story = run._documents(analysis, None, work, clock)
notebooks = {{Path(path).stem: json.loads(Path(path).read_text()) for path in {notebooks!r}}}
run._write_page(analysis, story, notebooks, work, clock)
inputs = provenance.inputs_of(analysis.study, provenance.Options(), None, None)
run._write_outputs(analysis, story, None, inputs, work, clock)
"""


def plain_script(study: Path, work: Path) -> str:
    """The notebooks' cells and the run's deliverables as one script."""
    parts, given = [HEAD], PARAMETERS.format(study=str(study), work=str(work))
    notebooks = notebooks_of_run(None)
    for path in notebooks:
        parts.append(given)
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code" and "parameters" not in cell["metadata"].get("tags", []):
                parts.append(_shown("".join(cell["source"])) + "\nclose_charts()")
    parts.append(TAIL.format(notebooks=[str(path) for path in notebooks]))
    return "\n".join(parts)


def _shown(source: str) -> str:
    """A cell whose last expression is shown, as a notebook does."""
    tree = ast.parse(source)
    if isinstance(tree.body[-1], ast.Expr):
        shown = ast.Call(ast.Name("show", ast.Load()), [tree.body[-1].value], [])
        tree.body[-1] = ast.Expr(shown)
    return ast.unparse(ast.fix_missing_locations(tree))


def seconds(command: Sequence[str]) -> float:
    """Wall time of a command that must succeed."""
    since = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False,
                          env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})  # fmt: skip
    if done.returncode:
        sys.exit(done.stderr)
    return time.perf_counter() - since


def copies(study: Path, place: Path) -> list[str]:
    """The study eight times over, under eight names."""
    made = []
    for number in range(STUDIES):
        folder = place / f"copy-{number}"
        shutil.copytree(study, folder)
        file = folder / "study.toml"
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace(study.name, folder.name, 1), encoding="utf-8")
        made.append(str(folder))
    return made


def main(study: Path) -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        script = place / "plain.py"
        script.write_text(plain_script(study, place / "plain"), encoding="utf-8")
        runs: dict[str, list[float]] = {"plain": [], "run": [], "again": []}
        command = [*KALIB, "run", str(study), "--out", str(place / "report")]
        for _ in range(REPEATS):
            shutil.rmtree(place / "plain", ignore_errors=True)
            runs["plain"].append(seconds([sys.executable, str(script)]))
            runs["run"].append(seconds([*command, "--force"]))
            runs["again"].append(seconds(command))
        median = {key: statistics.median(values) for key, values in runs.items()}
        print("| | seconds | over the plain script |\n|---|---|---|")
        for key, label in (("plain", "one plain script"), ("run", "`kalib run`"),
                           ("again", "`kalib run`, nothing changed")):  # fmt: skip
            print(f"| {label} | {median[key]:.1f} | {median[key] / median['plain']:.2f} |")
        studies = copies(study, place)
        alone = sum(seconds([*KALIB, "run", each, "--out", str(place / "alone" / Path(each).name)])
                    for each in studies)  # fmt: skip
        one, two = (
            seconds([*KALIB, "run", *studies, "--jobs", jobs, "--out", str(place / jobs)])
            for jobs in ("1", "2")
        )
        print(f"\n| {STUDIES} studies | seconds | faster than one command each |\n|---|---|---|")
        for label, took in (("one command each", alone), ("one command, `--jobs 1`", one),
                            ("one command, `--jobs 2`", two)):  # fmt: skip
            print(f"| {label} | {took:.1f} | {alone / took:.1f} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "data" / "phones-retail")
