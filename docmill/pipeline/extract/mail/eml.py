"""EML: who wrote to whom about what, the message, and then its attachments, each read as the document it is."""

import email
import email.policy
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage, MIMEPart
from pathlib import Path

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.reading import PageWriter, Reading
from docmill.pipeline.extract.text.html_page import write_html
from docmill.pipeline.text import clean
from docmill.pipeline.types import Page

_HEADERS = ("Subject", "From", "To", "Cc", "Date")
MAX_ATTACHMENTS = 100
_MAX_DEPTH = 3
_depth = 0


def read(path: Path, content_type: str) -> Reading:
    """The message as page 1, the pages of readable attachments after it."""
    with path.open("rb") as file:
        message = email.message_from_binary_file(file, policy=email.policy.default)
    if not any(message.get(name) for name in _HEADERS):
        raise PermanentError("corrupt", "The file does not look like an e-mail: it has no headers.")
    title = clean(str(message.get("Subject", ""))).strip() or None
    return Reading(title, None, _pages(message))


def _pages(message: EmailMessage) -> Iterator[Page]:
    writer = PageWriter()
    for name in _HEADERS:
        if message.get(name):
            writer.add("paragraph", f"{name}: {message[name]}")
    body = message.get_body(("plain", "html"))
    if body is not None:
        text = _text_of(body)
        if body.get_content_subtype() == "html":
            write_html(writer, text)
        else:
            for paragraph in clean(text).split("\n\n"):
                writer.add("paragraph", paragraph)
    yield writer.page(1)
    number = 1
    for attachment in list(message.iter_attachments())[:MAX_ATTACHMENTS]:
        for page in _attachment_pages(attachment):
            number += 1
            yield replace(page, number=number)


def _text_of(part: MIMEPart) -> str:
    try:
        return str(part.get_content())
    except (LookupError, ValueError):  # an unknown or a wrong character set
        data = part.get_payload(decode=True)
        return data.decode("utf-8", "replace") if isinstance(data, bytes) else ""


def _attachment_pages(part: MIMEPart) -> Iterator[Page]:
    name = part.get_filename() or ""
    if part.get_content_type() == "message/rfc822":
        inner = part.get_payload(0) if part.is_multipart() else None
        data, name = (inner.as_bytes() if isinstance(inner, EmailMessage) else b""), "message.eml"
    else:
        content = part.get_payload(decode=True)
        data = content if isinstance(content, bytes) else b""
    yield from attachment_pages(name, data)


def attachment_pages(name: str, data: bytes) -> Iterator[Page]:
    """The pages of an attachment; none when it is of no accepted type or cannot be read: the message still counts."""
    global _depth
    from docmill.pipeline.extract import detect_type, read_document

    if not data or _depth >= _MAX_DEPTH:
        return
    name = Path(name).name
    with tempfile.NamedTemporaryFile(suffix=Path(name).suffix) as file:
        file.write(data)
        file.flush()
        _depth += 1
        try:
            path = Path(file.name)
            yield from read_document(path, detect_type(path, name)).pages
        except PermanentError:
            return
        finally:
            _depth -= 1
