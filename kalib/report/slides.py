"""Slides on any template: titles, text, native tables and charts, placed where its layouts say."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from pptx.dml.color import RGBColor
from pptx.enum.dml import MSO_THEME_COLOR
from pptx.enum.text import MSO_ANCHOR, MSO_AUTO_SIZE, PP_ALIGN
from pptx.oxml import parse_xml
from pptx.oxml.ns import nsdecls, qn

from kalib.plots.theme import cut, letters_of
from kalib.report.story import Story, given
from kalib.report.template import TITLES, bodies, open_deck, placeholder
from kalib.words.table import Table

INCH, POINT = 914400, 12700  # in the file's units
Box = tuple[int, int, int, int]  # left, top, width, height
TEXT_SIZES = (16, 15, 14, 13, 12, 11, 10)  # points, the largest that fits is taken
SIDES = {"L": PP_ALIGN.LEFT, "C": PP_ALIGN.CENTER, "R": PP_ALIGN.RIGHT}
MIDDLE = 14  # points, of sentences above a table
TITLE_SIZES = (24, 20, 18, 16)
CAPTION = int(0.35 * INCH)  # height of the line above a table, and of each of two below it
ROW = int(0.55 * INCH)  # of a table, at most
FOOT = int(0.75 * INCH)  # for the source and the number of a slide
TILE, GAP = int(0.8 * INCH), int(0.15 * INCH)  # call-outs, room between
INDENT = int(0.22 * INCH)  # of a sentence behind its bullet
STYLE = "{3B4B98B0-60AC-42C2-AFA5-B58CD77FA1E5}"  # of tables: Light Style 1, Accent 1
ROW_LETTERS, NAME_LETTERS = 130, 30  # of a table's row that can be read; of a name in it
LINE = 1.25  # height of a line over its letters' size
LETTER, BOLD = 0.5, 0.56  # mean width of a letter over its size: of text, of a title or a cell


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
        self.written = single[0] if single else titled[-1]
        others = [layout for layout in titled if layout is not self._cover] or titled
        self.plain = min(others, key=lambda layout: len(bodies(layout)))
        self.box = self._content_box()
        self._titles: list[tuple[Any, int]] = []  # each paragraph, and the size that fits it
        self._said: list[tuple[Any, bool]] = []  # texts of the slide at work, and which have a head

    def save(self, path: Path) -> None:
        """Write the file, all titles in one size: the largest that each of them fits."""
        for paragraph, _ in self._titles:
            paragraph.font.size = min(size for _, size in self._titles) * POINT
        properties = self.deck.core_properties
        properties.title = self.study.title
        properties.author = given(self.study.report.author)
        properties.last_modified_by = properties.author  # else a stranger's, of the empty deck
        self.deck.save(str(path))

    def cover(self, lines: Sequence[str]) -> None:
        """The first slide: the study's title, and lines below it."""
        slide = self.add(self._cover, self.study.title)
        subtitle = placeholder(slide, ("SUBTITLE", "BODY", "OBJECT"))
        if subtitle is None:
            left, top, width, height = self.box
            subtitle = slide.shapes.add_textbox(left, top + height // 2, width, height // 4)
        subtitle.text_frame.text = "\n".join(lines)
        subtitle.text_frame.paragraphs[0].font.bold = True
        self._titles.clear()
        self.finish(slide, logo_inches=0.9)

    def bullets(self, slide: Any, lines: Sequence[str], box: Box, head: str = "") -> None:
        """Sentences in a box, below a head in bold where there is one: the first of a slide in its
        body, which the template forms, others as bullets of our own."""
        body = placeholder(slide, ("BODY", "OBJECT"))
        own = body is None or body.text_frame.text != ""
        shape = slide.shapes.add_textbox(*box) if own else body
        shape.left, shape.top, shape.width, shape.height = box
        shape.text_frame.word_wrap = True
        shape.text_frame.text = "\n".join([head, *lines] if head else lines)
        self._said.append((shape, bool(head)))
        for k, paragraph in enumerate(shape.text_frame.paragraphs):
            layout, first = paragraph._p.get_or_add_pPr(), head and not k
            if first or own:
                layout.set("marL", "0" if first else str(INDENT))
                layout.set("indent", "0" if first else str(-INDENT))
                mark = "buNone" if first else 'buChar char="•"'
                layout.append(parse_xml(f"<a:{mark} {nsdecls('a')}/>"))

    def _spread(self) -> None:
        """The sentences of a slide in letters of one size, each text over the height of its box."""
        texts = [[one.text for one in shape.text_frame.paragraphs] for shape, _ in self._said]
        sizes = [_fitting(lines, shape.width, shape.height, TEXT_SIZES, gap=0.45)
                 for lines, (shape, _) in zip(texts, self._said, strict=True)]  # fmt: skip
        for lines, (shape, headed) in zip(texts, self._said, strict=True):
            size = min(sizes)
            used = LINE * size * sum(_lines_of(line, shape.width, size) for line in lines)
            left = (shape.height - 0.1 * INCH) / POINT - used
            for k, paragraph in enumerate(shape.text_frame.paragraphs):
                paragraph.font.size, paragraph.font.bold = size * POINT, (headed and not k) or None
                paragraph.space_after = int(max(min(left / len(lines), 1.2 * size), 0) * POINT)
        self._said.clear()

    def tiles(self, slide: Any, tiles: Sequence[tuple[str, str]]) -> None:
        """Call-outs along the top of the content's box, each a figure and what it is."""
        left, top, width, _ = self.box
        wide = (width + GAP) // max(len(tiles), 4) - GAP
        for k, (figure, told) in enumerate(tiles):
            shape = slide.shapes.add_textbox(left + k * (wide + GAP), top, wide, TILE)
            shape.fill.solid()
            shape.fill.fore_color.theme_color = MSO_THEME_COLOR.ACCENT_1
            shape.fill.fore_color.brightness = 0.9
            shape.text_frame.text, shape.text_frame.word_wrap = f"{figure}\n{told}", True
            first, second = (paragraph.font for paragraph in shape.text_frame.paragraphs)
            fitting = int((wide - GAP) / POINT / BOLD / letters_of(figure))
            first.size, first.bold, second.size = min(fitting, 22) * POINT, True, 12 * POINT
            first.color.theme_color = MSO_THEME_COLOR.ACCENT_1

    def height_of(self, shown: Sequence[Table], lines: Sequence[str], box: Box) -> int:
        """What tables side by side take of a box that holds sentences, too."""
        rows = max(len(table.frame) for table in shown) + 1
        said = sum(_lines_of(line, box[2], MIDDLE) + 0.5 for line in lines) * LINE * MIDDLE * POINT
        return int(min(rows * ROW + 2 * CAPTION, max(box[3] - said, box[3] // 2)))

    def tables(self, slide: Any, shown: Sequence[Table], box: Box) -> None:
        """Native tables side by side in a box, all in letters of one size, each below its title;
        the rule of one that has the width of the slide below it."""
        left, begin, width, height = box
        wide = (width + GAP) // len(shown) - GAP
        every = [[list(table.heads), *table.rows()] for table in shown]
        told = len(shown) == 1 and width == self.box[2] and height > self.box[3] // 2
        room = height - (3 if told and shown[0].rule else 1) * CAPTION
        said = any("said" in table.kinds.values() for table in shown)
        row_height = min(int(room / (max(map(len, every)) + 1.2)), ROW * (1 + said))
        rows = int(ROW_LETTERS * wide / self.box[2])
        letters = [_widths(cells, table.numbers, rows)
                   for cells, table in zip(every, shown, strict=True)]  # fmt: skip
        most = max(map(sum, letters))
        largest = 10 if said else 16 if told else 12
        size = max(int(min(row_height / POINT / 1.75, wide / POINT / BOLD / most, largest)), 9)
        for k, (table, cells) in enumerate(zip(shown, every, strict=True)):
            x, y, high = left + k * (wide + GAP), begin + CAPTION, row_height * len(cells)
            above = max(min(11, int(wide / POINT / BOLD / (letters_of(table.title) + 3))), 9)
            title = cut(table.title, int(wide / POINT / above / BOLD) - 2)
            self.text(slide, (x, begin, wide, CAPTION), title, above).bold = True
            grid = slide.shapes.add_table(len(cells), len(letters[k]), x, y, wide, high).table
            grid._tbl.tblPr.find(qn("a:tableStyleId")).text = STYLE
            lines, heads = max(int(row_height / POINT / size / LINE), 1), 1
            for j, number in enumerate(table.numbers):
                grid.columns[j].width = int(wide * letters[k][j] / sum(letters[k]))
                fitting = max(int(grid.columns[j].width / POINT / size / BOLD) - 2, 4)
                heads = max(heads, len(wrap(cells[0][j], fitting)))
                for i, row in enumerate(cells):
                    cell = grid.cell(i, j)
                    cell.text = cut(row[j], fitting * lines - 3 * (lines > 1)) if i else row[j]
                    cell.vertical_anchor = MSO_ANCHOR.MIDDLE
                    cell.margin_top = cell.margin_bottom = int(0.02 * INCH)
                    paragraph = cell.text_frame.paragraphs[0]
                    paragraph.font.size = size * POINT
                    paragraph.alignment = PP_ALIGN.RIGHT if number else PP_ALIGN.LEFT
            grid.rows[0].height = max(row_height, int(size * POINT * (LINE * heads + 0.4)))
            if table.rule and told:
                under = y + sum(row.height for row in grid.rows)
                left_over = max(begin + height - under, CAPTION)
                self.text(slide, (left, under, width, left_over), table.rule, 11)

    def _content_box(self) -> tuple[int, int, int, int]:
        """Left, top, width and height of the room below the title."""
        wide, high = self.deck.slide_width, self.deck.slide_height
        for body in (body for x in (self.written, self.plain) for body in bodies(x)):
            if body.width and body.width > 0.5 * wide and body.height > 0.4 * high:
                return body.left, body.top, body.width, min(body.height, high - FOOT - body.top)
        title = placeholder(self.plain, TITLES)
        top = title.top + title.height if title is not None and title.top is not None else 0
        top = max(min(top, int(0.4 * high)), int(0.18 * high))
        return int(0.05 * wide), top, int(0.9 * wide), high - FOOT - top

    def add(self, layout: Any, title: str, notes: str = "") -> Any:
        """A slide with its title, and what its speaker says."""
        slide = self.deck.slides.add_slide(layout)
        if notes:
            slide.notes_slide.notes_text_frame.text = notes
        shape = placeholder(slide, TITLES)
        if shape is None:
            left, top, width, _ = self.box
            shape = slide.shapes.add_textbox(left, int(0.3 * INCH), width, top - int(0.3 * INCH))
        shape.text_frame.word_wrap = True
        shape.text_frame.text = title[:1].upper() + title[1:]
        # Titles are bold, which is wider.
        size = _fitting([title], int(0.9 * shape.width), shape.height, TITLE_SIZES, gap=0.1)
        self._titles.append((shape.text_frame.paragraphs[0], size))
        return slide

    def finish(self, slide: Any, mark: str = "", logo_inches: float = 0.34) -> None:
        """Mark and source, slide number, the client's logo at the lower right; placeholders left
        empty go, which would ask the reader to click on them."""
        self._spread()
        for shape in list(slide.placeholders):
            if not (shape.has_text_frame and shape.text_frame.text):
                shape._element.getparent().remove(shape._element)
        number = placeholder(slide.slide_layout, ("SLIDE_NUMBER",))
        wide, high = self.deck.slide_width, self.deck.slide_height
        if slide.slide_layout is not self._cover:
            if number is not None:
                slide.shapes._spTree.append(copy.deepcopy(number._element))
            said = self.words.word(mark), self.story.source
            place = (self.box[0], high - int(0.42 * INCH), int(0.7 * self.box[2]), CAPTION)
            color = self.text(slide, place, " · ".join(filter(None, said)), 10).color
            color.theme_color, color.brightness = MSO_THEME_COLOR.TEXT_1, 0.35
        if self.study.report.logo is not None:
            file = self.study.folder / self.study.report.logo
            logo = slide.shapes.add_picture(str(file), 0, 0, height=int(logo_inches * INCH))
            logo.left = wide - logo.width - int(0.3 * INCH)
            logo.top = high - logo.height - int(0.15 * INCH)

    def text(
        self, slide: Any, place: Box, text: str, size: int, corner: str = "LT", fill: str = ""
    ) -> Any:
        """A text box, its text in a corner of it (L, C or R and T or B); returns its font."""
        shape = slide.shapes.add_textbox(*place)
        if fill:
            shape.fill.solid()
            shape.fill.fore_color.rgb = RGBColor.from_string(fill[1:].upper())  # type: ignore[no-untyped-call]
        frame = shape.text_frame
        frame.word_wrap, frame.auto_size, frame.text = True, MSO_AUTO_SIZE.NONE, text
        frame.vertical_anchor = MSO_ANCHOR.TOP if corner[1] == "T" else MSO_ANCHOR.BOTTOM
        frame.paragraphs[0].alignment = SIDES[corner[0]]
        font = frame.paragraphs[0].font
        font.size = size * POINT
        return font


def _widths(cells: Sequence[Sequence[str]], numbers: Sequence[bool], room: int) -> list[int]:
    """Letters that each column is wide; in a row longer than there is room for names give way,
    numbers do not, and the longest takes what is left."""
    columns = list(zip(*cells, strict=True))
    longest = [max(map(letters_of, [*head.split(), *rest])) + 3 for head, *rest in columns]
    if sum(longest) <= room:
        return longest
    letters = [most if number else min(most, NAME_LETTERS)
               for most, number in zip(longest, numbers, strict=True)]  # fmt: skip
    letters[longest.index(max(longest))] += max(room - sum(letters), 0)
    return letters


def _fitting(lines: Sequence[str], width: int, high: int, sizes: Sequence[int], gap: float) -> int:
    """The largest of sizes (points) in which lines fit a box; gap: room after each, in lines."""
    for size in sizes:
        needed = sum(_lines_of(line, width, size) + gap for line in lines if line)
        if needed * LINE * size * POINT <= high - 0.1 * INCH:
            return size
    return sizes[-1]


def _lines_of(text: str, width: int, size: int) -> float:
    """Lines that a text takes in a box so wide, in letters of a size (points); Chinese ones are
    higher."""
    per_line = max(int((width / POINT - 2 * 7.2) / (LETTER * size)) - 2, 1)
    return math.ceil(letters_of(text) / per_line) * (1.2 if letters_of(text) > len(text) else 1.0)
