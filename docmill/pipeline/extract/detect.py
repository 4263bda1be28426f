"""Which type a file is, told by its first bytes (a ZIP's and an OLE file's by its directory) together with
its name.

This runs where uploads arrive, outside the box, so nothing here reads further than that.
"""

from pathlib import Path

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.file_types import BY_CONTENT_TYPE, BY_EXTENSION, FileType
from docmill.pipeline.extract.ole_directory import root_names
from docmill.pipeline.extract.text.wide import wide_codec
from docmill.pipeline.extract.zip_directory import read_directory

_HEAD = 8192
_MAX_CONTROLS = 0.01
_OLD_WORD = (b"\xdb\xa5\x2d\x00", b"\x9b\xa5", b"\x31\xbe\x00\x00")
"""Word 2, Word 1 and Write."""
_MAX_MIMETYPE = 200  # bytes
_OFFICE = "application/vnd.openxmlformats-officedocument."
_FLAT_NAMES = (".doc", ".docx")
_FLAT_WORD = (
    b'progid="Word.Document"',
    b"http://schemas.microsoft.com/office/word/2003/wordml",
)
"""What a Word document that is one XML file says in its first lines."""
_OFFICE_PARTS = (
    ("word/document", _OFFICE + "wordprocessingml.document"),
    ("ppt/presentation", _OFFICE + "presentationml.presentation"),
    ("xl/workbook", _OFFICE + "spreadsheetml.sheet"),
)
_WITHOUT_MIMETYPE = (
    ("application/epub+zip", {"META-INF/container.xml"}),
    ("application/vnd.oasis.opendocument.", {"content.xml", "META-INF/manifest.xml"}),
)
_OLE_NAMES = (
    ("__nameid_version1.0", "application/vnd.ms-outlook"),
    ("__properties_version1.0", "application/vnd.ms-outlook"),
    ("WordDocument", "application/msword"),
    ("PowerPoint Document", "application/vnd.ms-powerpoint"),
    ("Workbook", "application/vnd.ms-excel"),
    ("Book", "application/vnd.ms-excel"),
)
_WORDS_FOR = {
    "zip": "a ZIP archive",
    "ole": "an old Office file",
    "text": "plain text",
    "binary": "not a known format",
}


def detect_type(path: Path, filename: str) -> str:
    """The content type of the file at `path` that was uploaded as `filename`: one of the table's.

    Raises PermanentError: `empty_file`, `unsupported_type`, `type_mismatch` (the name says otherwise), `encrypted` (an
    Office file with a password), `corrupt` (a ZIP without a readable directory).
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        raise PermanentError("empty_file")
    if head.startswith(_OLD_WORD):
        raise PermanentError("unsupported_type", "Word 2 or older: save the document as DOCX and upload that.")
    extension = Path(filename).suffix.lower()
    named = BY_EXTENSION.get(extension)
    found = _content(path, head, named)
    if found == "text" and extension in _FLAT_NAMES and any(mark in head for mark in _FLAT_WORD):
        return _OFFICE + "wordprocessingml.document"
    if found == "text":
        return _text_type(filename, extension, named)
    held = BY_CONTENT_TYPE.get(found)
    if held is None:
        if named is None:
            raise PermanentError("unsupported_type", f"{_WORDS_FOR[found].capitalize()}: send {accepted_names()}.")
        raise _mismatch(extension, _WORDS_FOR[found])
    if named is not None and named is not held and not (_is_image(named) and _is_image(held)):
        raise _mismatch(extension, held.label)
    return held.content_type


def accepted_names() -> str:
    """The accepted kinds of files in words, for messages."""
    return ", ".join(dict.fromkeys(kind.label for kind in BY_CONTENT_TYPE.values()))


def _is_image(kind: FileType) -> bool:
    return kind.content_type.startswith("image/")


def _mismatch(extension: str, truth: str) -> PermanentError:
    return PermanentError(
        "type_mismatch", f"The file is named {extension}, but its content is {truth}. Name it by what it holds."
    )


def _content(path: Path, head: bytes, named: FileType | None) -> str:
    """A content type of the table, or `zip`, `ole`, `text` or `binary`."""
    for magic, content_type in (
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"II*\x00", "image/tiff"),
        (b"MM\x00*", "image/tiff"),
        (b"{\\rtf", "application/rtf"),
    ):
        if head.startswith(magic):
            return content_type
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_content(path, named)
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return _ole_content(path)
    if b"%PDF-" in head[:1024]:
        return "application/pdf"
    return "text" if looks_like_text(head) else "binary"


def looks_like_text(head: bytes) -> bool:
    """Whether bytes can be text in some encoding: a byte order mark, or hardly any control characters."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        return True
    controls = sum(1 for byte in head if byte < 32 and byte not in b"\t\n\r\f\x0b\x1b\x08\x1a")
    if controls == 0 or (controls < _MAX_CONTROLS * len(head) and 0 not in head):
        return True
    return wide_codec(head) is not None


def _text_type(filename: str, extension: str, named: FileType | None) -> str:
    if named is not None:
        if not named.textual:
            raise _mismatch(extension, _WORDS_FOR["text"])
        return named.content_type
    if "." not in Path(filename).name.strip("."):
        return "text/plain"
    raise PermanentError("unsupported_type", f"Files named {extension} are not supported: send {accepted_names()}.")


def _zip_content(path: Path, named: FileType | None) -> str:
    directory = read_directory(path)
    names = directory.names
    mimetype = (directory.stored_text("mimetype", _MAX_MIMETYPE) or "").strip()
    if mimetype in BY_CONTENT_TYPE:
        return mimetype
    if "[Content_Types].xml" in names or not directory.complete:
        for part, content_type in _OFFICE_PARTS:
            # Of a directory that was not read to its end the part's folder must do.
            start = part if directory.complete else part[: part.index("/") + 1]
            if any(name.startswith(start) for name in names):
                return content_type
    # Packed anew by a common program, "mimetype" is compressed: then the name says which of the kind it is.
    if named is not None and any(
        named.content_type.startswith(kind) and (parts <= names or not directory.complete)
        for kind, parts in _WITHOUT_MIMETYPE
    ):
        return named.content_type
    return "zip"


def _ole_content(path: Path) -> str:
    """Which OLE compound file this is, by the names at the top of its directory."""
    names = root_names(path)
    if "EncryptedPackage" in names:
        raise PermanentError("encrypted")
    if "PP40" in names:
        raise PermanentError("unsupported_type", "PowerPoint 95 or older: save it as PPTX and upload that.")
    return next((content_type for name, content_type in _OLE_NAMES if name in names), "ole")
