"""PNG, JPEG, TIFF (one page a frame) and WebP, read by OCR; and pictures inside of other documents."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.layout.bidi import is_right_to_left
from docmill.pipeline.extract.layout.page_content import ContentOf, PageContent, read_here
from docmill.pipeline.extract.layout.pages import laid_out
from docmill.pipeline.extract.layout.segments import Segment
from docmill.pipeline.extract.ocr import engine
from docmill.pipeline.extract.ocr.recognition import read_image
from docmill.pipeline.extract.reading import Reading, Survey

_MAX_PIXELS = 120_000_000
_MAX_SIDE = 4000
_MIN_SIDE = 40
_BACKGROUND = 0.5
_CHART_LABEL = 9
_BROKEN = (OSError, ValueError, SyntaxError, EOFError, TypeError, KeyError)


def read(path: Path, content_type: str, content_of: ContentOf = read_here) -> Reading:
    """One page a frame."""
    image = _open(path)
    numbers = range(1, _frames(image) + 1)
    contents = (content_of(number, partial(_content, image, number)) for number in numbers)
    return Reading(None, len(numbers), laid_out(contents, len(numbers), {}))


def survey(path: Path) -> Survey:
    """Every frame needs OCR."""
    with _open(path) as image:
        total = _frames(image)
    return Survey(total, list(range(1, total + 1)))


def read_content(path: Path, number: int) -> PageContent:
    """The content of one frame, by its number."""
    with _open(path) as image:
        return _content(image, number)


def _open(path: Path) -> Image.Image:
    Image.MAX_IMAGE_PIXELS = _MAX_PIXELS
    with _refusals():
        return Image.open(path)


def _frames(image: Image.Image) -> int:
    with _refusals():
        return int(getattr(image, "n_frames", 1))


def _content(image: Image.Image, number: int) -> PageContent:
    with _refusals():
        image.seek(number - 1)
        if image.width * image.height > _MAX_PIXELS:
            raise _too_large()
        pixels = _pixels(image)
    reading = read_image(pixels)
    height = max([float(pixels.shape[0]), *(segment.y1 for segment in reading.segments)])
    content = PageContent(number, height, reading.segments, source="ocr")
    content.right_to_left = is_right_to_left("".join([segment.text for segment in reading.segments]))
    content.engine, content.confidence = reading.engine, min(reading.confidence, 1.0)
    content.warning = "ocr_unsupported_script" if reading.unknown_script else ""
    return content


@contextmanager
def _refusals() -> Iterator[None]:
    """Pillow's errors as ours."""
    try:
        yield
    except Image.DecompressionBombError as error:
        raise _too_large() from error
    except (UnidentifiedImageError, *_BROKEN) as error:
        raise PermanentError("corrupt") from error


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
    segments = read_image(pixels).segments
    if not is_running_text(segments):
        return []
    (page,) = laid_out([PageContent(1, float(pixels.shape[0]), segments, source="ocr")], 1, {})
    return [page.text[block.start : block.end] for block in page.blocks]


def may_hold_text(image: engine.Image) -> bool:
    """Whether most of the image is of one shade, as paper and screens are and photographs are not."""
    shades = np.bincount(image[::2, ::2, 1].ravel() >> 3, minlength=32)
    near = np.convolve(shades, np.ones(5, np.int64), "same")
    return bool(near.max() > _BACKGROUND * shades.sum()) and bool((shades > 0).sum() > 3)


def is_running_text(segments: list[Segment]) -> bool:
    """Whether OCR found words, not just the labels of a chart."""
    return sum(len(segment.text) for segment in segments) >= _CHART_LABEL * max(len(segments), 1)


def _pixels(image: Image.Image) -> engine.Image:
    upright = ImageOps.exif_transpose(image)
    if upright.mode in ("RGBA", "LA", "P", "PA"):
        coloured = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", coloured.size, "white"), coloured)
    elif upright.mode.startswith(("I", "F")):
        upright = Image.fromarray(_stretched(np.asarray(upright, np.float32)))
    upright.thumbnail((_MAX_SIDE, _MAX_SIDE))
    return np.ascontiguousarray(np.asarray(upright.convert("RGB"))[:, :, ::-1])


def _stretched(grey: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> engine.Image:
    """Grey of more than eight bits, stretched to eight."""
    low, high = float(grey.min()), float(grey.max())
    return np.asarray((grey - low) * (255 / (high - low or 1)), np.uint8)


def _too_large() -> PermanentError:
    return PermanentError("memory_limit", "The image has too many pixels; make it smaller.")
