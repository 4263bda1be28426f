"""Charts as small tables: the title, the axes' titles, a column a series, a row a category (ECMA-376 part 1, 21.2, and
[MS-ODRAWXML] 2.24.3 for the newer kinds)."""

from collections.abc import Iterator
from typing import Any

from docmill.pipeline.extract.office.drawing_text import A, paragraph_text
from docmill.pipeline.extract.office.number_formats import general, shown
from docmill.pipeline.extract.reading import PageWriter

C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_CX = "{http://schemas.microsoft.com/office/drawing/2014/chartex}"
_AXES = ("catAx", "dateAx", "serAx", "valAx")
_MAX_POINTS = 10_000
"""Points of a series that are written; a chart with more is a picture of data that stands elsewhere."""

_Points = dict[int, str]


def write_chart(writer: PageWriter, root: Any) -> None:
    """Write the chart of a chart part, whose root element is `root`."""
    if root.tag == _CX + "chartSpace":
        _write_extended(writer, root)
        return
    chart = root.find(C + "chart")
    plot = None if chart is None else chart.find(C + "plotArea")
    if chart is None or plot is None:
        return
    writer.add("paragraph", _rich_text(chart.find(C + "title")))
    for axis in plot.iterchildren(*(C + name for name in _AXES)):
        writer.add("paragraph", _rich_text(axis.find(C + "title")))
    series = [series for kind in plot for series in kind.iterchildren(C + "ser")][:_MAX_POINTS]
    _write_table(writer, series)
    for each in series:
        for label in each.iter(C + "dLbl"):
            writer.add("paragraph", _rich_text(label))


def _rich_text(element: Any) -> str:
    """The text that an author wrote, or that a cell gave."""
    if element is None:
        return ""
    texts = [paragraph_text(paragraph) for paragraph in element.iterfind(f"{C}tx/{C}rich/{A}p")]
    texts += list(_points(element.find(C + "tx")).values())
    return " ".join(filter(None, texts))


def _write_table(writer: PageWriter, series: list[Any]) -> None:
    """Series that share their categories share a table; others get their own."""
    tables: list[tuple[_Points, list[tuple[str, _Points]]]] = []
    for each in series:
        categories = _points(each.find(C + "cat")) or _points(each.find(C + "xVal"))
        values = _points(each.find(C + "val")) or _points(each.find(C + "yVal"))
        name = " ".join(_points(each.find(C + "tx")).values())
        columns = [(name, values)]
        if sizes := _points(each.find(C + "bubbleSize")):
            columns.append(("", sizes))
        if tables and (categories == tables[-1][0] or not categories):
            tables[-1][1].extend(columns)
        else:
            tables.append((categories, columns))
    for categories, columns in tables:
        _write_columns(writer, categories, columns)


def _write_columns(writer: PageWriter, categories: _Points, columns: list[tuple[str, _Points]]) -> None:
    writer.add_row(["", *(name for name, _ in columns)] if categories else [n for n, _ in columns], is_header=True)
    places = sorted({*categories, *(place for _, values in columns for place in values)})
    for place in places:
        cells = [values.get(place, "") for _, values in columns]
        writer.add_row([categories.get(place, ""), *cells] if categories else cells)


def _points(element: Any) -> _Points:
    """The cached texts or numbers of a reference, or the literal ones, by their place; several levels joined."""
    if element is None:
        return {}
    levels = list(element.iter(C + "lvl"))
    if levels:
        return _joined([_cached(level, "") for level in reversed(levels)])
    for cache in element.iter(C + "strCache", C + "numCache", C + "strLit", C + "numLit"):
        return _cached(cache, cache.findtext(C + "formatCode") or "")
    value = element.findtext(C + "v")
    return {0: value.strip()} if value and value.strip() else {}


def _cached(cache: Any, code: str) -> _Points:
    points: _Points = {}
    for point in cache.iterchildren(C + "pt"):
        place = point.get("idx", "")
        if place.isdigit() and len(points) < _MAX_POINTS:
            own = point.get("formatCode") or code
            numeric = cache.tag in (C + "numCache", C + "numLit")
            points[int(place)] = _number(point.findtext(C + "v") or "", own) if numeric else _line(point)
    return {place: text for place, text in points.items() if text}


def _line(point: Any) -> str:
    return " ".join((point.findtext(C + "v") or "").split())


def _number(text: str, code: str) -> str:
    try:
        value = float(text)
    except ValueError:
        return text.strip()
    return shown(value, code) if code else general(value)


def _joined(levels: list[_Points]) -> _Points:
    """Categories of several levels: the outer ones hold until the next begins."""
    joined: _Points = {}
    current = [""] * len(levels)
    for place in sorted({place for level in levels for place in level}):
        for depth, level in enumerate(levels):
            current[depth] = level.get(place, current[depth] if depth < len(levels) - 1 else "")
        joined[place] = " ".join(filter(None, current))
    return joined


def _write_extended(writer: PageWriter, root: Any) -> None:
    for title in root.iter(_CX + "title"):
        writer.add("paragraph", " ".join(_extended_texts(title)))
    names = [
        " ".join(_extended_texts(name)) for series in root.iter(_CX + "series") for name in series.iter(_CX + "tx")
    ]
    for data in root.iter(_CX + "data"):
        texts, *values = [*map(_dimension, data.iterchildren(_CX + "strDim", _CX + "numDim")), _Points()]
        _write_columns(writer, texts, list(zip([*names, ""], values, strict=False)))


def _dimension(element: Any) -> _Points:
    return _joined([_extended_points(level) for level in reversed(list(element.iterchildren(_CX + "lvl")))])


def _extended_texts(element: Any) -> Iterator[str]:
    written = [paragraph_text(paragraph) for paragraph in element.iter(A + "p")]
    if not any(written):
        written = [value.text or "" for value in element.iter(_CX + "v")]
    yield from filter(None, written)


def _extended_points(level: Any) -> _Points:
    code = level.get("formatCode", "")
    is_number = level.getparent().tag == _CX + "numDim"
    return {
        int(point.get("idx")): _number(point.text or "", code) if is_number else " ".join((point.text or "").split())
        for point in level.iterchildren(_CX + "pt")
        if point.get("idx", "").isdigit()
    }
