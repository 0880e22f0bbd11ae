"""A run repeated from its run.json, and its numbers compared with those it left."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from difflib import unified_diff
from pathlib import Path
from typing import Any

from kalib.errors import Problem, StudyError
from kalib.files import MARK, read_run
from kalib.runs.provenance import COMPARED, NOTEBOOKS, Options, inputs_of
from kalib.study.loading import read_study, study_path

MOST_SHOWN = 20  # lines of one file that differ


def rerun(run: Path, study: Path | None, options: Options) -> tuple[list[str], bool]:
    """Repeat a run beside it and compare; the run stays as it was.

    study: its study.toml or folder, looked for below data/ and here where it is not given;
    options: overrides and secret as the run had them. Returns lines, of what of kalib, Python and
    packages is not as it was and of each file of numbers, and whether all numbers are the same.
    Raises StudyError where the inputs are not those of the run, KalibError where the run fails.
    """
    before = read_run(run)
    if "fingerprint" not in before:
        remedy = "Give the folder of a report made by this version of kalib"
        raise StudyError("no run to repeat", file=str(run / MARK), remedy=remedy)
    from kalib.runs.run import run_study

    options = replace(options, settings=before["settings"])
    file = find_study(before, study)
    loaded = read_study(file, options.settings)
    key = options.key(loaded)
    now = inputs_of(loaded, options, key)
    _refuse_other_inputs(before, now, bool(key))
    again = run.absolute().with_name(f".{run.absolute().name}.again")
    try:
        run_study(file, again, options)
        found = {name: list(differences(run / name, again / name)) for name in COMPARED}
    finally:
        shutil.rmtree(again, ignore_errors=True)
    then, today = (of["packages"] | {k: of[k] for k in ("kalib", "python")} for of in (before, now))
    lines = [f"{name} {then.get(name, 'absent')} then, {today.get(name, 'absent')} now"
             for name in sorted({name for name, _ in then.items() ^ today.items()})]  # fmt: skip
    if before["code"] != now["code"]:
        lines.append("the code of kalib or of its notebooks has changed")
    for name, differing in found.items():
        lines.append(f"{name}: {'differs' if differing else 'the same bytes'}")
        lines += [f"  {difference}" for difference in differing]
    return lines, not any(found.values())


def find_study(before: Mapping[str, Any], study: Path | None) -> Path:
    """The study file of a run: the one given, else the first nearby of its name and period."""
    if study is not None:
        return study_path(study)
    for pattern in ("study.toml", "data/*/*.toml", "*/study.toml"):
        for file in sorted(Path().glob(pattern)):
            with suppress(StudyError):
                found = read_study(file, before["settings"])
                if (found.name, found.period) == (before["study"], before["period"]):
                    return file
    said = f"no study {before['study']!r} below data/ or here"
    raise StudyError(said, remedy="Give --study PATH")


def _refuse_other_inputs(before: Mapping[str, Any], now: Mapping[str, Any], coded: bool) -> None:
    problems = []
    for name in sorted({name for name, _ in before["data"].items() ^ now["data"].items()}):
        remedy = "Give --own-notebooks if it is trusted, since it is code"
        if not name.startswith(NOTEBOOKS) or name in now["data"]:
            remedy = "Give --study with the data of the run; run.json has their SHA-256"
        problems.append(Problem("is not what the run read", file=name, remedy=remedy))
    if (before["overrides"] or {}).get("sha256") != now["overrides"]:
        remedy = "Give --overrides with its workbook"
        problems.append(Problem("the run had other overrides", remedy=remedy))
    if before["anonymized"] and not coded:
        problems.append(Problem("the run coded its names", remedy="Give --key"))
    elif coded and not before["anonymized"]:
        problems.append(Problem("the run did not code its names", remedy="Leave --key out"))
    if problems:
        raise StudyError(problems)


def differences(before: Path, after: Path) -> Iterator[str]:
    """What differs between two versions of a CSV or JSON file, none of equal bytes."""
    if not before.is_file():
        yield "is missing from the run"
    elif before.read_bytes() != after.read_bytes():
        if before.suffix == ".csv":
            yield from _in_table(before, after)
            return
        then, now = (path.read_text(encoding="utf-8").splitlines() for path in (before, after))
        lines = [line for line in unified_diff(then, now, n=0) if line[0] in "+-"][2:]  # no head
        yield from lines[:MOST_SHOWN]
        if len(lines) > MOST_SHOWN:
            yield f"and {len(lines) - MOST_SHOWN} lines more"


def _in_table(before: Path, after: Path) -> Iterator[str]:
    import pandas as pd

    as_text: dict[str, Any] = {"dtype": {"account": str}, "keep_default_na": False}
    one, two = (pd.read_csv(path, **as_text).set_index("account") for path in (before, after))
    if set(one.index) != set(two.index) or list(one.columns) != list(two.columns):
        yield f"{len(one):,} accounts and {one.shape[1]} columns then, " \
              f"{len(two):,} and {two.shape[1]} now"  # fmt: skip
        return
    two = two.reindex(one.index)
    for name in one.columns:
        changed = one[name].astype(str) != two[name].astype(str)
        if changed.any():
            numbers = [pd.to_numeric(table[name], errors="coerce") for table in (one, two)]
            most = (numbers[1] - numbers[0]).abs().max()
            by = f", by at most {most:.6g}" if pd.notna(most) else ""
            yield f"{name}: {changed.sum():,} of {len(one):,} accounts{by}"
