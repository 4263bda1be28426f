"""OpenDocument texts, sheets and slides, by lxml: a page where one was stored, a sheet, or a slide."""

import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.ocr.images import picture_paragraphs
from docmill.pipeline.extract.office.opendocument_lists import ListMarks
from docmill.pipeline.extract.office.opendocument_table import table_rows
from docmill.pipeline.extract.office.opendocument_text import (  # fmt: skip
    DRAW,
    FO,
    HREF,
    OFFICE,
    PAGE_END,
    PRESENTATION,
    STYLE,
    TABLE,
    TEXT,
    count_of,
    read_paragraph,
)
from docmill.pipeline.extract.office.package import check_unpacked_size
from docmill.pipeline.extract.office.page_turner import PageTurner
from docmill.pipeline.extract.reading import Reading
from docmill.pipeline.text import clean
from docmill.pipeline.types import BlockKind, Page

_MAX_PICTURE = 64 << 20
_MAX_NESTING = 60
_MANIFEST = "META-INF/manifest.xml"
_BROKEN = (etree.LxmlError, zipfile.BadZipFile, zlib.error, KeyError, ValueError, OSError, NotImplementedError,
           RuntimeError)  # fmt: skip
_CONTAINERS = {TEXT + name for name in (
    "section", "index-body", "index-title", "table-of-content", "alphabetical-index", "illustration-index",
    "table-index", "bibliography", "user-index", "object-index", "numbered-paragraph", "list-header",
)} | {DRAW + "text-box", DRAW + "g", DRAW + "a", TABLE + "shapes"}  # fmt: skip
_ROLES_LEFT_OUT = ("page", "header", "footer", "date-time", "page-number")


def read(path: Path, content_type: str) -> Reading:
    """Pages of a text where LibreOffice stored their ends, otherwise one; a page for each sheet or slide."""
    try:
        archive = zipfile.ZipFile(path)
        check_unpacked_size(archive)
        if _MANIFEST in archive.NameToInfo and b"encryption-data" in archive.read(_MANIFEST):
            raise PermanentError("encrypted")
        content, styles, about = (_part(archive, name) for name in ("content.xml", "styles.xml", "meta.xml"))
        if content is None:
            raise PermanentError("corrupt")
        title = None if about is None else about.findtext(".//{http://purl.org/dc/elements/1.1/}title")
        pages = _Pages(archive, content, styles)
    except _BROKEN as error:
        raise PermanentError("corrupt") from error
    return Reading(clean(title or "").strip() or None, None, _guarded(pages.read()))


def _part(archive: zipfile.ZipFile, name: str) -> Any:
    if name not in archive.NameToInfo:
        return None
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True, remove_comments=True)
    return etree.fromstring(archive.read(name), parser)


def _guarded(pages: Iterator[Page]) -> Iterator[Page]:
    try:
        yield from pages
    except _BROKEN as error:
        raise PermanentError("corrupt") from error


class _Pages:
    """Walks through the document and fills one page after the other."""

    def __init__(self, archive: zipfile.ZipFile, content: Any, styles: Any) -> None:
        self._archive = archive
        self._content, self._styles = content, styles
        roots = [root for root in (styles, content) if root is not None]
        self._marks = ListMarks(roots)
        self._page_starts = {
            style.get(STYLE + "name")
            for root in roots
            for style in root.iter(STYLE + "style")
            if any(properties.get(FO + "break-before") == "page" for properties in style)
        }
        self._turner = PageTurner()
        self._pictures: set[str] = set()

    def read(self) -> Iterator[Page]:
        body = self._content.find(OFFICE + "body")
        held = None if body is None else next(iter(body), None)
        if held is None:
            raise PermanentError("corrupt")
        if held.tag == OFFICE + "presentation":
            yield from self._each(held, DRAW + "page", self._slide)
        elif held.tag == OFFICE + "spreadsheet":
            yield from self._each(held, TABLE + "table", self._sheet)
        else:
            self._furniture("header")
            yield from self._blocks(held, 0)
            self._turner.write_notes()
            self._furniture("footer")
            yield self._turner.end()

    def _each(self, body: Any, tag: str, write: Callable[[Any], Iterator[Page]]) -> Iterator[Page]:
        for element in body.iterchildren(tag):
            yield from write(element)
            yield self._turner.end()

    def _slide(self, slide: Any) -> Iterator[Page]:
        shapes = [shape for shape in slide if shape.get(PRESENTATION + "class") not in _ROLES_LEFT_OUT]
        for shape in sorted(shapes, key=lambda shape: shape.get(PRESENTATION + "class") != "title"):
            if shape.get(PRESENTATION + "class") == "title":
                texts = [read_paragraph(each).text for each in shape.iter(TEXT + "p", TEXT + "h")]
                self._turner.writer.add("heading", " ".join(" ".join(texts).split()), 1)
            elif shape.tag == PRESENTATION + "notes":
                yield from self._blocks([each for each in shape if each.tag == DRAW + "frame"], 1)
            else:
                yield from self._block(shape, 0)

    def _sheet(self, sheet: Any) -> Iterator[Page]:
        self._turner.writer.add("heading", sheet.get(TABLE + "name", ""), 2)
        yield from self._table(sheet, 0, has_header=True)

    def _furniture(self, kind: str) -> None:
        """Headers or footers, each once."""
        texts: dict[str, None] = {}
        tags = [STYLE + kind + which for which in ("", "-left", "-first")]
        for element in () if self._styles is None else self._styles.iter(*tags):
            text = " ".join(read_paragraph(each).text for each in element.iter(TEXT + "p", TEXT + "h")).strip()
            if any(map(str.isalpha, text)):
                texts.setdefault(text)
        for text in texts:
            self._turner.writer.add("paragraph", text)

    def _blocks(self, container: Any, nesting: int) -> Iterator[Page]:
        for element in container:
            yield from self._block(element, nesting)

    def _block(self, element: Any, nesting: int) -> Iterator[Page]:
        tag = element.tag
        if nesting > _MAX_NESTING or not isinstance(tag, str):
            return
        if tag == TEXT + "p":
            yield from self._paragraph(element, "paragraph", 0, "", nesting)
        elif tag == TEXT + "h":
            level = min(max(count_of(element, TEXT + "outline-level"), 1), 6)
            yield from self._paragraph(element, "heading", level, "", nesting)
        elif tag == TEXT + "list":
            yield from self._list(element, element.get(TEXT + "style-name", ""), 1, nesting)
        elif tag == TABLE + "table":
            yield from self._table(element, nesting)
        elif tag == TEXT + "soft-page-break":
            yield from self._turner.turn()
        elif tag == TEXT + "note":
            self._turner.writer.add("paragraph", _note_text(element))
        elif tag == OFFICE + "annotation":  # of a sheet's cell or a slide
            author = element.findtext("{http://purl.org/dc/elements/1.1/}creator")
            text = " ".join(read_paragraph(each).text for each in element.iter(TEXT + "p"))
            self._turner.writer.add("paragraph", f"Comment by {author}: {text}" if author else f"Comment: {text}")
        elif tag == DRAW + "frame":
            yield from self._frame(element, nesting)
        elif tag in _CONTAINERS or tag.startswith(DRAW):
            yield from self._blocks(element, nesting + 1)

    def _paragraph(self, element: Any, kind: BlockKind, level: int, mark: str, nesting: int) -> Iterator[Page]:
        if element.get(TEXT + "style-name") in self._page_starts:
            yield from self._turner.turn()
        paragraph = read_paragraph(element, self._turner.note_count)
        for number, part in enumerate(paragraph.text.split(PAGE_END)):
            if number:
                yield from self._turner.turn()
            if part.strip():
                self._turner.writer.add(kind, f"{mark} {part.strip()}" if mark and not number else part, level)
        for note in paragraph.notes:
            self._turner.add_note(_note_text(note))
        yield from self._blocks(paragraph.frames, nesting + 1)

    def _list(self, element: Any, style: str, depth: int, nesting: int) -> Iterator[Page]:
        if nesting > _MAX_NESTING:
            return
        self._marks.begin(style, depth, element.get(TEXT + "continue-numbering") == "true")
        for item in element.iterchildren(TEXT + "list-item", TEXT + "list-header"):
            is_marked = item.tag == TEXT + "list-header"
            for child in item:
                if child.tag == TEXT + "list":
                    inner = child.get(TEXT + "style-name") or style
                    yield from self._list(child, inner, depth + 1, nesting + 1)
                elif child.tag == TEXT + "p":
                    start = count_of(item, TEXT + "start-value") if item.get(TEXT + "start-value") else None
                    mark = "" if is_marked else self._marks.mark(style, depth, start)
                    is_marked = True
                    yield from self._paragraph(child, "list_item", depth, mark, nesting)
                else:
                    yield from self._block(child, nesting + 1)

    def _table(self, table: Any, nesting: int, has_header: bool = False) -> Iterator[Page]:
        anchored: list[Any] = []
        rows = list(table_rows(table, anchored))
        for number, (cells, is_header) in enumerate(rows):
            is_first = has_header and number == 0 and len(rows) > 1
            self._turner.writer.add_row(cells, is_header=is_header or is_first)
        yield from self._blocks([*table.iterchildren(TABLE + "shapes"), *anchored], nesting + 1)

    def _frame(self, frame: Any, nesting: int) -> Iterator[Page]:
        """What a frame holds: text, a table, or a picture, which may be there in several forms."""
        images = frame.findall(DRAW + "image")
        if frame.find(DRAW + "object") is None and images:
            self._picture(images[0].get(HREF, ""))
        yield from self._blocks([each for each in frame if each.tag != DRAW + "image"], nesting + 1)

    def _picture(self, name: str) -> None:
        """The text of a picture, at the first place where it stands."""
        name = name.removeprefix("./")
        if name in self._pictures or name not in self._archive.NameToInfo:
            return
        self._pictures.add(name)
        if self._archive.getinfo(name).file_size <= _MAX_PICTURE:
            for text in picture_paragraphs(self._archive.read(name)):
                self._turner.writer.add("paragraph", text)


def _note_text(note: Any) -> str:
    return " ".join(
        read_paragraph(each).text for body in note.iter(TEXT + "note-body") for each in body.iter(TEXT + "p")
    )
