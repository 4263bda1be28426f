"""The one table of types: what is accepted, under which names, and which module reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class FileType:
    """A type of file. `module` is the module of this package whose `read` reads it; `textual` types have no magic
    bytes of their own and are told apart by name."""

    label: str
    content_type: str
    extensions: tuple[str, ...]
    module: str
    textual: bool = False


_OFFICE = "application/vnd.openxmlformats-officedocument."
_OPEN = "application/vnd.oasis.opendocument."

ACCEPTED = (
    FileType("PDF", "application/pdf", (".pdf",), "pdf.document"),
    FileType("Word (DOCX)", _OFFICE + "wordprocessingml.document", (".docx", ".docm", ".dotx"), "office.docx"),
    FileType("plain text", "text/plain", (".txt", ".text", ".log", ".rst"), "text.plain", textual=True),
    FileType("Markdown", "text/markdown", (".md", ".markdown"), "text.plain", textual=True),
    FileType("PowerPoint (PPTX)", _OFFICE + "presentationml.presentation", (".pptx", ".pptm"), "office.pptx"),
    FileType("Excel (XLSX)", _OFFICE + "spreadsheetml.sheet", (".xlsx", ".xlsm"), "office.xlsx"),
    FileType("old Word (DOC)", "application/msword", (".doc",), "office.legacy"),
    FileType("old PowerPoint (PPT)", "application/vnd.ms-powerpoint", (".ppt",), "office.legacy"),
    FileType("old Excel (XLS)", "application/vnd.ms-excel", (".xls",), "office.legacy"),
    FileType("OpenDocument text", _OPEN + "text", (".odt",), "office.opendocument"),
    FileType("OpenDocument sheet", _OPEN + "spreadsheet", (".ods",), "office.opendocument"),
    FileType("OpenDocument slides", _OPEN + "presentation", (".odp",), "office.opendocument"),
    FileType("RTF", "application/rtf", (".rtf",), "text.rtf"),
    FileType("EPUB", "application/epub+zip", (".epub",), "text.epub"),
    FileType("HTML", "text/html", (".html", ".htm", ".xhtml"), "text.html_page", textual=True),
    FileType("CSV", "text/csv", (".csv", ".tsv"), "text.csv_table", textual=True),
    FileType("e-mail (EML)", "message/rfc822", (".eml",), "mail.eml", textual=True),
    FileType("Outlook (MSG)", "application/vnd.ms-outlook", (".msg",), "mail.msg"),
    FileType("PNG", "image/png", (".png",), "ocr.images"),
    FileType("JPEG", "image/jpeg", (".jpg", ".jpeg"), "ocr.images"),
    FileType("TIFF", "image/tiff", (".tif", ".tiff"), "ocr.images"),
    FileType("WebP", "image/webp", (".webp",), "ocr.images"),
)
"""What is accepted, for messages, the API and the README."""

BY_CONTENT_TYPE: Mapping[str, FileType] = MappingProxyType({kind.content_type: kind for kind in ACCEPTED})
BY_EXTENSION: Mapping[str, FileType] = MappingProxyType(
    {extension: kind for kind in ACCEPTED for extension in kind.extensions}
)
