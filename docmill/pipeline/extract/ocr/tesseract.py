"""OCR by the tesseract program, where it is installed and chosen."""

import csv
import io
import subprocess

import cv2

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.layout.segments import Segment
from docmill.pipeline.extract.ocr.engine import Image, OcrOptions, OcrReading

_MIN_CONFIDENCE = 30.0


class TesseractEngine:
    """One run of `tesseract` an image, with its own page segmentation and turning."""

    def __init__(self, options: OcrOptions) -> None:
        self._languages = options.languages

    def read(self, image: Image) -> OcrReading:
        """The lines; their coordinates are those of the image as it came. Raises PermanentError `extractor_crashed`
        where the program is not installed."""
        encoded = cv2.imencode(".png", image)[1].tobytes()
        try:
            run = subprocess.run(
                ["tesseract", "-", "-", "-l", self._languages, "--psm", "1", "tsv"],
                input=encoded,
                capture_output=True,
                check=True,
            )
        except FileNotFoundError as error:
            raise PermanentError("extractor_crashed", "tesseract is chosen for OCR but is not installed.") from error
        words: dict[tuple[str, ...], list[dict[str, str]]] = {}
        for row in csv.DictReader(io.StringIO(run.stdout.decode()), delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["level"] == "5" and row["text"].strip() and float(row["conf"]) >= _MIN_CONFIDENCE:
                words.setdefault((row["block_num"], row["par_num"], row["line_num"]), []).append(row)
        found = [word for line in words.values() for word in line]
        letters = sum(len(word["text"]) for word in found)
        confidence = sum(float(word["conf"]) * len(word["text"]) for word in found) / (100 * letters or 1)
        return OcrReading([_segment(line) for line in words.values()], 0, "tesseract", confidence)


def _segment(words: list[dict[str, str]]) -> Segment:
    left = [int(word["left"]) for word in words]
    top = [int(word["top"]) for word in words]
    right = [int(word["left"]) + int(word["width"]) for word in words]
    bottom = [int(word["top"]) + int(word["height"]) for word in words]
    text = " ".join(word["text"] for word in words)
    height = max(bottom) - min(top)
    return Segment(text, min(left), min(top), max(right), max(bottom), height * 0.9, ocr=True)
