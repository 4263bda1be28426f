"""What an OCR engine is: a page image in, lines of text out."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from docmill.pipeline.extract.layout.segments import Segment

Image = NDArray[np.uint8]
"""A page image, shape (height, width, 3), BGR."""


@dataclass(frozen=True, slots=True)
class OcrOptions:
    """The settings DOCMILL_OCR, DOCMILL_OCR_THREADS and DOCMILL_OCR_LANGUAGES: which engine reads, with how many
    threads, and the languages that tesseract reads (`eng+deu`, as its option `-l`)."""

    engine: str = "rapidocr"
    threads: int = 1
    languages: str = "eng"


@dataclass(slots=True)
class OcrReading:
    """What was read off an image.

    `turns` are the quarter turns against the clock that set the image upright; coordinates of the segments are pixels
    of the turned image, straightened when it was tilted. `confidence` is the engine's, 0 to 1, the mean over letters.
    `lines_seen` were found, read or not; `line_height` is their usual height in pixels, and `coverage` how many letters
    and figures were read for each such height along them. `unknown_script`: the letters are none that the engines at
    hand know, and what they made of them was dropped.
    """

    segments: list[Segment] = field(default_factory=list)
    turns: int = 0
    engine: str = ""
    confidence: float = 0.0
    lines_seen: int = 0
    line_height: float = 0.0
    coverage: float = 1.0
    unknown_script: bool = False


class OcrEngine(Protocol):
    """What reads page images. Made once a process, with the options."""

    def read(self, image: Image) -> OcrReading: ...
