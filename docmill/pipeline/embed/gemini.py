"""gemini-embedding-001 through google-genai.

Throttling is handled here, below a document's retries: a 429 waits as long as it says, for all workers of the
installation. Below 3,072 dimensions the service sends vectors that are not of unit length; they are made so.
"""

import json
import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import httpx
import httpx2
import numpy as np
from google import genai
from google.genai import errors
from google.genai.types import EmbedContentConfig, HttpOptions
from pydantic import ValidationError

from docmill.pipeline.embed import Wait
from docmill.pipeline.embed.gemma_tokens import likely_tokens
from docmill.pipeline.embed.governor import Governor, NoGovernor, RedisGovernor
from docmill.pipeline.errors import PermanentError, TransientError
from docmill.pipeline.types import Vector, Vectors

DIMENSIONS = (768, 1536, 3072)
MAX_TEXT_TOKENS = 2048
MAX_TEXTS = 100
MAX_REQUEST_BYTES = 4 * 1024 * 1024
_TITLE_BYTES = 120
# Gemma's tokenizer falls back to bytes, so a token is at least one: a text of so many bytes always fits.
_SAFE_BYTES = MAX_TEXT_TOKENS - _TITLE_BYTES
_OVERHEAD_BYTES = 1000  # of JSON around one text, title included
_CALL_SECONDS = 60
_QUERY_SECONDS = 5  # a person waits for it, at most three times
_DEFAULT_PAUSE = 10.0
_SHORT_TROUBLE = (0.25, 1.0)
"""Seconds before a call is made again after a 5xx or a cut connection; then it is the document's retry."""
_LONGEST_WAIT = 3600.0
_QUERY_MAY_WAIT = 2.0


def from_settings(settings: Any) -> "GeminiEmbedder":
    """The embedder of the settings GEMINI_* and EMBEDDING_DIMENSIONS; all processes share one quota, in Redis."""
    requests, tokens = settings.GEMINI_REQUESTS_PER_MINUTE, settings.GEMINI_TOKENS_PER_MINUTE
    return GeminiEmbedder(
        settings.GEMINI_API_KEY,
        settings.EMBEDDING_DIMENSIONS,
        RedisGovernor(f"{settings.REDIS_URL}/0", "gemini", requests, tokens),
        # A call that needs the whole minute's quota would hold up everybody else.
        batch_size=max(requests // 8, 1) if requests else MAX_TEXTS,
        tokens_per_request=max(tokens // 8, 2048) if tokens else 200_000,
        base_url=settings.GEMINI_BASE_URL,
    )


class GeminiEmbedder:
    """The model with one of three dimensions. `base_url` is for tests and proxies; nothing is opened before a call."""

    model = "gemini-embedding-001"
    max_tokens = 1000  # by an estimate, hence half of what the model reads
    chunk_sizes = (110, 154)
    concurrency = 4

    def __init__(
        self,
        api_key: str,
        dimension: int = 768,
        governor: Governor | None = None,
        batch_size: int = MAX_TEXTS,
        tokens_per_request: int = 200_000,
        base_url: str | None = None,
    ) -> None:
        if dimension not in DIMENSIONS:
            raise PermanentError("embedder_rejected", f"EMBEDDING_DIMENSIONS must be one of {DIMENSIONS}.")
        self.dimension = dimension
        self.batch_size = min(batch_size, MAX_TEXTS)
        self._api_key = api_key
        self._base_url = base_url
        self._governor = governor or NoGovernor()
        self._tokens_per_request = tokens_per_request

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """An estimate that leans to the high side; see gemma_tokens.py."""
        return list(map(likely_tokens, texts))

    def embed_passages(self, texts: Sequence[str], title: str, wait: Wait = time.sleep) -> Vectors:
        """Embed passages with the document's title, shape (texts, dimension), in as few requests as the limits allow.

        `wait` is called with the seconds to wait for quota; what it raises ends the call. Raises PermanentError
        `embedder_auth`, `embedder_quota` (spent for the day), `embedder_rejected`; TransientError
        `embedder_unavailable`, `embedder_quota` (throttled for an hour).
        """
        config = EmbedContentConfig(
            task_type="RETRIEVAL_DOCUMENT", title=_cut(title, _TITLE_BYTES), output_dimensionality=self.dimension
        )
        vectors = [self._embed(request, config, wait) for request in self._requests(texts)]
        return np.concatenate(vectors)

    def embed_query(self, text: str) -> Vector:
        """Embed a query, shape (dimension,). A throttled query waits two seconds at most, an answer five."""
        config = EmbedContentConfig(
            task_type="RETRIEVAL_QUERY",
            output_dimensionality=self.dimension,
            http_options=HttpOptions(timeout=_QUERY_SECONDS * 1000),
        )
        vector: Vector = self._embed([self._fitted(text)], config, _wait_a_little, urgent=True)[0]
        return vector

    def _requests(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """The texts in order, each request within the limits of texts, bytes and tokens."""
        request: list[str] = []
        size = tokens = 0
        for text in map(self._fitted, texts):
            text_bytes, text_tokens = len(json.dumps(text)) + _OVERHEAD_BYTES, likely_tokens(text)
            full = len(request) == self.batch_size or size + text_bytes > MAX_REQUEST_BYTES
            if request and (full or tokens + text_tokens > self._tokens_per_request):
                yield request
                request, size, tokens = [], 0, 0
            request.append(text)
            size, tokens = size + text_bytes, tokens + text_tokens
        if request:
            yield request

    def _fitted(self, text: str) -> str:
        """The text, cut only where it, with headings in front of it, has more tokens than it may have."""
        return text if likely_tokens(text) <= self.max_tokens else _cut(text, _SAFE_BYTES)

    def _embed(self, texts: Sequence[str], config: EmbedContentConfig, wait: Wait, urgent: bool = False) -> Vectors:
        """One request, made again after throttling and short trouble; an urgent one does not queue for quota."""
        deadline = time.monotonic() + _LONGEST_WAIT
        trouble = iter(_SHORT_TROUBLE)
        while True:
            self._await_turn(len(texts), _charged(texts, config), wait, urgent)
            try:
                return self._checked(self._call(texts, config), len(texts))
            except _TooLongError:
                # Letters that are no words have more tokens than the estimate says; in bytes it is certain.
                if max(len(text.encode()) for text in texts) <= _SAFE_BYTES:
                    raise
                texts = [_cut(text, _SAFE_BYTES) for text in texts]
            except _ThrottledError as throttled:
                if time.monotonic() > deadline:
                    raise TransientError("embedder_quota", "Gemini has been throttling for an hour.") from throttled
                self._governor.pause(throttled.seconds)
            except TransientError:
                pause = next(trouble, None)
                if pause is None:
                    raise
                wait(pause)

    def _await_turn(self, texts: int, tokens: int, wait: Wait, urgent: bool) -> None:
        book = self._governor.spend if urgent else self._governor.reserve
        seconds = book(texts, tokens)
        while seconds > 0:
            wait(seconds)
            seconds = self._governor.paused()

    def _call(self, texts: Sequence[str], config: EmbedContentConfig) -> list[list[float]]:
        try:
            answer = self._client.models.embed_content(model=self.model, contents=[*texts], config=config)  # type: ignore[arg-type]
        except errors.APIError as error:
            raise _translated(error) from error
        except (httpx.HTTPError, httpx2.HTTPError, OSError) as error:
            raise TransientError("embedder_unavailable", f"Gemini did not answer ({type(error).__name__}).") from error
        except (ValidationError, ValueError) as error:
            raise TransientError("embedder_unavailable", "Gemini's answer could not be read.") from error
        return [embedding.values or [] for embedding in answer.embeddings or []]

    def _checked(self, values: list[list[float]], wanted: int) -> Vectors:
        """As many vectors as texts, each of the right dimension, made of unit length."""
        if len(values) != wanted:
            raise PermanentError("embedder_rejected", f"Gemini sent {len(values)} vectors for {wanted} texts.")
        if any(len(one) != self.dimension for one in values):
            raise PermanentError(
                "embedder_rejected", f"Gemini sent vectors of another dimension than {self.dimension}."
            )
        vectors = np.asarray(values, dtype=np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.all(np.isfinite(vectors)) or not np.all(lengths > 0):
            raise PermanentError("embedder_rejected", "Gemini sent a vector that is no direction.")
        unit: Vectors = vectors / lengths
        return unit

    @cached_property
    def _client(self) -> genai.Client:
        if not self._api_key:
            raise PermanentError("embedder_auth", "GEMINI_API_KEY is not set; make a key at aistudio.google.com.")
        options = HttpOptions(base_url=self._base_url, timeout=_CALL_SECONDS * 1000)
        return genai.Client(api_key=self._api_key, vertexai=False, http_options=options)


class _TooLongError(PermanentError):
    """The service counts more tokens in a text than it reads."""


class _ThrottledError(Exception):
    """The service says to ask again after `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(seconds)


def _charged(texts: Sequence[str], config: EmbedContentConfig) -> int:
    """About what the quota is charged for a request: each text comes with the title."""
    return sum(map(likely_tokens, texts)) + len(texts) * likely_tokens(config.title or "")


def _translated(error: errors.APIError) -> Exception:
    """Gemini's error as the catalogue's. Its messages never repeat what was sent."""
    details = _details(error)
    said = " ".join(str(error.message or error.status or error.code).split())[:300]
    if error.code == 429:
        daily = next((quota for quota in _quotas(details) if "PerDay" in quota), None)
        if daily:
            return PermanentError(
                "embedder_quota",
                f"Gemini's quota for the day is spent ({daily}). It is renewed at midnight Pacific time: retry the"
                " document then, or raise the quota of the key's project.",
            )
        return _ThrottledError(_told_to_wait(error, details))
    if error.code in (401, 403) or any(detail.get("reason") == "API_KEY_INVALID" for detail in details):
        return PermanentError("embedder_auth", f"Gemini refused the key in GEMINI_API_KEY: {said}")
    if error.code == 408 or error.code >= 500:
        return TransientError("embedder_unavailable", f"Gemini answered {error.code}: {said}")
    refusal = _TooLongError if "token count" in said else PermanentError
    return refusal("embedder_rejected", f"Gemini refused the request ({error.code}): {said}")


def _details(error: errors.APIError) -> list[dict[str, Any]]:
    body = error.details if isinstance(error.details, dict) else {}
    inner = body.get("error", body)
    details = inner.get("details") if isinstance(inner, dict) else None
    return [detail for detail in details or [] if isinstance(detail, dict)]


def _quotas(details: Sequence[dict[str, Any]]) -> Iterator[str]:
    for detail in details:
        for violation in detail.get("violations", ()):
            yield str(violation.get("quotaId", ""))


def _told_to_wait(error: errors.APIError, details: Sequence[dict[str, Any]]) -> float:
    """Seconds from RetryInfo, else Retry-After, else ten."""
    headers = getattr(error.response, "headers", None) or {}
    for told in (*(detail.get("retryDelay") for detail in details), headers.get("retry-after")):
        try:
            return max(float(str(told).removesuffix("s")), 0.1)
        except ValueError:
            continue
    return _DEFAULT_PAUSE


def _wait_a_little(seconds: float) -> None:
    if seconds > _QUERY_MAY_WAIT:
        raise TransientError("embedder_quota", f"Gemini is throttled for another {seconds:.0f} s; search again then.")
    time.sleep(seconds)


def _cut(text: str, most_bytes: int) -> str:
    """The text's beginning in at most so many UTF-8 bytes, no character broken."""
    data = text.encode()
    return text if len(data) <= most_bytes else data[:most_bytes].decode(errors="ignore")
