"""Pages in scripts that RapidOCR's models do not know: noticed, and read by tesseract where it has their data.

Those models know Latin, Greek, Chinese and Japanese letters. Of other scripts they read little, or look-alikes without
confidence; that is how such a page is noticed.
"""

import re
from dataclasses import dataclass

import numpy as np

from docmill.pipeline.extract.ocr.engine import Image, OcrReading
from docmill.pipeline.extract.ocr.tesseract import direction_and_script, installed_languages, read_by_tesseract

_LETTERS = {
    "Cyrillic": "\u0400-\u052f",
    "Arabic": "\u0600-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufeff",
    "Hebrew": "\u0590-\u05ff\ufb1d-\ufb4f",
    "Devanagari": "\u0900-\u097f",
    "Bengali": "\u0980-\u09ff",
    "Gurmukhi": "\u0a00-\u0a7f",
    "Gujarati": "\u0a80-\u0aff",
    "Tamil": "\u0b80-\u0bff",
    "Telugu": "\u0c00-\u0c7f",
    "Kannada": "\u0c80-\u0cff",
    "Malayalam": "\u0d00-\u0d7f",
    "Sinhala": "\u0d80-\u0dff",
    "Thai": "\u0e00-\u0e7f",
    "Lao": "\u0e80-\u0eff",
    "Myanmar": "\u1000-\u109f",
    "Georgian": "\u10a0-\u10ff",
    "Armenian": "\u0530-\u058f",
    "Ethiopic": "\u1200-\u137f",
    "Khmer": "\u1780-\u17ff",
    "Hangul": "\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3",
    "Greek": "\u0370-\u03ff\u1f00-\u1fff",
}
_LANGUAGES = {
    "Cyrillic": "rus ukr bel bul srp mkd kaz kir tgk mon uzb_cyrl aze_cyrl",
    "Arabic": "ara fas urd pus uig snd",
    "Hebrew": "heb yid",
    "Devanagari": "hin mar nep san",
    "Bengali": "ben asm",
    "Gurmukhi": "pan",
    "Gujarati": "guj",
    "Tamil": "tam",
    "Telugu": "tel",
    "Kannada": "kan",
    "Malayalam": "mal",
    "Sinhala": "sin",
    "Thai": "tha",
    "Lao": "lao",
    "Myanmar": "mya",
    "Georgian": "kat",
    "Armenian": "hye",
    "Ethiopic": "amh tir",
    "Khmer": "khm",
    "Hangul": "kor",
    "Greek": "ell",
}
"""tesseract's names of scripts, and of the languages that are written in them."""


@dataclass(frozen=True, slots=True)
class ScriptTolerances:
    """When a reading says that the models do not know the letters."""

    doubtful_coverage: float = 0.6
    """Letters read for each height of a line along its width: Latin print has two, Chinese 0.8, a page of Russian or
    Thai 0.2. Below it another engine is asked."""
    doubtful_confidence: float = 0.88
    """The models' confidence below which another engine is asked; poor copies of Latin print have 0.9."""
    hopeless_coverage: float = 0.15
    """Coverage below which nothing of the reading is believed."""
    hopeless_confidence: float = 0.7
    """Confidence below which nothing of the reading is believed."""
    min_lines: int = 2
    """Lines on the image; one alone may be a signature or a logo."""
    min_letters: int = 12
    """Letters that tesseract reads on the sample at least."""
    likely: float = 0.5
    """tesseract's confidence in the sample from which the page is read in that language."""
    believed: float = 0.65
    """tesseract's confidence in the page from which its reading is taken, where it is the surer of the two."""
    certain: float = 0.88
    """tesseract's confidence from which no other language is tried."""
    own_letters: float = 0.6
    """Share of the letters that belong to the language's script."""
    sample_lines: float = 12.0
    """Heights of lines that the sample of the image is high."""


_TOLERANCES = ScriptTolerances()


def is_doubtful(reading: OcrReading) -> bool:
    """Whether the reading may be that of a script the models do not know."""
    return reading.lines_seen >= _TOLERANCES.min_lines and (
        reading.coverage < _TOLERANCES.doubtful_coverage or reading.confidence < _TOLERANCES.doubtful_confidence
    )


def read_other_script(image: Image, reading: OcrReading) -> OcrReading:
    """The page read by tesseract, where one of its languages fits; else the reading as it is, or, where nothing of it
    is to be believed, none with `unknown_script`."""
    turns, script = direction_and_script(image) if installed_languages() else (0, "")
    upright = np.ascontiguousarray(np.rot90(image, turns))
    language = _best_language(_sample(upright, reading), script)
    if language:
        latin = "+eng" if "eng" in installed_languages() else ""
        found = read_by_tesseract(upright, language + latin, 3)
        surety = reading.confidence * min(reading.coverage, 1.0)
        if found.confidence > max(_TOLERANCES.believed, surety):
            found.turns = turns
            return found
    hopeless = reading.coverage < _TOLERANCES.hopeless_coverage or reading.confidence < _TOLERANCES.hopeless_confidence
    return OcrReading(engine=reading.engine, unknown_script=True) if hopeless else reading


def _best_language(sample: Image, likely: str) -> str:
    """The installed language in whose letters the sample reads best, "" for none; of the likely script first."""
    best, best_confidence = "", _TOLERANCES.likely
    for script in sorted(_LANGUAGES, key=lambda script: script != likely):
        languages = [name for name in _LANGUAGES[script].split() if name in installed_languages()]
        if not languages:
            continue
        found = read_by_tesseract(sample, languages[0], 6)
        text = "".join(segment.text for segment in found.segments)
        own, letters = len(re.findall(f"[{_LETTERS[script]}]", text)), sum(map(str.isalpha, text))
        if own < max(_TOLERANCES.min_letters, _TOLERANCES.own_letters * letters):
            continue
        if found.confidence > best_confidence:
            best, best_confidence = languages[0], found.confidence
            if script == likely or best_confidence >= _TOLERANCES.certain:
                break
    return best


def _sample(image: Image, reading: OcrReading) -> Image:
    """A strip across the image's middle text, a few lines high."""
    dark = np.flatnonzero((image[:, :, 1] < 128).sum(axis=1) > 2)
    if not len(dark):
        return image
    middle, half = int(np.median(dark)), int(_TOLERANCES.sample_lines / 2 * max(reading.line_height, 16.0))
    return np.ascontiguousarray(image[max(middle - half, 0) : middle + half])
