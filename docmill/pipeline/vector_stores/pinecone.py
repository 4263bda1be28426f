"""Vectors in Pinecone: one serverless index, one namespace a tenant.

Pinecone is eventually consistent. A write names its position in the namespace's log and a query says how far the index
has come, so "searchable" is known and not guessed; where a position is missing, a query for the document's records
tells. Throttling is waited out here, below a document's retries; the SDK would take it for short trouble.
"""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, partial, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import numpy as np
from pinecone import Index, Pinecone, RetryConfig
from pinecone._internal.constants import DATA_PLANE_API_VERSION
from pinecone._internal.http_client import HTTPClient
from pinecone.errors.exceptions import (
    ApiError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    PineconeConnectionError,
    PineconeError,
    PineconeTimeoutError,
    PineconeValueError,
    RateLimitError,
    ServiceError,
    UnauthorizedError,
)

from docmill.pipeline.embed import Embedder, Wait
from docmill.pipeline.errors import PermanentError, TransientError
from docmill.pipeline.types import Hit, Record, Vector
from docmill.pipeline.vector_stores import Scope, checked_tenant

METRIC = "cosine"
MAX_UPSERT_RECORDS = 1000
MAX_UPSERT_BYTES = 1_950_000  # of 2 MB
MAX_METADATA_BYTES = 39_000  # of 40 KB
MAX_DELETE_IDS = 1000
MAX_TOP_K = 10_000
MAX_FILTER_VALUES = 10_000
_NUMBER_BYTES = 13  # one rounded number in JSON, with its comma
_VISIBLE_WITHIN = 30.0
_POLL_SECONDS = 0.25
_READY_SECONDS = 300
_RETRY = RetryConfig(
    max_retries=3, max_wait=5.0, retryable_status_codes=frozenset({408, 500, 502, 503, 504})
)  # 429 is waited out in `_unthrottled`
_LONGEST_WAIT = 3600.0
_BRIEFLY = 2.0  # a person waits for it, or somebody who asks again by himself
_PAUSES = (1.0, 30.0)  # the first and the longest where Pinecone does not say how long

P = ParamSpec("P")
T = TypeVar("T")


def _translated(call: Callable[Concatenate["PineconeStore", P], T]) -> Callable[Concatenate["PineconeStore", P], T]:
    """Pinecone's errors as the catalogue's."""

    @wraps(call)
    def translated(self: "PineconeStore", *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return call(self, *args, **kwargs)
        except ForbiddenError as error:
            if "QUOTA" not in f"{error.error_code} {_said(error)}".upper():
                raise _key_refused(error) from error
            raise PermanentError("index_rejected", f"Pinecone's plan is at its limit: {_said(error)}") from error
        except UnauthorizedError as error:
            raise _key_refused(error) from error
        except (PineconeConnectionError, PineconeTimeoutError, RateLimitError, ServiceError) as error:
            raise TransientError("index_unavailable", f"Pinecone did not take the request: {_said(error)}") from error
        except NotFoundError as error:
            raise PermanentError(
                "index_mismatch", f"{self} does not exist: correct PINECONE_INDEX, or run 'docmill setup-index'."
            ) from error
        except (ApiError, PineconeValueError) as error:
            raise PermanentError("index_rejected", f"Pinecone refused the request: {_said(error)}") from error
        except PineconeError as error:
            raise TransientError("index_unavailable", f"Pinecone's answer could not be read: {_said(error)}") from error

    return cast("Callable[Concatenate[PineconeStore, P], T]", translated)


def from_settings(settings: Any, embedder: Embedder) -> "PineconeStore":
    """The store of the settings PINECONE_*."""
    return PineconeStore(
        settings.PINECONE_API_KEY,
        settings.PINECONE_INDEX,
        embedder.dimension,
        cloud=settings.PINECONE_CLOUD,
        region=settings.PINECONE_REGION,
        controller_host=settings.PINECONE_CONTROLLER_HOST,
    )


class PineconeStore:
    """The vector store on one Pinecone index, by name; `controller_host` is for tests. Opened when first used."""

    def __init__(
        self,
        api_key: str,
        index: str,
        dimension: int,
        cloud: str = "aws",
        region: str = "us-east-1",
        controller_host: str | None = None,
        concurrency: int = 4,
    ) -> None:
        self.name = f"pinecone:{index}"
        self._index_name = index
        self.dimension = dimension
        self._api_key = api_key
        self._deployment = {"deployment_type": "managed", "cloud": cloud, "region": region}
        self._controller_host = controller_host
        self._concurrency = concurrency
        self._positions: dict[int, int] = {}
        self._lock = threading.Lock()

    def __str__(self) -> str:
        return f"The Pinecone index {self._index_name}"

    @_translated
    def address(self) -> str:
        """The index's host, which is another one in another project."""
        return str(self._index.host)

    @_translated
    def setup(self) -> None:
        """Create the index where it is missing, wait until it is ready, and check it."""
        if not self._client.indexes.exists(self._index_name):
            field = {"type": "dense_vector", "dimension": self.dimension, "metric": METRIC}
            with suppress(ConflictError):  # made by another process meanwhile
                self._client.indexes.create(
                    name=self._index_name,
                    schema={"fields": {"_values": field}},
                    deployment=self._deployment,
                    timeout=-1,
                )
        deadline = time.monotonic() + _READY_SECONDS
        while not self._client.indexes.describe(self._index_name).status.ready:
            if time.monotonic() > deadline:
                raise TransientError("index_unavailable", f"{self} was not ready after {_READY_SECONDS} s.")
            time.sleep(1)
        self.check()

    @_translated
    def check(self) -> None:
        """Raise unless the index is there and ready, with the right dimension and metric."""
        index = _unthrottled(partial(self._client.indexes.describe, self._index_name))
        found, wanted = (index.dimension, index.metric), (self.dimension, METRIC)
        if found != wanted:
            raise PermanentError(
                "index_mismatch",
                f"{self} has dimension {found[0]} and metric {found[1]}, but {wanted[0]} and {wanted[1]} are needed:"
                " name a new index in PINECONE_INDEX, or set EMBEDDING_DIMENSIONS as it was.",
            )
        if not index.status.ready:
            raise TransientError("index_unavailable", f"{self} is not ready yet ({index.status.state}).")

    @_translated
    def upsert(self, tenant: int, records: Sequence[Record], wait: Wait | None = None) -> None:
        """Write records in requests below Pinecone's limits, several at once."""
        namespace = _namespace(tenant)
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="pinecone") as calls:
            positions = list(calls.map(lambda batch: self._upsert(namespace, batch, wait), _packed(records)))
        known = [position for position in positions if position is not None]
        if known:
            with self._lock:
                self._positions[tenant] = max(self._positions.get(tenant, 0), *known)

    def _upsert(self, namespace: str, vectors: list[dict[str, Any]], wait: Wait | None) -> int | None:
        answer = _unthrottled(partial(self._index.upsert, vectors=vectors, namespace=namespace), wait)
        if answer.upserted_count != len(vectors):
            raise TransientError(
                "index_unavailable", f"Pinecone took {answer.upserted_count} of {len(vectors)} records."
            )
        return answer.response_info.lsn_committed if answer.response_info else None

    @_translated
    def wait_until_searchable(
        self, tenant: int, record_ids: Sequence[str], timeout: float, wait: Wait | None = None
    ) -> None:
        """Return when queries see what this process wrote for the tenant, by log position or by asking for them."""
        namespace, deadline = _namespace(tenant), time.monotonic() + timeout

        def excused(seconds: float) -> None:
            nonlocal deadline
            deadline += seconds
            (wait or time.sleep)(seconds)

        while not self._searchable(namespace, tenant, record_ids, wait and excused):
            if time.monotonic() > deadline:
                with self._lock:
                    self._positions.pop(tenant, None)
                raise TransientError("index_unavailable", f"Pinecone hides what was written {timeout:.0f} s ago.")
            time.sleep(_POLL_SECONDS)

    def _searchable(self, namespace: str, tenant: int, record_ids: Sequence[str], wait: Wait | None) -> bool:
        position = self._positions.get(tenant)
        if position is not None:
            ask = partial(self._index.query, top_k=1, vector=self._any_direction, namespace=namespace)
            info = _unthrottled(ask, wait).response_info
            if info is not None and info.lsn_reconciled is not None:
                return info.is_reconciled(position)
        return all(
            len(wanted & self._shown(namespace, document_id, wait)) >= min(len(wanted), MAX_TOP_K)
            for document_id, wanted in _by_document(record_ids).items()
        )

    def _shown(self, namespace: str, document_id: str, wait: Wait | None) -> set[str]:
        """The ids of a document's records that queries see, ten thousand at most."""
        ask = partial(
            self._index.query,
            top_k=MAX_TOP_K,
            vector=self._any_direction,
            namespace=namespace,
            filter={"document_id": {"$eq": document_id}},
        )
        return {match.id for match in _unthrottled(ask, wait).matches}

    @_translated
    def query(self, tenant: int, vector: Vector, top_k: int, scope: Scope | None = None) -> list[Hit]:
        """The nearest records by cosine similarity, best first. A filter names so many documents at most; of more, as
        many queries are made as that takes."""
        if scope is None:
            return self._nearest(tenant, vector, top_k, None)
        ids = scope.document_ids()
        parts = [ids[first : first + MAX_FILTER_VALUES] for first in range(0, len(ids), MAX_FILTER_VALUES)]
        hits = [hit for part in parts for hit in self._nearest(tenant, vector, top_k, part)]
        return sorted(hits, key=lambda hit: -hit.score)[:top_k]

    def _nearest(self, tenant: int, vector: Vector, top_k: int, document_ids: Sequence[str] | None) -> list[Hit]:
        ask = partial(
            self._index.query,
            top_k=min(top_k, MAX_TOP_K),
            vector=_rounded(vector),
            namespace=_namespace(tenant),
            filter=None if document_ids is None else {"document_id": {"$in": list(document_ids)}},
        )
        return [Hit(match.id, float(match.score)) for match in _unthrottled(ask).matches]

    @_translated
    def record_ids(self, tenant: int, document_id: str) -> Iterator[str]:
        """The ids of a document's records, by their prefix."""
        return iter(self._listed(_namespace(tenant), document_id, None))

    @_translated
    def delete(self, tenant: int, record_ids: Sequence[str], wait: Wait | None = None) -> None:
        """Delete records by id, and return when they are no longer listed; `index_unavailable` if they stay."""
        namespace = _namespace(tenant)
        try:
            for first in range(0, len(record_ids), MAX_DELETE_IDS):
                ids = list(record_ids[first : first + MAX_DELETE_IDS])
                _unthrottled(partial(self._index.delete, ids=ids, namespace=namespace), wait)
        except NotFoundError:  # the namespace: nothing was ever written for this tenant
            return
        deadline = time.monotonic() + _VISIBLE_WITHIN
        for document_id, gone in _by_document(record_ids).items():
            while gone & set(self._listed(namespace, document_id, wait)):
                if time.monotonic() > deadline:
                    raise TransientError("index_unavailable", "Pinecone still lists records that were deleted.")
                time.sleep(_POLL_SECONDS)

    def _listed(self, namespace: str, document_id: str, wait: Wait | None) -> list[str]:
        def all_pages() -> list[str]:
            pages = self._index.list(prefix=f"{document_id}#", namespace=namespace)
            return [str(item.id) for page in pages for item in page.vectors]

        try:
            return _unthrottled(all_pages, wait)
        except NotFoundError:
            return []

    @property
    def _any_direction(self) -> list[float]:
        return [1.0] + [0.0] * (self.dimension - 1)

    @cached_property
    def _client(self) -> Pinecone:
        if not self._api_key:
            raise PermanentError("index_auth", "PINECONE_API_KEY is not set; make a key at app.pinecone.io.")
        return Pinecone(api_key=self._api_key, host=self._controller_host, retry_config=_RETRY, timeout=20)

    @cached_property
    def _index(self) -> Index:
        index: Index = _unthrottled(partial(self._client.index, name=self._index_name))
        # SDK 10.2 hands its client's RetryConfig to the control plane only; the index would sleep on each 429 itself,
        # minutes long and deaf to a delete. tests/contract/test_waiting.py tells when this is no longer needed.
        index._http.close()
        index._http = HTTPClient(replace(index._config, retry_config=_RETRY), DATA_PLANE_API_VERSION)
        return index


def _unthrottled(call: Callable[[], T], wait: Wait | None = None) -> T:
    """The call's answer; it is made again after each 429, up to an hour by `wait`, for two seconds without one."""
    waited, (pause, longest_pause) = 0.0, _PAUSES
    while True:
        try:
            return call()
        except RateLimitError as throttled:
            if "month" in _said(throttled):
                raise PermanentError(
                    "index_rejected",
                    f"Pinecone's quota for the month is spent: {_said(throttled)} Raise the plan, then retry the"
                    " document.",
                ) from throttled
            seconds = pause if throttled.retry_after is None else max(throttled.retry_after, 0.1)
            if waited + seconds > (_LONGEST_WAIT if wait else _BRIEFLY):
                raise TransientError(
                    "index_unavailable",
                    f"Pinecone is throttled, {waited:.0f} s waited so far; it says to ask again in {seconds:.0f} s.",
                ) from throttled
            (wait or time.sleep)(seconds)
            waited, pause = waited + seconds, min(2 * pause, longest_pause)


def _key_refused(error: Exception) -> PermanentError:
    return PermanentError("index_auth", f"Pinecone refused the key in PINECONE_API_KEY: {_said(error)}")


def _packed(records: Iterable[Record]) -> Iterator[list[dict[str, Any]]]:
    """The records as the wire has them, in batches below the limits of number and bytes."""
    batch: list[dict[str, Any]] = []
    size = 0
    for record in records:
        metadata, metadata_bytes = _fitted(record.metadata)
        record_bytes = _NUMBER_BYTES * len(record.values) + metadata_bytes + len(record.id) + 64
        if batch and (len(batch) == MAX_UPSERT_RECORDS or size + record_bytes > MAX_UPSERT_BYTES):
            yield batch
            batch, size = [], 0
        batch.append({"id": record.id, "values": _rounded(record.values), "metadata": metadata})
        size += record_bytes
    if batch:
        yield batch


def _fitted(metadata: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """The metadata below 40 KB and its bytes; a longer text is cut between two characters, at a space if one is near.

    What a hit says comes from the chunk's row: the text here is for people who look into the index.
    """
    fitted = dict(metadata)
    excess = _json_bytes(fitted) - MAX_METADATA_BYTES
    while excess > 0 and fitted.get("text"):
        text = str(fitted["text"])
        # A character takes at most six bytes in JSON, so this ends, and mostly after one round.
        kept = text[: min(len(text) - 1, max(len(text) - max(excess // 6, 1), 0))]
        head, space, tail = kept.rpartition(" ")
        fitted["text"] = head if space and len(tail) < 100 else kept
        excess = _json_bytes(fitted) - MAX_METADATA_BYTES
    if excess > 0:
        fitted.pop("headings", None)
    return fitted, _json_bytes(fitted)


def _json_bytes(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def _rounded(vector: Vector) -> list[float]:
    """The numbers to eight places: all that float32 holds of them, in half the bytes."""
    numbers: list[float] = np.round(vector.astype(np.float64), 8).tolist()
    return numbers


def _by_document(record_ids: Iterable[str]) -> dict[str, set[str]]:
    ids: dict[str, set[str]] = {}
    for one in record_ids:
        ids.setdefault(one.rpartition("#")[0], set()).add(one)
    return ids


def _namespace(tenant: int) -> str:
    return f"tenant-{checked_tenant(tenant)}"


def _said(error: Exception) -> str:
    return " ".join(str(getattr(error, "message", None) or error).split())[:300]
