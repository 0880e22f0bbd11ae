"""The command line: messages and exit status."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from conftest import ROOT

from kalib import cli, read_study, read_tables


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli.main, list(arguments))


def test_check_of_a_chinese_study_names_labels_that_are_not_chinese(small_study: Path) -> None:
    """To whoever runs it; no document of the client says so."""
    file = small_study / "study.toml"
    names = read_study(small_study).indicators.candidates
    chinese = "".join(f"{name} = '面积（m²）'\n" for name in names[1:])
    text = file.read_text(encoding="utf-8")
    assert "[indicators.labels]" not in call("check", str(small_study)).stdout
    chosen = f'\n[report]\nlanguage = "zh"\n[indicators.labels]\n{chinese}'
    file.write_text(text + chosen, encoding="utf-8")
    said = call("check", str(small_study)).stdout
    assert said.count("[indicators.labels]") == 1 and names[0].replace("_", " ") in said
    assert not any("label" in note.message for note in read_tables(read_study(small_study)).notes)


def test_check_of_a_good_study_reports_what_was_read() -> None:
    done = call("check", str(ROOT / "data/fmcg-supermarkets"))
    assert done.exit_code == 0
    assert "1,200" in done.stdout and "220" in done.stdout and "no problems" in done.stdout
    assert "9 of 1200 values are missing" in done.stdout


def test_check_of_a_bad_study_lists_every_problem(small_study: Path) -> None:
    file = small_study / "accounts.csv"
    file.write_text(file.read_text().replace("003,", "004,", 1))
    survey = small_study / "survey.csv"
    lines = survey.read_text().splitlines()
    lines[5] = "777,-4"
    survey.write_text("\n".join(lines))
    done = call("check", str(small_study))
    assert done.exit_code == 2 and done.stdout == ""
    for part in ("4 problems", "accounts.csv", "survey.csv", "row 6", "'777'", "'004'"):
        assert part in done.stderr


def test_check_counts_the_stores_that_visits_measure(small_study: Path) -> None:
    """Twelve stores were visited, but in five of them nothing was sold."""
    rows = ["id,date,own,total", *(f"{i:03d},2026-03-02,0,{9 * (i < 7)}" for i in range(12))]
    (small_study / "visits.csv").write_text("\n".join(rows))
    file = small_study / "study.toml"
    text = file.read_text().replace('survey = "survey.csv"', 'visits = "visits.csv"')
    text = text.replace('potential = "potential"\n', "")
    file.write_text(
        text + '[visits]\naccount = "id"\ndate = "date"\nown = "own"\ntotal = "total"\n'
    )
    for arguments in (("check",), ("run", "--out", str(small_study / "report"))):
        done = call(arguments[0], str(small_study), *arguments[1:])
        assert done.exit_code == 2 and done.stdout == ""
        assert "visits.csv: potential is known of 7 accounts only" in done.stderr
    assert not list(small_study.glob("*report*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run",), "Missing argument"),
        (("run", "nowhere"), "no study file here"),
        (("run", "data/phones-retail", "--set", "matrix.share_cut"), "has no value"),
        (("run", "data/phones-retail", "--set", "matrix.shared=1"), "--set: unknown key"),
        (("run", "data/phones-retail", "--jobs", "0"), "--jobs"),
        (("run", "data/phones-retail", "data/phones-retail"), "same name and period"),
        (("fly",), "No such command"),
        (("check", "nowhere"), "Give a study.toml or its folder"),
    ],
)
def test_bad_usage_has_status_2_and_one_message(
    arguments: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    done = call(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_that_an_engine_turns_into_an_error_is_told_as_a_stop(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def score(*_: object, **__: object) -> None:
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            raise RuntimeError("Query interrupted") from None

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr("kalib.scale.score.score_table", score)
    done = call("score", ".", "--accounts", "a.csv", "--to", "s.csv")
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler, "as it was"
    assert done.exit_code == 1
    assert done.stderr == "stopped; earlier reports are as they were\n"


def test_debug_shows_the_traceback() -> None:
    done = call("--debug", "check", "nowhere")
    assert done.exception is not None and not isinstance(done.exception, SystemExit)


def test_list_names_studies_and_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    (tmp_path / "phones-retail/2026").mkdir(parents=True)
    (tmp_path / "phones-retail/2026/run.json").touch()
    done = call("list", "--reports", str(tmp_path))
    assert done.exit_code == 0
    assert "phones-retail" in done.stdout and "runs: 2026" in done.stdout
    assert "not run yet" in done.stdout


def test_list_of_nothing(tmp_path: Path) -> None:
    assert "no studies" in call("list", "--data", str(tmp_path)).stdout


@pytest.fixture
def reports(small_study: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two reports of the small study, beside it."""
    monkeypatch.chdir(small_study)
    for period in ("2025", "2026", "2027"):
        folder = small_study / "reports/small" / period
        folder.mkdir(parents=True)
        (folder / "run.json").touch()
        (folder / "index.html").touch()
    return small_study / "reports"


@pytest.mark.parametrize(
    ("run", "period"),
    [
        ("reports/small/2025", "2025"), ("reports/small/2025/index.html", "2025"),
        (".", "2026"), ("study.toml", "2026"), ("small", "2027"),
    ],
)  # fmt: skip
def test_open_finds_the_report(
    run: str, period: str, reports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setenv("DISPLAY", ":0")
    done = call("open", run)
    page = reports / "small" / period / "index.html"
    assert done.exit_code == 0 and Path(done.stdout.strip()).resolve() == page
    assert opened == [page.as_uri()]


def test_open_only_names_the_page_where_nothing_can_show_it(
    reports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("webbrowser.open", lambda _: pytest.fail("opened"))
    for name in cli.DISPLAYS:
        monkeypatch.delenv(name, raising=False)
    assert "index.html" in call("open", "small").stdout


def test_open_of_nothing_says_what_to_do(reports: Path) -> None:
    done = call("open", "sma*")
    assert done.exit_code == 2 and "no report" in done.stderr and "kalib run" in done.stderr


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_wrong_path_is_refused_before_pandas_is_loaded(command: str, tmp_path: Path) -> None:
    """Which takes most of a second."""
    code = f"import sys; from kalib.cli import main; sys.argv[1:] = ['{command}', 'nowhere']\n"
    code += "try: main()\nfinally: sys.exit(9 * ('pandas' in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0 and "no study file here" in done.stderr, done.stderr
