"""What every reader hands on: a document's title, its number of pages, and its pages one by one."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from docmill.pipeline.text import clean
from docmill.pipeline.types import Block, BlockKind, Page, Source

_CLOSE_KINDS = ("list_item", "table_header", "table_row", "code")
_CELL_JOINT = " | "


def row_text(cells: Iterable[str]) -> str:
    """A row of a table as one line, by the rule of every reader: cells in one line each, set apart by bars; the empty
    ones at the end are left out, the others keep their place. Empty when no cell says anything."""
    row = [" ".join(cell.split()) for cell in cells]
    while row and not row[-1]:
        row.pop()
    return _CELL_JOINT.join(row)


@dataclass(slots=True)
class Reading:
    """An opened document. `pages` is lazy: a page is read when it is asked for, and forgotten afterwards.

    `pages_total` counts the document's pages (or sheets, slides, images); None where only reading to the end would
    tell.
    """

    title: str | None
    pages_total: int | None
    pages: Iterator[Page]


@dataclass(frozen=True, slots=True)
class Survey:
    """What a quick look at a document tells: its number of pages, and the numbers of those that need OCR."""

    pages_total: int
    to_ocr: list[int]


class PageWriter:
    """Collects blocks and lays them out as one page's clean text, with the offsets of each block."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._blocks: list[Block] = []
        self._length = 0

    def add(self, kind: BlockKind, text: str, level: int = 0) -> None:
        """Append a block; list items, table rows and lines of code follow each other line by line, everything else
        is set apart by a blank line. Blocks without text are dropped."""
        if not (text.isascii() and text.isprintable()):
            text = clean(text)
        text = text.strip("\n") if kind == "code" else text.strip()
        if not text:
            return
        if self._blocks:
            before = self._blocks[-1].kind
            close = kind in _CLOSE_KINDS and before in _CLOSE_KINDS and (kind == before or "table" in kind + before)
            joint = "\n" if close else "\n\n"
            self._parts.append(joint)
            self._length += len(joint)
        self._parts.append(text)
        self._blocks.append(Block(kind, self._length, self._length + len(text), level))
        self._length += len(text)

    def add_row(self, cells: Iterable[str], *, is_header: bool = False) -> None:
        """Append a row of a table, unless all of its cells are empty; `is_header` when it names the columns."""
        self.add("table_header" if is_header else "table_row", row_text(cells))

    def __len__(self) -> int:
        return self._length

    def page(self, number: int, source: Source = "text") -> Page:
        """The page written so far."""
        return Page(number, "".join(self._parts), source, tuple(self._blocks))
