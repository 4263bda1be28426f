"""DOC, Word 6 to 2003: headers, paragraphs, headings, numbered lists, tables, text boxes, foot- and endnotes, footers
([MS-DOC]). Word 6 and 95 are read without headings and list numbers."""

import struct
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import olefile

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.office.doc_fields import seen
from docmill.pipeline.extract.office.doc_lists import DocLists
from docmill.pipeline.extract.office.doc_properties import ParagraphProperties, hidden_spans
from docmill.pipeline.extract.office.doc_text import (
    ANCHORS,
    ENDNOTE_REFERENCES,
    ENDNOTE_TEXTS,
    FOOTNOTE_REFERENCES,
    FOOTNOTE_TEXTS,
    HEADERS,
    TEXT_BOXES,
    WordFile,
)
from docmill.pipeline.extract.office.ole_title import ole_title
from docmill.pipeline.extract.office.page_turner import PageTurner
from docmill.pipeline.extract.reading import Reading
from docmill.pipeline.types import Page

_SEPARATORS = 6
"""Stories before the first section's headers: the lines above notes."""
_STORIES = 6
_FOOTERS = (2, 3, 5)
_BOX, _ANCHOR = 22, 26
_NOTE = 2


def read(path: Path, content_type: str) -> Reading:
    """Pages where the author or a section ends them. Raises PermanentError: `corrupt`, `encrypted`,
    `unsupported_type`."""
    try:
        with olefile.OleFileIO(str(path)) as file:
            word, title = WordFile(file), ole_title(file)
        word.hide(hidden_spans(word))
        pages = list(_Pages(word).read())
    except (OSError, struct.error, ValueError, IndexError, OverflowError) as error:
        raise PermanentError("corrupt") from error
    return Reading(title, len(pages), iter(pages))


class _Pages:
    """Walks through the document and fills one page after the other."""

    def __init__(self, file: WordFile) -> None:
        self._file = file
        self._properties = ParagraphProperties(file)
        self._lists = DocLists(file)
        self._notes = dict(_notes(file))
        self._boxes = sorted(_anchored_boxes(file), key=lambda box: box[0])
        self._turner = PageTurner()

    def read(self) -> Iterator[Page]:
        headers, footers = self._furniture()
        for text in headers:
            self._turner.writer.add("paragraph", text)
        yield from self._blocks(self._file.parts["main"], with_boxes=True)
        yield from self._boxes_before(len(self._file.text))
        for note in list(self._notes):
            self._note(note)
        self._turner.write_notes()
        for text in footers:
            self._turner.writer.add("paragraph", text)
        yield self._turner.end()

    def _blocks(self, span: range, *, with_boxes: bool = False) -> Iterator[Page]:
        text, cells, cell_before = "", list[str](), -2
        for kind, part, position in seen(self._file.text, span):
            if kind == "text":
                text += part
                continue
            if kind == "note":
                text += self._note(position)
                continue
            properties = self._properties.at(position)
            if kind == "cell":
                row_ends = properties.ends_row if self._properties else not text and cell_before == position - 1
                cell_before = position
                if row_ends:
                    self._turner.writer.add_row(cells)
                    cells = []
                else:
                    cells.append(text)
                text = ""
            elif kind == "paragraph" and (properties.in_table or (cells and not self._properties)):
                text += " "
            else:
                if cells:
                    self._turner.writer.add_row(cells)
                    cells = []
                if properties.starts_page:
                    yield from self._turner.turn()
                self._paragraph(text, position)
                text = ""
                if kind == "page":
                    yield from self._turner.turn()
            if with_boxes and not cells:
                yield from self._boxes_before(position)
        self._turner.writer.add_row(cells)
        self._paragraph(text, max(span.stop - 1, 0))

    def _paragraph(self, text: str, position: int) -> None:
        if not text.strip():
            return
        properties = self._properties.at(position)
        mark = self._lists.mark(properties.list_number, properties.list_depth) if properties.list_number else ""
        if properties.level:
            numbered = f"{mark} {text.strip()}" if mark and mark != "•" else text
            self._turner.writer.add("heading", " ".join(numbered.split()), min(properties.level, 6))
        elif properties.list_number:
            self._turner.writer.add("list_item", f"{mark} {text.strip()}", properties.list_depth + 1)
        else:
            self._turner.writer.add("paragraph", text)

    def _note(self, position: int) -> str:
        span = self._notes.pop(position, None)
        return "" if span is None else self._turner.add_note(self._plain(span))

    def _plain(self, span: range) -> str:
        """The text of a part in one line."""
        parts = (part if kind == "text" else " " for kind, part, _ in seen(self._file.text, span))
        return " ".join("".join(parts).split())

    def _boxes_before(self, position: int) -> Iterator[Page]:
        while self._boxes and self._boxes[0][0] <= position:
            yield from self._blocks(self._boxes.pop(0)[1])

    def _furniture(self) -> tuple[list[str], list[str]]:
        """The texts of headers and footers, each once."""
        headers, footers = dict[str, None](), dict[str, None]()
        part = self._file.parts["headers"]
        bounds = self._file.positions(HEADERS, 0)
        spans = list(enumerate(_stories(part, bounds), start=-_SEPARATORS))
        if not self._file.is_97 or not spans:
            spans = [(0, part)]
        for story, span in [*spans, (0, self._file.parts["header_boxes"])]:
            text = self._plain(span)
            if story >= 0 and any(map(str.isalpha, text)):
                (footers if story % _STORIES in _FOOTERS else headers).setdefault(text)
        return list(headers), list(footers)


def _stories(part: range, bounds: Sequence[int]) -> Iterator[range]:
    """The pieces of a part between bounds that count from its beginning; none overlaps the one before."""
    reached = 0
    for start, end in pairwise(bounds):
        begin, stop = max(start, reached), max(end, start, reached)
        reached = min(stop, len(part))
        yield part[begin:stop]


def _notes(file: WordFile) -> Iterator[tuple[int, range]]:
    """Where each foot- or endnote is referred to, and its text."""
    for references, texts, part in (
        (FOOTNOTE_REFERENCES, FOOTNOTE_TEXTS, "footnotes"),
        (ENDNOTE_REFERENCES, ENDNOTE_TEXTS, "endnotes"),
    ):
        places, bounds = file.positions(references, _NOTE), file.positions(texts, 0)
        yield from zip(places[:-1], _stories(file.parts[part], bounds), strict=False)


def _anchored_boxes(file: WordFile) -> Iterator[tuple[int, range]]:
    """The position that each text box hangs on, and its text; the end of the document where none is known."""
    part = file.parts["boxes"]
    anchors = {
        item[:4]: position
        for item, position in zip(file.items(ANCHORS, _ANCHOR), file.positions(ANCHORS, _ANCHOR), strict=False)
    }
    bounds, boxes = file.positions(TEXT_BOXES, _BOX), file.items(TEXT_BOXES, _BOX)
    for span, box in zip(_stories(part, bounds), boxes, strict=False):
        if not int.from_bytes(box[8:10], "little"):
            yield anchors.get(box[14:18], len(file.text)), span
    if not boxes and part:
        yield len(file.text), part
