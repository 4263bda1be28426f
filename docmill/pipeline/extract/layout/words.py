"""Putting words back together that were broken across lines."""

import re
import unicodedata
from collections.abc import Iterable

_COMPOUND = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)+")
_LAST_WORD = re.compile(r"[\w-]+$")
_FIRST_WORD = re.compile(r"\w+")
_MAX_COMPOUNDS = 20_000
_FIRST_UNSPACED = "\u3000"
_LIGATURES = {code: unicodedata.normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)}
_LIGATURE_SIGNS = "".join(map(chr, _LIGATURES))
_LIGATURES |= {0xAD: "", 0xA0: " ", 0x2002: " ", 0x2003: " ", 0x2009: " ", 0x200B: ""}


def plain_text(text: str) -> str:
    """Text with ligatures as letters, every run of white space as one space and none at its ends, and without soft
    hyphens."""
    is_even = text.isprintable() and "  " not in text  # no white space but single blanks
    if is_even and (text.isascii() or not any(map(text.__contains__, _LIGATURE_SIGNS))):
        return text.strip()
    return " ".join(text.translate(_LIGATURES).split())


class Compounds:
    """Words that the document writes with a hyphen, so that a line break at such a hyphen keeps it."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def learn(self, text: str) -> None:
        """Take note of the hyphenated words in `text`."""
        if len(self._seen) < _MAX_COMPOUNDS:
            self._seen.update(word.lower() for word in _COMPOUND.findall(text))

    def join(self, before: str, after: str) -> str:
        """`before`, which lost a hyphen at its end, and `after` as one text: the hyphen goes between small letters,
        unless the document writes the word with it elsewhere or the word has another one already."""
        last, first = _LAST_WORD.search(before), _FIRST_WORD.match(after)
        if last and first:
            is_broken_word = last[0][-1].islower() and first[0][0].islower() and "-" not in last[0]
            if is_broken_word and f"{last[0]}-{first[0]}".lower() not in self._seen:
                return before + after
        return f"{before}-{after}"

    def join_lines(self, lines: Iterable[tuple[str, bool]]) -> str:
        """Lines of one paragraph, each with whether it lost a hyphen at its end, as running text."""
        text, joins = "", False
        for line, line_joins in lines:
            if not text:
                text = line
            elif not joins and text[-1].isalpha() and text[-1] < _FIRST_UNSPACED:  # the plain case, without a call
                text = f"{text} {line}"
            else:
                text = self.join_line(text, joins, line)
            joins = line_joins
        return text + "-" if joins else text

    def join_line(self, text: str, joins: bool, line: str) -> str:
        """`text` continued by the next line."""
        last = text[-1]
        if not joins and last < _FIRST_UNSPACED and last not in "-—/":
            return f"{text} {line}"
        if not joins and len(text) > 1 and last == "-" and text[-2].isalnum():
            text, joins = text[:-1], True
        if joins:
            return self.join(text, line)
        if last in "—/" or (_is_unspaced(last) and _is_unspaced(line[0])):
            return text + line
        return f"{text} {line}"


def _is_unspaced(character: str) -> bool:
    """Whether the character belongs to a script without spaces between words (Chinese, Japanese)."""
    return (
        _FIRST_UNSPACED <= character <= "\u9fff"
        or "\uf900" <= character <= "\ufaff"
        or "\uff00" <= character <= "\uffef"
    )
