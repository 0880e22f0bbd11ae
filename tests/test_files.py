"""No command deletes or replaces what it did not write."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kalib import files
from kalib.cli import main
from kalib.errors import KalibError, StudyError
from kalib.files import (
    add_to_report,
    check_folder,
    file_hash,
    foreign,
    locked,
    read_run,
    report_folder,
    whole,
)
from kalib.runs import overview
from kalib.runs.overview import check_sealed, write_overview


def write_report(target: Path, text: str = "first", *, force: bool = False) -> None:
    with report_folder(target, force=force) as work:
        (work / "run.json").write_text(json.dumps({"kalib": "1", "study": text}))
        (work / "accounts.xlsx").write_text(text)
        (work / "notebooks").mkdir()
        (work / f"notebooks/{text}.ipynb").write_text(text)


@pytest.fixture
def report(tmp_path: Path) -> Path:
    write_report(tmp_path / "2026")
    return tmp_path / "2026"


def inside(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*")) if path.is_file()
    }  # fmt: skip


def moved(report: Path) -> dict[str, str]:
    (aside,) = report.parent.glob("aside_*")
    assert {path.name for path in report.parent.iterdir()} == {report.name, aside.name}
    return inside(aside)


def test_run_json_lists_every_file_with_its_hash(report: Path) -> None:
    listed = read_run(report)["files"]
    assert set(listed) == {"accounts.xlsx", "notebooks/first.ipynb"}
    assert all(file_hash(report / name) == digest for name, digest in listed.items())
    assert foreign(report) == []


def test_own_files_are_replaced_and_nothing_stays_beside(report: Path) -> None:
    write_report(report, "second")
    assert [path.name for path in report.parent.iterdir()] == ["2026"]
    assert set(inside(report)) == {"run.json", "accounts.xlsx", "notebooks/second.ipynb"}


def spoil_added(report: Path) -> None:
    (report / "figures").mkdir()
    (report / "figures/mine.png").write_text("mine")


def spoil_edited(report: Path) -> None:
    (report / "accounts.xlsx").write_text("what the expert says")


def spoil_record(report: Path) -> None:
    run = json.loads((report / "run.json").read_text())
    run["files"]["mine.txt"] = "0"
    (report / "run.json").write_text(json.dumps(run))


def spoil_link(report: Path) -> None:
    (report.parent / "elsewhere").mkdir(exist_ok=True)
    (report / "link").symlink_to(report.parent / "elsewhere")


def spoil_whole(report: Path) -> None:
    (report / "run.json").write_text('{"tool": "another"}')


SPOILED = {
    spoil_added: "figures/mine.png", spoil_edited: "accounts.xlsx", spoil_record: "run.json",
    spoil_whole: "notebooks/first.ipynb",
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "name"), SPOILED.items())
def test_what_is_not_ours_is_refused_by_name_and_moved_by_force(
    spoil: object, name: str, report: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(spoil)
    spoil(report)
    before = inside(report)
    with pytest.raises(StudyError, match=f"kalib did not write: .*{name}.*--force"):
        write_report(report, "second")
    assert inside(report) == before and [p.name for p in report.parent.iterdir()] == ["2026"]
    write_report(report, "second", force=True)
    assert set(inside(report)) == {"run.json", "accounts.xlsx", "notebooks/second.ipynb"}
    kept = moved(report)
    assert kept[f"2026/{name}"] == before[name]
    assert "is now in" in capsys.readouterr().err
    if spoil in (spoil_record, spoil_whole):
        assert kept == {f"2026/{name}": text for name, text in before.items()}
    else:
        assert list(kept) == [f"2026/{name}"]


def test_a_link_in_a_report_is_not_followed(report: Path) -> None:
    spoil_link(report)
    with pytest.raises(StudyError, match="link"):
        write_report(report, "second")


def test_a_folder_that_is_no_report_is_refused(tmp_path: Path) -> None:
    for name in ("letters.txt", *map(str, range(20))):
        (tmp_path / "mine").mkdir(exist_ok=True)
        (tmp_path / "mine" / name).write_text("dear")
    with pytest.raises(StudyError, match="11 more"):
        write_report(tmp_path / "mine")
    assert len(inside(tmp_path / "mine")) == 21
    write_report(tmp_path / "mine", force=True)
    assert moved(tmp_path / "mine")["mine/letters.txt"] == "dear"


def test_a_file_in_the_report_s_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("dear")
    with pytest.raises(StudyError, match="mine"):
        write_report(tmp_path / "mine")
    write_report(tmp_path / "mine", force=True)
    assert moved(tmp_path / "mine") == {"mine": "dear"}


def test_what_systems_and_editors_leave_blocks_nothing(report: Path) -> None:
    for name in (".DS_Store", "notebooks/Thumbs.db", "~$accounts.xlsx", ".~lock.accounts.xlsx#",
                 ".ipynb_checkpoints/a-checkpoint.txt",
                 "notebooks/.ipynb_checkpoints/first-checkpoint.ipynb"):  # fmt: skip
        (report / name).parent.mkdir(exist_ok=True)
        (report / name).write_text("left")
    write_report(report, "second")
    assert [path.name for path in report.parent.iterdir()] == ["2026"]


def test_a_report_from_before_the_list_is_moved_aside_whole(
    report: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = {"kalib": "0.9", "fingerprint": "x", "study": "first"}
    (report / "run.json").write_text(json.dumps(run))
    before = inside(report)
    check_folder(report)
    with pytest.raises(RuntimeError), report_folder(report):
        raise RuntimeError
    assert inside(report) == before
    write_report(report, "second")
    assert moved(report) == {f"2026/{name}": text for name, text in before.items()}
    assert "aside_" in capsys.readouterr().err


def test_what_comes_while_a_run_is_at_work_is_kept(report: Path) -> None:
    with report_folder(report) as work:
        (work / "run.json").write_text("{}")
        (report / "accounts.xlsx").write_text("what the expert says")
    assert moved(report) == {"2026/accounts.xlsx": "what the expert says"}


def test_out_through_a_link_writes_to_where_it_points(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "disk/report")
    for text in ("first", "second"):
        write_report(link, text)
        assert link.is_symlink() and read_run(tmp_path / "disk/report")["study"] == text
        assert [path.name for path in (tmp_path / "disk").iterdir()] == ["report"]


def test_the_folder_you_work_in_is_no_place_for_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    for place in (Path(), tmp_path, tmp_path / "a"):
        with pytest.raises(StudyError, match="the folder you work in"):
            write_report(place, force=True)


@pytest.mark.parametrize("survives", range(8))
def test_killed_while_the_old_report_goes(
    survives: int, report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever removal or renaming a run is killed before, the next one loses nothing."""
    spoil_added(report)
    calls = 0

    def counted(real: object) -> object:
        def call(*arguments: object, **more: object) -> object:
            nonlocal calls
            calls += 1
            if calls > survives:
                raise KeyboardInterrupt  # as sudden as a kill: nothing is cleared
            assert callable(real)
            return real(*arguments, **more)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", counted(Path.rename))
        patch.setattr(Path, "unlink", counted(Path.unlink))
        patch.setattr(files.shutil, "rmtree", counted(files.shutil.rmtree))
        with pytest.raises(KeyboardInterrupt):
            write_report(report, "second", force=True)
    write_report(report, "third", force=True)
    assert inside(report)["accounts.xlsx"] == "third"
    kept = [text for place in report.parent.glob("aside_*") for text in inside(place).values()]
    assert kept == ["mine"]
    assert all(path.name[0] != "." for path in report.parent.iterdir())


def test_the_earlier_report_comes_back_where_a_run_was_killed(tmp_path: Path, report: Path) -> None:
    report.rename(tmp_path / ".2026.old")
    (tmp_path / ".2026.part").mkdir()
    with pytest.raises(RuntimeError), report_folder(report):
        raise RuntimeError
    assert read_run(report)["study"] == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["2026"]


def test_a_failed_run_leaves_the_earlier_report(report: Path) -> None:
    before = inside(report)
    with pytest.raises(RuntimeError), report_folder(report) as work:
        (work / "run.json").write_text("second")
        raise RuntimeError
    assert inside(report) == before and [p.name for p in report.parent.iterdir()] == ["2026"]


def test_two_runs_of_one_report_do_not_meet(report: Path) -> None:
    with report_folder(report) as work:
        (work / "run.json").write_text("{}")
        with pytest.raises(KalibError, match="another run"), report_folder(report):
            pytest.fail("entered")
        with pytest.raises(KalibError, match="another run"):
            add_to_report(report, "waves.json", "{}")
    assert read_run(report)["files"] == {}


@pytest.mark.skipif(sys.platform == "win32", reason="the file stays there")
def test_a_lock_s_file_goes_and_somebody_s_of_its_name_stays(tmp_path: Path) -> None:
    with locked(tmp_path / "2026"):
        assert (tmp_path / ".2026.lock").exists()
    assert not (tmp_path / ".2026.lock").exists()
    (tmp_path / ".2026.lock").write_text("mine")
    with locked(tmp_path / "2026"):
        pass
    assert (tmp_path / ".2026.lock").read_text() == "mine"


@pytest.mark.skipif(sys.platform == "win32", reason="the file stays there")
def test_the_lock_holds_over_removals_of_its_file(tmp_path: Path) -> None:
    """Many processes at once: each adds one to a number, none is lost."""
    (tmp_path / "number").write_text("0")
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom kalib.files import KalibError, locked\n"
        "place = Path(sys.argv[1])\ndone = 0\nwhile done < 10:\n    try:\n"
        "        with locked(place / '2026'):\n"
        "            n = int((place / 'number').read_text()); time.sleep(0.002)\n"
        "            (place / 'number').write_text(str(n + 1)); done += 1\n"
        "    except KalibError:\n        pass\n"
    )
    many = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(3)]
    assert [process.wait(60) for process in many] == [0, 0, 0]
    assert (tmp_path / "number").read_text() == "30"


def test_a_file_added_to_a_report_is_listed(report: Path) -> None:
    add_to_report(report, "waves.json", "{}")
    assert foreign(report) == []
    add_to_report(report, "waves.json", "[]")
    (report / "waves.json").write_text("mine")
    with pytest.raises(StudyError, match=r"waves\.json: was not written by kalib"):
        add_to_report(report, "waves.json", "{}")
    assert (report / "waves.json").read_text() == "mine"
    add_to_report(report, "waves.json", "{}", force=True)
    assert (report / "waves.json").read_text() == "{}"
    assert moved(report) == {"2026/waves.json": "mine"}
    write_report(report, "second")


def test_a_folder_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "lake.parquet").mkdir()
    (tmp_path / "lake.parquet/part").write_text("mine")
    with pytest.raises(StudyError, match="is a folder that holds files"), \
            whole(tmp_path / "lake.parquet") as part:  # fmt: skip
        part.write_text("scores")
    assert inside(tmp_path) == {"lake.parquet/part": "mine"}


def test_a_file_is_written_to_where_a_link_points(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with whole(tmp_path / "link") as part:
        part.write_text("text")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "file").read_text() == "text"


def test_the_overview_page_is_ours_or_stays(tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    write_overview(tmp_path)
    check_sealed(tmp_path / "index.html")
    assert overview.SEAL.strip() in page.read_text()
    page.write_text(page.read_text().replace("<title>", "<title>Mine: "))
    with pytest.raises(StudyError, match="changed since"):
        check_sealed(tmp_path / "index.html")
    check_sealed(tmp_path / "index.html", force=True)
    assert not page.exists() and len(list(tmp_path.glob("aside_*/index.html"))) == 1
    page.write_text("my page")
    with pytest.raises(StudyError, match="was not written"):
        check_sealed(tmp_path / "index.html")
    assert page.read_text() == "my page"


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


def test_the_command_refuses_somebody_s_files(
    small_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And before anything is computed: the message has status 2."""
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "run.json").write_text("{}")
    done = call("run", small_study, "--out", mine)
    assert done.exit_code == 2 and "run.json" in done.stderr and "--force" in done.stderr
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/index.html").write_text("mine")
    done = call("run", small_study)
    assert done.exit_code == 2 and "reports/index.html" in done.stderr
    assert inside(tmp_path / "reports") == {"index.html": "mine"}
