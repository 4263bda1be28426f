"""Running headers, footers and page numbers: lines that return at the same place of other pages."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from docmill.pipeline.extract.layout.segments import Line

LOOKAHEAD = 4
"""How many pages before and after a page are compared with it: two with the same parity on either side."""

_DIGITS = re.compile(r"\d+")
_PAGE_NUMBER = re.compile(
    r"(?:[-–—|\[(]\s*)?(?:(?:page|seite|p\.|pagina|página)\s*)?(?:\d{1,4}|[ivxlc]{1,7})"
    r"(?:\s*(?:/|of|von|de|sur)\s*\d{1,4})?(?:\s*[-–—|\])])?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class FurnitureTolerances:
    """Where running headers and footers lie, and when lines of two pages are the same."""

    margin: float = 0.13
    """Part of the page's height, from its upper and lower edge, in which furniture lies: 38 mm of A4."""
    near: float = 0.07
    """Part of the height below that margin whose lines are looked at for the white space that ends the margin."""
    gap: float = 0.9
    """Heights of the font that white space between furniture and text measures; lines of one paragraph have 0.5."""
    max_lines: int = 3
    """Lines of furniture at an edge."""
    height_step: float = 6.0
    """Points of the steps in which heights are compared: lines in one step or in neighbouring ones stand alike."""
    few_pages: int = 3
    """Pages of a document of which one that is alike must do; of more, two must be."""
    max_keys: int = 5000
    """Lines remembered, so that a book of any length takes the same memory."""


_TOLERANCES = FurnitureTolerances()
Key = tuple[str, int]


@dataclass(slots=True)
class Margins:
    """The lines of one page that may be furniture, with their keys (the text with digits blotted out, and the height
    on the page) and their figures."""

    number: int
    lines: list[tuple[Line, Key, tuple[int, ...]]] = field(default_factory=list)


def margins(number: int, lines: Sequence[Line], height: float) -> Margins:
    """The outermost of a page's lines in its upper and lower margins, as far as white space sets them apart from the
    text. The page is `height` high, its lines are in order from top to bottom."""
    top = [line for line in lines if line.y0 < (_TOLERANCES.margin + _TOLERANCES.near) * height]
    bottom = [line for line in lines if line.y1 > (1 - _TOLERANCES.margin - _TOLERANCES.near) * height]
    found = Margins(number)
    for outermost in (
        _set_apart(top, lambda line: line.y1 < _TOLERANCES.margin * height),
        _set_apart(bottom[::-1], lambda line: line.y0 > (1 - _TOLERANCES.margin) * height)[::-1],
    ):
        found.lines += [
            (line, _key(line), tuple(int(figure[:9]) for figure in _DIGITS.findall(line.text))) for line in outermost
        ]
    return found


def _set_apart(inwards: Sequence[Line], is_margin: Callable[[Line], bool]) -> list[Line]:
    """The first few lines, from the page's edge inwards, up to the last gap before the text begins."""
    last = 0
    for index, line in enumerate(inwards[: _TOLERANCES.max_lines + 1]):
        if not is_margin(line):
            break
        inner = inwards[index + 1] if index + 1 < len(inwards) else None
        gap = max(inner.y0 - line.y1, line.y0 - inner.y1) if inner else line.size
        if gap > _TOLERANCES.gap * line.size:
            last = index + 1
    return list(inwards[:last])


def _key(line: Line) -> Key:
    step = round((line.y0 + line.y1) / 2 / _TOLERANCES.height_step)
    return _DIGITS.sub("#", "".join(line.text.lower().split())), step


class FurnitureFinder:
    """Decides page by page, in order, from the pages before and the next few."""

    def __init__(self, pages: int) -> None:
        """`pages` is how many pages will be seen; of few, one that is alike must do."""
        self._needed = 1 if pages <= _TOLERANCES.few_pages else 2
        self._numbers: dict[Key, dict[int, tuple[int, ...]]] = {}

    def furniture(self, page: Margins, ahead: Iterable[Margins]) -> list[Line]:
        """The lines of `page` that are furniture."""
        self._note(page)
        for following in ahead:
            self._note(following)
        return [line for line, key, figures in page.lines if self._is_furniture(page.number, line, key, figures)]

    def _note(self, page: Margins) -> None:
        if len(self._numbers) > _TOLERANCES.max_keys:
            self._numbers.clear()
        for _, key, figures in page.lines:
            pages = self._numbers.setdefault(key, {})
            if page.number not in pages:
                pages[page.number] = figures
                if len(pages) > 2 * LOOKAHEAD + 1:
                    del pages[next(iter(pages))]

    def _is_furniture(self, number: int, line: Line, key: Key, mine: tuple[int, ...]) -> bool:
        text, place = key
        needed = 1 if _PAGE_NUMBER.fullmatch(line.text.strip()) else self._needed
        for near in (place, place - 1, place + 1):
            for other, figures in self._numbers.get((text, near), {}).items():
                if 0 < abs(other - number) <= LOOKAHEAD and _figures_fit(mine, figures, other - number):
                    needed -= 1
                    if needed == 0:
                        return True
        return False


def _figures_fit(mine: tuple[int, ...], others: tuple[int, ...], pages_apart: int) -> bool:
    """Whether figures are the same on both pages, or count the pages."""
    return all(theirs - own in (0, pages_apart) for own, theirs in zip(mine, others, strict=False))
