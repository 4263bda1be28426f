"""PDFs with a text layer come back as their author's text: in order, whole words, without furniture."""

from collections.abc import Callable
from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract import read_document
from tests.unit.documents import HEIGHT, SENTENCES, WIDTH, blocks_of, lines, pages_of, text_of, together, write_pdf

PDF = "application/pdf"


def code(path: Path) -> str:
    with pytest.raises(PermanentError) as caught:
        list(read_document(path, PDF).pages)
    return caught.value.code


def test_lines_become_paragraphs_and_broken_words_whole(tmp_path: Path) -> None:
    first = ["The lighthouse keeper counts the ships that pass before dawn and writes them in-", "to a green book."]
    second = ["Whoever finds a mis-", "take may correct it."]
    path = write_pdf(tmp_path / "a.pdf", together(lines(first), lines(second, y=HEIGHT - 160)))
    assert text_of(path) == (
        "The lighthouse keeper counts the ships that pass before dawn and writes them into a green book.\n\n"
        "Whoever finds a mistake may correct it."
    )


def test_a_hyphen_that_belongs_to_the_word_stays(tmp_path: Path) -> None:
    texts = [
        "A well-known keeper and a state-of-",
        "the-art lamp; the keeper is well-",
        "known. Open 1990-",
        "1995 only.",
    ]
    assert text_of(write_pdf(tmp_path / "a.pdf", lines(texts))) == (
        "A well-known keeper and a state-of-the-art lamp; the keeper is well-known. Open 1990-1995 only."
    )


@pytest.mark.parametrize("by_rows", [False, True])
def test_two_columns_are_read_column_by_column(tmp_path: Path, by_rows: bool) -> None:
    def column(name: str) -> list[str]:
        return [f"{name} line {number} of a column of text" for number in range(1, 9)]

    def draw(canvas: Canvas) -> None:
        canvas.setFont("Times-Bold", 16)
        canvas.drawString(72, HEIGHT - 70, "A title that runs across both of the columns")
        canvas.setFont("Times-Roman", 11)
        places = [
            (x, row, texts[row]) for x, texts in ((72, column("left")), (310, column("right"))) for row in range(8)
        ]
        for x, row, text in sorted(places, key=lambda place: place[1]) if by_rows else places:
            canvas.drawString(x, HEIGHT - 100 - 14 * row, text)

    text = text_of(write_pdf(tmp_path / "a.pdf", draw))
    assert text.index("title") < text.index("left line 1") < text.index("left line 8") < text.index("right line 1")


def test_running_headers_and_page_numbers_are_left_out(tmp_path: Path) -> None:
    def page(number: int) -> Callable[[Canvas], None]:
        header = lines(["The Keeper's Handbook"], y=HEIGHT - 40, size=9)
        footer = lines([f"page {number} of 4"], x=WIDTH / 2, y=30, size=9)
        return together(header, footer, lines([f"Chapter {number} begins.", SENTENCES[number - 1]]))

    pages = pages_of(write_pdf(tmp_path / "a.pdf", *map(page, (1, 2, 3, 4))))
    assert [page.text for page in pages] == [
        f"Chapter {number} begins.\n\n{SENTENCES[number - 1]}" for number in (1, 2, 3, 4)
    ]


def test_first_lines_that_differ_are_no_furniture(tmp_path: Path) -> None:
    tops = ("Rent is due on Monday.", "Dogs stay outside.", "Keys hang by the door.")
    pages = pages_of(write_pdf(tmp_path / "a.pdf", *(lines([top], y=HEIGHT - 40) for top in tops)))
    assert [page.text for page in pages] == list(tops)


def test_headings_are_known_by_size_and_weight(tmp_path: Path) -> None:
    path = write_pdf(
        tmp_path / "a.pdf",
        together(
            lines(["The Keeper's Handbook"], y=HEIGHT - 60, size=20, font="Times-Bold"),
            lines(["Counting ships"], y=HEIGHT - 100, size=14, font="Times-Bold"),
            lines(SENTENCES, y=HEIGHT - 130),
            lines(["At night"], y=HEIGHT - 230, font="Times-Bold"),
            lines(SENTENCES, y=HEIGHT - 260),
        ),
    )
    (page,) = pages_of(path)
    headings = [(page.text[b.start : b.end], b.level) for b in page.blocks if b.kind == "heading"]
    assert headings == [("The Keeper's Handbook", 1), ("Counting ships", 2), ("At night", 3)]


@pytest.mark.parametrize("ruled", [False, True])
def test_tables_come_out_row_by_row(tmp_path: Path, ruled: bool) -> None:
    rows = [("Ship", "Flag", "Tons"), ("Gannet", "red", "120"), ("Little Tern", "green", "48"), ("Auk", "blue", "7")]

    def draw(canvas: Canvas) -> None:
        lines(SENTENCES[:2], y=HEIGHT - 80)(canvas)
        for number, row in enumerate(rows):
            y = HEIGHT - 140 - 20 * number
            canvas.setFont("Times-Bold" if number == 0 else "Times-Roman", 10)
            for column, cell in enumerate(row):
                canvas.drawString(80 + 110 * column, y, cell)
            if ruled:
                canvas.line(74, y - 6, 404, y - 6)
        if ruled:
            canvas.line(74, HEIGHT - 126, 404, HEIGHT - 126)
            for column in range(4):
                canvas.line(74 + 110 * column, HEIGHT - 126, 74 + 110 * column, HEIGHT - 206)

    (page,) = pages_of(write_pdf(tmp_path / "a.pdf", draw))
    assert [block for block in blocks_of(page) if "table" in block[0]] == [
        ("table_header", "Ship | Flag | Tons"),
        ("table_row", "Gannet | red | 120"),
        ("table_row", "Little Tern | green | 48"),
        ("table_row", "Auk | blue | 7"),
    ]


def test_list_items_are_apart_from_each_other(tmp_path: Path) -> None:
    (page,) = pages_of(write_pdf(tmp_path / "a.pdf", lines(["Bring along:", "• a rope", "• a lamp", "• some bread"])))
    assert [text for kind, text in blocks_of(page) if kind == "list_item"] == ["• a rope", "• a lamp", "• some bread"]


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_a_turned_page_reads_as_an_upright_one(tmp_path: Path, angle: int) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setPageRotation(angle)
        width, height = (HEIGHT, WIDTH) if angle % 180 else (WIDTH, HEIGHT)
        if angle == 90:
            canvas.translate(WIDTH, 0)
        elif angle == 180:
            canvas.translate(WIDTH, HEIGHT)
        else:
            canvas.translate(0, HEIGHT)
        canvas.rotate(angle)
        canvas.setFont("Times-Roman", 11)
        for number, text in enumerate(SENTENCES[:3]):
            canvas.drawString(40, height - 80 - 40 * number, text[: int(width // 7)])

    text = text_of(write_pdf(tmp_path / "a.pdf", draw))
    assert text.index("lighthouse") < text.index("windy") < text.index("mistake")


def test_form_fields_and_remarks_are_part_of_the_text(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        lines(["Name of the ship:", "Whoever signs here accepts the rules of the harbour."])(canvas)
        canvas.acroForm.textfield(name="ship", value="Little Tern", x=170, y=HEIGHT - 104, width=120, height=16)
        canvas.textAnnotation("Check the flag", Rect=[300, 500, 320, 520])

    text = text_of(write_pdf(tmp_path / "a.pdf", draw))
    assert "Name of the ship: Little Tern" in text
    assert "Check the flag" in text


def test_pages_are_read_only_when_asked_for(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", *(lines([SENTENCES[number % 4]]) for number in range(50)))
    assert next(read_document(path, PDF).pages).text == SENTENCES[0]


def test_a_truncated_pdf_is_corrupt(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", *(lines(SENTENCES) for _ in range(5)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    assert code(path) == "corrupt"


def test_a_pdf_of_nonsense_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF-1.7\n" + b"nonsense " * 400 + b"\nstartxref\n0\n%%EOF")
    assert code(path) == "corrupt"


def test_an_encrypted_pdf_says_so(tmp_path: Path) -> None:
    assert code(write_pdf(tmp_path / "a.pdf", lines(SENTENCES), encrypt="secret")) == "encrypted"


def test_an_empty_page_is_an_empty_page(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", lines(SENTENCES), lambda canvas: None)
    assert [bool(page.text) for page in pages_of(path)] == [True, False]


def test_a_paragraph_that_returns_at_the_top_of_pages_is_no_furniture(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        lines([SENTENCES[0][:60]], y=HEIGHT - 70)(canvas)
        lines(SENTENCES, y=HEIGHT - 70 - 22)(canvas)

    pages = pages_of(write_pdf(tmp_path / "a.pdf", *[draw] * 4))
    assert all(page.text.startswith(SENTENCES[0][:60]) for page in pages)
