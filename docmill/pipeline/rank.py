"""How well a passage answers a query: by meaning, by words, and in one figure.

`vector_similarity` is the cosine of the two embeddings. `term_similarity`, 0 to 1, is BM25 (Robertson and Zaragoza
2009) with the statistics of the tenant's whole collection, as a share of what six rare words, or all words of a shorter
query, could reach. Both depend on the query, the passage and the tenant's collection alone, so a passage's score is the
same whatever filter and `top_k`. See docs/search.md and docs/decisions/0015-true-hybrid.md.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from docmill.pipeline.words.query import Term

_SATURATION, _LENGTH_SHARE = 1.2, 0.75
_FULL = 6.0
"""Rarity of a query's words, summed, from which more words are not needed to reach 1: a word that one passage alone has
counts 1."""

_LEADING_SHARE, _LEADING_CHUNKS = 0.0005, 3
"""A word leads that is in no more than this share of the chunks, or that has a digit and is in so many at most."""
_LED = 0.7
"""The least term similarity of a passage with a leading word, however many other words the query has."""


@dataclass(frozen=True, slots=True)
class Collection:
    """A tenant's chunks: how many, their mean length in words, and in how many each word (or stem) of a query is."""

    chunks: int
    mean_length: float
    frequencies: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Weights:
    """What meaning and words weigh against each other."""

    embedding: float = 1.0
    text: float = 1.0


class WordScorer:
    """The term similarity of passages to one query."""

    def __init__(self, terms: Sequence[Term], collection: Collection) -> None:
        self._collection = collection
        self._terms = [term for term in terms if self.frequency(term)]
        self._leading = [term.word for term in self._terms if self._leads(term)]
        self._most = min(sum(self.rarity(self.frequency(term)) for term in self._terms), _FULL)

    @property
    def chunks(self) -> int:
        """The number of the tenant's chunks."""
        return self._collection.chunks

    def frequency(self, term: Term) -> int:
        """In how many chunks a term is, in any of its forms."""
        return max(self._collection.frequencies.get(form, 0) for form in term.forms)

    def rarity(self, frequency: int) -> float:
        """0 to about 1: inverse document frequency, as a share of what it is for a word of one chunk alone."""
        chunks = max(self._collection.chunks, frequency, 1)
        return math.log(1 + (chunks - frequency + 0.5) / (frequency + 0.5)) / math.log(1 + chunks)

    def rarest(self) -> list[Term]:
        """The terms that the collection has, rarest first."""
        return sorted(self._terms, key=self.frequency)

    def similarity(self, count: Callable[[str], int], length: int) -> float:
        """A passage's term similarity, 0 to 1; `count` tells how often it holds a word or stem, `length` is its words.

        A word counts half by its own form and half by its stem."""
        if not self._most:
            return 0.0
        norm = _SATURATION * (1 - _LENGTH_SHARE + _LENGTH_SHARE * length / max(self._collection.mean_length, 1.0))
        total = 0.0
        for term in self._terms:
            plain = self._part(term.word, count(term.word), norm)
            if term.stems:
                total += (plain + max(self._part(one, count(one), norm) for one in term.stems)) / 2
            else:
                total += plain
        share = min(total / self._most, 1.0)
        return _LED + (1 - _LED) * share if any(map(count, self._leading)) else share

    def _leads(self, term: Term) -> bool:
        frequency = self._collection.frequencies.get(term.word, 0)
        numbered = frequency <= _LEADING_CHUNKS and any(map(str.isdigit, term.word)) and self.chunks > 2 * frequency
        return frequency > 0 and (numbered or frequency <= _LEADING_SHARE * self.chunks)

    def _part(self, word: str, count: int, norm: float) -> float:
        if not count:
            return 0.0
        return self.rarity(self._collection.frequencies.get(word, 1)) * count / (count + norm)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What turns similarities of one embedding model into a score: fitted on the chunking bench's questions, searched
    with their own corpus (there is an answer) and without it (there is none).

    `unrelated` is the mean cosine of texts that have nothing to do with each other, and `term_weight` what a term
    similarity of 1 weighs against the rest up to 1. `middle` is the sum at which a collection is as likely to lack the
    answer as to have it: such a passage scores 0.5. `spread` is how slowly relevance rises with it (a logistic
    function's scale).
    """

    unrelated: float
    term_weight: float
    middle: float
    spread: float


_CALIBRATIONS = {
    "all-MiniLM-L6-v2-int8": Calibration(unrelated=0.02, term_weight=1.1, middle=0.53, spread=0.15),
    "bge-small-en-v1.5-int8": Calibration(unrelated=0.38, term_weight=0.6, middle=0.43, spread=0.12),
    "multilingual-e5-small-int8": Calibration(unrelated=0.74, term_weight=0.6, middle=0.39, spread=0.11),
}
_UNMEASURED = Calibration(unrelated=0.4, term_weight=0.6, middle=0.43, spread=0.12)


def calibration(model: str) -> Calibration:
    """The calibration of a model; for one that was not measured, a guess from models of its kind."""
    return _CALIBRATIONS.get(model, _UNMEASURED)


def fused(vector_similarity: float, term_similarity: float, of: Calibration, weights: Weights) -> float:
    """Both similarities added by weight; the cosine is counted from that of unrelated texts."""
    near = (vector_similarity - of.unrelated) / (1 - of.unrelated)
    words = of.term_weight * term_similarity
    return 2 * (weights.embedding * near + weights.text * words) / (weights.embedding + weights.text)


def score(vector_similarity: float, term_similarity: float, of: Calibration, weights: Weights) -> float:
    """The score, 0 to 1, of a passage: the fused similarities through a logistic function."""
    total = fused(vector_similarity, term_similarity, of, weights)
    return 1 / (1 + math.exp(-(total - of.middle) / of.spread))
