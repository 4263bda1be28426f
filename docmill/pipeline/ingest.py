"""The six steps from a stored file to searchable vectors, readable top to bottom.

Pages stream: while the extractor reads page 9, the chunks of page 8 are embedded and those of page 7 are indexed. Every
step hands on bounded batches, so memory does not grow with the document.
"""

import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Protocol, TypeVar

import numpy as np

from docmill.pipeline.chunking.chunker import Chunker, embedding_text
from docmill.pipeline.embed import Embedder, Wait
from docmill.pipeline.embed.cache import VectorCache, cache_key
from docmill.pipeline.errors import PermanentError
from docmill.pipeline.types import Chunk, Page, PageWarning, Record, Vector, Vectors
from docmill.pipeline.vector_stores import VectorStore, record_id

SEARCHABLE_WITHIN = 60.0
"""Seconds that a vector store may take until queries see what was written."""
WRITES_IN_FLIGHT = 4
_ASK_EVERY = 1.0

T = TypeVar("T")


class Originals(Protocol):
    """Where the uploaded files are kept."""

    def download(self, key: str) -> AbstractContextManager[Path]: ...


class PageStream(Protocol):
    """A document being read: its pages in order, once. The title that its author gave and `pages_total` are known
    before the first page, if at all."""

    @property
    def title(self) -> str | None: ...

    @property
    def pages_total(self) -> int | None: ...

    def __iter__(self) -> Iterator[Page]: ...


class Extractor(Protocol):
    """What reads documents: the box itself, or the box with other workers' help."""

    def open(self, path: Path, content_type: str) -> AbstractContextManager[PageStream]: ...


class VectorJournal(Protocol):
    """What is noted of chunks on their way to the index. Each call may raise to end the work."""

    def chunks_cut(self, count: int) -> None: ...

    def chunks_ready(self, batch: "EmbeddedBatch") -> None:
        """Write the chunks' rows, before their vectors: a vector is always known by a row to delete it by."""

    def chunks_indexed(self, chunks_done: int) -> None: ...

    def still_mine(self) -> None:
        """Called about once a second while a call takes long: raises when the document is to be let go."""

    def throttled(self, seconds: float) -> None:
        """Told by any thread before it waits for quota so long. Never raises."""


class Journal(VectorJournal, Protocol):
    """The document's row as the pipeline sees it. Each call may raise StaleAttemptError or HandedOverError."""

    def downloading(self) -> None: ...

    def extracting(self) -> None: ...

    def opened(self, title: str) -> None:
        """Told the title that the author gave, "" where there is none."""

    def page_read(self, page: Page, pages_total: int | None) -> None: ...

    def chunking(self) -> None:
        """All pages are read; what is left of them is cut."""

    def embedding(self) -> None: ...

    def indexing(self) -> None: ...

    def leftovers(self, chunks_total: int) -> list[int]:
        """Ordinals at or above `chunks_total` that a longer earlier attempt wrote."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be ingested: the document, its owner and where its original lies."""

    document_id: str
    tenant: int
    s3_key: str
    filename: str
    content_type: str
    title: str = ""

    @property
    def name(self) -> str:
        """What the document is called: the title that its author gave, else the file's name."""
        return self.title or self.filename


@dataclass(frozen=True, slots=True)
class Adapters:
    """The adapters that one ingest works with."""

    originals: Originals
    extractor: Extractor
    chunker: Chunker
    embedder: Embedder
    cache: VectorCache
    store: VectorStore


@dataclass(frozen=True, slots=True)
class EmbeddedBatch:
    """Consecutive chunks, their vectors and the vectors' keys in the cache, whence `reused` of them came."""

    chunks: Sequence[Chunk]
    keys: Sequence[bytes]
    vectors: Vectors
    reused: int


def ingest(job: Job, adapters: Adapters, journal: Journal) -> int:
    """Run the six steps and return the number of chunks, all searchable in the vector store.

    Writing 'completed' or 'failed' is the caller's. Raises PermanentError, TransientError, StaleAttemptError or
    HandedOverError.
    """
    journal.downloading()
    with adapters.originals.download(job.s3_key) as path:  # 1 download
        journal.extracting()
        warnings: set[PageWarning] = {""}
        with adapters.extractor.open(path, job.content_type) as extraction:  # 2 extract
            job = replace(job, title=extraction.title or "")
            journal.opened(job.title)
            pages = _read(extraction, journal, warnings)
            chunks = _cut(adapters.chunker.chunks(pages, job.title), journal)  # 3 chunk
            total = embed_and_index(chunks, job, adapters, journal)  # 4 embed, 5 index
    if total == 0:
        raise PermanentError(max(warnings) or "no_text")
    journal.indexing()
    leftovers = journal.leftovers(total)
    wait = _asking(journal)
    adapters.store.delete(job.tenant, [record_id(job.document_id, ordinal) for ordinal in leftovers], wait)
    ids = [record_id(job.document_id, ordinal) for ordinal in range(total)]
    adapters.store.wait_until_searchable(job.tenant, ids, SEARCHABLE_WITHIN, wait)
    return total


def embed_and_index(chunks: Iterable[Chunk], job: Job, adapters: Adapters, journal: VectorJournal) -> int:
    """Embed a document's chunks and write them to the vector store, in batches; return how many there are."""
    total = 0
    with (
        closing(_embedded(chunks, job, adapters, journal)) as batches,
        closing(_indexed(batches, job, adapters, journal)) as indexed,
    ):
        for count in indexed:
            total += count
            journal.chunks_indexed(total)
    return total


def _read(extraction: PageStream, journal: Journal, warnings: set[PageWarning]) -> Iterator[Page]:
    for page in extraction:
        warnings.add(page.warning)
        journal.page_read(page, extraction.pages_total)
        yield page
    journal.chunking()


def _cut(chunks: Iterable[Chunk], journal: Journal) -> Iterator[Chunk]:
    yield from chunks
    journal.embedding()


def _embedded(
    chunks: Iterable[Chunk], job: Job, adapters: Adapters, journal: VectorJournal
) -> Generator[EmbeddedBatch, None, None]:
    """Batches in order, with up to `embedder.concurrency` calls in flight while further pages are read.

    The cache is read and written in this thread only: its connection belongs to the worker. A call that waits for
    quota is woken when this ends early; what was embedded by then is kept. A call writes nothing, so one that runs
    while the document is let go is left to itself.
    """
    embedder, waiting, stopped = adapters.embedder, deque[_PendingBatch](), Event()
    calls = ThreadPoolExecutor(embedder.concurrency, thread_name_prefix="embed")
    try:
        for batch in _batches(chunks, embedder.batch_size):
            journal.chunks_cut(len(batch))
            waiting.append(_PendingBatch(batch, job, adapters, calls, stopped, journal))
            if len(waiting) > embedder.concurrency:
                yield waiting.popleft().finish(journal)
        while waiting:
            yield waiting.popleft().finish(journal)
    finally:
        stopped.set()
        calls.shutdown(wait=False, cancel_futures=True)
        _await_last([pending.call for pending in waiting if pending.call], journal)
        for pending in waiting:
            pending.keep()


class _PendingBatch:
    """A batch whose unknown texts are being embedded."""

    def __init__(
        self,
        chunks: Sequence[Chunk],
        job: Job,
        adapters: Adapters,
        calls: ThreadPoolExecutor,
        stopped: Event,
        journal: VectorJournal,
    ) -> None:
        self.chunks, self.job, self.cache, self.embedder = chunks, job, adapters.cache, adapters.embedder
        texts = [embedding_text(chunk) for chunk in chunks]
        self.keys = [cache_key(self.embedder, job.name, text) for text in texts]
        self.known = self.cache.get(job.tenant, self.keys)
        self.missing = {key: text for key, text in zip(self.keys, texts, strict=True) if key not in self.known}
        self.call: Future[Vectors] | None = None
        if self.missing:
            texts, wait = list(self.missing.values()), _until(stopped, journal)
            self.call = calls.submit(self.embedder.embed_passages, texts, job.name, wait)

    def finish(self, journal: VectorJournal) -> EmbeddedBatch:
        if self.call is not None:
            _awaited(self.call, journal)
        fresh = self.keep()
        vectors = np.stack([fresh[key] if key in fresh else self.known[key] for key in self.keys])
        return EmbeddedBatch(self.chunks, self.keys, vectors, reused=sum(key in self.known for key in self.keys))

    def keep(self) -> dict[bytes, Vector]:
        """Put what was embedded into the cache; nothing where the call failed, never began or has not ended."""
        call = self.call
        if call is None or not call.done() or call.cancelled() or call.exception() is not None:
            return {}
        fresh = dict(zip(self.missing, call.result(), strict=True))
        self.cache.put(self.job.tenant, fresh)
        return fresh


def _indexed(
    batches: Iterable[EmbeddedBatch], job: Job, adapters: Adapters, journal: VectorJournal
) -> Generator[int, None, None]:
    """Write batches to the vector store, several at once; the number of chunks of each, when it is written.

    Ends only when no write is under way any more, so that none can come after a delete; one that waits for a throttled
    store is woken then.
    """
    waiting, stopped = deque[tuple[int, Future[None]]](), Event()
    wait = _until(stopped, journal)
    with ThreadPoolExecutor(WRITES_IN_FLIGHT, thread_name_prefix="index") as calls:
        try:
            for batch in batches:
                journal.chunks_ready(batch)
                call = calls.submit(adapters.store.upsert, job.tenant, _records(job, batch), wait)
                waiting.append((len(batch.chunks), call))
                if len(waiting) > WRITES_IN_FLIGHT:
                    count, call = waiting.popleft()
                    _awaited(call, journal)
                    yield count
            while waiting:
                count, call = waiting.popleft()
                _awaited(call, journal)
                yield count
        finally:
            stopped.set()
            calls.shutdown(wait=True, cancel_futures=True)


def _until(stopped: Event, journal: VectorJournal) -> Wait:
    """How a call's own thread waits for quota: it gives up when `stopped` is set."""

    def wait(seconds: float) -> None:
        journal.throttled(seconds)
        if stopped.wait(seconds):
            raise CancelledError

    return wait


def _asking(journal: VectorJournal) -> Wait:
    """How the thread that owns the document waits: it asks once a second whether it still does."""

    def wait(seconds: float) -> None:
        journal.throttled(seconds)
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            journal.still_mine()
            time.sleep(min(left, _ASK_EVERY))

    return wait


def _awaited(call: "Future[T]", journal: VectorJournal) -> T:
    """The call's result, asking once a second whether it still is wanted."""
    while not wait_for([call], timeout=_ASK_EVERY).done:
        journal.still_mine()
    return call.result()


def _await_last(calls: Iterable["Future[T]"], journal: VectorJournal) -> None:
    """Wait for calls that were begun, since they are paid for, as long as the document is not to be let go."""
    running = [call for call in calls if not call.done()]
    with suppress(Exception):  # an error is on its way already, and this one only says not to wait
        while wait_for(running, timeout=_ASK_EVERY).not_done:
            journal.still_mine()


def _batches(chunks: Iterable[Chunk], size: int) -> Iterator[list[Chunk]]:
    iterator = iter(chunks)
    while batch := list(islice(iterator, size)):
        yield batch


def _records(job: Job, batch: EmbeddedBatch) -> list[Record]:
    return [
        Record(
            record_id(job.document_id, chunk.ordinal),
            vector,
            {
                "document_id": job.document_id,
                "user_id": job.tenant,
                "ordinal": chunk.ordinal,
                "first_page": chunk.first_page,
                "last_page": chunk.last_page,
                "filename": job.filename,
                "headings": list(chunk.headings),
                "text": chunk.text,
            },
        )
        for chunk, vector in zip(batch.chunks, batch.vectors, strict=True)
    ]
