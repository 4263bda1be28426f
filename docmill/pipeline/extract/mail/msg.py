"""MSG: Outlook's messages, read as other mail is: headers, body, then attachments and the messages within."""

import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from olefile import OleFileIO

from docmill.pipeline.errors import PermanentError, is_out_of_memory
from docmill.pipeline.extract.mail.attachments import MIN_INLINE_PICTURE, Nesting, attachment_pages
from docmill.pipeline.extract.mail.compressed_rtf import unpacked_rtf
from docmill.pipeline.extract.mail.message_text import Body, write_body, write_headers
from docmill.pipeline.extract.mail.msg_properties import Properties, open_message
from docmill.pipeline.extract.reading import PageWriter, Reading
from docmill.pipeline.extract.text.rtf import read_rtf
from docmill.pipeline.extract.text.rtf_html import encapsulated_html
from docmill.pipeline.text import clean
from docmill.pipeline.types import Page

# Properties by number ([MS-OXPROPS]).
_SUBJECT, _BODY, _HTML, _RTF = 0x0037, 0x1000, 0x1013, 0x1009
_SENDER_NAME, _SENDER_ADDRESS = (0x0C1A, 0x0042), (0x5D01, 0x5D02, 0x0C1F, 0x0065)
_TO, _CC = 0x0E04, 0x0E03
_SENT, _RECEIVED = 0x0039, 0x0E06
_FILE_NAMES, _FILE_DATA, _FILE_NUMBER, _CONTENT_ID = (0x3707, 0x3704, 0x3001), 0x3701, "3701000D", 0x3712
_RECIPIENT_NAME, _RECIPIENT_ADDRESS = (0x3001,), (0x39FE, 0x3003)
_BROKEN = (OSError, ValueError, IndexError, KeyError, TypeError, AttributeError, struct.error, RecursionError)
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp")


def read(path: Path, content_type: str) -> Reading:
    """The message as page 1, the pages of readable attachments and messages within it after it.

    Raises PermanentError: `corrupt`, `too_complex`.
    """
    return read_message(path.read_bytes(), Nesting())


def read_message(data: bytes, nesting: Nesting) -> Reading:
    """As `read`, of a message that lies in others."""
    try:
        file = open_message(data)
        message = Properties(file, (), "message")
        title = clean(message.text(_SUBJECT)).strip() or None
    except _BROKEN as error:
        raise _as_corrupt(error) from error
    return Reading(title, None, _guarded(_pages(file, message, nesting)))


def _guarded(pages: Iterator[Page]) -> Iterator[Page]:
    try:
        yield from pages
    except _BROKEN as error:
        raise _as_corrupt(error) from error


def _as_corrupt(error: Exception) -> Exception:
    return error if is_out_of_memory(error) else PermanentError("corrupt")


def _pages(file: OleFileIO, message: Properties, nesting: Nesting) -> Iterator[Page]:
    attachments = [
        (path, Properties(file, path, "other", message)) for path in message.storages("__attach_version1.0_#")
    ]
    names = ", ".join(filter(None, (_name(attached) for _, attached in attachments)))
    writer = PageWriter()
    write_headers(writer, [*_headers(file, message), ("Attachments", names)])
    _write_message(writer, message)
    yield writer.page(1)
    number = 1
    for path, attached in attachments:
        for page in _attached_pages(file, path, attached, nesting):
            number += 1
            yield replace(page, number=number)


def _headers(file: OleFileIO, message: Properties) -> Iterator[tuple[str, str]]:
    yield "Subject", message.text(_SUBJECT)
    yield "From", _mailbox(message.text(*_SENDER_NAME), message.text(*_SENDER_ADDRESS))
    recipients = (Properties(file, path, "other", message) for path in message.storages("__recip_version1.0_#"))
    to = message.text(_TO) or ", ".join(
        _mailbox(one.text(*_RECIPIENT_NAME), one.text(*_RECIPIENT_ADDRESS)) for one in recipients
    )
    yield "To", to
    yield "Cc", message.text(_CC)
    sent = message.time(_SENT, _RECEIVED)
    yield "Date", f"{sent:%Y-%m-%d %H:%M} UTC" if sent else ""


def _mailbox(name: str, address: str) -> str:
    name, address = clean(name).strip(), clean(address).strip()
    if "@" not in address or address == name:  # an address within Exchange says nothing
        return name or address
    return f"{name} <{address}>" if name else address


def _write_message(writer: PageWriter, message: Properties) -> None:
    """The body: plain or HTML, which may lie within RTF; else the RTF itself."""
    plain, html = message.text(_BODY), message.html(_HTML)
    packed = message.binary(_RTF) if not (plain.strip() or html.strip()) else None
    if not packed:
        write_body(writer, Body(plain, html))
        return
    rtf = unpacked_rtf(packed)
    html = encapsulated_html(rtf) or ""
    if html.strip():
        write_body(writer, Body("", html))
        return
    for page in read_rtf(rtf).pages:
        for block in page.blocks:
            writer.add(block.kind, page.text[block.start : block.end], block.level)


def _name(attached: Properties) -> str:
    return clean(attached.text(*_FILE_NAMES)).strip()


def _attached_pages(file: OleFileIO, path: list[str], attached: Properties, nesting: Nesting) -> Iterator[Page]:
    inner = [*path, f"__substg1.0_{_FILE_NUMBER}"]
    if file.get_type(inner) == 1:  # a storage: a message
        if nesting.may_open():
            nesting.depth += 1
            try:
                yield from _pages(file, Properties(file, inner, "inner", attached), nesting)
            finally:
                nesting.depth -= 1
        return
    data, name = attached.binary(_FILE_DATA) or b"", _name(attached)
    is_ornament = attached.text(_CONTENT_ID) and name.lower().endswith(_PICTURES) and len(data) < MIN_INLINE_PICTURE
    if not is_ornament:
        yield from attachment_pages(name, data, nesting)
