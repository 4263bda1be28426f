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
_CODE = "text.source_code"
_LANGUAGES = {
    "text/x-python": (".py", ".pyi"),
    "text/javascript": (".js", ".mjs", ".cjs", ".jsx"),
    "text/x-typescript": (".ts", ".tsx"),
    "text/x-java": (".java",),
    "text/x-kotlin": (".kt", ".kts"),
    "text/x-scala": (".scala",),
    "text/x-go": (".go",),
    "text/x-rust": (".rs",),
    "text/x-c": (".c", ".h"),
    "text/x-c++": (".cpp", ".cc", ".cxx", ".hpp", ".hh", ".hxx"),
    "text/x-csharp": (".cs",),
    "text/x-ruby": (".rb",),
    "text/x-php": (".php",),
    "text/x-swift": (".swift",),
    "text/x-sql": (".sql",),
    "text/x-shellscript": (".sh", ".bash", ".zsh"),
    "text/x-perl": (".pl", ".pm"),
    "text/x-lua": (".lua",),
    "text/x-r": (".r",),
}

ACCEPTED = (
    FileType("PDF", "application/pdf", (".pdf",), "pdf.document"),
    FileType("Word (DOCX)", _OFFICE + "wordprocessingml.document", (".docx", ".docm", ".dotx"), "office.docx"),
    FileType("plain text", "text/plain", (".txt", ".text", ".log", ".rst"), "text.plain", textual=True),
    FileType("Markdown", "text/markdown", (".md", ".markdown"), "text.plain", textual=True),
    FileType("PowerPoint (PPTX)", _OFFICE + "presentationml.presentation", (".pptx", ".pptm"), "office.pptx"),
    FileType("Excel (XLSX)", _OFFICE + "spreadsheetml.sheet", (".xlsx", ".xlsm"), "office.xlsx"),
    FileType("old Word (DOC)", "application/msword", (".doc",), "office.doc"),
    FileType("old PowerPoint (PPT)", "application/vnd.ms-powerpoint", (".ppt",), "office.ppt"),
    FileType("old Excel (XLS)", "application/vnd.ms-excel", (".xls",), "office.xls"),
    FileType("OpenDocument text", _OPEN + "text", (".odt",), "office.opendocument"),
    FileType("OpenDocument sheet", _OPEN + "spreadsheet", (".ods",), "office.opendocument"),
    FileType("OpenDocument slides", _OPEN + "presentation", (".odp",), "office.opendocument"),
    FileType("RTF", "application/rtf", (".rtf",), "text.rtf"),
    FileType("EPUB", "application/epub+zip", (".epub",), "text.epub"),
    FileType("HTML", "text/html", (".html", ".htm", ".xhtml"), "text.html_page", textual=True),
    FileType("CSV", "text/csv", (".csv", ".tsv"), "text.csv_table", textual=True),
    FileType("e-mail (EML)", "message/rfc822", (".eml",), "mail.eml", textual=True),
    FileType("Outlook (MSG)", "application/vnd.ms-outlook", (".msg",), "mail.msg"),
    FileType("JSON", "application/json", (".json", ".geojson"), "text.json_data", textual=True),
    FileType("JSON Lines", "application/jsonl", (".jsonl", ".ndjson"), "text.json_data", textual=True),
    FileType("XML", "application/xml", (".xml",), "text.xml_data", textual=True),
    FileType("YAML", "application/yaml", (".yaml", ".yml"), _CODE, textual=True),
    FileType("TOML", "application/toml", (".toml",), _CODE, textual=True),
    FileType("INI", "text/x-ini", (".ini", ".cfg"), _CODE, textual=True),
    FileType("notebook", "application/x-ipynb+json", (".ipynb",), "text.notebook", textual=True),
    *(FileType("source code", name, extensions, _CODE, textual=True) for name, extensions in _LANGUAGES.items()),
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
