"""RTF as Outlook packs it ([MS-OXRTFCP]): a sliding window of 4,096 bytes that begins with RTF's commonest words."""

import struct

_PACKED, _PLAIN = 0x75465A4C, 0x414C454D
_WINDOW = 4096
_FIRST = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS "
    b"Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20"
    b"\\b\\i\\u\\tab\\tx"
)
_MAX_UNPACKED = 64 << 20
"""Bytes."""


def unpacked_rtf(data: bytes) -> bytes:
    """The RTF within, as far as it goes. Raises ValueError for what is none."""
    if len(data) < 16:
        raise ValueError("no compressed RTF")
    size, kind = struct.unpack_from("<II", data, 4)
    if kind == _PLAIN:
        return data[16 : 16 + size]
    if kind != _PACKED:
        raise ValueError("no compressed RTF")
    window = bytearray(_FIRST.ljust(_WINDOW, b"\0"))
    at, place, end, limit = len(_FIRST), 16, len(data), min(size, _MAX_UNPACKED)
    unpacked = bytearray()
    while place < end and len(unpacked) < limit:
        control = data[place]
        place += 1
        for bit in range(8):
            if control >> bit & 1:
                if place + 1 >= end:
                    return bytes(unpacked)
                reference = data[place] << 8 | data[place + 1]
                place += 2
                source = reference >> 4
                if source == at:  # the end
                    return bytes(unpacked)
                for step in range((reference & 0xF) + 2):
                    byte = window[(source + step) % _WINDOW]
                    unpacked.append(byte)
                    window[at] = byte
                    at = (at + 1) % _WINDOW
            elif place < end:
                byte = data[place]
                place += 1
                unpacked.append(byte)
                window[at] = byte
                at = (at + 1) % _WINDOW
    return bytes(unpacked)
