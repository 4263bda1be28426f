"""What an OpenDocument paragraph holds, as a reader of the final version sees it (OpenDocument 1.3 part 3):
comments and deleted text left out, page number fields too."""

import re
from dataclasses import dataclass, field
from typing import Any

_NAMESPACE = "urn:oasis:names:tc:opendocument:xmlns:"
TEXT, TABLE, DRAW, OFFICE, STYLE, FO, PRESENTATION = (
    f"{{{_NAMESPACE}{name}:1.0}}"
    for name in ("text", "table", "drawing", "office", "style", "xsl-fo-compatible", "presentation")
)
HREF = "{http://www.w3.org/1999/xlink}href"
PAGE_END = "\f"
"""Stands in a paragraph's text where a page ends; XML cannot hold it otherwise."""

_SPACES = re.compile(r"[ \t\r\n]+")
_UNSEEN = {
    *(OFFICE + name for name in ("annotation", "annotation-end", "forms")),
    *(TEXT + name for name in (
        "tracked-changes", "page-number", "page-count", "ruby-text", "note-citation", "bibliography-mark-source",
    )),
}  # fmt: skip
_MAX_NESTING = 100
_MAX_SPACES = 1000


@dataclass(slots=True)
class Paragraph:
    """A paragraph's text, and what is anchored in it: notes in the order of their marks, frames with pictures, tables
    or text of their own."""

    text: str = ""
    notes: list[Any] = field(default_factory=list)
    frames: list[Any] = field(default_factory=list)


def read_paragraph(element: Any, notes_before: int | None = None) -> Paragraph:
    """The content of a paragraph or heading; notes are marked from [`notes_before` + 1] on, by default not at all."""
    paragraph = Paragraph()
    parts: list[str] = []
    _collect(element, paragraph, parts, notes_before, 0)
    paragraph.text = "".join(parts).strip(" ")
    return paragraph


def _collect(element: Any, paragraph: Paragraph, parts: list[str], notes_before: int | None, nesting: int) -> None:
    parts.append(_SPACES.sub(" ", element.text or ""))
    for child in element:
        tag = child.tag
        if not isinstance(tag, str) or tag in _UNSEEN or nesting > _MAX_NESTING:
            pass
        elif tag == TEXT + "s":
            parts.append(" " * min(count_of(child, TEXT + "c"), _MAX_SPACES))
        elif tag == TEXT + "tab":
            parts.append("\t")
        elif tag == TEXT + "line-break":
            parts.append("\n")
        elif tag == TEXT + "soft-page-break":
            parts.append(PAGE_END)
        elif tag == TEXT + "note":
            paragraph.notes.append(child)
            if notes_before is not None:
                parts.append(f"[{notes_before + len(paragraph.notes)}]")
        elif tag.startswith(DRAW) and tag != DRAW + "a":
            paragraph.frames.append(child)
        else:
            _collect(child, paragraph, parts, notes_before, nesting + 1)
        parts.append(_SPACES.sub(" ", child.tail or ""))


def count_of(element: Any, name: str, default: int = 1) -> int:
    """A whole number that an attribute gives."""
    value = element.get(name, "")
    return int(value) if value.isdigit() else default
