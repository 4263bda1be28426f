"""The text of boxes, labels and buttons that are drawn on XLS sheets ([MS-XLS] 2.4.181 Obj and 2.4.329 TxO)."""

import struct
from collections.abc import Iterator

_BEGIN, _END, _OBJECT, _TEXT, _CONTINUE = 0x0809, 0x000A, 0x005D, 0x01B6, 0x003C
_NOTE = 0x19
"""The kind of object that holds a comment, which is read with its cell."""
_WIDE = 1


def box_texts(stream: bytes) -> dict[int, list[str]]:
    """The texts in order, by where in the workbook's stream their sheet begins, in bytes."""
    boxes: dict[int, list[str]] = {}
    sheets: list[int] = []
    kind, waiting, parts = 0, 0, list[str]()

    def finish() -> None:
        text = "".join(parts).strip()
        if sheets and text and kind != _NOTE:
            boxes.setdefault(sheets[0], []).append(text)
        parts.clear()

    for place, record, body in _records(stream):
        if record == _CONTINUE and waiting > 0:
            text = _characters(body)[:waiting]
            parts.append(text)
            waiting -= len(text)
            continue
        finish()
        waiting = 0
        if record == _BEGIN:
            sheets.append(place)  # charts begin and end within their sheet
        elif record == _END and sheets:
            sheets.pop()
        elif record == _OBJECT and len(body) >= 6:
            (kind,) = struct.unpack_from("<H", body, 4)
        elif record == _TEXT and len(body) >= 12:
            (waiting,) = struct.unpack_from("<H", body, 10)
    finish()
    return boxes


def _records(stream: bytes) -> Iterator[tuple[int, int, bytes]]:
    place = 0
    while place + 4 <= len(stream):
        record, length = struct.unpack_from("<HH", stream, place)
        yield place, record, stream[place + 4 : place + 4 + length]
        place += 4 + length


def _characters(body: bytes) -> str:
    if not body:
        return ""
    return body[1:].decode("utf-16-le" if body[0] & _WIDE else "latin-1", "replace")
