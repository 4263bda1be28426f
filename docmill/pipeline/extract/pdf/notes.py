"""Text that lies on a PDF page rather than in it: form fields' values and annotations."""

import contextlib
import ctypes
from collections.abc import Iterator
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from docmill.pipeline.extract.layout.segments import Segment
from docmill.pipeline.extract.pdf.text_layer import Viewport

_MAX_NOTES = 2_000
_MAX_BYTES = 1 << 20
_LINE = 12.0
_SILENT = {raw.FPDF_ANNOT_LINK, raw.FPDF_ANNOT_POPUP}


def read_notes(page: pdfium.PdfPage, viewport: Viewport) -> tuple[list[Segment], list[str]]:
    """Form fields' values and typed-on text as segments at their places, and the contents of other annotations."""
    segments: list[Segment] = []
    remarks: list[str] = []
    for index in range(min(raw.FPDFPage_GetAnnotCount(page), _MAX_NOTES)):
        annotation = raw.FPDFPage_GetAnnot(page, index)
        if not annotation:
            continue
        try:
            kind = raw.FPDFAnnot_GetSubtype(annotation)
            if kind in _SILENT:
                continue
            if kind == raw.FPDF_ANNOT_WIDGET:
                if page.formenv and (value := _field_value(page.formenv, annotation)):
                    segments.extend(_at_place(annotation, viewport, value))
            elif contents := _string(raw.FPDFAnnot_GetStringValue, annotation, b"Contents").strip():
                if kind == raw.FPDF_ANNOT_FREETEXT:
                    segments.extend(_at_place(annotation, viewport, contents))
                else:
                    remarks.append(contents)
        finally:
            raw.FPDFPage_CloseAnnot(annotation)
    return segments, remarks


def _field_value(formenv: pdfium.PdfFormEnv, annotation: Any) -> str:
    kind = raw.FPDFAnnot_GetFormFieldType(formenv, annotation)
    if kind in (raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON):
        return "[x]" if raw.FPDFAnnot_IsChecked(formenv, annotation) else ""
    if kind in (raw.FPDF_FORMFIELD_TEXTFIELD, raw.FPDF_FORMFIELD_COMBOBOX, raw.FPDF_FORMFIELD_LISTBOX):
        return _string(raw.FPDFAnnot_GetFormFieldValue, formenv, annotation).strip()
    return ""


def _string(get: Any, *arguments: Any) -> str:
    """A string from one of pdfium's calls that want a buffer: UTF-16, with a NUL at its end."""
    length = get(*arguments, None, 0)
    if not 2 < length <= _MAX_BYTES:
        return ""
    buffer = ctypes.create_string_buffer(length)
    get(*arguments, ctypes.cast(buffer, ctypes.POINTER(raw.FPDF_WCHAR)), length)
    text = ""
    with contextlib.suppress(UnicodeDecodeError):
        text = buffer.raw[: length - 2].decode("utf-16-le")
    return text


def _at_place(annotation: Any, viewport: Viewport, text: str) -> Iterator[Segment]:
    rect = raw.FS_RECTF()
    raw.FPDFAnnot_GetRect(annotation, rect)
    x0, y0, x1, y1 = viewport.box(rect.left, rect.bottom, rect.right, rect.top)
    lines = [line for line in text.splitlines() if line.strip()]
    height = min((y1 - y0) / max(len(lines), 1), _LINE) if y1 > y0 else _LINE
    top = (y0 + y1 - height) / 2 if len(lines) == 1 else y0
    for number, line in enumerate(lines):
        yield Segment(line, x0, top + number * height, x1, top + (number + 1) * height, height)
