"""The names in a ZIP's directory and its smallest stored members, by bounded reads: nothing is decompressed.

This runs where uploads arrive, outside the sandbox. The layout is that of PKWARE's APPNOTE, 4.3.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from docmill.pipeline.errors import PermanentError

READ_AT_MOST = 64 * 1024
"""Bytes of the directory that are looked at: some 800 entries."""
_MAX_DIRECTORY = 8 * 1024 * 1024
_STORED = 0
_LOCAL, _ENTRY, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_LOCAL_BYTES, _ENTRY_BYTES, _END_BYTES = 30, 46, 22


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the directory; sizes and the offset as the file claims them, in bytes."""

    name: str
    method: int
    packed: int
    size: int
    offset: int


@dataclass(frozen=True, slots=True)
class ZipDirectory:
    """The first entries of a ZIP's directory. `complete` tells whether these are all; `shift` is where offsets count
    from, for archives with something in front."""

    path: Path
    entries: tuple[Entry, ...]
    complete: bool
    shift: int

    @property
    def names(self) -> frozenset[str]:
        return frozenset(entry.name for entry in self.entries)

    def stored_text(self, name: str, at_most: int) -> str | None:
        """The content of a member of at most so many bytes; None when there is none, or it is compressed or larger."""
        for entry in self.entries:
            if entry.name == name and entry.method == _STORED and entry.packed == entry.size <= at_most:
                with self.path.open("rb") as file:
                    return _stored_bytes(file, self.shift + entry.offset, entry.size).decode("ascii", "replace")
        return None


def read_directory(path: Path) -> ZipDirectory:
    """The directory's beginning. Raises PermanentError `corrupt` when there is none or it is absurdly large."""
    file_size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, file_size - READ_AT_MOST - _END_BYTES))
        tail = file.read(READ_AT_MOST + _END_BYTES)
        end = tail.rfind(_END)
        if end < 0 or len(tail) < end + _END_BYTES:
            raise PermanentError("corrupt", "The file is a ZIP archive that was cut off; upload it again.")
        count, size, offset = struct.unpack_from("<HII", tail, end + 10)
        if size > _MAX_DIRECTORY or count == 0xFFFF:
            raise PermanentError("corrupt", "The file is a ZIP archive with far too many entries for a document.")
        start = file_size - len(tail) + end - size
        if start < 0 or start < offset:
            raise _unreadable()
        file.seek(start)
        block = file.read(min(size, READ_AT_MOST))
    entries = tuple(_entries(block, cut=size > READ_AT_MOST))
    return ZipDirectory(path, entries, len(entries) == count, start - offset)


def _entries(block: bytes, *, cut: bool) -> Iterator[Entry]:
    place = 0
    while place < len(block):
        if len(block) < place + _ENTRY_BYTES:
            if cut:
                return
            raise _unreadable()
        if block[place : place + 4] != _ENTRY:
            raise _unreadable()
        flags, method = struct.unpack_from("<HH", block, place + 8)
        packed, size, name_length, extra, comment = struct.unpack_from("<IIHHH", block, place + 20)
        (offset,) = struct.unpack_from("<I", block, place + 42)
        name = block[place + _ENTRY_BYTES : place + _ENTRY_BYTES + name_length]
        if len(name) == name_length:
            yield Entry(name.decode("utf-8" if flags & 0x800 else "cp437", "replace"), method, packed, size, offset)
        place += _ENTRY_BYTES + name_length + extra + comment


def _stored_bytes(file: BinaryIO, offset: int, size: int) -> bytes:
    """A stored member's bytes, where its own header agrees that it is stored; b"" otherwise."""
    if offset < 0:
        return b""
    file.seek(offset)
    header = file.read(_LOCAL_BYTES)
    if len(header) < _LOCAL_BYTES or header[:4] != _LOCAL or struct.unpack_from("<H", header, 8)[0] != _STORED:
        return b""
    name_length, extra = struct.unpack_from("<HH", header, 26)
    file.seek(offset + _LOCAL_BYTES + name_length + extra)
    return file.read(size)


def _unreadable() -> PermanentError:
    return PermanentError("corrupt", "The file is a ZIP archive that cannot be read; upload it again.")
