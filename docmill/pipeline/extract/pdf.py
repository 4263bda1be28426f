"""PDF: the text layer where it is usable, OCR where it is not, page by page."""

from collections.abc import Iterator
from pathlib import Path

import pypdfium2 as pdfium

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract import ocr
from docmill.pipeline.extract.ocr_layout import write_lines
from docmill.pipeline.extract.reading import PageWriter, Reading, wanted_numbers
from docmill.pipeline.text import clean
from docmill.pipeline.types import Page

_OCR_DPI = 200


def read(path: Path, wanted: range | None = None) -> Reading:
    """Pages of the PDF at `path`, read one by one."""
    try:
        document = pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise PermanentError("encrypted") from error
        raise PermanentError("corrupt") from error
    total = len(document)
    if total == 0:
        raise PermanentError("corrupt")
    title = clean(document.get_metadata_value("Title")).strip() or None
    return Reading(title, total, _pages(document, wanted_numbers(total, wanted)))


def _pages(document: pdfium.PdfDocument, numbers: range) -> Iterator[Page]:
    for number in numbers:
        page = document[number - 1]
        textpage = page.get_textpage()
        text = clean(textpage.get_text_range().replace("\ufffe\r\n", "").replace("\x02\r\n", ""))
        textpage.close()
        if len(text.split()) >= 5:
            writer = PageWriter()
            writer.add("paragraph", text)
            yield writer.page(number)
        else:
            yield write_lines(number, ocr.read_image(page.render(scale=_OCR_DPI / 72).to_numpy()))
        page.close()
