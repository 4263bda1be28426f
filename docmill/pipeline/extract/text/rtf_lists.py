"""The list tables of RTF, for paragraphs whose numbers are not written out in the file."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from docmill.pipeline.extract.office.list_marks import ListCounters, ListLevel

_FORMATS = {1: "upperRoman", 2: "lowerRoman", 3: "upperLetter", 4: "lowerLetter", 22: "decimalZero", 23: "bullet",
            255: "none"}  # fmt: skip


@dataclass
class _Level:
    number_format: str = "decimal"
    text: list[str] = field(default_factory=list)
    start: int = 1


@dataclass
class _List:
    levels: dict[int, _Level] = field(default_factory=dict)
    starts: dict[int, int] = field(default_factory=dict)
    identity: int = 0


class RtfLists:
    """Collects lists and their overrides as the walker meets them, then counts paragraphs."""

    def __init__(self) -> None:
        self._lists: dict[int, _List] = {}
        self._overrides: dict[int, _List] = {}
        self._list = _List()
        self._level: _Level | None = None
        self._override_level = -1
        self._counters = ListCounters()

    def word(self, word: str, parameter: int | None) -> None:
        """A control word within one of the two tables."""
        value = parameter or 0
        level = self._level
        match word:
            case "list" | "listoverride":
                self._list, self._level, self._override_level = _List(), None, -1
            case "listlevel":
                at = self._override_level if self._override_level >= 0 else len(self._list.levels)
                self._level = self._list.levels[at] = _Level()
            case "lfolevel":
                self._override_level += 1
                self._level = None
            case "levelnfc" if level:
                level.number_format = _FORMATS.get(value, "decimal")
            case "levelstartat" if level:
                level.start = value
            case "levelstartat":
                self._list.starts[max(self._override_level, 0)] = value
            case "listid":
                self._list.identity = value
                self._lists.setdefault(value, self._list)
            case "ls":
                self._overrides[value] = self._list

    def level_text(self, text: str) -> None:
        """Text of `\\leveltext`: its length as the first character, codes 0 to 8 where a level's number stands."""
        if self._level:
            self._level.text.append(text)

    def mark(self, override: int, depth: int) -> str | None:
        """Count one paragraph and give its bullet or number; None where the tables do not know its list."""
        found = self._overrides.get(override)
        if found is None:
            return None
        counter = override if found.levels or found.starts else f"list {found.identity}"
        return self._counters.mark(counter, self._levels(found), depth)

    def _levels(self, override: _List) -> Mapping[int, ListLevel]:
        base = self._lists.get(override.identity, override)
        levels = {}
        for depth, level in (base.levels | override.levels).items():
            text = "".join(level.text).rstrip(";")[1:]
            written = "".join(f"%{ord(each) + 1}" if ord(each) < 9 else each for each in text)
            levels[depth] = ListLevel(level.number_format, written, override.starts.get(depth, level.start))
        return levels
