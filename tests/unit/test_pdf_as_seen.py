"""What a person sees on a PDF page comes out once, in its order, whatever the file's codes say."""

from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from docmill.pipeline.extract.layout.bidi import reading_order
from docmill.pipeline.extract.pdf.plausible import plausibility
from tests.unit.documents import HEIGHT, SENTENCES, pages_of, text_of, write_pdf
from tests.unit.raw_pdf import raw_pdf

ENGLISH = " ".join(SENTENCES)
RUSSIAN = "Смотритель маяка считает корабли, которые проходят до рассвета, и пишет их в книгу."
PERSIAN = {1: "ف", 2: "و", 3: "لا", 4: "د"}


def shown(path: Path, *lines: tuple[int, int, str], texts: dict[int, str] | None = None, size: int = 12) -> str:
    """The text of a page that shows strings at (x, y), in the font whose codes stand for `texts`."""
    content = "".join(f"BT /F1 {size} Tf 1 0 0 1 {x} {y} Tm {string} Tj ET\n" for x, y, string in lines)
    return text_of(raw_pdf(path, content, texts))


def test_letters_outside_of_the_basic_plane_are_read(tmp_path: Path) -> None:
    text = shown(tmp_path / "a.pdf", (72, 700, "<0120022003>"), texts={1: "𝑝", 2: "=", 3: "𝑠", 0x20: " "})
    assert text == "𝑝 = 𝑠"


def test_print_that_is_doubled_for_bold_is_read_once(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 14)
        for shift in (0, 0.3):
            for x, word in ((72, "Annual"), (130, "Report"), (190, "2011")):
                canvas.drawString(x + shift, 700, word)
        for shift in (0, 0.4):
            canvas.drawString(72 + shift, 650, "The whole line is printed twice")
            canvas.drawString(72 + shift, 600, "and so is the one that follows")

    text = text_of(write_pdf(tmp_path / "a.pdf", draw))
    expected = "Annual Report 2011 The whole line is printed twice and so is the one that follows"
    assert " ".join(text.split()) == expected


def test_a_word_that_is_said_twice_stays_twice(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 14)
        canvas.drawString(72, 700, "again and again and again and")
        canvas.drawString(72, 680, "again")

    assert text_of(write_pdf(tmp_path / "a.pdf", draw)) == "again and again and again and again"


def test_a_ligature_of_lam_and_alef_keeps_its_order(tmp_path: Path) -> None:
    assert shown(tmp_path / "a.pdf", (72, 700, "<04030201>"), texts=PERSIAN) == "فولاد"
    assert shown(tmp_path / "b.pdf", (72, 700, "<04030201>"), texts=PERSIAN | {3: "\ufefb"}) == "فولاد"


def test_pieces_from_right_to_left_are_read_from_the_right(tmp_path: Path) -> None:
    hebrew = dict(enumerate("שלוםעבה", 1)) | {ord(sign): sign for sign in "abc019 "}
    pieces = ((300, 700, "<04030201>"), (200, 700, "(abc)"), (100, 700, "<07060501>"))
    text = shown(tmp_path / "a.pdf", *pieces, texts=hebrew)
    assert [word for word in text.split() if word != "|"] == ["שלום", "abc", "שעבה"]


@pytest.mark.parametrize(
    ("visual", "logical"),
    [
        (["עולם", "abc", "12", "שלום"], ["שלום", "abc", "12", "עולם"]),
        (["lighthouse", "עולם", "שלום", "book"], ["lighthouse", "שלום", "עולם", "book"]),
        (["one", "two"], ["one", "two"]),
    ],
)
def test_pieces_of_a_line_are_ordered_by_their_directions(visual: list[str], logical: list[str]) -> None:
    assert reading_order(visual, visual) == logical


def test_utf8_in_a_fonts_table_is_undone(tmp_path: Path) -> None:
    letters = dict(enumerate(dict.fromkeys("Первпоимндта"), 1))
    broken = {code: letter.encode().decode("utf-16-be") for code, letter in letters.items()} | {0x20: " ", 0x2E: "."}
    codes = {letter: f"{code:02x}" for code, letter in letters.items()} | {" ": "20", ".": "2e"}
    string = "<" + "".join(codes[letter] for letter in "Перв. прим. дата") + ">"
    assert shown(tmp_path / "a.pdf", (72, 700, string), texts=broken) == "Перв. прим. дата"


@pytest.mark.parametrize(
    "broken",
    [
        {ord(sign): sign.encode("utf-16-le").decode("utf-16-be") for sign in map(chr, range(0x21, 0x7F))},
        {code: chr(code - 29) for code in range(0x3D, 0x7F)},
    ],
    ids=["bytes swapped", "codes shifted"],
)
def test_a_layer_that_only_looks_like_letters_is_read_by_ocr(tmp_path: Path, broken: dict[int, str]) -> None:
    lines = [(72, 760 - 24 * number, f"({sentence[:48]})") for number, sentence in enumerate(SENTENCES)]
    content = "".join(f"BT /F1 14 Tf 1 0 0 1 {x} {y} Tm {string} Tj ET\n" for x, y, string in lines)
    (page,) = pages_of(raw_pdf(tmp_path / "a.pdf", content, {0x20: " "} | broken))
    assert (page.source, page.engine) == ("ocr", "rapidocr")
    assert page.confidence > 0.9
    assert "lighthouse keeper" in page.text and "windy days" in page.text


def test_a_plausible_layer_is_not_traded_for_guesses(tmp_path: Path) -> None:
    """A page of Latin letters whose codes stand for Russian ones: the layer is right, what OCR sees is not."""
    codes = {letter: code for code, letter in enumerate(dict.fromkeys(RUSSIAN), 0x41)}
    string = "<" + "".join(f"{codes[letter]:02x}" for letter in RUSSIAN) + ">"
    content = f"BT /F1 11 Tf 1 0 0 1 20 700 Tm {string} Tj ET\n" + "10 10 m 400 90 l S\n" * 30
    (page,) = pages_of(raw_pdf(tmp_path / "a.pdf", content, {code: letter for letter, code in codes.items()}))
    assert page.source == "text" and page.text == RUSSIAN


@pytest.mark.parametrize(
    "text", [ENGLISH, RUSSIAN, "安徽安利合成革股份有限公司年度报告股票代码", "灯台守は夜明け前に通り過ぎる船を数えます"]
)
def test_texts_are_plausible(text: str) -> None:
    assert plausibility(text) == 1.0


@pytest.mark.parametrize(
    "garbage",
    [
        ENGLISH.encode("utf-16-le").decode("utf-16-be", "ignore"),
        "".join(chr(ord(sign) - 29) if sign > "=" else sign for sign in ENGLISH),
        RUSSIAN.encode("cp1251").decode("latin-1"),
        "묾푷비체킹읊퓒칺몮픟컪훟팢솒쭖쩣먾래헏",
    ],
    ids=["bytes swapped", "codes shifted", "another code page", "syllables nobody writes"],
)
def test_garbage_is_not(garbage: str) -> None:
    assert plausibility(garbage) < 0.5


def field(value: str, kind: str, entries: str, appearance: int | None = None) -> str:
    shown = f"/AP << /N {appearance} 0 R >>" if appearance else ""
    return (
        f"<< /Type /Annot /Subtype /Widget /FT /{kind} /T (f) {value} /Rect [72 690 300 712] /F 4"
        f" /DA (/F2 12 Tf 0 g) {shown} {entries} >>"
    )


APPEARANCE = "/Type /XObject /Subtype /Form /BBox [0 0 228 22]"


def test_a_field_is_read_as_it_is_shown(tmp_path: Path) -> None:
    annotation = field("/V (232324)", "Tx", "", 8)
    appearance = (APPEARANCE, "/Tx BMC BT /F2 12 Tf 2 6 Td (232,324.00) Tj ET EMC")
    assert text_of(raw_pdf(tmp_path / "a.pdf", "", None, [annotation], [appearance], [7])) == "232,324.00"


def test_a_field_without_an_appearance_is_read_by_its_value(tmp_path: Path) -> None:
    assert text_of(raw_pdf(tmp_path / "a.pdf", "", None, [field("/V (plain)", "Tx", "")], (), [7])) == "plain"


def test_a_list_box_shows_all_its_options(tmp_path: Path) -> None:
    annotation = field("/V (Ipsum)", "Ch", "/Opt [(Lorem) (Ipsum) (Dolor)]")
    words = text_of(raw_pdf(tmp_path / "a.pdf", "", None, [annotation], (), [7])).split()
    assert words == ["Lorem", "[x]", "Ipsum", "Dolor"]


@pytest.mark.parametrize(
    "annotation",
    [
        "<< /Type /Annot /Subtype /Stamp /Rect [72 690 300 712] /F 4 /AP << /N 8 0 R >> >>",
        field("", "Sig", "", 8),
        "<< /Type /Annot /Subtype /FreeText /Rect [72 690 300 712] /F 4 /Contents (Approved) /AP << /N 8 0 R >> >>",
    ],
    ids=["stamp", "signature", "free text"],
)
def test_what_a_signature_or_a_stamp_shows_is_read_once(tmp_path: Path, annotation: str) -> None:
    appearance = (APPEARANCE, "BT /F2 12 Tf 2 6 Td (Approved) Tj ET")
    fields = [7] if "Widget" in annotation else []
    path = raw_pdf(tmp_path / "a.pdf", "", None, [annotation], [appearance], fields)
    assert text_of(path) == "Approved"


def test_a_hidden_field_is_not_seen(tmp_path: Path) -> None:
    annotation = field("/V (secret)", "Tx", "").replace("/F 4", "/F 2")
    assert text_of(raw_pdf(tmp_path / "a.pdf", "", None, [annotation], (), [7])) == ""


def test_the_lines_of_a_drawing_make_no_table(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        for number in range(15):
            canvas.line(72 + 30 * number, 200, 72 + 30 * number, 700)
            canvas.line(72, 200 + 35 * number, 492, 200 + 35 * number)
        canvas.setFont("Helvetica", 9)
        for number in range(14):
            canvas.drawString(76 + 30 * number, 206 + 35 * number, f"R{number}")

    text = text_of(write_pdf(tmp_path / "a.pdf", draw))
    assert "|" not in text and "R13" in text


@pytest.mark.parametrize("angle", [7, 30, 60, 135])
def test_a_line_at_an_angle_stays_a_line(tmp_path: Path, angle: int) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 12)
        canvas.drawString(72, HEIGHT - 72, "An upright line of the page")
        canvas.translate(300, 400)
        canvas.rotate(angle)
        canvas.drawString(0, 0, "Confidential draft of the harbour master")

    assert "Confidential draft of the harbour master" in text_of(write_pdf(tmp_path / "a.pdf", draw))


def test_letters_of_different_heights_make_a_level_line(tmp_path: Path) -> None:
    """A font whose full stop has a low box of its own ends the line."""
    assert shown(tmp_path / "a.pdf", (72, 700, "(CO.,LTD.)"), (72, 600, "(End.)")).split() == ["CO.,LTD.", "End."]
