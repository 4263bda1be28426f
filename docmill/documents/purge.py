"""Removing what deleted and failed documents left in the vector store, the bucket and the database.

The sweep begins a round, which runs beside it in a thread of its own: a vector store that hangs holds up no document.
"""

import threading
import uuid
from collections.abc import Callable

import structlog
from django.db import connections
from django.db.models import Exists, OuterRef, QuerySet

from docmill import adapters
from docmill.documents.locks import document_lock
from docmill.documents.models import Chunk, Document
from docmill.documents.vector_index import verify_index
from docmill.pipeline.errors import DocmillError, TransientError
from docmill.pipeline.vector_stores import record_id

log = structlog.get_logger("docmill.purge")

_AT_ONCE = 500
"""Documents looked at in one round, oldest first."""


class Clearing:
    """Rounds of clearing away, one at a time."""

    def __init__(self) -> None:
        self._under_way = threading.Lock()

    def begin(self) -> None:
        """Begin a round, unless the last one is still at work."""
        if self._under_way.acquire(blocking=False):
            threading.Thread(target=self._run, name="clearing", daemon=True).start()

    def _run(self) -> None:
        try:
            clear_away()
        except Exception:
            log.exception("clearing_failed")
        finally:
            connections.close_all()
            self._under_way.release()


def clear_away() -> None:
    """One round: purge deleted documents, and clear failed ones. Trouble with one postpones that one."""
    for document in _deleted():
        _try(purge, document)
    for document in _failed_with_chunks():
        _try(clear_failed, document)


def _deleted() -> QuerySet[Document]:
    return Document.objects.filter(deleted_at__isnull=False).order_by("deleted_at")[:_AT_ONCE]


def _failed_with_chunks() -> QuerySet[Document]:
    chunks = Chunk.objects.filter(document=OuterRef("pk"))
    return Document.objects.filter(Exists(chunks), status=Document.Status.FAILED)[:_AT_ONCE]


def _try(clear: Callable[[uuid.UUID], bool], document: Document) -> None:
    try:
        clear(document.id)
    except DocmillError as error:
        log.warning("clearing_postponed", document_id=str(document.id), code=error.code, message=error.message)


def purge(document_id: uuid.UUID) -> bool:
    """Remove a deleted document for good: vectors first, verified, then the original, then the rows.

    False when a worker still holds it or it is not deleted. Raises TransientError when a part is down, and
    PermanentError `index_mismatch` when another index is in use than this process knows: the sweep asks again.
    """
    verify_index()
    with document_lock(document_id) as lock:
        document = Document.objects.filter(id=document_id, deleted_at__isnull=False).first()
        if lock is None or document is None:
            return False
        remove_vectors(document)
        adapters.originals().delete(document.s3_key)
        document.delete()
    log.info("document_purged", document_id=str(document_id))
    return True


def clear_failed(document_id: uuid.UUID) -> bool:
    """Remove the vectors and chunks that a failed document's attempts left; False when it is in use again."""
    verify_index()
    with document_lock(document_id) as lock:
        document = Document.objects.filter(id=document_id, status=Document.Status.FAILED).first()
        if lock is None or document is None:
            return False
        remove_vectors(document)
        document.chunks.all().delete()
    return True


def remove_vectors(document: Document) -> None:
    """Delete the document's vectors by the ids of its chunk rows, and check that none is left."""
    store, document_id = adapters.vector_store(), str(document.id)
    ordinals = document.chunks.values_list("ordinal", flat=True)
    store.delete(document.user_id, [record_id(document_id, ordinal) for ordinal in ordinals])
    left = list(store.record_ids(document.user_id, document_id))
    if left:
        store.delete(document.user_id, left)
        raise TransientError("index_unavailable", f"{len(left)} vectors of a removed document are still listed.")
