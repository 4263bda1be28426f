"""Outlook's messages and the old binary files of Office, made here by the letter of their specifications; the sheet
was written by xlwt."""

import struct
from pathlib import Path

import pytest

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract import detect_type
from tests.unit.compound_file import compound_file
from tests.unit.documents import SENTENCES, blocks_of, lines, pages_of, write_pdf

DATA = Path(__file__).parent / "data"


def utf16(text: str) -> bytes:
    return text.encode("utf-16-le")


def message(*attachments: tuple[str, bytes]) -> bytes:
    """An MSG ([MS-OXMSG]) from Ann about the boat."""
    values = {0x001A: "IPM.Note", 0x0037: "The boat", 0x1000: "Hello,\r\n\r\nthe boat is late.", 0x0C1A: "Ann",
              0x0C1F: "ann@example.org"}  # fmt: skip
    entries = [struct.pack("<HHIII", 0x1F, tag, 6, len(utf16(value)) + 2, 0) for tag, value in values.items()]
    head = struct.pack("<8xIIII8x", 0, len(attachments), 0, len(attachments))
    tree: dict[str, bytes | dict[str, bytes]] = {"__properties_version1.0": head + b"".join(entries)}
    tree |= {f"__substg1.0_{tag:04X}001F": utf16(value) for tag, value in values.items()}
    for number, (name, data) in enumerate(attachments):
        entries = [
            struct.pack("<HHIII", 0x1F, 0x3707, 6, len(utf16(name)) + 2, 0),
            struct.pack("<HHIII", 0x102, 0x3701, 6, len(data), 0),
            struct.pack("<HHIII", 3, 0x3705, 6, 1, 0),
        ]
        tree[f"__attach_version1.0_#{number:08X}"] = {
            "__properties_version1.0": bytes(8) + b"".join(entries),
            "__substg1.0_3707001F": utf16(name),
            "__substg1.0_37010102": data,
        }
    return compound_file(tree)


def word_97(text: str, flags: int = 0) -> bytes:
    """A DOC ([MS-DOC]): the file information block, the text as one piece, and the table that says where it lies."""
    block, begin, table_at = bytearray(1472), 1536, 64
    struct.pack_into("<HH", block, 0, 0xA5EC, 0x00C1)
    struct.pack_into("<H", block, 10, 0x1200 | flags)
    struct.pack_into("<H", block, 32, 14)
    struct.pack_into("<H", block, 62, 22)
    struct.pack_into("<I", block, 76, len(text))
    struct.pack_into("<H", block, 152, 0x5D)
    pieces = b"\x02" + struct.pack("<IIIHIH", 16, 0, len(text), 0, begin, 0)
    struct.pack_into("<II", block, 0x1A2, table_at, len(pieces))
    return compound_file(
        {"WordDocument": bytes(block).ljust(begin, b"\0") + utf16(text), "1Table": bytes(table_at) + pieces}
    )


def slides_97(*slides: tuple[str, ...]) -> bytes:
    """A PPT ([MS-PPT]): its list of slides with their texts."""

    def record(version: int, kind: int, data: bytes) -> bytes:
        return struct.pack("<HHI", version, kind, len(data)) + data

    texts = b""
    for number, slide in enumerate(slides):
        texts += record(0, 0x03F3, struct.pack("<IIIII", number + 2, 0, 0, 256 + number, 0))
        for place, text in enumerate(slide):
            texts += record(0, 0x0F9F, struct.pack("<I", min(place, 1))) + record(0, 0x0FA0, utf16(text))
    document = record(0xF, 0x03E8, record(0xF, 0x0FF0, texts))
    return compound_file({"PowerPoint Document": document, "Current User": bytes(32)})


def written(tmp_path: Path, name: str, data: bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def test_a_message_is_read_with_its_attachments(tmp_path: Path) -> None:
    pdf = write_pdf(tmp_path / "rules.pdf", lines(SENTENCES)).read_bytes()
    attached = (("note.txt", b"an attached note"), ("junk.bin", b"\0\1"), ("rules.pdf", pdf))
    first, note, rules = pages_of(written(tmp_path, "a.msg", message(*attached)))
    assert [text for _, text in blocks_of(first)] == [
        "Subject: The boat", "From: Ann <ann@example.org>", "Attachments: note.txt, junk.bin, rules.pdf", "Hello,",
        "the boat is late.",
    ]  # fmt: skip
    assert (note.number, note.text) == (2, "an attached note")
    assert rules.number == 3 and SENTENCES[0] in rules.text


def test_an_old_word_text(tmp_path: Path) -> None:
    text = (
        'Größe.\rSee \x13 HYPERLINK "http://example.org" \x14the site\x15.\rName\x07Tons\x07\x07Auk\x077\x07\x07End.\r'
    )
    (page,) = pages_of(written(tmp_path, "a.doc", word_97(text)))
    assert blocks_of(page) == [
        ("paragraph", "Größe."), ("paragraph", "See the site."), ("table_row", "Name | Tons"),
        ("table_row", "Auk | 7"), ("paragraph", "End."),
    ]  # fmt: skip


def test_old_slides(tmp_path: Path) -> None:
    (page,) = pages_of(written(tmp_path, "a.ppt", slides_97(("Title", "A point\rAnother"), ("Second", "Größe"))))
    assert [text for _, text in blocks_of(page)] == ["Title", "A point", "Another", "Second", "Größe"]


def test_old_sheets_are_pages_of_rows() -> None:
    budget, notes = pages_of(DATA / "old.xls")
    assert [text for _, text in blocks_of(budget)] == [
        "Budget", "Item | Cost | Date", "Boat | 1200.5 | 2024-05-01", "Paint | 30",
    ]  # fmt: skip
    assert "Größe" in notes.text


def test_an_old_word_text_with_a_password_is_encrypted(tmp_path: Path) -> None:
    with pytest.raises(PermanentError) as caught:
        pages_of(written(tmp_path, "a.doc", word_97("secret", flags=0x0100)))
    assert caught.value.code == "encrypted"


@pytest.mark.parametrize("make", [message, lambda: word_97("text " * 2000), lambda: slides_97(("Title",) * 900)])
def test_a_file_that_was_cut_off_is_corrupt(tmp_path: Path, make) -> None:  # type: ignore[no-untyped-def]
    data = make()
    with pytest.raises(PermanentError) as caught:
        pages_of(written(tmp_path, "upload", data[: len(data) // 4]))
    assert caught.value.code in ("corrupt", "unsupported_type")


def test_an_old_file_named_as_a_new_one_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match=r"named \.docx, but its content is old Word \(DOC\)"):
        detect_type(written(tmp_path, "a.docx", word_97("text")), "a.docx")
