"""RTF, by files written here word by word."""

from pathlib import Path

import pytest

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract import read_document
from tests.unit.documents import blocks_of

FONTS = (
    r"{\fonttbl{\f0\fswiss\fcharset0 Arial;}{\f1\fcharset204{\*\fname Arial;}Arial Cyr;}{\f2\fcharset238 Arial CE;}"
    r"{\f3\fcharset128 MS Mincho;}{\f4\fcharset2 Symbol;}{\f5\fcharset2 Wingdings;}{\f6\fcharset161 Arial Greek;}"
    r"{\f7\fcharset136 MingLiU;}{\f8\fcharset134 SimSun;}{\f9\fcharset129 Batang;}{\f10\fcharset177 David;}}"
)


def pages(tmp_path: Path, body: str | bytes, head: str = r"\rtf1\ansi\ansicpg1252\deff0\uc1"):  # type: ignore[no-untyped-def]
    path = tmp_path / "a.rtf"
    data = body if isinstance(body, bytes) else body.encode("latin-1")
    path.write_bytes(b"{" + head.encode() + FONTS.encode() + data + b"}")
    return read_document(path, "application/rtf")


def blocks(tmp_path: Path, body: str | bytes, **keys: str) -> list[tuple[str, str]]:
    (page,) = pages(tmp_path, body, **keys).pages
    return [(str(kind), text) for kind, text in blocks_of(page)]


def text(tmp_path: Path, body: str | bytes, **keys: str) -> str:
    return "\n".join(text for _, text in blocks(tmp_path, body, **keys))


def escaped(text: str, codec: str) -> str:
    return "".join(f"\\'{byte:02x}" if byte > 127 or byte in b"\\{}" else chr(byte) for byte in text.encode(codec))


@pytest.mark.parametrize(
    ("font", "codec", "words"),
    [
        (0, "cp1252", "Größe – “soft”"), (1, "cp1251", "Уважаемый клиент!"), (2, "cp1250", "Článek týdne o řece"),
        (3, "cp932", "表の申込書"), (6, "cp1253", "Καλημέρα"), (7, "big5", "功能表許蓋"), (8, "gbk", "简体中文"),
        (9, "cp949", "안녕하세요"), (10, "cp1255", "שלום"),
    ],
)  # fmt: skip
def test_bytes_are_in_the_encoding_of_their_font(tmp_path: Path, font: int, codec: str, words: str) -> None:
    assert text(tmp_path, rf"\f{font} {escaped(words, codec)}\f0 end\par") == words + "end"
    assert text(tmp_path, b"\\f%d " % font + words.encode(codec).replace(b"\\", b"\\\\") + rb"\par") == words


def test_a_font_of_no_charset_is_in_the_documents_code_page(tmp_path: Path) -> None:
    assert text(tmp_path, escaped("Мельник", "cp1251"), head=r"\rtf1\ansi\ansicpg1251\deff0") == "Мельник"
    assert text(tmp_path, escaped("Größe", "mac_roman"), head=r"\rtf1\mac\deff0") == "Größe"
    assert text(tmp_path, escaped("Größe", "cp850"), head=r"\rtf1\pca\deff0") == "Größe"


def test_unicode_and_what_stands_in_for_it(tmp_path: Path) -> None:
    assert text(tmp_path, r"\u48 0 \uc2\u24180\'94\'4e abc \u24565\'94\'4f \uc0\u1087\u1088.") == "0 年 abc 念 пр."
    assert text(tmp_path, r"\u-10240?\u-8398?\u-10240?\u-8385?, {\uc3\u8364EUR} \u8364?5") == "𐌲𐌿, € €5"
    assert text(tmp_path, r"a\u233\'e9b\u233{}c\~d") == "aébéc\xa0d"
    assert text(tmp_path, r"\u-10240?lone") == "\ufffdlone"
    assert text(tmp_path, r"\f4 \'61\'b7\u-3999?\u-3913?") == "α•a•".replace("a", "α")
    assert text(tmp_path, r"{\field{\*\fldinst SYMBOL 97 \\f " '"Symbol"' r" \\s 10}}{\f5\'fc}") == "α✓"


def test_only_what_a_reader_sees(tmp_path: Path) -> None:
    hidden = (
        r"{\colortbl;\red0\green0\blue0;}{\*\generator Word;}{\info{\author Ann}{\comment no}}{\*\unknown {no} no}"
        r"{\*\bkmkstart no}{\pict\wmetafile8 0102abcd}{\*\shppict{\pict\pngblip 89504e47}}{\v no}{\deleted no}"
        r"{\object\objemb{\*\objclass no}{\*\objdata 0105}{\result seen }}{\xe{\*\xx no} no}{\tc no}"
        r"{\*\themedata 504b}{\*\datastore 01}{\*\docvar {no}{no}}"
    )
    assert text(tmp_path, hidden + r"words\b\*\cs7 bold\plain .\par") == "seen wordsbold."
    binary = rb"one {\pict\bin9 }}{{\par!!}two{\*\blipuid 00}\bin3 }}} three"
    assert text(tmp_path, binary) == "one two three"


def test_words_keep_apart_and_lines_go_on(tmp_path: Path) -> None:
    assert text(tmp_path, "one\\tab two \\line three\r\nfour\\\r\nfive\\-six\\_seven \\{8\\}\\\\") == (
        "one\ttwo \nthreefour\nfivesix-seven {8}\\"
    )
    assert text(tmp_path, r"\lquote a\rquote  \ldblquote b\rdblquote\emdash c\bullet") == "‘a’ “b”—c•"
    assert text(tmp_path, r"{\upr{no}{\*\ud{yes \u1078?}}}") == "yes ж"


def test_headings_by_their_styles_and_the_authors_title(tmp_path: Path) -> None:
    styles = (
        r"{\stylesheet{\f0 Normal;}{\s1\outlinelevel0 \'dcberschrift 1;}{\s2\sbasedon1 Mine;}{\s3 heading 3;}"
        r"{\*\cs10 No;}{\s9{\*\ud Title;}}}{\info{\title Die \u220?bung}}"
    )
    reading = pages(
        tmp_path, styles + r"\pard\s1 One\par\pard\s2 Two\par\pard\s3 Three\par\pard\outlinelevel4 Five\par\pard Text"
    )
    (page,) = reading.pages
    assert reading.title == "Die Übung"
    assert [(block.kind, block.level) for block in page.blocks] == [
        ("heading", 1), ("heading", 1), ("heading", 3), ("heading", 5), ("paragraph", 0),
    ]  # fmt: skip


def test_numbers_of_lists_as_they_are_written_out(tmp_path: Path) -> None:
    body = (
        r"{\listtext\pard\plain\f0 1.\tab}\pard\ls1 One\par{\listtext\f4\'b7\tab}\pard\ls1\ilvl1 Two\par"
        r"{\pntext\f0 iii)\tab}{\*\pn\pnlvlbody{\pntxta )}}\pard Three\par\pard Plain\par"
    )
    assert blocks(tmp_path, body) == [
        ("list_item", "1. One"), ("list_item", "• Two"), ("list_item", "iii) Three"), ("paragraph", "Plain"),
    ]  # fmt: skip


def test_numbers_of_lists_counted_by_the_tables(tmp_path: Path) -> None:
    def level(kind: int, mark: str, start: int = 1) -> str:
        return rf"{{\listlevel\levelnfc{kind}\levelstartat{start}{{\leveltext{mark};}}{{\levelnumbers\'01;}}\fi-360}}"

    tables = (
        r"{\*\listtable{\list\listtemplateid1"
        + level(0, r"\'02\'00.")
        + level(4, r"\'05\'00.\'01)")
        + level(23, r"\'01\u8226 ?")
        + r"{\listname ;}\listid7}{\list"
        + level(1, r"\'02\'00.")
        + r"\listid8}}"
        r"{\*\listoverridetable{\listoverride\listid7\listoverridecount0\ls1}{\listoverride\listid8\listoverridecount1"
        r"{\lfolevel\listoverridestartat\levelstartat4}\ls2}{\listoverride\listid7\listoverridecount1{\lfolevel"
        r"\listoverrideformat" + level(3, r"\'02\'00.") + r"}\ls3}}"
    )
    lines = [
        (1, 0, "A"),
        (1, 0, "B"),
        (1, 1, "C"),
        (1, 1, "D"),
        (1, 2, "E"),
        (1, 0, "F"),
        (2, 0, "G"),
        (2, 0, "H"),
        (3, 0, "I"),
    ]
    body = "".join(rf"\pard\ls{override}\ilvl{depth} {words}\par" for override, depth, words in lines)
    assert [words for _, words in blocks(tmp_path, tables + body)] == [
        "1. A", "2. B", "2.a) C", "2.b) D", "• E", "3. F", "IV. G", "V. H", "A. I",
    ]  # fmt: skip


def test_tables_and_tables_within_their_cells(tmp_path: Path) -> None:
    body = (
        r"\trowd\trhdr\cellx1\cellx2\pard\intbl Name\cell Tons\cell\row\trowd\cellx1\cellx2 Auk\par II\cell{ 7}"
        r"\cell\row"
        r"\trowd\cellx1\cellx2\pard\intbl\itap2 Deep A\nestcell Deep B\nestcell{\*\nesttableprops\trowd\cellx1\nestrow}"
        r"{\nonesttables no\par}Deep C\nestcell Deep D\nestcell{\*\nesttableprops\nestrow}{\nonesttables no}"
        r"\pard\intbl\itap1 after\cell right\cell\row\trowd\cellx1\pard\intbl In a frame\par of two"
        r"\cell\row\pard Below\par"
    )
    assert blocks(tmp_path, body) == [
        ("table_header", "Name | Tons"), ("table_row", "Auk II | 7"),
        ("table_row", "Deep A, Deep B; Deep C, Deep D after | right"), ("paragraph", "In a frame"),
        ("paragraph", "of two"), ("paragraph", "Below"),
    ]  # fmt: skip


def test_headers_notes_comments_boxes_and_footers_once_and_in_order(tmp_path: Path) -> None:
    body = (
        r"{\header\pard Animal Hospital\par(555) 555-1212\par{\field{\*\fldinst PAGE }{\fldrslt 3}}\par}"
        r"{\headerf Animal Hospital\par}{\footer Page {\field{\*\fldinst{PAGE}}{\fldrslt 3}}\par Green Lane 4\par}"
        r"One{\super\chftn}{\footnote\pard{\chftn} The first note.}{\*\atnid AB}{\*\atnauthor Ann B}\chatn"
        r"{\*\annotation{\*\atnref 1}Is it so?} goes on.{\shp{\*\shpinst\shpleft1{\sp{\sn a}{\sv b}}"
        r"{\shptxt\pard In a box\par}}{\shprslt{\*\do{\dptxbxtext no}}}}\par Two.{\footnote\ftnalt Last.}\par"
    )
    assert [words for _, words in blocks(tmp_path, body)] == [
        "Animal Hospital", "(555) 555-1212", "One[1] goes on.", "[Comment, Ann B: Is it so?]", "In a box", "Two.[2]",
        "[1] The first note.", "[2] Last.", "Page", "Green Lane 4",
    ]  # fmt: skip


def test_pages_by_the_breaks_of_the_author(tmp_path: Path) -> None:
    found = pages(tmp_path, r"One\par\page Two\par\sect\sectd\sbknone Still two\par\sect\sectd Three\par").pages
    assert [(page.number, page.text) for page in found] == [(1, "One"), (2, "Two\n\nStill two"), (3, "Three")]


def test_an_equation_is_a_line(tmp_path: Path) -> None:
    body = (
        r"A = {\mmath{\*\moMath{\mf{\*\mfPr{\*\mctrlPr no}}{\mnum{\mr a+b}}{\mden{\mr c}}}"
        r"{\msSup{\me{\mr r}}{\msup{\mr 2}}}}"
        r"{\mmathPict no}}"
    )
    assert text(tmp_path, body) == "A = (a+b)/cr^2"


@pytest.mark.parametrize("data", [b"{\\rt", b"no rtf", b""])
def test_what_does_not_begin_as_rtf_is_corrupt(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.rtf").write_bytes(data)
    with pytest.raises(PermanentError) as caught:
        list(read_document(tmp_path / "a.rtf", "application/rtf").pages)
    assert caught.value.code == "corrupt"


def test_groups_within_each_other_are_bounded_and_a_cut_file_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    with pytest.raises(PermanentError) as caught:
        text(tmp_path, "{" * 1_000_000)
    assert caught.value.code == "too_complex"
    assert text(tmp_path, r"whole \b half {\i wo") == "whole half wo"
    assert text(tmp_path, "{\\b x}" * 50_000) == "x" * 50_000
