"""Pages without usable text are read by OCR, whichever way they lie; the others are not."""

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium
import pytest
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.ocr import recognition
from docmill.pipeline.extract.ocr.engine import OcrOptions, OcrReading
from docmill.pipeline.extract.pdf import page as page_module
from tests.unit.documents import HEIGHT, SENTENCES, lines, pages_of, printed, text_of, together, write_pdf

pytestmark = pytest.mark.ocr

TEXTS = ("The lighthouse keeper counts the ships", "that pass before dawn and writes", "their names into a green book.")


def picture(tmp_path: Path, turns: int = 0, tilt: float = 0.0) -> Image.Image:
    """A printed slip of paper as a scanner sees it."""
    source = write_pdf(tmp_path / "printed.pdf", lines(TEXTS, y=HEIGHT - 60, size=16))
    image = pdfium.PdfDocument(source)[0].render(scale=150 / 72, crop=(0, HEIGHT - 140, 200, 20)).to_pil().convert("L")
    grey = np.asarray(image.rotate(tilt, Image.Resampling.BICUBIC, fillcolor=255), np.float32)
    grey += np.random.default_rng(1).normal(0, 6, grey.shape)
    return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).rotate(90 * turns, expand=True)


def pasted(image: Image.Image, y: float):  # type: ignore[no-untyped-def]
    def draw(canvas: Canvas) -> None:
        canvas.drawImage(ImageReader(image), 72, y, image.width * 72 / 150, image.height * 72 / 150)

    return draw


@pytest.mark.parametrize(("turns", "tilt"), [(0, 1.5), (1, 0), (2, 0), (3, 0)])
def test_a_scan_reads_upright_whichever_way_it_lies(tmp_path: Path, turns: int, tilt: float) -> None:
    path = tmp_path / "scan.png"
    picture(tmp_path, turns, tilt).save(path)
    (page,) = pages_of(path)
    assert page.source == "ocr"
    assert page.text.replace("\n\n", " ") == " ".join(TEXTS)


def test_a_page_that_is_part_text_part_scan_gets_both_once(tmp_path: Path) -> None:
    draw = together(
        lines(SENTENCES[1:3], y=HEIGHT - 80),
        pasted(picture(tmp_path), HEIGHT - 330),
        lines(SENTENCES[3:], y=HEIGHT - 380),
    )
    (page,) = pages_of(write_pdf(tmp_path / "a.pdf", draw))
    assert page.source == "mixed"
    assert page.text.count("lighthouse keeper") == 1
    assert page.text.index("windy") < page.text.index("lighthouse") < page.text.index("Visitors")


def test_only_pages_without_text_are_ocred(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", lines(SENTENCES), pasted(picture(tmp_path), 400), lines(SENTENCES))
    assert [page.source for page in pages_of(path)] == ["text", "ocr", "text"]


def test_a_hidden_layer_of_junk_is_not_trusted(tmp_path: Path) -> None:
    def junk(canvas: Canvas) -> None:
        hidden = canvas.beginText(72, HEIGHT - 100)
        hidden.setTextRenderMode(3)
        hidden.setFont("Times-Roman", 11)
        for _ in range(10):
            hidden.textLine("TheIl ghTh~us k3ep~r c|unt5 tHe sh^ps thAt p4ss bEf0re dAwn")
        canvas.drawText(hidden)

    image = Image.new("L", (1240, 1754), 255)
    image.paste(picture(tmp_path).convert("L"), (100, 100))
    whole = lambda canvas: canvas.drawImage(ImageReader(image), 0, 0, 595, 842)  # noqa: E731
    (page,) = pages_of(write_pdf(tmp_path / "a.pdf", together(whole, junk)))
    assert page.source == "ocr"
    assert "ghTh" not in page.text


def test_a_photograph_beside_text_costs_no_ocr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(2).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    photograph = Image.fromarray(noise).resize((1200, 900))
    read: list[object] = []

    def read_nothing(image: object, *_: object) -> OcrReading:
        read.append(image)
        return OcrReading()

    monkeypatch.setattr(page_module, "read_image", read_nothing)
    (page,) = pages_of(write_pdf(tmp_path / "a.pdf", together(lines(SENTENCES), pasted(photograph, 100))))
    assert page.source == "text" and not read


def test_a_tiff_has_a_page_for_each_frame(tmp_path: Path) -> None:
    frames = [picture(tmp_path), picture(tmp_path)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    assert [page.number for page in pages_of(tmp_path / "a.tif")] == [1, 2]


@pytest.mark.parametrize("name", ["a.webp", "a.jpg", "a.png"])
def test_every_kind_of_image_is_read(tmp_path: Path, name: str) -> None:
    picture(tmp_path).save(tmp_path / name, quality=80)
    assert text_of(tmp_path / name).replace("\n\n", " ") == " ".join(TEXTS)


def test_frames_of_a_tiff_are_pages(tmp_path: Path) -> None:
    slips = [printed([text]) for text in TEXTS[:2]]
    slips[0].save(tmp_path / "a.tif", save_all=True, append_images=slips[1:])
    assert [(page.number, page.text) for page in pages_of(tmp_path / "a.tif")] == [(1, TEXTS[0]), (2, TEXTS[1])]


@pytest.fixture
def tesseract() -> Iterator[None]:
    recognition.use(OcrOptions("tesseract"))
    yield
    recognition.use(OcrOptions())


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
@pytest.mark.usefixtures("tesseract")
def test_tesseract_reads_where_it_is_chosen(tmp_path: Path) -> None:
    (page,) = pages_of(write_pdf(tmp_path / "a.pdf", pasted(printed([*TEXTS, *TEXTS]), 400)))
    assert page.source == "ocr"
    assert " ".join(page.text.split()) == " ".join([*TEXTS, *TEXTS])


@pytest.mark.usefixtures("tesseract")
def test_tesseract_that_is_chosen_but_absent_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PermanentError, match="tesseract is chosen for OCR but is not installed"):
        recognition.read_image(np.full((200, 300, 3), 255, np.uint8))


def test_a_truncated_image_is_corrupt(tmp_path: Path) -> None:
    stream = io.BytesIO()
    picture(tmp_path).save(stream, "PNG")
    (tmp_path / "a.png").write_bytes(stream.getvalue()[:3000])
    with pytest.raises(PermanentError) as caught:
        pages_of(tmp_path / "a.png")
    assert caught.value.code == "corrupt"
