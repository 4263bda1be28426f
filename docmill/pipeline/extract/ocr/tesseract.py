"""OCR by the tesseract program, where it is installed: the engine that is chosen, or the one for scripts that
RapidOCR's models do not know."""

import csv
import io
import os
import re
import subprocess
from functools import cache

import cv2
import numpy as np

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.layout.bidi import reading_order
from docmill.pipeline.extract.layout.segments import Segment
from docmill.pipeline.extract.ocr.engine import Image, OcrOptions, OcrReading

_MIN_CONFIDENCE = 30.0
"""Percent below which a word is noise."""
_FONT = 0.9
"""The height of the font as part of the height of a line's box."""
_BETWEEN_UNSPACED = re.compile(
    r"(?<=[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]) (?=[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff])"
)
"""Blanks that tesseract puts between the letters of Thai, Lao, Burmese and Khmer, which have none between words."""
_ONE_THREAD = {"OMP_THREAD_LIMIT": "1"}
_ROTATE = re.compile(r"^Rotate: (\d+)$", re.MULTILINE)
_SURE = re.compile(r"^Orientation confidence: ([\d.]+)$", re.MULTILINE)
_SURE_OF_DIRECTION = 3.0
"""tesseract's measure of it, below which it is wrong as often as right."""
_SCRIPT = re.compile(r"^Script: (\w+)$", re.MULTILINE)


class TesseractEngine:
    """One run of `tesseract` an image, with its own page segmentation and turning."""

    def __init__(self, options: OcrOptions) -> None:
        self._languages = options.languages

    def read(self, image: Image) -> OcrReading:
        """The lines. Raises PermanentError `extractor_crashed` where the program is not installed."""
        return read_by_tesseract(image, self._languages, 1)


def read_by_tesseract(image: Image, languages: str, page_segmentation: int) -> OcrReading:
    """The lines in these languages (`rus+eng`); coordinates are those of the image as it came."""
    options = ("-l", languages, "--psm", str(page_segmentation), "tsv")
    words: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in csv.DictReader(io.StringIO(_run(image, *options)), delimiter="\t", quoting=csv.QUOTE_NONE):
        if row["level"] == "5" and row["text"].strip() and float(row["conf"]) >= _MIN_CONFIDENCE:
            words.setdefault((row["block_num"], row["par_num"], row["line_num"]), []).append(row)
    found = [word for line in words.values() for word in line]
    letters = sum(len(word["text"]) for word in found)
    confidence = sum(float(word["conf"]) * len(word["text"]) for word in found) / (100 * letters or 1)
    return OcrReading([_segment(line) for line in words.values()], 0, "tesseract", confidence)


def direction_and_script(image: Image) -> tuple[int, str]:
    """By how many quarter turns against the clock the image is to be turned to stand upright, and its script
    ("Cyrillic"); (0, "") where that cannot be told."""
    try:
        told = _run(image, "--psm", "0")
    except (PermanentError, subprocess.CalledProcessError):
        return 0, ""
    rotate, sure, script = _ROTATE.search(told), _SURE.search(told), _SCRIPT.search(told)
    is_sure = sure is not None and float(sure[1]) >= _SURE_OF_DIRECTION
    return (-int(rotate[1]) // 90) % 4 if rotate and is_sure else 0, script[1] if script else ""


@cache
def installed_languages() -> frozenset[str]:
    """The languages that tesseract has data for; none where it is not installed."""
    try:
        run = subprocess.run(["tesseract", "--list-langs"], capture_output=True, check=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return frozenset()
    return frozenset(run.stdout.splitlines()[1:])


def _run(image: Image, *options: str) -> str:
    encoded = cv2.imencode(".png", np.ascontiguousarray(image))[1].tobytes()
    try:
        run = subprocess.run(
            ["tesseract", "-", "-", "--dpi", "200", *options],
            input=encoded, capture_output=True, check=True, env=os.environ | _ONE_THREAD,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise PermanentError("extractor_crashed", "tesseract is chosen for OCR but is not installed.") from error
    except PermissionError as error:
        raise PermanentError("extractor_crashed", "The sandbox starts no program, so not tesseract either.") from error
    return run.stdout.decode()


def _segment(words: list[dict[str, str]]) -> Segment:
    left = [int(word["left"]) for word in words]
    top = [int(word["top"]) for word in words]
    right = [int(word["left"]) + int(word["width"]) for word in words]
    bottom = [int(word["top"]) + int(word["height"]) for word in words]
    from_left = sorted(words, key=lambda word: int(word["left"]))
    text = " ".join(reading_order([word["text"] for word in from_left], [word["text"] for word in from_left]))
    text = _BETWEEN_UNSPACED.sub("", text)
    height = max(bottom) - min(top)
    return Segment(text, min(left), min(top), max(right), max(bottom), height * _FONT, ocr=True)
