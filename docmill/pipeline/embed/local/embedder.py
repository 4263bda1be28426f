"""What the local models share: prefixes, groups of texts, pooling."""

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from docmill.pipeline.embed import Wait
from docmill.pipeline.types import Vector, Vectors

Ids = Sequence[int]
"""The tokens of one text, special ones included."""


class PaddedBatch(NamedTuple):
    """Texts side by side: token ids and, 1 where there is a token, the mask; both of shape (texts, longest)."""

    ids: NDArray[np.int64]
    mask: NDArray[np.int64]


class LocalEmbedder(ABC):
    """A sentence encoder in this process, on one thread unless told otherwise.

    `max_tokens` leaves room for special tokens and prefixes, `group` is how many texts run through the model at once.
    Longer texts are cut at their end.
    """

    model: str
    dimension = 384
    max_tokens: int
    chunk_sizes: tuple[int, int]
    batch_size = 16
    concurrency = 1
    group = 1
    passage_prefix = ""
    query_prefix = ""

    @abstractmethod
    def prepare(self) -> Path:
        """Where the model's files lie, made where they are missing and verified by hash. Raises PermanentError
        `model_unavailable`."""

    @abstractmethod
    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens of each text, without special ones and prefixes."""

    @abstractmethod
    def ids(self, text: str) -> Ids:
        """The tokens of a text that has its prefix, cut to what the model reads."""

    @abstractmethod
    def pooled(self, batch: PaddedBatch) -> Vectors:
        """One vector a text, of any length."""

    def embed_passages(self, texts: Sequence[str], title: str, wait: Wait = time.sleep) -> Vectors:
        """Embed passages, shape (texts, dimension); local models have no use for the title."""
        return self._embed([self.ids(self.passage_prefix + text) for text in texts])

    def embed_query(self, text: str) -> Vector:
        """Embed a query, shape (dimension,)."""
        vector: Vector = self._embed([self.ids(self.query_prefix + text)])[0]
        return vector

    def _embed(self, ids: Sequence[Ids]) -> Vectors:
        vectors = np.empty((len(ids), self.dimension), dtype=np.float32)
        by_length = sorted(range(len(ids)), key=lambda number: len(ids[number]))
        for first in range(0, len(by_length), self.group):
            some = by_length[first : first + self.group]
            pooled = self.pooled(padded([ids[number] for number in some]))
            vectors[some] = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return vectors


def cut(ids: Sequence[int], longest: int) -> Ids:
    """At most `longest` ids, the last one kept: it is the model's mark of the end."""
    return ids if len(ids) <= longest else [*ids[: longest - 1], ids[-1]]


def mean_pooled(states: NDArray[np.float32], mask: NDArray[np.int64]) -> Vectors:
    """The mean of a text's token states (Reimers and Gurevych 2019), shape (texts, dimension)."""
    weights = mask[:, :, None].astype(np.float32)
    pooled: Vectors = (states * weights).sum(axis=1) / weights.sum(axis=1)
    return pooled


def padded(batch: Sequence[Ids]) -> PaddedBatch:
    """Texts side by side, short ones filled up."""
    ids = np.zeros((len(batch), max(map(len, batch))), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, tokens in enumerate(batch):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    return PaddedBatch(ids, mask)
