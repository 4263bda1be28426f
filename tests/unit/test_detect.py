"""Types are told by content and name together, without reading further than the file's first bytes."""

import io
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract import ACCEPTED, detect_type
from tests.unit.documents import lines, write_pdf, zip_bytes

SAMPLES = Path(__file__).parents[2] / "docmill" / "samples"
OPEN = "application/vnd.oasis.opendocument."
OFFICE = "application/vnd.openxmlformats-officedocument."


def detected(tmp_path: Path, name: str, data: bytes) -> str:
    path = tmp_path / "upload"
    path.write_bytes(data)
    return detect_type(path, name)


def code(tmp_path: Path, name: str, data: bytes) -> str:
    with pytest.raises(PermanentError) as caught:
        detected(tmp_path, name, data)
    return caught.value.code


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("ferry-handbook.pdf", "application/pdf"),
        ("allotment-rules.pdf", "application/pdf"),
        ("fen-report.docx", OFFICE + "wordprocessingml.document"),
    ],
)
def test_the_samples_are_what_they_are(name: str, content_type: str) -> None:
    assert detect_type(SAMPLES / name, name) == content_type


@pytest.mark.parametrize(
    ("name", "data", "content_type"),
    [
        ("a.txt", b"plain words", "text/plain"),
        ("README", b"plain words", "text/plain"),
        ("a.md", "# Überschrift".encode("latin-1"), "text/markdown"),
        ("a.txt", "utf-16 text".encode("utf-16"), "text/plain"),
        ("a.html", b"<html><p>x</p></html>", "text/html"),
        ("a.csv", b"a,b\n1,2\n", "text/csv"),
        ("a.rtf", b"{\\rtf1 x}", "application/rtf"),
        ("A.JPG", b"\xff\xd8\xff\xe0rest", "image/jpeg"),
        ("png-called.jpg", b"\x89PNG\r\n\x1a\nrest", "image/png"),
        ("no-extension", b"%PDF-1.4 rest", "application/pdf"),
        ("version.2", b"%PDF-1.4 rest", "application/pdf"),
        ("junk-first.pdf", b"\n\njunk\n%PDF-1.4 rest", "application/pdf"),
        ("a.odt", zip_bytes(mimetype=OPEN + "text"), OPEN + "text"),
        ("a.xlsx", zip_bytes(**{"[Content_Types].xml": "", "xl/workbook.xml": ""}), OFFICE + "spreadsheetml.sheet"),
    ],
)  # fmt: skip
def test_accepted(tmp_path: Path, name: str, data: bytes, content_type: str) -> None:
    assert detected(tmp_path, name, data) == content_type


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("empty.pdf", b"", "empty_file"),
        ("text.pdf", b"just some text", "type_mismatch"),
        ("pdf.txt", b"%PDF-1.4 rest", "type_mismatch"),
        ("plain-zip.docx", zip_bytes(**{"a.txt": "x"}), "type_mismatch"),
        ("sheet.docx", zip_bytes(**{"[Content_Types].xml": "", "xl/workbook.xml": ""}), "type_mismatch"),
        ("cut.docx", zip_bytes(**{"[Content_Types].xml": "x" * 500})[:200], "corrupt"),
        ("binary.pdf", bytes(range(256)) * 8, "type_mismatch"),
        ("program.exe", b"MZ\x90\x00\x03\x00\x00\x00", "unsupported_type"),
        ("archive.zip", zip_bytes(**{"a.txt": "x"}), "unsupported_type"),
        ("words.xyz", b"print(1)", "unsupported_type"),
    ],
)
def test_refused(tmp_path: Path, name: str, data: bytes, expected: str) -> None:
    assert code(tmp_path, name, data) == expected


def test_an_office_file_with_a_password_is_encrypted(tmp_path: Path) -> None:
    header = bytearray(512)
    header[:8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    header[30:32] = (9).to_bytes(2, "little")
    data = bytes(header) + "EncryptedPackage".encode("utf-16-le")
    assert code(tmp_path, "secret.docx", data) == "encrypted"


def test_an_old_word_file_says_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="old Office file"):
        detected(tmp_path, "letter.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))


def test_a_zip_with_a_huge_directory_is_refused_before_it_is_listed(tmp_path: Path) -> None:
    data = bytearray(zip_bytes(**{"word/document.xml": "x"}))
    end = data.rfind(b"PK\x05\x06")
    data[end + 12 : end + 16] = (64 << 20).to_bytes(4, "little")
    assert code(tmp_path, "many.docx", bytes(data)) == "corrupt"


def deflated_zip(**files: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def test_a_bomb_named_mimetype_is_never_unpacked_at_the_door(tmp_path: Path) -> None:
    """The directory says a hundred bytes; the member unpacks to 256 MB."""
    data = bytearray(deflated_zip(mimetype=bytes(256 << 20)))
    entry = data.rfind(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = (100).to_bytes(4, "little")
    path = tmp_path / "upload"
    path.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(PermanentError, match="ZIP archive"):
        detect_type(path, "book.epub")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20


def test_a_member_that_says_stored_in_the_directory_and_deflated_in_its_header_is_not_read(tmp_path: Path) -> None:
    data = bytearray(deflated_zip(mimetype=b"application/epub+zip"))
    entry = data.rfind(b"PK\x01\x02")
    data[entry + 10 : entry + 12] = bytes(2)
    data[entry + 20 : entry + 24] = data[entry + 24 : entry + 28]
    assert code(tmp_path, "book.epub", bytes(data)) == "type_mismatch"


@pytest.mark.parametrize("field", [12, 16], ids=["directory size", "directory offset"])
def test_a_directory_that_lies_beyond_the_file_is_corrupt(tmp_path: Path, field: int) -> None:
    data = bytearray(zip_bytes(**{"word/document.xml": "x"}))
    end = data.rfind(b"PK\x05\x06")
    data[end + field : end + field + 4] = (1 << 20).to_bytes(4, "little")
    assert code(tmp_path, "far.docx", bytes(data)) == "corrupt"


def test_books_and_texts_packed_anew_with_a_compressed_mimetype_are_told_by_their_parts(tmp_path: Path) -> None:
    book = deflated_zip(**{"META-INF/container.xml": b"", "mimetype": b"application/epub+zip"})
    assert detected(tmp_path, "book.epub", book) == "application/epub+zip"
    sheet = deflated_zip(**{"content.xml": b"", "META-INF/manifest.xml": b"", "mimetype": b"x"})
    assert detected(tmp_path, "sheet.ods", sheet) == OPEN + "spreadsheet"


def test_a_deck_with_thousands_of_pictures_is_told_by_the_first_of_its_directory(tmp_path: Path) -> None:
    pictures = {f"ppt/media/picture-{number}.png": "" for number in range(3000)}
    data = zip_bytes(**pictures, **{"[Content_Types].xml": "", "ppt/presentation.xml": ""})
    assert detected(tmp_path, "deck.pptx", data) == OFFICE + "presentationml.presentation"


def test_an_archive_with_something_in_front_is_still_read(tmp_path: Path) -> None:
    data = zip_bytes(mimetype=OPEN + "text")
    assert detected(tmp_path, "a.odt", data[:4] + data) == OPEN + "text"


def test_every_extension_belongs_to_one_type() -> None:
    extensions = [extension for kind in ACCEPTED for extension in kind.extensions]
    assert len(extensions) == len(set(extensions))


def test_a_pdf_named_in_capitals(tmp_path: Path) -> None:
    assert detect_type(write_pdf(tmp_path / "x", lines(["text"])), "REPORT.PDF") == "application/pdf"


def test_the_readme_lists_every_accepted_name() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    listed = [name for line in readme.splitlines() if line.startswith("|") for name in line.split("|")[-2].split()]
    assert {extension for kind in ACCEPTED for extension in kind.extensions} <= set(listed)
