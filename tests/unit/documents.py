"""Small documents made on the spot, for tests of extraction."""

import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pypdfium2 as pdfium
from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from docmill.pipeline.extract import detect_type, read_document
from docmill.pipeline.types import Page

WIDTH, HEIGHT = A4
SENTENCES = (
    "The lighthouse keeper counts the ships that pass before dawn and writes them into a green book.",
    "On windy days the count is repeated at noon, because small boats hide between the waves.",
    "Whoever finds a mistake in the book may correct it, but never with a pencil.",
    "Visitors are asked to leave their shoes by the door and their dogs in the yard.",
)


def pages_of(path: Path) -> list[Page]:
    return list(read_document(path, detect_type(path, path.name)).pages)


def text_of(path: Path) -> str:
    return "\n\n".join(page.text for page in pages_of(path))


def blocks_of(page: Page) -> list[tuple[str, str]]:
    return [(block.kind, page.text[block.start : block.end]) for block in page.blocks]


def write_pdf(path: Path, *pages: Callable[[Canvas], None], encrypt: str | None = None) -> Path:
    canvas = Canvas(str(path), pagesize=A4, encrypt=encrypt)
    for draw in pages:
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return path


def lines(texts: Sequence[str], x: float = 72, y: float = HEIGHT - 100, size: float = 11, font: str = "Times-Roman",
          leading: float = 1.3) -> Callable[[Canvas], None]:  # fmt: skip
    def draw(canvas: Canvas) -> None:
        canvas.setFont(font, size)
        for number, text in enumerate(texts):
            canvas.drawString(x, y - number * size * leading, text)

    return draw


def together(*draws: Callable[[Canvas], None]) -> Callable[[Canvas], None]:
    def draw(canvas: Canvas) -> None:
        for each in draws:
            each(canvas)

    return draw


def zip_bytes(**files: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return stream.getvalue()


def printed(texts: Sequence[str], dpi: int = 150) -> Image.Image:
    """A slip of paper with these lines, as a grey image."""
    stream = io.BytesIO()
    canvas = Canvas(stream, pagesize=A4)
    lines(texts, y=HEIGHT - 60, size=16)(canvas)
    canvas.save()
    page = pdfium.PdfDocument(stream.getvalue())[0]
    bitmap = page.render(scale=dpi / 72, crop=(0, HEIGHT - 60 - 24 * len(texts), 200, 20))
    grey: Image.Image = bitmap.to_pil().convert("L")
    return grey
