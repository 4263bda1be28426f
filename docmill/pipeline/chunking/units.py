"""Units: the smallest parts of a text that chunks are put together from, and what it costs to cut between them."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from docmill.pipeline.chunking.sentences import guess_language, sentence_spans
from docmill.pipeline.chunking.structure import find_blocks, heading_title
from docmill.pipeline.text import joined
from docmill.pipeline.types import Block, Page, Source

CountTokens = Callable[[Sequence[str]], list[int]]

# What a cut before a unit costs; 1.0 is what a chunk of twice the target costs (Chunker._size_cost).
BEFORE_SECTION = -1.0
BEFORE_HEADING = -0.2
BEFORE_PARAGRAPH = 0.0
BEFORE_LINE = 0.06
BEFORE_ITEM = 0.08
BEFORE_ROW = 1.0
BEFORE_SENTENCE = 0.15
AFTER_HEADING = 3.0
AFTER_TABLE_HEADER = 3.0
WITHIN_SENTENCE = 1.5
_HEADING_CHARACTERS = 120
_TITLE_LEVEL = 0
"""Above all headings, which have levels from 1."""
_CHARACTERS_PER_TOKEN = 20
# Possessive, and begun only where a run of marks begins: a run of any length is looked at once.
_INNER_END = re.compile(r"(?<![.!?。！？])[.!?。！？]++[\"'”’)\]]*+(?:\s|\\n)++")


@dataclass(frozen=True, slots=True)
class Unit:
    """A sentence, list item, table row or heading, at `start` of the full text after `joint` (white space)."""

    text: str
    joint: str
    start: int
    tokens: int
    cut_cost: float
    page: int
    source: Source
    headings: tuple[str, ...]


def units(pages: Iterable[Page], count_tokens: CountTokens, max_tokens: int, title: str = "") -> Iterator[Unit]:
    """The units of a document called `title` in order; none has more than `max_tokens` tokens. Joints and texts joined
    give back the full text up to white space at its ends."""
    outline, kind_before = _Outline(title), ""
    between, page_end = "", 0
    for offset, page in joined(pages):
        between += "\n" * (offset - page_end)
        done = 0
        language = guess_language(page.text)
        for block in page.blocks or tuple(find_blocks(page.text)):
            outline.take(block, page.text[block.start : block.end])
            for number, span in enumerate(_spans(page.text, block, language, count_tokens, max_tokens)):
                start, stop, tokens, is_cut = span
                joint = between + page.text[done:start]
                cost = WITHIN_SENTENCE if is_cut else _cut_cost(block, kind_before, number, joint)
                yield Unit(
                    page.text[start:stop],
                    joint,
                    offset + start,
                    tokens,
                    cost,
                    page.number,
                    page.source,
                    outline.path(block),
                )
                between, done, kind_before = "", stop, block.kind
        between += page.text[done:]
        page_end = offset + len(page.text)


class _Outline:
    """The path of headings at a place in the text, below the document's title, and the header of the table that it lies
    in."""

    def __init__(self, title: str) -> None:
        self._title = " ".join(title.split())[:_HEADING_CHARACTERS]
        self._path: list[tuple[int, str]] = [(_TITLE_LEVEL, self._title)] if self._title else []
        self._table_header = ""

    def take(self, block: Block, text: str) -> None:
        """Go on to the next block."""
        if block.kind == "heading":
            while self._path and self._path[-1][0] >= block.level:
                self._path.pop()
            heading = heading_title(text)[:_HEADING_CHARACTERS]
            if len(self._path) == 1 and heading.casefold() == self._title.casefold():
                self._path.clear()  # the title stands in the text, too
            self._path.append((block.level, heading))
        if block.kind == "table_header":
            self._table_header = self._table_header or " ".join(text.split())[:_HEADING_CHARACTERS]
        elif block.kind != "table_row":
            self._table_header = ""

    def path(self, block: Block) -> tuple[str, ...]:
        """The titles above a block, for a table's row its header too; nothing is above itself."""
        path = [title for _, title in (self._path[:-1] if block.kind == "heading" else self._path)]
        if block.kind == "table_row" and self._table_header:
            path.append(self._table_header)
        return tuple(path)


def _cut_cost(block: Block, kind_before: str, number: int, joint: str) -> float:
    if number > 0:
        return BEFORE_LINE if "\n" in joint else BEFORE_SENTENCE
    if kind_before == "heading":
        return AFTER_HEADING
    match block.kind:
        case "heading":
            return BEFORE_SECTION if block.level <= 2 else BEFORE_HEADING
        case "table_header" if kind_before == "table_header":
            return AFTER_TABLE_HEADER
        case "table_row":
            return AFTER_TABLE_HEADER if kind_before == "table_header" else BEFORE_ROW
        case "list_item" if kind_before == "list_item":
            return BEFORE_ITEM
        case _:
            return BEFORE_PARAGRAPH


def _spans(
    text: str, block: Block, language: str, count_tokens: CountTokens, max_tokens: int
) -> Iterator[tuple[int, int, int, bool]]:
    """The block's units as (start, end, tokens, is inside a sentence), without white space around them."""
    body = text[block.start : block.end]
    whole = block.kind not in ("paragraph", "list_item") and "\n" not in body
    parts = [(0, len(body))] if whole else list(sentence_spans(body, language))
    counts = count_tokens([body[start:end] for start, end in parts])
    for (start, end), counted in zip(parts, counts, strict=True):
        tokens = _believed(counted, end - start)
        if tokens <= max_tokens:
            yield from _stripped(body, block.start, start, end, tokens, is_cut=False)
            continue
        for inner in _inner_sentences(body, start, end):
            for number, (a, b) in enumerate(_broken(body, *inner, count_tokens, max_tokens)):
                yield from _stripped(body, block.start, a, b, _count(body, a, b, count_tokens), is_cut=number > 0)


def _inner_sentences(body: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The sentences inside of one that is too long, as a long quotation is."""
    begin = start
    for match in _INNER_END.finditer(body, start, end):
        yield begin, match.end()
        begin = match.end()
    if begin < end:
        yield begin, end


def _count(body: str, start: int, end: int, count_tokens: CountTokens) -> int:
    return _believed(count_tokens([body[start:end]])[0], end - start)


def _believed(tokens: int, characters: int) -> int:
    """At least one token, and more where a tokenizer takes a word of any length for one unknown token."""
    return max(tokens, characters // _CHARACTERS_PER_TOKEN, 1)


def _stripped(
    body: str, offset: int, start: int, end: int, tokens: int, *, is_cut: bool
) -> Iterator[tuple[int, int, int, bool]]:
    inner = body[start:end]
    left = len(inner) - len(inner.lstrip())
    if stripped := inner.strip():
        yield offset + start + left, offset + start + left + len(stripped), tokens, is_cut


def _broken(body: str, start: int, end: int, count_tokens: CountTokens, max_tokens: int) -> Iterator[tuple[int, int]]:
    """A sentence that is too long, broken in two at the best place near its middle, as often as it takes."""
    if end - start < 2 or _count(body, start, end, count_tokens) <= max_tokens:
        yield start, end
        return
    cut = _best_break(body, start, end)
    yield from _broken(body, start, cut, count_tokens, max_tokens)
    yield from _broken(body, cut, end, count_tokens, max_tokens)


def _best_break(body: str, start: int, end: int) -> int:
    """After a line end, else a semicolon or colon, else a comma, else a space, in the middle third; else the middle."""
    third = (end - start) // 3
    for mark in ("\n", "; ", ": ", "；", ", ", "，", "、", " "):
        middle = (start + end) // 2
        found = [body.rfind(mark, start + third, middle), body.find(mark, middle, end - third)]
        places = [place + len(mark) for place in found if place >= 0]
        if places:
            return min(places, key=lambda place: abs(place - middle))
    return (start + end) // 2
