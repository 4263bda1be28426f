"""Lines of a region put together to paragraphs, headings, list items and table rows."""

import itertools
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from docmill.pipeline.extract.layout.segments import Line, Segment
from docmill.pipeline.extract.layout.tables import Table, aligned_tables
from docmill.pipeline.extract.layout.words import Compounds, plain_text
from docmill.pipeline.extract.reading import PageWriter, row_text
from docmill.pipeline.types import BlockKind

_BULLET = re.compile(r"[•◦▪‣●○■➢✓·»*–—-]\s+(?=\S)")
_NUMBER = re.compile(r"\(?(?:\d{1,2}|[a-zA-Z]|[ivxIVX]{1,5})[.)]\s+(?=\S)")
_SECTION = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,4})\.?\s+\S")
_SENTENCE_END = (".", "!", "?", ":", ";", "”", '"', "。", "…")


@dataclass(frozen=True, slots=True)
class ParagraphTolerances:
    """When a line begins a new paragraph, and what makes lines a heading. "Sizes" are heights of the line's font."""

    heading_letters: int = 160
    """Characters of a heading at most."""
    heading_lines: int = 3
    """Lines of a heading at most."""
    larger: float = 1.13
    """Times the body's size from which print is a heading's: 12 points over 10.5."""
    smaller: float = 0.93
    """Times the body's size below which bold print is a caption's or a note's, not a heading's."""
    size_step: float = 0.5
    """Points to which sizes are rounded before letters are counted at each."""
    one_size: float = 0.1
    """Points within which two pieces have one size."""
    same_size: float = 0.1
    """Part of the size within which the text goes on: in the next column, and in the plain case on the next line."""
    other_size: float = 0.12
    """Part of the size by which the next line's print differs when a new paragraph begins."""
    same_start: float = 1.0
    """Points within which two lines begin at one place."""
    plain_leading: float = 1.2
    """Times the usual distance between lines within which the plain case goes on without more tests."""
    wide_leading: float = 1.28
    """Times the usual distance between lines beyond which a paragraph begins."""
    solid: float = 0.95
    """Sizes from one line to the next where lines are set solid: the usual distance is at least this."""
    default_leading: float = 1.2
    """Sizes from one line to the next where a region has a single line."""
    overprint: float = 0.5
    """Sizes between lines below which they stand side by side, so that they tell nothing about the distance."""
    justify: float = 1.2
    """Sizes of room, besides the next line's first word, from which that word would have fitted on this line."""
    indent: float = 0.7
    """Sizes by which a first line is set in, or hangs out."""
    flush: float = 0.5
    """Sizes within which a line begins at the region's left edge."""
    centred: float = 2.0
    """Sizes that a centred line keeps from the region's edges at least."""
    open_end: float = 4.0
    """Sizes that the last line of a paragraph, which goes on in the next column, may fall short of the right edge."""


_TOLERANCES = ParagraphTolerances()


@dataclass(slots=True)
class BlockDraft:
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
        size, letters, near = 0.0, 0, _TOLERANCES.one_size
        for segment in segments:
            if not -near < segment.size - size < near:
                self._sizes[_rounded(size)] += letters
                size, letters = segment.size, 0
            letters += len(segment.text)
        self._sizes[_rounded(size)] += letters
        self._body_size = None

    @property
    def body_size(self) -> float:
        """The size most letters have."""
        if self._body_size is None:
            self._body_size = max(self._sizes, key=self._sizes.__getitem__, default=0.0) or 10.0
        return self._body_size

    def heading_level(self, text: str, size: float, bold: bool, lines: int) -> int:
        """1 to 6 when these lines are a heading, 0 when not."""
        if len(text) > _TOLERANCES.heading_letters or lines > _TOLERANCES.heading_lines:
            return 0
        if self._outline and (level := self._outline.get(title_key(text), 0)):
            return min(level, 6)
        body = self.body_size
        is_larger = size >= _TOLERANCES.larger * body
        if not (is_larger or bold) or text[0].islower() or not any(map(str.isalpha, text)):
            return 0
        section = _SECTION.match(text)
        if not is_larger:
            if size < _TOLERANCES.smaller * body:
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


def _rounded(size: float) -> float:
    return round(size / _TOLERANCES.size_step) * _TOLERANCES.size_step


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
    drafts: list[BlockDraft] = []
    for lines in regions:
        for draft in _region_drafts(lines, waiting, typography, compounds):
            before = drafts[-1] if drafts else None
            if before is not None and _continues(before, draft):
                before.text = compounds.join_line(before.text.removesuffix("-") if before.joins else before.text,
                                                  before.joins, draft.text)  # fmt: skip
                before.is_open, before.joins = draft.is_open, draft.joins
            else:
                drafts.append(draft)
    for table in waiting:
        drafts.extend(_table_drafts(table))
    for draft in drafts:
        writer.add(draft.kind, plain_text(draft.text), draft.level)


def _continues(before: BlockDraft, draft: BlockDraft) -> bool:
    """Whether a paragraph goes on here from the column before."""
    if before.kind not in ("paragraph", "list_item") or draft.kind != "paragraph" or not before.is_open:
        return False
    same_size = abs(before.size - draft.size) < _TOLERANCES.same_size * draft.size
    return before.joins or (draft.text[0].islower() and same_size)


def _region_drafts(
    lines: list[Line], waiting: list[Table], typography: Typography, compounds: Compounds
) -> Iterator[BlockDraft]:
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
            yield from _table_drafts(table)
        if index in aligned:
            index, table = aligned[index]
            yield from _table_drafts(table)
            continue
        held.append(line)
        index += 1
    yield from _paragraphs(held, typography, compounds)


def _table_drafts(table: Table) -> Iterator[BlockDraft]:
    for number, row in enumerate(table.rows):
        kind: BlockKind = "table_header" if number == 0 and table.has_header else "table_row"
        yield BlockDraft(kind, row_text(row))


def _paragraphs(lines: list[Line], typography: Typography, compounds: Compounds) -> Iterator[BlockDraft]:
    if not lines:
        return
    left, right = min([line.x0 for line in lines]), max([line.x1 for line in lines])
    leading = _leading(lines)
    paragraph = [lines[0]]
    before = lines[0]
    for line in lines[1:]:
        if _starts_paragraph(paragraph, before, line, left, right, leading):
            yield _draft(paragraph, right, typography, compounds)
            paragraph = []
        paragraph.append(line)
        before = line
    yield _draft(paragraph, right, typography, compounds)


def _leading(lines: Sequence[Line]) -> float:
    """The usual distance from one line of a paragraph to the next."""
    middles = [(line.y0 + line.y1) / 2 for line in lines]
    steps = sorted([below - above for above, below in itertools.pairwise(middles)])
    usual = steps[bisect_right(steps, _TOLERANCES.overprint * lines[len(lines) // 2].size) :]
    return usual[len(usual) // 4] if usual else _TOLERANCES.default_leading * lines[0].size


def _starts_paragraph(
    paragraph: list[Line], before: Line, line: Line, left: float, right: float, leading: float
) -> bool:
    size = line.size
    if (
        abs(line.x0 - before.x0) < _TOLERANCES.same_start
        and right - before.x1 < size
        and line.bold == before.bold
        and abs(size - before.size) < _TOLERANCES.same_size * size
        and 0 < line.y0 - before.y0 <= _TOLERANCES.plain_leading * leading
        and line.text[0].islower()
    ):
        return False  # the plain case first: the line above is full, and this one goes on
    step = (line.y0 + line.y1 - before.y0 - before.y1) / 2
    if step > _TOLERANCES.wide_leading * max(leading, _TOLERANCES.solid * size) or step < 0:
        return True
    if abs(size - before.size) > _TOLERANCES.other_size * max(size, before.size) or line.bold != before.bold:
        return True
    text, text_before = line.text, before.text
    if before.joins or (text_before[-1] == "-" and text_before[-2:-1].isalnum()):
        return False
    if not text[0].isalnum() and _BULLET.match(text):
        return True
    ended = text_before.endswith(_SENTENCE_END)
    would_have_fit = right - before.x1 > _first_word_width(line) + _TOLERANCES.justify * size
    if _NUMBER.match(text) and (ended or would_have_fit or _NUMBER.match(paragraph[0].text)):
        return True
    is_centred = abs((line.x0 - left) - (right - line.x1)) < size and line.x0 - left > _TOLERANCES.centred * size
    if would_have_fit and not is_centred and (ended or text[0].isupper() or text[0].isdigit()):
        return True
    indent, set_in = line.x0 - before.x0, _TOLERANCES.indent * size
    if indent > set_in and len(paragraph) > 1 and before.x0 - left < _TOLERANCES.flush * size:
        return True  # the first line of a paragraph is set in
    # The lines after the first were set in, and this one is not: a list of references, say.
    return indent < -set_in and len(paragraph) > 1 and paragraph[0].x0 < paragraph[1].x0 - set_in


def _first_word_width(line: Line) -> float:
    text = line.segments[0].text
    return (line.segments[0].x1 - line.segments[0].x0) * len(text.split(" ", 1)[0]) / max(len(text), 1)


def _draft(lines: list[Line], right: float, typography: Typography, compounds: Compounds) -> BlockDraft:
    text = compounds.join_lines([(line.text, line.joins) for line in lines])
    last = lines[-1]
    size = max([line.size for line in lines])
    bold = lines[0].bold and all(line.bold for line in lines)
    if not text[0].isalnum() and _BULLET.match(text):
        return BlockDraft("list_item", text, 1, _is_open(last, right), last.joins, size)
    if level := typography.heading_level(text, size, bold, len(lines)):
        return BlockDraft("heading", text, level)
    if _NUMBER.match(text):
        return BlockDraft("list_item", text, 1, _is_open(last, right), last.joins, size)
    return BlockDraft("paragraph", text, 0, _is_open(last, right), last.joins, size)


def _is_open(last: Line, right: float) -> bool:
    """Whether a paragraph's last line is full and ends no sentence, so that it may go on elsewhere."""
    return last.joins or (right - last.x1 < _TOLERANCES.open_end * last.size and not last.text.endswith(_SENTENCE_END))
