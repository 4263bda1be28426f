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
    FileType("PDF", "application/pdf", (".pdf",), "pdf"),
    FileType("Word (DOCX)", _OFFICE + "wordprocessingml.document", (".docx", ".docm", ".dotx"), "docx"),
    FileType("plain text", "text/plain", (".txt", ".text", ".log", ".rst"), "plain", textual=True),
    FileType("Markdown", "text/markdown", (".md", ".markdown"), "plain", textual=True),
    FileType("PowerPoint (PPTX)", _OFFICE + "presentationml.presentation", (".pptx", ".pptm"), "slides"),
    FileType("Excel (XLSX)", _OFFICE + "spreadsheetml.sheet", (".xlsx", ".xlsm"), "tail"),
    FileType("old Word (DOC)", "application/msword", (".doc",), "old_office"),
    FileType("old PowerPoint (PPT)", "application/vnd.ms-powerpoint", (".ppt",), "old_office"),
    FileType("old Excel (XLS)", "application/vnd.ms-excel", (".xls",), "old_office"),
    FileType("OpenDocument text", _OPEN + "text", (".odt",), "opendocument"),
    FileType("OpenDocument sheet", _OPEN + "spreadsheet", (".ods",), "opendocument"),
    FileType("OpenDocument slides", _OPEN + "presentation", (".odp",), "opendocument"),
    FileType("RTF", "application/rtf", (".rtf",), "tail"),
    FileType("EPUB", "application/epub+zip", (".epub",), "tail"),
    FileType("HTML", "text/html", (".html", ".htm", ".xhtml"), "html_page", textual=True),
    FileType("CSV", "text/csv", (".csv", ".tsv"), "csv_table", textual=True),
    FileType("e-mail (EML)", "message/rfc822", (".eml",), "mail", textual=True),
    FileType("Outlook (MSG)", "application/vnd.ms-outlook", (".msg",), "outlook"),
    FileType("PNG", "image/png", (".png",), "images"),
    FileType("JPEG", "image/jpeg", (".jpg", ".jpeg"), "images"),
    FileType("TIFF", "image/tiff", (".tif", ".tiff"), "images"),
    FileType("WebP", "image/webp", (".webp",), "images"),
)
"""What is accepted, for messages, the API and the README."""

BY_CONTENT_TYPE: Mapping[str, FileType] = MappingProxyType({kind.content_type: kind for kind in ACCEPTED})
BY_EXTENSION: Mapping[str, FileType] = MappingProxyType(
    {extension: kind for kind in ACCEPTED for extension in kind.extensions}
)
