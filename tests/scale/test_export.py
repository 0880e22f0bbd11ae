"""The formula in other programs: the same number as in Python, whatever the columns are called."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from kalib.cli import main
from kalib.errors import StudyError
from kalib.formula.formula import Formula, Term
from kalib.formula.predictive import Predictive
from kalib.formula.written import as_sql
from kalib.indicators.screening import Column
from kalib.indicators.terms import LevelSpread
from kalib.runs.outputs import write_json
from kalib.scale.score import export_formula

ROWS = 1000
AREA, STAFF, KIND = 'floor "area" [m²]', "员工 数", "it's #kind@"
LEVELS = ["Mall", "mall", 'O\'Neil "x"', "街"]


def formula_of(form: str) -> Formula:
    form, _, by_level = form.partition(" ")
    transform = "log" if form == "log-log" else "identity"
    size = {"linear": 120.0, "log-log": 0.71, "log-linear": 1.3e-3}[form]
    columns = [Column(AREA, "", transform, 0.0), Column(STAFF, "", transform, 0.5)]
    terms = [Term(column, size / k, 0, 0, 0, 0, 1) for k, column in enumerate(columns, 1)]
    step = 3e4 if form == "linear" else 0.3
    terms += [
        Term(Column(KIND, level, "level", 0.0), step * k, 0, 0, 0, 0, 1)
        for k, level in ((-1.7, LEVELS[0]), (1.0, LEVELS[2]), (2.0, LEVELS[3]))
    ]
    intercept = -6e4 if form == "linear" else 1 / 3
    spread = None
    if by_level:
        factors = {LEVELS[1]: 1.01, LEVELS[2]: 1 + 2 / 7, LEVELS[3]: 1.1}
        spread = LevelSpread(KIND, {level: f - 0.3 for level, f in factors.items()}, 0, factors)
    return Formula(form, intercept, tuple(terms), 1.0437, 0.3, 50, 1234.5, spread=spread)


def values_of() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    area = np.where(rng.random(ROWS) < 0.02, 0.0, rng.lognormal(6, 0.8, ROWS))
    staff = rng.poisson(2, ROWS)  # whole numbers, many of them zero
    return pd.DataFrame({AREA: area, STAFF: staff, KIND: rng.choice(LEVELS, ROWS)})


FORMS = ("linear", "log-log", "log-linear", "log-log by level")


def run_of(form: str, tmp_path: Path) -> tuple[Path, pd.DataFrame, pd.Series]:
    """A run of hand-made coefficients, its rows, and their potential in Python."""
    formula, values = formula_of(form), values_of()
    places = (np.arange(64) + 0.5) / 64
    logged = formula.form != "linear"
    error = Predictive(places, 4 * (places - 0.5), 0.3 if logged else 900.0, 0.0, 1.0, 0.0, logged,
                       formula.floor)  # fmt: skip
    plain = {"coefficient": 0.0, "ratio": 1.0, "smearing": 1.0}
    levels = [{**plain, "level": level} for level in LEVELS]
    for level in levels:
        own = [t.coefficient for t in formula.terms if t.column.level == level["level"]]
        level["coefficient"] = sum(own)
        if formula.spread and level["level"] in formula.spread.ratio:
            level["ratio"] = formula.spread.ratio[level["level"]]
            level["smearing"] = formula.spread.smearing[level["level"]] / formula.smearing
    record = {"confidence": 0.9, "error": error.to_json(), "surveyed": {},
              "levels": [{"indicator": KIND, "levels": levels, "other": plain}]}  # fmt: skip
    write_json({**formula.to_json(), **record}, tmp_path / "formula.json")  # fmt: skip
    write_json({"verdict": "usable"}, tmp_path / "verdict.json")
    write_json({"potential_cut": 2e4, "sow_cut": 0.3}, tmp_path / "summary.json")
    study = {"columns": {"account": 'the "id"', "sales": "own sales"},
             "matrix": {"potential_cut": {"kind": "top", "value": 9}, "share_cut": "market"}}  # fmt: skip
    write_json({"parameters": study}, tmp_path / "run.json")
    return tmp_path, values, formula.potential(values)


@pytest.fixture(params=FORMS)
def exported(request, tmp_path: Path) -> tuple[Path, pd.DataFrame, pd.Series]:
    return run_of(request.param, tmp_path)


def formula_at(run: Path) -> Formula:
    return Formula.from_json(json.loads((run / "formula.json").read_text()))


def test_sql_equals_python(exported) -> None:
    import duckdb

    run, values, expected = exported
    accounts = values.assign(**{'the "id"': values.index, "own sales": 0.25 * expected})
    with duckdb.connect() as connection:
        connection.register("accounts", accounts)
        sql = as_sql(json.loads((run / "formula.json").read_text()))
        plain = connection.sql(f"SELECT {sql} AS potential FROM accounts").df()
        found = connection.execute(export_formula(run, "duckdb")).df()
    found = found.set_index(found["account"].astype(int)).sort_index()
    np.testing.assert_allclose(found["potential"], expected, rtol=1e-9)
    np.testing.assert_allclose(plain["potential"], expected, rtol=1e-9)
    # Key is what is as likely to be high as the run's least likely key account: by half.
    formula = formula_at(run)
    factor = formula.factors(values) if formula.form != "linear" else 1
    high = found["potential"] >= 2e4 * factor
    assert (found["zone"].isin(["attack", "defense"]) == high).all()
    assert ((found["team"] == "hunter") == (found["zone"] == "attack")).all()
    # The share is 0.25 at a cut of 0.3: where errors are narrow, it is surely below.
    narrow = ~values[KIND].isin(LEVELS[1:]) if formula.spread else expected > 0
    assert (found["zone"].isin(["attack", "watch"]) | ~narrow).all()


@pytest.mark.parametrize(
    "dialect",
    ["snowflake", "bigquery", "trino", "postgres", "spark", "tsql", "oracle", "mysql", "redshift"],
)
def test_sql_of_every_dialect_parses_back(exported, dialect: str) -> None:
    import sqlglot

    run, _, _ = exported
    text = export_formula(run, dialect)
    parsed = sqlglot.parse_one(text, read=dialect)
    named = {column.name for column in parsed.find_all(sqlglot.exp.Column)}
    assert {AREA, STAFF, KIND} <= named
    logs = len(list(parsed.find_all(sqlglot.exp.Ln, sqlglot.exp.Log)))
    assert (logs > 0) == ("LN(" in export_formula(run, "duckdb"))


def test_python_equals_python(exported) -> None:
    run, values, expected = exported
    space: dict[str, object] = {}
    exec(export_formula(run, "python"), space)  # what a user would run
    potential = space["potential"]
    assert callable(potential)
    found = [potential(row) for row in values.to_dict("records")]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_text_is_that_of_the_run(exported) -> None:
    run, _, _ = exported
    assert export_formula(run, "text") == formula_at(run).text


@pytest.mark.skipif(not shutil.which("soffice"), reason="LibreOffice computes the formula")
@pytest.mark.slow
def test_excel_equals_python(tmp_path: Path) -> None:
    from openpyxl import Workbook
    from openpyxl.worksheet.table import Table

    book, expected = Workbook(), {}
    for form in FORMS:
        run, values, expected[form] = run_of(form, tmp_path)
        table, sheet = form.replace("-", "").replace(" ", ""), book.create_sheet(form)
        # In a file the table and the row are spelled out; a person types [@[...]].
        formula = export_formula(run, "excel").replace("[@[", f"{table}[[#This Row],[")
        sheet.append([*values, "potential"])
        for row in [*values.itertuples(index=False), (None, 3, "Mall")]:
            sheet.append([*row, formula])
        sheet.add_table(Table(displayName=table, ref=f"A1:D{len(values) + 2}"))
    book.save(tmp_path / "a.xlsx")
    subprocess.run(
        ["soffice", f"-env:UserInstallation=file://{tmp_path}/profile", "--headless",
         "--convert-to", "xlsx:Calc MS Excel 2007 XML", "--outdir", tmp_path / "out",
         tmp_path / "a.xlsx"], check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    sheets = pd.read_excel(tmp_path / "out/a.xlsx", engine="calamine", sheet_name=list(FORMS))
    for form, frame in sheets.items():
        found = frame["potential"]
        np.testing.assert_allclose(found.iloc[:-1].astype(float), expected[form], rtol=1e-9)
        assert pd.isna(found.iloc[-1]) or found.iloc[-1] == ""


def test_the_command_prints_it_and_refuses_what_it_does_not_know(exported) -> None:
    run, _, _ = exported
    done = CliRunner().invoke(main, ["export", str(run), "--dialect", "Excel"])
    assert done.exit_code == 0 and done.output.startswith("=IF(")
    with pytest.raises(StudyError, match="snowflake"):
        export_formula(run, "cobol")
