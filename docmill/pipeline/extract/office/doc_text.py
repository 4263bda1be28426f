"""The text of a DOC and the documents beside it, footnotes, headers, text boxes ([MS-DOC] 2.3 to 2.5; for Word 6 and 95
Microsoft's "Word 6.0 Binary File Format"): what the file information block says, and characters by their positions."""

import struct
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

import olefile

from docmill.pipeline.errors import PermanentError

_WORD_97, _WORD_6 = 0xA5EC, 0xA5DC
_FIRST_97 = 0xC1
"""The first version (nFib) whose text may be UTF-16 and whose tables have a stream of their own."""
_COMPLEX, _ENCRYPTED, _SECOND_TABLE = 0x0004, 0x0100, 0x0200
_COMPRESSED = 1 << 30
_MAX_PIECES = 1_000_000
_MACINTOSH = 1
_CODE_PAGES = {
    0x04: "cp936", 0x05: "cp1250", 0x08: "cp1253", 0x0D: "cp1255", 0x01: "cp1256", 0x0E: "cp1250", 0x11: "cp932",
    0x12: "cp949", 0x15: "cp1250", 0x18: "cp1250", 0x19: "cp1251", 0x1A: "cp1250", 0x1B: "cp1250", 0x1C: "cp1250",
    0x1E: "cp874", 0x1F: "cp1254", 0x22: "cp1251", 0x23: "cp1251", 0x24: "cp1250", 0x25: "cp1257", 0x26: "cp1257",
    0x27: "cp1257", 0x02: "cp1251", 0x2F: "cp1251",
}  # fmt: skip
"""Code pages of languages that are not written in cp1252, by the primary part of the language's number."""

STYLES, FOOTNOTE_REFERENCES, FOOTNOTE_TEXTS, HEADERS, CHARACTERS, PARAGRAPHS, ANCHORS = 1, 2, 3, 11, 12, 13, 40
ENDNOTE_REFERENCES, ENDNOTE_TEXTS, TEXT_BOXES, LISTS, LIST_OVERRIDES = 46, 47, 56, 73, 74
"""Places of tables in the file information block ([MS-DOC] FibRgFcLcb97)."""
_PIECES = 33
_PARTS = ("main", "footnotes", "headers", "macros", "comments", "endnotes", "boxes", "header_boxes")


@dataclass(frozen=True, slots=True)
class _Piece:
    start: int
    """The position of its first character in the text of all documents."""
    offset: int
    """Where it lies in the stream, in bytes."""
    width: int
    """Bytes a character."""


class WordFile:
    """An opened DOC. `text` has the characters of all its documents by their positions; `parts` says where each begins
    and ends in it; `is_97` tells whether its tables are those of Word 97 to 2003.

    Raises PermanentError: `corrupt`, `encrypted`, `unsupported_type` (Word 2 or older)."""

    def __init__(self, file: olefile.OleFileIO) -> None:
        self.stream: bytes = file.openstream("WordDocument").read()
        magic, version, _, language, _, flags = struct.unpack_from("<6H", self.stream)
        if magic not in (_WORD_97, _WORD_6):
            raise PermanentError("unsupported_type", "Word 2 or older: save the document as DOCX and upload that.")
        if flags & _ENCRYPTED:
            raise PermanentError("encrypted")
        self.is_97 = version >= _FIRST_97
        name = "1Table" if flags & _SECOND_TABLE else "0Table"
        self._tables = file.openstream(name).read() if self.is_97 and file.exists(name) else self.stream
        self._encoding = "cp1252"
        if not self.is_97:
            is_mac = self.stream[0x12] == _MACINTOSH
            self._encoding = "mac_roman" if is_mac else _CODE_PAGES.get(language & 0x3FF, "cp1252")
        counts = struct.unpack_from("<8I", self.stream, 76 if self.is_97 else 0x34)
        self._pieces, texts = self._read_pieces(sum(counts), flags)
        self._starts = [piece.start for piece in self._pieces]
        self.text = "".join(texts)
        self.parts: dict[str, range] = {}
        start = 0
        for part, count in zip(_PARTS, counts, strict=True):
            self.parts[part] = range(min(start, len(self.text)), min(start + count, len(self.text)))
            start += count

    def table(self, place: int) -> bytes:
        """One of the file's tables; empty where there is none."""
        offset, size = self.table_place(place)
        return bytes(self._tables[offset : offset + size])

    def table_place(self, place: int) -> tuple[int, int]:
        """Offset and size of a table."""
        if self.is_97:
            at = 154 + 8 * place
        else:
            at = 0x1D2 + 8 * (place - ENDNOTE_REFERENCES) if place >= ENDNOTE_REFERENCES else 0x58 + 8 * place
        if at + 8 > len(self.stream) or (not self.is_97 and place > ENDNOTE_TEXTS):
            return 0, 0
        offset, size = struct.unpack_from("<II", self.stream, at)
        return (offset, size) if offset + size <= len(self._tables) else (0, 0)

    def behind_table(self, place: int) -> bytes:
        """What follows a table directly."""
        offset, size = self.table_place(place)
        return bytes(self._tables[offset + size :]) if size else b""

    def positions(self, place: int, item: int) -> list[int]:
        """The positions that a table lists before its items of `item` bytes each ([MS-DOC] 2.2.2)."""
        data = self.table(place)
        count = (len(data) - 4) // (4 + item) if len(data) >= 4 else -1
        return list(struct.unpack_from(f"<{count + 1}I", data)) if count >= 0 else []

    def items(self, place: int, item: int) -> list[bytes]:
        """The items of such a table."""
        data = self.table(place)
        count = max((len(data) - 4) // (4 + item), 0)
        start = 4 * (count + 1)
        return [data[start + item * number : start + item * (number + 1)] for number in range(count)]

    def offset_of(self, position: int) -> int:
        """Where a character lies in the stream, in bytes."""
        piece = self._pieces[max(bisect_right(self._starts, position) - 1, 0)]
        return piece.offset + (position - piece.start) * piece.width

    def hide(self, spans: Iterable[tuple[int, int]]) -> None:
        """Put NUL for the characters between these offsets of the stream, in order; marks of paragraphs, cells and
        fields stay."""
        characters = list(self.text)
        spans = _apart(spans)
        starts = [start for start, _ in spans]
        for piece, following in zip(self._pieces, [*self._starts[1:], len(characters)], strict=True):
            end = piece.offset + (following - piece.start) * piece.width
            for start, stop in spans[max(bisect_right(starts, piece.offset) - 1, 0) : bisect_right(starts, end)]:
                first = piece.start + (max(start, piece.offset) - piece.offset) // piece.width
                last = piece.start + (min(stop, end) - piece.offset) // piece.width
                for position in range(first, last):
                    if characters[position] >= " ":
                        characters[position] = "\0"
        self.text = "".join(characters)

    def _read_pieces(self, count: int, flags: int) -> tuple[list[_Piece], list[str]]:
        listing = _piece_table(self.table(_PIECES)) if self.is_97 or flags & _COMPLEX else b""
        if not listing:
            (start,) = struct.unpack_from("<I", self.stream, 0x18)
            return [_Piece(0, start, 1)], [self._characters(start, min(count, len(self.stream)), 1)]
        number = min((len(listing) - 4) // 12, _MAX_PIECES)
        if number < 1:
            raise PermanentError("corrupt")
        starts = struct.unpack_from(f"<{number + 1}I", listing)
        pieces, texts, place = [], [], 0
        for index in range(number):
            (offset,) = struct.unpack_from("<I", listing, 4 * (number + 1) + 8 * index + 2)
            length = min(starts[index + 1] - starts[index], len(self.stream))
            if length <= 0:
                continue
            width = 1 if not self.is_97 or offset & _COMPRESSED else 2
            if self.is_97 and offset & _COMPRESSED:
                offset = (offset & ~_COMPRESSED) // 2
            pieces.append(_Piece(place, offset, width))
            texts.append(self._characters(offset, length, width))
            place += length
            if place > len(self.stream) * 4:
                raise PermanentError("corrupt")
        return pieces, texts

    def _characters(self, offset: int, length: int, width: int) -> str:
        """So many characters, filled up where the file ends before."""
        data = self.stream[offset : offset + length * width]
        if width == 1:
            return _decoded(data, self._encoding).ljust(length, "\0")[:length]
        return "".join(map(chr, struct.unpack(f"<{len(data) // 2}H", data[: len(data) // 2 * 2]))).ljust(length, "\0")


def _apart(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans in order, none within another."""
    apart: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        first = max(start, apart[-1][1]) if apart else start
        if first < end:
            apart.append((first, end))
    return apart


def _decoded(data: bytes, encoding: str) -> str:
    """One character a byte, or a character and as many NUL as it has more bytes, so that positions stay."""
    if encoding in ("cp932", "cp936", "cp949"):
        text = data.decode(encoding, "replace")
        return "".join(each + "\0" * (len(each.encode(encoding, "replace")) - 1) for each in text)
    return data.decode(encoding, "replace")


def _piece_table(data: bytes) -> bytes:
    """The list of pieces, behind the properties that pieces may have."""
    place = 0
    while place + 5 <= len(data):
        if data[place] == 2:
            (size,) = struct.unpack_from("<I", data, place + 1)
            return data[place + 5 : place + 5 + size]
        if data[place] != 1:
            break
        place += 3 + int(struct.unpack_from("<H", data, place + 1)[0])
    return b""
