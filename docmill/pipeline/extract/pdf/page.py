"""One PDF page: its text layer where that can be trusted, OCR of the page or of its images where not."""

from dataclasses import dataclass

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as raw

from docmill.pipeline.extract.layout.bidi import is_right_to_left
from docmill.pipeline.extract.layout.page_content import PageContent
from docmill.pipeline.extract.layout.segments import Segment
from docmill.pipeline.extract.ocr.engine import Image, OcrReading
from docmill.pipeline.extract.ocr.images import is_running_text, may_hold_text
from docmill.pipeline.extract.ocr.recognition import read_image
from docmill.pipeline.extract.pdf.notes import Notes, take_notes
from docmill.pipeline.extract.pdf.objects import Drawing, read_drawing
from docmill.pipeline.extract.pdf.plausible import plausibility
from docmill.pipeline.extract.pdf.text_layer import TextLayer, read_text_layer
from docmill.pipeline.extract.pdf.usable import is_good_ocr, is_readable
from docmill.pipeline.extract.pdf.viewport import Box, Viewport


@dataclass(frozen=True, slots=True)
class PageTolerances:
    """When a page or a part of it is read from its picture, and how large that picture is."""

    dpi: int = 200
    """Dots an inch that pages are rendered with for OCR: more reads no better (`make bench-resolution`)."""
    max_side: int = 4000
    """Pixels of the picture's longer side at most; drawings are larger than sheets of paper."""
    few_characters: int = 40
    """Characters of a text layer below which there may be more to see than it says: a page number on a scan."""
    much_more: float = 1.5
    """Times the characters of so short a layer that OCR must find to replace it."""
    many_paths: int = 25
    """Paths from which a page with so short a layer may be text drawn as outlines."""
    some_image: float = 0.1
    """Part of the page, with so short a layer, that the largest image covers when it is a scan."""
    unmapped: float = 0.5
    """Share of sampled characters whose font does not tell what they are, above which the layer is doubted."""
    plausible: float = 0.6
    """Plausibility of a layer below which it is doubted."""
    sure: float = 0.85
    """OCR's confidence from which it may replace a plausible layer."""
    full_page: float = 0.6
    """Part of the page that an image covers when the layer on it is somebody's OCR."""
    worth_ocr: float = 0.04
    """Part of the page that an image beside the text covers at least to be read: 4 by 6 cm of A4."""
    min_width: float = 80.0
    """Points that such an image is wide at least."""
    min_height: float = 25.0
    """Points that such an image is high at least: a line or two."""
    written_over: int = 20
    """Characters of the text layer upon an image from which it is a background, or read already."""
    covered: float = 0.3
    """Share of a line read in an image that the text layer covers from which it is said already."""


_TOLERANCES = PageTolerances()


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
    if layer.characters < _TOLERANCES.few_characters:
        return (
            covered > _TOLERANCES.some_image
            or drawing.paths > _TOLERANCES.many_paths
            or (layer.characters == 0 and bool(drawing.images))
        )
    text = layer.text
    if layer.unmapped > _TOLERANCES.unmapped or not is_readable(text) or plausibility(text) < _TOLERANCES.plausible:
        return True
    if covered < _TOLERANCES.full_page:
        return False
    return not is_good_ocr(" ".join(segment.text for segment in layer.segments))


def _read_by_ocr(page: pdfium.PdfPage, content: PageContent, layer: TextLayer) -> None:
    """Put what OCR finds in the text layer's place, unless the layer is the better of the two."""
    dpi = min(_TOLERANCES.dpi, _TOLERANCES.max_side * 72 / max(page.get_size()))
    image = page.render(scale=dpi / 72, may_draw_forms=False).to_numpy()
    reading = read_image(image, 72 / dpi)
    if _is_layer_better(layer, reading):
        return
    if reading.unknown_script:
        content.warning = "ocr_unsupported_script"
        content.segments = [segment for segment in layer.segments if plausibility(segment.text, few=2) == 1.0]
        return
    content.segments, content.asides, content.source = reading.segments, [], "ocr"
    content.engine, content.confidence = reading.engine, min(reading.confidence, 1.0)
    if not reading.segments and layer.characters >= _TOLERANCES.few_characters:
        content.warning = "unreadable_text"
    if reading.turns:
        content.rulings = []
        content.height = image.shape[reading.turns % 2] * 72 / dpi


def _is_layer_better(layer: TextLayer, reading: OcrReading) -> bool:
    """Whether the text layer says more than OCR, or what OCR only guesses at."""
    written, read = layer.text, "".join([segment.text for segment in reading.segments])
    if not is_readable(written):
        return False
    plausible = plausibility(written)
    if plausible < _TOLERANCES.plausible:
        return not reading.unknown_script and plausibility(read) * reading.confidence <= plausible
    if len(read) <= _TOLERANCES.much_more * layer.characters and layer.characters < _TOLERANCES.few_characters:
        return True
    if not is_good_ocr(" ".join([segment.text for segment in layer.segments])):
        return reading.unknown_script or plausibility(read) * reading.confidence < _TOLERANCES.plausible
    agrees = plausibility(read) >= plausible and reading.confidence >= _TOLERANCES.sure
    return not agrees or len(read) < layer.characters


def _read_images(page: pdfium.PdfPage, content: PageContent, drawing: Drawing, viewport: Viewport) -> None:
    """Add what stands in images beside the text: a pasted scan, a screenshot."""
    for box in drawing.images:
        x0, y0, x1, y1 = max(box[0], 0), max(box[1], 0), min(box[2], viewport.width), min(box[3], viewport.height)
        if (
            (x1 - x0) * (y1 - y0) < _TOLERANCES.worth_ocr * viewport.width * viewport.height
            or x1 - x0 < _TOLERANCES.min_width
            or y1 - y0 < _TOLERANCES.min_height
        ):
            continue
        written = sum(len(s.text) for s in content.segments if not s.ocr and x0 < s.x0 < x1 and y0 < s.middle < y1)
        if written > _TOLERANCES.written_over:
            continue
        image = _render_part(page, (x0, y0, x1, y1), viewport)
        if image is None or not may_hold_text(image):
            continue
        reading = read_image(image, 72 / _TOLERANCES.dpi)
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
            content.source, content.engine = "mixed", reading.engine
            content.confidence = min(content.confidence, reading.confidence)


def _render_part(page: pdfium.PdfPage, box: Box, viewport: Viewport) -> Image | None:
    if (
        viewport.width * _TOLERANCES.dpi / 72 > _TOLERANCES.max_side
        or viewport.height * _TOLERANCES.dpi / 72 > _TOLERANCES.max_side
        or viewport.quarter_turns
    ):
        return None
    x0, y0, x1, y1 = box
    crop = (x0, viewport.height - y1, viewport.width - x1, y0)
    return np.ascontiguousarray(page.render(scale=_TOLERANCES.dpi / 72, crop=crop, may_draw_forms=False).to_numpy())


def _overlap(one: Segment, other: Segment) -> bool:
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return width > 0 and height > 0 and width * height > _TOLERANCES.covered * (one.x1 - one.x0) * (one.y1 - one.y0)


def _area(box: Box) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)
