"""DOCX."""

from collections.abc import Iterator
from pathlib import Path

import docx
from docx.table import Table

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.reading import PageWriter, Reading
from docmill.pipeline.types import Page


def read(path: Path, wanted: range | None = None) -> Reading:
    """Pages as Word last laid them out, where the file tells; otherwise one page."""
    try:
        document = docx.Document(str(path))
    except Exception as error:
        raise PermanentError("corrupt") from error
    title = document.core_properties.title or None
    return Reading(title, None, (page for page in _pages(document) if wanted is None or page.number in wanted))


def _pages(document: "docx.document.Document") -> Iterator[Page]:
    writer, number = PageWriter(), 1
    for item in document.iter_inner_content():
        if isinstance(item, Table):
            for row in item.rows:
                writer.add("table_row", " | ".join(cell.text.strip() for cell in row.cells))
            continue
        if item.contains_page_break or item._p.xpath(".//w:br[@w:type='page']"):
            yield writer.page(number)
            writer, number = PageWriter(), number + 1
        style = (item.style.name or "") if item.style else ""
        if style.startswith("Heading") and style[-1].isdigit():
            writer.add("heading", item.text, int(style[-1]))
        elif style == "Title":
            writer.add("heading", item.text, 1)
        elif style.startswith("List"):
            writer.add("list_item", item.text, 1)
        else:
            writer.add("paragraph", item.text)
    yield writer.page(number)
