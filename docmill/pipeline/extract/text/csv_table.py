"""CSV and TSV: one page of table rows."""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.reading import PageWriter, Reading
from docmill.pipeline.extract.text.encoding import decode

_SEPARATORS = ",;\t|"
_SAMPLE = 16 * 1024
"""Characters that the separator is told by."""
_SAMPLE_ROWS = 50
_MAX_FIELD = 1 << 20
"""Characters of one cell."""


def read(path: Path, content_type: str) -> Reading:
    """Rows as they stand; the first names the columns unless it holds figures."""
    text = decode(path.read_bytes()).replace("\x00", "")
    writer = PageWriter()
    try:
        for number, row in enumerate(_rows(text)):
            is_header = number == 0 and not any(character.isdigit() for cell in row for character in cell)
            writer.add_row(row, is_header=is_header)
    except csv.Error as error:
        raise PermanentError("corrupt", "The table cannot be read: check its quotes and separators.") from error
    return Reading(None, 1, iter([writer.page(1)]))


def _rows(text: str) -> Iterator[list[str]]:
    csv.field_size_limit(_MAX_FIELD)
    first, _, rest = text.partition("\n")
    if first.strip().lower().startswith("sep=") and len(first.strip()) == 5:  # Excel's line that names the separator
        separator, text = first.strip()[4], rest
    else:
        separator = _separator(text[:_SAMPLE])
    for row in csv.reader(_lines(text), delimiter=separator, skipinitialspace=True):
        cells = [" ".join(cell.split()) for cell in row]
        if any(cells):
            yield cells


def _lines(text: str) -> Iterator[str]:
    """The lines with their ends, which are part of a cell that goes on."""
    return iter(text.splitlines(keepends=True))


def _separator(sample: str) -> str:
    """The separator that gives most rows the same number of cells, more than one; the comma where none does."""
    return max(_SEPARATORS, key=lambda separator: (_agreement(sample, separator), separator == ","))


def _agreement(sample: str, separator: str) -> tuple[float, int]:
    """The share of rows with the commonest number of cells, and that number; zero where that is one cell."""
    widths: Counter[int] = Counter()
    try:
        for row in csv.reader(_lines(sample), delimiter=separator, skipinitialspace=True):
            if row:
                widths[len(row)] += 1
            if widths.total() == _SAMPLE_ROWS:
                break
    except csv.Error:
        return 0.0, 0
    width, count = max(widths.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
    return (count / widths.total(), width) if width > 1 else (0.0, 0)
