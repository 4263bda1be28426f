"""Extraction: a file in, pages of clean text out.

`detect_type` tells the type where the file arrives; `process.ExtractorProcess` reads it in the box;
`read_document` is the reading itself, without the box.
"""

from importlib import import_module
from pathlib import Path

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.detect import accepted_names, detect_type
from docmill.pipeline.extract.reading import Reading
from docmill.pipeline.extract.table import ACCEPTED, BY_CONTENT_TYPE, FileType

__all__ = ["ACCEPTED", "FileType", "Reading", "accepted_names", "detect_type", "read_document"]


def read_document(path: Path, content_type: str, wanted: range | None = None) -> Reading:
    """Open the file at `path` for reading; `wanted` are the page numbers (from 1) to read, all by default.

    Raises PermanentError: `corrupt`, `encrypted`, `unsupported_type`, at once or while the pages are read.
    """
    kind = BY_CONTENT_TYPE.get(content_type)
    if kind is None:
        raise PermanentError("unsupported_type")
    module = import_module(f"{__name__}.{kind.module}")
    reading: Reading = module.read(path, wanted)
    return reading
