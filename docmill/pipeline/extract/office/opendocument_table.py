"""Rows of OpenDocument tables and sheets, with what is repeated written out as often as it says something."""

from collections.abc import Iterator
from typing import Any

from docmill.pipeline.extract.office.opendocument_text import (
    DRAW,
    OFFICE,
    PAGE_END,
    TABLE,
    TEXT,
    count_of,
    read_paragraph,
)

_MAX_COLUMNS = 1000
_MAX_REPEATED_ROWS = 100
_MAX_NESTING = 10
_GROUPS = {TABLE + "table-row-group", TABLE + "table-rows"}
_INSIDE_CELLS = {TEXT + "list", TEXT + "list-item", TEXT + "list-header", TEXT + "section"}
_MIDNIGHT = "T00:00:00"

Row = tuple[list[str], bool]
"""The cells' texts, and whether the row names the columns."""


def table_rows(table: Any, anchored: list[Any], is_header: bool = False, nesting: int = 0) -> Iterator[Row]:
    """The table's rows that hold text. Frames and notes that are anchored in cells are added to `anchored`."""
    for element in table:
        if element.tag == TABLE + "table-row":
            cells = _cells(element, anchored, nesting)
            if any(cells):
                for _ in range(min(count_of(element, TABLE + "number-rows-repeated"), _MAX_REPEATED_ROWS)):
                    yield cells, is_header
        elif element.tag == TABLE + "table-header-rows":
            yield from table_rows(element, anchored, True, nesting)
        elif element.tag in _GROUPS:
            yield from table_rows(element, anchored, is_header, nesting)


def _cells(row: Any, anchored: list[Any], nesting: int) -> list[str]:
    cells: list[str] = []
    for cell in row.iterchildren(TABLE + "table-cell", TABLE + "covered-table-cell"):
        text = "" if cell.tag == TABLE + "covered-table-cell" else _cell_text(cell, anchored, nesting)
        cells += [text] * min(count_of(cell, TABLE + "number-columns-repeated"), _MAX_COLUMNS - len(cells))
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _cell_text(cell: Any, anchored: list[Any], nesting: int) -> str:
    """A cell in one line: dates in ISO form, everything else as it is shown; rows of a table in it by semicolons."""
    anchored += cell.iterchildren(OFFICE + "annotation")
    if cell.get(OFFICE + "value-type") == "date":
        return str(cell.get(OFFICE + "date-value", "")).removesuffix(_MIDNIGHT)
    parts = []
    for element in _flat(cell, nesting):
        if element.tag == TABLE + "table":
            rows = table_rows(element, anchored, nesting=nesting + 1) if nesting < _MAX_NESTING else ()
            parts.append("; ".join(", ".join(filter(None, cells)) for cells, _ in rows))
        elif element.tag.startswith(DRAW):
            anchored.append(element)
        else:
            paragraph = read_paragraph(element)
            parts.append(paragraph.text.replace(PAGE_END, " "))
            anchored += paragraph.frames + paragraph.notes
    return " ".join(" ".join(parts).split()) or str(cell.get(OFFICE + "value", ""))


def _flat(container: Any, nesting: int) -> Iterator[Any]:
    """The cell's paragraphs, tables and shapes, those of lists among them."""
    for element in container.iterchildren("*"):
        if element.tag in (TEXT + "p", TEXT + "h", TABLE + "table") or element.tag.startswith(DRAW):
            yield element
        elif element.tag in _INSIDE_CELLS and nesting < _MAX_NESTING:
            yield from _flat(element, nesting + 1)
