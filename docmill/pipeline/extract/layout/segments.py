"""Pieces of text with their place on the page: what layout works on, from a PDF's text layer or from OCR alike."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from docmill.pipeline.extract.layout.bidi import reading_order


@dataclass(slots=True)
class Segment:
    """A piece of one line without a wide gap in it. Coordinates are points (OCR: pixels), y downwards.

    `size` is the height of the font; `joins` says that the line was broken at a hyphen of the typesetter.
    """

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    size: float
    bold: bool = False
    joins: bool = False
    ocr: bool = False

    @property
    def middle(self) -> float:
        """The height on the page of the segment's middle."""
        return (self.y0 + self.y1) / 2


@dataclass(frozen=True, slots=True)
class LineTolerances:
    """When pieces stand on one line. "Sizes" are heights of the piece's font."""

    overlap: float = 0.5
    """Share of the lower one's height that two pieces on one line have in common; sub- and superscripts have more."""
    over_each_other: float = 0.5
    """Sizes by which pieces on one line may overlap sideways: more, and they lie over each other on a crowded page."""
    blank: float = 0.12
    """Sizes between two pieces from which a blank is written; fonts' blanks measure 0.2 to 0.3."""


_TOLERANCES = LineTolerances()


@dataclass(slots=True)
class Line:
    """Segments side by side on one baseline, from left to right, and their text as it is read: pieces that touch are
    written together. `joins` as the last of them."""

    segments: list[Segment]
    x0: float
    y0: float
    x1: float
    y1: float
    size: float
    bold: bool
    text: str
    joins: bool


def group_lines(segments: Iterable[Segment]) -> list[Line]:
    """Segments as lines, from top to bottom: those that overlap vertically by more than half belong together."""
    lines: list[Line] = []
    line: Line | None = None
    for segment in sorted(segments, key=lambda segment: segment.y0 + segment.y1):
        if line is not None and segment.y0 < line.y1 and _same_line(line, segment):
            line.segments.append(segment)
            line.x0, line.x1 = min(line.x0, segment.x0), max(line.x1, segment.x1)
            line.y0, line.y1 = min(line.y0, segment.y0), max(line.y1, segment.y1)
            line.size = max(line.size, segment.size)
            line.bold = line.bold and segment.bold
        else:
            x0, y0, x1, y1, size = segment.x0, segment.y0, segment.x1, segment.y1, segment.size
            line = Line([segment], x0, y0, x1, y1, size, segment.bold, segment.text, segment.joins)
            lines.append(line)
    for line in lines:
        if len(line.segments) > 1:
            line.segments.sort(key=lambda segment: segment.x0)
            read = reading_order(line.segments, [segment.text for segment in line.segments])
            line.text, line.joins = _written(read), read[-1].joins
    return lines


def _written(segments: Sequence[Segment]) -> str:
    parts = [segments[0].text]
    for before, segment in itertools.pairwise(segments):
        apart = max(segment.x0 - before.x1, before.x0 - segment.x1)
        parts.append("" if apart < _TOLERANCES.blank * segment.size else " ")
        parts.append(segment.text)
    return "".join(parts)


def _same_line(line: Line, segment: Segment) -> bool:
    top = line.y0 if line.y0 > segment.y0 else segment.y0
    bottom = line.y1 if line.y1 < segment.y1 else segment.y1
    if bottom - top <= _TOLERANCES.overlap * min(segment.y1 - segment.y0, line.y1 - line.y0):
        return False
    # Pieces that lie over each other are not neighbours on a line, only a crowded page.
    near = _TOLERANCES.over_each_other * segment.size
    for each in line.segments:  # noqa: SIM110 - hot, a generator takes three times as long
        if each.x1 - segment.x0 >= near and segment.x1 - each.x0 >= near:
            return False
    return True


def bounds(segments: Sequence[Segment]) -> tuple[float, float, float, float]:
    """The box around segments: x0, y0, x1, y1."""
    return (
        min(segment.x0 for segment in segments),
        min(segment.y0 for segment in segments),
        max(segment.x1 for segment in segments),
        max(segment.y1 for segment in segments),
    )
