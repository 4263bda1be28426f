"""What the index keeps of a passage: each word with its places, its stem beside it."""

from collections import defaultdict
from dataclasses import dataclass

from docmill.pipeline.words.stems import language, stem
from docmill.pipeline.words.tokens import tokens

STEM = "="
"""Stands before a stem, which no word begins with."""
_LAST_POSITION = 16_383
_MOST_POSITIONS = 255


@dataclass(frozen=True, slots=True)
class PassageWords:
    """The words of one passage: `length` is how many there are, `places` are each word's positions, from 1."""

    length: int
    places: dict[str, list[int]]

    def tsvector(self) -> str:
        """As PostgreSQL reads a tsvector (https://www.postgresql.org/docs/current/datatype-textsearch.html)."""
        return " ".join(f"{quoted(word)}:{','.join(map(str, places))}" for word, places in self.places.items())


def passage_words(text: str) -> PassageWords:
    """The words of a passage as they are indexed."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    spoken, length = language(text), 0
    for token in tokens(text):
        length = max(length, token.position + 1)
        forms = list(token.forms)
        if spoken and token.spelling:
            forms.append(STEM + stem(token.spelling, spoken))
        position = min(token.position + 1, _LAST_POSITION)
        for form in forms:
            if len(places[form]) < _MOST_POSITIONS and (not places[form] or places[form][-1] < position):
                places[form].append(position)
    return PassageWords(length, dict(places))


def quoted(word: str) -> str:
    """A word as a lexeme in PostgreSQL's text form."""
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"
