"""Embedders: texts in, unit vectors out. One module a model; the setting EMBEDDER chooses."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from docmill.pipeline.types import Vector, Vectors

Wait = Callable[[float], object]
"""Waits for so many seconds; it may raise instead, which ends the call that waits."""


class Embedder(Protocol):
    """What the pipeline and the search need of an embedding model.

    `model` and `dimension` are recorded with every index built with it; `max_tokens` is the model's limit for one
    text; `chunk_sizes` are the target and the limit of a chunk that measured best with it, in its tokens
    (docs/decisions/0011-chunking.md); `batch_size` is how many texts one call takes at most, `concurrency` how many
    calls of one document may be in flight at once.
    """

    model: str
    dimension: int
    max_tokens: int
    chunk_sizes: tuple[int, int]
    batch_size: int
    concurrency: int

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens of each text, special tokens left out; never less than the model will count."""
        ...

    def embed_passages(self, texts: Sequence[str], title: str, wait: Wait = time.sleep) -> Vectors:
        """Embed at most `batch_size` passages of one document, shape (texts, dimension), rows of unit length.

        A throttled model waits by calling `wait`, which may raise to give up.
        Raises TransientError (`embedder_unavailable`) or PermanentError (`embedder_auth`, `embedder_quota`, …).
        """
        ...

    def embed_query(self, text: str) -> Vector:
        """Embed one search query, shape (dimension,), unit length. Raises as `embed_passages` does."""
        ...
