"""The blocks that a tree of HTML elements shows, in one walk, however deep the tree is."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from lxml.etree import iterwalk

from docmill.pipeline.extract.reading import PageWriter

_UNSEEN = frozenset((
    "script", "style", "noscript", "template", "head", "nav", "svg", "iframe", "object", "button", "select", "rp",
    "annotation", "annotation-xml", "datalist", "audio", "video", "canvas",
))  # fmt: skip
_HEADINGS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6}
_BLOCKS = frozenset((
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "div", "dl",
    "dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hgroup", "hr", "html", "legend", "li",
    "main", "menu", "ol", "p", "pre", "search", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead",
    "title", "tr", "ul", "optgroup", "option", *_HEADINGS,
))  # fmt: skip
_LISTS = ("ul", "ol", "menu")
_CELLS = ("td", "th")
_BULLET = "•"
_NEIGHBOURS = 20
"""Rows before and after one that tell whether its table has columns."""
_NOT_SHOWN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all", re.IGNORECASE)


def write_blocks(writer: PageWriter, root: Any) -> None:
    """Write what a browser shows of the element and all that is in it."""
    blocks, walk = _Blocks(writer), iterwalk(root, events=("start", "end"))
    for event, element in walk:
        if not isinstance(element.tag, str):
            continue
        is_seen = not _is_unseen(element)
        if event == "start":
            if is_seen:
                blocks.start(element)
            else:
                walk.skip_subtree()
        else:
            if is_seen:
                blocks.end(element)
            if element is not root and element.tail:
                blocks.text(element.tail)
    blocks.flush()


class _Blocks:
    """Collects text until a block ends. A heading, the cell of a row and code are each one block with all that is in
    them; a list item is one but for the lists, tables, headings and code in it."""

    def __init__(self, writer: PageWriter) -> None:
        self._writer = writer
        self._text: list[str] = []
        self._whole: Any = None  # the open heading, cell or code
        self._row: Any = None
        self._cells: list[str] = []
        self._lists: list[int | None] = []  # of each open list the next number; None for bullets
        self._items = 0  # open list items
        self._mark = ""

    def text(self, text: str) -> None:
        self._text.append(text)

    def start(self, element: Any) -> None:
        tag = element.tag
        if tag == "br" or (tag in _BLOCKS and self._whole is not None):
            self._text.append("\n")
        elif tag == "rt":
            self._text.append("(")
        elif tag in _HEADINGS or tag == "pre" or (tag in _CELLS and element.getparent() is self._row is not None):
            self.flush()
            self._whole = element
        elif tag in _BLOCKS:
            self._start_block(element)
        if element.text:
            self._text.append(element.text)

    def end(self, element: Any) -> None:
        tag = element.tag
        if element is self._whole:
            self._whole = None
            self._write_whole(tag)
        elif tag == "rt":
            self._text.append(")")
        elif tag in _BLOCKS and self._whole is not None:
            self._text.append("\n")
        elif element is self._row:
            self._write_row()
        elif tag in _BLOCKS:
            self._end_block(tag)

    def flush(self) -> None:
        """End the paragraph or list item."""
        text = self._taken()
        if text and self._mark:
            self._writer.add("list_item", f"{self._mark} {text}", max(len(self._lists), 1))
            self._mark = ""
        elif text:
            self._writer.add("paragraph", text)

    def _taken(self) -> str:
        text = " ".join("".join(self._text).split())
        self._text.clear()
        return text

    def _start_block(self, element: Any) -> None:
        tag = element.tag
        if tag in _LISTS:
            self.flush()
            self._lists.append(_number(element.get("start"), 1) if tag == "ol" else None)
        elif tag == "li":
            self.flush()
            self._items += 1
            self._mark = self._next_mark(element)
        elif tag == "tr" and _is_row(element):
            self.flush()
            self._row, self._cells = element, []
        else:
            self._break()

    def _end_block(self, tag: str) -> None:
        if tag == "li":
            self.flush()
            self._items -= 1
            self._mark = ""
        elif tag in _LISTS:
            self.flush()
            self._lists.pop()
        else:
            self._break()

    def _break(self) -> None:
        if self._items:
            self._text.append(" ")
        else:
            self.flush()

    def _next_mark(self, item: Any) -> str:
        if not self._lists or self._lists[-1] is None:
            return _BULLET
        number = _number(item.get("value"), self._lists[-1])
        self._lists[-1] = number + 1
        return f"{number}."

    def _write_whole(self, tag: str) -> None:
        if tag in _HEADINGS:
            self._writer.add("heading", self._taken(), _HEADINGS[tag])
        elif tag in _CELLS:
            self._cells.append(self._taken())
        else:
            self._writer.add("code", "".join(self._text))
            self._text.clear()

    def _write_row(self) -> None:
        if any(self._cells):
            is_header = all(child.tag == "th" for child in self._row if child.tag in _CELLS)
            self._writer.add_row(self._cells, is_header=is_header)
        self._row = None
        self._text.clear()


def _number(written: str | None, otherwise: int) -> int:
    return int(written) if written and len(written) < 10 and written.isascii() and written.isdigit() else otherwise


def _is_row(row: Any) -> bool:
    """Whether the row is one of a table of data: one with several columns, and no further table in the row. Others
    only arrange what is in them."""
    return next(row.iter("table"), None) is None and any(
        sum(child.tag in _CELLS for child in one) > 1 for one in _rows_around(row)
    )


def _rows_around(row: Any) -> Iterator[Any]:
    """The rows next to a row, itself first: tables have as many columns there as anywhere."""
    yield row
    for axis in (row.itersiblings("tr", preceding=True), row.itersiblings("tr")):
        yield from islice(axis, _NEIGHBOURS)


def _is_unseen(element: Any) -> bool:
    if element.tag in _UNSEEN or element.get("hidden") is not None:
        return True
    style = element.get("style")
    return style is not None and _NOT_SHOWN.search(style) is not None
