"""UTF-16 and UTF-32 without a byte order mark, told by which bytes of each character vary."""

import re
import unicodedata
from collections import Counter

_STRANGE = frozenset(("Cc", "Cn", "Co", "Cs"))
_MAX_STRANGE = 0.05
"""Share of controls and unassigned characters that a text may hold; bytes that are no text have more."""
_CONTROLS = re.compile(rb"[\x01-\x08\x0b\x0e-\x1f]")
_MIN_CONTROLS = 0.02
"""Share of bytes that would be controls in other encodings: low bytes of Chinese, where there are no NULs."""
_MIN_SAMENESS = 0.015
"""The chance that the high bytes of two characters are the same; among random bytes it is 0.004, in Chinese 0.03."""


def wide_codec(sample: bytes) -> str | None:
    """The codec of a sample that begins at a character, or None where it is no UTF-16 or UTF-32 text.

    A text keeps to few alphabets, so its high bytes vary less than its low ones.
    """
    if not sample or len(sample) % 2:
        return None
    if len(sample) % 4 == 0:
        for codec, top, plane in (("utf-32-le", 3, 2), ("utf-32-be", 0, 1)):
            if not any(sample[top::4]) and max(sample[plane::4]) <= 0x10 and _is_text(sample, codec, 4):
                return codec
    if 0 not in sample and len(_CONTROLS.findall(sample)) < _MIN_CONTROLS * len(sample):
        return None
    even, odd = _sameness(sample[::2]), _sameness(sample[1::2])
    codec = "utf-16-be" if even > odd else "utf-16-le"
    return codec if max(even, odd) > _MIN_SAMENESS and _is_text(sample, codec, 2) else None


def _is_text(sample: bytes, codec: str, width: int) -> bool:
    text = sample[: len(sample) // width * width].decode(codec, "replace")
    strange = sum(unicodedata.category(character) in _STRANGE and character not in "\t\n\r\f" for character in text)
    return strange <= _MAX_STRANGE * len(text)


def _sameness(data: bytes) -> float:
    """The chance that two of the bytes are the same."""
    return sum(count * count for count in Counter(data).values()) / (len(data) ** 2 or 1)
