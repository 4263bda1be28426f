"""A PDF page's text layer as segments, read from pdfium with few calls.

pdfium gives the text with line breaks at once; places cost a call each. So a line is measured at its two ends,
and only lines with a gap in them are measured word by word.
"""

import ctypes
import itertools
import re
import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median_low

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from docmill.pipeline.extract.layout.segments import Segment
from docmill.pipeline.extract.pdf import calls

_HYPHEN_BREAK = "\ufffe"
LIST_MARK = re.compile(r"(?:[•◦▪‣●○■➢✓·»*–—\uf0b7-]|\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)])\s")
_GAP = 0.9
_WIDE = 0.72
_SAMPLES = 12
_SPACES = " \u00a0\t"
_CLOSE = 0.5
_LONG = 40

_BOX = struct.Struct("4f")
_TWO_BOXES = struct.Struct("8f")
# Types are made once: making one takes longer than any call here.
_Name = ctypes.c_char * 96
_Sides = ctypes.c_double * 4

Box = tuple[float, float, float, float]
_TextLine = tuple[Segment, int, int, bool]
"""A line, its first character and the one after its last, and whether it is so high or wide that it may be several."""


@dataclass(slots=True)
class TextLayer:
    """The text of one page: upright segments, and lines that run sideways.

    `characters` are counted without spaces; `unmapped` is the share of sampled characters whose font does not tell
    what they are; `viewport` sets the text upright.
    """

    viewport: "Viewport"
    segments: list[Segment] = field(default_factory=list)
    sideways: list[str] = field(default_factory=list)
    characters: int = 0
    unmapped: float = 0.0


class Viewport:
    """Turns pdfium's coordinates (points, y upwards, page not rotated) into ours (y downwards, page upright)."""

    def __init__(self, page: pdfium.PdfPage, quarter_turns: int = 0) -> None:
        self.quarter_turns = quarter_turns
        self.turns = (raw.FPDFPage_GetRotation(page.raw) + quarter_turns) % 4
        self.x0, self.y0, self.x1, self.y1 = page.get_bbox()
        width, height = self.x1 - self.x0, self.y1 - self.y0
        self.width, self.height = (height, width) if self.turns % 2 else (width, height)

    def box(self, left: float, bottom: float, right: float, top: float) -> Box:
        """x0, y0, x1, y1 of a box."""
        if self.turns == 0:
            return left - self.x0, self.y1 - top, right - self.x0, self.y1 - bottom
        if self.turns == 1:
            return bottom - self.y0, left - self.x0, top - self.y0, right - self.x0
        if self.turns == 2:
            return self.x1 - right, bottom - self.y0, self.x1 - left, top - self.y0
        return self.y1 - top, self.x1 - right, self.y1 - bottom, self.x1 - left


def read_text_layer(page: pdfium.PdfPage) -> TextLayer:
    """The page's text layer; hidden hyphens at line ends are taken out and noted."""
    textpage = raw.FPDFText_LoadPage(page.raw)  # without pypdfium2's object around it, whose upkeep costs
    if not textpage:
        raise pdfium.PdfiumError("pdfium cannot read the text of a page.")
    address = calls.address(textpage)
    try:
        layer = _Reader(page, address).read()
        if layer.sideways and sum(map(len, layer.sideways)) > 2 * sum(len(s.text) for s in layer.segments):
            turned = max((_Reader(page, address, turns).read() for turns in (1, 3)), key=_upright_share)
            if _upright_share(turned) > _upright_share(layer):
                return turned
        return layer
    finally:
        raw.FPDFText_ClosePage(textpage)


def _upright_share(layer: TextLayer) -> int:
    return sum(len(segment.text) for segment in layer.segments) - sum(map(len, layer.sideways))


class _Reader:
    def __init__(self, page: pdfium.PdfPage, textpage: int, quarter_turns: int = 0) -> None:
        self._textpage = textpage
        self._viewport = Viewport(page, quarter_turns)
        self._x: float = 0.0 if self._viewport.turns else self._viewport.x0
        self._y: float = 0.0 if self._viewport.turns else self._viewport.y1

    def read(self) -> TextLayer:
        layer = TextLayer(self._viewport)
        text, indices = self._text_and_indices()
        layer.characters = len(text) - text.count(" ") - 2 * text.count("\r\n")
        spans = _line_spans(text)
        if not spans:
            return layer
        pieces = calls.count_text_boxes(self._textpage, 0, -1)
        gaps = self._gaps(pieces) if pieces > len(spans) else []
        bold = _BoldFonts(self._textpage)
        lines, layer.sideways = self._measure(text, spans, indices)
        self._mark_bold(lines, indices, bold)
        for segment, start, end, is_roomy in lines:
            if is_roomy or (gaps and self._has_gap(segment, gaps)):
                layer.segments.extend(self._split(text, start, end, segment, indices, bold))
            else:
                layer.segments.append(segment)
        sample = spans[:: len(spans) // _SAMPLES + 1]
        unmapped = sum(calls.has_no_unicode(self._textpage, indices[start]) == 1 for start, _, _ in sample)
        layer.unmapped = unmapped / len(sample)
        return layer

    @staticmethod
    def _mark_bold(lines: list[_TextLine], indices: range | list[int], bold: "_BoldFonts") -> None:
        """Note which lines are bold. Asking costs, and no line that is full, ends a sentence or is long and goes on
        closely below in small letters ends a heading, so those are asked only where the line below is bold."""
        edge = max([line[0].x1 for line in lines], default=0.0)
        below_is_bold = False
        below: Segment | None = None
        for segment, start, end, _ in reversed(lines):
            if below_is_bold or (
                segment.x1 < edge - segment.size
                and segment.text[-1] != "."
                and not (
                    below
                    and end - start > _LONG
                    and below.text[0].islower()
                    and below.y0 - segment.y1 < _CLOSE * segment.size
                )
            ):
                segment.bold = bold.is_bold(indices[start]) and bold.covers(
                    indices[(start + end) // 2], indices[end - 1]
                )
            below, below_is_bold = segment, segment.bold

    def _text_and_indices(self) -> tuple[str, range | list[int]]:
        """The text, and for each of its characters the index that pdfium's other calls want."""
        count = max(calls.count_characters(self._textpage), 0)
        units = bytearray(2 * count + 2)
        length = calls.text(self._textpage, 0, count, _address(units))
        text = units[: 2 * length - 2].decode("utf-16-le", "ignore") if length > 1 else ""
        if len(text) == count:
            return text, range(count)
        # Characters without a Unicode value are missing from the text but counted elsewhere.
        codes = list(map(calls.unicode_of, itertools.repeat(self._textpage), range(count)))
        indices = [index for index, code in enumerate(codes) if code]
        text = "".join(chr(codes[index]) for index in indices)
        return text.replace("\x02", _HYPHEN_BREAK), indices

    def _corners(self, characters: list[int]) -> bytearray:
        """Left, top, right and bottom of characters as floats, y upwards, each as high as its font. `_x` and `_y` say
        where the upper left corner of the page lies."""
        corners = bytearray(_BOX.size * len(characters))
        first = _address(corners) if corners else 0
        places = range(first, first + len(corners), _BOX.size)
        # The call that is made most often, so the loop around it is not Python's.
        deque(map(calls.loose_char_box, itertools.repeat(self._textpage), characters, places), 0)
        if self._viewport.turns:
            for place, (left, top, right, bottom) in enumerate(list(_BOX.iter_unpack(corners))):
                x0, y0, x1, y1 = self._viewport.box(left, bottom, right, top)
                _BOX.pack_into(corners, place * _BOX.size, x0, -y0, x1, -y1)
        return corners

    def _boxes(self, characters: list[int]) -> list[Box]:
        """The boxes of characters, each as high as its font."""
        x, y, corners = self._x, self._y, self._corners(characters)
        return [(left - x, y - top, right - x, y - low) for left, top, right, low in _BOX.iter_unpack(corners)]

    def _measure(
        self, text: str, spans: list[tuple[int, int, bool]], indices: range | list[int]
    ) -> tuple[list[_TextLine], list[str]]:
        """The lines that run from left to right, each as one segment, and those that run otherwise."""
        lines: list[_TextLine] = []
        sideways: list[str] = []
        x, y = self._x, self._y
        corners = self._corners([indices[place] for start, end, _ in spans for place in (start, end - 1)])
        for (start, end, joins), ends in zip(spans, _TWO_BOXES.iter_unpack(corners), strict=True):
            left, y1, x1, y0, x0, top, right, bottom = ends
            size, other_size = y1 - y0, top - bottom
            if left < x0:
                x0 = left
            if right > x1:
                x1 = right
            if top > y1:
                y1 = top
            if bottom < y0:
                y0 = bottom
            if not 0.95 * size < other_size < 1.05 * size:
                ((_, middle_top, _, middle_bottom),) = self._boxes([indices[(start + end) // 2]])
                size = sorted((size, other_size, middle_bottom - middle_top))[1] or size
            height, width = y1 - y0, x1 - x0
            if height < 1.5 * size or end - start < 3 or (width > height and height < 2.2 * size):
                is_roomy = height > 1.25 * size or width > _WIDE * (end - start) * size
                segment = Segment(text[start:end], x0 - x, y - y1, x1 - x, y - y0, size, False, joins)
                lines.append((segment, start, end, is_roomy))
            else:
                sideways.append(text[start:end])
        return lines, sideways

    def _gaps(self, count: int) -> list[tuple[float, float, float]]:
        """Wide gaps, or jumps back, between one piece of text and the next beside it: (x0, x1, y)."""
        sides = _Sides()
        places = [ctypes.addressof(sides) + 8 * side for side in range(4)]
        gaps = []
        before: Box | None = None
        for index in range(count):
            calls.text_box(self._textpage, index, *places)
            left, top, right, bottom = sides
            box = self._viewport.box(left, bottom, right, top)
            if before is not None and (box[0] > before[2] or before[0] > box[2]):
                height, height_before = box[3] - box[1], before[3] - before[1]
                wide = _GAP * (height if height > height_before else height_before)
                if (box[0] - before[2] > wide or before[0] - box[2] > wide) and (
                    min(box[3], before[3]) - max(box[1], before[1]) > 0.3 * min(height, height_before)
                ):
                    ends = (before[2], box[0]) if box[0] > before[2] else (box[2], before[0])
                    gaps.append((*ends, (max(box[1], before[1]) + min(box[3], before[3])) / 2))
            before = box
        return gaps

    @staticmethod
    def _has_gap(segment: Segment, gaps: list[tuple[float, float, float]]) -> bool:
        # The gap after a list's mark is no gap between cells.
        start = segment.x0 + (2.5 * segment.size if LIST_MARK.match(segment.text) else 0)
        return any(x1 > start and x0 < segment.x1 and segment.y0 < y < segment.y1 for x0, x1, y in gaps)

    def _split(
        self, text: str, start: int, end: int, whole: Segment, indices: range | list[int], bold: "_BoldFonts"
    ) -> Iterator[Segment]:
        """The line's pieces between wide gaps, measured word by word."""
        words: list[tuple[int, int]] = []
        position = start
        for word in text[start:end].split(" "):
            if word:
                words.append((position, position + len(word)))
            position += len(word) + 1
        boxes = self._boxes([indices[place] for first, after in words for place in (first, after - 1)])
        group: list[tuple[int, int, Box, Box]] = []
        for (first, after), left, right in zip(words, boxes[::2], boxes[1::2], strict=True):
            word_span = (first, after, left, right)
            # A wide gap, or a jump back: another piece.
            if group and (
                word_span[2][0] - group[-1][3][2] > _GAP * 0.8 * whole.size
                or word_span[2][0] < group[-1][2][0] - whole.size
            ):
                yield self._piece(text, group, False, indices, bold)
                group = []
            group.append(word_span)
        if group:
            yield self._piece(text, group, whole.joins, indices, bold)

    @staticmethod
    def _piece(
        text: str,
        words: list[tuple[int, int, Box, Box]],
        joins: bool,
        indices: range | list[int],
        bold: "_BoldFonts",
    ) -> Segment:
        boxes = [box for _, _, first, last in words for box in (first, last)]
        return Segment(
            text[words[0][0] : words[-1][1]],
            min(box[0] for box in boxes),
            min(box[1] for box in boxes),
            max(box[2] for box in boxes),
            max(box[3] for box in boxes),
            median_low([box[3] - box[1] for box in boxes]),
            bold.covers(indices[words[0][0]], indices[words[-1][1] - 1]),
            joins,
        )


class _BoldFonts:
    """Tells by its font whether a character is bold; each font is looked into once a page."""

    def __init__(self, textpage: int) -> None:
        self._textpage = textpage
        self._name = _Name()
        self._place = ctypes.addressof(self._name)
        self._known: dict[bytes, bool] = {}

    def covers(self, *indices: int) -> bool:
        """Whether all these characters are bold."""
        return all(map(self.is_bold, indices))

    def is_bold(self, index: int) -> bool:
        """Whether this character is bold."""
        length = calls.font_info(self._textpage, index, self._place, len(self._name), None)
        name = self._name.value if 0 < length <= len(self._name) else b""
        known = self._known.get(name)
        if known is None:
            lower = name.lower()
            known = any(word in lower for word in (b"bold", b"black", b"heavy"))
            known = known or lower.endswith((b".b", b"-bd", b"bx10", b"bx12"))
            known = known or bool(calls.font_weight(self._textpage, index) >= 600)
            if name:
                self._known[name] = known
        return known


def _address(buffer: bytearray) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


def _line_spans(text: str) -> list[tuple[int, int, bool]]:
    """(start, end, whether a hyphen ends it) of each line that holds more than spaces, spaces at its ends left out."""
    spans = []
    start = 0
    has_breaks = _HYPHEN_BREAK in text
    for line in text.split("\r\n"):
        length = len(line)
        if length == len(line.strip(_SPACES)) and not (has_breaks and _HYPHEN_BREAK in line):
            if length:
                spans.append((start, start + length, False))
            start += length + 2
            continue
        pieces = line.split(_HYPHEN_BREAK)
        last = len(pieces) - 1
        for number, piece in enumerate(pieces):
            stripped = piece.strip(_SPACES)
            if stripped:
                first = start + len(piece) - len(piece.lstrip(_SPACES)) if piece[0] in _SPACES else start
                spans.append((first, first + len(stripped), number < last))
            start += len(piece) + 1
        start += 1
    return spans
