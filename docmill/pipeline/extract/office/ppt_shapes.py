"""Text in the shapes of PowerPoint 97 slides ([MS-PPT] 2.9, [MS-ODRAW] 2.2), and the comments on them."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from docmill.pipeline.extract.office.ppt_records import Record, children

_GROUP, _SHAPE, _TEXT_BOX, _CHILD_ANCHOR = 0xF003, 0xF004, 0xF00D, 0xF00F
_PROPERTIES = (0xF00B, 0xF121, 0xF122)
_TEXT_HEADER, _TEXT_CHARS, _TEXT_BYTES, _OUTLINE_REFERENCE = 0x0F9F, 0x0FA0, 0x0FA8, 0x0F9E
_TAG_DATA, _COMMENT, _STRING = 0x138B, 0x2EE0, 0x0FBA
_WORD_ART, _TABLE = 0x00C0, 0x039F
_COMPLEX, _IDENTITY = 0x8000, 0x3FFF
_MAX_NESTING = 30
_BODY = 4


@dataclass(frozen=True, slots=True)
class Text:
    """The text of a shape with its role ([MS-PPT] TextTypeEnum: 0 and 6 are titles), or a table's rows of cells."""

    role: int
    text: str
    cells: tuple[tuple[str, ...], ...] = ()


def shape_texts(slide: Record, outline: Sequence[Text]) -> tuple[list[Text], set[int]]:
    """The texts of the slide's shapes in order, and the places in `outline` that they refer to: the texts that are kept
    in the document's list."""
    texts: list[Text] = []
    used: set[int] = set()
    _collect(slide, outline, texts, used, 0)
    return texts, used


def comments(slide: Record) -> Iterator[tuple[str, str]]:
    """Author and text of each comment on the slide."""
    for record in _descendants(slide, 0):
        if record.kind == _COMMENT:
            strings = {each.instance: each.text() for each in children(record.body) if each.kind == _STRING}
            if strings.get(1, "").strip():
                yield strings.get(0, ""), strings[1].replace("\r", " ")


def _collect(record: Record, outline: Sequence[Text], texts: list[Text], used: set[int], nesting: int) -> None:
    for child in children(record.body):
        if child.kind == _TEXT_BOX:
            texts += _box(child, outline, used)
        elif child.kind in _PROPERTIES:
            art = _property(child, _WORD_ART)
            if art:
                texts.append(Text(_BODY, art.decode("utf-16-le", "replace").strip("\0")))
        elif child.kind == _GROUP and _is_table(child):
            texts.append(_table(child, outline, used))
        elif child.is_container and nesting < _MAX_NESTING:
            _collect(child, outline, texts, used, nesting + 1)


def _box(box: Record, outline: Sequence[Text], used: set[int]) -> Iterator[Text]:
    role = _BODY
    for record in children(box.body):
        if record.kind == _TEXT_HEADER and len(record.body) >= 4:
            role = struct.unpack_from("<I", record.body)[0]
        elif record.kind in (_TEXT_CHARS, _TEXT_BYTES):
            yield Text(role, record.text())
        elif record.kind == _OUTLINE_REFERENCE and len(record.body) >= 4:
            place = struct.unpack_from("<I", record.body)[0]
            if place < len(outline) and place not in used:
                used.add(place)
                yield outline[place]


def _is_table(group: Record) -> bool:
    first = next(children(group.body), None)
    return first is not None and any(
        _property(record, _TABLE) is not None for record in children(first.body) if record.kind in _PROPERTIES
    )


def _table(group: Record, outline: Sequence[Text], used: set[int]) -> Text:
    """The cells of a table, which are shapes, put to rows by their upper edges."""
    rows: dict[int, list[tuple[int, str]]] = {}
    for shape in children(group.body):
        words = [
            text.text for box in children(shape.body) if box.kind == _TEXT_BOX for text in _box(box, outline, used)
        ]
        anchor = next((each.body for each in children(shape.body) if each.kind == _CHILD_ANCHOR), None)
        if words and anchor is not None and len(anchor) >= 16:
            left, top = struct.unpack_from("<ii", anchor)
            rows.setdefault(top, []).append((left, " ".join(words)))
    cells = tuple(tuple(text for _, text in sorted(row)) for _, row in sorted(rows.items()))
    return Text(_BODY, "", cells)


def _property(record: Record, wanted: int) -> bytes | None:
    """The value of one of a shape's properties; the complex ones lie behind the list of all."""
    count = min(record.instance, len(record.body) // 6)
    place = count * 6
    for number in range(count):
        identity, value = struct.unpack_from("<HI", record.body, number * 6)
        size = value if identity & _COMPLEX else 0
        if identity & _IDENTITY == wanted:
            return bytes(record.body[place : place + size]) if identity & _COMPLEX else struct.pack("<I", value)
        place += size
    return None


def _descendants(record: Record, nesting: int) -> Iterator[Record]:
    for child in children(record.body):
        yield child
        if (child.is_container or child.kind == _TAG_DATA) and child.kind != _COMMENT and nesting < _MAX_NESTING:
            yield from _descendants(child, nesting + 1)
