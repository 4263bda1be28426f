"""OCR by RapidOCR's models, driven so that a page costs less than half of what its own pipeline takes.

Lines are looked for in a small copy of the page, since finding them needs far fewer pixels than reading them; they are
read one at a time, which wastes no work on padding; and the direction is decided once for the page, from a few lines.
"""

import math
from statistics import median
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from docmill.pipeline.extract.layout.segments import Segment
from docmill.pipeline.extract.ocr.engine import Image, OcrOptions, OcrReading
from docmill.pipeline.extract.ocr.scripts import is_doubtful

_DETECT_SIDE = 1120
_DETECT_SIDE_SMALL_PRINT = 2000
_MIN_DETECT_SIDE = 368
_SMALL_PRINT = 11.0
_POOR = 0.95
_MIN_SCORE = 0.5
_MIN_SCORE_SHORT = 0.7
_DIRECTION_SAMPLES = 9
_READ_BOTH_WAYS = 4
_OTHER_SIZE = 1.12
_FONT = 0.8
"""The height of the font as part of the height of the models' boxes, which reach beyond the letters."""

Quads = NDArray[np.float32]
"""Boxes, shape (boxes, 4, 2): corners from the upper left clockwise, in pixels."""


class RapidEngine:
    """Detection, direction and recognition models, loaded once."""

    def __init__(self, options: OcrOptions) -> None:
        from rapidocr import RapidOCR  # loads for a second: not when only the class is looked at

        cv2.setNumThreads(options.threads)
        self._ocr: Any = RapidOCR(
            params={
                "EngineConfig.onnxruntime.intra_op_num_threads": options.threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                "Rec.rec_batch_num": 1,
                "Global.log_level": "error",
            }
        )

    def read(self, image: Image) -> OcrReading:
        """Small print, and pages that read badly, are looked at in full size too."""
        reading = self._read_at(image, _DETECT_SIDE)
        longest, height = max(image.shape[:2]), reading.line_height
        is_small = longest > _DETECT_SIDE and height * _DETECT_SIDE < _SMALL_PRINT * longest
        if reading.segments and not is_doubtful(reading) and (is_small or reading.confidence < _POOR):
            closer = self._read_at(image, _DETECT_SIDE_SMALL_PRINT)
            more = is_small and len(closer.segments) > len(reading.segments)
            if closer.confidence > reading.confidence or more:
                return closer
        return reading

    def _read_at(self, image: Image, side: int) -> OcrReading:
        """What is read of the lines found in a copy of at most `side` pixels."""
        quads = self._detect_at(image, side)
        if not len(quads):
            return OcrReading(engine="rapidocr")
        height = median(min(_sides(quad)) for quad in quads)
        turns = 0
        if _are_upended(quads):
            image, quads, turns = _turned(image, quads, 1)
        crops = [_crop(image, quad) for quad in quads]
        if self._is_upside_down(crops):
            image, quads, turns = *_turned(image, quads, 2)[:2], turns + 2
            crops = [np.ascontiguousarray(crop[::-1, ::-1]) for crop in crops]
        segments, score = self._recognise(crops, _straightened(quads))
        room = sum(max(_sides(quad)) for quad in quads) / height
        read = sum(character.isalnum() for segment in segments for character in segment.text)
        return OcrReading(segments, turns, "rapidocr", score, len(quads), height, read / room)

    def _detect_at(self, image: Image, side: int) -> Quads:
        scale = min(1.0, side / max(image.shape[:2]))
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image
        boxes = self._ocr._load_det_model()(_padded(np.asarray(small, np.uint8))).boxes
        if boxes is None:
            return np.empty((0, 4, 2), np.float32)
        return np.asarray(boxes, np.float32) / np.float32(scale)

    def _is_upside_down(self, crops: list[Image]) -> bool:
        """A vote of the widest lines. Unless it clearly says no, which is cheap and usual, those lines are read both
        ways and the direction that reads with more confidence wins: the vote alone errs on poor copies."""
        widest = sorted(crops, key=lambda crop: crop.shape[1] / crop.shape[0], reverse=True)[:_DIRECTION_SAMPLES]
        results = self._ocr._load_cls_model()(widest).cls_res
        turned = sum(score for label, score in results if "180" in label)
        upright = sum(score for label, score in results if "180" not in label)
        if turned < 0.2 * (turned + upright):
            return False
        some = widest[:_READ_BOTH_WAYS]
        as_they_are = sum(self._ocr.recognize_txt(some).scores)
        return bool(sum(self._ocr.recognize_txt([np.rot90(crop, 2) for crop in some]).scores) > as_they_are)

    def _recognise(self, crops: list[Image], quads: Quads) -> tuple[list[Segment], float]:
        result = self._ocr.recognize_txt(crops)
        lines = []
        letters = confidence = 0.0
        for text, score, quad in zip(result.txts, result.scores, quads, strict=True):
            text = text.strip()
            if not text or score < (_MIN_SCORE_SHORT if len(text) < 3 else _MIN_SCORE):
                continue
            lines.append((text, quad))
            letters += len(text)
            confidence += score * len(text)
        return _segments(lines), confidence / letters if letters else 0.0


def _padded(image: Image) -> Image:
    """A small image with room at its right and lower edges: the model enlarges what is less than 736 pixels wide or
    high, and breaks lines in pieces whose letters become huge."""
    height, width = (max(_MIN_DETECT_SIDE - side, 0) for side in image.shape[:2])
    if not height and not width:
        return image
    paper = [float(shade) for shade in np.median(image, axis=(0, 1))]
    return np.asarray(cv2.copyMakeBorder(image, 0, height, 0, width, cv2.BORDER_CONSTANT, value=paper), np.uint8)


def _segments(lines: list[tuple[str, NDArray[np.float32]]]) -> list[Segment]:
    """Lines as segments. Boxes grow and shrink with the letters in them, so a line counts as larger or smaller print
    only when both its height and the width of its letters say so."""
    measured = [(text, quad, *_sides(quad)) for text, quad in lines]
    usual = [line for line in measured if len(line[0]) >= 12] or measured
    if not usual:
        return []
    usual_height = median(height for _, _, _, height in usual)
    usual_letter = median(width / len(text) for text, _, width, _ in usual)
    segments = []
    for text, quad, width, height in measured:
        ratios = sorted((height / usual_height, width / len(text) / usual_letter))
        ratio = ratios[0] if ratios[0] > _OTHER_SIZE else ratios[1] if ratios[1] < 1 / _OTHER_SIZE else 1.0
        (x0, y0), (x1, y1) = quad.min(axis=0), quad.max(axis=0)
        middle, size = float(y0 + y1) / 2, _FONT * usual_height * ratio
        segments.append(Segment(text, float(x0), middle - size / 2, float(x1), middle + size / 2, size, ocr=True))
    return segments


def _sides(quad: NDArray[np.float32]) -> tuple[float, float]:
    """Width and height of a box."""
    return float(np.linalg.norm(quad[1] - quad[0])), float(np.linalg.norm(quad[3] - quad[0]))


def _are_upended(quads: Quads) -> bool:
    """Whether most of the long lines run upwards or downwards."""
    upended = level = 0.0
    for width, height in map(_sides, quads):
        if height > 1.8 * width:
            upended += height
        elif width > 1.8 * height:
            level += width
    return upended > level


def _turned(image: Image, quads: Quads, quarter_turns: int) -> tuple[Image, Quads, int]:
    """Image and boxes turned against the clock, corners again from the upper left."""
    for _ in range(quarter_turns):
        width = image.shape[1]
        image = np.ascontiguousarray(np.rot90(image))
        quads = np.stack([quads[:, :, 1], width - 1 - quads[:, :, 0]], axis=2)
        quads = np.roll(quads, -1, axis=1)
    return image, quads.astype(np.float32), quarter_turns


def _crop(image: Image, quad: NDArray[np.float32]) -> Image:
    """The box's part of the image, made level."""
    width, height = (max(round(side), 1) for side in _sides(quad))
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(quad, corners)
    crop = cv2.warpPerspective(image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    if height >= 1.5 * width:
        crop = np.rot90(crop)
    return np.ascontiguousarray(crop, np.uint8)


def _straightened(quads: Quads) -> Quads:
    """Boxes turned by the tilt that most lines share."""
    wide = [quad for quad in quads if _sides(quad)[0] > 4 * _sides(quad)[1]]
    if len(wide) < 3:
        return quads
    angle = median(math.atan2(float(quad[1, 1] - quad[0, 1]), float(quad[1, 0] - quad[0, 0])) for quad in wide)
    if abs(angle) < 0.001:
        return quads
    centre = quads.reshape(-1, 2).mean(axis=0)
    cos, sin = math.cos(-angle), math.sin(-angle)
    turn = np.array([[cos, sin], [-sin, cos]], np.float32)
    return np.asarray((quads - centre) @ turn + centre, np.float32)
