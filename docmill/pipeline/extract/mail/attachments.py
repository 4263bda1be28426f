"""Attachments of messages, each read as the document it is; messages within messages are bounded."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

from docmill.pipeline.errors import PermanentError, is_out_of_memory
from docmill.pipeline.extract.detect import detect_type
from docmill.pipeline.extract.file_types import BY_CONTENT_TYPE
from docmill.pipeline.extract.reading import Reading
from docmill.pipeline.types import Page

_MAX_DEPTH = 3
"""Messages within messages."""
_MAX_ATTACHMENTS = 100
"""In the whole file, those of messages within it included."""
MIN_INLINE_PICTURE = 15 * 1024
"""Bytes of a picture within a message that may hold text; smaller ones are marks and signatures' ornaments."""


@dataclass(slots=True)
class Nesting:
    """How deep a message lies in others, and how many attachments may still be read."""

    depth: int = 0
    attachments_left: int = _MAX_ATTACHMENTS

    def may_open(self) -> bool:
        """Count one more attachment; False when there were enough."""
        self.attachments_left -= 1
        return self.attachments_left >= 0 and self.depth < _MAX_DEPTH


def attachment_pages(name: str, data: bytes, nesting: Nesting) -> Iterator[Page]:
    """The pages of an attachment; none when it is of no accepted type or cannot be read: the message still counts, and
    names it."""
    if not data or not nesting.may_open():
        return
    name = Path(name.replace("\\", "/").replace("\0", "")).name
    try:
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            yield from _reading(Path(file.name), name, nesting).pages
    except PermanentError:
        return
    except Exception as error:
        if is_out_of_memory(error):
            raise
        return


def _reading(path: Path, name: str, nesting: Nesting) -> Reading:
    """The attachment, opened. Raises as `read_document` does."""
    content_type = detect_type(path, name)
    module = import_module(f"docmill.pipeline.extract.{BY_CONTENT_TYPE[content_type].module}")
    if hasattr(module, "read_message"):
        nesting.depth += 1
        try:
            reading: Reading = module.read_message(path.read_bytes(), nesting)
            return replace(reading, pages=iter(list(reading.pages)))
        finally:
            nesting.depth -= 1
    return module.read(path, content_type)  # type: ignore[no-any-return]
