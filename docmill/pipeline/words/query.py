"""What a query asks for: words to rank by, phrases that must stand together, words that must not be there."""

import re
from dataclasses import dataclass, field

from docmill.pipeline.words.index_words import STEM, quoted
from docmill.pipeline.words.stems import languages_of_query, stem
from docmill.pipeline.words.tokens import tokens

_PHRASE = re.compile(r"(?:(?<=\s)|^)(-?)(?:\"([^\"]+)\"|“([^”]+)”|„([^“”]+)[“”]|«([^»]+)»)")
_EXCLUDED = re.compile(r"(?:(?<=\s)|^)-(?=[^\W\d_])(\S+)")


@dataclass(frozen=True, slots=True)
class Term:
    """A word of a query and the stems that other forms of it share."""

    word: str
    stems: frozenset[str] = frozenset()

    @property
    def forms(self) -> tuple[str, ...]:
        """All that it is found by, as the index names them."""
        return (self.word, *sorted(self.stems))


@dataclass(frozen=True, slots=True)
class Query:
    """A query taken apart. `text` is what is to be embedded; `phrases` and `excluded` are runs of words that stand one
    after the other."""

    text: str
    terms: tuple[Term, ...]
    phrases: tuple[tuple[str, ...], ...] = ()
    excluded: tuple[tuple[str, ...], ...] = ()
    spelled: dict[str, str] = field(default_factory=dict)
    """Each word of the query that may be misspelled, and how it stands in `text`."""


def parsed(text: str) -> Query:
    """A query as its user wrote it: "quoted phrases" must stand together, -words and -"phrases" must not be there."""
    phrases: list[tuple[str, ...]] = []
    excluded: list[tuple[str, ...]] = []

    def take_phrase(found: re.Match[str]) -> str:
        inside = next(part for part in found.groups()[1:] if part is not None)
        words = _run(inside)
        if words:
            (excluded if found[1] else phrases).append(words)
        return " " if found[1] else f" {inside} "

    def take_word(found: re.Match[str]) -> str:
        excluded.append(_run(found[1]))
        return " "

    rest = _EXCLUDED.sub(take_word, _PHRASE.sub(take_phrase, text))
    asked = " ".join(rest.split())
    terms, spelled = _terms(asked)
    return Query(asked, terms, tuple(phrases), tuple(filter(None, excluded)), spelled)


def _run(text: str) -> tuple[str, ...]:
    """The words of a phrase, one a position; parts only, which is how a passage has them in order."""
    by_position: dict[int, str] = {}
    for token in tokens(text):
        by_position.setdefault(token.position, token.forms[0])
    return tuple(by_position.values())


def _terms(text: str) -> tuple[tuple[Term, ...], dict[str, str]]:
    languages = languages_of_query(text)
    terms: dict[str, Term] = {}
    spelled: dict[str, str] = {}
    for token in tokens(text):
        for number, form in enumerate(token.forms):
            stems = frozenset[str]()
            if number == 0 and token.spelling:
                stems = frozenset(STEM + stem(token.spelling, language) for language in languages)
                spelled.setdefault(form, text[token.start : token.end])
            terms.setdefault(form, Term(form, stems))
    return tuple(terms.values()), spelled


def respelled(query: Query, corrected: dict[str, str]) -> Query:
    """The query with words put in the place of others; its phrases and exclusions stay."""
    text = query.text
    for word, better in corrected.items():
        text = re.sub(rf"(?<!\w){re.escape(query.spelled[word])}(?!\w)", better, text)
    terms, spelled = _terms(text)
    return Query(text, terms, query.phrases, query.excluded, spelled)


def any_of(words: list[str]) -> str:
    """A tsquery: one of these words."""
    return " | ".join(map(quoted, words))


def all_of(words: list[str]) -> str:
    """A tsquery: each of these words."""
    return " & ".join(map(quoted, words))


def in_a_row(words: tuple[str, ...]) -> str:
    """A tsquery: these words one after the other."""
    return "(" + " <-> ".join(map(quoted, words)) + ")"
