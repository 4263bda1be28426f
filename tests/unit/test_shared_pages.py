"""Pages of one document read by several processes come out as if one had read them all."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pypdfium2 as pdfium
import pytest
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from docmill.pipeline.errors import DocmillError
from docmill.pipeline.extract import detect_type, read_document
from docmill.pipeline.extract.sandbox.limits import SandboxLimits
from docmill.pipeline.extract.sandbox.process import ExtractorProcess
from docmill.pipeline.types import Page
from tests.unit.documents import HEIGHT, SENTENCES, WIDTH, lines, together, write_pdf

pytestmark = [pytest.mark.ocr, pytest.mark.sandbox]

DPI = 100


def printed(number: int, text: str) -> Image.Image:
    def draw(canvas: Canvas) -> None:
        together(
            lines(["THE HARBOUR REPORT"], y=HEIGHT - 40, size=16),
            lines([text[:45], text[45:]], y=HEIGHT - 140, size=16),
            lines([f"page {number}"], x=WIDTH / 2, y=36, size=14),
        )(canvas)

    folder = printed.folder  # type: ignore[attr-defined]
    bitmap = pdfium.PdfDocument(write_pdf(folder / "page.pdf", draw))[0].render(scale=DPI / 72)
    grey: Image.Image = bitmap.to_pil().convert("L")
    return grey


@pytest.fixture
def scans(tmp_path: Path) -> list[Image.Image]:
    printed.folder = tmp_path  # type: ignore[attr-defined]
    return [printed(number, text) for number, text in enumerate(SENTENCES, start=1)]


@pytest.fixture
def scanned_pdf(scans: list[Image.Image], tmp_path: Path) -> Path:
    """Four scanned pages with a page of text between them."""

    def scanned(image: Image.Image):  # type: ignore[no-untyped-def]
        return lambda canvas: canvas.drawImage(ImageReader(image), 0, 0, WIDTH, HEIGHT)

    pages = [scanned(scan) for scan in scans]
    return write_pdf(tmp_path / "report.pdf", *pages[:2], lines(SENTENCES), *pages[2:])


@pytest.fixture
def boxes() -> Iterator[list[ExtractorProcess]]:
    made = [ExtractorProcess(), ExtractorProcess()]
    yield made
    for box in made:
        box.close()


class ReadByAnother:
    """Every second page is read by another process, the others are kept as they are read."""

    def __init__(self, box: ExtractorProcess, path: Path, numbers: Collection[int]) -> None:
        self.box, self.path, self.numbers = box, path, numbers
        self.asked: list[int] = []
        self.kept: dict[int, dict[str, Any]] = {}

    def content(self, number: int) -> dict[str, Any] | None:
        self.asked.append(number)
        return self.box.content(self.path, detect_type(self.path, self.path.name), number) if number % 2 else None

    def keep(self, number: int, content: dict[str, Any]) -> None:
        self.kept[number] = content


def test_pages_read_by_several_processes_read_as_by_one(boxes: list[ExtractorProcess], scanned_pdf: Path) -> None:
    one, other = boxes
    numbers = one.survey(scanned_pdf, "application/pdf").to_ocr
    assert numbers == [1, 2, 4, 5]
    elsewhere = ReadByAnother(other, scanned_pdf, numbers)
    with one.open(scanned_pdf, "application/pdf", elsewhere) as extraction:
        pages = list(extraction)
    assert pages == _alone(scanned_pdf, "application/pdf")
    assert elsewhere.asked == numbers
    assert [page.source for page in pages] == ["ocr", "ocr", "text", "ocr", "ocr"]
    assert all("HARBOUR" not in page.text for page in pages), "furniture is found across shared pages"


def test_what_was_read_here_can_be_handed_on(boxes: list[ExtractorProcess], scanned_pdf: Path) -> None:
    one, other = boxes
    elsewhere = ReadByAnother(other, scanned_pdf, [1, 2, 4, 5])
    with one.open(scanned_pdf, "application/pdf", elsewhere) as extraction:
        list(extraction)
    assert list(elsewhere.kept) == [2, 4]
    for number, content in elsewhere.kept.items():
        again = other.content(scanned_pdf, "application/pdf", number)
        assert again["segments"] == content["segments"]


def test_frames_of_a_tiff_are_shared_too(
    boxes: list[ExtractorProcess], scans: list[Image.Image], tmp_path: Path
) -> None:
    path = tmp_path / "report.tif"
    scans[0].save(path, save_all=True, append_images=scans[1:])
    one, other = boxes
    numbers = one.survey(path, "image/tiff").to_ocr
    assert numbers == [1, 2, 3, 4]
    with one.open(path, "image/tiff", ReadByAnother(other, path, numbers)) as extraction:
        pages = list(extraction)
    assert pages == _alone(path, "image/tiff")
    assert "HARBOUR" not in pages[1].text


def _alone(path: Path, content_type: str) -> list[Page]:
    return list(read_document(path, content_type).pages)


class Answers:
    """Answers every question with the same content."""

    def __init__(self, *numbers: int, size: int = 1) -> None:
        self.numbers, self.size = numbers, size

    def content(self, number: int) -> dict[str, Any] | None:
        return {"text": "x" * self.size}

    def keep(self, number: int, content: dict[str, Any]) -> None:
        raise AssertionError("nothing was to be read")


@pytest.mark.parametrize(
    ("orders", "size", "code"),
    [
        (["ask 7"], 1, "extractor_crashed"),  # a page that is not others'
        (["ask 1"], 4 << 20, "timeout"),  # an answer that is not taken
        (["ask 1"], 1, "timeout"),  # and one after which nothing comes
    ],
)
def test_a_hostile_document_asks_in_vain(tmp_path: Path, orders: list[str], size: int, code: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text("\n".join(orders))
    box = ExtractorProcess(SandboxLimits(page_seconds=1), reader="tests.unit.hostile_reader")
    try:
        with (
            pytest.raises(DocmillError) as caught,
            box.open(path, "text/plain", Answers(1, 2, size=size)) as extraction,
        ):
            list(extraction)
    finally:
        box.close()
    assert caught.value.code == code
