"""Gemini's embedding service as it looks on the wire: `python -m tests.contract.gemini_server --port 9001`.

Refuses what the service refuses: a missing or wrong key, an unknown model, more than 100 texts, more than 4 MiB, an
empty text, more than 2,048 tokens (title included), an impossible dimension, an unknown task, a title for anything but
RETRIEVAL_DOCUMENT, more requests (each text is one) or tokens than the minute's quota. Vectors are made from the text's
words, so near texts have near vectors; below 3,072 dimensions they come unnormalised, as the service sends them.
"""

import argparse
import hashlib
import re
import threading
import time
from collections import deque
from functools import lru_cache
from typing import Any

import numpy as np

from tests.contract.wire import Answer, ContractServer, Fault, Request, run

MODEL = "gemini-embedding-001"
FULL_DIMENSION = 3072
MAX_TEXTS = 100
MAX_BYTES = 4 * 1024 * 1024
MAX_TOKENS = 2048
TASKS = {
    "RETRIEVAL_QUERY",
    "RETRIEVAL_DOCUMENT",
    "SEMANTIC_SIMILARITY",
    "CLASSIFICATION",
    "CLUSTERING",
    "QUESTION_ANSWERING",
    "FACT_VERIFICATION",
    "CODE_RETRIEVAL_QUERY",
}
_PATH = re.compile(r"/v1(?:beta)?/models/([^/:]+):batchEmbedContents")
_PIECES = re.compile(r"[a-zA-Z\u00c0-\u024f]{1,4}|\d|[^\w\s]|[^\W\da-zA-Z\u00c0-\u024f_]|_")
_STATUS = {400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}
_STATUS |= {500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}


class GeminiServer(ContractServer):
    """The service with one valid key and, if wanted, quotas a minute."""

    def __init__(
        self,
        port: int = 0,
        latency: float = 0.0,
        key: str = "gemini-key",
        requests_per_minute: int = 0,
        tokens_per_minute: int = 0,
        texts_short: int = 0,
    ) -> None:
        self.key = key
        self.texts: list[str] = []
        self.tasks: list[str] = []
        self.titles: list[str] = []
        self.dimensions: list[int] = []
        self.tokens = 0
        self.refused_by_quota = 0
        self.texts_short = texts_short
        self._requests_quota = _Quota(requests_per_minute)
        self._tokens_quota = _Quota(tokens_per_minute)
        self._lock = threading.Lock()
        super().__init__(port, latency)

    def fault_answer(self, fault: Fault) -> Answer:
        if fault.status == 429:
            return _throttled(fault.quota or "EmbedContentRequestsPerMinutePerProjectPerModel", fault.retry_after)
        return _error(fault.status, "An internal error has occurred." if fault.status == 500 else "Overloaded.")

    def answer(self, request: Request) -> Answer:
        key = request.headers.get("x-goog-api-key", "")
        if not key:
            return _error(403, "Method doesn't allow unregistered callers. Please use API Key.")
        if key != self.key:
            return _error(400, "API key not valid. Please pass a valid API key.", reason="API_KEY_INVALID")
        found = _PATH.fullmatch(request.path)
        if request.method != "POST" or not found or found[1] != MODEL:
            return _error(404, f"{request.method} {request.path} is not found for this API version.")
        if len(request.body) > MAX_BYTES:
            return _error(400, f"Request payload size exceeds the limit: {MAX_BYTES} bytes.")
        asked = request.json()
        requests = asked.get("requests") if isinstance(asked, dict) else None
        if not isinstance(requests, list) or not requests:
            return _error(400, "* BatchEmbedContentsRequest.requests: must not be empty")
        if len(requests) > MAX_TEXTS:
            return _error(
                400, f"* BatchEmbedContentsRequest.requests: at most {MAX_TEXTS} requests can be in one batch"
            )
        for number, one in enumerate(requests):
            if wrong := _wrong(one):
                return _error(400, f"* BatchEmbedContentsRequest.requests[{number}].{wrong}")
        tokens = sum(tokens_of(one) for one in requests)
        with self._lock:
            if refusal := self._over_quota(len(requests), tokens):
                return refusal
            self.tokens += tokens
            self.texts += [one["content"]["parts"][0]["text"] for one in requests]
            self.tasks += [one["taskType"] for one in requests]
            self.titles += [one.get("title", "") for one in requests]
            self.dimensions += [one.get("outputDimensionality", FULL_DIMENSION) for one in requests]
        answered = requests[: len(requests) - self.texts_short]
        return Answer(200, {"embeddings": [{"values": embed(one)} for one in answered]})

    def _over_quota(self, texts: int, tokens: int) -> Answer | None:
        """Each text of a batch is a request to the quota."""
        for quota, amount, name in (
            (self._requests_quota, texts, "EmbedContentRequestsPerMinutePerProjectPerModel"),
            (self._tokens_quota, tokens, "EmbedContentInputTokensPerMinutePerProjectPerModel"),
        ):
            if seconds := quota.missing(amount):
                self.refused_by_quota += 1
                return _throttled(name, seconds)
        self._requests_quota.take(texts)
        self._tokens_quota.take(tokens)
        return None


class _Quota:
    """So much within any sixty seconds; 0 is unlimited."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._taken: deque[tuple[float, int]] = deque()

    def missing(self, amount: int) -> float:
        """Seconds until there is room for `amount`, 0 when there is."""
        now = time.monotonic()
        while self._taken and self._taken[0][0] < now - 60:
            self._taken.popleft()
        if not self._per_minute or sum(taken for _, taken in self._taken) + amount <= self._per_minute:
            return 0.0
        return max(self._taken[0][0] + 60 - now, 0.1) if self._taken else 60.0

    def take(self, amount: int) -> None:
        self._taken.append((time.monotonic(), amount))


def _wrong(one: Any) -> str:
    """What the service would say of one text's request, "" when it is fine."""
    if one.get("model") != f"models/{MODEL}":
        return "model: must be the model of the batch"
    parts = (one.get("content") or {}).get("parts") or [{}]
    if len(parts) != 1 or not isinstance(parts[0].get("text"), str) or not parts[0]["text"].strip():
        return "content: must hold a text that is not empty"
    if one.get("taskType") not in TASKS:
        return f"task_type: unknown value {one.get('taskType')!r}"
    if one.get("title") and one["taskType"] != "RETRIEVAL_DOCUMENT":
        return "title: only applicable when task_type is RETRIEVAL_DOCUMENT"
    if not 128 <= one.get("outputDimensionality", FULL_DIMENSION) <= FULL_DIMENSION:
        return "output_dimensionality: must be between 128 and 3072"
    if (tokens := tokens_of(one)) > MAX_TOKENS:
        return f"content: the input token count ({tokens}) exceeds the maximum number of tokens allowed ({MAX_TOKENS})"
    return ""


def tokens_of(one: Any) -> int:
    """Tokens of one text and its title: four Latin letters, a digit, a sign, a letter of other scripts, or each byte of
    a character outside of the basic plane, which the tokenizer knows by its bytes only."""
    text = f"{one.get('title') or ''} {one['content']['parts'][0]['text']}"
    return sum(len(piece.encode()) if ord(piece[0]) > 0xFFFF else 1 for piece in _PIECES.findall(text))


def embed(one: Any) -> np.ndarray:
    """The text's vector, shape (dimension,), cut from 3,072 dimensions of unit length."""
    full = np.zeros(FULL_DIMENSION, dtype=np.float32)
    for word in re.findall(r"\w+|[^\w\s]+", one["content"]["parts"][0]["text"].lower()):
        places, signs = _word(word)
        full[places] += signs * (1.0 if len(word) > 3 else 0.2)
    length = np.linalg.norm(full)
    return (full / length if length else full)[: one.get("outputDimensionality", FULL_DIMENSION)]


@lru_cache(maxsize=100_000)
def _word(word: str) -> tuple[np.ndarray, np.ndarray]:
    """Twelve places of a word, four of them in the first 768, four in the next, four in the last, and their signs."""
    digest = np.frombuffer(hashlib.sha256(word.encode()).digest()[:24], dtype="<u2").astype(np.int64)
    starts, widths = np.repeat([0, 768, 1536], 4), np.repeat([768, 768, 1536], 4)
    return starts + digest % widths, np.where(digest % 2, 1.0, -1.0).astype(np.float32)


def _error(code: int, message: str, details: list[Any] | None = None, reason: str = "") -> Answer:
    if reason:
        info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}
        details = [info]
    error: dict[str, Any] = {"code": code, "message": message, "status": _STATUS.get(code, "UNKNOWN")}
    return Answer(code, {"error": error | ({"details": details} if details else {})})


def _throttled(quota: str, seconds: float | None) -> Answer:
    violation = {"quotaMetric": "generativelanguage.googleapis.com/embed_content_requests", "quotaId": quota}
    details: list[Any] = [{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}]
    if seconds is not None:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{seconds:.9f}s"})
    return _error(429, "You exceeded your current quota, please check your plan and billing details.", details)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--key", default="gemini-key")
    parser.add_argument("--requests-per-minute", type=int, default=0)
    parser.add_argument("--tokens-per-minute", type=int, default=0)


if __name__ == "__main__":
    run(str(__doc__), _options, GeminiServer)
