"""MSG: the message as kreuzberg reads it, and then its attachments, each read as the document it is."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import olefile

from docmill.pipeline.extract.mail.eml import MAX_ATTACHMENTS, attachment_pages
from docmill.pipeline.extract.office import kreuzberg_reader
from docmill.pipeline.extract.reading import Reading
from docmill.pipeline.types import Page

_STORAGE = re.compile(r"__attach_version1\.0_#[0-9A-F]{8}")
# Properties by tag and type ([MS-OXPROPS] PidTagAttachLongFilename, PidTagAttachFilename, PidTagAttachDataBinary).
_NAMES = (("__substg1.0_3707001F", "utf-16-le"), ("__substg1.0_3707001E", "cp1252"),
          ("__substg1.0_3704001F", "utf-16-le"), ("__substg1.0_3704001E", "cp1252"))  # fmt: skip
_DATA = "__substg1.0_37010102"


def read(path: Path, content_type: str) -> Reading:
    """The message as page 1, the pages of readable attachments after it; messages inside of it are not opened."""
    message = kreuzberg_reader.read(path, content_type)
    return Reading(message.title, None, _pages(path, message.pages))


def _pages(path: Path, message: Iterator[Page]) -> Iterator[Page]:
    number = 0
    for page in message:
        number += 1
        yield replace(page, number=number)
    for name, data in _attachments(path):
        for page in attachment_pages(name, data):
            number += 1
            yield replace(page, number=number)


def _attachments(path: Path) -> Iterator[tuple[str, bytes]]:
    with olefile.OleFileIO(str(path)) as file:
        storages = sorted({entry[0] for entry in file.listdir() if _STORAGE.fullmatch(entry[0])})
        for storage in storages[:MAX_ATTACHMENTS]:
            if file.exists([storage, _DATA]):
                name = next(
                    (
                        file.openstream([storage, stream]).read().decode(encoding, "replace").strip("\0")
                        for stream, encoding in _NAMES
                        if file.exists([storage, stream])
                    ),
                    "",
                )
                yield name, file.openstream([storage, _DATA]).read()
