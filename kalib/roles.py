"""What the header of a column says of its role in a study."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kalib.reading import TextTable

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
    "region": ("region", "area", "city", "province", "state", "territory", "district", "区域",
               "大区", "地区", "城市", "省份"),
    "segment": ("segment", "chain", "channel", "type", "banner", "group", "细分", "渠道", "连锁",
                "类型"),
    "current_ka": ("is ka", "ka", "key account", "current ka", "重点客户", "是否重点", "大客户"),
    "rep": ("rep", "sales rep", "owner", "salesperson", "account manager", "sales person",
            "业务员", "销售代表", "负责人"),
    "margin": ("margin", "margin rate", "gross margin", "毛利率", "利润率"),
    "date": ("date", "day", "visit date", "日期", "拜访日期"),
    "own": ("own units", "own sales", "own", "our units", "我方销量", "本品销量"),
    "total": ("total units", "total sales", "total", "all units", "all brands", "总销量", "全品牌销量"),
}  # fmt: skip
NEGATIVE = ("distance", "距离", "competitor", "竞品", "竞争")  # more of it means less potential
NEUTRAL = ("year", "年", "rank", "latitude", "longitude", "lat", "lon", "zip", "postal", "邮编")


def _words(header: str) -> str:
    """A header as plain words: "Own_Sales (EUR)" -> "own sales"."""
    text = re.sub(r"[\(（\[].*?[\)）\]]", " ", str(header))
    text = re.sub(r"([a-z])([A-Z])", r"\1 \2", text)
    return re.sub(r"[\s_\-./:]+", " ", text).strip().lower()


def role_of(table: TextTable, role: str, taken: Sequence[str] = ()) -> str | None:
    """The column that fits a role best, or None."""
    free = {_words(column): column for column in table.frame.columns if column not in taken}
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
    """ "+" or "-" where more of it should mean more or less potential, "" where neither."""
    words = _words(column)
    if any(word in words for word in NEUTRAL):
        return ""
    return "-" if any(word in words for word in NEGATIVE) else "+"
