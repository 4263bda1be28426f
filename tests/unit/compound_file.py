"""Writes OLE compound files ([MS-CFB] version 3), which MSG and old Office files are."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

Tree: TypeAlias = "Mapping[str, bytes | Tree]"
"""Streams and, as mappings, storages by their names."""

SECTOR, MINI, CUTOFF = 512, 64, 4096
FREE, END, FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
STORAGE, STREAM, ROOT = 1, 2, 5


@dataclass
class _Entry:
    name: str
    kind: int
    data: bytes = b""
    child: int = FREE
    right: int = FREE
    start: int = END


def compound_file(tree: Tree) -> bytes:
    """The file's bytes."""
    entries = [_Entry("Root Entry", ROOT)]
    _add(entries, 0, tree)
    small = [entry for entry in entries if entry.kind == STREAM and 0 < len(entry.data) < CUTOFF]
    mini_stream, mini_chains = b"", []
    for entry in small:
        entry.start = len(mini_stream) // MINI
        count = -(-len(entry.data) // MINI)
        mini_chains += [*range(entry.start + 1, entry.start + count), END]
        mini_stream += entry.data.ljust(count * MINI, b"\0")
    entries[0].data = mini_stream

    body, chains = b"", []  # sector 0 follows the header

    def place(data: bytes) -> int:
        nonlocal body
        if not data:
            return END
        start, count = len(body) // SECTOR, -(-len(data) // SECTOR)
        chains.extend([*range(start + 1, start + count), END])
        body += data.ljust(count * SECTOR, b"\0")
        return start

    for entry in entries:
        if entry.kind == ROOT or len(entry.data) >= CUTOFF:
            entry.start = place(entry.data)
    mini_fat = struct.pack(f"<{len(mini_chains)}I", *mini_chains)
    mini_fat += b"\xff" * (-len(mini_fat) % SECTOR)
    mini_fat_start = place(mini_fat)
    directory = b"".join(map(_packed, entries))
    directory_start = place(directory)
    fat_sectors = -(-(len(chains) + 1) // 127)
    fat_start = len(chains)
    chains += [FAT] * fat_sectors
    fat = struct.pack(f"<{len(chains)}I", *chains)
    fat += b"\xff" * (fat_sectors * SECTOR - len(fat))
    header = struct.pack(
        "<8s16xHHHHH6xIIIIIIIIII", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0x3E, 3, 0xFFFE, 9, 6, 0, fat_sectors,
        directory_start, 0, CUTOFF, mini_fat_start, len(mini_fat) // SECTOR, END, 0, fat_start,
    )  # fmt: skip
    header = header[:76] + struct.pack(
        "<109I", *range(fat_start, fat_start + fat_sectors), *[FREE] * (109 - fat_sectors)
    )
    return header + body + fat


def _add(entries: list[_Entry], parent: int, tree: Tree) -> None:
    """The members of a storage, each the right neighbour of the one before."""
    before: int | None = None
    for name, content in sorted(tree.items(), key=lambda item: (len(item[0]), item[0].upper())):
        index = len(entries)
        if isinstance(content, bytes):
            entries.append(_Entry(name, STREAM, content))
        else:
            entries.append(_Entry(name, STORAGE))
        if before is None:
            entries[parent].child = index
        else:
            entries[before].right = index
        before = index
        if not isinstance(content, bytes):
            _add(entries, index, content)


def _packed(entry: _Entry) -> bytes:
    name = entry.name.encode("utf-16-le")
    start = 0 if entry.kind == STORAGE else entry.start
    return struct.pack(
        "<64sHBBIII16sI8s8sIQ", name, len(name) + 2, entry.kind, 1, FREE, entry.right, entry.child, b"", 0, b"", b"",
        start, len(entry.data),
    )  # fmt: skip
