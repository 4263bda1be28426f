"""The names in the directory of an OLE compound file ([MS-CFB] 2.6), by bounded reads, wherever it lies in the file.

This runs where uploads arrive, outside the sandbox.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_MAX_SECTORS = 2048
"""Sectors of the directory that are looked at: 1 MB of the usual ones, some 8,000 entries."""
_MAX_FAT_LISTS = 256
_HEADER = 512
_LISTED_IN_HEADER = 109
_ENTRY = 128
_NONE = 0xFFFFFFFA
"""Numbers from here on stand for no sector and no entry."""
_SECTOR_SHIFTS = (9, 12)


def root_names(path: Path) -> frozenset[str]:
    """The names of the streams and storages at the top of the file. Where the tree that joins them is broken, all names
    in the directory; none where there is no directory."""
    with path.open("rb") as file:
        entries = list(_entries(file))
    if not entries:
        return frozenset()
    (child,) = struct.unpack_from("<I", entries[0].ljust(_ENTRY, b"\0"), 76)
    names, waiting, seen = set[str](), [child], set[int]()
    while waiting:
        place = waiting.pop()
        if place >= _NONE or place in seen or place == 0:
            continue
        if place >= len(entries) or len(entries[place]) < _ENTRY:
            return frozenset(map(_name, entries))
        seen.add(place)
        names.add(_name(entries[place]))
        waiting += struct.unpack_from("<II", entries[place], 68)
    return frozenset(names) or frozenset(map(_name, entries))


def _name(entry: bytes) -> str:
    return entry[:64].decode("utf-16-le", "replace").split("\0")[0]


def _entries(file: BinaryIO) -> Iterator[bytes]:
    header = file.read(_HEADER)
    if len(header) < _HEADER:
        return
    (shift,) = struct.unpack_from("<H", header, 30)
    (sector,) = struct.unpack_from("<I", header, 48)
    if shift not in _SECTOR_SHIFTS:
        return
    size = 1 << shift
    fat = list(_fat_sectors(file, header, size))
    for _ in range(_MAX_SECTORS):
        if sector >= _NONE:
            return
        data = _read(file, (sector + 1) * size, size)
        yield from (data[place : place + _ENTRY] for place in range(0, len(data), _ENTRY))
        per_sector = size // 4
        if sector // per_sector >= len(fat) or len(data) < size:
            return
        following = _read(file, (fat[sector // per_sector] + 1) * size + sector % per_sector * 4, 4)
        if len(following) < 4:
            return
        (sector,) = struct.unpack("<I", following)


def _fat_sectors(file: BinaryIO, header: bytes, size: int) -> Iterator[int]:
    """The sectors of the allocation table: the first are listed in the header, more in a chain of lists."""
    yield from (each for each in struct.unpack_from(f"<{_LISTED_IN_HEADER}I", header, 76) if each < _NONE)
    (further,) = struct.unpack_from("<I", header, 68)
    for _ in range(_MAX_FAT_LISTS):
        if further >= _NONE:
            return
        data = _read(file, (further + 1) * size, size)
        if len(data) < size:
            return
        *listed, further = struct.unpack(f"<{size // 4}I", data)
        yield from (each for each in listed if each < _NONE)


def _read(file: BinaryIO, place: int, size: int) -> bytes:
    file.seek(place)
    return file.read(size)
