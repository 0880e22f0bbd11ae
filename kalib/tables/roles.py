"""What the header of a column says of its role in a study."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kalib.tables.reading import TextTable

# Words that tell a column's role, the surest first; matched against the header's own words.
ROLE_WORDS = {
    "account": (
        "account", "account id", "customer id", "store id", "outlet id", "client id", "shop id",
        "id", "code", "no", "number", "customer", "client", "store", "outlet", "shop",
        "客户编号", "客户代码", "门店编号", "门店代码", "店铺编号", "编号", "代码", "编码", "kundennummer", "nr",
    ),
    "potential": (
        "potential", "total sales", "total purchases", "category purchases", "category sales",
        "category spend", "market sales", "total spend", "total volume", "purchases", "spending",
        "采购潜力", "潜力", "总采购额", "总采购", "总销量", "总销售", "品类采购额", "bedarf",
    ),
    "sales": (
        "own sales", "our sales", "sales", "revenue", "turnover", "own revenue", "net sales",
        "我方销售额", "我方销售", "本公司销售额", "销售额", "销量", "umsatz",
    ),
    "name": (
        "name", "account name", "customer name", "store name", "outlet name", "client name",
        "客户名称", "门店名称", "店名", "名称", "客户",
    ),
    "region": ("region", "area", "city", "province", "state", "territory", "district", "county",
               "country", "区域", "大区", "地区", "城市", "省份"),
    "segment": ("segment", "chain", "channel", "type", "banner", "group", "细分", "渠道", "连锁",
                "类型"),
    "current_ka": ("is ka", "ka", "key account", "current ka", "重点客户", "是否重点", "大客户"),
    "rep": ("rep", "sales rep", "owner", "salesperson", "account manager", "sales person",
            "业务员", "销售代表", "负责人"),
    "margin": ("margin", "margin rate", "gross margin", "毛利率", "利润率"),
    "parent": ("parent", "parent company", "head office", "headquarters", "zentrale", "konzern",
               "siège", "总部", "母公司"),
    "date": ("date", "day", "visit date", "日期", "拜访日期"),
    "own": ("own units", "own sales", "own", "our units", "我方销量", "本品销量"),
    "total": ("total units", "total sales", "total", "all units", "all brands", "总销量", "全品牌销量"),
}  # fmt: skip
# More of it should mean less potential, or nothing known, or more: what takes away, what is no size,
# and what counts or measures size.
NEGATIVE = ("distance", "competitor", "competitors", "距离", "竞品", "竞争")
NEUTRAL = ("rank", "ratio", "rate", "per", "share", "年", "排名", "比例", "率", "人均")
POSITIVE = (
    "area", "floor", "space", "size", "sqm", "m2", "staff", "employee", "employees", "headcount",
    "personnel", "teachers", "students", "pupils", "undergraduates", "postgraduates", "patients",
    "beds", "rooms", "seats", "tables", "departments", "registers", "tills", "checkouts", "shelves",
    "hours", "parking", "population", "households", "customers", "visitors", "vehicles", "machines",
    "computers", "budget", "grants", "turnover", "count", "number", "flaeche", "personal",
    "面积", "员工", "人数", "教师", "学生", "病床", "床位", "座位", "收银", "货架", "营业时间", "车位", "人口",
    "户数", "数量", "预算",
)  # fmt: skip
# What a header's last word, or what stands in brackets, says of the unit.
UNITS = {
    "m2": "square meters", "sqm": "square meters", "㎡": "square meters", "平方米": "square meters",
    "km": "kilometers", "公里": "kilometers", "hours": "hours", "years": "years", "%": "percent",
    "pct": "percent", "percent": "percent",
}  # fmt: skip
CURRENCIES = {
    "usd": "USD", "us$": "USD", "eur": "EUR", "€": "EUR", "gbp": "GBP", "£": "GBP", "cny": "CNY",
    "rmb": "CNY", "元": "CNY", "人民币": "CNY", "jpy": "JPY", "chf": "CHF", "inr": "INR", "万元": "万元",
    "keur": "thousand EUR", "teur": "thousand EUR", "kusd": "thousand USD", "meur": "million EUR",
}  # fmt: skip


def words_of_header(header: str) -> str:
    """A header as plain words: "Own_Sales (EUR)" -> "own sales"."""
    text = re.sub(r"[\(（\[].*?[\)）\]]", " ", str(header))
    text = re.sub(r"([a-z])([A-Z])", r"\1 \2", text)
    return re.sub(r"[\s_\-./:]+", " ", text).strip().lower()


def role_of(table: TextTable, role: str, taken: Sequence[str] = ()) -> str | None:
    """The column that fits a role best, or None."""
    free = {
        words_of_header(column): column for column in table.frame.columns if column not in taken
    }
    for wanted in ROLE_WORDS[role]:
        if wanted in free:
            return str(free[wanted])
    for wanted in ROLE_WORDS[role]:
        if len(wanted) < 4 and wanted.isascii():
            continue
        for words, column in free.items():
            if re.search(rf"\b{re.escape(wanted)}\b", words) or (
                not wanted.isascii() and wanted in words
            ):
                return str(column)
    return None


def expected_sign(column: str) -> str:
    """ "+" or "-" where more of it should mean more or less potential, "" where that is open."""
    words = words_of_header(column)
    for sign, known in (("", NEUTRAL), ("-", NEGATIVE), ("+", POSITIVE)):
        if any(word in (words.split() if word.isascii() else words) for word in known):
            return sign
    return ""


def unit_of(column: str) -> str:
    """The unit that a header names, "" where it names none."""
    said = _said_of_unit(column)
    named = (UNITS.get(word) or CURRENCIES.get(word) for word in said)
    return next(filter(None, named), said[0] if len(said) > 1 else "")


def currency_of(column: str) -> str:
    """The currency that a header names, "" where it names none."""
    return next((CURRENCIES[word] for word in _said_of_unit(column) if word in CURRENCIES), "")


def _said_of_unit(column: str) -> list[str]:
    """What stands in brackets, and the last word, in small letters."""
    inside = re.findall(r"[\(（\[](.+?)[\)）\]]", str(column))
    return [text.strip().lower() for text in inside] + words_of_header(column).split()[-1:]
