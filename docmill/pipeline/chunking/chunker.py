"""Chunks: sentences put together near a target size, with the cuts where a reader would make them.

The text is taken apart into units (sentences, list items, table rows, headings), and the cheapest set of cuts is found
by dynamic programming: a chunk costs by how far it is from the target, a cut by what it tears apart. Work and memory
are linear in the text; a run of units is settled once it is long enough, so chunks come out while pages still come in.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from docmill.pipeline.types import Chunk, Page, Source

if TYPE_CHECKING:
    from docmill.pipeline.chunking.units import Unit

CountTokens = Callable[[Sequence[str]], list[int]]

PATH_CHARACTERS = 100
"""What the path of headings may take in front of an embedded text; it has no more tokens than characters."""
_SETTLE = 128
"""Units looked at together; the last chunk of a run goes into the next run, so that no cut is forced."""
_SHORT = 0.35
"""Of the target: chunks below it are costly."""


@dataclass(frozen=True, slots=True)
class ChunkOptions:
    """Sizes in tokens of the embedding model. Raises ValueError when they do not fit together.

    `target_tokens` is what chunks come near to, `max_tokens` what none exceeds, `overlap` how much of the preceding
    text each chunk repeats at most, in whole sentences.
    """

    target_tokens: int = 110
    max_tokens: int = 154
    overlap: int = 0

    def __post_init__(self) -> None:
        sizes = (self.target_tokens, self.max_tokens, self.overlap)
        if not all(isinstance(size, int) and not isinstance(size, bool) for size in sizes):
            raise ValueError("target_tokens, max_tokens and overlap must be whole numbers.")
        if not 16 <= self.target_tokens <= self.max_tokens:
            raise ValueError("target_tokens must be at least 16 and at most max_tokens.")
        if not 0 <= self.overlap <= self.target_tokens // 2:
            raise ValueError("overlap must be between 0 and half of target_tokens.")


class Chunker:
    """Cuts documents into chunks. `count_tokens` is the embedding model's."""

    def __init__(self, count_tokens: CountTokens, options: ChunkOptions) -> None:
        self._count_tokens = count_tokens
        self._options = options

    def chunks(self, pages: Iterable[Page], title: str = "") -> Iterator[Chunk]:
        """The document's chunks in order, as soon as they are settled; `title` is the outermost heading of all.

        Without overlap their spans cover all text but white space once.
        """
        # spaCy takes a second to load, and most processes only check sizes.
        from docmill.pipeline.chunking.units import units

        before: list[Unit] = []
        for ordinal, group in enumerate(
            self._groups(units(pages, self._count_tokens, self._options.max_tokens, title))
        ):
            yield self._chunk(ordinal, self._overlap(before, group) + group)
            before = group

    def _groups(self, stream: "Iterable[Unit]") -> "Iterator[list[Unit]]":
        waiting: list[Unit] = []
        for unit in stream:
            waiting.append(unit)
            if len(waiting) >= _SETTLE:
                *settled, rest = self._cut(waiting)
                if not settled:
                    settled, rest = [rest], []
                yield from settled
                waiting = list(rest)
        if waiting:
            yield from self._cut(waiting)

    def _cut(self, run: "Sequence[Unit]") -> "list[list[Unit]]":
        """The cheapest way to cut a run of units: best[i] is the least cost of chunks that end before unit i."""
        best, came_from = [0.0], [0]
        for end in range(1, len(run) + 1):
            best.append(float("inf"))
            came_from.append(end - 1)
            tokens = 0
            for start in range(end - 1, -1, -1):
                tokens += run[start].tokens
                if tokens > self._options.max_tokens and start < end - 1:
                    break
                cost = best[start] + self._size_cost(tokens) + (run[start].cut_cost if start else 0.0)
                if cost < best[end]:
                    best[end], came_from[end] = cost, start
        groups: list[list[Unit]] = []
        end = len(run)
        while end:
            groups.append(list(run[came_from[end] : end]))
            end = came_from[end]
        return groups[::-1]

    def _size_cost(self, tokens: int) -> float:
        """How much a chunk of so many tokens misses the target; too short is worse than too long."""
        target = self._options.target_tokens
        miss = (tokens - target) / target
        return miss * miss + (1.0 if tokens < _SHORT * target else 0.0)

    def _overlap(self, before: "Sequence[Unit]", group: "Sequence[Unit]") -> "list[Unit]":
        """The last whole sentences before a chunk that fit into the overlap and into the chunk's limit."""
        room = min(self._options.overlap, self._options.max_tokens - sum(unit.tokens for unit in group))
        taken: list[Unit] = []
        for unit in reversed(before):
            room -= unit.tokens
            if room < 0 or unit.headings != group[0].headings:
                break
            taken.insert(0, unit)
        return taken

    def _chunk(self, ordinal: int, group: "Sequence[Unit]") -> Chunk:
        first, last = group[0], group[-1]
        text = first.text + "".join(unit.joint + unit.text for unit in group[1:])
        sources = {unit.source for unit in group}
        source: Source = sources.pop() if len(sources) == 1 else "mixed"
        return Chunk(
            ordinal,
            text,
            self._count_tokens([text])[0],
            first.page,
            last.page,
            first.start,
            first.start + len(text),
            group[0].headings,
            source,
        )


def embedding_text(chunk: Chunk) -> str:
    """What is embedded for a chunk."""
    return passage_text(chunk.headings, chunk.text)


def passage_text(headings: Sequence[str], text: str) -> str:
    """A passage as it is embedded and ranked: the path of headings above it, innermost last, then its text."""
    path = " > ".join(headings)[-PATH_CHARACTERS:]
    return f"{path}\n{text}" if path else text
