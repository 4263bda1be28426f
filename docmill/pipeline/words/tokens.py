"""Text cut into words, the same for the index, for ranking and for highlighting.

A token is a run of letters, digits and combining marks. Case, accents and compatibility forms (NFKC) are folded. Tokens
that joiners hold together (`ERR-7781-QX`, `snake_case`, `v2.3.1`, `a.b@c.org`) are found whole and in parts, and so is
`camelCase`. Scripts that set no spaces between words (Chinese, Japanese, Thai, …) are cut into overlapping pairs.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

# Ideographs, kana and Hangul; Thai, Lao, Burmese and Khmer.
_SPACELESS = (
    "\u3005\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af\U00020000-\U0003ffff"
    "\u0e00-\u0e7f\u0e80-\u0eff\u1000-\u109f\u1780-\u17ff"
)
_MARKS = "".join(chr(code) for code in range(0x300, 0x1B00) if unicodedata.category(chr(code)).startswith("M"))
_RUN = re.compile(rf"[\w{_MARKS}]+(?:[-./:@#+&'’][\w{_MARKS}]+)*")
_PART = re.compile(rf"[{_SPACELESS}]+|[^\W_{_SPACELESS}]+(?:[{_MARKS}]+[^\W_{_SPACELESS}]*)*")
_SPACELESS_RUN = re.compile(rf"[{_SPACELESS}]+")
_CAMEL = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
# Latin, Greek and Cyrillic accents, and the vowel signs that Arabic leaves out at will.
_ACCENTS = re.compile("[\u0300-\u036f\u064b-\u0652]+")
LONGEST = 100
"""Characters of a word that are kept."""


class Token(NamedTuple):
    """A word of a text: the characters from `start` to `end`, its number in the text, and the forms it is found by.

    `spelling` is the word in lower case with its accents, as a stemmer wants it; None where there is nothing to stem.
    """

    start: int
    end: int
    position: int
    forms: tuple[str, ...]
    spelling: str | None = None


def tokens(text: str) -> Iterator[Token]:
    """The tokens of a text in order. One that is whole and in parts comes as its parts, then the whole at the first
    part's position."""
    position = 0
    for run in _RUN.finditer(text):
        first = position
        parts = list(_PART.finditer(text, run.start(), run.end()))
        for part in parts:
            made = list(_of_part(part[0], part.start(), position))
            yield from made
            position = made[-1].position + 1
        if len(parts) > 1 and not _SPACELESS_RUN.search(run[0]):
            whole = run[0].strip("_")
            start = run.start() + run[0].index(whole)
            yield Token(start, start + len(whole), first, (folded(whole),))


def _of_part(part: str, start: int, position: int) -> Iterator[Token]:
    if not _SPACELESS_RUN.match(part):
        forms = (folded(part), *_camel_parts(part))
        yield Token(start, start + len(part), position, forms, _spelling(part) if part.isalpha() else None)
    elif len(part) == 1:
        yield Token(start, start + 1, position, (folded(part),))
    else:
        for at in range(len(part) - 1):
            yield Token(start + at, start + at + 2, position + at, (folded(part[at : at + 2]),))


def _camel_parts(part: str) -> tuple[str, ...]:
    """`parseHTTPResponse` as parse, http, response; nothing for a word of one part."""
    if not part.isascii() or part.islower() or part.isdecimal() or part.isupper() or part.istitle():
        return ()
    parts = _CAMEL.findall(part)
    return tuple(folded(one) for one in parts if len(one) > 1) if len(parts) > 1 else ()


def folded(word: str) -> str:
    """The form that two spellings of a word share."""
    if word.isascii():
        return word.lower()[:LONGEST]
    return _folded(word)


@lru_cache(maxsize=50_000)
def _folded(word: str) -> str:
    spread = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", word).casefold().replace("’", "'"))
    return unicodedata.normalize("NFC", _ACCENTS.sub("", spread))[:LONGEST]


@lru_cache(maxsize=50_000)
def _spelling(word: str) -> str:
    return unicodedata.normalize("NFKC", word).lower()[:LONGEST]
