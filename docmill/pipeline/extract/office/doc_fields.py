"""What a reader sees of a DOC's characters ([MS-DOC] 2.8.25): results of fields, not their codes."""

import re
from collections.abc import Iterator
from typing import Literal

Kind = Literal["text", "note", "paragraph", "cell", "page"]
Seen = tuple[Kind, str, int]
"""What is seen, its text, and the position of its first character."""

_SPECIAL = re.compile(r"[\x00-\x1f]")
_PAGE_FIELDS = ("PAGE", "NUMPAGES", "SECTIONPAGES")
_READING = re.compile(r"\\s\\up\s*\d+\(([^()]*)\)\s*[,;]\s*([^()]*)\)")
_BEGIN, _SEPARATOR, _END = "\x13", "\x14", "\x15"
_ENDS: dict[str, Kind] = {"\r": "paragraph", "\x07": "cell", "\x0c": "page", "\x0e": "paragraph"}
_CHARACTERS = {"\t": "\t", "\x0b": "\n", "\x1e": "-"}


class _Field:
    def __init__(self) -> None:
        self.code = ""
        self.has_result = False
        self.is_hidden = False


def seen(text: str, span: range) -> Iterator[Seen]:
    """What is seen of a part of the text, in order. Fields that never end are none."""
    matched = _matched(text, span)
    fields: list[_Field] = []
    unseen = 0  # fields around this place whose code, or hidden result, it stands in
    place = span.start
    for special in _SPECIAL.finditer(text, span.start, span.stop):
        position, character = special.start(), special[0]
        yield from _run(text[place:position], place, fields, unseen)
        place = position + 1
        if character == _BEGIN and position in matched:
            fields.append(_Field())
            unseen += 1
        elif character == _SEPARATOR and fields and not fields[-1].has_result:
            fields[-1].has_result = True
            fields[-1].is_hidden = fields[-1].code.split()[:1] in [[name] for name in _PAGE_FIELDS]
            unseen -= not fields[-1].is_hidden
        elif character == _END and position in matched and fields:
            field = fields.pop()
            unseen -= not field.has_result or field.is_hidden
            if not field.has_result:
                yield from _run(_without_result(field.code), position, fields, unseen)
        elif character in _CHARACTERS:
            yield from _run(_CHARACTERS[character], position, fields, unseen)
        elif not unseen:
            if character == "\x02":
                yield "note", "", position
            elif character in _ENDS:
                yield _ENDS[character], "", position
    yield from _run(text[place : span.stop], place, fields, unseen)


def _run(text: str, position: int, fields: list[_Field], unseen: int) -> Iterator[Seen]:
    """Characters, to those who see them or to the code of the field they stand in."""
    if fields and not fields[-1].has_result:
        fields[-1].code += text
    elif text and not unseen:
        yield "text", text, position


def _matched(text: str, span: range) -> set[int]:
    """The positions of fields' beginnings and ends that belong together."""
    open_at: list[int] = []
    matched: set[int] = set()
    for mark in re.finditer(f"[{_BEGIN}{_END}]", text[span.start : span.stop]):
        position = span.start + mark.start()
        if mark[0] == _BEGIN:
            open_at.append(position)
        elif open_at:
            matched |= {open_at.pop(), position}
    return matched


def _without_result(code: str) -> str:
    """What a field without a result shows: a button its words, text with a reading above it both."""
    words = code.split(None, 2)
    if words[:1] == ["MACROBUTTON"] and len(words) == 3:
        return words[2]
    if words[:1] == ["EQ"] and (reading := _READING.search(code)):
        return f"{reading[2]}({reading[1]})"
    return ""
