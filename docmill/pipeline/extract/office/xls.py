"""XLS, Excel 5 to 2003, by xlrd: a page a sheet: rows with values as shown by their formats, then text boxes, and
comments, marked as such."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import olefile
import xlrd
from xlrd.biffh import error_text_from_code

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.office.number_formats import general, shown, shown_text
from docmill.pipeline.extract.office.ole_title import ole_title
from docmill.pipeline.extract.office.xls_boxes import box_texts
from docmill.pipeline.extract.reading import PageWriter, Reading
from docmill.pipeline.types import Page

_BROKEN = (
    xlrd.XLRDError, OSError, struct.error, ValueError, IndexError, KeyError, TypeError, AttributeError,
    AssertionError, NotImplementedError, OverflowError,
)  # fmt: skip


def read(path: Path, content_type: str) -> Reading:
    """One page a sheet. Raises PermanentError: `corrupt`, `encrypted`."""
    try:
        with olefile.OleFileIO(str(path)) as file:
            name = next(name for name in ("Workbook", "Book") if file.exists(name))
            stream, title = file.openstream(name).read(), ole_title(file)
        book = xlrd.open_workbook(
            file_contents=stream, logfile=_Silence(), formatting_info=True, ragged_rows=True, on_demand=True
        )
        boxes = box_texts(stream)
    except (StopIteration, *_BROKEN) as error:
        raise PermanentError("encrypted" if "encrypted" in str(error).lower() else "corrupt") from error
    return Reading(title, book.nsheets, _pages(book, boxes))


class _Silence:
    """Where xlrd's remarks on files go."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""


def _pages(book: Any, boxes: dict[int, list[str]]) -> Iterator[Page]:
    try:
        for number in range(book.nsheets):
            sheet = book.sheet_by_index(number)
            writer = PageWriter()
            writer.add("heading", sheet.name, 2)
            for place, row in enumerate(rows := _rows(book, sheet)):
                writer.add_row(row, is_header=place == 0 and len(rows) > 1)
            for text in boxes.get(book._sh_abs_posn[number] - book.base, ()):
                writer.add("paragraph", text)
            for (row, column), note in sorted(sheet.cell_note_map.items()):
                _write_comment(writer, xlrd.cellname(row, column), note)
            yield writer.page(number + 1)
            book.unload_sheet(number)
    except _BROKEN as error:
        raise PermanentError("corrupt") from error


def _rows(book: Any, sheet: Any) -> list[list[str]]:
    """The rows that say something, without columns that say nothing in any row."""
    rows: list[dict[int, str]] = []
    for number in range(sheet.nrows):
        cells = ((column, _shown(book, cell)) for column, cell in enumerate(sheet.row(number)))
        row = {column: text for column, text in cells if text}
        if row:
            rows.append(row)
    columns = sorted({column for row in rows for column in row})
    return [[row.get(column, "") for column in columns] for row in rows]


def _shown(book: Any, cell: Any) -> str:
    code = "General"
    if cell.xf_index is not None and cell.xf_index < len(book.xf_list):
        found = book.format_map.get(book.xf_list[cell.xf_index].format_key)
        code = (found.format_str if found else "") or "General"
    if cell.ctype == xlrd.XL_CELL_TEXT:
        return " ".join(shown_text(cell.value, code).split())
    if cell.ctype in (xlrd.XL_CELL_NUMBER, xlrd.XL_CELL_DATE):
        text = general(cell.value) if code == "General" else shown(cell.value, code, date_1904=bool(book.datemode))
        return " ".join(text.split())
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return "TRUE" if cell.value else "FALSE"
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return str(error_text_from_code.get(cell.value, "#ERROR"))
    return ""


def _write_comment(writer: PageWriter, cell: str, note: Any) -> None:
    author, text = (note.author or "").strip(), (note.text or "").strip()
    if author and text.startswith(f"{author}:"):
        text = text[len(author) + 1 :].strip()
    if text:
        writer.add("paragraph", f"Comment on {cell} by {author}: {text}" if author else f"Comment on {cell}: {text}")
