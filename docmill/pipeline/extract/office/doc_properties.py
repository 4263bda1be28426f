"""What paragraphs of a DOC are: headings, list items, ends of table rows, by their properties and styles ([MS-DOC] 2.6,
2.9.23 and 2.9.271)."""

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace

from docmill.pipeline.extract.office.doc_text import CHARACTERS, PARAGRAPHS, STYLES, WordFile

_PAGE = 512
_PLACE = 13
"""Bytes of what stands for a paragraph on a page of properties."""
_LIST, _LIST_DEPTH, _OUTLINE, _ROW_END, _IN_TABLE = 0x460B, 0x260A, 0x2640, 0x2417, 0x2416
_PAGE_BREAK_BEFORE = 0x2407
_UNSEEN = (0x083C, 0x0800)
"""Hidden, and deleted; 0x81 stands for the opposite of what the style says."""
_SIZES = (1, 1, 2, 4, 2, 2, 0, 3)
_LONG_SIZES = (0xD606, 0xD608)
_MAX_BASES = 12
_TITLE = 62


@dataclass(frozen=True, slots=True)
class Properties:
    """`level` is 1 to 9 for headings, else 0; `list_number` counts from 1, 0 is none; `list_depth` counts from 0."""

    level: int = 0
    list_number: int = 0
    list_depth: int = 0
    ends_row: bool = False
    in_table: bool = False
    starts_page: bool = False


class ParagraphProperties:
    """The properties of a document's paragraphs by the place of their last character."""

    def __init__(self, file: WordFile) -> None:
        self._file = file
        self._styles = list(_styles(file.table(STYLES))) if file.is_97 else []
        self._resolved: dict[int, Properties] = {}
        bounds = file.positions(PARAGRAPHS, 4) if file.is_97 else []
        pages = [int.from_bytes(item, "little") & 0x3FFFFF for item in file.items(PARAGRAPHS, 4)] if bounds else []
        self._bounds, self._pages = bounds[: len(pages)], pages
        self._runs: dict[int, tuple[list[int], list[bytes]]] = {}

    def __bool__(self) -> bool:
        return bool(self._pages)

    def at(self, position: int) -> Properties:
        """The properties of the paragraph that ends with the character at this position."""
        if not self._pages:
            return Properties()
        offset = self._file.offset_of(position)
        page = self._pages[max(bisect_right(self._bounds, offset) - 1, 0)]
        if page not in self._runs:
            self._runs[page] = _runs(self._file.stream[page * _PAGE : (page + 1) * _PAGE])
        bounds, held = self._runs[page]
        place = bisect_right(bounds, offset) - 1
        if not 0 <= place < len(held) or len(held[place]) < 2:
            return Properties()
        style = int.from_bytes(held[place][:2], "little")
        return _changed(self._style(style, 0), held[place][2:])

    def _style(self, number: int, nesting: int) -> Properties:
        if number not in self._resolved:
            if not 0 <= number < len(self._styles) or nesting > _MAX_BASES:
                return Properties()
            style = self._styles[number]
            based = _changed(self._style(style.base, nesting + 1), style.changes)
            if 1 <= style.identity <= 9:
                based = replace(based, level=style.identity)
            elif style.identity == _TITLE:
                based = replace(based, level=1)
            self._resolved[number] = based
        return self._resolved[number]


def hidden_spans(file: WordFile) -> Iterator[tuple[int, int]]:
    """Where hidden text, and text that was deleted while changes were tracked, lies in the stream, in bytes."""
    pages = [int.from_bytes(item, "little") & 0x3FFFFF for item in file.items(CHARACTERS, 4)] if file.is_97 else []
    for number in dict.fromkeys(pages):
        page = file.stream[number * _PAGE : (number + 1) * _PAGE]
        count = page[-1] if len(page) == _PAGE else 0
        if 4 * (count + 1) + count > _PAGE:
            continue
        bounds = struct.unpack_from(f"<{count + 1}I", page) if count else ()
        for run in range(count):
            place = page[4 * (count + 1) + run] * 2
            changes = page[place + 1 : place + 1 + page[place]] if place else b""
            if any(code in _UNSEEN and operand[:1] in (b"\x01", b"\x81") for code, operand in _operations(changes)):
                yield bounds[run], bounds[run + 1]


def _runs(page: bytes) -> tuple[list[int], list[bytes]]:
    """A page of properties: where the paragraphs begin in the stream, and what each changes."""
    count = page[-1] if len(page) == _PAGE else 0
    if 4 * (count + 1) + _PLACE * count > _PAGE:
        return [], []
    bounds = list(struct.unpack_from(f"<{count + 1}I", page))
    held = []
    for number in range(count):
        place = page[4 * (count + 1) + _PLACE * number] * 2
        size = page[place] * 2 - 1 if place else 0
        if place and size < 0 and place + 1 < _PAGE:
            place, size = place + 1, page[place + 1] * 2
        held.append(page[place + 1 : place + 1 + size] if place else b"")
    return bounds, held


def _changed(properties: Properties, changes: bytes) -> Properties:
    for code, operand in _operations(changes):
        value = int.from_bytes(operand[:2], "little", signed=code == _LIST)
        if code == _LIST:
            properties = replace(properties, list_number=max(value, 0))
        elif code == _LIST_DEPTH:
            properties = replace(properties, list_depth=min(value, 8))
        elif code == _OUTLINE:
            properties = replace(properties, level=value + 1 if value < 9 else 0)
        elif code == _ROW_END:
            properties = replace(properties, ends_row=bool(value))
        elif code == _IN_TABLE:
            properties = replace(properties, in_table=bool(value))
        elif code == _PAGE_BREAK_BEFORE:
            properties = replace(properties, starts_page=bool(value))
    return properties


def _operations(changes: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + 2 < len(changes):
        (code,) = struct.unpack_from("<H", changes, place)
        place += 2
        size = _SIZES[code >> 13]
        if code >> 13 == 6:
            if code in _LONG_SIZES:
                size, place = int.from_bytes(changes[place : place + 2], "little") - 1, place + 2
            else:
                size, place = changes[place], place + 1
        yield code, changes[place : place + size]
        place += max(size, 0)


@dataclass(frozen=True, slots=True)
class _Style:
    identity: int
    base: int
    changes: bytes


def _styles(data: bytes) -> Iterator[_Style]:
    """The styles by their numbers; those that are not of paragraphs change nothing."""
    if len(data) < 6:
        return
    head, count, base_size = struct.unpack_from("<HHH", data)
    place = 2 + head
    for _ in range(count):
        if place + 2 > len(data):
            return
        (size,) = struct.unpack_from("<H", data, place)
        style = data[place + 2 : place + 2 + size]
        place += 2 + size + size % 2
        yield _style(style, base_size)


def _style(data: bytes, base_size: int) -> _Style:
    if len(data) < base_size + 2 or len(data) < 4:
        return _Style(0xFFF, 0xFFF, b"")
    first, second = struct.unpack_from("<HH", data)
    (name,) = struct.unpack_from("<H", data, base_size)
    place = base_size + 2 + 2 * name + 2
    changes = b""
    if second & 0xF == 1 and place + 2 <= len(data):
        (size,) = struct.unpack_from("<H", data, place)
        changes = data[place + 4 : place + 2 + size]
    return _Style(first & 0xFFF, second >> 4, changes)
