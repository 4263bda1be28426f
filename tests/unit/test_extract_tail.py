"""The other formats that people bring."""

import zipfile
from email.message import EmailMessage
from pathlib import Path

import pptx
import pytest

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract import ACCEPTED
from tests.unit.documents import SENTENCES, blocks_of, lines, pages_of, printed, write_pdf

DATA = Path(__file__).parent / "data"


def written(tmp_path: Path, name: str, text: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def png(tmp_path: Path, text: str) -> str:
    path = tmp_path / "slip.png"
    printed([text]).save(path)
    return str(path)


def test_every_accepted_type_names_a_module_that_reads() -> None:
    from importlib import import_module

    assert all(callable(import_module(f"docmill.pipeline.extract.{kind.module}").read) for kind in ACCEPTED)


def test_slides_are_pages() -> None:
    first, second = pages_of(DATA / "deck.pptx")
    assert blocks_of(first)[:3] == [
        ("heading", "Slide one title"), ("paragraph", "First point"), ("paragraph", "Second point"),
    ]  # fmt: skip
    assert "Speaker notes here" in first.text
    assert blocks_of(second)[1:] == [("table_header", "cell 00 | cell 01"), ("table_row", "cell 10 | cell 11")]


def test_slides_come_in_the_order_they_are_shown_with_their_pictures(tmp_path: Path) -> None:
    presentation = pptx.Presentation()
    for title in ("Second", "Third", "First"):
        slide = presentation.slides.add_slide(presentation.slide_layouts[5])
        slide.shapes.title.text = title
    slide.shapes.add_picture(png(tmp_path, "The lighthouse keeper counts the ships"), 0, 0)
    order = presentation.slides._sldIdLst
    order.insert(0, order[-1])
    presentation.save(str(tmp_path / "a.pptx"))
    assert [blocks_of(page) for page in pages_of(tmp_path / "a.pptx")] == [
        [("heading", "First"), ("paragraph", "The lighthouse keeper counts the ships")],
        [("heading", "Second")],
        [("heading", "Third")],
    ]


def test_pictures_in_sheets_are_read_on_their_sheet(tmp_path: Path) -> None:
    picture = Path(png(tmp_path, "The lighthouse keeper counts the ships")).read_bytes()
    kinds = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    drawing = "http://schemas.openxmlformats.org/drawingml/2006/main"

    def links(kind: str, target: str) -> str:
        return (
            f'<Relationships xmlns="x"><Relationship Id="r1" Type="{kinds}/{kind}" Target="{target}"/></Relationships>'
        )

    path = tmp_path / "book.xlsx"
    path.write_bytes((DATA / "book.xlsx").read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/worksheets/_rels/sheet1.xml.rels", links("drawing", "../drawings/drawing1.xml"))
        blip = f'<a:blip xmlns:a="{drawing}" xmlns:r="{kinds}" r:embed="r1"/>'
        archive.writestr("xl/drawings/drawing1.xml", f"<drawing>{blip}</drawing>")
        archive.writestr("xl/drawings/_rels/drawing1.xml.rels", links("image", "/xl/media/image1.png"))
        archive.writestr("xl/media/image1.png", picture)
    budget, notes = pages_of(path)
    assert blocks_of(budget)[-2:] == [
        ("table_row", "Paint | 30"), ("paragraph", "The lighthouse keeper counts the ships"),
    ]  # fmt: skip
    assert "lighthouse" not in notes.text


def test_sheets_are_pages_of_rows() -> None:
    budget, notes = pages_of(DATA / "book.xlsx")
    assert blocks_of(budget) == [
        ("heading", "Budget"),
        ("table_header", "Item | Cost | Date"),
        ("table_row", "Boat | 1200.5 | 2024-05-01"),
        ("table_row", "Paint | 30"),
    ]
    assert "A note with | pipe" in notes.text


def test_chapters_of_a_book_are_pages() -> None:
    pages = pages_of(DATA / "book.epub")
    assert [blocks_of(page)[0] for page in pages] == [("heading", "Chapter 1"), ("heading", "Chapter 2")]
    assert "with bold words & more." in pages[0].text


def test_open_document_text() -> None:
    (page,) = pages_of(DATA / "text.odt")
    assert blocks_of(page) == [("heading", "ODT heading"), ("paragraph", "An ODT paragraph, with äöü.")]


def test_rtf(tmp_path: Path) -> None:
    (page,) = pages_of(written(tmp_path, "a.rtf", r"{\rtf1\ansi Caf\'e9 \u228?hnlich.\par Zwei.\par}"))
    assert page.text == "Café ähnlich.\n\nZwei."


def test_html_shows_what_a_browser_shows(tmp_path: Path) -> None:
    html = """<html><head><title>T</title><script>no()</script></head><body><nav>menu</nav><h2>Ships</h2>
    <p>One <b>bold</b>ly<br>written line.</p><p hidden>no</p><ol><li>first<ul><li>inner</li></ul></li><li>second</ol>
    <table><tr><th>Name</th><th>Tons</th></tr><tr><td>Auk</td><td>7</td></tr></table></body></html>"""
    (page,) = pages_of(written(tmp_path, "a.html", html))
    assert blocks_of(page) == [
        ("heading", "Ships"),
        ("paragraph", "One boldly written line."),
        ("list_item", "1. first"),
        ("list_item", "• inner"),
        ("list_item", "2. second"),
        ("table_header", "Name | Tons"),
        ("table_row", "Auk | 7"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_text_in_its_own_encoding(tmp_path: Path, encoding: str) -> None:
    text = "Größe, façade, niño. Über allen Gipfeln ist Ruh, in allen Wipfeln spürest du kaum einen Hauch."
    (page,) = pages_of(written(tmp_path, "a.txt", text.encode(encoding)))
    assert page.text == text


def test_csv_with_semicolons_and_quotes(tmp_path: Path) -> None:
    (page,) = pages_of(written(tmp_path, "a.csv", 'name;amount\n"Smith; Jo";3\nLee;4\n'))
    assert blocks_of(page) == [
        ("table_header", "name | amount"), ("table_row", "Smith; Jo | 3"), ("table_row", "Lee | 4"),
    ]  # fmt: skip


def test_mail_with_attachments(tmp_path: Path) -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "The boat", "a@example.org", "b@example.org"
    message.set_content("Hello,\n\nthe boat is late.")
    pdf = write_pdf(tmp_path / "a.pdf", lines(SENTENCES)).read_bytes()
    message.add_attachment(pdf, maintype="application", subtype="pdf", filename="rules.pdf")
    message.add_attachment(b"\x00\x01", maintype="application", subtype="octet-stream", filename="junk.bin")
    message.add_attachment("a note", filename="note.txt")
    first, attached, note = pages_of(written(tmp_path, "a.eml", message.as_bytes()))
    assert first.text.startswith("Subject: The boat") and first.text.endswith("the boat is late.")
    assert (attached.number, note.number) == (2, 3)
    assert SENTENCES[0] in attached.text and note.text == "a note"


@pytest.mark.parametrize("name", ["deck.pptx", "book.xlsx", "text.odt", "book.epub"])
def test_a_damaged_archive_is_corrupt(tmp_path: Path, name: str) -> None:
    data = (DATA / name).read_bytes()
    with pytest.raises(PermanentError) as caught:
        pages_of(written(tmp_path, name, data[: len(data) // 2]))
    assert caught.value.code == "corrupt"
