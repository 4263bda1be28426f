"""One PDF page: what its text layer, its images, its lines, its annotations and form fields hold."""

from dataclasses import dataclass, field

import pypdfium2 as pdfium

from docmill.pipeline.extract import ocr
from docmill.pipeline.extract.pdf_text import Frame, read_text_layer
from docmill.pipeline.extract.segments import Segment
from docmill.pipeline.extract.tables import Ruling
from docmill.pipeline.types import Source

_OCR_DPI = 200


@dataclass(slots=True)
class PageContent:
    """A page's pieces, not yet put in order. `asides` are texts that belong to no place in the running text."""

    number: int
    height: float
    segments: list[Segment] = field(default_factory=list)
    rulings: list[Ruling] = field(default_factory=list)
    asides: list[str] = field(default_factory=list)
    source: Source = "text"
    right_to_left: bool = False


def read_page(number: int, page: pdfium.PdfPage) -> PageContent:
    """Everything the page holds."""
    layer = read_text_layer(page)
    frame = Frame(page)
    content = PageContent(number, frame.height, layer.segments, asides=layer.sideways)
    if layer.characters < 5:
        image = page.render(scale=_OCR_DPI / 72).to_numpy()
        scale = 72 / _OCR_DPI
        content.segments = [
            Segment(line.text, line.left * scale, line.top * scale, line.right * scale, line.bottom * scale,
                    (line.bottom - line.top) * scale * 0.8, ocr=True)
            for line in ocr.read_image(image)
        ]  # fmt: skip
        content.source = "ocr"
    return content
