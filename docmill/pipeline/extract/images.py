"""PNG, JPEG, TIFF (one page a frame) and WebP, read by OCR."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract import ocr
from docmill.pipeline.extract.columns import regions
from docmill.pipeline.extract.paragraphs import Typography, write_regions
from docmill.pipeline.extract.reading import PageWriter, Reading, wanted_numbers
from docmill.pipeline.extract.words import Compounds
from docmill.pipeline.types import Page

_MAX_PIXELS = 150_000_000


def read(path: Path, wanted: range | None = None) -> Reading:
    """One page a frame."""
    Image.MAX_IMAGE_PIXELS = _MAX_PIXELS
    try:
        image = Image.open(path)
    except Image.DecompressionBombError as error:
        raise PermanentError("memory_limit", "The image has too many pixels; make it smaller.") from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise PermanentError("corrupt") from error
    total = getattr(image, "n_frames", 1)
    return Reading(None, total, _pages(image, wanted_numbers(total, wanted)))


def _pages(image: Image.Image, numbers: range) -> Iterator[Page]:
    try:
        for number, frame in enumerate(ImageSequence.Iterator(image), start=1):
            if number in numbers:
                upright = ImageOps.exif_transpose(frame).convert("RGB")
                segments, _ = ocr.read_image(np.ascontiguousarray(np.asarray(upright)[:, :, ::-1]))
                writer, typography = PageWriter(), Typography()
                typography.learn(segments)
                write_regions(writer, regions(segments), (), typography, Compounds())
                yield writer.page(number, "ocr")
    except (OSError, ValueError, SyntaxError) as error:
        raise PermanentError("corrupt") from error
