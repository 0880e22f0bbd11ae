"""A study proposed from tables of many kinds, runnable as it is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import ROOT

from kalib.cli import main
from kalib.errors import StudyError
from kalib.study.loading import read_study
from kalib.tables.proposal import propose_study
from kalib.tables.tables import read_tables
from kalib.tables.words import expected_sign, unit_of

N = 50


def base(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    area = np.exp(5 + 0.5 * rng.standard_normal(N)).round(1)
    potential = (area * 40 * np.exp(0.2 * rng.standard_normal(N))).round(0)
    return pd.DataFrame(
        {
            "id": [f"A{i:03d}" for i in range(N)],
            "name": [f"Shop {i}" for i in range(N)],
            "sales": (potential * rng.beta(2, 5, N)).round(0),
            "potential": potential,
            "area": area,
            "staff": (area / 30).round() + 1,
            "kind": rng.choice(["big", "small"], N),
        }
    )


HEADERS = {
    "snake": ("store_id", "store_name", "own_sales", "total_sales", "floor_area", "staff", "format"),
    "title": ("Customer ID", "Customer Name", "Net Sales", "Total Purchases", "Area m2", "Staff",
              "Store Type"),
    "camel": ("accountId", "accountName", "ownSales", "categorySpend", "floorArea", "staffCount",
              "kind"),
    "units": ("Outlet ID", "Outlet Name", "Sales (EUR)", "Potential (EUR)", "Size [m2]", "Employees",
              "Class"),
    "chinese": ("客户编号", "客户名称", "我方销售额", "总采购额", "面积", "员工数", "类型"),
    "short": ("id", "name", "revenue", "potential", "sqm", "tills", "banner"),
    "german": ("Kundennummer", "Name", "Umsatz", "Bedarf", "Flaeche", "Personal", "Art"),
}  # fmt: skip


@pytest.mark.parametrize("style", HEADERS)
@pytest.mark.parametrize("shape", ["one table", "survey apart"])
def test_proposal_is_read_without_editing(style: str, shape: str, tmp_path: Path) -> None:
    table = base(len(style))
    table.columns = HEADERS[style]
    key, potential = table.columns[0], table.columns[3]
    if shape == "one table":
        table.loc[table.index >= 30, potential] = np.nan
        table.to_csv(tmp_path / "accounts.csv", index=False)
        files = [tmp_path / "accounts.csv"]
    else:
        table[[key, potential]].head(30).to_csv(tmp_path / "survey.csv", index=False)
        table.drop(columns=potential).to_excel(tmp_path / "accounts.xlsx", index=False)
        files = [tmp_path / "survey.csv", tmp_path / "accounts.xlsx"]
    proposal = propose_study("found", files, tmp_path / "data")
    study = read_study(proposal.folder)
    tables = read_tables(study)
    assert study.columns.account == key and study.columns.sales == table.columns[2]
    assert study.columns.potential == potential and study.columns.name == table.columns[1]
    assert set(table.columns[4:6]) <= set(study.indicators.candidates)
    assert tables.survey is not None and len(tables.survey) == 30
    assert any("currency" in doubt for doubt in proposal.doubts)
    assert key in (proposal.folder / "codebook.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["phones-retail", "fmcg-supermarkets"])
def test_shipped_tables_are_proposed_as_they_are_described(name: str, tmp_path: Path) -> None:
    files = [p for p in sorted((ROOT / "data" / name).glob("*.csv")) if p.stem != "truth"]
    proposal = propose_study("again", files, tmp_path)
    found, shipped = read_study(proposal.folder), read_study(ROOT / "data" / name)
    for role in ("account", "name", "region", "segment", "sales", "current_ka", "rep", "margin"):
        assert getattr(found.columns, role) == getattr(shipped.columns, role), role
    assert set(found.indicators.candidates) == set(shipped.indicators.candidates)
    assert found.visits == shipped.visits
    read_tables(found)


def test_distance_is_expected_to_lower_potential(tmp_path: Path) -> None:
    files = [ROOT / f"data/fmcg-supermarkets/{n}.csv" for n in ("accounts", "survey")]
    signs = read_study(propose_study("x", files, tmp_path).folder).indicators.expected_sign
    assert signs["distance_to_center_km"] == "-" and signs["floor_area_m2"] == "+"
    assert "years_open" not in signs and "parking_spaces" in signs
    doubts = propose_study("y", files, tmp_path).doubts
    assert "no sign is expected of years_open: add those you know" in doubts


def test_headers_that_are_code_stay_text(tmp_path: Path) -> None:
    table = base(1).rename(columns={"area": 'a"]\nname = "evil', "staff": "=cmd|x"})
    table.to_csv(tmp_path / "accounts.csv", index=False)
    proposal = propose_study("evil", [tmp_path / "accounts.csv"], tmp_path / "data")
    assert read_study(proposal.folder).name == "evil"


@pytest.mark.parametrize(
    ("change", "lacking"),
    [
        (lambda t: t.drop(columns="sales"), {"sales"}),
        (lambda t: t.drop(columns="potential"), {"potential"}),
        (lambda t: t[["id", "sales", "potential"]], {"candidates"}),
        (lambda t: t.assign(id="1", name="x"), {"account"}),
        (lambda t: t[["name"]], {"sales", "potential", "candidates"}),
    ],
)
def test_what_is_lacking_is_marked_in_a_stub(change, lacking: set[str], tmp_path: Path) -> None:
    change(base(2)).to_csv(tmp_path / "accounts.csv", index=False)
    proposal = propose_study("stub", [tmp_path / "accounts.csv"], tmp_path / "data")
    text = (proposal.folder / "study.toml").read_text()
    tomllib.loads(text)
    for role in lacking:
        assert re.search(rf"^# {role} = .*# FILL IN: ", text, re.M)
        assert any(doubt.startswith(f"no column for {role}: fill in") for doubt in proposal.doubts)
    assert text.count("FILL IN") == len(lacking)
    with pytest.raises(StudyError) as caught:
        read_study(proposal.folder)
    said = [str(problem) for problem in caught.value.problems]
    assert len(said) == len(lacking) and all("study.toml: " in one for one in said)
    for role in lacking:
        assert sum(f".{role}' is missing" in one for one in said) == 1, said


def test_options_name_columns_by_header_or_number(tmp_path: Path) -> None:
    table = base(12).rename(columns={"sales": "x1", "potential": "x2", "id": "x3", "kind": "x4"})
    table.to_csv(tmp_path / "a.csv", index=False)
    first = propose_study("none", [tmp_path / "a.csv"], tmp_path / "data")
    columns = first.columns.set_index("column")
    assert columns.loc["x1", "number"] == 3 and columns.loc["x1", "role"] == "indicator"
    assert "·" in columns.loc["x1", "values"]
    given = {"account": "x3", "sales": "3", "potential": "x2", "parent": "x4"}
    study = read_study(
        propose_study("all", [tmp_path / "a.csv"], tmp_path / "data", given, ["staff"]).folder
    )
    assert study.columns.model_dump(exclude_none=True) == {
        "account": "x3", "sales": "x1", "potential": "x2", "parent": "x4", "name": "name"
    }  # fmt: skip
    assert study.indicators.candidates == ("area",)
    with pytest.raises(StudyError) as caught:
        propose_study(
            "bad", [tmp_path / "a.csv"], tmp_path / "data", {"sales": "Area"}, ["staf", "99"]
        )
    assert [str(problem) for problem in caught.value.problems] == [
        "--sales: no column is called 'Area'. Did you mean 'area'?",
        "--drop: no column is called 'staf'. Did you mean 'staff'?",
        "--drop: no column is called '99'. The columns are x3, name, x1, x2, area, staff, x4",
    ]
    assert not (tmp_path / "data/bad").exists()


def test_force_moves_the_earlier_proposal_aside(tmp_path: Path) -> None:
    base(3).to_csv(tmp_path / "a.csv", index=False)
    folder = propose_study("once", [tmp_path / "a.csv"], tmp_path / "data").folder
    (folder / "study.toml").write_text("mine")
    propose_study("once", [tmp_path / "a.csv"], tmp_path / "data", force=True)
    assert read_study(folder).name == "once"
    (aside,) = (tmp_path / "data").glob("aside_*/once/study.toml")
    assert aside.read_text() == "mine"


def test_dirt_is_cured_by_settings(tmp_path: Path) -> None:
    table = base(13).astype({"sales": object, "staff": object})
    table["id"] = [f"{i:04d}" for i in range(N)]
    table.loc[3, "sales"], table.loc[[5, 6], "sales"] = -5, ""
    table.loc[[2, 9], "staff"], table.loc[11, "staff"] = "tbd", "k.A."
    survey = table[["id", "potential"]].head(30).assign(id=lambda t: t["id"].str.lstrip("0"))
    survey.iloc[1:].rename(columns={"id": "Shop"}).to_csv(tmp_path / "survey.csv", index=False)
    accounts = pd.concat([table, table.head(2)]).drop(columns="potential")
    accounts.to_csv(tmp_path / "accounts.csv", index=False)
    files = [tmp_path / "accounts.csv", tmp_path / "survey.csv"]
    before = [path.read_bytes() for path in files]
    proposal = propose_study("dirty", files, tmp_path / "data")
    study = read_study(proposal.folder)
    data = study.data
    assert data.missing == ("tbd", "k.A.") and data.duplicates == "first" and data.id_width == 4
    assert data.negative_sales == data.blank_sales == "zero"
    assert study.columns.survey_account == "Shop"
    tables = read_tables(study)
    assert len(tables.accounts) == N and len(tables.survey) == 29
    assert tables.accounts["sales"].loc[["0003", "0005", "0006"]].eq(0).all()
    assert [path.read_bytes() for path in files] == before
    doubts = "\n".join(proposal.doubts)
    assert "ids have lost their leading zeros, so [data] id_width = 4" in doubts


def test_what_check_will_refuse_is_a_doubt(tmp_path: Path) -> None:
    table = base(14).astype({"sales": object})
    table.loc[4, "sales"] = "1O0"
    table.to_csv(tmp_path / "a.csv", index=False)
    doubts = "\n".join(propose_study("typo", [tmp_path / "a.csv"], tmp_path / "data").doubts)
    assert "kalib check will refuse: a.csv, column sales, row 6: '1O0' is not a number" in doubts


LANGUAGES = {
    "German": ("Kunden-Nr.", "Firma", "Nettoumsatz 2025", "Jahresbedarf", "Gebiet", "Kundenart",
               "Betreuer", "Konzern", "Verkaufsfläche", "Mitarbeiter"),
    "French": ("Code client", "Raison sociale", "Chiffre d'affaires 2025", "Potentiel d'achat", "Département",
               "Catégorie", "Représentant", "Siège", "Surface", "Effectif"),
    "Spanish": ("Código cliente", "Razón social", "Facturación 2025", "Compras totales", "Provincia",
                "Segmento", "Vendedor", "Grupo", "Superficie", "Empleados"),
    "Chinese": ("客户代码", "客户名称", "2025年销售额", "采购潜力", "省份", "渠道", "业务员", "母公司", "面积", "员工数"),
    "English": ("Customer No.", "Customer", "Net Revenue 2025", "Category Spend", "Territory", "Channel",
                "Sales Rep", "Head Office", "Floor Space", "Employees"),
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_headers_of_five_languages_tell_every_role(language: str, tmp_path: Path) -> None:
    table = base(15)
    words = {"region": ["North", "South"], "rep": list("ABCD"), "parent": ["P", "Q", ""]}
    for name, kinds in words.items():
        table[name] = np.array(kinds)[np.arange(N) % len(kinds)]
    order = ["id", "name", "sales", "potential", "region", "kind", "rep", "parent", "area", "staff"]
    table = table[order].set_axis(LANGUAGES[language], axis=1)
    table.insert(3, LANGUAGES[language][2].replace("2025", "2024"), table.iloc[:, 2] * 1.5)
    table.to_csv(tmp_path / "a.csv", index=False)
    study = read_study(propose_study("x", [tmp_path / "a.csv"], tmp_path / "data").folder)
    roles = ["account", "name", "sales", "potential", "region", "segment", "rep", "parent"]
    found = study.columns.model_dump(exclude_none=True)
    assert found == dict(zip(roles, LANGUAGES[language], strict=False))
    assert study.indicators.candidates == LANGUAGES[language][8:]
    assert set(study.indicators.expected_sign.values()) == {"+"}
    assert study.report.language == ("zh" if language == "Chinese" else "en")
    assert study.period == "2025"


def test_names_and_places_are_guarded(tmp_path: Path) -> None:
    base(3).to_csv(tmp_path / "accounts.csv", index=False)
    with pytest.raises(StudyError, match="no name for a study"):
        propose_study("../out", [tmp_path / "accounts.csv"], tmp_path / "data")
    propose_study("once", [tmp_path / "accounts.csv"], tmp_path / "data")
    with pytest.raises(StudyError, match="there already"):
        propose_study("once", [tmp_path / "accounts.csv"], tmp_path / "data")


def workbook(path: Path, **sheets: pd.DataFrame) -> Path:
    with pd.ExcelWriter(path) as book:
        for name, frame in sheets.items():
            frame.to_excel(book, sheet_name=name, index=False)
    return path


def test_sheets_of_a_workbook_are_tables(tmp_path: Path) -> None:
    table = base(4)
    file = workbook(
        tmp_path / "client.xlsx",
        Legend=pd.DataFrame({"column": ["area"], "meaning": ["floor area"]}),
        Contacts=table[["id"]].assign(phone=range(N)),
        Survey=table[["id", "potential"]].head(30),
        Stores=table.drop(columns="potential"),
    )
    proposal = propose_study("sheets", [file], tmp_path / "data")
    study = read_study(proposal.folder)
    tables = read_tables(study)
    assert study.data.accounts == study.data.survey == "client.xlsx"
    assert tables.survey is not None and len(tables.survey) == 30 and len(tables.accounts) == N
    left_out = {doubt for doubt in proposal.doubts if "left out" in doubt}
    assert sorted(doubt.partition(":")[0] for doubt in left_out) == [
        f"client.xlsx, sheet {name} is left out" for name in ("Contacts", "Legend")
    ]


def test_potential_among_the_accounts_needs_no_other_sheet(tmp_path: Path) -> None:
    table = base(5)
    file = workbook(tmp_path / "c.xlsx", Stores=table, Contacts=table[["id"]].assign(phone="1"))
    study = read_study(propose_study("one", [file], tmp_path / "data").folder)
    assert study.data.survey is None and study.columns.potential == "potential"


def test_a_sheet_that_a_run_would_not_come_to_is_a_doubt(tmp_path: Path) -> None:
    table = base(6)
    older = table.assign(sales=table["sales"] + 1)
    notes = table.assign(remark=[f"note {i}" for i in range(N)])
    file = workbook(tmp_path / "c.xlsx", **{"2025": older, "2026": notes})
    doubts = propose_study("years", [file], tmp_path / "data").doubts
    assert any("sheet 2026: another sheet has its columns too" in doubt for doubt in doubts)


def test_a_survey_sheet_may_have_another_id(tmp_path: Path) -> None:
    table = base(7)
    survey = table[["id", "potential"]].head(30).rename(columns={"id": "outlet"})
    file = workbook(tmp_path / "c.xlsx", S=survey, Stores=table.drop(columns="potential"))
    study = read_study(propose_study("other", [file], tmp_path / "data").folder)
    assert study.columns.survey_account == "outlet"
    assert read_tables(study).survey.size == 30


def test_a_sheet_name_stays_a_comment(tmp_path: Path) -> None:
    table = base(8)
    file = workbook(tmp_path / "c.xlsx", **{'a" \ntargets': table, "b": table[["id"]]})
    study = read_study(propose_study("name", [file], tmp_path / "data").folder)
    assert study.name == "name"


def test_sales_may_stand_in_another_sheet(tmp_path: Path) -> None:
    table = base(17)
    sold = table[["id", "sales"]].rename(columns={"id": "outlet", "sales": "Revenue 2025"})
    rows = sold.iloc[::-1].assign(**{"Revenue 2025": sold["Revenue 2025"] / 2}).iloc[:-4]
    file = workbook(
        tmp_path / "c.xlsx",
        Stores=table.drop(columns=["sales", "potential"]),
        Survey=table[["id", "potential"]].head(30),
        Sales=pd.concat([rows, rows]),
    )
    proposal = propose_study("three", [file], tmp_path / "data")
    study = read_study(proposal.folder)
    assert study.data.sales == study.data.accounts == study.data.survey == "c.xlsx"
    assert study.columns.sales == "Revenue 2025" and study.columns.sales_account == "outlet"
    assert study.data.blank_sales == "zero" and study.data.duplicates == "refuse"
    assert set(study.indicators.candidates) == {"area", "staff", "kind"}
    tables = read_tables(study)
    expected = table.set_index("id")["sales"].where(np.arange(N) >= 4, 0.0)
    assert np.allclose(tables.accounts["sales"], expected)
    assert any("46 accounts have several rows, which are added up" in str(n) for n in tables.notes)


def test_invoices_are_sales_and_no_accounts(tmp_path: Path) -> None:
    table = base(23)
    table.drop(columns=["sales", "potential"]).to_csv(tmp_path / "k.csv", index=False)
    half = pd.DataFrame({"Beleg": "", "Debitor": table["id"], "Belegdatum": "24.07.2025", "Menge": 3,
                         "Nettobetrag (EUR)": table["sales"] / 2})  # fmt: skip
    rows = pd.concat([half] * 3, ignore_index=True)
    rows.loc[2 * N :, "Nettobetrag (EUR)"] = -1.0  # a credit note each
    rows["Beleg"] = [f"R{i}" for i in range(len(rows))]
    rows.to_csv(tmp_path / "r.csv", index=False, sep=";", decimal=",")
    table[["id", "potential"]].head(30).to_csv(tmp_path / "s.csv", index=False)
    files = [tmp_path / f"{name}.csv" for name in "krs"]
    study = read_study(propose_study("inv", files, tmp_path / "data").folder)
    assert (study.data.accounts, study.data.sales, study.data.survey) == ("k.csv", "r.csv", "s.csv")
    assert study.columns.sales_account == "Debitor" and study.data.negative_sales == "refuse"
    sales = read_tables(study).accounts["sales"]
    assert np.allclose(sales, table["sales"] - 1)


@pytest.mark.parametrize(
    ("header", "why"),
    [("ABC", "a class by our sales"), ("Last year (£)", "our own sales"), ("Credit limit", "a condition of ours"),
     ("Customer tier", "a class by our sales"), ("Net revenue", "our own sales")],
)  # fmt: skip
def test_what_follows_from_our_selling_is_no_indicator(
    header: str, why: str, tmp_path: Path
) -> None:
    table = base(24)
    table[header] = np.arange(N) % 7 + 1
    table.to_csv(tmp_path / "a.csv", index=False)
    role = propose_study("x", [tmp_path / "a.csv"], tmp_path / "data").columns.set_index("column")
    assert role["role"][header] == f"left out: {why} by its name"


def test_headers_of_one_name_are_numbered(tmp_path: Path) -> None:
    table = base(18)
    table.insert(2, "before", (table["sales"] * 1.2).round())
    twice = table.rename(columns={"before": "Revenue", "sales": "Revenue"})
    twice.to_csv(tmp_path / "a.csv", index=False)
    proposal = propose_study("twice", [tmp_path / "a.csv"], tmp_path / "data")
    study = read_study(proposal.folder)
    assert study.columns.sales == "Revenue (2)"
    assert (
        "'Revenue (2)', the last of several columns of one name, is taken as sales"
        in (proposal.doubts[0])
    )
    role = proposal.columns.set_index("column")["role"]
    assert role["Revenue (1)"] == "left out: our own sales by its name"
    tables = read_tables(study)
    assert (tables.accounts["sales"].to_numpy() == table["sales"].to_numpy()).all()
    assert any("of that name are numbered from the left" in str(note) for note in tables.notes)
    with pytest.raises(StudyError, match=r"stands twice. Write 'Revenue' and a number, from the"):
        read_tables(read_study(proposal.folder, {"columns.sales": "Revenue"}))


@pytest.mark.parametrize("group", ["Facturación (€)", ""])
def test_names_over_two_rows_are_joined(group: str, tmp_path: Path) -> None:
    table = base(19).astype(str)
    table.insert(2, "before", table["sales"])
    upper = ["Cliente", "", group, "", "Encuesta", "Tamaño", "", ""]
    lower = [
        "Código",
        "Nombre",
        "2024",
        "2025",
        "Compras totales",
        "Superficie",
        "Empleados",
        "Tipo",
    ]
    rows = [upper, lower, *table.to_numpy().tolist()]
    (tmp_path / "a.csv").write_text("\n".join(";".join(row) for row in rows), encoding="utf-8")
    given = {} if group else {"sales": "Cliente 2025"}
    proposal = propose_study("dos", [tmp_path / "a.csv"], tmp_path / "data", given)
    study = read_study(proposal.folder)
    assert study.columns.account == "Código" and study.columns.potential == "Compras totales"
    assert study.columns.sales == f"{group or 'Cliente'} 2025"
    assert set(study.indicators.candidates) == {"Superficie", "Empleados", "Tipo"}
    assert len(read_tables(study).accounts) == N


def test_notes_above_the_header_and_below_the_table_are_none_of_it(tmp_path: Path) -> None:
    table = base(20)
    book = tmp_path / "farms.xlsx"
    table.to_excel(book, index=False, startrow=4)
    sheet = openpyxl.load_workbook(book)
    page = sheet.active
    page["A1"], page["A2"], page["B2"], page["C2"] = "Customers", "Created", "2026-01-15", "by us"
    page.append(["", "Total général", "", "", "", "", ""])
    page.append(["Source: our CRM, unaudited"])
    sheet.save(book)
    study = read_study(propose_study("notes", [book], tmp_path / "data").folder)
    assert study.columns.account == "id" and study.data.blank_sales == "refuse"
    assert set(study.indicators.candidates) == {"area", "staff", "kind"}
    assert len(read_tables(study).accounts) == N


def test_a_french_export_tells_its_sales_and_leaks_none(tmp_path: Path) -> None:
    table = base(21)
    table["before"], table["cp"] = table["sales"] * 1.3, 10000 + np.arange(N)
    french = "{:,.2f}".format
    for name in ("sales", "before", "potential"):
        table[name] = table[name].map(french).str.translate(str.maketrans(",.", " ,"))
    table["currency"] = "EUR"
    headers = {"id": "N° client", "name": "Raison sociale", "sales": "CA net N", "before": "CA net N-1",
               "cp": "CP", "potential": "Besoin annuel", "area": "Surface", "staff": "Effectif",
               "kind": "Grpe clients", "currency": "Devise"}  # fmt: skip
    table.rename(columns=headers).to_csv(
        tmp_path / "a.csv", sep=";", index=False, encoding="cp1252"
    )
    proposal = propose_study("sap", [tmp_path / "a.csv"], tmp_path / "data")
    study = read_study(proposal.folder)
    assert study.columns.sales == "CA net N" and study.columns.potential == "Besoin annuel"
    assert study.currency == "EUR"
    assert set(study.indicators.candidates) == {"Surface", "Effectif", "Grpe clients"}
    assert read_tables(study).accounts["sales"].sum() == base(21)["sales"].sum()


def test_visits_are_told_by_ours_and_all(tmp_path: Path) -> None:
    base(22).drop(columns="potential").to_csv(tmp_path / "a.csv", index=False)
    days = pd.date_range("2025-03-01", periods=20).strftime("%d/%m/%Y")
    rows = [(f"A{i:03d}", day, 2, 5) for i in range(20) for day in days]
    names = ["id", "Visited on", "Our phones sold", "All phones sold"]
    pd.DataFrame(rows, columns=names).to_csv(tmp_path / "v.csv", index=False)
    files = [tmp_path / "a.csv", tmp_path / "v.csv"]
    study = read_study(propose_study("v", files, tmp_path / "data").folder)
    assert study.visits is not None and study.columns.potential is None
    assert (study.visits.date, study.visits.own, study.visits.total) == tuple(names[1:])


def test_a_workbook_without_a_table_is_refused(tmp_path: Path) -> None:
    twice = pd.DataFrame([["id", "id", "id (1)"], ["1", "2", "3"]])
    with pd.ExcelWriter(tmp_path / "c.xlsx") as book:
        twice.to_excel(book, sheet_name="A", index=False, header=False)
    with pytest.raises(StudyError, match="the header stands twice"):
        propose_study("none", [tmp_path / "c.xlsx"], tmp_path / "data")


@pytest.mark.parametrize(
    ("header", "unit", "sign"),
    [
        ("Floor area (m2)", "square meters", "+"), ("floor_area_m2", "square meters", "+"),
        ("distanceKm", "kilometers", "-"), ("营业面积（㎡）", "square meters", "+"),
        ("收银台数量", "", "+"), ("share of organic [%]", "percent", ""), ("students", "", "+"),
        ("Turnover (EUR)", "EUR", "+"), ("Freezers [pieces]", "pieces", ""), ("rank", "", ""),
        ("hours", "hours", "+"), ("research_area_rank", "", ""), ("students per teacher", "", ""), ("managers", "", ""),
    ],
)  # fmt: skip
def test_headers_tell_units_and_signs(header: str, unit: str, sign: str) -> None:
    assert (unit_of(header), expected_sign(header)) == (unit, sign)


@pytest.mark.parametrize(
    ("sales", "potential", "currency", "doubt"),
    [
        ("Sales (EUR)", "Potential (EUR)", "EUR", "'EUR' is taken as the currency"),
        ("sales_usd", "potential", "USD", "'USD' is taken as the currency"),
        ("销售额（万元）", "采购潜力", "万元", "'万元' is taken as the currency"),
        ("Sales (kEUR)", "Potential (EUR)", "EUR", "EUR and thousand EUR: bring them"),
        ("Sales", "Potential", "", "the currency is not told"),
    ],
)
def test_headers_tell_the_currency(
    sales: str, potential: str, currency: str, doubt: str, tmp_path: Path
) -> None:
    base(9).rename(columns={"sales": sales, "potential": potential}).to_csv(tmp_path / "a.csv")
    proposal = propose_study("c", [tmp_path / "a.csv"], tmp_path / "data")
    assert read_study(proposal.folder).currency == currency
    assert any(doubt in said for said in proposal.doubts)


def test_no_table_is_overwritten(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    base(3).to_csv(tmp_path / "a/t.csv", index=False)
    base(4).to_csv(tmp_path / "b/T.csv", index=False)
    with pytest.raises(StudyError, match="has the name of another table given") as caught:
        propose_study("two", [tmp_path / "a/t.csv", tmp_path / "b/T.csv"], tmp_path / "data")
    assert len(caught.value.problems) == 2
    for name in ("study.toml", "codebook.md", "Study.TOML"):
        base(3).to_csv(tmp_path / name, index=False)
        with pytest.raises(StudyError, match="kept for the study's own file"):
            propose_study("own", [tmp_path / name], tmp_path / "data")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_is_there_is_never_overwritten(kind: str, tmp_path: Path) -> None:
    base(3).to_csv(tmp_path / "accounts.csv", index=False)
    target = tmp_path / "data/there"
    target.parent.mkdir()
    if kind == "folder":
        target.mkdir()
    elif kind == "file":
        target.write_text("mine")
    else:
        target.symlink_to(tmp_path / "nowhere")
    with pytest.raises(StudyError, match="is there already"):
        propose_study("there", [tmp_path / "accounts.csv"], tmp_path / "data")
    assert target.is_symlink() == (kind == "link") and not (tmp_path / "nowhere").exists()


def test_copies_are_never_proposed(tmp_path: Path) -> None:
    table = base(5)
    table["sales_2025"] = (table["sales"] * (1 + 0.1 * (np.arange(N) % 3))).round(1)
    table["score"] = np.log(table["potential"]).round(6)
    table["PLZ"] = 10115 + np.arange(N) % 13 * 7
    table["since"] = pd.date_range("2019-01-01", periods=N).strftime("%d.%m.%Y")
    table["Zentrale"] = np.array(["Nord AG", "Süd AG"])[np.arange(N) % 2]
    table.to_csv(tmp_path / "accounts.csv", index=False)
    proposal = propose_study("clean", [tmp_path / "accounts.csv"], tmp_path / "data")
    study = read_study(proposal.folder)
    assert set(study.indicators.candidates) == {"area", "staff", "kind"}
    assert study.columns.parent == "Zentrale"
    role = proposal.columns.set_index("column")["role"]
    assert role["sales_2025"] == "left out: our own sales by its name"
    assert role["since"] == "left out: dates" and role["PLZ"] == "left out: a postcode by its name"
    assert role["score"].startswith("left out: copies the answers (rank correlation 1.000")


def test_the_command_prints_every_column_and_ends_well_with_doubts(tmp_path: Path) -> None:
    base(16).drop(columns="sales").to_csv(tmp_path / "a.csv", index=False)
    asked = ["new", "x", "--from", str(tmp_path / "a.csv"), "--data", str(tmp_path), "--drop", "6"]
    done = CliRunner().invoke(main, asked)
    assert done.exit_code == 0, done.output
    rows = [line.split() for line in done.output.splitlines() if line[:1].isdigit()]
    assert [row[:2] for row in rows] == [
        ["1", "id"], ["2", "name"], ["3", "potential"], ["4", "area"], ["5", "staff"], ["6", "kind"]
    ]  # fmt: skip
    assert rows[0][2:5] == ["account", "A000", "·"] and rows[5][2:5] == ["left", "out:", "dropped"]
    assert "no column for sales: fill in the column of what each account buys" in done.output
