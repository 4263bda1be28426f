"""Lines of a region put together to paragraphs, headings, list items and table rows."""

import itertools
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from docmill.pipeline.extract.layout.segments import Line, Segment
from docmill.pipeline.extract.layout.tables import CELL_JOINT, Table, aligned_tables
from docmill.pipeline.extract.layout.words import Compounds, plain_text
from docmill.pipeline.extract.reading import PageWriter
from docmill.pipeline.types import BlockKind

_BULLET = re.compile(r"[•◦▪‣●○■➢✓·»*–—-]\s+(?=\S)")
_NUMBER = re.compile(r"\(?(?:\d{1,2}|[a-zA-Z]|[ivxIVX]{1,5})[.)]\s+(?=\S)")
_SECTION = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,4})\.?\s+\S")
_SENTENCE_END = (".", "!", "?", ":", ";", "”", '"', "。", "…")
_MAX_HEADING = 160


@dataclass(slots=True)
class Piece:
    """A block of the page before it is written."""

    kind: BlockKind
    text: str
    level: int = 0
    is_open: bool = False
    joins: bool = False
    size: float = 0.0


class Typography:
    """What is known of the document's type sizes so far: the body's, and those of headings."""

    def __init__(self, outline: Mapping[str, int] | None = None) -> None:
        """`outline` maps titles of the document's outline (`title_key`) to their levels from 1."""
        self._outline = outline or {}
        self._sizes: Counter[float] = Counter()
        self._body_size: float | None = None
        self._heading_styles: list[tuple[int, bool]] = []

    def learn(self, segments: Sequence[Segment]) -> None:
        """Count the letters at each size."""
        size, letters = 0.0, 0
        for segment in segments:
            if not -0.1 < segment.size - size < 0.1:
                self._sizes[round(size * 2) / 2] += letters
                size, letters = segment.size, 0
            letters += len(segment.text)
        self._sizes[round(size * 2) / 2] += letters
        self._body_size = None

    @property
    def body_size(self) -> float:
        """The size most letters have."""
        if self._body_size is None:
            self._body_size = max(self._sizes, key=self._sizes.__getitem__, default=0.0) or 10.0
        return self._body_size

    def heading_level(self, text: str, size: float, bold: bool, lines: int) -> int:
        """1 to 6 when these lines are a heading, 0 when not."""
        if len(text) > _MAX_HEADING or lines > 3:
            return 0
        if self._outline and (level := self._outline.get(title_key(text), 0)):
            return min(level, 6)
        body = self.body_size
        is_larger = size >= 1.13 * body
        if not (is_larger or bold) or text[0].islower() or not any(map(str.isalpha, text)):
            return 0
        section = _SECTION.match(text)
        if not is_larger:
            if size < 0.93 * body:
                return 0
            if text.endswith((".", ",", ";")) or (text.endswith(":") and not section):
                return 0
        elif len(text) < 3 or (text.endswith((",", ";")) and lines > 1):
            return 0
        rank = self._rank(size if is_larger else body, bold)
        return min(max(rank, section[1].count(".") + 1) if section else rank, 6)

    def _rank(self, size: float, bold: bool) -> int:
        """The place of a heading's style among those seen so far, the largest first."""
        style = (round(size), bold)
        for known in self._heading_styles:
            if abs(known[0] - style[0]) <= 1 and known[1] == bold:
                style = known
                break
        else:
            self._heading_styles.append(style)
        return 1 + sum(
            known[0] > style[0] or (known[0] == style[0] and known[1] > bold) for known in self._heading_styles
        )


def title_key(text: str) -> str:
    """A title without numbers, case and spaces, to compare."""
    return "".join(character for character in text.lower() if character.isalpha())


def write_regions(
    writer: PageWriter,
    regions: Sequence[list[Line]],
    tables: Sequence[Table],
    typography: Typography,
    compounds: Compounds,
) -> None:
    """Write the lines of a page's regions, which are in reading order, with the ruled tables between them."""
    waiting = sorted(tables, key=lambda table: table.y0)
    pieces: list[Piece] = []
    for lines in regions:
        for piece in _region_pieces(lines, waiting, typography, compounds):
            before = pieces[-1] if pieces else None
            if before is not None and _continues(before, piece):
                before.text = compounds.join_line(before.text.removesuffix("-") if before.joins else before.text,
                                                  before.joins, piece.text)  # fmt: skip
                before.is_open, before.joins = piece.is_open, piece.joins
            else:
                pieces.append(piece)
    for table in waiting:
        pieces.extend(_table_pieces(table))
    for piece in pieces:
        writer.add(piece.kind, plain_text(piece.text), piece.level)


def _continues(before: Piece, piece: Piece) -> bool:
    """Whether a paragraph goes on here from the column before."""
    if before.kind not in ("paragraph", "list_item") or piece.kind != "paragraph" or not before.is_open:
        return False
    return before.joins or (piece.text[0].islower() and abs(before.size - piece.size) < 0.1 * piece.size)


def _region_pieces(
    lines: list[Line], waiting: list[Table], typography: Typography, compounds: Compounds
) -> Iterator[Piece]:
    """The region's blocks; ruled tables are taken from `waiting` where they lie between its lines."""
    aligned = {start: (end, table) for start, end, table in aligned_tables(lines)}
    if not aligned and not waiting:
        yield from _paragraphs(lines, typography, compounds)
        return
    held: list[Line] = []
    index = 0
    while index < len(lines):
        line = lines[index]
        above = waiting and [t for t in waiting if t.y0 < line.y0 and t.x0 < line.x1 and t.x1 > line.x0]
        if above or index in aligned:
            yield from _paragraphs(held, typography, compounds)
            held = []
        for table in above:
            waiting.remove(table)
            yield from _table_pieces(table)
        if index in aligned:
            index, table = aligned[index]
            yield from _table_pieces(table)
            continue
        held.append(line)
        index += 1
    yield from _paragraphs(held, typography, compounds)


def _table_pieces(table: Table) -> Iterator[Piece]:
    for number, row in enumerate(table.rows):
        kind: BlockKind = "table_header" if number == 0 and table.has_header else "table_row"
        yield Piece(kind, CELL_JOINT.join(row))


def _paragraphs(lines: list[Line], typography: Typography, compounds: Compounds) -> Iterator[Piece]:
    if not lines:
        return
    left, right = min([line.x0 for line in lines]), max([line.x1 for line in lines])
    leading = _leading(lines)
    paragraph = [lines[0]]
    before = lines[0]
    for line in lines[1:]:
        if _starts_paragraph(paragraph, before, line, left, right, leading):
            yield _piece(paragraph, right, typography, compounds)
            paragraph = []
        paragraph.append(line)
        before = line
    yield _piece(paragraph, right, typography, compounds)


def _leading(lines: Sequence[Line]) -> float:
    """The usual distance from one line of a paragraph to the next."""
    middles = [(line.y0 + line.y1) / 2 for line in lines]
    steps = sorted([below - above for above, below in itertools.pairwise(middles)])
    usual = steps[bisect_right(steps, 0.5 * lines[len(lines) // 2].size) :]
    return usual[len(usual) // 4] if usual else 1.2 * lines[0].size


def _starts_paragraph(
    paragraph: list[Line], before: Line, line: Line, left: float, right: float, leading: float
) -> bool:
    size = line.size
    if (
        abs(line.x0 - before.x0) < 1.0
        and right - before.x1 < size
        and line.bold == before.bold
        and abs(size - before.size) < 0.1 * size
        and 0 < line.y0 - before.y0 <= 1.2 * leading
        and line.text[0].islower()
    ):
        return False  # the plain case first: the line above is full, and this one goes on
    step = (line.y0 + line.y1 - before.y0 - before.y1) / 2
    if step > 1.28 * max(leading, 0.95 * size) or step < 0:
        return True
    if abs(size - before.size) > 0.12 * max(size, before.size) or line.bold != before.bold:
        return True
    text, text_before = line.text, before.text
    if before.joins or (text_before[-1] == "-" and text_before[-2:-1].isalnum()):
        return False
    if not text[0].isalnum() and _BULLET.match(text):
        return True
    ended = text_before.endswith(_SENTENCE_END)
    would_have_fit = right - before.x1 > _first_word_width(line) + 1.2 * size
    if _NUMBER.match(text) and (ended or would_have_fit or _NUMBER.match(paragraph[0].text)):
        return True
    is_centred = abs((line.x0 - left) - (right - line.x1)) < size and line.x0 - left > 2 * size
    if would_have_fit and not is_centred and (ended or text[0].isupper() or text[0].isdigit()):
        return True
    indent = line.x0 - before.x0
    if indent > 0.7 * size and len(paragraph) > 1 and before.x0 - left < 0.5 * size:
        return True  # the first line of a paragraph is set in
    # The lines after the first were set in, and this one is not: a list of references, say.
    return indent < -0.7 * size and len(paragraph) > 1 and paragraph[0].x0 < paragraph[1].x0 - 0.7 * size


def _first_word_width(line: Line) -> float:
    text = line.segments[0].text
    return (line.segments[0].x1 - line.segments[0].x0) * len(text.split(" ", 1)[0]) / max(len(text), 1)


def _piece(lines: list[Line], right: float, typography: Typography, compounds: Compounds) -> Piece:
    text = compounds.join_lines([(line.text, line.joins) for line in lines])
    last = lines[-1]
    size = max([line.size for line in lines])
    bold = lines[0].bold and all(line.bold for line in lines)
    if not text[0].isalnum() and _BULLET.match(text):
        return Piece("list_item", text, 1, _is_open(last, right), last.joins, size)
    if level := typography.heading_level(text, size, bold, len(lines)):
        return Piece("heading", text, level)
    if _NUMBER.match(text):
        return Piece("list_item", text, 1, _is_open(last, right), last.joins, size)
    return Piece("paragraph", text, 0, _is_open(last, right), last.joins, size)


def _is_open(last: Line, right: float) -> bool:
    """Whether a paragraph's last line is full and ends no sentence, so that it may go on elsewhere."""
    return last.joins or (right - last.x1 < 4 * last.size and not last.text.endswith(_SENTENCE_END))
