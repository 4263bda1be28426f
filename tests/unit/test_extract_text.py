"""Text in any encoding, pages of HTML, tables of CSV."""

import tracemalloc
from pathlib import Path

import pytest

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract import detect_type, read_document
from docmill.pipeline.extract.text.encoding import codec_of, decode
from tests.unit.documents import blocks_of, pages_of

TEXTS = {
    "cs": "Příliš žluťoučký kůň úpěl ďábelské ódy, když starý mlynář počítal pytle mouky a čekal na déšť.",
    "pl": "Młynarz długo ważył worki z mąką, a jego córka śpiewała pieśń o źródle i gęsiach nad łąką.",
    "hr": "Mlinar je cijelu noć čekao kišu, a đaci su šetali uz rijeku i pričali o žetvi.",
    "ru": "Мельник долго ждал дождя, а его дочь пела песню о реке и старой лодке у берега.",
    "de": "Der Müller zählte die Säcke, während seine Töchter am Fluß über größere Mühlen stritten.",
    "el": "Ο μυλωνάς μετρούσε τα σακιά και περίμενε τη βροχή όλη τη νύχτα δίπλα στο ποτάμι.",
    "ja": "粉屋は袋を数えながら、川のそばで雨を待っていた。娘は古い歌を歌った。",
    "ko": "방앗간 주인은 자루를 세며 강가에서 비를 기다렸다. 딸은 오래된 노래를 불렀다.",
    "zh": "磨坊主一边数着面粉袋，一边在河边等雨。女儿唱着一首古老的歌。",
    "tw": "磨坊主一邊數著麵粉袋，一邊在河邊等雨。女兒唱著一首古老的歌。",
    "hi": "चक्कीवाला आटे की बोरियाँ गिनता रहा और नदी के किनारे वर्षा की प्रतीक्षा करता रहा।",
}


def written(tmp_path: Path, name: str, data: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@pytest.mark.parametrize(
    ("language", "codec"),
    [
        ("cs", "iso8859-2"), ("cs", "cp1250"), ("pl", "iso8859-2"), ("pl", "cp1250"), ("hr", "iso8859-2"),
        ("hr", "cp1250"), ("ru", "cp1251"), ("ru", "koi8-r"), ("ru", "iso8859-5"), ("ru", "cp866"),
        ("de", "iso8859-1"), ("de", "cp1252"), ("el", "iso8859-7"), ("ja", "iso2022_jp"), ("ja", "cp932"),
        ("ja", "euc_jp"), ("ko", "iso2022_kr"), ("ko", "euc_kr"), ("zh", "gb18030"), ("tw", "big5"), ("zh", "hz"),
        ("ja", "utf-16-le"), ("zh", "utf-16-be"), ("hi", "utf-16-le"), ("hi", "utf-16-be"), ("de", "utf-16-be"),
        ("ru", "utf-16-be"), ("de", "utf-32-le"), ("ru", "utf-32-be"), ("zh", "utf-32"), ("ko", "utf-16"),
    ],
)  # fmt: skip
def test_a_text_is_read_in_the_encoding_that_nothing_tells(tmp_path: Path, language: str, codec: str) -> None:
    text = TEXTS[language]
    path = written(tmp_path, "a.txt", text.encode("gbk" if codec == "gb18030" else codec))
    assert detect_type(path, "a.txt") == "text/plain"
    assert pages_of(path)[0].text == text


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("ISO-8859-1", "cp1252"), ("latin1", "cp1252"), ("gb2312", "gb18030"), ("ks_c_5601-1987", "cp949"),
        ("x-sjis", "cp932"), ("windows-874", "cp874"), (' "utf8" ', "utf-8"), ("x-mac-cyrillic", "mac-cyrillic"),
        ("punycode", None), ("idna", None), ("base64", None), ("zlib", None), ("rot13", None), ("utf-7", None),
        ("unicode_escape", None), ("us-ascii", None), ("no such\0thing", None), ("é" * 300, None),
    ],
)  # fmt: skip
def test_a_declared_name_means_the_larger_set_and_never_a_codec_that_is_no_encoding(name: str, codec: str) -> None:
    assert codec_of(name) == codec


def test_utf_8_counts_more_than_what_a_file_says_of_itself_and_a_broken_one_is_still_utf_8() -> None:
    assert decode("Größe".encode(), "iso-8859-1") == "Größe"
    assert decode(TEXTS["de"].encode("cp1252"), "utf-8") == TEXTS["de"]
    assert decode(b"plain words", "utf-16") == "plain words"
    assert decode((TEXTS["ru"] * 3).encode()[:-2]).endswith("берег\ufffd")
    assert decode(b"a \x1b[31mred\x1b[0m word of " + "Größe".encode()).endswith("Größe")
    assert decode(b"one\0two").replace("\0", "") == "onetwo"


def test_the_guess_looks_where_the_text_is_not_ascii() -> None:
    text = "plain words\n" * 20_000 + TEXTS["ru"]
    assert decode(text.encode("koi8-r")) == text


def test_windows_quotes_in_a_page_that_says_it_is_latin_1(tmp_path: Path) -> None:
    page = '<html><head><meta charset="iso-8859-1"></head><body><p>The lender’s “prime” – 4 € …</p></body></html>'
    assert pages_of(written(tmp_path, "a.html", page.encode("cp1252")))[0].text == "The lender’s “prime” – 4 € …"


@pytest.mark.parametrize("charset", ["punycode", "idna", "hex", "unicode_escape", "utf-16", "no-such"])
def test_a_page_that_names_no_encoding_of_files_is_read_by_what_it_is(tmp_path: Path, charset: str) -> None:
    page = f'<html><head><meta http-equiv="Content-Type" content="text/html; charset={charset}"></head><p>{TEXTS["ru"]}'
    assert pages_of(written(tmp_path, "a.html", page.encode()))[0].text == TEXTS["ru"]


def test_a_page_declared_in_its_xml_line(tmp_path: Path) -> None:
    page = f'<?xml version="1.0" encoding="iso-8859-2"?><html><body><p>{TEXTS["cs"]}</p></body></html>'
    assert pages_of(written(tmp_path, "a.xhtml", page.encode("iso8859-2")))[0].text == TEXTS["cs"]


def test_html_terms_captions_and_tables_that_only_arrange(tmp_path: Path) -> None:
    html = """<table><tr><td><dl><dt>Keel<dd>The spine of a ship</dl></td><td><table>
    <tr><th>Name<th>Tons</tr><tr><td>Auk<br>II<td>7</tr></table></td></tr></table>
    <figure><img src=x><figcaption>Fig. 1: a&nbsp;brig</figcaption></figure>
    <ol start=3><li><p>first</p><p>still first</p><pre>  code</pre><li value=9>ninth</ol>
    <p>東京<ruby>都<rt>と</rt></ruby><span style="display: none">no</span></p>bare"""
    (page,) = pages_of(written(tmp_path, "a.html", html))
    assert blocks_of(page) == [
        ("paragraph", "Keel"), ("paragraph", "The spine of a ship"), ("table_header", "Name | Tons"),
        ("table_row", "Auk II | 7"), ("paragraph", "Fig. 1: a brig"), ("list_item", "3. first still first"),
        ("code", "  code"), ("list_item", "9. ninth"), ("paragraph", "東京都(と)"), ("paragraph", "bare"),
    ]  # fmt: skip


@pytest.mark.parametrize("html", ["<b>" * 1_000_000, "<ul><li>a" * 60_000, "<div>" * 60_000 + "deep"])
def test_thousands_of_elements_within_each_other_are_too_complex(tmp_path: Path, html: str) -> None:
    with pytest.raises(PermanentError) as caught:
        pages_of(written(tmp_path, "a.html", html))
    assert caught.value.code == "too_complex"


def test_a_page_two_thousand_elements_deep_is_read_to_its_end(tmp_path: Path) -> None:
    (page,) = pages_of(written(tmp_path, "a.html", "<div>" * 2000 + "deep" + "</div>" * 2000 + "<p>after"))
    assert page.text == "deep\n\nafter"


def test_a_page_of_hundred_thousand_elements_takes_little_memory(tmp_path: Path) -> None:
    path = written(tmp_path, "a.html", "<b>x</b>" * 100_000)
    tracemalloc.start()
    (page,) = read_document(path, "text/html").pages
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert page.text == "x" * 100_000 and peak < 64 << 20


def test_a_line_break_within_a_cell_is_a_space(tmp_path: Path) -> None:
    (page,) = pages_of(written(tmp_path, "a.csv", 'a;b\r\n"one\r\ntwo\nthree";"say ""so"""\r\n'))
    assert blocks_of(page) == [("table_header", "a | b"), ("table_row", 'one two three | say "so"')]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_the_one_that_gives_even_rows(tmp_path: Path, separator: str) -> None:
    rows = [["name", "note"], ["Auk", "a brig, two masts; slow"], ["Gull", "a sloop"], ["Tern", "1,5"]]
    text = "\n".join(
        separator.join(f'"{cell}"' if "," in cell or ";" in cell else cell for cell in row) for row in rows
    )
    (page,) = pages_of(written(tmp_path, "a.csv", text))
    assert [text for _, text in blocks_of(page)] == [" | ".join(row) for row in rows]


def test_a_table_that_names_its_separator_or_has_one_column(tmp_path: Path) -> None:
    assert blocks_of(pages_of(written(tmp_path, "a.csv", "sep=;\r\na;b,c\r\n"))[0]) == [("table_header", "a | b,c")]
    (page,) = pages_of(written(tmp_path, "b.csv", "name\nAuk\nGull\n"))
    assert [text for _, text in blocks_of(page)] == ["name", "Auk", "Gull"]


def test_a_table_in_the_encoding_of_its_country(tmp_path: Path) -> None:
    text = "имя;груз\nАльбатрос;зерно и мука\nЧайка;рыба и соль\n"
    (page,) = pages_of(written(tmp_path, "a.csv", text.encode("cp1251")))
    assert page.text == "имя | груз\nАльбатрос | зерно и мука\nЧайка | рыба и соль"
