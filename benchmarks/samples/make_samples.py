"""Makes the three bundled samples from the Markdown beside this file: `python benchmarks/samples/make_samples.py`.

A PDF with a text layer, a DOCX, and a PDF that holds nothing but scanned pages.
"""

import io
import random
import re
from collections.abc import Iterator
from pathlib import Path

import docx
import numpy as np
import pypdfium2 as pdfium
from docx.shared import Pt
from PIL import Image, ImageFilter
from reportlab.lib import colors
from reportlab.lib.enums import TA_JUSTIFY
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import cm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

SOURCES = Path(__file__).parent
TARGET = SOURCES.parent.parent / "docmill" / "samples"
SCAN_DPI = 150


def blocks(source: str) -> Iterator[tuple[str, str]]:
    """(kind, text) of each block: `h1` to `h3`, `p`, `li`, `ol`, `table`."""
    for block in re.split(r"\n\s*\n", (SOURCES / source).read_text("utf-8").strip()):
        lines = block.split("\n")
        if match := re.match(r"(#+) (.*)", block):
            yield f"h{len(match[1])}", match[2]
        elif block.startswith("|"):
            yield "table", block
        elif re.match(r"- |\d+\. ", block):
            for line in lines:
                yield ("li", line[2:]) if line.startswith("- ") else ("ol", line.split(". ", 1)[1])
        else:
            yield "p", " ".join(lines)


def table_rows(block: str) -> list[list[str]]:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.split("\n")]
    return [row for row in rows if set("".join(row)) - set("- ")]


def write_pdf(
    target: Path | io.BytesIO, source: str, title: str, footer: str, font: str = "Times", size: int = 11
) -> None:
    bold = f"{font}-Bold"
    body = ParagraphStyle("body", fontName=f"{font}-Roman" if font == "Times" else font, fontSize=size,
                          leading=size * 1.4, alignment=TA_JUSTIFY, spaceAfter=size * 0.7)  # fmt: skip
    styles = {
        f"h{level}": ParagraphStyle(f"h{level}", parent=body, fontName=bold, fontSize=size + grow, alignment=0,
                                    leading=(size + grow) * 1.25, spaceBefore=size, keepWithNext=1)
        for level, grow in ((1, 9), (2, 4), (3, 1))
    }  # fmt: skip
    item = ParagraphStyle("item", parent=body, leftIndent=size * 1.6, bulletIndent=size * 0.4, spaceAfter=size * 0.2)
    story = []
    for kind, text in blocks(source):
        markup = re.sub(r"\*(.+?)\*", r"<i>\1</i>", text)
        if kind in styles:
            story.append(Paragraph(markup, styles[kind]))
        elif kind == "li":
            story.append(Paragraph(markup, item, bulletText="•"))
        elif kind == "table":
            grid = Table(table_rows(text), hAlign="LEFT")
            grid.setStyle(TableStyle([("FONT", (0, 0), (-1, 0), bold), ("FONT", (0, 1), (-1, -1), body.fontName),
                                      ("GRID", (0, 0), (-1, -1), 0.5, colors.grey)]))  # fmt: skip
            story += [grid, Spacer(1, size)]
        else:
            story.append(Paragraph(markup, body))

    def furniture(canvas: Canvas, _document: object) -> None:
        canvas.setFont(body.fontName, 9)
        canvas.drawString(2.5 * cm, A4[1] - 1.4 * cm, title)
        canvas.drawRightString(A4[0] - 2.5 * cm, 1.3 * cm, f"{footer} · page {canvas.getPageNumber()}")

    document = SimpleDocTemplate(target if isinstance(target, io.BytesIO) else str(target), pagesize=A4, title=title,
                                 author="docmill", leftMargin=2.5 * cm, rightMargin=2.5 * cm, topMargin=2.2 * cm,
                                 bottomMargin=2.2 * cm, invariant=1)  # fmt: skip
    document.build(story, onFirstPage=furniture, onLaterPages=furniture)


def write_docx(target: Path, source: str) -> None:
    document = docx.Document()
    document.styles["Normal"].font.size = Pt(11)
    for kind, text in blocks(source):
        plain = text.replace("*", "")
        if kind == "h1":
            document.core_properties.title = plain
        if text.startswith(("3.", "5.")):
            document.add_page_break()
        if kind[0] == "h":
            document.add_heading(plain, int(kind[1]))
        elif kind in ("li", "ol"):
            document.add_paragraph(plain, style="List Bullet" if kind == "li" else "List Number")
        elif kind == "table":
            rows = table_rows(text)
            grid = document.add_table(len(rows), len(rows[0]), style="Table Grid")
            for row, cells in zip(grid.rows, rows, strict=True):
                for cell, value in zip(row.cells, cells, strict=True):
                    cell.text = value
        else:
            document.add_paragraph(plain)
    document.save(str(target))


def write_scan(target: Path, source: str, title: str) -> None:
    """Print, lay a little askew on the glass, scan in grey with some noise."""
    printed = io.BytesIO()
    write_pdf(printed, source, title, "Millbrook", size=11)
    noise = np.random.default_rng(7)
    tilt = random.Random(7)
    pages = []
    for page in pdfium.PdfDocument(printed.getvalue()):
        image = page.render(scale=SCAN_DPI / 72, grayscale=True).to_pil()
        image = image.rotate(tilt.uniform(-0.8, 0.8), Image.Resampling.BICUBIC, fillcolor=255)
        image = image.filter(ImageFilter.GaussianBlur(0.5))
        grey = np.asarray(image, np.float32) * 0.93 + 8 + noise.normal(0, 4, (image.height, image.width))
        pages.append(Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)))
    pages[0].save(target, save_all=True, append_images=pages[1:], resolution=SCAN_DPI, quality=45)


def main() -> None:
    TARGET.mkdir(exist_ok=True)
    write_pdf(
        TARGET / "ferry-handbook.pdf", "ferry-handbook.md", "Sandmere Island Ferry: Crew Handbook", "Edition 2024"
    )
    write_docx(TARGET / "fen-report.docx", "fen-report.md")
    write_scan(TARGET / "allotment-rules.pdf", "allotment-rules.md", "Millbrook Allotment Society")


if __name__ == "__main__":
    main()
