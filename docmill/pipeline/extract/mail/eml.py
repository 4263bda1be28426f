"""EML: who wrote to whom about what, the message, and then its attachments, each read as the document it is."""

import email
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email.message import Message
from pathlib import Path

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.mail.attachments import MIN_INLINE_PICTURE, Nesting, attachment_pages
from docmill.pipeline.extract.mail.encoded_words import decoded_words, header_text
from docmill.pipeline.extract.mail.message_text import Body, write_body, write_headers
from docmill.pipeline.extract.reading import PageWriter, Reading
from docmill.pipeline.extract.text.encoding import decode
from docmill.pipeline.extract.text.html_page import declared_encoding
from docmill.pipeline.extract.text.wide import wide_codec
from docmill.pipeline.text import clean
from docmill.pipeline.types import Page

_SHOWN = ("Subject", "From", "To", "Cc", "Date")
_OF_MAIL = (*_SHOWN, "Message-ID", "Received", "Return-Path", "Reply-To", "Sender", "MIME-Version", "Content-Type")
_MAX_PARTS = 10_000
_PART = re.compile(rb"^content-(?:type|disposition|transfer-encoding)[ \t]*:", re.IGNORECASE | re.MULTILINE)
_MAX_BOUNDARY_LINES = 50_000
_HEAD = 4096  # bytes


@dataclass
class _Contents:
    """A message sorted into its body and what is attached to it."""

    plain: list[str] = field(default_factory=list)
    html: list[str] = field(default_factory=list)
    attached: list[tuple[str, Message]] = field(default_factory=list)


def read(path: Path, content_type: str) -> Reading:
    """The message as page 1, the pages of readable attachments after it.

    Raises PermanentError: `corrupt` (no headers of a mail), `encrypted`, `too_complex`.
    """
    return read_message(path.read_bytes(), Nesting())


def read_message(data: bytes, nesting: Nesting) -> Reading:
    """As `read`, of a message that lies in others."""
    message = _parsed(data)
    if not any(message.get(name) for name in _OF_MAIL):
        raise PermanentError("corrupt", "The file does not look like an e-mail: it has no headers.")
    _refuse_encrypted(message)
    title = clean(header_text(message, "Subject")).strip() or None
    return Reading(title, None, _pages(message, nesting))


def _parsed(data: bytes) -> Message:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or wide_codec(data[:_HEAD]):
        data = decode(data).encode()
    data = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    if len(_PART.findall(data)) > 3 * _MAX_PARTS or data.count(b"\n--") > _MAX_BOUNDARY_LINES:
        raise PermanentError("too_complex", "The message has tens of thousands of parts; send them apart.")
    try:
        return email.message_from_bytes(data)
    except RecursionError as error:
        raise PermanentError("too_complex", "The message has hundreds of messages within each other.") from error


def _refuse_encrypted(message: Message) -> None:
    kind = message.get_content_type()
    sealed = kind in ("application/pkcs7-mime", "application/x-pkcs7-mime") and "enveloped" in str(
        message.get_param("smime-type") or ""
    )
    if kind == "multipart/encrypted" or sealed:
        raise PermanentError("encrypted", "The message is encrypted; decrypt it in the mail program and save it again.")


def _pages(message: Message, nesting: Nesting) -> Iterator[Page]:
    contents = _Contents()
    _sort(message, contents)
    writer = PageWriter()
    names = ", ".join(name for name, _ in contents.attached if name)
    write_headers(writer, [*((name, header_text(message, name)) for name in _SHOWN), ("Attachments", names)])
    write_body(writer, Body("\n\n".join(contents.plain), "\n".join(contents.html)))
    yield writer.page(1)
    number = 1
    for name, part in contents.attached:
        if part.get_content_type() == "message/rfc822":
            pages = _inner_pages(part, nesting)
        else:
            pages = attachment_pages(name, _data(part), nesting)
        for page in pages:
            number += 1
            yield replace(page, number=number)


def _inner_pages(part: Message, nesting: Nesting) -> Iterator[Page]:
    """The pages of a message that was forwarded whole."""
    inner = part.get_payload()
    if isinstance(inner, list) and inner and isinstance(inner[0], Message) and nesting.may_open():
        nesting.depth += 1
        try:
            yield from _pages(inner[0], nesting)
        finally:
            nesting.depth -= 1


def _sort(message: Message, contents: _Contents) -> None:
    """Sort the parts of the message in order, however deep they lie."""
    open_parts = [message]
    while open_parts:
        part = open_parts.pop()
        kind = part.get_content_type()
        inner = part.get_payload() if part.is_multipart() else None
        if kind == "message/rfc822":
            contents.attached.append(("message.eml", part))
        elif isinstance(inner, list):
            parts = [each for each in inner if isinstance(each, Message)]
            open_parts += reversed(_versions(parts) if kind == "multipart/alternative" else parts)
        else:
            _sort_leaf(part, kind, contents)


def _versions(parts: list[Message]) -> list[Message]:
    """Of a message in several versions those that can be its body; the first where none can."""
    kinds = ("text/plain", "text/html")
    known = [part for part in parts if not part.get_content_type().startswith("text/")]
    return [*known, *(part for part in parts if part.get_content_type() in kinds)] or parts[:1]


def _sort_leaf(part: Message, kind: str, contents: _Contents) -> None:
    name = decoded_words(part.get_filename() or "")
    is_attached = part.get_content_disposition() == "attachment" or bool(name)
    if kind.startswith("text/") and not is_attached:
        if kind == "text/html":
            contents.html.append(_text(part, is_html=True))
        elif kind == "text/plain" or not (contents.plain or contents.html):
            contents.plain.append(_text(part, is_html=False))
    elif is_attached or kind.startswith(("image/", "application/")):
        is_inline = kind.startswith("image/") and part.get_content_disposition() != "attachment"
        if not is_inline or len(_data(part)) > MIN_INLINE_PICTURE:
            contents.attached.append((name, part))


def _text(part: Message, is_html: bool) -> str:
    data = _data(part)
    declared = part.get_content_charset()
    text = decode(data, declared or (declared_encoding(data) if is_html else None))
    if not is_html and str(part.get_param("format") or "").lower() == "flowed":
        text = _unwrapped(text, str(part.get_param("delsp") or "").lower() == "yes")
    return text


def _unwrapped(text: str, is_space_dropped: bool) -> str:
    """Flowed lines joined (RFC 3676): those that end with a space go on."""
    lines: list[str] = []
    goes_on = False
    for line in text.splitlines():
        ends = line.endswith(" ") and line != "-- "
        kept = line[:-1] if ends and is_space_dropped else line
        if goes_on and not line.startswith(">"):
            lines[-1] += kept
        else:
            lines.append(kept)
        goes_on = ends
    return "\n".join(lines)


def _data(part: Message) -> bytes:
    try:
        content = part.get_payload(decode=True)
    except (ValueError, LookupError, AssertionError):
        content = None
    if isinstance(content, bytes):
        return content
    raw = part.get_payload()
    return raw.encode("utf-8", "surrogateescape") if isinstance(raw, str) else b""
