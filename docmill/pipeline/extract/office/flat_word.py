"""Word documents that are one XML file: flat packages (Word 2007 and later, pkg:package) and those of Word 2003,
put as the packages that the DOCX reader reads."""

import base64
import binascii
import io
import zipfile
from pathlib import Path

from lxml import etree

from docmill.pipeline.errors import PermanentError

_PACKAGE = "{http://schemas.microsoft.com/office/2006/xmlPackage}"
_WORD_2003 = b"http://schemas.microsoft.com/office/word/2003/wordml"
_WORD = b"http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_MAX_BYTES = 256 << 20


def as_package(path: Path) -> io.BytesIO:
    """The document as a ZIP of parts. Raises PermanentError `corrupt`, or `too_much_text` above 256 MB."""
    if path.stat().st_size > _MAX_BYTES:
        raise PermanentError("too_much_text")
    data = path.read_bytes()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        if _WORD_2003 in data[:8192]:
            archive.writestr("word/document.xml", data.replace(_WORD_2003, _WORD))
            return stream
        try:
            root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))
            for part in root.iter(_PACKAGE + "part"):
                archive.writestr(part.get(_PACKAGE + "name", "").lstrip("/"), _content(part))
        except (etree.LxmlError, binascii.Error, ValueError) as error:
            raise PermanentError("corrupt") from error
    return stream


def _content(part: etree._Element) -> bytes:
    held = part.find(_PACKAGE + "xmlData")
    if held is not None and len(held):
        return bytes(etree.tostring(held[0]))
    return base64.b64decode(part.findtext(_PACKAGE + "binaryData") or "")
