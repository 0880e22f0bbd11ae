"""Potentials that field experts put into the workbook, taken back by the next run."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from click.testing import CliRunner

from kalib.analysis import Analysis, analyze
from kalib.cli import main
from kalib.errors import StudyError
from kalib.matrix.matrix import assign_zones
from kalib.report import tables as report_tables
from kalib.report.story import tell_story, words_of
from kalib.report.workbook import write_workbook
from kalib.runs.outputs import CONTRACT, accounts_table
from kalib.tables.overrides import expert_bias, leaning_experts, read_overrides

pytestmark = pytest.mark.slow

SALES = pd.Series({"007": 50.0, "A": 0.0, "B": 900.0, "C": 10.0})
HEADER = ["account", "override potential", "override by", "override reason"]


def sheet_of(path: Path, rows: list[list[object]], header: list[str] = HEADER) -> Path:
    book = openpyxl.Workbook()
    for row in [header, *rows]:
        book.active.append(row)
    book.save(path)
    return path


def convert(path: Path, folder: Path, kind: str = "xlsx") -> Path:
    """A workbook opened, computed and saved by LibreOffice."""
    if shutil.which("soffice") is None:
        pytest.skip("LibreOffice is not installed")
    profile = (folder / "profile").as_uri()
    subprocess.run(
        ["soffice", f"-env:UserInstallation={profile}", "--headless", "--convert-to", kind,
         "--outdir", str(folder / "saved"), str(path)],
        check=True, capture_output=True, timeout=180,
    )  # fmt: skip
    shutil.rmtree(folder / "profile")
    return folder / "saved" / path.with_suffix(f".{kind}").name


def test_good_overrides_are_read_with_who_and_why(tmp_path: Path) -> None:
    path = sheet_of(tmp_path / "a.xlsx", [["007", "1,200", "Ana", "new wing"], ["A", None, None, None],
                                          ["B", 950, "Bo", "closing"]])  # fmt: skip
    found = read_overrides(path, SALES)
    assert found.entries.to_dict("index") == {
        "007": {"potential": 1200.0, "by": "Ana", "reason": "new wing", "row": 2},
        "B": {"potential": 950.0, "by": "Bo", "reason": "closing", "row": 4},
    }
    assert not found.notes and len(found.sha256) == 64


def test_every_bad_cell_is_listed_at_once(tmp_path: Path) -> None:
    rows = [["zz", 5, "Ana", "x"], ["A", "many", "Ana", "x"], ["B", -2, "Ana", "x"],
            ["C", 0, "Ana", "x"], ["007", 70, "Ana", ""], ["007", 80, "Ana", "x"],
            ["", 80, "Ana", "x"]]  # fmt: skip
    with pytest.raises(StudyError) as error:
        read_overrides(sheet_of(tmp_path / "a.xlsx", rows), SALES)
    places = {(p.column, p.row) for p in error.value.problems}
    assert places == {
        ("account", 2), ("override potential", 3), ("override potential", 4),
        ("override potential", 5), ("override reason", 6), ("account", 7), ("account", 8),
    }  # fmt: skip
    assert all(problem.file == "a.xlsx" and problem.remedy for problem in error.value.problems)


@pytest.mark.parametrize(
    ("potential", "said"),
    [(1e300, "'1e+300' is too large to be true"), ("150.000", "150.000 was read as 150"),
     ("38.3%", "is a percentage, no amount"), ("inf", "'inf' is not a number"),
     ("1e999", "is not a number")],
)  # fmt: skip
def test_the_rules_of_tables_hold_for_overrides(
    potential: object, said: str, tmp_path: Path
) -> None:
    path = sheet_of(tmp_path / "a.xlsx", [["A", potential, "Ana", "x"], ["B", 950, "Ana", "x"]])
    with pytest.raises(StudyError) as caught:
        read_overrides(path, SALES)
    assert said in str(caught.value)
    assert all(p.column == "override potential" and p.remedy for p in caught.value.problems)


def test_an_override_in_another_unit_is_refused(small_study: Path, tmp_path: Path) -> None:
    """A thousand times the estimate is no opinion; three times is one, a store that closes buys
    nearly nothing, and of a measured account an expert may say anything."""
    wallet = analyze(small_study).wallet.accounts
    guess = wallet.query("potential_source != 'measured'")["potential"]
    told = wallet.query("potential_source == 'measured'")["potential"]
    rows = [[guess.index[0], 1000 * guess.iloc[0], "Ana", "x"],
            [guess.index[1], guess.iloc[1] / 1000, "Ana", "x"],
            [guess.index[2], 3 * guess.iloc[2], "Ana", "x"],
            [told.index[0], 1000 * told.iloc[0], "Ana", "x"]]  # fmt: skip
    with pytest.raises(StudyError) as caught:
        analyze(small_study, overrides=sheet_of(tmp_path / "a.xlsx", rows))
    places = [(p.file, p.column, p.row) for p in caught.value.problems]
    assert places == [("a.xlsx", "override potential", 2)]
    assert guess.index[0] in str(caught.value) and "in the study's unit" in str(caught.value)
    analyze(small_study, overrides=sheet_of(tmp_path / "b.xlsx", rows[1:]))


def test_doubtful_overrides_are_noted(tmp_path: Path) -> None:
    rows = [["B", 100, "Ana", "x"], ["A", 5, "", "x"], ["C", "", "Ana", "x"]]
    found = read_overrides(sheet_of(tmp_path / "a.xlsx", rows), SALES)
    assert list(found.entries.index) == ["B", "A"]
    text = "\n".join(map(str, found.notes))
    assert "below our own sales (900)" in text and "not said who" in text and "left out" in text


def test_reading_survives_another_order_and_a_title(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["my notes"])
    book.create_sheet("Later")
    sheet = book["Later"]
    sheet.append(["checked by Ana"])
    sheet.append([])
    sheet.append(["修正理由", "客户", "zone", "修正潜力", "修正人"])
    sheet.append(["x", "C", "watch", 70, "Ana"])
    book.save(tmp_path / "a.xlsx")
    assert read_overrides(tmp_path / "a.xlsx", SALES).entries["potential"].to_dict() == {"C": 70.0}


@pytest.mark.parametrize("content", [b"", b"no workbook"])
def test_a_file_that_is_no_workbook_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.xlsx").write_bytes(content)
    with pytest.raises(StudyError, match=r"a\.xlsx: (the file is empty|no sheet has)"):
        read_overrides(tmp_path / "a.xlsx", SALES)


def test_missing_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no sheet has the columns"):
        read_overrides(sheet_of(tmp_path / "a.xlsx", [["A"]], ["account"]), SALES)
    with pytest.raises(StudyError, match="override reason, row 1: there is no such column"):
        read_overrides(sheet_of(tmp_path / "a.xlsx", [["A", 1, "x"]], HEADER[:3]), SALES)


def test_experts_without_a_lean_are_noise() -> None:
    rng = np.random.default_rng(4)
    index = pd.Index([f"{i}" for i in range(40)], name="account")
    estimate = pd.Series(100.0, index=index)
    source = pd.Series(["measured"] * 5 + ["formula"] * 20 + ["formula+sales"] * 15, index=index)
    for shift, lean in ((0.0, False), (0.5, True)):
        potential = 100 * np.exp(shift + 0.3 * rng.standard_normal(40))
        entries = pd.DataFrame({"potential": potential}, index=index)
        bias = expert_bias(estimate, source, entries)
        assert bias.compared == 35 and bias.count == 40
        assert bias.beyond_noise == lean and (bias.p_value < 0.1) == lean
        assert bias.low <= bias.ratio <= bias.high
        assert bias.ratio == pytest.approx(np.median(potential[5:] / 100))


def test_the_expert_who_leans_is_named_and_no_other() -> None:
    rng = np.random.default_rng(4)
    index = pd.Index([f"{i}" for i in range(60)], name="account")
    estimate, source = pd.Series(100.0, index=index), pd.Series("formula", index=index)
    by = np.repeat(["Ana", "Bo", "", "Cy"], [25, 25, 6, 4])  # Cy's are too few for an interval
    potential = 100 * np.exp(0.3 * rng.standard_normal(60) + 0.5 * (by == "Bo") + 2 * (by == "Cy"))
    entries = pd.DataFrame({"potential": potential, "by": by}, index=index)
    leaning = leaning_experts(estimate, source, entries)
    assert list(leaning) == ["Bo"] and leaning["Bo"].compared == 25
    assert leaning["Bo"].low < np.exp(0.5) < leaning["Bo"].high
    assert not leaning_experts(estimate, source, entries[by == "Bo"])  # alone: all experts lean


@pytest.fixture(scope="module")
def filled(stores: Analysis, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A run's workbook with eight potentials replaced."""
    folder = tmp_path_factory.mktemp("filled")
    write_workbook(stores, tell_story(stores), folder / "accounts.xlsx")
    book = openpyxl.load_workbook(folder / "accounts.xlsx")
    sheet = book["Accounts"]
    place = {cell.value: cell.column for cell in sheet[1]}
    chosen = []
    for row in range(5, 400, 50):
        chosen.append(sheet.cell(row, place["account"]).value)
        estimate = sheet.cell(row, place["estimated potential"]).value
        sheet.cell(row, place["override potential"]).value = round(1.5 * estimate, 2)
        sheet.cell(row, place["override by"]).value = "Ana"
        sheet.cell(row, place["override reason"]).value = "seen the store"
    book.save(folder / "accounts.xlsx")
    return folder / "accounts.xlsx", chosen


def test_libreoffice_computes_the_zones_python_does(
    stores: Analysis, filled: tuple[Path, list[str]], tmp_path: Path
) -> None:
    path, chosen = filled
    saved = convert(path, tmp_path)
    book = openpyxl.load_workbook(saved, data_only=True)
    header, *rows = book["Accounts"].iter_rows(values_only=True)
    table = pd.DataFrame(rows, columns=header).set_index("account")
    accounts = stores.plan.accounts
    potential = accounts["potential"].copy()
    potential[chosen] = (1.5 * potential[chosen]).round(2)
    sow = accounts["sales"] / potential
    # What an expert typed is certain; the zones of the others stay as the run found them.
    cuts = stores.matrix.potential_cut, stores.matrix.sow_cut
    zones = accounts["zone"].copy()
    zones[chosen] = assign_zones(potential[chosen], sow[chosen], *cuts)
    assert table["zone"].to_dict() == zones.to_dict()
    assert (zones != accounts["zone"]).any()
    assert table["share of wallet"].tolist() == pytest.approx(sow.tolist())
    counted = {row[0]: row[1] for row in book["Summary"].iter_rows(10, 13, values_only=True)}
    assert counted == accounts["zone"].value_counts().to_dict()  # as the run found them
    gap = (potential * stores.matrix.market_share - accounts["sales"]).clip(lower=0)
    assert table["shortfall to market share"].tolist() == pytest.approx(gap.tolist(), abs=0.01)
    assert read_overrides(saved, accounts["sales"]).entries["by"].to_dict() == dict.fromkeys(
        chosen, "Ana"
    )


def test_overrides_survive_libreoffice_and_its_own_format(
    stores: Analysis, filled: tuple[Path, list[str]], tmp_path: Path
) -> None:
    book = openpyxl.load_workbook(filled[0])
    for name in ("Summary", "Checks"):
        del book[name]
    book["Accounts"].delete_rows(2, 2)
    book["Accounts"].delete_cols(2, 3)
    book.save(tmp_path / "cut.xlsx")
    saved = convert(tmp_path / "cut.xlsx", tmp_path, "ods")
    found = read_overrides(saved, stores.tables.accounts["sales"])
    assert sorted(found.entries.index) == sorted(filled[1])


@pytest.fixture(scope="module")
def again(stores: Analysis, filled: tuple[Path, list[str]]) -> Analysis:
    """The study with the overrides."""
    return analyze(stores.study.folder, overrides=filled[0])


def test_overrides_become_the_potential_and_teach_the_formula_nothing(
    stores: Analysis, again: Analysis, filled: tuple[Path, list[str]]
) -> None:
    chosen = filled[1]
    accounts, before = again.plan.accounts, stores.plan.accounts
    part = accounts.loc[chosen]
    assert (part["potential_source"] == "measured").all()
    assert part["flags"].str.contains("override").all()
    assert (part["potential"] == part["potential_low"]).all()
    assert part["potential"].tolist() == pytest.approx(
        (1.5 * before.loc[chosen, "potential"]).tolist()
    )
    assert part["estimate"].tolist() == before.loc[chosen, "potential"].tolist()
    rest = accounts.drop(chosen)
    assert rest["potential"].equals(before.drop(chosen)["potential"])
    table = accounts_table(again)
    assert list(table.columns[: len(CONTRACT)]) == list(CONTRACT)
    assert {"override_by", "override_reason"} < set(table.columns[len(CONTRACT) :])
    assert again.overrides.file and len(again.overrides.entries) == 8
    figures = tell_story(again).figures["overrides"]
    formula = before.loc[chosen, "potential_source"].str.startswith("formula").sum()
    assert figures["count"] == 8 and figures["compared"] == formula
    assert figures["median_ratio"] == pytest.approx(1.5, abs=1e-4) and figures["more_than_noise"]
    story = tell_story(again)
    said = " ".join(story.said(story.risks))
    assert "replaced the potential of 8 accounts" in said and "+50%" in said
    assert len(report_tables.build("overrides", again, words_of(again)).frame) == 8


def test_what_was_overridden_comes_back_in_the_next_workbook(
    stores: Analysis, again: Analysis, tmp_path: Path
) -> None:
    write_workbook(again, tell_story(again), tmp_path / "b.xlsx")
    assert "Overrides" in openpyxl.load_workbook(tmp_path / "b.xlsx").sheetnames
    sales = stores.tables.accounts["sales"]
    pd.testing.assert_frame_equal(
        read_overrides(tmp_path / "b.xlsx", sales).entries, again.overrides.entries
    )


def test_the_command_refuses_bad_overrides_and_writes_nothing(
    small_study: Path, tmp_path: Path
) -> None:
    path = sheet_of(tmp_path / "o.xlsx", [["nobody", 5, "Ana", "x"]])
    out = tmp_path / "out"
    args = ["run", str(small_study), "--out", str(out), "--overrides", str(path)]
    done = CliRunner().invoke(main, args)
    assert done.exit_code == 2 and "'nobody' is not among the accounts" in done.stderr
    assert not out.exists()
    done = CliRunner().invoke(
        main, ["run", str(small_study), str(small_study), "--overrides", str(path)]
    )
    assert done.exit_code == 2


def test_a_run_keeps_who_and_why(
    run_here: Callable[..., Path], small_study: Path, tmp_path: Path
) -> None:
    path = sheet_of(tmp_path / "o.xlsx", [["041", 99_000, "Ana", "new wing"]])
    text = analyze(small_study).fit.formula.text
    out = run_here(small_study, tmp_path / "out", overrides=path)
    assert json.loads((out / "formula.json").read_text())["text"] == text
    run = (out / "run.json").read_text()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert json.loads(run)["overrides"] == {"sha256": digest, "count": 1}
    assert not [
        word for word in ("041", "99000", "Ana", "new wing", "o.xlsx") if f'"{word}"' in run
    ]
    table = pd.read_csv(out / "accounts.csv", dtype=str).set_index("account")
    assert table.at["041", "override_by"] == "Ana" and float(table.at["041", "potential"]) == 99_000
    assert json.loads((out / "summary.json").read_text())["overrides"]["count"] == 1
