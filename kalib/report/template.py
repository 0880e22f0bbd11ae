"""The template of the slides: the client's own or the house's, and the client's logo."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kalib.errors import Problem, StudyError, install
from kalib.study.settings import Study

HOUSE = Path(__file__).parent / "templates" / "house.pptx"
TITLES = ("TITLE", "CENTER_TITLE", "VERTICAL_TITLE")
LOGO_BYTES, LOGO_PIXELS = 5 << 20, 25_000_000
TEMPLATE_BYTES, TEMPLATE_PARTS = 256 << 20, 5_000  # unpacked
# What python-pptx, zipfile and lxml raise for files that are none of theirs, or damaged.
UNREADABLE = (KeyError, ValueError, AttributeError, SyntaxError, EOFError, NotImplementedError,
              RuntimeError, zipfile.BadZipFile, zlib.error)  # fmt: skip
SMALL = ("DATE", "FOOTER", "SLIDE_NUMBER", "HEADER")


def check_look(study: Study) -> None:
    """Refuse a template, a logo or a missing font, before anything is computed."""
    problems: list[Problem] = []
    if study.report.template:
        try:
            open_deck(study)
        except StudyError as error:
            problems += error.problems
    if study.report.logo:
        path = study.folder / study.report.logo
        if fault := _logo_fault(path):
            problems.append(Problem(fault[0], path.name, remedy=fault[1]))
    if study.report.language == "zh":
        from kalib.plots.theme import lacks_font

        if lacks_font("客户份额"):
            problems.append(Problem("no Chinese font is on this machine", remedy=install("zh")))
    if problems:
        raise StudyError(problems)


def _logo_fault(path: Path) -> tuple[str, str] | None:
    """What is wrong with a picture and its remedy; its size is read from its head, before it is
    unpacked."""
    from PIL import Image

    meant = "PNG" if path.suffix.lower() == ".png" else "JPEG"
    if path.stat().st_size > LOGO_BYTES:
        return "is larger than 5 MB", "Save it smaller: a logo is 3 cm wide"
    large = "has more than 25 million pixels", "Save it smaller"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                if picture.width * picture.height > LOGO_PIXELS:
                    return large
                if picture.format != meant:
                    said = f"is a {picture.format} picture, whatever its name says"
                    return said, f"Save it again as {meant}"
                picture.load()
    except Image.DecompressionBombError:
        return large
    except (OSError, SyntaxError, ValueError, EOFError):
        return "is no PNG or JPEG picture", "Save it again as PNG"
    return None


def open_deck(study: Study) -> Any:
    """An empty presentation in the client's template, or in the house's with the study's colors."""
    from pptx import Presentation

    name = study.report.template
    if name is None:
        deck = Presentation(str(HOUSE))
        _recolor(deck, study)
        return deck
    try:
        deck = Presentation(_as_presentation(study.folder / name))
        layouts = len(deck.slide_layouts)
        for entry in list(deck.slides._sldIdLst):
            deck.part.drop_rel(entry.rId)
            deck.slides._sldIdLst.remove(entry)
    except UNREADABLE as error:
        remedy = "Open it in PowerPoint and save it again as .potx"
        damaged = Problem("is no PowerPoint template, or a damaged one", name, remedy=remedy)
        raise StudyError(damaged) from error
    if not layouts:
        raise StudyError("has no layouts", name, remedy="Save it again as .potx")
    return deck


def _as_presentation(path: Path) -> io.BytesIO:
    """A template's bytes, called a presentation: python-pptx opens no other kind. Each part is
    read no further than the limit, whatever size the archive claims."""
    from pptx.oxml import parse_xml

    result, left = io.BytesIO(), TEMPLATE_BYTES
    remedy = "Take pictures and films out of it"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(result, "w") as target:
        if len(source.infolist()) > TEMPLATE_PARTS:
            many = f"holds more than {TEMPLATE_PARTS:,} parts"
            raise StudyError(many, path.name, remedy=remedy)
        for item in source.infolist():
            with source.open(item) as part:
                content = part.read(left + 1)
            left -= len(content)
            if left < 0:
                large = f"unpacks to more than {TEMPLATE_BYTES >> 20} MB"
                raise StudyError(large, path.name, remedy=remedy)
            if item.filename == "[Content_Types].xml":
                content = content.replace(b".template.main+xml", b".presentation.main+xml")
            if item.filename.endswith((".xml", ".rels")):
                parse_xml(content)
            target.writestr(item, content)
    result.seek(0)
    return result


def _recolor(deck: Any, study: Study) -> None:
    """The house template in the study's colors."""
    from pptx.opc.constants import RELATIONSHIP_TYPE as RT

    from kalib.plots.theme import MARK, SOFT_INK, accent, tint

    first = accent(study)
    others = [*study.report.colors[1:6], MARK, SOFT_INK, tint(first), "#A68B1B", "#8A8A8A"]
    theme = deck.slide_masters[0].part.part_related_by(RT.THEME)
    text = theme.blob.decode("utf-8")
    for k, color in enumerate([first, *others[:5]], start=1):
        value = f'<a:srgbClr val="{color[1:].upper()}"/>'
        text = re.sub(rf"(<a:accent{k}>).*?(?=</a:accent{k}>)", rf"\g<1>{value}", text, flags=re.S)
    theme._blob = text.encode("utf-8")


def placeholder(holder: Any, kinds: Sequence[str]) -> Any:
    """The first placeholder of one of the kinds; None without one."""
    found = [s for s in holder.placeholders if s.placeholder_format.type.name in kinds]
    return found[0] if found else None


def bodies(layout: Any) -> list[Any]:
    """Placeholders of a layout that hold content."""
    other = (*TITLES, *SMALL)
    return [s for s in layout.placeholders if s.placeholder_format.type.name not in other]
