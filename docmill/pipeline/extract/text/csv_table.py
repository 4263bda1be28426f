"""CSV and TSV: one page of table rows."""

import csv
from collections.abc import Iterator
from pathlib import Path

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.reading import PageWriter, Reading
from docmill.pipeline.extract.text.plain import decode

_SAMPLE = 16 * 1024
_MAX_FIELD = 1 << 20


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
    try:
        dialect: type[csv.Dialect] = csv.Sniffer().sniff(text[:_SAMPLE], ",;\t|")
    except csv.Error:
        dialect = csv.excel
    for row in csv.reader(text.splitlines(), dialect):
        cells = [" ".join(cell.split()) for cell in row]
        if any(cells):
            yield cells
