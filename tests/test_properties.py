"""What holds of any client table and any small study."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import event, given
from strategies import ClientStudy, client_studies

from kalib.errors import StudyError
from kalib.loading import load_study
from kalib.tables import Tables, read_tables


@given(client_studies())
def test_any_table_is_read_or_refused_with_its_file(study: ClientStudy) -> None:
    with tempfile.TemporaryDirectory() as folder:
        study.write(Path(folder))
        try:
            tables = read_tables(load_study(Path(folder)))
        except StudyError as error:
            event(f"refused: {error.problems[0].file}")
            assert error.problems
            for problem in error.problems:
                assert problem.file, str(error)
                assert problem.remedy or problem.file == "study.toml", str(error)
        else:
            event("read")
            assert isinstance(tables, Tables)
            assert tables.accounts.index.is_unique
            assert (tables.accounts["sales"] >= 0).all()
            assert tables.survey is not None and (tables.survey > 0).all()
            assert tables.survey.index.isin(tables.accounts.index).all()
