"""Hostile input: a client's text is text everywhere, files are what they seem, paths stay inside."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pypdf
import pytest
from conftest import ROOT, write_small_study
from lxml import html
from pptx import Presentation

from kalib.analysis import analyze
from kalib.errors import StudyError
from kalib.runs.outputs import formula_record
from kalib.tables import reading

TEXTS = (
    "<script>alert('x')</script>", '=HYPERLINK("http://evil.example")', "+cmd|' /C calc'!A0",
    "-2+3+cmd", "@SUM(A1)", r"$\frac{1}{0}$", '#eval("1/0")', '#image("/etc/passwd")',
    "[x](javascript:alert(1))", "![x](http://evil.example/x.png)", "`code` **bold** _u_", "{{ 7*7 }}",
    "{% raw %}", "'; DROP TABLE a; --", '"quoted"', "</td></table>", "&lt;b&gt;", "$$$",
    "#let x = 1", "@label <lbl>", r"\n\u0041", "%s%d{0}", "../../etc/passwd",
)  # fmt: skip
COLUMN = "<b>area</b> $x_{$ \"q' #h"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a study in which every text is hostile, made without a network."""
    place = tmp_path_factory.mktemp("hostile")
    folder = place / 'it\'s a "study" $(x)'
    folder.mkdir()
    write_small_study(folder)
    table = pd.read_csv(folder / "accounts.csv", dtype=str)
    table["name"] = [f"{TEXTS[i % len(TEXTS)]} {i}" for i in range(len(table))]
    table["region"] = table["region"].map({"N": "<i>N</i> $a$", "S": "=S+1 #x"})
    table["format"] = table["format"].map({"big": "$big_{x}$ <b>", "small": "=small '\" #f"})
    table["rep"] = ["=cmd|rep", "@rep <u>"] * (len(table) // 2)
    table.rename(columns={"area": COLUMN}).to_csv(folder / "accounts.csv", index=False)
    file = folder / "study.toml"
    text = file.read_text(encoding="utf-8").replace(
        '"area"', '"' + COLUMN.replace('"', '\\"') + '"'
    )
    text = text.replace('region = "region"', 'region = "region"\nname = "name"\nrep = "rep"')
    text = text.replace('title = "Small"', 'title = "<script>t</script> $x^2$ #show: x => 1/0"')
    text += '[report]\nclient = "=1+1 <img src=x onerror=alert(1)>"\nauthor = "#panic()"\n'
    file.write_text(text, encoding="utf-8")
    (folder / "codebook.md").write_text(
        "# <img src=x onerror=alert(1)>\n[a](javascript:alert(1))\n"
    )
    calls = place / "connections"
    path = os.pathsep.join([str(ROOT / "tests/offline"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-m", "kalib", "run", str(folder), "--out", str(place / "report")],
        capture_output=True, text=True, check=False, cwd=place,
        env={**os.environ, "PYTHONPATH": path, "CONNECTIONS": str(calls)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not calls.exists(), calls.read_text()
    return place / "report"


@pytest.mark.slow
def test_page_shows_hostile_text_and_runs_none_of_it(report: Path) -> None:
    tree = html.parse(str(report / "index.html"))
    scripts = {(script.text or "").strip() for script in tree.xpath("//script")}
    assert not scripts & {"t", "alert('x')", "alert(1)"}
    assert not tree.xpath("//@*[starts-with(name(), 'on')]")
    assert not [h for h in tree.xpath("//@href | //@src") if "javascript" in h or "evil" in h]
    text = tree.getroot().text_content()
    assert "<script>t</script> $x^2$" in text and COLUMN in text
    assert sum(hostile in text for hostile in TEXTS) > 3


@pytest.mark.slow
def test_workbook_runs_no_formula_of_the_client(report: Path) -> None:
    book = openpyxl.load_workbook(report / "accounts.xlsx")
    formulas = [
        str(cell.value) for sheet in book for row in sheet.iter_rows() for cell in row
        if cell.data_type == "f"
    ]  # fmt: skip
    assert formulas and not [
        f for f in formulas if re.search(r"HYPERLINK|cmd|SUM\(A1\)|small|S\+1", f)
    ]


@pytest.mark.slow
def test_csv_runs_no_formula_of_the_client(report: Path) -> None:
    table = pd.read_csv(report / "accounts.csv", dtype=str, keep_default_na=False)
    for name in ("name", "region", "rep"):
        assert not table[name].str.match(r"[=+\-@\t\r]").any()
    assert (table["name"].str.startswith("'=HYPERLINK")).any()
    whole = pd.read_parquet(report / "accounts.parquet")
    assert whole["name"].str.startswith("=HYPERLINK").any()


@pytest.mark.slow
def test_documents_show_markup_as_text(report: Path) -> None:
    pdf = "".join(page.extract_text() for page in pypdf.PdfReader(report / "report.pdf").pages)
    assert "$x^2$" in pdf and "#show" in pdf and "root:" not in pdf
    slides = Presentation(str(report / "deck.pptx")).slides
    words = " ".join(
        s.text_frame.text for slide in slides for s in slide.shapes if s.has_text_frame
    )
    assert "<script>t</script>" in words


@pytest.mark.slow
def test_file_names_are_none_of_the_client(report: Path) -> None:
    names = [path.name for path in report.rglob("*")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", name) for name in names)


@pytest.mark.slow
def test_notebook_parameters_are_data(report: Path) -> None:
    for path in (report / "notebooks").iterdir():
        assert str(report.parent) not in path.read_text(encoding="utf-8")


@pytest.mark.slow
def test_score_connects_nowhere_it_is_not_told(report: Path, tmp_path: Path) -> None:
    """Where the system allows it, in a network of its own that leads nowhere."""
    table = report.parent / 'it\'s a "study" $(x)' / "accounts.csv"
    apart = ["unshare", "--map-root-user", "--net"]
    alone = not subprocess.run([*apart, "true"], check=False, capture_output=True).returncode \
        if shutil.which("unshare") else False  # fmt: skip
    calls = tmp_path / "connections"
    path = os.pathsep.join([str(ROOT / "tests/offline"), str(ROOT)])

    def score(accounts: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*(apart if alone else []), sys.executable, "-m", "kalib", "score", str(report),
             "--accounts", accounts, "--to", str(tmp_path / "scores.csv")],
            capture_output=True, text=True, check=False, cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path, "CONNECTIONS": str(calls)},
        )  # fmt: skip

    done = score(str(table))
    assert done.returncode == 0 and "60 rows scored" in done.stdout, done.stderr
    done = score("https://evil.example/accounts.parquet")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert not calls.exists(), calls.read_text()


@pytest.mark.parametrize(
    "value", ["'\n__import__('os').system('x')#", '"""', "\\", "{0}", "\u2028"]
)
def test_setting_reaches_a_notebook_as_written(value: str) -> None:
    from papermill.translators import PythonTranslator

    code = PythonTranslator.codify({"settings": {"report.client": value}, "study": f"/{value}"})
    found: dict[str, object] = {}
    exec(code, {}, found)  # the cell that papermill would inject
    assert found == {"settings": {"report.client": value}, "study": f"/{value}"}


@pytest.mark.parametrize(
    "path", ["../x.csv", "/etc/passwd", "a/../../x.csv", "link.csv", "inside/x.csv"]
)
def test_study_stays_in_its_folder(small_study: Path, path: str) -> None:
    outside = small_study.parent / f"{small_study.name}-outside"
    outside.mkdir()
    (outside / "x.csv").write_text("id,potential\n")
    (small_study / "link.csv").symlink_to(outside / "x.csv")
    (small_study / "inside").symlink_to(outside)
    file = small_study / "study.toml"
    file.write_text(file.read_text().replace('survey = "survey.csv"', f'survey = "{path}"'))
    with pytest.raises(StudyError, match="leaves the study's folder"):
        analyze(small_study)


def test_codebook_outside_is_not_shown(
    small_study: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    secret = tmp_path_factory.mktemp("secret") / "codebook.md"
    secret.write_text("secret")
    (small_study / "codebook.md").symlink_to(secret)
    assert analyze(small_study).codebook == ""


@pytest.mark.parametrize(
    "text", ['title = "\\u0000"', 'title = "\\u001b[31m"', "title = " + "[" * 5000]
)
def test_study_file_holds_no_tricks(small_study: Path, text: str) -> None:
    file = small_study / "study.toml"
    file.write_text(file.read_text().replace('title = "Small"', text))
    with pytest.raises(StudyError):
        analyze(small_study)


def refusal(folder: Path, file: str = "accounts.csv") -> str:
    """What is said where the study is refused, in little time."""
    study = folder / "study.toml"
    study.write_text(study.read_text().replace("accounts.csv", file))
    began = time.process_time()
    with pytest.raises(StudyError) as error:
        _ = analyze(folder).tables
    assert time.process_time() - began < 20
    return str(error.value)


def test_file_of_5_gb_is_refused_by_its_size(small_study: Path) -> None:
    with (small_study / "accounts.csv").open("r+b") as file:
        file.truncate(5_000_000_000)  # sparse: it takes no room on the disk
    assert "its 5.0 GB are more than is read into memory" in refusal(small_study)


@pytest.mark.parametrize("honest", [True, False])
def test_zip_bomb_is_refused(
    small_study: Path, honest: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LARGEST", 50_000_000)
    path, size = small_study / "bomb.xlsx", 60_000_000
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b" " * size)
    if not honest:
        raw = path.read_bytes()
        path.write_bytes(raw.replace(size.to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    assert path.stat().st_size < 100_000
    assert "more than is read into memory" in refusal(small_study, "bomb.xlsx")


def test_entities_that_multiply_are_not_expanded(small_study: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["id"])
    book.save(small_study / "laughs.xlsx")
    entities = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10 if i else "ha"}">' for i in range(12))
    with zipfile.ZipFile(small_study / "laughs.xlsx") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"]
    place = sheet.index(b"<worksheet")
    assert b"<t>id</t>" in sheet
    doctype = f"<!DOCTYPE x [{entities}]>".encode()
    parts["xl/worksheets/sheet1.xml"] = (
        sheet[:place] + doctype + sheet[place:].replace(b"<t>id</t>", b"<t>id&l11;</t>")
    )
    with zipfile.ZipFile(small_study / "laughs.xlsx", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    said = refusal(small_study, "laughs.xlsx")
    assert said.startswith("laughs.xlsx") and "haha" not in said and len(said) < 1000


def test_parquet_of_too_many_rows_is_refused(small_study: Path) -> None:
    zeros = pa.array(["0"] * 1_000_000).dictionary_encode()
    with pq.ParquetWriter(small_study / "long.parquet", pa.schema([("id", zeros.type)])) as file:
        for _ in range(6):
            file.write_table(pa.table({"id": zeros}))
    assert (small_study / "long.parquet").stat().st_size < 100_000
    assert "its 6,000,000 rows are more" in refusal(small_study, "long.parquet")


@pytest.mark.slow
def test_table_of_10000_columns_is_read_for_the_few_that_are_asked(small_study: Path) -> None:
    table = pd.read_csv(small_study / "accounts.csv", dtype=str)
    more = pd.DataFrame({f"x{i}": ["1"] * len(table) for i in range(10_000)})
    pd.concat([table, more], axis=1).to_csv(small_study / "accounts.csv", index=False)
    began = time.process_time()
    assert list(analyze(small_study).tables.candidates) == ["area", "staff", "format"]
    assert time.process_time() - began < 10


def test_formula_in_sql_quotes_what_the_client_named(small_study: Path) -> None:
    import duckdb

    name = 'x" OR 1=1; DROP TABLE t; --'
    table = pd.read_csv(small_study / "accounts.csv", dtype=str).rename(columns={"area": name})
    table.to_csv(small_study / "accounts.csv", index=False)
    file = small_study / "study.toml"
    file.write_text(file.read_text().replace('"area"', '"' + name.replace('"', '\\"') + '"'))
    analysis = analyze(small_study)
    formula, record = (
        analysis.fit.formula,
        formula_record(analysis.fit, analysis.screening, analysis.study),
    )
    assert name in formula.indicators
    values = pd.DataFrame({name: [100.0, 200.0], "staff": [1.0, 2.0], "format": ["big", "small"]})
    with duckdb.connect() as connection:
        connection.register("t", values)
        found = [row[0] for row in connection.execute(f"SELECT {record['sql']} FROM t").fetchall()]
    assert found == pytest.approx(formula.potential(values).tolist())
