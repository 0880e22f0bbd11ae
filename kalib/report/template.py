"""The template of the slides: the client's own, or python-pptx's in the house style."""

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
from kalib.plots.theme import INK, MARK, SOFT_INK, accent, lacks_font, tint
from kalib.study.settings import Study

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
        problems += _logo_problems(study.folder / study.report.logo)
    if study.report.language == "zh" and lacks_font("客户份额"):
        problems.append(Problem("no Chinese font is on this machine", remedy=install("zh")))
    if problems:
        raise StudyError(problems)


def _logo_problems(path: Path) -> list[Problem]:
    """What is wrong with a picture; its size is read from its head, before it is unpacked."""
    from PIL import Image, UnidentifiedImageError

    name, meant = path.name, "PNG" if path.suffix.lower() == ".png" else "JPEG"
    if path.stat().st_size > LOGO_BYTES:
        return [Problem("is larger than 5 MB", name, remedy="Save it smaller: a logo is 3 cm wide")]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                wide, high = picture.size
                if wide * high > LOGO_PIXELS:
                    raise Image.DecompressionBombError
                if picture.format != meant:
                    return [Problem(f"is a {picture.format} picture, whatever its name says", name,
                                    remedy=f"Save it again as {meant}")]  # fmt: skip
                picture.load()
    except Image.DecompressionBombError:
        return [Problem("has more than 25 million pixels", name, remedy="Save it smaller")]
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError):
        return [Problem("is no PNG or JPEG picture", name, remedy="Save it again as PNG")]
    return []


def open_deck(study: Study) -> Any:
    """An empty presentation in the client's template, or in python-pptx's own."""
    from pptx import Presentation

    name = study.report.template
    if name is None:
        return Presentation()
    try:
        deck = Presentation(_as_presentation(study.folder / name))
        layouts = len(deck.slide_layouts)
        for entry in list(deck.slides._sldIdLst):
            deck.part.drop_rel(entry.rId)
            deck.slides._sldIdLst.remove(entry)
    except _TooLargeError as error:
        remedy = "Take pictures and films out of it"
        raise StudyError(Problem(str(error), file=name, remedy=remedy)) from error
    except UNREADABLE as error:
        raise StudyError(
            Problem("is no PowerPoint template, or a damaged one", file=name,
                    remedy="Open it in PowerPoint and save it again as .potx")
        ) from error  # fmt: skip
    if not layouts:
        raise StudyError(Problem("has no layouts", file=name, remedy="Save it again as .potx"))
    return deck


def _as_presentation(path: Path) -> io.BytesIO:
    """A template's bytes, called a presentation: python-pptx opens no other kind. Each part is
    read no further than the limit, whatever size the archive claims."""
    from pptx.oxml import parse_xml

    result, left = io.BytesIO(), TEMPLATE_BYTES
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(result, "w") as target:
        if len(source.infolist()) > TEMPLATE_PARTS:
            raise _TooLargeError(f"holds more than {TEMPLATE_PARTS:,} parts")
        for item in source.infolist():
            with source.open(item) as part:
                content = part.read(left + 1)
            left -= len(content)
            if left < 0:
                raise _TooLargeError(f"unpacks to more than {TEMPLATE_BYTES >> 20} MB")
            if item.filename == "[Content_Types].xml":
                content = content.replace(b".template.main+xml", b".presentation.main+xml")
            if item.filename.endswith((".xml", ".rels")):
                parse_xml(content)
            target.writestr(item, content)
    result.seek(0)
    return result


class _TooLargeError(Exception):
    """A template that would fill the memory."""


def house_style(deck: Any, study: Study) -> None:
    """16:9, titles at the left in the accent color, charts and tables in the house colors."""
    from pptx.enum.text import MSO_ANCHOR
    from pptx.opc.constants import RELATIONSHIP_TYPE as RT
    from pptx.oxml.ns import qn
    from pptx.util import Inches

    wide = Inches(13.333) / deck.slide_width
    deck.slide_width, deck.slide_height = Inches(13.333), Inches(7.5)
    master = deck.slide_masters[0]
    for shape in (s for holder in (master, *deck.slide_layouts) for s in holder.placeholders):
        if shape._element.xpath("p:spPr/a:xfrm"):
            shape.left, shape.width = int(shape.left * wide), int(shape.width * wide)
    title, body = placeholder(master, TITLES), placeholder(master, ("BODY", "OBJECT"))
    title.left, title.top, title.width, title.height = map(Inches, (0.6, 0.35, 12.1, 1.05))
    body.left, body.top, body.width, body.height = map(Inches, (0.6, 1.5, 12.1, 5.3))
    title.text_frame.vertical_anchor = MSO_ANCHOR.TOP
    cover = deck.slide_layouts[0]
    for kind, place in ((TITLES, (0.9, 2.2, 11.5, 1.5)), (("SUBTITLE",), (0.9, 4.1, 11.5, 1.8))):
        shape = placeholder(cover, kind)
        shape.left, shape.top, shape.width, shape.height = map(Inches, place)
        shape.text_frame.vertical_anchor = MSO_ANCHOR.BOTTOM if kind is TITLES else MSO_ANCHOR.TOP
        for level in shape._element.iter(qn("a:lvl1pPr")):
            level.set("algn", "l")
    style = master._element.find(f"{qn('p:txStyles')}/{qn('p:titleStyle')}/{qn('a:lvl1pPr')}")
    style.set("algn", "l")
    letters = style.find(qn("a:defRPr"))
    letters.set("sz", "2800")
    letters.set("b", "1")
    letters.find(f".//{qn('a:schemeClr')}").set("val", "accent1")
    first = accent(study)
    given = [*study.report.colors[1:6], MARK, SOFT_INK, tint(first), "#A68B1B", "#8A8A8A"]
    colors = dict(zip(("dk1", *(f"accent{k}" for k in range(1, 7))), (INK, first, *given)))  # noqa: B905
    theme = master.part.part_related_by(RT.THEME)
    text = theme.blob.decode("utf-8")
    for key, color in colors.items():
        value = f'<a:srgbClr val="{color[1:].upper()}"/>'
        text = re.sub(rf"(<a:{key}>).*?(</a:{key}>)", rf"\g<1>{value}\g<2>", text, flags=re.S)
    for script, font in (("latin", "Arial"), ("ea", "Microsoft YaHei")):
        text = re.sub(rf'(<a:{script} typeface=")[^"]*', rf"\g<1>{font}", text)
    theme._blob = text.encode("utf-8")


def placeholder(holder: Any, kinds: Sequence[str]) -> Any:
    """The first placeholder of one of the kinds; None without one."""
    found = [s for s in holder.placeholders if s.placeholder_format.type.name in kinds]
    return found[0] if found else None


def bodies(layout: Any) -> list[Any]:
    """Placeholders of a layout that hold content."""
    other = (*TITLES, *SMALL)
    return [s for s in layout.placeholders if s.placeholder_format.type.name not in other]
