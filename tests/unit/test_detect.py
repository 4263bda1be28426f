"""Types are told by content and name together, without reading further than the file's first bytes."""

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
        ("script.py", b"print(1)", "unsupported_type"),
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


def test_every_extension_belongs_to_one_type() -> None:
    extensions = [extension for kind in ACCEPTED for extension in kind.extensions]
    assert len(extensions) == len(set(extensions))


def test_a_pdf_named_in_capitals(tmp_path: Path) -> None:
    assert detect_type(write_pdf(tmp_path / "x", lines(["text"])), "REPORT.PDF") == "application/pdf"


def test_the_readme_lists_every_accepted_name() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    listed = [name for line in readme.splitlines() if line.startswith("|") for name in line.split("|")[-2].split()]
    assert {extension for kind in ACCEPTED for extension in kind.extensions} <= set(listed)
