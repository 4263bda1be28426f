"""Text that lies on a PDF page rather than in it: form fields and annotations.

What has an appearance with text in it (a formatted field, a signature, a stamp, words typed on the page) is made part
of the page, where the text layer's reader meets it as a person sees it. The rest is read by its values.
"""

import contextlib
import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from docmill.pipeline.extract.layout.segments import Segment
from docmill.pipeline.extract.pdf.viewport import Viewport

_MAX_NOTES = 2_000
_MAX_OPTIONS = 500
_MAX_BYTES = 1 << 20
_LINE = 12.0
"""Points that a line of a field's value is high at most."""
_UNSEEN = raw.FPDF_ANNOT_FLAG_HIDDEN | raw.FPDF_ANNOT_FLAG_NOVIEW
_SILENT = {raw.FPDF_ANNOT_LINK, raw.FPDF_ANNOT_POPUP}
_SHOWN = {raw.FPDF_ANNOT_FREETEXT, raw.FPDF_ANNOT_STAMP, raw.FPDF_ANNOT_WIDGET}
"""Kinds whose appearance is what a person reads; that of others is an icon or a line."""
_MARKS = {raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON}
_TYPED = {raw.FPDF_FORMFIELD_TEXTFIELD, raw.FPDF_FORMFIELD_COMBOBOX}
_SHOWS_TEXT = ("Tj", "TJ", "Do", "'", '"')
"""Operators of a content stream that show text, or another stream that may."""


@dataclass(slots=True)
class Notes:
    """Values at their places, and contents of annotations that have none in the text. `is_flattened`: the page has got
    more text and must be loaded anew."""

    segments: list[Segment] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    is_flattened: bool = False


def take_notes(page: pdfium.PdfPage) -> Notes:
    """Read the page's annotations; make those a part of the page whose appearance shows text."""
    notes, viewport = Notes(), Viewport(page)
    shown = 0
    for index in range(min(raw.FPDFPage_GetAnnotCount(page), _MAX_NOTES)):
        annotation = raw.FPDFPage_GetAnnot(page, index)
        if not annotation:
            continue
        try:
            if _take(page, annotation, viewport, notes):
                shown += 1
            else:  # flattening leaves out what is hidden
                raw.FPDFAnnot_SetFlags(annotation, raw.FPDF_ANNOT_FLAG_HIDDEN)
        finally:
            raw.FPDFPage_CloseAnnot(annotation)
    if shown:
        notes.is_flattened = raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY) == raw.FLATTEN_SUCCESS
    return notes


def _take(page: pdfium.PdfPage, annotation: Any, viewport: Viewport, notes: Notes) -> bool:
    """Read one annotation; whether it is to be read from its appearance instead."""
    kind = raw.FPDFAnnot_GetSubtype(annotation)
    if kind in _SILENT or raw.FPDFAnnot_GetFlags(annotation) & _UNSEEN:
        return False
    has_text = kind in _SHOWN and _appearance_shows_text(annotation)
    if kind == raw.FPDF_ANNOT_WIDGET:
        return _take_field(page.formenv, annotation, viewport, notes, has_text) if page.formenv else has_text
    contents = _string(raw.FPDFAnnot_GetStringValue, annotation, b"Contents").strip()
    if kind == raw.FPDF_ANNOT_FREETEXT:
        if not has_text:
            notes.segments.extend(_at_place(annotation, viewport, contents.splitlines()))
    elif contents:
        notes.remarks.append(contents)
    return has_text


def _take_field(formenv: pdfium.PdfFormEnv, annotation: Any, viewport: Viewport, notes: Notes, has_text: bool) -> bool:
    kind = raw.FPDFAnnot_GetFormFieldType(formenv, annotation)
    if kind in _MARKS:
        lines = ["[x]"] if raw.FPDFAnnot_IsChecked(formenv, annotation) else []
    elif kind == raw.FPDF_FORMFIELD_LISTBOX:
        lines = list(_options(formenv, annotation))
    elif kind in _TYPED and not has_text:
        lines = _string(raw.FPDFAnnot_GetFormFieldValue, formenv, annotation).splitlines()
    else:
        return has_text
    notes.segments.extend(_at_place(annotation, viewport, lines))
    return False


def _options(formenv: pdfium.PdfFormEnv, annotation: Any) -> Iterator[str]:
    """What can be chosen in a list box, the chosen marked."""
    for index in range(min(raw.FPDFAnnot_GetOptionCount(formenv, annotation), _MAX_OPTIONS)):
        label = _string(raw.FPDFAnnot_GetOptionLabel, formenv, annotation, index).strip()
        chosen = raw.FPDFAnnot_IsOptionSelected(formenv, annotation, index)
        yield f"[x] {label}" if chosen and label else label


def _appearance_shows_text(annotation: Any) -> bool:
    content = _string(raw.FPDFAnnot_GetAP, annotation, raw.FPDF_ANNOT_APPEARANCEMODE_NORMAL)
    return any(operator in content for operator in _SHOWS_TEXT)


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


def _at_place(annotation: Any, viewport: Viewport, lines: Sequence[str]) -> Iterator[Segment]:
    rect = raw.FS_RECTF()
    raw.FPDFAnnot_GetRect(annotation, rect)
    x0, y0, x1, y1 = viewport.box(rect.left, rect.bottom, rect.right, rect.top)
    lines = [line.strip() for line in lines if line.strip()]
    height = min((y1 - y0) / max(len(lines), 1), _LINE) if y1 > y0 else _LINE
    top = (y0 + y1 - height) / 2 if len(lines) == 1 else y0
    for number, line in enumerate(lines):
        yield Segment(line, x0, top + number * height, x1, top + (number + 1) * height, height)
