"""Five files as strangers send them, in five styles, made of seeded markets whose truth is kept.

`python tests/tables/strangers.py practices FOLDER` writes one of them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd


@dataclass(frozen=True)
class Stranger:
    """write: puts the files into a folder, returns them and the true potential by account; roles:
    role -> its column; indicators: those that a proposal must have; never: columns that none may."""

    write: Callable[[Path], tuple[list[Path], pd.Series]]
    roles: Mapping[str, str]
    indicators: frozenset[str]
    never: frozenset[str]
    language: str = "en"


def market(seed: int, n: int, surveyed: int) -> pd.DataFrame:
    """Accounts with two sizes, what they buy from everyone (true, and as some answered) and from
    us, this year and last."""
    rng = np.random.default_rng(seed)
    size = np.exp(rng.normal(5, 0.6, n)).round()
    staff = np.maximum((size / 25 * np.exp(rng.normal(0, 0.3, n))).round(), 1)
    truth = 900 * size**0.7 * staff**0.4 * np.exp(rng.normal(0, 0.15, n))
    share = rng.beta(1.5, 3, n) * (rng.random(n) > 0.1)
    answer = np.where(np.arange(n) < surveyed, truth * np.exp(rng.normal(0, 0.05, n)), np.nan)
    sales = truth * share
    frame = pd.DataFrame({"size": size, "staff": staff, "truth": truth, "answer": answer.round(-1),
                          "sales": sales.round(2)})  # fmt: skip
    frame["before"] = (sales * np.exp(rng.normal(0, 0.1, n))).round(2)
    frame["where"] = rng.integers(0, 6, n)
    frame["who"] = rng.integers(0, 8, n)
    frame["kind"] = rng.integers(0, 3, n)
    return frame.sample(frac=1, random_state=seed, ignore_index=True)


def german(value: float) -> str:
    return f"{value:,.2f}".translate(str.maketrans(",.", ".,")) + " EUR"


def practices(folder: Path) -> tuple[list[Path], pd.Series]:
    """Dentists of a German wholesaler: semicolons, "1.234,56 EUR", "k.A.", a doubled row, returns,
    a total below, and a survey whose ids have lost their zeros."""
    m = market(1, 320, 90)
    ids = [f"{i:05d}" for i in range(201, 201 + len(m))]
    rng = np.random.default_rng(11)
    frame = pd.DataFrame(
        {
            "Kundennummer": ids,
            "Praxis": [f"Zahnarztpraxis Dr. Muster {i}" for i in range(len(m))],
            "PLZ": [f"{p:05d}" for p in rng.integers(1067, 99998, len(m))],
            "Ort": np.array(["Köln", "Berlin", "München", "Ulm", "Jena", "Kiel"])[m["where"]],
            "Außendienst": np.array([f"Vertreter {c}" for c in "ABCDEFGH"])[m["who"]],
            "Kunde seit": [f"{d:02d}.03.{y}" for d, y in
                           zip(rng.integers(1, 29, len(m)), rng.integers(1998, 2024, len(m)), strict=True)],
            "Umsatz 2024": m["before"].map(german),
            "Umsatz 2025": m["sales"].map(german),
            "Fläche (m²)": m["size"].map("{:.0f}".format),
            "Behandlungsstühle": m["staff"].map("{:.0f}".format),
            "Lage": np.array(["Stadt", "Land", "Vorort"])[m["kind"]],
        }
    )  # fmt: skip
    frame.loc[rng.choice(len(m), 12, replace=False), "Behandlungsstühle"] = "k.A."
    frame.loc[[7, 40], "Umsatz 2025"] = "-120,50 EUR"
    frame.loc[frame["Umsatz 2025"] == "0,00 EUR", "Umsatz 2025"] = ""
    frame = pd.concat([frame, frame.iloc[[3, 5]]])
    total = {"Praxis": "Summe", "Umsatz 2025": german(m["sales"].sum())}
    frame = pd.concat([frame, pd.DataFrame([total])]).fillna("")
    frame.to_csv(folder / "praxen.csv", sep=";", index=False, encoding="cp1252")
    answers = m["answer"].notna()
    survey = pd.DataFrame({"Kunden-Nr.": [i.lstrip("0") for i in ids],
                           "Gesamtbedarf (EUR)": m["answer"].map(german)})[answers]  # fmt: skip
    survey.to_csv(folder / "befragung.csv", sep=";", index=False, encoding="cp1252")
    truth = pd.Series(m["truth"].to_numpy(), index=ids)
    return [folder / "praxen.csv", folder / "befragung.csv"], truth


def crm(folder: Path) -> tuple[list[Path], pd.Series]:
    """A CRM export of office supplies: two years of revenue, stage, owner, created date, blanks."""
    m = market(2, 300, 80)
    ids = [f"0015g00000{i:05X}AAA" for i in range(len(m))]
    rng = np.random.default_rng(12)
    frame = pd.DataFrame(
        {
            "Account Owner": np.array([f"Rep {c}. Smith" for c in "ABCDEFGH"])[m["who"]],
            "Account ID": ids,
            "Account Name": [f"Company {i}, Inc." for i in range(len(m))],
            "Billing City": np.array(["Austin", "Boston", "Chicago", "Dallas", "El Paso", "Fresno"])[m["where"]],
            "Billing Zip/Postal Code": rng.integers(10001, 99950, len(m)).astype(str),
            "Industry": np.array(["Health", "Legal", "Retail"])[m["kind"]],
            "Stage": rng.choice(["Prospecting", "Negotiation", "Closed Won"], len(m)),
            "Probability (%)": rng.choice(["10", "50", "90"], len(m)),
            "Created Date": [f"{mo}/{d}/{y}" for mo, d, y in zip(
                rng.integers(1, 13, len(m)), rng.integers(13, 29, len(m)), rng.integers(2012, 2025, len(m)), strict=True)],
            "FY24 Revenue": m["before"].map("${:,.2f}".format),
            "FY25 Revenue": m["sales"].map("${:,.2f}".format).where(m["sales"] > 0, ""),
            "Expected Revenue": (m["sales"] * 1.2).round(0).map("${:,.0f}".format),
            "Employees": m["staff"].map("{:.0f}".format),
            "Office Space (sq ft)": m["size"].map("{:,.0f}".format),
            "Total Category Spend": m["answer"].map("${:,.0f}".format).where(m["answer"].notna(), "n/a"),
            "Active": np.where(m["sales"] > 0, "TRUE", "FALSE"),
            "Description": [f"Met in {i % 7}; call again" * (i % 3 == 0) for i in range(len(m))],
        }
    )  # fmt: skip
    frame.to_csv(folder / "accounts.csv", index=False)
    return [folder / "accounts.csv"], pd.Series(m["truth"].to_numpy(), index=ids)


def stores(folder: Path) -> tuple[list[Path], pd.Series]:
    """A Chinese store list, in GB 18030, with key accounts marked."""
    m = market(3, 260, 80)
    ids = [f"M{i:04d}" for i in range(len(m))]
    frame = pd.DataFrame(
        {
            "门店编号": ids,
            "门店名称": [f"第{i}号门店" for i in range(len(m))],
            "城市": np.array(["北京", "上海", "广州", "深圳", "成都", "武汉"])[m["where"]],
            "负责人": np.array([f"业务{c}" for c in "甲乙丙丁戊己庚辛"])[m["who"]],
            "重点客户": np.where(m["sales"].rank() > 200, "是", "否"),
            "营业面积（㎡）": m["size"].map("{:.0f}".format),
            "员工人数": m["staff"].map("{:.0f}".format).where(np.arange(len(m)) % 25 != 0, "不详"),
            "门店类型": np.array(["超市", "便利店", "专卖店"])[m["kind"]],
            "去年销售额（元）": m["before"].map("{:.2f}".format),
            "2025年销售额（元）": m["sales"].map("{:.2f}".format),
            "年采购总额（元）": m["answer"].map("{:.0f}".format).where(m["answer"].notna(), ""),
        }
    )  # fmt: skip
    frame.to_csv(folder / "门店.csv", index=False, encoding="gb18030")
    return [folder / "门店.csv"], pd.Series(m["truth"].to_numpy(), index=ids)


def workbook(folder: Path) -> tuple[list[Path], pd.Series]:
    """Schools in a workbook of three sheets, with titles above and headers merged in two rows."""
    m = market(4, 240, 70)
    ids = [f"{i:04d}" for i in range(len(m))]
    book = openpyxl.Workbook()
    notes = book.active
    notes.title = "Read me"
    notes["A1"], notes["A3"] = "School list 2025", "Prepared by sales control"
    sheet = book.create_sheet("Schools")
    sheet.append(["School list, all figures a year"])
    sheet.merge_cells("A1:H1")
    sheet.append([])
    sheet.append(["School", None, "Place", None, "Size", None, "Revenue (EUR)", None])
    sheet.append(["Customer no.", "Name", "Region", "Rep", "Pupils", "Teachers", 2024, 2025])
    for place in ("A3:B3", "C3:D3", "E3:F3", "G3:H3"):
        sheet.merge_cells(place)
    regions = ["North", "South", "East", "West", "Middle", "Coast"]
    for i, row in enumerate(m.itertuples()):
        sheet.append([ids[i], f"School {i}", regions[row.where], f"Rep {row.who}", row.size, row.staff,
                      row.before, row.sales])  # fmt: skip
    survey = book.create_sheet("Survey")
    survey.append(["What schools spend on books"])
    survey.append(["Customer no.", "Total spend (EUR)", "Asked on"])
    for i, row in enumerate(m.itertuples()):
        if row.answer == row.answer:
            survey.append([ids[i], row.answer, "2025-09-01"])
    book.save(folder / "schools.xlsx")
    return [folder / "schools.xlsx"], pd.Series(m["truth"].to_numpy(), index=ids)


def pharmacies(folder: Path) -> tuple[list[Path], pd.Series]:
    """French pharmacies in Parquet, with the group each belongs to, and flags."""
    m = market(5, 280, 90)
    ids = [f"PH-{i}" for i in range(len(m))]
    frame = pd.DataFrame(
        {
            "Code client": ids,
            "Raison sociale": [f"Pharmacie {i}" for i in range(len(m))],
            "Groupe": np.where(m["who"] < 3, np.array(["Santé+", "Vitalis", "Verdure"] * 3)[m["who"]], ""),
            "Ville": np.array(["Lyon", "Lille", "Nantes", "Nice", "Paris", "Pau"])[m["where"]],
            "Code postal": np.random.default_rng(15).integers(1000, 95999, len(m)).astype(str),
            "Représentant": np.array([f"Agent {c}" for c in "ABCDEFGH"])[m["who"]],
            "CA 2024 (EUR)": m["before"],
            "CA 2025 (EUR)": m["sales"],
            "Surface (m2)": m["size"],
            "Effectif": m["staff"],
            "Achats totaux (EUR)": m["answer"],
        }
    )  # fmt: skip
    frame.to_parquet(folder / "pharmacies.parquet", index=False)
    return [folder / "pharmacies.parquet"], pd.Series(m["truth"].to_numpy(), index=ids)


STRANGERS = {
    "practices": Stranger(
        practices,
        {"account": "Kundennummer", "name": "Praxis", "region": "Ort", "rep": "Außendienst",
         "sales": "Umsatz 2025", "potential": "Gesamtbedarf (EUR)", "survey_account": "Kunden-Nr."},
        frozenset({"Fläche (m²)", "Behandlungsstühle", "Lage"}),
        frozenset({"PLZ", "Kunde seit", "Umsatz 2024"}),
    ),
    "crm": Stranger(
        crm,
        {"account": "Account ID", "name": "Account Name", "region": "Billing City",
         "rep": "Account Owner", "sales": "FY25 Revenue", "potential": "Total Category Spend"},
        frozenset({"Employees", "Office Space (sq ft)", "Industry"}),
        frozenset({"Stage", "Probability (%)", "Created Date", "FY24 Revenue", "Expected Revenue",
                   "Active", "Description", "Billing Zip/Postal Code"}),
    ),
    "stores": Stranger(
        stores,
        {"account": "门店编号", "name": "门店名称", "region": "城市", "rep": "负责人", "current_ka": "重点客户",
         "sales": "2025年销售额（元）", "potential": "年采购总额（元）", "segment": "门店类型"},
        frozenset({"营业面积（㎡）", "员工人数"}),
        frozenset({"去年销售额（元）"}),
        "zh",
    ),
    "workbook": Stranger(
        workbook,
        {"account": "Customer no.", "name": "Name", "region": "Region", "rep": "Rep",
         "sales": "Revenue (EUR) 2025", "potential": "Total spend (EUR)"},
        frozenset({"Pupils", "Teachers"}),
        frozenset({"Revenue (EUR) 2024"}),
    ),
    "pharmacies": Stranger(
        pharmacies,
        {"account": "Code client", "name": "Raison sociale", "region": "Ville", "parent": "Groupe",
         "rep": "Représentant", "sales": "CA 2025 (EUR)", "potential": "Achats totaux (EUR)"},
        frozenset({"Surface (m2)", "Effectif"}),
        frozenset({"Code postal", "CA 2024 (EUR)"}),
    ),
}  # fmt: skip

if __name__ == "__main__":
    style, target = sys.argv[1:]
    Path(target).mkdir(parents=True, exist_ok=True)
    STRANGERS[style].write(Path(target))
