"""Ligatures of scripts that run from right to left, put back into the order of their letters.

pdfium turns the characters of such a line around one by one. A glyph that its font says stands for several letters
(lam and alef in one) comes out turned around itself; a presentation form of Unicode, which pdfium takes apart later,
does not.
"""

import re
import sys
import unicodedata
from collections.abc import Sequence
from functools import cache

from docmill.pipeline.extract.pdf.viewport import Box

RIGHT_TO_LEFT = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")
"""Hebrew, Arabic and their neighbours, with their presentation forms."""


def in_order(letters: str, boxes: Sequence[Box]) -> str:
    """The letters of a line, those of one glyph (which have one box) in their order; as many as before."""
    written = list(letters)
    start = 0
    for end in range(1, len(written) + 1):
        if end < len(written) and boxes[end] == boxes[start] and RIGHT_TO_LEFT.match(written[end]):
            continue
        if end - start > 1 and RIGHT_TO_LEFT.match(written[start]):
            glyph = "".join(written[start:end])
            if glyph not in _presentation_forms():
                written[start:end] = glyph[::-1]
        start = end
    return "".join(written)


@cache
def _presentation_forms() -> frozenset[str]:
    """What Unicode's ligatures of these scripts stand for."""
    signs = (chr(code) for code in range(0xFB1D, min(0xFEFF, sys.maxunicode)))
    forms = (unicodedata.normalize("NFKC", sign).strip() for sign in signs)
    return frozenset(form for form in forms if len(form) > 1)
