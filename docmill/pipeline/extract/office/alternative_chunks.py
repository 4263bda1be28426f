"""Documents of other kinds inside of a DOCX (w:altChunk, ECMA-376 part 1, 17.17.2.1): HTML, web archives (MHT), RTF,
plain text, and other DOCX."""

import email
import email.policy
import tempfile
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path, PurePosixPath

from lxml.etree import LxmlError

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract import detect_type, read_document
from docmill.pipeline.extract.reading import PageWriter
from docmill.pipeline.extract.text.html_page import write_html
from docmill.pipeline.types import Page

_WEB_ARCHIVES = (".mht", ".mhtml")
_HTML = (".html", ".htm", ".xhtml", ".xht")


def write_chunk(writer: PageWriter, name: str, data: bytes, read_docx: Callable[[Path], Iterator[Page]]) -> None:
    """Write the content of the part `name`; nothing where it cannot be read, as Word does. `read_docx` reads a DOCX
    within this one."""
    suffix = PurePosixPath(name).suffix.lower()
    start = data[:200].lstrip().lower()
    try:
        if suffix in _WEB_ARCHIVES or start.startswith((b"mime-version:", b"from: <saved")):
            _write_web_archive(writer, data)
        elif suffix in _HTML or start.startswith((b"<html", b"<!doctype html")):
            write_html(writer, data)
        else:
            _write_file(writer, suffix, data, read_docx)
    except (PermanentError, LxmlError, ValueError):
        return


def _write_web_archive(writer: PageWriter, data: bytes) -> None:
    message = email.message_from_bytes(data.lstrip(), policy=email.policy.default)
    for part in message.walk():
        content = part.get_payload(decode=True)
        if isinstance(part, EmailMessage) and part.get_content_type() == "text/html" and isinstance(content, bytes):
            charset = part.get_content_charset()
            write_html(writer, _decoded(content, charset) if charset else content)
            return


def _decoded(content: bytes, charset: str) -> str | bytes:
    try:
        return content.decode(charset, "replace")
    except LookupError:
        return content


def _write_file(writer: PageWriter, suffix: str, data: bytes, read_docx: Callable[[Path], Iterator[Page]]) -> None:
    with tempfile.NamedTemporaryFile(suffix=suffix) as file:
        file.write(data)
        file.flush()
        path = Path(file.name)
        content_type = detect_type(path, f"chunk{suffix}")
        is_docx = content_type.endswith("wordprocessingml.document")
        for page in read_docx(path) if is_docx else read_document(path, content_type).pages:
            write_page(writer, page)


def write_page(writer: PageWriter, page: Page) -> None:
    """Write another document's page, block by block."""
    for block in page.blocks:
        writer.add(block.kind, page.text[block.start : block.end], block.level)
    if not page.blocks:
        for paragraph in page.text.split("\n\n"):
            writer.add("paragraph", paragraph)
