"""How much of a text can be what a person wrote, told by its letters alone.

Layers whose codes are swapped or shifted hold letters of some script, but not the ones that texts are made of.
"""

import math
import re
import unicodedata
from collections import Counter, defaultdict
from functools import cache

_SAMPLE = 1200
"""Characters looked at, from the beginning."""
_MOSTLY = 0.9
"""Share of ASCII from which the rest is not looked at."""
_FEW = 12
"""Letters of a script below which nothing is said of them."""
_LATIN_FEW = 40
_MAX_BITS = 4.9
"""Bits a letter by the usual frequencies: languages in Latin letters have 4.1 to 4.7, codes shifted by any number
5.2 and more."""
_MAX_MARKED = 0.5
"""Share of Latin letters with marks; Vietnamese has a third, Cyrillic taken for Western letters nearly all."""
_MIN_COMMON_HAN = 0.7
"""Share of the Chinese characters that belong to one standard's common ones; texts have 0.95."""
_MIN_COMMON_HANGUL = 0.9
"""Share of the syllables that belong to the 2,350 of KS X 1001; texts have 0.99, any codes 0.2."""
_MAX_MIXED = 0.3
"""Share of words that mix alphabets."""

_MIXES = re.compile(r"[^\W\d_]{3,}")
_RANGES = (
    ("junk", "\ue000", "\uf8ff"),
    ("latin", "A", "z"),
    ("latin", "\u00aa", "\u024f"),
    ("latin", "\u1e00", "\u1eff"),
    ("greek", "\u0370", "\u03ff"),
    ("cyrillic", "\u0400", "\u052f"),
    ("right to left", "\u0590", "\u08ff"),
    ("han", "\u3400", "\u9fff"),
    ("han", "\uf900", "\ufaff"),
    ("hangul", "\uac00", "\ud7a3"),
)
_ALPHABETS = {"latin", "greek", "cyrillic", "right to left"}
_COMMON = {
    "gb2312": (0xB0A1, 0xD7FE),
    "big5": (0xA440, 0xC67E),
    "shift_jis": (0x889F, 0x9872),
    "euc_kr": (0xCAA1, 0xFDFE),
}
"""Where each standard has its common characters."""
_BITS = {
    letter: -math.log2(percent / 100)
    for letter, percent in zip(
        "etaoinsrldcumpghbyfvkwzjxq",
        (
            13.4,
            6.2,
            9.2,
            7.1,
            7.6,
            7.2,
            6.1,
            6.4,
            4.5,
            4.3,
            3.2,
            3.8,
            2.9,
            2.6,
            1.8,
            2.2,
            1.5,
            1.0,
            1.2,
            1.6,
            1.6,
            1.1,
            1.7,
            0.9,
            0.4,
            0.5,
        ),
        strict=True,
    )
}
"""Bits of each letter: its mean share in English, German, French, Spanish, Italian, Portuguese, Dutch, Polish and
Czech running text."""
_ASCII_BITS = [(letter.encode(), bits) for letter, bits in _BITS.items()]


def plausibility(text: str, few: int = _FEW) -> float:
    """The share, 0 to 1, of the letters that stand where texts have them; 1.0 where they are fewer than `few`."""
    text = text[:_SAMPLE]
    plain = text.encode("ascii", "ignore")
    if len(plain) > _MOSTLY * len(text):  # letters of English: counted without looking at each
        return _of_ascii(plain.lower())
    scripts: dict[str, Counter[str]] = defaultdict(Counter)
    for character, count in Counter(text).items():
        if script := _script(character):
            scripts[script][character] = count
    totals = {script: counted.total() for script, counted in scripts.items()}
    letters, doubtful = sum(totals.values()), totals.get("junk", 0)
    if letters < few:
        return 0.0 if doubtful > letters / 2 else 1.0
    for script, is_text in (("latin", _is_latin_text), ("han", _is_han_text), ("hangul", _is_hangul_text)):
        if script in totals and not is_text(scripts[script], totals[script], few):
            doubtful += totals[script]
    if len(_ALPHABETS & totals.keys()) > 1:
        mixed = sum(len(word) for word in _MIXES.findall(text) if len(_ALPHABETS & set(map(_script, word))) > 1)
        doubtful += mixed if mixed > _MAX_MIXED * letters else 0
    return max(0.0, 1 - doubtful / letters)


def _of_ascii(text: bytes) -> float:
    counts = [(text.count(letter), bits) for letter, bits in _ASCII_BITS]
    total = sum(count for count, _ in counts)
    return 1.0 if total < _LATIN_FEW or sum(count * bits for count, bits in counts) <= _MAX_BITS * total else 0.0


@cache
def _script(character: str) -> str:
    """What alphabet a letter belongs to, "other" for one of those that are not looked into; "" for other signs."""
    if character.isspace():
        return ""
    category = unicodedata.category(character)
    if category in ("Cc", "Cn", "Co", "Cs") or character == "\ufffd":
        return "junk"
    if not category.startswith("L"):
        return ""
    return next((name for name, first, last in _RANGES if first <= character <= last), "other")


def _is_latin_text(letters: Counter[str], total: int, few: int) -> bool:
    if total < _LATIN_FEW:
        return True
    marked = known = 0
    bits = 0.0
    for letter, count in letters.items():
        plain = _unmarked(letter)
        marked += count if plain != letter.lower() else 0
        if plain in _BITS:
            known += count
            bits += count * _BITS[plain]
    return marked <= _MAX_MARKED * total and bits <= _MAX_BITS * known


@cache
def _unmarked(letter: str) -> str:
    return unicodedata.normalize("NFD", letter)[0].lower()


def _is_han_text(characters: Counter[str], total: int, few: int) -> bool:
    return total < few or any(
        sum(count for one, count in characters.items() if first <= _encoded(one, standard) <= last)
        >= _MIN_COMMON_HAN * total
        for standard, (first, last) in _COMMON.items()
    )


def _is_hangul_text(syllables: Counter[str], total: int, few: int) -> bool:
    common = sum(count for one, count in syllables.items() if _encoded(one, "euc_kr"))
    return total < few or common >= _MIN_COMMON_HANGUL * total


def _encoded(character: str, standard: str) -> int:
    """The character's code in a standard of two bytes, 0 where it has none."""
    try:
        data = character.encode(standard)
    except UnicodeEncodeError:
        return 0
    return int.from_bytes(data, "big") if len(data) == 2 else 0
