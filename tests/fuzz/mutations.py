"""Damage to files: blind to their format, and for ZIPs inside of a member, which is packed again."""

import io
import zipfile
import zlib
from random import Random

_TOKENS = (
    b"\0", b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\1", b"%n", b"<", b">", b"&#0;", b"<!DOCTYPE a>",
    b"endobj", b"stream", b"[" * 50, b"<b>" * 50, b"{" * 50, b"../", b"\r\n\r\n", b"\xed\xa0\x80", b"-1", b"1e999",
    b"9" * 20, b"\xe2\x80\xae", b"PK\3\4",
)  # fmt: skip


def mutant(data: bytes, random: Random) -> bytes:
    """`data`, damaged in one to eight places."""
    if data.startswith(b"PK\3\4") and random.random() < 0.7:
        try:
            return _repacked(data, random)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, zlib.error):
            pass
    for _ in range(random.randint(1, 8)):
        data = _damaged(data, random)
    return data


def _damaged(data: bytes, random: Random) -> bytes:
    at = random.randrange(len(data) + 1)
    length = min(int(random.paretovariate(0.7)), 4096)
    match random.randrange(7):
        case 0:  # a bit
            changed = bytearray(data or b"\0")
            changed[at % len(changed)] ^= 1 << random.randrange(8)
            return bytes(changed)
        case 1:  # other bytes
            return data[:at] + random.randbytes(length) + data[at + length :]
        case 2:  # cut out
            return data[:at] + data[at + length :]
        case 3:  # twice, or very often
            return data[:at] + data[at : at + length] * random.choice((2, 2, 100)) + data[at + length :]
        case 4:  # put in
            return data[:at] + random.choice(_TOKENS) + data[at:]
        case 5:  # overwritten
            token = random.choice(_TOKENS)
            return data[:at] + token + data[at + len(token) :]
        case _:  # cut off, seldom before the middle
            return data[: max(at, random.randrange(len(data) + 1))]


def _repacked(data: bytes, random: Random) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(entry, archive.read(entry)) for entry in archive.infolist()]
    chosen, packed = random.randrange(len(members)), io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number, (entry, content) in enumerate(members):
            if number != chosen:
                archive.writestr(entry, content)
            elif random.random() < 0.95:  # else it is left out
                archive.writestr(entry, mutant(content, random))
    return packed.getvalue()
