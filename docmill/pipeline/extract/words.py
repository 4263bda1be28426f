"""Putting words back together that were broken across lines."""

import re
import unicodedata
from collections.abc import Iterable

_COMPOUND = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)+")
_LAST_WORD = re.compile(r"[\w-]+$")
_FIRST_WORD = re.compile(r"\w+")
_MAX_COMPOUNDS = 20_000
_LIGATURES = {code: unicodedata.normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)}
_LIGATURE = re.compile("[\ufb00-\ufb06]")
_LIGATURES |= {0xAD: "", 0xA0: " ", 0x2002: " ", 0x2003: " ", 0x2009: " ", 0x200B: ""}


def plain_letters(text: str) -> str:
    """Text with ligatures as letters, odd spaces as spaces and without soft hyphens."""
    if text.isascii() or (text.isprintable() and not _LIGATURE.search(text)):
        return text
    return text.translate(_LIGATURES)


def evenly_spaced(text: str) -> str:
    """Text with every run of white space as one space, and none at its ends."""
    if text.isprintable() and "  " not in text:  # no white space but single blanks
        return text.strip()
    return " ".join(text.split())


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
            text = line if not text else self.join_line(text, joins, line)
            joins = line_joins
        return text + "-" if joins else text

    def join_line(self, text: str, joins: bool, line: str) -> str:
        """`text` continued by the next line."""
        last = text[-1]
        if not joins and last < "\u3000" and last not in "-—/":
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
    return "\u3000" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff" or "\uff00" <= character <= "\uffef"
