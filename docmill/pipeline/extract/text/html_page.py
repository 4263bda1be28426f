"""HTML, by lxml: headings, paragraphs, lists, tables and code; what a browser would not show is left out."""

import re
from pathlib import Path
from typing import Any

import lxml.html
from lxml.etree import LxmlError, ParserError

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.reading import PageWriter, Reading
from docmill.pipeline.extract.text.encoding import decode
from docmill.pipeline.extract.text.html_blocks import write_blocks
from docmill.pipeline.text import clean

_HEAD = 4096
"""Bytes in which a declaration of the encoding is looked for; browsers look at 1,024."""
_DECLARED = re.compile(
    rb"<meta[^>]{0,400}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})|<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.:-]{1,40})",
    re.IGNORECASE,
)
_TOO_DEEP = "Excessive depth"
"""How libxml2 begins its complaint about more than 2,048 elements within each other, after which it stops reading."""


def read(path: Path, content_type: str) -> Reading:
    """One page with what a browser shows."""
    try:
        writer = PageWriter()
        title = write_html(writer, path.read_bytes())
    except (LxmlError, ValueError) as error:
        raise PermanentError("corrupt") from error
    return Reading(title, 1, iter([writer.page(1)]))


def write_html(writer: PageWriter, data: bytes | str, declared: str | None = None) -> str | None:
    """Write the document's blocks and give its title. `declared` is the encoding that the document came with, which
    counts more than what it says itself.

    Raises LxmlError or ValueError; PermanentError `too_complex` for thousands of elements within each other.
    """
    text = data if isinstance(data, str) else decode(data, declared or declared_encoding(data))
    root = parsed(text)
    if root is None:
        return None
    write_blocks(writer, root)
    return title_of(root)


def parsed(text: str) -> Any:
    """The root element; None where there is nothing. Raises as `write_html`."""
    parser = lxml.html.HTMLParser(
        remove_comments=True, remove_pis=True, no_network=True, encoding="utf-8", huge_tree=True
    )
    try:
        root = lxml.html.document_fromstring(clean(text).encode(), parser=parser)
    except ParserError:
        root = None
    if any(entry.message.startswith(_TOO_DEEP) for entry in parser.error_log):
        raise PermanentError("too_complex", "The page has thousands of elements within each other; simplify it.")
    return root


def title_of(root: Any) -> str | None:
    """What the author called the page."""
    found = root.findtext(".//title")
    return clean(" ".join(found.split())) or None if found else None


def declared_encoding(data: bytes) -> str | None:
    """The encoding that a meta element or an XML declaration names."""
    found = _DECLARED.search(data[:_HEAD])
    return (found[1] or found[2]).decode("ascii", "ignore") if found else None
