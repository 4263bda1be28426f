"""What a PDF page draws besides text: images and ruled lines."""

import ctypes
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from docmill.pipeline.extract.layout.tables import Ruling
from docmill.pipeline.extract.pdf import calls
from docmill.pipeline.extract.pdf.viewport import Box, Viewport

_MAX_OBJECTS = 20_000
_MAX_POINTS = 400
_MAX_RULINGS = 2_000
_THIN = 2.0
_TEXT = raw.FPDF_PAGEOBJ_TEXT
_SHORT = 6.0


@dataclass(slots=True)
class Drawing:
    """Boxes of the page's images, its ruled lines, and how many paths it has."""

    images: list[Box] = field(default_factory=list)
    rulings: list[Ruling] = field(default_factory=list)
    paths: int = 0


def read_drawing(page: pdfium.PdfPage, viewport: Viewport) -> Drawing:
    """Images and rulings of a page, those inside of form objects too (images only)."""
    drawing = Drawing()
    paths = []
    numbers = range(min(raw.FPDFPage_CountObjects(page), _MAX_OBJECTS))
    objects = map(calls.page_object, itertools.repeat(calls.address(page.raw)), numbers)
    for index, kind in enumerate(map(calls.object_kind, objects)):
        if kind == _TEXT:
            continue
        item = raw.FPDFPage_GetObject(page.raw, index)
        if kind == raw.FPDF_PAGEOBJ_IMAGE:
            drawing.images.append(_bounds(item, viewport))
        elif kind == raw.FPDF_PAGEOBJ_FORM:
            if any(_kind_of(inner) == raw.FPDF_PAGEOBJ_IMAGE for inner in _inside(item)):
                drawing.images.append(_bounds(item, viewport))
        elif kind == raw.FPDF_PAGEOBJ_PATH:
            paths.append(item)
    drawing.paths = len(paths)
    if 4 <= len(paths) <= _MAX_RULINGS or any(raw.FPDFPath_CountSegments(path) > 8 for path in paths[:4]):
        for path in paths:
            drawing.rulings.extend(_rulings(path, viewport))
            if len(drawing.rulings) > _MAX_RULINGS:
                drawing.rulings.clear()
                break
    return drawing


def _inside(form: Any) -> Iterator[Any]:
    for index in range(min(raw.FPDFFormObj_CountObjects(form), 200)):
        yield raw.FPDFFormObj_GetObject(form, index)


def _kind_of(item: Any) -> int:
    return int(raw.FPDFPageObj_GetType(item))


def _bounds(item: Any, viewport: Viewport) -> Box:
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    raw.FPDFPageObj_GetBounds(item, *map(ctypes.byref, (left, bottom, right, top)))
    return viewport.box(left.value, bottom.value, right.value, top.value)


def _rulings(path: Any, viewport: Viewport) -> Iterator[Ruling]:
    """The straight level and upright lines of a path: its strokes, or the path itself where it is a thin bar."""
    x0, y0, x1, y1 = _bounds(path, viewport)
    if y1 - y0 <= _THIN and x1 - x0 > _SHORT:
        yield Ruling(x0, (y0 + y1) / 2, x1, (y0 + y1) / 2)
        return
    if x1 - x0 <= _THIN and y1 - y0 > _SHORT:
        yield Ruling((x0 + x1) / 2, y0, (x0 + x1) / 2, y1)
        return
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    raw.FPDFPath_GetDrawMode(path, fill, stroke)
    if not stroke.value:
        return
    points = list(_points(path, viewport))
    for start, end in itertools.pairwise(points):
        if end is None or start is None:
            continue
        if abs(start[1] - end[1]) < 0.5 and abs(start[0] - end[0]) > _SHORT:
            yield Ruling(min(start[0], end[0]), start[1], max(start[0], end[0]), start[1])
        elif abs(start[0] - end[0]) < 0.5 and abs(start[1] - end[1]) > _SHORT:
            yield Ruling(start[0], min(start[1], end[1]), start[0], max(start[1], end[1]))


def _points(path: Any, viewport: Viewport) -> Iterator[tuple[float, float] | None]:
    """The path's corners; None where the pen is lifted or draws a curve."""
    matrix = raw.FS_MATRIX()
    raw.FPDFPageObj_GetMatrix(path, matrix)
    x, y = ctypes.c_float(), ctypes.c_float()
    first: tuple[float, float] | None = None
    for index in range(min(raw.FPDFPath_CountSegments(path), _MAX_POINTS)):
        segment = raw.FPDFPath_GetPathSegment(path, index)
        kind = raw.FPDFPathSegment_GetType(segment)
        raw.FPDFPathSegment_GetPoint(segment, x, y)
        page_x = matrix.a * x.value + matrix.c * y.value + matrix.e
        page_y = matrix.b * x.value + matrix.d * y.value + matrix.f
        point = viewport.box(page_x, page_y, page_x, page_y)[:2]
        if kind == raw.FPDF_SEGMENT_MOVETO:
            first = point
            yield None
        elif kind == raw.FPDF_SEGMENT_BEZIERTO:
            yield None
        yield point
        if raw.FPDFPathSegment_GetClose(segment) and first is not None:
            yield first
