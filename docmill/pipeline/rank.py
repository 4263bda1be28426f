"""Ranking: the nearest passages by vector, put in order by meaning and by words together.

A small embedding model misses names, numbers and rare terms that the words themselves would settle. So the passages
that the vector store finds are scored by BM25 as well (Robertson and Zaragoza 2009), with the statistics of these
candidates alone: that needs no second index and works on any store. See docs/decisions/0012-ranking.md.
"""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

CANDIDATES = 100
"""Passages to ask the vector store for before ranking."""
_WORDS_SHARE = 0.5
_SATURATION, _LENGTH_SHARE = 1.2, 0.75
# Scripts without spaces count by character.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]|[^\W_]+")


def rank(query: str, texts: Sequence[str], similarities: Sequence[float]) -> list[float]:
    """A score for each candidate, higher is better, in the range of the cosine similarities (about -1 to 1).

    The similarity is raised or lowered by how far the text's BM25 score lies from the candidates' mean, in their
    standard deviations. `texts` and `similarities` belong together, one each a candidate.
    """
    near = np.asarray(similarities, dtype=np.float64)
    words = _bm25(query, texts)
    if len(near) < 2 or words.std() == 0:
        return [float(similarity) for similarity in near]
    scores = near + _WORDS_SHARE * near.std() * (words - words.mean()) / words.std()
    return [float(score) for score in scores]


def _bm25(query: str, texts: Sequence[str]) -> NDArray[np.float64]:
    documents = [Counter(_words(text)) for text in texts]
    lengths = np.array([document.total() for document in documents], dtype=np.float64)
    norm = 1 - _LENGTH_SHARE + _LENGTH_SHARE * lengths / max(lengths.mean() if texts else 1.0, 1.0)
    scores = np.zeros(len(texts))
    for word in set(_words(query)):
        counts = np.array([document[word] for document in documents], dtype=np.float64)
        holding = int((counts > 0).sum())
        rarity = np.log(1 + (len(texts) - holding + 0.5) / (holding + 0.5))
        scores += rarity * counts * (_SATURATION + 1) / (counts + _SATURATION * norm)
    return scores


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
