"""Slides on any template: titles, text, native tables and charts, placed where its layouts say."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from pptx.enum.text import MSO_ANCHOR, PP_ALIGN

from kalib.plots.theme import cut, letters_of
from kalib.report.story import Claim, Story, given
from kalib.report.template import TITLES, bodies, open_deck, placeholder
from kalib.words.table import Table

INCH, POINT = 914400, 12700  # in the file's units
TEXT_SIZES = (20, 18, 16, 14, 12, 11)  # points, the largest that fits is taken
TITLE_SIZES = (28, 24, 20, 18, 16)
CAPTION = int(0.6 * INCH)  # height of the lines below a table
ROW_LETTERS, NAME_LETTERS = 130, 30  # of a table's row that can be read; of a name in it
LINE = 1.25  # height of a line over its letters' size
LETTER = 0.54  # mean width of a letter over its size


class Slides:
    """An open presentation in the client's template or the house's, each slide under a claim.

    Content goes where the layout with a title and one body has its body. Raises StudyError where
    the client's template can't be used.
    """

    def __init__(self, story: Story) -> None:
        self.story, self.words, self.study = story, story.words, story.study
        self.deck = open_deck(story.study)
        layouts = list(self.deck.slide_layouts)
        titled = [layout for layout in layouts if placeholder(layout, TITLES)] or layouts
        self._cover = next((x for x in titled if placeholder(x, ("SUBTITLE",))), titled[0])
        single = [x for x in titled if len(bodies(x)) == 1 and not placeholder(x, ("SUBTITLE",))]
        self._text_layout = single[0] if single else titled[-1]
        others = [layout for layout in titled if layout is not self._cover] or titled
        self._plain = min(others, key=lambda layout: len(bodies(layout)))
        self.box = self._content_box()

    def save(self, path: Path) -> None:
        """Write the file."""
        properties = self.deck.core_properties
        properties.title = self.study.title
        properties.author = given(self.study.report.author)
        properties.last_modified_by = properties.author  # else a stranger's, of the empty deck
        self.deck.save(str(path))

    def cover(self, lines: Sequence[str], notes: str) -> None:
        """The first slide: the study's title, and lines below it."""
        slide = self._add(self._cover, self.study.title, notes)
        subtitle = placeholder(slide, ("SUBTITLE", "BODY", "OBJECT"))
        if subtitle is None:
            left, top, width, height = self.box
            subtitle = slide.shapes.add_textbox(left, top + height // 2, width, height // 4)
        subtitle.text_frame.text = "\n".join(lines)
        subtitle.text_frame.paragraphs[0].font.bold = True
        self._finish(slide, 0.9)

    def bullets(self, claim: Claim, said: Sequence[Claim], notes: str, share: float = 1.0) -> Any:
        """A slide of sentences in the upper share of the content's box; returns it."""
        slide = self._add(self._text_layout, self.story.say(claim), notes)
        lines = self.story.said(tuple(said))
        body = placeholder(slide, ("BODY", "OBJECT"))
        left, top, width, height = self.box
        if body is None:
            body = slide.shapes.add_textbox(left, top, width, height)
        body.left, body.top, body.width, body.height = left, top, width, int(height * share)
        frame = body.text_frame
        frame.word_wrap = True
        size = _fitting(lines, width, body.height, TEXT_SIZES, gap=0.45)
        frame.text = "\n".join(lines)
        for paragraph in frame.paragraphs:
            paragraph.font.size = size * POINT
            paragraph.space_after = int(0.4 * size * POINT)
        self._finish(slide)
        return slide

    def titled(self, claim: Claim, notes: str) -> Any:
        """A slide with a title and room below it."""
        slide = self._add(self._plain, self.story.say(claim), notes)
        self._finish(slide)
        return slide

    def table(self, slide: Any, table: Table, top: float = 0.0) -> None:
        """A native table below the share top of the content's box, each row on one line, its
        title and unit below it."""
        left, start, width, height = self.box
        cells = [list(table.heads), *table.rows()]
        row_height = int((height * (1 - top) - CAPTION) / (len(cells) + 1.2))
        row_height = min(int(0.5 * INCH), row_height)
        letters = _letters_of_columns(cells, table.numbers)
        size = int(min(row_height / POINT / 1.75, width / POINT / LETTER / sum(letters), 16))
        size = max(size, 9)
        place = (left, start + int(height * top), width, row_height * len(cells))
        grid = slide.shapes.add_table(len(cells), len(letters), *place).table
        lines = 1
        for j, number in enumerate(table.numbers):
            grid.columns[j].width = int(width * letters[j] / sum(letters))
            fitting = max(int(grid.columns[j].width / POINT / size / LETTER) - 2, 4)
            lines = max(lines, len(wrap(cells[0][j], fitting)))
            for i, row in enumerate(cells):
                cell = grid.cell(i, j)
                cell.text = cut(row[j], fitting) if i else row[j]
                cell.vertical_anchor = MSO_ANCHOR.MIDDLE
                cell.margin_top = cell.margin_bottom = int(0.02 * INCH)
                paragraph = cell.text_frame.paragraphs[0]
                paragraph.font.size = size * POINT
                if number:
                    paragraph.alignment = PP_ALIGN.RIGHT
        for row in grid.rows:
            row.height = row_height
        grid.rows[0].height = max(row_height, int(size * POINT * (LINE * lines + 0.4)))
        under = place[1] + sum(row.height for row in grid.rows)
        told = ". ".join(part for part in (table.title, table.rule) if part)
        roomy = under + 2 * CAPTION < start + height
        self.text(slide, (left, under, width, CAPTION), told, 14 if roomy else 11)

    def _content_box(self) -> tuple[int, int, int, int]:
        """Left, top, width and height of the room below the title."""
        wide, high = self.deck.slide_width, self.deck.slide_height
        for body in (body for x in (self._text_layout, self._plain) for body in bodies(x)):
            if body.width and body.width > 0.5 * wide and body.height > 0.4 * high:
                return body.left, body.top, body.width, body.height
        title = placeholder(self._plain, TITLES)
        top = title.top + title.height if title is not None and title.top is not None else 0
        top = max(min(top, int(0.4 * high)), int(0.18 * high))
        return int(0.05 * wide), top, int(0.9 * wide), int(0.92 * high) - top

    def _add(self, layout: Any, title: str, notes: str) -> Any:
        """A slide with its title, and what its speaker says of the method (a key)."""
        slide = self.deck.slides.add_slide(layout)
        slide.notes_slide.notes_text_frame.text = self.words.say(notes)
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
        return slide

    def _finish(self, slide: Any, logo_inches: float = 0.34) -> None:
        """Slide number, the client's logo at the lower right, the mark of a draft; placeholders
        left empty go, which would ask the reader to click on them."""
        for shape in list(slide.placeholders):
            if not (shape.has_text_frame and shape.text_frame.text):
                shape._element.getparent().remove(shape._element)
        number = placeholder(slide.slide_layout, ("SLIDE_NUMBER",))
        if number is not None and slide.slide_layout is not self._cover:
            slide.shapes._spTree.append(copy.deepcopy(number._element))
        wide, high = self.deck.slide_width, self.deck.slide_height
        if self.study.report.logo is not None:
            file = self.study.folder / self.study.report.logo
            logo = slide.shapes.add_picture(str(file), 0, 0, height=int(logo_inches * INCH))
            logo.left = wide - logo.width - int(0.3 * INCH)
            logo.top = high - logo.height - int(0.15 * INCH)
        if self.story.draft:
            place = (wide - int(1.3 * INCH), int(0.06 * INCH), int(1.1 * INCH), int(0.3 * INCH))
            self.text(slide, place, self.story.draft, 12).bold = True

    def text(self, slide: Any, place: Sequence[int], text: str, size: int) -> Any:
        """A text box; returns its font."""
        frame = slide.shapes.add_textbox(*place).text_frame
        frame.word_wrap = True
        frame.text = text
        font = frame.paragraphs[0].font
        font.size = size * POINT
        return font


def _letters_of_columns(cells: Sequence[Sequence[str]], numbers: Sequence[bool]) -> list[int]:
    """Letters that each column is wide; in a long row names give way, numbers do not."""
    columns = list(zip(*cells, strict=True))
    longest = [max(map(letters_of, [*head.split(), *rest])) + 4 for head, *rest in columns]
    if sum(longest) <= ROW_LETTERS:
        return longest
    return [most if number else min(most, NAME_LETTERS)
            for most, number in zip(longest, numbers, strict=True)]  # fmt: skip


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
