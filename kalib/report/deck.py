"""deck.pptx: the findings as slides with native charts and tables, editable in PowerPoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kalib.analysis import Analysis
from kalib.plots.theme import ZONE_COLORS
from kalib.report import exhibits, rosters
from kalib.report.charts import (
    POINTS,
    add_points,
    draw_line,
    make_logarithmic,
    mark_points,
    name_axes,
    spread_out,
    style_columns,
)  # fmt: skip
from kalib.report.exhibit import Exhibit
from kalib.report.findings import Findings
from kalib.report.slides import Slides
from kalib.study.settings import ZONES
from kalib.words.catalogue import Words

ROWS = 10  # rows of a table on a slide
FEW_TERMS = 5  # terms of a formula that leave room for a chart below them
SOW_SHOWN = 1.15  # a share of wallet above is drawn here
MARKERS = {"attack": "TRIANGLE", "defense": "SQUARE", "maintenance": "CIRCLE", "watch": "X"}


def write_deck(analysis: Analysis, findings: Findings, path: Path) -> None:
    """Write the slides; titles are the findings, notes tell the method."""
    slides, words, study = Slides(analysis.study), Words.of(analysis.study), analysis.study
    prepared = words.say("prepared", client=study.report.client, author=study.report.author)
    verdict = f"{words.say('verdict')}: {words.say(analysis.verdict.verdict)}"
    slides.cover(study.title, [prepared, words.say("period", period=study.period), verdict],
                 words.say("n_method"))  # fmt: skip
    said = {key: words.say(key) for key in ("n_method", "n_accuracy", "n_plan")}
    planned = bool(findings.figures["ka_new"])
    slides.bullets(_headline(findings, words), findings.found, said["n_method"])
    if planned:
        _plan_slides(slides, analysis, findings, words)
    _accuracy_slide(slides, analysis, words)
    if not planned:
        _doubt_slides(slides, analysis, words)
    if analysis.fit.formula.terms:
        _formula_slide(slides, analysis, words)
    error = words.percent(findings.figures["error_median"])
    state = words.say("t_sure", verdict=words.say(analysis.verdict.verdict), error=error)
    slides.bullets(state, findings.sure, said["n_accuracy"])
    title = words.say("do") if not planned else words.say("t_do", **_asked(findings, words))
    slide = slides.bullets(title, findings.do, said["n_plan"], 0.6 if planned else 1.0)
    if planned:
        slides.table(slide, rosters.teams(analysis), 0.68)
    slides.save(path)


def _headline(findings: Findings, words: Words) -> str:
    figures = findings.figures
    if not figures["ka_new"] or figures["basis"] == "none":
        return words.say("t_unusable" if figures["basis"] == "none" else "found")
    return words.say(
        "t_found", ka=words.whole(figures["ka_new"]), missed=words.whole(figures["missed_by_sales"])
    )


def _asked(findings: Findings, words: Words) -> dict[str, str]:
    figures = findings.figures
    return {
        "hunters": words.people("hunter", figures["hunters"]).strip(),
        "farmers": words.people("farmer", figures["farmers"]).strip(),
        "growth": words.money(figures["target_growth"]),
    }


def _plan_slides(slides: Slides, analysis: Analysis, findings: Findings, words: Words) -> None:
    matrix, figures = analysis.matrix, findings.figures
    key = next((s for s in findings.found if words.whole(figures["ka_new"]) in s), "")
    _matrix_slide(slides, key, analysis, words)
    _zones_slide(slides, analysis, figures, words)
    attack = matrix.accounts[matrix.accounts["zone"] == "attack"].nlargest(ROWS, "potential")
    if len(attack):
        title = words.say("t_top", n=len(attack), potential=words.money(attack["potential"].sum()),
                          sales=words.money(attack["sales"].sum()))  # fmt: skip
        slide = slides.titled(title, words.say("n_plan"))
        slides.table(slide, rosters.top_attack(analysis, ROWS))
    sow = matrix.accounts["sow"].dropna().clip(upper=1.0)
    counts, _ = np.histogram(sow, bins=np.linspace(0, 1, 11))
    below, share = words.whole(figures["below_market"]), words.percent(matrix.market_share)
    labels = [f"{10 * k}–{10 * k + 10}%" for k in range(10)]
    _columns(slides, words.say("t_below", share=share, below=below), labels,
             {words.say("accounts"): counts.tolist()}, words.say("n_share"),
             (words.say("sow"), words.tell("accounts (count)")))  # fmt: skip
    names = ("kept", "promoted", "demoted")
    change = matrix.accounts.groupby("change")["potential"].sum()
    sizes = [words.whole(figures[name]) for name in names]
    shown = [f"{words.say(name)} ({n})" for name, n in zip(names, sizes, strict=True)]
    moves = {name: figures[name] for name in ("promoted", "demoted")}
    _columns(slides, words.say("c_change", **moves), shown,
             {words.say("potential"): [float(change.get(name, 0.0)) for name in names]},
             words.say("n_change"), ("", words.tell(f"potential ({words.yearly()})")))  # fmt: skip
    missed = rosters.missed(analysis, ROWS)
    if len(missed.frame) and figures["accounts_placed"] == figures["accounts"]:
        title = words.say("t_missing", missed=words.whole(figures["missed_by_sales"]),
                          potential=words.money(figures["missed_by_sales_potential"]))  # fmt: skip
        slides.table(slides.titled(title, words.say("n_change")), missed)


def _matrix_slide(slides: Slides, title: str, analysis: Analysis, words: Words) -> None:
    from pptx.chart.data import XyChartData
    from pptx.enum.chart import XL_CHART_TYPE

    data, accounts, counts = XyChartData(), analysis.matrix.accounts, analysis.matrix.counts
    # The longest series first: LibreOffice loses those that a longer one follows.
    order = sorted(ZONES, key=lambda zone: -min(counts[zone], POINTS))
    for zone in order:
        part = accounts[accounts["zone"] == zone].sort_values("potential")
        part = part.iloc[spread_out(len(part))]
        add_points(data, f"{words.say(zone)}: {counts[zone]:,}", part["potential"],
                    part["sow"].clip(upper=SOW_SHOWN))  # fmt: skip
    cuts = analysis.matrix.potential_cut, analysis.matrix.sow_cut
    low, high = accounts["potential"].min(), accounts["potential"].max()
    ends = 10 ** np.floor(np.log10(max(low, 1e-6))), 10 ** np.ceil(np.log10(max(high, 1e-5)))
    add_points(data, words.tell("cuts"), [ends[0], cuts[0], cuts[0], cuts[0], ends[1]],
                [cuts[1], cuts[1], 0.0, SOW_SHOWN, SOW_SHOWN])  # fmt: skip
    chart = slides.chart(
        slides.titled(title, words.say("n_matrix")), XL_CHART_TYPE.XY_SCATTER, data
    )
    series = list(chart.plots[0].series)
    for zone, points in zip(order, series, strict=False):
        mark_points(points, MARKERS[zone], ZONE_COLORS[zone])
    draw_line(series[-1])
    name_axes(chart, words.tell(f"potential ({words.yearly()})"), words.say("sow"))
    chart.value_axis.tick_labels.number_format = "0%"
    make_logarithmic(chart.category_axis, accounts["potential"].dropna())
    chart.value_axis.minimum_scale = 0
    top = float(accounts["sow"].clip(upper=SOW_SHOWN).max())
    chart.value_axis.maximum_scale = min(np.ceil(max(top, 0.1) * 11) / 10, SOW_SHOWN + 0.05)


def _zones_slide(
    slides: Slides, analysis: Analysis, figures: Mapping[str, Any], words: Words
) -> None:
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE

    accounts = analysis.plan.accounts
    sums = accounts.groupby("zone")[["potential", "sales"]].sum().reindex(ZONES).fillna(0.0)
    held = words.percent(figures["ka_potential"] / figures["total_potential"])
    title = words.say("t_zones", held=held)
    if sums.at["attack", "potential"]:
        share = words.percent(sums.at["attack", "sales"] / sums.at["attack", "potential"])
        title = words.say("t_zones_attack", held=held, share=share)
    data = CategoryChartData(number_format="#,##0")
    data.categories = [words.say(zone) for zone in ZONES]
    for column in ("potential", "sales"):
        data.add_series(words.say(column), sums[column].tolist())
    slide = slides.titled(title, words.say("n_matrix"))
    chart = slides.chart(slide, XL_CHART_TYPE.COLUMN_CLUSTERED, data)
    style_columns(chart, words)
    name_axes(chart, "", words.yearly())


def _accuracy_slide(slides: Slides, analysis: Analysis, words: Words) -> None:
    from pptx.chart.data import XyChartData
    from pptx.enum.chart import XL_CHART_TYPE

    fit = analysis.fit
    known = fit.oof[~fit.oof["suspect"]].sort_values("observed")
    known = known.iloc[spread_out(len(known))]
    data = XyChartData()
    add_points(data, words.tell("account"), known["predicted"], known["observed"])
    ends = [float(known[["observed", "predicted"]].to_numpy().min()),
            float(known[["observed", "predicted"]].to_numpy().max())]  # fmt: skip
    add_points(data, words.tell("observed = predicted"), ends, ends)
    off = words.percent(fit.error_median)
    title = words.tell(f"Half of all estimates are within {off} of the truth")
    slide = slides.titled(title, words.say("n_accuracy"))
    chart = slides.chart(slide, XL_CHART_TYPE.XY_SCATTER, data)
    points, line = chart.plots[0].series
    mark_points(points, "CIRCLE", None)
    draw_line(line)
    unit = words.tell(f"({words.yearly()}, log scale)")
    name_axes(chart, words.tell(f"predicted by a formula that has not seen the account {unit}"),
          words.tell(f"observed potential {unit}"))  # fmt: skip
    for axis in (chart.category_axis, chart.value_axis):
        make_logarithmic(axis, pd.Series(ends))


def _doubt_slides(slides: Slides, analysis: Analysis, words: Words) -> None:
    """Where nothing is placed: how often each indicator is chosen, and what the checks say."""
    often = analysis.fit.stability.sort_values(ascending=False)[:12]
    names = [str(name) for name in often.index]
    title = words.tell("No indicator is chosen with any constancy")
    if (often >= 0.5).any():
        title = words.say("t_stable", n=int((often >= 0.5).sum()), all=len(often))
    label = words.tell("chosen in this share of half samples")
    _columns(slides, title, names, {label: often.tolist()}, words.say("n_accuracy"), ("", label),
             "0%")  # fmt: skip
    table = exhibits.checks(analysis)
    first = table.frame.iloc[[not check.passed for check in analysis.verdict.checks]]
    slide = slides.titled(words.say("t_checks", n=len(first)), words.say("n_accuracy"))
    columns = [table.frame.columns[j] for j in (0, 1, 3, 5)]
    slides.table(slide, Exhibit(table.title, first[columns].head(ROWS), tuple(columns[1:3])))


def _formula_slide(slides: Slides, analysis: Analysis, words: Words) -> None:
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE

    terms = exhibits.terms(analysis)
    kept = [terms.frame.columns[j] for j in (0, 1, 4, 5)]
    title = words.say("p_formula")
    if analysis.fit.formula.indicators and analysis.verdict.verdict != "unusable":
        names = ", ".join(analysis.fit.formula.indicators)
        title = words.say("t_formula", indicators=names)
    slide = slides.titled(title, analysis.fit.formula.text)
    slides.table(slide, Exhibit(terms.title, terms.frame[kept].head(ROWS), tuple(kept[1:3])))
    gain = analysis.fit.contributions["gain"]
    if 0 < len(terms.frame) <= FEW_TERMS:
        data = CategoryChartData(number_format="0.0%")
        data.categories = [str(name) for name in gain.index]
        label = words.tell("explained variance lost without it (percentage points)")
        data.add_series(label, gain.tolist())
        chart = slides.chart(slide, XL_CHART_TYPE.COLUMN_CLUSTERED, data, 0.5)
        style_columns(chart, words, "0.0%")
        name_axes(chart, "", label)


def _columns(
    slides: Slides, title: str, labels: Sequence[str], series: Mapping[str, Sequence[float]],
    notes: str, axes: tuple[str, str], number: str = "",
) -> None:  # fmt: skip
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE

    data = CategoryChartData(number_format=number or "#,##0")
    data.categories = list(labels)
    for name, values in series.items():
        data.add_series(name, values)
    chart = slides.chart(slides.titled(title, notes), XL_CHART_TYPE.COLUMN_CLUSTERED, data)
    style_columns(chart, Words.of(slides.study), number)
    name_axes(chart, *axes)
