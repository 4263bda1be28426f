"""Reading page images by the engine that the settings choose. Models are loaded when the first image comes."""

from importlib import import_module

import cv2
import numpy as np

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.ocr.engine import Image, OcrEngine, OcrOptions, OcrReading
from docmill.pipeline.extract.ocr.scripts import is_doubtful, read_other_script

ENGINES = {
    "rapidocr": ("docmill.pipeline.extract.ocr.rapid", "RapidEngine"),
    "tesseract": ("docmill.pipeline.extract.ocr.tesseract", "TesseractEngine"),
}
"""The setting DOCMILL_OCR, and the module and class of the engine: imported when it is needed, for its weight."""


class _Recognition:
    """The options of this process, and its engines once they are loaded."""

    def __init__(self) -> None:
        self.options = OcrOptions()
        self.is_warm = False
        self._loaded: dict[str, OcrEngine] = {}

    def use(self, options: OcrOptions) -> None:
        self.options = options
        self._loaded.clear()

    @property
    def has_engine(self) -> bool:
        return bool(self._loaded)

    def engine(self, name: str) -> OcrEngine:
        if name not in ENGINES:
            raise PermanentError("extractor_crashed", f"DOCMILL_OCR must be one of {', '.join(ENGINES)}, not {name!r}.")
        if name not in self._loaded:
            module, made = ENGINES[name]
            self._loaded[name] = getattr(import_module(module), made)(self.options)
        return self._loaded[name]


_recognition = _Recognition()
use = _recognition.use
"""(options): read with these from now on, in this process. A process that says nothing has the defaults."""


def is_loaded() -> bool:
    """Whether an engine was needed in this process, or had been when it was forked."""
    return _recognition.has_engine


def warm_up() -> None:
    """Have the models of the chosen engine loaded, so that forks of this process have them too; once a process."""
    if _recognition.options.engine == "rapidocr" and not _recognition.is_warm:
        _recognition.is_warm = True
        image = np.full((120, 480, 3), 255, np.uint8)
        cv2.putText(image, "docmill", (20, 80), cv2.FONT_HERSHEY_SIMPLEX, 2, (0, 0, 0), 3)
        read_image(image)


def read_image(image: Image, points_per_pixel: float = 1.0) -> OcrReading:
    """The lines of text in `image`, in points. Raises PermanentError `extractor_crashed` where the engine is not
    there."""
    reading = _recognition.engine(_recognition.options.engine).read(image)
    if is_doubtful(reading):
        reading = read_other_script(image, reading)
    for segment in reading.segments:
        segment.x0, segment.x1 = segment.x0 * points_per_pixel, segment.x1 * points_per_pixel
        segment.y0, segment.y1 = segment.y0 * points_per_pixel, segment.y1 * points_per_pixel
        segment.size *= points_per_pixel
    return reading
