"""The numbers and bullets of DOCX lists, counted as Word counts them (ECMA-376 part 1, 17.9)."""

from collections.abc import Mapping
from typing import Any

from docx.document import Document
from docx.oxml.ns import qn

from docmill.pipeline.extract.office.list_marks import BULLET, ListCounters, ListLevel


class Numbering:
    """Counts every list of a document, paragraph by paragraph, in the document's order."""

    def __init__(self, document: Document) -> None:
        self._levels: dict[str, dict[int, ListLevel]] = {}
        self._list_of: dict[str, str] = {}
        self._counters = ListCounters()
        root = _numbering_root(document)
        if root is None:
            return
        abstract = {each.get(qn("w:abstractNumId")): each for each in root.findall(qn("w:abstractNum"))}
        for num in root.findall(qn("w:num")):
            reference = num.find(qn("w:abstractNumId"))
            number_id = num.get(qn("w:numId"))
            if reference is None or number_id is None:
                continue
            abstract_id = reference.get(qn("w:val"))
            overrides = num.findall(qn("w:lvlOverride"))
            # Lists of one abstract definition count on together unless they override its start.
            self._list_of[number_id] = number_id if overrides else f"abstract {abstract_id}"
            self._levels[number_id] = _levels(abstract.get(abstract_id), overrides)

    def mark(self, number_id: str, depth: int) -> str:
        """Count one paragraph of list `number_id` at `depth` (from 0) and give its number or bullet."""
        levels = self._levels.get(number_id)
        return self._counters.mark(self._list_of[number_id], levels, depth) if levels else BULLET


def _numbering_root(document: Document) -> Any:
    try:
        return document.part.numbering_part.element
    except (KeyError, NotImplementedError, AttributeError):
        return None


def _levels(abstract: Any, overrides: list[Any]) -> dict[int, ListLevel]:
    levels: dict[int, ListLevel] = {}
    for element in [] if abstract is None else abstract.findall(qn("w:lvl")):
        levels[int(element.get(qn("w:ilvl"), "0"))] = _level(element)
    for override in overrides:
        depth = int(override.get(qn("w:ilvl"), "0"))
        if (element := override.find(qn("w:lvl"))) is not None:
            levels[depth] = _level(element)
        start = override.find(qn("w:startOverride"))
        if start is not None and depth in levels:
            known = levels[depth]
            levels[depth] = ListLevel(known.number_format, known.text, int(start.get(qn("w:val"), "1")))
    return levels


def _level(element: Any) -> ListLevel:
    def value(name: str, default: str) -> str:
        child = element.find(qn(name))
        return default if child is None else str(child.get(qn("w:val"), default))

    return ListLevel(value("w:numFmt", "decimal"), value("w:lvlText", ""), int(value("w:start", "1")))


def style_numbering(style: Any, styles: Mapping[str, Any]) -> tuple[str, int] | None:
    """The list (id and depth) that a paragraph style, or the one it is based on, puts its paragraphs in."""
    for _ in range(12):
        if style is None:
            return None
        properties = style.find(qn("w:pPr"))
        found = numbering_of(properties)
        if found is not None:
            return found
        based_on = style.find(qn("w:basedOn"))
        style = None if based_on is None else styles.get(based_on.get(qn("w:val")))
    return None


def numbering_of(properties: Any) -> tuple[str, int] | None:
    """The list id and depth in paragraph properties; id "0" takes a paragraph out of its style's list."""
    numbering = None if properties is None else properties.find(qn("w:numPr"))
    if numbering is None:
        return None
    number_id, depth = numbering.find(qn("w:numId")), numbering.find(qn("w:ilvl"))
    if number_id is None:
        return None
    return str(number_id.get(qn("w:val"))), int(depth.get(qn("w:val"), "0")) if depth is not None else 0
