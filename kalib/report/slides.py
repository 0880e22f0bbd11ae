"""Slides on any template: titles, text, native tables and charts, placed where its layouts say."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from kalib.plots.theme import cut, letters_of
from kalib.report.story import given
from kalib.report.tables import Table
from kalib.report.template import TITLES, bodies, house_style, open_deck, placeholder
from kalib.study.settings import Study

INCH, POINT = 914400, 12700  # in the file's units
TEXT_SIZES = (20, 18, 16, 14, 12, 11)  # points, the largest that fits is taken
TITLE_SIZES = (28, 24, 20, 18, 16)
CAPTION = int(0.35 * INCH)  # height of the line below a table
ROW_LETTERS, NAME_LETTERS = 130, 26  # of a table's row that can be read; of a name in it
LINE = 1.25  # height of a line over its letters' size
LETTER = 0.54  # mean width of a letter over its size


class Slides:
    """An open presentation.

    Without a template, python-pptx's own is widened to 16:9 and given the house colors. Content
    goes where the layout with a title and one body has its body. Raises StudyError where the
    client's template can't be used.
    """

    def __init__(self, study: Study, draft: str = "") -> None:
        self.study, self.draft = study, draft
        self.deck = open_deck(study)
        if study.report.template is None:
            house_style(self.deck, study)
        layouts = list(self.deck.slide_layouts)
        titled = [layout for layout in layouts if placeholder(layout, TITLES)] or layouts
        self._cover = next((x for x in titled if placeholder(x, ("SUBTITLE",))), titled[0])
        single = [x for x in titled if len(bodies(x)) == 1 and not placeholder(x, ("SUBTITLE",))]
        self._text_layout = single[0] if single else titled[-1]
        self._plain = min(
            (x for x in titled if x is not self._cover), default=titled[0],
            key=lambda x: len(bodies(x)),
        )  # fmt: skip
        self.box = self._content_box()

    def save(self, path: Path) -> None:
        """Write the file."""
        properties = self.deck.core_properties
        properties.title = self.study.title
        properties.author = given(self.study.report.author)
        properties.last_modified_by = properties.author  # else a stranger's, of the empty deck
        self.deck.save(str(path))

    def cover(self, title: str, lines: Sequence[str], notes: str) -> None:
        """The first slide."""
        from pptx.enum.dml import MSO_THEME_COLOR
        from pptx.enum.shapes import MSO_SHAPE

        slide = self.deck.slides.add_slide(self._cover)
        self._title(slide, title, notes)
        subtitle = placeholder(slide, ("SUBTITLE", "BODY", "OBJECT"))
        if subtitle is None:
            left, top, width, height = self.box
            subtitle = slide.shapes.add_textbox(left, top + height // 2, width, height // 4)
        subtitle.text_frame.text = "\n".join(lines)
        _drop_empty(slide)
        if self.study.report.template is None:
            band = slide.shapes.add_shape(
                MSO_SHAPE.RECTANGLE, 0, 0, int(0.3 * INCH), self.deck.slide_height
            )
            band.fill.solid()
            band.fill.fore_color.theme_color = MSO_THEME_COLOR.ACCENT_1
            band.line.fill.background()
        self._logo(slide, 0.9)
        self._mark_draft(slide)

    def bullets(self, title: str, lines: Sequence[str], notes: str, share: float = 1.0) -> Any:
        """A slide of sentences in the upper share of the content's box; returns it."""
        slide = self.deck.slides.add_slide(self._text_layout)
        self._title(slide, title, notes)
        body = placeholder(slide, ("BODY", "OBJECT"))
        left, top, width, height = self.box
        if body is None:
            body = slide.shapes.add_textbox(left, top, width, height)
        body.left, body.top, body.width, body.height = left, top, width, int(height * share)
        frame = body.text_frame
        frame.word_wrap = True
        size = _fitting(lines, width, int(height * share), TEXT_SIZES, gap=0.45)
        frame.text = "\n".join(lines)
        for paragraph in frame.paragraphs:
            paragraph.font.size = size * POINT
            paragraph.space_after = int(0.4 * size * POINT)
        self._finish(slide)
        return slide

    def titled(self, title: str, notes: str) -> Any:
        """A slide with a title and room below it."""
        slide = self.deck.slides.add_slide(self._plain)
        self._title(slide, title, notes)
        self._finish(slide)
        return slide

    def table(self, slide: Any, table: Table, top: float = 0.0) -> None:
        """A native table below the share top of the content's box, each row on one line, its
        title and unit below it."""
        from pptx.enum.text import MSO_ANCHOR, PP_ALIGN

        left, start, width, height = self.box
        cells = [table.heads, *table.rows()]
        rows, count = len(cells), len(table.heads)
        room = int(height * (1 - top)) - CAPTION
        row_height = min(int(0.42 * INCH), int(room / (rows + 1.2)))
        longest = [
            max([*map(letters_of, cells[0][j].split()), *(letters_of(row[j]) for row in cells[1:])])
            + 4
            for j in range(count)
        ]
        if sum(longest) > ROW_LETTERS:  # names give way, numbers do not
            longest = [
                most if number else min(most, NAME_LETTERS)
                for most, number in zip(longest, table.numbers, strict=True)
            ]
        size = min(14, int(row_height / POINT / 1.75), int(width / POINT / LETTER / sum(longest)))
        size = max(size, 9)
        place = (left, start + int(height * top), width, row_height * rows)
        grid = slide.shapes.add_table(rows, count, *place).table
        for j, number in enumerate(table.numbers):
            part = int(width * longest[j] / sum(longest))
            grid.columns[j].width = part
            letters = int(part / POINT / size / LETTER) - 2
            for i, row in enumerate(cells):
                cell = grid.cell(i, j)
                cell.text = row[j] if i == 0 else cut(row[j], letters)
                cell.vertical_anchor = MSO_ANCHOR.MIDDLE
                cell.margin_top = cell.margin_bottom = int(0.02 * INCH)
                paragraph = cell.text_frame.paragraphs[0]
                paragraph.font.size = size * POINT
                if number:
                    paragraph.alignment = PP_ALIGN.RIGHT
        for row in grid.rows:
            row.height = row_height
        fitting = [int(column.width / POINT / size / LETTER) - 2 for column in grid.columns]
        lines = max(len(wrap(name, max(n, 4))) for name, n in zip(cells[0], fitting, strict=True))
        grid.rows[0].height = max(row_height, int(size * POINT * (LINE * lines + 0.4)))
        under = place[1] + sum(row.height for row in grid.rows)
        caption = slide.shapes.add_textbox(left, under, width, CAPTION).text_frame
        caption.word_wrap = True
        caption.text = table.title
        caption.paragraphs[0].font.size = 11 * POINT

    def chart(self, slide: Any, kind: Any, data: Any, start: float = 0.0) -> Any:
        """A native chart in the content's box, from the share start of its height on."""
        left, top, width, height = self.box
        box = (left, top + int(height * start), width, int(height * (1 - start)))
        chart = slide.shapes.add_chart(kind, *box, data).chart
        chart.has_title = False
        chart.font.size = 12 * POINT
        return chart

    def _content_box(self) -> tuple[int, int, int, int]:
        """Left, top, width and height of the room below the title."""
        wide, high = self.deck.slide_width, self.deck.slide_height
        for layout in (self._text_layout, self._plain):
            for body in bodies(layout):
                if body.width and body.width > 0.5 * wide and body.height > 0.4 * high:
                    return body.left, body.top, body.width, body.height
        title = placeholder(self._plain, TITLES)
        top = title.top + title.height if title is not None and title.top is not None else 0
        top = max(min(top, int(0.4 * high)), int(0.18 * high))
        return int(0.05 * wide), top, int(0.9 * wide), int(0.92 * high) - top

    def _title(self, slide: Any, title: str, notes: str) -> None:
        slide.notes_slide.notes_text_frame.text = notes
        shape = placeholder(slide, TITLES)
        if shape is None:
            left, top, width, _ = self.box
            shape = slide.shapes.add_textbox(left, int(0.3 * INCH), width, top - int(0.3 * INCH))
        shape.text_frame.word_wrap = True
        shape.text_frame.text = title[:1].upper() + title[1:]
        # Titles are bold, which is wider.
        size = _fitting([title], int(0.9 * shape.width), shape.height, TITLE_SIZES, gap=0.1)
        if size < TITLE_SIZES[0]:  # else the template's own size stands
            shape.text_frame.paragraphs[0].font.size = size * POINT

    def _finish(self, slide: Any) -> None:
        _drop_empty(slide)
        for shape in slide.slide_layout.placeholders:
            if shape.placeholder_format.type.name == "SLIDE_NUMBER":
                slide.shapes._spTree.append(copy.deepcopy(shape._element))
        self._logo(slide, 0.34)
        self._mark_draft(slide)

    def _mark_draft(self, slide: Any) -> None:
        """The mark of a slide of a study that does not say for whom or by whom it is."""
        if not self.draft:
            return
        wide = int(1.1 * INCH)
        left = self.deck.slide_width - wide - int(0.2 * INCH)
        frame = slide.shapes.add_textbox(left, int(0.06 * INCH), wide, int(0.3 * INCH)).text_frame
        frame.text = self.draft
        frame.paragraphs[0].font.size, frame.paragraphs[0].font.bold = 12 * POINT, True

    def _logo(self, slide: Any, inches: float) -> None:
        """The client's logo at the lower right corner."""
        if self.study.report.logo is None:
            return
        file = self.study.folder / self.study.report.logo
        picture = slide.shapes.add_picture(str(file), 0, 0, height=int(inches * INCH))
        picture.left = self.deck.slide_width - picture.width - int(0.3 * INCH)
        picture.top = self.deck.slide_height - picture.height - int(0.15 * INCH)


def _drop_empty(slide: Any) -> None:
    """Placeholders left empty would ask the reader to click on them."""
    for shape in list(slide.placeholders):
        if (shape.has_text_frame and not shape.text_frame.text) or not shape.has_text_frame:
            shape._element.getparent().remove(shape._element)


def _fitting(
    lines: Sequence[str], width: int, height: int, sizes: Sequence[int], gap: float
) -> int:
    """The largest of sizes (points) in which lines fit a box; gap: room after each, in lines."""
    for size in sizes:
        per_line = max(int((width / POINT - 2 * 7.2) / (LETTER * size)) - 2, 1)
        needed = sum(math.ceil(letters_of(line) / per_line) + gap for line in lines)
        if needed * LINE * size * POINT <= height - 0.1 * INCH:
            return size
    return sizes[-1]
