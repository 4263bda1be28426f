"""Clean text, and the one way pages are joined into a document's full text."""

import re
import unicodedata
from collections.abc import Iterable

from docmill.pipeline.types import Page

PAGE_JOINT = "\n\n"
"""What stands between two pages in the full text."""

_LINE_ENDS = re.compile("\r\n?|\u2028|\u2029|\x0b|\x0c|\x85")
_UNWANTED = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")


def clean(text: str) -> str:
    """NFC text with LF line ends and without NUL, lone surrogates, byte order marks or control characters but tabs.

    Databases, vector stores and models each choke on some of these, so this runs before text is counted, hashed or
    stored.
    """
    return unicodedata.normalize("NFC", _UNWANTED.sub("", _LINE_ENDS.sub("\n", text)))


def full_text(pages: Iterable[Page]) -> str:
    """The document's text that chunks' offsets point into."""
    return PAGE_JOINT.join(page.text for page in pages)
