"""Headers as text: encoded words (RFC 2047), and the raw bytes that mail programs put there all the same."""

import base64
import binascii
import quopri
import re
from email.message import Message

from docmill.pipeline.extract.text.encoding import decode

_WORD = re.compile(r"=\?([^?*\s]{1,40})(?:\*[^?]{0,20})?\?([bBqQ])\?([^?]*)\?=")
_BETWEEN = re.compile(r"(\?=)\s+(=\?)")


def header_text(message: Message, name: str) -> str:
    """The first header of that name as text; "" where there is none."""
    for given, value in message.raw_items():
        if given.lower() == name.lower():
            return decoded_words(str(value))
    return ""


def decoded_words(value: str) -> str:
    """A header's value, whose bytes beyond ASCII are surrogates, with all encoded words decoded."""
    value = decode(value.encode("utf-8", "surrogateescape")) if not value.isascii() else value
    value = _BETWEEN.sub(r"\1\2", value)
    parts: list[str] = []
    pending, charset, end = b"", "", 0
    for found in _WORD.finditer(value):
        if found.start() > end or found[1].lower() != charset:
            parts.append(decode(pending, charset))
            parts.append(value[end : found.start()])
            pending = b""
        charset, end = found[1].lower(), found.end()
        pending += _bytes(found[2], found[3])  # one character may be split over two words
    return "".join((*parts, decode(pending, charset), value[end:]))


def _bytes(encoding: str, text: str) -> bytes:
    if encoding in "qQ":
        return quopri.decodestring(text.encode("utf-8"), header=True)
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""
