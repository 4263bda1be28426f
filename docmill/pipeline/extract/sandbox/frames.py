"""What goes over the pipe between a worker and its extractor: frames of JSON behind a length, never pickles, because
the other end may have been taken over by a document."""

import json
import struct
from typing import Any, BinaryIO

from docmill.pipeline.text import clean
from docmill.pipeline.types import Block, Page

_NAME = 40
"""Characters of an OCR engine's name at most."""
LENGTH = struct.Struct(">I")
_KINDS = {"heading", "paragraph", "list_item", "table_header", "table_row", "code"}
SOURCES = {"text", "ocr", "mixed"}
WARNINGS = {"", "ocr_unsupported_script", "unreadable_text"}


class BadFrameError(Exception):
    """A frame that no healthy extractor sends."""


def write_frame(stream: BinaryIO, frame: dict[str, Any]) -> None:
    """Send one frame; blocks while the reader is behind."""
    data = json.dumps(frame, ensure_ascii=False, separators=(",", ":")).encode()
    stream.write(LENGTH.pack(len(data)) + data)
    stream.flush()


def parse_frame(data: bytes) -> dict[str, Any]:
    """The frame in `data` (without its length). Raises BadFrameError."""
    try:
        frame = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadFrameError("not JSON") from error
    if not isinstance(frame, dict) or not isinstance(frame.get("kind"), str):
        raise BadFrameError("not a frame")
    return frame


def page_frame(page: Page) -> dict[str, Any]:
    """A page as a frame."""
    return {
        "kind": "page",
        "number": page.number,
        "text": page.text,
        "source": page.source,
        "engine": page.engine,
        "confidence": page.confidence,
        "warning": page.warning,
        "blocks": [[block.kind, block.start, block.end, block.level] for block in page.blocks],
    }


def page_from(frame: dict[str, Any]) -> Page:
    """A frame as a page. Raises BadFrameError unless it keeps what Page promises."""
    try:
        blocks = tuple(Block(kind, start, end, level) for kind, start, end, level in frame["blocks"])
        page = Page(
            frame["number"],
            frame["text"],
            frame["source"],
            blocks,
            frame["engine"],
            float(frame["confidence"]),
            frame["warning"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadFrameError("a page without its parts") from error
    if not isinstance(page.text, str) or clean(page.text) != page.text:
        raise BadFrameError("a page whose text is not clean")
    if not isinstance(page.number, int) or page.source not in SOURCES or page.warning not in WARNINGS:
        raise BadFrameError("a page without number or source")
    if not isinstance(page.engine, str) or len(page.engine) > _NAME or not 0 <= page.confidence <= 1:
        raise BadFrameError("a page read by nobody")
    position = 0
    for block in blocks:
        numbers = (block.start, block.end, block.level)
        if block.kind not in _KINDS or not all(isinstance(number, int) for number in numbers):
            raise BadFrameError("a block of no known kind")
        if not position <= block.start < block.end <= len(page.text):
            raise BadFrameError("blocks out of order")
        position = block.end
    return page
