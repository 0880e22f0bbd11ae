"""The shipped studies' tables, anew from their generators."""

from __future__ import annotations

from pathlib import Path

from conftest import ROOT

from generators.simulate import write_shipped, write_tables
from generators.waves import earlier_supermarkets

DATA = ROOT / "data"


def test_generators_write_the_shipped_tables_to_the_byte(tmp_path: Path) -> None:
    write_shipped(tmp_path)
    write_tables(earlier_supermarkets(), tmp_path / "fmcg-supermarkets-2025")
    written = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.csv"))
    assert written == sorted(path.relative_to(DATA) for path in DATA.rglob("*.csv"))
    for path in written:
        assert (tmp_path / path).read_bytes() == (DATA / path).read_bytes(), path
