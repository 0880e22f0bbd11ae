"""Codes for names and ids: in every file, the same in every wave, nothing without the key."""

from __future__ import annotations

import json
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pypdf
import pytest
from conftest import write_small_study

from kalib.analysis import analyze
from kalib.errors import StudyError
from kalib.tables.anonymize import KEY_FILE, KEY_VARIABLE, Secret, code

pytestmark = pytest.mark.slow

KEY = b"a key of enough letters"


@pytest.fixture
def named_study(small_study: Path) -> Path:
    return name_accounts(small_study)


def name_accounts(folder: Path) -> Path:
    """The small study with names, chains and representatives that must not be seen."""
    for file in ("accounts.csv", "survey.csv"):
        table = pd.read_csv(folder / file, dtype=str)
        table["id"] = "Kunde" + table["id"]
        if file == "accounts.csv":
            chain = np.where(np.arange(len(table)) % 2, "Zweigmarkt", "Eichhof")
            table["store"] = [f"{c} Filiale {i}" for i, c in enumerate(chain)]
            table["chain"] = chain
            table["rep"] = np.where(np.arange(len(table)) % 3, "Ana Quirós", "Bo Lindqvist")
            table["office"] = table["id"].iloc[7]
            table.loc[::3, "office"] = "none"
            table.loc[::5, "region"] = "Gebiet Quirós"
        table.to_csv(folder / file, index=False)
    file = folder / "study.toml"
    text = file.read_text().replace('region = "region"', 'region = "region"\nname = "store"\n'
                                    'segment = "chain"\nrep = "rep"')  # fmt: skip
    file.write_text(text.replace('"format"]', '"format", "chain", "office"]'))
    (folder / "codebook.md").write_text("Kunde000 is Eichhof Filiale 0\n")
    return folder


def test_no_deliverable_holds_a_name(run_here: Callable[..., Path], tmp_path: Path) -> None:
    study = tmp_path / "study"
    study.mkdir()
    name_accounts(write_small_study(study))
    (tmp_path / "Eichhof.csv").write_text(
        "account,override potential,override by,override reason\n"
        "Kunde041,99000,Cy Expertsson,Zweigmarkt moves in\n"
    )
    overrides = tmp_path / "Eichhof.csv"
    report = run_here(study, tmp_path / "report", overrides=overrides, secret=Secret())
    secrets = (
        "Kunde0",
        "Filiale",
        "Zweigmarkt",
        "Eichhof",
        "Quir",
        "Lindqvist",
        "Expertsson",
        "moves in",
    )
    key = (study / KEY_FILE).read_text().strip()
    for path in (path for path in report.rglob("*") if path.is_file()):
        for part, raw in parts_of(path).items():
            text = raw.decode("utf-8", errors="ignore")
            assert not [word for word in (*secrets, key) if word in text], f"{path.name} {part}"
    table = pd.read_csv(report / "accounts.csv", dtype=str)
    assert table["account"].str.fullmatch(r"A-[A-Z2-7]{10}").all() and table["account"].is_unique
    quiros = code(key.encode(), "W", "Gebiet Quirós")
    assert set(table["region"]) == {"N", "S", quiros}
    run = json.loads((report / "run.json").read_text())
    assert run["anonymized"] is True and run["overrides"]["count"] == 1
    told = table[table["override_by"].notna()].iloc[0]
    assert told["account"] == code(key.encode(), "A", "Kunde041")
    assert told["override_by"] == code(key.encode(), "R", "Cy Expertsson")
    assert told["override_reason"] == "–" and float(told["potential"]) == 99_000


def parts_of(path: Path) -> dict[str, bytes]:
    """A file's content, unpacked where it is a zip or a PDF."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    if path.suffix == ".pdf":
        return {"text": "".join(p.extract_text() for p in pypdf.PdfReader(path).pages).encode()}
    return {"": path.read_bytes()}


def test_codes_change_nothing_but_names(named_study: Path) -> None:
    open_, coded = analyze(named_study), analyze(named_study, key=KEY)
    assert coded.fit.formula.indicators == open_.fit.formula.indicators
    for name in ("sales", "potential", "potential_low", "sow"):
        np.testing.assert_allclose(
            coded.wallet.accounts[name].to_numpy(float), open_.wallet.accounts[name].to_numpy(float)
        )
    assert list(coded.plan.accounts["zone"]) == list(open_.plan.accounts["zone"])


def test_overrides_name_accounts_by_id_or_by_code(named_study: Path, tmp_path: Path) -> None:
    head, file = "account,override potential,override by,override reason\n", tmp_path / "o.csv"
    coded = code(KEY, "A", "Kunde041")
    for account in ("Kunde041", coded):
        file.write_text(f"{head}{account},99000,Cy,moves in\n")
        analysis = analyze(named_study, overrides=file, key=KEY)
        assert analysis.overrides.entries["potential"].to_dict() == {coded: 99_000}
    file.write_text(f"{head}Kunde041,99000,Cy,x\n{coded},98000,Cy,x\nKunde999,5,Cy,x\n")
    with pytest.raises(StudyError) as error:
        _ = analyze(named_study, overrides=file, key=KEY).overrides
    assert [p.message for p in error.value.problems] == [
        "is not among the accounts",
        "stands above too",
    ]
    assert "Kunde" not in str(error.value)


def test_codes_are_stable_and_keyed() -> None:
    assert code(KEY, "A", "007") == code(KEY, "A", "007") != code(KEY, "A", "008")
    assert code(KEY, "A", "007") != code(KEY + b".", "A", "007")
    assert code(KEY, "A", "x")[2:] != code(KEY, "R", "x")[2:] and code(KEY, "A", "") == ""


def test_key_is_made_once_and_for_its_owner_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    first = Secret().key(tmp_path)
    assert len(first) == 64 and Secret().key(tmp_path) == first
    if os.name != "nt":
        assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    monkeypatch.setenv(KEY_VARIABLE, "another key of enough letters")
    assert Secret().key(tmp_path) == b"another key of enough letters"
    assert Secret(tmp_path / KEY_FILE).key(tmp_path) == first


@pytest.mark.parametrize("text", ["", "short", None])
def test_bad_key_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "k").write_text(text)
    with pytest.raises(StudyError, match="key"):
        Secret(tmp_path / "k").key(tmp_path)


def test_problems_name_rows_and_no_values(named_study: Path) -> None:
    survey = named_study / "survey.csv"
    survey.write_text(
        survey.read_text().replace("Kunde003,", "kunde003,").replace("Kunde004,", "Geheim,")
    )
    with pytest.raises(StudyError) as caught:
        _ = analyze(named_study, key=KEY).tables
    text = str(caught.value)
    assert "row 5" in text and "row 6" in text
    assert "unde003" not in text and "Geheim" not in text


def test_notes_name_rows_and_no_values(named_study: Path) -> None:
    survey = named_study / "survey.csv"
    lines = survey.read_text().splitlines()
    lines[1] = "Kunde000,0.0321"
    survey.write_text("\n".join(lines))
    notes = "\n".join(map(str, analyze(named_study, key=KEY).tables.notes))
    assert "row 2: is below our own sales" in notes
    assert "Kunde" not in notes and "0.03" not in notes
