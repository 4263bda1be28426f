"""PNG, JPEG, TIFF (one page a frame) and WebP, read by OCR; and pictures inside of other documents."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract import ocr
from docmill.pipeline.extract.columns import regions
from docmill.pipeline.extract.paragraphs import Typography, write_regions
from docmill.pipeline.extract.reading import PageWriter, Reading, wanted_numbers
from docmill.pipeline.extract.segments import Segment
from docmill.pipeline.extract.words import Compounds
from docmill.pipeline.types import Page

_MAX_PIXELS = 120_000_000
_MAX_SIDE = 4000
_MIN_SIDE = 40
_BACKGROUND = 0.5
_CHART_LABEL = 9
_BROKEN = (OSError, ValueError, SyntaxError, EOFError, TypeError, KeyError)


def read(path: Path, content_type: str, wanted: range | None = None) -> Reading:
    """One page a frame."""
    Image.MAX_IMAGE_PIXELS = _MAX_PIXELS
    try:
        image = Image.open(path)
        total = getattr(image, "n_frames", 1)
    except Image.DecompressionBombError as error:
        raise _too_large() from error
    except (UnidentifiedImageError, *_BROKEN) as error:
        raise PermanentError("corrupt") from error
    return Reading(None, total, _pages(image, wanted_numbers(total, wanted)))


def _pages(image: Image.Image, numbers: range) -> Iterator[Page]:
    try:
        for number, frame in enumerate(ImageSequence.Iterator(image), start=1):
            if number in numbers:
                if frame.width * frame.height > _MAX_PIXELS:
                    raise _too_large()
                writer = PageWriter()
                write_ocr(writer, ocr.read_image(_pixels(frame))[0])
                yield writer.page(number, "ocr")
    except Image.DecompressionBombError as error:
        raise _too_large() from error
    except _BROKEN as error:
        raise PermanentError("corrupt") from error


def write_ocr(writer: PageWriter, segments: list[Segment]) -> None:
    """Write what OCR found in one image."""
    typography = Typography()
    typography.learn(segments)
    write_regions(writer, regions(segments), (), typography, Compounds())


def picture_paragraphs(data: bytes) -> list[str]:
    """The paragraphs in a picture inside of a document; none where it holds no running text or cannot be read."""
    Image.MAX_IMAGE_PIXELS = _MAX_PIXELS
    try:
        with Image.open(io.BytesIO(data)) as image:
            if min(image.size) < _MIN_SIDE or image.width * image.height > _MAX_PIXELS:
                return []
            pixels = _pixels(image)
    except (UnidentifiedImageError, Image.DecompressionBombError, *_BROKEN):
        return []
    if not may_hold_text(pixels):
        return []
    segments = ocr.read_image(pixels)[0]
    if not is_running_text(segments):
        return []
    writer = PageWriter()
    write_ocr(writer, segments)
    page = writer.page(1)
    return [page.text[block.start : block.end] for block in page.blocks]


def may_hold_text(image: ocr.Image) -> bool:
    """Whether most of the image is of one shade, as paper and screens are and photographs are not."""
    shades = np.bincount(image[::2, ::2, 1].ravel() >> 3, minlength=32)
    near = np.convolve(shades, np.ones(5, np.int64), "same")
    return bool(near.max() > _BACKGROUND * shades.sum()) and bool((shades > 0).sum() > 3)


def is_running_text(segments: list[Segment]) -> bool:
    """Whether OCR found words, not just the labels of a chart."""
    return sum(len(segment.text) for segment in segments) >= _CHART_LABEL * max(len(segments), 1)


def _pixels(image: Image.Image) -> ocr.Image:
    upright = ImageOps.exif_transpose(image)
    if upright.mode in ("RGBA", "LA", "P", "PA"):
        coloured = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", coloured.size, "white"), coloured)
    elif upright.mode.startswith(("I", "F")):
        upright = Image.fromarray(_stretched(np.asarray(upright, np.float32)))
    upright.thumbnail((_MAX_SIDE, _MAX_SIDE))
    return np.ascontiguousarray(np.asarray(upright.convert("RGB"))[:, :, ::-1])


def _stretched(grey: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> ocr.Image:
    """Grey of more than eight bits, stretched to eight."""
    low, high = float(grey.min()), float(grey.max())
    return np.asarray((grey - low) * (255 / (high - low or 1)), np.uint8)


def _too_large() -> PermanentError:
    return PermanentError("memory_limit", "The image has too many pixels; make it smaller.")
