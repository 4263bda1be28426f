"""OCR lines to a page: paragraphs from the gaps between lines."""

from statistics import median

from docmill.pipeline.extract.ocr import OcrLine
from docmill.pipeline.extract.reading import PageWriter
from docmill.pipeline.types import Page


def write_lines(number: int, lines: list[OcrLine]) -> Page:
    """The page that these lines make up."""
    writer = PageWriter()
    if not lines:
        return writer.page(number, "ocr")
    height = median(line.bottom - line.top for line in lines)
    paragraph: list[str] = []
    before: OcrLine | None = None
    for line in lines:
        if before is not None and line.top - before.bottom > 0.6 * height:
            writer.add("paragraph", " ".join(paragraph))
            paragraph = []
        paragraph.append(line.text)
        before = line
    writer.add("paragraph", " ".join(paragraph))
    return writer.page(number, "ocr")
