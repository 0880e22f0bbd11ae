"""A client's template and logo: what can't be used is refused before anything runs."""

from __future__ import annotations

import struct
import time
import zipfile
import zlib
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image
from pptx import Presentation

from kalib.cli import main
from kalib.errors import StudyError
from kalib.report.template import check_look
from kalib.study.loading import read_study


def refusal(study: Path, **look: str) -> str:
    settings = {f"report.{name}": file for name, file in look.items()}
    began = time.perf_counter()
    with pytest.raises(StudyError) as error:
        check_look(read_study(study, settings))
    assert time.perf_counter() - began < 5
    (problem,) = error.value.problems
    assert problem.file in look.values()
    return str(problem)


def template(path: Path, **parts: bytes) -> Path:
    """python-pptx's own as a template, with parts added or replaced (\"__\" stands for \"/\")."""
    plain = path.with_suffix(".pptx")
    Presentation().save(plain)
    named = {name.replace("__", "/") + ".xml": content for name, content in parts.items()}
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as to:
        for item in source.infolist():
            if item.filename not in named:
                to.writestr(item.filename, source.read(item))
        for name, content in named.items():
            to.writestr(name, content)
    plain.unlink()
    return path


@pytest.mark.slow
def test_a_template_that_unpacks_to_a_gigabyte_is_refused(small_study: Path) -> None:
    file = small_study / "client.potx"
    template(file)
    with (
        zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as target,
        target.open("ppt/media/film.bin", "w", force_zip64=True) as part,
    ):
        for _ in range(1200):
            part.write(bytes(1 << 20))
    assert file.stat().st_size < 2e6
    assert "unpacks to more than 256 MB" in refusal(small_study, template="client.potx")


@pytest.mark.parametrize("part", ["ppt__presentation", "ppt__theme__theme1"])
def test_broken_xml_in_a_template_is_refused(small_study: Path, part: str) -> None:
    template(small_study / "client.potx", **{part: b"<a><b></a>"})
    assert "damaged" in refusal(small_study, template="client.potx")


def test_a_cut_off_template_is_refused(small_study: Path) -> None:
    file = template(small_study / "client.potx")
    file.write_bytes(file.read_bytes()[:-400])
    assert "damaged" in refusal(small_study, template="client.potx")


def test_a_logo_of_billions_of_pixels_is_refused(small_study: Path) -> None:
    head = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    written = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    (small_study / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n" + written)
    assert "more than 25 million pixels" in refusal(small_study, logo="logo.png")


def test_a_picture_of_another_kind_is_refused(small_study: Path) -> None:
    Image.new("RGB", (30, 10)).save(small_study / "logo.png", format="WEBP")
    said = refusal(small_study, logo="logo.png")
    assert "is a WEBP picture, whatever its name says. Save it again as PNG" in said


def test_a_cut_off_logo_is_refused(small_study: Path) -> None:
    Image.effect_noise((300, 100), 50).save(small_study / "logo.jpg")
    file = small_study / "logo.jpg"
    file.write_bytes(file.read_bytes()[:2000])
    assert "no PNG or JPEG picture" in refusal(small_study, logo="logo.jpg")


def test_the_check_of_a_study_looks_at_them_too(small_study: Path) -> None:
    (small_study / "logo.png").write_text("no picture")
    file = small_study / "study.toml"
    file.write_text(file.read_text() + '[report]\nlogo = "logo.png"\n')
    result = CliRunner().invoke(main, ["check", str(small_study)])
    assert result.exit_code == 2 and "logo.png: is no PNG or JPEG picture" in result.output
