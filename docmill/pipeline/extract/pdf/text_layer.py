"""A PDF page's text layer as segments, read from pdfium with few calls.

pdfium gives the text with line breaks at once; places cost a call each. So a line is measured at its two ends,
and only lines with a gap in them are measured word by word.
"""

import ctypes
import itertools
import math
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
from docmill.pipeline.extract.pdf.doubled import first_printed, without_doubles
from docmill.pipeline.extract.pdf.fonts import BoldFonts
from docmill.pipeline.extract.pdf.ligatures import RIGHT_TO_LEFT, in_order
from docmill.pipeline.extract.pdf.mending import mended
from docmill.pipeline.extract.pdf.viewport import Box, Viewport

_HYPHEN_BREAK = "\ufffe"
LIST_MARK = re.compile(r"(?:[•◦▪‣●○■➢✓·»*–—\uf0b7-]|\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)])\s")
_SPACES = " \u00a0\t"
_SURROGATES = range(0xD800, 0xE000)


@dataclass(frozen=True, slots=True)
class TextTolerances:
    """When a line of pdfium's is several pieces, and when it runs sideways. "Sizes" are heights of its font."""

    gap: float = 0.9
    """Sizes between two runs of text on one line from which they are two pieces: cells, or columns."""
    word_gap: float = 0.72
    """Sizes between two words from which they are two pieces, where the line is known to have a gap."""
    wide: float = 0.72
    """Sizes that each character takes in a line so wide that it must have a gap; fonts' widest letters take 0.6."""
    same_row: float = 0.3
    """Part of the lower run's height that two runs on one line have in common."""
    list_mark: float = 2.5
    """Sizes from a line's beginning in which a gap is that after a list's mark."""
    same_size: float = 0.05
    """Part of the size by which a line's last character may differ from its first before a third is asked."""
    sideways: float = 1.5
    """Sizes that a line of three characters or more is high when it runs sideways, unless it is wider than high."""
    high: float = 2.2
    """Sizes that a line may be high when it is wider than high: it has a fraction or a large letter in it."""
    level: float = 0.996
    """Cosine of the angle by which a level line may be tilted: 5 degrees."""
    roomy: float = 1.25
    """Sizes of height from which a line may be several, one above the other."""
    close: float = 0.5
    """Sizes of white space below which the next line goes on with the sentence."""
    long: int = 40
    """Characters of a line that is too long for a heading's when the next goes on with the sentence."""
    samples: int = 12
    """Lines of a page whose first character is asked whether its font tells what it is."""


_TOLERANCES = TextTolerances()

_BOX = struct.Struct("4f")
_TWO_BOXES = struct.Struct("8f")
_Sides = ctypes.c_double * 4  # made once: making a type takes longer than the call

_TextLine = tuple[Segment, int, int, bool]
"""A line, its first character and the one after its last, and whether it is so high or wide that it may be several."""


@dataclass(slots=True)
class TextLayer:
    """The text of one page: upright segments, and lines that run sideways.

    `characters` are counted without spaces; `unmapped` is the share of sampled characters whose font does not tell
    what they are; `viewport` sets the text upright.
    """

    viewport: Viewport
    segments: list[Segment] = field(default_factory=list)
    sideways: list[str] = field(default_factory=list)
    characters: int = 0
    unmapped: float = 0.0

    @property
    def text(self) -> str:
        """All letters, in no certain order."""
        return "".join([*[segment.text for segment in self.segments], *self.sideways])


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
        text = mended(text)
        layer.characters = len(text) - text.count(" ") - 2 * text.count("\r\n")
        spans = _line_spans(text)
        if not spans:
            return layer
        if not text.isascii() and RIGHT_TO_LEFT.search(text):
            text = self._with_ligatures_in_order(text, spans, indices)
        runs = calls.count_text_boxes(self._textpage, 0, -1)
        gaps, doubled = self._gaps(runs) if runs > len(spans) else ([], [])
        bold = BoldFonts(self._textpage)
        lines, layer.sideways = self._measure(text, spans, indices)
        self._mark_bold(lines, indices, bold)
        for segment, start, end, is_roomy in lines:
            if doubled and any(segment.y0 < y < segment.y1 for y in doubled):
                layer.segments.extend(self._printed_once(text, start, end, segment, indices, bold))
            elif is_roomy or (gaps and self._has_gap(segment, gaps)):
                layer.segments.extend(self._split(text, start, end, segment, indices, bold))
            else:
                layer.segments.append(segment)
        if len({segment.text for segment in layer.segments}) < len(layer.segments):
            layer.segments = without_doubles(layer.segments)
        sample = spans[:: len(spans) // _TOLERANCES.samples + 1]
        unmapped = sum(calls.has_no_unicode(self._textpage, indices[start]) == 1 for start, _, _ in sample)
        layer.unmapped = unmapped / len(sample)
        return layer

    def _with_ligatures_in_order(
        self, text: str, spans: list[tuple[int, int, bool]], indices: range | list[int]
    ) -> str:
        parts, position = [], 0
        for start, end, _ in spans:
            line = text[start:end]
            if RIGHT_TO_LEFT.search(line):
                parts += [text[position:start], in_order(line, self._boxes(list(indices[start:end])))]
                position = end
        return "".join([*parts, text[position:]])

    def _printed_once(
        self, text: str, start: int, end: int, whole: Segment, indices: range | list[int], bold: BoldFonts
    ) -> Iterator[Segment]:
        """The line's pieces, without characters that double others."""
        own = list(indices[start:end])
        kept = first_printed(text[start:end], self._boxes(own))
        letters = "".join(text[start + place] for place in kept)
        if letters:
            yield from self._split(letters, 0, len(letters), whole, [own[place] for place in kept], bold)

    @staticmethod
    def _mark_bold(lines: list[_TextLine], indices: range | list[int], bold: BoldFonts) -> None:
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
                    and end - start > _TOLERANCES.long
                    and below.text[0].islower()
                    and below.y0 - segment.y1 < _TOLERANCES.close * segment.size
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
        letters, indices = _with_pairs_joined(codes)
        return letters.replace("\x02", _HYPHEN_BREAK), indices

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
            if abs(other_size - size) >= _TOLERANCES.same_size * size:
                ((_, middle_top, _, middle_bottom),) = self._boxes([indices[(start + end) // 2]])
                size = sorted((size, other_size, middle_bottom - middle_top))[1] or size
            height, width = y1 - y0, x1 - x0
            upright = height < _TOLERANCES.sideways * size or end - start < 3
            if upright or (width > height and height < _TOLERANCES.high * size):
                is_roomy = height > _TOLERANCES.roomy * size or width > _TOLERANCES.wide * (end - start) * size
                segment = Segment(text[start:end], x0 - x, y - y1, x1 - x, y - y0, size, False, joins)
                lines.append((segment, start, end, is_roomy))
            elif width > height and self._is_level(indices[start]):  # letters' boxes are of different heights
                segment = Segment(text[start:end], x0 - x, y - y1, x1 - x, y - y0, height, False, joins)
                lines.append((segment, start, end, True))
            else:
                sideways.append(text[start:end])
        return lines, sideways

    def _is_level(self, index: int) -> bool:
        """Whether the character stands upright on the page as it is looked at."""
        turned = calls.char_angle(self._textpage, index) - self._viewport.turns * math.pi / 2
        return bool(math.cos(turned) > _TOLERANCES.level)

    def _gaps(self, count: int) -> tuple[list[tuple[float, float, float]], list[float]]:
        """Wide gaps between one run of text and the next beside it, as (x0, x1, y); and the heights y of lines where
        a run lies on others, which it may double."""
        sides = _Sides()
        places = [ctypes.addressof(sides) + 8 * side for side in range(4)]
        gaps, doubled = [], []
        before: Box | None = None
        for index in range(count):
            calls.text_box(self._textpage, index, *places)
            left, top, right, bottom = sides
            box = self._viewport.box(left, bottom, right, top)
            if before is not None:
                height, height_before = box[3] - box[1], before[3] - before[1]
                lower = height if height < height_before else height_before
                if min(box[3], before[3]) - max(box[1], before[1]) > _TOLERANCES.same_row * lower:
                    middle = (max(box[1], before[1]) + min(box[3], before[3])) / 2
                    apart = max(box[0] - before[2], before[0] - box[2])
                    if apart > _TOLERANCES.gap * max(height, height_before):
                        ends = (before[2], box[0]) if box[0] > before[2] else (box[2], before[0])
                        gaps.append((*ends, middle))
                    if box[0] < before[2] - 0.5 * lower:
                        doubled.append(middle)
            before = box
        return gaps, doubled

    @staticmethod
    def _has_gap(segment: Segment, gaps: list[tuple[float, float, float]]) -> bool:
        # The gap after a list's mark is no gap between cells.
        start = segment.x0 + (_TOLERANCES.list_mark * segment.size if LIST_MARK.match(segment.text) else 0)
        return any(x1 > start and x0 < segment.x1 and segment.y0 < y < segment.y1 for x0, x1, y in gaps)

    def _split(
        self, text: str, start: int, end: int, whole: Segment, indices: range | list[int], bold: BoldFonts
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
        near = _TOLERANCES.word_gap * whole.size
        for (first, after), one, other in zip(words, boxes[::2], boxes[1::2], strict=True):
            if group and self._is_apart(group[-1], one, other, whole.size, near):
                yield self._piece(text, group, False, indices, bold)
                group = []
            group.append((first, after, one, other))
        if group:
            yield self._piece(text, group, whole.joins, indices, bold)

    @staticmethod
    def _is_apart(before: tuple[int, int, Box, Box], one: Box, other: Box, size: float, near: float) -> bool:
        """Whether a word is far from the one before it, above, below or back behind its beginning: another piece. Both
        are the boxes of first and last characters, which lie from right to left in scripts that run so."""
        left, right = min(before[2][0], before[3][0]), max(before[2][2], before[3][2])
        x0, x1 = min(one[0], other[0]), max(one[2], other[2])
        if max(x0 - right, left - x1) > near or min(before[3][3], one[3]) <= max(before[3][1], one[1]):
            return True
        return x0 < left - size and before[2][0] <= before[3][0] and one[0] <= other[0]

    @staticmethod
    def _piece(
        text: str,
        words: list[tuple[int, int, Box, Box]],
        joins: bool,
        indices: range | list[int],
        bold: BoldFonts,
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


def _with_pairs_joined(codes: list[int]) -> tuple[str, list[int]]:
    """The text of UTF-16 units, and the unit that each character begins at: a character outside of the basic plane
    has two; zeros and units without their other half are left out."""
    letters, indices = [], []
    index = 0
    while index < len(codes):
        size = 2 if codes[index] in _SURROGATES else 1
        units = codes[index : index + size]
        try:
            letter = chr(units[0]) if size == 1 else struct.pack("<2H", *units).decode("utf-16-le")
        except (UnicodeDecodeError, struct.error):
            letter, size = "", 1
        if units[0] and letter:
            letters.append(letter)
            indices.append(index)
        index += size
    return "".join(letters), indices


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
