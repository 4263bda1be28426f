"""Mail as programs really write it: EML and Outlook's MSG, made here part by part."""

import struct
from contextlib import suppress
from email.message import EmailMessage
from pathlib import Path

import pytest

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract import read_document
from docmill.pipeline.extract.mail.compressed_rtf import unpacked_rtf
from docmill.pipeline.types import Page
from tests.unit.compound_file import Tree, compound_file
from tests.unit.documents import blocks_of

EML, MSG = "message/rfc822", "application/vnd.ms-outlook"
HEAD = b"From: ann@example.org\r\nSubject: The boat\r\nMIME-Version: 1.0\r\n"
RUSSIAN = "Уважаемый капитан, лодка будет готова только к вечеру, просим подождать у причала."


def pages(tmp_path: Path, data: bytes, kind: str = EML) -> list[Page]:
    path = tmp_path / "upload"
    path.write_bytes(data)
    return list(read_document(path, kind).pages)


def title(tmp_path: Path, data: bytes, kind: str = EML) -> str | None:
    path = tmp_path / "upload"
    path.write_bytes(data)
    return read_document(path, kind).title


def body(tmp_path: Path, data: bytes, kind: str = EML) -> list[str]:
    """What follows the lines of headers on the first page."""
    texts = [text for _, text in blocks_of(pages(tmp_path, data, kind)[0])]
    return [text for text in texts if not text.startswith(("Subject: ", "From: ", "To: ", "Date: ", "Attachments: "))]


def part(kind: str, data: bytes) -> bytes:
    return b"Content-Type: " + kind.encode() + b"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + data + b"\r\n"


def multipart(kind: str, *parts: bytes) -> bytes:
    head = b"Content-Type: multipart/" + kind.encode() + b'; boundary="b' + str(len(parts)).encode() + b'"\r\n\r\n'
    mark = b"--b" + str(len(parts)).encode()
    return head + b"".join(mark + b"\r\n" + each for each in parts) + mark + b"--\r\n"


@pytest.mark.parametrize("plain", [b"", b" \r\n\xc2\xa0\r\n", b"This message needs a program that shows HTML."])
def test_a_plain_version_that_says_nothing_gives_way_to_the_html(tmp_path: Path, plain: bytes) -> None:
    html = (
        b"<html><body><h1>Statement</h1><p>" + b"Your transfer of 1,250.00 EUR was made. " * 9 + b"</p></body></html>"
    )
    data = HEAD + multipart("alternative", part("text/plain", plain), part("text/html", html))
    assert body(tmp_path, data) == ["Statement", ("Your transfer of 1,250.00 EUR was made. " * 9).strip()]


def test_the_plain_version_is_the_body_where_it_says_the_same(tmp_path: Path) -> None:
    data = HEAD + multipart(
        "alternative", part("text/plain", b"One.\r\n\r\nTwo."), part("text/html", b"<p>One.<p>Two.")
    )
    assert body(tmp_path, data) == ["One.", "Two."]


@pytest.mark.parametrize(
    ("charset", "codec", "text"),
    [
        ("gb2312", "gbk", "朱镕基总理讲话"), ("iso-8859-1", "cp1252", "The lender’s “rate” – 30 €"),
        ("ks_c_5601-1987", "cp949", "똠방각하 펲시콜라"), ("x-unknown", "cp1251", RUSSIAN),
        ("us-ascii", "koi8-r", RUSSIAN),
        ("", "cp1251", RUSSIAN), ("utf-8", "cp1251", RUSSIAN), ("iso-8859-1", "utf-8", RUSSIAN),
        ("punycode", "utf-8", RUSSIAN), ("iso-2022-jp", "iso2022_jp", "船は夕方に着きます"),
    ],
)  # fmt: skip
def test_a_body_in_the_encoding_that_it_is_in(tmp_path: Path, charset: str, codec: str, text: str) -> None:
    kind = f"text/plain; charset={charset}" if charset else "text/plain"
    assert body(tmp_path, HEAD + part(kind, text.encode(codec))) == [text]


@pytest.mark.parametrize(
    ("raw", "subject"),
    [
        (b"=?iso-8859-1?Q?lender=92s_rate?=", "lender’s rate"),
        (b"=?gb2312?B?1uzpRrv5?= =?utf-8?q?_=E2=82=AC?=", None),
        (b"=?utf-8?B?0KPQstCw0LbQsNC10LzRi9C5?=", "Уважаемый"),
        (b"=?utf-8?Q?=D0?=\r\n =?utf-8?Q?=A3_x?= y", "У x y"),
        (b"=?utf-8*en?q?one?= two =?nonsense?q?=41?=", "one two A"),
        (RUSSIAN.encode("cp1251"), RUSSIAN), (RUSSIAN.encode(), RUSSIAN), (b"=?utf-8?B?###?=", None),
    ],
)  # fmt: skip
def test_subjects_in_encoded_words_and_raw_bytes(tmp_path: Path, raw: bytes, subject: str | None) -> None:
    found = title(tmp_path, b"From: a@b.c\r\nSubject: " + raw + b"\r\n\r\nwords")
    assert subject is None or found == subject


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_a_file_that_was_saved_in_another_encoding(tmp_path: Path, codec: str) -> None:
    text = f"From: ann@example.org\r\nSubject: Лодка\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{RUSSIAN}\r\n"
    assert title(tmp_path, text.encode(codec)) == "Лодка"
    assert body(tmp_path, text.encode(codec)) == [RUSSIAN]


def test_flowed_lines_are_joined(tmp_path: Path) -> None:
    text = b"The boat is \r\nlate today.\r\n> quoted \r\n> words\r\n-- \r\nAnn\r\n"
    assert body(tmp_path, HEAD + part("text/plain; format=flowed", text)) == [
        "The boat is late today.\n> quoted \n> words\n-- \nAnn"
    ]
    joined = body(tmp_path, HEAD + part("text/plain; format=flowed; delsp=yes", b"wo \r\nrds\r\n"))
    assert joined == ["words"]


def test_forwarded_messages_and_what_is_attached_to_them(tmp_path: Path) -> None:
    inner = EmailMessage()
    inner["Subject"], inner["From"] = "The inner", "c@example.org"
    inner.set_content("inner words")
    inner.add_attachment("inner note", filename="note.txt")
    outer = EmailMessage()
    outer["Subject"], outer["From"] = "The outer", "a@example.org"
    outer.set_content("outer words")
    outer.add_attachment(inner)
    outer.add_attachment(
        "Größe über alles, sagte der Müller.".encode("cp1252"), maintype="text", subtype="plain", filename="größe.txt"
    )
    first, second, third, fourth = pages(tmp_path, outer.as_bytes())
    assert first.text.endswith("outer words") and "Attachments: message.eml, größe.txt" in first.text
    assert second.text.endswith("inner words") and "Subject: The inner" in second.text
    assert (third.text, fourth.text) == ("inner note", "Größe über alles, sagte der Müller.")
    assert [page.number for page in (first, second, third, fourth)] == [1, 2, 3, 4]


def test_messages_within_messages_are_opened_to_a_depth_and_attachments_to_a_number(tmp_path: Path) -> None:
    nested = b"Subject: x\r\nContent-Type: message/rfc822\r\n\r\n" * 200 + b"Subject: last\r\n\r\nend"
    assert len(pages(tmp_path, nested)) == 4
    note = b'Content-Type: text/plain; name="a.txt"\r\n\r\nnote\r\n'
    assert len(pages(tmp_path, HEAD + multipart("mixed", *[note] * 150))) == 101


@pytest.mark.parametrize(
    "data",
    [
        HEAD + multipart("mixed", *[b"\r\na\r\n"] * 200_000),
        HEAD + multipart("mixed", *[part("text/plain", b"a")] * 60_000),
        b"Subject: x\r\nContent-Type: message/rfc822\r\n\r\n" * 5000,
        HEAD + b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(1500)),
    ],
    ids=["parts", "typed parts", "messages", "multiparts"],
)  # fmt: skip
def test_a_message_of_endless_parts_is_too_complex(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(PermanentError) as caught:
        pages(tmp_path, data)
    assert caught.value.code == "too_complex"


@pytest.mark.parametrize(
    "header",
    [
        b"To: <<<>>,,;;:@\r\n", b"Date: \xff\xfe not a day\r\n", b"From: =?utf-8?q?" + b"x" * 5000 + b"\r\n",
        b"Content-Type: text/plain; charset*=utf-8''%FF; charset=\"\xe9\"\r\n", b"Content-Type: ;;;=\r\n",
        b"Content-Transfer-Encoding: base65\r\n", b"Content-Disposition: attachment; filename*0*=x''%\r\n",
        b"Content-Type: multipart/mixed\r\n", b"Content-Type: message/rfc822\r\n", b": \r\n", b"To: " + b"(" * 9000,
        b"Message-ID: [\r\n", b"Cc: a\x00b@c\r\n",
    ],
)  # fmt: skip
def test_bad_headers_do_no_harm(tmp_path: Path, header: bytes) -> None:
    assert title(tmp_path, HEAD + header + b"\r\nwords") == "The boat"
    assert pages(tmp_path, HEAD + header + b"\r\nwords")[0].text.startswith("Subject: The boat")


def test_an_encrypted_message_says_so_and_words_without_headers_are_no_mail(tmp_path: Path) -> None:
    with pytest.raises(PermanentError) as caught:
        pages(tmp_path, HEAD + multipart("encrypted", part("application/pgp-encrypted", b"Version: 1")))
    assert caught.value.code == "encrypted"
    with pytest.raises(PermanentError) as caught:
        pages(tmp_path, b"just words\n\nand more")
    assert caught.value.code == "corrupt"


def properties(header: int, **numbers: int) -> bytes:
    return bytes(header) + b"".join(
        struct.pack("<HHIII", 3, int(number[1:], 16), 6, value, 0) for number, value in numbers.items()
    )


def outlook(streams: Tree, **numbers: int) -> bytes:
    """A message; `x3FDE=1251` sets a number."""
    return compound_file(
        {"__properties_version1.0": properties(32, **numbers), "__substg1.0_0037001F": "The boat".encode("utf-16-le")}
        | dict(streams)
    )


def packed(rtf: bytes) -> bytes:
    """RTF in Outlook's packing, without making it any smaller."""
    chunks = b"".join(b"\0" + rtf[place : place + 8] for place in range(0, len(rtf), 8))
    return struct.pack("<IIII", len(chunks) + 12, len(rtf), 0x75465A4C, 0) + chunks


def test_the_packing_of_rtf_by_the_specifications_own_example() -> None:
    data = "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
    assert unpacked_rtf(bytes.fromhex(data)) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    assert unpacked_rtf(packed(b"{\\rtf1 words}")) == b"{\\rtf1 words}"
    assert unpacked_rtf(struct.pack("<IIII", 17, 5, 0x414C454D, 0) + b"wordsX") == b"words"


def test_outlook_with_nothing_but_binary_html_in_its_code_page(tmp_path: Path) -> None:
    html = f'<html><meta charset="utf-8"><body><p>{RUSSIAN}</p></body></html>'
    assert body(tmp_path, outlook({"__substg1.0_10130102": html.encode("cp1251")}, x3FDE=1251), MSG) == [RUSSIAN]
    assert body(tmp_path, outlook({"__substg1.0_10130102": html.encode()}, x3FDE=1251), MSG) == [RUSSIAN]
    assert body(tmp_path, outlook({"__substg1.0_1013001F": html.encode("utf-16-le")}), MSG) == [RUSSIAN]


@pytest.mark.parametrize(
    ("numbers", "codec", "text"),
    [
        ({"x3FF1": 1031}, "cp1252", "Größe"), ({"x3FF1": 1049}, "cp1251", RUSSIAN),
        ({"x3FFD": 1250}, "cp1250", "Příliš"),
        ({"x3FF1": 1041}, "cp932", "船は夕方に着きます"), ({"x3FDE": 65001}, "utf-8", "Größe"), ({}, "cp1251", RUSSIAN),
        ({"x3FF1": 1031, "x3FFD": 1253}, "cp1253", "Καλημέρα"), ({"x3FF1": 0x0404}, "big5", "船在傍晚到達"),
    ],
)  # fmt: skip
def test_outlooks_bytes_are_in_the_code_page_of_the_message_or_its_language(
    tmp_path: Path, numbers: dict[str, int], codec: str, text: str
) -> None:
    assert body(tmp_path, outlook({"__substg1.0_1000001E": text.encode(codec)}, **numbers), MSG) == [text]


def test_outlook_with_nothing_but_packed_rtf(tmp_path: Path) -> None:
    rtf = rb"{\rtf1\ansi\ansicpg1251{\fonttbl{\f0\fcharset204 Arial;}}\f0 \'cb\'ee\'e4\'ea\'e0\par Two\par}"
    assert body(tmp_path, outlook({"__substg1.0_10090102": packed(rtf)}), MSG) == ["Лодка", "Two"]


def test_html_is_taken_out_of_the_rtf_that_holds_it(tmp_path: Path) -> None:
    rtf = (
        rb"{\rtf1\ansi\ansicpg1251\fromhtml1 \deff0{\fonttbl{\f0\fswiss\fcharset204 Arial;}}{\*\generator no}"
        rb"{\*\htmltag19 <html>}{\*\htmltag34 <head>}{\*\htmltag177 <style>no \{a\}</style>}{\*\htmltag41 </head>}"
        rb"{\*\htmltag50 <body>}\htmlrtf \lang1033 no\par\htmlrtf0 {\*\htmltag148 <h1>}\htmlrtf {\b \htmlrtf0 "
        rb"\'cb\'ee\'e4\'ea\'e0 \u8364?\htmlrtf }\htmlrtf0 {\*\htmltag156 </h1>}{\*\mhtmltag64 <no>}{\*\htmltag64 <p>}"
        rb"one{\*\htmltag84 &amp;}two{\*\htmltag92 <br>}\htmlrtf\line\htmlrtf0 three{\*\htmltag72 </p>}}"
    )
    assert body(tmp_path, outlook({"__substg1.0_10090102": packed(rtf)}), MSG) == ["Лодка €", "one&two three"]


def test_a_message_within_an_outlook_message_with_its_attachment(tmp_path: Path) -> None:
    note: Tree = {
        "__properties_version1.0": bytes(8),
        "__substg1.0_3707001E": b"note.txt",
        "__substg1.0_37010102": b"a note",
    }
    inner: Tree = {
        "__properties_version1.0": properties(24, x3FFD=1251), "__substg1.0_0037001E": "Лодка".encode("cp1251"),
        "__substg1.0_1000001E": RUSSIAN.encode("cp1251"), "__attach_version1.0_#00000000": note,
    }  # fmt: skip
    attached: Tree = {"__properties_version1.0": bytes(8), "__substg1.0_3701000D": inner}
    first, second, third = pages(tmp_path, outlook({"__attach_version1.0_#00000000": attached}), MSG)
    assert first.text.startswith("Subject: The boat")
    assert second.text == f"Subject: Лодка\n\nAttachments: note.txt\n\n{RUSSIAN}"
    assert (third.number, third.text) == (3, "a note")


def test_damaged_outlook_messages_are_corrupt_or_read(tmp_path: Path) -> None:
    whole = outlook({"__substg1.0_1000001F": ("words " * 3000).encode("utf-16-le")})
    for place in range(0, len(whole), 97):
        data = bytearray(whole)
        data[place : place + 4] = b"\xfe\xff\xff\x7f"
        with suppress(PermanentError):  # and no other
            pages(tmp_path, bytes(data), MSG)


def test_a_stream_that_says_it_is_larger_than_the_file_is_corrupt_at_once(tmp_path: Path) -> None:
    data = bytearray(outlook({"__substg1.0_1000001F": "words".encode("utf-16-le")}))
    root = data.index("Root Entry".encode("utf-16-le"))
    data[root + 0x78 : root + 0x7C] = b"\xf0\xff\xff\x7f"
    with pytest.raises(PermanentError) as caught:
        pages(tmp_path, bytes(data), MSG)
    assert caught.value.code == "corrupt"
