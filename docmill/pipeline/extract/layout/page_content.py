"""What a page holds before it is laid out: the costly half of reading it, which any process may do for another."""

from collections.abc import Callable
from dataclasses import astuple, dataclass, field
from typing import Any

from docmill.pipeline.extract.layout.segments import Segment
from docmill.pipeline.extract.layout.tables import Ruling
from docmill.pipeline.extract.sandbox.frames import SOURCES, WARNINGS, BadFrameError
from docmill.pipeline.types import PageWarning, Source


@dataclass(slots=True)
class PageContent:
    """A page's pieces, not yet put in order. `asides` are texts that belong to no place in the running text."""

    number: int
    height: float
    segments: list[Segment] = field(default_factory=list)
    rulings: list[Ruling] = field(default_factory=list)
    asides: list[str] = field(default_factory=list)
    source: Source = "text"
    right_to_left: bool = False
    engine: str = ""
    confidence: float = 1.0
    warning: PageWarning = ""


ReadContent = Callable[[], PageContent]
ContentOf = Callable[[int, ReadContent], PageContent]
"""(page number, how to read the page here): the page's content, from wherever it is had."""


def read_here(number: int, read: ReadContent) -> PageContent:
    """The plainest way to a page's content: read it."""
    return read()


def content_frame(content: PageContent) -> dict[str, Any]:
    """A page's content as a frame."""
    return {
        "kind": "content",
        "number": content.number,
        "height": content.height,
        "segments": [astuple(segment) for segment in content.segments],
        "rulings": [astuple(ruling) for ruling in content.rulings],
        "asides": content.asides,
        "source": content.source,
        "right_to_left": content.right_to_left,
        "engine": content.engine,
        "confidence": content.confidence,
        "warning": content.warning,
    }


def content_from(frame: dict[str, Any]) -> PageContent:
    """A frame as a page's content. Raises BadFrameError."""
    try:
        content = PageContent(
            int(frame["number"]),
            float(frame["height"]),
            [_segment(*parts) for parts in frame["segments"]],
            [Ruling(*map(float, corners)) for corners in frame["rulings"]],
            list(map(str, frame["asides"])),
            frame["source"],
            bool(frame["right_to_left"]),
            str(frame.get("engine", "")),
            float(frame.get("confidence", 1.0)),
            frame.get("warning", ""),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadFrameError("a page's content without its parts") from error
    if content.source not in SOURCES or content.warning not in WARNINGS:
        raise BadFrameError("a page's content of no known source")
    return content


def _segment(text: str, x0: float, y0: float, x1: float, y1: float, size: float, *flags: bool) -> Segment:
    bold, joins, ocr = map(bool, flags)
    return Segment(str(text), float(x0), float(y0), float(x1), float(y1), float(size), bold, joins, ocr)
