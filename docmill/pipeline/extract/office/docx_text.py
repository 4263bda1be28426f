"""What a DOCX paragraph holds, as a reader of the final version sees it: tracked insertions in, deletions out, comments
and hidden text left out, fields by their last result."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from docx.oxml.ns import qn

_WORD = qn("w:p")[: -len("p")]
_ALTERNATE = "{http://schemas.openxmlformats.org/markup-compatibility/2006}AlternateContent"
_BLIP = qn("a:blip")
_SKIPPED = {_WORD + name for name in (
    "del", "moveFrom", "pPr", "rPr", "instrText", "delText", "commentReference", "annotationRef", "sdtPr", "sdtEndPr",
    "footnoteRef", "endnoteRef", "separator", "continuationSeparator", "tblPr", "tblGrid",
)}  # fmt: skip
_CHARACTERS = {_WORD + "tab": "\t", _WORD + "cr": "\n", _WORD + "noBreakHyphen": "-", _WORD + "softHyphen": ""}
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


Part = str | PageBreak | Note | Picture | TextBox


def paragraph_parts(paragraph: Any) -> Iterator[Part]:
    """Text and what is anchored in it, in order. Results of page number fields are left out."""
    field_depth = 0
    hidden_at: int | None = None
    instruction = ""
    for element in _visible(paragraph):
        tag = element.tag
        if tag == _WORD + "fldChar":
            kind = element.get(qn("w:fldCharType"))
            if kind == "begin":
                field_depth, instruction = field_depth + 1, ""
            elif kind == "separate":
                if instruction.split()[:1] and instruction.split()[0].upper() in _PAGE_FIELDS and hidden_at is None:
                    hidden_at = field_depth
            elif kind == "end":
                if hidden_at == field_depth:
                    hidden_at = None
                field_depth -= 1
        elif tag == _WORD + "instrText":
            instruction += element.text or ""
        elif hidden_at is None:
            yield from _part(element)


def _visible(element: Any) -> Iterator[Any]:
    """The element's descendants that a reader sees, in order; containers are descended into."""
    for child in element:
        tag = child.tag
        if not isinstance(tag, str):
            continue
        if tag == _WORD + "instrText":
            yield child
        elif tag in _SKIPPED or (tag == _WORD + "r" and _is_hidden(child)):
            continue
        elif tag == _ALTERNATE:
            yield from _visible(child[0] if len(child) else child)
        elif tag == _WORD + "fldSimple":
            if child.get(qn("w:instr"), " ").split()[:1] not in [[name] for name in _PAGE_FIELDS]:
                yield from _visible(child)
        elif tag in (_WORD + "txbxContent", _BLIP) or _is_leaf(tag):
            yield child
        else:
            yield from _visible(child)


def _is_leaf(tag: str) -> bool:
    return tag.startswith(_WORD) and tag[len(_WORD) :] in (
        "t", "tab", "br", "cr", "noBreakHyphen", "softHyphen", "sym", "lastRenderedPageBreak", "footnoteReference",
        "endnoteReference", "fldChar",
    )  # fmt: skip


def _is_hidden(run: Any) -> bool:
    properties = run.find(qn("w:rPr"))
    hidden = None if properties is None else properties.find(qn("w:vanish"))
    return hidden is not None and hidden.get(qn("w:val")) not in ("0", "false")


def _part(element: Any) -> Iterator[Part]:
    tag = element.tag
    if tag == _WORD + "t":
        yield element.text or ""
    elif tag in _CHARACTERS:
        yield _CHARACTERS[tag]
    elif tag == _WORD + "br":
        yield PageBreak() if element.get(qn("w:type")) == "page" else "\n"
    elif tag == _WORD + "lastRenderedPageBreak":
        yield PageBreak()
    elif tag == _WORD + "sym":
        code = int(element.get(qn("w:char"), "20"), 16)
        yield chr(code) if not 0xE000 <= code <= 0xF8FF else "•"
    elif tag in (_WORD + "footnoteReference", _WORD + "endnoteReference"):
        yield Note("footnotes" if "footnote" in tag else "endnotes", str(element.get(qn("w:id"))))
    elif tag == _WORD + "txbxContent":
        yield TextBox(element)
    elif tag == _BLIP and element.get(qn("r:embed")):
        yield Picture(element.get(qn("r:embed")), *_size(element))


def _size(blip: Any) -> tuple[float, float]:
    for ancestor in blip.iterancestors(qn("wp:inline"), qn("wp:anchor")):
        extent = ancestor.find(qn("wp:extent"))
        if extent is not None:
            return int(extent.get("cx", "0")) / 12700, int(extent.get("cy", "0")) / 12700
    return 0.0, 0.0
