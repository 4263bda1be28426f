"""The title that an author gave a document in an OLE compound file ([MS-OLEPS], SummaryInformation)."""

import codecs

import olefile

from docmill.pipeline.text import clean

_UTF_8 = 65001


def ole_title(file: olefile.OleFileIO) -> str | None:
    """The title; None where there is none, or it cannot be read."""
    try:
        about = file.get_metadata()
        data, page = about.title, (about.codepage or 1252) % 65536
    except Exception:  # olefile lets anything through that a damaged property set leads it to
        return None
    if not isinstance(data, bytes):
        return None
    encoding = "utf-8" if page == _UTF_8 else "mac_roman" if page == 10000 else f"cp{page}"
    try:
        codecs.lookup(encoding)
    except LookupError:
        encoding = "cp1252"
    return clean(" ".join(data.decode(encoding, "replace").strip("\0").split())) or None
