"""DOCX: paragraphs, headings, numbered lists, tables, text boxes, notes, headers and footers, pictures."""

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docx.document import Document
from docx.opc.exceptions import OpcError
from docx.opc.part import PartFactory
from docx.oxml.ns import qn
from docx.package import Package
from docx.parts.document import DocumentPart
from lxml.etree import LxmlError

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.ocr.images import picture_paragraphs
from docmill.pipeline.extract.office.docx_numbering import Numbering, numbering_of, style_numbering
from docmill.pipeline.extract.office.docx_text import Note, PageBreak, Picture, TextBox, paragraph_parts
from docmill.pipeline.extract.office.package import check_unpacked_size
from docmill.pipeline.extract.office.page_turner import PageTurner
from docmill.pipeline.extract.reading import Reading
from docmill.pipeline.text import clean
from docmill.pipeline.types import BlockKind, Page

# python-docx knows documents alone; files with macros and templates differ from them by this name only.
for _kind in ("ms-word.document.macroEnabled", "openxmlformats-officedocument.wordprocessingml.template"):
    PartFactory.part_type_for[f"application/vnd.{_kind}.main+xml"] = DocumentPart

_MAX_NESTING = 20
_BROKEN = (
    OpcError, LxmlError, zipfile.BadZipFile, zlib.error, KeyError, ValueError, OSError, NotImplementedError,
    AttributeError, RuntimeError,
)  # fmt: skip
_MIN_PICTURE = 70.0
_CONTAINERS = {qn(name) for name in ("w:sdt", "w:sdtContent", "w:ins", "w:moveTo", "w:customXml", "w:smartTag")}


def read(path: Path, content_type: str) -> Reading:
    """Pages as Word last laid them out, where the file tells; otherwise one page."""
    try:
        with zipfile.ZipFile(path) as archive:
            check_unpacked_size(archive)
        document = Package.open(str(path)).main_document_part.document
    except _BROKEN as error:
        raise PermanentError("corrupt") from error
    title = clean(document.core_properties.title or "").strip() or None
    return Reading(title, None, _guarded(_Pages(document).read()))


def _guarded(pages: Iterator[Page]) -> Iterator[Page]:
    """The pages; what Word would not have written ends as `corrupt`."""
    try:
        yield from pages
    except _BROKEN as error:
        raise PermanentError("corrupt") from error


class _Pages:
    """Walks through the document and fills one page after the other."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._numbering = Numbering(document)
        styles = document.styles.element.findall(qn("w:style"))
        self._styles = {style.get(qn("w:styleId")): style for style in styles}
        self._levels: dict[str | None, int] = {}
        self._turner = PageTurner()

    def read(self) -> Iterator[Page]:
        for text in self._furniture(("header", "first_page_header", "even_page_header")):
            self._turner.writer.add("paragraph", text)
        yield from self._blocks(self._document.element.body, 0)
        self._turner.write_notes()
        for text in self._furniture(("footer", "first_page_footer", "even_page_footer")):
            self._turner.writer.add("paragraph", text)
        yield self._turner.end()

    def _furniture(self, names: tuple[str, ...]) -> list[str]:
        """The texts of headers or footers, each once."""
        texts: dict[str, None] = {}
        for section in self._document.sections:
            for name in names:
                part = getattr(section, name)
                if not part.is_linked_to_previous:
                    for paragraph in part._element.iter(qn("w:p")):
                        text = self._plain(paragraph).strip()
                        if any(map(str.isalpha, text)):
                            texts.setdefault(text)
        return list(texts)

    def _blocks(self, container: Any, nesting: int) -> Iterator[Page]:
        if nesting > _MAX_NESTING:
            return
        for element in container:
            if element.tag == qn("w:p"):
                yield from self._paragraph(element, nesting)
            elif element.tag == qn("w:tbl"):
                yield from self._table(element, nesting)
            elif element.tag in _CONTAINERS:
                yield from self._blocks(element, nesting + 1)

    def _paragraph(self, paragraph: Any, nesting: int) -> Iterator[Page]:
        properties = paragraph.find(qn("w:pPr"))
        if properties is not None and _is_on(properties.find(qn("w:pageBreakBefore"))):
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
                case Picture():
                    self._turner.writer.add(kind, text, level)
                    text = ""
                    self._picture(part)
        if text.strip() != mark:
            self._turner.writer.add(kind, text, level)
        for content in boxes:
            yield from self._blocks(content, nesting + 1)
        section = None if properties is None else properties.find(qn("w:sectPr"))
        if section is not None:
            how = section.find(qn("w:type"))
            if how is None or how.get(qn("w:val")) != "continuous":
                yield from self._turner.turn()

    def _role(self, properties: Any, paragraph: Any) -> tuple[BlockKind, int, str]:
        """Kind, level, and the number or bullet in front."""
        style_element = None if properties is None else properties.find(qn("w:pStyle"))
        style_id = None if style_element is None else style_element.get(qn("w:val"))
        style = self._styles.get(style_id)
        outline = None if properties is None else properties.find(qn("w:outlineLvl"))
        level = min(int(outline.get(qn("w:val"), "9")) + 1, 10) % 10 if outline is not None else 0
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
            name = style.find(qn("w:name"))
            known = (name.get(qn("w:val"), "") if name is not None else "").lower()
            if known == "title":
                return 1
            if known.startswith("heading ") and known[8:].isdigit():
                return int(known[8:])
            outline = style.find(f"{qn('w:pPr')}/{qn('w:outlineLvl')}")
            if outline is not None:
                return (int(outline.get(qn("w:val"), "9")) + 1) % 10
            based_on = style.find(qn("w:basedOn"))
            style = None if based_on is None else self._styles.get(based_on.get(qn("w:val")))
        return 0

    def _table(self, table: Any, nesting: int) -> Iterator[Page]:
        rows = list(_rows(table))
        if all(len(_cells(row)) < 2 for row in rows):  # a frame around text
            for row in rows:
                for cell in _cells(row):
                    yield from self._blocks(cell, nesting + 1)
            return
        look = table.find(f"{qn('w:tblPr')}/{qn('w:tblLook')}")
        has_header = look is not None and (
            look.get(qn("w:firstRow")) == "1" or int(look.get(qn("w:val"), "0"), 16) & 0x20 != 0
        )
        for index, row in enumerate(rows):
            if any(True for _ in row.iter(qn("w:lastRenderedPageBreak"))) and index:
                yield from self._turner.turn()
            cells = [self._cell_text(cell, nesting) for cell in _cells(row)]
            if any(cells):
                marked = row.find(f"{qn('w:trPr')}/{qn('w:tblHeader')}") is not None
                is_header = marked or (index == 0 and has_header and len(rows) > 1)
                self._turner.writer.add_row(cells, is_header=is_header)

    def _cell_text(self, cell: Any, nesting: int) -> str:
        """A cell in one line: paragraphs by spaces, rows of a table in it by semicolons."""
        merge = cell.find(f"{qn('w:tcPr')}/{qn('w:vMerge')}")
        if (merge is not None and merge.get(qn("w:val")) != "restart") or nesting > _MAX_NESTING:
            return ""
        parts = []
        for element in _flat(cell):
            if element.tag == qn("w:p"):
                kind, _, mark = self._role(element.find(qn("w:pPr")), element)
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
                parts += [" " + self._plain(inner) for inner in part.content.iter(qn("w:p"))]
        return "".join(parts)

    def _note_mark(self, note: Note) -> str:
        """Take note of a footnote, to be written at the page's end, and give the mark for the running text."""
        element = self._note_elements(note.kind).get(note.note_id)
        if element is None:
            return ""
        return self._turner.add_note(" ".join(self._plain(each).strip() for each in element.iter(qn("w:p"))))

    def _note_elements(self, kind: str) -> dict[str, Any]:
        for relationship in self._document.part.rels.values():
            if relationship.reltype.endswith("/" + kind) and not relationship.is_external:
                from docx.oxml.parser import parse_xml

                root = parse_xml(relationship.target_part.blob)
                return {str(note.get(qn("w:id"))): note for note in root}
        return {}

    def _picture(self, picture: Picture) -> None:
        relationship = self._document.part.rels.get(picture.relationship)
        if relationship is None or relationship.is_external or min(picture.width or 99, picture.height or 99) < 20:
            return
        if max(picture.width, picture.height) and max(picture.width, picture.height) < _MIN_PICTURE:
            return
        for text in picture_paragraphs(relationship.target_part.blob):
            self._turner.writer.add("paragraph", text)


def _rows(table: Any) -> Iterator[Any]:
    for element in table:
        if element.tag == qn("w:tr"):
            if element.find(f"{qn('w:trPr')}/{qn('w:del')}") is None:
                yield element
        elif element.tag in _CONTAINERS:
            yield from _rows(element)


def _cells(row: Any) -> list[Any]:
    cells = []
    for element in row:
        if element.tag == qn("w:tc"):
            cells.append(element)
        elif element.tag in _CONTAINERS:
            cells += _cells(element)
    return cells


def _flat(container: Any) -> Iterator[Any]:
    for element in container:
        if element.tag in (qn("w:p"), qn("w:tbl")):
            yield element
        elif element.tag in _CONTAINERS:
            yield from _flat(element)


def _is_on(flag: Any) -> bool:
    return flag is not None and flag.get(qn("w:val")) not in ("0", "false", "off")
