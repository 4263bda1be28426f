"""Files to upload: small real documents with distinct content, and broken ones."""

import io
import zipfile

from docx import Document as DocxDocument
from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

PDF = "application/pdf"


def pdf(*pages: str, password: str | None = None) -> bytes:
    """A PDF with a text layer, one string a page, lines split at newlines."""
    stream = io.BytesIO()
    canvas = Canvas(stream, encrypt=StandardEncryption(password, canPrint=0) if password else None)
    for page in pages:
        text = canvas.beginText(72, 760)
        text.textLines(page)
        canvas.drawText(text)
        canvas.showPage()
    canvas.save()
    return stream.getvalue()


def docx(*paragraphs: str) -> bytes:
    """A DOCX of plain paragraphs."""
    stream = io.BytesIO()
    document = DocxDocument()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    document.save(stream)
    return stream.getvalue()


def plain_zip() -> bytes:
    """A zip archive that is no office document."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("notes.txt", "Nothing to see here.")
    return stream.getvalue()


def scan(*pages: str) -> bytes:
    """A PDF of page images without a text layer."""
    images = []
    for text in pages:
        image = Image.new("L", (850, 300), 255)
        ImageDraw.Draw(image).text((60, 80), text, fill=0, font=ImageFont.load_default(32))
        images.append(image)
    stream = io.BytesIO()
    images[0].save(stream, "PDF", save_all=True, append_images=images[1:], resolution=100)
    return stream.getvalue()
