"""Records of PowerPoint 97 and of its drawings ([MS-PPT] 2.3.1, [MS-ODRAW] 2.2.1): a head of eight bytes, then data or
more records."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_HEAD = 8
_BYTES = 0x0FA8
_CONTAINER = 0xF


@dataclass(frozen=True, slots=True)
class Record:
    """`instance` tells apart records of one kind; `body` is what follows the head."""

    instance: int
    kind: int
    is_container: bool
    body: memoryview

    def text(self) -> str:
        """The body as characters: UTF-16, or their low bytes."""
        return bytes(self.body).decode("latin-1" if self.kind == _BYTES else "utf-16-le", "replace")


def record_at(data: bytes, place: int) -> Record | None:
    """The record at an offset; None where none fits."""
    return next(children(memoryview(data)[place:]), None) if 0 <= place < len(data) else None


def children(body: memoryview) -> Iterator[Record]:
    """The records in a row; one that says it is longer than what holds it ends there."""
    place = 0
    while place + _HEAD <= len(body):
        head, kind, length = struct.unpack_from("<HHI", body, place)
        yield Record(head >> 4, kind, head & 0xF == _CONTAINER, body[place + _HEAD : place + _HEAD + length])
        place += _HEAD + length
