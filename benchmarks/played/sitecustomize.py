"""OCR that takes a second a page and no processor, for `benchmarks.spreading`: what sixteen processors would do
cannot be seen on two.

Python imports a module of this name by itself in every process whose PYTHONPATH begins with this folder.
"""

import sys
import time
from importlib import import_module

SECONDS = 1.0


class PlayedEngine:
    """Waits, and finds one line."""

    def __init__(self, options):  # type: ignore[no-untyped-def]
        pass

    def read(self, image):  # type: ignore[no-untyped-def]
        from docmill.pipeline.extract.layout.segments import Segment
        from docmill.pipeline.extract.ocr.engine import OcrReading

        time.sleep(SECONDS)
        darkness = 255 * image.size - int(image.sum())
        height, width, _ = image.shape
        text = f"This page holds {darkness} parts of ink."
        line = Segment(text, 0.1 * width, 0.1 * height, 0.8 * width, 0.13 * height, 0.03 * height, ocr=True)
        return OcrReading([line], 0, "played", 1.0)


if "docmill.pipeline.extract.sandbox.zygote" in sys.orig_argv:
    import_module("docmill.pipeline.extract.ocr.recognition").ENGINES["rapidocr"] = (__name__, "PlayedEngine")
