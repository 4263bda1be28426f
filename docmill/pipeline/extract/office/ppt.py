"""PPT, PowerPoint 97 to 2003 ([MS-PPT]): a page a slide: title, text of shapes and tables, the speaker's notes, and
comments, marked as such. Masters, whose text is prompts, are not read."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import olefile

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.office.ole_title import ole_title
from docmill.pipeline.extract.office.ppt_records import Record, children, record_at
from docmill.pipeline.extract.office.ppt_shapes import Text, comments, shape_texts
from docmill.pipeline.extract.reading import PageWriter, Reading
from docmill.pipeline.types import Page

_DOCUMENT, _SLIDE, _NOTES, _LIST = 0x03E8, 0x03EE, 0x03F0, 0x0FF0
_SLIDE_ATOM, _PERSIST_ATOM, _USER_EDIT, _PERSIST_DIRECTORY = 0x03EF, 0x03F3, 0x0FF5, 0x1772
_TEXT_HEADER, _TEXT_CHARS, _TEXT_BYTES = 0x0F9F, 0x0FA0, 0x0FA8
_ENCRYPTED = 0xF3D1C4DF
_MAX_EDITS = 10_000
_TITLES = (0, 6)
_UNSEEN = ("*", "‹#›")
"""What stands for the date or the number of the slide."""


@dataclass(slots=True)
class _Slide:
    persist: int
    identity: int
    outline: list[Text] = field(default_factory=list)


def read(path: Path, content_type: str) -> Reading:
    """One page a slide. Raises PermanentError: `corrupt`, `encrypted`."""
    try:
        with olefile.OleFileIO(str(path)) as file:
            if file.exists("EncryptedSummary") or file.exists("EncryptedSummaryInformation"):
                raise PermanentError("encrypted")
            data = file.openstream("PowerPoint Document").read()
            user = file.openstream("Current User").read() if file.exists("Current User") else b""
            title = ole_title(file)
        places = _persisted(data, user)
        document = _document(data, places)
        slides, notes = _listed(document, 0), {slide.identity: slide for slide in _listed(document, 2)}
    except (OSError, struct.error, ValueError, IndexError) as error:
        raise PermanentError("corrupt") from error
    return Reading(title, len(slides), _pages(data, places, slides, notes))


def _persisted(data: bytes, user: bytes) -> dict[int, int]:
    """Where the newest version of each persistent object lies; 0 stands for the document."""
    if len(user) < 20:
        return {}
    token, edit = struct.unpack_from("<II", user, 12)
    if token == _ENCRYPTED:
        raise PermanentError("encrypted")
    places: dict[int, int] = {}
    for _ in range(_MAX_EDITS):
        record = record_at(data, edit)
        if record is None or record.kind != _USER_EDIT or len(record.body) < 20:
            break
        before, directory, document = struct.unpack_from("<III", record.body, 8)
        listing = record_at(data, directory)
        if listing is not None and listing.kind == _PERSIST_DIRECTORY:
            for identity, place in _entries(listing.body):
                places.setdefault(identity, place)
        places.setdefault(0, places.get(document, 0))
        if before == 0 or before >= edit:
            break
        edit = before
    return places


def _entries(body: memoryview) -> Iterator[tuple[int, int]]:
    place = 0
    while place + 4 <= len(body):
        (head,) = struct.unpack_from("<I", body, place)
        first, count = head & 0xFFFFF, head >> 20
        count = min(count, (len(body) - place - 4) // 4)
        for number, offset in enumerate(struct.unpack_from(f"<{count}I", body, place + 4)):
            yield first + number, offset
        place += 4 + 4 * count


def _document(data: bytes, places: dict[int, int]) -> Record:
    found = record_at(data, places[0]) if 0 in places else None
    if found is not None and found.kind == _DOCUMENT:
        return found
    last = [record for record in children(memoryview(data)) if record.kind == _DOCUMENT]
    if not last:
        raise PermanentError("corrupt")
    return last[-1]


def _listed(document: Record, instance: int) -> list[_Slide]:
    """The slides (0) or notes (2) of the document, with the texts that are kept in the list."""
    slides: list[_Slide] = []
    role = 4
    for listing in children(document.body):
        if listing.kind != _LIST or listing.instance != instance:
            continue
        for record in children(listing.body):
            if record.kind == _PERSIST_ATOM and len(record.body) >= 16:
                slides.append(_Slide(*struct.unpack_from("<I8xI", record.body)))
            elif record.kind == _TEXT_HEADER and len(record.body) >= 4:
                role = struct.unpack_from("<I", record.body)[0]
                if slides:
                    slides[-1].outline.append(Text(role, ""))
            elif record.kind in (_TEXT_CHARS, _TEXT_BYTES) and slides and slides[-1].outline:
                slides[-1].outline[-1] = Text(role, record.text())
    return slides


def _pages(data: bytes, places: dict[int, int], slides: list[_Slide], notes: dict[int, _Slide]) -> Iterator[Page]:
    for number, slide in enumerate(slides, start=1):
        writer = PageWriter()
        record = _object(data, places, slide, _SLIDE)
        texts, used = shape_texts(record, slide.outline) if record else ([], set())
        texts += [text for place, text in enumerate(slide.outline) if place not in used]
        for text in sorted(texts, key=lambda text: text.role not in _TITLES):
            _write(writer, text)
        noted = notes.get(_notes_of(record)) if record else None
        page = _object(data, places, noted, _NOTES) if noted else None
        for text in shape_texts(page, noted.outline)[0] if page and noted else ():
            _write(writer, Text(1, text.text, text.cells))
        for author, words in comments(record) if record else ():
            writer.add("paragraph", f"Comment by {author}: {words}" if author else f"Comment: {words}")
        yield writer.page(number)


def _object(data: bytes, places: dict[int, int], slide: _Slide, kind: int) -> Record | None:
    record = record_at(data, places[slide.persist]) if slide.persist in places else None
    return record if record is not None and record.kind == kind else None


def _notes_of(slide: Record) -> int:
    for record in children(slide.body):
        if record.kind == _SLIDE_ATOM and len(record.body) >= 20:
            return int(struct.unpack_from("<I", record.body, 16)[0])
    return 0


def _write(writer: PageWriter, text: Text) -> None:
    for row in text.cells:
        writer.add_row(row)
    if text.role in _TITLES:
        writer.add("heading", " ".join(text.text.split()), 1)
        return
    for paragraph in text.text.split("\r"):
        if paragraph.strip() not in _UNSEEN:
            writer.add("paragraph", paragraph.replace("\v", "\n"))
