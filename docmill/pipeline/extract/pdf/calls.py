"""The functions of pdfium that are called for single characters and objects, declared to take bare addresses: checking
the typed pointers of pypdfium2's declarations takes longer than these calls do. `PYFUNCTYPE` keeps the interpreter's
lock over a call: an extractor reads with one thread, and to give the lock up and take it again costs a fifth of a
short call."""

import ctypes
from typing import Any

import pypdfium2.raw as raw

_POINTER, _INT, _LENGTH = ctypes.c_void_p, ctypes.c_int, ctypes.c_ulong


def _bare(function: Any, result: Any, *arguments: Any) -> Any:
    place: Any = ctypes.cast(function, _POINTER).value
    return ctypes.PYFUNCTYPE(result, *arguments)(place)


def address(handle: Any) -> int:
    """The address that a handle (`.raw` of a page or a text page) stands for."""
    return ctypes.cast(handle, _POINTER).value or 0


loose_char_box = _bare(raw.FPDFText_GetLooseCharBox, _INT, _POINTER, _INT, _POINTER)
"""(text page, index, FS_RECTF): the character's box, as high as its font."""

font_info = _bare(raw.FPDFText_GetFontInfo, _LENGTH, _POINTER, _INT, _POINTER, _LENGTH, _POINTER)
"""(text page, index, buffer, its length, flags): the font's name, and how long it is with its end."""

font_weight = _bare(raw.FPDFText_GetFontWeight, _INT, _POINTER, _INT)
"""(text page, index): how bold the character's font is, 400 where it is plain."""

char_angle = _bare(raw.FPDFText_GetCharAngle, ctypes.c_float, _POINTER, _INT)
"""(text page, index): by how many radians the character is turned against the clock, 0 to 2 pi."""

has_no_unicode = _bare(raw.FPDFText_HasUnicodeMapError, _INT, _POINTER, _INT)
"""(text page, index): 1 where the font does not tell what the character is."""

page_object = _bare(raw.FPDFPage_GetObject, _POINTER, _POINTER, _INT)
"""(page, index): the address of one thing drawn."""

object_kind = _bare(raw.FPDFPageObj_GetType, _INT, _POINTER)
"""(object): which kind of thing it is."""

unicode_of = _bare(raw.FPDFText_GetUnicode, ctypes.c_uint, _POINTER, _INT)
"""(text page, index): the character's code point, 0 where it has none."""

text_box = _bare(raw.FPDFText_GetRect, _INT, _POINTER, _INT, _POINTER, _POINTER, _POINTER, _POINTER)
"""(text page, index, left, top, right, bottom): the box of one run of text, as doubles."""

count_text_boxes = _bare(raw.FPDFText_CountRects, _INT, _POINTER, _INT, _INT)
"""(text page, first, how many or -1): how many runs of text these characters stand in."""

count_characters = _bare(raw.FPDFText_CountChars, _INT, _POINTER)
"""(text page): how many characters it has, -1 where that fails."""

text = _bare(raw.FPDFText_GetText, _INT, _POINTER, _INT, _INT, _POINTER)
"""(text page, first, how many, buffer): writes that many UTF-16 units at most and a zero; how many it wrote."""
