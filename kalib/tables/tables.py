"""Everything a client gave of a study, read once and, where asked for, with codes for names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kalib.errors import StudyError
from kalib.files import file_hash
from kalib.study.kept import kept_in, kept_result
from kalib.study.settings import Study
from kalib.tables.anonymize import anonymize_tables, code, names_of
from kalib.tables.client import Tables, read_files
from kalib.tables.overrides import Overrides, read_overrides
from kalib.tables.reading import LARGEST

# Sections that only later steps read.
LATER = {"study", "formula", "matrix", "teams", "targets", "proof", "report"}
CODED = "coded"  # in the folder of kept steps: names and ids must not come in


def read_tables(study: Study, overrides: Path | str = "", key: bytes | None = None) -> Tables:
    """Read all tables of a study.

    Parameters
    ----------
    study : Study
        Of `read_study`.
    overrides : Path or str, optional
        A workbook in which field experts replaced potentials.
    key : bytes, optional
        Of the codes that stand for names and ids; without it these stay.

    Returns
    -------
    Tables
        `accounts` and `candidates` are data frames indexed by account.

    Raises
    ------
    StudyError
        With every problem of every file.

    Examples
    --------
    >>> tables = read_tables(read_study("data/fmcg-supermarkets"))
    >>> len(tables.accounts), len(tables.survey)
    (1200, 220)
    """
    folder = kept_in()
    files = [study.folder / name for name in study.tables.values()]
    files += [Path(overrides)] if overrides else []
    # Not of a file that is too large to be read: it is refused at once.
    hashes = {str(file): file_hash(file) for file in files
              if folder and file.is_file() and file.stat().st_size <= LARGEST}  # fmt: skip
    if key and folder:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CODED).touch()

    def read() -> Tables:
        if key is None and folder and (folder / CODED).exists():
            raise StudyError("names are hidden here: tables other than the run's are not read")
        try:
            tables = read_files(study)
            if overrides:
                tables = replace(tables, overrides=_overrides(Path(overrides), tables, key))
        except StudyError as error:
            if key is None:
                raise
            # Problems name rows, not what stands in them.
            raise StudyError([problem.without_value() for problem in error.problems]) from None
        return anonymize_tables(tables, key) if key else tables

    # The key is no part of what is kept: the run codes the names, its notebooks take the codes.
    asked = study.model_dump(exclude=LATER)
    return kept_result("read_tables", {"study": asked, "files": hashes}, read)


def clear_names(study: Study, overrides: Path | None, key: bytes) -> dict[str, set[str]]:
    """What codes stand for, by kind: for the search of the deliverables, never kept."""
    tables = read_files(study)
    return names_of(tables, _overrides(overrides, tables, key) if overrides else None)


def _overrides(workbook: Path, tables: Tables, key: bytes | None) -> Overrides:
    """An expert's potentials, by codes with a key: a coded run's workbook has these, others ids."""
    sales = tables.accounts["sales"]
    if key is None:
        return read_overrides(workbook, sales)
    by_code = sales.set_axis([code(key, "A", account) for account in sales.index])
    return read_overrides(
        workbook, by_code, lambda name: name if name in by_code.index else code(key, "A", name)
    )
