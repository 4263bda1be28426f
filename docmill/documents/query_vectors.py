"""The vectors of queries, kept for a minute in Redis within their tenant: pages of one search are embedded once."""

import hashlib
from contextlib import suppress
from functools import cache

import numpy as np
import redis
from django.conf import settings

from docmill import adapters
from docmill.pipeline.types import Vector

_SECONDS = 60
_TIMEOUT = 0.25
"""Seconds that Redis may take before the query is embedded without it."""


def query_vector(user_id: int, text: str) -> Vector:
    """The embedding of a query; a Redis that is away costs only time. Raises what the embedder raises."""
    embedder = adapters.embedder()
    said = f"{embedder.model}\n{embedder.dimension}\n{text}".encode(errors="replace")
    key = f"docmill:query:{user_id}:{hashlib.sha256(said).hexdigest()}"
    with suppress(redis.RedisError):
        known = _redis().get(key)
        if isinstance(known, bytes) and len(known) == 4 * embedder.dimension:
            return np.frombuffer(known, dtype="<f4").astype(np.float32)
    vector = embedder.embed_query(text)
    with suppress(redis.RedisError):
        _redis().set(key, np.asarray(vector, dtype="<f4").tobytes(), ex=_SECONDS)
    return vector


@cache
def _redis() -> "redis.Redis":
    return redis.Redis.from_url(
        settings.BROKER_URL, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT, retry=None
    )
