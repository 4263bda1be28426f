"""RTF: paragraphs, headings, lists with their numbers, tables, notes, comments, text boxes, headers and footers."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.office.page_turner import PageTurner
from docmill.pipeline.extract.reading import Reading
from docmill.pipeline.extract.text.rtf_document import RtfDocument
from docmill.pipeline.extract.text.rtf_flow import Flow, FlowBlock
from docmill.pipeline.types import BlockKind, Page

_MIN_DIGITS = 5
"""Digits of a line in a header that is more than a page's number: a telephone number, a date."""


def read(path: Path, content_type: str) -> Reading:
    """Pages by the breaks that the author put; without any, one page.

    Raises PermanentError: `corrupt` (it does not begin as RTF does), `too_complex`.
    """
    return read_rtf(path.read_bytes())


def read_rtf(data: bytes) -> Reading:
    """As `read`, of the file's bytes."""
    if not data.lstrip()[:5] == b"{\\rtf":
        raise PermanentError("corrupt")
    document = RtfDocument()
    document.walk(data)
    document.body.end()
    return Reading(document.title, None, _pages(document))


def _pages(document: RtfDocument) -> Iterator[Page]:
    turner = PageTurner()
    for text in _furniture(document.headers):
        turner.writer.add("paragraph", text)
    for block in document.body.blocks:
        if block.kind == "page_end":
            yield from turner.turn()
        elif block.kind == "note":
            turner.add_note(block.text)
        else:
            _write(turner, block)
    turner.write_notes()
    for text in _furniture(document.footers):
        turner.writer.add("paragraph", text)
    yield turner.end()


def _write(turner: PageTurner, block: FlowBlock) -> None:
    if block.cells:
        turner.writer.add_row(block.cells, is_header=block.kind == "table_header")
        return
    kinds: Mapping[str, BlockKind] = {"heading": "heading", "list_item": "list_item"}
    turner.writer.add(kinds.get(block.kind, "paragraph"), block.text, block.level)


def _furniture(flows: Iterable[Flow]) -> list[str]:
    """The texts of headers or footers, each once; page numbers alone say nothing."""
    texts: dict[str, None] = {}
    for flow in flows:
        flow.end()
        for block in flow.blocks:
            text = " ".join(" ".join((block.text, *block.cells)).split())
            if any(map(str.isalpha, text)) or sum(map(str.isdigit, text)) >= _MIN_DIGITS:
                texts.setdefault(text)
    return list(texts)
