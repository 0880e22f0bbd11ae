"""The command line."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small fits lose time to threads

import click

from kalib import __version__
from kalib.errors import StudyError, message_of

gc.set_threshold(50_000)  # what a command imports is many objects and no garbage
DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")
PATH = click.Path(path_type=Path)
RUN = click.argument("run", type=PATH)
ASIDE = "Move into a dated folder what is there and kalib did not write."
FORCE = click.option("--force", is_flag=True, help=ASIDE)
MEMORY = click.option(
    "--memory", default="3GB", show_default=True, help="What the engine may hold."
)
SET = click.option("--set", "pairs", multiple=True, metavar="SECTION.KEY=VALUE",
                   help="Lay a value over the study file, e.g. matrix.share_cut=0.35.")  # fmt: skip


def status_of(error: BaseException | None) -> int:
    """The exit status that an error calls for."""
    return 2 if isinstance(error, StudyError) else int(error is not None)


class Kalib(click.Group):
    """Commands whose errors are one readable message, and whose status is 0, 1 or 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, an error told in one message; SIGTERM, as the key, lets it clear up."""
        came: list[int] = []

        def stop(number: int, _: FrameType | None) -> None:
            came.append(number)
            raise KeyboardInterrupt

        usual = (signal.SIG_DFL, signal.default_int_handler)  # not where it is ignored
        kinds = (signal.SIGTERM, signal.SIGINT)
        caught = [kind for kind in kinds if signal.getsignal(kind) in usual]
        before = {kind: signal.signal(kind, stop) for kind in caught}
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except (KeyboardInterrupt, Exception) as error:
            # An engine may turn what the signal raises into an error of its own.
            if came or isinstance(error, KeyboardInterrupt):
                click.echo("stopped; earlier reports are as they were", err=True)
                sys.exit(1)
            if ctx.params.get("debug"):
                raise
            click.echo(message_of(error), err=True)
            sys.exit(status_of(error))
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)


@click.group(cls=Kalib)
@click.version_option(__version__, prog_name="kalib")
@click.option("--debug", is_flag=True, help="Show an error's traceback, and what libraries say.")
def main(debug: bool) -> None:
    """Key accounts by purchasing potential."""


@main.command()
@click.argument("studies", nargs=-1, required=True, metavar="STUDY...")
@click.option("--out", type=PATH,
              help="The report's folder; of several studies, the folder of all.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1), default=1, help="Studies run side by side.")
@click.option("--force", is_flag=True, help=f"Run also what has not changed. {ASIDE}")
@SET
@click.option("--overrides", type=PATH,
              help="accounts.xlsx with the potentials that field experts put in.")  # fmt: skip
@click.option("--anonymize", is_flag=True, help="Codes instead of names and ids, everywhere.")
@click.option("--key", type=PATH,
              help="The key of the codes; made beside the study where there is none.")  # fmt: skip
@click.option("--own-notebooks", is_flag=True,
              help="Run the notebooks in the study's folder, too: they are code.")  # fmt: skip
@click.pass_context
def run(
    context: click.Context, studies: tuple[str, ...], out: Path | None, jobs: int, force: bool,
    pairs: tuple[str, ...], overrides: Path | None, anonymize: bool, key: Path | None,
    own_notebooks: bool,
) -> None:  # fmt: skip
    """Run studies into reports/<name>/<period>/, or into --out.

    A study whose data, parameters and code have not changed is left as it is. A run that was
    interrupted goes on with the notebook it had come to.
    """
    from kalib.runs.batch import REPORTS, run_batch
    from kalib.runs.overview import PAGE, check_sealed, show_summary, write_overview
    from kalib.runs.provenance import Options

    if key and not anonymize:
        raise StudyError("--key is for --anonymize", remedy="Give both, or neither")
    secret = None
    if anonymize:
        from kalib.tables.anonymize import Secret  # takes longer than to refuse a wrong path

        secret = Secret(key)
    options = Options(read_settings(pairs), overrides, secret, force, own_notebooks)
    several = len(studies) > 1
    together = several or out is None  # in a folder with a page on all reports
    if together:
        check_sealed((out or REPORTS) / PAGE, force=force)
    debug = context.find_root().params["debug"]
    ended = run_batch(studies, out, options, jobs=jobs, debug=debug)
    for job in ended:
        if job.current:
            click.echo(f"{job.study}: nothing has changed; --force runs it anyway", err=True)
        if job.report:
            click.echo(f"{job.report / 'index.html'}")
    if together and any(job.report and not job.current for job in ended):
        write_overview(out or REPORTS)
    if several:
        show_summary(ended)
    for job in ended:
        if job.error:
            if debug:
                raise job.error
            click.echo(f"{job.study}: {message_of(job.error)}", err=True)
    sys.exit(max(status_of(job.error) for job in ended))


@main.command()
@click.argument("folder", type=PATH, default=Path("kalib-demo"), metavar="[DIR]")
def demo(folder: Path) -> None:
    """Write a shipped study into DIR (default: kalib-demo), and run it."""
    from kalib.runs.batch import run_batch
    from kalib.runs.workspace import write_demo
    from kalib.study.loading import read_study

    study = read_study(write_demo(folder))
    target = folder / "reports" / study.name / study.period
    (job,) = run_batch([str(study.folder)], target)
    if job.error:
        raise job.error
    click.echo(target / "index.html")


@main.command()
@click.argument("folder", type=PATH, metavar="DIR")
def init(folder: Path) -> None:
    """Make a folder to work in: notebooks, an example study, data/ and reports/."""
    from kalib.runs.workspace import init_folder

    init_folder(folder)
    click.echo(f"{folder} is ready; `kalib lab {folder}` opens it in JupyterLab")


@main.command()
@click.argument("folder", type=PATH, default=Path(), metavar="[DIR]")
def lab(folder: Path) -> None:
    """JupyterLab on a folder, with data and reports in sight."""
    from kalib.runs.workspace import open_lab

    sys.exit(open_lab(folder))


@main.command()
@RUN
@click.option("--study", type=PATH, help="The study, where it has moved.")
@click.option("--overrides", type=PATH, help="The run's, where it had any.")
@click.option("--key", type=PATH, help="Of the run's codes, if it had them.")
@click.option("--own-notebooks", is_flag=True, help="Run its own notebooks, as the run did.")
def rerun(
    run: Path, study: Path | None, overrides: Path | None, key: Path | None, own_notebooks: bool
) -> None:
    """Repeat a run and say whether its numbers agree; the run is left."""
    from kalib.runs.provenance import Options
    from kalib.runs.rerun import rerun as repeat
    from kalib.tables.anonymize import Secret

    secret = Secret(key) if key else None
    options = Options(overrides=overrides, secret=secret, own_notebooks=own_notebooks)
    lines, agrees = repeat(run, study, options)
    click.echo("\n".join(lines))
    if not agrees:
        click.echo("the numbers do not agree", err=True)
        sys.exit(1)


@main.command()
@click.argument("study")
@click.option("--html", "page", type=PATH, metavar="FILE",
              help="Write a page on the data, with what to ask the client.")  # fmt: skip
@FORCE
def check(study: str, page: Path | None, force: bool) -> None:
    """Read and check a study's data; run nothing."""
    from kalib.tables.asked import read_asked

    asked = read_asked(study)
    from kalib.report.template import check_look
    from kalib.runs.overview import write_sealed
    from kalib.tables.client import data_report
    from kalib.tables.copies import find_copies
    from kalib.tables.tables import read_tables
    from kalib.wallet.known import known_potential
    from kalib.words.catalogue import Words

    check_look(asked)
    try:
        tables = read_tables(asked)
        known = known_potential(tables)  # refuses what the tables alone do not show
    except StudyError as error:
        if page:
            from kalib.report.data_page import refused_page

            write_sealed(page, refused_page(asked, error), force=force)
        raise
    for name, copy in find_copies(tables, known.frame["potential"]).items():
        click.echo(f"{name} will be set aside: it {copy}; [indicators] allow lets it in\n")
    bare, words = [n for n in tables.candidates if max(asked.label(n)) < "\u4e00"], Words.of(asked)
    if bare and words.language == "zh":
        click.echo(f"{words.say('n_labels', names=bare)}\n")
    for table in data_report(asked, tables, words):
        click.echo(f"{table!r}\n")
    if page:
        from kalib.report.data_page import data_page

        write_sealed(page, data_page(asked, tables, known), force=force)
        click.echo(page)
    click.echo("no problems")


@main.command()
@click.argument("name")
@click.option("--from", "files", multiple=True, required=True, type=PATH,
              help="A table of the client; repeat it, or list more after it.")  # fmt: skip
@click.argument("more", nargs=-1, type=PATH)
@click.option("--account", metavar="COLUMN", help="The accounts' id: a header, or its number.")
@click.option("--sales", metavar="COLUMN", help="What each account buys from us.")
@click.option("--potential", metavar="COLUMN", help="What it buys from everyone.")
@click.option("--parent", metavar="COLUMN", help="The chain or head office it belongs to.")
@click.option("--drop", multiple=True, metavar="COLUMN", help="A column to leave out; repeat it.")
@click.option("--data", type=PATH, default=Path("data"), show_default=True)
@FORCE
def new(
    name: str, files: tuple[Path, ...], more: tuple[Path, ...], drop: tuple[str, ...], data: Path,
    force: bool, **given: str | None,
) -> None:  # fmt: skip
    """Propose a study from the client's tables: every column with a guess of its role, then what
    is in doubt. A stub is written in any case; what it lacks is marked in it."""
    from rich.console import Console
    from rich.table import Table

    from kalib.tables.proposal import propose_study

    proposal = propose_study(name, [*files, *more], data, given, drop, force=force)
    shown = Table("", "column", "taken as", "values", box=None, pad_edge=False)
    for table, columns in proposal.columns.groupby("table", sort=False):
        shown.add_row("", f"{table}:")
        for row in columns.itertuples():
            shown.add_row(str(row.number), row.column, row.role, row.values)
    Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 100).print(shown)
    click.echo(f"\n{proposal.folder / 'study.toml'} written; please check:")
    for doubt in proposal.doubts:
        click.echo(f"  {doubt}")


@main.command()
def schema() -> None:
    """Print the JSON schema of study.toml: every key with its type, range and effect."""
    import json

    from kalib.study.settings import Study

    click.echo(json.dumps(Study.model_json_schema(), indent=2, ensure_ascii=False))


@main.command()
@click.argument("before", type=PATH)
@click.argument("after", type=PATH)
@FORCE
def compare(before: Path, after: Path, force: bool) -> None:
    """What changed between two waves, and what of it is more than noise.

    The earlier period comes first, however the two are given; waves.json goes into the later's
    report.
    """
    from kalib import plots
    from kalib.files import add_to_report
    from kalib.report import tables
    from kalib.runs.outputs import to_json
    from kalib.waves.waves import compare_waves, read_in_order
    from kalib.words.catalogue import Words

    earlier, later, report = read_in_order(before, after)
    if report != after:
        click.echo(f"compared by period: {earlier.period}, then {later.period}", err=True)
    waves = compare_waves(earlier, later)
    add_to_report(report, "waves.json", to_json(waves.to_json()), force=force)
    words = Words("en", later.currency)
    click.echo(f"{words.say('w_change', **tables.changed(waves))}\n")
    click.echo(words.say("what_moved_market_share"))
    for table in (plots.table(waves.share_points), *tables.of_waves(waves, words)):
        click.echo(f"{table!r}\n")
    click.echo(f"{report / 'waves.json'}")


@main.command()
@RUN
@click.option("--accounts", required=True, metavar="TABLE",
              help="A Parquet or CSV file; a folder of one kind, read whole; a pattern such as "
                   "'2026-*.csv' where no file has that name; or ADDRESS::TABLE of a database.",
              )  # fmt: skip
@click.option("--to", required=True, metavar="TABLE", help=".parquet, .csv, or ADDRESS::TABLE.")
@click.option("--engine", type=click.Choice(["duckdb", "spark"]), default="duckdb",
              show_default=True, help="What reads files; a database is its own.")  # fmt: skip
@click.option("--cuts", type=click.Choice(["table", "run"]), default="table", show_default=True,
              help="Cuts from the table's own rows, or those of the run.")  # fmt: skip
@click.option("--columns", metavar="NAME,...",
              help="Of the scores or the table; all: SOW's interval and all chances, too.",
              )  # fmt: skip
@MEMORY
@FORCE
def score(
    run: Path, accounts: str, to: str, engine: str, cuts: str, columns: str | None, memory: str,
    force: bool,
) -> None:  # fmt: skip
    """Apply a run's formula to a table of any size."""
    from kalib.scale.expression import OUTPUT, USUAL
    from kalib.scale.recipe import read_record
    from kalib.scale.score import Scoring, score_table

    names: Sequence[str] = USUAL
    if columns:
        given = [name.strip() for name in columns.split(",") if name.strip()]
        names = [name for part in given for name in (OUTPUT if part == "all" else [part])]
    asked = Scoring(engine, cuts, names)
    scored = score_table(run, accounts, to, asked, memory=memory, force=force)
    lack = f", {scored.blank:,} of them without an indicator: no potential" if scored.blank else ""
    click.echo(
        f"{to}: {scored.rows:,} rows scored{lack}; potential cut "
        f"{scored.potential_cut:,.2f}, SOW cut {scored.sow_cut:.4f}"
    )
    weights = read_record(run, "formula").get("estimate", {}).get("weights", {})
    if (rest := 1 - weights.get("formula", 1.0)) > 0:
        click.echo(
            f"By the formula alone: estimates that hear own sales, {rest:.0%} of the weight in the "
            "run's own potentials, need its survey and are left out."
        )


@main.command()
@click.argument("study")
@click.option("--out", required=True, type=PATH, help="The run's folder.")
@MEMORY
@SET
@FORCE
def fit(study: str, out: Path, memory: str, pairs: tuple[str, ...], force: bool) -> None:
    """Fit the formula of a study whose tables exceed memory; kalib score applies it."""
    from kalib.scale.large import fit_large

    found = fit_large(study, out, memory=memory, settings=read_settings(pairs), force=force)
    click.echo(f"{found.formula.text}\n{found.verdict}: R² {found.r2:.3f}, "
               f"{found.r2_folds:.3f} out of sample; {found.used:,} of {found.surveyed:,} surveyed "
               f"accounts in the fit, {found.sample:,} read as rows")  # fmt: skip
    if set(found.sampled) != set(found.formula.indicators):
        click.echo(f"kalib run on the {found.sample:,} alone chooses {', '.join(found.sampled)}: "
                   "more accounts tell more indicators, and rows with a gap in one are left out "
                   "here, filled there")  # fmt: skip
    click.echo(out)


@main.command()
@RUN
@click.option("--dialect", required=True, metavar="NAME",
              help="excel, python, text, or an SQL dialect: snowflake, bigquery, tsql, ...",
              )  # fmt: skip
def export(run: Path, dialect: str) -> None:
    """Print a run's formula for another program."""
    from kalib.scale.score import export_formula

    click.echo(export_formula(run, dialect.lower()))


@main.command("open")
@RUN
@click.option("--reports", type=PATH, default=Path("reports"))
def open_report(run: Path, reports: Path) -> None:
    """Show a report in the browser: RUN is its folder, or a study's name or folder."""
    import webbrowser

    from kalib.runs.overview import find_page

    page = find_page(run, reports)
    click.echo(page)
    # Without a display a browser of the terminal would take its place.
    if sys.platform in ("win32", "darwin") or any(map(os.environ.get, DISPLAYS)):
        webbrowser.open(page.absolute().as_uri())


@main.command("list")
@click.option("--data", type=PATH, default=Path("data"))
@click.option("--reports", type=PATH, default=Path("reports"))
def list_studies(data: Path, reports: Path) -> None:
    """The studies and their runs."""
    from kalib.study.loading import read_study

    files = sorted(data.glob("*/study.toml"))
    if not files:
        click.echo(f"no studies below {data}")
    for file in files:
        try:
            study = read_study(file)
        except StudyError as error:
            click.echo(f"{file.parent.name}: {len(error.problems)} problems; see kalib check")
            continue
        runs = sorted((reports / study.name).glob("*/run.json"))
        periods = ", ".join(path.parent.name for path in runs) or "not run yet"
        click.echo(f"{study.name}: {study.title} ({file.parent}); runs: {periods}")


def read_settings(pairs: tuple[str, ...]) -> dict[str, str]:
    """SECTION.KEY=VALUE as a mapping. Raises StudyError for what is not such a pair."""
    settings = {}
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not sign:
            raise StudyError(f"--set {pair!r} has no value", remedy="Write section.key=value")
        settings[key.strip()] = value.strip()
    return settings
