"""Whether characters are bold, told by their fonts."""

import ctypes

from docmill.pipeline.extract.pdf import calls

_BOLD_WEIGHT = 600
"""Of a font that is called neither bold nor black: CSS's semi-bold."""
_Name = ctypes.c_char * 96  # made once: making a type takes longer than the call


class BoldFonts:
    """Tells by its font whether a character is bold; each font is looked into once a page."""

    def __init__(self, textpage: int) -> None:
        self._textpage = textpage
        self._name = _Name()
        self._place = ctypes.addressof(self._name)
        self._known: dict[bytes, bool] = {}

    def covers(self, *indices: int) -> bool:
        """Whether all these characters are bold."""
        return all(map(self.is_bold, indices))

    def is_bold(self, index: int) -> bool:
        """Whether this character is bold."""
        length = calls.font_info(self._textpage, index, self._place, len(self._name), None)
        name = self._name.value if 0 < length <= len(self._name) else b""
        known = self._known.get(name)
        if known is None:
            lower = name.lower()
            known = any(word in lower for word in (b"bold", b"black", b"heavy"))
            known = known or lower.endswith((b".b", b"-bd", b"bx10", b"bx12"))
            known = known or bool(calls.font_weight(self._textpage, index) >= _BOLD_WEIGHT)
            if name:
                self._known[name] = known
        return known
