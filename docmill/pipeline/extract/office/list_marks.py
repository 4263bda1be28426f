"""Bullets and numbers of list items, counted and written alike for DOCX, DOC and OpenDocument."""

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

BULLET = "•"
_PLACEHOLDER = re.compile(r"%(\d)")
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"),
          (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip
_MAX_ROMAN = 5000


@dataclass(frozen=True, slots=True)
class ListLevel:
    """How a list marks its items at one depth: `number_format` is one of Word's names (decimal, lowerLetter, bullet,
    none …), `text` the mark with `%1` to `%9` where the numbers of depths 0 to 8 stand, `start` the first number."""

    number_format: str
    text: str
    start: int = 1


class ListCounters:
    """Counts the items of every list of a document, in the document's order."""

    def __init__(self) -> None:
        self._counters: dict[Hashable, dict[int, int]] = {}

    def restart(self, counter: Hashable) -> None:
        """The next item of this counter is its first."""
        self._counters.pop(counter, None)

    def mark(self, counter: Hashable, levels: Mapping[int, ListLevel], depth: int, number: int | None = None) -> str:
        """Count one item at `depth` (from 0), or give it this `number`, and return its bullet or number; "" where the
        list shows none."""
        level = levels.get(depth) or ListLevel("decimal", f"%{depth + 1}.")
        counted = self._counters.setdefault(counter, {})
        counted[depth] = counted.get(depth, level.start - 1) + 1 if number is None else number
        for deeper in [each for each in counted if each > depth]:
            del counted[deeper]
        if level.number_format == "bullet":
            return BULLET
        if level.number_format == "none":
            return ""

        def written(match: re.Match[str]) -> str:
            place = int(match[1]) - 1
            at = levels.get(place)
            value = counted.get(place, at.start if at else 1)
            return written_number(value, at.number_format if at else "decimal")

        return _PLACEHOLDER.sub(written, level.text)


def written_number(value: int, number_format: str) -> str:
    """A number as lists write it; `number_format` is one of Word's names (decimal, lowerLetter, upperRoman …)."""
    if number_format in ("lowerLetter", "upperLetter") and value > 0:
        letters = chr(ord("a") + (value - 1) % 26) * min((value - 1) // 26 + 1, 10)
        return letters if number_format == "lowerLetter" else letters.upper()
    if number_format in ("lowerRoman", "upperRoman") and 0 < value < _MAX_ROMAN:
        roman = _roman(value)
        return roman if number_format == "lowerRoman" else roman.upper()
    if number_format == "decimalZero":
        return f"{value:02d}"
    return str(value)


def _roman(value: int) -> str:
    parts = []
    for worth, letters in _ROMAN:
        parts.append(letters * (value // worth))
        value %= worth
    return "".join(parts)
