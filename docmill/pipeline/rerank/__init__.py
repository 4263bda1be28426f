"""Rerankers: models that read a query and a passage together. One module a model; the setting RERANKER chooses."""

from collections.abc import Sequence
from typing import Protocol


class Reranker(Protocol):
    """What the search needs of a reranker. It is slow, so it is given the best few passages only."""

    model: str

    def scores(self, query: str, passages: Sequence[str]) -> list[float]:
        """How likely each passage answers the query, from 0 to 1, one score a passage.

        Raises TransientError or PermanentError when the model does not answer or refuses.
        """
        ...
