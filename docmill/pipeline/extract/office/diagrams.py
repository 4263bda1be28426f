"""Diagrams (SmartArt) as lists: the texts of the data part's points in the order and depth of their connections
(ECMA-376 part 1, 21.4)."""

from typing import Any

from docmill.pipeline.extract.office.drawing_text import A, paragraph_text
from docmill.pipeline.extract.reading import PageWriter

_DGM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
_MAX_DEPTH = 20


def write_diagram(writer: PageWriter, root: Any) -> None:
    """Write the diagram of a data part, whose root element is `root`: an item a point, deeper ones after the one they
    hang from."""
    points = {point.get("modelId", ""): point for point in root.iter(_DGM + "pt")}
    children: dict[str, list[tuple[int, str]]] = {}
    for connection in root.iter(_DGM + "cxn"):
        if connection.get("type", "parOf") == "parOf":
            order = connection.get("srcOrd", "0")
            place = int(order) if order.isdigit() else 0
            children.setdefault(connection.get("srcId", ""), []).append((place, connection.get("destId", "")))
    starts = [identity for identity, point in points.items() if point.get("type") == "doc"]
    seen: set[str] = set()
    for start in [*starts, *points]:
        _write_below(writer, start, points, children, seen)


def _write_below(
    writer: PageWriter, start: str, points: dict[str, Any], children: dict[str, list[tuple[int, str]]], seen: set[str]
) -> None:
    waiting = [(start, 0)]
    while waiting:
        identity, depth = waiting.pop()
        point = points.get(identity)
        if point is None or identity in seen:
            continue
        seen.add(identity)
        body = point.find(_DGM + "t")
        if body is not None and point.get("type") != "pres":  # which stands for a shape of another point
            lines = [paragraph_text(paragraph) for paragraph in body.iterchildren(A + "p")]
            text = "\n".join(filter(None, lines))
            if text:
                writer.add("list_item", f"• {text}", min(max(depth, 1), _MAX_DEPTH))
        waiting += [(child, depth + 1) for _, child in sorted(children.get(identity, ()), reverse=True)]
