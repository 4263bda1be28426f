"""Extraction: a file in, pages of clean text out.

`detect_type` tells the type where the file arrives; `process.ExtractorProcess` reads it in the sandbox;
`read_document` is the reading itself, without the sandbox.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.detect import accepted_names, detect_type
from docmill.pipeline.extract.file_types import ACCEPTED, BY_CONTENT_TYPE, FileType
from docmill.pipeline.extract.layout.page_content import ContentOf, PageContent
from docmill.pipeline.extract.reading import Reading, Survey

__all__ = [
    "ACCEPTED",
    "FileType",
    "Reading",
    "accepted_names",
    "detect_type",
    "read_content",
    "read_document",
    "survey_document",
]


def read_document(path: Path, content_type: str, content_of: ContentOf | None = None) -> Reading:
    """Open the file at `path` for reading. `content_of` tells where pages' contents are had, for types that
    `survey_document` finds pages in; by default all are read here.

    Raises PermanentError: `corrupt`, `encrypted`, `unsupported_type`, at once or while the pages are read.
    """
    module = _module(content_type)
    reading: Reading = module.read(path, content_type, *([content_of] if content_of else []))
    return reading


def survey_document(path: Path, content_type: str) -> Survey:
    """Which pages need OCR, as far as a quick look tells; none for formats that have no pages of images.

    Raises as `read_document` does.
    """
    survey: Callable[[Path], Survey] | None = getattr(_module(content_type), "survey", None)
    return survey(path) if survey else Survey(0, [])


def read_content(path: Path, content_type: str, number: int) -> PageContent:
    """The content of one page that a survey named. Raises as `read_document` does."""
    content: PageContent = _module(content_type).read_content(path, number)
    return content


def _module(content_type: str) -> ModuleType:
    kind = BY_CONTENT_TYPE.get(content_type)
    if kind is None:
        raise PermanentError("unsupported_type")
    return import_module(f"{__name__}.{kind.module}")
