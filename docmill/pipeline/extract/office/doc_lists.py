"""Numbers and bullets of a DOC's lists ([MS-DOC] 2.9.131, 2.9.147, 2.9.149 and 2.9.150)."""

import struct
from dataclasses import replace

from docmill.pipeline.extract.office.doc_text import LIST_OVERRIDES, LISTS, WordFile
from docmill.pipeline.extract.office.list_marks import BULLET, ListCounters, ListLevel

_FORMATS = {0: "decimal", 1: "upperRoman", 2: "lowerRoman", 3: "upperLetter", 4: "lowerLetter", 22: "decimalZero",
            23: "bullet", 255: "none"}  # fmt: skip
_LIST, _LEVEL, _OVERRIDE, _OVERRIDDEN = 28, 28, 16, 8
_SIMPLE = 0x01
_START, _FORMAT = 0x10, 0x20

_Levels = dict[int, ListLevel]


class DocLists:
    """Counts every list of a document, paragraph by paragraph, in the document's order."""

    def __init__(self, file: WordFile) -> None:
        self._counters = ListCounters()
        levels = _lists(file.table(LISTS), file.behind_table(LISTS))
        self._lists = _overrides(file.table(LIST_OVERRIDES), file.behind_table(LIST_OVERRIDES), levels)

    def mark(self, number: int, depth: int) -> str:
        """Count one paragraph of list `number` (from 1) at `depth` (from 0) and give its number or bullet."""
        if not 1 <= number <= len(self._lists):
            return BULLET
        counter, levels = self._lists[number - 1]
        return self._counters.mark(counter, levels, depth) if levels else BULLET


def _lists(heads: bytes, levels: bytes) -> dict[int, _Levels]:
    """The levels of each list by its identity."""
    if len(heads) < 2:
        return {}
    count = min(struct.unpack_from("<h", heads)[0], (len(heads) - 2) // _LIST)
    lists: dict[int, _Levels] = {}
    place = 0
    for number in range(count):
        identity, flags = struct.unpack_from("<i22xB", heads, 2 + _LIST * number)
        held: _Levels = {}
        for depth in range(1 if flags & _SIMPLE else 9):
            level, place = _level(levels, place)
            if level is None:
                return lists
            held[depth] = level
        lists[identity] = held
    return lists


def _level(data: bytes, place: int) -> tuple[ListLevel | None, int]:
    """A level, and where the next begins. Placeholders of the mark's text are characters below 9."""
    if place + _LEVEL + 2 > len(data):
        return None, place
    start, kind = struct.unpack_from("<iB", data, place)
    place += _LEVEL + data[place + 24] + data[place + 25]
    if place + 2 > len(data):
        return None, place
    (length,) = struct.unpack_from("<H", data, place)
    text = data[place + 2 : place + 2 + 2 * length].decode("utf-16-le", "replace")
    written = "".join(f"%{ord(each) + 1}" if ord(each) < 9 else each for each in text)
    return ListLevel(_FORMATS.get(kind, "decimal"), written, max(start, 0)), place + 2 + 2 * length


def _overrides(heads: bytes, changes: bytes, lists: dict[int, _Levels]) -> list[tuple[object, _Levels]]:
    """What counts for each number that paragraphs name: the counter, and the levels. Lists of one identity count on
    together unless they start anew."""
    if len(heads) < 4:
        return []
    count = min(struct.unpack_from("<i", heads)[0], (len(heads) - 4) // _OVERRIDE)
    # The changes may lie within the table or behind it, by who wrote the file.
    data = heads[4 + _OVERRIDE * count :] + changes
    place, found = 0, list[tuple[object, _Levels]]()
    for number in range(count):
        identity, changed = struct.unpack_from("<i8xB", heads, 4 + _OVERRIDE * number)
        levels = dict(lists.get(identity, {}))
        counter: object = identity
        place += 4
        for _ in range(changed):
            if place + _OVERRIDDEN > len(data):
                break
            start, flags = struct.unpack_from("<iI", data, place)
            place += _OVERRIDDEN
            depth = flags & 0xF
            if flags & _FORMAT:
                level, place = _level(data, place)
                if level is not None:
                    levels[depth] = level
            if flags & _START and depth in levels:
                levels[depth] = replace(levels[depth], start=max(start, 0))
            counter = ("own", number)
        found.append((counter, levels))
    return found
