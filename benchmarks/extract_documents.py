"""Documents made from known text, so that what extraction should give is exact.

Each document's truth is its author's text in reading order, without running headers, footers and page numbers.
"""

import io
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import docx
import numpy as np
import pypdfium2 as pdfium
from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from benchmarks.scans import SCANS, Scan, scan_page, write_scanned_pdf

HERE = Path(__file__).parent
TEXTS = [*sorted((HERE / "samples").glob("*.md")), *sorted((HERE / "corpus").glob("*.md"))]
WIDTH, HEIGHT = A4
DEJAVU = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")
HEBREW = (
    "הספרייה העירונית פתוחה בכל יום בין השעות תשע לשבע",
    "אפשר להשאיל עד שישה ספרים למשך שלושה שבועות",
    "מי שמאחר בהחזרה משלם קנס קטן בעמדה שליד הכניסה",
    "בימי שישי מתקיימת שעת סיפור לילדים באולם העליון",
)


@dataclass(frozen=True, slots=True)
class Document:
    """A file, the text it should give, the rows of its tables, and the group it is reported in."""

    group: str
    path: Path
    truth: str
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a text: `kind` is h1 to h3, p, li or table (then `rows` holds the cells)."""

    kind: str
    text: str
    rows: tuple[tuple[str, ...], ...] = ()


def read_blocks(path: Path) -> list[Block]:
    """A Markdown text as blocks."""
    blocks = []
    for part in re.split(r"\n\s*\n", path.read_text("utf-8").strip()):
        text = part.replace("*", "")
        if match := re.match(r"(#+) (.*)", text):
            blocks.append(Block(f"h{len(match[1])}", match[2]))
        elif text.startswith("|"):
            cells = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in text.split("\n")]
            rows = tuple(row for row in cells if set("".join(row)) - set("- "))
            blocks.append(Block("table", "\n".join(" ".join(row) for row in rows), rows))
        elif re.match(r"- |\d+\. ", text):
            blocks += [Block("li", re.sub(r"^(- |\d+\. )", "", line)) for line in text.split("\n")]
        else:
            blocks.append(Block("p", " ".join(text.split("\n"))))
    return blocks


def truth_of(blocks: list[Block]) -> str:
    return "\n\n".join(block.text for block in blocks)


def rows_of(blocks: list[Block]) -> tuple[tuple[str, ...], ...]:
    return tuple(row for block in blocks for row in block.rows)


def _hyphenated(word: str) -> Iterator[tuple[str, str]]:
    """Ways to break a word, the latest first: between a consonant and a consonant with its vowel."""
    for place in range(len(word) - 3, 2, -1):
        before, after = word[place - 1 : place + 1]
        if word.isalpha() and before.islower() and after in "bcdfghklmnprstvwz" and word[place + 1] in "aeiouäöü":
            yield word[:place], word[place:]


def set_lines(text: str, font: str, size: float, width: float, hyphenate: bool) -> list[tuple[str, bool]]:
    """Lines that fit, and whether each is the paragraph's last."""
    lines, current = [], ""
    words = text.split(" ")
    while words:
        word = words.pop(0)
        trial = f"{current} {word}".strip()
        if pdfmetrics.stringWidth(trial, font, size) <= width:
            current = trial
            continue
        for head, tail in _hyphenated(word) if hyphenate else ():
            if pdfmetrics.stringWidth(f"{current} {head}-", font, size) <= width:
                current, word = f"{current} {head}-", tail
                break
        lines.append((current, False))
        current = word
    return [*lines, (current, True)]


class Press:
    """Sets blocks in one or two columns on numbered pages with a running header, and writes a PDF."""

    def __init__(self, header: str, columns: int = 1, hyphenate: bool = True, by_rows: bool = False,
                 font: str = "Times-Roman", bold: str = "Times-Bold", size: float = 10.5) -> None:  # fmt: skip
        self.stream = io.BytesIO()
        self.canvas = Canvas(self.stream, pagesize=A4, invariant=1)
        self.header, self.columns, self.hyphenate, self.by_rows = header, columns, hyphenate, by_rows
        self.font, self.bold, self.size = font, bold, size
        self.margin, self.gutter = 64.0, 22.0
        self.column_width = (WIDTH - 2 * self.margin - (columns - 1) * self.gutter) / columns
        self.top = HEIGHT - 80
        self.drawn: list[tuple[float, float, Callable[[], None]]] = []
        self.page, self.column, self.y = 1, 0, self.top

    @property
    def x(self) -> float:
        return self.margin + self.column * (self.column_width + self.gutter)

    def room(self, height: float) -> None:
        if self.y - height < 70:
            self.column, self.y = self.column + 1, self.top
            if self.column == self.columns:
                self.finish_page()

    def finish_page(self) -> None:
        # A program that writes row by row across the columns is the hard case for reading order.
        order = sorted(self.drawn, key=lambda item: (-item[0], item[1])) if self.by_rows else self.drawn
        for _, _, draw in order:
            draw()
        self.drawn = []
        self.canvas.setFont(self.font, 8)
        self.canvas.drawString(self.margin, HEIGHT - 40, self.header)
        self.canvas.drawCentredString(WIDTH / 2, 36, str(self.page))
        self.canvas.showPage()
        self.page, self.column, self.y, self.top = self.page + 1, 0, HEIGHT - 80, HEIGHT - 80

    def draw(self, x: float, y: float, text: str, font: str, size: float, spread: float = 0.0) -> None:
        def later() -> None:
            line = self.canvas.beginText(x, y)
            line.setFont(font, size)
            line.setWordSpace(spread)
            line.textOut(text)
            self.canvas.drawText(line)

        self.drawn.append((y, x, later))

    def paragraph(self, text: str, font: str, size: float, width: float, indent: float = 0.0) -> None:
        justified = font == self.font
        for line, is_last in set_lines(text, font, size, width - indent, self.hyphenate and justified):
            self.room(size * 1.3)
            gap = width - indent - pdfmetrics.stringWidth(line, font, size)
            spread = gap / line.count(" ") if justified and not is_last and " " in line else 0.0
            self.draw(self.x + indent, self.y, line, font, size, spread)
            self.y -= size * 1.3
        self.y -= size * 0.6

    def block(self, block: Block, ruled: bool = True) -> None:
        if block.kind == "h1":
            width = WIDTH - 2 * self.margin
            self.paragraph(block.text, self.bold, 18, width)
            self.y -= 6
            self.top = self.y if self.columns > 1 and self.page == 1 else self.top
        elif block.kind.startswith("h"):
            self.room(60)
            self.y -= 5
            self.paragraph(block.text, self.bold, 13 if block.kind == "h2" else 11.5, self.column_width)
        elif block.kind == "li":
            self.room(self.size * 1.3)
            self.draw(self.x + 4, self.y, "•", self.font, self.size)
            self.paragraph(block.text, self.font, self.size, self.column_width, 16)
        elif block.kind == "table":
            self.table(block, ruled)
        else:
            self.paragraph(block.text, self.font, self.size, self.column_width)

    def table(self, block: Block, ruled: bool) -> None:
        size, height = self.size - 1, self.size * 1.7
        if self.columns > 1:
            return
        self.room(height * (len(block.rows) + 1))
        count = len(block.rows[0])
        widths = [max(pdfmetrics.stringWidth(row[i], self.bold, size) for row in block.rows) + 14 for i in range(count)]
        left, top = self.x, self.y + size
        for number, row in enumerate(block.rows):
            x = left
            for cell, width in zip(row, widths, strict=True):
                self.draw(x + 6, self.y, cell, self.bold if number == 0 else self.font, size)
                x += width
            self.y -= height
        if ruled:

            def lines(top: float = top, bottom: float = self.y + size) -> None:
                for row in range(len(block.rows) + 1):
                    self.canvas.line(left, top - row * height + 3, left + sum(widths), top - row * height + 3)
                for column in range(count + 1):
                    self.canvas.line(left + sum(widths[:column]), top + 3, left + sum(widths[:column]), bottom + 3)

            self.drawn.append((self.y, left, lines))
        self.y -= 8

    def save(self, path: Path) -> None:
        if self.drawn:
            self.finish_page()
        self.canvas.save()
        path.write_bytes(self.stream.getvalue())


def _pressed(path: Path, blocks: list[Block], ruled: bool = True, **how: object) -> None:
    press = Press(f"{path.stem.split()[0]} · printed copy", **how)  # type: ignore[arg-type]
    for block in blocks:
        press.block(block, ruled)
    press.save(path)


def make_pdfs(target: Path) -> Iterator[Document]:
    """Digital PDFs: plain, two columns (written column by column, and row by row), tables, mixed pages, Hebrew."""
    texts = {source.stem: read_blocks(source) for source in TEXTS if source.parent.name == "samples"}
    texts["languages"] = [block for source in TEXTS if source.parent.name == "corpus" for block in read_blocks(source)]
    for stem, blocks in texts.items():
        prose = [block for block in blocks if block.kind != "table"]
        for name, how in (
            ("plain", {}),
            ("plain sans", {"font": "Helvetica", "bold": "Helvetica-Bold", "hyphenate": False}),
        ):
            path = target / f"{stem} {name}.pdf"
            _pressed(path, prose, **how)
            yield Document("plain", path, truth_of(prose))
        for name, by_rows in (("two columns", False), ("two columns by rows", True)):
            path = target / f"{stem} {name}.pdf"
            _pressed(path, prose, columns=2, by_rows=by_rows, size=9.5)
            yield Document("two columns", path, truth_of(prose))
        if any(block.kind == "table" for block in blocks):
            for name, ruled in (("ruled table", True), ("open table", False)):
                path = target / f"{stem} {name}.pdf"
                tabular = _repeated_table(blocks)
                _pressed(path, tabular, ruled=ruled)
                yield Document("tables", path, truth_of(tabular), rows_of(tabular))
    yield _mixed(target)
    if DEJAVU.exists():
        yield _hebrew(target)


def _repeated_table(blocks: list[Block]) -> list[Block]:
    """The text with its table after every third paragraph, so that tables make up much of it."""
    grid = next(block for block in blocks if block.kind == "table")
    mixed: list[Block] = []
    for number, block in enumerate(block for block in blocks if block.kind != "table"):
        mixed += [block, grid] if number % 3 == 2 and block.kind == "p" else [block]
    return mixed


def _mixed(target: Path) -> Document:
    """Typed text above and below a pasted scan of half a page."""
    above, inside, below = (read_blocks(source)[1:3] for source in TEXTS[:3])
    inside = [block for block in inside if block.kind == "p"][:1]
    printed = io.BytesIO()
    canvas = Canvas(printed, pagesize=(460, 170))
    y = 150.0
    for line, _ in set_lines(inside[0].text, "Helvetica", 11, 430, False):
        canvas.setFont("Helvetica", 11)
        canvas.drawString(12, y, line)
        y -= 15
    canvas.save()
    picture = scan_page(pdfium.PdfDocument(printed.getvalue())[0], Scan("pasted", noise=5, paper=245))
    press = Press("Mixed page")
    for block in above:
        press.block(block)
    y = press.y - 175
    press.drawn.append((y, 0, lambda: press.canvas.drawImage(ImageReader(picture.convert("RGB")), 64, y, 460, 170)))
    press.y = y - 20
    for block in below:
        press.block(block)
    press.save(target / "mixed page.pdf")
    return Document("mixed", target / "mixed page.pdf", truth_of([*above, *inside, *below]))


def _hebrew(target: Path) -> Document:
    """Right-to-left lines, drawn from their visual left as programs without shaping do."""
    pdfmetrics.registerFont(TTFont("DejaVuSans", str(DEJAVU)))
    canvas = Canvas(str(target / "hebrew.pdf"), pagesize=A4)
    for number, line in enumerate(HEBREW):
        canvas.setFont("DejaVuSans", 12)
        canvas.drawRightString(WIDTH - 64, HEIGHT - 90 - 18 * number, line[::-1])
    canvas.save()
    return Document("right to left", target / "hebrew.pdf", " ".join(HEBREW))


def make_docx(target: Path) -> Iterator[Document]:
    """DOCX with headings, numbered and bulleted lists, and tables."""
    for source in TEXTS:
        blocks = read_blocks(source)
        document = docx.Document()
        for block in blocks:
            if block.kind[0] == "h":
                document.add_heading(block.text, int(block.kind[1]))
            elif block.kind == "table":
                grid = document.add_table(len(block.rows), len(block.rows[0]))
                for row, cells in zip(grid.rows, block.rows, strict=True):
                    for cell, text in zip(row.cells, cells, strict=True):
                        cell.text = text
            else:
                document.add_paragraph(block.text, style="List Bullet" if block.kind == "li" else None)
        path = target / f"{source.stem}.docx"
        document.save(str(path))
        yield Document("docx", path, truth_of(blocks), rows_of(blocks))


def make_scans(target: Path, texts: int) -> Iterator[tuple[Scan, Document]]:
    """Every way of scanning, for the first page of each of `texts` texts."""
    picked = [source for source in TEXTS if source.parent.name == "corpus"][:texts]
    picked += [source for source in TEXTS if source.parent.name == "samples"][: max(texts - len(picked), 0)]
    for source in picked:
        blocks = [block for block in read_blocks(source) if block.kind != "table"][:9]
        press = Press("", hyphenate=False, size=random.Random(source.stem).choice((9.5, 10.5, 11.5)))
        for block in blocks:
            press.block(block)
        printed = target / f"{source.stem} printed.pdf"
        press.save(printed)
        for scan in SCANS:
            path = target / f"{source.stem} {scan.name}.pdf"
            write_scanned_pdf(printed.read_bytes(), scan, path)
            yield scan, Document("scan", path, truth_of(blocks))


def given_documents(folder: Path) -> Iterator[Document]:
    """Documents of somebody else's: each file with its truth beside it as NAME.txt."""
    for path in sorted(folder.iterdir()):
        truth = path.with_suffix(".txt")
        if path.suffix.lower() in (".pdf", ".docx") and truth.exists():
            yield Document(f"given {path.suffix[1:].lower()}", path, truth.read_text("utf-8"))


def rendered(path: Path, dpi: int = 200) -> list[np.ndarray]:
    """The pages as images for engines that take images, BGR."""
    pages = []
    for page in pdfium.PdfDocument(path):
        image = page.render(scale=dpi / 72).to_pil().convert("RGB")
        pages.append(np.ascontiguousarray(np.asarray(image)[:, :, ::-1]))
    return pages


def as_png(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image[:, :, ::-1]).save(stream, "PNG")
    return stream.getvalue()
