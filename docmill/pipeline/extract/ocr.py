"""Reading text off page images with RapidOCR (PP-OCR models on onnxruntime), on one thread."""

import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rapidocr import RapidOCR

Image = NDArray[np.uint8]
"""A page image, shape (height, width, 3), BGR."""


@dataclass(frozen=True, slots=True)
class OcrLine:
    """A line of text found in an image. The box is in pixels of the upright image, y downwards."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    score: float


def read_image(image: Image) -> list[OcrLine]:
    """The lines of text in `image`, from top to bottom."""
    result: Any = _engine()(image, use_cls=True)
    if result.boxes is None:
        return []
    lines = []
    for box, text, score in zip(result.boxes, result.txts, result.scores, strict=True):
        left, top = box.min(axis=0)
        right, bottom = box.max(axis=0)
        lines.append(OcrLine(text, float(left), float(top), float(right), float(bottom), float(score)))
    return lines


@cache
def _engine() -> "RapidOCR":
    from rapidocr import RapidOCR

    threads = int(os.environ.get("DOCMILL_OCR_THREADS", "1"))
    return RapidOCR(
        params={
            "EngineConfig.onnxruntime.intra_op_num_threads": threads,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            "Global.log_level": "error",
        }
    )
