"""Sentences of any language: spaCy's frame around sentencex's boundaries.

spaCy's own rule-based `sentencizer` finds no boundary in Chinese or Japanese and takes "Fig." for an end; sentencex
knows the abbreviations of some 300 languages (docs/decisions/0010-sentences.md).
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from runpy import run_path
from typing import Any

import numpy as np
import sentencex
import spacy
from spacy.attrs import SENT_START
from spacy.language import Language
from spacy.tokens import Doc
from spacy.vocab import Vocab

PIECE_CHARACTERS = 8_000
"""Text is read in pieces of this length; no sentence longer than it is found whole."""

_INSIDE = 2**64 - 1  # spaCy's -1
_WORD = re.compile(r"\w+\s*|[^\w\s]\s*|\s+")
_LETTERS = re.compile(r"[^\W\d_]+")
_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("hy", re.compile("[\u0530-\u058f]")),
)
_LATIN = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "sv", "da", "cs", "tr")
_SAMPLE_CHARACTERS = 4_000
_FEW_WORDS = 5

# What sentencex takes for a sentence's end and is not: an enumerator on its own, a short abbreviation before a small
# letter, an initial before a name.
_ENUMERATOR = re.compile(r"\s*[(\[]?(?:\d{1,3}(?:\.\d{1,3}){0,3}|[A-Za-z]|[ivxIVX]{1,5})[.)\]]\s*")
_ABBREVIATION = re.compile(r"(?:^|[\s(])[^\W\d_]{1,4}\.[ \t]+\Z")


def guess_language(text: str) -> str:
    """The language whose script or stop words are the most in the text's beginning; "en" when nothing speaks.

    It chooses the list of abbreviations only: a wrong guess costs a few boundaries.
    """
    sample = text[:_SAMPLE_CHARACTERS]
    for language, letters in _SCRIPTS:
        if len(letters.findall(sample)) * 5 > len(sample):
            return language
    words = [word.lower() for word in _LETTERS.findall(sample)]
    hits = {language: sum(word in _stop_words(language) for word in words) for language in _LATIN}
    best = max(hits, key=lambda language: hits[language])
    return best if hits[best] >= _FEW_WORDS else "en"


def sentence_spans(text: str, language: str) -> Iterator[tuple[int, int]]:
    """The sentences' spans, in order; together they are the whole text, white space belongs to the sentence before.

    Text of any length is read in pieces of bounded size.
    """
    nlp, start = _pipeline(language), 0
    while start < len(text):
        piece = text[start : start + PIECE_CHARACTERS]
        with nlp.memory_zone():
            ends = [start + sentence.end_char for sentence in nlp(piece).sents]
        if start + len(piece) < len(text) and len(ends) > 1:
            ends.pop()  # it may go on in the next piece
        for end in ends:
            yield start, end
            start = end


@Language.factory("docmill_sentences", default_config={"language": "en"})
class SentenceComponent:
    """A spaCy component that sets sentence starts where sentencex and the rules here see them."""

    def __init__(self, nlp: Language, name: str, language: str) -> None:
        self._language = language

    def __call__(self, doc: Doc) -> Doc:
        if len(doc) == 0:
            return doc
        starts = set(_starts(doc.text, self._language))
        flags: Any = np.fromiter((1 if token.idx in starts else _INSIDE for token in doc), np.uint64, count=len(doc))
        flags[0] = 1
        doc.from_array([SENT_START], flags)
        return doc


class WordTokenizer:
    """Words with the white space behind them, punctuation marks apart, so that a sentence can start after any mark."""

    def __init__(self, vocab: Vocab) -> None:
        self._vocab = vocab

    def __call__(self, text: str) -> Doc:
        words = _WORD.findall(text)
        return Doc(self._vocab, words=words, spaces=[False] * len(words))


def _starts(text: str, language: str) -> Iterator[int]:
    offset, begun = 0, 0
    for segment in sentencex.segment(language, text):
        if not _goes_on(text, begun, offset):
            yield offset
            begun = offset
        offset += len(segment)


def _goes_on(text: str, start: int, end: int) -> bool:
    """Whether the sentence `text[start:end]` goes on behind its supposed end."""
    if text[end : end + 1].isspace() or end == start:
        return True
    if _ENUMERATOR.fullmatch(text, start, end):
        return True
    return text[end : end + 1].islower() and _ABBREVIATION.search(text, max(start, end - 12), end) is not None


@cache
def _pipeline(language: str) -> Language:
    """A pipeline with an empty vocabulary: lexical attributes are not needed and cost most of the time."""
    nlp = Language(Vocab(), max_length=PIECE_CHARACTERS)
    nlp.tokenizer = WordTokenizer(nlp.vocab)
    nlp.add_pipe("docmill_sentences", config={"language": language})
    return nlp


@cache
def _stop_words(language: str) -> frozenset[str]:
    # The list alone: importing spaCy's package of a language compiles its tokenizer's patterns, seconds for French.
    file = Path(spacy.__file__).parent / "lang" / language / "stop_words.py"
    return frozenset(run_path(str(file))["STOP_WORDS"])
