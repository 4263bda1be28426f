"""Which type a file is, told by its first bytes (a ZIP's by its directory) together with its name.

This runs where uploads arrive, outside the box, so nothing here reads further than that.
"""

import struct
import zipfile
from pathlib import Path

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.file_types import BY_CONTENT_TYPE, BY_EXTENSION, FileType

_HEAD = 8192
_MAX_CONTROLS = 0.01
_MAX_ZIP_DIRECTORY = 8 * 1024 * 1024
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
    extension = Path(filename).suffix.lower()
    named = BY_EXTENSION.get(extension)
    found = _content(path, head, named)
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
        return _zip_content(path)
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return _ole_content(path, head)
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
    # UTF-16 without a mark: every other byte of western text is NUL.
    return head[1::2].count(0) > 0.4 * len(head[1::2]) and head[::2].count(0) < 0.1 * len(head[::2])


def _text_type(filename: str, extension: str, named: FileType | None) -> str:
    if named is not None:
        if not named.textual:
            raise _mismatch(extension, _WORDS_FOR["text"])
        return named.content_type
    if "." not in Path(filename).name.strip("."):
        return "text/plain"
    raise PermanentError("unsupported_type", f"Files named {extension} are not supported: send {accepted_names()}.")


def _zip_content(path: Path) -> str:
    _check_directory_size(path)
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            mimetype = ""
            if "mimetype" in names and archive.getinfo("mimetype").file_size < 200:
                mimetype = archive.read("mimetype").decode("ascii", "replace").strip()
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, ValueError, EOFError) as error:
        raise PermanentError("corrupt", "The file is a ZIP archive that cannot be read; upload it again.") from error
    if mimetype in BY_CONTENT_TYPE:
        return mimetype
    if "[Content_Types].xml" in names:
        office = "application/vnd.openxmlformats-officedocument."
        for part, content_type in (
            ("word/document", "wordprocessingml.document"),
            ("ppt/presentation", "presentationml.presentation"),
            ("xl/workbook", "spreadsheetml.sheet"),
        ):
            if any(name.startswith(part) for name in names):
                return office + content_type
    return "zip"


def _check_directory_size(path: Path) -> None:
    """Refuse a ZIP whose directory alone would take much memory to list."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - 65_557))
        tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) < end + 20:
        raise PermanentError("corrupt", "The file is a ZIP archive that was cut off; upload it again.")
    entries, directory_size = struct.unpack_from("<HI", tail, end + 10)
    if directory_size > _MAX_ZIP_DIRECTORY or entries == 0xFFFF:
        raise PermanentError("corrupt", "The file is a ZIP archive with far too many entries for a document.")


def _ole_content(path: Path, head: bytes) -> str:
    """Which OLE compound file this is, by the names in the first sectors of its directory."""
    sector_size = 1 << struct.unpack_from("<H", head, 30)[0] if len(head) > 52 else 512
    first = struct.unpack_from("<I", head, 48)[0] if len(head) > 52 else 0
    if sector_size not in (512, 4096):
        return "ole"
    with path.open("rb") as file:
        file.seek((first + 1) * sector_size)
        directory = file.read(8192)
    if "EncryptedPackage".encode("utf-16-le") in directory:
        raise PermanentError("encrypted")
    for name, content_type in _OLE_NAMES:
        if name.encode("utf-16-le") + b"\0\0" in directory:
            return content_type
    return "ole"
