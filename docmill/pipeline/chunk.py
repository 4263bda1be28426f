"""Sentences to chunks."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import sentencex

from docmill.pipeline.text import PAGE_JOINT
from docmill.pipeline.types import Chunk, Page


@dataclass(frozen=True, slots=True)
class ChunkOptions:
    """Sizes in tokens."""

    target_tokens: int = 120
    max_tokens: int = 200
    overlap: int = 0

    def __post_init__(self) -> None:
        if not 16 <= self.target_tokens <= self.max_tokens:
            raise ValueError("target_tokens must lie between 16 and max_tokens.")


class Chunker:
    def __init__(self, count_tokens: Callable[[Sequence[str]], list[int]], options: ChunkOptions) -> None:
        self._count, self._options = count_tokens, options

    def chunks(self, pages: Iterable[Page]) -> Iterator[Chunk]:
        offset = ordinal = 0
        for page in pages:
            start = end = 0
            for match in re.finditer(r"\S[^\n]*(?:\n(?!\n)[^\n]+)*", page.text):
                for a, b in self._pieces(page.text, match.start(), match.end()):
                    if end and self._count([page.text[start:b]])[0] > self._options.target_tokens:
                        yield self._chunk(page, ordinal, start, end, offset)
                        ordinal += 1
                        start = a
                    elif not end:
                        start = a
                    end = b
            if end:
                yield self._chunk(page, ordinal, start, end, offset)
                ordinal += 1
            offset += len(page.text) + len(PAGE_JOINT)

    def _pieces(self, text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
        for boundary in sentencex.get_sentence_boundaries("en", text[start:end]):
            a, b = start + boundary["start_index"], start + boundary["end_index"]
            while a < b and self._count([text[a:b]])[0] > self._options.max_tokens:
                cut = min(b, a + 400)
                yield a, cut
                a = cut
            if a < b:
                yield a, b

    def _chunk(self, page: Page, ordinal: int, start: int, end: int, offset: int) -> Chunk:
        text = page.text[start:end]
        return Chunk(
            ordinal,
            text,
            self._count([text])[0],
            page.number,
            page.number,
            offset + start,
            offset + end,
            (),
            page.source,
        )


def embedding_text(chunk: Chunk) -> str:
    """What is embedded for a chunk."""
    return "\n".join([*chunk.headings, chunk.text])
