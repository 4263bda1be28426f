"""HTML, by lxml: headings, paragraphs, lists, tables and code; what a browser would not show is left out."""

import html.entities
import re
from pathlib import Path
from typing import Any

import lxml.html
from lxml import etree
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
_XHTML = 'xmlns="http://www.w3.org/1999/xhtml"'
_XML_LINE = re.compile(r"^\s*<\?xml[^>]{0,200}\?>")
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,30});")
_OF_XML = ("amp;", "lt;", "gt;", "quot;", "apos;")
_XML = etree.XMLParser(
    remove_comments=True, remove_pis=True, no_network=True, load_dtd=False, resolve_entities=False, huge_tree=True
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
    text = clean(text)
    root = _parsed_as_xml(text) if text.lstrip()[:5] == "<?xml" or _XHTML in text[:_HEAD] else None
    return root if root is not None else _parsed_as_html(text)


def _parsed_as_xml(text: str) -> Any:
    """XHTML, whose elements may be empty where HTML knows no end of them (`<title/>`); None where it is not XML."""
    text = _XML_LINE.sub("", _ENTITY.sub(_character, text))
    try:
        root = etree.fromstring(text.encode(), _XML)
    except LxmlError:
        return None
    for element in root.iter("{*}*"):
        element.tag = etree.QName(element).localname.lower()
    return root if root.tag == "html" else None


def _character(entity: re.Match[str]) -> str:
    name = entity[1] + ";"
    return html.entities.html5.get(name, entity[0]) if name not in _OF_XML else entity[0]


def _parsed_as_html(text: str) -> Any:
    parser = lxml.html.HTMLParser(
        remove_comments=True, remove_pis=True, no_network=True, encoding="utf-8", huge_tree=True
    )
    try:
        root = lxml.html.document_fromstring(_XML_LINE.sub("", text).encode(), parser=parser)
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
