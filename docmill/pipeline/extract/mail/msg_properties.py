"""The properties of Outlook's messages ([MS-OXMSG]): streams of a compound file, named by number and type."""

import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO

from olefile import OleFileIO

from docmill.pipeline.extract.text.encoding import decode
from docmill.pipeline.extract.text.rtf_charsets import codec_of_codepage

_PROPERTIES = "__properties_version1.0"
_STRING, _STRING8, _BINARY = "001F", "001E", "0102"
_INTERNET_CODEPAGE, _MESSAGE_CODEPAGE, _LOCALE = 0x3FDE, 0x3FFD, 0x3FF1
_HEADER_BYTES = {"message": 32, "inner": 24, "other": 8}
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_CODEPAGE_OF_LANGUAGE = {
    **dict.fromkeys((0x05, 0x0E, 0x15, 0x18, 0x1A, 0x1B, 0x1C, 0x24), 1250),
    **dict.fromkeys((0x02, 0x19, 0x22, 0x23, 0x28, 0x2F, 0x3F, 0x40, 0x44, 0x50, 0x6D), 1251),
    0x08: 1253, 0x1F: 1254, 0x2C: 1254, 0x43: 1254, 0x0D: 1255, 0x01: 1256, 0x20: 1256, 0x29: 1256, 0x25: 1257,
    0x26: 1257, 0x27: 1257, 0x2A: 1258, 0x1E: 874, 0x11: 932, 0x12: 949, 0x04: 936,
}  # fmt: skip
"""By the primary language of a locale id ([MS-LCID])."""
_CODEPAGE_OF_LOCALE = {0x0404: 950, 0x0C04: 950, 0x1404: 950, 0x0C1A: 1251, 0x1C1A: 1251, 0x201A: 1251, 0x281A: 1251}


def open_message(data: bytes) -> OleFileIO:
    """The compound file. Raises OSError or ValueError, also for streams that say they are larger than the file, whose
    sectors olefile would look for one by one."""
    file = OleFileIO(BytesIO(data))
    if any(entry is not None and entry.size > len(data) for entry in file.direntries):
        raise ValueError("a stream is larger than its file")
    return file


class Properties:
    """The properties of one storage: `prefix` is its path; `kind` is `message`, `inner` (a message in a message) or
    `other` (an attachment, a recipient)."""

    def __init__(self, file: OleFileIO, prefix: Sequence[str], kind: str, around: "Properties | None" = None) -> None:
        self._file = file
        self._prefix = list(prefix)
        self._values = dict(self._fixed(_HEADER_BYTES[kind]))
        self._codec: str | None = self._own_codec() or (around._codec if around else None)

    def text(self, *numbers: int) -> str:
        """The first of these properties that says something."""
        for number in numbers:
            if (data := self._stream(number, _STRING)) is not None:
                text = data.decode("utf-16-le", "replace")
            else:
                text = decode(self._stream(number, _STRING8) or b"", self._codec)
            if text.strip("\0 \r\n\t"):
                return text.rstrip("\0")
        return ""

    def html(self, number: int) -> str:
        """HTML, which is bytes in the code page of the message's way over the Internet."""
        codepage = self._values.get(_INTERNET_CODEPAGE)
        data = self._stream(number, _BINARY)
        if data is None:
            return self.text(number)
        return decode(data, (codec_of_codepage(codepage) if codepage else None) or self._codec).rstrip("\0")

    def binary(self, number: int) -> bytes | None:
        """Bytes; None where there are none."""
        return self._stream(number, _BINARY)

    def time(self, *numbers: int) -> datetime | None:
        """The first of these times that is set."""
        for number in numbers:
            if value := self._values.get(number):
                try:
                    return _EPOCH + timedelta(microseconds=value // 10)
                except OverflowError:
                    return None
        return None

    def storages(self, start: str) -> list[list[str]]:
        """The paths of the storages within whose names begin so, in order."""
        depth = len(self._prefix)
        found = {
            entry[depth]
            for entry in self._file.listdir(streams=False, storages=True)
            if len(entry) > depth and entry[:depth] == self._prefix and entry[depth].startswith(start)
        }
        return [[*self._prefix, name] for name in sorted(found)]

    def _stream(self, number: int, kind: str) -> bytes | None:
        path = [*self._prefix, f"__substg1.0_{number:04X}{kind}"]
        if self._file.get_type(path) != 2:  # a stream
            return None
        data: bytes = self._file.openstream(path).read()
        return data

    def _fixed(self, header: int) -> Iterator[tuple[int, int]]:
        """Numbers and times, which stand in one stream, 16 bytes each."""
        path = [*self._prefix, _PROPERTIES]
        if not self._file.exists(path):
            return
        data = self._file.openstream(path).read()
        for place in range(header, len(data) - 15, 16):
            kind, number = struct.unpack_from("<HH", data, place)
            if kind == 0x0003:
                yield number, struct.unpack_from("<I", data, place + 8)[0]
            elif kind == 0x0040:
                yield number, struct.unpack_from("<Q", data, place + 8)[0]

    def _own_codec(self) -> str | None:
        """What strings of bytes are in: the message's code page, else that of its language."""
        locale = self._values.get(_LOCALE, 0)
        by_locale = _CODEPAGE_OF_LOCALE.get(locale) or _CODEPAGE_OF_LANGUAGE.get(locale & 0x3FF, 1252 if locale else 0)
        for codepage in (self._values.get(_MESSAGE_CODEPAGE), by_locale, self._values.get(_INTERNET_CODEPAGE)):
            if codepage and (codec := codec_of_codepage(codepage)):
                return codec
        return None
