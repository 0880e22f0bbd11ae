"""The client's tables: what is understood, and what is refused with file, row and column."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kalib.errors import StudyError
from kalib.study.loading import read_study
from kalib.tables.cells import to_numbers
from kalib.tables.client import Tables, group_mix_ups
from kalib.tables.tables import read_tables
from kalib.wallet.known import known_potential


def read(folder: Path) -> Tables:
    return read_tables(read_study(folder))


def problems(folder: Path) -> str:
    with pytest.raises(StudyError) as caught:
        read(folder)
    return str(caught.value)


def change(folder: Path, file: str, row: int, column: str, value: str) -> None:
    """Write a cell of a table; row as the file counts it, the header being row 1."""
    table = pd.read_csv(folder / file, dtype=str, keep_default_na=False)
    table.loc[row - 2, column] = value
    table.to_csv(folder / file, index=False)


SPANISH = ["1.177", "983", "12.400", "0", "5.712"]


@pytest.mark.parametrize(
    ("cells", "first"),
    [
        (SPANISH, 1177.0),  # 983 among them: the point parts thousands
        ([cell.replace(".", ",") for cell in SPANISH], 1177.0),
        (["1.177", "0.983", "12.400", "0", "5.712"], 1.177),
        (["1.177", "98", "12.4", "0", "5.712"], 1.177),
        (["41 564,91", "1 200,5", "7,25"], 41564.91),
        (["41'564.91", "1'200.5", "7.25"], 41564.91),
    ],
)
def test_the_mark_of_thousands_is_told_by_the_column(cells: list[str], first: float) -> None:
    assert to_numbers(pd.Series(cells)).values.iloc[0] == first


def test_a_table_without_a_mark_is_read_as_the_first_is(small_study: Path) -> None:
    accounts = pd.read_csv(small_study / "accounts.csv", dtype=str)
    accounts["sales"], accounts["area"] = "1.234,5", accounts["area"].str.replace(".", ",")
    accounts.to_csv(small_study / "accounts.csv", index=False, sep=";")
    survey = pd.read_csv(small_study / "survey.csv", dtype=str).assign(potential="900.765")
    survey.to_csv(small_study / "survey.csv", index=False, sep=";")
    tables = read(small_study)
    assert tables.survey is not None and set(tables.survey) == {900765.0}
    assert any("two ways (900.765 was read as 900765)" in str(note) for note in tables.notes)


def test_ids_stay_text(small_study: Path) -> None:
    tables = read(small_study)
    assert tables.accounts.index[7] == "007"
    assert tables.survey is not None and tables.survey.index[0] == "000"


@pytest.mark.parametrize(
    ("file", "column", "value", "message"),
    [
        ("accounts.csv", "sales", "-3", "accounts.csv, column sales, row 9: '-3' is negative"),
        ("accounts.csv", "sales", "many", "column sales, row 9: 'many' is not a number"),
        ("accounts.csv", "sales", "", "column sales, row 9: is blank"),
        ("accounts.csv", "id", "", "column id, row 9: is blank"),
        ("accounts.csv", "id", "001", "column id, row 9: '001' stands in row 3 already"),
        ("accounts.csv", "area", "large", "column area, row 9: 'large' is not a number"),
        (
            "survey.csv",
            "potential",
            "0",
            "survey.csv, column potential, row 9: '0' is zero, but the",
        ),
        ("survey.csv", "potential", "lots", "column potential, row 9: 'lots' is not a number"),
        ("survey.csv", "id", "999", "column id, row 9: '999' is not among the accounts"),
        ("survey.csv", "id", "001", "column id, row 9: '001' stands in row 3 already"),
    ],
)
def test_bad_cell_is_named(
    small_study: Path, file: str, column: str, value: str, message: str
) -> None:
    change(small_study, file, 9, column, value)
    text = problems(small_study)
    assert message in text
    assert text.endswith(tuple('."abcdefghijklmnopqrstuvwxyz0')), "a remedy follows"


def test_all_problems_of_all_files_come_at_once(small_study: Path) -> None:
    change(small_study, "accounts.csv", 5, "sales", "-1")
    change(small_study, "accounts.csv", 6, "area", "big")
    change(small_study, "survey.csv", 7, "potential", "none at all")
    text = problems(small_study)
    assert "row 5" in text and "row 6" in text and "survey.csv" in text


def test_missing_column_is_named_with_those_that_are_there(small_study: Path) -> None:
    table = pd.read_csv(small_study / "accounts.csv", dtype=str).drop(columns="area")
    table.to_csv(small_study / "accounts.csv", index=False)
    text = problems(small_study)
    assert "column area" in text and "there is no such column" in text and "staff" in text


def test_few_surveyed_accounts_are_refused(small_study: Path) -> None:
    table = pd.read_csv(small_study / "survey.csv", dtype=str)
    table.head(4).to_csv(small_study / "survey.csv", index=False)
    with pytest.raises(
        StudyError, match=r"survey\.csv: potential is known of 4 accounts only\. Survey"
    ):
        known_potential(read_tables(read_study(small_study)))


def test_unreadable_file_is_refused(small_study: Path) -> None:
    (small_study / "accounts.csv").write_bytes(b"PK\x03\x04\x00\x00\xff\xfe\x00garbage")
    assert "accounts.csv" in problems(small_study)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030", "cp1252"])
def test_encodings_are_understood(small_study: Path, encoding: str) -> None:
    word = "店铺" if encoding == "gb18030" else "Müller"
    table = pd.read_csv(small_study / "accounts.csv", dtype=str)
    table["region"] = word
    table.to_csv(small_study / "accounts.csv", index=False, encoding=encoding)
    assert set(read(small_study).accounts["region"]) == {word}


@pytest.mark.parametrize(
    ("separator", "decimal"), [(";", ","), ("\t", "."), (";", "."), ("|", ".")]
)
def test_separators_and_decimal_commas_are_understood(
    small_study: Path, separator: str, decimal: str
) -> None:
    before = read(small_study).accounts
    table = pd.read_csv(small_study / "accounts.csv", dtype={"id": str})
    table.to_csv(small_study / "accounts.csv", index=False, sep=separator, decimal=decimal)
    pd.testing.assert_frame_equal(read(small_study).accounts, before)


def test_thousands_currency_and_percent_signs_are_understood(small_study: Path) -> None:
    before = read(small_study).accounts["sales"]
    table = pd.read_csv(small_study / "accounts.csv", dtype={"id": str})
    table["sales"] = [f"€ {value:,.2f}" for value in table["sales"]]
    table.to_csv(small_study / "accounts.csv", index=False)
    np.testing.assert_allclose(read(small_study).accounts["sales"], before, atol=0.005)


@pytest.mark.parametrize("kind", ["xlsx", "parquet"])
def test_other_formats_say_the_same(small_study: Path, kind: str) -> None:
    before = read(small_study).accounts
    table = pd.read_csv(small_study / "accounts.csv", dtype={"id": str})
    if kind == "xlsx":
        table.to_excel(small_study / "accounts.xlsx", index=False)
    else:
        table.to_parquet(small_study / "accounts.parquet", index=False)
    file = small_study / "study.toml"
    file.write_text(file.read_text().replace("accounts.csv", f"accounts.{kind}"))
    after = read(small_study).accounts
    pd.testing.assert_frame_equal(after, before)


def test_totals_row_is_left_out_and_said(small_study: Path) -> None:
    with (small_study / "accounts.csv").open("a") as file:
        file.write("Total,,99999999,,,\n")
    tables = read(small_study)
    assert "Total" not in tables.accounts.index
    assert any("totals row" in str(note) for note in tables.notes)


def test_missing_indicators_are_noted(small_study: Path) -> None:
    change(small_study, "accounts.csv", 4, "area", "n/a")
    tables = read(small_study)
    assert np.isnan(tables.candidates["area"].iloc[2])
    assert any("1 of 60 values are missing" in str(note) for note in tables.notes)


def test_potential_below_own_sales_is_noted(small_study: Path) -> None:
    change(small_study, "survey.csv", 2, "potential", "0.01")
    change(small_study, "accounts.csv", 2, "sales", "500")
    assert any("below our own sales" in str(note) for note in read(small_study).notes)


def test_potential_may_stand_in_the_accounts(small_study: Path) -> None:
    accounts = pd.read_csv(small_study / "accounts.csv", dtype=str)
    survey = pd.read_csv(small_study / "survey.csv", dtype=str)
    merged = accounts.merge(survey, on="id", how="left")
    merged.to_csv(small_study / "accounts.csv", index=False)
    file = small_study / "study.toml"
    file.write_text(file.read_text().replace('survey = "survey.csv"\n', ""))
    found = read(small_study).survey
    assert found is not None and len(found) == 40


def test_column_names_are_only_names(small_study: Path) -> None:
    name = "__import__('os').system('x') \"面积\""
    accounts = pd.read_csv(small_study / "accounts.csv", dtype=str)
    accounts.rename(columns={"area": name}).to_csv(small_study / "accounts.csv", index=False)
    file = small_study / "study.toml"
    quoted = name.replace('"', '\\"')
    text = file.read_text(encoding="utf-8").replace('["area"', f'["{quoted}"')
    file.write_text(text, encoding="utf-8")
    assert name in read(small_study).candidates.columns


def test_units_of_thousands_of_groups_are_compared_in_no_time() -> None:
    rng = np.random.default_rng(1)
    ids = [str(i) for i in range(20_000)]
    region = pd.Series(rng.integers(0, 2000, len(ids)).astype(str), index=ids)
    figures = {f"x{j}": pd.Series(np.exp(rng.standard_normal(len(ids))), ids) for j in range(8)}
    figures["x3"] *= np.where(region == "7", 1000, 1)
    began = time.process_time()
    found = group_mix_ups({"region": region}, figures)
    assert time.process_time() - began < 5
    assert [(name, group) for name, _, group in found] == [("x3", "7")]
