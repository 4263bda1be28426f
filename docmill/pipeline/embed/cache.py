"""Vectors that were paid for once are used again: the cache's key and its protocol."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Protocol

from docmill.pipeline.embed import Embedder
from docmill.pipeline.types import Vector


class VectorCache(Protocol):
    """Vectors by key, within a tenant."""

    def get(self, tenant: int, keys: Sequence[bytes]) -> dict[bytes, Vector]: ...

    def put(self, tenant: int, vectors: Mapping[bytes, Vector]) -> None: ...


def cache_key(embedder: Embedder, title: str, text: str) -> bytes:
    """32 bytes that stand for all that determines a passage's vector: model, dimension, task, title and text."""
    parts = (embedder.model, str(embedder.dimension), "passage", title, text)
    return hashlib.sha256(b"".join(len(data).to_bytes(8) + data for data in map(str.encode, parts))).digest()
