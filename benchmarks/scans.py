"""Scans made of printed pages: rendered, tilted, blurred, made noisy, turned, and saved as image-only PDFs.

Each scan's truth is the text that was printed, so character errors are exact.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium
from PIL import Image, ImageFilter


@dataclass(frozen=True, slots=True)
class Scan:
    """How a page is scanned: dots an inch, tilt in degrees, quarter turns, blur radius, noise (grey levels, standard
    deviation), the grey of ink and paper, and JPEG quality."""

    name: str
    dpi: int = 200
    tilt: float = 0.0
    turns: int = 0
    blur: float = 0.0
    noise: float = 0.0
    ink: int = 0
    paper: int = 255
    quality: int = 85

    @property
    def is_clean(self) -> bool:
        return self.noise == 0 and self.blur == 0 and self.turns == 0


SCANS = (
    Scan("clean 150 dpi", dpi=150),
    Scan("clean 200 dpi"),
    Scan("clean 300 dpi", dpi=300),
    Scan("clean 600 dpi", dpi=600),
    Scan("tilted 1.5°", tilt=1.5, quality=60),
    Scan("noisy", noise=18, blur=0.6, quality=60),
    Scan("pale and grey", ink=90, paper=205, noise=6, quality=60),
    Scan("150 dpi, tilted, noisy", dpi=150, tilt=-1.0, noise=10, blur=0.5, quality=50),
    Scan("poor copy, 150 dpi", dpi=150, noise=35, blur=1.2, ink=70, paper=210, tilt=0.8, quality=40),
    Scan("turned by 90°", turns=1, noise=4),
    Scan("turned by 270°", turns=3, noise=4),
    Scan("upside down", turns=2, noise=4, tilt=0.5),
)


def scan_page(printed: pdfium.PdfPage, scan: Scan, seed: int = 0) -> Image.Image:
    """The page as the scanner sees it, grey."""
    image = printed.render(scale=scan.dpi / 72, grayscale=True).to_pil()
    if scan.tilt:
        image = image.rotate(scan.tilt, Image.Resampling.BICUBIC, fillcolor=255)
    if scan.blur:
        image = image.filter(ImageFilter.GaussianBlur(scan.blur * scan.dpi / 200))
    grey = scan.ink + np.asarray(image, np.float32) / 255 * (scan.paper - scan.ink)
    if scan.noise:
        grey += np.random.default_rng(seed).normal(0, scan.noise, grey.shape)
    image = Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8))
    return image.rotate(90 * scan.turns, expand=True)


def write_scanned_pdf(printed: bytes, scan: Scan, target: Path) -> None:
    """A PDF with one image a page and no text layer."""
    pages = [scan_page(page, scan, seed) for seed, page in enumerate(pdfium.PdfDocument(printed))]
    stream = io.BytesIO()
    pages[0].save(stream, "PDF", save_all=True, append_images=pages[1:], resolution=scan.dpi, quality=scan.quality)
    target.write_bytes(stream.getvalue())
