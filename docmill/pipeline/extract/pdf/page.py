"""One PDF page: its text layer where that can be trusted, OCR of the page or of its images where not."""

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as raw

from docmill.pipeline.extract.layout.bidi import is_right_to_left
from docmill.pipeline.extract.layout.page_content import PageContent
from docmill.pipeline.extract.layout.segments import Segment
from docmill.pipeline.extract.ocr import engine
from docmill.pipeline.extract.ocr.images import is_running_text, may_hold_text
from docmill.pipeline.extract.ocr.recognition import read_image
from docmill.pipeline.extract.pdf.notes import Notes, take_notes
from docmill.pipeline.extract.pdf.objects import Drawing, read_drawing
from docmill.pipeline.extract.pdf.text_layer import TextLayer, read_text_layer
from docmill.pipeline.extract.pdf.usable import is_good_ocr, is_readable
from docmill.pipeline.extract.pdf.viewport import Box, Viewport

_OCR_DPI = 200
_MAX_SIDE = 4000
_FEW_CHARACTERS = 40
_MANY_PATHS = 25
_UNMAPPED = 0.5
_FULL_PAGE = 0.6
_WORTH_OCR = 0.04


def read_page(number: int, document: pdfium.PdfDocument) -> PageContent:
    """Everything that the page holds, by the cheapest way that gives it. Raises PdfiumError."""
    page = document[number - 1]
    try:
        notes = take_notes(page) if raw.FPDFPage_GetAnnotCount(page) > 0 else Notes()
        if notes.is_flattened:
            page.close()
            page = document[number - 1]
        return _read(number, page, notes)
    finally:
        page.close()


def _read(number: int, page: pdfium.PdfPage, notes: Notes) -> PageContent:
    layer = read_text_layer(page)
    viewport = layer.viewport
    drawing = read_drawing(page, viewport)
    content = PageContent(number, viewport.height, layer.segments, drawing.rulings, layer.sideways)
    if _needs_ocr(page, layer, drawing):
        _read_by_ocr(page, content, layer)
    else:
        _read_images(page, content, drawing, viewport)
    content.segments += notes.segments
    content.asides += _not_yet_said(notes.remarks, content)
    content.right_to_left = is_right_to_left("".join([segment.text for segment in content.segments]))
    return content


def _not_yet_said(remarks: list[str], content: PageContent) -> list[str]:
    """The contents of annotations whose words do not stand on the page already, as a stamp's do."""
    if not remarks:
        return []
    said = set(" ".join([*(segment.text for segment in content.segments), *content.asides]).split())
    return [remark for remark in remarks if not said.issuperset(remark.split())]


def needs_ocr(page: pdfium.PdfPage) -> bool:
    """Whether the page is to be read from its picture; nothing is rendered to tell."""
    layer = read_text_layer(page)
    return _needs_ocr(page, layer, read_drawing(page, layer.viewport))


def _needs_ocr(page: pdfium.PdfPage, layer: TextLayer, drawing: Drawing) -> bool:
    """Whether the page as a whole is to be read from its picture."""
    area = layer.viewport.width * layer.viewport.height or 1.0
    covered = max((_area(box) for box in drawing.images), default=0.0) / area
    if layer.characters < _FEW_CHARACTERS:
        return covered > 0.1 or drawing.paths > _MANY_PATHS or (layer.characters == 0 and bool(drawing.images))
    text = "".join([segment.text for segment in layer.segments])
    if layer.unmapped > _UNMAPPED or not is_readable(text):
        return True
    if covered < _FULL_PAGE:
        return False
    return not is_good_ocr(" ".join(segment.text for segment in layer.segments))


def _read_by_ocr(page: pdfium.PdfPage, content: PageContent, layer: TextLayer) -> None:
    """Replace the text layer by what OCR finds, unless that is less."""
    dpi = min(_OCR_DPI, _MAX_SIDE * 72 / max(page.get_size()))
    image = page.render(scale=dpi / 72, may_draw_forms=False).to_numpy()
    reading = read_image(image, 72 / dpi)
    segments, turns = reading.segments, reading.turns
    has_some = layer.characters < _FEW_CHARACTERS and is_readable("".join(s.text for s in layer.segments))
    if has_some and sum(len(segment.text) for segment in segments) <= 1.5 * layer.characters:
        return
    content.segments, content.asides, content.source = segments, [], "ocr"
    if turns:
        content.rulings = []
        content.height = image.shape[turns % 2] * 72 / dpi


def _read_images(page: pdfium.PdfPage, content: PageContent, drawing: Drawing, viewport: Viewport) -> None:
    """Add what stands in images beside the text: a pasted scan, a screenshot."""
    for box in drawing.images:
        x0, y0, x1, y1 = max(box[0], 0), max(box[1], 0), min(box[2], viewport.width), min(box[3], viewport.height)
        if (x1 - x0) * (y1 - y0) < _WORTH_OCR * viewport.width * viewport.height or x1 - x0 < 80 or y1 - y0 < 25:
            continue
        written = sum(len(s.text) for s in content.segments if not s.ocr and x0 < s.x0 < x1 and y0 < s.middle < y1)
        if written > 20:
            continue
        image = _render_part(page, (x0, y0, x1, y1), viewport)
        if image is None or not may_hold_text(image):
            continue
        reading = read_image(image, 72 / _OCR_DPI)
        found, turns = reading.segments, reading.turns
        if not is_running_text(found):
            continue
        if turns:
            content.asides += [segment.text for segment in found]
        for segment in found if not turns else ():
            segment.x0, segment.x1 = segment.x0 + x0, segment.x1 + x0
            segment.y0, segment.y1 = segment.y0 + y0, segment.y1 + y0
            if not any(_overlap(segment, other) for other in content.segments if not other.ocr):
                content.segments.append(segment)
        if found:
            content.source = "mixed"


def _render_part(page: pdfium.PdfPage, box: Box, viewport: Viewport) -> engine.Image | None:
    if (
        viewport.width * _OCR_DPI / 72 > _MAX_SIDE
        or viewport.height * _OCR_DPI / 72 > _MAX_SIDE
        or viewport.quarter_turns
    ):
        return None
    x0, y0, x1, y1 = box
    crop = (x0, viewport.height - y1, viewport.width - x1, y0)
    return np.ascontiguousarray(page.render(scale=_OCR_DPI / 72, crop=crop, may_draw_forms=False).to_numpy())


def _overlap(one: Segment, other: Segment) -> bool:
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return width > 0 and height > 0 and width * height > 0.3 * (one.x1 - one.x0) * (one.y1 - one.y0)


def _area(box: Box) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)
