"""DOC, PPT and XLS, the binary files of Office until 2003: their text as kreuzberg reads it, without pictures."""

import re
from pathlib import Path

import olefile

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.office import kreuzberg_reader
from docmill.pipeline.extract.reading import PageWriter, Reading

_EXCEL = "application/vnd.ms-excel"
_WORD = "application/msword"
_ENCRYPTED = 0x01  # fEncrypted, [MS-DOC] FibBase, the twelfth byte
_FIELD = re.compile(r'\s(?:HYPERLINK|PAGEREF|REF|INCLUDEPICTURE)\s+(?:\\\w\s+)*(?:"[^"\n]*"|\S+)(?:\s+\\\w)*(?=\s)')


def read(path: Path, content_type: str) -> Reading:
    """A page for each sheet; texts and slides as one page."""
    if content_type == _EXCEL:
        return kreuzberg_reader.read(path, content_type)
    _refuse_encrypted(path)
    result = kreuzberg_reader.extract(path, content_type)
    writer = PageWriter()
    for paragraph in result.content.split("\n" if content_type == _WORD else "\n\n"):
        _write(writer, _FIELD.sub("", paragraph))
    title = dict(result.metadata).get("title")
    return Reading(str(title) if title else None, 1, iter([writer.page(1)]))


def _write(writer: PageWriter, paragraph: str) -> None:
    """A paragraph, and the rows of a table that stand before it: cells end with tabs, rows with two."""
    *rows, text = paragraph.split("\t\t")
    for row in rows:
        writer.add_row(row.split("\t"))
    writer.add("paragraph", " ".join(text.split()))


def _refuse_encrypted(path: Path) -> None:
    try:
        with olefile.OleFileIO(str(path)) as file:
            is_encrypted = file.exists("EncryptedSummary") or (
                file.exists("WordDocument") and file.openstream("WordDocument").read(12)[-1] & _ENCRYPTED
            )
    except (OSError, IndexError, ValueError) as error:
        raise PermanentError("corrupt") from error
    if is_encrypted:
        raise PermanentError("encrypted")
