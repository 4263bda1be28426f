"""A collection of passages in memory with docmill's term similarities, as its index would give them."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from docmill.pipeline.rank import Collection, WordScorer
from docmill.pipeline.words.index_words import passage_words
from docmill.pipeline.words.query import parsed


class WordCollection:
    """The passages of one tenant."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._passages = [passage_words(text) for text in texts]
        frequencies = Counter(word for passage in self._passages for word in passage.places)
        lengths = [passage.length for passage in self._passages]
        self._statistics = Collection(len(texts), sum(lengths) / max(len(lengths), 1), frequencies)

    def similarities(self, question: str) -> NDArray[np.float64]:
        """The term similarity of each passage to a question, shape (passages,)."""
        scorer = WordScorer(parsed(question).terms, self._statistics)
        return np.array(
            [scorer.similarity(lambda word, p=one: len(p.places.get(word, ())), one.length) for one in self._passages]
        )
