"""Text that is printed twice at nearly one place, for bold or a shadow, and is read once."""

from collections import defaultdict
from collections.abc import Sequence

from docmill.pipeline.extract.layout.segments import Segment
from docmill.pipeline.extract.pdf.viewport import Box

_SAME_PLACE = 0.5
"""Part of a character's width and height by which it covers another of its kind that it doubles."""
_APART = 0.35
"""Heights of the font within which a whole line lies on its double."""


def first_printed(letters: str, boxes: Sequence[Box]) -> list[int]:
    """The places in `letters` of those that double none before them; white space at a gap is kept once."""
    kept: list[int] = []
    seen: dict[str, list[Box]] = defaultdict(list)
    for place, (letter, box) in enumerate(zip(letters, boxes, strict=True)):
        if letter.isspace():
            if kept and not letters[kept[-1]].isspace():
                kept.append(place)
        elif not any(_covers(box, other) for other in seen[letter]):
            seen[letter].append(box)
            kept.append(place)
    while kept and letters[kept[-1]].isspace():
        kept.pop()
    return kept


def without_doubles(segments: list[Segment]) -> list[Segment]:
    """The segments less those that have an equal one at their place."""
    known: dict[str, list[Segment]] = {}
    kept = []
    for segment in segments:
        equals = known.setdefault(segment.text, [])
        near = _APART * segment.size
        if not any(abs(one.x0 - segment.x0) < near and abs(one.y0 - segment.y0) < near for one in equals):
            equals.append(segment)
            kept.append(segment)
    return kept


def _covers(box: Box, other: Box) -> bool:
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    return width > _SAME_PLACE * (box[2] - box[0]) and height > _SAME_PLACE * (box[3] - box[1])
