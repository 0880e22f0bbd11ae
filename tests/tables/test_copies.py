"""Candidates that copy answers, sales or lists: set aside, said first; strong indicators are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bad_input import table, toml
from click.testing import CliRunner
from conftest import ROOT

from generators.simulate import simulate_world, write_study
from kalib.analysis import judge_study
from kalib.cli import main
from kalib.study.loading import read_study
from kalib.tables.copies import find_copies
from kalib.tables.tables import read_tables
from kalib.wallet.known import known_potential


def with_candidates(folder: Path, **columns: object) -> Path:
    """The small study with more candidates, representatives and today's key accounts."""
    frame = table(folder).assign(**columns)
    frame.to_csv(folder / "accounts.csv", index=False)
    named = ", ".join(f'"{name}"' for name in columns if name not in ("owner", "today"))
    toml('"format"]', f'"format", {named}]')(folder)
    roles = [f"{role} = '{name}'\n" for role, name in (("rep", "owner"), ("current_ka", "today"))
             if name in columns]  # fmt: skip
    toml("[columns]\n", f"[columns]\n{''.join(roles)}")(folder)
    return folder


def copies(folder: Path) -> dict[str, str]:
    tables = read_tables(read_study(folder))
    return {
        n: str(s)
        for n, s in find_copies(tables, known_potential(tables).frame["potential"]).items()
    }


def answers(folder: Path) -> pd.Series:
    return table(folder, "survey.csv").set_index("id")["potential"].astype(float)


def test_no_indicator_of_the_shipped_studies_is_set_aside() -> None:
    for file in sorted((ROOT / "data").glob("*/study.toml")):
        assert copies(file.parent) == {}, file


@pytest.mark.parametrize(
    "world",
    [
        "multiplicative",
        "linear",
        "collinear",
        "typos",
        "biased",
        "small",
        "text",
        "many",
        "dependent",
        "spread",
    ],
)
@pytest.mark.parametrize("seed", [1, 2])
def test_no_indicator_of_simulated_worlds_is_set_aside(
    world: str, seed: int, tmp_path: Path
) -> None:
    write_study(simulate_world(world, seed), tmp_path, world)
    assert copies(tmp_path) == {}


@pytest.mark.parametrize("noise", [0.12, 0.3])
def test_a_strong_indicator_is_kept(noise: float, small_study: Path) -> None:
    rng = np.random.default_rng(3)
    known, frame = answers(small_study), table(small_study)
    strong = known.reindex(frame["id"]).fillna(known.mean()).to_numpy()
    sales = frame["sales"].astype(float).to_numpy()
    error = np.exp(noise * rng.standard_normal((2, len(frame))))
    with_candidates(small_study, strong=strong * error[0], size=sales * error[1] ** 2)
    assert copies(small_study) == {}


COPIES: dict[str, tuple[Callable[[pd.DataFrame, pd.Series], object], str]] = {
    "index": (lambda f, p: p.reindex(f["id"]).fillna(1.0).to_numpy() ** 0.5, "copies the answers"),
    "need": (lambda f, p: (3 * p.reindex(f["id"]).to_numpy() + 7).round(1), "copies the answers"),
    "Bedarf 2025": (lambda f, p: p.reindex(f["id"]).to_numpy() * (1 + 0.1 * (np.arange(60) % 3)),
                    "copies the answers"),
    "score": (lambda f, p: np.log1p(f["sales"].astype(float)), "copies our own sales"),
    "Umsatz Vorjahr": (lambda f, p: f["sales"].astype(float) * (1 + 0.2 * (np.arange(60) % 3)),
                       "our own sales by its name"),
    "sales_2025": (lambda f, p: f["sales"].astype(float) * (1 + 0.2 * (np.arange(60) % 3)),
                   "our own sales by its name"),
    "ventes année précédente": (lambda f, p: f["sales"].astype(float) * (1 + 0.2 * (np.arange(60) % 3)),
                                "our own sales by its name"),
    "ventas_año_anterior": (lambda f, p: f["sales"].astype(float) * (1 + 0.2 * (np.arange(60) % 3)),
                            "our own sales by its name"),
    "去年销售额": (lambda f, p: f["sales"].astype(float) * (1 + 0.2 * (np.arange(60) % 3)),
               "our own sales by its name"),
    "priority": (lambda f, p: np.where(np.arange(60) % 5 == 0, "high", "low"), "copies the key-account flag"),
    "Großkunde": (lambda f, p: np.arange(60) % 4 == 0, "key-account flag by its name"),
    "desk": (lambda f, p: np.array(["a", "b", "c", "d"])[np.arange(60) % 4], "who the representative is"),
    "业务员": (lambda f, p: np.array(["x", "y"])[np.arange(60) % 2], "who the representative is"),
    "running": (lambda f, p: np.arange(60) + 1001, "is an id"),
    "twin_key": (lambda f, p: f["id"], "is an id"),
    "Kundennummer": (lambda f, p: np.random.default_rng(1).permutation(9000)[:60], "is an id"),
    "opened": (lambda f, p: pd.date_range("2020-01-01", periods=60).strftime("%d.%m.%Y"), "holds dates (60 of 60"),
    "since": (lambda f, p: pd.date_range("2020-01-01", periods=60).strftime("%Y%m%d"), "holds dates"),
    "fecha de alta": (lambda f, p: 44000 + np.arange(60) * 7, "holds dates"),
    "PLZ": (lambda f, p: 10000 + np.arange(60) % 17 * 313, "holds postcodes"),
    "code_postal": (lambda f, p: 75000 + np.arange(60) % 17 * 3, "holds postcodes"),
    "邮政编码": (lambda f, p: 100000 + np.arange(60) % 17 * 10, "holds postcodes"),
}  # fmt: skip


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_set_aside_by_what_it_copies(name: str, small_study: Path) -> None:
    make, said = COPIES[name]
    frame = table(small_study)
    owners = np.array(["Ana", "Bo", "Cy", "Di"])[np.arange(60) % 4]
    with_candidates(small_study, **{
        name: make(frame, answers(small_study)), "owner": owners, "today": np.arange(60) % 5 == 0,
    })  # fmt: skip
    found = copies(small_study)
    assert list(found) == [name] and said in found[name]
    toml("[indicators]", f'[indicators]\nallow = ["{name}"]')(small_study)
    assert copies(small_study) == {}


def test_a_parent_is_no_indicator_of_itself(small_study: Path) -> None:
    """Folds leave whole parents out, so that its own level is never known."""
    kinds = np.array(["Acme", "Bolt", "Cord"])[np.arange(60) % 3]
    with_candidates(small_study, chain=kinds, kind=np.char.lower(kinds))
    assert copies(small_study) == {}
    toml("[columns]", '[columns]\nparent = "chain"')(small_study)
    found = copies(small_study)
    assert set(found) == {"chain", "kind"}
    assert found["chain"].startswith("is the parent itself (3 names)")
    assert "chain" not in judge_study(read_study(small_study)).screening.kept


def test_words_alike_are_not_copies(small_study: Path) -> None:
    with_candidates(
        small_study,
        sales_area_m2=np.random.default_rng(2).integers(50, 900, 60),
        number_of_students=np.random.default_rng(3).permutation(5000)[:60],
        years_open=np.arange(60) % 30,
        rank=np.random.default_rng(4).permutation(60) + 1,
        turnover_2025=np.exp(np.random.default_rng(5).standard_normal(60)).round(3),
        owner_kind=np.array(["chain", "family"])[np.arange(60) % 2],
        city=table(small_study)["region"],
        owner=table(small_study)["region"].map({"N": "Ana", "S": "Bo"}),
    )
    assert copies(small_study) == {}


def test_a_run_sets_copies_aside_and_says_so_first(small_study: Path) -> None:
    frame = table(small_study)
    with_candidates(small_study, score=np.log1p(frame["sales"].astype(float)))
    judged = judge_study(read_study(small_study))
    assert "score" not in judged.screening.kept and "area" in judged.screening.kept
    assert not judged.screening.frame.at["score", "kept"]
    assert judged.verdict.reasons[0].startswith(
        "score was set aside: it copies our own sales (rank"
    )
    said = CliRunner().invoke(main, ["check", str(small_study)])
    assert said.exit_code == 0 and "score will be set aside: it copies our own sales" in said.output
