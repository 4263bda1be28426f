"""Outlook's messages and the old binary files of Office, made here by the letter of their specifications; the sheet
was written by xlwt."""

import struct
import tracemalloc
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import olefile
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


def word_97(
    text: str,
    flags: int = 0,
    parts: Mapping[int, str] | None = None,
    tables: Mapping[int, bytes] | None = None,
    properties: Sequence[bytes] = (),
    characters: Sequence[tuple[int, bytes]] = (),
    behind: Mapping[int, bytes] = MappingProxyType({}),
) -> bytes:
    """A DOC ([MS-DOC]): the file information block, the text as one piece, and the table that says where it lies.

    `parts` are texts of documents beside the main one by their places (1 footnotes, 2 headers, 5 endnotes, 6 text
    boxes), `tables` further ones by theirs, `properties` what each paragraph changes, `characters` what runs of so many
    characters change, `behind` what follows a table.
    """
    parts, tables = parts or {}, dict(tables or {})
    block, begin = bytearray(1472), 1536
    whole = text + "".join(parts[number] for number in sorted(parts))
    struct.pack_into("<HH", block, 0, 0xA5EC, 0x00C1)
    struct.pack_into("<H", block, 10, 0x1200 | flags)
    struct.pack_into("<H", block, 32, 14)
    struct.pack_into("<H", block, 62, 22)
    struct.pack_into("<I", block, 76, len(text))
    struct.pack_into("<H", block, 152, 0x5D)
    for number, part in parts.items():
        struct.pack_into("<I", block, 76 + 4 * number, len(part))
    tables[33] = b"\x02" + struct.pack("<IIIHIH", 16, 0, len(whole), 0, begin, 0)
    pages = b""
    for place, runs in ((13, list(zip(map(len, text.split("\r")), properties, strict=False))), (12, list(characters))):
        if runs:
            page_number = (begin + len(utf16(whole)) + 511) // 512 + len(pages) // 512
            lengths = [length + (place == 13) for length, _ in runs]
            bounds = [begin + 2 * sum(lengths[:number]) for number in range(len(runs) + 1)]
            pages += _page_of_properties(bounds, [change for _, change in runs], 13 if place == 13 else 1)
            tables[place] = struct.pack("<III", bounds[0], bounds[-1], page_number)
    stream = bytes(64)
    for place, table in tables.items():
        struct.pack_into("<II", block, 154 + 8 * place, len(stream), len(table))
        stream += table + behind.get(place, b"")
    body = (bytes(block).ljust(begin, b"\0") + utf16(whole)).ljust(-(-(begin + len(utf16(whole))) // 512) * 512, b"\0")
    return compound_file({"WordDocument": body + pages, "1Table": stream})


def _page_of_properties(bounds: Sequence[int], changes: Sequence[bytes], item: int) -> bytes:
    """A page of properties: bounds, places, and from the end the changes, those of paragraphs with their style."""
    page, end = bytearray(512), 510
    struct.pack_into(f"<{len(bounds)}I", page, 0, *bounds)
    for number, change in enumerate(changes):
        if item == 13:
            held = b"\0\0" + change + b"\0" * (len(change) % 2)
            held = b"\0" + bytes([len(held) // 2]) + held
        else:
            held = bytes([len(change)]) + change
        end -= len(held) + len(held) % 2
        page[end : end + len(held)] = held
        page[4 * len(bounds) + item * number] = end // 2
    page[511] = len(changes)
    return bytes(page)


def positions(*places: int, item: bytes = b"") -> bytes:
    """A table of positions, with an item for each but the last."""
    return struct.pack(f"<{len(places)}I", *places) + item * (len(places) - 1)


def level(kind: int, text: str) -> bytes:
    """A list's level."""
    head = struct.pack("<iBB9sB8xBBBB", 1, kind, 0, b"\1" + bytes(8), 0, 0, 0, 0, 0)
    return head + struct.pack("<H", len(text)) + utf16(text)


def word_6(text: bytes, language: int = 0x409, environment: int = 0) -> bytes:
    """A DOC of Word 6: one stream, a byte a character."""
    block = bytearray(1024)
    struct.pack_into("<HHHH", block, 0, 0xA5DC, 0x65, 0, language)
    block[0x12] = environment
    struct.pack_into("<II", block, 0x18, 1024, 1024 + len(text))
    struct.pack_into("<I", block, 0x34, len(text))
    return compound_file({"WordDocument": (bytes(block) + text).ljust(4608, b"\0")})


def record(version: int, kind: int, data: bytes) -> bytes:
    return struct.pack("<HHI", version, kind, len(data)) + data


def slides_97(*slides: tuple[str, ...]) -> bytes:
    """A PPT ([MS-PPT]): its list of slides with their texts."""

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


def test_foot_and_endnotes_headers_footers_and_text_boxes_of_an_old_word_text(tmp_path: Path) -> None:
    stories = ["", "", "", "", "", "", "even\r", "Harbour\r", "", "Page \x13 PAGE \x147\x15 of the book\r", "", ""]
    bounds = [sum(map(len, stories[:number])) for number in range(len(stories) + 1)]
    main = "One\x02 and\x02.\rBox here\x08.\rLast.\r"
    data = word_97(
        main,
        parts={1: "\x02 A footnote.\r", 2: "".join(stories), 5: "\x02 An endnote.\r", 6: "In a box\r\r"},
        tables={
            2: positions(3, 8, item=b"\1\0"), 3: positions(0, 14, 15), 11: positions(*bounds),
            46: positions(8, 9, item=b"\1\0"), 47: positions(0, 14, 15),
            56: positions(0, 9, 10, item=bytes(14) + b"\7\0\0\0" + bytes(4)),
            40: positions(main.index("\x08"), 40, item=b"\7\0\0\0" + bytes(22)),
        },
    )  # fmt: skip
    (page,) = pages_of(written(tmp_path, "a.doc", data))
    assert [text for _, text in blocks_of(page)] == [
        "even", "Harbour", "One[1] and[2].", "Box here.", "In a box", "Last.", "[1] A footnote.", "[2] An endnote.",
        "Page of the book",
    ]  # fmt: skip


def test_lists_of_an_old_word_text_have_their_numbers_and_deleted_text_is_left_out(tmp_path: Path) -> None:
    lists = struct.pack("<h", 1) + struct.pack("<ii18sBB", 77, 0, bytes(18), 0, 0)
    levels = level(0, "\0.") + level(4, "\0.\1)") + level(23, "o") * 7
    heads = struct.pack("<i", 1) + struct.pack("<i8xB3x", 77, 0)

    def item(depth: int) -> bytes:
        return struct.pack("<HBHh", 0x260A, depth, 0x460B, 1)

    data = word_97(
        "one\rsub\rsub gone\rtwo\rHead\rText\r",
        tables={73: lists, 74: heads},
        behind={73: levels},
        properties=[item(0), item(1), item(1), item(0), struct.pack("<HB", 0x2640, 1), b""],
        characters=[(11, b""), (5, struct.pack("<HB", 0x0800, 1)), (16, b"")],
    )
    (page,) = pages_of(written(tmp_path, "a.doc", data))
    assert blocks_of(page) == [
        ("list_item", "1. one"), ("list_item", "1.a) sub"), ("list_item", "1.b) sub"), ("list_item", "2. two"),
        ("heading", "Head"), ("paragraph", "Text"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("\x13 TOC \\o \x14Contents\x13 PAGEREF x \x143\x15\x15", "Contents3"),
        ('\x13 XE "boat" \x15Boat', "Boat"),
        ("Table \x13 SEQ Table \\* ARABIC \x144\x15", "Table 4"),
        ("\x13 EMBED Excel.Sheet.8 \x14\x01\x15after", "after"),
        ("\x13 MACROBUTTON Go Click to go\x15", "Click to go"),
        ("\x13 EQ \\* jc2 \\o\\ad(\\s\\up 9(とうきょう),東京)\x15へ", "東京(とうきょう)へ"),
        ("A field \x13 that never ends", "A field  that never ends"),
    ],
)
def test_of_fields_the_result_is_read(tmp_path: Path, code: str, text: str) -> None:
    (page,) = pages_of(written(tmp_path, "a.doc", word_97(f"{code}\r")))
    assert page.text == text


@pytest.mark.parametrize(
    ("language", "environment", "encoding", "text"),
    [(0x409, 0, "cp1252", "Größe"), (0x419, 0, "cp1251", "Лодка"), (0x405, 0, "cp1250", "Článek"),
     (0x40C, 1, "mac_roman", "Modèle"), (0x411, 0, "cp932", "船が遅れる")],
)  # fmt: skip
def test_word_6_is_read_in_the_code_page_of_its_language(
    tmp_path: Path, language: int, environment: int, encoding: str, text: str
) -> None:
    data = word_6(f"{text}\rName\x07Tons\x07\x07".encode(encoding), language, environment)
    (page,) = pages_of(written(tmp_path, "a.doc", data))
    assert page.text == f"{text}\n\nName | Tons"


def test_a_length_beyond_the_file_takes_no_memory(tmp_path: Path) -> None:
    data = bytearray(word_6(b"Gr\xf6\xdfe\r"))
    place = data.index(struct.pack("<I", 6), 512)
    data[place : place + 4] = struct.pack("<I", 0xFFFFFF00)
    tracemalloc.start()
    (page,) = pages_of(written(tmp_path, "a.doc", bytes(data)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert page.text == "Größe" and peak < 16 << 20


def test_word_2_is_told_to_be_saved_anew(tmp_path: Path) -> None:
    for data in (b"\xdb\xa5\x2d\0" + bytes(600), compound_file({"WordDocument": b"\xdb\xa5" + bytes(600)})):
        with pytest.raises(PermanentError, match="DOCX") as caught:
            pages_of(written(tmp_path, "a.doc", data))
        assert caught.value.code == "unsupported_type"


def test_old_slides_are_pages(tmp_path: Path) -> None:
    first, second = pages_of(written(tmp_path, "a.ppt", slides_97(("Title", "A point\rAnother"), ("Second", "Größe"))))
    assert blocks_of(first) == [("heading", "Title"), ("paragraph", "A point"), ("paragraph", "Another")]
    assert [text for _, text in blocks_of(second)] == ["Second", "Größe"]


def test_old_slides_have_the_text_of_their_shapes_tables_notes_and_comments_but_no_prompts(tmp_path: Path) -> None:
    def box(role: int, text: str) -> bytes:
        return record(0, 0xF00D, record(0, 0x0F9F, struct.pack("<I", role)) + record(0, 0x0FA0, utf16(text)))

    def cell(left: int, top: int, text: str) -> bytes:
        return record(0xF, 0xF004, record(0, 0xF00F, struct.pack("<iiii", left, top, 0, 0)) + box(4, text))

    def drawn(shapes: bytes) -> bytes:
        return record(0xF, 0x040C, record(0xF, 0xF002, record(0xF, 0xF003, shapes)))

    table = record(0xF, 0xF004, record(0x13, 0xF122, struct.pack("<HI", 0x039F, 1)))
    table += cell(9, 5, "Tons") + cell(1, 5, "Name") + cell(1, 8, "Auk") + cell(9, 8, "7")
    strings = record(0, 0x0FBA, utf16("Ann")) + record(0x10, 0x0FBA, utf16("Too long"))
    tags = record(0xF, 0x1388, record(0xF, 0x138A, record(0, 0x138B, record(0xF, 0x2EE0, strings))))
    reference = record(0xF, 0xF004, record(0, 0xF00D, record(0, 0x0F9E, struct.pack("<I", 0))))
    shapes = record(0xF, 0xF004, box(1, "A point\r*")) + reference + record(0xF, 0xF003, table)
    slide = record(0xF, 0x03EE, record(2, 0x03EF, bytes(16) + struct.pack("<II", 300, 0)) + drawn(shapes) + tags)
    master = record(0xF, 0x03F8, drawn(record(0xF, 0xF004, box(1, "Click to edit Master text styles"))))
    notes = record(0xF, 0x03F0, drawn(record(0xF, 0xF004, box(2, "Speak slowly"))))
    listed = record(0xF, 0x0FF0, record(0, 0x03F3, struct.pack("<IIIII", 3, 0, 0, 256, 0))
                    + record(0, 0x0F9F, bytes(4)) + record(0, 0x0FA8, b"Harbour"))  # fmt: skip
    listed += record(0x2F, 0x0FF0, record(0, 0x03F3, struct.pack("<IIIII", 4, 0, 0, 300, 0)))
    document = record(0xF, 0x03E8, listed)
    stream, places = b"", []
    for each in (document, master, slide, notes):
        places.append(len(stream))
        stream += each
    directory = len(stream)
    stream += record(0, 0x1772, struct.pack("<I4I", 1 | 4 << 20, *places))
    edit = len(stream)
    stream += record(0, 0x0FF5, struct.pack("<IIIIII", 0, 0, 0, directory, 1, 4))
    user = struct.pack("<HHIIII", 0, 0x0FF6, 20, 20, 0xE391C05F, edit).ljust(32, b"\0")
    filler = {f"{number:03d}": b"x" for number in range(200)}
    data = compound_file({"PowerPoint Document": stream, "Current User": user, **filler})
    (page,) = pages_of(written(tmp_path, "a.ppt", data))
    assert [text for _, text in blocks_of(page)] == [
        "Harbour", "A point", "Name | Tons", "Auk | 7", "Speak slowly", "Comment by Ann: Too long",
    ]  # fmt: skip


def test_an_old_file_is_told_by_the_top_of_its_directory_wherever_it_lies(tmp_path: Path) -> None:
    filler = {f"{number:04d}": b"x" for number in range(600)}
    inner = {"ole": {"WordDocument": b"x"}}
    path = written(tmp_path, "a.xls", compound_file({"Workbook": b"x", **inner, **filler}))
    assert detect_type(path, "a.xls") == "application/vnd.ms-excel"
    with pytest.raises(PermanentError) as caught:
        detect_type(written(tmp_path, "a.ppt", compound_file({"PP40": b"x"})), "a.ppt")
    assert caught.value.code == "unsupported_type"


def test_old_sheets_are_pages_of_rows() -> None:
    budget, notes = pages_of(DATA / "old.xls")
    assert [text for _, text in blocks_of(budget)] == [
        "Budget", "Item | Cost | Date", "Boat | 1200.5 | 2024-05-01", "Paint | 30",
    ]  # fmt: skip
    assert "Größe" in notes.text


def test_text_boxes_of_an_old_sheet_follow_its_rows_without_those_of_comments(tmp_path: Path) -> None:
    with olefile.OleFileIO(str(DATA / "old.xls")) as file:
        stream = file.openstream("Workbook").read()

    def biff(kind: int, data: bytes) -> bytes:
        return struct.pack("<HH", kind, len(data)) + data

    def box(kind: int, *parts: bytes) -> bytes:
        length = sum(len(part) - 1 if part[0] == 0 else (len(part) - 1) // 2 for part in parts)
        thing = biff(0x5D, struct.pack("<HHHH", 0x15, 18, kind, 1) + bytes(14))
        text = biff(0x1B6, struct.pack("<10xHH4x", length, 16))
        return thing + text + b"".join(biff(0x3C, part) for part in parts) + biff(0x3C, b"\0" * 16)

    end = stream.rindex(biff(0x0A, b""))
    boxes = box(6, b"\0In a ", b"\1" + utf16("box, größer")) + box(0x19, b"\0A comment's")
    stream = stream[:end] + boxes + stream[end:]
    _, notes = pages_of(written(tmp_path, "a.xls", compound_file({"Workbook": stream})))
    assert [text for _, text in blocks_of(notes)] == ["Notes", "Größe", "In a box, größer"]


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
