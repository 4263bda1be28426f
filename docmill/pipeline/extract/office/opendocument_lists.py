"""The list styles of an OpenDocument file (OpenDocument 1.3 part 3, 16.30), and the marks they give."""

from collections.abc import Iterable
from typing import Any

from docmill.pipeline.extract.office.list_marks import BULLET, ListCounters, ListLevel
from docmill.pipeline.extract.office.opendocument_text import STYLE, TEXT, count_of

_FORMATS = {"1": "decimal", "a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}


class ListMarks:
    """Bullets and numbers, by the list styles of the document."""

    def __init__(self, roots: Iterable[Any]) -> None:
        self._levels: dict[tuple[str, int], ListLevel] = {}
        self._counters = ListCounters()
        for root in roots:
            for style in root.iter(TEXT + "list-style"):
                for level in style:
                    if level.tag == TEXT + "list-level-style-number":
                        depth = count_of(level, TEXT + "level")
                        self._levels[style.get(STYLE + "name", ""), depth] = _level(level, depth)

    def begin(self, style: str, depth: int, continues: bool) -> None:
        """A list of this style begins at `depth` (from 1)."""
        if not continues:
            self._counters.restart((style, depth))

    def mark(self, style: str, depth: int, start: int | None = None) -> str:
        """Count one item and give its bullet or number; `start` is the number it is given, if it is."""
        level = self._levels.get((style, depth))
        if level is None:
            return BULLET
        return self._counters.mark((style, depth), {depth - 1: level}, depth - 1, start)


def _level(element: Any, depth: int) -> ListLevel:
    number_format = _FORMATS.get(element.get(STYLE + "num-format", ""), "none")
    text = element.get(STYLE + "num-prefix", "") + f"%{depth}" + element.get(STYLE + "num-suffix", "")
    return ListLevel(number_format, text, count_of(element, TEXT + "start-value"))
