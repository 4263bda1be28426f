"""PDF: the text layer where it is usable, OCR where it is not, page by page."""

import mmap
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.layout.page_content import ContentOf, PageContent, read_here
from docmill.pipeline.extract.layout.pages import laid_out
from docmill.pipeline.extract.layout.paragraphs import title_key
from docmill.pipeline.extract.pdf.page import needs_ocr, read_page
from docmill.pipeline.extract.reading import Reading, Survey
from docmill.pipeline.text import clean
from docmill.pipeline.types import Page

_MAX_OUTLINE = 5000
_SAMPLE = 8
_SMALL_FILE = 8 * 1024 * 1024
_PROGRAM = re.compile(r"^Microsoft \w+ - |\.(?:docx?|pdf|tex|dvi|indd|pptx?|xlsx?)$", re.IGNORECASE)
_LINEARIZED = re.compile(rb"/Linearized\b[^>]{0,200}?/L\s+(\d{1,15})\b", re.DOTALL)


def read(path: Path, content_type: str, content_of: ContentOf = read_here) -> Reading:
    """Pages of the PDF at `path`, read one by one."""
    document = _open(path)
    return Reading(_title(document), len(document), _pages(document, content_of))


def read_content(path: Path, number: int) -> PageContent:
    """The content of one page, by its number."""
    document = _open(path)
    try:
        return _content(document, number)
    finally:
        document.close()


def _open(path: Path) -> pdfium.PdfDocument:
    # From a file pdfium reads in small pieces, which takes a tenth of a small document's time.
    source = path.read_bytes() if path.stat().st_size <= _SMALL_FILE else path
    _check_complete(source)
    try:
        document = pdfium.PdfDocument(source)
    except pdfium.PdfiumError as error:
        raise _open_error(error) from error
    if len(document) == 0:
        raise PermanentError("corrupt")
    if document.get_formtype() in (raw.FORMTYPE_ACRO_FORM, raw.FORMTYPE_XFA_FOREGROUND):
        document.init_forms()
    return document


def _check_complete(source: Path | bytes) -> None:
    """Refuse a file that was cut off: pdfium would repair it and silently leave pages out."""
    if isinstance(source, Path):
        with source.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            is_complete = _is_complete(mapped)
    else:
        is_complete = _is_complete(source)
    if not is_complete:
        raise PermanentError("corrupt", "The PDF was cut off before its end; upload the whole file.")


def _is_complete(data: bytes | mmap.mmap) -> bool:
    linearized = _LINEARIZED.search(data, 0, 2048)
    if linearized is not None and int(linearized[1]) > len(data):
        return False
    return data.rfind(b"startxref") >= 0 or data.rfind(b"%%EOF") >= 0


def survey(path: Path) -> Survey:
    """Which pages need OCR; none when an even sample of the pages holds no such page."""
    document = _open(path)
    try:
        numbers = range(1, len(document) + 1)
        sample = numbers[:: max(len(numbers) // _SAMPLE, 1)]
        if not any(_page_needs_ocr(document, number) for number in sample):
            return Survey(len(numbers), [])
        return Survey(len(numbers), [number for number in numbers if _page_needs_ocr(document, number)])
    finally:
        document.close()


def _page_needs_ocr(document: pdfium.PdfDocument, number: int) -> bool:
    page = document[number - 1]
    try:
        return needs_ocr(page)
    finally:
        page.close()


def _pages(document: pdfium.PdfDocument, content_of: ContentOf) -> Iterator[Page]:
    numbers = range(1, len(document) + 1)
    contents = (content_of(number, partial(_content, document, number)) for number in numbers)
    yield from laid_out(contents, len(numbers), _outline(document))
    document.close()


def _content(document: pdfium.PdfDocument, number: int) -> PageContent:
    try:
        return read_page(number, document)
    except pdfium.PdfiumError as error:
        raise PermanentError("corrupt", f"Page {number} cannot be read; export the file again.") from error


def _open_error(error: pdfium.PdfiumError) -> PermanentError:
    return PermanentError("encrypted" if "password" in str(error).lower() else "corrupt")


def _title(document: pdfium.PdfDocument) -> str | None:
    """The title that the author gave, not what a program put there instead."""
    title = document.get_metadata_value("Title")
    if not title:
        return None
    title = _PROGRAM.sub("", clean(title)).strip()
    return None if title.lower() in ("", "untitled", "anonymous") else title


def _outline(document: pdfium.PdfDocument) -> dict[str, int]:
    levels: dict[str, int] = {}
    try:
        for count, entry in enumerate(document.get_toc(max_depth=6)):
            if count > _MAX_OUTLINE:
                break
            if key := title_key(entry.get_title()):
                levels.setdefault(key, entry.level + 1)
    except (pdfium.PdfiumError, ValueError, RecursionError):
        return {}
    return levels
