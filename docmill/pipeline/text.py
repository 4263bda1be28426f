"""Clean text, and the one way pages are joined into a document's full text."""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from docmill.pipeline.types import Page

_LINE_ENDS = re.compile("\r\n?|\u2028|\u2029|\x0b|\x0c|\x85")
_UNWANTED = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")
_OPEN_END = re.compile(r"[^\W_][,;]?$")


def clean(text: str) -> str:
    """NFC text with LF line ends and without NUL, lone surrogates, byte order marks or control characters but tabs.

    Databases, vector stores and models each choke on some of these, so this runs before text is counted, hashed or
    stored.
    """
    if text.isprintable():  # which no line end, control character, surrogate or mark is
        return unicodedata.normalize("NFC", text)
    return unicodedata.normalize("NFC", _UNWANTED.sub("", _LINE_ENDS.sub("\n", text)))


def page_joint(before: str, after: str) -> str:
    """What stands between two pages' texts: a line end where a sentence runs on, else a blank line."""
    return "\n" if _OPEN_END.search(before[-4:]) and after[:1].islower() else "\n\n"


def joined(pages: Iterable[Page]) -> Iterator[tuple[int, Page]]:
    """Pages that hold text, each with the offset of its text in the document's full text, in characters."""
    offset, before = 0, ""
    for page in pages:
        if page.text:
            if before:
                offset += len(before) + len(page_joint(before, page.text))
            yield offset, page
            before = page.text


def full_text(pages: Iterable[Page]) -> str:
    """The document's text that chunks' offsets point into; pages without text leave no trace."""
    parts: list[str] = []
    end = 0
    for offset, page in joined(pages):
        if parts:
            parts.append("\n" * (offset - end))
        parts.append(page.text)
        end = offset + len(page.text)
    return "".join(parts)
