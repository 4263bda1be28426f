"""DOCX: paragraphs, headings, numbered lists, tables, text boxes, notes, headers and footers, pictures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.office.alternative_chunks import write_chunk
from docmill.pipeline.extract.office.docx_numbering import Numbering, numbering_of, style_numbering
from docmill.pipeline.extract.office.docx_text import (
    Graphic,
    Note,
    PageBreak,
    Picture,
    TextBox,
    W,
    paragraph_parts,
    whole_number,
)
from docmill.pipeline.extract.office.drawings import DrawingWriter
from docmill.pipeline.extract.office.equations import M, equation_text
from docmill.pipeline.extract.office.package import BROKEN, Package, R
from docmill.pipeline.extract.office.page_turner import PageTurner
from docmill.pipeline.extract.reading import Reading
from docmill.pipeline.types import BlockKind, Page

_MAX_NESTING = 20
_MAX_CHUNK = 64 << 20  # bytes
_MAX_CHUNK_NESTING = 3
_MIN_PICTURE = 70.0
_CONTAINERS = {W + name for name in ("sdt", "sdtContent", "ins", "moveTo", "customXml", "smartTag")} | {
    "{http://schemas.microsoft.com/office/word/2003/auxHint}" + name for name in ("sect", "sub-section")
}


def read(path: Path, content_type: str) -> Reading:
    """Pages as Word last laid them out, where the file tells; otherwise one page."""
    package = Package(path)
    return Reading(package.title, None, _pages(package, 0))


def _pages(package: Package, chunk_nesting: int) -> Iterator[Page]:
    """The pages; what Word would not have written ends as `corrupt`."""
    try:
        yield from _Pages(package, chunk_nesting).read()
    except BROKEN as error:
        raise PermanentError("corrupt") from error


class _Pages:
    """Walks through the document and fills one page after the other. `chunk_nesting` is how many documents this one
    lies in."""

    def __init__(self, package: Package, chunk_nesting: int) -> None:
        self._package = package
        self._chunk_nesting = chunk_nesting
        self._part = package.main_part("word/document.xml")
        root = package.xml(self._part)
        body = None if root is None else root.find(W + "body")
        if body is None:
            raise PermanentError("corrupt")
        self._body = body
        self._numbering = Numbering(self._related("numbering"))
        styles = self._related("styles")
        found = () if styles is None else styles.iterchildren(W + "style")
        self._styles = {style.get(W + "styleId"): style for style in found}
        self._levels: dict[str | None, int] = {}
        self._note_elements: dict[str, dict[str, Any]] = {}
        self._drawings = DrawingWriter(package)
        self._turner = PageTurner()

    def _related(self, kind: str) -> Any:
        return next((self._package.xml(name) for name in self._package.related(self._part, kind)), None)

    def read(self) -> Iterator[Page]:
        for text in self._furniture("headerReference"):
            self._turner.writer.add("paragraph", text)
        yield from self._blocks(self._body, 0)
        self._turner.write_notes()
        for text in self._furniture("footerReference"):
            self._turner.writer.add("paragraph", text)
        yield self._turner.end()

    def _furniture(self, kind: str) -> list[str]:
        """The texts of headers or footers, each once."""
        texts: dict[str, None] = {}
        parts = [self._package.target(self._part, each.get(R + "id")) for each in self._body.iter(W + kind)]
        for part in dict.fromkeys(parts):
            root = self._package.xml(part)
            for paragraph in () if root is None else root.iter(W + "p"):
                text = self._plain(paragraph).strip()
                if any(map(str.isalpha, text)) and not any(True for _ in paragraph.iterancestors(W + "txbxContent")):
                    texts.setdefault(text)
        return list(texts)

    def _blocks(self, container: Any, nesting: int) -> Iterator[Page]:
        if nesting > _MAX_NESTING:
            return
        for element in container:
            if element.tag == W + "p":
                yield from self._paragraph(element, nesting)
            elif element.tag == W + "tbl":
                yield from self._table(element, nesting)
            elif element.tag in _CONTAINERS:
                yield from self._blocks(element, nesting + 1)
            elif element.tag == W + "altChunk":
                self._chunk(element)
            elif element.tag in (M + "oMath", M + "oMathPara"):
                self._turner.writer.add("paragraph", equation_text(element))

    def _chunk(self, element: Any) -> None:
        part = self._package.target(self._part, element.get(R + "id"))
        data = self._package.data(part, _MAX_CHUNK)
        if part and data and self._chunk_nesting < _MAX_CHUNK_NESTING:
            nesting = self._chunk_nesting + 1
            write_chunk(self._turner.writer, part, data, lambda path: _pages(Package(path), nesting))

    def _paragraph(self, paragraph: Any, nesting: int) -> Iterator[Page]:
        properties = paragraph.find(W + "pPr")
        if properties is not None and _is_on(properties.find(W + "pageBreakBefore")):
            yield from self._turner.turn()
        kind, level, mark = self._role(properties, paragraph)
        text = mark + " " if mark else ""
        boxes = []
        for part in paragraph_parts(paragraph):
            match part:
                case str():
                    text += part
                case PageBreak():
                    self._turner.writer.add(kind, text, level)
                    text = ""
                    yield from self._turner.turn()
                case Note():
                    text += self._note_mark(part)
                case TextBox():
                    boxes.append(part.content)
                case Graphic():
                    self._turner.writer.add(kind, text, level)
                    text = ""
                    self._drawings.write(self._turner.writer, self._part, part.element)
                case Picture():
                    self._turner.writer.add(kind, text, level)
                    text = ""
                    self._picture(part)
        if text.strip() != mark:
            self._turner.writer.add(kind, text, level)
        for content in boxes:
            yield from self._blocks(content, nesting + 1)
        section = None if properties is None else properties.find(W + "sectPr")
        if section is not None:
            how = section.find(W + "type")
            if how is None or how.get(W + "val") != "continuous":
                yield from self._turner.turn()

    def _role(self, properties: Any, paragraph: Any) -> tuple[BlockKind, int, str]:
        """Kind, level, and the number or bullet in front."""
        style_element = None if properties is None else properties.find(W + "pStyle")
        style_id = None if style_element is None else style_element.get(W + "val")
        style = self._styles.get(style_id)
        outline = None if properties is None else properties.find(W + "outlineLvl")
        level = min(whole_number(outline.get(W + "val"), 9) + 1, 10) % 10 if outline is not None else 0
        level = level or self._heading_level(style_id)
        numbering = numbering_of(properties) or style_numbering(style, self._styles)
        mark, depth = "", 0
        if numbering and numbering[0] != "0" and any(map(str.strip, self._plain(paragraph))):
            mark, depth = self._numbering.mark(*numbering), numbering[1]
        if level:
            return "heading", min(level, 6), mark if mark != "•" else ""
        if numbering and numbering[0] != "0":
            return "list_item", depth + 1, mark
        return "paragraph", 0, ""

    def _heading_level(self, style_id: str | None) -> int:
        """The level that a style, or one it is based on, gives; 0 for body text."""
        if style_id not in self._levels:
            self._levels[style_id] = self._find_level(style_id)
        return self._levels[style_id]

    def _find_level(self, style_id: str | None) -> int:
        style = self._styles.get(style_id)
        for _ in range(12):
            if style is None:
                return 0
            name = style.find(W + "name")
            known = (name.get(W + "val", "") if name is not None else "").lower()
            if known == "title":
                return 1
            if known.startswith("heading ") and known[8:].isdigit():
                return int(known[8:])
            outline = style.find(f"{W}pPr/{W}outlineLvl")
            if outline is not None:
                return (whole_number(outline.get(W + "val"), 9) + 1) % 10
            based_on = style.find(W + "basedOn")
            style = None if based_on is None else self._styles.get(based_on.get(W + "val"))
        return 0

    def _table(self, table: Any, nesting: int) -> Iterator[Page]:
        rows = list(_rows(table))
        if all(len(_cells(row)) < 2 for row in rows):  # a frame around text
            for row in rows:
                for cell in _cells(row):
                    yield from self._blocks(cell, nesting + 1)
            return
        look = table.find(f"{W}tblPr/{W}tblLook")
        has_header = look is not None and (
            look.get(W + "firstRow") in ("1", "true") or _hexadecimal(look.get(W + "val")) & 0x20 != 0
        )
        for index, row in enumerate(rows):
            if any(True for _ in row.iter(W + "lastRenderedPageBreak")) and index:
                yield from self._turner.turn()
            cells = [self._cell_text(cell, nesting) for cell in _cells(row)]
            if any(cells):
                marked = row.find(f"{W}trPr/{W}tblHeader") is not None
                is_header = marked or (index == 0 and has_header and len(rows) > 1)
                self._turner.writer.add_row(cells, is_header=is_header)

    def _cell_text(self, cell: Any, nesting: int) -> str:
        """A cell in one line: paragraphs by spaces, rows of a table in it by semicolons."""
        merge = cell.find(f"{W}tcPr/{W}vMerge")
        if (merge is not None and merge.get(W + "val") != "restart") or nesting > _MAX_NESTING:
            return ""
        parts = []
        for element in _flat(cell):
            if element.tag == W + "p":
                kind, _, mark = self._role(element.find(W + "pPr"), element)
                text = self._plain(element)
                parts.append(f"{mark} {text}" if kind == "list_item" and text.strip() else text)
            else:
                rows = [[self._cell_text(inner, nesting + 1) for inner in _cells(row)] for row in _rows(element)]
                parts.append("; ".join(", ".join(filter(None, row)) for row in rows))
        return " ".join(" ".join(parts).split())

    def _plain(self, paragraph: Any) -> str:
        """A paragraph's text alone, with the text of boxes in it."""
        parts = []
        for part in paragraph_parts(paragraph):
            if isinstance(part, str):
                parts.append(part)
            elif isinstance(part, TextBox):
                parts += [" " + self._plain(inner) for inner in part.content.iter(W + "p")]
        return "".join(parts)

    def _note_mark(self, note: Note) -> str:
        """Take note of a footnote, to be written at the page's end, and give the mark for the running text."""
        if note.kind not in self._note_elements:
            root = self._related(note.kind)
            self._note_elements[note.kind] = {str(each.get(W + "id")): each for each in (() if root is None else root)}
        element = self._note_elements[note.kind].get(note.note_id)
        if element is None:
            return ""
        return self._turner.add_note(" ".join(self._plain(each).strip() for each in element.iter(W + "p")))

    def _picture(self, picture: Picture) -> None:
        if min(picture.width or 99, picture.height or 99) < 20:
            return
        if max(picture.width, picture.height) and max(picture.width, picture.height) < _MIN_PICTURE:
            return
        self._drawings.write_picture(self._turner.writer, self._package.target(self._part, picture.relationship))


def _rows(table: Any) -> Iterator[Any]:
    for element in table:
        if element.tag == W + "tr":
            if element.find(f"{W}trPr/{W}del") is None:
                yield element
        elif element.tag in _CONTAINERS:
            yield from _rows(element)


def _cells(row: Any) -> list[Any]:
    cells = []
    for element in row:
        if element.tag == W + "tc":
            cells.append(element)
        elif element.tag in _CONTAINERS:
            cells += _cells(element)
    return cells


def _flat(container: Any) -> Iterator[Any]:
    for element in container:
        if element.tag in (W + "p", W + "tbl"):
            yield element
        elif element.tag in _CONTAINERS:
            yield from _flat(element)


def _hexadecimal(text: str | None) -> int:
    try:
        return int(text or "0", 16)
    except ValueError:
        return 0


def _is_on(flag: Any) -> bool:
    return flag is not None and flag.get(W + "val") not in ("0", "false", "off")
