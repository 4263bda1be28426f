"""What a DOCX paragraph holds, as a reader of the final version sees it: tracked insertions in, deletions out, comments
and hidden text left out, fields by their last result."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from docmill.pipeline.extract.office.drawing_text import ALTERNATE, A, alternative
from docmill.pipeline.extract.office.equations import M, equation_text
from docmill.pipeline.extract.office.package import R

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_PLACED = "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}"
_VML = "{urn:schemas-microsoft-com:vml}"
_BLIP, _VML_PICTURE, _VML_TEXT = A + "blip", _VML + "imagedata", _VML + "textpath"
_EQUATIONS = {M + "oMath", M + "oMathPara"}
_GRAPHICS = {
    "{http://schemas.openxmlformats.org/drawingml/2006/diagram}relIds",
    "{http://schemas.openxmlformats.org/drawingml/2006/chart}chart",
    "{http://schemas.microsoft.com/office/drawing/2014/chartex}chart",
    A + "txBody",
    A + "tbl",
}
_SKIPPED = {W + name for name in (
    "del", "moveFrom", "pPr", "rPr", "instrText", "delText", "commentReference", "annotationRef", "sdtPr", "sdtEndPr",
    "footnoteRef", "endnoteRef", "separator", "continuationSeparator", "tblPr", "tblGrid",
)}  # fmt: skip
_CHARACTERS = {W + "tab": "\t", W + "ptab": "\t", W + "cr": "\n", W + "noBreakHyphen": "-", W + "softHyphen": ""}
_LEAVES = {W + name for name in (
    "t", "tab", "ptab", "br", "cr", "noBreakHyphen", "softHyphen", "sym", "lastRenderedPageBreak", "footnoteReference",
    "endnoteReference", "fldChar", "txbxContent", "ruby",
)} | {_BLIP, _VML_PICTURE, _VML_TEXT}  # fmt: skip
_PAGE_FIELDS = ("PAGE", "NUMPAGES", "SECTIONPAGES")


@dataclass(frozen=True, slots=True)
class PageBreak:
    """A page ends here: where Word last laid the text out so, or where the author put a break."""


@dataclass(frozen=True, slots=True)
class Note:
    """A reference to a footnote or an endnote."""

    kind: str
    note_id: str


@dataclass(frozen=True, slots=True)
class Picture:
    """An image, by its relationship, with its size on the page in points (0 where unknown)."""

    relationship: str
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class TextBox:
    """A text box anchored here; `content` is its XML element with paragraphs."""

    content: Any


@dataclass(frozen=True, slots=True)
class Graphic:
    """A chart, a diagram, or text or a table in a drawing, by its XML element."""

    element: Any


Part = str | PageBreak | Note | Picture | TextBox | Graphic


def paragraph_parts(paragraph: Any) -> Iterator[Part]:
    """Text and what is anchored in it, in order. Results of page number fields are left out; the reading above words
    (ruby) follows them in brackets."""
    readings = ""
    before: Any = None
    for element in _without_page_numbers(paragraph):
        if before is not None and before.tag in _EQUATIONS and element.tag in _EQUATIONS:
            yield "\n"
        before = element
        if element.tag == W + "ruby":
            base, reading = (_plain(element.find(W + name)) for name in ("rubyBase", "rt"))
            readings += reading
            yield base
            continue
        if readings:
            yield f"({readings})"
            readings = ""
        yield from _part(element)
    if readings:
        yield f"({readings})"


def whole_number(text: str | None, otherwise: int = 0) -> int:
    """A whole number of an attribute; `otherwise` where it is none."""
    try:
        return int(text or "")
    except ValueError:
        return otherwise


def _plain(element: Any) -> str:
    return "" if element is None else "".join(part for part in paragraph_parts(element) if isinstance(part, str))


def _character_code(text: str) -> int:
    try:
        return int(text, 16) % 0x110000
    except ValueError:
        return 0x20


def _without_page_numbers(paragraph: Any) -> Iterator[Any]:
    field_depth = 0
    hidden_at: int | None = None
    instruction = ""
    for element in _visible(paragraph):
        tag = element.tag
        if tag == W + "fldChar":
            kind = element.get(W + "fldCharType")
            if kind == "begin":
                field_depth, instruction = field_depth + 1, ""
            elif kind == "separate":
                if instruction.split()[:1] and instruction.split()[0].upper() in _PAGE_FIELDS and hidden_at is None:
                    hidden_at = field_depth
            elif kind == "end":
                if hidden_at == field_depth:
                    hidden_at = None
                field_depth -= 1
        elif tag == W + "instrText":
            instruction += element.text or ""
        elif hidden_at is None:
            yield element


def _visible(element: Any) -> Iterator[Any]:
    """The element's descendants that a reader sees, in order; containers are descended into."""
    for child in element:
        tag = child.tag
        if not isinstance(tag, str):
            continue
        if tag == W + "instrText":
            yield child
        elif tag in _SKIPPED or (tag == W + "r" and _is_hidden(child)):
            continue
        elif tag == ALTERNATE:
            yield from _visible(alternative(child))
        elif tag == W + "fldSimple":
            if child.get(W + "instr", " ").split()[:1] not in [[name] for name in _PAGE_FIELDS]:
                yield from _visible(child)
        elif tag in _LEAVES or tag in _EQUATIONS or tag in _GRAPHICS:
            yield child
        else:
            yield from _visible(child)


def _is_hidden(run: Any) -> bool:
    properties = run.find(W + "rPr")
    hidden = None if properties is None else properties.find(W + "vanish")
    return hidden is not None and hidden.get(W + "val") not in ("0", "false")


def _part(element: Any) -> Iterator[Part]:
    tag = element.tag
    if tag == W + "t":
        yield element.text or ""
    elif tag in _CHARACTERS:
        yield _CHARACTERS[tag]
    elif tag == W + "br":
        yield PageBreak() if element.get(W + "type") == "page" else "\n"
    elif tag == W + "lastRenderedPageBreak":
        yield PageBreak()
    elif tag in _EQUATIONS:
        text = equation_text(element)
        yield f"\n{text}\n" if tag == M + "oMathPara" else text
    elif tag in _GRAPHICS:
        yield Graphic(element)
    elif tag == _VML_TEXT:
        yield f"{element.get('string', '')} "
    elif tag == W + "sym":
        code = _character_code(element.get(W + "char", ""))
        yield chr(code) if not 0xE000 <= code <= 0xF8FF else "•"
    elif tag in (W + "footnoteReference", W + "endnoteReference"):
        yield Note("footnotes" if "footnote" in tag else "endnotes", str(element.get(W + "id")))
    elif tag == W + "txbxContent":
        yield TextBox(element)
    elif tag == _BLIP and element.get(R + "embed"):
        yield Picture(element.get(R + "embed"), *_size(element))
    elif tag == _VML_PICTURE and element.get(R + "id"):
        yield Picture(element.get(R + "id"), 0.0, 0.0)


def _size(blip: Any) -> tuple[float, float]:
    for ancestor in blip.iterancestors(_PLACED + "inline", _PLACED + "anchor"):
        extent = ancestor.find(_PLACED + "extent")
        if extent is not None:
            return whole_number(extent.get("cx")) / 12700, whole_number(extent.get("cy")) / 12700
    return 0.0, 0.0
