"""Pieces of a line in the order they are read, where some run from right to left.

The pieces are known by their places; within each the letters are in their logical order already. So only the levels of
whole pieces matter: they are found by the classes that Unicode gives characters, and undone by rule L2 of the
bidirectional algorithm (UAX #9), from the lowest level to the highest.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import TypeVar

_RIGHT_TO_LEFT = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\U00010800-\U00010fff\U0001e800-\U0001efff]")
_STRONG_RIGHT = {"R", "AL"}

T = TypeVar("T")


def is_right_to_left(text: str) -> bool:
    """Whether letters that run from right to left outnumber the others."""
    right = len(_RIGHT_TO_LEFT.findall(text)) if not text.isascii() else 0
    return right > 0 and 2 * right > sum(map(str.isalpha, text))


def reading_order(pieces: Sequence[T], texts: Sequence[str], from_right: bool | None = None) -> list[T]:
    """The pieces of one line, which come from left to right with their texts, as they are read. `from_right` says which
    way the paragraph runs; None: as most of its letters do."""
    if all(map(str.isascii, texts)) and not from_right:
        return list(pieces)
    if from_right is None:
        from_right = is_right_to_left("".join(texts))
    levels = [_level(text, from_right) for text in texts]
    if max(levels) == 0:
        return list(pieces)
    order = list(range(len(pieces)))
    for level in range(1, max(levels) + 1):
        order = _with_runs_turned(order, levels, level)
    return [pieces[place] for place in order]


def _level(text: str, from_right: bool) -> int:
    """A piece's level: odd where it runs from right to left; what has no letters runs with the paragraph, figures
    from left to right."""
    classes = {unicodedata.bidirectional(character) for character in text}
    if classes & _STRONG_RIGHT and (from_right or "L" not in classes or is_right_to_left(text)):
        return 1
    if "L" in classes or classes & {"EN", "AN"}:
        return 2 if from_right else 0
    return 1 if from_right else 0


def _with_runs_turned(order: list[int], levels: Sequence[int], level: int) -> list[int]:
    turned: list[int] = []
    run: list[int] = []
    for place in order:
        if levels[place] >= level:
            run.insert(0, place)
        else:
            turned += [*run, place]
            run = []
    return turned + run
