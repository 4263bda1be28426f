"""XLSX: a page a sheet: its rows with values as shown, then text boxes, charts, diagrams and pictures, and comments,
marked as such (ECMA-376 part 1, 18)."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.office.drawings import DrawingWriter
from docmill.pipeline.extract.office.package import BROKEN, Package, R
from docmill.pipeline.extract.office.xlsx_cells import CellReader, rich_text, sheet_rows
from docmill.pipeline.extract.reading import PageWriter, Reading
from docmill.pipeline.types import Page

_VML = "{urn:schemas-microsoft-com:vml}"
_CLIENT_DATA = "{urn:schemas-microsoft-com:office:excel}ClientData"
_MARGIN_CODE = re.compile(r'&(?:[LCRPNDTFAZGBIUESXYOH+-]|"[^"]*"|K[0-9A-F]{6}|K\d\d[+-]\d{3}|\d{1,3})')
_MARGINS = ("oddHeader", "evenHeader", "firstHeader", "oddFooter", "evenFooter", "firstFooter")


def read(path: Path, content_type: str) -> Reading:
    """One page a sheet, in the workbook's order; sheets that are missing are skipped."""
    package = Package(path)
    try:
        main = package.main_part("xl/workbook.xml")
        root = package.xml(main)
        if root is None:
            raise PermanentError("corrupt")
        listed = [(sheet.get("name", ""), package.target(main, sheet.get(R + "id"))) for sheet in root.iter("{*}sheet")]
        sheets = [(name, part) for name, part in listed if part is not None]
        cells = CellReader(package, main, root)
    except BROKEN as error:
        raise PermanentError("corrupt") from error
    return Reading(package.title, len(sheets), _pages(package, main, sheets, cells))


def _pages(package: Package, main: str, sheets: list[tuple[str, str]], cells: CellReader) -> Iterator[Page]:
    drawings = DrawingWriter(package)
    people = _people(package, main)
    try:
        for number, (name, part) in enumerate(sheets, start=1):
            writer = PageWriter()
            writer.add("heading", name, 2)
            rows, margins = sheet_rows(package, part, cells)
            for place, row in enumerate(rows):
                writer.add_row(row, is_header=place == 0 and len(rows) > 1)
            for drawing in package.related(part, "drawing"):
                root = package.xml(drawing)
                if root is not None:
                    drawings.write(writer, drawing, root)
            for drawing in package.related(part, "vmlDrawing"):
                _write_old_boxes(writer, package.data(drawing))
            _write_comments(writer, package, part, people)
            _write_margins(writer, margins)
            yield writer.page(number)
    except BROKEN as error:
        raise PermanentError("corrupt") from error


def _write_old_boxes(writer: PageWriter, data: bytes | None) -> None:
    """Text boxes, labels and buttons in VML; the boxes of comments are left to the comments themselves."""
    parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True)
    root = etree.fromstring(data, parser) if data else None
    for box in () if root is None else root.iter(_VML + "textbox"):
        client = box.getparent().find(_CLIENT_DATA)
        if client is None or client.get("ObjectType") != "Note":
            writer.add("paragraph", " ".join("".join(box.itertext()).split()))


def _people(package: Package, main: str) -> dict[str, str]:
    """Names of those who wrote threaded comments, by their ids."""
    roots = [root for root in map(package.xml, package.related(main, "person")) if root is not None]
    return {person.get("id", ""): person.get("displayName", "") for root in roots for person in root}


def _write_comments(writer: PageWriter, package: Package, part: str, people: dict[str, str]) -> None:
    threaded: set[str] = set()
    for name in package.related(part, "threadedComment"):
        root = package.xml(name)
        for comment in () if root is None else root.iter("{*}threadedComment"):
            threaded.add(comment.get("ref", ""))
            author = people.get(comment.get("personId", ""), "")
            _write_comment(writer, comment.get("ref", ""), author, comment.findtext("{*}text") or "")
    for name in package.related(part, "comments"):
        root = package.xml(name)
        authors = [] if root is None else [author.text or "" for author in root.iter("{*}author")]
        for comment in () if root is None else root.iter("{*}comment"):
            if comment.get("ref", "") not in threaded:  # which are there for old programs once more
                place = comment.get("authorId", "")
                author = authors[int(place)] if place.isdigit() and int(place) < len(authors) else ""
                _write_comment(writer, comment.get("ref", ""), author, rich_text(comment.find("{*}text")))


def _write_comment(writer: PageWriter, cell: str, author: str, text: str) -> None:
    text = text.strip()
    if author and text.startswith(f"{author}:"):
        text = text[len(author) + 1 :].strip()
    if text:
        writer.add("paragraph", f"Comment on {cell} by {author}: {text}" if author else f"Comment on {cell}: {text}")


def _write_margins(writer: PageWriter, margins: Any) -> None:
    """Headers and footers of the printed sheet, each once."""
    texts = [] if margins is None else [margins.findtext("{*}" + name) or "" for name in _MARGINS]
    for text in dict.fromkeys(" ".join(_MARGIN_CODE.sub(" ", text).replace("&&", "&").split()) for text in texts):
        if any(map(str.isalpha, text)):
            writer.add("paragraph", text)
