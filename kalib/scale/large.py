"""A study whose tables exceed memory: its formula from sums over all surveyed accounts.

What needs rows (the form, typing errors, encodings, the distribution of errors, all checks and the
verdict) comes from a random sample of the accounts, through the same steps as any study. Which
indicators enter, the coefficients, their errors, R² in and out of sample and the smearing factor
come from all surveyed accounts, by sums that the engine computes.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kalib.analysis import SEED, Judged, judge_study
from kalib.errors import StudyError
from kalib.files import report_folder
from kalib.formula.formula import Formula, Term
from kalib.formula.subsets.frontier import Space
from kalib.formula.subsets.search import best_by_criterion
from kalib.formula.working import ACCOUNTS_PER_INDICATOR, Rules, column_signs
from kalib.indicators import typos
from kalib.indicators.screening import Design, build_design
from kalib.indicators.terms import LEAST_LOGGED
from kalib.runs.outputs import formula_record, write_json
from kalib.runs.provenance import Options, inputs_of, provenance
from kalib.scale.columns import Asked, ids_of, typed
from kalib.scale.expression import encoded, with_potential
from kalib.scale.recipe import Recipe
from kalib.scale.sources import MEMORY, Source, beside, fetched, open_source
from kalib.scale.sums import FOLDS, Sums, fit_sums, sum_columns
from kalib.study.loading import read_study
from kalib.study.settings import Study

SAMPLE = 4000  # surveyed accounts, and as many others, that are read as rows


@dataclass(frozen=True)
class LargeFit:
    """A formula fitted where its tables lie.

    surveyed: accounts with a potential; used: those in the fit; sample: surveyed accounts read as
    rows; r2, r2_folds: of the working scale, the second out of sample, selection repeated in each
    fold; verdict: on the sample; sampled: the indicators that a run on the sample alone chooses.
    """

    formula: Formula
    surveyed: int
    used: int
    sample: int
    r2: float
    r2_folds: float
    verdict: str
    sampled: tuple[str, ...]


def fit_large(
    study_file: Path | str, out: Path, *, memory: str = MEMORY, sample: int = SAMPLE,
    settings: Mapping[str, str] | None = None, force: bool = False,
) -> LargeFit:  # fmt: skip
    """Fit a study's formula on tables of any size, Parquet or CSV with numbers in plain notation;
    out is then a run, of formula.json, verdict.json and run.json, that `score_table` applies.

    Accounts whose potential is a typing error's distance from the sample's formula are set aside,
    and where own sales decided who was surveyed, the sample's weights against it are carried over
    to all surveyed accounts; rows with a gap in an indicator are left out. The indicators are
    chosen by BIC, whatever the study's criterion. A table that the sample holds whole is fitted as
    `kalib run` fits it: the formula is the same.
    """
    settings = dict(settings or {})
    study = read_study(study_file, settings)
    if study.data.visits or study.data.sales:
        said = "visits, and sales in a table of their own, are not read at this size"
        remedy = "Give a survey, and sales among the accounts; or use kalib run"
        raise StudyError(said, study.file.name, remedy=remedy)
    with open_source(str(study.folder / study.data.accounts), "duckdb", memory) as source:
        survey = _survey(source, study)
        analysis = _sampled(source, survey, study, settings, sample)
        found, record = _fitted(source, survey, analysis, study)
    inputs, judged = inputs_of(study, Options(settings)), analysis.verdict
    kind = "none" if judged.verdict == "unusable" else "formula"  # own sales are not heard
    basis = {"basis": kind, "verdict": judged.verdict, "reasons": judged.reasons}
    with report_folder(out, force=force) as work:
        write_json(record, work / "formula.json")
        write_json({**analysis.verdict.to_json(), "estimate": basis}, work / "verdict.json")
        write_json(provenance(inputs, None, SEED, {}), work / "run.json")
    return found


def _fitted(
    source: Source, survey: Any, analysis: Judged, study: Study
) -> tuple[LargeFit, dict[str, Any]]:
    """The fit on all surveyed accounts, and the content of its formula.json."""
    surveyed = analysis.screening.values.index.isin(analysis.potential.frame.index)
    logged = analysis.fit.formula.form == "log-log"
    design = build_design(analysis.screening, surveyed, logged=logged)
    textual = dict.fromkeys(c.indicator for c in design.columns if c.transform == "level")
    numeric = tuple(name for name in design.indicators if name not in textual)
    names = study.columns
    asked = Asked(names.account, study.data, names.sales, numeric=numeric, textual=tuple(textual))
    table, accounts = typed(source, asked)
    table = table.select(*asked.numbers, *textual, "kalib_id").inner_join(survey, "kalib_id")
    seen: dict[str, Any] = {}
    if accounts == len(analysis.screening.values):
        found = _as_run(analysis)
    else:
        joined = table.rename(kalib_observed="kalib_potential")
        with joined.cache() as rows:  # on disk where it must be
            found = _fit_rows(rows, analysis, design)
            for n in (name for name in found.formula.indicators if name in numeric):
                seen[n] = fetched(rows.aggregate(low=rows[n].min(), high=rows[n].max()))[0]
    record = formula_record(replace(analysis.fit, formula=found.formula), analysis.screening, study)
    return found, {
        **record,
        "surveyed": {**record["surveyed"], **seen},
        "rows": {"surveyed": found.surveyed, "used": found.used, "sample": found.sample},
        "r2_folds": found.r2_folds,
    }


def _survey(source: Source, study: Study) -> Any:
    """kalib_id and kalib_potential of the surveyed accounts, as an ibis table."""
    column = study.columns.potential or ""
    path = study.folder / study.data.survey if study.data.survey else None
    held = beside(source, path) if path else source
    ids = (study.columns.survey_account if path else "") or study.columns.account
    table, _ = typed(held, Asked(ids, study.data, potential=column))
    table = table.select("kalib_id", kalib_potential=table[column])
    return table.filter(table.kalib_potential.notnull())


def _sampled(
    source: Source, survey: Any, study: Study, settings: Mapping[str, str], size: int
) -> Judged:
    """The study of a random sample: some surveyed accounts and as many others."""
    names_of, table = study.columns, source.table
    table = table.mutate(kalib_id=ids_of(table, Asked(names_of.account, study.data)))
    order = table.kalib_id.hash()  # of the id: as good as random, and the same in every run
    asked = table.semi_join(survey, "kalib_id").order_by(order).limit(size)
    others = table.anti_join(survey, "kalib_id").order_by(order).limit(size)
    with tempfile.TemporaryDirectory(prefix="kalib-") as place:
        folder = Path(place)
        frame = asked.union(others).drop("kalib_id").to_pandas()
        if not len(frame):
            raise StudyError("no account was surveyed", file=source.name)
        frame.to_parquet(folder / "accounts.parquet", index=False)
        names = {**settings, "data.accounts": '"accounts.parquet"'}
        if study.data.survey:
            part = survey.semi_join(asked, "kalib_id").to_pandas()
            part.columns = [names_of.survey_account or names_of.account, names_of.potential]
            part.to_parquet(folder / "survey.parquet", index=False)
            names["data.survey"] = '"survey.parquet"'
        shutil.copy(study.file, folder / "study.toml")
        return judge_study(read_study(folder, names))


def _as_run(analysis: Judged) -> LargeFit:
    fit, judged = analysis.fit, analysis.verdict
    return LargeFit(formula=fit.formula, surveyed=len(fit.oof), used=fit.formula.n,
                    sample=len(fit.oof), r2=fit.r2, r2_folds=judged.r2_predicted,
                    verdict=judged.verdict, sampled=fit.formula.indicators)  # fmt: skip


def _fit_rows(rows: Any, analysis: Judged, design: Design) -> LargeFit:
    study, sampled = analysis.study, analysis.fit
    form = sampled.formula.form
    # 0 where the potential is not believed, else 1, or what makes the surveyed accounts stand for
    # those that were not.
    rows = _fitted_line(rows, sampled.formula, analysis)
    kept = _believed(rows, analysis).cast("int8").cast("float64")
    rows = rows.mutate(kalib_weight=kept * _survey_weight(rows, analysis))
    observed, weight = rows.kalib_observed, rows.kalib_weight
    response = observed if form == "linear" else observed.ln()
    block = rows.kalib_id.hash()
    encodings = {column.name: encoded(rows, column) for column in design.columns}
    rules = Rules(study.indicators.signs, study.indicators.required, study.indicators.max)
    sums = sum_columns(rows, {**encodings, "potential": response}, weight, block)
    groups = _chosen(sums.gram(), sums.n, design, rules)
    columns = [design.columns[j] for g in np.flatnonzero(groups) for j in design.groups[g]]
    # Rows that have a gap only in what was not chosen count in the fit.
    kept = {column.name: encodings[column.name] for column in columns}
    final = sum_columns(rows, {**kept, "potential": response}, weight, block)
    fit = fit_sums(final)
    from scipy.stats import norm

    # Of t with many thousand degrees.
    reach = norm.ppf((1 + study.formula.confidence) / 2) * fit.std_error
    ends = fit.coef - reach, fit.coef + reach
    stable = [np.nan, *(float(sampled.stability.get(c.indicator, np.nan)) for c in columns)]
    figures = np.column_stack([fit.coef, fit.std_error, fit.p_value, *ends, stable])[1:].tolist()
    terms = tuple(Term(column, *row) for column, row in zip(columns, figures, strict=True))
    intercept = float(fit.coef[0])
    formula = replace(sampled.formula, intercept=intercept, terms=terms, sigma=fit.sigma, n=fit.n)
    if form != "linear":
        formula = _smeared(rows, formula, analysis)
    surveyed = fetched(rows.aggregate(n=rows.count()))[0]["n"]
    return replace(_as_run(analysis), formula=formula, surveyed=surveyed, used=final.n,
                   r2=fit.r2, r2_folds=_r2_folds(sums, design, rules))  # fmt: skip


def _chosen(gram: np.ndarray, n: int, design: Design, rules: Rules) -> np.ndarray:
    """The best groups (G,) bool by BIC, from cross products."""
    signs, required = column_signs(design, rules), design.groups_of(rules.required)
    most = max(1, len(required), min(rules.most, n // ACCOUNTS_PER_INDICATOR))
    space = Space(design.groups, required, most, signs if signs.any() else None)
    return best_by_criterion(gram, float(n), space).chosen[0]


def _r2_folds(sums: Sums, design: Design, rules: Rules) -> float:
    """R² of the working scale on held-out folds, the selection repeated without each of them."""
    missed = 0.0
    for fold in range(FOLDS):
        gram = sums.gram(leave_out=fold)
        groups = _chosen(gram, max(int(sums.n * (FOLDS - 1) / FOLDS), 2), design, rules)
        used = [j for g in np.flatnonzero(groups) for j in design.groups[g]]
        coef = np.linalg.solve(gram[np.ix_(used, used)], gram[used, -1])
        miss = np.append(-coef, 1.0)
        place = [*used, len(gram) - 1]
        missed += float(miss @ sums.held_out(fold)[np.ix_(place, place)] @ miss)
    return 1 - missed / float(sums.gram()[-1, -1])


def _smeared(rows: Any, formula: Formula, analysis: Judged) -> Formula:
    """The formula with Duan's factor over all believed accounts; levels keep their ratio to it."""
    both = _fitted_line(rows.filter(rows.kalib_weight > 0), formula, analysis)
    left, weight = (both.kalib_observed.ln() - both.kalib_line).exp(), both.kalib_weight
    factor = fetched(both.aggregate(mean=(left * weight).sum() / weight.sum()))[0]["mean"]
    if spread := formula.spread:
        own = {level: value * factor / formula.smearing for level, value in spread.smearing.items()}
        spread = replace(spread, smearing=own)
    return replace(formula, smearing=factor, spread=spread)


def _fitted_line(rows: Any, formula: Formula, analysis: Judged) -> Any:
    """Rows with the fitted value kalib_line and the expected kalib_potential of a formula."""
    fit, study = replace(analysis.fit, formula=formula), analysis.study
    record = formula_record(fit, analysis.screening, study)
    recipe = Recipe.model_validate({**record, "study": study.model_dump(mode="json")})
    return with_potential(rows, recipe)


def _believed(rows: Any, analysis: Judged) -> Any:
    """Whether the potential is not off like a typing error, by the sample's spread."""
    import ibis

    oof = analysis.fit.oof
    shift = np.log(oof["observed"] / np.maximum(oof["predicted"], LEAST_LOGGED)).to_numpy()
    spread = typos.robust_scale(shift - np.median(shift))
    off = (rows.kalib_observed / rows.kalib_potential).ln() - float(np.median(shift))
    size, reach = off.abs(), typos.factor_reach(spread)
    like_typing = ibis.or_(*((size - float(np.log(f))).abs() < reach for f in typos.FACTORS))
    wrong = (size > max(typos.SUSPECT_Z * spread, typos.LEAST_SHIFT)) & like_typing
    return ~wrong.fill_null(False)


def _survey_weight(rows: Any, analysis: Judged) -> Any:
    """The sample's weights against a survey that own sales decided, for all surveyed accounts.

    `survey_bias` makes them inverse odds: their logarithm is linear in the logged design, in
    whether an account buys and in its logged sales, so that those not cut give back the line.
    """
    import ibis

    bias, screening = analysis.fit.bias, analysis.screening
    if not bias.biased:
        return 1.0
    surveyed = screening.values.index.isin(analysis.potential.frame.index)
    design = build_design(screening, surveyed, logged=True)
    accounts = screening.values.index[surveyed]
    sold = analysis.tables.accounts["sales"].reindex(accounts).to_numpy(float)
    buys = sold > 0
    size = np.log(np.where(buys, sold, 1.0))
    line = np.column_stack([np.ones(len(sold)), design.matrix[surveyed], buys, size, size**2])
    most = float(bias.weights.max())
    inner = bias.weights < most * (1 - 1e-9)
    coef = np.linalg.lstsq(line[inner], np.log(bias.weights[inner]))[0].tolist()
    sales = rows[analysis.study.columns.sales].fill_null(0.0)
    known = sales > 0
    logged = known.ifelse(sales, 1.0).ln()
    columns = [encoded(rows, column) for column in design.columns]
    columns += [known.cast("int8").cast("float64"), logged, logged * logged]
    total = ibis.literal(1).cast("float64") * coef[0]
    for slope, column in zip(coef[1:], columns, strict=True):
        total = total + slope * column
    weight = total.exp()
    return (weight > most).ifelse(most, weight).fill_null(1.0)
