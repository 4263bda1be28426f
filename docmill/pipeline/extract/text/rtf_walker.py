"""RTF's groups, control words and encodings, walked through in one pass; what they mean is for subclasses to say.

By the Rich Text Format Specification 1.9.1: groups inherit and restore, `\\'hh` and plain bytes are in the code page of
the font, `\\uN` is UTF-16 and followed by as many characters for old readers as `\\uc` said, `\\bin` by raw bytes.
"""

import re
from copy import copy
from typing import Any, Self

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.text.rtf_charsets import (
    CODEPAGE_OF_CHARSET,
    SYMBOL_CHARSET,
    codec_of_codepage,
    symbol_text,
)

_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,40})(-?[0-9]{1,10})? ?|\\'([0-9a-fA-F]{2})|\\(.)|([{}])|([\r\n\x00]+)|([^\\{}\r\n\x00]+)",
    re.DOTALL,
)
_MAX_DEPTH = 3000
"""Groups within each other; Word's own files have some dozens."""
_CHARACTERS = {
    "tab": "\t", "line": "\n", "lbr": "\n", "emdash": "—", "endash": "–", "lquote": "‘", "rquote": "’",
    "ldblquote": "“", "rdblquote": "”", "bullet": "•", "emspace": "\u2003", "enspace": "\u2002", "qmspace": "\u2005",
    "zwj": "\u200d", "zwnj": "\u200c", "ltrmark": "\u200e", "rtlmark": "\u200f", "zwbo": "", "zwnbo": "",
}  # fmt: skip
_ESCAPED = {"~": "\xa0", "_": "-"}
_DOCUMENT_CODEPAGES = {"mac": 10000, "pc": 437, "pca": 850}


class Group:
    """What a group inherits: the font, the count of characters after `\\uN` that stand for it, whether the text is
    hidden. Subclasses' walkers add their own."""

    font: int | None = None
    uc: int = 1
    hidden: bool = False
    destination: Any = None

    def child(self) -> Self:
        """The group that opens within this one."""
        return copy(self)


class _Font:
    def __init__(self) -> None:
        self.codec: str | None = None
        self.is_symbol = False
        self.name = ""


class RtfWalker:
    """Walks through a file and calls `text`, `word` and `closed`, which subclasses override."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.fonts: dict[int, _Font] = {}
        self._codec = "cp1252"
        self._stack: list[Group] = []
        self._bytes = bytearray()
        self._to_skip = 0
        self._is_starred = False
        self._at_start = False
        self._default_font: int | None = None
        self._defined: _Font | None = None

    def text(self, text: str) -> None:
        """Text in the current group; surrogates come one by one."""

    def word(self, word: str, parameter: int | None, is_starred: bool) -> None:
        """A control word; `is_starred` when `\\*` stands before it: what does not know it skips the group."""

    def closed(self, group: Group) -> None:
        """A group has ended; `self.group` is the one around it again."""

    def walk(self, data: bytes) -> None:
        """Walk to the end, or to where the groups are closed. Raises PermanentError `too_complex`."""
        place, end = 0, len(data)
        match_at = _TOKEN.match
        while place < end:
            found = match_at(data, place)
            if found is None:  # a backslash at the end
                break
            place = found.end()
            kind = found.lastindex
            if kind == 7:
                self._plain(found[7])
            elif kind in (1, 2):
                name = found[1].decode("ascii")
                parameter = int(found[2]) if kind == 2 else None
                if name == "bin":
                    place += max(parameter or 0, 0)
                    self._to_skip = max(self._to_skip - 1, 0)
                else:
                    self._word(name, parameter)
            elif kind == 3:
                self._plain(bytes((int(found[3], 16),)))
            elif kind == 4:
                self._symbol(found[4])
            elif kind == 5 and not self._brace(found[5] == b"{"):
                break
        self._flush()

    def _plain(self, data: bytes) -> None:
        if self._to_skip:
            skipped = min(self._to_skip, len(data))
            self._to_skip -= skipped
            data = data[skipped:]
        self._bytes += data
        self._at_start = False

    def _symbol(self, symbol: bytes) -> None:
        if symbol in b"\\{}":
            self._plain(symbol)
        elif symbol == b"*":
            self._is_starred = self._at_start  # elsewhere it marks one word only, which may as well be read
        elif symbol in b"\r\n":
            self._word("par", None)
        elif self._to_skip:
            self._to_skip -= 1
        elif (shown := _ESCAPED.get(symbol.decode("latin-1"))) is not None:
            self._flush()
            self._shown(shown)

    def _brace(self, is_open: bool) -> bool:
        """False when the document's own group has ended."""
        self._flush()
        self._to_skip, self._is_starred, self._at_start = 0, False, is_open
        if is_open:
            if len(self._stack) >= _MAX_DEPTH:
                raise PermanentError("too_complex", "The text has thousands of groups within each other; simplify it.")
            self._stack.append(self.group)
            self.group = self.group.child()
            return True
        if self._stack:
            ended, self.group = self.group, self._stack.pop()
            self.closed(ended)
        return bool(self._stack)

    def _word(self, name: str, parameter: int | None) -> None:
        self._flush()
        is_starred, self._is_starred, self._at_start = self._is_starred, False, False
        self._to_skip = 0
        if name == "u":
            code = (parameter or 0) + (0x10000 if (parameter or 0) < 0 else 0)
            self._shown(chr(code) if 0 <= code < 0x110000 else "\ufffd")
            self._to_skip = self.group.uc
        elif name == "uc":
            self.group.uc = max(parameter if parameter is not None else 1, 0)
        elif name in _CHARACTERS:
            self._shown(_CHARACTERS[name])
        elif not self._is_of_encoding(name, parameter):
            self.word(name, parameter, is_starred)

    def _is_of_encoding(self, name: str, parameter: int | None) -> bool:
        if name == "ansicpg":
            self._codec = codec_of_codepage(parameter or 1252) or self._codec
        elif name in _DOCUMENT_CODEPAGES:
            self._codec = codec_of_codepage(_DOCUMENT_CODEPAGES[name]) or self._codec
        elif name == "deff":
            self._default_font = parameter
        elif name == "f":
            self.group.font = parameter
            if self.defines_fonts():
                self._defined = self.fonts[parameter or 0] = _Font()
        elif name == "plain":
            self.group.font, self.group.hidden = self._default_font, False
        elif name in ("v", "deleted"):
            self.group.hidden = parameter != 0
        elif name in ("fcharset", "cpg") and self._defined and self.defines_fonts():
            codepage = CODEPAGE_OF_CHARSET.get(parameter or 0, 0) if name == "fcharset" else parameter or 0
            self._defined.codec = codec_of_codepage(codepage)
            self._defined.is_symbol = name == "fcharset" and parameter == SYMBOL_CHARSET
        else:
            return False
        return True

    def defines_fonts(self) -> bool:
        """Whether the current group is the font table."""
        return False

    def name_font(self, text: str) -> None:
        """Text in the font table: the name of the font that is being defined."""
        if self._defined:
            self._defined.name += text

    def _flush(self) -> None:
        """Decode the bytes so far. They wait for the next brace or word, as a character may take several."""
        if not self._bytes:
            return
        data, self._bytes = bytes(self._bytes), bytearray()
        font = self.fonts.get(self.group.font if self.group.font is not None else -1)
        if font and font.is_symbol and not self.defines_fonts():
            self.text(symbol_text(data.decode("latin-1"), font.name))
        elif data.isascii():
            self.text(data.decode("ascii"))
        else:
            self.text(data.decode((font and font.codec) or self._codec, "replace"))

    def _shown(self, text: str) -> None:
        font = self.fonts.get(self.group.font if self.group.font is not None else -1)
        is_code = len(text) == 1 and "\uf020" <= text <= "\uf0ff"
        self.text(symbol_text(text, font.name if font else "") if is_code else text)


def paired(text: str) -> str:
    """Text whose surrogates are joined to the characters that they stand for."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
