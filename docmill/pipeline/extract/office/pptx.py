"""PPTX, by python-pptx: a page a slide, in the order they are shown, with tables, pictures and the speaker's notes."""

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lxml.etree import LxmlError
from pptx.enum.shapes import PP_PLACEHOLDER
from pptx.exc import PythonPptxError
from pptx.opc.package import PartFactory
from pptx.oxml.ns import qn
from pptx.package import Package
from pptx.parts.presentation import PresentationPart

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.ocr.images import picture_paragraphs
from docmill.pipeline.extract.office.package import check_unpacked_size
from docmill.pipeline.extract.reading import PageWriter, Reading
from docmill.pipeline.text import clean
from docmill.pipeline.types import Page

# python-pptx knows presentations alone; files with macros, shows and templates differ from them by this name only.
for _kind in ("ms-powerpoint.presentation.macroEnabled", "openxmlformats-officedocument.presentationml.slideshow",
              "openxmlformats-officedocument.presentationml.template"):  # fmt: skip
    PartFactory.part_type_for[f"application/vnd.{_kind}.main+xml"] = PresentationPart

_MAX_NESTING = 30
_BROKEN = (PythonPptxError, LxmlError, zipfile.BadZipFile, zlib.error, KeyError, ValueError, OSError, AttributeError,
           NotImplementedError, RuntimeError, IndexError)  # fmt: skip
_TITLES = (PP_PLACEHOLDER.TITLE, PP_PLACEHOLDER.CENTER_TITLE)
_LEFT_OUT = (PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.HEADER, PP_PLACEHOLDER.SLIDE_NUMBER)


def read(path: Path, content_type: str) -> Reading:
    """One page a slide; a picture that returns on many is read on the first."""
    try:
        with zipfile.ZipFile(path) as archive:
            check_unpacked_size(archive)
        presentation = Package.open(str(path)).presentation_part.presentation
        title = clean(presentation.core_properties.title or "").strip() or None
        total = len(presentation.slides)
    except _BROKEN as error:
        raise PermanentError("corrupt") from error
    return Reading(title, total, _pages(presentation))


def _pages(presentation: Any) -> Iterator[Page]:
    pictures: set[str] = set()
    try:
        for number, slide in enumerate(presentation.slides, start=1):
            writer = PageWriter()
            _write(writer, slide.shapes, pictures, 0)
            if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
                _write_text(writer, slide.notes_slide.notes_text_frame)
            yield writer.page(number)
    except _BROKEN as error:
        raise PermanentError("corrupt") from error


def _write(writer: PageWriter, shapes: Iterable[Any], pictures: set[str], nesting: int) -> None:
    """What the shapes hold, the title first."""
    roles = [(shape, shape.placeholder_format.type if shape.is_placeholder else None) for shape in shapes]
    for shape, role in sorted(roles, key=lambda pair: pair[1] not in _TITLES):
        if role in _LEFT_OUT:
            continue
        if role in _TITLES and shape.has_text_frame:
            writer.add("heading", " ".join(shape.text_frame.text.split()), 1)
        elif shape.has_text_frame:
            _write_text(writer, shape.text_frame)
        elif getattr(shape, "has_table", False):
            _write_table(writer, shape.table)
        elif hasattr(shape, "shapes") and nesting < _MAX_NESTING:
            _write(writer, shape.shapes, pictures, nesting + 1)
        _write_picture(writer, shape, pictures)


def _write_text(writer: PageWriter, frame: Any) -> None:
    for paragraph in frame.paragraphs:
        writer.add("paragraph", paragraph.text.replace("\v", "\n"))


def _write_table(writer: PageWriter, table: Any) -> None:
    rows = [[" ".join(cell.text.split()) for cell in row.cells] for row in table.rows]
    for number, cells in enumerate(rows):
        if any(cells):
            is_header = number == 0 and table.first_row and len(rows) > 1
            writer.add_row(cells, is_header=is_header)


def _write_picture(writer: PageWriter, shape: Any, pictures: set[str]) -> None:
    """The text of a shape's picture, which is its content or its filling."""
    for blip in shape.element.iter(qn("a:blip")) if not hasattr(shape, "shapes") else ():
        relationship = shape.part.rels.get(blip.get(qn("r:embed")))
        if relationship is None or relationship.is_external or relationship.target_part.partname in pictures:
            continue
        pictures.add(relationship.target_part.partname)
        for text in picture_paragraphs(relationship.target_part.blob):
            writer.add("paragraph", text)
