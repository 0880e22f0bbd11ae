"""Scoring in the engine against the formula in Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from generators.simulate import Simulated, simulate_world, write_study
from kalib.analysis import Analysis, analyze
from kalib.errors import StudyError
from kalib.matrix.matrix import place_accounts, potential_cut
from kalib.report.story import tell_story
from kalib.runs.outputs import write_outputs
from kalib.runs.provenance import Options, inputs_of
from kalib.scale.expression import OUTPUT, USUAL
from kalib.scale.recipe import CDF_ERROR
from kalib.scale.score import Scoring, export_formula, score_table
from kalib.scale.sources import _with_enums
from kalib.study.settings import ZONES


def finished(analysis: Analysis, folder: Path) -> Path:
    write_outputs(
        analysis, tell_story(analysis).figures, inputs_of(analysis.study, Options()), folder
    )
    return folder


@pytest.fixture(scope="module")
def levels(tmp_path_factory) -> Analysis:
    """A study whose errors scatter by the levels of a text indicator."""
    folder = tmp_path_factory.mktemp("levels")
    write_study(simulate_world("spread", 1), folder)
    analysis = analyze(folder)
    assert analysis.fit.formula.spread and analysis.fit.formula.spread.indicator == "format"
    return analysis


@pytest.fixture(scope="module", params=["stores", "phones", "universities", "levels"])
def case(request, tmp_path_factory) -> tuple[Analysis, Path, pd.DataFrame]:
    """A study, its finished run, and a complete table in the client's columns."""
    analysis = request.getfixturevalue(request.param)
    return analysis, finished(analysis, tmp_path_factory.mktemp("run")), table_of(analysis)


def table_of(analysis: Analysis) -> pd.DataFrame:
    columns = analysis.study.columns
    table = analysis.screening.values.copy()
    table.insert(0, columns.sales, analysis.tables.accounts["sales"])
    table.insert(0, columns.account, table.index)
    return table


@pytest.mark.parametrize("kind", ["parquet", "csv", "folder"])
def test_engine_gives_the_same_number_and_zone(case, kind: str, tmp_path: Path) -> None:
    analysis, run, table = case
    source = tmp_path / f"accounts.{kind}"
    if kind == "csv":
        table.to_csv(source, index=False)
    elif kind == "parquet":
        table.to_parquet(source, index=False)
    else:
        source.mkdir()
        table.iloc[:30].to_parquet(source / "a.parquet", index=False)
        table.iloc[30:].to_parquet(source / "b.parquet", index=False)
    scored = score_table(run, source, tmp_path / "scored.parquet")
    found = pd.read_parquet(tmp_path / "scored.parquet").set_index("account")
    expected = analysis.fit.formula.potential(analysis.screening.values)
    assert scored.rows == len(found) == len(expected)
    found = found.reindex(expected.index) if kind != "csv" else found.set_index(expected.index)
    np.testing.assert_allclose(found["potential"], expected, rtol=1e-9)
    cut = potential_cut(expected.to_numpy(), analysis.study.matrix.potential_cut)
    sales = analysis.tables.accounts["sales"]
    share = sales.sum() / expected.sum()
    assert scored.potential_cut == pytest.approx(cut, rel=1e-12)
    assert scored.sow_cut == pytest.approx(share, rel=1e-12)
    assert found["key_account"].sum() == (expected >= cut).sum()
    key = found["zone"].isin(["attack", "defense"])
    assert (found["key_account"] == key).all()
    assert ((found["team"] == "hunter") == (found["zone"] == "attack")).all()
    if not analysis.fit.formula.spread:  # the larger the potential, the likelier it is high
        assert (key == (expected >= cut)).all()


def test_interval_is_close_to_that_of_the_run(case, tmp_path: Path) -> None:
    analysis, run, table = case
    table.to_parquet(tmp_path / "a.parquet", index=False)
    score_table(run, tmp_path / "a.parquet", tmp_path / "s.parquet")
    found = pd.read_parquet(tmp_path / "s.parquet").set_index("account")
    fit = analysis.fit
    quantiles = fit.predictive.potential(fit.working, fit.spread).table
    low = pd.Series(quantiles[:, 3], index=analysis.screening.values.index)
    assert (found["potential_low"].reindex(low.index) / low).median() == pytest.approx(1, abs=0.1)
    assert (found["potential_low"] <= found["potential_high"]).all()


def test_closed_form_equals_the_run_s_own_distribution(case, tmp_path: Path) -> None:
    analysis, run, table = case
    table.to_parquet(tmp_path / "a.parquet", index=False)
    scored = score_table(
        run, tmp_path / "a.parquet", tmp_path / "s.parquet", Scoring(columns=OUTPUT)
    )
    found = pd.read_parquet(tmp_path / "s.parquet").set_index("account").reindex(table.index)
    fit, columns = analysis.fit, [f"p_{zone}" for zone in ZONES]
    spread, values = fit.formula.spread, analysis.screening.values
    scale = fit.predictive.scale(fit.working) * (spread.ratios(values) if spread else 1)
    quantiles = fit.predictive.potential(fit.working, scale).table
    share = np.where(found["sales"] > 0, found["sales"], np.nan) / scored.sow_cut
    cut = scored.potential_cut
    for row in range(0, len(found), 7):
        place = np.clip(64 * np.linspace(0, 1, 20_001) - 0.5, 0, 63)  # as `Distribution.draws`
        drawn = np.interp(place, np.arange(64), quantiles[row])
        high, loyal = drawn >= cut, drawn <= np.nan_to_num(share[row])
        parts = [high & ~loyal, high & loyal, ~high & loyal, ~high & ~loyal]
        expected = [part.mean() for part in parts]
        np.testing.assert_allclose(found[columns].iloc[row], expected, atol=2 * CDF_ERROR + 1e-4)
    np.testing.assert_allclose(found[columns].sum(axis=1), 1, atol=1e-6)
    chance = found[columns].assign(
        potential=found["potential"], sow=found["sow"],
        top_probability=found["p_attack"].astype(float) + found["p_defense"],
    )  # fmt: skip
    zones = place_accounts(chance, analysis.study.matrix.potential_cut, scored.sow_cut)
    # Seven digits of a probability leave a handful of ties open.
    assert (found["zone"] != zones).sum() <= 2
    own = [found.at[a, f"p_{z}"] for a, z in found["zone"].items()]
    np.testing.assert_allclose(found["zone_probability"], own)
    assert (found["key_account"] == found["zone"].isin(["attack", "defense"])).all()


def test_scores_equal_the_exported_sql(case, tmp_path: Path) -> None:
    import duckdb

    _, run, table = case
    table.to_parquet(tmp_path / "a.parquet", index=False)
    score_table(run, tmp_path / "a.parquet", tmp_path / "s.parquet", Scoring(cuts="run"))
    found = pd.read_parquet(tmp_path / "s.parquet").set_index("account").sort_index()
    with duckdb.connect() as connection:
        connection.register("accounts", table)
        expected = connection.execute(export_formula(run, "duckdb")).df().set_index("account")
    expected = expected.sort_index()
    for names, digits in (["potential", "sow"], 1e-9), (["potential_low", "potential_high"], 1e-7):
        np.testing.assert_allclose(found[names], expected[names], rtol=digits)
    assert (found["zone"] == expected["zone"]).all()


def test_levels_that_few_or_none_were_surveyed_of_are_less_sure_and_say_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    level = rng.choice(30, 1200, p=1 / np.arange(1, 31) / (1 / np.arange(1, 31)).sum())
    size, ids = np.exp(3 + 0.6 * rng.standard_normal(1200)), [f"{i:04d}" for i in range(1200)]
    log = 6 + 0.6 * np.log(size) + rng.normal(0, 0.8, 30)[level] + 0.3 * rng.standard_normal(1200)
    truth = pd.DataFrame({"account": ids, "potential": np.exp(log), "sow": 0.3})
    accounts = pd.DataFrame({"account": ids, "sales": 0.3 * np.exp(log), "size": size,
                             "format": [f"format {k}" for k in level]})  # fmt: skip
    asked = np.sort(rng.choice(1200, 150, replace=False))
    survey = truth[["account", "potential"]].iloc[asked]
    write_study(Simulated(accounts, survey, truth, ("size", "format"), ()), tmp_path)
    analysis = analyze(tmp_path)
    (tmp_path / "run").mkdir()
    run = finished(analysis, tmp_path / "run")
    score_table(run, tmp_path / "accounts.csv", tmp_path / "s.parquet")
    found = pd.read_parquet(tmp_path / "s.parquet").set_index("account").loc[ids].reset_index()
    count = np.bincount(level[asked], minlength=30)[level]
    new = ~np.isin(np.arange(1200), asked)
    inside = truth["potential"].between(found["potential_low"], found["potential_high"])
    width = np.log(found["potential_high"] / found["potential_low"])
    seldom, never = new & (count > 0) & (count < 4), new & (count == 0)
    assert found["extrapolated"][seldom | never].all()
    # By the formula alone, which takes all of them for the commonest level: 0.70 and 0.66.
    assert inside[seldom].mean() > 0.9 and inside[never].mean() > 0.75
    assert width[count >= 4].max() < width[seldom].min() < width[seldom].max() < width[never].min()
    plain = analysis.fit.formula.potential(accounts.set_index("account")).to_numpy()
    miss, before = (
        np.log(each / truth["potential"])[seldom] for each in (found["potential"], plain)
    )
    assert (miss**2).mean() < 0.5 * (before**2).mean()
    np.testing.assert_allclose(found["potential"][count >= 4], plain[count >= 4], rtol=1e-9)
    space: dict[str, object] = {}
    exec(export_formula(run, "python"), space)  # what a user would run
    rows = accounts.to_dict("records")
    np.testing.assert_allclose([space["potential"](row) for row in rows], found["potential"])


def test_extrapolated_is_that_of_the_run(case, tmp_path: Path) -> None:
    analysis, run, table = case
    table.to_parquet(tmp_path / "a.parquet", index=False)
    score_table(run, tmp_path / "a.parquet", tmp_path / "s.parquet")
    found = pd.read_parquet(tmp_path / "s.parquet").set_index("account")["extrapolated"]
    surveyed = analysis.wallet.accounts["potential_source"] == "measured"
    expected = analysis.wallet.accounts["extrapolated"]
    assert (found.reindex(expected.index)[~surveyed] == expected[~surveyed]).all()


@pytest.mark.parametrize(
    "cut", ["{ top = 10 }", "{ pareto = 0.6 }", "{ value = 60000 }", "{ quantile = 0.5 }"]
)
def test_every_kind_of_cut_equals_python(small_study: Path, tmp_path: Path, cut: str) -> None:
    analysis = analyze(small_study, settings={"matrix.potential_cut": cut})
    (tmp_path / "run").mkdir()
    run = finished(analysis, tmp_path / "run")
    scored = score_table(run, small_study / "accounts.csv", tmp_path / "s.csv")
    expected = analysis.fit.formula.potential(analysis.screening.values).to_numpy()
    assert scored.potential_cut == pytest.approx(
        potential_cut(expected, analysis.study.matrix.potential_cut), rel=1e-9
    )


def test_rows_that_are_held_give_what_rows_computed_again_give(
    case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, run, table = case
    table.to_parquet(tmp_path / "a.parquet", index=False)
    frames, found = [], []
    for _ in range(2):
        to = tmp_path / "s.parquet"
        found.append(score_table(run, tmp_path / "a.parquet", to, Scoring(columns=OUTPUT)))
        frames.append(pd.read_parquet(to))
        monkeypatch.setattr("kalib.scale.score._held", lambda _, staged: staged)
    assert found[0] == found[1]
    pd.testing.assert_frame_equal(*frames)


def test_only_zones_and_teams_become_enums() -> None:
    import duckdb
    import sqlglot

    query = """SELECT CASE WHEN i > 1 THEN CASE WHEN i = 2 THEN 'attack' ELSE 'it''s' END ELSE '' END
        AS zone, CASE WHEN i = 1 THEN 'one' ELSE '' END AS other FROM range(4) t(i)"""
    changed = _with_enums(sqlglot.parse_one(query, read="duckdb")).sql("duckdb")
    kinds = [str(kind) for kind in duckdb.sql(changed).types]
    assert [kind.startswith("ENUM") for kind in kinds] == [True, False]
    assert duckdb.sql(changed).fetchall() == duckdb.sql(query).fetchall()


def test_cuts_of_the_run_are_kept(case, tmp_path: Path) -> None:
    analysis, run, table = case
    table.to_parquet(tmp_path / "a.parquet", index=False)
    scored = score_table(run, tmp_path / "a.parquet", tmp_path / "s.parquet", Scoring(cuts="run"))
    assert scored.potential_cut == analysis.matrix.potential_cut


def test_rows_without_an_indicator_have_no_potential(case, tmp_path: Path) -> None:
    analysis, run, table = case
    table = table.astype({analysis.fit.formula.indicators[0]: object})
    table.loc[table.index[3], analysis.fit.formula.indicators[0]] = None
    table.infer_objects().to_parquet(tmp_path / "a.parquet", index=False)
    score_table(run, tmp_path / "a.parquet", tmp_path / "s.parquet")
    found = pd.read_parquet(tmp_path / "s.parquet")
    assert found["potential"].isna().sum() == 1 and (found["zone"] == "").sum() == 1


def test_bad_input_is_refused_and_nothing_written(case, nothing, tmp_path: Path) -> None:
    _, run, table = case
    table.iloc[:, :2].to_csv(tmp_path / "thin.csv", index=False)
    with pytest.raises(StudyError, match="there is no such column"):
        score_table(run, tmp_path / "thin.csv", tmp_path / "s.csv")
    with pytest.raises(StudyError, match="no finished run"):
        score_table(tmp_path, tmp_path / "thin.csv", tmp_path / "s.csv")
    with pytest.raises(StudyError, match="no such table"):
        score_table(run, tmp_path / "absent.csv", tmp_path / "s.csv")
    with pytest.raises(StudyError, match="neither"):
        score_table(run, tmp_path / "thin.csv", tmp_path / "s.txt")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(StudyError, match="can't be read"):
        score_table(run, tmp_path / "broken.parquet", tmp_path / "s.csv")
    (tmp_path / "null").mkdir()
    with pytest.raises(StudyError, match="unusable"):
        score_table(finished(nothing, tmp_path / "null"), tmp_path / "thin.csv", tmp_path / "s.csv")
    assert not (tmp_path / "s.csv").exists()


def zones_differ(run: Path, source: str, other: str, table: pd.DataFrame, **options: str) -> int:
    """Accounts to which another engine gives another zone than the embedded one; all their numbers
    are the same."""
    folder = run.parent / "compared"
    folder.mkdir(exist_ok=True)
    table.to_parquet(folder / "a.parquet", index=False)
    score_table(run, folder / "a.parquet", folder / "ours.parquet", Scoring(columns=OUTPUT))
    score_table(run, source or folder / "a.parquet", other, Scoring(columns=OUTPUT, **options))
    ours = pd.read_parquet(folder / "ours.parquet").set_index("account").sort_index()
    theirs = pd.read_parquet(other).set_index("account").sort_index()
    assert (ours["extrapolated"] == theirs["extrapolated"]).all()
    for kind, digits in ("float64", 1e-9), ("float32", 1e-6):
        numbers = ours.select_dtypes(kind)
        np.testing.assert_allclose(theirs[numbers.columns], numbers, rtol=digits, atol=1e-6)
    return int((ours["zone"] != theirs["zone"]).sum())


def test_spark_gives_the_same_zones(phones: Analysis, tmp_path: Path) -> None:
    pytest.importorskip("pyspark", reason="the extra spark is not installed")
    if not shutil.which("java"):
        pytest.skip("Spark needs Java")
    (tmp_path / "run").mkdir()
    run = finished(phones, tmp_path / "run")
    other = str(tmp_path / "s.parquet")
    assert zones_differ(run, "", other, table_of(phones), engine="spark") == 0


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL server of our own."""
    pytest.importorskip("psycopg", reason="the extra postgres is not installed")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if not found or (os.getuid() == 0 and not shutil.which("runuser")):
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: a socket's path has 107 letters at most
    user: list[str] = []
    if os.getuid() == 0:  # the server refuses to be run by root
        shutil.chown(folder, "postgres")
        user = ["runuser", "-u", "postgres", "--"]
    programs, data = found[-1].parent, folder / "data"
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL,
             "cwd": folder, "timeout": 120}  # fmt: skip
    subprocess.run([*user, programs / "initdb", "-D", data, "-A", "trust", "-U", "kalib"], **quiet)
    options = f"-k {folder} -c listen_addresses="
    start = [programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start"]
    subprocess.run([*user, *start], **quiet)
    yield f"postgres:///postgres?host={folder}&user=kalib"
    subprocess.run([*user, programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"], **quiet)
    shutil.rmtree(folder)


def test_postgres_gives_the_same_zones_and_keeps_the_table(
    phones: Analysis, postgres: str, tmp_path: Path
) -> None:
    import ibis

    (tmp_path / "run").mkdir()
    run, table = finished(phones, tmp_path / "run"), table_of(phones)
    connection = ibis.connect(postgres)
    name = f"accounts_{run.name}"
    connection.create_table(name, table)
    connection.disconnect()
    assert zones_differ(run, f"{postgres}::{name}", str(tmp_path / "s.parquet"), table) == 0
    score_table(run, f"{postgres}::{name}", f"{postgres}::scored_{run.name}")
    connection = ibis.connect(postgres)
    assert connection.table(f"scored_{run.name}").count().to_pyarrow().as_py() == len(table)
    connection.disconnect()
    with pytest.raises(StudyError, match="there already"):
        score_table(run, f"{postgres}::{name}", f"{postgres}::scored_{run.name}")
    with pytest.raises(StudyError, match="no such table"):
        score_table(run, f"{postgres}::absent", tmp_path / "t.csv")


def test_a_table_of_a_duckdb_file_is_scored_inside_it(case, tmp_path: Path) -> None:
    import duckdb

    _, run, table = case
    with duckdb.connect(tmp_path / "d.duckdb") as connection:
        connection.register("given", table)
        connection.execute('CREATE TABLE "the accounts" AS SELECT * FROM given')
    place = f"duckdb://{tmp_path / 'd.duckdb'}"
    score_table(run, f"{place}::the accounts", f"{place}::scored")
    with duckdb.connect(tmp_path / "d.duckdb") as connection:
        assert len(connection.table("scored").df()) == len(table)
    score_table(run, f"{place}::the accounts", tmp_path / "t.parquet")  # opened for reading only
    assert len(pd.read_parquet(tmp_path / "t.parquet")) == len(table)
    with pytest.raises(StudyError, match="no such database"):
        score_table(run, "duckdb:///absent.duckdb::t", tmp_path / "t.csv")


def test_bad_columns_are_named_together(case, tmp_path: Path) -> None:
    analysis, run, table = case
    sales = analysis.study.columns.sales
    table.astype({sales: str}).assign(**{sales: "a lot"}).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(StudyError, match="'a lot'"):
        score_table(run, tmp_path / "a.csv", tmp_path / "s.csv")
    table.iloc[:0].to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(StudyError, match="no rows"):
        score_table(run, tmp_path / "b.csv", tmp_path / "s.csv")
    table.to_csv(tmp_path / "c.csv", index=False)
    with pytest.raises(StudyError, match="no column 'zone2'"):
        score_table(
            run, tmp_path / "c.csv", tmp_path / "s.csv", Scoring(columns=["account", "zone2"])
        )
    with pytest.raises(StudyError, match="no such folder"):
        score_table(run, tmp_path / "c.csv", tmp_path / "absent/s.csv")
    with pytest.raises(StudyError, match="amount of memory"):
        score_table(run, tmp_path / "c.csv", tmp_path / "s.csv", memory="much")
    assert not (tmp_path / "s.csv").exists()
    score_table(run, tmp_path / "c.csv", tmp_path / "s.csv", Scoring(columns=["zone", sales]))
    assert list(pd.read_csv(tmp_path / "s.csv")) == ["zone", sales]


def test_the_accounts_are_never_written_over(case, tmp_path: Path) -> None:
    _, run, table = case
    folder = tmp_path / "accounts"
    folder.mkdir()
    table.to_parquet(folder / "a.parquet", index=False)
    before = (folder / "a.parquet").read_bytes()
    with pytest.raises(StudyError, match="written over"):
        score_table(run, folder / "a.parquet", folder / "../accounts/a.parquet")
    with pytest.raises(StudyError, match="beside them"):
        score_table(run, folder, folder / "scores.parquet")
    score_table(run, folder / "a.parquet", folder / "scores.parquet")  # one file of the folder
    assert (folder / "a.parquet").read_bytes() == before


def test_tables_without_a_market_share_are_refused_with_column_and_remedy(
    case, tmp_path: Path
) -> None:
    analysis, run, table = case
    sales, indicators = analysis.study.columns.sales, analysis.fit.formula.indicators
    for changed, column in (
        (table.assign(**{sales: 0}), sales),
        (table.assign(**{sales: np.nan}), sales),
        (table.astype({indicators[0]: object}).assign(**{indicators[0]: None}), indicators[0]),
        (table.assign(kalib_line=1.0), "kalib_line"),
    ):
        changed.to_csv(tmp_path / "a.csv", index=False)
        with pytest.raises(StudyError) as refused:
            columns = [*USUAL, *(["kalib_line"] if "kalib_line" in changed else [])]
            score_table(run, tmp_path / "a.csv", tmp_path / "s.csv", Scoring(columns=columns))
        (problem,) = refused.value.problems
        assert problem.file == "a.csv" and column in problem.column and problem.remedy
    assert not (tmp_path / "s.csv").exists()


def test_the_command_writes_the_usual_columns_and_all_where_asked(case, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from kalib.cli import main

    _, run, table = case
    table.to_parquet(tmp_path / "a.parquet", index=False)
    to = tmp_path / "s.parquet"
    call = ["score", str(run), "--accounts", str(tmp_path / "a.parquet"), "--to", str(to)]
    for more, expected in (
        ([], USUAL),
        (["--columns", "all"], OUTPUT),
        (["--columns", "zone, all"], sorted(OUTPUT, key=lambda name: name != "zone")),
    ):
        done = CliRunner().invoke(main, call + more, catch_exceptions=False)
        assert f"{len(table):,} rows scored" in done.output
        assert list(pd.read_parquet(to)) == list(expected)


def test_as_many_are_key_as_asked_though_accounts_are_alike(
    small_study: Path, tmp_path: Path
) -> None:
    """Three of each account, and a cut that parts them: the smaller ids are key."""
    analysis = analyze(small_study, settings={"matrix.potential_cut": "{ top = 10 }"})
    (tmp_path / "run").mkdir()
    run, table = finished(analysis, tmp_path / "run"), table_of(analysis)
    account = analysis.study.columns.account
    copies = [table.assign(**{account: table[account] + part}) for part in "cab"]
    pd.concat(copies).to_parquet(tmp_path / "a.parquet", index=False)
    score_table(run, tmp_path / "a.parquet", tmp_path / "s.parquet")
    found = pd.read_parquet(tmp_path / "s.parquet").set_index("account")
    key = found.index[found["key_account"]]
    order = found["potential"].round(6).sort_index().sort_values(ascending=False, kind="stable")
    assert set(key) == set(order.index[:10]) and len(key) == 10


@pytest.mark.parametrize("cut", ["{ value = 60000 }", "{ pareto = 0.6 }"])
def test_the_expected_number_is_key_where_the_cut_gives_none(
    small_study: Path, tmp_path: Path, cut: str
) -> None:
    analysis = analyze(small_study, settings={"matrix.potential_cut": cut})
    (tmp_path / "run").mkdir()
    run = finished(analysis, tmp_path / "run")
    score_table(run, small_study / "accounts.csv", tmp_path / "s.parquet", Scoring(columns=OUTPUT))
    found = pd.read_parquet(tmp_path / "s.parquet")
    high = (found["p_attack"].astype(float) + found["p_defense"]).sum()
    assert found["key_account"].sum() == round(high) > 0
