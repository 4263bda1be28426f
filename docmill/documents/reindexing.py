"""Building another index from the chunks in PostgreSQL, and bringing it into use.

The process that reindexes has the new settings, the running system the old ones and goes on working with them. What it
completes meanwhile is caught up with; then the new index comes into use in one transaction. From that moment processes
with the old settings refuse to search and leave documents alone, until they are started again with the new ones.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, cast

import structlog
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet

from docmill import adapters
from docmill.documents.locks import document_lock
from docmill.documents.models import Chunk, Document, IndexedDocument, VectorIndex
from docmill.documents.vector_cache import PostgresVectorCache
from docmill.pipeline.errors import TransientError
from docmill.pipeline.ingest import SEARCHABLE_WITHIN, Adapters, EmbeddedBatch, Job, embed_and_index
from docmill.pipeline.vector_stores import record_id

log = structlog.get_logger("docmill.reindexing")

_AT_ONCE = 200
_PAUSES = (2, 4, 8)
_DOCUMENTS_SIDE_BY_SIDE = 4

Report = Callable[[int, int], None]
"""Gets the number of documents done and of all there are."""


def reindex(target: VectorIndex, report: Report) -> VectorIndex | None:
    """Bring the index of the settings, `target`, into use, building what is missing of it; the index that was in use
    until now, if there was one.

    Stopped at any point, it goes on where it was when run again. Raises TransientError when a part stays down and
    PermanentError when one refuses.
    """
    old = VectorIndex.objects.filter(active=True).first()
    tenants: dict[int, list[str]] = {}
    while True:
        for document, ids in _build(target):
            tenants[document.user_id] = ids or tenants.get(document.user_id, [])
            report(*_progress(target))
        for tenant, ids in tenants.items():
            adapters.vector_store().wait_until_searchable(tenant, ids, SEARCHABLE_WITHIN, time.sleep)
        forget_removed(target)  # only now: what is removed would be waited for in vain
        if _bring_into_use(target):
            report(*_progress(target))
            return old


def too_long() -> int:
    """How many chunks have more tokens than the model of the settings reads: their ends would not be searched."""
    return Chunk.objects.filter(
        document__status=Document.Status.COMPLETED, token_count__gt=adapters.embedder().max_tokens
    ).count()


def forget_removed(index: VectorIndex) -> int:
    """Remove what a reindexing wrote of documents that are gone since; how many there were."""
    living = Document.objects.completed().filter(id=OuterRef("document_id"))
    removed = 0
    for entry in index.documents.filter(~Exists(living)).iterator():
        store = adapters.vector_store()
        store.delete(entry.user_id, list(store.record_ids(entry.user_id, str(entry.document_id))))
        entry.delete()
        removed += 1
    return removed


def _missing(index: VectorIndex) -> QuerySet[Document]:
    done = IndexedDocument.objects.filter(
        index=index, document_id=OuterRef("id"), completed_at=OuterRef("completed_at")
    )
    return Document.objects.completed().filter(~Exists(done))


def _progress(index: VectorIndex) -> tuple[int, int]:
    total = Document.objects.completed().count()
    return total - _missing(index).count(), total


def _build(index: VectorIndex) -> Iterator[tuple[Document, list[str]]]:
    """Write what is missing, several documents side by side; each with the ids of its records."""
    with ThreadPoolExecutor(_DOCUMENTS_SIDE_BY_SIDE, thread_name_prefix="reindex") as threads:
        while some := list(_missing(index).order_by("created_at")[:_AT_ONCE]):
            yield from zip(some, threads.map(lambda one: _patiently(index, one), some), strict=True)


def _patiently(index: VectorIndex, document: Document) -> list[str]:
    try:
        for pause in _PAUSES:
            try:
                return _write(index, document)
            except TransientError as error:
                log.warning("waiting", code=error.code, message=error.message, seconds=pause)
                time.sleep(pause)
        return _write(index, document)
    finally:
        connection.close()  # this thread's own


def _write(index: VectorIndex, document: Document) -> list[str]:
    """Embed and write one document, held so that it is not removed meanwhile; no ids when it is gone or in use."""
    with document_lock(document.id) as lock:
        if (
            lock is None
            or not Document.objects.completed().filter(id=document.id, completed_at=document.completed_at).exists()
        ):
            time.sleep(0.1)
            return []
        job = Job(
            str(document.id),
            document.user_id,
            document.s3_key,
            document.filename,
            document.content_type,
            document.title,
        )
        chunks: Any = document.chunks.order_by("ordinal").iterator(chunk_size=500)  # rows have a Chunk's fields
        total = embed_and_index(chunks, job, _adapters(), _Rows(document))
        IndexedDocument.objects.update_or_create(
            index=index,
            document_id=document.id,
            defaults={"user_id": document.user_id, "completed_at": cast(datetime, document.completed_at)},
        )
    return [record_id(str(document.id), ordinal) for ordinal in range(total)]


def _adapters() -> Adapters:
    return Adapters(
        originals=adapters.originals(),
        extractor=adapters.extractor(),
        chunker=adapters.chunker({}),
        embedder=adapters.embedder(),
        cache=PostgresVectorCache(),
        store=adapters.vector_store(),
    )


class _Rows:
    """Notes the new vectors' keys in the chunks' rows, so that the cache keeps them."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def chunks_cut(self, count: int) -> None:
        """Nothing to note."""

    def chunks_ready(self, batch: EmbeddedBatch) -> None:
        for chunk, key in zip(batch.chunks, batch.keys, strict=True):
            Chunk.objects.filter(document=self._document, ordinal=chunk.ordinal).update(vector_key=key)

    def chunks_indexed(self, chunks_done: int) -> None:
        """Nothing to note."""

    def still_mine(self) -> None:
        """Nobody takes the document away while it is held."""

    def throttled(self, seconds: float) -> None:
        """There is no time limit here."""


def _bring_into_use(target: VectorIndex) -> bool:
    """Make the target the index in use, unless a document was completed meanwhile: workers hold the row in use while
    they complete one (`index_is_ours(hold=True)`), so none can slip in between."""
    with transaction.atomic():
        list(VectorIndex.objects.select_for_update().filter(active=True))
        if _missing(target).exists():
            return False
        VectorIndex.objects.filter(active=True).update(active=False)
        VectorIndex.objects.filter(id=target.id).update(active=True)
    log.info("index_in_use", index=str(target))
    return True
