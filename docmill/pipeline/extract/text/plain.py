"""Plain text and Markdown, in whatever encoding they come."""

from pathlib import Path

from docmill.pipeline.extract.reading import Reading
from docmill.pipeline.extract.text.encoding import decode
from docmill.pipeline.text import clean
from docmill.pipeline.types import Page


def read(path: Path, content_type: str) -> Reading:
    """One page with the file's text as it is: line breaks, Markdown marks and all."""
    text = decode(path.read_bytes())
    return Reading(None, 1, iter([Page(1, clean(text).strip("\n"))]))
