"""HTML, by lxml: headings, paragraphs, lists, tables and code; what a browser would not show is left out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lxml.html
from lxml.etree import LxmlError, ParserError

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.reading import PageWriter, Reading
from docmill.pipeline.extract.text.plain import decode
from docmill.pipeline.text import clean

_UNSEEN = {"script", "style", "noscript", "template", "head", "nav", "svg", "iframe", "object", "button", "select"}
_HEADINGS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6}
_BLOCKS = {
    "address", "article", "aside", "blockquote", "body", "center", "dd", "details", "dialog", "div", "dl", "dt",
    "fieldset", "figcaption", "figure", "footer", "form", "header", "hr", "html", "legend", "li", "main", "ol", "p",
    "pre", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul", *_HEADINGS,
}  # fmt: skip
_MAX_NESTING = 200


def read(path: Path, content_type: str) -> Reading:
    """One page with what a browser shows."""
    try:
        writer = PageWriter()
        title = write_html(writer, path.read_bytes())
    except (LxmlError, ValueError, RecursionError) as error:
        raise PermanentError("corrupt") from error
    return Reading(title, 1, iter([writer.page(1)]))


def write_html(writer: PageWriter, data: bytes | str) -> str | None:
    """Write the document's blocks and give its title. Raises LxmlError or ValueError."""
    text = data if isinstance(data, str) else _decoded(data)
    parser = lxml.html.HTMLParser(remove_comments=True, remove_pis=True, no_network=True, encoding="utf-8")
    try:
        root = lxml.html.document_fromstring(clean(text).encode(), parser=parser)
    except ParserError:  # nothing in it
        return None
    _Writer(writer).block(root, 0)
    found = root.findtext(".//title")
    return clean(" ".join(found.split())) or None if found else None


def _decoded(data: bytes) -> str:
    """Bytes as text: by the encoding that a meta element names, else by what they look like."""
    head = data[:2048].lower()
    place = head.find(b"charset=")
    if place >= 0 and not data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        name = head[place + 8 :].lstrip(b"\"' ").split(b'"')[0].split(b"'")[0].split(b">")[0].split(b";")[0].strip()
        try:
            return data.decode(name.decode("ascii"))
        except (LookupError, UnicodeDecodeError):
            pass
    return decode(data)


class _Writer:
    def __init__(self, writer: PageWriter) -> None:
        self._writer = writer
        self._inline = ""

    def block(self, element: Any, nesting: int, list_depth: int = 0) -> None:
        """Write an element whose content starts and ends blocks."""
        if nesting > _MAX_NESTING or _is_unseen(element):
            return
        tag = element.tag
        if tag == "table" and any(len(_cells(row)) > 1 for row in element.iter("tr")):
            self._flush()
            self._table(element)
        elif tag == "pre":
            self._flush()
            self._writer.add("code", element.text_content())
        elif tag in _HEADINGS:
            self._flush()
            self._writer.add("heading", _joined(element), _HEADINGS[tag])
        elif tag in ("ul", "ol"):
            self._flush()
            self._list(element, nesting, list_depth + 1)
        else:
            self._content(element, nesting, list_depth)
            self._flush()

    def _content(self, element: Any, nesting: int, list_depth: int) -> None:
        self._inline += element.text or ""
        for child in element:
            if child.tag == "br":
                self._inline += "\n"
            elif child.tag in _BLOCKS:
                self._flush()
                self.block(child, nesting + 1, list_depth)
            elif isinstance(child.tag, str) and not _is_unseen(child) and nesting < _MAX_NESTING:
                self._content(child, nesting + 1, list_depth)
            self._inline += child.tail or ""

    def _flush(self, mark: str = "", depth: int = 0) -> None:
        lines = (" ".join(line.split()) for line in self._inline.split("\n"))
        text = " ".join(filter(None, lines))
        self._inline = ""
        if text:
            self._writer.add("list_item" if mark else "paragraph", f"{mark} {text}" if mark else text, depth)

    def _list(self, element: Any, nesting: int, depth: int) -> None:
        number = int(element.get("start", "1")) if element.get("start", "1").isdigit() else 1
        for item in element:
            if item.tag in ("ul", "ol"):
                self.block(item, nesting + 1, depth)
            elif item.tag == "li" and not _is_unseen(item):
                mark = f"{number}." if element.tag == "ol" else "•"
                number += 1
                inner = [child for child in item if child.tag in ("ul", "ol", "table", "pre")]
                self._inline = _joined(item, skip=inner)
                self._flush(mark, depth)
                for child in inner:
                    self.block(child, nesting + 1, depth)

    def _table(self, table: Any) -> None:
        for row in table.iter("tr"):
            if next(row.iterancestors("table")) is not table:
                continue
            cells = _cells(row)
            texts = [_joined(cell) for cell in cells]
            if any(texts):
                is_header = all(cell.tag == "th" for cell in cells)
                self._writer.add_row(texts, is_header=is_header)


def _cells(row: Any) -> list[Any]:
    return [cell for cell in row if cell.tag in ("td", "th")]


def _joined(element: Any, skip: list[Any] | None = None) -> str:
    """The element's text in one line."""
    return " ".join("".join(_texts(element, skip or [], 0)).split())


def _texts(element: Any, skip: list[Any], nesting: int) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        if child not in skip and isinstance(child.tag, str) and not _is_unseen(child) and nesting < _MAX_NESTING:
            if child.tag in _BLOCKS or child.tag == "br":
                yield " "
            yield from _texts(child, skip, nesting + 1)
        yield child.tail or ""


def _is_unseen(element: Any) -> bool:
    style = (element.get("style") or "").replace(" ", "").lower()
    return element.tag in _UNSEEN or "hidden" in element.attrib or "display:none" in style
