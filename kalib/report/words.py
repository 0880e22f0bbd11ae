"""The words of the deliverables in English and Chinese, and numbers as each language reads them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# One entry a phrase: (English, Chinese). Placeholders are filled by `Words.say`.
CATALOGUE: dict[str, tuple[str, str]] = {
    "report_of": ("Key accounts by purchasing potential", "按采购潜力划分重点客户"),
    "summary": ("Executive summary", "管理层摘要"),
    "found": ("What we found", "主要发现"),
    "do": ("What to do", "行动建议"),
    "sure": ("How sure we are", "结论的可靠程度"),
    "top_attack": ("The largest accounts to attack", "首要进攻客户"),
    "quadrant": ("The attack-and-defense matrix", "攻守矩阵"),
    "appendix": ("How we got there", "分析过程"),
    "limits": ("Limits of the study", "研究的局限"),
    "codebook": ("Data and definitions", "数据与定义"),
    "t_below": (
        "Market share is {share}; {below} accounts lie below it beyond noise",
        "市场份额为 {share};{below} 个客户明显低于该水平",
    ),
    "n_method": (
        "Potential is what an account can buy in the category from everyone. It is estimated by "
        "a formula of indicators, learned from accounts whose potential is known.",
        "采购潜力是客户在该品类向所有供应商的采购总额,由已知潜力的客户建立的指标公式估计。",
    ),
    "n_matrix": (
        "Attack: high potential, low share of wallet. Defense: high, high. Maintenance: low, "
        "high. Watch: low, low. Attack and defense are the key accounts.",
        "进攻:潜力高、份额低;防守:两者皆高;维护:潜力低、份额高;观察:两者皆低。进攻与防守为重点客户。",
    ),
    "n_share": (
        "Share of wallet is our sales over the account's potential; market share is total sales "
        "over total potential.",
        "钱包份额为我方销售与客户潜力之比;市场份额为总销售与总潜力之比。",
    ),
    "n_change": (
        "Compared with today's key accounts where the study names them, else with a sales "
        "ranking of the same length.",
        "与现有重点客户名单相比;如无名单,则与同样长度的销售排名相比。",
    ),
    "n_plan": (
        "Hunters seek growth in the attack zone, farmers hold and earn in the defense zone; "
        "people follow from visits per zone over visits per representative.",
        "猎手在进攻区争取增长,农夫在防守区守住份额;人数由各区拜访次数与人均拜访能力得出。",
    ),
    "n_accuracy": (
        "Accuracy is measured on accounts the formula had not seen, with the choice of "
        "indicators and form repeated each time.",
        "准确度以未参与建模的客户衡量,每次均重新选择指标与公式形式。",
    ),
    "contents": ("Contents", "目录"),
    "p_accounts": ("Where to attack first", "首先进攻哪里"),
    "p_change": ("What changes on the key-account list", "重点客户名单的变化"),
    "p_share": ("Whose purchases we do not have", "尚未获得的份额"),
    "p_formula": ("What tells potential", "决定潜力的因素"),
    "p_accuracy": ("How accurate the formula is", "公式的准确度"),
    "p_checks": ("All checks of the formula", "公式的全部检验"),
    "prepared": ("Prepared for {client} by {author}", "呈 {client} · 编制 {author}"),
    "period": ("Period {period}", "期间 {period}"),
    "verdict": ("Verdict on the formula", "公式结论"),
    "usable": ("usable", "可用"),
    "caution": ("usable with caution", "谨慎使用"),
    "unusable": ("not usable", "不可用"),
    "attack": ("attack", "进攻"),
    "defense": ("defense", "防守"),
    "maintenance": ("maintenance", "维护"),
    "watch": ("watch", "观察"),
    "hunter": ("hunters", "猎手"),
    "farmer": ("farmers", "农夫"),
    "n_hunter": ("{n} hunters", " {n} 名猎手"),
    "n_farmer": ("{n} farmers", " {n} 名农夫"),
    "n_hunter_one": ("one hunter", " 1 名猎手"),
    "n_farmer_one": ("one farmer", " 1 名农夫"),
    "accounts": ("accounts", "客户数"),
    "account": ("account", "客户"),
    "name": ("name", "名称"),
    "region": ("region", "区域"),
    "segment": ("segment", "细分"),
    "zone": ("zone", "分区"),
    "team": ("team", "团队"),
    "teams": ("Hunters and farmers", "猎手与农夫"),
    "people": ("people", "人数"),
    "visits": ("visits a year", "年拜访次数"),
    "sales": ("sales", "我方销售"),
    "potential": ("potential", "采购潜力"),
    "range": ("likely range", "可能区间"),
    "sow": ("share of wallet", "钱包份额"),
    "gap": ("sales lost to the gap", "份额缺口"),
    "target_sales": ("target sales", "目标销售"),
    "target_growth": ("growth asked", "目标增长"),
    "change": ("change", "变化"),
    "promoted": ("promoted", "新晋"),
    "demoted": ("demoted", "移出"),
    "kept": ("kept", "保留"),
    "market_share": ("market share", "市场份额"),
    "key_accounts": ("key accounts", "重点客户"),
    "t_missed": ("key accounts a sales ranking misses", "销售排名漏掉的重点客户"),
    "rep": ("rep", "负责人"),
    "flags": ("flags", "标记"),
    "measured": ("measured", "实测"),
    "f_unusable": (
        "The indicators do not say what accounts can buy: no potential, zone or key account is "
        "built on them. {reason}",
        "现有指标不能说明客户的采购潜力,因此不据此推算潜力、分区或重点客户。{reason}",
    ),
    "f_measured_only": (
        "{n} accounts whose potential was measured directly are placed in the matrix; the other "
        "{rest} are not.",
        "直接测得潜力的 {n} 个客户已进入矩阵,其余 {rest} 个未进入。",
    ),
    "f_share": (
        "The accounts can buy {potential} a year; {sales} of it comes to us, a market share of "
        "{share} ({low} to {high}).",
        "客户年采购潜力合计 {potential},其中我方销售 {sales},市场份额 {share}({low} 至 {high})。",
    ),
    "f_ka": (
        "{ka} accounts are key by potential: {attack} to attack and {defense} to defend. They "
        "are {part} of the accounts and hold {held} of all potential.",
        "按潜力有 {ka} 个重点客户:进攻 {attack} 个,防守 {defense} 个;占客户数 {part},占总潜力 {held}。",
    ),
    "f_missed": (
        "A sales ranking of the same length misses {missed} of them, with {missed_potential} of "
        "potential, and calls {wrong} accounts key that can buy {wrong_potential} between them.",
        "同样长度的销售排名会漏掉其中 {missed} 个(潜力 {missed_potential}),并误列 {wrong} 个"
        "合计潜力仅 {wrong_potential} 的客户。",
    ),
    "f_change": (
        "Against today's list, {promoted} accounts become key, {demoted} no longer are and "
        "{kept} stay.",
        "与现有名单相比,新晋 {promoted} 个,移出 {demoted} 个,保留 {kept} 个。",
    ),
    "f_formula": (
        "Potential follows {indicators}, learned from {n} accounts whose potential is known.",
        "潜力由 {indicators} 决定,公式来自 {n} 个已知潜力的客户。",
    ),
    "d_attack": (
        "Put {hunters} on the {attack} attack accounts and ask {growth} more of sales from them, "
        "on their way to the share that comparable accounts give us.",
        "由 {hunters}负责 {attack} 个进攻客户:向同类客户的份额看齐,增加销售 {growth}。",
    ),
    "d_defense": (
        "Put {farmers} on the {defense} defense accounts, which buy {sales} from us: hold "
        "their share and earn profit.",
        "由 {farmers}负责 {defense} 个防守客户(现销售 {sales}):守住份额,争取利润。",
    ),
    "d_defense_growth": (
        "Put {farmers} on the {defense} defense accounts, which buy {sales} from us: hold "
        "their share and add {growth} by careful development.",
        "由 {farmers}负责 {defense} 个防守客户(现销售 {sales}):守住份额,稳步增加 {growth}。",
    ),
    "d_below": (
        "Visit the {below} accounts that lie below market share beyond noise: check display, "
        "promotion and staff.",
        "走访 {below} 个明显低于市场份额的客户:检查陈列、促销与导购。",
    ),
    "d_maintenance": (
        "Keep the {maintenance} maintenance accounts at low cost: loyal, but with little left "
        "to win.",
        "以低成本维护 {maintenance} 个维护区客户:忠诚,但增长空间有限。",
    ),
    "d_unusable": (
        "Survey more accounts, or look for other indicators, before dividing the team.",
        "在重新划分团队之前,应扩大调查样本或寻找其他指标。",
    ),
    "s_accuracy": (
        "On accounts it has not seen, the formula explains {r2} of the differences in potential "
        "and is typically {error} off for one account. In the sample it would have claimed {claimed}.",
        "对未见过的客户,公式可解释潜力差异的 {r2},单个客户的典型误差为 {error};样本内则会显示 {claimed}。",
    ),
    "s_inaccurate": (
        "On accounts it has not seen, the best formula is typically {error} off for one account "
        "and explains {r2} of the differences in potential.",
        "对未见过的客户,最佳公式的单个客户典型误差为 {error},仅解释潜力差异的 {r2}。",
    ),
    "s_verdict": ("The formula is {verdict}. {reasons}", "公式结论:{verdict}。{reasons}"),
    "s_misplaced": (
        "Of the {placed} accounts placed, about {n} are expected to lie in another zone than the "
        "one shown; they hold {potential} of potential.",
        "已定位的 {placed} 个客户中,预计约 {n} 个实际属于其他分区,潜力合计 {potential}。",
    ),
    "s_undecided": (
        "{undecided} accounts are undecided: their best zone is less than 70% likely. Measure "
        "the largest of them before spending on them.",
        "{undecided} 个客户未定(最可能分区的概率低于 70%):投入之前,先实测其中最大的客户。",
    ),
    "s_suspects": (
        "{n} entries look like typing errors and were set aside: {entries}.",
        "{n} 个数据疑为录入错误,已剔除:{entries}。",
    ),
    "s_suspect": (
        "One entry looks like a typing error and was set aside: {entries}.",
        "1 个数据疑为录入错误,已剔除:{entries}。",
    ),
    "s_bias": (
        "The survey leans toward our own customers; it was weighted, and its {n} answers count "
        "for {effective}.",
        "调查样本偏向我方客户,已加权;{n} 份回答相当于 {effective} 份。",
    ),
    "l_font": (
        "This machine has no Chinese font, so the charts show boxes for Chinese characters: "
        "install one, such as Noto Sans CJK SC, and run again.",
        "本机没有中文字体,图中汉字显示为方框:请安装中文字体(如 Noto Sans CJK SC)后重新运行。",
    ),
    "s_filled": (
        "{n} accounts lacked an indicator of the formula; it was estimated, and their intervals "
        "are wider.",
        "{n} 个客户缺少公式所需指标,已估算,其区间相应放宽。",
    ),
    "s_outside": (
        "{n} accounts lie outside the surveyed range of an indicator; their potential is "
        "extrapolated.",
        "{n} 个客户的指标超出调查范围,其潜力为外推值。",
    ),
    "s_evidence": (
        "Own sales sharpened the estimate where an account buys from us.",
        "对已购买的客户,我方销售数据用于修正潜力估计。",
    ),
    "s_visits": (
        "Potential was measured in {n} accounts by daily visits; {odd} days were not believed.",
        "通过每日走访测得 {n} 个客户的潜力;{odd} 条日记录不可信。",
    ),
}  # fmt: skip
UNITS = {
    "en": ((1e9, " bn"), (1e6, " M"), (1e3, " k")),
    "zh": ((1e8, "亿"), (1e4, "万")),
}
SCALES = {"thousand": 1e3, "million": 1e6}  # units a currency may begin with
MISSING = "–"


@dataclass(frozen=True)
class Words:
    """Phrases and numbers in one language ("en" | "zh"), amounts in one currency."""

    language: str
    currency: str

    def say(self, key: str, **values: object) -> str:
        """The phrase of a key, its placeholders filled. Raises KeyError for an unknown key."""
        return CATALOGUE[key][1 if self.language == "zh" else 0].format(**values)

    def people(self, team: str, n: int) -> str:
        """So many hunters or farmers."""
        return self.say(f"n_{team}_one" if n == 1 else f"n_{team}", n=n)

    def money(self, value: float) -> str:
        """An amount to three digits with its currency: 1.23 M EUR; "thousand GBP" is scaled."""
        for word, size in SCALES.items():
            if self.currency.lower().startswith(word + " "):
                return f"{self.short(value * size)} {self.currency[len(word) + 1 :]}"
        return f"{self.short(value)} {self.currency}".strip()

    def short(self, value: float) -> str:
        """A number to three digits: 1.23 M, 340 k, in Chinese 123万."""
        if value is None or not np.isfinite(value):
            return MISSING
        for size, mark in UNITS[self.language]:
            if abs(value) >= 0.9995 * size:
                return f"{_three_digits(value / size)}{mark}"
        return _three_digits(value)

    def whole(self, value: float) -> str:
        """A whole number with separators: 12,345."""
        return MISSING if value is None or not np.isfinite(value) else f"{value:,.0f}"

    def percent(self, value: float, digits: int = 0) -> str:
        """A fraction as a percentage: 28%."""
        if value is None or not np.isfinite(value):
            return MISSING
        return f"{100 * value:,.{digits}f}%"


def _three_digits(value: float) -> str:
    """Three significant digits without an exponent; whole numbers stay whole."""
    size = abs(value)
    if size >= 99.95 or value == round(value):
        return f"{value:,.0f}"
    return f"{value:,.1f}" if size >= 9.995 else f"{value:,.2f}"
