"""What all formats of mail share: the lines of who wrote to whom, and the body as plain text or HTML."""

from collections.abc import Iterable
from typing import NamedTuple

from lxml.etree import LxmlError

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.reading import PageWriter
from docmill.pipeline.extract.text.html_page import write_html
from docmill.pipeline.text import clean

_STUB = 0.2
"""Share of the HTML's text below which the plain text is no version of it, but a word on mail programs without HTML."""
_MAX_STUB = 300
"""Characters of such a word."""


class Body(NamedTuple):
    """The message in one or both of its versions; blank where there is none."""

    plain: str = ""
    html: str = ""


def write_headers(writer: PageWriter, headers: Iterable[tuple[str, str]]) -> None:
    """One line for each header that says something."""
    for name, value in headers:
        text = " ".join(clean(value).split())
        if text:
            writer.add("paragraph", f"{name}: {text}")


def write_body(writer: PageWriter, body: Body) -> None:
    """The plain version where it says what the HTML says, else the HTML."""
    plain = clean(body.plain)
    if body.html.strip():
        page = PageWriter()
        try:
            write_html(page, body.html)
        except (LxmlError, ValueError, PermanentError):
            if not plain.strip():
                raise
            page = PageWriter()
        length = len("".join(plain.split()))
        if not length or (length <= _MAX_STUB and length < _STUB * len(page)):
            copy_blocks(writer, page)
            return
    write_plain(writer, plain)


def write_plain(writer: PageWriter, text: str) -> None:
    """Paragraphs as blank lines set them apart."""
    for paragraph in clean(text).split("\n\n"):
        writer.add("paragraph", paragraph)


def copy_blocks(writer: PageWriter, page: PageWriter) -> None:
    """Append the blocks of one page to another."""
    written = page.page(1)
    for block in written.blocks:
        writer.add(block.kind, written.text[block.start : block.end], block.level)
