"""Pages of formats whose text flows: blocks are written until a page ends, notes follow on the page of their marks."""

from collections.abc import Iterator

from docmill.pipeline.extract.reading import PageWriter
from docmill.pipeline.types import Page


class PageTurner:
    """Fills one page after the other, numbered from 1. `writer` is where the page's blocks go; it changes with each
    page."""

    def __init__(self) -> None:
        self.writer = PageWriter()
        self._number = 1
        self._notes: list[str] = []
        self._note_count = 0

    @property
    def note_count(self) -> int:
        """How many notes the document has had so far."""
        return self._note_count

    def add_note(self, text: str) -> str:
        """Keep a foot- or endnote for the page's end and give the mark for the running text."""
        self._note_count += 1
        mark = f"[{self._note_count}]"
        self._notes.append(f"{mark} {text}")
        return mark

    def write_notes(self) -> None:
        """Write the notes that the page has had so far."""
        for note in self._notes:
            self.writer.add("paragraph", note)
        self._notes.clear()

    def turn(self) -> Iterator[Page]:
        """End the page, unless nothing is on it: Word notes a break twice, where it is asked for and where it falls."""
        if len(self.writer):
            yield self.end()

    def end(self) -> Page:
        """End the page with what is on it, be it nothing."""
        self.write_notes()
        page = self.writer.page(self._number)
        self.writer, self._number = PageWriter(), self._number + 1
        return page
