"""The numbers and bullets of DOCX lists, counted as Word counts them (ECMA-376 part 1, 17.9)."""

from collections.abc import Mapping
from typing import Any

from docmill.pipeline.extract.office.docx_text import W, whole_number
from docmill.pipeline.extract.office.list_marks import BULLET, ListCounters, ListLevel


class Numbering:
    """Counts every list of a document, paragraph by paragraph, in the document's order. `root` is that of the numbering
    part, None where there is none."""

    def __init__(self, root: Any) -> None:
        self._levels: dict[str, dict[int, ListLevel]] = {}
        self._list_of: dict[str, str] = {}
        self._counters = ListCounters()
        if root is None:
            return
        abstract = {each.get(W + "abstractNumId"): each for each in root.findall(W + "abstractNum")}
        for num in root.findall(W + "num"):
            reference = num.find(W + "abstractNumId")
            number_id = num.get(W + "numId")
            if reference is None or number_id is None:
                continue
            abstract_id = reference.get(W + "val")
            overrides = num.findall(W + "lvlOverride")
            # Lists of one abstract definition count on together unless they override its start.
            self._list_of[number_id] = number_id if overrides else f"abstract {abstract_id}"
            self._levels[number_id] = _levels(abstract.get(abstract_id), overrides)

    def mark(self, number_id: str, depth: int) -> str:
        """Count one paragraph of list `number_id` at `depth` (from 0) and give its number or bullet."""
        levels = self._levels.get(number_id)
        return self._counters.mark(self._list_of[number_id], levels, depth) if levels else BULLET


def _levels(abstract: Any, overrides: list[Any]) -> dict[int, ListLevel]:
    levels: dict[int, ListLevel] = {}
    for element in [] if abstract is None else abstract.findall(W + "lvl"):
        levels[whole_number(element.get(W + "ilvl"), 0)] = _level(element)
    for override in overrides:
        depth = whole_number(override.get(W + "ilvl"), 0)
        if (element := override.find(W + "lvl")) is not None:
            levels[depth] = _level(element)
        start = override.find(W + "startOverride")
        if start is not None and depth in levels:
            known = levels[depth]
            levels[depth] = ListLevel(known.number_format, known.text, whole_number(start.get(W + "val"), 1))
    return levels


def _level(element: Any) -> ListLevel:
    def value(name: str, default: str) -> str:
        child = element.find(W + name)
        return default if child is None else str(child.get(W + "val", default))

    return ListLevel(value("numFmt", "decimal"), value("lvlText", ""), whole_number(value("start", "1"), 1))


def style_numbering(style: Any, styles: Mapping[str, Any]) -> tuple[str, int] | None:
    """The list (id and depth) that a paragraph style, or the one it is based on, puts its paragraphs in."""
    for _ in range(12):
        if style is None:
            return None
        properties = style.find(W + "pPr")
        found = numbering_of(properties)
        if found is not None:
            return found
        based_on = style.find(W + "basedOn")
        style = None if based_on is None else styles.get(based_on.get(W + "val"))
    return None


def numbering_of(properties: Any) -> tuple[str, int] | None:
    """The list id and depth in paragraph properties; id "0" takes a paragraph out of its style's list."""
    numbering = None if properties is None else properties.find(W + "numPr")
    if numbering is None:
        return None
    number_id, depth = numbering.find(W + "numId"), numbering.find(W + "ilvl")
    if number_id is None:
        return None
    return str(number_id.get(W + "val")), whole_number(depth.get(W + "val"), 0) if depth is not None else 0
