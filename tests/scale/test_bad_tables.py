"""What `kalib score` refuses, by the rules of `kalib run`, and what it never touches."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kalib.cli import main
from kalib.errors import StudyError
from kalib.formula.formula import Formula, Term
from kalib.formula.predictive import Predictive
from kalib.indicators.screening import Column
from kalib.runs.outputs import _no_formulas, write_json
from kalib.scale import columns
from kalib.scale.score import Scoring, score_table

ACCOUNTS = pd.DataFrame(
    {"id": ["003", "001", "002", "004"], "sales": [5.0, 0.0, 7.5, 2.0], "area": [10.0, 20, 30, 40]}
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run of potential = exp(1 + 0.5 ln area)."""
    folder = tmp_path / "run"
    folder.mkdir()
    term = Term(Column("area", "", "log", 0.0), 0.5, 0, 0, 0, 0, 1)
    formula = Formula("log-log", 1.0, (term,), 1.0, 0.3, 50, 1.0)
    levels = (np.arange(64) + 0.5) / 64
    error = Predictive(levels, 4 * (levels - 0.5), 0.3, 0.0, 1.0, 0.0, True, 1.0)
    record = {"confidence": 0.9, "error": error.to_json(), "levels": []}
    record["surveyed"] = {"area": {"low": 1.0, "high": 99.0}}
    write_json({**formula.to_json(), **record}, folder / "formula.json")
    write_json({"verdict": "usable"}, folder / "verdict.json")
    study = {"columns": {"account": "id", "sales": "sales"},
             "matrix": {"potential_cut": {"kind": "top", "value": 2}, "share_cut": "market"}}  # fmt: skip
    write_json({"parameters": study, "period": "2026"}, folder / "run.json")
    return folder


def scored(run: Path, accounts: Path, **options: object) -> pd.DataFrame:
    to = run.parent / "scores.parquet"
    score_table(run, accounts, to, Scoring(**options))
    return pd.read_parquet(to)


def refused(run: Path, accounts: Path | str, **options: object) -> str:
    with pytest.raises(StudyError) as caught:
        score_table(run, accounts, run.parent / "scores.parquet", Scoring(**options))
    assert not (run.parent / "scores.parquet").exists()
    return str(caught.value)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("value", "says"),
    [
        (-3.0, "'-3.0' is negative. Sales are zero or more; [data] negative_sales"),
        (np.inf, "'inf' is too large to be true. Check its unit"),
        (1e300, "'1e+300' is too large to be true. Check its unit"),
        (-np.inf, "'-inf' is too large to be true"),
        (None, "is blank. Write 0 if it buys nothing from us"),
    ],
)
def test_sales_are_refused_as_a_run_refuses_them(
    run: Path, kind: str, value: float | None, says: str
) -> None:
    table, file = ACCOUNTS.copy(), run.parent / f"accounts.{kind}"
    table.loc[1, "sales"] = value
    table.to_csv(file, index=False) if kind == "csv" else table.to_parquet(file, index=False)
    assert f"accounts.{kind}, column sales, row 3: {says}" in refused(run, file)


def test_every_problem_is_told_at_once(run: Path) -> None:
    table, file = ACCOUNTS.astype({"area": object}), run.parent / "accounts.csv"
    table.loc[[1, 2, 3], "sales"] = [-1.0, -2.0, 4e18]
    table.loc[0, "area"] = "wide"
    table.loc[3, "id"] = "001"
    table.to_csv(file, index=False)
    found = refused(run, file).splitlines()
    assert [line.partition(":")[0] for line in found] == [
        "accounts.csv, column sales, row 5", "accounts.csv, column sales, row 3",
        "accounts.csv, column area, row 2", "accounts.csv, column id, row 5",
    ]  # fmt: skip
    assert "'-1.0' is negative; the same in 1 rows more" in found[1]
    assert "'wide' is not a number" in found[2]
    assert "'001' stands in row 3 already. Keep one row for each account" in found[3]


def test_settings_of_the_study_are_obeyed(run: Path) -> None:
    file = run.parent / "accounts.csv"
    ACCOUNTS.assign(sales=["5", "-9", "k.A.", "2"], id=["3", "1", "2", "4"]).to_csv(
        file, index=False
    )
    about = json.loads((run / "run.json").read_text())
    about["parameters"]["data"] = {
        "accounts": "accounts.csv", "negative_sales": "zero", "missing": ["K.A."], "id_width": 3
    }  # fmt: skip
    write_json(about, run / "run.json")
    assert "row 4: 'k.A.' is blank. Write 0" in refused(run, file)
    about["parameters"]["data"]["blank_sales"] = "zero"
    write_json(about, run / "run.json")
    assert scored(run, file).set_index("account")["sales"]["002"] == 0.0
    (run.parent / "scores.parquet").unlink()
    about["parameters"]["data"]["blank_sales"] = "refuse"
    write_json(about, run / "run.json")
    table = pd.read_csv(file, dtype=str).assign(sales=["5", "-9", "1", "2"])
    table.to_csv(file, index=False)
    found = scored(run, file).set_index("account")["sales"]
    assert found.to_dict() == {"003": 5.0, "001": 0.0, "002": 1.0, "004": 2.0}


def test_an_account_s_first_row_counts_where_the_study_says_so(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # What is left out is not judged, as in a run.
    doubled = pd.concat([ACCOUNTS, ACCOUNTS.assign(sales=["many"] * len(ACCOUNTS))])
    file = run.parent / "accounts.csv"
    doubled.to_csv(file, index=False)
    assert '[data] duplicates = "first"' in refused(run, file)
    about = json.loads((run / "run.json").read_text())
    about["parameters"]["data"] = {"accounts": "accounts.csv", "duplicates": "first"}
    write_json(about, run / "run.json")
    found = scored(run, file).set_index("account")["sales"]
    assert found.to_dict() == ACCOUNTS.set_index("id")["sales"].to_dict()
    assert (
        f"accounts.csv: {len(ACCOUNTS)} rows of accounts that stand above already left out"
        in capsys.readouterr().err
    )
    (run.parent / "scores.parquet").unlink()
    doubled.iloc[[0, len(ACCOUNTS), 1, len(ACCOUNTS) + 2]].to_csv(file, index=False)
    assert "row 5: 'many' is not a number" in refused(run, file)


def test_a_doubled_export_is_found_where_one_id_in_many_is_compared(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "ALL_IDS", 10)
    many = pd.concat([ACCOUNTS.assign(id=[f"{i}-{k}" for k in range(4)]) for i in range(50)])
    many.to_parquet(run.parent / "once.parquet", index=False)
    scored(run, run.parent / "once.parquet")
    (run.parent / "scores.parquet").unlink()
    pd.concat([many, many]).to_parquet(run.parent / "twice.parquet", index=False)
    assert "stands in row" in refused(run, run.parent / "twice.parquet")


def test_names_are_names_and_patterns_only_where_no_file_has_the_name(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run.parent / "tables"
    folder.mkdir()
    for name, rows in (("acc[1].csv", 1), ("acc1.csv", 2), ("acc*.csv", 3), ("acc?.csv", 4)):
        ACCOUNTS.head(rows).to_csv(folder / name, index=False)
    for name, rows in (("acc[1].csv", 1), ("acc*.csv", 3), ("acc?.csv", 4)):
        assert len(scored(run, folder / name)) == rows, name
    assert not capsys.readouterr().err
    (folder / "acc*.csv").unlink()
    (folder / "acc?.csv").unlink()
    (folder / "acc[1].csv").unlink()
    assert len(scored(run, folder / "acc*.csv")) == 2
    assert "acc*.csv is no file: read as a pattern, 1 files" in capsys.readouterr().err
    assert "no such table" in refused_again(run, folder / "b*.csv")


def refused_again(run: Path, accounts: Path) -> str:
    (run.parent / "scores.parquet").unlink()
    return refused(run, accounts)


def test_a_folder_is_read_whole_whatever_its_names_and_columns_are_like(run: Path) -> None:
    folder = run.parent / "tables"
    (folder / "deep").mkdir(parents=True)
    ACCOUNTS.head(1).to_csv(folder / "a.csv", index=False)
    ACCOUNTS.iloc[1:2, ::-1].to_csv(folder / "b.CSV", index=False)
    ACCOUNTS.iloc[2:].to_csv(folder / "deep/c[1].csv", index=False)
    (folder / "._a.csv").write_bytes(b"\0 left by a system")
    found = scored(run, folder).set_index("account")["sales"]
    assert found.to_dict() == {"003": 5.0, "001": 0.0, "002": 7.5, "004": 2.0}
    ACCOUNTS.to_parquet(folder / "d.parquet", index=False)
    assert "holds CSV and Parquet, c[1].csv and d.parquet" in refused_again(run, folder)


@pytest.mark.parametrize("coding", ["utf-16", "gb18030", "cp1252"])
def test_other_encodings_are_named_with_a_remedy(run: Path, coding: str) -> None:
    name = "Müller" if coding == "cp1252" else "员工店"
    file = run.parent / "accounts.csv"
    ACCOUNTS.assign(name=name).to_csv(file, index=False, encoding=coding)
    assert f"is {coding}, not UTF-8. Save it as CSV UTF-8" in refused(run, file)


def test_bytes_that_are_not_utf_8_far_down_are_told(run: Path) -> None:
    file = run.parent / "accounts.csv"
    rows = [f"a{i},1,5,Mueller" for i in range(60_000)]
    text = "\n".join(["id,sales,area,name", *rows, "last,1,5,M\xfcller", ""])
    file.write_bytes(text.encode("cp1252"))
    said = refused(run, file, columns=["account", "name"])
    assert said == "accounts.csv: holds bytes that are not UTF-8. Save it as CSV UTF-8"


@pytest.mark.parametrize(
    ("file", "key", "value", "says"),
    [
        ("formula", "form", "cubic", "formula.json: form is not as a run writes it. Run the study"),
        ("formula", "smearing", None, "formula.json: smearing is not as a run writes it"),
        ("formula", "intercept", ..., "formula.json: intercept is missing. Run the study again"),
        ("formula", "error", ..., "formula.json: error is missing"),
        ("formula", "terms", [{"indicator": "area"}], "formula.json: terms.0.coefficient is miss"),
        # Of a run before these were written.
        (
            "formula",
            "terms",
            [{"indicator": "area", "coefficient": 1, "transform": "level", "shift": 0}],
            "formula.json: its content is not as a run writes it",
        ),
        ("run", "parameters", ..., "run.json: its content is not as a run writes it"),
        ("run", "parameters", {"columns": {}}, "run.json: columns.account is missing"),
    ],
)
def test_a_tampered_run_is_refused_in_a_sentence(
    run: Path, file: str, key: str, value: object, says: str
) -> None:
    record = json.loads((run / f"{file}.json").read_text())
    record = {k: v for k, v in {**record, key: value}.items() if v is not ...}
    (run / f"{file}.json").write_text(json.dumps(record))
    ACCOUNTS.to_csv(run.parent / "accounts.csv", index=False)
    said = refused(run, run.parent / "accounts.csv")
    assert says in said and "\n" not in said


def test_what_is_not_kalib_s_own_is_refused_or_moved_aside(run: Path) -> None:
    from click.testing import CliRunner

    work = run.parent
    ACCOUNTS.to_csv(work / "accounts.csv", index=False)
    lake = work / "lake.parquet"
    lake.mkdir()
    (lake / "theirs.txt").write_text("a year's work")
    edited = work / "edited.csv"
    edited.write_text("by hand")
    other = work / "other.parquet"
    ACCOUNTS.to_parquet(other)
    for target in (lake, edited, other):
        with pytest.raises(StudyError, match="is there already"):
            score_table(run, work / "accounts.csv", target)
    assert (lake / "theirs.txt").read_text() == "a year's work" and edited.read_text() == "by hand"
    for target in (lake, edited, other):
        call = ["score", str(run), "--accounts", str(work / "accounts.csv"), "--to", str(target)]
        assert CliRunner().invoke(main, call).exit_code == 2
        assert CliRunner().invoke(main, [*call, "--force"]).exit_code == 0
        assert target.is_file()
    aside = {path.name: path for path in work.glob("aside_*/*")}
    assert set(aside) == {"lake.parquet", "edited.csv", "other.parquet"}
    assert (aside["lake.parquet"] / "theirs.txt").read_text() == "a year's work"
    assert aside["edited.csv"].read_text() == "by hand"
    assert len(pd.read_parquet(aside["other.parquet"])) == 4
    score_table(run, work / "accounts.csv", other)  # now it is ours


def test_formulas_of_a_spreadsheet_stay_text_in_full_width_too(run: Path) -> None:
    risky = ["=1+1", "＝1+1", "＋A1", "－A1", "＠SUM", "@x", "+49 30", "-5.0"]
    found = _no_formulas(pd.DataFrame({"account": risky}))["account"].tolist()
    assert found == [*(f"'{text}" for text in risky[:-1]), "-5.0"]
    table = pd.concat([ACCOUNTS, ACCOUNTS]).assign(id=risky)
    table.to_parquet(run.parent / "accounts.parquet", index=False)
    score_table(run, run.parent / "accounts.parquet", run.parent / "s.csv")
    written = pd.read_csv(run.parent / "s.csv", dtype=str)["account"]
    assert sorted(written) == sorted(found)
    assert set(scored(run, run.parent / "accounts.parquet")["account"]) == set(risky)
