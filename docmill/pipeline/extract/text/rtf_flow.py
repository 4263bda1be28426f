"""A run of paragraphs of an RTF file, its body, a header, a footnote or the text of a box, with tables in tables."""

from dataclasses import dataclass, field
from typing import NamedTuple

from docmill.pipeline.extract.text.rtf_walker import paired
from docmill.pipeline.types import BlockKind

_MAX_TABLES = 50
"""Tables within each other."""


class Role(NamedTuple):
    """What a paragraph is."""

    kind: BlockKind
    level: int


PARAGRAPH = Role("paragraph", 0)


class FlowBlock(NamedTuple):
    """A finished block. Rows have `cells`; a footnote's text and a page's end have a kind of their own."""

    kind: BlockKind | str
    text: str = ""
    level: int = 0
    cells: tuple[str, ...] = ()


@dataclass
class _Table:
    """An open row: the finished cells, and the lines of the open one."""

    cells: list[list[str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    ends_with_row: bool = False


class Flow:
    """Collects text until a paragraph, cell or row ends."""

    def __init__(self) -> None:
        self.blocks: list[FlowBlock] = []
        self.text: list[str] = []
        self.mark: list[str] = []
        self._after: list[FlowBlock] = []
        self._tables: list[_Table] = []

    def after(self, block: FlowBlock) -> None:
        """A block that follows the paragraph or row that is open: a comment, a text box."""
        self._after.append(block)

    def end_paragraph(self, role: Role, mark: str, nesting: int) -> None:
        """End the paragraph; `nesting` tells in how many tables it lies."""
        text = paired("".join(self.text)).strip(" \t\n")
        self.text.clear()
        if not nesting:
            self._drop_tables(0)
            if text:
                self.blocks.append(FlowBlock(role.kind, f"{mark} {text}" if mark else text, role.level))
            self._write_after()
        elif text:
            self._add_line(self._table(nesting), f"{mark} {text}" if mark else text)

    def end_cell(self, nesting: int) -> None:
        """End the cell, and the paragraph in it that has no end of its own."""
        nesting = max(nesting, 1)
        self.end_paragraph(PARAGRAPH, "", nesting)
        self._drop_tables(nesting)
        table = self._table(nesting)
        table.cells.append(table.lines)
        table.lines, table.ends_with_row = [], False

    def end_row(self, nesting: int, is_header: bool) -> None:
        """End the row; one of a table within a cell becomes a line of the cell."""
        self._drop_tables(max(nesting, 1))
        if len(self._tables) < max(nesting, 1):
            return
        table = self._tables.pop()
        if table.lines:
            table.cells.append(table.lines)
        cells = [" ".join(" ".join(lines).split()) for lines in table.cells]
        if self._tables:
            line = ", ".join(filter(None, cells))
            if line:
                self._add_line(self._tables[-1], line, is_row=True)
            return
        if len(cells) == 1:  # a frame around text
            self.blocks += [FlowBlock("paragraph", line) for line in table.cells[0]]
        else:
            kind: BlockKind = "table_header" if is_header else "table_row"
            self.blocks.append(FlowBlock(kind, cells=tuple(cells)))
        self._write_after()

    def end(self) -> None:
        """End all that is open."""
        self.end_paragraph(PARAGRAPH, "", len(self._tables))
        self._drop_tables(0)
        self._write_after()

    def line(self) -> str:
        """All text in one line."""
        self.end()
        return " ".join(" ".join((block.text, *block.cells)) for block in self.blocks).strip()

    def _table(self, nesting: int) -> _Table:
        while len(self._tables) < min(nesting, _MAX_TABLES):
            self._tables.append(_Table())
        return self._tables[min(nesting, _MAX_TABLES) - 1]

    def _drop_tables(self, nesting: int) -> None:
        """End the rows of deeper tables, which the file left open."""
        while len(self._tables) > nesting:
            self.end_row(len(self._tables), False)

    def _write_after(self) -> None:
        self.blocks += self._after
        self._after.clear()

    def _add_line(self, table: _Table, line: str, is_row: bool = False) -> None:
        if is_row and table.ends_with_row:
            table.lines[-1] += ";"
        table.lines.append(line)
        table.ends_with_row = is_row
