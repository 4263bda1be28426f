"""Reading text off page images: the page is turned upright, its lines found and read one by one.

The engine is RapidOCR (PP-OCR models inside the wheel, on onnxruntime) unless DOCMILL_OCR says `tesseract`, which then
reads the languages of DOCMILL_OCR_LANGUAGES (`eng+deu`; `eng` by default). DOCMILL_OCR_THREADS (1) are RapidOCR's
threads. Models are loaded when the first image comes, once a process.
"""

import os
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from docmill.pipeline.extract.layout.segments import Segment

Image = NDArray[np.uint8]
"""A page image, shape (height, width, 3), BGR."""


class OcrEngine(Protocol):
    """What reads page images."""

    def read(self, image: Image) -> tuple[list[Segment], int]:
        """The lines of text, and by how many quarter turns against the clock the image was turned to read them.

        Coordinates are pixels of the turned image, straightened when it was tilted.
        """
        ...


def read_image(image: Image, points_per_pixel: float = 1.0) -> tuple[list[Segment], int]:
    """The lines of text in `image`, in points, and the quarter turns (against the clock) that set it upright."""
    segments, turns = _engine().read(image)
    for segment in segments:
        segment.x0, segment.x1 = segment.x0 * points_per_pixel, segment.x1 * points_per_pixel
        segment.y0, segment.y1 = segment.y0 * points_per_pixel, segment.y1 * points_per_pixel
        segment.size *= points_per_pixel
    return segments, turns


@cache
def _engine() -> OcrEngine:
    threads = int(os.environ.get("DOCMILL_OCR_THREADS", "1"))
    if os.environ.get("DOCMILL_OCR") == "tesseract":
        from docmill.pipeline.extract.ocr.tesseract import TesseractEngine

        return TesseractEngine()
    from docmill.pipeline.extract.ocr.rapid import RapidEngine

    return RapidEngine(threads)
