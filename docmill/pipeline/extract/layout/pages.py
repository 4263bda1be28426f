"""From pages' contents to pages of text: furniture left out, tables and columns in order, paragraphs and headings."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from docmill.pipeline.extract.layout.columns import regions
from docmill.pipeline.extract.layout.furniture import LOOKAHEAD, FurnitureFinder, Margins, margins
from docmill.pipeline.extract.layout.page_content import PageContent
from docmill.pipeline.extract.layout.paragraphs import Typography, write_regions
from docmill.pipeline.extract.layout.segments import Line, group_lines
from docmill.pipeline.extract.layout.tables import ruled_tables
from docmill.pipeline.extract.layout.words import Compounds
from docmill.pipeline.extract.reading import PageWriter
from docmill.pipeline.types import Page


def laid_out(contents: Iterable[PageContent], pages_total: int, outline: Mapping[str, int]) -> Iterator[Page]:
    """A document's pages, in order. Contents are taken a few pages ahead, so that furniture is known before a page is
    written. `outline` are the levels of the titles that the document's outline names."""
    layout, waiting = _Layout(pages_total, outline), deque[_Waiting]()
    for content in contents:
        waiting.append(layout.learn(content))
        if len(waiting) > LOOKAHEAD:
            yield layout.write(waiting.popleft(), waiting)
    while waiting:
        yield layout.write(waiting.popleft(), waiting)


@dataclass(slots=True)
class _Waiting:
    content: PageContent
    lines: list[Line]
    margins: Margins


class _Layout:
    """What is known of the document from the pages seen so far."""

    def __init__(self, pages_total: int, outline: Mapping[str, int]) -> None:
        self._finder = FurnitureFinder(pages_total)
        self._typography = Typography(outline)
        self._compounds = Compounds()

    def learn(self, content: PageContent) -> _Waiting:
        self._typography.learn(content.segments)
        self._compounds.learn("\n".join([segment.text for segment in content.segments if "-" in segment.text]))
        lines = group_lines(content.segments)
        return _Waiting(content, lines, margins(content.number, lines, content.height))

    def write(self, waiting: _Waiting, ahead: Iterable[_Waiting]) -> Page:
        content = waiting.content
        furniture = self._finder.furniture(waiting.margins, [following.margins for following in ahead])
        taken = set(map(id, furniture))
        lines = [line for line in waiting.lines if id(line) not in taken]
        tables, segments = ruled_tables(
            [segment for line in lines for segment in line.segments], content.rulings, content.right_to_left
        )
        found = regions(segments, content.right_to_left)
        columns = [lines] if len(found) == 1 and not tables else list(map(group_lines, found))
        writer = PageWriter()
        write_regions(writer, columns, tables, self._typography, self._compounds)
        for text in content.asides:
            writer.add("paragraph", text)
        page = writer.page(content.number, content.source)
        return replace(page, engine=content.engine, confidence=content.confidence, warning=content.warning)
