"""Text layers whose code points are wrong in a way that can be undone for certain."""

import re

_UTF8_AS_UTF16 = re.compile(r"[\uc280-\udfbf]")
_OTHER_LETTERS = re.compile(r"[^\x00-\x7f\uc280-\udfbf]")
_ENOUGH = 0.95
"""Share of the characters in question that are well-formed UTF-8: in Korean text, whose syllables lie there too, a
third is."""
_FEW = 4


def mended(text: str) -> str:
    """The text, as long as before. A font's table that gives UTF-8 where UTF-16 belongs makes Korean syllables of
    two-byte letters (Cyrillic, Greek, Hebrew, Arabic): those are decoded."""
    if text.isascii():
        return text
    found = _UTF8_AS_UTF16.findall(text)
    if len(found) < _FEW or len(found) < 2 * len(_OTHER_LETTERS.findall(text)):
        return text
    decoded = {letter: _decoded(letter) for letter in set(found)}
    if sum(decoded[letter] is not None for letter in found) < _ENOUGH * len(found):
        return text
    return text.translate({ord(letter): plain for letter, plain in decoded.items() if plain})


def _decoded(letter: str) -> str | None:
    try:
        return letter.encode("utf-16-be").decode("utf-8")
    except UnicodeDecodeError:
        return None
